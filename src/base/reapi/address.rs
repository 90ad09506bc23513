//! The address of a server: `grpcs://HOST:PORT`, or `grpc://HOST:PORT` where that is this machine.

use crate::model::{is_port, is_unprotected};

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    text: String,
    is_secure: bool,
}

impl ServerAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in one sentence why `text` is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (is_secure, rest) = match text.split_once("://") {
            Some(("grpcs", rest)) => (true, rest),
            Some(("grpc", rest)) => (false, rest),
            _ => return Err(format!("`{text}` is not an address `grpcs://HOST:PORT`")),
        };
        let rest = rest.trim_end_matches('/');
        let host = rest.rsplit_once(':').filter(|(host, port)| {
            !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        if rest.contains(['/', '@', '?', '#']) || rest.contains(char::is_whitespace) {
            return Err(format!("`{}` has more than a host and a port", without_user(text)));
        }
        match host {
            None => return Err(format!("`{text}` names no port")),
            Some((_, port)) if !is_port(port) => {
                return Err(format!("`{port}` is not a port: one is a number from 1 to 65535"));
            }
            Some(_) => {}
        }
        let scheme = if is_secure { "grpcs" } else { "grpc" };
        Ok(Self { text: format!("{scheme}://{rest}"), is_secure })
    }

    /// Whether it is read and written in the open, over a network.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        !self.is_secure && is_unprotected(&self.uri())
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The address, as people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address as HTTP/2 has it.
    #[must_use]
    pub fn uri(&self) -> String {
        self.text.replacen("grpc", "http", 1)
    }
}

/// `text` without what may be a password.
fn without_user(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_a_port() {
        for (text, uri, is_unprotected) in [
            ("grpcs://cache.example.com:443", "https://cache.example.com:443", false),
            ("grpc://127.0.0.1:9092/", "http://127.0.0.1:9092", false),
            ("grpc://localhost:1", "http://localhost:1", false),
            ("grpc://cache.example.com:1", "http://cache.example.com:1", true),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            assert_eq!((address.uri().as_str(), address.is_unprotected()), (uri, is_unprotected));
        }
        for text in [
            "cache:1",
            "https://cache:1",
            "grpc://cache",
            "grpc://:1",
            "grpc://c:x",
            "grpcs://c:1/main",
            "grpcs://c:0",
            "grpcs://c:65536",
        ] {
            assert!(ServerAddress::parse(text).is_err(), "{text}");
        }
        let why = ServerAddress::parse("grpcs://me:secret@cache:1").unwrap_err();
        assert!(!why.contains("secret"), "{why}");
    }
}

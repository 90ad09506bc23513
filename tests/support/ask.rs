//! A plain HTTP client that hides nothing: no redirects, no retries, and what came before a break.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A request in the making.
#[derive(Clone)]
pub struct Ask {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 0 when the connection broke before the head of an answer.
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
    /// Whether the body is as long as its head promised.
    pub complete: bool,
}

impl Ask {
    /// With a `User-Agent`, as GitHub demands.
    pub fn new(method: &str, url: &str) -> Self {
        let headers = vec![("user-agent".into(), "forge-tests".into())];
        Self { method: method.into(), url: url.into(), headers, body: Vec::new() }
    }

    /// A GET.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A POST of a JSON document.
    pub fn post(url: &str, document: &serde_json::Value) -> Self {
        Self::new("POST", url).json(document)
    }

    /// With a JSON document.
    #[must_use]
    pub fn json(self, document: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(document.to_string())
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Without a header that is there by default.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// With a token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Asks, and waits for all that comes; what is not there after half a minute never comes.
    pub fn send(self) -> Reply {
        let rest = self.url.strip_prefix("http://").expect("a plain URL");
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut stream = TcpStream::connect(host).expect("a server");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let path = if path.is_empty() { "/" } else { path };
        let mut head =
            format!("{} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        // A server may break the connection while the request is still being written.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
        let mut bytes = Vec::new();
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            bytes.extend_from_slice(&piece[..count]);
        }
        Reply::parse(&bytes, self.method == "HEAD")
    }
}

impl Reply {
    fn parse(bytes: &[u8], bodiless: bool) -> Self {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Self { status: 0, head: String::new(), body: Vec::new(), complete: false };
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut reply = Self { status, head, body: bytes[end + 4..].to_vec(), complete: false };
        let promised = reply.header("content-length").and_then(|text| text.parse().ok());
        reply.complete =
            bodiless || promised.is_none_or(|length: usize| length == reply.body.len());
        reply
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        pairs
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The body as a JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n\n{}", self.head, self.text())
    }
}

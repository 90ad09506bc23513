//! The file that `docker login` and `podman login` write (docker/cli, `config.json`;
//! containers-auth.json(5)).

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::store::RegistrySecret;

/// What such a file says of logins.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default, rename = "identitytoken")]
    identity_token: Option<String>,
    #[serde(default, rename = "registrytoken")]
    registry_token: Option<String>,
}

impl DockerConfig {
    /// Reads the text of such a file.
    ///
    /// # Errors
    /// Says why it is not one, and nothing of what is in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| {
            format!("it is not valid JSON at line {}, column {}", error.line(), error.column())
        })
    }

    /// The helper that keeps the logins of `host`, if one does.
    pub fn helper(&self, host: &str) -> Option<&str> {
        let own = self.cred_helpers.iter().find(|(key, _)| plain_key(key) == host);
        let name = own.map(|(_, name)| name).or(self.creds_store.as_ref())?;
        is_helper(name).then_some(name.as_str())
    }

    /// What is kept in the file itself for the repository `path` at `host`: the entry that names the
    /// most of it.
    pub fn secret(&self, host: &str, path: &str) -> Option<RegistrySecret> {
        let whole = format!("{host}/{path}");
        let mut name = whole.as_str();
        loop {
            let mut of_name = self.auths.iter().filter(|(key, _)| plain_key(key) == name);
            if let Some(secret) = of_name.find_map(|(_, entry)| entry.secret()) {
                return Some(secret);
            }
            if name == host {
                return None;
            }
            name = name.rsplit_once('/')?.0;
        }
    }
}

impl Entry {
    fn secret(&self) -> Option<RegistrySecret> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&self.registry_token) {
            return Some(RegistrySecret::Token(token));
        }
        if let Some(token) = filled(&self.identity_token) {
            return Some(RegistrySecret::IdentityToken(token));
        }
        if let (Some(user), Some(password)) = (filled(&self.username), filled(&self.password)) {
            return Some(RegistrySecret::Password { user, password });
        }
        let decoded = STANDARD.decode(filled(&self.auth)?.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.trim_end_matches('\0').split_once(':')?;
        Some(RegistrySecret::Password { user: user.to_owned(), password: password.to_owned() })
    }
}

/// What a helper answered.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login in the answer of a helper (docker-credential-helpers, "Development"); none if it is
/// not one.
pub fn parse_answer(text: &str) -> Option<RegistrySecret> {
    let Answer { username, secret } = serde_json::from_str(text).ok()?;
    if secret.is_empty() {
        return None;
    }
    Some(match username.as_str() {
        "<token>" => RegistrySecret::IdentityToken(secret),
        _ => RegistrySecret::Password { user: username, password: secret },
    })
}

/// What helpers know `host` by: Docker Hub is known by its first address.
pub fn helper_key(host: &str) -> &str {
    if host == "docker.io" { "https://index.docker.io/v1/" } else { host }
}

/// `key` as hosts are called: with neither scheme nor the path of an API.
fn plain_key(key: &str) -> String {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest).to_ascii_lowercase();
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, path) = key.split_once('/').map_or((key, None), |(host, path)| (host, Some(path)));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    };
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

/// Whether `name` can be the name of a helper: it goes into a command line.
fn is_helper(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> RegistrySecret {
        RegistrySecret::Password { user: user.into(), password: password.into() }
    }

    #[test]
    fn entries_are_found_however_they_are_written() {
        let auth = |text: &str| STANDARD.encode(text);
        let text = format!(
            r#"{{"auths":{{"https://Ghcr.io/v2/":{{"auth":"{}"}},"https://index.docker.io/v1/":{{"identitytoken":"id"}},
               "r.example.org":{{"registrytoken":"as-it-is"}},"r.example.org/acme":{{"username":"a","password":"b"}},
               "empty.example.org":{{}}}},"credHelpers":{{"1.dkr.ecr.eu-west-1.amazonaws.com":"ecr-login","evil.org":"x; rm"}}}}"#,
            auth("me:pass:word")
        );
        let config = DockerConfig::parse(&text).unwrap();
        assert_eq!(config.secret("ghcr.io", "acme/api"), Some(password("me", "pass:word")));
        let hub = Some(RegistrySecret::IdentityToken("id".into()));
        assert_eq!(config.secret("docker.io", "library/nginx"), hub);
        assert_eq!(config.secret("r.example.org", "acme/api"), Some(password("a", "b")));
        let token = Some(RegistrySecret::Token("as-it-is".into()));
        assert_eq!(config.secret("r.example.org", "acmes/api"), token);
        for host in ["empty.example.org", "ghcr.io.evil.org", "example.org"] {
            assert_eq!(config.secret(host, "acme/api"), None, "{host}");
        }
        assert_eq!(config.helper("1.dkr.ecr.eu-west-1.amazonaws.com"), Some("ecr-login"));
        assert_eq!((config.helper("evil.org"), config.helper("ghcr.io")), (None, None));
        let store = DockerConfig::parse(r#"{"credsStore":"pass"}"#).unwrap();
        assert_eq!(store.helper("ghcr.io"), Some("pass"));
    }

    #[test]
    fn a_broken_file_shows_nothing_of_what_is_in_it() {
        let why = DockerConfig::parse(r#"{"auths":{"a":{"auth":"c2VjcmV0" "#).err().unwrap();
        assert!(why.contains("line 1") && !why.contains("c2Vj"), "{why}");
    }

    #[test]
    fn helpers_answer_with_a_password_or_an_identity_token() {
        let answer =
            |user: &str| format!(r#"{{"ServerURL":"x","Username":"{user}","Secret":"s"}}"#);
        assert_eq!(parse_answer(&answer("AWS")), Some(password("AWS", "s")));
        let token = Some(RegistrySecret::IdentityToken("s".into()));
        assert_eq!(parse_answer(&answer("<token>")), token);
        assert_eq!(parse_answer("credentials not found in native keychain"), None);
    }
}

//! `remote:`: the cache of builds that machines share. No secret stands in it: headers and the client's
//! certificate come from the environment.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::build::is_variable;
use crate::{
    manifest::{Findings, Node, Scalar, pairs, scalar},
    model::parse_duration,
    reapi::ServerAddress,
};

/// How long an answer may take if nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `remote:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// `cache`.
    pub address: ServerAddress,
    /// `instance`; empty for the one without a name.
    pub instance: String,
    /// `headers`: names, each with the environment variable that holds the value.
    pub headers: Vec<(String, String)>,
    /// `tls: {ca}`: a file of the workspace.
    pub authorities: Option<PathBuf>,
    /// `tls: {cert, key}`: the environment variables that name the files.
    pub identity: Option<(String, String)>,
    /// `read`.
    pub reads: bool,
    /// `write`: whether runs of CI that publish write.
    pub writes: bool,
    /// `salt`.
    pub salt: String,
    /// `timeout`.
    pub timeout: Duration,
}

impl RemoteSettings {
    /// Which cache it is: what was taken from another one does not count here.
    pub fn identity(&self) -> String {
        let mut identity = self.address.as_str().to_owned();
        for (word, text) in [("", &self.instance), ("salt ", &self.salt)] {
            if !text.is_empty() {
                identity.push_str(&format!(" {word}{text}"));
            }
        }
        identity
    }

    /// The environment variables that it names: what they hold is for the server alone.
    pub fn variables(&self) -> impl Iterator<Item = &String> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.headers.iter().map(|(_, variable)| variable).chain(identity)
    }
}

/// Resolves `remote:` of the workspace at `root`. What is wrong goes to `found`.
pub(super) fn resolve(node: &Node, root: &Path, found: &mut Findings) -> Option<RemoteSettings> {
    let address = scalar(node, "cache").and_then(|text| address(&text, found));
    let headers = pairs(node, "headers").into_iter().filter_map(|(name, variable)| {
        let variable = self::variable(&variable, found)?;
        Some((name.value, variable))
    });
    let headers = headers.collect();
    let tls = node.get("tls");
    let file = |key| tls.and_then(|tls| scalar(tls, key));
    let authorities = file("ca").and_then(|path| authorities(&path, root, found));
    let identity = match (file("cert"), file("key")) {
        (Some(cert), Some(key)) => variable(&cert, found).zip(variable(&key, found)),
        (Some(one), None) | (None, Some(one)) => {
            let help = "name both: `tls: { cert: VARIABLE, key: VARIABLE }`";
            found.add(one.bytes, "a certificate and its key go together", "one of the two", help);
            None
        }
        (None, None) => None,
    };
    let timeout = scalar(node, "timeout").map_or(Some(TIMEOUT), |text| {
        let parsed = parse_duration(&text.text).filter(|time| !time.is_zero());
        if parsed.is_none() {
            let what = format!("`{}` is not a time", text.text);
            found.add(text.bytes, what, "not a time", "write `10s`, or `500ms`");
        }
        parsed
    });
    let is = |key, word| scalar(node, key).is_some_and(|text| text.text == word);
    let text = |key| scalar(node, key).map(|text| text.text).unwrap_or_default();
    Some(RemoteSettings {
        address: address?,
        instance: text("instance"),
        headers,
        authorities,
        identity,
        reads: !is("read", "false"),
        writes: !is("write", "never"),
        salt: text("salt"),
        timeout: timeout?,
    })
}

fn address(text: &Scalar, found: &mut Findings) -> Option<ServerAddress> {
    match ServerAddress::parse(&text.text) {
        Ok(address) if address.is_unprotected() => {
            let what = format!("`{}` would be spoken to over an unprotected line", text.text);
            let help = "everybody on the way could replace what comes; write `grpcs://…` (grpc is for \
                        this machine only)";
            found.add(text.bytes.clone(), what, "no protection", help);
            None
        }
        Ok(address) => Some(address),
        Err(why) => {
            let help = "write `grpcs://HOST:PORT`, or `grpc://127.0.0.1:PORT` for this machine";
            found.add(text.bytes.clone(), why, "not an address", help);
            None
        }
    }
}

/// The file of authorities, which has to be there.
fn authorities(written: &Scalar, root: &Path, found: &mut Findings) -> Option<PathBuf> {
    let path = PathBuf::from(&written.text);
    if root.join(&path).is_file() {
        return Some(path);
    }
    let what = format!("there is no file `{}` in the workspace", written.text);
    let help = "without it no connection is made; commit the certificates as PEM, or leave out `ca` to \
                trust those of the system";
    found.add(written.bytes.clone(), what, "does not exist", help);
    None
}

/// The name of a variable. What is no name may be the secret itself, so it is not shown again.
fn variable(text: &Scalar, found: &mut Findings) -> Option<String> {
    let name = &text.text;
    let is_name = is_variable(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if !is_name {
        let what = "the value of a header is not written here, but the name of a variable";
        let help = "write the name of the environment variable that holds it, such as \
                    `FORGE_REMOTE_AUTHORIZATION`; a secret does not belong in a file";
        found.add(text.bytes.clone(), what, "not the name of a variable", help);
    }
    is_name.then(|| name.clone())
}

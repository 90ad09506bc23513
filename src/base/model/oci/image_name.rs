//! How images are called: `HOST/PATH:TAG@DIGEST` (distribution-spec 1.1, "Pulling manifests"; what a
//! name without a host means is Docker's word).

use std::{fmt, str::FromStr};

use super::json::digest;
use crate::model::{Sha256, is_loopback, is_port};

/// The host that names without one are of.
pub const DOCKER_HUB: &str = "docker.io";

/// The most that a host and a path may have, in bytes.
const MOST_BYTES: usize = 255;

/// A repository: where the manifests and blobs of an image are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRepository {
    host: String,
    path: String,
}

impl ImageRepository {
    /// The host, with its port if it has one: `ghcr.io`, `docker.io`, `127.0.0.1:5000`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path below it: `acme/shop/api`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host that serves the API: Docker Hub's is not where its name says.
    #[must_use]
    pub fn api_host(&self) -> &str {
        if self.host == DOCKER_HUB { "registry-1.docker.io" } else { &self.host }
    }

    /// Whether it is on this machine, and spoken to without TLS.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether both are in the same registry.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// What is tagged `tag` in it.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> ImageReference {
        ImageReference { repository: self.clone(), tag: Some(tag.to_owned()), digest: None }
    }

    /// What has the digest `digest` in it.
    #[must_use]
    pub fn at(&self, digest: Sha256) -> ImageReference {
        ImageReference { repository: self.clone(), tag: None, digest: Some(digest) }
    }
}

impl FromStr for ImageRepository {
    type Err = String;

    /// Reads a name without tag and digest. Upper case becomes lower case, since registries know no
    /// other, while names of owners often have some.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not the name of an image: {why}");
        let name = text.to_ascii_lowercase();
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => (DOCKER_HUB, name.as_str()),
        };
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
            host => host,
        };
        if name.contains("://") {
            return Err(wrong("it is written without `https://`"));
        }
        if !is_written_as_host(host) {
            return Err(wrong("what is before the first `/` is not a host"));
        }
        if !path.split('/').all(is_component) {
            return Err(wrong(
                "between its `/` are lower-case letters and digits, joined by `.`, `_`, `__` or `-`",
            ));
        }
        if host.len() + 1 + path.len() > MOST_BYTES {
            return Err(wrong("it has more than 255 bytes"));
        }
        let path = match host == DOCKER_HUB && !path.contains('/') {
            true => format!("library/{path}"),
            false => path.to_owned(),
        };
        Ok(Self { host: host.to_owned(), path })
    }
}

impl fmt::Display for ImageRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// An image: a repository, and what of it. The digest decides; a tag beside it is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// Where it is.
    pub repository: ImageRepository,
    /// Its tag.
    pub tag: Option<String>,
    /// Its digest.
    pub digest: Option<Sha256>,
}

impl ImageReference {
    /// What registries are asked for: the digest, or the tag, or `latest`.
    #[must_use]
    pub fn asked(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// What inventories call it by: a package URL of the type `oci`, as purl-spec has it.
    #[must_use]
    pub fn package_url(&self) -> String {
        let path = self.repository.path();
        let name = path.rsplit('/').next().unwrap_or(path);
        let digest = self.digest.map(|digest| format!("@sha256%3A{digest}")).unwrap_or_default();
        let tag = self.tag.as_ref().map(|tag| format!("&tag={tag}")).unwrap_or_default();
        let host = self.repository.host().replace(':', "%3A");
        format!("pkg:oci/{name}{digest}?repository_url={host}/{path}{tag}")
    }

    /// The same, pinned to `digest`.
    #[must_use]
    pub fn pinned(&self, digest: Sha256) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for ImageReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest::parse(digest)?)),
            None => (text, None),
        };
        let after_path = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[after_path..].find(':') {
            Some(colon) => {
                let tag = &name[after_path + colon + 1..];
                check_image_tag(tag)?;
                (&name[..after_path + colon], Some(tag.to_owned()))
            }
            None => (name, None),
        };
        Ok(Self { repository: name.parse()?, tag, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@sha256:{digest}"))
    }
}

/// Checks that an image can be tagged `tag`.
///
/// # Errors
/// Says in one sentence why not.
pub fn check_image_tag(tag: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_plain = tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || ".-".contains(c));
    if is_plain && tag.len() <= 128 {
        return Ok(());
    }
    Err(format!(
        "`{tag}` cannot be the tag of an image: a tag has at most 128 letters, digits, `_`, `.` and `-`, \
         and begins with a letter, a digit or `_`"
    ))
}

/// Whether the part before the first slash is a host, as Docker decides it.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn is_written_as_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address, port.strip_prefix(':').or(Some(port))),
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port).filter(|port| !port.is_empty()).or(Some("-"))),
            None => (host, None),
        },
    };
    let is_port = |port: &str| port.is_empty() || is_port(port);
    let is_name = match host.starts_with('[') {
        true => name.parse::<std::net::Ipv6Addr>().is_ok(),
        false => {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            name.split('.').all(|label| {
                !label.is_empty() && !label.starts_with('-') && label.chars().all(plain)
            })
        }
    };
    is_name && port.is_none_or(is_port)
}

/// Whether `text` can stand between two slashes of a path.
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut joints = text.split(word).filter(|joint| !joint.is_empty());
    let is_joint = |joint: &str| match joint {
        "." | "_" | "__" => true,
        joint => joint.chars().all(|c| c == '-'),
    };
    text.starts_with(word) && text.ends_with(word) && joints.all(is_joint)
}

#[cfg(test)]
mod tests;

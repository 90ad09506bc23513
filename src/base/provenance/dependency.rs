//! What went into a build, as in-toto names it: a `ResourceDescriptor` each.

use std::collections::BTreeMap;

use crate::model::{Digest, Sha256, oci::ImageReference, shown_url};

/// Something that went into a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Where it comes from; never a place on the machine that built.
    pub uri: Option<String>,
    /// What it is called, where that says more than the URI.
    pub name: Option<String>,
    /// Algorithm to digest: `gitCommit`, `sha256`, `sha512`.
    pub digest: BTreeMap<String, String>,
    /// Its version, as it says itself.
    pub version: Option<String>,
}

impl Dependency {
    /// A git repository at a commit.
    #[must_use]
    pub fn repository(url: &str, commit: &str) -> Self {
        let uri = public_uri(url).map(|uri| format!("git+{uri}"));
        let digest = BTreeMap::from([("gitCommit".to_owned(), commit.to_owned())]);
        Self { uri, digest, ..Self::default() }
    }

    /// A file with a digest, such as a source archive or a vendor's asset.
    #[must_use]
    pub fn file(url: &str, digest: impl Into<Digest>) -> Self {
        let digest = digest.into();
        let digest = BTreeMap::from([(digest.algorithm().as_str().to_owned(), digest.to_string())]);
        Self { uri: public_uri(url), digest, ..Self::default() }
    }

    /// The image that another one stands on, pinned by its digest.
    #[must_use]
    pub fn image(reference: &ImageReference) -> Self {
        let digest = reference.digest.map(|digest| ("sha256".to_owned(), digest.to_string()));
        let uri = Some(reference.package_url());
        Self { uri, digest: digest.into_iter().collect(), ..Self::default() }
    }

    /// A program that was put into something else: `linux-amd64/api`.
    #[must_use]
    pub fn binary(name: String, version: &str, sha256: Sha256) -> Self {
        let digest = BTreeMap::from([("sha256".to_owned(), sha256.to_string())]);
        let version = Some(version.to_owned());
        Self { name: Some(name), digest, version, ..Self::default() }
    }

    /// A program that the build was done with, and what it says when asked for its version.
    #[must_use]
    pub fn tool(name: &str, version: &str) -> Self {
        // Some programs tell where they lie; that is nobody's business.
        let is_place = |word: &str| {
            let word = word.trim_start_matches(|c: char| "([{<'\"`".contains(c));
            word.starts_with(['/', '~']) || word.contains('\\')
        };
        let words = version.split_whitespace().filter(|word| !is_place(word));
        let version = words.collect::<Vec<_>>().join(" ");
        let version = Some(version).filter(|version| !version.is_empty());
        Self { name: Some(name.to_owned()), version, ..Self::default() }
    }
}

/// `url` as everybody may know it: without user, password, query and fragment. None if it
/// leads to a place on this machine.
fn public_uri(url: &str) -> Option<String> {
    let url = &shown_url(url);
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        // `git@host:path`, as ssh and git write it; anything else is a path.
        let (host, path) = url.split_once(':')?;
        let host = host.rsplit('@').next().unwrap_or_default();
        let is_host = host.contains('.') && !host.contains('/');
        return is_host.then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')));
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    (scheme != "file" && !host.is_empty()).then(|| format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_hold_no_secret_and_no_place_on_a_machine() {
        for (url, uri) in [
            ("https://me:secret@github.com/o/r.git", Some("https://github.com/o/r.git")),
            ("https://host/a.tar.gz?X-Amz-Signature=secret#x", Some("https://host/a.tar.gz")),
            ("https://a:b@c@host/x", Some("https://host/x")),
            ("ssh://me@host.org:22/o/r", Some("ssh://host.org:22/o/r")),
            ("git@github.com:o/r.git", Some("ssh://github.com/o/r.git")),
            ("/home/me/r", None),
            ("../r", None),
            ("file:///home/me/r", None),
            ("C:/Users/me", None),
            ("", None),
        ] {
            assert_eq!(public_uri(url).as_deref(), uri, "{url}");
        }
    }

    #[test]
    fn tools_tell_their_version_and_not_where_they_are() {
        let tool = Dependency::tool("cc", "cc (/home/me/bin/cc) 12.2.0\n");
        assert_eq!(tool.version.as_deref(), Some("cc 12.2.0"));
        assert_eq!(Dependency::tool("x", " /x ").version, None);
        let go = "go version go1.26.1 linux/amd64";
        assert_eq!(Dependency::tool("go", go).version.as_deref(), Some(go));
    }
}

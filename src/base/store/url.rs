//! Store URLs: how `releases:` names the places where releases live.

use std::{fmt, path::PathBuf};

use reqwest::Url;

use super::address::{self, without_secrets};
use crate::model::{nearest, oci::ImageRepository};

/// Every scheme with its shape and what it means, in the order messages list them.
pub const STORE_KINDS: &[(&str, &str, &str)] = &[
    (
        "dir",
        "dir:PATH",
        "A folder, laid out `TAG/ASSET`. A relative path starts at the workspace, `~/` at your home folder.",
    ),
    ("file", "file:///PATH", "The same, by an absolute path."),
    ("https", "https://HOST/PATH", "A web server laid out `TAG/ASSET`; only read."),
    ("http", "http://HOST/PATH", "The same without TLS."),
    (
        "github",
        "github:OWNER/REPO",
        "The releases of a repository of GitHub, or of a GitHub Enterprise server: `github:https://HOST/OWNER/REPO`.",
    ),
    (
        "gitea",
        "gitea:https://HOST/OWNER/REPO",
        "The releases of a repository of a Gitea or Forgejo server.",
    ),
    (
        "gitlab",
        "gitlab:HOST/GROUP/PROJECT",
        "The releases of a project of a GitLab; `gitlab:GROUP/PROJECT` is one on gitlab.com.",
    ),
    (
        "oci",
        "oci:HOST/REPOSITORY",
        "A repository of a registry of container images, such as `oci:ghcr.io/OWNER/releases`; each asset is a tag.",
    ),
    (
        "s3",
        "s3:BUCKET/PREFIX",
        "A bucket of any server that speaks S3; `s3://BUCKET/PREFIX` means the same.",
    ),
];

/// Where releases live.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreUrl {
    /// A folder; a relative path starts at the workspace, `~/` at the home folder.
    Dir(PathBuf),
    /// A web server that is only read, without the slash at the end.
    Http(String),
    /// GitHub's releases.
    GitHub {
        /// The server (`https://ghe.example.org`), if it is not the one that the environment
        /// names or github.com.
        base: Option<String>,
        /// User or organisation.
        owner: String,
        /// Repository.
        repo: String,
    },
    /// The releases of a Gitea or Forgejo server.
    Gitea {
        /// The server (`https://git.example.org:3000`), with the folder that it serves if it has
        /// one.
        base: String,
        /// User or organisation.
        owner: String,
        /// Repository.
        repo: String,
    },
    /// A repository of a registry of images.
    Oci(ImageRepository),
    /// An S3 bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// What the keys of all assets begin with; may be empty.
        prefix: String,
    },
    /// The releases of a project on a GitLab.
    GitLab {
        /// The server (`https://git.example.org:3000`), if it is not gitlab.com.
        base: Option<String>,
        /// `GROUP/PROJECT`, or more groups.
        project: String,
    },
}

impl StoreUrl {
    /// Reads a store's URL as manifests write it.
    ///
    /// # Errors
    /// Says in one sentence what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once(':') else { return Err(no_scheme(text)) };
        match scheme {
            "dir" if rest.is_empty() => Err(malformed(text, "dir")),
            "dir" => Ok(Self::Dir(rest.into())),
            "file" => Url::parse(text)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .map(Self::Dir)
                .ok_or_else(|| malformed(text, "file")),
            "https" | "http" => web(text, scheme),
            "oci" => registry(text, rest),
            "github" | "gitea" | "gitlab" | "s3" => {
                forge(scheme, rest).ok_or_else(|| malformed(text, scheme))
            }
            _ => Err(unknown_scheme(text, scheme)),
        }
    }
}

impl StoreUrl {
    /// The name of the host of a Gitea, with its port if it has one, as logins are kept under it.
    pub fn gitea_host(&self) -> Option<String> {
        match self {
            Self::Gitea { base, .. } => host(base),
            _ => None,
        }
    }

    /// The same of a GitLab that is not gitlab.com.
    pub fn gitlab_host(&self) -> Option<String> {
        match self {
            Self::GitLab { base, .. } => host(base.as_deref()?),
            _ => None,
        }
    }
}

impl fmt::Display for StoreUrl {
    /// As manifests write it, except that a password in it stays hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::Http(url) => f.write_str(&without_secrets(url)),
            Self::GitHub { base: None, owner, repo } => write!(f, "github:{owner}/{repo}"),
            Self::GitHub { base: Some(base), owner, repo } => {
                write!(f, "github:{base}/{owner}/{repo}")
            }
            Self::Gitea { base, owner, repo } => {
                write!(f, "gitea:{}/{owner}/{repo}", base.trim_start_matches("https://"))
            }
            Self::GitLab { base: None, project } => write!(f, "gitlab:{project}"),
            Self::GitLab { base: Some(base), project } => {
                write!(f, "gitlab:{}/{project}", base.trim_start_matches("https://"))
            }
            Self::Oci(repository) => write!(f, "oci:{repository}"),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3:{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3:{bucket}/{prefix}"),
        }
    }
}

fn host(base: &str) -> Option<String> {
    Url::parse(base).ok().map(|url| address::name(&url))
}

/// Names without a host are not taken: what they mean is Docker's word, and nobody keeps releases there
/// without saying so.
fn registry(text: &str, rest: &str) -> Result<StoreUrl, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest).trim_end_matches('/');
    let (host, _) = rest.split_once('/').ok_or_else(|| malformed(text, "oci"))?;
    if !host.contains(['.', ':']) && host != "localhost" {
        return Err(malformed(text, "oci"));
    }
    rest.parse().map(StoreUrl::Oci).map_err(|why| format!("{}: {why}", malformed(text, "oci")))
}

fn web(text: &str, scheme: &str) -> Result<StoreUrl, String> {
    let url = Url::parse(text).map_err(|e| format!("{}: {e}", malformed(text, scheme)))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{}` has a `?` or `#`; tags and asset names are appended to a store's URL, so it must \
             end with a path",
            without_secrets(text)
        ));
    }
    let path: Vec<_> =
        url.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).collect();
    if let (Some("github.com"), [owner, repo]) = (url.host_str(), path.as_slice()) {
        return Err(format!(
            "`{text}` is a page for people; write `github:{owner}/{repo}`, or \
             `https://github.com/{owner}/{repo}/releases/download` to only read public releases"
        ));
    }
    Ok(StoreUrl::Http(String::from(url).trim_end_matches('/').to_owned()))
}

fn forge(scheme: &str, rest: &str) -> Option<StoreUrl> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let (base, rest) = match scheme {
        "github" | "gitea" | "gitlab" => server(rest)?,
        _ => (None, rest),
    };
    let rest = rest.trim_start_matches("//").trim_end_matches('/');
    let parts: Vec<_> = rest.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || !part.chars().all(plain)) {
        return None;
    }
    let text = |part: &str| part.to_owned();
    match (scheme, parts.as_slice()) {
        ("github", [owner, repo]) => {
            Some(StoreUrl::GitHub { base, owner: text(owner), repo: text(repo) })
        }
        ("gitea", [at @ .., owner, repo]) => {
            let base = base.unwrap_or_else(|| "https:/".to_owned());
            let base = at.iter().fold(base, |base, part| format!("{base}/{part}"));
            let has_host = Url::parse(&base).is_ok_and(|url| url.has_host());
            has_host.then(|| StoreUrl::Gitea { base, owner: text(owner), repo: text(repo) })
        }
        // A colon would make it a host with a port.
        ("s3", [bucket, ..]) if bucket.contains(':') => None,
        ("s3", [bucket, prefix @ ..]) => {
            Some(StoreUrl::S3 { bucket: text(bucket), prefix: prefix.join("/") })
        }
        ("gitlab", parts) => gitlab(base, parts),
        _ => None,
    }
}

/// A first part with a dot or a colon is a host: a group of gitlab.com that is called so is written
/// with its server.
fn gitlab(base: Option<String>, parts: &[&str]) -> Option<StoreUrl> {
    let (base, project) = match parts {
        [host, project @ ..] if base.is_none() && host.contains(['.', ':']) => {
            (Some(format!("https://{host}")), project)
        }
        project => (base, project),
    };
    let has_host = base.as_ref().is_none_or(|it| Url::parse(it).is_ok_and(|url| url.has_host()));
    let is_project = project.len() >= 2 && !project.iter().any(|part| part.contains(':'));
    (has_host && is_project).then(|| StoreUrl::GitLab { base, project: project.join("/") })
}

/// The server that `rest` may begin with (`https://ghe.example.org/owner/repo`), and what is
/// left; nothing if it begins with a URL that is none of a server.
fn server(rest: &str) -> Option<(Option<String>, &str)> {
    if !rest.starts_with("https://") && !rest.starts_with("http://") {
        return Some((None, rest));
    }
    let url = Url::parse(rest).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let (_, path) = rest.split_once("://")?.1.split_once('/')?;
    is_plain.then(|| (Some(url.origin().ascii_serialization()), path))
}

fn malformed(text: &str, scheme: &str) -> String {
    let shape = STORE_KINDS.iter().find(|kind| kind.0 == scheme).map_or("", |kind| kind.1);
    format!("`{}` is not complete; a {scheme} store is written `{shape}`", without_secrets(text))
}

fn no_scheme(text: &str) -> String {
    if text.starts_with(['.', '/', '~']) {
        return format!("`{text}` does not say what kind of store it is; write `dir:{text}`");
    }
    format!("`{text}` does not say what kind of store it is; {}", known())
}

fn unknown_scheme(text: &str, scheme: &str) -> String {
    let near = nearest(&scheme.to_lowercase(), STORE_KINDS.iter().map(|kind| kind.0));
    let near = near.and_then(|near| STORE_KINDS.iter().find(|kind| kind.0 == near));
    let text = without_secrets(text);
    match near {
        Some((known, shape, _)) => {
            format!(
                "`{scheme}:` in `{text}` is not a kind of store; did you mean `{known}` (`{shape}`)?"
            )
        }
        None => format!("`{scheme}:` in `{text}` is not a kind of store; {}", known()),
    }
}

fn known() -> String {
    let shapes: Vec<_> = STORE_KINDS.iter().map(|kind| format!("`{}`", kind.1)).collect();
    format!("forge knows {}", shapes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_store_survives_the_round_trip() {
        for text in [
            "dir:releases",
            "dir:../a b",
            "dir:~/releases",
            "https://example.org",
            "http://127.0.0.1:8080/releases",
            "https://github.com/o/r/releases/download",
            "github:owner/repo.name",
            "github:https://ghe.example.org/owner/repo",
            "github:http://127.0.0.1:8080/owner/repo",
            "gitea:git.example.org:3000/owner/repo",
            "gitea:git.example.org/folder/owner/repo",
            "gitea:http://127.0.0.1:3000/owner/repo",
            "s3:bucket",
            "s3:bucket/some/prefix",
            "gitlab:group/project",
            "gitlab:group/sub/group/project",
            "gitlab:git.example.org:8443/group/sub/project",
            "gitlab:http://127.0.0.1:3000/group/project",
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap().to_string(), text);
        }
        for (text, plain) in [
            ("file:///srv/a%20b", "dir:/srv/a b"),
            ("https://example.org/r/", "https://example.org/r"),
            ("https://me:secret@example.org/r", "https://example.org/r"),
            ("s3://bucket/prefix/", "s3:bucket/prefix"),
            ("gitea:https://git.example.org:3000/o/r/", "gitea:git.example.org:3000/o/r"),
            ("gitea:https://git.example.org/folder/o/r", "gitea:git.example.org/folder/o/r"),
            ("gitlab:https://git.example.org/g/p/", "gitlab:git.example.org/g/p"),
            ("gitlab:https://gitlab.com/my.group/p", "gitlab:gitlab.com/my.group/p"),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap().to_string(), plain);
        }
    }

    #[test]
    fn mistakes_are_told_with_what_would_be_right() {
        for (text, told) in [
            ("gihub:o/r", "did you mean `github` (`github:OWNER/REPO`)?"),
            ("GitHub:o/r", "did you mean `github`"),
            ("htps://example.org", "did you mean `https` (`https://HOST/PATH`)"),
            ("webdav://example.org", "forge knows `dir:PATH`, `file:///PATH`,"),
            ("./releases", "write `dir:./releases`"),
            ("releases", "forge knows `dir:PATH`"),
            ("github:owner", "a github store is written `github:OWNER/REPO`"),
            ("github:o/r/x", "`github:OWNER/REPO`"),
            ("github:o/r?x", "`github:OWNER/REPO`"),
            ("github:https://ghe.example.org/o", "`github:OWNER/REPO`"),
            ("github:https://me:secret@ghe.example.org/o/r", "`github:OWNER/REPO`"),
            ("gitea:o/r", "`gitea:https://HOST/OWNER/REPO`"),
            ("gitea:https://git.example.org/o", "`gitea:https://HOST/OWNER/REPO`"),
            ("gitea:https://me:secret@git.example.org/o/r", "`gitea:https://HOST/OWNER/REPO`"),
            ("gitlab:project", "`gitlab:HOST/GROUP/PROJECT`"),
            ("gitlab:git.example.org/project", "`gitlab:HOST/GROUP/PROJECT`"),
            ("gitlab:https://me:secret@git.example.org/g/p", "`gitlab:HOST/GROUP/PROJECT`"),
            ("s3:", "`s3:BUCKET/PREFIX`"),
            ("oci:acme/releases", "`oci:HOST/REPOSITORY`"),
            ("oci:ghcr.io/a b", "`oci:HOST/REPOSITORY`"),
            ("s3:evil:443/x", "`s3:BUCKET/PREFIX`"),
            ("dir:", "`dir:PATH`"),
            ("file://host/x", "`file:///PATH`"),
            ("https://", "`https://HOST/PATH`"),
            ("https://example.org/?token=secret", "`https://example.org` has a `?` or `#`"),
            ("https://github.com/o/r", "write `github:o/r`"),
        ] {
            let error = StoreUrl::parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

//! Where a tool of others comes from, as people write it behind `forge add`.

use super::known::{KnownTool, known_tool};
use crate::model::{Fault, Kind};

/// Where it comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// `go:PATH`: a package that go installs.
    Go {
        /// Its import path.
        path: String,
        /// Its version; the newest if none is named.
        version: Option<String>,
    },
    /// `crate:NAME`: a crate that cargo installs.
    Crate {
        /// Its name.
        name: String,
        /// As of [`Origin::Go`].
        version: Option<String>,
    },
    /// `github:OWNER/REPO`: the assets of releases.
    GitHub {
        /// User or organisation.
        owner: String,
        /// Repository.
        repo: String,
        /// The tag, or the version in it; the newest if none is named.
        version: Option<String>,
    },
    /// A tool that forge knows, at its newest version, or the one whose digests forge knows.
    Known(&'static KnownTool),
    /// An asset by its URL.
    Url(String),
}

const FORMS: &str =
    "write go:MODULE, github:OWNER/REPO, crate:NAME, each with @VERSION if you like, or a URL";

impl Origin {
    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// `Usage`, with the forms there are.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| {
            Fault::new(Kind::Usage, format!("cannot add `{text}`")).because(why).hint(FORMS)
        };
        if text.starts_with("https://") || text.starts_with("http://") {
            return Self::of_url(text).ok_or_else(|| wrong("the URL names no file"));
        }
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !version.is_empty() => (path, Some(version.to_owned())),
            Some(_) => return Err(wrong("nothing is behind its `@`")),
            None => (rest, None),
        };
        let version = version.filter(|version| version != "latest");
        let path = path.trim_end_matches('/');
        match kind {
            "go" if path.contains('/') && path.contains('.') => {
                Ok(Self::Go { path: path.to_owned(), version })
            }
            "go" => Err(wrong("the path of a Go package is one like github.com/OWNER/REPO/cmd/x")),
            "crate" | "cargo" if !path.is_empty() && !path.contains('/') => {
                Ok(Self::Crate { name: path.to_owned(), version })
            }
            "github" | "gh" => match path.split('/').collect::<Vec<_>>()[..] {
                [owner, repo] if !owner.is_empty() && !repo.is_empty() => {
                    Ok(Self::GitHub { owner: owner.into(), repo: repo.into(), version })
                }
                _ => Err(wrong("a repository is one like github:OWNER/REPO")),
            },
            "" if let Some(tool) = known_tool(path) => Ok(Self::of_tool(tool, version)),
            "" => Err(match path.split('/').count() {
                2 => Fault::new(Kind::Usage, format!("cannot add `{text}`"))
                    .because("it does not say where from")
                    .hint(format!("if it is a repository of GitHub: `forge add github:{text}`")),
                _ => wrong("it does not say where from"),
            }),
            _ => Err(wrong(&format!("forge adds nothing from `{kind}`"))),
        }
    }

    fn of_tool(tool: &'static KnownTool, version: Option<String>) -> Self {
        match (version, tool.repository.split_once('/')) {
            (version @ Some(_), Some((owner, repo))) => {
                Self::GitHub { owner: owner.into(), repo: repo.into(), version }
            }
            _ => Self::Known(tool),
        }
    }

    /// A URL; one of an asset of a release of GitHub is the repository's.
    fn of_url(url: &str) -> Option<Self> {
        let (_, path) = url.split_once("://")?.1.split_once('/')?;
        if let Some(rest) = url.strip_prefix("https://github.com/")
            && let [owner, repo, "releases", "download", tag @ .., _] =
                rest.split('/').collect::<Vec<_>>().as_slice()
        {
            let version = Some(tag.join("/").replace("%2F", "/"));
            return Some(Self::GitHub { owner: (*owner).into(), repo: (*repo).into(), version });
        }
        (!path.is_empty() && !path.ends_with('/')).then(|| Self::Url(url.to_owned()))
    }

    /// What the subsystem is called if nobody says so.
    pub fn usual_name(&self) -> String {
        let name = match self {
            Self::Go { path, .. } => {
                let is_major = |part: &&str| {
                    part.strip_prefix('v').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                };
                path.rsplit('/').find(|part| !is_major(part)).unwrap_or(path)
            }
            Self::Crate { name, .. } => name,
            Self::Known(tool) => tool.name,
            Self::GitHub { owner, repo, .. } => {
                known_tool(&format!("{owner}/{repo}")).map_or(repo.as_str(), |tool| tool.name)
            }
            Self::Url(url) => {
                let file = url.rsplit('/').next().unwrap_or(url);
                let end = file.find(['-', '_', '.']).unwrap_or(file.len());
                &file[..end]
            }
        };
        name.to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let read = |text: &str| Origin::parse(text).unwrap();
        assert_eq!(read("go:github.com/mikefarah/yq/v4").usual_name(), "yq");
        assert_eq!(read("go:golang.org/x/tools/cmd/stringer@v0.26.0").usual_name(), "stringer");
        let github = |text: &str| match read(text) {
            Origin::GitHub { owner, repo, version } => format!("{owner} {repo} {version:?}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(github("github:jqlang/jq@jq-1.7.1"), "jqlang jq Some(\"jq-1.7.1\")");
        assert_eq!(github("https://github.com/a/B/releases/download/v1/x.tgz"), "a B Some(\"v1\")");
        assert_eq!(github("jq@1.7.1"), "jqlang jq Some(\"1.7.1\")");
        assert!(matches!(read("pc"), Origin::Known(tool) if tool.name == "pc"));
        assert_eq!(read("github:F1bonacc1/process-compose").usual_name(), "pc");
        assert!(matches!(read("crate:ripgrep@latest"), Origin::Crate { version: None, .. }));
        assert_eq!(read("https://dl.example.com/kubectl_1.2.tar.gz").usual_name(), "kubectl");
    }

    #[test]
    fn what_says_no_place_is_refused() {
        for (text, why) in [
            ("acme/x", "`forge add github:acme/x`"),
            ("left-pad", "does not say where from"),
            ("npm:left-pad", "nothing from `npm`"),
            ("go:yq", "the path of a Go package"),
            ("github:jq", "one like github:OWNER/REPO"),
            ("crate:x@", "nothing is behind its `@`"),
        ] {
            let fault = Origin::parse(text).unwrap_err();
            let said = format!("{fault} {}", fault.hint.clone().unwrap_or_default());
            assert!(said.contains(why), "{said}");
        }
    }
}

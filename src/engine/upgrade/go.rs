//! Versions of Go modules: asked of the proxies that `GOPROXY` names, in the way and order that go
//! itself does ("Go Modules Reference", <https://go.dev/ref/mod#goproxy-protocol> and
//! <https://go.dev/ref/mod#private-module-privacy>). A module that `GONOPROXY` or `GOPRIVATE` keeps
//! private is named to no proxy: its repository is asked, by the user's own git.

use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::{ListedVersions, retract};
use crate::{
    git::tags_of,
    model::{Fault, Kind, Precedence, shown_url},
    process::CommandRunner,
    store::Fetcher,
};

/// What go does where nothing else is said.
const DEFAULT: &str = "https://proxy.golang.org,direct";
/// The longest list that is read, in bytes.
const MAX_BYTES: u64 = 8 << 20;
/// Hosts whose repositories are the first two folders of a module's path.
const HOSTS: &[&str] = &["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// Who is asked for modules.
#[derive(Clone, Debug)]
pub struct ModuleProxies {
    steps: Vec<ProxyStep>,
    private: Vec<(usize, Regex)>,
}

/// One of those who are asked in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ProxyStep {
    /// A proxy, and whether the next one is asked after any failure, not only for what is absent.
    Proxy(String, bool),
    /// The repository itself.
    Direct,
    /// Nobody any more.
    Off,
}

/// What `@latest` says, and `@v/VERSION.info`.
#[derive(Deserialize)]
struct Info {
    #[serde(rename = "Version")]
    version: String,
}

impl ModuleProxies {
    /// As go's variables say.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let list = set("GOPROXY").unwrap_or_else(|| DEFAULT.to_owned());
        let steps = list.split_inclusive([',', '|']).filter_map(|entry| {
            let step = match entry.trim_end_matches([',', '|']).trim() {
                "" => return None,
                "direct" => ProxyStep::Direct,
                "off" => ProxyStep::Off,
                url => ProxyStep::Proxy(url.trim_end_matches('/').to_owned(), entry.ends_with('|')),
            };
            Some(step)
        });
        let private = set("GONOPROXY").or_else(|| set("GOPRIVATE")).unwrap_or_default();
        let private = private.split(',').map(str::trim).filter(|glob| !glob.is_empty());
        Self { steps: steps.collect(), private: private.filter_map(prefix).collect() }
    }

    /// Whether no proxy may hear of `path`: the beginning of it is like one of the patterns.
    fn is_private(&self, path: &str) -> bool {
        self.private.iter().any(|(parts, pattern)| {
            let end = path.match_indices('/').nth(parts - 1).map_or(path.len(), |(at, _)| at);
            pattern.is_match(&path[..end])
        })
    }
}

/// A pattern of as many parts as it has, as Go's `path.Match` reads it.
fn prefix(glob: &str) -> Option<(usize, Regex)> {
    let mut text = String::from("^");
    let mut chars = glob.trim_end_matches('/').chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            '[' | ']' | '^' | '-' => text.push(c),
            '\\' => text.push_str(&regex::escape(&String::from(chars.next()?))),
            c => text.push_str(&regex::escape(&String::from(c))),
        }
    }
    text.push('$');
    Some((glob.trim_end_matches('/').split('/').count(), Regex::new(&text).ok()?))
}

/// With what modules are asked for.
#[derive(Clone, Copy)]
pub(super) struct Modules<'a> {
    pub(super) proxies: &'a ModuleProxies,
    pub(super) fetcher: &'a Fetcher,
    pub(super) runner: &'a dyn CommandRunner,
    /// How long a repository may take to answer.
    pub(super) limit: Duration,
    /// A version that may be there without being listed.
    pub(super) wanted: Option<&'a str>,
}

impl Modules<'_> {
    /// The versions of the module at `path`; if that is a package's, of the module that it is in:
    /// the one with the longest path.
    pub(super) async fn versions(
        &self,
        path: &str,
        is_module: bool,
    ) -> Result<Vec<ListedVersions>, Fault> {
        let mut candidate = path;
        loop {
            if let Some(listed) = self.of_module(candidate).await? {
                return Ok(listed);
            }
            candidate = match candidate.rsplit_once('/') {
                Some((parent, _)) if !is_module && parent.contains('/') => parent,
                _ => break,
            };
        }
        let what = if is_module { "module" } else { "package" };
        Err(Fault::new(Kind::Store, format!("there is no Go {what} {path}"))
            .because("nobody whom GOPROXY names knows it")
            .hint("is it private? Then GOPRIVATE has to name it, as for go itself"))
    }

    /// The versions of the module `path`; nothing if there is none of that path.
    async fn of_module(&self, path: &str) -> Result<Option<Vec<ListedVersions>>, Fault> {
        if self.proxies.is_private(path) {
            return self.direct(path).await;
        }
        let mut failed = None;
        for step in &self.proxies.steps {
            match step {
                ProxyStep::Proxy(url, falls_through) => match self.ask(url, path).await {
                    Ok(Some(listed)) => return Ok(Some(listed)),
                    Ok(None) => {}
                    Err(fault) if *falls_through => failed = Some(fault),
                    Err(fault) => return Err(fault),
                },
                // What proxies do not know of an open host is not there.
                ProxyStep::Direct if repository(path).is_none() => {}
                ProxyStep::Direct => return self.direct(path).await,
                ProxyStep::Off => {
                    let fault = Fault::new(Kind::Store, format!("cannot ask for {path}"));
                    return Err(fault.because("GOPROXY says `off`"));
                }
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// What the proxy at `base` lists of the module `path`. One without versions has at least a
    /// latest commit.
    async fn ask(&self, base: &str, path: &str) -> Result<Option<Vec<ListedVersions>>, Fault> {
        let url = format!("{base}/{}", escaped(path));
        let list = self.fetcher.get_text(&format!("{url}/@v/list"), MAX_BYTES).await?;
        let Some(list) = list else { return Ok(None) };
        let named = |line: &str| line.split_whitespace().next().map(ListedVersions::named);
        let mut listed: Vec<_> = list.lines().filter_map(named).collect();
        if listed.is_empty() {
            listed.extend(self.info(&format!("{url}/@latest")).await?);
        }
        if let Some(newest) = retract::authority(&listed) {
            let file = format!("{url}/@v/{}.mod", escaped(newest));
            let go_mod = self.fetcher.get_text(&file, MAX_BYTES).await?.unwrap_or_default();
            retract::mark(&mut listed, &go_mod);
        }
        // A list holds what the proxy knows already; it looks for others when they are asked for.
        if let Some(wanted) =
            self.wanted.filter(|wanted| listed.iter().all(|it| it.name != *wanted))
        {
            let found = self.info(&format!("{url}/@v/{}.info", escaped(wanted))).await?;
            listed.extend(found.filter(|found| found.name == wanted));
        }
        Ok(Some(listed))
    }

    /// The version that a proxy tells of at `url`, if it does.
    async fn info(&self, url: &str) -> Result<Option<ListedVersions>, Fault> {
        let Some(text) = self.fetcher.get_text(url, MAX_BYTES).await? else { return Ok(None) };
        let info: Info = serde_json::from_str(&text).map_err(|error| {
            Fault::new(Kind::Store, format!("cannot use {}", shown_url(url)))
                .because(error.to_string())
                .hint("is it a Go proxy that GOPROXY names?")
        })?;
        Ok(Some(ListedVersions::named(info.version)))
    }

    /// What the repository of the module `path` has tags for (<https://go.dev/ref/mod#vcs-version>).
    async fn direct(&self, path: &str) -> Result<Option<Vec<ListedVersions>>, Fault> {
        let Some(module) = repository(path) else {
            return Err(Fault::new(Kind::Store, format!("cannot tell the repository of {path}"))
                .because("GOPRIVATE or GONOPROXY keeps it from proxies")
                .hint("name it in the spec: `newer: {tags: URL}`"));
        };
        let tags = tags_of(self.runner, &module.url, self.limit).await?;
        let listed = tags.into_iter().filter_map(|tag| {
            let version = tag.tag.name.strip_prefix(&module.stem)?.to_owned();
            module.has(&version).then(|| ListedVersions::named(version))
        });
        let listed: Vec<_> = listed.collect();
        Ok((!listed.is_empty() || module.stem.is_empty()).then_some(listed))
    }
}

/// Where the code of a module is.
#[derive(Debug, PartialEq, Eq)]
struct Repository {
    url: String,
    /// What stands before versions in its tags: the folder of a module that is not at the top.
    stem: String,
    /// The major version that the path ends in.
    major: Option<String>,
}

impl Repository {
    /// Whether `version` is one of the module: its path says which major version it is.
    fn has(&self, version: &str) -> bool {
        let Some(precedence) = Precedence::parse(version) else { return false };
        match &self.major {
            Some(major) => precedence.major() == major,
            None => matches!(precedence.major(), "" | "1"),
        }
    }
}

fn repository(path: &str) -> Option<Repository> {
    let mut parts = path.split('/');
    let (host, owner, name) = (parts.next()?, parts.next()?, parts.next()?);
    let mut folders: Vec<&str> = parts.collect();
    let is_major = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let major = folders.pop_if(|last| is_major(last)).map(|last| last[1..].to_owned());
    let stem = folders.iter().map(|folder| format!("{folder}/")).collect();
    let url = format!("https://{host}/{owner}/{name}");
    HOSTS.contains(&host).then_some(Repository { url, stem, major })
}

/// A path as it stands in URLs: capital letters with `!` before them, so that file systems that do
/// not tell them apart do.
fn escaped(path: &str) -> String {
    let mut escaped = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> ModuleProxies {
        let known = |name: &str| variables.iter().find(|(known, _)| *known == name);
        ModuleProxies::from_variables(|name| known(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn proxies_are_asked_in_their_order() {
        let proxy = |url: &str, falls| ProxyStep::Proxy(url.into(), falls);
        for (value, steps) in [
            ("", vec![proxy("https://proxy.golang.org", false), ProxyStep::Direct]),
            (
                "https://a/,https://b|direct",
                vec![proxy("https://a", false), proxy("https://b", true), ProxyStep::Direct],
            ),
            ("off", vec![ProxyStep::Off]),
        ] {
            assert_eq!(proxies(&[("GOPROXY", value)]).steps, steps, "{value}");
        }
    }

    #[test]
    fn what_is_private_is_known_by_its_beginning() {
        let private =
            proxies(&[("GOPRIVATE", "*.corp.example, example.org/secret,github.com/ac[a-m]e/?")]);
        for path in ["git.corp.example/a/b", "example.org/secret/x/v2", "github.com/acme/x/cmd"] {
            assert!(private.is_private(path), "{path}");
        }
        for path in ["corp.example/a", "example.org/secrets", "example.org", "github.com/acme/xy"] {
            assert!(!private.is_private(path), "{path}");
        }
        let none = proxies(&[("GOPRIVATE", "example.org"), ("GONOPROXY", "none")]);
        assert!(!none.is_private("example.org/a"));
    }

    #[test]
    fn paths_are_escaped_and_lead_to_repositories() {
        assert_eq!(escaped("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
        let module = repository("github.com/o/r/sub/mod/v3").unwrap();
        assert_eq!(
            (module.url.as_str(), module.stem.as_str()),
            ("https://github.com/o/r", "sub/mod/")
        );
        assert!(module.has("v3.1.0") && !module.has("v2.0.0"));
        let top = repository("github.com/o/r").unwrap();
        assert!(
            top.stem.is_empty() && top.has("v0.1.0") && top.has("v1.0.0") && !top.has("v2.0.0")
        );
        assert_eq!(repository("example.org/a/b"), None);
        assert_eq!(repository("github.com/o"), None);
    }
}

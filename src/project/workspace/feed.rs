//! Where upstream lists the versions of a subsystem: as its spec says under `newer:`, or as it
//! follows from where its source or its assets come from.

use std::fmt;

use super::{
    Source, Upstream,
    source::{is_web, unprotected},
    template::TemplateScope,
};
use crate::{
    manifest::{BuildDoc, Findings, NewerDoc, Scalar, SpecDoc, scalar},
    model::{Series, Version, is_unprotected, shown_url},
    store::StoreUrl,
};

/// A list of versions, and how a version is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSource {
    /// The list.
    pub index: Index,
    /// How what it lists is called here.
    pub form: TagFormat,
}

/// A list of versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    /// The releases of a repository of GitHub, by its URL for people.
    Releases(String),
    /// The tags of a git repository, by what `git clone` takes.
    Tags(String),
    /// A Go module.
    Go {
        /// Its path, or that of a package in it.
        path: String,
        /// Whether it is the module's own.
        is_module: bool,
    },
    /// A crate of crates.io.
    Crate(String),
    /// A page or document, and the regular expression by which it names versions.
    Page {
        /// Its URL.
        url: String,
        /// The expression, which can be compiled.
        pattern: String,
    },
}

/// How upstream calls the version that is pinned here: what stands around it, and whether the `v`
/// does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFormat {
    before: String,
    after: String,
    prefix: Prefix,
}

/// Where the `v` before the numbers stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    /// In both names or in none.
    Same,
    /// Only here.
    Here,
    /// Here as it is pinned; there it may be or not.
    AsPinned(bool),
}

impl TagFormat {
    /// The form in which `version` is called `name`; nothing if it does not stand in it.
    pub fn infer(name: &str, version: &str) -> Option<Self> {
        let around = |text: &str, prefix| {
            let at = name.rfind(text)?;
            let (before, after) = (name[..at].to_owned(), name[at + text.len()..].to_owned());
            Some(Self { before, after, prefix })
        };
        let number = version.strip_prefix('v').filter(|rest| begins_with_digit(rest));
        around(version, Prefix::Same).or_else(|| around(number?, Prefix::Here))
    }

    /// Nothing stands around it.
    fn bare(prefix: Prefix) -> Self {
        Self { before: String::new(), after: String::new(), prefix }
    }

    /// What upstream calls `version`, as far as the pinned one tells.
    pub fn name(&self, version: &str) -> String {
        let number = version.strip_prefix('v').filter(|rest| begins_with_digit(rest));
        let text = number.filter(|_| self.prefix == Prefix::Here).unwrap_or(version);
        format!("{}{text}{}", self.before, self.after)
    }

    /// The version that upstream calls `name`; nothing if it is none, or none of this form.
    pub fn version(&self, name: &str) -> Option<String> {
        let text = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let number = text.strip_prefix('v').unwrap_or(text);
        let has_v = match self.prefix {
            Prefix::Same => number.len() < text.len(),
            Prefix::Here => true,
            Prefix::AsPinned(has_v) => has_v,
        };
        let is_read = self.prefix != Prefix::Here || number.len() == text.len();
        let version = if has_v { format!("v{number}") } else { number.to_owned() };
        let is_version =
            begins_with_digit(number) || version == text && Series::parse(text).is_some();
        (is_read && is_version && Version::new(&version).is_ok()).then_some(version)
    }
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for Index {
    /// As tables call it, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |url: &str| {
            let shown = shown_url(url);
            shown.strip_prefix("https://").unwrap_or(&shown).to_owned()
        };
        match self {
            Self::Releases(url) => write!(f, "releases of {}", short(url)),
            Self::Tags(url) => write!(f, "tags of {}", short(url)),
            Self::Go { path, .. } => write!(f, "Go module {path}"),
            Self::Crate(name) => write!(f, "crate {name}"),
            Self::Page { url, .. } => f.write_str(&short(url)),
        }
    }
}

/// What a feed follows from.
pub struct Inference<'a> {
    /// The spec.
    pub doc: &'a SpecDoc,
    /// The version that it is rendered for.
    pub version: &'a Version,
    /// The source.
    pub source: Option<&'a Source>,
    /// The vendor's release.
    pub upstream: Option<&'a Upstream>,
}

impl Inference<'_> {
    /// The feed, if there is one. What is wrong with `newer:` goes to `found`.
    pub fn feed(&self, scope: &TemplateScope, found: &mut Findings) -> Option<VersionSource> {
        if let Some(newer) = &self.doc.newer {
            return self.declared(newer, scope, found);
        }
        let of_assets = || self.of_assets(&self.upstream?.url);
        of_assets().or_else(|| match self.source {
            Some(Source::Git { url, reference }) => {
                let form = TagFormat::infer(reference, self.version.as_str());
                let index = Index::Tags(url.clone());
                Some(VersionSource { index, form: form.unwrap_or(TagFormat::bare(Prefix::Same)) })
            }
            Some(Source::Archive { url, .. }) => {
                self.of_assets(url).or_else(|| self.of_archive(url))
            }
            // What is built here comes from nowhere else.
            Some(Source::Path { .. }) => None,
            _ => self.of_build(self.doc.build.as_ref()?, scope, found),
        })
    }

    /// By `URL/OWNER/REPO/releases/download/TAG/ASSET`, as GitHub, Gitea and Forgejo have it.
    fn of_assets(&self, url: &str) -> Option<VersionSource> {
        let (repository, rest) = url.split_once("/releases/download/")?;
        let (tag, _) = rest.rsplit_once('/')?;
        let form = TagFormat::infer(&unescaped(tag), self.version.as_str())?;
        let index = match repository.starts_with("https://github.com/") {
            true => Index::Releases(repository.to_owned()),
            false => Index::Tags(repository.to_owned()),
        };
        Some(VersionSource { index, form })
    }

    /// By `URL/OWNER/REPO/archive/refs/tags/TAG.tar.gz` of GitHub, the same without `refs/tags` of
    /// Gitea, and `URL/-/archive/TAG/NAME.tar.gz` of GitLab.
    fn of_archive(&self, url: &str) -> Option<VersionSource> {
        let (repository, tag) = match url.split_once("/-/archive/") {
            Some((repository, rest)) => (repository, rest.rsplit_once('/')?.0),
            None => {
                let (repository, file) = url.split_once("/archive/")?;
                let file = file.strip_prefix("refs/tags/").unwrap_or(file);
                let tag = [".tar.gz", ".zip"].iter().find_map(|end| file.strip_suffix(end))?;
                (repository, tag)
            }
        };
        let form = TagFormat::infer(&unescaped(tag), self.version.as_str())?;
        is_web(repository)
            .then(|| VersionSource { index: Index::Tags(repository.to_owned()), form })
    }

    /// By what its builder fetches.
    fn of_build(
        &self,
        build: &BuildDoc,
        scope: &TemplateScope,
        found: &Findings,
    ) -> Option<VersionSource> {
        // What is wrong with them was told when the build was resolved.
        let mut told = Findings::new(found.file());
        let mut option = |key| scope.plain(&scalar(&build.options, key)?, &mut told);
        match build.how.value.as_str() {
            "go" => {
                let module = option("module").map(|path| (path, true));
                let (path, is_module) = module.or_else(|| Some((option("install")?, false)))?;
                let form = TagFormat::bare(Prefix::Same);
                Some(VersionSource { index: Index::Go { path, is_module }, form })
            }
            "cargo" => Some(self.of_crate(option("install")?)),
            _ => None,
        }
    }

    /// Versions of crates have no `v` (SemVer 2.0.0).
    fn of_crate(&self, name: String) -> VersionSource {
        let prefix = if self.has_v() { Prefix::Here } else { Prefix::Same };
        VersionSource { index: Index::Crate(name), form: TagFormat::bare(prefix) }
    }

    fn has_v(&self) -> bool {
        self.version.as_str().strip_prefix('v').is_some_and(begins_with_digit)
    }

    fn declared(
        &self,
        newer: &NewerDoc,
        scope: &TemplateScope,
        found: &mut Findings,
    ) -> Option<VersionSource> {
        let same = TagFormat::bare(Prefix::Same);
        match newer {
            NewerDoc::GitHub(written) => {
                let index = Index::Releases(repository(written, scope, found)?);
                Some(VersionSource { index, form: TagFormat::bare(Prefix::AsPinned(self.has_v())) })
            }
            NewerDoc::Tags { url, tag } => {
                let index = Index::Tags(protected(url, scope.plain(url, found)?, found)?);
                let form = match tag {
                    None => same,
                    Some(tag) => self.form(tag, scope, found)?,
                };
                Some(VersionSource { index, form })
            }
            NewerDoc::Go(path) => {
                let path = scope.plain(path, found)?;
                Some(VersionSource { index: Index::Go { path, is_module: true }, form: same })
            }
            NewerDoc::Crate(name) => Some(self.of_crate(scope.plain(name, found)?)),
            NewerDoc::Page { url, pattern } => {
                let index = page(url, pattern, scope, found)?;
                Some(VersionSource { index, form: TagFormat::bare(Prefix::AsPinned(self.has_v())) })
            }
        }
    }

    fn form(&self, tag: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<TagFormat> {
        let form = TagFormat::infer(&scope.plain(tag, found)?, self.version.as_str());
        if form.is_none() {
            let help = "write `{{ version }}` where the version is in their tags";
            found.add(tag.bytes.clone(), "this tag does not say its version", "which one?", help);
        }
        form
    }
}

/// The URL for people of the repository of GitHub that is `written`.
fn repository(written: &Scalar, scope: &TemplateScope, found: &mut Findings) -> Option<String> {
    let text = scope.plain(written, found)?;
    let url = if is_web(&text) { text } else { format!("https://github.com/{text}") };
    let url = protected(written, url, found)?;
    match StoreUrl::parse(&format!("github:{url}")) {
        Ok(StoreUrl::GitHub { .. }) => return Some(url),
        Ok(_) => found.add(written.bytes.clone(), "this is not a repository", "here", REPOSITORY),
        Err(why) => found.add(written.bytes.clone(), why, "not a repository", REPOSITORY),
    };
    None
}

/// `text`, if what it names is not read unprotected.
fn protected(url: &Scalar, text: String, found: &mut Findings) -> Option<String> {
    if !is_unprotected(&text) {
        return Some(text);
    }
    let why = "what is newer would be anybody's to say";
    unprotected(url, &text, why, "write `https://…`", found);
    None
}

const REPOSITORY: &str = "write `OWNER/REPO`, or `https://HOST/OWNER/REPO`";

fn page(
    url: &Scalar,
    pattern: &Scalar,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Option<Index> {
    let (address, text) = (scope.plain(url, found)?, scope.plain(pattern, found)?);
    if !is_web(&address) {
        let what = format!("`{address}` is not a URL that forge can ask");
        found.add(
            url.bytes.clone(),
            what,
            "not an HTTP URL",
            "write one that begins with `https://`",
        );
        return None;
    }
    let address = protected(url, address, found)?;
    if let Err(error) = regex::Regex::new(&text) {
        let why = error.to_string();
        let why = why.lines().next_back().unwrap_or_default().trim_start_matches("error: ");
        let what = format!("this is not a regular expression: {why}");
        let help = "write one whose first group, or all of it, is a version: `tool-(v[0-9.]+)`";
        found.add(pattern.bytes.clone(), what, "not a pattern", help);
        return None;
    }
    Some(Index::Page { url: address, pattern: text })
}

/// `text` of a URL's path, with what tags may hold and URLs escape.
fn unescaped(text: &str) -> String {
    text.replace("%2F", "/").replace("%2f", "/").replace("%2B", "+").replace("%40", "@")
}

#[cfg(test)]
mod tests {
    use super::{super::tests::Sandbox, *};

    /// The feed of a subsystem at `version` with this spec.
    fn feed(version: &str, spec: &str) -> Option<VersionSource> {
        let manifest = format!("versions: {{ tool: {version} }}\n");
        let files = [("versions.yml", &*manifest), ("subsystems/tool.yml", spec), ("code/x", "")];
        Sandbox::new(&files).workspace().subsystems["tool"].feed.clone()
    }

    #[test]
    fn whom_to_ask_follows_from_the_spec() {
        let build = "build: { run: make }";
        let sha256 = "ab".repeat(32);
        let assets = |url: &str| format!("upstream: {{ url: '{url}', sha256: {sha256} }}");
        let archive =
            |url: &str| format!("source: {{ archive: '{url}', sha256: {sha256} }}\n{build}");
        let git = |rest: &str| format!("source: {{ git: https://h/o/r.git{rest} }}\n{build}");
        for (version, spec, asked, name) in [
            ("v1.2.0", git(""), "tags of h/o/r.git", "v1.2.0"),
            ("v1.2.0", git(", ref: 'srv/{{ version_number }}'"), "tags of h/o/r.git", "srv/1.2.0"),
            ("v1.2.0", git(", ref: main"), "tags of h/o/r.git", "v1.2.0"),
            ("main", git(""), "tags of h/o/r.git", "main"),
            (
                "1.2.0",
                assets(
                    "https://github.com/o/r/releases/download/v{{ version }}/t-{{ version }}.tgz",
                ),
                "releases of github.com/o/r",
                "v1.2.0",
            ),
            (
                "v1.2.0",
                format!(
                    "{}\n{}",
                    assets("https://h/o/r/releases/download/t%2F{{ version }}/t.tgz"),
                    git("")
                ),
                "tags of h/o/r",
                "t/v1.2.0",
            ),
            ("v1.2.0", assets("https://dl.h/{{ version }}/t.tgz"), "", ""),
            (
                "v1.2.0",
                archive("https://github.com/o/r/archive/refs/tags/{{ version }}.tar.gz"),
                "tags of github.com/o/r",
                "v1.2.0",
            ),
            (
                "1.2.0",
                archive(
                    "https://gitlab.com/g/s/r/-/archive/v{{ version }}/r-v{{ version }}.tar.gz",
                ),
                "tags of gitlab.com/g/s/r",
                "v1.2.0",
            ),
            ("v1", "build: { go: { module: h/m } }".into(), "Go module h/m", "v1"),
            ("v1", "build: { go: { install: h/m/cmd/x } }".into(), "Go module h/m/cmd/x", "v1"),
            ("v1.0.0", "build: { cargo: { install: c } }".into(), "crate c", "1.0.0"),
            ("1.0.0", "build: { cargo: { install: c } }".into(), "crate c", "1.0.0"),
            ("v1", format!("source: {{ path: code }}\n{build}"), "", ""),
            (
                "v1",
                format!("source: {{ path: code }}\nnewer: {{ go: h/m }}\n{build}"),
                "Go module h/m",
                "v1",
            ),
            (
                "v1",
                format!("newer: {{ github: o/r }}\n{build}"),
                "releases of github.com/o/r",
                "v1",
            ),
            (
                "v1",
                format!("newer: {{ url: 'https://h/{{{{ os }}}}', pattern: x }}\n{build}"),
                "h/linux",
                "v1",
            ),
        ] {
            let feed = feed(version, &spec);
            let found = feed.as_ref().map(|feed| (feed.index.to_string(), feed.form.name(version)));
            let expected = (!asked.is_empty()).then(|| (asked.to_owned(), name.to_owned()));
            assert_eq!(found, expected, "{version} {spec}");
            if let Some(feed) = feed.filter(|_| version != "main") {
                assert_eq!(feed.form.version(name).as_deref(), Some(version), "{spec}");
            }
        }
    }

    #[test]
    fn a_form_reads_what_upstream_calls_a_version() {
        for (name, version, other, read) in [
            ("v2.10.24", "v2.10.24", "v2.11.0", Some("v2.11.0")),
            ("nats-server/v2.10", "v2.10", "nats-server/v2.11", Some("v2.11")),
            ("nats-server/v2.10", "v2.10", "nats-top/v2.11", None),
            ("1.2.3", "v1.2.3", "1.3.0", Some("v1.3.0")),
            ("1.2.3", "v1.2.3", "v1.3.0", None),
            ("v1.2.3", "1.2.3", "v1.3.0-rc.1", Some("1.3.0-rc.1")),
            ("release-1.2-final", "1.2", "release-1.3-final", Some("1.3")),
            ("release-1.2-final", "1.2", "release-1.3", None),
            ("v1", "v1", "vnext", None),
            ("v1", "v1", "v1/2", None),
        ] {
            let form = TagFormat::infer(name, version).unwrap();
            assert_eq!(form.version(other).as_deref(), read, "{name} {other}");
            assert_eq!(form.version(name).as_deref(), Some(version), "{name}");
            assert_eq!(form.name(version), name);
        }
        assert_eq!(TagFormat::infer("main", "v1"), None);
        let loose = TagFormat::bare(Prefix::AsPinned(true));
        assert_eq!(loose.version("1.2"), loose.version("v1.2"));
    }
}

//! What a component is compared with: its last release, or a commit that was named.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::Manifest;
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    git::{History, RemoteTag},
    model::{Fault, Kind, Layout, Name, Precedence},
    versioning::taken,
    workspace::{Subsystem, Workspace},
};

/// What to compare with.
#[derive(Clone, Debug)]
pub struct Since<'a> {
    /// A branch, tag or commit: where HEAD parted from it. None for each component's last release.
    pub reference: Option<&'a str>,
    /// Whether what this clone lacks is fetched.
    pub fetch: bool,
    /// Whether no remote is asked.
    pub offline: bool,
}

/// What one component is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base {
    /// How people call it: a tag or what they wrote.
    pub name: String,
    /// Its commit.
    pub commit: String,
}

/// What each component is compared with; those without a release with nothing.
#[derive(Clone, Debug, Default)]
pub struct Bases {
    /// By component.
    pub of: BTreeMap<Name, Base>,
    /// The pinned versions of which there is no release, while there is one of another version.
    pub pending: BTreeMap<Name, String>,
    /// The changed files by commit, relative to the workspace, sorted.
    pub changed: BTreeMap<String, BTreeSet<String>>,
    /// What `versions.yml` held in each commit since which it has changed.
    pub manifests: BTreeMap<String, Manifest>,
    /// What it holds now.
    pub manifest: Option<Manifest>,
}

impl Bases {
    /// Those of `names`, and what has changed since each; `uncommitted` says what nobody committed yet.
    ///
    /// # Errors
    /// `Usage` if this clone lacks a commit, with what to fetch; `Store` if the remote does not answer.
    pub async fn find(
        history: &History<'_>,
        workspace: &Workspace,
        names: &BTreeSet<Name>,
        since: &Since<'_>,
        uncommitted: impl FnOnce() -> Result<Vec<String>, Fault>,
    ) -> Result<Self, Fault> {
        let (of, pending) = match since.reference {
            Some(reference) => {
                let base = named(history, reference, since).await?;
                let of = names.iter().map(|name| (name.clone(), base.clone())).collect();
                (of, BTreeMap::new())
            }
            None => released(history, workspace, names, since).await?,
        };
        let changed = changed(history, &of, since, uncommitted).await?;
        let path = Layout::MANIFEST;
        let of_commits: Vec<String> = changed
            .iter()
            .filter(|(_, files)| files.contains(path))
            .map(|(commit, _)| commit.clone())
            .collect();
        let texts = history.files(&of_commits, path).await?;
        let read =
            |(commit, text): (String, Option<String>)| Some((commit, Manifest::read(&text?)?));
        let manifests = of_commits.into_iter().zip(texts).filter_map(read).collect();
        let now = read_text(&workspace.layout.manifest(), MOST_OF_TEXT).ok();
        Ok(Self {
            of,
            pending,
            changed,
            manifests,
            manifest: now.and_then(|text| Manifest::read(&text)),
        })
    }
}

/// Where HEAD parted from `reference`.
async fn named(history: &History<'_>, reference: &str, since: &Since<'_>) -> Result<Base, Fault> {
    for is_last in [false, true] {
        if let Some(commit) = history.commit(reference).await?
            && let Some(commit) = history.parting(&commit).await?
        {
            return Ok(Base { name: reference.to_owned(), commit });
        }
        let is_shallow = history.is_shallow().await?;
        let depth: &[&str] = if is_shallow { &["--unshallow"] } else { &[] };
        let branch = format!("+refs/heads/{reference}:refs/remotes/origin/{reference}");
        let words = [depth, &["origin", "+refs/heads/*:refs/remotes/origin/*"]].concat();
        if is_last || !since.fetch || since.offline {
            let words = match is_shallow {
                true => {
                    "git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'".to_owned()
                }
                false => format!("git fetch origin '{branch}'"),
            };
            let because = match is_shallow {
                true => "it is shallow: commits that tell where HEAD parted from it are missing",
                false => {
                    "it has no such branch, tag or commit, or none that shares commits with HEAD"
                }
            };
            return Err(lacking(&format!("`{reference}`"), because, &words));
        }
        history.fetch(&words).await?;
    }
    Err(Fault::new(Kind::Usage, format!("cannot compare with {reference}")))
}

/// The commits of the last releases, and the pinned versions that are not among these.
async fn released(
    history: &History<'_>,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    since: &Since<'_>,
) -> Result<(BTreeMap<Name, Base>, BTreeMap<Name, String>), Fault> {
    let subsystems: Vec<_> = names.iter().map(|name| &workspace.subsystems[name]).collect();
    let stem = |subsystem: &&Subsystem| match subsystem.follows_tag {
        true => PROJECT_STEM.to_owned(),
        false => subsystem.tag.as_str().to_owned(),
    };
    let stems: Vec<String> = subsystems.iter().map(stem).collect();
    let stems: Vec<&str> = stems.iter().map(String::as_str).collect();
    let tags = match since.offline {
        false => history.remote().await?.tags(&stems).await?,
        true => {
            let object = |tag: crate::git::Tag| RemoteTag { object: tag.commit.clone(), tag };
            history.tags().await?.into_iter().map(object).collect()
        }
    };
    let tags = Tags::new(tags);
    let (mut bases, mut pending) = (BTreeMap::new(), BTreeMap::new());
    for subsystem in subsystems {
        let Some((tag, is_current)) = tags.last(subsystem) else { continue };
        let base = Base { name: tag.tag.name, commit: tag.tag.commit };
        bases.insert(subsystem.name.clone(), base);
        if !is_current {
            pending.insert(subsystem.name.clone(), subsystem.version.to_string());
        }
    }
    Ok((bases, pending))
}

/// The tags of a remote, sorted by name.
struct Tags(Vec<RemoteTag>);

impl Tags {
    fn new(mut tags: Vec<RemoteTag>) -> Self {
        tags.sort_by(|a, b| a.tag.name.cmp(&b.tag.name));
        Self(tags)
    }

    /// The highest tag of the project itself.
    fn last_of_project(&self) -> Option<RemoteTag> {
        let ranked = self.0.iter().filter_map(|tag| {
            let name = tag.tag.name.as_str();
            let version = Precedence::parse(name).filter(|_| name.starts_with(PROJECT_STEM))?;
            Some((version, tag))
        });
        ranked.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, tag)| tag.clone())
    }

    /// The last release of `subsystem`: the highest by its scheme, or the pinned version's, or else that of
    /// the highest version before it, or of any. Says whether it is one of the version that it has now.
    fn last(&self, subsystem: &Subsystem) -> Option<(RemoteTag, bool)> {
        if subsystem.follows_tag {
            return self.last_of_project().map(|tag| (tag, true));
        }
        let stem = subsystem.tag.as_str();
        let start = self.0.partition_point(|tag| tag.tag.name.as_str() < stem);
        let own = self.0[start..].iter().take_while(|tag| tag.tag.name.starts_with(stem));
        let own: Vec<RemoteTag> = own.cloned().collect();
        if let Some(scheme) = &subsystem.scheme {
            return taken(&subsystem.tag, scheme, &own)
                .pop()
                .map(|taken| (taken.tag.clone(), true));
        }
        let version = subsystem.version.as_str();
        let pinned = Precedence::beside(version, version);
        let ranked = own.iter().filter_map(|tag| {
            let (label, revision) = subsystem.tag.read(&tag.tag.name)?;
            let is_current = label == version;
            let age = Precedence::beside(version, label);
            let is_before = age < pinned;
            (is_current || age.is_some()).then_some(((is_current, is_before, age, revision), tag))
        });
        let (rank, tag) = ranked.max_by(|a, b| a.0.cmp(&b.0))?;
        Some((tag.clone(), rank.0))
    }
}

/// What the tags of the project begin with.
const PROJECT_STEM: &str = "v";

/// What differs from each base, committed or not: one process for all of them.
async fn changed(
    history: &History<'_>,
    of: &BTreeMap<Name, Base>,
    since: &Since<'_>,
    uncommitted: impl FnOnce() -> Result<Vec<String>, Fault>,
) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
    let bases: BTreeMap<String, String> =
        of.values().map(|base| (base.commit.clone(), base.name.clone())).collect();
    if bases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut commits: Vec<String> = bases.keys().cloned().collect();
    commits.push("HEAD".into());
    let mut trees = history.trees(&commits).await?;
    let missing = |trees: &[Option<String>]| -> Vec<String> {
        let lacks = bases.iter().zip(trees).filter(|(_, tree)| tree.is_none());
        lacks.map(|((_, name), _)| name.clone()).collect()
    };
    let lacks = missing(&trees);
    if !lacks.is_empty() {
        let shallow: &[&str] = if history.is_shallow().await? { &["--depth=1"] } else { &[] };
        let refs: Vec<String> =
            lacks.iter().map(|tag| format!("+refs/tags/{tag}:refs/tags/{tag}")).collect();
        let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
        if !since.fetch || since.offline {
            let depth = if shallow.is_empty() { "" } else { "--depth=1 " };
            let words = format!("git fetch --no-tags {depth}origin {}", refs.join(" "));
            let because = "it is shallow or has no tags: the commits of these releases are missing";
            return Err(lacking(&lacks.join(", "), because, &words));
        }
        history.fetch(&[shallow, &["--no-tags", "origin"], &refs].concat()).await?;
        trees = history.trees(&commits).await?;
    }
    if let Some(tag) = missing(&trees).first() {
        return Err(Fault::new(Kind::Store, format!("cannot get the commit of {tag}"))
            .because("git fetched its tag and still has no such commit"));
    }
    let Some(now) = trees.pop().flatten() else {
        return Err(Fault::new(Kind::Usage, "nothing is committed yet"));
    };
    let trees: Vec<String> = trees.into_iter().flatten().collect();
    let differences = history.differences(&trees, &now).await?;
    let uncommitted = uncommitted()?;
    let all = |files: Vec<String>| files.into_iter().chain(uncommitted.iter().cloned()).collect();
    Ok(bases.into_keys().zip(differences.into_iter().map(all)).collect())
}

fn lacking(what: &str, because: &str, words: &str) -> Fault {
    Fault::new(Kind::Usage, format!("this clone cannot be compared with {what}"))
        .because(because)
        .hint(format!("run `{words}`, or let forge do it: `forge affected --fetch`"))
}

//! Where the versions of a subsystem with a scheme are given out: by the tags of the remote, by the
//! day or the commits since, and by what else has a say.

use std::path::Path;

use tokio::sync::OnceCell;

use crate::{
    affected::PathScope,
    git::{Commit, History, Remote, RemoteTag, Tag},
    model::{Commits, Fault, Kind, Name, Scheme, TagStem, Version},
    process::Runner,
    versioning::{
        BumpRequest, Claimant, FromTheFuture, NextVersion, Override, Taken, VersionLine, alike,
        alike_stems, day, next, taken,
    },
    workspace::{Subsystem, Workspace},
};

use super::{host::Host, terms::VersionArgs};

/// What may be done to find out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// Whether what this clone lacks is fetched.
    pub(super) fetch: bool,
    /// Whether no remote is asked.
    pub(super) offline: bool,
}

/// Where the versions of one subsystem are given out.
pub(super) struct VersionAllocator<'a> {
    host: &'a Host,
    subsystem: &'a Subsystem,
    scheme: &'a Scheme,
    history: &'a History<'a>,
    remote: Remote<'a>,
    extent: PathScope<'a>,
    commit: String,
    wish: Option<Override>,
    terms: &'a VersionArgs,
    means: Means,
    /// What to say of tags that look like versions, once none was found.
    warning: OnceCell<Option<Fault>>,
}

impl<'a> VersionAllocator<'a> {
    /// That of `name`.
    ///
    /// # Errors
    /// `Usage` if it has no scheme, nothing is committed, or labels contradict each other.
    pub(super) async fn for_subsystem(
        host: &'a Host,
        workspace: &'a Workspace,
        name: &Name,
        history: &'a History<'a>,
        terms: &'a VersionArgs,
        means: Means,
    ) -> Result<Self, Fault> {
        let subsystem = &workspace.subsystems[name];
        let scheme = subsystem.scheme.as_ref().ok_or_else(|| {
            Fault::new(Kind::Usage, format!("{name} has no next version"))
                .because(format!("versions.yml pins it to {}", subsystem.version))
                .hint(format!("write `{name}: {{scheme: date}}` to have versions made"))
        })?;
        let commit = history.head().await?.ok_or_else(|| {
            Fault::new(Kind::Usage, format!("cannot give {name} a version"))
                .because("nothing is committed yet")
        })?;
        let remote = history.remote().await?;
        let extent = PathScope::for_component(workspace, subsystem)?;
        let wish = terms.wish(host)?;
        let warning = OnceCell::new();
        Ok(Self {
            host,
            subsystem,
            scheme,
            history,
            remote,
            extent,
            commit,
            wish,
            terms,
            means,
            warning,
        })
    }

    /// That no version was found, and tags that look like some.
    pub(super) fn warning(&self) -> Option<&Fault> {
        self.warning.get()?.as_ref()
    }

    /// Refuses code that is not committed: what is released has to be what the tag says.
    pub(super) async fn committed(&self) -> Result<(), Fault> {
        let changes = self.history.uncommitted().await?;
        match changes.iter().find(|path| self.extent.covers(path)) {
            None => Ok(()),
            Some(path) => {
                let name = &self.subsystem.name;
                let what = format!("cannot release {name}: its code is not committed");
                Err(Fault::new(Kind::Usage, what)
                    .because(format!("{path} differs from the commit that the release would name"))
                    .hint("commit it first"))
            }
        }
    }

    /// The next version, which anybody may take yet.
    pub(super) async fn next(&self) -> Result<NextVersion, Fault> {
        let tags = self.tags().await?;
        self.after(&taken(&self.subsystem.tag, self.scheme, &tags)).await
    }

    /// The version that the commit was released as, unless somebody asks for another one.
    pub(super) async fn released(&self) -> Result<Option<Version>, Fault> {
        if self.wish.as_ref().is_some_and(|wish| wish.is_firm) {
            return Ok(None);
        }
        let tags = self.tags().await?;
        let known = taken(&self.subsystem.tag, self.scheme, &tags);
        let last = match self.scheme {
            Scheme::Date => known.last().map(|taken| taken.label),
            Scheme::Commits(scheme) => self.line(scheme, &known).await?.last(),
        };
        let is_here = |label: &&str| commit_of(&known, label) == Some(self.commit.as_str());
        Ok(last.filter(is_here).and_then(|label| Version::new(label).ok()))
    }

    /// Makes the next version that of `run`.
    pub(super) async fn claim(&self, run: &str) -> Result<NextVersion, Fault> {
        let claimant = Claimant {
            name: &self.subsystem.name,
            stem: &self.subsystem.tag,
            scheme: self.scheme,
            commit: &self.commit,
            run,
        };
        claimant.claim(&self.remote, async |known| self.after(known).await).await
    }

    /// The tags that are versions and those that look like some, asked in one go.
    async fn tags(&self) -> Result<Vec<RemoteTag>, Fault> {
        let tags = match self.means.offline {
            true => tags_here(self.history).await?,
            false => {
                let mut stems = alike_stems(&self.subsystem.name, &self.subsystem.tag);
                stems.push(self.subsystem.tag.as_str().to_owned());
                let stems: Vec<&str> = stems.iter().map(String::as_str).collect();
                self.remote.tags(&stems).await?
            }
        };
        self.warning.get_or_init(async || mistaken(self.subsystem, &tags)).await;
        Ok(tags)
    }

    /// The version after those that are `known`.
    async fn after(&self, known: &[Taken<'_>]) -> Result<NextVersion, Fault> {
        // Who claims has not looked for others yet; a warning is not worth a failure.
        if known.is_empty() && !self.warning.initialized() {
            let _ = self.tags().await;
        }
        match self.scheme {
            Scheme::Date => self.after_dates(known),
            Scheme::Commits(scheme) => self.after_commits(scheme, known).await,
        }
    }

    fn after_dates(&self, known: &[Taken]) -> Result<NextVersion, Fault> {
        let name = &self.subsystem.name;
        match &self.wish {
            Some(Override { wish: BumpRequest::Skip, said, .. }) => {
                return Ok(NextVersion::Nothing { why: format!("{said} forbids a release") });
            }
            Some(Override { said, is_firm: true, .. }) => {
                return Err(Fault::new(Kind::Usage, format!("{said} says nothing to {name}"))
                    .because("its versions are made of dates"));
            }
            _ => {}
        }
        let dates = known.iter().filter_map(|taken| taken.label.parse().ok());
        let version =
            next(day(jiff::Timestamp::now()), dates).map_err(|future| from_future(name, future))?;
        let why = match known.last() {
            Some(last) => {
                format!("{} is the day in UTC, and the last one is {}", version.day, last.label)
            }
            None => format!("{} is the day in UTC, and there is none yet", version.day),
        };
        Ok(NextVersion::Release { label: version.to_string(), why })
    }

    async fn after_commits(
        &self,
        scheme: &Commits,
        known: &[Taken<'_>],
    ) -> Result<NextVersion, Fault> {
        let line = self.line(scheme, known).await?;
        let (stable, last) = (line.stable(), line.last());
        let since_stable = self.since(stable, known).await?;
        let since_last = match stable == last {
            true => since_stable.clone(),
            false => self.since(last, known).await?,
        };
        Ok(line.next(&since_stable, &since_last, self.wish.as_ref()))
    }

    async fn line<'k>(
        &self,
        scheme: &'k Commits,
        known: &[Taken<'k>],
    ) -> Result<VersionLine<'k>, Fault> {
        let branch = self.terms.branch(self.host, self.history, scheme).await?;
        Ok(VersionLine::from_labels(
            scheme,
            known.iter().map(|taken| taken.label),
            branch.as_deref(),
        ))
    }

    /// The commits of the component since the version `label`; all of them without.
    async fn since(&self, label: Option<&str>, known: &[Taken<'_>]) -> Result<Vec<Commit>, Fault> {
        let after = label.and_then(|label| commit_of(known, label));
        self.have(label, after).await?;
        let counts = |path: &str| self.extent.covers(path);
        self.history.commits_to(&self.extent.starts(), &counts, after, "HEAD").await
    }

    /// Sees to it that this clone has all commits since `after`, the one of the version `label`.
    async fn have(&self, label: Option<&str>, after: Option<&str>) -> Result<(), Fault> {
        if self.history.is_whole_since(after).await? {
            return Ok(());
        }
        let mut words = vec!["--no-tags".to_owned()];
        if self.history.is_shallow().await? {
            words.push("--unshallow".to_owned());
        }
        words.push("origin".to_owned());
        if let Some(label) = label {
            let tag = self.subsystem.tag.first(label);
            words.push(format!("+refs/tags/{tag}:refs/tags/{tag}"));
        }
        let name = &self.subsystem.name;
        let since = label.map_or_else(String::new, |label| format!(" since {label}"));
        let lacking = |why: &str| {
            let what = format!("cannot tell the next version of {name} from its commits");
            Fault::new(Kind::Usage, what).because(format!("this clone {why}{since}"))
        };
        if !self.means.fetch || self.means.offline {
            let how = words.join(" ");
            return Err(lacking("does not have all commits").hint(format!(
                "run `git fetch {how}`, or let forge do it: `forge version:next {name} --fetch`"
            )));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.history.fetch(&words).await?;
        match self.history.is_whole_since(after).await? {
            true => Ok(()),
            false => Err(lacking("fetched and still lacks commits")
                .hint("the remote may be a shallow clone itself: `git fetch --unshallow` there")),
        }
    }
}

/// The tags of this clone.
pub(super) async fn tags_here(history: &History<'_>) -> Result<Vec<RemoteTag>, Fault> {
    let here = |tag: Tag| RemoteTag { object: tag.commit.clone(), tag };
    Ok(history.tags().await?.into_iter().map(here).collect())
}

/// What to say if none of `tags` is a version of `subsystem`, which has a scheme, and one looks like it.
pub(super) fn mistaken(subsystem: &Subsystem, tags: &[RemoteTag]) -> Option<Fault> {
    let Subsystem { name, tag: stem, scheme: Some(scheme), .. } = subsystem else { return None };
    if !taken(stem, scheme, tags).is_empty() {
        return None;
    }
    let found = alike(name, stem, scheme, tags)?;
    let (tag, number) = (found.tag, found.number);
    let has_v = !scheme.makes(number);
    let label = if has_v { format!("v{number}") } else { number.to_owned() };
    let before = tag.strip_suffix(&label);
    let help = match (before, scheme) {
        (Some(before), _) if TagStem::new(before).is_ok() => {
            format!(
                "if it is a version, write `tag: '{before}{{{{ version }}}}'` in {}",
                subsystem.spec.display()
            )
        }
        (None, Scheme::Commits(commits)) => {
            let first = commits.first.trim_start_matches('v');
            format!("if it is a version, write `first: {first}` in its scheme, without the `v`")
        }
        _ => format!("if it is a version, tag its commit as `{stem}{label}` too"),
    };
    let what = format!("the tag {tag} looks like a version of {name}, and counts as none");
    let why = format!("no tag is a version of {name}; they are looked for as `{stem}{label}`");
    Some(Fault::new(Kind::Usage, what).because(why).hint(help))
}

/// The commit of a version.
fn commit_of<'k>(known: &'k [Taken], label: &str) -> Option<&'k str> {
    let version = known.iter().find(|taken| taken.label == label)?;
    Some(version.tag.tag.commit.as_str())
}

fn from_future(name: &Name, FromTheFuture { version, today }: FromTheFuture) -> Fault {
    Fault::new(Kind::Usage, format!("{name} was released as {version}, on a day to come"))
        .because(format!("it is {today} here, in UTC"))
        .hint("set this machine's clock; if it is right, delete that tag")
}

/// The repository around `root`.
pub(super) fn repository<'a>(runner: &'a Runner, root: &Path) -> Result<History<'a>, Fault> {
    History::around(runner, root).ok_or_else(|| {
        Fault::new(Kind::Usage, "`scheme:` needs a git repository")
            .because(format!("{} is in none", root.display()))
            .hint("`git init` makes one; or pin a version in versions.yml")
    })
}

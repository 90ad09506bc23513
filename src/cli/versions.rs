//! Versions that schemes make: `forge version:next`, what `ensure` takes for the last one, and what
//! a release is called. And `NAME@VERSION`, which chooses one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
};

use crate::{
    cache::replace_file,
    git::{History, Remote, RemoteTag},
    model::{Fault, Kind, Layout, Name, Scheme, Version},
    process::{Cancel, Runner},
    versioning::{Claimant, FromTheFuture, Taken, day, next, taken},
    workspace::{Source, Subsystem, Workspace, Workspaces},
};

use super::{
    Stop,
    run::runtime,
    session::{Session, say, select, surroundings},
};

/// Versions by subsystem.
pub(super) type Versions = BTreeMap<Name, Version>;

/// Splits `NAME@VERSION`: the names, and what was chosen for some.
pub(super) fn chosen(words: &[String]) -> Result<(Vec<String>, Versions), Fault> {
    let mut names = Vec::new();
    let mut versions = Versions::new();
    for word in words {
        let Some((name, version)) = word.split_once('@') else {
            names.push(word.clone());
            continue;
        };
        let wrong = |why: String| {
            Fault::new(Kind::Usage, format!("`{word}` names no version")).because(why)
        };
        let version = Version::new(version).map_err(wrong)?;
        versions.insert(Name::new(name).map_err(wrong)?, version);
        names.push(name.to_owned());
    }
    Ok((names, versions))
}

/// The workspaces, where each of `words` that has a scheme and is not locked is at the last version
/// that its remote has. `words` may choose others.
pub(super) fn workspaces(
    session: &Session,
    words: &[String],
) -> Result<(Workspaces, BTreeSet<Name>), Stop> {
    let (words, chosen) = chosen(words)?;
    let workspaces = session.workspaces_at(&chosen, &Versions::new())?;
    let names = select(workspaces.any(), &words)?;
    let workspace = workspaces.any();
    let is_unknown =
        |subsystem: &&Subsystem| subsystem.scheme.is_some() && subsystem.version.is_unreleased();
    let unknown: Vec<_> =
        names.iter().map(|name| &workspace.subsystems[name]).filter(is_unknown).collect();
    // What this user alone has is not known to any remote; nor may one be asked offline.
    if unknown.is_empty() || workspace.stores.is_empty() || session.flags.offline {
        return Ok((workspaces, names));
    }
    let last = runtime()?.block_on(last(&workspace.layout, &unknown))?;
    if last.is_empty() {
        return Ok((workspaces, names));
    }
    Ok((session.workspaces_at(&chosen, &last)?, names))
}

/// The last versions of `subsystems` that the remote has, asked in one go. Outside of a repository
/// there are none.
async fn last(layout: &Layout, subsystems: &[&Subsystem]) -> Result<Versions, Fault> {
    let runner = runner()?;
    let Some(history) = History::around(&runner, layout.root()) else { return Ok(Versions::new()) };
    let stems: Vec<&str> = subsystems.iter().map(|subsystem| subsystem.tag.as_str()).collect();
    let tags = history.remote().await?.tags(&stems).await?;
    let last = subsystems.iter().filter_map(|subsystem| {
        let scheme = subsystem.scheme.as_ref()?;
        let label = taken(&subsystem.tag, scheme, &tags).pop()?.label.to_owned();
        Some((subsystem.name.clone(), Version::new(&label).ok()?))
    });
    Ok(last.collect())
}

/// Prints the next version of a subsystem; with `claim`, makes it this run's.
pub(super) fn next_version(session: &Session, name: &str, claim: bool) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let names = select(&workspace, &[name.to_owned()])?;
    let mut lines = Vec::new();
    for name in &names {
        let subsystem = &workspace.subsystems[name];
        let version = runtime()?.block_on(async {
            let runner = runner()?;
            let history = repository(&runner, workspace.layout.root())?;
            let desk = Desk::of(subsystem, &history).await?;
            match claim {
                true => desk.claim(&run_of_ci().unwrap_or_else(new_run)).await,
                false => desk.next().await,
            }
        })?;
        lines.push(if names.len() == 1 { version } else { format!("{name} {version}") });
    }
    say(&format!("{}\n", lines.join("\n")))?;
    Ok(0)
}

/// The versions that the subsystems called `names` are released as now: those with a scheme get the
/// next one, unless the commit that is checked out was released already.
pub(super) fn claimed(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
) -> Result<Versions, Stop> {
    let has_scheme = |name: &&Name| workspace.subsystems[*name].scheme.is_some();
    let mut versions = Versions::new();
    for name in names.iter().filter(has_scheme) {
        let subsystem = &workspace.subsystems[name];
        let version = runtime()?.block_on(async {
            let runner = runner()?;
            let history = repository(&runner, workspace.layout.root())?;
            committed(subsystem, &history).await?;
            let desk = Desk::of(subsystem, &history).await?;
            match desk.released().await?.filter(|_| !session.flags.force) {
                Some(version) => Ok(version),
                None => {
                    let label = desk.claim(&run_of(&workspace.layout, name)?).await?;
                    Version::new(&label).map_err(|why| Fault::new(Kind::Failed, why))
                }
            }
        })?;
        versions.insert(name.clone(), version);
    }
    Ok(versions)
}

/// Forgets the claims on versions that are released now.
pub(super) fn settled(layout: &Layout, versions: &Versions) {
    for name in versions.keys() {
        let _ = fs::remove_file(run_file(layout, name));
    }
}

/// What is released has to be what the tag says.
async fn committed(subsystem: &Subsystem, history: &History<'_>) -> Result<(), Fault> {
    let Source::Path { dir, .. } = &subsystem.source else { return Ok(()) };
    let changes = history.changes().await?;
    let is_own = |path: &&String| dir == Path::new(".") || Path::new(path).starts_with(dir);
    match changes.iter().find(is_own) {
        None => Ok(()),
        Some(path) => {
            let what = format!("cannot release {}: its code is not committed", subsystem.name);
            Err(Fault::new(Kind::Usage, what)
                .because(format!("{path} differs from the commit that the release would name"))
                .hint("commit it first"))
        }
    }
}

/// Where the versions of one subsystem are given out.
struct Desk<'a> {
    subsystem: &'a Subsystem,
    scheme: &'a Scheme,
    remote: Remote<'a>,
    commit: String,
}

impl<'a> Desk<'a> {
    async fn of(subsystem: &'a Subsystem, history: &History<'a>) -> Result<Self, Fault> {
        let name = &subsystem.name;
        let scheme = subsystem.scheme.as_ref().ok_or_else(|| {
            Fault::new(Kind::Usage, format!("{name} has no next version"))
                .because(format!("versions.yml pins it to {}", subsystem.version))
                .hint(format!("write `{name}: {{scheme: date}}` to have versions made"))
        })?;
        let commit = history.head().await?.ok_or_else(|| {
            Fault::new(Kind::Usage, format!("cannot give {name} a version"))
                .because("nothing is committed yet")
        })?;
        Ok(Self { subsystem, scheme, remote: history.remote().await?, commit })
    }

    async fn tags(&self) -> Result<Vec<RemoteTag>, Fault> {
        self.remote.tags(&[self.subsystem.tag.as_str()]).await
    }

    /// The next version, which anybody may take yet.
    async fn next(&self) -> Result<String, Fault> {
        let tags = self.tags().await?;
        self.after(&taken(&self.subsystem.tag, self.scheme, &tags))
    }

    /// The version that the commit was released as.
    async fn released(&self) -> Result<Option<Version>, Fault> {
        let tags = self.tags().await?;
        let last = taken(&self.subsystem.tag, self.scheme, &tags).pop();
        let last = last.filter(|last| last.tag.tag.commit == self.commit);
        Ok(last.and_then(|last| Version::new(last.label).ok()))
    }

    /// Makes the next version that of `run`.
    async fn claim(&self, run: &str) -> Result<String, Fault> {
        let claimant = Claimant {
            name: &self.subsystem.name,
            stem: &self.subsystem.tag,
            scheme: self.scheme,
            commit: &self.commit,
            run,
        };
        claimant.claim(&self.remote, &|known| self.after(known)).await
    }

    /// The version after those that are `known`.
    fn after(&self, known: &[Taken]) -> Result<String, Fault> {
        let name = &self.subsystem.name;
        match self.scheme {
            Scheme::Date => {
                let dates = known.iter().filter_map(|taken| taken.label.parse().ok());
                let version = next(day(jiff::Timestamp::now()), dates);
                version
                    .map(|version| version.to_string())
                    .map_err(|future| from_future(name, future))
            }
            Scheme::Commits(_) => Err(Fault::new(
                Kind::Usage,
                format!("cannot tell the next version of {name} from its commits yet"),
            )),
        }
    }
}

fn from_future(name: &Name, FromTheFuture { version, today }: FromTheFuture) -> Fault {
    Fault::new(Kind::Usage, format!("{name} was released as {version}, on a day to come"))
        .because(format!("it is {today} here, in UTC"))
        .hint("set this machine's clock; if it is right, delete that tag")
}

/// The repository around `root`.
fn repository<'a>(runner: &'a Runner, root: &Path) -> Result<History<'a>, Fault> {
    History::around(runner, root).ok_or_else(|| {
        Fault::new(Kind::Usage, "versions that a scheme makes stand in the tags of a repository")
            .because(format!("{} is in none", root.display()))
            .hint("`git init` makes one; or pin a version in versions.yml")
    })
}

/// What tells this run from all others, and its tries from none: the page of the run in CI, elsewhere
/// a text that is kept until what it claims is released.
fn run_of(layout: &Layout, name: &Name) -> Result<String, Fault> {
    if let Some(run) = run_of_ci() {
        return Ok(run);
    }
    let path = run_file(layout, name);
    if let Ok(known) = fs::read_to_string(&path) {
        return Ok(known);
    }
    let run = new_run();
    replace_file(&path, run.as_bytes(), &layout.staging(), false)
        .map_err(|error| Fault::io(format!("cannot write {}", path.display()), &error))?;
    Ok(run)
}

/// The page of this run in CI, whichever try it is.
fn run_of_ci() -> Option<String> {
    let page = surroundings().run_url()?.to_owned();
    Some(page.split("/attempts/").next().unwrap_or(&page).to_owned())
}

/// A text that no other run has.
fn new_run() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{} {random:016x} {}", jiff::Timestamp::now(), std::process::id())
}

fn run_file(layout: &Layout, name: &Name) -> std::path::PathBuf {
    layout.state().join("claims").join(name.file_name())
}

fn runner() -> Result<Runner, Fault> {
    let cancel = Cancel::new();
    cancel.listen_to_signals()?;
    Ok(Runner::new(1, cancel).guarded())
}

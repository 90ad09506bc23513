//! `forge bump`: other versions in `versions.yml`, and the lock with them; or those of before.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    disk::{MOST_OF_TEXT, read_file},
    git::{self, History},
    model::{Fault, Kind, Series, Version},
    process::CommandRunner,
    report::{Align, Cell, Role, Table, render_warning},
    upgrade::{
        ManifestPins, OfferFilter, Offers, PinChange, PinEdit, SharedPin, UpstreamAnswer, before,
        exists, has_stale_digest, is_newer, unlike,
    },
    workspace::{Documents, Source, Subsystem, Workspace},
};

use super::{
    CliError,
    bases::{self, BaseStep},
    outdated::{ask, tell_failures},
    session::{Session, select},
    versions::Versions,
};

/// How many remotes are asked at once.
const AT_ONCE: usize = 8;

/// What can be written behind `forge bump`.
#[derive(Debug, clap::Args)]
pub(super) struct BumpArgs {
    /// A subsystem or group; NAME@VERSION too
    name: Option<String>,
    /// The version, which upstream has to have [default: the newest]
    #[arg(conflicts_with = "revert")]
    version: Option<String>,
    /// All pins
    #[arg(long, conflicts_with_all = ["name", "revert"])]
    all: bool,
    /// Whether another major version is taken too
    #[arg(long, value_name = "WHETHER", default_value = "yes")]
    major: Major,
    /// Pre-releases too
    #[arg(long)]
    pre: bool,
    /// Bring back what versions.yml said before the last change, by its history in git
    #[arg(long)]
    revert: bool,
}

/// Whether another major version is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Major {
    /// It is.
    Yes,
    /// It stays the one that is pinned.
    No,
}

impl BumpArgs {
    /// The subsystem and the version that are named, by themselves or as `NAME@VERSION`.
    fn named(&self) -> (Option<&str>, Option<&str>) {
        let (name, version) = (self.name.as_deref(), self.version.as_deref());
        match name.and_then(|name| name.split_once('@')) {
            Some((name, version)) if self.version.is_none() => (Some(name), Some(version)),
            _ => (name, version),
        }
    }
}

/// What there is to do.
struct Agenda<'w> {
    steps: Vec<PinChange<'w>>,
    /// What is said if that is nothing.
    idle: String,
    /// What could not be found out.
    failed: Vec<Fault>,
    /// The bases of images that are renewed.
    bases: Vec<BaseStep>,
}

/// The workspace and what it pins.
struct BumpSession<'w> {
    session: &'w Session,
    workspace: &'w Workspace,
    pins: &'w ManifestPins,
    documents: &'w Documents,
}

/// Pins other versions: all of them that there are to pin, or none.
pub(super) fn bump(session: &Session, words: &BumpArgs) -> Result<u8, CliError> {
    let documents = session.documents()?;
    let workspace = session.workspace_of(&documents)?;
    if session.flags.locked && !session.flags.dry_run {
        return Err(Fault::new(Kind::Usage, "cannot change what is pinned")
            .because("--locked forbids it")
            .into());
    }
    let path = workspace.layout.manifest();
    let bytes = read_file(&path, MOST_OF_TEXT)
        .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
    let desk = BumpSession {
        session,
        documents: &documents,
        workspace: &workspace,
        pins: &ManifestPins::read(bytes)?,
    };
    let steps = match words.named() {
        (name, _) if words.revert => desk.earlier(name)?,
        (Some(name), Some(version)) => desk.to(name, version)?,
        (None, _) if !words.all => {
            return Err(Fault::new(Kind::Usage, "nothing was named to bump")
                .hint("write a subsystem or a group; `--all` means every pin")
                .into());
        }
        (name, _) => {
            let wish = OfferFilter { pre: words.pre, major: words.major == Major::Yes };
            desk.newest_of_all(name, wish)?
        }
    };
    desk.take(steps)
}

impl<'w> BumpSession<'w> {
    /// The pins of what `word` means; all if it is absent.
    fn shared(&self, word: Option<&str>) -> Result<Vec<SharedPin<'w>>, Fault> {
        let words: Vec<_> = word.map(str::to_owned).into_iter().collect();
        let shared = SharedPin::select(self.workspace, self.pins, &select(self.workspace, &words)?);
        match word {
            Some(word) if shared.is_empty() => {
                Err(Fault::new(Kind::Usage, format!("{word} has no pin to change"))
                    .because("a scheme makes its versions")
                    .hint(format!("`forge version:next {word}` says which one comes next")))
            }
            _ => Ok(shared),
        }
    }

    /// The one pin that `word` means.
    fn single(&self, word: &str) -> Result<SharedPin<'w>, Fault> {
        let mut pins = self.shared(Some(word))?;
        match (pins.pop(), pins.is_empty()) {
            (Some(shared), true) => Ok(shared),
            _ => Err(Fault::new(Kind::Usage, format!("`{word}` means several pins"))
                .hint("name one subsystem")),
        }
    }

    /// The step to exactly `version`, which upstream has to have.
    fn to(&self, word: &str, version: &str) -> Result<Agenda<'w>, Fault> {
        let shared = self.single(word)?;
        let wanted = Version::new(version).map_err(|why| {
            Fault::new(Kind::Usage, format!("cannot bump {word} to `{version}`")).because(why)
        })?;
        let idle = format!("{} is at {version} already", shared.key);
        let mut steps = Vec::new();
        if shared.pin.version != version {
            let subsystems = shared.subsystems.iter().copied();
            for looked in ask(self.session, self.workspace, subsystems, Some(version))? {
                let warning = exists(&looked, &wanted)?;
                tell_failures(self.session, warning.iter());
            }
            steps.push(shared.step(version));
        }
        Ok(Agenda { steps, idle, failed: Vec::new(), bases: Vec::new() })
    }

    /// The steps to the newest versions, and to the newest bases of images.
    fn newest_of_all(&self, word: Option<&str>, wish: OfferFilter) -> Result<Agenda<'w>, Fault> {
        let words: Vec<_> = word.map(str::to_owned).into_iter().collect();
        let names = select(self.workspace, &words)?;
        let (bases, failed) = bases::steps(self.session, self.workspace, &names, wish)?;
        let has_base = names.iter().any(|name| {
            let image = self.workspace.subsystems[name].image.as_ref();
            image.is_some_and(|image| image.base.is_some())
        });
        let agenda = match self.newest(word, wish) {
            // Of code in the workspace there is nothing newer, but of what its image stands on.
            Err(fault) if fault.kind == Kind::Usage && has_base => Agenda {
                steps: Vec::new(),
                idle: format!("the base of {} is the newest", word.unwrap_or_default()),
                failed: Vec::new(),
                bases: Vec::new(),
            },
            agenda => agenda?,
        };
        tell_failures(self.session, failed.iter());
        let failed = agenda.failed.into_iter().chain(failed).collect();
        Ok(Agenda { failed, bases, ..agenda })
    }

    /// The steps to the newest versions that are wished for.
    fn newest(&self, word: Option<&str>, wish: OfferFilter) -> Result<Agenda<'w>, Fault> {
        let all = self.shared(word)?;
        let subsystems = all.iter().flat_map(|shared| shared.subsystems.iter().copied());
        let looked = ask(self.session, self.workspace, subsystems, None)?;
        let found: BTreeMap<_, _> =
            looked.into_iter().map(|looked| (&looked.subsystem.name, looked.found)).collect();
        let is_alone = word.is_some() && all.len() == 1;
        let (mut steps, mut failed) = (Vec::new(), Vec::new());
        let mut idle = "everything is at its newest version".to_owned();
        for shared in all {
            match shared.offers(&found) {
                Ok(offers) => match shared.newest(&offers, wish) {
                    Ok(step) => steps.push(step),
                    Err(shared) if is_alone => idle = idle_for(&shared, &offers, wish)?,
                    Err(shared) => failed.extend(incomparable(&shared, &offers)),
                },
                Err(UpstreamAnswer::Failed(fault)) if is_alone => return Err(fault),
                Err(UpstreamAnswer::Nobody(why)) if is_alone => return Err(shared.nobody(why)),
                Err(UpstreamAnswer::Failed(fault)) => failed.push(fault),
                Err(_) => {}
            }
        }
        tell_failures(self.session, failed.iter());
        Ok(Agenda { steps, idle, failed, bases: Vec::new() })
    }

    /// The steps back to what was before.
    fn earlier(&self, word: Option<&str>) -> Result<Agenda<'w>, Fault> {
        let key = word.map(|word| self.single(word)).transpose()?.map(|shared| shared.key);
        let root = self.workspace.layout.root();
        let unknown = || Fault::new(Kind::Usage, "cannot tell what was pinned before");
        let earlier = self.session.host.runtime()?.block_on(async {
            let runner = self.session.host.runner(AT_ONCE);
            let history = History::around(&runner, root).ok_or_else(|| {
                unknown().because(format!("{} is in no git repository", root.display()))
            })?;
            match before(&history, self.pins, key).await? {
                Some(earlier) => Ok(earlier),
                None if history.is_shallow().await? => Err(unknown()
                    .because("this clone holds only the last commits")
                    .hint("`git fetch --unshallow` gets the others")),
                None => Err(unknown().because(match word {
                    Some(word) => format!("no commit pins another version of {word}"),
                    None => "no commit pins another version of anything".to_owned(),
                })),
            }
        })?;
        let step = |shared: SharedPin<'w>| {
            let mut step = shared.clone().step(earlier.versions.get(shared.key)?);
            for (name, locked) in &mut step.locked {
                if let Some(then) = earlier.lock.get(name, &step.to) {
                    locked.clone_from(then);
                }
            }
            Some(step)
        };
        let steps = self.shared(None)?.into_iter().filter_map(step).collect();
        let idle = "what was pinned before is not in versions.yml any more".to_owned();
        Ok(Agenda { steps, idle, failed: Vec::new(), bases: Vec::new() })
    }

    /// Takes the steps, all of them or none, and tells.
    fn take(&self, steps: Agenda<'w>) -> Result<u8, CliError> {
        let Agenda { mut steps, idle, failed, bases } = steps;
        if !steps.is_empty() {
            let next =
                self.session.resolved_at(self.documents, &chosen(&steps)?, &Versions::new())?;
            self.session.host.runtime()?.block_on(async {
                lock_commits(&self.session.host.runner(AT_ONCE), &mut steps, next.any()).await
            })?;
            self.write(&steps)?;
            self.tell_digests(&steps, next.any());
        }
        bases::write(self.session, self.workspace, &bases)?;
        self.print_changes(&steps, &bases, &idle, &failed)?;
        Ok(if failed.is_empty() { 0 } else { Kind::Store.exit_code() })
    }

    fn write(&self, steps: &[PinChange]) -> Result<(), Fault> {
        let changes: Vec<_> =
            steps.iter().map(|step| (step.shared.pin, step.to.as_str())).collect();
        let change = PinEdit {
            before: self.pins.text().to_owned(),
            after: self.pins.with(&changes)?,
            locked: steps.iter().flat_map(|step| step.locked.clone()).collect(),
        };
        if self.session.flags.dry_run {
            return Ok(());
        }
        let (_at_work, cancel) = (self.session.host.at_work()?, self.session.host.cancel());
        change.make(&self.workspace.layout, cancel, &|text| self.session.note(text))
    }

    /// A digest in a spec is that of one version.
    fn tell_digests(&self, steps: &[PinChange], next: &Workspace) {
        for old in steps.iter().flat_map(|step| &step.shared.subsystems) {
            let new = &next.subsystems[&old.name];
            if has_stale_digest(old, new) {
                let spec = old.spec.display();
                let what = format!("{spec} pins the digest of {} {}", old.name, old.version);
                let fault = Fault::new(Kind::Usage, what)
                    .hint(format!("write that of {} there", new.version));
                self.session.console().err(&render_warning(
                    None,
                    &fault,
                    self.session.stderr_style(),
                ));
            }
        }
    }

    fn print_changes(
        &self,
        steps: &[PinChange],
        bases: &[BaseStep],
        idle: &str,
        failed: &[Fault],
    ) -> Result<(), Fault> {
        let flags = &self.session.flags;
        let is_idle = steps.is_empty() && bases.is_empty();
        let is_written = !flags.dry_run && !is_idle;
        let each = || {
            steps.iter().flat_map(|step| step.shared.subsystems.iter().map(move |it| (step, *it)))
        };
        if flags.json {
            let bumped: Vec<_> = each().map(|(step, subsystem)| json(step, subsystem)).collect();
            let document = serde_json::json!({
                "schema": 1,
                "bumped": bumped,
                "bases": bases.iter().map(BaseStep::json).collect::<Vec<_>>(),
                "failed": failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "written": is_written,
            });
            return self.session.say(&format!("{document:#}\n"));
        }
        if flags.quiet {
            return Ok(());
        }
        if is_idle {
            return self.session.say(&format!("{idle}\n"));
        }
        let columns = ["subsystem", "from", "to", "changes"].map(|name| (name, Align::Left));
        let mut table = Table::new(columns);
        for (step, subsystem) in each() {
            table.row([
                Cell::new(Role::Name, subsystem.name.as_str()),
                Cell::new(Role::Plain, &step.shared.pin.version),
                Cell::new(Role::Ok, &step.to),
                Cell::new(Role::Dim, step.comparison(subsystem).unwrap_or_default()),
            ]);
        }
        for base in bases {
            base.add_to(&mut table);
        }
        let note = if is_written { "" } else { "nothing was written: --dry-run\n" };
        self.session.say(&format!("{}{note}", table.render(self.session.stdout_style())))
    }
}

fn json(step: &PinChange, subsystem: &Subsystem) -> serde_json::Value {
    let locked = step.locked.get(&subsystem.name);
    serde_json::json!({
        "name": subsystem.name.as_str(),
        "from": step.shared.pin.version,
        "to": step.to,
        "commit": locked.and_then(|locked| locked.commit.as_deref()),
        "compare": step.comparison(subsystem),
    })
}

/// Why there is nothing newer than one pin.
///
/// # Errors
/// `Usage` if nobody can tell what is newer than it.
fn idle_for(shared: &SharedPin, offers: &Offers, wish: OfferFilter) -> Result<String, Fault> {
    let (key, pinned) = (shared.key, &shared.pin.version);
    let is_branch = shared.subsystems.iter().any(|it| offers.is_branch(&it.version));
    if is_branch || Series::parse(pinned).is_none() {
        let fault = Fault::new(Kind::Usage, format!("nothing is newer than {key} {pinned}"));
        return Err(match is_branch {
            true => fault
                .because("it is a branch: it moves by itself")
                .hint(format!("`forge lock --update {key}` takes its last commit")),
            false => fault
                .because("it says nothing of its age")
                .hint(format!("`forge bump {key} VERSION` pins a version")),
        });
    }
    let beyond = offers.newest(pinned, OfferFilter { major: true, ..wish });
    let beyond = beyond.filter(|offer| is_newer(&offer.version, pinned));
    if let Some(fault) = incomparable(shared, offers) {
        return Err(fault);
    }
    Ok(match beyond {
        Some(beyond) => {
            format!(
                "{key} {pinned} is the newest of its major version; there is {}",
                beyond.version
            )
        }
        None => format!("{key} {pinned} is the newest"),
    })
}

/// The fault of `offers` that have nothing like a pin which could be compared.
fn incomparable(shared: &SharedPin, offers: &Offers) -> Option<Fault> {
    let pinned = &shared.pin.version;
    let is_alike = offers.newest(pinned, OfferFilter { pre: true, major: true }).is_some();
    let subsystem = shared.subsystems.first()?;
    (!is_alike && Series::parse(pinned).is_some()).then(|| unlike(subsystem))
}

/// The versions after `steps`.
fn chosen(steps: &[PinChange]) -> Result<Versions, Fault> {
    let mut chosen = Versions::new();
    for step in steps {
        let version = Version::new(&step.to).map_err(|why| Fault::new(Kind::Usage, why))?;
        let names = step.locked.keys().cloned();
        chosen.extend(names.map(|name| (name, version.clone())));
    }
    Ok(chosen)
}

/// Finds out the commits that are to be locked. `next` is the workspace as it is after the steps:
/// there, references are those of the new versions.
async fn lock_commits(
    runner: &dyn CommandRunner,
    steps: &mut [PinChange<'_>],
    next: &Workspace,
) -> Result<(), Fault> {
    let unknown = steps.iter_mut().flat_map(|step| &mut step.locked);
    let unknown = unknown.filter(|(_, locked)| locked.commit.is_none() && locked.assets.is_empty());
    let asked = unknown.filter_map(|(name, locked)| match &next.subsystems[name].source {
        Source::Git { url, reference } => Some(async move {
            let resolved = git::resolve(runner, url, reference).await;
            let what = || format!("cannot lock {name} {}", locked.version);
            locked.commit = Some(resolved.map_err(|fault| fault.within(what()))?.commit);
            Ok(())
        }),
        _ => None,
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

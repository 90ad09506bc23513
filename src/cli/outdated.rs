//! `forge outdated`: which pins have something newer upstream.

use std::collections::BTreeMap;

use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{Fault, Kind, Name, Series},
    report::{Align, Cell, Role, Table, render_warning},
    upgrade::{
        Asker, Looked, ModuleProxies, OfferFilter, UpstreamAnswer, find_upgrades, is_newer, unlike,
    },
    workspace::{Subsystem, Workspace},
};

use super::{
    CliError,
    bases::{self, BaseRow},
    host::Host,
    run::jobs,
    session::{Session, select},
};

/// What can be written behind `forge outdated`.
#[derive(Debug, clap::Args)]
pub(super) struct OutdatedArgs {
    /// Subsystems or groups
    pub(super) names: Vec<String>,
    /// Pre-releases too
    #[arg(long)]
    pre: bool,
    /// Exit with 1 if something is outdated
    #[arg(long)]
    exit_code: bool,
}

/// One line of the table.
struct OutdatedRow<'w> {
    subsystem: &'w Subsystem,
    in_major: Option<String>,
    newest: Option<String>,
    state: PinState,
}

/// What is to be said of a pin.
enum PinState {
    /// There is something newer.
    Outdated,
    /// There is not.
    Current,
    /// It cannot be compared: a branch, or a commit.
    Ageless,
    /// Nobody was asked, for this reason.
    NotAsked(&'static str),
    /// Asking failed.
    Failed(Fault),
}

/// Shows them.
pub(super) fn outdated(session: &Session, words: &OutdatedArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = select(&workspace, &words.names)?;
    // What a scheme gives its version has no pin to be outdated.
    let is_meant = |it: &&Subsystem| it.scheme.is_none() || !words.names.is_empty();
    let subsystems = names.iter().map(|name| &workspace.subsystems[name]).filter(is_meant);
    let looked = ask(session, &workspace, subsystems, None)?;
    let lines: Vec<_> =
        looked.into_iter().map(|looked| OutdatedRow::from_looked(looked, words.pre)).collect();
    let bases = bases::looked(session, &workspace, &names, words.pre)?;
    let faults = || {
        let of_bases = bases.iter().filter_map(BaseRow::fault);
        lines.iter().filter_map(|line| line.state.fault()).chain(of_bases)
    };
    tell_failures(session, faults());
    match session.flags.json {
        true => session.say(&json(&lines, &bases))?,
        false => session.say(&text(session, &lines, &bases, !words.names.is_empty()))?,
    }
    let is_outdated = lines.iter().any(|line| matches!(line.state, PinState::Outdated))
        || bases.iter().any(BaseRow::is_outdated);
    let has_failed = faults().next().is_some();
    Ok(match (has_failed, is_outdated && words.exit_code) {
        (true, _) => Kind::Store.exit_code(),
        (false, true) => 1,
        (false, false) => 0,
    })
}

/// What upstream has of `subsystems`; in particular, whether it has the version `wanted`.
pub(super) fn ask<'w>(
    session: &Session,
    workspace: &Workspace,
    subsystems: impl IntoIterator<Item = &'w Subsystem>,
    wanted: Option<&str>,
) -> Result<Vec<Looked<'w>>, Fault> {
    if session.flags.offline {
        return Err(Fault::new(Kind::Usage, "cannot ask upstream for its versions")
            .because("--offline forbids it"));
    }
    let variables = go_variables(&session.host);
    let proxies = ModuleProxies::from_variables(|name| variables.get(name).cloned());
    session.host.runtime()?.block_on(async {
        let cancel = session.host.cancel();
        let runner = session.host.runner(jobs(session));
        let asker = Asker::new(&runner, session.store_settings(workspace), proxies);
        tokio::select! {
            () = cancel.cancelled() => Err(cancel.fault("asking upstream")),
            looked = find_upgrades(&asker, subsystems, wanted) => Ok(looked),
        }
    })
}

/// One line for each who did not answer as they should, however many wanted to know.
pub(super) fn tell_failures<'f>(session: &Session, faults: impl Iterator<Item = &'f Fault>) {
    let mut told = Vec::new();
    for fault in faults {
        let hint = fault.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let line = Fault::new(fault.kind, format!("{fault}{hint}"));
        if !told.contains(&line) {
            session.console().err(&render_warning(None, &line, session.stderr_style()));
            told.push(line);
        }
    }
}

/// What decides whom go asks: its variables, and those that `go env -w` wrote down
/// (<https://pkg.go.dev/cmd/go#hdr-Environment_variables>).
pub(super) fn go_variables(host: &Host) -> BTreeMap<String, String> {
    const NAMES: [&str; 3] = ["GOPROXY", "GOPRIVATE", "GONOPROXY"];
    let environment = host.environment();
    let written = environment
        .path("GOENV")
        .or_else(|| Some(host.user().settings_of_programs()?.join("go/env")));
    let written = written.and_then(|path| read_text(&path, MOST_OF_TEXT).ok()).unwrap_or_default();
    let pairs = written.lines().filter_map(|line| line.split_once('='));
    let mut variables: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let set = NAMES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.get(name)?.to_owned())));
    variables.extend(set.filter(|(_, value)| !value.is_empty()));
    variables
}

impl PinState {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Outdated => "outdated",
            Self::Current => "current",
            Self::Ageless => "ageless",
            Self::NotAsked(_) => "not asked",
            Self::Failed(_) => "failed",
        }
    }
}

impl<'w> OutdatedRow<'w> {
    fn from_looked(looked: Looked<'w>, pre: bool) -> Self {
        let Looked { subsystem, found } = looked;
        let (in_major, newest, state) = match found {
            UpstreamAnswer::Nobody(why) => (None, None, PinState::NotAsked(why)),
            UpstreamAnswer::Failed(fault) => (None, None, PinState::Failed(fault)),
            UpstreamAnswer::Offers(offers) => {
                let pinned = subsystem.version.as_str();
                let newest = |major| {
                    let offer = offers.newest(pinned, OfferFilter { pre, major })?;
                    Some(offer.version.clone())
                };
                let (in_major, newest) = (newest(false), newest(true));
                let state = match &newest {
                    _ if offers.is_branch(&subsystem.version)
                        || Series::parse(pinned).is_none() =>
                    {
                        PinState::Ageless
                    }
                    Some(newest) if is_newer(newest, pinned) => PinState::Outdated,
                    Some(_) => PinState::Current,
                    None => PinState::Failed(unlike(subsystem)),
                };
                (in_major, newest, state)
            }
        };
        Self { subsystem, in_major, newest, state }
    }

    fn asked(&self) -> String {
        match (&self.state, &self.subsystem.feed) {
            (PinState::NotAsked(why), _) => (*why).to_owned(),
            (_, Some(feed)) => feed.index.to_string(),
            (_, None) => String::new(),
        }
    }
}

/// The table of what is outdated; of all, if they were asked for by name.
fn text(session: &Session, lines: &[OutdatedRow], bases: &[BaseRow], all: bool) -> String {
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("pinned", Align::Left),
        ("same major", Align::Left),
        ("newest", Align::Left),
        ("asked", Align::Left),
    ]);
    let is_shown = |line: &&OutdatedRow| {
        all || session.flags.verbose || matches!(line.state, PinState::Outdated | PinState::Ageless)
    };
    for line in lines.iter().filter(is_shown) {
        let pinned = line.subsystem.version.as_str();
        let version = |version: &Option<String>| match (version, &line.state) {
            (Some(version), PinState::Ageless) => Cell::new(Role::Plain, version),
            (Some(version), _) if is_newer(version, pinned) => Cell::new(Role::Warn, version),
            _ => Cell::new(Role::Dim, "-"),
        };
        table.row([
            Cell::new(Role::Name, line.subsystem.name.as_str()),
            Cell::new(Role::Plain, pinned),
            version(&line.in_major),
            version(&line.newest),
            Cell::new(Role::Dim, line.asked()),
        ]);
    }
    for base in bases.iter().filter(|base| all || session.flags.verbose || base.is_outdated()) {
        base.add_to(&mut table);
    }
    let rows =
        if table.is_empty() { String::new() } else { table.render(session.stdout_style()) + "\n" };
    let old = bases.iter().filter(|base| base.is_outdated()).count();
    let of_bases = match bases.len() {
        0 => String::new(),
        1 => format!("; of 1 base of images {old} is outdated"),
        count => format!("; of {count} bases of images {old} are outdated"),
    };
    format!("{rows}{}{of_bases}\n", sum(lines))
}

/// How many names a sum tells.
const SHOWN: usize = 6;

/// `1 of 4 is outdated; 2 have nobody to ask: arc, sync; 1 could not be asked: nats`
fn sum(lines: &[OutdatedRow]) -> String {
    let names = |is_such: &dyn Fn(&PinState) -> bool| -> Vec<&Name> {
        lines.iter().filter(|line| is_such(&line.state)).map(|line| &line.subsystem.name).collect()
    };
    let outdated = names(&|state| matches!(state, PinState::Outdated)).len();
    let verb = if outdated == 1 { "is" } else { "are" };
    let mut sum = match outdated {
        0 => "nothing is outdated".to_owned(),
        _ => format!("{outdated} of {} {verb} outdated", lines.len()),
    };
    for (what, names) in [
        ("branches and commits", names(&|state| matches!(state, PinState::Ageless))),
        ("nobody to ask for", names(&|state| matches!(state, PinState::NotAsked(_)))),
        ("not known", names(&|state| matches!(state, PinState::Failed(_)))),
    ] {
        if !names.is_empty() {
            let (shown, more) = names.split_at(names.len().min(SHOWN));
            let shown: Vec<_> = shown.iter().map(|name| name.as_str()).collect();
            let more =
                if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            sum.push_str(&format!("; {what}: {}{more}", shown.join(", ")));
        }
    }
    sum
}

fn json(lines: &[OutdatedRow], bases: &[BaseRow]) -> String {
    let line = |line: &OutdatedRow| {
        let why = match &line.state {
            PinState::NotAsked(why) => Some((*why).to_owned()),
            PinState::Failed(fault) => Some(fault.to_string()),
            _ => None,
        };
        serde_json::json!({
            "name": line.subsystem.name.as_str(),
            "pinned": line.subsystem.version.as_str(),
            "state": line.state.word(),
            "newest_in_major": line.in_major,
            "newest": line.newest,
            "asked": line.subsystem.feed.as_ref().map(|feed| feed.index.to_string()),
            "why": why,
        })
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    let bases: Vec<_> = bases.iter().map(BaseRow::json).collect();
    format!("{:#}\n", serde_json::json!({ "schema": 1, "subsystems": lines, "bases": bases }))
}

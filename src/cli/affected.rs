//! `forge affected`: which components a change affects, and by which file. `--affected` of other verbs
//! selects them.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread::JoinHandle,
};

use crate::{
    affected::{Bases, Reason, Since, reasons},
    git::History,
    model::{Fault, Kind, Name},
    report::{Align, Cell, Role, Table},
    workspace::Workspace,
};

use super::{
    CliError,
    session::{Session, select},
};

/// How many files are shown of each.
const SHOWN: usize = 3;

/// Which words stand for none: `ci::words`, or nothing of its own.
type Choose = fn(&Workspace, &[String]) -> Vec<String>;

/// What was found.
struct AffectedFound {
    bases: Bases,
    reasons: BTreeMap<Name, Vec<Reason>>,
}

/// Prints what is affected.
pub(super) fn affected(
    session: &Session,
    words: &[String],
    since: Option<&str>,
    fetch: bool,
) -> Result<u8, CliError> {
    let files = Uncommitted::begin(session)?;
    let workspace = session.workspace()?;
    let names = select(&workspace, words)?;
    let found = find(session, &workspace, &names, (since, fetch), files)?;
    session.say(&match session.flags.json {
        true => json(&names, &found),
        false => text(session, &names, &found),
    })?;
    Ok(0)
}

/// The names of those of `said` that changed since their last release, or since what was named: what
/// `--affected` selects. On a tag of the project, such as `v1.2.0`, all, unless something was named.
pub(super) fn words(
    session: &Session,
    choose: Choose,
    said: &[String],
    since: Option<&str>,
) -> Result<Vec<String>, CliError> {
    let workspace = session.workspace()?;
    let names = select(&workspace, &choose(&workspace, said))?;
    let is_project = |tag: &str| {
        tag.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let selected = match since.is_none() && session.surroundings().tag().is_some_and(is_project) {
        true => names,
        false => {
            let files = Uncommitted::begin(session)?;
            let found = find(session, &workspace, &names, (since, true), files)?;
            found.reasons.into_keys().collect()
        }
    };
    Ok(selected.iter().map(|name| name.as_str().to_owned()).collect())
}

/// Says that there is nothing to do.
pub(super) fn nothing(session: &Session) -> Result<u8, CliError> {
    match session.flags.json {
        true => session.say("{\n  \"schema\": 1,\n  \"affected\": []\n}\n")?,
        false => session.say("nothing is affected\n")?,
    }
    Ok(0)
}

/// The files that differ from the commit that is checked out. git looks at every file for that: it
/// begins before anything else does.
struct Uncommitted(JoinHandle<Result<Vec<String>, Fault>>);

impl Uncommitted {
    fn begin(session: &Session) -> Result<Self, Fault> {
        let root = session.layout()?.root().to_owned();
        let host = session.host.clone();
        // Made here, so that two threads do not make one each.
        host.runtime()?;
        let compare = move || {
            let runner = host.runner(1);
            let Some(history) = History::around(&runner, &root) else { return Ok(Vec::new()) };
            host.runtime()?.wait_for(history.uncommitted())
        };
        let begun = std::thread::Builder::new().spawn(compare);
        begun.map(Self).map_err(|error| Fault::io("cannot start a thread", &error))
    }

    fn join(self) -> Result<Vec<String>, Fault> {
        let died = |_| Fault::new(Kind::Failed, "what compares the files with their commit died");
        self.0.join().map_err(died)?
    }
}

fn find(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    (reference, fetch): (Option<&str>, bool),
    files: Uncommitted,
) -> Result<AffectedFound, CliError> {
    let since = Since { reference, fetch, offline: session.flags.offline };
    let runner = session.host.runner(1);
    let root = workspace.layout.root();
    let history = History::around(&runner, root).ok_or_else(|| {
        Fault::new(Kind::Usage, "cannot tell what is affected")
            .because(format!("{} is in no git repository", root.display()))
            .hint("`git init` makes one")
    })?;
    let bases = session.host.runtime()?.block_on(async {
        Bases::find(&history, workspace, names, &since, || files.join()).await
    })?;
    let reasons = reasons(workspace, names, &bases)?;
    Ok(AffectedFound { bases, reasons })
}

fn text(session: &Session, names: &BTreeSet<Name>, found: &AffectedFound) -> String {
    if found.reasons.is_empty() {
        return format!("nothing is affected, of {} looked at\n", names.len());
    }
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("since", Align::Left),
        ("because of", Align::Left),
    ]);
    for (name, reasons) in &found.reasons {
        let base = found.bases.of.get(name).map_or("", |base| base.name.as_str());
        let told: Vec<_> = reasons.iter().take(SHOWN).map(Reason::told).collect();
        let more = match reasons.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("; {more} more"),
        };
        let why = Cell::new(Role::Plain, told.join("; ") + &more);
        table.row([Cell::new(Role::Name, name.as_str()), Cell::new(Role::Dim, base), why]);
    }
    let sum = format!("{} of {} affected", found.reasons.len(), names.len());
    format!("{}\n{sum}\n", table.render(session.stdout_style()))
}

fn json(names: &BTreeSet<Name>, found: &AffectedFound) -> String {
    let reason = |reason: &Reason| serde_json::json!({"kind": reason.kind(), "file": reason.file(), "told": reason.told()});
    let one = |(name, reasons): (&Name, &Vec<Reason>)| {
        let base = found.bases.of.get(name);
        serde_json::json!({
            "name": name.as_str(),
            "base": base.map(|base| &base.name),
            "commit": base.map(|base| &base.commit),
            "reasons": reasons.iter().map(reason).collect::<Vec<_>>(),
        })
    };
    let affected: Vec<_> = found.reasons.iter().map(one).collect();
    let document = serde_json::json!({"schema": 1, "looked_at": names.len(), "affected": affected});
    format!("{document:#}\n")
}

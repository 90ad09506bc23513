//! `forge up`, `down`, `restart` and `ps`: services, brought up and ended; and the table of how they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::json;

use crate::{
    model::{Fault, Kind, Layout, Name, Platform},
    process::Cancel,
    report::{Align, Cell, Role, Style, Table, human_time},
    service::{self, DownGuard, ServicePaths, ServiceState, Supervisor, UpReport, UpRequest},
    workspace::{Workspace, Workspaces},
};

use super::{CliError, logs::LogFollower, session::Session, task::ensure_all, wait_line::WaitLine};

/// Ensures services and their supervisor, starts what does not run, replaces what is stale, and waits.
pub(super) fn up(session: &Session, words: &[String], foreground: bool) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let workspace = workspaces.any();
    let names = wanted(session, workspace, words)?;
    if session.flags.dry_run {
        return show(session, workspace, &names, &states(workspace)?);
    }
    let watch = (foreground && states(workspace)?.is_empty()).then(|| DownGuard::over(workspace));
    let _at_work = session.host.at_work()?;
    let cancel = session.host.cancel();
    let Some(raised) = bring_up(session, &workspaces, &names, &BTreeSet::new(), cancel)? else {
        return Ok(Kind::Failed.exit_code());
    };
    show(session, workspace, &names, &raised.states)?;
    if foreground {
        let mut follower =
            LogFollower::new(session.console(), &ServicePaths::new(&workspace.layout), &names, 0);
        let style = session.stdout_style();
        session.host.runtime()?.block_on(follower.follow(cancel, style))?;
        session.note(&format!("ending {}", list(&names)));
        let end = watch.is_none().then_some(&names);
        service::lower(workspace, end, &cancel.patient(), &|text| session.note(text))?;
    }
    Ok(0)
}

/// Ends services; all of them, and whatever is left of them, if none is named.
pub(super) fn down(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspace = session.workspace();
    let (_at_work, cancel) = (session.host.at_work()?, session.host.cancel());
    // What runs can be ended though somebody broke a file meanwhile.
    let workspace = match workspace {
        Ok(workspace) => workspace,
        Err(CliError::Problems(_)) if words.is_empty() => {
            service::lower_all(&session.layout()?, cancel, &|text| session.note(text))?;
            return Ok(0);
        }
        Err(stop) => return Err(stop),
    };
    let names = service::select(&workspace, words)?;
    let names = (!words.is_empty()).then_some(&names);
    let was = service::lower(&workspace, names, cancel, &|text| session.note(text))?;
    if !session.flags.quiet {
        match was.is_empty() {
            true => session.note("no service was running"),
            false => session.note(&format!("ended {}", list(&was))),
        }
    }
    Ok(0)
}

/// Shows how services are, without ensuring or starting anything.
pub(super) fn ps(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = service::select(&workspace, words)?;
    if names.is_empty() && !session.flags.json {
        session.note("this workspace has no services");
        return Ok(0);
    }
    show(session, &workspace, &names, &states(&workspace)?)
}

/// Ensures services and starts them again; tells of those that need them.
pub(super) fn restart(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let workspace = workspaces.any();
    let again = service::select(workspace, words)?;
    if again.is_empty() {
        return Err(Fault::new(Kind::Usage, "this workspace has no services").into());
    }
    let names = service::with_needs(workspace, &again);
    let _at_work = session.host.at_work()?;
    let cancel = session.host.cancel();
    let Some(raised) = bring_up(session, &workspaces, &names, &again, cancel)? else {
        return Ok(Kind::Failed.exit_code());
    };
    for name in service::with_dependents(workspace, &again) {
        let runs = raised.states.get(&name).is_some_and(ServiceState::is_running);
        if runs && !names.contains(&name) && !session.flags.quiet {
            session.note(&format!(
                "{name} needs {} and was left running; `forge restart {name}` if it does not connect again",
                list(&again)
            ));
        }
    }
    show(session, workspace, &again, &raised.states)
}

/// Ensures `names` and the supervisor and brings them up. None if something could not be ensured, which
/// was told then.
pub(super) fn bring_up(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    names: &BTreeSet<Name>,
    again: &BTreeSet<Name>,
    cancel: &Cancel,
) -> Result<Option<UpReport>, CliError> {
    let workspace = workspaces.any();
    let supervisor = service::supervising(workspace)?;
    let mut ensured = names.clone();
    ensured.insert(supervisor.clone());
    if ensure_all(session, workspaces, &ensured)?.is_some() {
        return Ok(None);
    }
    let interrupted = service::interrupted(workspace, supervisor)?;
    if ensure_all(session, workspaces, &(&interrupted - names))?.is_some() {
        return Ok(None);
    }
    let line = WaitLine::new(session.choice, session.console());
    let names = &(&interrupted | names);
    let waiting = |text: &str| line.show(text);
    let wish = UpRequest { workspace, names, again, supervisor, waiting: &waiting };
    let tell = |text: &str| {
        line.clear();
        if !session.flags.quiet {
            session.note(text);
        }
    };
    Ok(Some(service::raise(&wish, cancel, &tell)?))
}

/// The services that `words` mean, with all that they need.
fn wanted(
    session: &Session,
    workspace: &Workspace,
    words: &[String],
) -> Result<BTreeSet<Name>, Fault> {
    if session.platform() != Platform::host() {
        let what = format!("services run here, and not on {}", session.platform());
        return Err(Fault::new(Kind::Usage, what));
    }
    let names = service::select(workspace, words)?;
    if names.is_empty() {
        return Err(Fault::new(Kind::Usage, "this workspace has no services")
            .hint("write `service:` in the spec of what is to run all day"));
    }
    Ok(service::with_needs(workspace, &names))
}

/// How the services of the workspace are; none, if there is no supervisor.
pub(super) fn states(workspace: &Workspace) -> Result<BTreeMap<Name, ServiceState>, Fault> {
    let home = ServicePaths::new(&workspace.layout);
    Supervisor::find(&home).map_or(Ok(BTreeMap::new()), |supervisor| supervisor.states())
}

/// Whatever runs must not lose the files that it runs from.
pub(super) fn refuse_while_running(layout: &Layout) -> Result<(), Fault> {
    match Supervisor::find(&ServicePaths::new(layout)) {
        None => Ok(()),
        Some(_) => Err(Fault::new(Kind::Usage, "services run from what would be removed")
            .hint("`forge down` ends them")),
    }
}

fn show(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    states: &BTreeMap<Name, ServiceState>,
) -> Result<u8, CliError> {
    let absent = ServiceState::default();
    let state = |name: &Name| states.get(name).unwrap_or(&absent).clone();
    if session.flags.json {
        let services: Vec<_> = names.iter().map(|name| row_json(name, &state(name))).collect();
        session.say(&format!("{:#}\n", json!({ "schema": 1, "services": services })))?;
    } else if !session.flags.quiet {
        session.say(&table(workspace, names, &state, session.stdout_style()))?;
    }
    Ok(0)
}

fn row_json(name: &Name, state: &ServiceState) -> serde_json::Value {
    json!({
        "name": name.as_str(),
        "state": state_word(state),
        "pid": (state.pid != 0).then_some(state.pid),
        "ready": state.is_ready(),
        "seconds": state.age().as_secs_f64(),
        "restarts": state.restarts,
    })
}

fn table(
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    state: &dyn Fn(&Name) -> ServiceState,
    style: Style,
) -> String {
    let mut table = Table::new([
        ("service", Align::Left),
        ("version", Align::Left),
        ("state", Align::Left),
        ("ready", Align::Left),
        ("pid", Align::Right),
        ("since", Align::Right),
    ]);
    for name in names {
        let state = state(name);
        let (role, ready) = match (state.is_running(), state.is_ready()) {
            (true, Some(true)) => (Role::Ok, "yes"),
            (true, Some(false)) => (Role::Error, "no"),
            _ => (Role::Dim, "-"),
        };
        let runs = if state.is_running() { Role::Ok } else { Role::Dim };
        let pid = if state.is_running() { state.pid.to_string() } else { "-".into() };
        let since = state.is_running().then(|| human_time(state.age().as_secs_f64()));
        table.row([
            Cell::new(Role::Name, name.as_str()),
            Cell::new(Role::Plain, workspace.subsystems[name].version.to_string()),
            Cell::new(runs, state_word(&state)),
            Cell::new(role, ready),
            Cell::new(Role::Plain, pid),
            Cell::new(Role::Plain, since.unwrap_or_else(|| "-".into())),
        ]);
    }
    table.render(style)
}

fn state_word(state: &ServiceState) -> String {
    match state.status.as_str() {
        "" => "down".into(),
        "Completed" | "Error" => format!("ended with code {}", state.exit_code),
        status => status.to_lowercase(),
    }
}

/// Names with commas between.
pub(super) fn list<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    names.into_iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

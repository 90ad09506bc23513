//! `forge deployments`: what runs where, and what was deployed.

use serde_json::{Value, json};

use crate::{
    deploy::{DeployHistory, DeployState, Deployment, Ledger, output_of},
    disk::{MOST_OF_TEXT, is_absent, read_text},
    model::{Fault, Kind},
    report::{Align, Cell, Role, Table},
    workspace::Workspace,
};

use super::{
    super::{CliError, session::Session},
    away::{self, AwayDeployments, AwayWish, ServerArgs},
    desk, environment,
};

/// How many deployments are shown.
const SHOWN: usize = 20;

/// What can be written behind `forge deployments`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct DeploymentsArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    away: AwayWish,
    /// The environment, for what was deployed to it [default: what runs in each]
    #[arg(value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Show what the deployment with this number printed
    #[arg(long, value_name = "ID", conflicts_with = "environment")]
    log: Option<u64>,
}

/// Shows deployments.
pub(in super::super) fn deployments(
    session: &Session,
    wish: &DeploymentsArgs,
) -> Result<u8, CliError> {
    if let Some(server) = wish.server.open(session)? {
        let wish = AwayDeployments {
            environment: wish.environment.as_deref(),
            log: wish.log,
            wish: &wish.away,
        };
        return away::deployments(session, &server, &wish);
    }
    let workspace = session.workspace()?;
    let (ledger, _) = desk::journal(session, &workspace, &session.store_settings(&workspace))?;
    let history = ledger.history()?;
    if let Some(id) = wish.log {
        return log(session, &ledger, &history, id);
    }
    let places = places(&workspace, &history);
    let place = match &wish.environment {
        Some(name) if places.contains(name) => Some(name.as_str()),
        Some(name) => Some(environment(&workspace, name)?.name.as_str()),
        None => None,
    };
    if session.flags.json {
        let document = document(&workspace, &history, place);
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    let table = match place {
        Some(place) => table_of(&history, place),
        None => overview(&workspace, &history),
    };
    match table.is_empty() {
        true => session.note("nothing was deployed yet; `forge deploy ENVIRONMENT` does it"),
        false => session.say(&table.render(session.stdout_style()))?,
    }
    Ok(0)
}

/// Prints the log of the deployment `id`.
fn log(
    session: &Session,
    ledger: &dyn Ledger,
    history: &DeployHistory,
    id: u64,
) -> Result<u8, CliError> {
    let Some(one) = history.all.get(&id) else {
        let what = format!("there is no deployment {id}");
        let fault = Fault::new(Kind::Usage, what);
        return Err(fault.hint("`forge deployments ENVIRONMENT` lists them").into());
    };
    let text = match read_text(&ledger.log(id), MOST_OF_TEXT) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => String::new(),
        Err(error) => {
            return Err(Fault::io(format!("cannot read the log of deployment {id}"), &error).into());
        }
    };
    if session.flags.json {
        let mut line = line(one);
        line["log"] = text.into();
        line["output"] = output(ledger, one)?;
        let document = json!({ "schema": 1, "deployment": line });
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    session.note(&format!("deployment {id}, {}", one.label()));
    for change in &one.changes {
        session.note(&format!("{} {}: {}", change.at, change.state, change.why));
    }
    session.say(&text)?;
    Ok(0)
}

/// What became of a deployment, as one document.
fn output(ledger: &dyn Ledger, one: &Deployment) -> Result<Value, Fault> {
    let [printed, errors] = output_of(&ledger.log(one.id)).map_err(|error| {
        Fault::io(format!("cannot read what deployment {} printed", one.id), &error)
    })?;
    let is_good = one.state() == DeployState::Succeeded;
    let failed = one.changes.iter().find(|it| it.state.is_over());
    let failed = failed.filter(|it| it.state != DeployState::Succeeded);
    let code = failed.map_or(is_good.then_some(0), |change| change.exit_code);
    Ok(json!({
        "status": one.state().as_str(),
        "timestamp": one.since(),
        "stack_fqdn": one.stack,
        "stdout": printed,
        "stderr": errors,
        "exit_code": code,
        "error": failed.map(|change| change.why.as_str()),
    }))
}

/// The state of a deployment, as a table shows it.
fn state(one: &Deployment) -> Cell {
    let role = match one.state() {
        DeployState::Succeeded => Role::Ok,
        state if state.is_over() => Role::Error,
        _ => Role::Plain,
    };
    Cell::new(role, one.state().as_str())
}

/// What was deployed to `place`, the newest first.
fn table_of(history: &DeployHistory, place: &str) -> Table {
    let mut table = Table::new([
        ("deployment", Align::Right),
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("state", Align::Left),
        ("since", Align::Left),
        ("because", Align::Left),
    ]);
    let all = history.all.values().rev().filter(|it| it.environment == place);
    for one in all.take(SHOWN) {
        table.row([
            Cell::new(Role::Plain, one.id.to_string()),
            Cell::new(Role::Name, &one.name),
            Cell::new(Role::Plain, &one.version),
            state(one),
            Cell::new(Role::Dim, one.since()),
            Cell::new(Role::Dim, one.why()),
        ]);
    }
    table
}

/// All environments: those of the workspace, and those of pull requests that something was deployed to.
fn places(workspace: &Workspace, history: &DeployHistory) -> Vec<String> {
    let lasting = workspace.environments.iter().filter(|it| !it.is_preview);
    let mut all: Vec<String> = lasting.map(|it| it.name.clone()).collect();
    for one in history.all.values().filter(|it| it.pull_request.is_some()) {
        if !all.contains(&one.environment) {
            all.push(one.environment.clone());
        }
    }
    all
}

/// What runs where.
fn overview(workspace: &Workspace, history: &DeployHistory) -> Table {
    let mut table = Table::new([
        ("environment", Align::Left),
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("deployment", Align::Right),
        ("since", Align::Left),
        ("", Align::Left),
    ]);
    for place in &places(workspace, history) {
        for name in workspace.deploys.keys() {
            let (place, name) = (place.as_str(), name.as_str());
            let (current, notes) =
                (history.current(place, name), placement_notes(history, place, name));
            if current.is_none() && notes.is_empty() {
                continue;
            }
            let id = current.map_or(String::new(), |it| it.id.to_string());
            table.row([
                Cell::new(Role::Plain, place),
                Cell::new(Role::Name, name),
                Cell::new(Role::Plain, current.map_or("nothing", |it| it.version.as_str())),
                Cell::new(Role::Plain, id),
                Cell::new(Role::Dim, current.map_or("", Deployment::since)),
                Cell::new(Role::Error, notes.join("; ")),
            ]);
        }
    }
    table
}

/// What should be known of `name` in `place`.
pub(in super::super) fn placement_notes(
    history: &DeployHistory,
    place: &str,
    name: &str,
) -> Vec<String> {
    let holds = history.holds(place, name).into_iter();
    let holds = holds.map(|it| format!("held against {} (deployment {})", it.version, it.id));
    let doubt = history.doubt(place, name);
    let doubt =
        doubt.map(|it| format!("{} since then: {} (deployment {})", it.version, it.state(), it.id));
    doubt.into_iter().chain(holds).collect()
}

/// A deployment as JSON.
fn line(one: &Deployment) -> Value {
    let change = |it: &crate::deploy::StateChange| json!({ "at": it.at, "state": it.state.as_str(), "why": it.why, "exit_code": it.exit_code });
    json!({
        "id": one.id,
        "environment": one.environment,
        "name": one.name,
        "version": one.version,
        "digest": one.artifact.digest(),
        "stack": one.stack,
        "state": one.state().as_str(),
        "since": one.since(),
        "url": one.url,
        "back_from": one.back_from,
        "pull_request": one.pull_request,
        "destroys": one.destroys,
        "changes": one.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn document(workspace: &Workspace, history: &DeployHistory, place: Option<&str>) -> Value {
    let is_meant = |name: &str| place.is_none_or(|place| place == name);
    let mut environments = Vec::new();
    for place in places(workspace, history).iter().filter(|it| is_meant(it)) {
        for name in workspace.deploys.keys() {
            let (place, name) = (place.as_str(), name.as_str());
            let current = history.current(place, name);
            environments.push(json!({
                "environment": place,
                "name": name,
                "version": current.map(|it| it.version.as_str()),
                "deployment": current.map(|it| it.id),
                "notes": placement_notes(history, place, name),
            }));
        }
    }
    let all = history.all.values().rev().filter(|it| is_meant(&it.environment));
    json!({ "schema": 1, "running": environments, "deployments": all.map(line).collect::<Vec<_>>() })
}

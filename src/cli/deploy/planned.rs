//! What `forge plan` says of deployments: what a deployment would bring into each environment, beside what
//! runs there. Writes nothing and asks nobody: what was deployed is read from the ledger of this machine.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    deploy::{DeployHistory, DeployOutlook, Journal, Ledger, OutlookRequest},
    model::{Fault, Name},
    report::{Align, Cell, Role, Table},
    workspace::{DeployEnvironment, Workspace},
};

use super::{
    super::session::Session, desk::ledger_folder, outside::RecordHome, shown::placement_notes,
};

/// What `forge deploy` would do with a subsystem in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct PlannedDeployment {
    environment: String,
    name: Name,
    version: String,
    would_be: &'static str,
    because: String,
}

/// The deployments of `names`, to each environment but those of pull requests.
pub(in super::super) fn planned(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
) -> Result<Vec<PlannedDeployment>, Fault> {
    let lasting: Vec<_> = workspace.environments.iter().filter(|it| !it.is_preview).collect();
    let deployed: Vec<_> = workspace.deploys.keys().filter(|it| names.contains(*it)).collect();
    if lasting.is_empty() || deployed.is_empty() {
        return Ok(Vec::new());
    }
    let history = known_history(session, workspace)?;
    let request = history.as_ref().map(|history| OutlookRequest {
        workspace,
        history,
        names,
        variables: session.host.environment(),
        surroundings: session.surroundings(),
    });
    let mut all = Vec::new();
    for environment in lasting {
        for name in &deployed {
            let (would_be, because) = match &request {
                Some(request) => told(request, environment, name),
                None => ("deployed", "`forge deployments` asks the host what runs there".into()),
            };
            all.push(PlannedDeployment {
                environment: environment.name.clone(),
                name: (*name).clone(),
                version: workspace.subsystems[*name].version.to_string(),
                would_be,
                because,
            });
        }
    }
    Ok(all)
}

/// What is known here of what was deployed; nothing if the host of the project keeps it.
fn known_history(session: &Session, workspace: &Workspace) -> Result<Option<DeployHistory>, Fault> {
    if RecordHome::find(session, workspace).is_some() {
        return Ok(None);
    }
    let folder = ledger_folder(workspace)?;
    match folder.is_dir() {
        true => Journal::in_folder(&folder)?.history().map(Some),
        false => Ok(Some(DeployHistory::default())),
    }
}

/// What would become of `name` in `environment`, and why.
fn told(
    request: &OutlookRequest<'_>,
    environment: &DeployEnvironment,
    name: &Name,
) -> (&'static str, String) {
    let (place, history) = (environment.name.as_str(), request.history);
    let mut because = vec![match history.current(place, name.as_str()) {
        Some(current) => format!("{} runs there", current.version),
        None => "nothing runs there".to_owned(),
    }];
    because.extend(placement_notes(history, place, name.as_str()));
    let would_be = match request.outlook(environment, name) {
        DeployOutlook::Deployed => "deployed",
        DeployOutlook::Unchanged => "unchanged",
        DeployOutlook::Refused(why) => {
            because.push(why);
            "refused"
        }
    };
    (would_be, because.join("; "))
}

/// The table of `all`.
pub(in super::super) fn planned_table(all: &[PlannedDeployment]) -> Table {
    let mut table = Table::new([
        ("environment", Align::Left),
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("would be", Align::Left),
        ("because", Align::Left),
    ]);
    for one in all {
        let role = match one.would_be {
            "deployed" => Role::Ok,
            "refused" => Role::Warn,
            _ => Role::Dim,
        };
        table.row([
            Cell::new(Role::Plain, &one.environment),
            Cell::new(Role::Name, one.name.as_str()),
            Cell::new(Role::Plain, &one.version),
            Cell::new(role, one.would_be),
            Cell::new(Role::Dim, &one.because),
        ]);
    }
    table
}

/// Adds deployments to a JSON document, if there are some.
pub(in super::super) fn add_planned(document: &mut Value, all: &[PlannedDeployment]) {
    let line = |one: &PlannedDeployment| {
        json!({
            "environment": one.environment,
            "name": one.name.as_str(),
            "version": one.version,
            "would_be": one.would_be,
            "because": one.because,
        })
    };
    if !all.is_empty() {
        document["deployments"] = all.iter().map(line).collect();
    }
}

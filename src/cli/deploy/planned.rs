//! What `forge plan` says of deployments: what a deployment would bring into each environment, beside what
//! runs there. Writes nothing and asks nobody: what was deployed is read from the ledger of this machine.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    deploy::{DeployHistory, Journal, Ledger},
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
    let mut all = Vec::new();
    for environment in lasting {
        for name in &deployed {
            let version = workspace.subsystems[*name].version.as_str();
            let (would_be, because) = match &history {
                Some(history) => outlook(history, environment, name, version),
                None => ("deployed", "`forge deployments` asks the host what runs there".into()),
            };
            all.push(PlannedDeployment {
                environment: environment.name.clone(),
                name: (*name).clone(),
                version: version.to_owned(),
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

/// What would become of `name` at `version` in `environment`, and why.
fn outlook(
    history: &DeployHistory,
    environment: &DeployEnvironment,
    name: &Name,
    version: &str,
) -> (&'static str, String) {
    let place = environment.name.as_str();
    let current = history.current(place, name.as_str()).map(|it| it.version.as_str());
    let mut because = vec![match current {
        Some(current) => format!("{current} runs there"),
        None => "nothing runs there".to_owned(),
    }];
    because.extend(placement_notes(history, place, name.as_str()));
    if history.holds(place, name.as_str()).iter().any(|hold| hold.version == version) {
        return ("refused", because.join("; "));
    }
    if current == Some(version) {
        return ("unchanged", because.join("; "));
    }
    let before = environment.after.as_deref().filter(|before| {
        history.current(before, name.as_str()).is_none_or(|it| it.version != version)
    });
    if let Some(before) = before {
        because.push(format!("{version} has to succeed in {before} first"));
    }
    (if before.is_some() { "refused" } else { "deployed" }, because.join("; "))
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

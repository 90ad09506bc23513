//! `forge deploy --dry-run`: what would be deployed, what stands against it, and what Pulumi would change.

use serde_json::json;

use crate::{
    deploy::{DeployHistory, DeployOrder, Deployer, Ledger, PreparedDeploys},
    model::Fault,
    workspace::{DeployEnvironment, Workspace},
};

use super::{
    super::{CliError, session::Session},
    desk::{self, DeployDesk},
    know_secrets,
};

/// Shows what would be deployed.
pub(super) fn rehearsed(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    prepared: &PreparedDeploys<'_>,
    environment: &DeployEnvironment,
) -> Result<u8, CliError> {
    know_secrets(session, prepared);
    let history = desk.ledger.history()?;
    let text = match session.flags.json {
        true => format!("{:#}\n", document(prepared, &history, environment)?),
        false => text(prepared, &history, environment)?,
    };
    session.say(&session.host.secrets().mask(&text))?;
    prepared.passed(&environment.name)?;
    let (tell, line) = desk::voice(session);
    let deployer = Deployer { host: desk.host(session, workspace, (&tell, &line)) };
    for order in &prepared.orders {
        session.host.runtime()?.block_on(deployer.rehearsed(order))?;
    }
    Ok(0)
}

/// The commands of `order`, as people read them.
fn commands(order: &DeployOrder<'_>) -> Result<Vec<String>, Fault> {
    let calls = order.pulumi_calls("{{ work }}").into_iter().map(|words| Ok(words.join(" ")));
    calls.chain(order.commands().iter().map(|command| order.shown(command))).collect()
}

fn text(
    prepared: &PreparedDeploys<'_>,
    history: &DeployHistory,
    environment: &DeployEnvironment,
) -> Result<String, Fault> {
    let mut text = String::new();
    for there in &prepared.there {
        text.push_str(&format!("{} is there already: deployment {}\n", there.label(), there.id));
    }
    for order in &prepared.orders {
        let now = history.current(&environment.name, order.name.as_str());
        let now =
            now.map_or("nothing of it there now".to_owned(), |it| format!("now {}", it.version));
        text.push_str(&format!(
            "would deploy {} to {} ({now})\n  {}\n",
            order.label(),
            environment.name,
            order.artifact.digest()
        ));
        for command in commands(order)? {
            text.push_str(&format!("  $ {command}\n"));
        }
    }
    Ok(text)
}

fn document(
    prepared: &PreparedDeploys<'_>,
    history: &DeployHistory,
    environment: &DeployEnvironment,
) -> Result<serde_json::Value, Fault> {
    let would = |order: &DeployOrder<'_>| -> Result<_, Fault> {
        let now = history.current(&environment.name, order.name.as_str());
        Ok(json!({
            "name": order.name.as_str(),
            "version": order.version,
            "digest": order.artifact.digest(),
            "now": now.map(|it| it.version.as_str()),
            "commands": commands(order)?,
        }))
    };
    let would = prepared.orders.iter().map(would).collect::<Result<Vec<_>, Fault>>()?;
    let there = prepared.there.iter();
    let there = there.map(|it| json!({ "name": it.name, "version": it.version, "id": it.id }));
    let against = prepared.obstacles.iter().map(|it| it.what.as_str()).collect::<Vec<_>>();
    Ok(json!({
        "schema": 1,
        "environment": environment.name,
        "ok": against.is_empty(),
        "deployments": [],
        "there": there.collect::<Vec<_>>(),
        "left_out": [],
        "would": would,
        "against": against,
    }))
}

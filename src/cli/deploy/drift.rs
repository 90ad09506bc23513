//! `forge drift`: whether what runs in an environment is still as it was deployed.

use serde_json::json;

use crate::{
    deploy::{DeployHistory, DeployOrder, Deployer, Deployment, Ledger, missing_secrets},
    model::{Fault, Kind, Name, counted, suggestion},
    report::render_fault,
    workspace::{Deploy, Workspace},
};

use super::{
    super::{CliError, session::Session},
    desk::{self, DeployDesk},
    lasting,
};

/// What can be written behind `forge drift`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct DriftArgs {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    environment: String,
    /// Subsystems [default: all that run there]
    names: Vec<String>,
}

/// Looks at what runs in an environment, and changes nothing.
pub(in super::super) fn drift(session: &Session, wish: &DriftArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let environment = lasting(&workspace, &wish.environment)?;
    let desk = DeployDesk::open(session, &workspace)?;
    let history = desk.ledger.history()?;
    let there = there(&workspace, &history, &environment.name, &wish.names)?;
    let (tell, line) = desk::voice(session);
    let deployer = Deployer { host: desk.host(session, &workspace, (&tell, &line)) };
    let variables = session.host.environment();
    let mut lines = Vec::new();
    let mut drifted = 0;
    for ((name, deploy), current) in there {
        let earlier =
            DeployOrder::back_to((name, deploy), environment, current, current.id, variables)?;
        let order = DeployOrder { target: None, ..earlier };
        session.host.secrets().add_all(&order.secrets);
        let found = match missing_secrets(&order.deploy, variables).next() {
            Some((secret, why)) => {
                let what = format!("cannot look at {}", order.label());
                let fault = Fault::new(Kind::Usage, what);
                return Err(fault.because(format!("the secret `{secret}` {why}")).into());
            }
            None => session.host.runtime()?.block_on(deployer.drifted(&order)),
        };
        let why = match found {
            Ok(()) => None,
            Err(fault) if fault.kind == Kind::Interrupted => return Err(fault.into()),
            Err(fault) => Some(fault),
        };
        lines.push(json!({
            "name": name.as_str(),
            "version": current.version,
            "id": current.id,
            "drifted": why.is_some(),
            "why": why.as_ref().map(ToString::to_string),
        }));
        let label = format!("{} in {}", order.label(), environment.name);
        match why {
            None => session.note(&format!("{label} is as deployment {} left it", current.id)),
            Some(fault) => {
                drifted += 1;
                let what = format!("{label} is not as deployment {} left it", current.id);
                let fault = fault.within(what).hint(format!(
                    "`forge deploy {} {name} --force` deploys it again",
                    environment.name
                ));
                session.console().err(&render_fault(&fault, session.stderr_style()));
            }
        }
    }
    if session.flags.json {
        let document = json!({
            "schema": 1,
            "environment": environment.name,
            "ok": drifted == 0,
            "drift": lines,
        });
        session.say(&session.host.secrets().mask(&format!("{document:#}\n")))?;
    } else if drifted == 0 {
        let count = counted(lines.len(), "subsystem");
        session.note(&format!("nothing drifted in {}: {count} looked at", environment.name));
    }
    Ok(if drifted == 0 { 0 } else { Kind::Failed.exit_code() })
}

/// What runs there, of what is named.
#[expect(clippy::type_complexity, reason = "who, and what of it runs there")]
fn there<'w, 'h>(
    workspace: &'w Workspace,
    history: &'h DeployHistory,
    place: &str,
    names: &[String],
) -> Result<Vec<((&'w Name, &'w Deploy), &'h Deployment)>, Fault> {
    let current = |name: &Name| history.current(place, name.as_str());
    if names.is_empty() {
        let all = workspace.deploys.iter().filter_map(|it| Some((it, current(it.0)?)));
        return Ok(all.collect());
    }
    names
        .iter()
        .map(|name| {
            let known = workspace.deploys.get_key_value(name.as_str());
            let Some(known) = known else {
                let fault = Fault::new(Kind::Usage, format!("there is no deployment of `{name}`"));
                let known = workspace.deploys.keys().map(Name::as_str);
                return Err(fault.hint(suggestion(name, known)));
            };
            let runs = current(known.0).ok_or_else(|| {
                Fault::new(Kind::Usage, format!("{name} does not run in {place}"))
                    .hint(format!("`forge deployments {place}` shows what was deployed there"))
            })?;
            Ok((known, runs))
        })
        .collect()
}

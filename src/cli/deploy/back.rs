//! `forge rollback`: back to a version that passed its gates.

use std::collections::BTreeSet;

use crate::{
    deploy::{
        DeployHistory, DeployOrder, Deployment, Ledger, Obstacle, PreparedDeploys, forbidden,
        missing_secrets,
    },
    model::{Fault, Kind, Name, suggestion},
    serve::{JobKind, JobRequest},
    workspace::{Deploy, DeployEnvironment, Workspace},
};

use super::{
    super::{CliError, session::Session},
    away::{self, AskingArgs, ServerArgs},
    carry_out,
    desk::DeployDesk,
    lasting,
};

/// What can be written behind `forge rollback`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct RollbackArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    asking: AskingArgs,
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    environment: String,
    /// The subsystem [default: the only one that was deployed there]
    name: Option<String>,
    /// The version, or the number of the deployment, to go back to [default: the last that passed its gates]
    #[arg(long, value_name = "VERSION | ID")]
    to: Option<String>,
}

/// Brings an earlier version back.
pub(in super::super) fn rollback(session: &Session, wish: &RollbackArgs) -> Result<u8, CliError> {
    if let Some(server) = wish.server.open(session)? {
        if session.flags.dry_run {
            let fault = Fault::new(Kind::Usage, "a server shows no rollback beforehand");
            return Err(fault.hint("leave out `--dry-run` or `--server`").into());
        }
        let request = JobRequest {
            kind: JobKind::Rollback,
            environment: wish.environment.clone(),
            name: wish.name.clone().unwrap_or_default(),
            version: wish.to.clone().unwrap_or_default(),
            ..JobRequest::default()
        };
        return away::ask(session, &server, &[request], &wish.asking);
    }
    let workspace = session.workspace()?;
    let environment = lasting(&workspace, &wish.environment)?;
    let desk = DeployDesk::open(session, &workspace)?;
    let history = desk.ledger.history()?;
    let who = subject(&workspace, environment, &history, wish.name.as_deref())?;
    let (current, target) = target(&history, environment, who.0, wish.to.as_deref())?;
    let variables = session.host.environment();
    let order = DeployOrder::back_to(who, environment, target, current.id, variables)?;
    let obstacles = forbidden(&order, session.surroundings(), &history, &BTreeSet::new());
    if let Some(fault) = Obstacle::fault(&obstacles, format!("cannot roll {} back", who.0)) {
        return Err(fault.into());
    }
    if let Some((secret, why)) = missing_secrets(&order.deploy, variables).next() {
        let fault = Fault::new(Kind::Usage, format!("{} cannot go back now", order.label()));
        let fault = fault.because(format!("the secret `{secret}` {why}"));
        return Err(fault.hint(format!("set `{secret}`; nothing was done")).into());
    }
    if session.flags.dry_run {
        session.say(&format!(
            "would bring {} back, which deployment {} brought; there is {} now\n",
            order.label(),
            target.id,
            current.version
        ))?;
        return Ok(0);
    }
    let prepared = PreparedDeploys { orders: vec![order], ..PreparedDeploys::default() };
    carry_out(session, &workspace, &desk, environment, &prepared, false)
        .map(|deployed| deployed.code)
}

/// The subsystem that is meant.
fn subject<'w>(
    workspace: &'w Workspace,
    environment: &DeployEnvironment,
    history: &DeployHistory,
    name: Option<&str>,
) -> Result<(&'w Name, &'w Deploy), Fault> {
    let was_there =
        |name: &&Name| history.deployed(&environment.name, name.as_str()).next().is_some();
    let known: Vec<&Name> = workspace.deploys.keys().filter(was_there).collect();
    let names = || known.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ");
    let wrong = |what: String| Err(Fault::new(Kind::Usage, what));
    let name = match (name, known.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only.as_str(),
        (None, []) => return wrong(format!("nothing was deployed to {}", environment.name)),
        (None, _) => {
            let fault = Fault::new(Kind::Usage, "several subsystems could go back");
            return Err(fault.hint(format!("name one: {}", names())));
        }
    };
    match workspace.deploys.get_key_value(name) {
        Some(found) => Ok(found),
        None => {
            let fault = Fault::new(Kind::Usage, format!("there is no deployment of `{name}`"));
            Err(fault.hint(suggestion(name, workspace.deploys.keys().map(Name::as_str))))
        }
    }
}

/// What is there, and what there is to go back to.
fn target<'h>(
    history: &'h DeployHistory,
    environment: &DeployEnvironment,
    name: &Name,
    to: Option<&str>,
) -> Result<(&'h Deployment, &'h Deployment), Fault> {
    let (place, name) = (environment.name.as_str(), name.as_str());
    let nothing = |why: String| {
        Fault::new(Kind::Usage, format!("{name} cannot go back in {place}")).because(why)
    };
    let there = history.leaving(place, name);
    let there = there.ok_or_else(|| nothing("it was never deployed there".into()))?;
    let candidates = history.candidates(place, name, there.identity());
    let label = |it: &&Deployment| format!("{} (deployment {})", it.version, it.id);
    let listed = candidates.iter().map(label).collect::<Vec<_>>().join(", ");
    if candidates.is_empty() {
        let why = format!("no version but {} passed its gates there", there.version);
        return Err(nothing(why)
            .hint(format!("release and deploy another version: `forge deploy {place} {name}`")));
    }
    let Some(to) = to else { return Ok((there, candidates[0])) };
    let meant = |it: &&&Deployment| it.version == to || it.id.to_string() == to;
    match candidates.iter().find(meant) {
        Some(found) => Ok((there, found)),
        None => Err(nothing(format!("`{to}` is not a version or deployment to go back to"))
            .hint(format!("it can go back to {listed}"))),
    }
}

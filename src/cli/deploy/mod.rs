//! `forge deploy`, `rollback` and `deployments`: what is released, brought into an environment.

mod away;
mod back;
mod desk;
mod outside;
mod planned;
mod preview;
mod rehearsal;
mod shown;
mod sweep;

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    deploy::{
        DeployEnd, DeployOrder, DeployRequest, DeployState, Deployer, Ledger, Obstacle,
        PreparedDeploys, prepare,
    },
    model::{Fault, Kind, Name, nearest, shown_url},
    report::render_fault,
    serve::{JobKind, JobRequest},
    workspace::{DeployEnvironment, Workspace},
};

use super::{CliError, session::Session, versions};
use away::{AskingArgs, ServerArgs};
pub(super) use back::{RollbackArgs, rollback};
use desk::DeployDesk;
pub(super) use desk::{REQUESTED, data_folder, ledger_of};
pub(super) use planned::{PlannedDeployment, add_planned, planned, planned_table};
pub(super) use preview::{DestroyArgs, PreviewArgs, destroy, preview};
pub(super) use shown::{DeploymentsArgs, deployments, placement_notes};
pub(super) use sweep::sweep;

/// What can be written behind `forge deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    asking: AskingArgs,
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    environment: String,
    /// Subsystems or groups [default: all with a `deploy`]
    names: Vec<String>,
    /// The version, of one subsystem [default: that of versions.yml]
    #[arg(long, value_name = "VERSION", conflicts_with = "from")]
    version: Option<String>,
    /// The environment whose versions are deployed
    #[arg(long, value_name = "ENVIRONMENT")]
    from: Option<String>,
    /// All that is changed, of one that Pulumi deploys
    #[arg(long, value_name = "URN")]
    target: Option<String>,
    /// How long each may take, such as 90s, 10m or 1h30m
    #[arg(long, value_name = "DURATION", value_parser = super::verb::duration)]
    timeout: Option<std::time::Duration>,
}

/// Brings what is released into an environment.
pub(super) fn deploy(session: &Session, wish: &DeployArgs) -> Result<u8, CliError> {
    let words = match (&wish.version, wish.names.as_slice()) {
        (None, names) => names.to_vec(),
        (Some(version), [name]) => vec![format!("{name}@{version}")],
        (Some(_), _) => {
            let what = "`--version` is that of one subsystem";
            let hint = format!("`forge deploy {} NAME --version VERSION`", wish.environment);
            return Err(Fault::new(Kind::Usage, what).hint(hint).into());
        }
    };
    if let Some(server) = wish.server.open(session)? {
        return away::ask(session, &server, &requests(session, wish), &wish.asking);
    }
    let from = wish.from.as_deref();
    let wanted = WantedDeploys {
        environment: &wish.environment,
        words: &words,
        from,
        limit: wish.timeout,
        target: wish.target.as_deref(),
    };
    bring(session, &wanted, false).map(|deployed| deployed.code)
}

/// What a server is asked for: each subsystem by itself, or all together.
fn requests(session: &Session, wish: &DeployArgs) -> Vec<JobRequest> {
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    let request = |name: &str| JobRequest {
        kind: JobKind::Deploy,
        environment: wish.environment.clone(),
        name: name.to_owned(),
        version: text(&wish.version),
        from: text(&wish.from),
        target: text(&wish.target),
        timeout: wish.timeout.and_then(|it| u64::try_from(it.as_millis()).ok()),
        force: session.flags.force,
    };
    match wish.names.as_slice() {
        [] => vec![request("")],
        names => names.iter().map(|name| request(name)).collect(),
    }
}

/// What is wanted where.
struct WantedDeploys<'a> {
    environment: &'a str,
    words: &'a [String],
    from: Option<&'a str>,
    limit: Option<std::time::Duration>,
    target: Option<&'a str>,
}

/// What came of deployments.
pub(super) struct Deployed {
    /// In a few words.
    pub(super) what: String,
    /// The exit code.
    pub(super) code: u8,
}

/// Brings what `words` mean of what is released into `environment`, for a run of CI: what an
/// environment is held against is left alone, and is not a failure of this run.
pub(super) fn for_ci(
    session: &Session,
    environment: &str,
    words: &[String],
) -> Result<Deployed, CliError> {
    let is_preview = |it: &DeployEnvironment| it.is_preview && it.name == environment;
    if session.workspace()?.environments.iter().any(is_preview) {
        return preview::for_pull_request(session, words, None);
    }
    let wanted = WantedDeploys { environment, words, from: None, limit: None, target: None };
    bring(session, &wanted, true)
}

fn bring(session: &Session, wanted: &WantedDeploys<'_>, is_ci: bool) -> Result<Deployed, CliError> {
    let (workspaces, names) = versions::workspaces(session, wanted.words)?;
    let workspace = workspaces.any();
    let environment = lasting(workspace, wanted.environment)?;
    let from = wanted.from.map(|from| self::environment(workspace, from)).transpose()?;
    // CI selects what it works on, and not what is deployed of it.
    let names = deployable(workspace, names, !wanted.words.is_empty() && !is_ci)?;
    let desk = DeployDesk::open(session, workspace)?;
    let history = desk.ledger.history()?;
    let request = DeployRequest {
        workspace,
        environment,
        names,
        from: from.map(|from| from.name.as_str()),
        built: None,
        forced: session.flags.force,
        variables: session.host.environment(),
        surroundings: session.surroundings(),
    };
    let finder = desk.finder(workspace);
    let prepared = session.host.runtime()?.block_on(prepare(&request, &history, &finder))?;
    let mut prepared = with_limit(prepared, wanted.limit);
    if let Some(target) = wanted.target {
        targeted(&mut prepared, target)?;
    }
    if session.flags.dry_run {
        let code = rehearsal::rehearsed(session, workspace, &desk, &prepared, environment)?;
        return Ok(Deployed { what: "only shown".into(), code });
    }
    if is_ci {
        for held in prepared.leave_held() {
            session.note(&format!("left alone: {held}"));
        }
    }
    if let Some(active) = desk.active.iter().find(|it| it.environment == environment.name) {
        let why = format!("{} is going on elsewhere: {}", active.label(), active.run);
        prepared.obstacles.push(Obstacle::new(why, None));
    }
    prepared.passed(&environment.name)?;
    carry_out(session, workspace, &desk, environment, &prepared, is_ci)
}

fn with_limit(
    mut prepared: PreparedDeploys<'_>,
    limit: Option<std::time::Duration>,
) -> PreparedDeploys<'_> {
    for order in &mut prepared.orders {
        order.limit = limit.unwrap_or(order.limit);
    }
    prepared
}

/// Has only `target` changed.
fn targeted(prepared: &mut PreparedDeploys<'_>, target: &str) -> Result<(), Fault> {
    for order in &mut prepared.orders {
        if order.deploy.pulumi.is_none() {
            let what = format!("`--target` is for what Pulumi deploys, and {} is not", order.name);
            return Err(Fault::new(Kind::Usage, what));
        }
        order.target = Some(target.to_owned());
    }
    Ok(())
}

/// The environment called `name`.
pub(super) fn environment<'w>(
    workspace: &'w Workspace,
    name: &str,
) -> Result<&'w DeployEnvironment, Fault> {
    if let Some(found) = workspace.environments.iter().find(|it| it.name == name) {
        return Ok(found);
    }
    let known: Vec<&str> = workspace.environments.iter().map(|it| it.name.as_str()).collect();
    let fault = Fault::new(Kind::Usage, format!("there is no environment `{name}`"));
    if known.is_empty() && workspace.tasks.contains_key("deploy") {
        return Err(fault.hint("`forge run deploy` runs the task of that name"));
    }
    Err(match (nearest(name, known.iter().copied()), known.is_empty()) {
        (Some(near), _) => fault.hint(format!("did you mean `{near}`?")),
        (None, false) => fault.hint(format!("there are {}", known.join(", "))),
        (None, true) => {
            fault.hint(format!("write in versions.yml: `environments: {{ {name}: {{}} }}`"))
        }
    })
}

/// The environment called `name`, which is not for pull requests.
fn lasting<'w>(workspace: &'w Workspace, name: &str) -> Result<&'w DeployEnvironment, Fault> {
    let found = environment(workspace, name)?;
    match found.is_preview {
        false => Ok(found),
        true => Err(Fault::new(Kind::Usage, format!("`{name}` is for pull requests")).hint(
            "`forge preview` deploys what is here for one, `forge preview:destroy` removes it",
        )),
    }
}

/// Those of `names` that can be deployed; all must, if they were named.
fn deployable(
    workspace: &Workspace,
    mut names: BTreeSet<Name>,
    are_named: bool,
) -> Result<BTreeSet<Name>, Fault> {
    let has_none = |name: &&Name| !workspace.deploys.contains_key(*name);
    if let Some(name) = names.iter().find(has_none).filter(|_| are_named) {
        let what = format!("{name} cannot be deployed: its spec has no `deploy`");
        let hint =
            "write `deploy: { run: COMMAND }` in its spec; `forge help deployments` explains it";
        return Err(Fault::new(Kind::Usage, what).hint(hint));
    }
    names.retain(|name| !has_none(&name));
    if names.is_empty() {
        let fault = Fault::new(Kind::Usage, "no subsystem says how it is deployed");
        return Err(fault.hint(
            "write `deploy: { run: COMMAND }` in a spec; `forge help deployments` explains it",
        ));
    }
    Ok(names)
}

/// From now on, the secrets of what is `prepared` are masked.
fn know_secrets(session: &Session, prepared: &PreparedDeploys<'_>) {
    for order in &prepared.orders {
        session.host.secrets().add_all(&order.secrets);
    }
}

/// Carries out what was prepared, one after the other; what needs one that failed is left out. In CI, what
/// the environment came to be held against meanwhile is left alone, and is not a failure.
pub(super) fn carry_out(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    environment: &DeployEnvironment,
    prepared: &PreparedDeploys<'_>,
    is_ci: bool,
) -> Result<Deployed, CliError> {
    know_secrets(session, prepared);
    let (tell, line) = desk::voice(session);
    let herald = outside::begin(session, workspace, desk)?;
    let deployer = Deployer { host: desk.host(session, workspace, (&tell, &line)) };
    let mut ends: Vec<(&DeployOrder<'_>, DeployEnd)> = Vec::new();
    let mut left_out: Vec<(&DeployOrder<'_>, String)> = Vec::new();
    for order in &prepared.orders {
        let is_bad = |name: &&Name| {
            let failed = ends.iter().any(|(it, end)| it.name == **name && end.fault.is_some());
            failed || left_out.iter().any(|(it, _)| it.name == **name)
        };
        if let Some(need) = order.deploy.needs.iter().find(is_bad) {
            left_out.push((order, format!("{need} failed")));
            continue;
        }
        let mut end = session.host.runtime()?.block_on(deployer.deploy(order))?;
        if let Some(fault) = end.fault.take_if(|_| is_ci && end.is_held) {
            session.note(&format!("left alone: {fault}"));
            left_out.push((order, "the environment is held against it".into()));
            continue;
        }
        told(session, order, &end);
        let is_stopped = end.state == DeployState::Cancelled;
        ends.push((order, end));
        if is_stopped {
            break;
        }
    }
    outside::end(session, desk, herald)?;
    close(session, environment, prepared, &ends, &left_out)
}

fn told(session: &Session, order: &DeployOrder<'_>, end: &DeployEnd) {
    let Some(fault) = &end.fault else {
        if !session.flags.quiet {
            let place = order.words.url.as_ref();
            let place = place.map_or(String::new(), |url| format!(", at {}", shown_url(url)));
            let does = if order.destroys { "is removed from" } else { "runs in" };
            let place = if order.destroys { String::new() } else { place };
            let text = format!(
                "{} {does} {}{place} (deployment {})",
                order.label(),
                order.environment.name,
                end.id
            );
            session.note(&session.host.secrets().mask(&text));
        }
        return;
    };
    let failed = if order.destroys { "was not removed from" } else { "was not deployed to" };
    let what = format!(
        "{} {failed} {}: deployment {} {}",
        order.label(),
        order.environment.name,
        end.id,
        match end.state {
            state @ (DeployState::RolledBack | DeployState::Stuck | DeployState::Cancelled) => {
                format!("is {state}")
            }
            state => state.to_string(),
        }
    );
    let fault = fault.clone().within(what);
    let fault = match (&end.back, end.state) {
        (Some((version, id)), DeployState::RolledBack) => fault.hint(format!(
            "{version} runs there again (deployment {id}); data is as the failed version left it"
        )),
        (Some((version, id)), _) => fault.hint(format!(
            "{version} could not be brought back either (deployment {id}): look what runs there, then `forge deploy` or `forge rollback`"
        )),
        (None, _) if order.environment.is_preview => fault
            .hint(format!("`forge deployments --log {}` shows what it printed", end.id)),
        (None, _) => fault.hint(format!(
            "`forge deployments --log {}` shows what it printed; `forge rollback {} {}` goes back",
            end.id, order.environment.name, order.name
        )),
    };
    session.console().err(&render_fault(&fault, session.stderr_style()));
}

fn close(
    session: &Session,
    environment: &DeployEnvironment,
    prepared: &PreparedDeploys<'_>,
    ends: &[(&DeployOrder<'_>, DeployEnd)],
    left_out: &[(&DeployOrder<'_>, String)],
) -> Result<Deployed, CliError> {
    for (order, why) in left_out {
        session.note(&format!("{} is left out: {why}", order.label()));
    }
    let bad = ends.iter().find_map(|(_, end)| end.fault.as_ref());
    if session.flags.json {
        let line = |(order, end): &(&DeployOrder<'_>, DeployEnd)| {
            json!({
                "id": end.id,
                "name": order.name.as_str(),
                "version": order.version,
                "digest": order.artifact.digest(),
                "state": end.state.as_str(),
                "fault": end.fault.as_ref().map(ToString::to_string),
                "back_to": end.back.as_ref().map(|(version, _)| version),
            })
        };
        let there = prepared
            .there
            .iter()
            .map(|it| json!({ "name": it.name, "version": it.version, "id": it.id }));
        let left = left_out.iter().map(|(it, why)| json!({ "name": it.name.as_str(), "why": why }));
        let document = json!({
            "schema": 1,
            "environment": environment.name,
            "ok": bad.is_none() && left_out.is_empty(),
            "deployments": ends.iter().map(line).collect::<Vec<_>>(),
            "there": there.collect::<Vec<_>>(),
            "left_out": left.collect::<Vec<_>>(),
        });
        session.say(&format!("{document:#}\n"))?;
    } else if !session.flags.quiet {
        for there in &prepared.there {
            session.note(&format!(
                "{} is there already (deployment {}); `--force` deploys it again",
                there.label(),
                there.id
            ));
        }
    }
    let good = ends.iter().filter(|(_, end)| end.fault.is_none()).count();
    let counts = [
        (good, "deployed"),
        (ends.len() - good, "failed"),
        (left_out.len(), "left out"),
        (prepared.there.len(), "there already"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let what = if counts.is_empty() { "nothing to deploy".into() } else { counts.join(", ") };
    Ok(Deployed { what, code: bad.map_or(0, |fault| fault.kind.exit_code()) })
}

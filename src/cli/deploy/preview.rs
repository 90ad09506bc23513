//! `forge preview`, `preview:destroy` and `preview:sweep`: an environment for each pull request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    deploy::{
        Artifact, DeployOrder, DeployRequest, FoundArtifact, KEEP_LABEL, Ledger, LivePreview,
        PreparedDeploys, PreviewComment, live_previews, may_preview, may_sweep, missing_secrets,
        prepare, pull_request,
    },
    model::{Fault, Kind, Name, ago, counted},
    provenance::Permission,
    store::RepositoryApi,
    workspace::{DeployEnvironment, Workspace, Workspaces},
};

use super::{
    super::{
        CliError, ensure, package,
        publish::Publish,
        run::{RunRequest, run},
        session::Session,
    },
    carry_out, deployable,
    desk::DeployDesk,
    outside::{RecordHome, warn},
};

/// What can be written behind `forge preview`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct PreviewArgs {
    /// The number of the pull request [default: that of this run of CI]
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
}

/// Deploys the preview of a pull request, of what is here.
pub(in super::super) fn preview(session: &Session, wish: &PreviewArgs) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let workspace = workspaces.any();
    let template = template(workspace)?;
    if let Permission::Never(why) = may_preview(session.surroundings()) {
        session.note(&format!("no preview is deployed: {why}"));
        return Ok(0);
    }
    let number = number(session, wish)?;
    let environment = template.of_pull_request(number);
    let desk = DeployDesk::open(session, workspace)?;
    let history = desk.ledger.history()?;
    has_room(template, number, &live_previews(&history))?;
    let names = deployable(workspace, workspace.deploys.keys().cloned().collect(), false)?;
    check(workspace, &names)?;
    let built = match session.flags.dry_run {
        true => BTreeMap::new(),
        false => built(session, &workspaces, &names)?,
    };
    let request = DeployRequest {
        workspace,
        environment: &environment,
        names,
        from: None,
        built: Some(&built),
        forced: session.flags.force,
        variables: session.host.environment(),
    };
    if session.flags.dry_run {
        let names: Vec<&str> = request.names.iter().map(Name::as_str).collect();
        session.say(&format!("would deploy {} to {}\n", names.join(", "), environment.name))?;
        return Ok(0);
    }
    let finder = desk.finder(workspace);
    let prepared = session.host.runtime()?.block_on(prepare(&request, &history, &finder))?;
    prepared.passed(&environment.name)?;
    let deployed = carry_out(session, workspace, &desk, &environment, &prepared)?;
    comment(session, workspace, &desk, number, "")?;
    Ok(deployed.code)
}

/// The environment of pull requests.
fn template(workspace: &Workspace) -> Result<&DeployEnvironment, Fault> {
    workspace.environments.iter().find(|it| it.is_preview).ok_or_else(|| {
        Fault::new(Kind::Usage, "no environment is for pull requests").hint(
            "write in versions.yml: `environments: { preview: { pull_request: true, max: 3, ttl: 7d } }`",
        )
    })
}

fn number(session: &Session, wish: &PreviewArgs) -> Result<u64, Fault> {
    let own = session.surroundings().change().map(|change| change.number);
    match (wish.number, own) {
        // A run for one pull request touches no other's.
        (Some(said), Some(own)) if said != own => {
            let what = format!("this run is for pull request {own}, and not for {said}");
            Err(Fault::new(Kind::Usage, what))
        }
        (said, own) => said.or(own).ok_or_else(|| {
            let fault = Fault::new(Kind::Usage, "nothing says which pull request is meant");
            fault.hint("name its number: `forge preview 7`")
        }),
    }
}

/// Whether one more preview may be there.
fn has_room(
    template: &DeployEnvironment,
    number: u64,
    live: &[LivePreview<'_>],
) -> Result<(), Fault> {
    let others: Vec<String> =
        live.iter().filter(|it| it.number != number).map(LivePreview::label).collect();
    if others.len() < template.max as usize {
        return Ok(());
    }
    let what = format!("there is no room for the preview of pull request {number}");
    let why = format!("{} are there, which is all that `max` allows: {}", others.len(), others.join(", "));
    Err(Fault::new(Kind::Usage, what)
        .because(why)
        .hint("`forge preview:destroy NUMBER` makes room, or a greater `max` in versions.yml"))
}

/// That what is deployed can be removed again.
fn check(workspace: &Workspace, names: &BTreeSet<Name>) -> Result<(), Fault> {
    for name in names {
        let deploy = &workspace.deploys[name];
        if deploy.destroy.is_empty() && deploy.pulumi.is_none() {
            let what = format!("nothing says how a preview of {name} is removed");
            let hint = "write `destroy: COMMAND` below `deploy` in its spec";
            return Err(Fault::new(Kind::Usage, what).hint(hint));
        }
    }
    Ok(())
}

/// Builds what has files, and packs it: by subsystem, what is deployed.
fn built(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    names: &BTreeSet<Name>,
) -> Result<BTreeMap<Name, FoundArtifact>, CliError> {
    let workspace = workspaces.any();
    let has_files = |name: &&Name| {
        workspace.subsystems.get(*name).is_some_and(|one| one.image.is_none() && !one.binaries.is_empty())
    };
    let names: BTreeSet<Name> = names.iter().filter(has_files).cloned().collect();
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::Never };
    let report = session.host.runtime()?.block_on(run(session, request))?.report;
    if !report.is_good() {
        let style = session.stderr_style();
        let text = ensure::closing(session, workspaces.layout(), &report, ensure::DONE, style)?;
        session.console().err(&text);
        return Err(Fault::new(Kind::Failed, "no preview is deployed: it cannot be built").into());
    }
    let layout = workspaces.layout();
    let mut found = BTreeMap::new();
    for packed in package::pack(session, workspaces, &names, &layout.dist())? {
        let (name, asset, sha256) = packed.parts();
        let version = workspace.subsystems[&name].version.label(None);
        let digest = format!("sha256:{sha256}");
        found.insert(name, FoundArtifact { version, artifact: Artifact::Packed { asset, digest } });
    }
    Ok(found)
}

/// Destroys the preview of a pull request.
pub(in super::super) fn destroy(session: &Session, wish: &PreviewArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let template = template(&workspace)?;
    if let (Permission::Never(why), Permission::Never(_)) =
        (may_preview(session.surroundings()), may_sweep(session.surroundings()))
    {
        session.note(&format!("no preview is destroyed: {why}"));
        return Ok(0);
    }
    let number = number(session, wish)?;
    let desk = DeployDesk::open(session, &workspace)?;
    let history = desk.ledger.history()?;
    let live = live_previews(&history);
    let Some(found) = live.iter().find(|it| it.number == number) else {
        session.note(&format!("pull request {number} has no preview"));
        return Ok(0);
    };
    removed(session, &workspace, &desk, template, found, "it was destroyed")
}

/// Destroys the previews of pull requests that are closed, and those that nothing was deployed to for
/// long.
pub(in super::super) fn sweep(session: &Session) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let template = template(&workspace)?;
    if let Permission::Never(why) = may_sweep(session.surroundings()) {
        session.note(&why);
        return Ok(0);
    }
    let desk = DeployDesk::open(session, &workspace)?;
    let history = desk.ledger.history()?;
    let api = api(session, &workspace, &desk)?;
    let (mut code, mut kept) = (0, 0);
    for live in live_previews(&history) {
        match verdict(session, api.as_ref(), template, &live)? {
            Ok(why) => {
                let did = removed(session, &workspace, &desk, template, &live, &why)?;
                code = code.max(did);
            }
            Err(why) => {
                kept += 1;
                session.note(&format!("{} stays: {why}", live.label()));
            }
        }
    }
    session.note(&format!("{} left", counted(kept, "preview")));
    Ok(code)
}

/// Why a preview goes, or why it stays.
fn verdict(
    session: &Session,
    api: Option<&RepositoryApi>,
    template: &DeployEnvironment,
    live: &LivePreview<'_>,
) -> Result<Result<String, String>, Fault> {
    let state = match api {
        None => None,
        Some(api) => {
            let asked = session.host.runtime()?.wait_for(pull_request(api, live.number));
            match asked {
                Ok(Some(state)) => Some(state),
                Ok(None) => return Ok(Err("there is no pull request of that number".into())),
                Err(fault) => return Ok(Err(format!("it cannot be asked about: {fault}"))),
            }
        }
    };
    let idle = live.idle(Timestamp::now());
    Ok(match state {
        Some(state) if state.labels.iter().any(|label| label == KEEP_LABEL) => {
            Err(format!("it has the label `{KEEP_LABEL}`"))
        }
        Some(state) if state.is_closed => Ok("the pull request is closed".into()),
        _ if idle > template.ttl => Ok(format!("nothing was deployed to it for {}", in_days(idle))),
        _ => Err(format!("something was deployed to it {} ago", ago(idle))),
    })
}

fn in_days(time: std::time::Duration) -> String {
    counted(usize::try_from(time.as_secs() / 86_400).unwrap_or(usize::MAX), "day")
}

/// Removes what is there of `live`.
fn removed(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    template: &DeployEnvironment,
    live: &LivePreview<'_>,
    why: &str,
) -> Result<u8, CliError> {
    let environment = template.of_pull_request(live.number);
    session.note(&format!("{}: {why}", live.label()));
    let mut prepared = PreparedDeploys::default();
    // What needs others goes first.
    let names: BTreeSet<Name> =
        live.deployments.keys().filter_map(|name| Name::new(name).ok()).collect();
    for name in crate::deploy::ordered(&names, &workspace.deploys).into_iter().rev() {
        let deployment = live.deployments[name.as_str()];
        let Some((name, deploy)) = workspace.deploys.get_key_value(&name) else {
            let what = format!(
                "the stack {} is left: {name} has no `deploy` any more",
                deployment.stack
            );
            warn(session, &what);
            continue;
        };
        if let Some((secret, why)) = missing_secrets(deploy, session.host.environment()).next() {
            let fault = Fault::new(Kind::Usage, format!("{} cannot be destroyed", live.label()));
            return Err(fault.because(format!("the secret `{secret}` of {name} {why}")).into());
        }
        prepared.orders.push(DeployOrder::destroying((name, deploy), &environment, deployment)?);
    }
    if session.flags.dry_run {
        session.say(&format!("would destroy {}\n", live.label()))?;
        return Ok(0);
    }
    let deployed = carry_out(session, workspace, desk, &environment, &prepared)?;
    comment(session, workspace, desk, live.number, why)?;
    Ok(deployed.code)
}

fn api(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
) -> Result<Option<RepositoryApi>, Fault> {
    match RecordHome::find(session, workspace) {
        Some(home) => home.api(session, &desk.settings),
        None => Ok(None),
    }
}

/// Has the comment of the pull request say how its preview is. That it cannot is a warning.
fn comment(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    number: u64,
    note: &str,
) -> Result<(), Fault> {
    let Some(api) = api(session, workspace, desk)? else { return Ok(()) };
    let history = desk.ledger.history()?;
    let mut last = BTreeMap::new();
    for one in history.all.values().filter(|it| it.pull_request == Some(number)) {
        last.insert(one.name.as_str(), one);
    }
    let deployments: Vec<_> = last.into_values().collect();
    let surroundings = session.surroundings();
    let text = PreviewComment {
        project: &workspace.project,
        number,
        commit: surroundings.commit(),
        run: surroundings.run_url(),
        deployments: &deployments,
        note,
    };
    if let Err(fault) = session.host.runtime()?.wait_for(text.keep(&api)) {
        let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        warn(session, &format!("the pull request has no comment of its preview: {fault}{hint}"));
    }
    Ok(())
}

//! `forge preview` and `preview:destroy`: an environment for each pull request, made and removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    deploy::{
        Artifact, DeployOrder, DeployRequest, Deployment, FoundArtifact, KEEP_LABEL, Ledger,
        LivePreview, Obstacle, PreparedDeploys, PreviewComment, has_room, live_previews,
        may_preview, may_sweep, missing_secrets, ordered, prepare,
    },
    model::{Fault, Kind, Name},
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
        versions,
    },
    Deployed, carry_out, close, deployable,
    desk::DeployDesk,
    outside::{RecordHome, warn},
};

/// What can be written behind `forge preview`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct PreviewArgs {
    /// Subsystems or groups [default: all with a `deploy`]
    pub(in super::super) names: Vec<String>,
    /// The number of the pull request [default: that of this run of CI]
    #[arg(long, value_name = "NUMBER")]
    pr: Option<u64>,
}

/// What can be written behind `forge preview:destroy`.
#[derive(Debug, clap::Args)]
pub(in super::super) struct DestroyArgs {
    /// The number of the pull request [default: that of this run of CI]
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
}

/// Deploys the preview of a pull request, of what is here; of one that is closed, it is destroyed.
pub(in super::super) fn preview(session: &Session, wish: &PreviewArgs) -> Result<u8, CliError> {
    for_pull_request(session, &wish.names, wish.pr).map(|deployed| deployed.code)
}

/// The same, of what `words` mean, in a run of CI.
pub(super) fn for_pull_request(
    session: &Session,
    words: &[String],
    number: Option<u64>,
) -> Result<Deployed, CliError> {
    let (workspaces, names) = versions::workspaces(session, words)?;
    let workspaces = Arc::new(workspaces);
    let workspace = workspaces.any();
    let template = template(workspace)?;
    if let Permission::Never(why) = may_preview(session.surroundings()) {
        return nothing(session, template, &format!("no preview is deployed: {why}"));
    }
    let number = pull_request_number(session, number)?;
    let environment = template.of_pull_request(number);
    let desk = DeployDesk::open(session, workspace)?;
    let history = desk.ledger.history()?;
    let live = live_previews(&history);
    if session.surroundings().change().is_some_and(|change| change.is_closed) {
        let found = live.iter().find(|it| it.number == number);
        return closed(session, workspace, &desk, template, found);
    }
    has_room(&environment, &history, u64::MAX)?;
    let names = deployable(workspace, names, !words.is_empty())?;
    can_be_removed(workspace, &names)?;
    if session.flags.dry_run {
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        let text =
            format!("would build {} and deploy it to {}\n", names.join(", "), environment.name);
        session.say(&text)?;
        return Ok(Deployed { what: "only shown".into(), code: 0 });
    }
    let built = built(session, &workspaces, &names)?;
    let request = DeployRequest {
        workspace,
        environment: &environment,
        names,
        from: None,
        built: Some(&built),
        forced: session.flags.force,
        variables: session.host.environment(),
        surroundings: session.surroundings(),
    };
    let finder = desk.finder(workspace);
    let mut prepared = session.host.runtime()?.block_on(prepare(&request, &history, &finder))?;
    if let Some(active) = desk.active.iter().find(|it| it.environment == environment.name) {
        let why = format!("{} is going on elsewhere: {}", active.label(), active.run);
        prepared.obstacles.push(Obstacle::new(why, None));
    }
    prepared.passed(&environment.name)?;
    let deployed = carry_out(session, workspace, &desk, &environment, &prepared, false)?;
    comment(session, workspace, &desk, number, "")?;
    Ok(deployed)
}

/// The environment of pull requests.
pub(super) fn template(workspace: &Workspace) -> Result<&DeployEnvironment, Fault> {
    workspace.environments.iter().find(|it| it.is_preview).ok_or_else(|| {
        Fault::new(Kind::Usage, "no environment is for pull requests").hint(
            "write in versions.yml: `environments: { preview: { pull_request: true, max: 3, ttl: 7d } }`",
        )
    })
}

/// Says why nothing is done, which is not a failure.
fn nothing(
    session: &Session,
    environment: &DeployEnvironment,
    why: &str,
) -> Result<Deployed, CliError> {
    session.note(why);
    close(session, environment, &PreparedDeploys::default(), &[], &[])
}

fn pull_request_number(session: &Session, said: Option<u64>) -> Result<u64, Fault> {
    let own = session.surroundings().change().map(|change| change.number);
    match (said, own) {
        // A run for one pull request touches no other's.
        (Some(said), Some(own)) if said != own => {
            let what = format!("this run is for pull request {own}, and not for {said}");
            Err(Fault::new(Kind::Usage, what))
        }
        (said, own) => said.or(own).ok_or_else(|| {
            let fault = Fault::new(Kind::Usage, "nothing says which pull request is meant");
            fault.hint("name its number: `forge preview --pr 7`, `forge preview:destroy 7`")
        }),
    }
}

/// That what is deployed can be removed again.
fn can_be_removed(workspace: &Workspace, names: &BTreeSet<Name>) -> Result<(), Fault> {
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
        let subsystem = workspace.subsystems.get(*name);
        subsystem.is_some_and(|one| one.image.is_none() && !one.binaries.is_empty())
    };
    let names: BTreeSet<Name> = names.iter().filter(has_files).cloned().collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::Never };
    let report = session.host.runtime()?.block_on(run(session, request))?.report;
    if !report.is_good() {
        let (layout, style) = (workspaces.layout(), session.stderr_style());
        session.console().err(&ensure::closing(session, layout, &report, ensure::DONE, style));
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

/// What becomes of the preview `found` of a pull request that is closed.
fn closed(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    template: &DeployEnvironment,
    found: Option<&LivePreview<'_>>,
) -> Result<Deployed, CliError> {
    let Some(found) = found else {
        return nothing(session, template, "the pull request is closed, and has no preview");
    };
    let labels = session.surroundings().change().map(|change| change.labels.as_slice());
    if labels.unwrap_or_default().iter().any(|label| label == KEEP_LABEL) {
        let why = format!("{} stays: it has the label `{KEEP_LABEL}`", found.label());
        return nothing(session, template, &why);
    }
    removed(session, workspace, desk, found, "the pull request is closed")
}

/// Destroys the preview of a pull request.
pub(in super::super) fn destroy(session: &Session, wish: &DestroyArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let template = template(&workspace)?;
    let (own, all) = (may_preview(session.surroundings()), may_sweep(session.surroundings()));
    if let (Permission::Never(why), Permission::Never(_)) = (own, all) {
        let why = format!("no preview is destroyed: {why}");
        return nothing(session, template, &why).map(|did| did.code);
    }
    let number = pull_request_number(session, wish.number)?;
    let desk = DeployDesk::open(session, &workspace)?;
    let history = desk.ledger.history()?;
    let live = live_previews(&history);
    let Some(found) = live.iter().find(|it| it.number == number) else {
        let why = format!("pull request {number} has no preview");
        return nothing(session, template, &why).map(|did| did.code);
    };
    removed(session, &workspace, &desk, found, "somebody destroyed it").map(|did| did.code)
}

/// Removes what is there of `live`, since `why`.
pub(super) fn removed(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    live: &LivePreview<'_>,
    why: &str,
) -> Result<Deployed, CliError> {
    let environment = template(workspace)?.of_pull_request(live.number);
    session.note(&format!("{}: {why}", live.label()));
    let (orders, left) = removals(session, workspace, &environment, live)?;
    for (deployment, why) in &left {
        let Deployment { stack, name, .. } = deployment;
        warn(session, &format!("the stack `{stack}` of {name} is left: {why}"));
    }
    if session.flags.dry_run {
        session.say(&format!("would destroy {}\n", live.label()))?;
        return Ok(Deployed { what: "only shown".into(), code: 0 });
    }
    let prepared = PreparedDeploys { orders, ..PreparedDeploys::default() };
    let did = carry_out(session, workspace, desk, &environment, &prepared, false)?;
    let note = match (did.code, left.is_empty()) {
        (0, true) => why.to_owned(),
        _ => format!("{why}, and not all of it could be removed"),
    };
    comment(session, workspace, desk, live.number, &note)?;
    let code = if left.is_empty() { did.code } else { did.code.max(Kind::Failed.exit_code()) };
    Ok(Deployed { code, ..did })
}

/// What a removal leaves, and why.
type LeftStack<'h> = (&'h Deployment, String);

/// The orders that remove `live`, those first that need others; and what cannot be removed.
fn removals<'w, 'h>(
    session: &Session,
    workspace: &'w Workspace,
    environment: &'w DeployEnvironment,
    live: &LivePreview<'h>,
) -> Result<(Vec<DeployOrder<'w>>, Vec<LeftStack<'h>>), Fault> {
    let variables = session.host.environment();
    let names: BTreeSet<Name> =
        live.deployments.keys().filter_map(|name| Name::new(name).ok()).collect();
    let (mut orders, mut left) = (Vec::new(), Vec::new());
    for name in ordered(&names, &workspace.deploys).into_iter().rev() {
        let deployment = live.deployments[name.as_str()];
        let Some((name, deploy)) = workspace.deploys.get_key_value(&name) else {
            left.push((deployment, "its spec has no `deploy` here".to_owned()));
            continue;
        };
        if deploy.destroy.is_empty() && deploy.pulumi.is_none() {
            left.push((deployment, "its spec does not say how to `destroy` it".to_owned()));
            continue;
        }
        if let Some((secret, why)) = missing_secrets(deploy, variables).next() {
            let fault = Fault::new(Kind::Usage, format!("{} cannot be destroyed", live.label()));
            let fault = fault.because(format!("the secret `{secret}` of {name} {why}"));
            return Err(fault.hint(format!("set `{secret}`; nothing was done")));
        }
        let order = DeployOrder::destroying((name, deploy), environment, deployment, variables)?;
        // What a record says is believed only where the spec says the same.
        if order.stack != deployment.stack {
            left.push((deployment, format!("its spec has the stack `{}` here", order.stack)));
            continue;
        }
        orders.push(order);
    }
    Ok((orders, left))
}

/// The API of the host of the repository, if there is a login.
pub(super) fn api(
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

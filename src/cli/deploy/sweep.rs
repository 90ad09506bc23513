//! `forge preview:sweep`: previews that nobody needs any more go, and what is not known is named.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    deploy::{
        KEEP_LABEL, Ledger, LivePreview, PullRequestState, live_previews, may_sweep, pull_request,
        stacks_of_pull_requests,
    },
    model::{Fault, counted},
    provenance::Permission,
    store::RepositoryApi,
    workspace::{DeployEnvironment, Workspace},
};

use super::{
    super::{CliError, session::Session},
    desk::DeployDesk,
    outside::warn,
    preview::{api, removed, template},
};

/// What becomes of a preview, and why.
enum PreviewFate {
    Goes(String),
    Stays(String),
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
    let live = live_previews(&history);
    for one in &live {
        let state = api.as_ref().map(|api| asked(session, api, one.number)).transpose()?;
        match fate(template, one, state) {
            PreviewFate::Goes(why) => {
                let did = removed(session, &workspace, &desk, one, &why)?;
                code = code.max(did.code);
            }
            PreviewFate::Stays(why) => {
                kept += 1;
                session.note(&format!("{} stays: {why}", one.label()));
            }
        }
    }
    let strangers = strangers(session, &workspace, &desk, template, &live)?;
    for stack in &strangers {
        warn(session, &format!("{stack} is left: no deployment of the ledger has it"));
    }
    let left = if strangers.is_empty() {
        String::new()
    } else {
        format!(", {} not known", strangers.len())
    };
    session.note(&format!("{} left{left}", counted(kept, "preview")));
    Ok(code)
}

/// What the host says of a pull request: nothing if it knows none, or why it does not answer.
fn asked(
    session: &Session,
    api: &RepositoryApi,
    number: u64,
) -> Result<Result<Option<PullRequestState>, Fault>, Fault> {
    Ok(session.host.runtime()?.wait_for(pull_request(api, number)))
}

/// What becomes of `live`, whose pull request is so, if somebody could be asked.
fn fate(
    template: &DeployEnvironment,
    live: &LivePreview<'_>,
    state: Option<Result<Option<PullRequestState>, Fault>>,
) -> PreviewFate {
    let state = match state {
        None => None,
        Some(Ok(Some(state))) => Some(state),
        Some(Ok(None)) => {
            return PreviewFate::Stays("there is no pull request of that number".into());
        }
        Some(Err(fault)) => {
            return PreviewFate::Stays(format!("its pull request cannot be looked at: {fault}"));
        }
    };
    let idle = live.idle(Timestamp::now());
    match state {
        Some(state) if state.labels.iter().any(|label| label == KEEP_LABEL) => {
            PreviewFate::Stays(format!("it has the label `{KEEP_LABEL}`"))
        }
        Some(state) if state.is_closed => PreviewFate::Goes("the pull request is closed".into()),
        _ if idle > template.ttl => {
            PreviewFate::Goes(format!("nothing was deployed to it for {}", shown(idle)))
        }
        _ => PreviewFate::Stays(format!("something was deployed to it {} ago", shown(idle))),
    }
}

fn shown(time: Duration) -> String {
    let minutes = usize::try_from(time.as_secs() / 60).unwrap_or(usize::MAX);
    match minutes {
        0..120 => counted(minutes, "minute"),
        120..2880 => counted(minutes / 60, "hour"),
        _ => counted(minutes / 1440, "day"),
    }
}

/// The stacks of Pulumi that are called as those of pull requests are, and that are not in `live`.
fn strangers(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
    template: &DeployEnvironment,
    live: &[LivePreview<'_>],
) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for (name, deploy) in workspace.deploys.iter().filter(|(_, it)| it.pulumi.is_some()) {
        let variables = session.host.environment();
        let ask =
            stacks_of_pull_requests((name, deploy), template, workspace, &desk.runner, variables);
        match session.host.runtime()?.block_on(ask) {
            Ok(stacks) => found.extend(stacks),
            Err(fault) => warn(session, &format!("the stacks of {name} cannot be listed: {fault}")),
        }
    }
    let is_known = |(stack, _): &(String, u64)| {
        live.iter().any(|it| it.deployments.values().any(|one| one.stack == *stack))
    };
    found.retain(|it| !is_known(it));
    Ok(found
        .into_iter()
        .map(|(stack, number)| format!("the stack `{stack}` of pull request {number}"))
        .collect())
}

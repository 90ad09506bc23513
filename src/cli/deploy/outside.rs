//! What deployments have to do with the world outside: the host of the repository, where records of them
//! are, and those who are told how they go.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    deploy::{
        DeployRecords, Deployment, Herald, HeraldAtWork, Journal, Notifier, RecordPlace, recorded,
    },
    git::History,
    model::{Fault, Kind},
    provenance::Surroundings,
    store::{RepositoryApi, StoreSettings, StoreUrl, repository_api},
    workspace::{DeployEnvironment, LedgerHome, Workspace},
};

use super::{super::session::Session, desk::DeployDesk};

/// How much longer than its time limit a deployment may be at its end.
const GRACE: i64 = 600;

/// Where records of the deployments of `workspace` are, and whether they are its ledger.
pub(super) struct RecordHome {
    url: StoreUrl,
    /// Whether somebody wrote so.
    is_written: bool,
}

impl RecordHome {
    /// The repository that `ledger` names, or that of this run of CI.
    pub(super) fn find(session: &Session, workspace: &Workspace) -> Option<Self> {
        if let Some(LedgerHome::Repository(url)) = &workspace.ledger {
            return Some(Self { url: url.clone(), is_written: true });
        }
        let url = match session.surroundings() {
            Surroundings::GitHub(run) => {
                let (owner, repo) = run.repository.split_once('/')?;
                let (owner, repo) = (owner.to_owned(), repo.to_owned());
                // The server is the one that the environment names.
                StoreUrl::GitHub { base: None, owner, repo }
            }
            Surroundings::GitLab(job) => {
                let server = session.host.environment().get("CI_SERVER_URL")?.trim_end_matches('/');
                let project = job.project_url.strip_prefix(server)?.trim_matches('/').to_owned();
                StoreUrl::GitLab { base: Some(server.to_owned()), project }
            }
            Surroundings::Laptop | Surroundings::OtherCi(_) => return None,
        };
        Some(Self { url, is_written: false })
    }

    /// The API for it, if there is a login.
    pub(super) fn api(
        &self,
        session: &Session,
        settings: &StoreSettings,
    ) -> Result<Option<RepositoryApi>, Fault> {
        let Some(api) = repository_api(&self.url, settings)? else { return Ok(None) };
        let has_login = session.host.runtime()?.wait_for(api.has_login());
        if !has_login && self.is_written {
            let what = format!("the ledger at {} cannot be used without a login", self.url);
            return Err(Fault::new(Kind::Store, what)
                .hint("set GITHUB_TOKEN, or log in with `gh auth login`"));
        }
        Ok(Some(api).filter(|_| has_login && !session.flags.offline))
    }

    /// Takes over into `journal` what machines elsewhere deployed; what is going on there now is returned.
    ///
    /// # Errors
    /// If it cannot be read, and somebody wrote that it is the ledger.
    pub(super) fn restore(
        &self,
        session: &Session,
        workspace: &Workspace,
        api: &RepositoryApi,
        journal: &Journal,
    ) -> Result<Vec<Deployment>, Fault> {
        if !self.is_written && workspace.ledger.is_some() {
            return Ok(Vec::new());
        }
        let limit =
            |it: &DeployEnvironment| i64::try_from(it.timeout.as_secs()).unwrap_or(i64::MAX / 2);
        let all = workspace.environments.iter();
        let environments: Vec<_> = all.map(|it| (it.name.as_str(), limit(it) + GRACE)).collect();
        let page = session.surroundings().run_url();
        match session.host.runtime()?.block_on(recorded(api, &environments, page)) {
            Ok(found) => journal.take_over(&found.over).map(|_| found.active),
            Err(fault) if self.is_written => {
                Err(fault.within("the ledger of deployments cannot be read"))
            }
            Err(fault) => {
                warn(session, &format!("what was deployed before is not known here: {fault}"));
                Ok(Vec::new())
            }
        }
    }
}

/// Begins to tell of what happens in the ledger of `desk`.
pub(super) fn begin(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
) -> Result<Option<HeraldAtWork>, Fault> {
    let herald = Herald {
        records: records(session, workspace, desk)?,
        notifiers: notifiers(session, workspace, desk),
    };
    if herald.is_silent() {
        return Ok(None);
    }
    let (sender, steps) = mpsc::unbounded_channel();
    desk.ledger.pass_on_to(sender);
    let (console, secrets) = (session.console(), session.host.secrets().clone());
    let warn = Arc::new(move |text: &str| {
        console.err(&format!("warning: {}\n", secrets.mask(text)));
    });
    let begun = session.host.runtime()?.wait_for(async { herald.begin(steps, warn) });
    Ok(Some(begun))
}

/// Waits until all is told.
pub(super) fn end(
    session: &Session,
    desk: &DeployDesk,
    herald: Option<HeraldAtWork>,
) -> Result<(), Fault> {
    desk.ledger.hush();
    match herald {
        Some(herald) => {
            session.host.runtime()?.wait_for(herald.end());
            Ok(())
        }
        None => Ok(()),
    }
}

/// What writes down at the host of the repository.
fn records(
    session: &Session,
    workspace: &Workspace,
    desk: &DeployDesk,
) -> Result<Option<DeployRecords>, Fault> {
    let Some(home) = RecordHome::find(session, workspace) else { return Ok(None) };
    let Some(api) = home.api(session, &desk.settings)? else { return Ok(None) };
    let surroundings = session.surroundings();
    let commit = match surroundings.commit() {
        Some(commit) => Some(commit.to_owned()),
        None => match History::around(&desk.runner, workspace.layout.root()) {
            Some(history) => session.host.runtime()?.block_on(history.head())?,
            None => None,
        },
    };
    let Some(commit) = commit else {
        warn(session, "no records of deployments are made: nothing says which commit this is");
        return Ok(None);
    };
    let variables = session.host.environment();
    let has_environment = variables.get("CI_ENVIRONMENT_NAME").is_some_and(|it| !it.is_empty());
    let previews = workspace.environments.iter().find(|it| it.is_preview);
    let previews = previews.map(|it| it.name.clone());
    let place = RecordPlace::new(surroundings, commit, has_environment);
    let place = RecordPlace { previews, ..place };
    Ok(Some(DeployRecords::new(api, place)))
}

/// Those who want to be told.
fn notifiers(session: &Session, workspace: &Workspace, desk: &DeployDesk) -> Vec<Notifier> {
    let mut all = Vec::new();
    for wish in &workspace.notify {
        let (kind, name) = (wish.kind.label(), &wish.secret);
        let secret =
            session.host.environment().get(name).map(str::trim).filter(|it| !it.is_empty());
        match secret {
            Some(_) if session.flags.offline => {}
            Some(secret) => {
                session.host.secrets().add(secret);
                let settings = desk.settings.clone();
                all.push(Notifier::new(wish.clone(), secret.to_owned(), settings));
            }
            None => warn(session, &format!("{kind} is told nothing: `{name}` is not set")),
        }
    }
    all
}

pub(super) fn warn(session: &Session, text: &str) {
    session.console().err(&format!("warning: {}\n", session.host.secrets().mask(text)));
}

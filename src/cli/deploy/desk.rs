//! What the verbs of deployments work with: the ledger of the workspace, its stores and registries.

use std::{path::PathBuf, sync::Arc};

use crate::{
    deploy::{ArtifactFinder, DeployHost, Deployment, Journal, WatchedLedger},
    model::{Fault, Kind},
    process::Runner,
    store::{Registries, Store, StoreSettings, StoreUrl, Waits, default_url},
    workspace::{LedgerHome, Workspace},
};

use super::{super::session::Session, outside::RecordHome};

/// The variable by which a server tells the process of a job who asked for it.
pub(in super::super) const REQUESTED: &str = "FORGE_REQUESTED_BY";

/// Who is told a line.
type Listener<'a> = &'a (dyn Fn(&str) + Sync);

/// What deployments of a workspace are worked on with.
pub(in super::super) struct DeployDesk {
    /// Where they are written down.
    pub(in super::super) ledger: WatchedLedger<Journal>,
    /// What goes on elsewhere, as far as is known.
    pub(super) active: Vec<Deployment>,
    stores: Vec<Arc<dyn Store>>,
    registries: Registries,
    pub(super) settings: StoreSettings,
    pub(super) runner: Runner,
}

impl DeployDesk {
    /// That of `workspace`.
    pub(in super::super) fn open(session: &Session, workspace: &Workspace) -> Result<Self, Fault> {
        let console = session.console();
        let waits = Waits(Arc::new(move |why| console.err(&format!("waiting: {why}\n"))));
        let settings = StoreSettings { waits, ..session.store_settings(workspace) };
        let (journal, active) = journal(session, workspace, &settings)?;
        Ok(Self {
            ledger: WatchedLedger::new(journal),
            active,
            stores: session.stores(workspace)?.all,
            registries: Registries::new(&settings),
            settings,
            runner: session.host.runner(1),
        })
    }

    /// What finds what is released.
    pub(super) fn finder<'a>(&'a self, workspace: &'a Workspace) -> ArtifactFinder<'a> {
        let Self { stores, registries, runner, .. } = self;
        ArtifactFinder { workspace, stores, registries, runner }
    }

    /// What deployments are carried out with, which tell what happens, and what commands print.
    pub(super) fn host<'a>(
        &'a self,
        session: &'a Session,
        workspace: &'a Workspace,
        (tell, line): (Listener<'a>, Listener<'a>),
    ) -> DeployHost<'a> {
        let surroundings = session.surroundings();
        let url = surroundings.run_url().map_or(String::new(), |url| format!(" ({url})"));
        DeployHost {
            workspace,
            finder: self.finder(workspace),
            ledger: &self.ledger,
            runner: &self.runner,
            cancel: session.host.cancel().clone(),
            variables: session.host.environment(),
            settings: self.settings.clone(),
            surroundings,
            secrets: session.host.secrets().clone(),
            run: match session.host.environment().get(REQUESTED) {
                Some(run) => run.to_owned(),
                None => format!("{}{url}", surroundings.describe()),
            },
            tell,
            line,
        }
    }
}

/// Who is told what happens, and what commands print.
pub(super) fn voice(session: &Session) -> (impl Fn(&str) + Sync, impl Fn(&str) + Sync) {
    let (console, is_quiet) = (session.console(), session.flags.quiet);
    let secrets = session.host.secrets().clone();
    let tell = move |text: &str| {
        if !is_quiet {
            console.err(&format!("{}\n", secrets.mask(text)));
        }
    };
    let line = move |text: &str| {
        if !is_quiet {
            console.err(&format!("  {text}\n"));
        }
    };
    (tell, line)
}

/// The journal of `workspace`, with what machines elsewhere wrote down, and what goes on there.
pub(super) fn journal(
    session: &Session,
    workspace: &Workspace,
    settings: &StoreSettings,
) -> Result<(Journal, Vec<Deployment>), Fault> {
    let journal = Journal::in_folder(&ledger_folder(workspace)?)?;
    let Some(home) = RecordHome::find(session, workspace) else { return Ok((journal, Vec::new())) };
    let active = match home.api(session, settings)? {
        Some(api) => home.restore(session, workspace, &api, &journal)?,
        None => Vec::new(),
    };
    Ok((journal, active))
}

/// The ledger of `workspace`.
pub(in super::super) fn ledger_of(
    session: &Session,
    workspace: &Workspace,
) -> Result<Journal, Fault> {
    journal(session, workspace, &session.store_settings(workspace)).map(|(journal, _)| journal)
}

/// Where the ledger of `workspace` is on this machine.
pub(super) fn ledger_folder(workspace: &Workspace) -> Result<PathBuf, Fault> {
    match &workspace.ledger {
        Some(LedgerHome::Folder(named)) => Ok(named.clone()),
        _ => data_folder(workspace, "deployments"),
    }
}

/// The folder of `workspace` among the user's data that is for `purpose`.
pub(in super::super) fn data_folder(
    workspace: &Workspace,
    purpose: &str,
) -> Result<PathBuf, Fault> {
    // As a store of its own has it, whose name tells this workspace from others of the same name.
    match default_url(&workspace.project, &workspace.layout)? {
        StoreUrl::Dir(store) => {
            let name = store.file_name().map(PathBuf::from).unwrap_or_default();
            Ok(workspace.layout.user().data()?.join(purpose).join(name))
        }
        _ => Err(Fault::new(Kind::Usage, "there is no folder for the ledger of deployments")
            .hint("name one in versions.yml: `ledger: FOLDER`")),
    }
}

//! What jobs work with: the workspace, the ports, and how far they may go.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    cache::{Cache, Staging, stage},
    git,
    model::{ArtifactId, Event, EventSink, Fault, Name},
    plan::{Action, ActionLimits},
    process::{Cancel, CommandRunner, SandboxBase},
    provenance::{Classes, Surroundings},
    remote::RemoteCache,
    store::{Fetcher, Store},
    workspace::Workspaces,
};

/// What all jobs of a run share.
pub struct Context {
    /// The workspace, for every platform that is worked for.
    pub workspaces: Arc<Workspaces>,
    /// The user's cache.
    pub cache: Arc<Cache>,
    /// The project's releases, in order.
    pub stores: Vec<Arc<dyn Store>>,
    /// Fetches vendors' assets and source archives.
    pub fetcher: Fetcher,
    /// Runs commands.
    pub runner: Arc<dyn CommandRunner>,
    /// Takes events.
    pub events: Arc<dyn EventSink>,
    /// Ends the run.
    pub cancel: Cancel,
    /// The folder for this run's logs; made when the first command prints something.
    pub logs: PathBuf,
    /// Who builds in a folder of the workspace at this moment.
    pub turns: Turns,
    /// Where this run runs: what provenance says of the builder.
    pub surroundings: Surroundings,
    /// What is checked out in the workspace, once somebody asked.
    pub state: tokio::sync::OnceCell<Option<git::Checkout>>,
    /// What tools said of their versions.
    pub versions: ToolVersions,
    /// Of which subsystems it is known whether they may be published under their version, and why not.
    pub not_its_version: tokio::sync::Mutex<BTreeMap<Name, Option<Fault>>>,
    /// What sandboxes have in common, once some build asked; nothing if this system has none.
    pub sandbox_base: OnceLock<Option<Arc<SandboxBase>>>,
    /// Folders for the temporary files of builds that no build works in.
    pub temporary: TemporaryFolders,
    /// The cache that machines share, if there is one.
    pub remote: Option<Arc<RemoteCache>>,
    /// How many builds that were to run on workers run here at once.
    pub seats: tokio::sync::Semaphore,
    /// How far jobs may go.
    pub options: ExecuteOptions,
}

/// What tools said of their versions in this run.
#[derive(Debug, Default)]
pub struct ToolVersions(Mutex<BTreeMap<String, String>>);

impl ToolVersions {
    pub(super) fn known(&self, tool: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(tool).cloned()
    }

    pub(super) fn learn(&self, tool: &str, version: String) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(tool.to_owned()).or_insert(version).clone()
    }
}

/// Empty folders that builds had for their temporary files, for the next builds: making one for each
/// would cost more than starting a command.
#[derive(Debug, Default)]
pub struct TemporaryFolders(Mutex<Vec<Staging>>);

impl TemporaryFolders {
    fn take(&self) -> Option<Staging> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Takes `folder` back if nothing is in it; else it is removed.
    pub(super) fn give_back(&self, folder: Staging) {
        if folder.folder().is_empty().unwrap_or(false) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        }
    }
}

/// For each subsystem a turn, which one build at a time has.
#[derive(Debug, Default)]
pub struct Turns(Mutex<BTreeMap<Name, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// The turn of `name`.
    pub(super) fn turn_of(&self, name: &Name) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(name.clone()).or_default().clone()
    }
}

/// How far jobs may go.
#[derive(Clone, Copy, Debug)]
pub struct ExecuteOptions {
    /// `forge.lock` must not change, and must pin what is downloaded.
    pub locked: bool,
    /// Do not touch the network.
    pub offline: bool,
    /// Build what was asked for even if it is there.
    pub force: bool,
    /// Somebody asked for releases, so that a conflict is a failure and no mere warning.
    pub asked: bool,
    /// The stores are the embedded default, which the lock does not speak of.
    pub private_store: bool,
    /// What the run is, and whose work it uses.
    pub classes: Classes,
    /// How many actions of each kind may run at once.
    pub limits: ActionLimits,
}

impl Context {
    /// Says that `action` does something else now.
    pub(super) fn phase(&self, action: &Action, phase: impl Into<String>) {
        self.events.emit(Event::Phase { action: action.id, phase: phase.into() });
    }

    /// A new folder for half-made things.
    pub(super) fn staging(&self) -> Result<Staging, Fault> {
        stage(self.workspaces.layout())
    }

    /// An empty folder for the temporary files of a build.
    pub(super) fn temporary_folder(&self) -> Result<Staging, Fault> {
        self.temporary.take().map_or_else(|| self.staging(), Ok)
    }

    /// Where the commands for `id` log.
    pub(super) fn log(&self, id: &ArtifactId) -> PathBuf {
        self.logs.join(format!("{}.log", id.file_name()))
    }
}

/// Runs blocking work on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

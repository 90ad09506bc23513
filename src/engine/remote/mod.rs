//! The cache of builds that machines share, by the Remote Execution API: who may read and write it (`policy`),
//! what a key holds (`key`), and how artifacts come (`lookup`) and go (`keep`). `tasks` is the same for what tasks make.
//! `execution` has commands run on the workers of the same server, as an `order` says.
//!
//! What it gives is a claim of whoever may write to the server. So runs that publish do not read it, runs for
//! proposed changes do not write it, and nothing that came from it is ever released. It never fails a run: a
//! server that is down, slow, full or lies costs a build. After the first such trouble the run asks no more.

mod execution;
mod files;
mod keep;
mod key;
mod lookup;
mod order;
mod policy;
mod tasks;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
};

use crate::{
    model::{Environment, Fault, Kind, RemoteTotals},
    process::CommandRunner,
    provenance::Builder,
    reapi::{Connection, ConnectionSettings, Trouble, TroubleKind},
    workspace::Workspaces,
};

pub use files::NamedFiles;
pub use key::machine_in_keys;
pub use lookup::RemoteMention;
pub use order::{WorkerCommand, WorkerInput, WorkerOrder};
pub use policy::RemoteRights;
pub use tasks::SharedAction;

/// The remote cache of one run.
pub struct RemoteCache {
    workspaces: Arc<Workspaces>,
    runner: Arc<dyn CommandRunner>,
    environment: Environment,
    builder: Builder,
    rights: RemoteRights,
    /// How it is reached, or why it cannot be.
    settings: Result<ConnectionSettings, Fault>,
    connection: OnceCell<Option<Connection>>,
    /// The same, for what has to run there.
    workers: OnceCell<Connection>,
    /// What `getconf`, `sw_vers` and the tools of builds said.
    measured: tokio::sync::Mutex<BTreeMap<String, String>>,
    /// Whether the run asks no more: all that ask in one run share it.
    given_up: Arc<AtomicBool>,
    /// How many commands run on workers at once.
    slots: Semaphore,
    state: Mutex<RemoteState>,
    writing: Mutex<JoinSet<()>>,
}

/// What became of a run's dealings with it.
#[derive(Debug, Default)]
struct RemoteState {
    /// Whether the run writes no more.
    is_read_only: bool,
    warnings: Vec<Fault>,
    totals: RemoteTotals,
}

impl RemoteCache {
    /// That of `workspaces`, reached by `settings`. Nothing is connected to yet.
    pub fn new(
        workspaces: Arc<Workspaces>,
        runner: Arc<dyn CommandRunner>,
        builder: Builder,
        rights: RemoteRights,
        settings: Result<ConnectionSettings, Fault>,
        given_up: Arc<AtomicBool>,
    ) -> Self {
        let environment = runner.environment().clone();
        let execution = workspaces.any().remote.as_ref().and_then(|it| it.execution.as_ref());
        let slots = Semaphore::new(execution.map_or(1, |execution| execution.jobs));
        Self {
            workspaces,
            runner,
            environment,
            builder,
            rights,
            settings,
            connection: OnceCell::new(),
            workers: OnceCell::new(),
            measured: tokio::sync::Mutex::default(),
            given_up,
            slots,
            state: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    /// The cache, as records and reports name it.
    pub fn identity(&self) -> String {
        self.workspaces.any().remote.as_ref().map(|it| it.identity()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, RemoteState> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this run reads it.
    pub fn is_read(&self) -> bool {
        self.rights.unread.is_none()
    }

    /// Whether this run writes it.
    pub fn is_written(&self) -> bool {
        self.rights.unwritten.is_none() && !self.state().is_read_only
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// The server, once it said what it can; nothing if the run asks no more.
    async fn connection(&self) -> Option<&Connection> {
        if self.is_given_up() {
            return None;
        }
        self.connection
            .get_or_init(|| self.connect())
            .await
            .as_ref()
            .filter(|_| !self.is_given_up())
    }

    async fn connect(&self) -> Option<Connection> {
        let settings = match &self.settings {
            Ok(settings) => settings.clone(),
            Err(fault) => {
                if !self.given_up.swap(true, Ordering::Relaxed) {
                    self.state().warnings.push(fault.clone());
                }
                return None;
            }
        };
        let patience = settings.patience;
        let connected = async {
            let connection = Connection::new(settings)?;
            let capabilities = tokio::time::timeout(patience, connection.capabilities()).await;
            let late = |_| Trouble {
                kind: TroubleKind::Unavailable,
                why: format!("it did not answer within {} s", patience.as_secs_f64()),
            };
            capabilities.map_err(late)??;
            Ok(connection)
        };
        match connected.await {
            Ok(connection) => Some(connection),
            Err(trouble) => {
                self.give_up(&trouble);
                None
            }
        }
    }

    /// No further request in this run; said once.
    fn give_up(&self, trouble: &Trouble) {
        if self.given_up.swap(true, Ordering::Relaxed) {
            return;
        }
        let what = format!("the remote cache {} is not used in this run", self.identity());
        let fault = Fault::new(Kind::Store, what).because(trouble.why.clone());
        let hint =
            "nothing fails for it: what it could have had is built; `forge doctor` looks at it";
        self.state().warnings.push(fault.hint(hint));
    }

    /// Waits until all is written, and says what became of it: the totals, and what was not said yet.
    pub async fn finish(&self) -> (RemoteTotals, Vec<Fault>) {
        let mut writing =
            std::mem::take(&mut *self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        while writing.join_next().await.is_some() {}
        let mut state = self.state();
        let totals = RemoteTotals { cache: self.identity(), ..state.totals.clone() };
        (totals, std::mem::take(&mut state.warnings))
    }

    /// What is to be said and was not yet.
    fn take_warnings(&self) -> Vec<Fault> {
        std::mem::take(&mut self.state().warnings)
    }
}

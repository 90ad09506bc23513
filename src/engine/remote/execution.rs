//! Commands that run on workers: what goes in is sent as a tree of files, what comes out is compared with its
//! digests before it counts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    RemoteCache, WorkerOrder,
    files::{IntoCache, missing_of},
};
use crate::{
    cache::IncomingOutputs,
    model::{Fault, Kind, Sha256},
    process::Cancel,
    reapi::{
        BlobDigest, BlobSink, Connection, ExecutionOrder, ExecutionProgress, ExecutionResult,
        PrintedSink, RemoteAction, TreeEntry, Trouble, TroubleKind,
    },
};

/// How long what is executed may wait for a worker.
const QUEUE: Duration = Duration::from_secs(600);
/// How often what was executed is asked for again because its files are gone already.
const AGAIN: u32 = 2;

impl RemoteCache {
    /// Has `order` run by a worker. What it made is fetched later, by [`Self::fetch_made`]. Lines that it prints go to
    /// `printed` while it runs, if the server passes them on.
    ///
    /// # Errors
    /// `Store` if no worker can be had; `Timeout` if it took too long; `Interrupted` if the run was stopped. That a
    /// command failed is no error here.
    pub async fn run_on_worker(
        &self,
        order: &WorkerOrder,
        is_anew: bool,
        printed: PrintedSink<'_>,
        cancel: &Cancel,
    ) -> Result<ExecutionResult, Fault> {
        let slots = self.slots.acquire();
        let _slot = tokio::select! {
            slot = slots => slot,
            () = cancel.cancelled() => return Err(cancel.fault(&order.name)),
        };
        let connection = self.worker_connection().await?;
        let tree = {
            let order = order.clone();
            let hashed = tokio::task::spawn_blocking(move || order.tree()).await;
            hashed.map_err(|error| Fault::new(Kind::Failed, error.to_string()))??
        };
        let (root, mut blobs) = tree.blobs();
        let action = RemoteAction {
            arguments: vec!["/bin/sh".into(), "-c".into(), order.script()],
            variables: order.plain_variables(),
            outputs: order.outputs.clone(),
            platform: order.properties.clone(),
            inputs: Some(root),
            timeout: order.timeout,
            salt: self.salt(),
        };
        blobs.extend(action.blobs());
        let order_of = ExecutionOrder {
            action: action.digest(),
            blobs: &blobs,
            is_anew: is_anew || self.rights.unread.is_some(),
            queue: QUEUE,
            printed: Some(printed),
        };
        let mut progress = ExecutionProgress::default();
        let stopped = tokio::select! {
            done = execute_patiently(connection, &order_of, &mut progress) => {
                let done = done.map_err(|trouble| self.not_run(order, &trouble))?;
                let mut state = self.state();
                state.totals.sent += done.sent;
                match done.is_known {
                    true => state.totals.fetched += 1,
                    false => state.totals.executed += 1,
                }
                return Ok(done);
            }
            () = cancel.cancelled() => cancel.fault(&order.name),
        };
        connection.stop_execution(&progress).await;
        Err(stopped)
    }

    /// Fetches the files that `incoming` lacks, of what a worker made.
    ///
    /// # Errors
    /// `Ok(false)` if they are gone already; `Store` if they cannot be fetched.
    pub async fn fetch_made(
        &self,
        result: &ExecutionResult,
        incoming: &IncomingOutputs<'_>,
    ) -> Result<bool, Fault> {
        let connection = self.worker_connection().await?;
        let digests = result.outputs.values().filter_map(|entry| match entry {
            TreeEntry::File { digest, .. } => Some((digest.sha256, digest.size)),
            _ => None,
        });
        let sizes: BTreeMap<Sha256, u64> = digests.collect();
        let missing = || missing_of(incoming, &sizes);
        let mut patience = ServerPatience::new(connection);
        let taken = loop {
            let taken = connection.read_missing(&missing, &IntoCache(incoming)).await;
            if !patience.is_for(taken.as_ref().err()).await {
                break taken;
            }
        };
        self.fetched(taken)
    }

    /// Fetches files that a worker made into `sink`. Says whether all were still there.
    ///
    /// # Errors
    /// `Store` if they cannot be fetched.
    pub async fn fetch_into(
        &self,
        digests: Vec<BlobDigest>,
        sink: &dyn BlobSink,
    ) -> Result<bool, Fault> {
        self.fetched(self.worker_connection().await?.read_all(digests, sink).await)
    }

    fn fetched(&self, taken: Result<(), Trouble>) -> Result<bool, Fault> {
        match taken {
            Ok(()) => Ok(true),
            Err(trouble) if trouble.kind == TroubleKind::Absent => Ok(false),
            Err(trouble) => {
                let what = format!("what a worker of {} made cannot be fetched", self.identity());
                Err(Fault::new(Kind::Store, what).because(trouble.why))
            }
        }
    }

    /// How often what was executed is asked for again because its files are gone.
    pub fn tries_of_fetching() -> u32 {
        AGAIN
    }

    /// Whether a failure to reach a worker means that the command runs here.
    pub fn falls_back(&self) -> bool {
        let settings = self.workspaces.any().remote.as_ref();
        settings.and_then(|settings| settings.execution.as_ref()).is_some_and(|it| it.falls_back)
    }

    /// The server, for what has to run there: it is tried for as long as it may be silent, also where the cache was
    /// given up.
    async fn worker_connection(&self) -> Result<&Connection, Fault> {
        let unreachable = |why: String| {
            let what = format!("the workers of {} cannot be used", self.identity());
            Fault::new(Kind::Store, what).because(why).hint(HINT)
        };
        let connect = async || {
            let settings = self.settings.clone()?;
            let connection =
                Connection::new(settings).map_err(|trouble| unreachable(trouble.why))?;
            let mut patience = ServerPatience::new(&connection);
            loop {
                let answer = connection.capabilities().await;
                if patience.is_for(answer.as_ref().err()).await {
                    continue;
                }
                return match answer {
                    Ok(capabilities) if capabilities.executes => Ok(connection),
                    Ok(_) => {
                        Err(unreachable("the server executes nothing: it is a cache alone".into()))
                    }
                    Err(trouble) => Err(unreachable(trouble.why)),
                };
            }
        };
        self.workers.get_or_try_init(connect).await
    }

    fn not_run(&self, order: &WorkerOrder, trouble: &Trouble) -> Fault {
        if trouble.kind == TroubleKind::Late {
            let what = format!("{} took longer than it may", order.name);
            return Fault::new(Kind::Timeout, what).because(trouble.why.clone());
        }
        let what = format!("{} could not run on a worker of {}", order.name, self.identity());
        Fault::new(Kind::Store, what).because(trouble.why.clone()).hint(HINT)
    }
}

const HINT: &str = "`forge doctor` looks at the server; `fallback: local` in `remote` of versions.yml lets \
                    commands run here then";

/// How long a server that cannot be reached is tried again: as long as it may be silent.
struct ServerPatience {
    limit: Duration,
    /// Since when it cannot be reached.
    since: Option<Instant>,
}

impl ServerPatience {
    const PAUSE: Duration = Duration::from_millis(250);

    fn new(connection: &Connection) -> Self {
        Self { limit: connection.patience(), since: None }
    }

    /// Whether another try is worth it after `trouble`, and is due now.
    async fn is_for(&mut self, trouble: Option<&Trouble>) -> bool {
        if trouble.is_none_or(|trouble| trouble.kind != TroubleKind::Unavailable) {
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_left = since.elapsed() < self.limit;
        if is_left {
            tokio::time::sleep(Self::PAUSE).await;
        }
        is_left
    }
}

async fn execute_patiently(
    connection: &Connection,
    order: &ExecutionOrder<'_>,
    progress: &mut ExecutionProgress,
) -> Result<ExecutionResult, Trouble> {
    let mut patience = ServerPatience::new(connection);
    loop {
        let done = connection.execute(order, progress).await;
        // What it made may be gone before it is known what that is.
        let is_gone = done.as_ref().is_err_and(|trouble| trouble.kind == TroubleKind::Absent);
        if is_gone && patience.since.is_none() {
            patience.since = Some(Instant::now());
            continue;
        }
        if !patience.is_for(done.as_ref().err()).await {
            return done;
        }
    }
}

//! `forge serve`: deployments that are asked for from elsewhere wait in a queue, and each is carried out by a
//! process of its own.
//!
//! ```text
//! gRPC (`grpc`) ─┐                          ┌─ queue: the port `JobQueue`, in tables (`stored`, `sql`) that are at home
//! JSON (`http`) ─┴─> `calls` ─> refusals ───┤         in SQLite (`sqlite`), or for several servers in PostgreSQL (`postgres`)
//!                                           └─ `conductor`: claims, starts, looks after, finds again
//!                                                 │ a folder for each job (`seat`)
//!                                                 └─> forge serve:job FOLDER deploy ENVIRONMENT NAME
//! ```
//!
//! A job is one request, and ends exactly once. Its process holds a lock in its folder for as long as it or one of
//! its commands lives, and leaves there how it ended before it lets go. So a server that was killed finds what goes
//! on, what ended meanwhile, and what died without a word, and tells each truly. What was deployed is in the ledger,
//! as after any `forge deploy`.

mod callers;
mod calls;
mod client;
mod conductor;
mod grpc;
mod http;
mod job;
mod lease;
mod messages;
mod metrics;
mod openapi;
mod postgres;
mod postgres_tls;
mod queue;
mod refusal;
mod schedule;
mod seat;
mod server;
mod sql;
mod sqlite;
mod stored;
#[cfg(test)]
mod tests;
mod watch;
mod writer;

use async_trait::async_trait;

pub use callers::Callers;
pub use client::{DeployAway, DeployClient, RemoteJob, RemoteReport};
pub use conductor::{JobProcess, JobStarter, ServeListener, SharedQueue};
pub use job::{JobEnd, JobFilter, JobKind, JobRequest, JobState, NewJob, ServedJob};
pub use lease::{JobLease, LeaseFinding, check_lease};
pub use openapi::openapi;
pub use postgres::is_database;
pub use queue::{Admission, JobOutput, JobQueue, OutputStream};
pub use seat::{JobOutcome, JobSeat};
pub use server::{ServeParts, ServeSettings, ServerTls, serve, server_name};
pub use stored::StoredJobs;
pub use watch::JobEvent;

use crate::{model::Fault, process::ProcessId, workspace::DeploySchedule};

/// What a server knows of the workspace that it deploys from, and of its ledger.
#[async_trait]
pub trait DeployGround: Send + Sync {
    /// The environments, and what of the workspace can be deployed.
    ///
    /// # Errors
    /// If the workspace cannot be read.
    async fn catalog(&self) -> Result<Catalog, Fault>;

    /// What is done by itself.
    ///
    /// # Errors
    /// If the workspace cannot be read.
    async fn schedules(&self) -> Result<Vec<DeploySchedule>, Fault>;

    /// What runs where.
    ///
    /// # Errors
    /// If the workspace or the ledger cannot be read.
    async fn placements(&self) -> Result<Vec<ServedEnvironment>, Fault>;

    /// What the ledger says of the deployments that `process` of this machine ran.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn deployed_by(&self, process: ProcessId) -> Result<Vec<LedgerEntry>, Fault>;
}

/// What can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The environments.
    pub environments: Vec<String>,
    /// The subsystems that say how they are deployed.
    pub names: Vec<String>,
}

/// An environment, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedEnvironment {
    /// Its name.
    pub name: String,
    /// What is there.
    pub placements: Vec<ServedPlacement>,
}

/// A subsystem in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedPlacement {
    /// The subsystem.
    pub name: String,
    /// Its version there, if it was deployed.
    pub version: Option<String>,
    /// The deployment that brought it.
    pub ledger_id: Option<u64>,
    /// What should be known of it.
    pub notes: Vec<String>,
}

/// A deployment in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its number.
    pub id: u64,
    /// Its state, as a job has it.
    pub state: JobState,
    /// What became of it, in a sentence.
    pub told: String,
}

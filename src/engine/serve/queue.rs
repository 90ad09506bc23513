//! The port to where jobs are kept.

use async_trait::async_trait;

use super::{JobEnd, JobFilter, JobState, NewJob, ServedJob};
use crate::{model::Fault, process::ProcessId};

/// What becomes of a job that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It waits for its turn.
    New(Box<ServedJob>),
    /// The key is that of this one, which does the same.
    Known(Box<ServedJob>),
    /// The key is that of this one, which does something else.
    Other(Box<ServedJob>),
    /// So many wait already.
    Full(u64),
}

/// What of a job is printed where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// What people read.
    Log,
    /// Its JSON document.
    Document,
}

impl OutputStream {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Document => "document",
        }
    }
}

/// A piece of what a job printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutput {
    /// Where it was printed.
    pub stream: OutputStream,
    /// At which byte it begins.
    pub start: u64,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Where jobs are kept. What a method returned survives the end of this process and of the machine; each is one
/// step that others see whole or not at all.
///
/// At any moment at most one job of a subsystem in an environment is at work, and none beside one of that
/// environment that is about all subsystems; but for those that only look.
///
/// Several servers may share a queue. Each is an *owner* of the jobs that it claimed. A job is its owner's while
/// something is heard of it, which is when it is claimed, when it begins, and at each `beat`; each of these makes that
/// last for the time of a *lease*.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Keeps a job, unless `most` wait already.
    ///
    /// # Errors
    /// `Failed` if it cannot be kept; so do all others. `Store` if where it is kept is not reached.
    async fn add(&self, new: NewJob, most: u64) -> Result<Admission, Fault>;

    /// The job with this number.
    async fn get(&self, id: u32) -> Result<Option<ServedJob>, Fault>;

    /// The jobs that `filter` describes.
    async fn list(&self, filter: JobFilter) -> Result<Vec<ServedJob>, Fault>;

    /// Gives the next job whose turn it is to `owner`: what brings an earlier version back first, else who came
    /// first.
    async fn claim(&self, owner: &str) -> Result<Option<ServedJob>, Fault>;

    /// Says which process an attempt at a job has. False if it is not at work any more.
    async fn began(&self, id: u32, attempt: u32, process: ProcessId) -> Result<bool, Fault>;

    /// Says that an attempt at a job goes on, and returns the job's state; nothing if it is not at work any more.
    async fn beat(&self, id: u32, attempt: u32) -> Result<Option<JobState>, Fault>;

    /// Puts a job back whose attempt did nothing.
    async fn put_back(&self, id: u32, attempt: u32) -> Result<(), Fault>;

    /// Sees to the jobs of other owners than this one whose lease is over: one that never began waits again, any other
    /// is interrupted. Returns them.
    async fn end_overdue(&self, owner: &str) -> Result<Vec<ServedJob>, Fault>;

    /// Cancels a job that waits, or says that the one at work is to end. One that has ended stays as it is.
    async fn cancel(&self, id: u32, why: &str) -> Result<Option<ServedJob>, Fault>;

    /// Ends an attempt at a job; one that has ended stays as it is.
    async fn end(&self, id: u32, attempt: u32, state: JobState, end: JobEnd) -> Result<(), Fault>;

    /// The jobs that `owner` is at work on.
    async fn at_work(&self, owner: &str) -> Result<Vec<ServedJob>, Fault>;

    /// How many jobs there are in each state.
    async fn counts(&self) -> Result<Vec<(JobState, u64)>, Fault>;

    /// Keeps a piece of what an attempt printed, for servers that do not see its files.
    async fn keep_output(&self, id: u32, attempt: u32, piece: JobOutput) -> Result<(), Fault>;

    /// The piece of what an attempt printed that begins at the byte `from`.
    async fn output(
        &self,
        id: u32,
        attempt: u32,
        stream: OutputStream,
        from: u64,
    ) -> Result<Option<JobOutput>, Fault>;

    /// When a schedule had its turn last, in milliseconds since 1970.
    async fn due(&self, schedule: &str) -> Result<Option<i64>, Fault>;

    /// Says that the turn of a schedule at `due` is over, before which the one at `last` was. False if somebody else
    /// said so before.
    async fn pass(&self, schedule: &str, last: Option<i64>, due: i64) -> Result<bool, Fault>;
}

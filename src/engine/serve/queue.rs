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

/// Where jobs are kept. What a method returned survives the end of this process and of the machine; each is one
/// step that others see whole or not at all.
///
/// At any moment at most one job of a subsystem in an environment is at work, and none beside one of that
/// environment that is about all subsystems.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Keeps a job, unless `most` wait already.
    ///
    /// # Errors
    /// `Failed` if it cannot be kept; so do all others.
    async fn add(&self, new: NewJob, most: u64) -> Result<Admission, Fault>;

    /// The job with this number.
    async fn get(&self, id: u32) -> Result<Option<ServedJob>, Fault>;

    /// The jobs that `filter` describes.
    async fn list(&self, filter: JobFilter) -> Result<Vec<ServedJob>, Fault>;

    /// Gives the next job whose turn it is to `owner`: what brings an earlier version back first, else who came
    /// first.
    async fn claim(&self, owner: &str) -> Result<Option<ServedJob>, Fault>;

    /// Says which process an attempt at a job has.
    async fn began(&self, id: u32, attempt: u32, process: ProcessId) -> Result<(), Fault>;

    /// Puts a job back whose attempt did nothing.
    async fn put_back(&self, id: u32, attempt: u32) -> Result<(), Fault>;

    /// Cancels a job that waits, or says that the one at work is to end. One that has ended stays as it is.
    async fn cancel(&self, id: u32, why: &str) -> Result<Option<ServedJob>, Fault>;

    /// Ends a job that is at work; one that has ended stays as it is.
    async fn end(&self, id: u32, state: JobState, end: JobEnd) -> Result<(), Fault>;

    /// The jobs that `owner` is at work on.
    async fn at_work(&self, owner: &str) -> Result<Vec<ServedJob>, Fault>;

    /// How many jobs there are in each state.
    async fn counts(&self) -> Result<Vec<(JobState, u64)>, Fault>;
}

//! Deployments at the host of the repository: records that people look at there, and that bring the ledger
//! to machines which share no disk.
//!
//! ```text
//! DeployStep ─> DeployRecords ─> github: a record, its states, a status of the commit
//!                             └> gitlab: a deployment and its state
//! records ─> restore ─> Deployment, taken into a journal
//! ```

mod comment;
mod github;
mod gitlab;
mod place;
mod restore;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use comment::{PreviewComment, PullRequestState, pull_request};
pub use place::RecordPlace;
pub use restore::{RecordedDeployments, recorded};

use super::DeployStep;
use crate::{
    model::Fault,
    store::{RepositoryApi, RepositoryHost},
};

/// Writes deployments down at the host of a repository.
pub struct DeployRecords {
    api: RepositoryApi,
    place: RecordPlace,
    /// The numbers of their records there.
    known: BTreeMap<u64, u64>,
    /// Whether the job has made a record of its own for an environment: its number.
    of_job: BTreeMap<String, Option<u64>>,
    /// The environments where something failed in this run.
    failed: BTreeSet<String>,
}

impl DeployRecords {
    /// At the host that `api` asks, for what runs at `place`.
    pub fn new(api: RepositoryApi, place: RecordPlace) -> Self {
        let (known, of_job, failed) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { api, place, known, of_job, failed }
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// `Store` if the host does not take it.
    pub async fn take(&mut self, step: &DeployStep) -> Result<(), Fault> {
        match self.api.kind() {
            RepositoryHost::GitHub => self.take_at_github(step).await,
            RepositoryHost::GitLab => self.take_at_gitlab(step).await,
        }
    }
}

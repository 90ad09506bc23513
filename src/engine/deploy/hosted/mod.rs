//! Deployments at the host of the repository: records that people look at there, and that bring the ledger
//! to machines which share no disk.
//!
//! ```text
//! DeployStep ─> DeployRecords ─> github: a record, its states, a status of the commit
//!                             └> gitlab: a deployment and its state
//! records ─> restore ─> Deployment, taken into a journal
//! ```

mod github;
mod gitlab;
mod place;
mod restore;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use place::RecordPlace;
pub use restore::{RecordedDeployments, recorded};

use super::{DeployStep, Deployment};
use crate::{
    model::{Fault, Secrets},
    store::{RepositoryApi, RepositoryHost},
};

/// Writes deployments down at the host of a repository.
pub struct DeployRecords {
    api: RepositoryApi,
    place: RecordPlace,
    secrets: Secrets,
    /// The numbers of their records there.
    known: BTreeMap<u64, u64>,
    /// Whether the job has made a record of its own for an environment: its number.
    of_job: BTreeMap<String, Option<u64>>,
    /// The environments where something failed in this run.
    failed: BTreeSet<String>,
}

impl DeployRecords {
    /// At the host that `api` asks, for what runs at `place`. Settings that hold one of `secrets` are left
    /// out.
    pub fn new(api: RepositoryApi, place: RecordPlace, secrets: Secrets) -> Self {
        let (known, of_job, failed) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { api, place, secrets, known, of_job, failed }
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

    /// `deployment` as records have it: without what only its machine knows, and without settings that
    /// hold a secret.
    fn payload(&self, deployment: &Deployment) -> Deployment {
        let is_secret = |value: &String| *self.secrets.mask(value) != **value;
        let mut config = deployment.config.clone();
        config.retain(|_, value| !is_secret(value));
        Deployment { config, changes: Vec::new(), commands: Vec::new(), ..deployment.clone() }
    }
}

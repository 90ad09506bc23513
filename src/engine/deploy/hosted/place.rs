//! What is said of where a deployment runs.

use crate::{deploy::Deployment, provenance::Surroundings};

/// Where deployments run, as records have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPlace {
    /// The commit that they are deployed from.
    pub commit: String,
    /// The branch or tag, where the host wants it; and whether it is a tag.
    pub reference: Option<(String, bool)>,
    /// The page of the run.
    pub run: Option<String>,
    /// What the environment of pull requests is called, of which the host has one for all of them.
    pub previews: Option<String>,
    /// Whether the job says which environment it is for, of which its host keeps a record by itself.
    pub has_environment: bool,
}

impl RecordPlace {
    /// That of a run in `surroundings`, of `commit`.
    pub fn new(surroundings: &Surroundings, commit: String, has_environment: bool) -> Self {
        let tag = surroundings.tag().map(|tag| (tag.to_owned(), true));
        let branch = || surroundings.branch().map(|branch| (branch.to_owned(), false));
        Self {
            commit,
            reference: tag.or_else(branch),
            previews: None,
            run: surroundings.run_url().map(str::to_owned),
            has_environment,
        }
    }

    /// What the environment of `deployment` is called there.
    pub(super) fn environment<'a>(&'a self, deployment: &'a Deployment) -> &'a str {
        let previews = self.previews.as_deref().filter(|_| deployment.pull_request.is_some());
        previews.unwrap_or(&deployment.environment)
    }

    /// What all pages of the run's attempts begin with.
    pub(super) fn run_page(&self) -> Option<&str> {
        let run = self.run.as_deref()?;
        Some(run.split("/attempts/").next().unwrap_or(run))
    }
}

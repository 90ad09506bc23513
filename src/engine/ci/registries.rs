//! What workflows need for the registries that images are pushed to: what their jobs may, and logins.

use super::steps::{WRITE, WRITE_AND_ATTEST};

/// GitHub's registry, which takes the token of a job.
const GITHUB: &str = "ghcr.io";

/// The registries that the images of a workspace are pushed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowRegistries {
    /// Their hosts, sorted. Those of a machine itself need no login and are not among them.
    pub hosts: Vec<String>,
    /// Whether images have the tag of the project as their version.
    pub follow_tags: bool,
}

impl WorkflowRegistries {
    /// What a job may that only reads, as far as `usual` says it.
    pub(super) fn reading(&self, usual: &[&'static str]) -> Vec<&'static str> {
        let more = self.is_at_github().then_some("packages: read # whether images are there");
        usual.iter().copied().chain(more).collect()
    }

    /// What a job may that publishes, and lets GitHub attest that if `attests`.
    pub(super) fn publishing(&self, attests: bool) -> Vec<&'static str> {
        let usual = if attests { WRITE_AND_ATTEST } else { WRITE };
        let more = "packages: write # images; only the step that publishes has the token";
        usual.iter().copied().chain(self.is_at_github().then_some(more)).collect()
    }

    /// The variables with logins to the others: of one by its name, of several as Docker keeps them.
    pub(super) fn logins(&self) -> Vec<(&'static str, &str)> {
        let others: Vec<&String> = self.hosts.iter().filter(|host| *host != GITHUB).collect();
        match others.as_slice() {
            [] => Vec::new(),
            [host] => vec![
                ("FORGE_REGISTRY", host.as_str()),
                ("FORGE_REGISTRY_USER", "${{ vars.REGISTRY_USER }}"),
                ("FORGE_REGISTRY_TOKEN", "${{ secrets.REGISTRY_TOKEN }}"),
            ],
            _ => vec![("DOCKER_AUTH_CONFIG", "${{ secrets.DOCKER_AUTH_CONFIG }}")],
        }
    }

    /// What makes a run take only what has changed, on a branch. On a tag of the project it takes all.
    pub(super) fn selection(&self) -> &'static str {
        if self.follow_tags { " --affected" } else { "" }
    }

    /// Whether there are images at all.
    pub(super) fn are_there(&self) -> bool {
        self.follow_tags || !self.hosts.is_empty()
    }

    fn is_at_github(&self) -> bool {
        self.hosts.iter().any(|host| host == GITHUB)
    }
}

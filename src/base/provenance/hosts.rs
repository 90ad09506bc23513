//! A run of a CI host besides GitHub and GitLab, by what the host's own variables say of it.

mod table;

use super::surroundings::{RunVariables, filled};
use table::HOSTS;

/// A run of a CI host that is neither GitHub's nor GitLab's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiRun {
    /// The host; none if it says no more than that it is a CI.
    pub host: Option<&'static str>,
    /// Whether it is for a proposed change; nothing if the host does not say.
    pub is_proposal: Option<bool>,
    /// The page of the run.
    pub run_url: Option<String>,
}

impl CiRun {
    /// The run that `variables` speak of; none if no known host set them.
    pub(super) fn from_variables(variables: RunVariables) -> Option<Self> {
        let known: Vec<_> = HOSTS.iter().filter(|host| host.is_here(variables)).collect();
        let host = known.first()?;
        let told: Vec<_> = known.iter().map(|host| host.is_proposal(variables)).collect();
        let is_proposal = match told.contains(&Some(true)) {
            true => Some(true),
            false => told.first().copied().flatten(),
        };
        let text = |name: &str| variables.filled(name).map(str::to_owned);
        Some(Self {
            host: Some(host.name),
            is_proposal,
            run_url: filled(host.run_url).and_then(text),
        })
    }

    /// Whether the host says that it is for no proposed change.
    pub(super) fn is_known_to_be_accepted(&self) -> bool {
        self.is_proposal == Some(false)
    }
}

#[cfg(test)]
mod tests;

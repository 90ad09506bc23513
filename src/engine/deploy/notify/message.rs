//! What people are told, and in which words.

use crate::deploy::{DeployState, DeployStep};

/// Something that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeployEvent {
    Started,
    Succeeded,
    /// It succeeded, and what was before it had failed.
    Recovered,
    Failed,
    RolledBack,
    Stuck,
    Cancelled,
}

impl DeployEvent {
    /// What a step is, the closest first.
    pub(super) fn all(step: &DeployStep) -> &'static [Self] {
        match step.change.state {
            DeployState::Deploying => &[Self::Started],
            DeployState::Succeeded if step.recovers => &[Self::Recovered, Self::Succeeded],
            DeployState::Succeeded => &[Self::Succeeded],
            DeployState::Failed | DeployState::TimedOut | DeployState::Interrupted => {
                &[Self::Failed]
            }
            DeployState::RolledBack => &[Self::RolledBack],
            DeployState::Stuck => &[Self::Stuck],
            DeployState::Cancelled => &[Self::Cancelled],
            _ => &[],
        }
    }

    /// What it is called in `on`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Recovered => "recovered",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Stuck => "stuck",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether somebody has to look.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::RolledBack | Self::Stuck | Self::Cancelled)
    }

    /// It as a sentence about the deployment, without a full stop.
    pub(super) fn sentence(self, step: &DeployStep) -> String {
        let label = step.deployment.label();
        match self {
            Self::Started => format!("the deployment of {label} started"),
            Self::Succeeded => format!("the deployment of {label} succeeded"),
            Self::Recovered => format!("the deployment of {label} succeeded, which failed before"),
            Self::Failed => format!("the deployment of {label} failed"),
            Self::RolledBack => format!("{label} failed, and the earlier version is back"),
            Self::Stuck => {
                format!("{label} failed, and the earlier version could not be brought back")
            }
            Self::Cancelled => format!("the deployment of {label} was cancelled"),
        }
    }
}

//! The states of a deployment, and which may follow which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployState {
    /// It waits for its turn.
    Queued,
    /// It has its turn; what it deploys is fetched and verified.
    Checking,
    /// Its commands run.
    Deploying,
    /// Its gates are looked at.
    Verifying,
    /// It passed them.
    Succeeded,
    /// It did not.
    Failed,
    /// It failed, and an earlier version is brought back.
    RollingBack,
    /// An earlier version is back.
    RolledBack,
    /// It failed, and so did what should have brought an earlier version back.
    Stuck,
    /// Somebody stopped it.
    Cancelled,
    /// It took too long.
    TimedOut,
    /// Whoever ran it is gone.
    Interrupted,
}

impl DeployState {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Queued,
        Self::Checking,
        Self::Deploying,
        Self::Verifying,
        Self::Succeeded,
        Self::Failed,
        Self::RollingBack,
        Self::RolledBack,
        Self::Stuck,
        Self::Cancelled,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// What people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Checking => "checking",
            Self::Deploying => "deploying",
            Self::Verifying => "verifying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
            Self::Stuck => "stuck",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed out",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether its stack is its own now.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Checking | Self::Deploying | Self::Verifying | Self::RollingBack)
    }

    /// Whether nothing more becomes of it by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        self != Self::Queued && !self.is_active()
    }

    /// Whether `next` may follow it.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        let ends =
            matches!(next, Self::Failed | Self::Cancelled | Self::TimedOut | Self::Interrupted);
        match self {
            Self::Queued => next == Self::Checking || ends,
            Self::Checking => next == Self::Deploying || ends,
            Self::Deploying => next == Self::Verifying || ends,
            Self::Verifying => next == Self::Succeeded || ends,
            Self::Failed | Self::TimedOut => next == Self::RollingBack,
            Self::RollingBack => {
                matches!(next, Self::RolledBack | Self::Stuck | Self::Interrupted)
            }
            _ => false,
        }
    }
}

impl fmt::Display for DeployState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! The plan: what a run will do, as data. What `--dry-run` prints is what a run executes.
//!
//! [`compile`] turns findings into a DAG of actions; [`Schedule`] decides, as a plain state
//! machine without I/O and clock, which action may start next.

mod compile;
mod schedule;

use crate::{
    model::{ActionId, ArtifactId, ArtifactReport, Fault},
    probe::Finding,
};

pub use compile::compile;
pub use schedule::{ActionLimits, Ended, Schedule};

/// What a run will do.
#[derive(Debug, Default)]
pub struct Plan {
    /// The actions, numbered by their [`ActionId`]. An action only waits for earlier ones.
    pub actions: Vec<Action>,
    /// The findings that the actions work on, by [`Action::finding`].
    pub findings: Vec<Finding>,
    /// What needs no action: fresh artifacts, and those that cannot be obtained.
    pub settled: Vec<ArtifactReport>,
    /// What is removed, because the manifest names it no longer.
    pub leftovers: Vec<ArtifactId>,
    /// What looking found worth telling.
    pub warnings: Vec<Fault>,
}

/// One action on one artifact.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its number.
    pub id: ActionId,
    /// What it does.
    pub step: ActionKind,
    /// What it works on: an index into [`Plan::findings`].
    pub finding: usize,
    /// What has to be done before.
    pub after: Vec<ActionId>,
    /// Whether a worker does it.
    pub is_elsewhere: bool,
    /// Seconds that it and the longest chain of actions waiting for it are expected to take.
    pub weight: f64,
}

impl Action {
    /// What would be done.
    pub fn would_be(&self) -> &'static str {
        if self.is_elsewhere { "built on a worker" } else { self.step.would_be() }
    }
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// Brings back links or record of what is installed.
    Repair,
    /// Installs from the user's cache.
    Link,
    /// Downloads from the store with this index.
    Download(usize),
    /// Downloads from the vendor.
    FetchUpstream,
    /// Installs what came from the remote cache.
    TakeRemote,
    /// Builds from source.
    Build,
    /// Packs what is installed and publishes it to the first store.
    Publish,
}

impl ActionKind {
    /// The word for it in progress, as a participle.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Repair => "repairing",
            Self::Link => "linking",
            Self::Download(_) => "downloading",
            Self::FetchUpstream => "fetching",
            Self::TakeRemote => "installing",
            Self::Build => "building",
            Self::Publish => "publishing",
        }
    }

    /// The word for it in a plan: what the artifact would be.
    pub fn would_be(self) -> &'static str {
        match self {
            Self::Repair => "repaired",
            Self::Link => "linked from the cache",
            Self::Download(_) => "downloaded",
            Self::FetchUpstream => "fetched from its vendor",
            Self::TakeRemote => "taken from the remote cache",
            Self::Build => "built",
            Self::Publish => "published",
        }
    }
}

impl Plan {
    /// Settles what workers do: nothing, unless they `can` be asked.
    pub fn place(&mut self, can: bool) {
        for action in &mut self.actions {
            action.is_elsewhere &= can;
        }
    }

    /// The artifact that `action` works on.
    pub fn artifact(&self, action: &Action) -> &ArtifactId {
        &self.findings[action.finding].want.id
    }
}

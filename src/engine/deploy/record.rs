//! What the ledger says of one deployment.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Artifact, DeployState};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    process::ProcessId,
    workspace::DeployRecipe,
};

/// One attempt to bring one subsystem at one released version into one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number, from 1.
    pub id: u64,
    /// The environment.
    pub environment: String,
    /// The subsystem.
    pub name: String,
    /// The version, as in the tag of its release.
    pub version: String,
    /// What is deployed.
    pub artifact: Artifact,
    /// What it changes; of deployments with the same stack one runs at a time.
    pub stack: String,
    /// Its settings, without secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// A digest over what it does, but for what it deploys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
    /// What it is done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<DeployRecipe>,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The deployment that it brings an earlier version back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_from: Option<u64>,
    /// The pull request whose preview it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// Its number in the ledger of the machine that ran it, if that is another one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<u64>,
    /// Whether it removes what is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub destroys: bool,
    /// Whether somebody asked for it though something stood against it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
    /// Where it runs: a laptop, or which run of CI.
    pub run: String,
    /// Which process runs it.
    pub owner: DeployOwner,
    /// The processes of its commands that leave locks behind if they are killed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<ProcessId>,
    /// Its states, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<StateChange>,
}

/// Who runs a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployOwner {
    /// The machine.
    pub host: String,
    /// The process, and when it began.
    pub process: ProcessId,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// When, by the clock of the machine that wrote it. Their order is that of the ledger.
    pub at: String,
    /// To which state.
    pub state: DeployState,
    /// Why.
    pub why: String,
    /// The exit code of the command that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

impl StateChange {
    /// A change that happens now.
    pub fn now(state: DeployState, why: impl Into<String>) -> Self {
        let at = Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_default();
        Self { at: at.to_string(), state, why: why.into(), exit_code: None }
    }
}

impl DeployOwner {
    /// This process.
    pub fn this() -> Self {
        // Where the system does not say, the process alone has to do.
        let host = read_text(Path::new("/proc/sys/kernel/hostname"), MOST_OF_TEXT);
        let host = host.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned());
        let number = i32::try_from(std::process::id()).unwrap_or_default();
        let process = ProcessId::find(number).unwrap_or_else(|| ProcessId::unknown(number));
        Self { host, process }
    }
}

impl Deployment {
    /// Whether it may have changed something.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.changes.iter().any(|change| change.state == DeployState::Deploying)
    }

    /// What tells it from others whose outcome is another: the digest of what is deployed, and of how.
    pub fn identity(&self) -> (&str, &str) {
        (self.artifact.digest(), &self.settings)
    }

    /// Its state now.
    pub fn state(&self) -> DeployState {
        self.changes.last().map_or(DeployState::Queued, |change| change.state)
    }

    /// Why it is so.
    pub fn why(&self) -> &str {
        self.changes.last().map_or("", |change| change.why.as_str())
    }

    /// When that began.
    pub fn since(&self) -> &str {
        self.changes.last().map_or("", |change| change.at.as_str())
    }

    /// Whether it ended because of what was deployed, or of what deployed it.
    pub fn has_failed(&self) -> bool {
        let failed = [DeployState::Failed, DeployState::TimedOut];
        self.changes.iter().any(|change| failed.contains(&change.state))
    }

    /// `api v1.2.0 in test`.
    pub fn label(&self) -> String {
        format!("{} {} in {}", self.name, self.version, self.environment)
    }
}

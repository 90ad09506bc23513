//! `environments:` and `deploy:`: where subsystems are brought to, and how. Their templates look at
//! the version that is deployed, which may be an earlier one, so they are rendered when it is known
//! (`words`); each is tried for every environment as soon as it is read.

mod check;
mod environment;
mod ledger;
mod notify;
mod read;
mod recipe;
mod schedule;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

pub use check::check;
pub use environment::{DeployEnvironment, environments};
pub use ledger::LedgerHome;
pub use notify::{Notification, NotificationKind};
pub use read::{DeployDraft, resolve};
pub use recipe::DeployRecipe;
pub use schedule::{DeploySchedule, ScheduledWork, schedules};
pub use words::DeployWords;

use super::{Text, task::TaskText, template::ScopeWords};
use crate::{
    manifest::{Findings, ManifestDoc},
    model::{Layout, Name},
};

/// Resolves what `doc` says of the world outside of deployments: `ledger:` and `notify:`. What is wrong goes
/// to `found`.
pub fn outside(
    doc: &ManifestDoc,
    layout: &Layout,
    found: &mut Findings,
) -> (Option<LedgerHome>, Vec<Notification>) {
    (ledger::ledger(doc, layout, found), notify::notifications(doc, found))
}

/// How a subsystem is brought into an environment.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// `run:`.
    pub run: Vec<TaskText>,
    /// `pulumi:`, instead of commands.
    pub pulumi: Option<PulumiProgram>,
    /// `undo:`; `run` if empty.
    pub undo: Vec<TaskText>,
    /// `destroy:`.
    pub destroy: Vec<TaskText>,
    /// `stack:`, which names the lock.
    pub stack: TaskText,
    /// `config:`, in the order written.
    pub config: Vec<(String, TaskText)>,
    /// `secrets:`.
    pub secrets: Vec<String>,
    /// `oidc:`.
    pub identity: Option<DeployIdentity>,
    /// `needs:`.
    pub needs: BTreeSet<Name>,
    /// `smoke:`.
    pub smoke: Vec<TaskText>,
    /// `health:`.
    pub health: Option<HealthGate>,
    /// Whether what fails is rolled back: `rollback: auto`.
    pub rolls_back: bool,
    /// `stop.signal:`, as the system numbers it.
    pub signal: i32,
    /// `stop.grace:`.
    pub grace: Duration,
    /// `timeout:`.
    pub timeout: Option<Duration>,
    /// `retry:`.
    pub retry: u16,
    /// `env:` of the manifest and the spec.
    pub env: BTreeMap<String, Text>,
    /// `pass_env:`.
    pub pass_env: BTreeSet<String>,
    words: Arc<ScopeWords>,
    /// The spec, relative to the workspace, and what it says.
    file: PathBuf,
    source: Arc<str>,
}

/// A program of Pulumi.
#[derive(Clone, Debug)]
pub struct PulumiProgram {
    /// Its folder, relative to the workspace.
    pub folder: String,
    /// `target:`.
    pub target: Option<TaskText>,
}

/// The identity of a run of CI.
#[derive(Clone, Debug, Default)]
pub struct DeployIdentity {
    /// `aws:`.
    pub aws: Option<TaskText>,
    /// `file:`.
    pub file: Option<String>,
    /// `audience:`.
    pub audience: Option<String>,
    /// `token:`.
    pub token: Option<String>,
}

/// What must hold for some time after a deployment.
#[derive(Clone, Debug)]
pub struct HealthGate {
    /// What is looked at.
    pub probe: HealthProbe,
    /// `for:`: how long it must hold.
    pub hold: Duration,
    /// From look to look.
    pub period: Duration,
    /// How long one look may take.
    pub timeout: Duration,
    /// How many looks may fail until the first that does not.
    pub retries: u32,
    /// Before the first look.
    pub delay: Duration,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub enum HealthProbe {
    /// A URL that answers with a status below 400.
    Http(TaskText),
    /// `HOST:PORT`, where somebody listens.
    Tcp(TaskText),
    /// A command that succeeds.
    Run(TaskText),
}

impl HealthProbe {
    /// The key that it is written under.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Run(_) => "run",
        }
    }

    /// What it is written as.
    pub fn text(&self) -> &TaskText {
        let (Self::Http(text) | Self::Tcp(text) | Self::Run(text)) = self;
        text
    }
}

impl Deploy {
    /// Each template in it.
    pub fn templates(&self) -> Vec<&TaskText> {
        let mut all: Vec<&TaskText> =
            self.run.iter().chain(&self.undo).chain(&self.smoke).chain(&self.destroy).collect();
        all.push(&self.stack);
        all.extend(self.config.iter().map(|(_, value)| value));
        all.extend(self.pulumi.as_ref().and_then(|program| program.target.as_ref()));
        all.extend(self.health.as_ref().map(|health| health.probe.text()));
        all.extend(self.identity.as_ref().and_then(|identity| identity.aws.as_ref()));
        all
    }
}

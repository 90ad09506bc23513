//! A job: one request to deploy or to go back, and what became of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobKind {
    /// To bring a version there.
    #[default]
    Deploy,
    /// To bring an earlier version back.
    Rollback,
    /// To show what bringing a version there would change.
    Preview,
    /// To look whether what runs there is as it was deployed.
    Drift,
    /// To remove the environments of pull requests that nobody needs any more.
    Sweep,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Deploy, Self::Rollback, Self::Preview, Self::Drift, Self::Sweep];

    /// What the API calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "DEPLOY",
            Self::Rollback => "ROLLBACK",
            Self::Preview => "PREVIEW",
            Self::Drift => "DRIFT",
            Self::Sweep => "SWEEP",
        }
    }

    /// Whether it changes nothing, so that it waits for nobody.
    pub fn only_looks(self) -> bool {
        matches!(self, Self::Preview | Self::Drift)
    }

    /// Which comes first: the smaller one.
    pub(super) fn rank(self) -> i64 {
        match self {
            Self::Rollback => 0,
            Self::Deploy | Self::Sweep => 1,
            Self::Preview | Self::Drift => 2,
        }
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// Its process runs.
    Running,
    /// Its process was asked to end.
    Cancelling,
    /// All that it deployed passed its gates.
    Succeeded,
    /// It was refused, or something of it failed.
    Failed,
    /// It failed, and the earlier version runs again.
    RolledBack,
    /// It failed, and the earlier version could not be brought back.
    Stuck,
    /// It took too long.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// Its process is gone without a word.
    Interrupted,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::RolledBack,
        Self::Stuck,
        Self::TimedOut,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// What the API calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::RolledBack => "ROLLED_BACK",
            Self::Stuck => "STUCK",
            Self::TimedOut => "TIMED_OUT",
            Self::Cancelled => "CANCELLED",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// The state that the API calls `text`, in capital letters or not.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether a process is at it.
    pub fn is_at_work(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }

    /// Whether nothing more becomes of it.
    pub fn is_over(self) -> bool {
        self != Self::Queued && !self.is_at_work()
    }

    /// The state of a job whose process ended with `code`.
    pub fn from_exit(code: i32) -> Self {
        match code {
            0 => Self::Succeeded,
            124 => Self::TimedOut,
            130 => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().to_lowercase().replace('_', " "))
    }
}

/// What a job does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRequest {
    /// What is asked for.
    pub kind: JobKind,
    /// Where to.
    pub environment: String,
    /// The subsystem; empty for all.
    pub name: String,
    /// The version, or of a rollback where to; empty for what versions.yml or the ledger says.
    pub version: String,
    /// The environment whose versions are deployed.
    pub from: String,
    /// All that is changed, of one that Pulumi deploys.
    pub target: String,
    /// How long it may take, in milliseconds.
    pub timeout: Option<u64>,
    /// Whether to insist.
    pub force: bool,
}

impl JobRequest {
    /// `api v1.2.0 to test`.
    pub fn label(&self) -> String {
        let name = if self.name.is_empty() { "everything" } else { &self.name };
        let version = match self.version.as_str() {
            "" => String::new(),
            version => format!(" {version}"),
        };
        match self.kind {
            JobKind::Deploy => format!("{name}{version} to {}", self.environment),
            JobKind::Rollback => format!("{name} back in {}", self.environment),
            JobKind::Preview => format!("a preview of {name}{version} in {}", self.environment),
            JobKind::Drift => format!("whether {name} in {} drifted", self.environment),
            JobKind::Sweep => "a sweep of the environments of pull requests".to_owned(),
        }
    }
}

/// A job that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewJob {
    /// What it does.
    pub request: JobRequest,
    /// The key by which a request that is sent again finds it.
    pub key: Option<String>,
    /// Who asks.
    pub requested_by: String,
    /// The job that it tries again.
    pub retry_of: Option<u32>,
    /// Before when it does not begin, in milliseconds since 1970.
    pub run_after: Option<i64>,
}

/// A job. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedJob {
    /// Its number, from 1.
    pub id: u32,
    /// What was asked for.
    pub asked: NewJob,
    /// Its state.
    pub state: JobState,
    /// How it ended, as far as it has.
    pub end: JobEnd,
    /// When it was asked for.
    pub created: i64,
    /// When its process began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// How often it was given a process.
    pub attempt: u32,
    /// Its process.
    pub process: Option<ProcessId>,
    /// The server that runs it, or ran it.
    pub owner: Option<String>,
}

impl ServedJob {
    /// What it does.
    pub fn request(&self) -> &JobRequest {
        &self.asked.request
    }
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// Why it did not succeed.
    pub error: String,
    /// The exit code of its process, if it had one that ended by itself.
    pub exit_code: Option<i32>,
    /// Its deployments in the ledger.
    pub ledger_ids: Vec<u64>,
}

/// Which jobs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those to this environment.
    pub environment: Option<String>,
    /// Only those of this subsystem.
    pub name: Option<String>,
    /// Only those in one of these states, if there are some.
    pub states: Vec<JobState>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// The last one of the page before.
    pub behind: Option<u32>,
    /// At most so many.
    pub most: usize,
}

/// A time as RFC 3339 has it.
pub(super) fn shown_time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}

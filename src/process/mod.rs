//! Runs commands: streams their lines, kills whole trees, keeps time limits.

mod cancel;
pub mod guardian;
mod log;
mod runner;

use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, time::Duration};

pub use cancel::Cancel;
pub use log::tail;
pub use runner::Runner;

use crate::model::Fault;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What runs.
    pub line: CommandLine,
    /// Where it runs.
    pub dir: PathBuf,
    /// Variables set for it, over what forge was started with.
    pub env: BTreeMap<String, String>,
    /// Folders put before PATH, the first one first.
    pub path: Vec<PathBuf>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Where its output is kept, appended; created with the first byte.
    pub log: Option<PathBuf>,
    /// Whether it may run parallel jobs of its own: it then takes part in the job budget.
    pub jobs: bool,
}

/// What a [`Command`] executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for `sh -eu`. Executed without a shell where that makes no difference.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// A boxed future, as ports return it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The port through which everything that runs a program goes.
pub trait CommandRunner: Send + Sync {
    /// Runs `command` to its end and passes each line that it prints (standard output and
    /// standard error in the order they came) to `line`.
    ///
    /// # Errors
    /// `Failed` if it cannot be started or exits with another code than 0, `Timeout` if
    /// it took too long, `Interrupted` if the run was cancelled. Whatever happens, no
    /// process it started is alive when this returns.
    fn run<'a>(
        &'a self,
        command: &'a Command,
        line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>>;
}

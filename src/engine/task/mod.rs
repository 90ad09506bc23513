//! Tasks, run: which run before which, whether there is anything to do, and the doing.
//!
//! ```text
//! request ─plan─▶ Plan (tasks with their parameters, needs first) ─run─▶ one loop, `-j` at once
//!                                                                  └─perform─▶ each task
//! if, only ─▶ vars ─▶ assert ─▶ anything to do? (status, inputs, outputs) ─▶ run ─▶ finally ─▶ recorded
//! ```
//!
//! Pure: `plan`, `parameters`, `steps`, `dotenv`, and what `record` compares. Looking at files:
//! `files`, `basis`, `knowledge`, `watch`. With other machines: `sharing`, `elsewhere`. What words mean, found out on the way: `variables`, `each`, `evaluation`. Doing: `run` (the loop), `perform` (one task), `command` (one command).

mod attempt;
mod basis;
mod command;
mod conditions;
mod context;
mod dotenv;
mod each;
mod elsewhere;
mod evaluation;
mod files;
mod foresight;
mod frame;
mod key;
mod knowledge;
mod ledger;
mod parameters;
mod perform;
mod plan;
mod pool;
mod preview;
mod record;
mod run;
mod sharing;
mod steps;
#[cfg(test)]
mod tests;
mod truth;
mod variables;
mod vault;
mod watch;

pub use command::has_source;
pub use dotenv::parse as parse_dotenv;
pub use foresight::{ForeseenStep, ForeseenTask, ForeseenWork, foresee};
pub use parameters::ParameterRequest;
pub use plan::{Invocation, subsystems};
pub use preview::{Preview, PreviewOptions, preview};
pub use run::{TaskEngine, TaskOptions};
pub use watch::{TaskWatch, WatchedFiles};

use crate::model::{Fault, Kind};
use perform::TaskOutcome;

/// What happens to a task while it runs, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent<'a> {
    /// A command begins.
    Command(&'a str),
    /// A command printed a line.
    Line(&'a str),
    /// A command on a worker printed a line, on standard error if so: it passed forge's own output by.
    Printed(&'a str, bool),
    /// Something its owner should know.
    Note(&'a str),
    /// It ended.
    Ended(TaskEnd),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// All went well.
    Well,
    /// There was nothing to do.
    Fresh,
    /// What it makes came from the remote cache.
    Remote,
    /// It does not run here, or not now.
    LeftOut,
    /// Something failed.
    Badly,
    /// It was stopped: by somebody, or since something else failed and the run is to fail fast.
    Stopped,
}

impl TaskEnd {
    fn from_result(result: &Result<TaskOutcome, Fault>) -> Self {
        match result {
            Ok(TaskOutcome::Ran) => Self::Well,
            Ok(TaskOutcome::Fresh) => Self::Fresh,
            Ok(TaskOutcome::Remote) => Self::Remote,
            Ok(TaskOutcome::LeftOut) => Self::LeftOut,
            Err(fault) if fault.kind == Kind::Interrupted => Self::Stopped,
            Err(_) => Self::Badly,
        }
    }
}

/// An [`TaskEvent`], and of which task it is.
#[derive(Clone, Copy, Debug)]
pub struct TaskMessage<'a> {
    /// Tells one run of a task from all others.
    pub run: usize,
    /// What its output is marked with.
    pub label: &'a str,
    /// What happened.
    pub event: TaskEvent<'a>,
}

/// Whoever shows what happens.
pub type TaskEventSink<'a> = &'a (dyn Fn(TaskMessage) + Sync);

//! Tasks, run: which run before which, whether there is anything to do, and the doing.
//!
//! ```text
//! request ─plan─▶ Plan (tasks with their parameters, needs first) ─run─▶ one loop, `-j` at once
//!                                                                  └─perform─▶ each task
//! if, only ─▶ vars ─▶ assert ─▶ anything to do? (status, inputs, outputs) ─▶ run ─▶ finally ─▶ recorded
//! ```
//!
//! Pure: `plan`, `parameters`, `steps`, `dotenv`, and what `record` compares. Looking at files:
//! `files`, `basis`, `reader`, `watch`. What words mean, found out on the way: `variables`, `each`. Doing: `run` (the loop), `perform` (one task), `command` (one command).

mod attempt;
mod basis;
mod command;
mod conditions;
mod dotenv;
mod each;
mod files;
mod frame;
mod key;
mod ledger;
mod parameters;
mod perform;
mod plan;
mod pool;
mod preview;
mod reader;
mod record;
mod run;
mod steps;
#[cfg(test)]
mod tests;
mod truth;
mod variables;
mod vault;
mod watch;
mod witness;

pub use command::has_source;
pub use dotenv::parse as parse_dotenv;
pub use parameters::Request;
pub use plan::{Invocation, Plan, subsystems};
pub use preview::{Preview, preview};
pub use run::{Engine, Options};
pub use watch::{Sight, Watch};

use crate::model::{Fault, Kind};
use perform::How;

/// What happens to a task while it runs, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A command begins.
    Command(&'a str),
    /// A command printed a line.
    Line(&'a str),
    /// Something its owner should know.
    Note(&'a str),
    /// It ended.
    Ended(End),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All went well.
    Well,
    /// There was nothing to do.
    Fresh,
    /// It does not run here, or not now.
    LeftOut,
    /// Something failed.
    Badly,
    /// It was stopped: by somebody, or since something else failed and the run is to fail fast.
    Stopped,
}

impl End {
    fn of(result: &Result<How, Fault>) -> Self {
        match result {
            Ok(How::Ran) => Self::Well,
            Ok(How::Fresh) => Self::Fresh,
            Ok(How::LeftOut) => Self::LeftOut,
            Err(fault) if fault.kind == Kind::Interrupted => Self::Stopped,
            Err(_) => Self::Badly,
        }
    }
}

/// An [`Event`], and of which task it is.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Tells one run of a task from all others.
    pub run: usize,
    /// What its output is marked with.
    pub label: &'a str,
    /// What happened.
    pub event: Event<'a>,
}

/// Whoever shows what happens.
pub type Audience<'a> = &'a (dyn Fn(Told) + Sync);

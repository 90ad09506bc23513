//! Events: what a run tells about itself while it goes on.
//!
//! Whoever does the work only emits; bars, plain lines, log files and reports only
//! consume. Nothing a consumer does can slow or change the run's decisions.

use super::{ArtifactId, ArtifactReport, Fault};

/// Numbers the actions of one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u32);

/// Something that happened in a run.
#[derive(Clone, Debug)]
pub enum Event {
    /// The plan is known: how many actions it has.
    Planned {
        /// Actions to run.
        actions: usize,
    },
    /// An action began. `verb` is what stands before the name (`building`, `downloading`).
    Started {
        /// Which action.
        action: ActionId,
        /// What it works on.
        artifact: ArtifactId,
        /// The version label.
        version: String,
        /// What it does, as a participle: `building`.
        verb: &'static str,
    },
    /// An action entered another phase (`packing`, `publishing`, `waiting for another forge`).
    Phase {
        /// Which action.
        action: ActionId,
        /// The phase, as a participle with what belongs to it.
        phase: String,
    },
    /// Bytes moved so far.
    Transfer {
        /// Which action.
        action: ActionId,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// A command printed a line (without its end; invalid UTF-8 replaced).
    Line {
        /// Which action.
        action: ActionId,
        /// The line.
        line: String,
    },
    /// Something its owner should know, which does not stop the run.
    Warning {
        /// What it concerns, if one artifact.
        artifact: Option<ArtifactId>,
        /// What, why, what to do.
        fault: Fault,
    },
    /// A host asked forge to wait (`api.github.com asks to wait for 42 s`).
    Waiting {
        /// Who asks, and for how long: one sentence without a full stop.
        why: String,
    },
    /// An action ended. Sent exactly once for each that was started.
    Finished {
        /// Which action.
        action: ActionId,
        /// Its artifact as it stands now.
        report: ArtifactReport,
    },
}

/// Where events go. Implementations return at once and never fail.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

//! Live consumers of events: bars on a terminal, plain lines elsewhere.
//!
//! ```text
//! events ─emit─> Board (what runs now, what is news) ─frame─> painter thread ─> terminal
//! ```
//!
//! Whoever emits only folds the event into the board; a thread of its own looks at the
//! board some times per second and paints. So a slow terminal never slows the run.

mod bars;
mod board;
mod fan_out;
mod line;
mod log_tail;
mod masked;
mod plain;
mod record;
#[cfg(test)]
mod sample;
mod screen;
mod terminal;

pub use fan_out::FanOut;
pub use log_tail::log_tail;
pub use masked::{Masked, masked_report};
pub use record::Recorder;
pub use screen::{Screen, open};
pub use terminal::{Choice, Color, LiveDisplay, TerminalFacts, Wishes, choose};

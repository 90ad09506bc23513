//! The pipeline of a project in CI: which stages there are, which of them run here and why, and
//! the workflow that calls it. Pure: carrying a stage out is the command line's.
//!
//! ```text
//! workspace, selection, where the process runs, the store ─> Facts ─plan─> Planned per stage
//! ```

mod pipeline;
mod stage;
mod workflow;

pub use pipeline::{Facts, Planned, Runs, Wish, plan, words};
pub use stage::Stage;
pub use workflow::Workflow;

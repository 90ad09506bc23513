//! The pipeline of a project in CI: which stages there are, which of them run here and why, the jobs
//! that it is dealt out to, and the workflow that calls it. Pure: carrying a stage out is the command
//! line's.
//!
//! ```text
//! workspace, selection, where the process runs, the store ─> Facts ─plan─> Planned per stage
//! artifacts, runners, seconds ─> Matrix, which workflows of several jobs take
//! ```

mod deploy_jobs;
mod install;
pub mod matrix;
mod pins;
mod pipeline;
mod quote;
mod registries;
mod release_workflow;
mod spread;
mod stage;
mod steps;
mod workflow;

pub use deploy_jobs::{WorkflowDeploys, WorkflowEnvironment};
pub use install::{ForgeInstall, PinnedForge};
pub use matrix::PlatformRunner;
pub use pins::{CACHE, CHECKOUT, PinnedAction};
pub use pipeline::{Facts, Planned, PublishChoice, Runs, SELECTED, TEST, plan, words};
pub use registries::WorkflowRegistries;
pub use release_workflow::ReleaseWorkflow;
pub use spread::SpreadWorkflow;
pub use stage::Stage;
pub use workflow::Workflow;

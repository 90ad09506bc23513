//! Deployments: a subsystem at one released version, by its digest, brought into an environment by the
//! commands of its spec, proven by its gates, and brought back if they fail.
//!
//! ```text
//! workspace, ledger, stores ─ prepare ─> DeployOrder per subsystem, or all that stands against it
//!                                            │
//! queued ─ claim ─> checking ─> deploying ─> verifying ─> succeeded
//!                      └───────────┴────────────┴──> failed, timed out, cancelled
//!                                                      └> rolling back ─> rolled back | stuck
//! ```
//!
//! Nothing is built here: `artifact` finds what a release holds, and fetches it. Each state is a line
//! in the ledger (`journal`) before anything of it happens; what is current, held or good to go back
//! to are folds of those lines (`history`) and kept nowhere else.

mod artifact;
mod attempt;
mod deployer;
mod drift;
mod health;
mod heartbeat;
mod herald;
mod history;
mod hosted;
mod identity;
mod journal;
mod ledger;
mod notify;
mod order;
mod outlook;
mod permission;
mod prepare;
mod preview;
mod pulumi;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod watched;

pub use artifact::{Artifact, ArtifactFinder, FoundArtifact};
pub use attempt::output_of;
pub use deployer::{DeployEnd, DeployHost, Deployer};
pub use herald::{Herald, HeraldAtWork};
pub use history::{DeployHistory, Hold};
pub use hosted::{
    DeployRecords, PreviewComment, PullRequestState, RecordPlace, RecordedDeployments,
    pull_request, recorded,
};
pub use journal::Journal;
pub use ledger::{Claim, Ledger, NewDeployment, Ticket};
pub use notify::Notifier;
pub use order::DeployOrder;
pub use outlook::{DeployOutlook, OutlookRequest};
pub use permission::{forbidden, may_deploy};
pub use prepare::{DeployRequest, Obstacle, PreparedDeploys, missing_secrets, ordered, prepare};
pub use preview::{
    KEEP_LABEL, LivePreview, has_room, live_previews, may_preview, may_sweep,
    stacks_of_pull_requests,
};
pub use pulumi::PulumiCalls;
pub use record::{DeployOwner, Deployment, StateChange};
pub use state::DeployState;
pub use watched::{DeployStep, WatchedLedger};

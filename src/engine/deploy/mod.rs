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
mod health;
mod history;
mod journal;
mod ledger;
mod order;
mod permission;
mod prepare;
mod pulumi;
mod record;
mod state;
#[cfg(test)]
mod tests;

pub use artifact::{Artifact, ArtifactFinder, FoundArtifact};
pub use deployer::{DeployEnd, DeployHost, Deployer};
pub use history::{DeployHistory, Hold};
pub use journal::Journal;
pub use ledger::{Claim, Ledger, NewDeployment, Ticket};
pub use order::DeployOrder;
pub use permission::{forbidden, may_deploy};
pub use prepare::{DeployRequest, Obstacle, PreparedDeploys, missing_secrets, prepare};
pub use pulumi::PulumiCalls;
pub use record::{DeployOwner, Deployment, StateChange};
pub use state::DeployState;

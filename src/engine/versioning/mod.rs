//! Versions that nobody pins: which comes next, from the day or from what commits say, what else
//! has a say in it, and whose it is.
//!
//! `latest` reads the tags of a remote, `date` counts, `conventional` reads messages of commits, `reverts`
//! tells which of them were taken back, `commits` makes versions of them, `claim` makes a version ours.

mod bump;
mod claim;
mod commits;
mod conventional;
mod date;
mod flaw;
mod labels;
mod latest;
mod reverts;

pub use bump::{Bump, BumpRequest, Override};
pub use claim::Claimant;
pub use commits::{NextVersion, VersionLine};
pub use conventional::{Footer, Message};
pub use date::{DateVersion, FromTheFuture, day, next};
pub use flaw::{LintError, lint};
pub use labels::PullRequest;
pub use latest::{Taken, alike, alike_stems, taken};
pub use reverts::standing;

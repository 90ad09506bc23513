//! Versions that nobody pins: what comes next, and whose it is.
//!
//! `date` counts, `latest` reads the tags of a remote, `claim` makes a version ours.

mod claim;
mod date;
mod latest;

pub use claim::Claimant;
pub use date::{DateVersion, FromTheFuture, day, next};
pub use latest::{Taken, taken};

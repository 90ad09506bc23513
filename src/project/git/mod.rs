//! Git: what a reference means, and a checkout of exactly that commit.
//!
//! Speaks through the user's own `git`, so that their credentials and proxies work.
//! `command` runs it, `references` reads what it lists, `refusal` explains what it says when it
//! fails; `resolve` and `checkout` are what this room is for.

mod checkout;
mod clone;
mod command;
mod difference;
mod history;
mod merges;
mod references;
mod refusal;
mod remote;
mod resolve;
mod state;

pub use checkout::checkout;
pub use history::{Commit, History, Tag};
pub use merges::{Merged, merged_request, reverted_request};
pub use remote::{Remote, RemoteTag, TagPutOutcome, tags_of};
pub use resolve::resolve;
pub use state::{Checkout, state};

#[cfg(test)]
mod sample;

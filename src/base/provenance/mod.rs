//! Provenance: who built an asset, from what, and what that is worth.
//!
//! ```text
//! variables, event file ─> Surroundings ─┬─> Permission   may this run publish? (policy)
//!                                        └─> Builder ─> Statement ─> a line beside the asset
//! lines beside an asset ─> Statements ─ judge(Trust) ─> the Builder, or why it is refused
//! ```
//!
//! Statements are not signed: they are information, no proof. Whoever may write to a store may
//! write any statement. Trusting only CI keeps honest people from using what a colleague built by
//! hand; against somebody who holds the store's keys it does nothing. What arrives is
//! what was published: that is held by the digests in `forge.lock`, and by those alone.

mod attestation;
mod builder;
mod class;
mod dependency;
mod hosts;
mod policy;
mod statement;
mod surroundings;
mod trust;

pub use attestation::judge_attestations;
pub use builder::Builder;
pub use class::{Classes, RunClass};
pub use dependency::Dependency;
pub use hosts::CiRun;
pub use policy::{Permission, may_publish, may_publish_to};
pub use statement::{
    Statement, StatementRecipe, StatementRun, StatementSubject, Subject, read_statements,
};
pub use surroundings::{ActionsRun, GitLab, ProposedChange, Surroundings};
pub use trust::{Trust, distrusted, judge, refusal};

/// The file with the statement of who built `asset` first.
#[must_use]
pub fn statement_name(asset: &str) -> String {
    format!("{asset}.intoto.jsonl")
}

/// The file with the statement of the CI that built `asset` again, bit for bit. A file of its
/// own, since what is released is never overwritten.
#[must_use]
pub fn promotion_name(asset: &str) -> String {
    format!("{asset}.ci.intoto.jsonl")
}

/// No file of statements is longer, in bytes; a longer one is something else.
pub const MAX_BYTES: u64 = 1024 * 1024;

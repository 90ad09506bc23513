//! Which components a change affects, and by which file: its own, what it shares, what it imports.
//!
//! `base` says what each is compared with, `extent` what goes into it, `reasons` why it is affected.
//! All go by what the fingerprint goes by, so that what is not affected would not be built again.

mod base;
mod extent;
mod manifest;
mod reason;
mod reasons;

pub use base::{Bases, Since};
pub use extent::PathScope;
pub use reason::Reason;
pub use reasons::reasons;

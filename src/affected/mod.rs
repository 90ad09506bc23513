//! Which components a change affects, and by which file: its own, what it shares, what it imports.
//!
//! `base` says what each is compared with, `extent` what goes into it, `reason` why it is affected. All go by what the
//! fingerprint goes by, so that what is not affected would not be built again either.

mod base;
mod extent;
mod manifest;
mod reason;

pub use base::{Base, Bases, Since};
pub use extent::Extent;
pub use manifest::Change;
pub use reason::{Reason, reasons};

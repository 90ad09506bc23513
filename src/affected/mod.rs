//! Which components a change affects, and by which file: its own, what it shares, what it imports.
//!
//! `base` says what each is compared with, `reason` why it is affected. Both go by what the
//! fingerprint goes by, so that what is not affected would not be built again either.

mod base;
mod manifest;
mod reason;

pub use base::{Base, Bases, Since};
pub use manifest::Change;
pub use reason::{Reason, reasons};

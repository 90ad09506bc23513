//! The guardian: a tiny process that outlives a killed forge just long enough to
//! end what forge was running.

/// The hidden first argument with which forge becomes the guardian.
pub const ARGUMENT: &str = "--forge-guardian";

/// What the guardian does from its beginning to its end. The command line calls it, before
/// anything else, when the first argument is [`ARGUMENT`].
pub fn main() {}

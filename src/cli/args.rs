//! What can be written on the command line.

use clap::Parser;

use super::{flags::Global, own, verb::Verb};

/// Binaries are the artifact. Releases are the cache. One build, many downloads.
#[derive(Debug, Parser)]
#[command(name = "forge", version = own::version_line(), disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

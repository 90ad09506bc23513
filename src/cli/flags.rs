//! Flags that work everywhere.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::model::Platform;

/// Flags that work everywhere.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Global {
    /// Work in DIR instead of the current folder
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Build at most N artifacts at once [default: the number of processors]
    #[arg(short, long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
    /// Work for this platform, such as linux-arm64 [default: this machine's]
    #[arg(long, global = true)]
    pub(super) platform: Option<Platform>,
    /// Work for every platform that versions.yml names
    #[arg(long, global = true, conflicts_with = "platform")]
    pub(super) all_platforms: bool,
    /// Select this group, as its name does
    #[arg(long = "group", value_name = "NAME", global = true)]
    pub(super) groups: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    pub(super) dry_run: bool,
    /// Fail rather than change forge.lock or take what it does not pin
    #[arg(long, global = true)]
    pub(super) locked: bool,
    /// Do not touch the network
    #[arg(long, global = true)]
    pub(super) offline: bool,
    /// Rebuild even if up to date
    #[arg(long, global = true)]
    pub(super) force: bool,
    /// Publish what the first store lacks, also to a store that others share
    #[arg(long, global = true, conflicts_with = "no_publish")]
    pub(super) publish: bool,
    /// Publish nothing
    #[arg(long, global = true)]
    pub(super) no_publish: bool,
    /// Print one JSON document on standard output, everything else on standard error
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Whether to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: When,
    /// Write a Chrome trace of the run to FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Say nothing unless something is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more: the output of commands, and what is fresh
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

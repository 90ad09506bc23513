//! Words of which the command line takes one.

use clap::{ValueEnum, builder::PossibleValuesParser};

use super::reference::JSON_DOCUMENTS;

/// How the output of tasks is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TaskOutputMode {
    /// Line by line, with the task's name before each.
    Prefixed,
    /// All of a task's at once, when it ended.
    Grouped,
    /// As it comes, not a byte changed.
    Plain,
    /// Only that of what failed.
    Quiet,
}

/// Languages of `forge graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
}

/// Whose CI a workflow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WorkflowHost {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

/// Readers of `forge matrix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MatrixFormat {
    /// One line for `fromJSON` in GitHub Actions.
    Github,
    /// A child pipeline of GitLab.
    Gitlab,
    /// A document with all that is known of each job.
    Json,
}

/// What has a schema: the files that people write, the API of `forge serve`, and the documents of `--json`.
pub(super) fn schema_names() -> PossibleValuesParser {
    let documents = JSON_DOCUMENTS.iter().map(|(name, ..)| *name);
    PossibleValuesParser::new(["manifest", "spec", "api"].into_iter().chain(documents))
}

/// What `forge clean` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CleanWhat {
    /// Installed and packed artifacts and logs; sources stay.
    Built,
    /// Installed artifacts.
    Bin,
    /// Fetched sources and intermediate results.
    Src,
    /// Packed artifacts.
    Dist,
    /// Everything: the folder .forge.
    All,
}

/// Shells that complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CompletionShell {
    /// bash.
    Bash,
    /// elvish.
    Elvish,
    /// fish.
    Fish,
    /// nushell.
    Nushell,
    /// PowerShell.
    Powershell,
    /// zsh.
    Zsh,
}

/// Shells that `forge env` speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EnvShell {
    /// sh, bash, zsh.
    Sh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
}

/// The order in which tasks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ListOrder {
    /// By name, those of the first file before others.
    Default,
    /// By name.
    Alphanumeric,
    /// As they are written.
    None,
}

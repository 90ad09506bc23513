//! What can be written behind `forge run`.

use std::path::PathBuf;

use super::choice::{ListOrder, TaskOutputMode};

/// What can be written behind `forge run`.
#[derive(Debug, clap::Args)]
pub(super) struct TaskArgs {
    /// The tasks (`hello`, `nats:test`), and their parameters as NAME=value
    #[arg(value_name = "TASK | NAME=VALUE")]
    pub(super) words: Vec<String>,
    /// What its commands get as {{ args }}
    #[arg(last = true)]
    pub(super) args: Vec<String>,
    /// Run the tasks side by side, not one after the other
    #[arg(long)]
    pub(super) parallel: bool,
    /// Exit with the code of the command that failed
    #[arg(short = 'x', long)]
    pub(super) exit_code: bool,
    /// Answer every question of `confirm` with yes
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Begin nothing more once something failed
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Run them again whenever a file changes that goes into them, until Ctrl-C
    #[arg(short, long)]
    pub(super) watch: bool,
    /// How the output of tasks is shown [default: as versions.yml says, or else one task's as it is, several with their names]
    #[arg(long, value_name = "HOW")]
    pub(super) output: Option<TaskOutputMode>,
    /// Run tasks of a Taskfile of Task: the file, or the folder it is in
    #[arg(long, value_name = "PATH")]
    pub(super) taskfile: Option<PathBuf>,
    /// Whether they are tasks of a Taskfile, which does not restore what an earlier run made.
    #[arg(skip)]
    pub(super) is_of_taskfile: bool,
    /// List the tasks of the Taskfile that have a description
    #[arg(short, long, requires = "taskfile")]
    pub(super) list: bool,
    /// List all tasks of the Taskfile
    #[arg(short = 'a', long, requires = "taskfile")]
    pub(super) list_all: bool,
    /// The order of `--list` and `--list-all`
    #[arg(long, requires = "taskfile", value_name = "ORDER")]
    pub(super) sort: Option<ListOrder>,
    /// Say whether the tasks of the Taskfile are up to date, and run none
    #[arg(long, requires = "taskfile")]
    pub(super) status: bool,
    /// What is shown before the output of each command of the Taskfile
    #[arg(long, requires = "taskfile", value_name = "TEXT")]
    pub(super) group_begin: Option<String>,
    /// What is shown after it
    #[arg(long, requires = "taskfile", value_name = "TEXT")]
    pub(super) group_end: Option<String>,
    /// Show what tasks of the Taskfile are, and run none
    #[arg(long, requires = "taskfile")]
    pub(super) summary: bool,
}

impl TaskArgs {
    /// The task `name` alone.
    pub(super) fn named(name: &str) -> Self {
        Self {
            words: vec![name.to_owned()],
            args: Vec::new(),
            parallel: false,
            exit_code: false,
            yes: false,
            fail_fast: false,
            watch: false,
            output: None,
            taskfile: None,
            is_of_taskfile: false,
            list: false,
            list_all: false,
            sort: None,
            status: false,
            group_begin: None,
            group_end: None,
            summary: false,
        }
    }
}

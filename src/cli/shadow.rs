//! Tasks with the name of a verb: `forge clean` is the verb then, and `forge run clean` the task.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use super::{args::Args, verb_names};
use crate::{ci::Stage, workspace::Task};

/// The names that verbs have, but for stages of CI, which a task of that name replaces.
pub(super) fn taken_names() -> BTreeSet<String> {
    let command: Command = Args::command();
    let is_stage = |name: &&str| Stage::ALL.iter().any(|stage| stage.name() == *name);
    verb_names(&command).into_iter().filter(|name| !is_stage(name)).map(str::to_owned).collect()
}

/// What is to be said of `task`, if a verb has its name.
pub(super) fn note(task: &Task, taken: &BTreeSet<String>) -> Option<String> {
    let mut names = std::iter::once(&task.name).chain(&task.aliases);
    let name = names.find(|name| taken.contains(*name)).filter(|_| !task.private)?;
    Some(format!("`forge {name}` is the verb; `forge run {name}` runs the task"))
}

//! How what is not written down is found out: by running commands while a task runs; without running
//! anything, where what a command would print stands as `$(…)`; or not at all.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    model::{Fault, Kind, Layout},
    workspace::{SecretTable, Task, TemplateValue, Text},
};

use super::{command::Ground, context::TaskContext, files::PatternsBelow, frame::RunScope};

/// How what is not written down is found out.
pub enum Evaluation<'a, 'w> {
    /// By running commands and looking at files.
    Live(LiveEvaluation<'a, 'w>),
    /// By looking at files alone.
    Dry(Box<DryEvaluation>),
    /// Not at all: it is known only later.
    Written,
}

/// A task that runs.
pub struct LiveEvaluation<'a, 'w> {
    context: &'a TaskContext<'w>,
    frame: &'a RunScope<'a>,
    task: &'w Task,
    ground: &'a Ground,
}

/// A task that is looked at.
pub struct DryEvaluation {
    dir: PathBuf,
    layout: Layout,
    gitignore: bool,
    /// Whether what a command would print stands with the folder that it would run in.
    tells_folders: bool,
    unknown: Mutex<Vec<String>>,
}

impl<'a, 'w> Evaluation<'a, 'w> {
    /// For `task`, which runs on `ground`.
    pub fn live(
        context: &'a TaskContext<'w>,
        frame: &'a RunScope<'a>,
        task: &'w Task,
        ground: &'a Ground,
    ) -> Self {
        Self::Live(LiveEvaluation { context, frame, task, ground })
    }

    /// For `task`, which would run in `dir`.
    pub fn dry(context: &TaskContext, task: &Task, dir: &Path) -> Self {
        let (dir, layout) = (dir.to_owned(), context.workspace.layout.clone());
        let (gitignore, unknown) = (task.gitignore, Mutex::default());
        let tells_folders = context.tells_folders;
        Self::Dry(Box::new(DryEvaluation { dir, layout, gitignore, tells_folders, unknown }))
    }

    /// What the command `line` prints, where the task runs; or in the folder of a `file`, which is
    /// found out once for all its tasks.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn printed(&self, line: &Text, file: Option<&Path>) -> Result<String, Fault> {
        match self {
            Self::Live(live) => live.printed(line, file).await,
            Self::Dry(dry) => {
                let unknown = dry.stand_in(&line.symbolic(), file);
                dry.unknown.lock().unwrap_or_else(PoisonError::into_inner).push(unknown.clone());
                Ok(unknown)
            }
            Self::Written => Err(later(&format!("what `{}` prints", line.symbolic()))),
        }
    }

    /// What stands for a secret called `name`, which `value` finds.
    ///
    /// # Errors
    /// Those of finding it.
    pub async fn secret(
        &self,
        name: &str,
        value: impl Future<Output = Result<String, Fault>>,
    ) -> Result<TemplateValue, Fault> {
        match self {
            Self::Live(LiveEvaluation { context, .. }) => {
                context.basis.is_more();
                Ok(context.vault.keep(name, value.await?))
            }
            Self::Dry(_) => Ok(SecretTable::word(name)),
            Self::Written => Err(later(&format!("the secret {name}"))),
        }
    }

    /// The files that `patterns` mean, where the task runs, sorted.
    ///
    /// # Errors
    /// If a pattern is not valid, or a folder cannot be read.
    pub fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        match self {
            Self::Live(LiveEvaluation { context, task, ground, .. }) => {
                context.basis.is_more();
                let gitignore = task.gitignore.then_some(&context.workspace.layout);
                PatternsBelow::inputs(&ground.dir, patterns, gitignore).names()
            }
            Self::Dry(dry) => {
                let gitignore = dry.gitignore.then_some(&dry.layout);
                PatternsBelow::inputs(&dry.dir, patterns, gitignore).names()
            }
            Self::Written => Err(later("the list of files")),
        }
    }

    /// What stands for what is known only once it was run.
    pub fn unknown(&self) -> Vec<String> {
        match self {
            Self::Dry(dry) => dry.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Live(_) | Self::Written => Vec::new(),
        }
    }
}

impl DryEvaluation {
    /// What stands for what the command `line` of a `file` or of the task would print.
    fn stand_in(&self, line: &str, file: Option<&Path>) -> String {
        if !self.tells_folders {
            return format!("$({line})");
        }
        let root = self.layout.root().display();
        // A command that begins with a change of folder runs there.
        let moved = line.strip_prefix("cd \"{{ root }}").and_then(|rest| rest.split_once("\"\n"));
        let (dir, line) = match (moved, file) {
            (Some((below, line)), _) => (format!("{root}{below}"), line),
            (None, Some(file)) => (self.layout.root().join(file).display().to_string(), line),
            (None, None) => (self.dir.display().to_string(), line),
        };
        let line = line.trim_end().replace("{{ root }}", &root.to_string());
        format!("$({}: {line})", dir.trim_end_matches('/'))
    }
}

impl LiveEvaluation<'_, '_> {
    async fn printed(&self, line: &Text, file: Option<&Path>) -> Result<String, Fault> {
        let Self { context, frame, task, ground } = self;
        let keyring = context.vault.keyring();
        let of_file;
        let ground = match file {
            Some(file) => {
                of_file = ground.of_file(context.workspace, file, &task.home.shell);
                &of_file
            }
            // As Task does, of several that are written alike one is run.
            None if context.as_task => ground,
            None => return ground.printed(frame, &keyring, line, false).await,
        };
        let command = line.expand(&ground.places);
        let key = format!("{} {:?} {command}", ground.dir.display(), ground.env);
        let cell = context.printed(key);
        let print = || ground.printed(frame, &keyring, line, context.as_task);
        cell.get_or_init(print).await.clone()
    }
}

fn later(what: &str) -> Fault {
    Fault::new(Kind::Usage, format!("{what} is known only later"))
}

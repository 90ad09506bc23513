//! Who finds out, while a task runs, what is not written down: by running commands and by
//! looking at files.

use std::path::Path;

use crate::{
    model::Fault,
    process::{Pending, Runner},
    workspace::{Task, Text},
};

use super::{command::Ground, files, run::Engine, variables::Witness};

/// Who runs commands to find something out.
pub struct Live<'a, 'w> {
    engine: &'a Engine<'w>,
    runner: &'a Runner,
    ground: &'a Ground,
    gitignore: bool,
}

impl<'a, 'w> Live<'a, 'w> {
    /// For `task` on `ground`.
    pub fn new(
        engine: &'a Engine<'w>,
        runner: &'a Runner,
        task: &Task,
        ground: &'a Ground,
    ) -> Self {
        Self { engine, runner, ground, gitignore: task.gitignore }
    }
}

impl Witness for Live<'_, '_> {
    fn printed<'a>(
        &'a self,
        line: &'a Text,
        file: Option<&'a Path>,
    ) -> Pending<'a, Result<String, Fault>> {
        Box::pin(async move {
            let Some(file) = file else { return self.ground.printed(self.runner, line).await };
            let ground = self.ground.of_file(self.engine.workspace, file);
            let command = line.expand(&ground.places);
            let key = format!("{} {:?} {command}", ground.dir.display(), ground.env);
            let cell = self.engine.printed(key);
            cell.get_or_init(|| ground.printed(self.runner, line)).await.clone()
        })
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        files::names(&self.ground.dir, patterns, self.gitignore)
    }
}

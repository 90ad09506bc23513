//! Who finds out, while a task runs, what is not written down: by running commands and by
//! looking at files.

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
    of_file: Ground,
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
        let of_file = ground.of_file(engine.workspace, task);
        Self { engine, runner, ground, of_file, gitignore: task.gitignore }
    }
}

impl Witness for Live<'_, '_> {
    fn printed<'a>(&'a self, line: &'a Text, once: bool) -> Pending<'a, Result<String, Fault>> {
        Box::pin(async move {
            if !once {
                return self.ground.printed(self.runner, line).await;
            }
            let ground = &self.of_file;
            let key = format!(
                "{} {:?} {}",
                ground.dir.display(),
                ground.env,
                line.expand(&ground.places)
            );
            let cell = self.engine.printed(key);
            cell.get_or_init(|| ground.printed(self.runner, line)).await.clone()
        })
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        files::names(&self.ground.dir, patterns, self.gitignore)
    }
}

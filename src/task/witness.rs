//! Who finds out, while a task runs, what is not written down: by running commands and by
//! looking at files.

use crate::{
    model::Fault,
    process::Pending,
    workspace::{Task, Text, Word},
};

use super::{command::Ground, files, frame::Frame, run::Engine, variables::Witness};

/// Who runs commands to find something out.
pub struct Live<'a, 'w> {
    engine: &'a Engine<'w>,
    frame: &'a Frame<'a>,
    ground: &'a Ground,
    of_file: Ground,
    gitignore: bool,
}

impl<'a, 'w> Live<'a, 'w> {
    /// For `task` on `ground`.
    pub fn new(
        engine: &'a Engine<'w>,
        frame: &'a Frame<'a>,
        task: &Task,
        ground: &'a Ground,
    ) -> Self {
        let of_file = ground.of_file(engine.workspace, task);
        Self { engine, frame, ground, of_file, gitignore: task.gitignore }
    }
}

impl Witness for Live<'_, '_> {
    fn printed<'a>(&'a self, line: &'a Text, once: bool) -> Pending<'a, Result<String, Fault>> {
        Box::pin(async move {
            if !once {
                let keyring = self.engine.vault.keyring();
                return self.ground.printed(self.frame, &keyring, line).await;
            }
            let ground = &self.of_file;
            let key = format!(
                "{} {:?} {}",
                ground.dir.display(),
                ground.env,
                line.expand(&ground.places)
            );
            let keyring = self.engine.vault.keyring();
            let cell = self.engine.printed(key);
            cell.get_or_init(|| ground.printed(self.frame, &keyring, line)).await.clone()
        })
    }

    fn secret<'a>(
        &'a self,
        name: &'a str,
        value: Pending<'a, Result<String, Fault>>,
    ) -> Pending<'a, Result<Word, Fault>> {
        Box::pin(async move { Ok(self.engine.vault.keep(name, value.await?)) })
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        files::names(&self.ground.dir, patterns, self.gitignore)
    }
}

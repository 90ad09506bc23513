//! Who finds out, while a task runs, what is not written down: by running commands and by
//! looking at files.

use std::path::Path;

use crate::{
    model::Fault,
    process::{Pending, Shell},
    workspace::{Names, Renderer, Task, Text, Word},
};

use super::{
    command::Ground,
    files::Meant,
    frame::Frame,
    plan::{Invocation, Scout, needed_tasks},
    run::Engine,
    variables::{Witness, fixed, learn_for_needs},
};

/// Who runs commands to find something out.
pub struct Live<'a, 'w> {
    engine: &'a Engine<'w>,
    frame: &'a Frame<'a>,
    ground: &'a Ground,
    /// What runs the commands of the task's file.
    shell: Shell,
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
        Self { engine, frame, ground, shell: task.home.shell.clone(), gitignore: task.gitignore }
    }
}

impl Witness for Live<'_, '_> {
    fn printed<'a>(
        &'a self,
        line: &'a Text,
        file: Option<&'a Path>,
    ) -> Pending<'a, Result<String, Fault>> {
        Box::pin(async move {
            let keyring = self.engine.vault.keyring();
            let Some(file) = file else {
                return self.ground.printed(self.frame, &keyring, line).await;
            };
            let ground = self.ground.of_file(self.engine.workspace, file, &self.shell);
            let command = line.expand(&ground.places);
            let key = format!("{} {:?} {command}", ground.dir.display(), ground.env);
            let cell = self.engine.printed(key);
            cell.get_or_init(|| ground.printed(self.frame, &keyring, line)).await.clone()
        })
    }

    fn secret<'a>(
        &'a self,
        name: &'a str,
        value: Pending<'a, Result<String, Fault>>,
    ) -> Pending<'a, Result<Word, Fault>> {
        self.engine.basis.is_more();
        Box::pin(async move { Ok(self.engine.vault.keep(name, value.await?)) })
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        self.engine.basis.is_more();
        let layout = &self.engine.workspace.layout;
        Meant::inputs(&self.ground.dir, patterns, self.gitignore.then_some(layout)).names()
    }
}

/// Who finds out what tasks need before they run.
pub struct Ahead<'a, 'w> {
    pub engine: &'a Engine<'w>,
    pub frame: &'a Frame<'a>,
}

impl<'w> Scout<'w> for Ahead<'_, 'w> {
    fn words(&self) -> (&Names<'w>, &Renderer<'w>) {
        (&self.engine.names, &self.engine.renderer)
    }

    fn needs<'a>(
        &'a self,
        invocation: &'a mut Invocation<'w>,
    ) -> Pending<'a, Result<Vec<Invocation<'w>>, Fault>> {
        Box::pin(async move {
            let (engine, task) = (self.engine, invocation.task);
            let bindings = fixed(&engine.renderer, invocation)?;
            let ground = Ground::bare(engine.workspace, &engine.rendering(task, &bindings))?;
            let frame = self.frame.within(task.timeout);
            let witness = Live::new(engine, &frame, task, &ground);
            let learned = learn_for_needs(&engine.renderer, invocation, &witness).await;
            let words = learned.map_err(|fault| engine.vault.without_secrets(fault))?.words;
            let needs = needed_tasks(&engine.rendering(task, &words), &witness).await;
            let needs = needs.map_err(|fault| engine.vault.without_secrets(fault))?;
            invocation.found = words;
            Ok(needs)
        })
    }
}

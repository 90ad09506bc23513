//! What is known of a task without running anything: what a command would print stands as `$(…)`,
//! a secret as its symbol.

use std::{
    future::ready,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use futures_util::FutureExt;

use crate::{
    model::{Fault, Kind, Layout},
    process::Pending,
    workspace::{Keyring, Names, Renderer, Task, Text, Word, Workspace},
};

use super::{
    command::Ground,
    files::{Marks, Meant},
    key::inputs_word,
    plan::{Invocation, Scout, needed_tasks},
    steps::Rendering,
    variables::{Learned, Witness, fixed, learn, learn_for_needs},
};

/// What is known of one run of a task.
pub struct Known<'t> {
    /// Where it runs; not furnished yet.
    pub ground: Ground,
    /// What its words mean.
    pub learned: Learned,
    /// Who found it out.
    pub reader: Reader<'t>,
}

impl<'t> Known<'t> {
    /// What is known of `invocation`.
    ///
    /// # Errors
    /// If something in it cannot be rendered.
    pub fn of(
        workspace: &Workspace,
        names: &Names<'t>,
        renderer: &Renderer<'t>,
        invocation: &Invocation<'t>,
    ) -> Result<Self, Fault> {
        let task = invocation.task;
        let bindings = fixed(renderer, invocation)?;
        let rendering = Rendering { names, renderer, task, bindings: &bindings };
        let ground = Ground::bare(workspace, &rendering)?;
        let layout = workspace.layout.clone();
        let reader = Reader { dir: ground.dir.clone(), layout, task, unknown: Mutex::default() };
        let mut learned = at_once(learn(renderer, invocation, &reader))?;
        let rendering = Rendering { bindings: &learned.words, ..rendering };
        let more = inputs_word(&rendering, &workspace.layout, &ground, Marks::new)?;
        learned.words.extend(more);
        Ok(Self { ground, learned, reader })
    }
}

/// Who looks at files and runs nothing.
pub struct Reader<'t> {
    dir: PathBuf,
    layout: Layout,
    task: &'t Task,
    unknown: Mutex<Vec<String>>,
}

impl Reader<'_> {
    /// What stands for what is known only once it was run.
    pub fn unknown(&self) -> Vec<String> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Witness for Reader<'_> {
    fn printed<'a>(
        &'a self,
        line: &'a Text,
        _: Option<&'a Path>,
    ) -> Pending<'a, Result<String, Fault>> {
        let unknown = format!("$({})", line.symbolic());
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).push(unknown.clone());
        Box::pin(ready(Ok(unknown)))
    }

    fn secret<'a>(
        &'a self,
        name: &'a str,
        _: Pending<'a, Result<String, Fault>>,
    ) -> Pending<'a, Result<Word, Fault>> {
        Box::pin(ready(Ok(Keyring::word(name))))
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        let gitignore = self.task.gitignore.then_some(&self.layout);
        Meant::inputs(&self.dir, patterns, gitignore).names()
    }
}

/// Who tells what tasks need, as far as that is known before a run.
pub struct Foresight<'a, 'w> {
    pub workspace: &'a Workspace,
    pub names: &'a Names<'w>,
    pub renderer: &'a Renderer<'w>,
}

impl<'w> Scout<'w> for Foresight<'_, 'w> {
    fn words(&self) -> (&Names<'w>, &Renderer<'w>) {
        (self.names, self.renderer)
    }

    fn needs<'a>(
        &'a self,
        invocation: &'a mut Invocation<'w>,
    ) -> Pending<'a, Result<Vec<Invocation<'w>>, Fault>> {
        Box::pin(async move {
            let (names, renderer, task) = (self.names, self.renderer, invocation.task);
            let bindings = &fixed(renderer, invocation)?;
            let rendering = Rendering { names, renderer, task, bindings };
            let dir = Ground::bare(self.workspace, &rendering)?.dir;
            let layout = self.workspace.layout.clone();
            let reader = Reader { dir, layout, task, unknown: Mutex::default() };
            let words = learn_for_needs(renderer, invocation, &reader).await?.words;
            needed_tasks(&Rendering { bindings: &words, ..rendering }, &reader).await
        })
    }
}

/// What comes of work that waits for nothing.
pub fn at_once<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let waits = || Fault::new(Kind::Failed, "looking at a task waits for something");
    work.now_or_never().unwrap_or_else(|| Err(waits()))
}

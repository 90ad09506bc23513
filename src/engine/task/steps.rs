//! The entries of a task as what they come to: templates rendered, `for` unrolled.

use std::{borrow::Cow, time::Duration};

use crate::{
    model::{Fault, Kind, Platform},
    workspace::{
        Bindings, Meaning, Names, Renderer, Task, TaskAction, TaskCommand, TaskRef, TaskText, Text,
    },
};

use super::{
    evaluation::Evaluation,
    plan::{Invocation, called, called_name},
};

/// One thing to do.
#[derive(Debug)]
pub struct TaskStep<'w> {
    /// What.
    pub what: Work<'w>,
    /// Whether: what `if` gives.
    pub condition: Option<Text>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether to continue when it fails.
    pub allow_failure: bool,
    /// Whether it is not shown.
    pub quiet: bool,
    /// Whether it gets the terminal.
    pub interactive: bool,
    /// As it is written.
    pub entry: &'w TaskCommand,
}

/// What a step does.
#[derive(Debug)]
pub enum Work<'w> {
    /// Runs a command.
    Run(Text),
    /// Runs another task.
    Call(Invocation<'w>),
    /// Registers what runs at the end.
    Later(Box<Later<'w>>),
}

/// What runs at the end, rendered then.
#[derive(Debug)]
pub struct Later<'w> {
    entry: &'w TaskCommand,
    /// What its words meant when it was reached.
    pub bindings: Bindings,
}

impl Later<'_> {
    /// As it is written.
    pub fn source(&self) -> String {
        match &self.entry.what {
            TaskAction::Run(line) => line.source().to_owned(),
            TaskAction::Call(call) => format!("the task {}", call.name.text),
        }
    }
}

/// What it takes to render a task.
pub struct Rendering<'a, 'w> {
    /// What names mean.
    pub names: &'a Names<'w>,
    /// What renders.
    pub renderer: &'a Renderer<'w>,
    /// The task.
    pub task: &'w Task,
    /// What its words mean.
    pub bindings: &'a Bindings,
    /// Whether Task's meaning counts: what the environment says goes over files with variables.
    pub as_task: bool,
}

/// A name that came out of a template, and that no task has.
pub fn unknown_task(name: &str) -> Fault {
    Fault::new(Kind::Usage, format!("there is no task `{name}`"))
}

/// Whether something that is `only` for some places runs on this machine.
pub fn is_here(only: &[String]) -> bool {
    let host = Platform::host();
    let names = [host.os.as_str().to_owned(), host.to_string()];
    only.is_empty() || only.iter().any(|place| names.contains(place))
}

/// Whether `task` may run at all, which Task tells before it asks for any variable.
pub fn may_run(task: &Task) -> bool {
    let is_never = task.condition.as_ref().is_some_and(|condition| condition.source() == "false");
    is_here(&task.only) && !is_never
}

impl<'w> Rendering<'_, 'w> {
    /// What `run` comes to here.
    pub async fn run(&self, evaluation: &Evaluation<'_, '_>) -> Result<Vec<TaskStep<'w>>, Fault> {
        let mut steps = Vec::new();
        for bindings in self.each(self.task.each.as_ref(), self.bindings, evaluation).await? {
            steps.extend(self.steps(&self.task.run, &bindings, evaluation).await?);
            self.bounded(steps.len())?;
        }
        Ok(steps)
    }

    /// What `finally` comes to with `bindings`.
    pub async fn finally(
        &self,
        bindings: &Bindings,
        evaluation: &Evaluation<'_, '_>,
    ) -> Result<Vec<TaskStep<'w>>, Fault> {
        self.steps(&self.task.finally, bindings, evaluation).await
    }

    /// What a registered entry comes to with `bindings`. Whether it runs was asked already.
    pub fn later(&self, later: &Later<'w>, bindings: &Bindings) -> Result<TaskStep<'w>, Fault> {
        let what = self.work(later.entry, bindings)?;
        Ok(TaskStep { condition: None, ..self.step_of(later.entry, what, bindings)? })
    }

    /// What the environment says of `name`, where that goes over what files say.
    pub fn of_environment(&self, name: &str) -> Option<String> {
        let said = self.renderer.environment().get(name).filter(|_| self.as_task);
        said.map(str::to_owned)
    }

    /// A template of the task.
    pub fn text(&self, template: &TaskText) -> Result<Text, Fault> {
        self.renderer.render(self.task, template, self.bindings)
    }

    async fn steps(
        &self,
        entries: &'w [TaskCommand],
        bindings: &Bindings,
        evaluation: &Evaluation<'_, '_>,
    ) -> Result<Vec<TaskStep<'w>>, Fault> {
        let mut steps = Vec::new();
        for entry in entries.iter().filter(|entry| is_here(&entry.only)) {
            for bindings in self.each(entry.each.as_ref(), bindings, evaluation).await? {
                steps.push(self.step(entry, &bindings)?);
                self.bounded(steps.len())?;
            }
        }
        Ok(steps)
    }

    fn step(&self, entry: &'w TaskCommand, bindings: &Bindings) -> Result<TaskStep<'w>, Fault> {
        let what = match entry.at_end {
            true => Work::Later(Box::new(Later { entry, bindings: bindings.clone() })),
            false => self.work(entry, bindings)?,
        };
        self.step_of(entry, what, bindings)
    }

    fn work(&self, entry: &'w TaskCommand, bindings: &Bindings) -> Result<Work<'w>, Fault> {
        let render = |template| self.renderer.render(self.task, template, bindings);
        Ok(match &entry.what {
            TaskAction::Run(line) => Work::Run(render(line)?.trimmed()),
            TaskAction::Call(call) => {
                let name = self.name_of(call, bindings)?;
                match self.names.meant(self.task, &name) {
                    Some(Meaning::Task(target)) => {
                        Work::Call(called(self.renderer, self.task, call, target, bindings)?)
                    }
                    _ => return Err(unknown_task(&name)),
                }
            }
        })
    }

    /// The name of the task that `call` means.
    pub fn name_of<'c>(
        &self,
        call: &'c TaskRef,
        bindings: &Bindings,
    ) -> Result<Cow<'c, str>, Fault> {
        called_name(self.renderer, self.task, call, bindings)
    }

    fn step_of(
        &self,
        entry: &'w TaskCommand,
        what: Work<'w>,
        bindings: &Bindings,
    ) -> Result<TaskStep<'w>, Fault> {
        let render = |template| self.renderer.render(self.task, template, bindings);
        Ok(TaskStep {
            what,
            condition: entry.condition.as_ref().map(render).transpose()?,
            timeout: entry.timeout,
            allow_failure: entry.allow_failure,
            quiet: entry.quiet || self.task.quiet,
            interactive: entry.interactive || self.task.interactive,
            entry,
        })
    }
}

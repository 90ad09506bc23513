//! One task, from its conditions to its record.

use crate::model::{Fault, Kind, shown_url};

use super::{
    TaskEnd, TaskEvent, TaskMessage,
    command::Ground,
    evaluation::Evaluation,
    frame::RunScope,
    key::inputs_word,
    ledger::{RecordOrigin, TaskLedger},
    plan::Invocation,
    run::TaskEngine,
    steps::{Rendering, is_here, may_run},
    variables::{fixed, learn},
};

/// What became of a task that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// Its commands ran.
    Ran,
    /// There was nothing to do.
    Fresh,
    /// What it makes came from the remote cache.
    Remote,
    /// It does not run here, or not now.
    LeftOut,
}

/// One run of a task.
pub struct TaskRun<'e, 'w> {
    pub engine: &'e TaskEngine<'w>,
    pub invocation: &'e Invocation<'w>,
    /// Tells it from all others.
    pub number: usize,
}

/// What is known once variables are.
pub struct PreparedTask<'e, 'w> {
    pub rendering: Rendering<'e, 'w>,
    pub ground: Ground,
    pub label: String,
}

impl<'w> TaskRun<'_, 'w> {
    /// Runs it.
    pub async fn perform(&self, frame: &RunScope<'_>) -> Result<TaskOutcome, Fault> {
        let task = self.invocation.task;
        if !is_here(&task.only) || self.engine.options.as_task && !may_run(task) {
            self.report(
                &task.name,
                TaskEvent::Note("is left out: it does not run on this platform"),
            );
            self.report(&task.name, TaskEvent::Ended(TaskEnd::LeftOut));
            return Ok(TaskOutcome::LeftOut);
        }
        let how = self.tried(&frame.within(task.timeout)).await;
        match how.map_err(|fault| self.engine.context.vault.without_secrets(fault)) {
            Err(fault) if task.allow_failure && fault.kind != Kind::Interrupted => {
                self.report(&task.name, TaskEvent::Note(&format!("failed, which it may: {fault}")));
                Ok(TaskOutcome::Ran)
            }
            how => how,
        }
    }

    async fn tried(&self, frame: &RunScope<'_>) -> Result<TaskOutcome, Fault> {
        let engine = self.engine;
        let task = self.invocation.task;
        let bindings = fixed(&engine.context.renderer, self.invocation)?;
        let mut ground =
            Ground::bare(engine.context.workspace, &engine.context.rendering(task, &bindings))?;
        let evaluation = Evaluation::live(&engine.context, frame, task, &ground);
        let mut learned = learn(&engine.context.renderer, self.invocation, &evaluation).await?;
        if engine.options.as_task {
            let rendering = engine.context.rendering(task, &learned.words);
            ground.settle_dir(engine.context.workspace, &rendering)?;
        }
        let known = || engine.ledger.read(self.invocation).unwrap_or_default().inputs;
        let layout = &engine.context.workspace.layout;
        let more =
            inputs_word(&engine.context.rendering(task, &learned.words), layout, &ground, known)?;
        learned.words.extend(more);
        let rendering = engine.context.rendering(task, &learned.words);
        ground.furnish(&rendering, &learned.of_file)?;
        let label = match &task.label {
            Some(label) => rendering.text(label)?.expand(&ground.places),
            None => self.invocation.name.clone(),
        };
        engine.context.basis.add_words(task);
        if ground.looks_outside {
            engine.context.basis.is_more();
        }
        engine.context.basis.add(ground.read.iter().cloned().chain(engine.source_of(task)));
        let scene = PreparedTask { rendering, ground, label };
        let how = self.decided(&scene, frame).await;
        self.report(&scene.label, TaskEvent::Ended(TaskEnd::from_result(&how)));
        how
    }

    /// Whether it runs; and if so, all of it.
    async fn decided(
        &self,
        scene: &PreparedTask<'_, 'w>,
        frame: &RunScope<'_>,
    ) -> Result<TaskOutcome, Fault> {
        let task = self.invocation.task;
        if let Some(condition) = &task.condition {
            let condition = scene.rendering.text(condition)?;
            if !self.holds(scene, &condition, frame).await? {
                return Ok(TaskOutcome::LeftOut);
            }
        }
        let engine = self.engine;
        let is_forced = engine.options.force;
        if !(is_forced && engine.options.as_task) {
            self.check(scene, frame).await?;
        }
        let evaluation = Evaluation::live(&engine.context, frame, task, &scene.ground);
        let steps = scene.rendering.run(&evaluation).await?;
        let look = || {
            engine.eye().current_record(self.invocation, &scene.rendering, &scene.ground, &steps)
        };
        let fresh = || {
            self.rest(scene)?;
            self.report(&scene.label, TaskEvent::Note("is up to date"));
            Ok(TaskOutcome::Fresh)
        };
        let mut now = look()?;
        let may_skip = !is_forced;
        if may_skip && self.is_done(scene, now.as_ref(), frame).await? {
            return fresh();
        }
        if engine.options.only_looks {
            let what = format!("task {} is not up to date", self.invocation.name);
            return Err(Fault::new(Kind::Failed, what));
        }
        let mut turn = None;
        if now.is_some() {
            let (lock, waited) = self.turn(scene, frame).await?;
            turn = Some(lock);
            engine.ledger.catch_up();
            now = look()?;
            if (may_skip || waited) && self.is_done(scene, now.as_ref(), frame).await? {
                return fresh();
            }
        }
        if let Some(now) = now.as_ref().filter(|_| may_skip && engine.options.restore)
            && let Some(origin) = self.is_restored(scene, now, frame).await?
        {
            let (note, outcome) = match &origin.remote {
                None => ("is restored from the cache".to_owned(), TaskOutcome::Fresh),
                Some(remote) => {
                    (format!("is taken from the remote cache {remote}"), TaskOutcome::Remote)
                }
            };
            self.report(&scene.label, TaskEvent::Note(&note));
            return Ok(outcome);
        }
        if now.is_some() {
            let tell = |text: &str| self.report(&scene.label, TaskEvent::Note(text));
            engine.ledger.forget(self.invocation, &TaskLedger::patience(&frame.cancel, &tell))?;
        }
        scene.ground.make_dir()?;
        // Boxed, since tasks that call each other would take much of the stack with it.
        let elsewhere = Box::pin(self.run_elsewhere(scene, &steps, now.as_ref(), frame)).await?;
        let origin = match elsewhere {
            Some(origin) => origin,
            None => {
                let _seat = self.seat_here(&steps).await;
                self.carry_out(scene, &steps, frame).await?;
                RecordOrigin::of_run(engine.options.classes.own)
            }
        };
        self.keep(scene, now, &origin, frame)?;
        drop(turn);
        Ok(TaskOutcome::Ran)
    }

    /// Tells what happens, without secrets.
    pub(super) fn report(&self, label: &str, event: TaskEvent) {
        let hidden = |text: &str| self.engine.context.vault.hidden(text);
        let label = hidden(label);
        let tell = |event: TaskEvent| {
            (self.engine.audience)(TaskMessage { run: self.number, label: &label, event });
        };
        match event {
            TaskEvent::Command(text) => tell(TaskEvent::Command(&shown_url(&hidden(text)))),
            TaskEvent::Line(text) => tell(TaskEvent::Line(&hidden(text))),
            TaskEvent::Printed(text, is_error) => {
                tell(TaskEvent::Printed(&hidden(text), is_error));
            }
            TaskEvent::Note(text) => tell(TaskEvent::Note(&hidden(text))),
            TaskEvent::Ended(end) => tell(TaskEvent::Ended(end)),
        }
    }
}

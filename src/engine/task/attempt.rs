//! The commands of a task: each try of `run`, and what cleans up.
//!
//! ```text
//! run ─ fails? ─ what its `finally` entries registered, last first ─ tries left? ─ delay ─┐
//!  ▲                                                                                      │
//!  └──────────────────────────────────────────────────────────────────────────────────────┘
//! done, failed or stopped ─▶ `finally` of the task, which knows `exit_code`
//! ```
//!
//! What cleans up runs whatever happened, all of it, even when one of its commands fails or
//! the run was stopped (only being asked a second time stops that too). Its own failure
//! is told, and makes the task fail only if all went well before.

use std::{
    io::{self, IsTerminal},
    path::{Component, Path},
};

use crate::{
    disk::Folder,
    model::{Fault, Kind},
    process::CommandLine,
    workspace::{Bindings, TaskAction, Text},
};

use super::{
    TaskEvent,
    evaluation::Evaluation,
    frame::RunScope,
    key::patterns,
    perform::{PreparedTask, TaskRun},
    pool::PoolPermit,
    steps::{Later, TaskStep, Work},
};

/// The exit code of a shell that does not find a program.
const NOT_FOUND: u8 = 127;

/// The folder that what `pattern` means is in, if it is below the folder of the task.
fn folder_of(pattern: &str) -> Option<&Path> {
    let named = &pattern[..pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len())];
    let (folder, _) = named.rsplit_once('/')?;
    let folder = Path::new(folder);
    let is_below =
        folder.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (is_below && !pattern.starts_with('!')).then_some(folder)
}

impl<'w> TaskRun<'_, 'w> {
    /// Runs `steps`, again if they fail and that is wanted, and then what cleans up.
    pub(super) async fn carry_out(
        &self,
        scene: &PreparedTask<'_, 'w>,
        steps: &[TaskStep<'w>],
        frame: &RunScope<'_>,
    ) -> Result<(), Fault> {
        let mut seat = self.engine.pools.seat(self.invocation.task.pool.as_ref());
        self.make_folders_of_outputs(scene);
        let mut done = self.attempt(scene, steps, frame, &mut seat).await;
        let retry = self.invocation.task.retry;
        for attempt in 1..=retry.times {
            let Err(fault) = &done else { break };
            if fault.kind == Kind::Interrupted {
                break;
            }
            let note = format!("failed; try {attempt} of {} follows: {fault}", retry.times);
            self.report(&scene.label, TaskEvent::Note(&note));
            seat.leave();
            if frame.pause(retry.delay, "another try").await.is_err() {
                break;
            }
            done = self.attempt(scene, steps, frame, &mut seat).await;
        }
        let frame = self.engine.last_frame();
        let bindings = with_exit_code(scene.rendering.bindings, &done);
        let evaluation =
            Evaluation::live(&self.engine.context, &frame, self.invocation.task, &scene.ground);
        let last = scene.rendering.finally(&bindings, &evaluation).await;
        let cleaned = match &last {
            Ok(last) => self.clean_up(scene, last.iter().map(Ok), &frame, &mut seat).await,
            Err(fault) => self.told(scene, fault.clone()),
        };
        done.and(cleaned)
    }

    /// Makes the folders that outputs are in, as far as they are named: a command that writes a file expects
    /// them. One that cannot be made is missed by the command.
    fn make_folders_of_outputs(&self, scene: &PreparedTask<'_, 'w>) {
        let root = self.engine.context.workspace.layout.root();
        let written = patterns(&scene.rendering, &scene.ground, &self.invocation.task.outputs);
        let Ok(within) = Folder::open(root) else { return };
        for pattern in written.unwrap_or_default() {
            if let Some(folder) = folder_of(&pattern) {
                let _ = within.make_folder(&scene.ground.dir.join(folder));
            }
        }
    }

    /// Runs `steps` up to the first that fails, and then what they registered, last first.
    async fn attempt(
        &self,
        scene: &PreparedTask<'_, 'w>,
        steps: &[TaskStep<'w>],
        frame: &RunScope<'_>,
        seat: &mut PoolPermit,
    ) -> Result<(), Fault> {
        let mut registered: Vec<&Later<'w>> = Vec::new();
        let mut done = Ok(());
        for step in steps {
            match &step.what {
                Work::Later(later) => match self.applies(scene, step, frame).await {
                    Ok(true) => registered.push(later),
                    Ok(false) => {}
                    Err(fault) => done = Err(fault),
                },
                _ => done = self.tolerated(scene, step, frame, seat).await,
            }
            if done.is_err() {
                break;
            }
        }
        if registered.is_empty() {
            return done;
        }
        let last = registered
            .into_iter()
            .rev()
            .map(|later| scene.rendering.later(later, &with_exit_code(&later.bindings, &done)));
        let last: Vec<_> = last.collect();
        let last = last.iter().map(Result::as_ref);
        let cleaned = self.clean_up(scene, last, &self.engine.last_frame(), seat).await;
        done.and(cleaned)
    }

    /// Runs all of `steps`, whatever becomes of each.
    async fn clean_up<'s>(
        &self,
        scene: &PreparedTask<'_, 'w>,
        steps: impl Iterator<Item = Result<&'s TaskStep<'w>, &'s Fault>>,
        frame: &RunScope<'_>,
        seat: &mut PoolPermit,
    ) -> Result<(), Fault>
    where
        'w: 's,
    {
        let mut cleaned = Ok(());
        for step in steps {
            let done = match step {
                Ok(step) => self.tolerated(scene, step, frame, seat).await,
                Err(fault) => Err(fault.clone()),
            };
            if let Err(fault) = done {
                cleaned = cleaned.and(self.told(scene, fault));
            }
        }
        cleaned
    }

    /// Tells that cleaning up failed, and fails so.
    fn told(&self, scene: &PreparedTask<'_, 'w>, fault: Fault) -> Result<(), Fault> {
        let note = format!("could not clean up: {fault}");
        self.report(&scene.label, TaskEvent::Note(&note));
        Err(fault)
    }

    /// Runs `step`, whose failure may be allowed.
    async fn tolerated(
        &self,
        scene: &PreparedTask<'_, 'w>,
        step: &TaskStep<'w>,
        frame: &RunScope<'_>,
        seat: &mut PoolPermit,
    ) -> Result<(), Fault> {
        match self.step(scene, step, &frame.within(step.timeout), seat).await {
            Err(fault) if step.allow_failure && fault.kind != Kind::Interrupted => {
                let note = format!("goes on after a failure: {fault}");
                self.report(&scene.label, TaskEvent::Note(&note));
                Ok(())
            }
            done => done,
        }
    }

    async fn step(
        &self,
        scene: &PreparedTask<'_, 'w>,
        step: &TaskStep<'w>,
        frame: &RunScope<'_>,
        seat: &mut PoolPermit,
    ) -> Result<(), Fault> {
        if !self.applies(scene, step, frame).await? {
            return Ok(());
        }
        match &step.what {
            Work::Run(line) => {
                seat.take(&frame.cancel, &format!("task {}", self.invocation.task.name)).await?;
                let done = self.command(scene, step, line, frame).await;
                done.map_err(|fault| self.placed(step, self.failed(fault)))
            }
            Work::Call(invocation) => {
                seat.leave();
                self.engine.call(invocation, frame).await.map(|_| ())
            }
            Work::Later(_) => Ok(()),
        }
    }

    async fn command(
        &self,
        scene: &PreparedTask<'_, 'w>,
        step: &TaskStep<'w>,
        line: &Text,
        frame: &RunScope<'_>,
    ) -> Result<(), Fault> {
        let keyring = self.engine.context.vault.keyring();
        let mut command = scene.ground.command(&keyring, line)?;
        command.secrets = keyring.secrets().clone();
        command.terminal = step.interactive;
        command.through = self.engine.options.through;
        if self.engine.options.as_task {
            // In Task's shell a line that goes on at the end of the command ends there.
            if let CommandLine::Shell(line) = &mut command.line
                && line.ends_with('\\')
            {
                line.push('\n');
            }
            // A group of its own may not read a terminal.
            command.reads = !io::stdin().is_terminal();
            command.jobs = false;
        }
        if !step.quiet {
            self.report(&scene.label, TaskEvent::Command(&line.expand(&scene.ground.places)));
        }
        let mut pass_on = |line: &str| self.report(&scene.label, TaskEvent::Line(line));
        frame.run(command, &mut pass_on).await
    }

    /// Whether what `if` of `step` says holds.
    pub(super) async fn applies(
        &self,
        scene: &PreparedTask<'_, 'w>,
        step: &TaskStep<'w>,
        frame: &RunScope<'_>,
    ) -> Result<bool, Fault> {
        let Some(condition) = &step.condition else { return Ok(true) };
        self.holds(scene, condition, frame).await.map_err(|fault| self.failed(fault))
    }

    /// `fault`, and what it comes from: where the file names a program that is not there, or that
    /// there is nobody to ask.
    fn placed(&self, step: &TaskStep<'w>, fault: Fault) -> Fault {
        match (&step.entry.what, fault.code) {
            (TaskAction::Run(line), Some(NOT_FOUND)) => line.is_wrong(self.invocation.task, fault),
            _ if step.interactive && fault.code.is_some() && !io::stdin().is_terminal() => {
                fault.hint("it is `interactive`, and there is no terminal to ask at")
            }
            _ => fault,
        }
    }

    fn failed(&self, fault: Fault) -> Fault {
        fault.within(format!("task {} failed", self.invocation.task.name))
    }
}

/// `bindings`, and `exit_code`: 0, that of the command that failed, 124 for a timeout, 130 if the
/// run was stopped.
fn with_exit_code(bindings: &Bindings, done: &Result<(), Fault>) -> Bindings {
    let code = match done {
        Ok(()) => 0,
        Err(fault) => fault.code.unwrap_or_else(|| fault.kind.exit_code()),
    };
    let mut bindings = bindings.clone();
    bindings.set("exit_code", crate::workspace::TemplateValue::number(usize::from(code)));
    bindings
}

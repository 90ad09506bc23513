//! One task, from its conditions to its record.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    model::{Fault, Kind},
    process::{CommandRunner, Runner},
    workspace::Text,
};

use super::{
    Event, Told,
    command::Ground,
    plan::Invocation,
    run::Engine,
    steps::{Rendering, Step, Work, is_here},
    variables::{fixed, learn},
    witness::Live,
};

/// What became of a task that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its commands ran.
    Ran,
    /// There was nothing to do.
    Fresh,
    /// It does not run here, or not now.
    LeftOut,
}

/// Within what a task runs.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// What runs its commands.
    pub runner: &'a Runner,
    /// When it has to be done.
    pub deadline: Option<Instant>,
}

impl Frame<'_> {
    fn within(self, limit: Option<Duration>) -> Self {
        let own = limit.map(|limit| Instant::now() + limit);
        Self { deadline: own.into_iter().chain(self.deadline).min(), ..self }
    }
}

/// One run of a task.
pub struct Performance<'e, 'w> {
    pub engine: &'e Engine<'w>,
    pub invocation: &'e Invocation<'w>,
    /// Tells it from all others.
    pub number: usize,
}

/// What is known once variables are.
pub struct Scene<'e, 'w> {
    pub rendering: Rendering<'e, 'w>,
    pub ground: Ground,
    pub label: String,
}

impl<'w> Performance<'_, 'w> {
    /// Runs it.
    pub async fn perform(&self, frame: Frame<'_>) -> Result<How, Fault> {
        let task = self.invocation.task;
        if !is_here(&task.only) {
            self.tell(&task.name, Event::Note("is left out: it does not run on this platform"));
            return Ok(How::LeftOut);
        }
        let how = self.tried(frame.within(task.timeout)).await;
        match how {
            Err(fault) if task.allow_failure && fault.kind != Kind::Interrupted => {
                self.tell(&task.name, Event::Note(&format!("failed, which it may: {fault}")));
                Ok(How::Ran)
            }
            how => how,
        }
    }

    async fn tried(&self, frame: Frame<'_>) -> Result<How, Fault> {
        let engine = self.engine;
        let task = self.invocation.task;
        let bindings = fixed(&engine.renderer, self.invocation)?;
        let mut ground = Ground::bare(engine.workspace, &engine.rendering(task, &bindings))?;
        let witness = Live::new(engine, frame.runner, task, &ground);
        let bindings = learn(&engine.renderer, self.invocation, &witness).await?;
        let rendering = engine.rendering(task, &bindings);
        ground.furnish(&rendering)?;
        let label = match &task.label {
            Some(label) => rendering.text(label)?.expand(&ground.places),
            None => task.name.clone(),
        };
        let scene = Scene { rendering, ground, label };
        let how = self.decided(&scene, frame).await;
        self.tell(&scene.label, Event::Ended(how.is_ok()));
        how
    }

    /// Whether it runs; and if so, all of it.
    async fn decided(&self, scene: &Scene<'_, 'w>, frame: Frame<'_>) -> Result<How, Fault> {
        let task = self.invocation.task;
        if let Some(condition) = &task.condition {
            let condition = scene.rendering.text(condition)?;
            if !self.holds(scene, &condition, frame).await? {
                return Ok(How::LeftOut);
            }
        }
        self.check(scene, frame).await?;
        let engine = self.engine;
        let witness = Live::new(engine, frame.runner, task, &scene.ground);
        let steps = scene.rendering.run(&witness).await?;
        let look = || engine.eye().look(self.invocation, &scene.rendering, &scene.ground, &steps);
        let fresh = || {
            self.tell(&scene.label, Event::Note("is up to date"));
            Ok(How::Fresh)
        };
        let mut now = look()?;
        let may_skip = !engine.options.force;
        if may_skip && self.is_done(scene, now.as_ref(), frame).await? {
            return fresh();
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
        if let Some(now) = now.as_ref().filter(|_| may_skip)
            && self.is_restored(scene, now, frame).await?
        {
            self.tell(&scene.label, Event::Note("is restored from the cache"));
            return Ok(How::Fresh);
        }
        if now.is_some() {
            engine.ledger.forget(self.invocation)?;
        }
        let mut done = self.all(scene, &steps, frame).await;
        for attempt in 1..=task.retry.times {
            match &done {
                Err(fault) if fault.kind != Kind::Interrupted => {
                    let note =
                        format!("failed; try {attempt} of {} follows: {fault}", task.retry.times);
                    self.tell(&scene.label, Event::Note(&note));
                    done = self.all(scene, &steps, frame).await;
                }
                _ => break,
            }
        }
        // Whatever happened, also if somebody stopped the run or its time is over.
        let last = Frame { runner: self.engine.last_runner(), deadline: None };
        let witness = Live::new(engine, last.runner, task, &scene.ground);
        let cleaned = match scene.rendering.finally(&witness).await {
            Ok(steps) => self.all(scene, &steps, last).await,
            Err(fault) => Err(fault),
        };
        done.and(cleaned)?;
        self.keep(scene, now)?;
        drop(turn);
        Ok(How::Ran)
    }

    async fn check(&self, scene: &Scene<'_, 'w>, frame: Frame<'_>) -> Result<(), Fault> {
        for (line, message) in &self.invocation.task.assert {
            let line = scene.rendering.text(line)?;
            if !self.holds(scene, &line, frame).await? {
                let name = &self.invocation.task.name;
                let fault = Fault::new(Kind::Failed, format!("task {name} cannot begin"));
                return Err(match message {
                    Some(message) => {
                        fault.because(scene.rendering.text(message)?.expand(&scene.ground.places))
                    }
                    None => fault.because(format!("`{}` does not hold", line.symbolic())),
                });
            }
        }
        Ok(())
    }

    /// Whether `line` is `true`, or a command that succeeds.
    pub(super) async fn holds(
        &self,
        scene: &Scene<'_, 'w>,
        line: &Text,
        frame: Frame<'_>,
    ) -> Result<bool, Fault> {
        match line.symbolic().trim() {
            "true" | "True" => return Ok(true),
            "false" | "False" | "" => return Ok(false),
            _ => {}
        }
        let command = scene.ground.command(line);
        match frame.runner.run(&command, &mut |_| ()).await {
            Ok(()) => Ok(true),
            Err(fault)
                if fault.kind == Kind::Failed && fault.code.is_some_and(|code| code != 127) =>
            {
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn all(
        &self,
        scene: &Scene<'_, 'w>,
        steps: &[Step<'w>],
        frame: Frame<'_>,
    ) -> Result<(), Fault> {
        for step in steps {
            match self.step(scene, step, frame.within(step.timeout)).await {
                Err(fault) if step.allow_failure && fault.kind != Kind::Interrupted => {
                    let note = format!("goes on after a failure: {fault}");
                    self.tell(&scene.label, Event::Note(&note));
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        scene: &Scene<'_, 'w>,
        step: &Step<'w>,
        frame: Frame<'_>,
    ) -> Result<(), Fault> {
        let failed =
            |fault: Fault| fault.within(format!("task {} failed", self.invocation.task.name));
        if let Some(condition) = &step.condition
            && !self.holds(scene, condition, frame).await.map_err(failed)?
        {
            return Ok(());
        }
        let line = match &step.what {
            Work::Run(line) => line,
            Work::Call(invocation) => {
                return self.engine.call(invocation, frame).await.map(|_| ());
            }
        };
        let mut command = scene.ground.command(line);
        if let Some(deadline) = frame.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            command.timeout = Some(left.max(Duration::from_millis(1)));
        }
        if !step.quiet {
            self.tell(&scene.label, Event::Command(&line.expand(&scene.ground.places)));
        }
        let mut pass_on = |line: &str| self.tell(&scene.label, Event::Line(line));
        frame.runner.run(&command, &mut pass_on).await.map_err(failed)
    }

    pub(super) fn tell(&self, label: &str, event: Event) {
        (self.engine.audience)(Told { run: self.number, label, event });
    }
}

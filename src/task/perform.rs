//! One task, from its conditions to its record.

use crate::model::{Fault, Kind, shown_url};

use super::{
    End, Event, Told,
    command::Ground,
    frame::Frame,
    key::inputs_word,
    ledger::Ledger,
    plan::Invocation,
    run::Engine,
    steps::{Rendering, is_here},
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
    pub async fn perform(&self, frame: &Frame<'_>) -> Result<How, Fault> {
        let task = self.invocation.task;
        if !is_here(&task.only) {
            self.tell(&task.name, Event::Note("is left out: it does not run on this platform"));
            self.tell(&task.name, Event::Ended(End::LeftOut));
            return Ok(How::LeftOut);
        }
        let how = self.tried(&frame.within(task.timeout)).await;
        match how.map_err(|fault| self.engine.vault.without_secrets(fault)) {
            Err(fault) if task.allow_failure && fault.kind != Kind::Interrupted => {
                self.tell(&task.name, Event::Note(&format!("failed, which it may: {fault}")));
                Ok(How::Ran)
            }
            how => how,
        }
    }

    async fn tried(&self, frame: &Frame<'_>) -> Result<How, Fault> {
        let engine = self.engine;
        let task = self.invocation.task;
        let bindings = fixed(&engine.renderer, self.invocation)?;
        let mut ground = Ground::bare(engine.workspace, &engine.rendering(task, &bindings))?;
        let witness = Live::new(engine, frame, task, &ground);
        let mut learned = learn(&engine.renderer, self.invocation, &witness).await?;
        let known = || engine.ledger.read(self.invocation).unwrap_or_default().inputs;
        let layout = &engine.workspace.layout;
        let more = inputs_word(&engine.rendering(task, &learned.words), layout, &ground, known)?;
        learned.words.extend(more);
        let rendering = engine.rendering(task, &learned.words);
        ground.furnish(&rendering, &learned.of_file)?;
        let label = match &task.label {
            Some(label) => rendering.text(label)?.expand(&ground.places),
            None => self.invocation.name.clone(),
        };
        engine.basis.add_words(task);
        if ground.looks_outside {
            engine.basis.is_more();
        }
        engine.basis.add(ground.read.iter().cloned().chain(engine.source_of(task)));
        let scene = Scene { rendering, ground, label };
        let how = self.decided(&scene, frame).await;
        self.tell(&scene.label, Event::Ended(End::of(&how)));
        how
    }

    /// Whether it runs; and if so, all of it.
    async fn decided(&self, scene: &Scene<'_, 'w>, frame: &Frame<'_>) -> Result<How, Fault> {
        let task = self.invocation.task;
        if let Some(condition) = &task.condition {
            let condition = scene.rendering.text(condition)?;
            if !self.holds(scene, &condition, frame).await? {
                return Ok(How::LeftOut);
            }
        }
        self.check(scene, frame).await?;
        let engine = self.engine;
        let witness = Live::new(engine, frame, task, &scene.ground);
        let steps = scene.rendering.run(&witness).await?;
        let look = || engine.eye().look(self.invocation, &scene.rendering, &scene.ground, &steps);
        let fresh = || {
            self.rest(scene)?;
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
            let tell = |text: &str| self.tell(&scene.label, Event::Note(text));
            engine.ledger.forget(self.invocation, &Ledger::patience(&frame.cancel, &tell))?;
        }
        self.carry_out(scene, &steps, frame).await?;
        self.keep(scene, now, frame)?;
        drop(turn);
        Ok(How::Ran)
    }

    /// Tells what happens, without secrets.
    pub(super) fn tell(&self, label: &str, event: Event) {
        let hidden = |text: &str| self.engine.vault.hidden(text);
        let label = hidden(label);
        let tell = |event: Event| {
            (self.engine.audience)(Told { run: self.number, label: &label, event });
        };
        match event {
            Event::Command(text) => tell(Event::Command(&shown_url(&hidden(text)))),
            Event::Line(text) => tell(Event::Line(&hidden(text))),
            Event::Note(text) => tell(Event::Note(&hidden(text))),
            Event::Ended(end) => tell(Event::Ended(end)),
        }
    }
}

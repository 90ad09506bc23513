//! One task, from its conditions to its record.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    cache,
    model::{ArtifactId, Fault, Inputs, Kind, Name},
    process::{CommandRunner, Runner},
    workspace::{Meaning, Names, Task, Template, Text, Workspace},
};

use super::{
    Event, Told,
    command::Ground,
    files::{Marks, marks},
    plan::Invocation,
    record::{Record, digest},
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
struct Scene<'e, 'w> {
    rendering: Rendering<'e, 'w>,
    ground: Ground,
    label: String,
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
        let learned = learn(&engine.renderer, self.invocation, &witness).await?;
        let rendering = engine.rendering(task, &learned.words);
        ground.furnish(&rendering, &learned.of_file)?;
        let label = match &task.label {
            Some(label) => rendering.text(label)?.expand(&ground.places),
            None => self.invocation.name.clone(),
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
        let now = now(engine.workspace, &engine.names, self.invocation, scene, &steps)?;
        if !engine.options.force && self.is_done(scene, now.as_ref(), frame).await? {
            self.tell(&scene.label, Event::Note("is up to date"));
            return Ok(How::Fresh);
        }
        if now.is_some() {
            Record::forget(&engine.workspace.layout, self.invocation);
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
    async fn holds(
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

    /// Whether there is nothing to do: what `status` says and what the record says, if both speak.
    async fn is_done(
        &self,
        scene: &Scene<'_, 'w>,
        now: Option<&Record>,
        frame: Frame<'_>,
    ) -> Result<bool, Fault> {
        let status = &self.invocation.task.status;
        if now.is_none() && status.is_empty() {
            return Ok(false);
        }
        if let Some(now) = now {
            let known = Record::read(&self.engine.workspace.layout, self.invocation);
            if known.is_none_or(|known| known.difference(now).is_some()) {
                return Ok(false);
            }
        }
        for line in status {
            if !self.holds(scene, &scene.rendering.text(line)?, frame).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records what went in and what came out.
    fn keep(&self, scene: &Scene<'_, 'w>, now: Option<Record>) -> Result<(), Fault> {
        let Some(mut record) = now else { return Ok(()) };
        let outputs = rendered(scene, &self.invocation.task.outputs)?;
        record.outputs = marks(&scene.ground.dir, &outputs, false, &Marks::new())?;
        let is_plain = |path: &&String| !path.contains(['*', '?', '[', '{', '!']);
        for path in outputs.iter().filter(is_plain) {
            if !scene.ground.dir.join(path).exists() {
                let note = format!("did not make {path}, so it is not up to date");
                self.tell(&scene.label, Event::Note(&note));
                return Ok(());
            }
        }
        record.write(&self.engine.workspace.layout, self.invocation)
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

    fn tell(&self, label: &str, event: Event) {
        (self.engine.audience)(Told { run: self.number, label, event });
    }
}

fn rendered(scene: &Scene, templates: &[Template]) -> Result<Vec<String>, Fault> {
    let render = |template| Ok(scene.rendering.text(template)?.expand(&scene.ground.places));
    templates.iter().map(render).collect()
}

/// What goes into the key of a task now, and what its files hold; nothing for one without inputs.
fn now(
    workspace: &Workspace,
    names: &Names,
    invocation: &Invocation,
    scene: &Scene,
    steps: &[Step],
) -> Result<Option<Record>, Fault> {
    let Scene { rendering, ground, .. } = scene;
    look(workspace, names, invocation, rendering, ground, steps)
}

/// As it stands now, compared with nothing.
pub fn look(
    workspace: &Workspace,
    names: &Names,
    invocation: &Invocation,
    rendering: &Rendering,
    ground: &Ground,
    steps: &[Step],
) -> Result<Option<Record>, Fault> {
    let task = invocation.task;
    if task.inputs.is_empty() {
        return Ok(None);
    }
    let patterns = |templates: &[Template]| -> Result<Vec<String>, Fault> {
        let render = |template| Ok(rendering.text(template)?.expand(&ground.places));
        templates.iter().map(render).collect()
    };
    let known = Record::read(&workspace.layout, invocation).unwrap_or_default();
    let inputs = marks(&ground.dir, &patterns(&task.inputs)?, task.gitignore, &known.inputs)?;
    let outputs = marks(&ground.dir, &patterns(&task.outputs)?, false, &known.outputs)?;
    let fields = Inputs::from([
        ("run".to_owned(), digest(&commands(names, steps))),
        ("env".to_owned(), digest(&ground.env)),
        (
            "vars".to_owned(),
            digest(&BTreeMap::from([(String::new(), rendering.bindings.written())])),
        ),
        ("needs".to_owned(), digest(&fingerprints(workspace, names, task))),
        (
            "dir".to_owned(),
            digest(&BTreeMap::from([(String::new(), ground.dir.display().to_string())])),
        ),
        (
            "outputs".to_owned(),
            digest(&BTreeMap::from([(String::new(), format!("{:?}", patterns(&task.outputs)?))])),
        ),
    ]);
    Ok(Some(Record { fields, inputs, outputs }))
}

/// All that `steps` run, and all that the tasks they call may run.
fn commands(names: &Names, steps: &[Step]) -> BTreeMap<String, String> {
    let mut commands = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let condition = step.condition.as_ref().map(Text::symbolic);
        let what = match &step.what {
            Work::Run(line) => line.symbolic(),
            Work::Call(invocation) => {
                format!("{} {}", invocation.key(), definition(names, invocation.task))
            }
        };
        commands.insert(format!("{index:06}"), format!("{condition:?} {what}"));
    }
    commands
}

/// Everything written in `task` and in those it comes to run. Ends, since tasks call each other
/// in no circle.
fn definition(names: &Names, task: &Task) -> String {
    let mut text = String::new();
    let mut open = vec![task];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(task) = open.pop() {
        if !seen.insert(&task.name) {
            continue;
        }
        let variables = task.vars.iter().flat_map(|var| var.variable.templates());
        for template in task.templates().into_iter().chain(variables) {
            text.push_str(template.source());
            text.push('\n');
        }
        text.extend(task.home.given.iter().map(|(name, value)| format!("{name}={value}\n")));
        let meant = task.calls().filter_map(|call| names.meant(task, &call.name.text));
        open.extend(meant.filter_map(|meaning| match meaning {
            Meaning::Task(task) => Some(task),
            Meaning::Subsystem(_) => None,
        }));
    }
    text
}

/// The fingerprints of the subsystems that `task` needs, as they are installed.
fn fingerprints(workspace: &Workspace, names: &Names, task: &Task) -> BTreeMap<String, String> {
    let print = |name: &str| {
        let id = ArtifactId { name: Name::new(name).ok()?, platform: workspace.platform };
        let record = cache::Record::read(&workspace.layout.record(&id))?;
        Some(record.stamp.fingerprint.to_string())
    };
    let needs =
        task.needs.iter().filter_map(|need| match names.meant(task, &need.call.name.text)? {
            Meaning::Subsystem(name) => Some((name.to_owned(), print(name).unwrap_or_default())),
            Meaning::Task(_) => None,
        });
    needs.collect()
}

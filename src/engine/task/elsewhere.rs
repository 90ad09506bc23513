//! A task that runs on a worker: what goes in is sent there, its commands run there, and what comes out lies here
//! as if they had run here.

use std::{collections::BTreeMap, path::Path};

use tokio::sync::SemaphorePermit;

use crate::{
    cache::{Cache, MadeOutput},
    model::{Fault, Kind, path_to_text},
    process::CommandLine,
    provenance::RunClass,
    reapi::{ExecutionResult, TreeEntry},
    remote::{RemoteCache, WorkerCommand, WorkerInput, WorkerOrder},
    walk::InputKind,
    workspace::Places,
};

use super::{
    TaskEvent,
    files::PatternsBelow,
    frame::RunScope,
    key::{is_kept, patterns},
    ledger::RecordOrigin,
    perform::{PreparedTask, TaskRun},
    record::{TaskRecord, digest},
    steps::{TaskStep, Work},
};

/// No worker is asked for, and why the task runs here then.
type Here = &'static str;

impl<'w> TaskRun<'_, 'w> {
    /// Runs `steps` on a worker, if the task is to run there. Returns who made what it makes; nothing if it has to
    /// run here.
    ///
    /// # Errors
    /// That of its commands; `Store` if there is no worker and nobody said that it may run here.
    pub(super) async fn run_elsewhere(
        &self,
        scene: &PreparedTask<'_, 'w>,
        steps: &[TaskStep<'w>],
        now: Option<&TaskRecord>,
        frame: &RunScope<'_>,
    ) -> Result<Option<RecordOrigin>, Fault> {
        let task = self.invocation.task;
        let (Some(properties), Some(remote)) = (self.engine.worker(task), &self.engine.remote)
        else {
            return Ok(None);
        };
        let here = |why: &str| {
            self.report(&scene.label, TaskEvent::Note(&format!("runs here: {why}")));
            Ok(None)
        };
        let mut ordered = match self.order(scene, steps, frame).await? {
            Ok(ordered) => ordered,
            Err(why) => return here(why),
        };
        ordered.properties = properties;
        let mut tries = task.retry.times;
        let done = loop {
            let done = self.on_worker(scene, &ordered, now, remote, frame).await;
            match done {
                Err(fault) if fault.kind == Kind::Failed && fault.code.is_some() && tries > 0 => {
                    tries -= 1;
                    let note = format!("failed; another try follows: {fault}");
                    self.report(&scene.label, TaskEvent::Note(&note));
                    frame.pause(task.retry.delay, "another try").await?;
                }
                done => break done,
            }
        };
        match done {
            Err(fault) if fault.kind == Kind::Store && remote.falls_back() => {
                here(&format!("{fault}"))
            }
            done => done.map(Some),
        }
    }

    /// A seat among the tasks that were to run on workers and run here after all. What calls others takes none: those
    /// may want one.
    pub(super) async fn seat_here(&self, steps: &[TaskStep<'w>]) -> Option<SemaphorePermit<'_>> {
        self.engine.worker(self.invocation.task)?;
        if steps.iter().any(|step| matches!(step.what, Work::Call(_))) {
            return None;
        }
        self.engine.local.acquire().await.ok()
    }

    async fn on_worker(
        &self,
        scene: &PreparedTask<'_, 'w>,
        order: &WorkerOrder,
        now: Option<&TaskRecord>,
        remote: &RemoteCache,
        frame: &RunScope<'_>,
    ) -> Result<RecordOrigin, Fault> {
        let mut is_anew = self.engine.options.force;
        let tell = |line: &str, is_error: bool| {
            self.report(&scene.label, TaskEvent::Printed(line, is_error));
        };
        for _ in 0..=RemoteCache::tries_of_fetching() {
            let stop = frame.cancel.part();
            let mut run = std::pin::pin!(remote.run_on_worker(order, is_anew, &tell, &stop));
            let result = tokio::select! {
                result = &mut run => result?,
                fault = frame.expired(&self.invocation.name) => {
                    stop.cancel_because("its time is over");
                    let _ = run.await;
                    return Err(fault);
                }
            };
            for (bytes, is_error) in result.untold().into_iter().zip([false, true]) {
                String::from_utf8_lossy(bytes).lines().for_each(|line| tell(line, is_error));
            }
            if result.exit_code != 0 {
                return Err(self.failure(order, &result));
            }
            if self.placed_from(scene, &result, now, remote).await? {
                let class = match remote.is_read() {
                    // It may have been known before, which is a claim of who may write there.
                    true => RunClass::Untrusted,
                    false => self.engine.options.classes.own,
                };
                let identity = remote.is_read().then(|| remote.identity());
                return Ok(RecordOrigin { class, remote: identity });
            }
            is_anew = true;
        }
        let what = format!("what {} made on a worker is gone before it is here", order.name);
        Err(Fault::new(Kind::Store, what).hint("the server may have too little room"))
    }

    /// The fault of commands that failed on a worker, as it would be here.
    fn failure(&self, order: &WorkerOrder, result: &ExecutionResult) -> Fault {
        let code = u8::try_from(result.exit_code).unwrap_or(1);
        let line = match order.commands.as_slice() {
            [one] => {
                CommandLine::Shell(one.line.replace(WorkerOrder::ROOT, "{{ root }}")).to_string()
            }
            _ => "a command".to_owned(),
        };
        let fault = WorkerOrder::missing_tool(&result.stderr)
            .unwrap_or_else(|| Fault::new(Kind::Failed, format!("{line} exited with code {code}")));
        let fault = match result.worker.is_empty() {
            true => fault.because("it ran on a worker"),
            false => fault.because(format!("it ran on the worker {}", result.worker)),
        };
        fault.exited(code).within(format!("task {} failed", self.invocation.task.name))
    }

    /// Brings what a worker made here, all of it or nothing. Says whether it was still there.
    async fn placed_from(
        &self,
        scene: &PreparedTask<'_, 'w>,
        result: &ExecutionResult,
        now: Option<&TaskRecord>,
        remote: &RemoteCache,
    ) -> Result<bool, Fault> {
        let dir = self.below_root(&scene.ground.dir).unwrap_or_default();
        let written = patterns(&scene.rendering, &scene.ground, &self.invocation.task.outputs)?;
        let is_declared = PatternsBelow::outputs(&scene.ground.dir, &written).meaning()?;
        let made = made_below(&dir, result, &is_declared);
        let cache = Cache::for_workspace(self.engine.ledger.layout()).0;
        let incoming = cache.receive_made(made, &is_declared)?;
        if !remote.fetch_made(result, &incoming).await? {
            return Ok(false);
        }
        let record = now.map(TaskRecord::key).unwrap_or_default();
        let key = digest(&format!("executed {record} {}", scene.ground.dir.display()));
        incoming.finish(&key)?;
        let origin = RecordOrigin::of_run(RunClass::Untrusted);
        match self.restored(scene, vec![(origin, key)])? {
            Some(_) => Ok(true),
            None => Err(Fault::new(
                Kind::Failed,
                format!(
                    "what the task {} made on a worker cannot be put here",
                    self.invocation.name
                ),
            )),
        }
    }

    /// What a worker is asked for, or why it cannot be.
    async fn order(
        &self,
        scene: &PreparedTask<'_, 'w>,
        steps: &[TaskStep<'w>],
        frame: &RunScope<'_>,
    ) -> Result<Result<WorkerOrder, Here>, Fault> {
        let task = self.invocation.task;
        let Some(dir) = self.below_root(&scene.ground.dir) else {
            return Ok(Err("it runs outside of the workspace"));
        };
        let why = match () {
            () if !is_kept(task) => "it asks something, or has a secret",
            () if !scene.ground.unwritten.is_empty() => {
                "some of its variables come from files or from outside, and may be secrets"
            }
            () if !task.finally.is_empty() => "it cleans up here (`finally`)",
            () if task.subsystem.is_some() => "it is a task of a subsystem",
            () if !self.needs_tasks_alone(scene) => "it needs a subsystem, which is installed here",
            () => "",
        };
        if !why.is_empty() {
            return Ok(Err(why));
        }
        let places = Places { root: WorkerOrder::ROOT.into(), ..Places::default() };
        let mut commands = Vec::new();
        for step in steps {
            let Work::Run(line) = &step.what else {
                return Ok(Err("it calls other tasks, or cleans up in between"));
            };
            if step.timeout.is_some() || step.interactive {
                return Ok(Err(
                    "one of its commands has a time limit of its own, or asks something",
                ));
            }
            if self.applies(scene, step, frame).await? {
                commands.push(WorkerCommand {
                    shell: scene.ground.shell_words(),
                    line: line.expand_in_shell(&places),
                    may_fail: step.allow_failure,
                });
            }
        }
        let root = self.engine.context.workspace.layout.root().display().to_string();
        let moved = |value: &str| value.replace(&root, WorkerOrder::ROOT);
        let env = scene.ground.env.iter().map(|(name, value)| (name.clone(), moved(value)));
        let written = patterns(&scene.rendering, &scene.ground, &task.outputs)?;
        let Some((outputs, folders)) = outputs(&dir, &written) else {
            return Ok(Err("its outputs are patterns at the top of the folder that it runs in"));
        };
        let Some(inputs) = self.worker_inputs(scene)? else {
            return Ok(Err("some of its inputs are outside of the workspace"));
        };
        Ok(Ok(WorkerOrder {
            name: format!("the task {}", self.invocation.name),
            commands,
            variables: env.collect(),
            tools: task.remote.as_ref().map(|remote| remote.tools.clone()).unwrap_or_default(),
            dir,
            folders,
            inputs,
            outputs,
            timeout: task.timeout,
            ..WorkerOrder::default()
        }))
    }

    /// What goes in, by paths relative to the workspace; nothing if some of it is elsewhere.
    fn worker_inputs(
        &self,
        scene: &PreparedTask<'_, 'w>,
    ) -> Result<Option<BTreeMap<String, WorkerInput>>, Fault> {
        let task = self.invocation.task;
        let written = patterns(&scene.rendering, &scene.ground, &task.inputs)?;
        let gitignore = task.gitignore.then_some(&self.engine.context.workspace.layout);
        let found = PatternsBelow::inputs(&scene.ground.dir, &written, gitignore).found()?;
        let mut inputs = BTreeMap::new();
        for (path, kind) in found {
            let Some(name) = self.below_root(&path) else { return Ok(None) };
            let input = match kind {
                InputKind::EmptyFolder => WorkerInput::EmptyFolder,
                // What is behind a link counts, so that is what goes there.
                InputKind::File | InputKind::Link if path.is_file() => WorkerInput::File(path),
                InputKind::File | InputKind::Link => {
                    let target = std::fs::read_link(&path).map_err(|error| {
                        Fault::io(format!("cannot read {}", path.display()), &error)
                    })?;
                    WorkerInput::Link(path_to_text(&target))
                }
            };
            inputs.insert(name, input);
        }
        Ok(Some(inputs))
    }

    /// `path` relative to the workspace, as text; nothing if it is elsewhere.
    fn below_root(&self, path: &Path) -> Option<String> {
        let root = self.engine.context.workspace.layout.root();
        let below = path.strip_prefix(root).ok()?;
        let is_plain =
            !below.components().any(|part| matches!(part, std::path::Component::ParentDir));
        is_plain.then(|| path_to_text(below))
    }

    fn needs_tasks_alone(&self, scene: &PreparedTask<'_, 'w>) -> bool {
        let task = self.invocation.task;
        let names = scene.rendering.names;
        task.needs.iter().all(|need| {
            !matches!(
                names.meant(task, &need.call.name.text),
                Some(crate::workspace::Meaning::Subsystem(_))
            )
        })
    }
}

/// What of `result` is below `dir` and `is_declared`.
fn made_below(
    dir: &str,
    result: &ExecutionResult,
    is_declared: &dyn Fn(&Path) -> bool,
) -> BTreeMap<String, MadeOutput> {
    let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    let mut made = BTreeMap::new();
    for (path, entry) in &result.outputs {
        let Some(path) = path.strip_prefix(&prefix) else { continue };
        if !is_declared(Path::new(path)) {
            continue;
        }
        let output = match entry {
            TreeEntry::File { digest, is_executable } => {
                MadeOutput::File(digest.sha256, *is_executable)
            }
            TreeEntry::Link(target) => MadeOutput::Link(target.clone()),
            TreeEntry::EmptyFolder => MadeOutput::EmptyFolder,
        };
        made.insert(path.to_owned(), output);
    }
    made
}

/// What the worker gives back for the `written` patterns below `dir`: paths, and for patterns the folders that they
/// begin with. Beside them the folders that have to be there before, as here. Nothing if a pattern begins with none.
fn outputs(dir: &str, written: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let below = |path: &str| if dir.is_empty() { path.to_owned() } else { format!("{dir}/{path}") };
    let (mut outputs, mut folders) = (Vec::new(), Vec::new());
    for pattern in written.iter().filter(|pattern| !pattern.starts_with('!')) {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        let literal = match pattern.find(['*', '?', '[', '{']) {
            None => pattern,
            Some(at) => pattern[..at].rsplit_once('/')?.0,
        };
        if literal.is_empty() || literal.split('/').any(|part| matches!(part, ".." | "." | "")) {
            return None;
        }
        outputs.push(below(literal));
        let folder = if literal == pattern {
            literal.rsplit_once('/').map(|it| it.0)
        } else {
            Some(literal)
        };
        folders.extend(folder.map(below));
    }
    outputs.sort();
    outputs.dedup();
    folders.sort();
    folders.dedup();
    // An output within another one comes with that.
    let is_within = |path: &String| {
        outputs.iter().any(|other| {
            path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let outer = outputs.iter().filter(|path| !is_within(path)).cloned().collect();
    Some((outer, folders))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_come_back_as_the_folders_that_they_begin_with() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let found = outputs("code", &own(&["out/**", "out/a", "bin/tool", "!out/x"])).unwrap();
        assert_eq!(found, (own(&["code/bin/tool", "code/out"]), own(&["code/bin", "code/out"])));
        for pattern in ["*.txt", "../x", "**/x", "/x"] {
            assert!(outputs("", &own(&[pattern])).is_none(), "{pattern}");
        }
    }
}

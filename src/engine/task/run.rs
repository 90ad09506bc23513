//! The loop: it owns a plan, starts what may start, and hears how each task ended.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{OnceCell, RwLock};

use crate::{
    model::{ActionId, Fault, Kind},
    plan::{Ended, Schedule},
    process::{Cancel, CommandRunner, Pending, Runner},
    provenance::Classes,
    remote::RemoteCache,
    workspace::{RemoteSettings, Task, Workspace},
};

use super::{
    TaskEvent, TaskEventSink, TaskMessage,
    command::Ground,
    context::TaskContext,
    evaluation::Evaluation,
    frame::RunScope,
    key::Eye,
    ledger::TaskLedger,
    perform::{TaskOutcome, TaskRun},
    plan::{Invocation, TaskPlan, TaskPlanner},
    pool::Pools,
    preview::remote_identity,
    variables::{fixed, learn},
};

/// How tasks are run.
#[derive(Clone, Copy, Debug)]
pub struct TaskOptions {
    /// How many at once: `-j`.
    pub jobs: usize,
    /// Run also what is up to date.
    pub force: bool,
    /// Take what a task would make from the cache, if it is there.
    pub restore: bool,
    /// Stop everything once something failed.
    pub fail_fast: bool,
    /// Let what commands print through to forge's own output, beside telling it in lines.
    pub through: bool,
    /// Do what Task does where forge means something else: a task without `once` runs for each that
    /// needs it, `force` asks no `assert`, commands read what forge is given on standard input, and of what
    /// a command prints for a variable one line break is left out.
    pub as_task: bool,
    /// Run no task: one that would run fails.
    pub only_looks: bool,
    /// What the run is, and whose work it uses.
    pub classes: Classes,
}

/// What became of a task, for all who need it.
type Settled = Arc<OnceCell<Result<TaskOutcome, Fault>>>;

/// Runs tasks.
pub struct TaskEngine<'w> {
    pub(super) context: TaskContext<'w>,
    pub(super) options: TaskOptions,
    pub(super) audience: TaskEventSink<'w>,
    pub(super) pools: Pools,
    pub(super) ledger: TaskLedger,
    /// What machines share; nothing if none is to be asked.
    pub(super) remote: Option<Arc<RemoteCache>>,
    runner: Box<dyn CommandRunner + 'w>,
    terminal: RwLock<()>,
    /// How many tasks that were to run on workers run commands here at once.
    pub(super) local: tokio::sync::Semaphore,
    cancel: Cancel,
    settled: Mutex<HashMap<String, Settled>>,
    count: AtomicUsize,
}

impl<'w> TaskEngine<'w> {
    /// An engine for the tasks of `workspace`, which tells `audience` what happens and ends
    /// all trees when `cancel` says so. `runner` runs their commands.
    pub fn new(
        workspace: &'w Workspace,
        options: TaskOptions,
        audience: TaskEventSink<'w>,
        cancel: Cancel,
        runner: Runner,
    ) -> Self {
        Self::with_runner(workspace, options, audience, cancel, Box::new(runner))
    }

    /// As [`TaskEngine::new`], with another who runs the commands.
    pub(super) fn with_runner(
        workspace: &'w Workspace,
        options: TaskOptions,
        audience: TaskEventSink<'w>,
        cancel: Cancel,
        runner: Box<dyn CommandRunner + 'w>,
    ) -> Self {
        Self {
            context: TaskContext::new(workspace).meaning_task(options.as_task),
            options,
            audience,
            pools: Pools::default(),
            runner,
            terminal: RwLock::default(),
            local: tokio::sync::Semaphore::new(options.jobs.max(1)),
            cancel,
            ledger: TaskLedger::new(&workspace.layout, options.classes)
                .trusting(remote_identity(workspace)),
            remote: None,
            settled: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// The same, which shares what tasks make by `remote`.
    #[must_use]
    pub fn sharing(self, remote: Option<Arc<RemoteCache>>) -> Self {
        Self { remote, ..self }
    }

    /// Runs `wanted` after all it needs.
    ///
    /// # Errors
    /// The root cause, if anything failed; the rest was done that does not wait for it.
    pub async fn run(&self, wanted: Invocation<'w>) -> Result<(), Fault> {
        let frame = self.frame(self.cancel.clone());
        let plan =
            TaskPlan::for_invocation(&TaskPlanner::live(&self.context, &frame), wanted).await?;
        self.carry_out(&plan, &frame, !self.options.as_task).await.map(|_| ())
    }

    /// Runs all that is `wanted`, each after all it needs: one after the other up to the first
    /// that fails, or side by side.
    ///
    /// # Errors
    /// The root cause, if anything failed.
    pub async fn run_all(
        &self,
        wanted: Vec<Invocation<'w>>,
        side_by_side: bool,
    ) -> Result<(), Fault> {
        if side_by_side {
            let frame = self.frame(self.cancel.clone());
            let plan = TaskPlan::of_all(&TaskPlanner::live(&self.context, &frame), wanted).await?;
            return self.carry_out(&plan, &frame, true).await.map(|_| ());
        }
        for one in wanted {
            self.run(one).await?;
        }
        Ok(())
    }

    /// Whether there is nothing to do for `invocation`, without what it needs.
    ///
    /// # Errors
    /// If that cannot be told, or [`TaskOptions::only_looks`] and there is something to do.
    pub async fn look_at(&self, invocation: &Invocation<'w>) -> Result<(), Fault> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let run = TaskRun { engine: self, invocation, number };
        run.perform(&self.frame(self.cancel.clone())).await.map(|_| ())
    }

    /// What `confirm` of `invocation` asks.
    ///
    /// # Errors
    /// If a variable in it cannot be found out.
    pub async fn question(&self, invocation: &Invocation<'w>) -> Result<Option<String>, Fault> {
        let task = invocation.task;
        let Some(question) = &task.confirm else { return Ok(None) };
        let frame = self.frame(self.cancel.clone());
        let context = &self.context;
        let bindings = fixed(&context.renderer, invocation)?;
        let ground = Ground::bare(context.workspace, &context.rendering(task, &bindings))?;
        let evaluation = Evaluation::live(context, &frame, task, &ground);
        let learned = learn(&context.renderer, invocation, &evaluation).await?;
        let asked = context.rendering(task, &learned.words).text(question)?;
        Ok(Some(context.vault.hidden(&asked.expand(&ground.places))))
    }

    /// Runs `invocation` for a task that calls it: each time anew, unless it is to run `once`.
    pub(super) fn call<'a>(
        &'a self,
        invocation: &'a Invocation<'w>,
        frame: &'a RunScope<'a>,
    ) -> Pending<'a, Result<TaskOutcome, Fault>> {
        Box::pin(async move {
            let frame = &frame.called(&invocation.name)?;
            let planner = TaskPlanner::live(&self.context, frame);
            let plan = TaskPlan::for_invocation(&planner, invocation.clone()).await?;
            self.carry_out(&plan, frame, invocation.task.once).await
        })
    }

    /// Runs all of `plan`. The last one, which all others are for, joins an earlier run of the
    /// same if `joins`; the others do always.
    async fn carry_out(
        &self,
        plan: &TaskPlan<'w>,
        frame: &RunScope<'_>,
        joins: bool,
    ) -> Result<TaskOutcome, Fault> {
        let pieces = plan.nodes.iter().map(|(invocation, after)| {
            (self.worker(invocation.task).is_some(), after.iter().copied())
        });
        let mut schedule = Schedule::of_places(pieces, self.options.jobs, self.worker_slots());
        let last = plan.nodes.len() - 1;
        let wants_speed = self.options.fail_fast || plan.nodes[last].0.task.fail_fast;
        let frame = &frame.stopped_by(frame.cancel.part());
        let (mut running, mut root, mut how) = (FuturesUnordered::new(), None, TaskOutcome::Ran);
        loop {
            while let Some(id) = schedule.start_next() {
                let at = id.0 as usize;
                let settle = async move {
                    let invocation = &plan.nodes[at].0;
                    let is_needed = at != last && !self.options.as_task;
                    let joins = joins || is_needed || invocation.task.once;
                    let number = self.count.fetch_add(1, Ordering::Relaxed);
                    let run = TaskRun { engine: self, invocation, number };
                    (id, self.settle(run, frame, joins).await)
                };
                running.push(settle);
            }
            let Some((id, result)) = running.next().await else { break };
            match result {
                Ok(done) => {
                    how = done;
                    schedule.end(id, Ended::Done);
                }
                Err(fault) => {
                    let skipped = schedule.end(id, Ended::Failed);
                    self.tell_skipped(plan, &skipped, &fault);
                    if wants_speed && fault.kind != Kind::Interrupted {
                        schedule.abandon();
                        let name = &plan.nodes[id.0 as usize].0.task.name;
                        frame.cancel.cancel_because(&format!("the task {name} failed"));
                    }
                    root = Some(nearer_the_root(root, fault));
                }
            }
        }
        root.map_or(Ok(how), Err)
    }

    fn tell_skipped(&self, plan: &TaskPlan, skipped: &[(ActionId, ActionId)], fault: &Fault) {
        if fault.kind == Kind::Interrupted {
            return;
        }
        let name = |id: &ActionId| &plan.nodes[id.0 as usize].0.task.name;
        for (id, cause) in skipped {
            let note = format!("is left out: it needs {}", name(cause));
            let run = self.count.fetch_add(1, Ordering::Relaxed);
            (self.audience)(TaskMessage { run, label: name(id), event: TaskEvent::Note(&note) });
        }
    }

    async fn settle(
        &self,
        performance: TaskRun<'_, 'w>,
        frame: &RunScope<'_>,
        joins: bool,
    ) -> Result<TaskOutcome, Fault> {
        if !joins {
            return performance.perform(frame).await;
        }
        let cell = {
            let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            settled.entry(performance.invocation.key_of_once()).or_default().clone()
        };
        let is_own = AtomicBool::new(false);
        // What was stopped has not settled: who else needs it runs it.
        let settled = cell.get_or_try_init(|| async {
            is_own.store(true, Ordering::Relaxed);
            match performance.perform(frame).await {
                Err(fault) if fault.kind == Kind::Interrupted => Err(fault),
                settled => Ok(settled),
            }
        });
        tokio::pin!(settled);
        // Whoever waits for a run of somebody else has a limit of its own.
        tokio::select! {
            biased;
            settled = &mut settled => return settled?.clone(),
            fault = frame.expired(&performance.invocation.name) => {
                if !is_own.load(Ordering::Relaxed) {
                    return Err(fault);
                }
            }
        }
        settled.await?.clone()
    }

    /// What looks at what tasks depend on.
    pub(super) fn eye(&self) -> Eye<'_, 'w> {
        Eye { context: &self.context, ledger: &self.ledger }
    }

    /// Within what runs what has to run whatever happened: without a limit, and stopped only by
    /// being asked a second time.
    pub(super) fn last_frame(&self) -> RunScope<'_> {
        self.frame(self.cancel.patient())
    }

    /// The properties of the worker that runs `task`; nothing if it runs here.
    pub(super) fn worker(&self, task: &Task) -> Option<BTreeMap<String, String>> {
        self.remote.as_ref()?;
        self.context.workspace.remote.as_ref()?.worker(task.remote.as_ref()?)
    }

    fn worker_slots(&self) -> usize {
        self.context.workspace.remote.as_ref().map_or(1, RemoteSettings::worker_slots)
    }

    /// Where the source is that `task` may speak of.
    pub(super) fn source_of(&self, task: &Task) -> Option<PathBuf> {
        task.subsystem.as_ref().map(|name| self.context.workspace.places(Some(name)).src)
    }

    fn frame(&self, cancel: Cancel) -> RunScope<'_> {
        RunScope::new(&*self.runner, &self.terminal, &self.context.basis, cancel)
    }

    /// The files and folders that were looked at, if nothing was done or found out in another way:
    /// while they are as they are, there is nothing to do.
    pub fn rested_on(&self) -> Option<Vec<PathBuf>> {
        self.context.basis.add([self.ledger.path().to_owned()]);
        self.context.basis.files()
    }
}

/// Which of two faults is the cause: what was only stopped because of something else is not.
fn nearer_the_root(known: Option<Fault>, fault: Fault) -> Fault {
    match known {
        Some(known) if known.kind != Kind::Interrupted || fault.kind == Kind::Interrupted => known,
        _ => fault,
    }
}

//! The loop: it owns a plan, starts what may start, and hears how each task ended.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::OnceCell;

use crate::{
    model::{ActionId, Fault, Kind},
    plan::{Ended, Schedule},
    process::{Cancel, Pending, Runner},
    workspace::{Bindings, Names, Renderer, Task, Workspace},
};

use super::{
    Audience, Event, Told,
    key::Eye,
    ledger::Ledger,
    perform::{Frame, How, Performance},
    plan::{Invocation, Plan},
    steps::Rendering,
};

/// How tasks are run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many at once: `-j`.
    pub jobs: usize,
    /// Run also what is up to date.
    pub force: bool,
    /// Begin nothing more once something failed.
    pub fail_fast: bool,
}

/// What became of a task, for all who need it.
type Settled = Arc<OnceCell<Result<How, Fault>>>;

/// What a command printed, for all variables that are what it prints.
type Printed = Arc<OnceCell<Result<String, Fault>>>;

/// Runs tasks.
pub struct Engine<'w> {
    pub(super) workspace: &'w Workspace,
    pub(super) names: Names<'w>,
    pub(super) renderer: Renderer<'w>,
    pub(super) options: Options,
    pub(super) audience: Audience<'w>,
    runner: Runner,
    last: OnceLock<Runner>,
    pub(super) cancel: Cancel,
    pub(super) ledger: Ledger,
    settled: Mutex<HashMap<String, Settled>>,
    printed: Mutex<HashMap<String, Printed>>,
    count: AtomicUsize,
}

impl<'w> Engine<'w> {
    /// An engine for the tasks of `workspace`, which tells `audience` what happens and ends
    /// all trees when `cancel` says so.
    pub fn new(
        workspace: &'w Workspace,
        options: Options,
        audience: Audience<'w>,
        cancel: Cancel,
    ) -> Self {
        Self {
            workspace,
            names: Names::new(workspace.tasks.values(), workspace.subsystems.keys()),
            renderer: Renderer::new(workspace),
            options,
            audience,
            runner: Runner::new(options.jobs, cancel.clone()).guarded(),
            last: OnceLock::new(),
            cancel,
            ledger: Ledger::new(&workspace.layout),
            settled: Mutex::default(),
            printed: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Runs `wanted` after all it needs.
    ///
    /// # Errors
    /// The root cause, if anything failed; the rest was done that does not wait for it.
    pub async fn run(&self, wanted: Invocation<'w>) -> Result<(), Fault> {
        let frame = Frame { runner: &self.runner, deadline: None };
        let plan = Plan::of(&self.names, &self.renderer, wanted)?;
        self.carry_out(&plan, frame, true).await.map(|_| ())
    }

    /// Runs `invocation` for a task that calls it: each time anew, unless it is to run `once`.
    pub(super) fn call<'a>(
        &'a self,
        invocation: &'a Invocation<'w>,
        frame: Frame<'a>,
    ) -> Pending<'a, Result<How, Fault>> {
        Box::pin(async move {
            let plan = Plan::of(&self.names, &self.renderer, invocation.clone())?;
            self.carry_out(&plan, frame, invocation.task.once).await
        })
    }

    /// Runs all of `plan`. The last one, which all others are for, joins an earlier run of the
    /// same if `joins`; the others do always.
    async fn carry_out(
        &self,
        plan: &Plan<'w>,
        frame: Frame<'_>,
        joins: bool,
    ) -> Result<How, Fault> {
        let after = plan.nodes.iter().map(|(_, after)| after.iter().copied());
        let mut schedule = Schedule::of_equals(after, self.options.jobs);
        let last = plan.nodes.len() - 1;
        let wants_speed = self.options.fail_fast || plan.nodes[last].0.task.fail_fast;
        let (mut running, mut root, mut how) = (FuturesUnordered::new(), None, How::Ran);
        loop {
            while let Some(id) = schedule.start_next() {
                let at = id.0 as usize;
                let settle = async move {
                    let invocation = &plan.nodes[at].0;
                    let joins = joins || at != last;
                    (id, self.settle(invocation, frame, joins).await)
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
                    root.get_or_insert(fault);
                    if wants_speed {
                        schedule.abandon();
                    }
                }
            }
        }
        root.map_or(Ok(how), Err)
    }

    fn tell_skipped(&self, plan: &Plan, skipped: &[(ActionId, ActionId)], fault: &Fault) {
        if fault.kind == Kind::Interrupted {
            return;
        }
        let name = |id: &ActionId| &plan.nodes[id.0 as usize].0.task.name;
        for (id, cause) in skipped {
            let note = format!("is left out: it needs {}", name(cause));
            let run = self.count.fetch_add(1, Ordering::Relaxed);
            (self.audience)(Told { run, label: name(id), event: Event::Note(&note) });
        }
    }

    async fn settle(
        &self,
        invocation: &Invocation<'w>,
        frame: Frame<'_>,
        joins: bool,
    ) -> Result<How, Fault> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let performance = Performance { engine: self, invocation, number };
        if !joins {
            return performance.perform(frame).await;
        }
        let cell = {
            let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            settled.entry(invocation.key()).or_default().clone()
        };
        cell.get_or_init(|| performance.perform(frame)).await.clone()
    }

    /// What the command called `key` printed, if that is known already.
    pub(super) fn printed(&self, key: String) -> Printed {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.entry(key).or_default().clone()
    }

    /// What looks at what tasks depend on.
    pub(super) fn eye(&self) -> Eye<'_, 'w> {
        Eye { workspace: self.workspace, names: &self.names, ledger: &self.ledger }
    }

    pub(super) fn rendering<'a>(
        &'a self,
        task: &'w Task,
        bindings: &'a Bindings,
    ) -> Rendering<'a, 'w> {
        Rendering { names: &self.names, renderer: &self.renderer, task, bindings }
    }

    /// What runs what has to run whatever happened. Once the run is stopped, that has a handle of
    /// its own: being asked again stops it too.
    pub(super) fn last_runner(&self) -> &Runner {
        if !self.cancel.is_cancelled() {
            return &self.runner;
        }
        self.last.get_or_init(|| {
            let cancel = Cancel::new();
            // Without signals, a second Ctrl-C would only not shorten the cleaning up.
            let _ = cancel.listen_to_signals();
            Runner::new(self.options.jobs, cancel).guarded()
        })
    }
}

//! Carrying out a plan: one loop owns it, jobs run beside.
//!
//! The loop asks the [`Schedule`] what may start, starts it as a task, and takes note of
//! what ended; it never does work itself. Jobs talk to the loop only through their
//! outcome, and to the outside only through events. Blocking work (hashing, unpacking,
//! packing) runs on threads of its own, so that the loop always answers.

mod adopt;
mod attest;
mod attested;
mod build;
mod built;
mod context;
mod dependencies;
mod download;
mod elsewhere;
mod ledger;
mod lock_file;
mod own_version;
mod publish;
mod refs;
mod remote;
mod sandbox;
mod source;
mod tools;
mod trust;
mod upstream;

use std::{collections::HashMap, sync::Arc, time::Instant};

use tokio::task::{Id, JoinError, JoinSet};

pub use context::{Context, ExecuteOptions, TemporaryFolders, ToolVersions, Turns};
pub use lock_file::{LockChange, write_lock};
pub use own_version::OwnVersion;
pub use publish::pack_installed;
pub use refs::{resolve_refs, unlocked_refs};
pub use tools::tells;

use crate::{
    cache::{
        ArtifactRecord, Busy, BusyLock, CacheKey, InstallPlace, Installed, KnownRelease, another,
        inspect, repair, uninstall,
    },
    model::{ActionId, ArtifactId, Event, Fault, How, Kind, RunReport},
    plan::{Action, ActionKind, Ended, Plan, Schedule},
    probe::{Acceptance, ArtifactSpec, Finding, UseRules, Verdict},
};
use ledger::RunLedger;

/// What a job did.
#[derive(Debug)]
pub(crate) struct Done {
    how: How,
    record: ArtifactRecord,
    published: bool,
    reason: Option<String>,
    warnings: Vec<Fault>,
    lock: Option<LockChange>,
}

/// Carries out `plan` and reports what became of every artifact. Faults are in the report.
///
/// The loop is a task like the jobs: one that ends wakes it on the same thread, which then
/// goes on with the next job. Woken on a thread of its own, it would cost each step of a chain
/// two switches of threads.
pub async fn execute(plan: Plan, context: Arc<Context>) -> RunReport {
    match tokio::spawn(carry_out(plan, context)).await {
        Ok(report) => report,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn carry_out(plan: Plan, context: Arc<Context>) -> RunReport {
    let started = Instant::now();
    let plan = Arc::new(plan);
    context.events.emit(Event::Planned { actions: plan.actions.len() });
    let mut ledger = RunLedger::new(&plan, &context);
    for id in &plan.leftovers {
        ledger.removed(id, context.remove(id));
    }
    let mut jobs = Jobs::new(plan.clone(), context.clone());
    let mut schedule = Schedule::new(&plan.actions, context.options.limits);
    loop {
        while !context.cancel.is_cancelled()
            && let Some(id) = schedule.start_next()
        {
            ledger.start(id);
            jobs.start(id);
        }
        if !schedule.is_running() {
            break;
        }
        let (id, outcome) = jobs.next().await;
        let ended = if outcome.is_ok() { Ended::Done } else { Ended::Failed };
        ledger.end(id, outcome);
        for (skipped, cause) in schedule.end(id, ended) {
            ledger.skip(skipped, cause);
        }
    }
    for id in schedule.abandon() {
        ledger.cancel(id);
    }
    let mut report = ledger.close();
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// The running jobs.
struct Jobs {
    plan: Arc<Plan>,
    context: Arc<Context>,
    tasks: JoinSet<Result<Done, Fault>>,
    actions: HashMap<Id, ActionId>,
}

impl Jobs {
    fn new(plan: Arc<Plan>, context: Arc<Context>) -> Self {
        Self { plan, context, tasks: JoinSet::new(), actions: HashMap::new() }
    }

    fn start(&mut self, id: ActionId) {
        let (plan, context) = (self.plan.clone(), self.context.clone());
        let job = async move {
            let action = &plan.actions[id.0 as usize];
            context.perform(action, &plan.findings[action.finding]).await
        };
        let task = self.tasks.spawn(job);
        self.actions.insert(task.id(), id);
    }

    /// Waits for the next job to end.
    async fn next(&mut self) -> (ActionId, Result<Done, Fault>) {
        let ended =
            self.tasks.join_next_with_id().await.expect("the loop asks only while jobs run");
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let id = self.actions.remove(&task).expect("each task was started for an action");
        let outcome = ended.map_or_else(|error| Err(broken(&error)), |(_, outcome)| outcome);
        (id, outcome)
    }
}

fn broken(error: &JoinError) -> Fault {
    Fault::new(Kind::Failed, "forge itself broke off this action")
        .because(error.to_string())
        .hint("this is a bug in forge: please report it with the log of this run")
}

impl Context {
    /// Removes what is installed of a subsystem that the manifest names no longer, unless
    /// another forge is at work on it.
    fn remove(&self, id: &ArtifactId) -> Result<(), Fault> {
        let layout = self.workspaces.layout();
        match BusyLock::take(layout, &layout.artifact_lock(id))? {
            Busy::Ours(_lock) => uninstall(layout, id, self.cache.key()),
            Busy::Theirs(_) => Ok(()),
        }
    }

    async fn perform(&self, action: &Action, finding: &Finding) -> Result<Done, Fault> {
        let work = async {
            let _busy = self.take_turn(action, finding).await?;
            if let Some(done) = self.done_by_another(action, finding) {
                return Ok(done);
            }
            match (&finding.verdict, action.step) {
                (_, ActionKind::Publish) => self.publish(action, finding).await,
                (Verdict::Fresh { record, .. }, _) => self.repair(finding, record),
                (Verdict::Cached { record, key }, _) => self.link(finding, record, *key),
                (Verdict::Released { store, revision }, _) => {
                    self.download(action, finding, *store, *revision).await
                }
                (Verdict::Upstream, _) => {
                    let fetched = self.fetch_upstream(action, finding).await;
                    let what = format!("cannot take {} from its vendor", finding.want.id);
                    fetched.map_err(|fault| fault.within(what))
                }
                (Verdict::Remote(hit), _) => self.take_remote(finding, hit),
                (Verdict::Build, _) => self.build(action, finding).await,
            }
        };
        match action.step {
            // The runner itself ends a build when the run is cancelled, with its whole tree.
            ActionKind::Build => work.await,
            _ => tokio::select! {
                outcome = work => outcome,
                () = self.cancel.cancelled() => Err(self.cancel.fault(&stopped(action, finding))),
            },
        }
    }

    /// Waits until no other forge works on this artifact in this workspace.
    async fn take_turn(&self, action: &Action, finding: &Finding) -> Result<BusyLock, Fault> {
        let layout = self.workspaces.layout();
        let path = layout.artifact_lock(&finding.want.id);
        let mut told = false;
        loop {
            let holder = match BusyLock::take(layout, &path)? {
                Busy::Ours(lock) => return Ok(lock),
                Busy::Theirs(holder) => holder,
            };
            if !told {
                self.phase(action, format!("waiting for {}", another(holder)));
                told = true;
            }
            tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_millis(25)) => {}
                () = self.cancel.cancelled() => return Err(self.cancel.fault(&stopped(action, finding))),
            }
        }
    }

    /// While this run looked and waited, another may have done the work.
    fn done_by_another(&self, action: &Action, finding: &Finding) -> Option<Done> {
        let obtains = !matches!(action.step, ActionKind::Publish | ActionKind::Repair);
        if !obtains || self.options.force {
            return None;
        }
        let place = InstallPlace::for_artifact(self.workspaces.layout(), &finding.want.id);
        let Installed::Intact { record, is_ours, .. } = inspect(&place, self.cache.key()) else {
            return None;
        };
        let rules = UseRules {
            workspaces: &self.workspaces,
            takes: self.options.classes.takes,
            exact: self.options.asked,
            locked: self.options.locked,
            private_store: self.options.private_store,
        };
        let accepted = rules.judge_installed(&finding.want, &record, is_ours);
        (accepted == Acceptance::Yes).then(|| Done {
            reason: Some("another forge had just installed it".into()),
            ..Done::new(How::Fresh, record)
        })
    }

    fn repair(&self, finding: &Finding, record: &ArtifactRecord) -> Result<Done, Fault> {
        repair(self.workspaces.layout(), &finding.want.id, record, self.cache.key())?;
        Ok(Done::new(How::Fresh, record.clone()))
    }

    fn link(
        &self,
        finding: &Finding,
        record: &ArtifactRecord,
        key: CacheKey,
    ) -> Result<Done, Fault> {
        let staging = self.staging()?;
        self.cache.restore(record, key, staging.path())?;
        let record = self.install(&finding.want, &staging, record.clone())?;
        let lock = self.lock_known_asset(&finding.want, &record);
        Ok(Done { lock, ..Done::new(How::Cached, record) })
    }

    /// A cached artifact may come from a release that the lock does not know yet.
    fn lock_known_asset(&self, want: &ArtifactSpec, record: &ArtifactRecord) -> Option<LockChange> {
        let Some(KnownRelease::Holds { store, asset }) = &record.release else { return None };
        let ours = self.stores.iter().any(|known| known.url() == store);
        ours.then(|| self.lock_change(want, &record.stamp, *asset)).flatten()
    }
}

/// What is said of an action that was stopped.
fn stopped(action: &Action, finding: &Finding) -> String {
    format!("{} {}", action.step.verb(), finding.want.id)
}

impl Done {
    fn new(how: How, record: ArtifactRecord) -> Self {
        Self { how, record, published: false, reason: None, warnings: Vec::new(), lock: None }
    }
}

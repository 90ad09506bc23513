//! The ledger: what became of each artifact, entered as actions start and end.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use crate::{
    model::{ActionId, ArtifactId, ArtifactReport, Event, Fault, How, Kind, RunReport},
    plan::{ActionKind, Plan},
};

use super::{Context, Done, LockChange, write_lock};

/// Books of one run.
pub(super) struct RunLedger {
    plan: Arc<Plan>,
    context: Arc<Context>,
    reports: BTreeMap<ArtifactId, ArtifactReport>,
    started: BTreeMap<ActionId, Instant>,
    warnings: Vec<Fault>,
    lock: Vec<LockChange>,
}

impl RunLedger {
    /// Opens the books with what needs no action.
    pub(super) fn new(plan: &Arc<Plan>, context: &Arc<Context>) -> Self {
        let settled = plan.settled.iter().map(|report| (report.id.clone(), report.clone()));
        let mut ledger = Self {
            plan: plan.clone(),
            context: context.clone(),
            reports: settled.collect(),
            started: BTreeMap::new(),
            warnings: Vec::new(),
            lock: Vec::new(),
        };
        for fault in &plan.warnings {
            ledger.warn(None, fault.clone());
        }
        ledger
    }

    /// An action starts.
    pub(super) fn start(&mut self, id: ActionId) {
        self.started.insert(id, Instant::now());
        let action = &self.plan.actions[id.0 as usize];
        let want = &self.plan.findings[action.finding].want;
        self.context.events.emit(Event::Started {
            action: id,
            artifact: want.id.clone(),
            version: want.version.clone(),
            verb: action.step.verb(),
        });
    }

    /// What the manifest names no longer was removed, or could not be.
    pub(super) fn removed(&mut self, id: &ArtifactId, outcome: Result<(), Fault>) {
        let fault = match outcome {
            Ok(()) => Fault::new(Kind::Failed, format!("{id} was removed from this workspace"))
                .because("versions.yml does not name it any more"),
            Err(fault) => fault,
        };
        self.warn(None, fault);
    }

    /// An action ended.
    pub(super) fn end(&mut self, id: ActionId, outcome: Result<Done, Fault>) {
        let seconds = self.started[&id].elapsed().as_secs_f64();
        let mut report = self.report(id);
        report.seconds += seconds;
        match outcome {
            Ok(done) => {
                for warning in done.warnings {
                    self.warn(Some(&report.id), warning);
                }
                self.lock.extend(done.lock);
                if self.step(id) != ActionKind::Publish {
                    report.how = done.how;
                }
                report.published |= done.published;
                report.bytes = done.record.bytes();
                report.reason = done.reason.unwrap_or(report.reason);
            }
            Err(fault) => enter_fault(&mut report, self.step(id), fault),
        }
        let log = self.context.log(&report.id);
        report.log = Some(log).filter(|log| log.exists());
        self.context.events.emit(Event::Finished { action: id, report: report.clone() });
        self.reports.insert(report.id.clone(), report);
    }

    /// An action is not even tried, because `cause` failed.
    pub(super) fn skip(&mut self, id: ActionId, cause: ActionId) {
        let cause = self.plan.artifact(&self.plan.actions[cause.0 as usize]).clone();
        let became = match self.reports.get(&cause).map(|report| report.how) {
            Some(How::Skipped) => "was skipped",
            Some(How::Cancelled) => "was cancelled",
            _ => "failed",
        };
        let mut report = self.report(id);
        // A failed build is not published either: that goes without saying.
        if cause != report.id {
            report.how = How::Skipped;
            report.reason = format!("needs {cause}, which {became}");
            report.fault = Some(Fault::new(Kind::Failed, report.reason.clone()));
            self.reports.insert(report.id.clone(), report);
        }
    }

    /// An action is not tried, because somebody stopped the run.
    pub(super) fn cancel(&mut self, id: ActionId) {
        let mut report = self.report(id);
        if report.fault.is_none() && self.step(id) != ActionKind::Publish {
            report.how = How::Cancelled;
            report.reason = "cancelled".into();
            report.fault = Some(self.context.cancel.fault(&report.id.to_string()));
            self.reports.insert(report.id.clone(), report);
        }
    }

    /// Closes the books: writes the lock, and gives the report.
    pub(super) fn close(mut self) -> RunReport {
        let changes = std::mem::take(&mut self.lock);
        if !self.context.options.locked
            && let Err(fault) = self.write_lock(&changes)
        {
            self.warn(None, fault);
        }
        RunReport {
            artifacts: self.reports.into_values().collect(),
            images: Vec::new(),
            warnings: self.warnings,
            remote: None,
            seconds: 0.0,
        }
    }

    fn write_lock(&self, changes: &[LockChange]) -> Result<(), Fault> {
        let Context { workspaces, cancel, events, .. } = &*self.context;
        let tell = |why: &str| events.emit(Event::Waiting { why: why.to_owned() });
        write_lock(workspaces.layout(), changes, cancel, &tell)
    }

    fn step(&self, id: ActionId) -> ActionKind {
        self.plan.actions[id.0 as usize].step
    }

    fn warn(&mut self, artifact: Option<&ArtifactId>, fault: Fault) {
        // What is wrong with a disk is wrong for every artifact: that is told once.
        if self.warnings.contains(&fault) {
            return;
        }
        self.context
            .events
            .emit(Event::Warning { artifact: artifact.cloned(), fault: fault.clone() });
        self.warnings.push(fault);
    }

    /// The report of the artifact of `id` as far as it goes.
    fn report(&self, id: ActionId) -> ArtifactReport {
        let finding = &self.plan.findings[self.plan.actions[id.0 as usize].finding];
        let want = &finding.want;
        self.reports.get(&want.id).cloned().unwrap_or_else(|| ArtifactReport {
            id: want.id.clone(),
            version: want.version.clone(),
            how: How::Failed,
            published: false,
            bytes: 0,
            seconds: 0.0,
            reason: finding.reason.clone(),
            log: None,
            fault: None,
        })
    }
}

/// A failed publication leaves the artifact good, and the run a partial success; everything
/// else makes the artifact a failure.
fn enter_fault(report: &mut ArtifactReport, step: ActionKind, mut fault: Fault) {
    report.reason = fault.to_string();
    match (step, fault.kind) {
        (ActionKind::Publish, Kind::Store | Kind::Failed) => fault.kind = Kind::Partial,
        (ActionKind::Publish, _) => {}
        (_, Kind::Interrupted) => report.how = How::Cancelled,
        _ => report.how = How::Failed,
    }
    report.fault = Some(fault);
}

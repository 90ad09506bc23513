//! A ledger that others hear of: each step that was written down is passed on, in order, to whoever tells
//! the world outside. They are told after the fact and beside the deployment, which waits for nobody.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{Claim, DeployHistory, Deployment, Ledger, NewDeployment, StateChange, Ticket};
use crate::{model::Fault, process::ProcessId};

/// A step that was written down.
#[derive(Clone, Debug)]
pub struct DeployStep {
    /// The deployment, with this step as its last one.
    pub deployment: Deployment,
    /// The step.
    pub change: StateChange,
    /// Whether what was there before it had failed.
    pub recovers: bool,
}

/// A deployment that this process opened, and whether what was there before it had failed.
struct WatchedDeployment {
    deployment: Deployment,
    recovers: bool,
}

/// A ledger that passes its steps on.
pub struct WatchedLedger<L> {
    inner: L,
    /// Who hears of them, if somebody does.
    told: Mutex<Option<UnboundedSender<DeployStep>>>,
    /// The deployments that this process opened.
    ours: Mutex<BTreeMap<u64, WatchedDeployment>>,
}

impl<L: Ledger> WatchedLedger<L> {
    /// `inner`, of which nobody hears yet.
    pub fn new(inner: L) -> Self {
        Self { inner, told: Mutex::default(), ours: Mutex::default() }
    }

    /// The ledger itself.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// From now on `to` hears of each step.
    pub fn pass_on_to(&self, to: UnboundedSender<DeployStep>) {
        *lock(&self.told) = Some(to);
    }

    /// Nobody hears of more.
    pub fn hush(&self) {
        *lock(&self.told) = None;
    }

    fn pass_on(&self, id: u64, changes: &[StateChange]) {
        let mut ours = lock(&self.ours);
        let Some(WatchedDeployment { deployment, recovers }) = ours.get_mut(&id) else { return };
        for change in changes {
            deployment.changes.push(change.clone());
            if let Some(to) = &*lock(&self.told) {
                let (deployment, recovers) = (deployment.clone(), *recovers);
                let step = DeployStep { deployment, change: change.clone(), recovers };
                // Whoever listened may have given up.
                let _ = to.send(step);
            }
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it holds is whole after every statement, also after a panic elsewhere.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L: Ledger> Ledger for WatchedLedger<L> {
    fn history(&self) -> Result<DeployHistory, Fault> {
        self.inner.history()
    }

    fn open(&self, new: NewDeployment, why: &str) -> Result<Ticket, Fault> {
        let (kept, history) = (new.clone(), self.inner.history()?);
        let ticket = self.inner.open(new, why)?;
        let recovers = history.doubt(&kept.environment, &kept.name).is_some()
            || !history.holds(&kept.environment, &kept.name).is_empty();
        let deployment = Deployment { id: ticket.id, ..kept };
        lock(&self.ours).insert(ticket.id, WatchedDeployment { deployment, recovers });
        Ok(ticket)
    }

    fn claim(&self, id: u64, within: Option<u64>) -> Result<Claim, Fault> {
        self.inner.claim(id, within)
    }

    fn advance(&self, id: u64, changes: Vec<StateChange>) -> Result<(), Fault> {
        self.inner.advance(id, changes.clone())?;
        self.pass_on(id, &changes);
        Ok(())
    }

    fn recorder(&self) -> Box<dyn Fn(u64, ProcessId) + Send + Sync> {
        self.inner.recorder()
    }

    fn log(&self, id: u64) -> PathBuf {
        self.inner.log(id)
    }
}

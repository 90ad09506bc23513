//! The port to where deployments are written down.

use std::path::PathBuf;

use super::{DeployHistory, Deployment, StateChange};
use crate::{disk::FileLock, model::Fault, process::ProcessId};

/// A deployment that is about to be written down; its number and its owner are the ledger's.
pub type NewDeployment = Deployment;

/// A deployment that this process has written down. While it lives, or a command that it was passed on
/// to, nobody takes the deployment for one whose owner is gone.
#[derive(Debug)]
pub struct Ticket {
    /// Its number.
    pub id: u64,
    /// What tells that its owner is there.
    pub alive: FileLock,
}

/// Whether a deployment has its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It does: it is being checked from here on.
    Yes,
    /// This one is before it.
    Behind(Box<Deployment>),
}

/// Where deployments are written down. Each method is one step that others see whole or not at all,
/// and what it returned survives the end of this process, however that comes.
pub trait Ledger: Send + Sync {
    /// All that is written there. Deployments whose owners are gone are found and written down as
    /// interrupted.
    ///
    /// # Errors
    /// `Failed` if it cannot be read, `Verification` if it is damaged.
    fn history(&self) -> Result<DeployHistory, Fault>;

    /// Writes down a deployment that waits for its turn.
    ///
    /// # Errors
    /// As [`Ledger::history`]; `Failed` if it cannot be written.
    fn open(&self, new: NewDeployment, why: &str) -> Result<Ticket, Fault>;

    /// Gives the deployment its turn, if it has come: nobody is at work on its stack, but for the
    /// deployment `within` that it is a part of, and nobody waits that comes before, as
    /// [`DeployHistory::ahead`] has it.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    fn claim(&self, id: u64, within: Option<u64>) -> Result<Claim, Fault>;

    /// Writes down what becomes of a deployment.
    ///
    /// # Errors
    /// As [`Ledger::open`]; `Failed` if a change may not follow what was before.
    fn advance(&self, id: u64, changes: Vec<StateChange>) -> Result<(), Fault>;

    /// What writes down that a command of a deployment has a process. That this is not written is told
    /// nobody: its lock is then left to a person.
    fn recorder(&self) -> Box<dyn Fn(u64, ProcessId) + Send + Sync>;

    /// The file that the output of a deployment goes to.
    fn log(&self, id: u64) -> PathBuf;
}

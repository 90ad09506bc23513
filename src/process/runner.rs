//! The runner of real commands.

use std::time::Duration;

use super::{Cancel, Command, CommandRunner, Pending};
use crate::model::{Fault, Kind};

/// Runs commands on this machine.
pub struct Runner {
    jobs: usize,
    cancel: Cancel,
    grace: Duration,
    guarded: bool,
}

impl Runner {
    /// A runner whose commands share `jobs` parallel jobs (at least 1) and end when
    /// `cancel` says so. Costs nothing until the first command.
    pub fn new(jobs: usize, cancel: Cancel) -> Self {
        Self { jobs: jobs.max(1), cancel, grace: Duration::from_secs(2), guarded: false }
    }

    /// Keeps commands from surviving a forge that is killed. Only for the program whose
    /// command line calls [`super::guardian::main`], since it starts itself once more.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// How long a command that is told to end may take before it is killed; 2 s unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

impl CommandRunner for Runner {
    fn run<'a>(
        &'a self,
        _command: &'a Command,
        _line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>> {
        let _ = (self.jobs, &self.cancel, self.grace, self.guarded);
        Box::pin(async { Err(Fault::new(Kind::Failed, "to be written")) })
    }
}

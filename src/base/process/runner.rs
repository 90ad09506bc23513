//! The runner of real commands: what all commands of a run share.

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{
    Cancel, Command, CommandRunner, Inherit, Pending,
    environment::Inherited,
    guardian::Guardian,
    hint::{self, LastLines},
    job_server::{JobServer, Slot},
    strays::{self, IsSpared, Strays},
    supervision, terminal,
};
use crate::{
    console::ConsoleReader,
    model::{Environment, Fault, KnownSecrets},
};

/// Runs commands on this machine.
pub struct Runner {
    environment: Environment,
    jobs: usize,
    grace: Duration,
    /// The command line of the guardian, from the mark of this run's commands.
    guardian: Option<fn(&str) -> Vec<OsString>>,
    /// Whether a mark is one of what is meant to outlive forge.
    is_spared: IsSpared,
    cancel: Cancel,
    /// What is masked in all that commands print and in what is said of them.
    secrets: KnownSecrets,
    shared: OnceLock<RunnerShared>,
    job_server: OnceLock<JobServer>,
}

/// What all commands of a run share; made with the first of them.
pub struct RunnerShared {
    pub environment: Inherited,
    pub strays: Strays,
    pub guardian: Guardian,
    /// How long a command that is told to end may take.
    pub grace: Duration,
    /// Who reads what commands print that forge lets through.
    pub reader: ConsoleReader,
    buffers: Mutex<Vec<Buffer>>,
}

/// What output is read into.
pub type Buffer = Box<[u8]>;

/// As much as a pipe holds.
const BUFFER: usize = 64 * 1024;

impl Runner {
    /// A runner whose commands inherit of `environment`, share `jobs` parallel jobs (at least 1) and
    /// end when `cancel` says so. Costs nothing until the first command.
    pub fn new(environment: Environment, jobs: usize, cancel: Cancel) -> Self {
        let (shared, job_server) = (OnceLock::new(), OnceLock::new());
        let (grace, secrets) = (Duration::from_secs(2), KnownSecrets::default());
        let (jobs, is_spared) = (jobs.max(1), Arc::new(|_: &str| false));
        let guardian = None;
        Self { environment, jobs, grace, guardian, is_spared, cancel, secrets, shared, job_server }
    }

    /// Keeps commands from surviving a forge that is killed. Only for a program that
    /// calls [`super::guardian::main`], since it starts itself once more.
    #[must_use]
    pub fn guarded(self) -> Self {
        self.guarded_by(Guardian::of_this_program)
    }

    /// As [`Runner::guarded`], by another program.
    #[must_use]
    pub(super) fn guarded_by(mut self, words: fn(&str) -> Vec<OsString>) -> Self {
        self.guardian = Some(words);
        self
    }

    /// Leaves processes alone whose mark `is_spared`, [`super::start_detached`]: a command may start what is
    /// meant to outlive it. Without this there is nothing such.
    #[must_use]
    pub fn sparing(mut self, is_spared: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.is_spared = Arc::new(is_spared);
        self
    }

    /// Masks `secrets`, those too that become known later, in all that commands print and in what is
    /// said of them.
    #[must_use]
    pub fn masking(mut self, secrets: KnownSecrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// How long a command that is told to end may take before it is killed; 2 s unless set.
    #[cfg(test)]
    pub(super) fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    fn shared(&self) -> &RunnerShared {
        self.shared.get_or_init(|| {
            let strays = Strays::adopt(self.is_spared.clone());
            let words = self.guardian.map(|words| words(strays.mark()));
            RunnerShared::new(&self.environment, strays, words, self.grace)
        })
    }

    /// The job server; made by the first command that asks.
    fn job_server(&self) -> Result<&JobServer, Fault> {
        if let Some(server) = self.job_server.get() {
            return Ok(server);
        }
        let server = JobServer::new(self.jobs)
            .map_err(|error| Fault::io("cannot make a pipe to share jobs by", &error))?;
        Ok(self.job_server.get_or_init(|| server))
    }

    /// Waits for the right to run `command`, if it takes part in the job budget.
    async fn slot(
        &self,
        command: &Command,
        cancel: &Cancel,
    ) -> Result<Option<(&JobServer, Slot<'_>)>, Fault> {
        if !command.jobs {
            return Ok(None);
        }
        let server = self.job_server()?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancel.fault(&command.line.to_string())),
            slot = server.slot() => match slot {
                Ok(slot) => Ok(Some((server, slot))),
                Err(error) => Err(Fault::io("cannot wait for a job", &error)),
            },
        }
    }

    async fn run_one(
        &self,
        command: &Command,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Fault> {
        let cancel = command.cancel.as_ref().unwrap_or(&self.cancel);
        if cancel.is_cancelled() {
            return Err(cancel.fault(&command.line.to_string()));
        }
        let slot = self.slot(command, cancel).await?;
        let _grace = cancel.grace_period();
        let shared = self.shared();
        let mark = shared.strays.begin();
        let mut variables = vec![(strays::VARIABLE, mark.mark())];
        variables.extend(slot.iter().flat_map(|(server, _)| server.variables()));
        let run = supervision::CommandRun { shared, command, cancel, mark: &mark };
        let mut last = LastLines::default();
        let ended = match command.terminal {
            true => terminal::run(&run, &variables).await,
            false => {
                let keeps = command.inherit != Inherit::All;
                run.attended(&variables, &mut |text| {
                    if keeps {
                        last.push(text);
                    }
                    line(text);
                })
                .await
            }
        };
        let hinted = |fault| {
            let fault = hint::for_sandbox(fault, command, &last);
            hint::for_denied(fault, &shared.environment, command, &last)
        };
        ended.map_err(hinted)
    }

    /// Runs `command`, with all that is secret masked in what it prints and in what is said of it.
    async fn run_masked(
        &self,
        command: &Command,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Fault> {
        // What forge itself asks git or gh for may be a login.
        if command.inherit == Inherit::All {
            return self.run_one(command, line).await;
        }
        let command = Command { secrets: self.secrets.with(&command.secrets), ..command.clone() };
        let ended = self.run_one(&command, line).await;
        ended.map_err(|fault| fault.in_words(|text| command.secrets.mask(text).into_owned()))
    }
}

impl CommandRunner for Runner {
    fn run<'a>(
        &'a self,
        command: &'a Command,
        line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(self.run_masked(command, line))
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl RunnerShared {
    fn new(
        environment: &Environment,
        strays: Strays,
        guardian: Option<Vec<OsString>>,
        grace: Duration,
    ) -> Self {
        let reader = ConsoleReader::from_variables(|name| environment.get(name));
        let environment = Inherited::from_environment(environment);
        let guardian = Guardian::new(guardian);
        Self { environment, strays, guardian, grace, reader, buffers: Mutex::default() }
    }

    /// A buffer that no other command uses at this moment.
    pub fn buffer(&self) -> Buffer {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice())
    }

    /// Takes a buffer back for the next command.
    pub fn reuse(&self, buffer: Buffer) {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

//! Within what the commands of a task run: who runs them, what ends them, until when.

use std::time::Duration;

use tokio::{sync::RwLock, time::Instant};

use crate::{
    model::{Fault, Kind},
    process::{Cancel, Command, CommandLine, CommandRunner, timeout_fault},
};

use super::basis::NoopInputs;

/// Within what a task runs.
#[derive(Clone)]
pub struct RunScope<'a> {
    /// What runs its commands.
    pub runner: &'a dyn CommandRunner,
    /// What stops it.
    pub cancel: Cancel,
    /// Held by all who run a command; by one that gets the terminal, alone.
    pub terminal: &'a RwLock<()>,
    /// Told that a command runs.
    basis: &'a NoopInputs,
    deadline: Option<Deadline>,
    /// How many tasks call each other down to this one.
    calls: usize,
}

/// How deeply tasks may call each other. Each call takes some of the stack, far more of it in a build
/// that is not optimised.
const MOST_CALLS: usize = if cfg!(debug_assertions) { 32 } else { 200 };

/// When something has to be done.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// How long it was allowed.
    limit: Duration,
}

impl<'a> RunScope<'a> {
    /// A frame without limits.
    pub fn new(
        runner: &'a dyn CommandRunner,
        terminal: &'a RwLock<()>,
        basis: &'a NoopInputs,
        cancel: Cancel,
    ) -> Self {
        Self { runner, cancel, terminal, basis, deadline: None, calls: 0 }
    }

    /// This frame, with `limit` from now on if it is the nearer one.
    #[must_use]
    pub fn within(&self, limit: Option<Duration>) -> Self {
        let own = limit.map(|limit| Deadline { at: Instant::now() + limit, limit });
        let deadline = own.into_iter().chain(self.deadline).min_by_key(|deadline| deadline.at);
        Self { deadline, ..self.clone() }
    }

    /// This frame, for the task `name` that is called within it.
    ///
    /// # Errors
    /// `Usage` if too many tasks call each other.
    pub fn called(&self, name: &str) -> Result<Self, Fault> {
        if self.calls == MOST_CALLS {
            let what = format!("the task {name} is not run: {MOST_CALLS} tasks call each other");
            let hint = "let a task need the others (`needs`), or name them one after the other";
            return Err(Fault::new(Kind::Usage, what).hint(hint));
        }
        Ok(Self { calls: self.calls + 1, ..self.clone() })
    }

    /// This frame, with `cancel` to stop it.
    #[must_use]
    pub fn stopped_by(&self, cancel: Cancel) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// Waits until there is no time left, and says so of `what`. Without a limit it waits for ever.
    pub async fn expired(&self, what: &str) -> Fault {
        match self.deadline {
            Some(deadline) => {
                tokio::time::sleep_until(deadline.at).await;
                timeout_fault(&CommandLine::Shell(what.to_owned()), deadline.limit)
            }
            None => std::future::pending().await,
        }
    }

    /// Runs `command`, and passes on its lines.
    pub async fn run(
        &self,
        mut command: Command,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Fault> {
        let (_alone, _shared) = match command.terminal {
            true => (Some(self.terminal.write().await), None),
            false => (None, Some(self.terminal.read().await)),
        };
        self.basis.is_more();
        command.cancel = Some(self.cancel.clone());
        if let Some(deadline) = self.deadline {
            let left = deadline.at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(timeout_fault(&command.line, deadline.limit));
            }
            command.timeout = Some(left);
        }
        let done = self.runner.run(&command, line).await;
        done.map_err(|fault| match self.deadline {
            Some(Deadline { limit, .. }) if fault.kind == Kind::Timeout => {
                timeout_fault(&command.line, limit)
            }
            _ => fault,
        })
    }

    /// Waits for `time`, or until it is stopped or its own time is over.
    ///
    /// # Errors
    /// If it is over then, `what` could not be.
    pub async fn pause(&self, time: Duration, what: &str) -> Result<(), Fault> {
        let end = Instant::now() + time;
        if let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= end) {
            let what = format!("{what} would come after its time limit");
            let why = format!("it may take {} s", deadline.limit.as_secs());
            return Err(Fault::new(Kind::Timeout, what).because(why));
        }
        tokio::select! {
            () = self.cancel.cancelled() => Err(self.cancel.fault(what)),
            () = tokio::time::sleep_until(end) => Ok(()),
        }
    }
}

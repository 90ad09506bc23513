//! Runs commands: streams their lines, kills whole trees, keeps time limits.

use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, time::Duration};

use crate::model::Fault;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What runs.
    pub line: CommandLine,
    /// Where it runs.
    pub dir: PathBuf,
    /// Variables set for it, over what forge was started with.
    pub env: BTreeMap<String, String>,
    /// Folders put before PATH, the first one first.
    pub path: Vec<PathBuf>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Where its output is kept, appended; created with the first byte.
    pub log: Option<PathBuf>,
    /// Whether it may run parallel jobs of its own: it then takes part in the job budget.
    pub jobs: bool,
}

/// What a [`Command`] executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for `sh -eu`. Executed without a shell where that makes no difference.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// A boxed future, as ports return it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The port through which everything that runs a program goes.
pub trait CommandRunner: Send + Sync {
    /// Runs `command` to its end and passes each line that it prints (standard output and
    /// standard error in the order they came) to `line`.
    ///
    /// # Errors
    /// `Failed` if it cannot be started or exits with another code than 0, `Timeout` if
    /// it took too long, `Interrupted` if the run was cancelled. Whatever happens, no
    /// process it started is alive when this returns.
    fn run<'a>(
        &'a self,
        command: &'a Command,
        line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>>;
}

pub mod guardian {
    pub const ARGUMENT: &str = "--forge-guardian";
    pub fn main() {}
}
#[derive(Clone)]
pub struct Cancel(std::sync::Arc<tokio::sync::watch::Sender<bool>>);
impl Cancel {
    pub fn new() -> Self {
        Cancel(std::sync::Arc::new(tokio::sync::watch::Sender::new(false)))
    }
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }
    pub async fn cancelled(&self) {
        let _ = self.0.subscribe().wait_for(|x| *x).await;
    }
    pub fn fault(&self, w: &str) -> Fault {
        Fault::new(crate::model::Kind::Interrupted, w)
    }
    pub fn listen_to_signals(&self) -> Result<(), Fault> {
        Ok(())
    }
}
pub struct Runner;
impl Runner {
    pub fn new(_: usize, _: Cancel) -> Self {
        Runner
    }
    pub fn guarded(self) -> Self {
        self
    }
}
impl CommandRunner for Runner {
    fn run<'a>(
        &'a self,
        c: &'a Command,
        _: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move {
            let CommandLine::Shell(l) = &c.line else { todo!() };
            let mut path = c.path.clone();
            path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
            let o = tokio::process::Command::new("sh")
                .arg("-euc")
                .arg(l)
                .current_dir(&c.dir)
                .envs(&c.env)
                .env("PATH", std::env::join_paths(path).unwrap())
                .output()
                .await
                .unwrap();
            if o.status.success() {
                Ok(())
            } else {
                Err(Fault::new(
                    crate::model::Kind::Failed,
                    format!("`{l}` failed {}", String::from_utf8_lossy(&o.stderr)),
                ))
            }
        })
    }
}

//! What one forge process has once, from its start to its end: the threads that it works on, the
//! handle that stops it, and the secrets that it masks.
//!
//! The first use of the runtime begins to listen to signals, and only the end of the process stops
//! that: a system gives a signal back to nobody who once asked for it. A signal cancels what runs on
//! the runtime. If nothing does at that moment, there is nothing to end in order, and forge ends at
//! once, as it would have done before it listened.

use std::{
    future::Future,
    process::exit,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::runtime::{Builder, Runtime};

use super::limits::{files_are_free, threads_are_free};
use crate::{
    console,
    model::{Fault, Kind, KnownSecrets},
    process::{Cancel, Runner, environment_secrets},
    service::is_service,
};

/// What this process has once. Clones are the same.
#[derive(Clone)]
pub(super) struct Host(Arc<Parts>);

struct Parts {
    runtime: OnceLock<Runtime>,
    cancel: Cancel,
    secrets: KnownSecrets,
    /// How many are at work that end by `cancel`.
    at_work: Arc<AtomicUsize>,
}

/// While it lives, a signal cancels the run instead of ending forge at once.
pub(super) struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The runtime, for those who wait on it.
pub(super) struct Waiting<'h>(&'h Host, &'h Runtime);

impl Waiting<'_> {
    /// Waits for `work`, which ends by [`Host::cancel`].
    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let _at_work = AtWork::begin(&self.0.0.at_work);
        self.1.block_on(work)
    }

    /// Waits for `work` that is not stopped in order: a signal ends forge at once meanwhile.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.1.block_on(work)
    }
}

impl Host {
    /// What this process has. Starts nothing yet.
    pub(super) fn of_process() -> Self {
        Self(Arc::new(Parts {
            runtime: OnceLock::new(),
            cancel: Cancel::new(),
            secrets: environment_secrets().into(),
            at_work: Arc::default(),
        }))
    }

    /// What is masked wherever something is shown or written down.
    pub(super) fn secrets(&self) -> &KnownSecrets {
        &self.0.secrets
    }

    /// What stops the run.
    pub(super) fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    /// A runner of `jobs` commands at once, which ends with the run.
    pub(super) fn runner(&self, jobs: usize) -> Runner {
        self.runner_until(jobs, self.0.cancel.clone())
    }

    /// [`Self::runner`], which ends with `cancel`.
    pub(super) fn runner_until(&self, jobs: usize, cancel: Cancel) -> Runner {
        Runner::new(jobs, cancel).guarded().sparing(is_service).masking(self.0.secrets.clone())
    }

    /// Says that from here on signals cancel the run: whoever holds the answer looks at
    /// [`Self::cancel`] by itself.
    ///
    /// # Errors
    /// As [`Self::runtime`].
    pub(super) fn at_work(&self) -> Result<AtWork, Fault> {
        self.runtime()?;
        Ok(AtWork::begin(&self.0.at_work))
    }

    /// The runtime; made by the first who asks.
    ///
    /// # Errors
    /// If the system has no threads for it, or delivers no signals.
    pub(super) fn runtime(&self) -> Result<Waiting<'_>, Fault> {
        if let Some(runtime) = self.0.runtime.get() {
            return Ok(Waiting(self, runtime));
        }
        let runtime = new_runtime()?;
        let at_work = self.0.at_work.clone();
        runtime.block_on(async {
            self.0.cancel.listen_to_signals(move |reason| {
                if at_work.load(Ordering::SeqCst) == 0 {
                    console::err(&format!("forge: {reason}\n"));
                    exit(i32::from(Kind::Interrupted.exit_code()));
                }
            })
        })?;
        Ok(Waiting(self, self.0.runtime.get_or_init(|| runtime)))
    }
}

fn new_runtime() -> Result<Runtime, Fault> {
    let cannot = |error: &std::io::Error| {
        Fault::io("cannot start the threads of a run", error).hint(
            "a limit may be too low: of processes (`ulimit -u`), memory (`ulimit -v`) or open files (`ulimit -n`)",
        )
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    files_are_free().map_err(|error| cannot(&error))?;
    threads_are_free(threads).map_err(|error| cannot(&error))?;
    let built = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    built.map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    /// The variable by which this test program, started once more, knows what to be.
    const PART: &str = "FORGE_TEST_HOST";

    /// Not a test by itself: a command that waited once, and is about to wait again.
    #[test]
    fn parts() {
        let Ok(part) = std::env::var(PART) else { return };
        let host = Host::of_process();
        host.runtime().unwrap().block_on(async {});
        let at_work = (part == "at work").then(|| host.at_work().unwrap());
        writeln!(std::io::stdout(), "\nbetween").unwrap();
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        while !host.cancel().is_cancelled() && std::time::Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(at_work);
        exit(if host.cancel().is_cancelled() { 3 } else { 4 });
    }

    /// This test program once more, when it is between two waits.
    fn between(part: &str) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::host::tests::parts", "--nocapture"])
            .env(PART, part)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "between"));
        child
    }

    #[test]
    fn a_signal_between_two_waits_ends_forge_or_cancels_its_work() {
        for (part, signal, code) in
            [("idle", Signal::INT, 130), ("idle", Signal::TERM, 130), ("at work", Signal::INT, 3)]
        {
            let mut child = between(part);
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
            kill_process(pid, signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{part}, {signal:?}");
        }
    }
}

//! What one forge process has once, from its start to its end: the environment that it was given, the
//! folders of its user, the CI that it runs in, the console, the threads that it works on, the handle
//! that stops it, and the secrets that it masks.
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
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::runtime::{Builder, Runtime};

use super::limits::{files_are_free, start_pool, threads_are_free};
use crate::{
    cache::{Cache, SealKey},
    console::{Console, ConsoleReader},
    disk::{MOST_OF_TEXT, read_text},
    model::{Environment, Fault, Kind, KnownSecrets, UserFolders},
    process::{Cancel, Runner, environment_secrets},
    provenance::Surroundings,
    report::{Style, render_warning},
    service::is_service,
};

/// What this process has once. Clones are the same.
#[derive(Clone)]
pub(super) struct Host(Arc<HostParts>);

struct HostParts {
    environment: Environment,
    user: UserFolders,
    key: SealKey,
    cache: OnceLock<Result<Cache, Fault>>,
    console: Console,
    /// The text of the file that describes the event of the workflow, if there is one.
    event: OnceLock<Result<Option<String>, Fault>>,
    surroundings: OnceLock<Surroundings>,
    /// Set once the threads run that files are read on.
    pool: OnceLock<()>,
    runtime: OnceLock<Runtime>,
    cancel: Cancel,
    secrets: KnownSecrets,
    /// How many are at work that end by `cancel`.
    at_work: Arc<AtomicUsize>,
    /// Whether a run may have written to the cache.
    wrote_cache: AtomicBool,
    /// Whether something was printed on standard output.
    has_printed: AtomicBool,
}

/// The variables that this process was started with. They are read nowhere else.
pub(super) fn environment_of_process() -> Environment {
    std::env::vars_os().collect()
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
    /// What a process with this `environment` has. Starts nothing yet.
    pub(super) fn new(environment: Environment) -> Self {
        let user = UserFolders::new(&environment, std::env::home_dir());
        Self(Arc::new(HostParts {
            key: SealKey::of_user(&user),
            cache: OnceLock::new(),
            user,
            console: Console::new(ConsoleReader::from_variables(|name| environment.get(name))),
            event: OnceLock::new(),
            surroundings: OnceLock::new(),
            pool: OnceLock::new(),
            runtime: OnceLock::new(),
            cancel: Cancel::new(),
            secrets: environment_secrets(&environment).into(),
            environment,
            at_work: Arc::default(),
            wrote_cache: AtomicBool::new(false),
            has_printed: AtomicBool::new(false),
        }))
    }

    /// The variables that forge was started with.
    pub(super) fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The folders of the user.
    pub(super) fn user(&self) -> &UserFolders {
        &self.0.user
    }

    /// The key that this user's records are sealed with.
    pub(super) fn seal_key(&self) -> &SealKey {
        &self.0.key
    }

    /// The cache that the user's workspaces share.
    ///
    /// # Errors
    /// `Failed` if the user has no home folder.
    pub(super) fn cache(&self) -> Result<&Cache, Fault> {
        let cache = self.0.cache.get_or_init(|| Cache::of_user(&self.0.user));
        cache.as_ref().map_err(Clone::clone)
    }

    /// Says that a run may write to the cache.
    pub(super) fn writes_cache(&self) {
        self.0.wrote_cache.store(true, Ordering::Relaxed);
    }

    /// Whether a run said that it may write to the cache.
    pub(super) fn wrote_cache(&self) -> bool {
        self.0.wrote_cache.load(Ordering::Relaxed)
    }

    /// Says that something is printed on standard output.
    pub(super) fn prints(&self) {
        self.0.has_printed.store(true, Ordering::Relaxed);
    }

    /// Whether something was printed on standard output.
    pub(super) fn has_printed(&self) -> bool {
        self.0.has_printed.load(Ordering::Relaxed)
    }

    /// Where forge prints.
    pub(super) fn console(&self) -> Console {
        self.0.console
    }

    /// What the file says that describes the event of the workflow, if a workflow runs forge.
    ///
    /// # Errors
    /// If the file that `GITHUB_EVENT_PATH` names cannot be read.
    pub(super) fn event(&self) -> Result<Option<&str>, Fault> {
        let event = self.0.event.get_or_init(|| {
            let Some(path) = self.0.environment.path("GITHUB_EVENT_PATH") else { return Ok(None) };
            read_text(&path, MOST_OF_TEXT).map(Some).map_err(|error| {
                let what = format!("cannot read the event of the workflow, {}", path.display());
                Fault::io(what, &error)
            })
        });
        event.as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    /// Where this process runs. An event that cannot be read is told by a warning, once.
    pub(super) fn surroundings(&self) -> &Surroundings {
        self.0.surroundings.get_or_init(|| {
            let event = self.event().unwrap_or_else(|fault| {
                let fault = fault.because("nothing that it would tell is known to this run");
                self.0.console.err(&render_warning(None, &fault, Style::PLAIN));
                None
            });
            Surroundings::from_variables(&self.0.environment.to_texts(), event)
        })
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
        self.runner_that_shows_secrets(jobs, cancel).masking(self.0.secrets.clone())
    }

    /// [`Self::runner_until`], for what is asked for a login: masking secrets would mask the very answer.
    pub(super) fn runner_that_shows_secrets(&self, jobs: usize, cancel: Cancel) -> Runner {
        let key = SealKey::of_user(&self.0.user);
        Runner::new(self.0.environment.clone(), jobs, cancel)
            .guarded()
            .sparing(move |mark| is_service(&key, mark))
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

    /// Sees to it that the threads run on which files are read side by side.
    pub(super) fn start_pool(&self) {
        self.0.pool.get_or_init(start_pool);
    }

    /// The runtime; made by the first who asks.
    ///
    /// # Errors
    /// If the system has no threads for it, or delivers no signals.
    pub(super) fn runtime(&self) -> Result<Waiting<'_>, Fault> {
        if let Some(runtime) = self.0.runtime.get() {
            return Ok(Waiting(self, runtime));
        }
        self.start_pool();
        let runtime = new_runtime()?;
        let (at_work, console) = (self.0.at_work.clone(), self.0.console);
        let stopped = i32::from(Kind::Interrupted.exit_code());
        let arrived = move |reason: &str| {
            if at_work.load(Ordering::SeqCst) == 0 {
                console.err(&format!("forge: {reason}\n"));
                exit(stopped);
            }
        };
        // What is half-made is swept by the next run, as after a kill.
        let overdue = move || {
            console.err("forge: stopped in the middle of its work\n");
            exit(stopped);
        };
        self.0.cancel.listen_to_signals(arrived, overdue)?;
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
        let host = Host::new(environment_of_process());
        host.runtime().unwrap().block_on(async {});
        let at_work = (part == "at work").then(|| host.at_work().unwrap());
        writeln!(std::io::stdout(), "\nbetween").unwrap();
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        // The listener ends an idle forge after it has cancelled: that is waited for.
        let goes_on = || at_work.is_none() || !host.cancel().is_cancelled();
        while goes_on() && std::time::Instant::now() < limit {
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

//! Processes that left the group of their command (`setsid`, daemons): found and ended
//! all the same, on Linux.
//!
//! Forge becomes a child subreaper (prctl(2)): what loses its parent anywhere below forge
//! becomes a child of forge's main thread instead of init's. And every command carries a
//! mark in its environment that its descendants inherit, so that a child of forge tells of which
//! command it is: a running one, which may still use it, or one that is over.
//!
//! A process without a mark, or with one that nothing here confirms, belongs to some command: it is
//! ended as soon as none runs. Only what forge's own account (`children`) has, and services, are spared; their
//! mark is sealed, so that no command can make one up.
//!
//! What hides from this, since nothing on this level can see it: work handed to a service that ran
//! before (a container, a compile server), what lost its mark and outlives a forge that is killed, and,
//! on other systems than Linux, all strays.

use std::{
    collections::HashSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

use super::{
    census::ProcessId,
    children::account,
    group::{GRACE, KILLED, Remains, within},
};

/// The variable that holds the mark: `<forge's process>-<time>-<number of the command>`.
pub const VARIABLE: &str = "FORGE_COMMAND";

/// Tells whether a mark is one of what is meant to outlive forge.
pub type IsSpared = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How the strays of a run are told.
pub struct Strays {
    /// What the marks of this run begin with.
    mark: String,
    /// Whether a mark is one of what is meant to outlive forge.
    is_spared: IsSpared,
    begun: AtomicU64,
}

/// A command that runs.
pub struct Marked<'a> {
    strays: &'a Strays,
    mark: String,
}

impl Strays {
    /// From now on strays become children of this process. Those with a mark that `is_spared` are left alone.
    pub fn adopt(is_spared: IsSpared) -> Self {
        account().open(|| children().into_iter().filter_map(known).collect());
        #[cfg(target_os = "linux")]
        // Fails on no Linux since 3.4; if it does, strays are init's as elsewhere.
        let _ = rustix::process::set_child_subreaper(Some(getpid()));
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let mark = format!("{}-{time:x}-", getpid().as_raw_nonzero());
        account().add_runner(mark.clone());
        Self { mark, is_spared, begun: AtomicU64::new(0) }
    }

    /// What the marks of all commands of this run begin with.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Counts another command.
    pub fn begin(&self) -> Marked<'_> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let mark = format!("{}{number}", self.mark);
        account().begins(mark.clone());
        Marked { strays: self, mark }
    }

    /// The living strays of commands that are over.
    fn living(&self) -> Vec<Pid> {
        let is_ours = |pid: &Pid| self.is_over(*pid);
        // Those that died are waited for on the way.
        let is_alive = |pid: &Pid| !matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(Some(_)));
        children().into_iter().filter(is_ours).filter(is_alive).collect()
    }

    fn is_over(&self, pid: Pid) -> bool {
        let mark = mark_of(pid);
        let account = account();
        match mark {
            Some(mark) if account.runs(&mark) => false,
            Some(mark) if self.is_own(&mark) => true,
            Some(mark) if account.is_of_another_runner(&mark, &self.mark) => false,
            Some(mark) if (self.is_spared)(&mark) => false,
            // Of which command it is, is unknown.
            _ => account.is_idle() && !known(pid).is_some_and(|child| account.is_own(&child)),
        }
    }

    /// Whether `mark` is one of this run's.
    fn is_own(&self, mark: &str) -> bool {
        mark.strip_prefix(&self.mark).is_some_and(|number| number.parse::<u64>().is_ok())
    }
}

impl Marked<'_> {
    /// The mark of this command.
    pub fn mark(&self) -> String {
        self.mark.clone()
    }

    /// Ends what is left of the command outside its group, after all in it is gone: leaves it
    /// `patience` to end by itself, then tells it to, then kills it.
    pub async fn end(&self, patience: Duration) -> Remains {
        account().ends(&self.mark);
        if within(patience, || self.strays.living().is_empty()).await {
            return Remains::Nothing;
        }
        for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILLED)] {
            if self.all_end(signal, patience).await {
                return Remains::Ended;
            }
        }
        Remains::Stuck
    }

    /// Sends `signal` to every stray, also to those that only become forge's children as
    /// others die, once each, until none is left.
    async fn all_end(&self, signal: Signal, patience: Duration) -> bool {
        let mut told = HashSet::new();
        let nobody_is_left = || {
            let living = self.strays.living();
            for stray in living.iter().filter(|pid| told.insert(**pid)) {
                let _ = kill_process(*stray, signal);
            }
            living.is_empty()
        };
        within(patience, nobody_is_left).await
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        account().ends(&self.mark);
    }
}

/// The processes anywhere on this machine whose mark begins with `mark`.
pub fn marked(mark: &str) -> Vec<Pid> {
    let is_marked = |pid: &Pid| mark_of(*pid).is_some_and(|found| found.starts_with(mark));
    processes().filter(is_marked).collect()
}

/// The mark in the environment of a process.
pub(super) fn mark_of(pid: Pid) -> Option<String> {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()?;
    let variables = environment.split(|byte| *byte == 0);
    let mut marks =
        variables.filter_map(|v| v.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="));
    String::from_utf8(marks.next()?.to_vec()).ok()
}

/// The children of this process's main thread; that is where strays end up.
fn children() -> Vec<Pid> {
    let own = getpid();
    match fs::read_to_string(format!("/proc/self/task/{}/children", own.as_raw_nonzero())) {
        Ok(list) => list.split_whitespace().filter_map(pid).collect(),
        // A kernel built without that file.
        Err(_) => processes().filter(|pid| parent_of(*pid) == Some(own)).collect(),
    }
}

pub(super) fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| pid(entry.file_name().to_str()?))
}

fn parent_of(process: Pid) -> Option<Pid> {
    pid(&status_field(process, 1)?)
}

/// A field of `/proc/PID/stat`, proc(5), counted from the one after the name.
pub(super) fn status_field(process: Pid, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // The name in parentheses may hold anything.
    Some(stat.rsplit_once(')')?.1.split_whitespace().nth(number)?.to_owned())
}

fn pid(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

fn known(process: Pid) -> Option<ProcessId> {
    ProcessId::find(process.as_raw_nonzero().get())
}

//! Processes that left the group of their command (`setsid`, daemons): found and ended
//! all the same, on Linux.
//!
//! Forge becomes a child subreaper (prctl(2)): what loses its parent anywhere below forge
//! becomes a child of forge's main thread instead of init's. And every command carries a
//! mark in its environment that its descendants inherit, so that a child of forge tells of which
//! command it is: a running one, which may still use it, or one that is over.
//!
//! What hides from this, since nothing on this level can see it: work handed to a service that ran
//! before (a container, a compile server), a process that wipes its environment and leaves its
//! group but not its session, and, on other systems than Linux, all strays.

use std::{
    collections::HashSet,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

use super::{
    detached::DETACHED,
    group::{GRACE, KILLED, Remains, within},
};

/// The variable that holds the mark: `<forge's process>-<time>-<number of the command>`.
pub const VARIABLE: &str = "FORGE_COMMAND";

/// The commands that run, and how to tell their strays.
pub struct Strays {
    /// What the marks of this run begin with.
    mark: String,
    commands: Mutex<Commands>,
}

#[derive(Default)]
struct Commands {
    begun: u64,
    running: HashSet<u64>,
}

/// A command that runs.
pub struct Marked<'a> {
    strays: &'a Strays,
    number: u64,
}

/// What a process says about where it comes from.
enum Origin {
    /// This command of this run.
    Command(u64),
    /// Another run within this process, or what is meant to outlive forge.
    Neighbour,
    Unknown,
}

impl Strays {
    /// From now on strays become children of this process.
    pub fn adopt() -> Self {
        #[cfg(target_os = "linux")]
        // Fails on no Linux since 3.4; if it does, strays are init's as elsewhere.
        let _ = rustix::process::set_child_subreaper(Some(getpid()));
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let mark = format!("{}-{time:x}-", getpid().as_raw_nonzero());
        Self { mark, commands: Mutex::default() }
    }

    /// What the marks of all commands of this run begin with.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Counts another command.
    pub fn begin(&self) -> Marked<'_> {
        let mut commands = self.commands();
        commands.begun += 1;
        let number = commands.begun;
        commands.running.insert(number);
        Marked { strays: self, number }
    }

    fn commands(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The living strays of commands that are over.
    fn living(&self) -> Vec<Pid> {
        let is_ours = |pid: &Pid| self.is_over(*pid);
        // Those that died are waited for on the way.
        let is_alive = |pid: &Pid| !matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(Some(_)));
        children().into_iter().filter(is_ours).filter(is_alive).collect()
    }

    fn is_over(&self, pid: Pid) -> bool {
        match self.origin(pid) {
            Origin::Command(number) => !self.commands().running.contains(&number),
            Origin::Neighbour => false,
            // Nothing in this process starts sessions, so what is in another one is a
            // stray, but of which command is unknown.
            Origin::Unknown => {
                self.commands().running.is_empty() && session_of(pid) != session_of(getpid())
            }
        }
    }

    fn origin(&self, pid: Pid) -> Origin {
        let Some(mark) = mark_of(pid) else { return Origin::Unknown };
        let own_process = format!("{}-", getpid().as_raw_nonzero());
        match mark.strip_prefix(&self.mark).map(str::parse) {
            Some(Ok(number)) => Origin::Command(number),
            _ if mark.starts_with(&own_process) => Origin::Neighbour,
            _ if mark.starts_with(DETACHED) => Origin::Neighbour,
            _ => Origin::Unknown,
        }
    }
}

impl Marked<'_> {
    /// The mark of this command.
    pub fn mark(&self) -> String {
        format!("{}{}", self.strays.mark, self.number)
    }

    /// Ends what is left of the command outside its group, after all in it is gone: leaves it
    /// `patience` to end by itself, then tells it to, then kills it.
    pub async fn end(&self, patience: Duration) -> Remains {
        self.strays.commands().running.remove(&self.number);
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
        self.strays.commands().running.remove(&self.number);
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

/// The session of a process; `0` in a container whose sessions began outside of it, which is why
/// getsid(2) by way of a type for processes, none of which is 0, does not do.
fn session_of(process: Pid) -> Option<String> {
    status_field(process, 3)
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

//! Which children of this process are no strays. The kernel keeps one list of children for a process and
//! adds strays to it, so this account is one for the whole process too, whatever runs in it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::census::ProcessId;

static ACCOUNT: Mutex<Children> = Mutex::new(Children::new());

/// The account of the children of this process.
pub struct Children {
    /// What the marks of each runner's commands begin with.
    runners: Vec<String>,
    /// The marks of the commands that run.
    running: BTreeSet<String>,
    /// How many processes without a mark are being started, or run for a moment.
    busy: usize,
    /// What forge started beside commands, and what was there before forge started anything.
    own: Option<Vec<ProcessId>>,
}

/// The account, which nobody else changes meanwhile.
pub fn account() -> MutexGuard<'static, Children> {
    ACCOUNT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    const fn new() -> Self {
        Self { runners: Vec::new(), running: BTreeSet::new(), busy: 0, own: None }
    }

    /// Before anything is started: whoever is a `child` already is another program's that became forge.
    pub fn open(&mut self, children: impl FnOnce() -> Vec<ProcessId>) {
        self.own.get_or_insert_with(children);
    }

    /// Forge started this process beside commands.
    pub fn add(&mut self, process: Option<ProcessId>) {
        self.own.get_or_insert_default().extend(process);
    }

    /// A command with this mark begins.
    pub fn begins(&mut self, mark: String) {
        self.running.insert(mark);
    }

    /// Commands whose marks begin with `mark` are run by this process.
    pub fn add_runner(&mut self, mark: String) {
        self.runners.push(mark);
    }

    /// Whether `mark` is of a command of another runner than the one whose marks begin with `own`. That
    /// one ends what is left of it.
    pub fn is_of_another_runner(&self, mark: &str, own: &str) -> bool {
        let mut others = self.runners.iter().filter(|runner| *runner != own);
        others.any(|runner| mark.starts_with(runner))
    }

    /// The command with this mark is over.
    pub fn ends(&mut self, mark: &str) {
        self.running.remove(mark);
    }

    /// Whether the command with this mark runs.
    pub fn runs(&self, mark: &str) -> bool {
        self.running.contains(mark)
    }

    /// Whether nothing runs to which a process without a mark could belong.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.busy == 0
    }

    /// Whether forge itself started this process, or found it there.
    pub fn is_own(&self, process: &ProcessId) -> bool {
        self.own.iter().flatten().any(|own| own == process)
    }
}

/// While it lives, no process without a mark is taken for a stray.
pub struct Unmarked(());

impl Unmarked {
    /// From now on.
    pub fn begin() -> Self {
        account().busy += 1;
        Self(())
    }
}

impl Drop for Unmarked {
    fn drop(&mut self) {
        account().busy -= 1;
    }
}

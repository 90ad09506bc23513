//! Locks between forge processes in one workspace: who works on what.
//!
//! A lock is an advisory lock of the operating system on a small file. It goes with
//! its process, however that ends, so there are no stale locks to clean up.

use std::{
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::own::forge_folder;
use crate::{
    disk::{FileLock, Folder},
    model::{Fault, Kind, Layout},
    process::Cancel,
};

/// How often somebody who waits looks whether the lock is free.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A lock that is held until dropped.
#[derive(Debug)]
pub struct BusyLock {
    _lock: FileLock,
}

/// How a lock is taken: alone, or shared.
type Lock = fn(&Folder, &Path) -> io::Result<Result<FileLock, Option<u32>>>;

/// What an attempt to lock gave.
#[derive(Debug)]
pub enum Busy {
    /// The lock is ours.
    Ours(BusyLock),
    /// Another process has it; its process id, where it left one.
    Theirs(Option<u32>),
}

/// How somebody waits for a lock.
pub struct Patience<'a> {
    /// What is waited for, as in "waiting for …".
    pub what: &'a str,
    /// Ends the waiting.
    pub cancel: &'a Cancel,
    /// Is told once that there is a wait, and for whom.
    pub tell: &'a dyn Fn(&str),
    /// After how long waiting is given up; never, if the holder may rightly take long.
    pub limit: Option<Duration>,
}

impl BusyLock {
    /// Tries to take the lock `path` of the workspace at `layout`, without waiting.
    ///
    /// # Errors
    /// If it cannot be locked; if there is a link where the file or a folder of it should be.
    pub fn take(layout: &Layout, path: &Path) -> Result<Busy, Fault> {
        Self::hold(layout, path, FileLock::take)
    }

    fn hold(layout: &Layout, path: &Path, lock: Lock) -> Result<Busy, Fault> {
        let taken = lock(&forge_folder(layout)?, path)
            .map_err(|error| Fault::io(format!("cannot lock {}", path.display()), &error))?;
        Ok(match taken {
            Ok(lock) => Busy::Ours(Self { _lock: lock }),
            Err(holder) => Busy::Theirs(holder),
        })
    }

    /// Takes the lock `path` of the workspace at `layout`, and waits for it as `patience` says. Blocks.
    ///
    /// # Errors
    /// As [`BusyLock::take`]; `Interrupted` or `Timeout` if the waiting ended without the lock.
    pub fn wait(layout: &Layout, path: &Path, patience: &Patience) -> Result<Self, Fault> {
        Self::wait_to(FileLock::take, layout, path, patience)
    }

    /// As [`BusyLock::wait`], for a share: many may hold one at once.
    ///
    /// # Errors
    /// As [`BusyLock::wait`].
    pub fn wait_to_share(layout: &Layout, path: &Path, patience: &Patience) -> Result<Self, Fault> {
        Self::wait_to(FileLock::share, layout, path, patience)
    }

    fn wait_to(
        lock: Lock,
        layout: &Layout,
        path: &Path,
        patience: &Patience,
    ) -> Result<Self, Fault> {
        let began = Instant::now();
        let mut is_told = false;
        loop {
            let holder = match Self::hold(layout, path, lock)? {
                Busy::Ours(lock) => return Ok(lock),
                Busy::Theirs(holder) => holder,
            };
            patience.check(path, holder, began)?;
            if !std::mem::replace(&mut is_told, true) {
                (patience.tell)(&format!("waiting for {}, {}", another(holder), patience.what));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// How long the lock of `forge.lock` is waited for: others hold it for milliseconds.
const LONGEST_TURN: Duration = Duration::from_secs(60);

/// The turn of all who write `forge.lock` or `versions.yml` of the workspace at `layout`. Blocks.
///
/// # Errors
/// As [`BusyLock::wait`].
pub fn turn_to_write(
    layout: &Layout,
    cancel: &Cancel,
    tell: &dyn Fn(&str),
) -> Result<BusyLock, Fault> {
    let (what, limit) = ("which writes forge.lock", Some(LONGEST_TURN));
    let path = layout.state().join("locks/forge.lock");
    BusyLock::wait(layout, &path, &Patience { what, cancel, tell, limit })
}

impl Patience<'_> {
    fn check(&self, path: &Path, holder: Option<u32>, began: Instant) -> Result<(), Fault> {
        let what = format!("waiting for {}, {},", another(holder), self.what);
        if self.cancel.is_cancelled() {
            return Err(self.cancel.fault(&what));
        }
        match self.limit {
            Some(limit) if began.elapsed() >= limit => {
                let what = format!("{what} was given up after {} s", limit.as_secs());
                let hint = format!("see what holds {} (`fuser {0}`)", path.display());
                Err(Fault::new(Kind::Timeout, what).hint(hint))
            }
            _ => Ok(()),
        }
    }
}

/// Who holds a lock, for people.
pub fn another(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another forge".into(), |pid| format!("another forge (process {pid})"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn workspace() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        (dir, layout)
    }

    #[test]
    fn the_second_is_told_who_has_it() {
        let (_dir, layout) = workspace();
        let path = layout.state().join("locks/nats");
        let Busy::Ours(first) = BusyLock::take(&layout, &path).unwrap() else { panic!("is free") };
        let Busy::Theirs(pid) = BusyLock::take(&layout, &path).unwrap() else { panic!("is taken") };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        assert!(matches!(BusyLock::take(&layout, &path).unwrap(), Busy::Ours(_)));
    }

    #[test]
    fn waiting_is_told_once_and_ends_when_it_is_cancelled_or_takes_too_long() {
        let (_dir, layout) = workspace();
        let path = layout.state().join("locks/nats");
        let _first = BusyLock::take(&layout, &path).unwrap();
        let (cancel, told) = (Cancel::new(), RefCell::new(Vec::new()));
        let wait = |limit: Option<Duration>| {
            let tell = |text: &str| {
                told.borrow_mut().push(text.to_owned());
                if limit.is_none() {
                    cancel.cancel();
                }
            };
            let what = "which builds nats";
            let patience = Patience { what, cancel: &cancel, tell: &tell, limit };
            BusyLock::wait(&layout, &path, &patience).unwrap_err()
        };
        assert_eq!(wait(Some(LOOK_AGAIN * 2)).kind, Kind::Timeout);
        assert_eq!(wait(None).kind, Kind::Interrupted);
        let line = format!("waiting for {}, which builds nats", another(Some(std::process::id())));
        assert_eq!(*told.borrow(), [line.clone(), line]);
    }
}

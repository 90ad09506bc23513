//! Locks between forge processes in one workspace: who works on what.
//!
//! A lock is an advisory lock of the operating system on an empty file. It goes with
//! its process, however that ends, so there are no stale locks to clean up.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use crate::model::Fault;

/// A lock that is held until dropped.
#[derive(Debug)]
pub struct BusyLock {
    _file: File,
}

/// What an attempt to lock gave.
#[derive(Debug)]
pub enum Busy {
    /// The lock is ours.
    Ours(BusyLock),
    /// Another process has it; its process id, where it left one.
    Theirs(Option<u32>),
}

impl BusyLock {
    /// Tries to take the lock at `path`, without waiting.
    pub fn take(path: &Path) -> Result<Busy, Fault> {
        let fault = |e: io::Error| Fault::io(format!("cannot lock {}", path.display()), &e);
        let mut file = open(path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {
                // Whose it is, only for the message of those who wait. As wide as any
                // other, so that nothing needs to be cut off.
                let _ = file.write_all(format!("{:<10}", std::process::id()).as_bytes());
                Ok(Busy::Ours(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
                Ok(Busy::Theirs(text.trim().parse().ok()))
            }
            // A file system without locks: going on alone is all one can do.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                Ok(Busy::Ours(Self { _file: file }))
            }
            Err(TryLockError::Error(e)) => Err(fault(e)),
        }
    }

    /// Takes the lock at `path`, waiting for it as long as it takes. For short,
    /// sure work only: nothing can interrupt this.
    pub fn wait(path: &Path) -> Result<Self, Fault> {
        let fault = |e: io::Error| Fault::io(format!("cannot lock {}", path.display()), &e);
        let file = open(path).map_err(fault)?;
        file.lock().map_err(fault)?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().map_or_else(PathBuf::new, Path::to_path_buf))?;
            options.open(path)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/nats");
        let Busy::Ours(first) = BusyLock::take(&path).unwrap() else { panic!("is free") };
        let Busy::Theirs(pid) = BusyLock::take(&path).unwrap() else { panic!("is taken") };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        assert!(matches!(BusyLock::take(&path).unwrap(), Busy::Ours(_)));
    }
}

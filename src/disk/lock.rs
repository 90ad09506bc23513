//! Advisory locks of the operating system on files that forge owns.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
};

use super::folder::Folder;

/// A lock that is held until dropped, or until its process ends, however that happens.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Tries to take the lock `path` below `root`, without waiting: the lock, or the process id that
    /// its holder left there, if it did.
    ///
    /// # Errors
    /// If the file cannot be opened or made, or if there is a link in the way.
    pub fn take(root: &Folder, path: &Path) -> io::Result<Result<Self, Option<u32>>> {
        let mut file = root.open_or_create(path)?;
        match file.try_lock() {
            Ok(()) => {
                // Whose it is, only for the message of those who wait. As wide as any
                // other, so that nothing needs to be cut off.
                let _ = file.write_all(format!("{:<10}", std::process::id()).as_bytes());
                Ok(Ok(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.rewind().and_then(|()| (&file).take(20).read_to_string(&mut text));
                Ok(Err(text.trim().parse().ok()))
            }
            // A file system without locks: going on alone is all one can do.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Ok(Self { _file: file }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

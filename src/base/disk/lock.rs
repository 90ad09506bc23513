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
    file: File,
}

impl FileLock {
    /// Tries to take the lock `path` below `root`, without waiting: the lock, or the process id that
    /// its holder left there, if it did.
    ///
    /// # Errors
    /// If the file cannot be opened or made, or if there is a link in the way.
    pub fn take(root: &Folder, path: &Path) -> io::Result<Result<Self, Option<u32>>> {
        let taken = Self::hold(root, path, File::try_lock)?;
        if let Ok(lock) = &taken {
            // Whose it is, only for the message of those who wait. As wide as any
            // other, so that nothing needs to be cut off.
            let _ = (&lock.file).write_all(format!("{:<10}", std::process::id()).as_bytes());
        }
        Ok(taken)
    }

    /// As [`FileLock::take`], for a share: all hold it together who share it, and nobody else then.
    ///
    /// # Errors
    /// As [`FileLock::take`].
    pub fn share(root: &Folder, path: &Path) -> io::Result<Result<Self, Option<u32>>> {
        Self::hold(root, path, File::try_lock_shared)
    }

    /// Lets the commands that are started from here on hold it too: it is free when the last of them
    /// has ended, whatever becomes of this process.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pass_on(&self) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())?)
    }

    fn hold(
        root: &Folder,
        path: &Path,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> io::Result<Result<Self, Option<u32>>> {
        let mut file = root.open_or_create(path)?;
        match lock(&file) {
            Ok(()) => Ok(Ok(Self { file })),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.rewind().and_then(|()| (&file).take(20).read_to_string(&mut text));
                Ok(Err(text.trim().parse().ok()))
            }
            // A file system without locks: going on alone is all one can do.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Ok(Self { file }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

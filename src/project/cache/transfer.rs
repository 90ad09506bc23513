//! How the bytes of a file get from one place to another: as a reflink, which shares blocks until
//! one of the two is written to, or else as a copy. Never as a hard link: what a build or a task
//! writes through one name of a file would be in the cache, and in every workspace.
//!
//! The source is only taken while it is what it was when its digest was last compared, and the
//! bytes are read through one handle: what was looked at is what is copied.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{disk::Folder, model::FileStat};

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The new file holds the bytes whose digest was compared; what `stat` says of it.
    Done(FileStat),
    /// The source is not what it was then.
    Changed,
}

/// How what is transferred may be used: to be read and run by everybody, and written to by nobody.
pub const MODE: u32 = 0o555;

/// Moves bytes about, and remembers whether the file system can share them.
#[derive(Debug)]
pub struct Transfers {
    /// Cleared when a reflink fails: one file system does not learn it from file to file.
    try_reflinks: AtomicBool,
}

impl Transfers {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self { try_reflinks: AtomicBool::new(true) }
    }

    /// Makes the new file `name` in the folder `to` hold what the file `from` holds, executable and
    /// read-only, if `from` is as it was `known`.
    ///
    /// # Errors
    /// If a file cannot be read or written; `AlreadyExists` if there is something called `name`.
    pub fn transfer(
        &self,
        from: &File,
        known: Option<FileStat>,
        to: &Folder,
        name: &Path,
    ) -> io::Result<Transfer> {
        let target = to.create_new(name, MODE)?;
        let copied = self.transfer_into(from, known, &target);
        if !matches!(copied, Ok(Transfer::Done(_))) {
            let _ = to.remove_file(name);
        }
        copied
    }

    /// As [`Self::transfer`], into the new file `target`.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn transfer_into(
        &self,
        from: &File,
        known: Option<FileStat>,
        target: &File,
    ) -> io::Result<Transfer> {
        let is_known =
            || Ok::<_, io::Error>(Some(FileStat::from_metadata(&from.metadata()?)) == known);
        if !is_known()? {
            return Ok(Transfer::Changed);
        }
        self.copy(from, target)?;
        // The umask may have taken from the mode.
        if target.metadata()?.permissions().mode() & 0o7777 != MODE {
            target.set_permissions(fs::Permissions::from_mode(MODE))?;
        }
        // Whoever wrote to it meanwhile has changed its times.
        match is_known()? {
            true => Ok(Transfer::Done(FileStat::from_metadata(&target.metadata()?))),
            false => Ok(Transfer::Changed),
        }
    }

    fn copy(&self, mut from: &File, mut target: &File) -> io::Result<()> {
        if self.try_reflinks.load(Ordering::Relaxed) {
            match reflink(from, target) {
                Ok(()) => return Ok(()),
                Err(_) => self.try_reflinks.store(false, Ordering::Relaxed),
            }
        }
        // Between files, the standard library lets the kernel copy.
        io::copy(&mut from, &mut target).map(drop)
    }
}

#[cfg(target_os = "linux")]
fn reflink(from: &File, target: &File) -> io::Result<()> {
    rustix::fs::ioctl_ficlone(target, from).map_err(io::Error::from)
}

/// APFS can only clone a file by its path.
#[cfg(not(target_os = "linux"))]
fn reflink(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stat(path: &Path) -> FileStat {
        FileStat::from_metadata(&fs::symlink_metadata(path).unwrap())
    }

    #[test]
    fn what_is_known_is_transferred_and_shares_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "one").unwrap();
        let known = stat(&from);
        let file = File::open(&from).unwrap();
        let made = Transfers::new().transfer(&file, Some(known), &folder, Path::new("to")).unwrap();
        let to = dir.path().join("to");
        assert_eq!(made, Transfer::Done(stat(&to)));
        assert_eq!(stat(&to).mode & 0o777, 0o555);
        fs::OpenOptions::new().append(true).open(&from).unwrap().write_all(b"two").unwrap();
        assert_eq!(fs::read_to_string(to).unwrap(), "one");
    }

    #[test]
    fn what_changed_is_not_transferred_however_its_time_was_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "one").unwrap();
        let known = stat(&from);
        let time = fs::metadata(&from).unwrap().modified().unwrap();
        std::thread::sleep(FileStat::CLOCK_TICK);
        fs::write(&from, "two").unwrap();
        let file = File::options().write(true).read(true).open(&from).unwrap();
        file.set_modified(time).unwrap();
        let made = Transfers::new().transfer(&file, Some(known), &folder, Path::new("to")).unwrap();
        assert_eq!(made, Transfer::Changed);
        assert!(!dir.path().join("to").exists());
    }
}

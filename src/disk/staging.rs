//! Folders for half-made things, which tell by a lock whether somebody is at work in them.

use std::{
    ffi::OsStr,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{AtFlags, FlockOperation, flock, fstat, statat},
    process::getuid,
};

use super::folder::{Entry, EntryKind, Folder};

/// How the name of each staging folder begins; 16 hexadecimal digits follow.
const PREFIX: &str = "staging-";
/// How often making one is tried while others sweep.
const MOST_TRIES: usize = 100;

/// A new folder for half-made things, removed when dropped.
///
/// Whoever makes one holds a lock on it (`flock` on the folder itself), which the system gives up with
/// the process, however that ends, and which tells the truth across containers that share a disk and do
/// not see each other's processes. [`Staging::sweep`] removes those that nobody holds.
#[derive(Debug)]
pub struct Staging {
    /// The folder that this one is in.
    parent: Folder,
    /// This one, with the lock.
    folder: Folder,
}

impl Staging {
    /// Makes a new folder in the folder `parent` below `root`; that is made too if it is missing.
    ///
    /// # Errors
    /// If it cannot be made, or if there is a link on the way.
    pub fn new(root: &Folder, parent: &Path) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..MOST_TRIES {
            let parent = root.make_folder(parent)?;
            let name = PathBuf::from(unique(PREFIX));
            match parent.make_new_folder(&name) {
                // Taken, or swept between making and opening it.
                Err(error) if is_race(&error) => last = error,
                Err(error) => return Err(error),
                Ok(folder) if hold(&folder, &parent, &name)? => {
                    return Ok(Self { parent, folder });
                }
                Ok(_) => {}
            }
        }
        Err(last)
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the staging folder, with all in it, to `path` below `to`, in one step. What was there takes
    /// its place, and is removed with it.
    ///
    /// # Errors
    /// As [`Folder::exchange`].
    pub fn exchange(&self, to: &Folder, path: &Path) -> io::Result<()> {
        self.parent.exchange(self.path(), to, path)
    }

    /// Removes the staging folders in `parent`, below `root`, that nobody holds and that are older than
    /// `age`. Only folders that carry such a name and belong to this user are touched. What cannot be
    /// removed is left for the next sweep.
    pub fn sweep(root: &Folder, parent: &Path, age: Duration) {
        let Ok(parent) = root.folder(parent) else { return };
        for name in parent.names_in().unwrap_or_default() {
            let name = Path::new(&name);
            let is_left = is_made_here(name.as_os_str())
                && matches!(parent.entry(name), Ok(Some(entry)) if is_own(&entry, age));
            if is_left
                && let Ok(folder) = parent.folder(name)
                && is_free(&folder)
            {
                let _ = parent.remove_all(name);
            }
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is swept later.
        let _ = self.parent.remove_all(self.folder.path());
    }
}

/// Takes the lock that says that somebody works in `folder`. Says whether it is still there: a sweep may
/// have seen it before.
fn hold(folder: &Folder, parent: &Folder, name: &Path) -> io::Result<bool> {
    match flock(folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
        // A file system without locks, on which nothing is swept either.
        Err(_) => return Ok(true),
    }
    let (ours, there) = (fstat(folder)?, statat(parent, name, AtFlags::SYMLINK_NOFOLLOW));
    Ok(there.is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)))
}

/// Whether nobody works in `folder`. Nobody can begin to while it is open here.
fn is_free(folder: &Folder) -> bool {
    flock(folder, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn is_made_here(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_own(entry: &Entry, age: Duration) -> bool {
    entry.kind == EntryKind::Folder && entry.owner == getuid().as_raw() && entry.age() >= age
}

fn is_race(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
}

/// `prefix` with 16 hexadecimal digits that no other process and no other thread has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        (dir, folder)
    }

    /// What a process that was killed left behind: the folder, without its lock.
    fn abandoned(root: &Folder) -> PathBuf {
        let path = root.path().join("staging/staging-0123456789abcdef");
        fs::create_dir_all(path.join("deep")).unwrap();
        fs::write(path.join("deep/file"), "half").unwrap();
        path
    }

    #[test]
    fn sweep_removes_what_nobody_holds() {
        let (_dir, root) = folder();
        let mine = Staging::new(&root, Path::new("staging")).unwrap();
        let left = abandoned(&root);
        Staging::sweep(&root, Path::new("staging"), Duration::from_secs(60));
        assert!(left.exists(), "it is not old enough");
        Staging::sweep(&root, Path::new("staging"), Duration::ZERO);
        assert!(!left.exists());
        assert!(mine.path().exists());
        let path = mine.path().to_owned();
        drop(mine);
        assert!(!path.exists());
    }

    #[test]
    fn sweep_removes_only_what_forge_made() {
        let (dir, root) = folder();
        let parent = dir.path().join("staging");
        fs::create_dir(&parent).unwrap();
        let precious = dir.path().join("precious");
        fs::create_dir(&precious).unwrap();
        for name in ["thesis", "nats.999999.0", "staging-xyz", "staging-0123456789abcdef0"] {
            fs::create_dir(parent.join(name)).unwrap();
        }
        fs::write(parent.join("staging-aaaaaaaaaaaaaaaa"), "a file").unwrap();
        symlink(&precious, parent.join("staging-bbbbbbbbbbbbbbbb")).unwrap();
        Staging::sweep(&root, Path::new("staging"), Duration::ZERO);
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 6);
        assert!(precious.exists());
        symlink(&parent, dir.path().join("link")).unwrap();
        let left = abandoned(&root);
        Staging::sweep(&root, Path::new("link"), Duration::ZERO);
        assert!(left.exists(), "a link was followed");
    }

    #[test]
    fn makers_and_sweepers_at_once_never_meet() {
        let (_dir, root) = folder();
        let parent = Path::new("staging");
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    for _ in 0..200 {
                        let staging = Staging::new(&root, parent).unwrap();
                        staging.folder().create_new(Path::new("file"), 0o600).unwrap();
                        assert!(staging.path().join("file").exists());
                    }
                });
                threads.spawn(|| {
                    (0..200).for_each(|_| Staging::sweep(&root, parent, Duration::ZERO));
                });
            }
        });
    }

    #[test]
    fn what_is_exchanged_comes_away_with_the_staging_folder() {
        let (dir, root) = folder();
        let place = dir.path().join("installed/nats");
        for text in ["one", "two"] {
            let staging = Staging::new(&root, Path::new("staging")).unwrap();
            fs::write(staging.path().join("file"), text).unwrap();
            staging.exchange(&root, &place).unwrap();
            drop(staging);
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), text);
            assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
        }
    }
}

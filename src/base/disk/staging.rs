//! Folders and files that are half made, which tell by a lock whether somebody is at work on them.

use std::{
    ffi::OsStr,
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{AtFlags, FlockOperation, flock, fstat, statat},
    process::getuid,
};

use super::folder::{EntryKind, Folder, FolderEntry};

/// How the name of each staging folder and file begins; 16 hexadecimal digits follow.
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
        let (parent, _, folder) = new_held(root, parent, Folder::make_new_folder)?;
        Ok(Self { parent, folder })
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

    /// Removes the staging folders and files in `parent`, below `root`, that nobody holds and that are
    /// older than `age`. Only those that carry such a name and belong to this user are touched. What
    /// cannot be removed is left for the next sweep.
    pub fn sweep(root: &Folder, parent: &Path, age: Duration) {
        let Ok(parent) = root.folder(parent) else { return };
        for name in parent.names_in().unwrap_or_default() {
            let name = Path::new(&name);
            if is_made_here(name.as_os_str())
                && let Ok(Some(entry)) = parent.entry(name)
                && is_own(&entry, age)
            {
                sweep_one(&parent, name, entry.kind);
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

/// A new file that is half made, removed when dropped unless it was put into its place. Nobody sweeps it
/// while it lives, as with a [`Staging`] folder.
#[derive(Debug)]
pub struct StagedFile {
    parent: Folder,
    name: PathBuf,
    /// With the lock.
    file: File,
    is_placed: bool,
}

impl StagedFile {
    /// Makes a new file with this `mode` in the folder `parent` below `root`; that is made too if it is
    /// missing.
    ///
    /// # Errors
    /// If it cannot be made, or if there is a link on the way.
    pub fn new(root: &Folder, parent: &Path, mode: u32) -> io::Result<Self> {
        let make = |folder: &Folder, name: &Path| folder.create_new(name, mode);
        let (parent, name, file) = new_held(root, parent, make)?;
        Ok(Self { parent, name, file, is_placed: false })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file to `path` below `to`, in one step; what was there is replaced. Returns the file.
    ///
    /// # Errors
    /// As [`Folder::rename`].
    pub fn place(mut self, to: &Folder, path: &Path) -> io::Result<File> {
        self.parent.rename(&self.name, to, path)?;
        self.is_placed = true;
        self.file.try_clone()
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed is swept later.
            let _ = self.parent.remove_file(&self.name);
        }
    }
}

/// Something new in the folder `parent` below `root`, under a name of its own, by `make`; it is held.
fn new_held<T: AsFd>(
    root: &Folder,
    parent: &Path,
    make: impl Fn(&Folder, &Path) -> io::Result<T>,
) -> io::Result<(Folder, PathBuf, T)> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..MOST_TRIES {
        let parent = root.make_folder(parent)?;
        let name = PathBuf::from(unique(PREFIX));
        match make(&parent, &name) {
            // Taken, or swept between making and opening it.
            Err(error) if is_race(&error) => last = error,
            Err(error) => return Err(error),
            Ok(made) if hold(&made, &parent, &name)? => return Ok((parent, name, made)),
            Ok(_) => {}
        }
    }
    Err(last)
}

fn sweep_one(parent: &Folder, name: &Path, kind: EntryKind) {
    match kind {
        EntryKind::Folder => {
            if let Ok(folder) = parent.folder(name)
                && is_free(&folder)
            {
                let _ = parent.remove_all(name);
            }
        }
        EntryKind::File => {
            if let Ok(file) = parent.open_file(name)
                && is_free(&file)
            {
                let _ = parent.remove_file(name);
            }
        }
        EntryKind::Link | EntryKind::Other => {}
    }
}

/// Takes the lock that says that somebody works on what was `made`. Says whether it is still there: a
/// sweep may have seen it before.
fn hold(made: &impl AsFd, parent: &Folder, name: &Path) -> io::Result<bool> {
    match flock(made, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
        // A file system without locks, on which nothing is swept either.
        Err(_) => return Ok(true),
    }
    let (ours, there) = (fstat(made)?, statat(parent, name, AtFlags::SYMLINK_NOFOLLOW));
    Ok(there.is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)))
}

/// Whether nobody works on what was `made`. Nobody can begin to while the lock is held here.
fn is_free(made: &impl AsFd) -> bool {
    flock(made, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn is_made_here(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_own(entry: &FolderEntry, age: Duration) -> bool {
    entry.owner == getuid().as_raw() && entry.age() >= age
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
        fs::write(parent.join("staging-aaaaaaaaaaaaaaa"), "a file").unwrap();
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
    fn a_file_is_put_into_place_removed_or_swept() {
        let (dir, root) = folder();
        let (parent, at) = (Path::new("staging"), dir.path().join("deep/file"));
        for text in ["one", "two"] {
            let mut file = StagedFile::new(&root, parent, 0o600).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            Staging::sweep(&root, parent, Duration::ZERO);
            file.place(&root, &at).unwrap();
            assert_eq!(fs::read_to_string(&at).unwrap(), text);
        }
        drop(StagedFile::new(&root, parent, 0o600).unwrap());
        assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
        let left = dir.path().join("staging/staging-0123456789abcdef");
        fs::write(&left, "half").unwrap();
        Staging::sweep(&root, parent, Duration::ZERO);
        assert!(!left.exists());
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
                        let file = StagedFile::new(&root, parent, 0o600).unwrap();
                        file.place(&root, Path::new("placed")).unwrap();
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

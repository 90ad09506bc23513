//! A folder that forge writes to, and what is done below it.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, linkat, mkdirat, openat,
        readlinkat, renameat, statat, symlinkat, unlinkat,
    },
    io::Errno,
};

use super::{
    resolve::{self, FOLDER},
    staging::StagedFile,
    tree,
};

/// An open folder. Paths given to its methods are relative to it, or lie below its own path; no
/// symbolic link on the way is followed, and none at the end.
///
/// How the folder itself was reached is the user's affair: links on the way to it are followed.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, which is not followed.
    Link,
    /// A FIFO, a socket or a device.
    Other,
}

/// What stands at a path, as `lstat` says.
#[derive(Clone, Copy, Debug)]
pub struct FolderEntry {
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes.
    pub size: u64,
    /// Who may do what with it, without setuid and its like.
    pub mode: u32,
    /// The user who owns it.
    pub owner: u32,
    /// When its bytes were last written, in seconds since 1970.
    pub modified: i64,
}

impl Folder {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// If there is no folder, or if it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let handle = openat(CWD, path, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: path.to_owned() })
    }

    /// Opens the folder at `path`, and makes it with its parents if it is not there.
    ///
    /// # Errors
    /// If it can be neither opened nor made.
    pub fn make(path: &Path) -> io::Result<Self> {
        if_absent(Self::open(path), || {
            fs::create_dir_all(path)?;
            Self::open(path)
        })
    }

    /// Opens the folder `path`, which must be below this one.
    ///
    /// # Errors
    /// If it is not there, or if there is a link on the way.
    pub fn folder(&self, path: &Path) -> io::Result<Self> {
        let below = self.names(path)?;
        let handle = self.open_at(below, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: self.path.join(below) })
    }

    /// Opens the folder `path` below this one, and makes it with its parents if it is not there.
    ///
    /// # Errors
    /// If it cannot be made, or if there is a link on the way.
    pub fn make_folder(&self, path: &Path) -> io::Result<Self> {
        let below = self.names(path)?;
        if_absent(self.folder(below), || {
            let (parent, name) = self.parent_or_make(below)?;
            match mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => self.folder(below),
                Err(errno) => Err(errno.into()),
            }
        })
    }

    /// Makes the folder `path` below this one. Its parents are made too.
    ///
    /// # Errors
    /// `AlreadyExists` if something is there; else as [`Folder::make_folder`].
    pub fn make_new_folder(&self, path: &Path) -> io::Result<Self> {
        let below = self.names(path)?;
        let (parent, name) = self.parent_or_make(below)?;
        mkdirat(&parent, name, Mode::from_raw_mode(0o777))?;
        self.folder(below)
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder itself the permissions `mode`, if it has others. What else it inherited stays then.
    ///
    /// # Errors
    /// If they cannot be changed.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        let wanted = Mode::from_raw_mode((mode & 0o777) as _);
        let found = Mode::from_raw_mode(fstat(&self.handle)?.st_mode & 0o777);
        if found == wanted { Ok(()) } else { Ok(fchmod(&self.handle, wanted)?) }
    }

    /// What stands at `path`; `None` if nothing does.
    ///
    /// # Errors
    /// If that cannot be told, or if there is a link on the way.
    pub fn entry(&self, path: &Path) -> io::Result<Option<FolderEntry>> {
        let below = self.names(path)?;
        let parent = self.parent(below).map(Some);
        let Some((parent, name)) = if_absent(parent, || Ok(None))? else { return Ok(None) };
        match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FolderEntry::from_stat(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether nothing is in this folder.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn is_empty(&self) -> io::Result<bool> {
        for entry in Dir::read_from(&self.handle)? {
            if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names in this folder, sorted.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn names_in(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens the regular file `path` for reading.
    ///
    /// # Errors
    /// If it is not there, is not a regular file, or if there is a link on the way or at its end.
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        let (below, flags) = (self.names(path)?, OFlags::RDONLY | OFlags::NONBLOCK);
        let handle = self.open_at(below, flags, Mode::empty())?;
        super::read::regular(handle.into(), flags).map(|(file, _)| file)
    }

    /// The bytes of the regular file `path`, if they are not more than `limit`.
    ///
    /// # Errors
    /// As [`Folder::open_file`]; `FileTooLarge` if there are more.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        super::read::read_open(&self.open_file(path)?, limit)
    }

    /// Makes the new file `path` for writing. Its parents are made too.
    ///
    /// # Errors
    /// `AlreadyExists` if something is there, a link too.
    pub fn create_new(&self, path: &Path, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let below = self.names(path)?;
        let (parent, name) = self.parent_or_make(below)?;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(openat(&parent, name, flags, Mode::from_raw_mode(mode as _))?.into())
    }

    /// Opens the regular file `path` for reading and writing as it is; an empty one is made if none is
    /// there. Its parents are made too.
    ///
    /// # Errors
    /// If it is not a regular file, or if there is a link on the way or at its end.
    pub fn open_or_create(&self, path: &Path) -> io::Result<File> {
        self.open_writable(path, OFlags::RDWR)
    }

    /// As [`Folder::open_or_create`], for writing to its end only.
    ///
    /// # Errors
    /// As [`Folder::open_or_create`].
    pub fn append(&self, path: &Path) -> io::Result<File> {
        self.open_writable(path, OFlags::WRONLY | OFlags::APPEND)
    }

    fn open_writable(&self, path: &Path, flags: OFlags) -> io::Result<File> {
        let below = self.names(path)?;
        let flags = flags | OFlags::CREATE | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(0o666);
        let handle = if_absent(self.open_at(below, flags, mode), || {
            self.parent_or_make(below)?;
            self.open_at(below, flags, mode)
        })?;
        super::read::regular(handle.into(), flags).map(|(file, _)| file)
    }

    /// Makes the file `path` hold `bytes`, in one step: they are written into a new file below the
    /// folder `half_made`, which is renamed. A link at `path` is replaced, not followed. The bytes are
    /// synced first if `durable`: for what cannot be made again.
    ///
    /// # Errors
    /// If it cannot be written; then `path` is as it was.
    pub fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        half_made: &Path,
        durable: bool,
    ) -> io::Result<()> {
        let mut new = StagedFile::new(self, half_made, 0o666)?;
        new.write_all(bytes)?;
        if durable {
            new.file().sync_all()?;
        }
        new.place(self, path).map(drop)
    }

    /// Renames `from`, in this folder, to `path` below `to`, whose parents are made if they are missing.
    /// What stands at `path` is replaced as rename(2) does it.
    ///
    /// # Errors
    /// As rename(2), or if there is a link on either way.
    pub fn rename(&self, from: &Path, to: &Self, path: &Path) -> io::Result<()> {
        let (source, name) = self.parent(self.names(from)?)?;
        let (target, new_name) = to.parent_or_make(to.names(path)?)?;
        Ok(renameat(&source, name, &target, new_name)?)
    }

    /// Renames `from`, in this folder, to `path` below `to`, whose parents are made if they are missing,
    /// unless something is there.
    ///
    /// # Errors
    /// `AlreadyExists` if something is at `path`; else as [`Folder::rename`].
    pub fn rename_new(&self, from: &Path, to: &Self, path: &Path) -> io::Result<()> {
        let (source, name) = self.parent(self.names(from)?)?;
        let (target, new_name) = to.parent_or_make(to.names(path)?)?;
        match rename_no_replace(source.as_fd(), name, target.as_fd(), new_name) {
            // Not on this system, or not on this file system.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(&source, name, &target, new_name, AtFlags::empty())?;
                Ok(unlinkat(&source, name, AtFlags::empty())?)
            }
            other => Ok(other?),
        }
    }

    /// Puts the folder `from`, in this folder, to `path` below `to`, in one step; what was there is at
    /// `from` afterwards, or nothing if nothing was there.
    ///
    /// # Errors
    /// As [`Folder::rename`].
    pub fn exchange(&self, from: &Path, to: &Self, path: &Path) -> io::Result<()> {
        let (source, name) = self.parent(self.names(from)?)?;
        let (target, place) = to.parent_or_make(to.names(path)?)?;
        // A folder with something in it makes `rename(2)` fail, so nothing is lost by trying.
        match renameat(&source, name, &target, place) {
            Ok(()) => Ok(()),
            Err(_) => Ok(swap(source.as_fd(), name, target.as_fd(), place)?),
        }
    }

    /// Makes `path` a symbolic link to `target`.
    ///
    /// # Errors
    /// `AlreadyExists` if something is there; or if there is a link on the way.
    pub fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_or_make(self.names(path)?)?;
        Ok(symlinkat(target, &parent, name)?)
    }

    /// Gives the file `from` of this folder a second name, `path` below `to`.
    ///
    /// # Errors
    /// As link(2), or if there is a link on either way.
    pub fn hard_link(&self, from: &Path, to: &Self, path: &Path) -> io::Result<()> {
        let (source, name) = self.parent(self.names(from)?)?;
        let (target, new_name) = to.parent_or_make(to.names(path)?)?;
        Ok(linkat(&source, name, &target, new_name, AtFlags::empty())?)
    }

    /// Where the symbolic link `path` leads to.
    ///
    /// # Errors
    /// If it is none, or if there is a link on the way to it.
    pub fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let (parent, name) = self.parent(self.names(path)?)?;
        let target = readlinkat(&parent, name, Vec::new())?;
        Ok(OsStr::from_bytes(target.as_bytes()).into())
    }

    /// Removes what stands at `path` if it is not a folder. A link goes, what it leads to stays.
    ///
    /// # Errors
    /// `NotFound` if nothing is there; or if there is a link on the way.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(self.names(path)?)?;
        Ok(unlinkat(&parent, name, AtFlags::empty())?)
    }

    /// Removes what stands at `path`, a folder with all in it, even if folders in it are read-only (as
    /// a Go module cache's are). A link goes, what it leads to stays.
    ///
    /// # Errors
    /// `NotFound` if nothing is there; or if there is a link on the way.
    pub fn remove_all(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(self.names(path)?)?;
        Ok(tree::remove(parent.as_fd(), name)?)
    }

    fn names<'p>(&self, path: &'p Path) -> io::Result<&'p Path> {
        resolve::names(&self.path, path)
    }

    fn open_at(&self, below: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        resolve::open(self.handle.as_fd(), &self.path, below, flags, mode)
    }

    /// The folder that `below` is in, and its name there.
    fn parent<'p>(&self, below: &'p Path) -> io::Result<(Parent<'_>, &'p OsStr)> {
        let (parent, name) = split(below)?;
        if parent.as_os_str().is_empty() {
            return Ok((Parent::This(self.as_fd()), name));
        }
        Ok((Parent::Below(self.open_at(parent, FOLDER, Mode::empty())?), name))
    }

    fn parent_or_make<'p>(&self, below: &'p Path) -> io::Result<(Parent<'_>, &'p OsStr)> {
        if_absent(self.parent(below), || {
            let (parent, name) = split(below)?;
            Ok((Parent::Below(self.make_folder(parent)?.handle), name))
        })
    }
}

/// The folder that something is in.
enum Parent<'f> {
    /// The one that was asked.
    This(BorrowedFd<'f>),
    /// One below it.
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::This(handle) => *handle,
            Self::Below(handle) => handle.as_fd(),
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl FolderEntry {
    /// For how long it was not written to.
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_secs(u64::try_from(self.modified).unwrap_or_default()))
    }

    fn from_stat(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        };
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mode: (stat.st_mode & 0o777) as _,
            owner: stat.st_uid,
            modified: stat.st_mtime as _,
        }
    }
}

/// What was `tried`; what is done `instead`, if that failed since something is not there.
fn if_absent<T>(tried: io::Result<T>, instead: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match tried {
        Err(error) if error.kind() == io::ErrorKind::NotFound => instead(),
        other => other,
    }
}

fn split(below: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = below.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((below.parent().unwrap_or(Path::new("")), name))
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn swap(
    from: BorrowedFd<'_>,
    name: &OsStr,
    to: BorrowedFd<'_>,
    place: &OsStr,
) -> Result<(), Errno> {
    use rustix::fs::{RenameFlags, renameat_with};
    renameat_with(from, name, to, place, RenameFlags::EXCHANGE)
        // Some file systems (overlays, network ones) cannot exchange.
        .or_else(|_| swap_in_two_steps(from, name, to, place))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn swap(
    from: BorrowedFd<'_>,
    name: &OsStr,
    to: BorrowedFd<'_>,
    place: &OsStr,
) -> Result<(), Errno> {
    swap_in_two_steps(from, name, to, place)
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_no_replace(
    from: BorrowedFd<'_>,
    name: &OsStr,
    to: BorrowedFd<'_>,
    place: &OsStr,
) -> Result<(), Errno> {
    use rustix::fs::{RenameFlags, renameat_with};
    renameat_with(from, name, to, place, RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_no_replace(
    _from: BorrowedFd<'_>,
    _name: &OsStr,
    _to: BorrowedFd<'_>,
    _place: &OsStr,
) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Without an exchange there is an instant in which nothing is in place. That is an honest state too:
/// the next run sees a miss and installs again.
fn swap_in_two_steps(
    from: BorrowedFd<'_>,
    name: &OsStr,
    to: BorrowedFd<'_>,
    place: &OsStr,
) -> Result<(), Errno> {
    let mut aside = name.to_owned();
    aside.push(".old");
    renameat(to, place, from, &aside)?;
    renameat(from, name, to, place)?;
    renameat(from, &aside, from, name)
}

#[cfg(test)]
mod tests;

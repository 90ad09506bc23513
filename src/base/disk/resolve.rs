//! Resolving a path below an open folder without following any symbolic link.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

/// How a folder on the way is opened.
pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The names that `path` is made of, relative to the folder at `root`: `path` is either below that
/// folder or relative to it.
pub(super) fn names<'p>(root: &Path, path: &'p Path) -> io::Result<&'p Path> {
    let below = path.strip_prefix(root).unwrap_or(path);
    let is_below = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    if below.components().all(is_below) {
        return Ok(below);
    }
    let what = format!("{} is not below {}", path.display(), root.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// Opens `below`, relative to the folder `dir` at the path `root`, without following a link.
pub(super) fn open(
    dir: BorrowedFd<'_>,
    root: &Path,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let opened = match open_at_once(dir, below, flags, mode) {
        // An old kernel, a filter of system calls, or a rename on the way.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::INVAL) => {
            open_step_by_step(dir, below, flags, mode)
        }
        other => other,
    };
    opened.map_err(|errno| explain(dir, root, below, errno))
}

#[cfg(target_os = "linux")]
fn open_at_once(
    dir: BorrowedFd<'_>,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(dir, below, flags, mode, resolve)
}

#[cfg(not(target_os = "linux"))]
fn open_at_once(
    _dir: BorrowedFd<'_>,
    _below: &Path,
    _flags: OFlags,
    _mode: Mode,
) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// As [`open_at_once`], with one system call for each name.
pub(super) fn open_step_by_step(
    dir: BorrowedFd<'_>,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let mut folder: Option<OwnedFd> = None;
    let mut names = below.components().peekable();
    while let Some(name) = names.next() {
        let at = folder.as_ref().map_or(dir, AsFd::as_fd);
        if names.peek().is_none() {
            return openat(at, name.as_os_str(), flags, mode);
        }
        folder = Some(openat(at, name.as_os_str(), FOLDER | OFlags::NOFOLLOW, Mode::empty())?);
    }
    Err(Errno::NOENT)
}

/// The error, which names the symbolic link on the way if that is why.
pub(super) fn explain(dir: BorrowedFd<'_>, root: &Path, below: &Path, errno: Errno) -> io::Error {
    if matches!(errno, Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::EXIST)
        && let Some(link) = first_link(dir, below)
    {
        return link_in_the_way(&root.join(link));
    }
    errno.into()
}

fn first_link(dir: BorrowedFd<'_>, below: &Path) -> Option<PathBuf> {
    let mut way = PathBuf::new();
    below.components().find_map(|name| {
        way.push(name);
        let found = statat(dir, &way, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (FileType::from_raw_mode(found.st_mode) == FileType::Symlink).then(|| way.clone())
    })
}

/// The error of a symbolic link where forge follows none.
pub(super) fn link_in_the_way(path: &Path) -> io::Error {
    let path = path.display();
    io::Error::other(format!(
        "{path} is a symbolic link, and forge does not write through links: if you did not make it, remove it"
    ))
}

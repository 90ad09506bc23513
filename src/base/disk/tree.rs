//! Removing a folder with all in it, by handles: no link in it is followed, whoever makes one meanwhile.

use std::{
    ffi::{CStr, CString, OsStr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, fchmod, openat, statat, unlinkat},
    io::Errno,
    path::Arg,
};

use super::resolve::FOLDER;

/// What lets the owner list a folder and remove what is in it.
const OPEN: Mode = Mode::RWXU;

/// Removes what `name` stands for in the folder `parent`.
pub(super) fn remove(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    remove_in(parent, name.into_c_str()?.as_ref())
}

fn remove_in(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return unlink(parent, name, AtFlags::empty());
    }
    let folder = open(parent, name)?;
    for entry in names(&folder)? {
        match remove_in(folder.as_fd(), &entry) {
            // Somebody else was faster.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    unlink(parent, name, AtFlags::REMOVEDIR)
}

fn open(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = FOLDER | OFlags::NOFOLLOW;
    match openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(parent, name, OPEN, AtFlags::empty())?;
            openat(parent, name, flags, Mode::empty())
        }
        other => other,
    }
}

/// Removes one name. A folder that may not be written to is made writable first.
fn unlink(parent: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
    match unlinkat(parent, name, flags) {
        Err(Errno::ACCESS) => {
            fchmod(parent, OPEN)?;
            unlinkat(parent, name, flags)
        }
        other => other,
    }
}

fn names(folder: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

//! Reading files that others wrote: regular ones, up to a size.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, fcntl_setfl, openat};

/// More than any text takes that people or forge write: manifests, locks, records. In bytes.
pub const MOST_OF_TEXT: u64 = 16 << 20;

/// Opens the regular file at `path` for reading. Links are followed: it is for files of the user.
///
/// # Errors
/// If it is not there; if it is a folder, a FIFO, a socket or a device, none of which is opened to wait.
pub fn open_file(path: &Path) -> io::Result<File> {
    open(path).map(|(file, _)| file)
}

/// [`open_file`], and how large it is.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(CWD, path, flags, Mode::empty()) {
        Ok(handle) => regular(handle.into(), flags),
        // A socket cannot be opened at all.
        Err(rustix::io::Errno::NXIO) => Err(no_file("a socket")),
        Err(errno) => Err(errno.into()),
    }
}

/// The bytes of the regular file at `path`, if they are not more than `limit`.
///
/// # Errors
/// As [`open_file`]; `FileTooLarge` if there are more.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, size) = open(path)?;
    read_sized(&file, size, limit)
}

/// The text of the regular file at `path`, if it is not longer than `limit` bytes.
///
/// # Errors
/// As [`read_file`]; `InvalidData` if it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_file(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Whether an error says that nothing is at a path.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(super) fn read_open(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    read_sized(file, file.metadata()?.len(), limit)
}

/// The bytes of `file`, which has this `size` unless it is being changed.
fn read_sized(file: &File, size: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.min(limit) as usize);
    // One byte more is enough to tell that there are too many.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let what = format!("it is larger than {limit} bytes, the most that is read of it");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// `file`, which was opened with `flags`, and its size, if it is a regular one.
pub(super) fn regular(file: File, flags: OFlags) -> io::Result<(File, u64)> {
    let found = file.metadata()?;
    let kind = found.file_type();
    if kind.is_file() {
        // Only the opening must not wait.
        fcntl_setfl(&file, flags & OFlags::APPEND)?;
        return Ok((file, found.len()));
    }
    Err(if kind.is_dir() {
        io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file")
    } else if kind.is_fifo() {
        no_file("a FIFO")
    } else if kind.is_socket() {
        no_file("a socket")
    } else {
        no_file("a device")
    })
}

fn no_file(what: &str) -> io::Error {
    let what = format!("it is {what}, not a regular file: forge does not read it");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_waits() {
        let dir = tempfile::tempdir().unwrap();
        let (fifo, socket) = (dir.path().join("fifo"), dir.path().join("socket"));
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let words = [
            (fifo.as_path(), "it is a FIFO"),
            (socket.as_path(), "it is a socket"),
            (Path::new("/dev/zero"), "it is a device"),
            (dir.path(), "it is a folder"),
        ];
        for (path, what) in words {
            let error = read_file(path, 10).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
        assert_eq!(
            read_file(&dir.path().join("x"), 1).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_file(&path, 4).unwrap(), b"four");
        assert_eq!(read_file(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

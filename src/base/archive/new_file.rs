//! A file that is being unpacked: hashed while it is written.

use std::{
    fs::File,
    io::{self, Seek, Write},
};

use super::hash::Hasher;
use crate::model::Fault;

/// How much of a hole is hashed at a time.
const HOLE: usize = 8 << 10;

/// A file that is being written.
pub(super) struct NewFile {
    pub(super) path: String,
    /// Which entry it is.
    pub(super) number: u64,
    pub(super) file: File,
    pub(super) hasher: Hasher,
    pub(super) executable: bool,
}

impl NewFile {
    /// Goes on after `bytes` zeros, which take no room where the file system has holes.
    pub(super) fn hole(&mut self, mut bytes: u64) -> Result<(), Fault> {
        let end = self.hasher.bytes() + bytes;
        let zeros = [0; HOLE];
        while bytes > 0 {
            let some = HOLE.min(usize::try_from(bytes).unwrap_or(HOLE));
            self.hasher.update(&zeros[..some]);
            bytes -= some as u64;
        }
        self.file
            .set_len(end)
            .and_then(|()| self.file.seek(io::SeekFrom::Start(end)))
            .map_err(|error| not_written(&self.path, &error))?;
        Ok(())
    }

    /// Hashes and writes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| not_written(&self.path, &error))
    }
}

pub(super) fn not_written(path: &str, error: &io::Error) -> Fault {
    Fault::io(format!("cannot write `{path}`"), error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::model::Kind;

    #[test]
    fn a_full_disk_says_so() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (path, hasher) = ("server".to_owned(), Hasher::new());
        let fault =
            NewFile { path, number: 0, file, hasher, executable: true }.write(b"x").unwrap_err();
        assert_eq!((fault.kind, fault.what.as_str()), (Kind::Failed, "cannot write `server`"));
        assert!(fault.hint.unwrap().starts_with("free some space"));
    }
}

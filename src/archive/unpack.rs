//! Unpacking: a stream in, files out, everything hashed on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

use crate::model::{Fault, Sha256};

/// How an archive is to be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacker {
    /// What messages call the archive: its URL or file name.
    pub label: String,
    /// The name under which a bare program is stored (what came is the program itself, not
    /// an archive of it). Without a name a bare program is refused.
    pub program: Option<String>,
    /// How many leading parts of each entry's name are dropped; entries that have no more
    /// parts than that are skipped.
    pub strip: usize,
    /// The names (after `strip`) to keep; all if absent. What is not kept is checked and
    /// counted all the same, but not written.
    pub only: Option<BTreeSet<String>>,
    /// Whether files get the modification times that the archive says. Builds with `make`
    /// want that of their sources; nothing else does.
    pub keep_times: bool,
    /// How much an archive may hold.
    pub limits: Limits,
}

/// How much an archive may hold: what would be more is a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all, unpacked.
    pub bytes: u64,
    /// Entries of all types.
    pub entries: u64,
}

/// What came out of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The digest of the packed bytes.
    pub sha256: Sha256,
    /// How many packed bytes there were.
    pub size: u64,
    /// Every regular file that was written, by its path in the folder (parts separated by `/`).
    pub files: BTreeMap<String, UnpackedFile>,
    /// Every symbolic link that was made, with its target.
    pub links: BTreeMap<String, String>,
    /// Names of files and links that were not kept, the first [`Unpacked::NAMED`] of them:
    /// what to suggest when a wanted one is missing.
    pub skipped: Vec<String>,
}

/// One unpacked file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackedFile {
    /// The digest of its contents.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// Whether it is executable.
    pub executable: bool,
}

impl Unpacker {
    /// Keeps everything, under the default limits.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            program: None,
            strip: 0,
            only: None,
            keep_times: false,
            limits: Limits::default(),
        }
    }

    /// Reads an archive (tar.gz, tar.zst, tar or zip; told by its bytes, not by its name) or a
    /// bare program from `reader` to the end and unpacks it into `folder`, which is created.
    ///
    /// The digest of the packed bytes is known only at the end, so `folder` must be a fresh
    /// staging folder: the caller compares the digest and then renames or deletes it, and
    /// deletes it after an error. Blocks while `reader` does; a large archive
    /// takes a second thread, and no archive takes more than a few MiB of memory.
    ///
    /// # Errors
    /// `Verification` if the bytes are damaged, incomplete, hostile or no archive at all;
    /// what `reader` says if it fails (a [`Fault`] in an [`std::io::Error`] comes out as it
    /// was); `Failed` if the files cannot be written.
    pub fn unpack(&self, reader: impl Read + Send, folder: &Path) -> Result<Unpacked, Fault> {
        let _ = (reader, folder);
        todo!()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 30, entries: 100_000 }
    }
}

impl Unpacked {
    /// How many names [`Unpacked::skipped`] holds at most.
    pub const NAMED: usize = 100;
}

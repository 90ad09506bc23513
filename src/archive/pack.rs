//! Packing: entries in, one archive out, the same bytes every time.

use std::path::{Path, PathBuf};

use crate::model::{Compression, Fault, Sha256};

/// One file of an archive to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the archive: relative, parts separated by `/`.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
    /// Whether it is unpacked as an executable (mode 0755, else 0644).
    pub executable: bool,
}

/// Where the bytes of an [`Entry`] come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file on disk.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

/// What became of a packed archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the archive.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Packs `entries` into the archive `destination`, which is created or replaced. Nothing is
/// flushed to disk: how durable the file must be is for the caller to decide. After an error
/// an incomplete `destination` may remain.
///
/// The bytes depend on the names, the contents and the executable bits of the entries only.
/// May be called from any thread, one of rayon's included.
///
/// # Errors
/// A name that could not be unpacked again, a file that cannot be read or that changes
/// while it is packed, a full disk.
pub fn pack(
    entries: &[Entry],
    destination: &Path,
    compression: Compression,
) -> Result<Packed, Fault> {
    let _ = (entries, destination, compression);
    todo!()
}

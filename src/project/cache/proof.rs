//! Comparing a file with its digest, in such a way that what `stat` said of it then can stand for
//! the comparison later.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek},
};

use crate::{
    archive::hash_open,
    model::{ContentHasher, ContentSum, FileStat, Sha256},
};

/// How much is read at a time: enough for all cores, and little memory where many files are read.
const CHUNK: usize = 1 << 20;

/// Why a file is not what it should be.
#[derive(Debug)]
pub(super) enum Unproven {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It has another digest.
    Differs {
        /// The digest it has.
        found: Sha256,
        /// The digest it should have.
        wanted: Sha256,
    },
    /// Somebody writes to it.
    Changing,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Differs { found, wanted } => {
                write!(f, "its sha256 is {}, not {}", found.short(), wanted.short())
            }
            Self::Changing => f.write_str("it was changed a moment ago"),
        }
    }
}

/// Hashes `file` and compares it with `wanted`; or, if a record of ours has its `sum`, with that,
/// which takes a fraction of the time. Returns what `stat` says of it, before and after.
pub(super) fn prove(
    mut file: File,
    wanted: Sha256,
    sum: Option<&ContentSum>,
) -> Result<FileStat, Unproven> {
    let stat =
        |file: &File| Ok(FileStat::from_metadata(&file.metadata().map_err(Unproven::Unreadable)?));
    let before = stat(&file)?;
    let is_it = match sum {
        Some(sum) => sum_of(&mut file).map_err(Unproven::Unreadable)? == *sum,
        None => false,
    };
    if !is_it {
        // Also for the sake of the message.
        file.rewind().map_err(Unproven::Unreadable)?;
        let (found, _) = hash_open(&mut file).map_err(Unproven::Unreadable)?;
        if found != wanted {
            return Err(Unproven::Differs { found, wanted });
        }
    }
    match stat(&file)? == before {
        true => Ok(before),
        false => Err(Unproven::Changing),
    }
}

/// The sum of a file's bytes.
pub(super) fn sum_of(file: &mut File) -> io::Result<ContentSum> {
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(CHUNK);
    let mut chunk = vec![0; CHUNK.min(size.saturating_add(1))];
    let mut hasher = ContentHasher::default();
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

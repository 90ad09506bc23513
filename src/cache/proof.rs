//! Comparing a file with its digest, in such a way that what `stat` said of it then can stand for
//! the comparison later.

use std::{fmt, fs::File, io};

use crate::{
    archive::hash_open,
    model::{FileStat, Sha256},
};

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

/// Hashes `file` and compares it with `wanted`. Returns what `stat` says of it, before and after.
pub(super) fn prove(mut file: File, wanted: Sha256) -> Result<FileStat, Unproven> {
    let stat = |file: &File| Ok(FileStat::of(&file.metadata().map_err(Unproven::Unreadable)?));
    let before = stat(&file)?;
    let (found, _) = hash_open(&mut file).map_err(Unproven::Unreadable)?;
    if found != wanted {
        return Err(Unproven::Differs { found, wanted });
    }
    match stat(&file)? == before {
        true => Ok(before),
        false => Err(Unproven::Changing),
    }
}

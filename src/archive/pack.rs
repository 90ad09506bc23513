//! Packing: entries in, one archive out, the same bytes every time.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter},
    path::{Path, PathBuf},
};

use super::{
    contents::Sized,
    entry_name::EntryName,
    gzip_writer,
    hash::{HashingWriter, hash_file},
    tar_writer::TarStream,
    zip_writer,
};
use crate::model::{Compression, Fault, Kind, Sha256, Stamp};

/// The compression level of zstd. Part of the format as far as reproducibility goes:
/// another level makes other bytes.
const ZSTD_LEVEL: i32 = 3;

/// How much is read before it goes to the compressor.
pub(super) const INPUT_BUFFER: usize = 256 << 10;

/// How much compressed output is collected before it is hashed and written.
const OUTPUT_BUFFER: usize = 256 << 10;

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
    let entries = arrange(entries)?;
    let write = || -> io::Result<(Sha256, u64)> {
        let file = File::create(destination)?;
        match compression {
            Compression::TarGz => {
                let mut output = HashingWriter::new(file);
                let size = TarStream::size(&entries);
                gzip_writer::write(&mut TarStream::new(&entries), size, &mut output)?;
                Ok(output.finish())
            }
            Compression::TarZst => write_zstd(&entries, file),
            Compression::Zip => {
                zip_writer::write(&entries, &file)?;
                // A zip writer goes back to fill in sizes, so there is no one pass to hash in.
                hash_file(destination)
            }
        }
    };
    let (sha256, size) = write().map_err(|error| match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) => Fault::io(format!("cannot write {}", destination.display()), &error),
    })?;
    Ok(Packed { sha256, size })
}

/// Checks and sorts the entries. The stamp comes first, so that a reader of the stream
/// knows what it is getting before the binaries arrive.
fn arrange(entries: &[Entry]) -> Result<Vec<Sized<'_>>, Fault> {
    let refuse = |entry: &Entry, why: &str| {
        Fault::new(Kind::Failed, format!("cannot pack `{}`", entry.name.escape_debug()))
            .because(format!("the entry {why}"))
    };
    let mut arranged = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = EntryName::parse(entry.name.as_bytes()).map_err(|why| refuse(entry, why))?;
        if name.strip(0).as_deref() != Some(entry.name.as_str()) {
            return Err(refuse(entry, "has a name with empty parts or `.` in it"));
        }
        arranged.push(Sized::of(entry)?);
    }
    arranged.sort_by_key(|sized| (sized.entry.name != Stamp::FILE, &sized.entry.name));
    match arranged.windows(2).find(|pair| pair[0].entry.name == pair[1].entry.name) {
        Some(pair) => Err(refuse(pair[0].entry, "is there twice")),
        None => Ok(arranged),
    }
}

fn write_zstd(entries: &[Sized<'_>], file: File) -> io::Result<(Sha256, u64)> {
    let output = BufWriter::with_capacity(OUTPUT_BUFFER, HashingWriter::new(file));
    let mut encoder = zstd::Encoder::new(output, ZSTD_LEVEL)?;
    encoder.set_pledged_src_size(Some(TarStream::size(entries)))?;
    encoder.include_checksum(true)?;
    // Any number of workers from 1 on makes the same bytes; 0 would make others.
    encoder.multithread(rayon::current_num_threads().max(1) as u32)?;
    let mut tar = BufReader::with_capacity(INPUT_BUFFER, TarStream::new(entries));
    io::copy(&mut tar, &mut encoder)?;
    let output = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(output.finish())
}

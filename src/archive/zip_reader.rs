//! Unpacks zip archives.
//!
//! A zip's table of contents stands at its end, so the archive is first spooled to an
//! unnamed temporary file, hashed on the way, and then read from there.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use zip::{ZipArchive, result::ZipError};

use super::{
    decoder::damaged,
    destination::Destination,
    input::{Input, PackedBytes},
    stream::too_large,
    unpack::{Unpacked, Unpacker},
};
use crate::model::{Fault, HEADER_BYTES, Header, Kind, read_header};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// Longest target of a symbolic link, in bytes.
const LONGEST_LINK: usize = 4096;

/// Unpacks the zip archive that `input` holds into `folder`.
pub(super) fn unpack<R: Read>(
    input: Input<R>,
    unpacker: &Unpacker,
    folder: &Path,
) -> Result<Unpacked, Fault> {
    let mut destination = Destination::new(unpacker, folder)?;
    let (mut file, digest) = spool(input, unpacker, folder)?;
    let stated = stated_entries(&mut file, unpacker)?;
    let mut archive = ZipArchive::new(io::BufReader::with_capacity(CHUNK, file))
        .map_err(|error| broken(unpacker, error))?;
    let entries = archive.len();
    // Of entries with the same name, only one is left here.
    if stated.is_some_and(|stated| stated != entries) {
        return Err(damaged(&unpacker.label, "it lists an entry twice"));
    }
    let mut left = unpacker.limits.bytes;
    for index in 0..entries {
        place(&mut archive, index, &mut destination, unpacker, &mut left)?;
    }
    Ok(destination.unpacked(digest))
}

fn spool<R: Read>(
    mut input: Input<R>,
    unpacker: &Unpacker,
    folder: &Path,
) -> Result<(File, PackedBytes), Fault> {
    let what = || format!("cannot spool {} in {}", unpacker.label, folder.display());
    let mut file = tempfile::tempfile_in(folder).map_err(|error| Fault::io(what(), &error))?;
    let mut chunk = vec![0; CHUNK];
    let mut spooled = 0;
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                let fault = input.take_failure(&unpacker.label);
                return Err(fault.unwrap_or_else(|| damaged(&unpacker.label, error.to_string())));
            }
        };
        spooled += read as u64;
        if spooled > unpacker.limits.bytes {
            return Err(too_large(&unpacker.label, unpacker.limits.bytes));
        }
        file.write_all(&chunk[..read]).map_err(|error| Fault::io(what(), &error))?;
    }
    Ok((file, input.finish()))
}

/// The number of entries that the end record states; `None` if only the zip64 record knows.
/// (APPNOTE.TXT 4.3.16: signature, …, entries in all at byte 10, comment length at byte 20.)
fn stated_entries(file: &mut File, unpacker: &Unpacker) -> Result<Option<usize>, Fault> {
    const RECORD: usize = 22;
    let label = &unpacker.label;
    let io = |error: io::Error| Fault::io(format!("cannot read {label}"), &error);
    let size = file.seek(SeekFrom::End(0)).map_err(io)?;
    let longest = size.min((RECORD + usize::from(u16::MAX)) as u64);
    file.seek(SeekFrom::Start(size - longest)).map_err(io)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(io)?;
    file.rewind().map_err(io)?;
    let word = |at: usize| usize::from(tail[at]) | usize::from(tail[at + 1]) << 8;
    let record = (0..=tail.len().saturating_sub(RECORD)).rev().find(|at| {
        tail[*at..].starts_with(b"PK\x05\x06")
            && tail.len() >= at + RECORD
            && at + RECORD + word(at + 20) == tail.len()
    });
    let record = record.ok_or_else(|| damaged(label, "it ends before its table of contents"))?;
    Ok(Some(word(record + 10)).filter(|count| *count != usize::from(u16::MAX)))
}

fn place(
    archive: &mut ZipArchive<io::BufReader<File>>,
    index: usize,
    destination: &mut Destination<'_>,
    unpacker: &Unpacker,
    left: &mut u64,
) -> Result<(), Fault> {
    let mut entry = archive.by_index(index).map_err(|error| broken(unpacker, error))?;
    let name = entry.name_raw().to_vec();
    let path = destination.enter(&name)?;
    let mode = entry.unix_mode();
    let mut contents = Contents { reader: &mut entry, left, unpacker };
    match mode.unwrap_or(0) & 0o170_000 {
        0o040_000 => path.map_or(Ok(()), |path| destination.folder(&path)),
        _ if name.ends_with(b"/") => path.map_or(Ok(()), |path| destination.folder(&path)),
        0o120_000 => {
            let target = contents.link()?;
            path.map_or(Ok(()), |path| destination.symlink(&path, &target))
        }
        0 | 0o100_000 => write_file(&mut contents, path.as_deref(), mode, destination),
        _ => Err(destination.refuse(&name, "is neither a file nor a folder nor a link")),
    }
}

fn write_file<R: Read>(
    contents: &mut Contents<'_, R>,
    path: Option<&str>,
    mode: Option<u32>,
    destination: &mut Destination<'_>,
) -> Result<(), Fault> {
    let mut chunk = vec![0; CHUNK];
    let mut filled = contents.fill(&mut chunk)?;
    let mut file = match path {
        Some(path) => destination.file(path, is_executable(mode, &chunk[..filled]))?,
        None => None,
    };
    while filled > 0 {
        if let Some(file) = &mut file {
            file.write(&chunk[..filled])?;
        }
        filled = contents.fill(&mut chunk)?;
    }
    file.map_or(Ok(()), |file| destination.finish(file, None))
}

/// Archives made on Windows know no executable bit (the two modes are what their
/// attributes are taken for); there the file's header tells.
fn is_executable(mode: Option<u32>, start: &[u8]) -> bool {
    match mode.map(|mode| mode & 0o777) {
        None | Some(0o664 | 0o444) => {
            let header = read_header(&start[..start.len().min(HEADER_BYTES)]);
            matches!(header, Header::Script | Header::Program(_))
        }
        Some(mode) => mode & 0o111 != 0,
    }
}

/// The contents of an entry, counted against what the archive may hold.
struct Contents<'a, R> {
    reader: &'a mut R,
    left: &'a mut u64,
    unpacker: &'a Unpacker,
}

impl<R: Read> Contents<'_, R> {
    /// Fills `chunk`, or as much of it as there is.
    fn fill(&mut self, chunk: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < chunk.len() {
            match self.reader.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(damaged(&self.unpacker.label, error.to_string())),
            }
        }
        let limit = self.unpacker.limits.bytes;
        *self.left = self
            .left
            .checked_sub(filled as u64)
            .ok_or_else(|| too_large(&self.unpacker.label, limit))?;
        Ok(filled)
    }

    /// The target of a symbolic link.
    fn link(&mut self) -> Result<Vec<u8>, Fault> {
        let mut target = vec![0; LONGEST_LINK + 1];
        let filled = self.fill(&mut target)?;
        target.truncate(filled);
        Ok(target)
    }
}

fn broken(unpacker: &Unpacker, error: ZipError) -> Fault {
    let label = &unpacker.label;
    match error {
        ZipError::Io(error) => damaged(label, error.to_string()),
        ZipError::InvalidArchive(why) => damaged(label, why),
        ZipError::UnsupportedArchive(why) => not_understood(label, why),
        ZipError::CompressionMethodNotSupported(method) => {
            not_understood(label, &format!("it is compressed with method {method}"))
        }
        other => damaged(label, other.to_string()),
    }
}

fn not_understood(label: &str, why: &str) -> Fault {
    Fault::new(Kind::Verification, format!("{label} is a zip archive that forge does not unpack"))
        .because(why)
        .hint("forge unpacks zip entries that are stored or deflated, and not encrypted")
}

//! Unpacks a tar stream: POSIX ustar and pax, GNU long names.
//!
//! The header's fields are decoded by the `tar` crate. Walking the entries is done here,
//! because forge is stricter than tar programs are: every entry is of a kind that is
//! known to be harmless, the end mark must be there, and nothing may come after it.

use std::io::Read;

use tar::{EntryType, Header};

use super::{
    decoder::damaged,
    destination::Destination,
    pax::{self, Extensions},
    stream::{Stream, too_large},
    unpack::Unpacker,
};
use crate::model::Fault;

/// Bytes per record.
const RECORD: usize = 512;

/// Largest pax header or long name.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// One entry: its header, and what the extensions before it say instead.
struct Entry {
    header: Header,
    name: Vec<u8>,
    target: Vec<u8>,
    size: u64,
    modified: Option<u64>,
}

/// Whether `start`, the first bytes of a stream, begins a tar archive.
pub(super) fn is_tar(start: &[u8]) -> bool {
    start.first_chunk::<RECORD>().is_some_and(|record| {
        record.iter().all(|byte| *byte == 0) || has_checksum(Header::from_byte_slice(record))
    })
}

/// Unpacks all of `stream` into `destination`.
pub(super) fn unpack<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    destination: &mut Destination<'_>,
    unpacker: &Unpacker,
) -> Result<(), Fault> {
    let mut extensions = Extensions::default();
    loop {
        let header = next_header(stream, unpacker)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            if !extensions.is_empty() {
                return Err(damaged(&unpacker.label, "its last entry is missing"));
            }
            return check_end(stream, unpacker);
        }
        let entry = read_entry(header, &extensions, destination, unpacker)?;
        if is_extension(&entry.header) {
            let contents = read_extension(stream, &entry, destination)?;
            extensions
                .add(entry.header.entry_type(), &contents)
                .map_err(|why| destination.refuse(&entry.name, why))?;
        } else {
            extensions = Extensions::default();
            place(stream, &entry, destination)?;
        }
    }
}

fn next_header<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    unpacker: &Unpacker,
) -> Result<Header, Fault> {
    if stream.fill()?.is_empty() {
        return Err(damaged(&unpacker.label, "the mark at its end is missing"));
    }
    let mut record = Vec::with_capacity(RECORD);
    stream.pass(RECORD as u64, "a tar header", |bytes| {
        record.extend_from_slice(bytes);
        Ok(())
    })?;
    let header = Header::from_byte_slice(&record).clone();
    let blank = record.iter().all(|byte| *byte == 0);
    if blank || has_checksum(&header) {
        return Ok(header);
    }
    Err(damaged(&unpacker.label, "a tar header does not match its checksum"))
}

/// The end is two blank records (the first was read), then nothing but padding.
fn check_end<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    unpacker: &Unpacker,
) -> Result<(), Fault> {
    let mut count = 0;
    loop {
        let rest = stream.fill()?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(damaged(&unpacker.label, "something comes after the mark at its end"));
        }
        if rest.is_empty() {
            break;
        }
        let length = rest.len();
        count += length;
        stream.take(length);
    }
    if count < RECORD {
        return Err(damaged(&unpacker.label, "the mark at its end is incomplete"));
    }
    Ok(())
}

fn read_entry(
    header: Header,
    extensions: &Extensions,
    destination: &Destination<'_>,
    unpacker: &Unpacker,
) -> Result<Entry, Fault> {
    let extends = is_extension(&header);
    let name = extensions.path.as_deref().filter(|_| !extends);
    let name = name.map_or_else(|| header.path_bytes().into_owned(), <[u8]>::to_vec);
    let target = extensions.target.clone();
    let target = target.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
    let stated = header.entry_size().map_err(|_| destination.refuse(&name, "has no valid size"))?;
    let size = extensions.size.filter(|_| !extends).unwrap_or(stated);
    // Programs that know pax and those that do not would see different archives.
    if size != stated && stated != 0 && stated != 0o777_7777_7777 {
        return Err(destination.refuse(&name, "has two sizes"));
    }
    if size > unpacker.limits.bytes {
        return Err(too_large(&unpacker.label, unpacker.limits.bytes));
    }
    let modified = extensions.modified.or_else(|| header.mtime().ok());
    Ok(Entry { name, target: target.unwrap_or_default(), size, modified, header })
}

fn read_extension<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    entry: &Entry,
    destination: &mut Destination<'_>,
) -> Result<Vec<u8>, Fault> {
    if entry.size > LARGEST_EXTENSION {
        return Err(destination.refuse(&entry.name, "is an extended header of absurd size"));
    }
    destination.count(1)?;
    let mut contents = Vec::new();
    stream.pass(entry.size, "an extended header", |bytes| {
        contents.extend_from_slice(bytes);
        Ok(())
    })?;
    skip_padding(stream, entry.size)?;
    Ok(contents)
}

fn place<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    entry: &Entry,
    destination: &mut Destination<'_>,
) -> Result<(), Fault> {
    let path = destination.enter(&entry.name)?;
    let kind = entry.header.entry_type();
    // Before ustar, a folder was a file whose name ends with a slash.
    let old_folder = kind == EntryType::Regular && entry.name.ends_with(b"/");
    if old_folder || !matches!(kind, EntryType::Regular | EntryType::Continuous) {
        if entry.size != 0 {
            return Err(destination.refuse(&entry.name, "has contents, which its kind never has"));
        }
    } else {
        return write_file(stream, entry, path.as_deref(), destination);
    }
    match (kind, path) {
        (EntryType::Directory | EntryType::Regular, Some(path)) => destination.folder(&path),
        (EntryType::Symlink, Some(path)) => destination.symlink(&path, &entry.target),
        (EntryType::Link, Some(path)) => destination.hard_link(&path, &entry.target),
        (
            EntryType::Directory | EntryType::Regular | EntryType::Symlink | EntryType::Link,
            None,
        ) => Ok(()),
        (kind, _) => Err(destination.refuse(&entry.name, what_else(kind))),
    }
}

fn write_file<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    entry: &Entry,
    path: Option<&str>,
    destination: &mut Destination<'_>,
) -> Result<(), Fault> {
    let executable = entry.header.mode().is_ok_and(|mode| mode & 0o111 != 0);
    let mut file = match path {
        Some(path) => destination.file(path, executable)?,
        None => None,
    };
    let what = format!("`{}`", String::from_utf8_lossy(&entry.name));
    stream
        .pass(entry.size, &what, |bytes| file.as_mut().map_or(Ok(()), |file| file.write(bytes)))?;
    skip_padding(stream, entry.size)?;
    file.map_or(Ok(()), |file| destination.finish(file, entry.modified))
}

fn skip_padding<'env, R: Read + Send + 'env>(
    stream: &mut Stream<'_, 'env, R>,
    size: u64,
) -> Result<(), Fault> {
    let padding = size.next_multiple_of(RECORD as u64) - size;
    stream.pass(padding, "padding", |_| Ok(()))
}

fn is_extension(header: &Header) -> bool {
    matches!(
        header.entry_type(),
        EntryType::XHeader
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink
    )
}

fn what_else(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char | EntryType::Block => "is a device",
        EntryType::Fifo => "is a named pipe",
        EntryType::GNUSparse => pax::SPARSE,
        _ => "is of a kind that forge does not know",
    }
}

/// Whether the checksum is right: the sum of all bytes, its own field taken as spaces.
fn has_checksum(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&bytes[..148]) + 8 * u32::from(b' ') + sum(&bytes[156..]);
    header.cksum().is_ok_and(|stated| stated == expected)
}

//! Unpacks a tar stream: v7, POSIX ustar and pax, GNU long names and sparse files.
//!
//! The header's fields are decoded by the `tar` crate. Walking the entries is done here. What
//! forge packed itself must be as forge packs it: every entry of a kind that is known to be
//! harmless, the mark at the end whole, and nothing after it. What others packed is taken as GNU
//! tar takes it where nothing is at risk ([`Destination::is_strict`] tells which it is); an
//! archive that was cut off is refused in any case.

use std::io::Read;

use tar::{EntryType, Header};

use super::{
    decoder::damaged,
    destination::{Destination, Entered},
    new_file::NewFile,
    objection::Objection,
    pax::{self, Extensions},
    sparse::{self, SparseMap},
    stream::{ArchiveStream, too_large},
    unpack::Unpacker,
};
use crate::model::Fault;

/// Bytes per record.
const RECORD: usize = 512;

/// Largest pax header or long name.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// One entry: its header, and what the extensions before it say instead.
struct TarEntry {
    header: Header,
    name: Vec<u8>,
    target: Vec<u8>,
    size: u64,
    modified: Option<u64>,
    /// Where its stored bytes belong, if it has holes.
    sparse: Option<SparseMap>,
}

/// Whether `start`, the first bytes of a stream, begins a tar archive.
pub(super) fn is_tar(start: &[u8]) -> bool {
    start.first_chunk::<RECORD>().is_some_and(|record| {
        record.iter().all(|byte| *byte == 0) || has_checksum(Header::from_byte_slice(record))
    })
}

/// Unpacks all of `stream` into `destination`.
pub(super) fn unpack<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
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
            return match destination.is_strict() {
                true => check_end(stream, unpacker),
                false => pass_end(stream, unpacker),
            };
        }
        let mut entry = read_entry(header, &extensions, destination, unpacker)?;
        if is_extension(&entry.header) {
            let contents = read_extension(stream, &entry, destination)?;
            extensions.add(entry.header.entry_type(), &contents).or_else(|why| {
                // What concerns all entries may be passed over, but not what one is called.
                let is_global = entry.header.entry_type() == EntryType::XGlobalHeader;
                match is_global && !destination.is_strict() {
                    true => Ok(()),
                    false => Err(destination.refuse(&entry.name, &Objection::malformed(why))),
                }
            })?;
        } else {
            let extensions = std::mem::take(&mut extensions);
            entry.sparse = sparse_map(stream, &mut entry, &extensions, destination, unpacker)?;
            place(stream, &entry, destination)?;
        }
    }
}

fn next_header<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
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
    stream: &mut ArchiveStream<'_, 'env, R>,
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

/// What comes after a blank record in the archives of others: another one, or not; zeros, or
/// what was left in somebody's buffer. Only an archive may not follow: which of both is meant?
fn pass_end<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
    unpacker: &Unpacker,
) -> Result<(), Fault> {
    let mut record = Vec::with_capacity(RECORD);
    loop {
        let rest = stream.fill()?;
        if rest.is_empty() {
            return Ok(());
        }
        let piece = rest.len().min(RECORD - record.len());
        record.extend_from_slice(&rest[..piece]);
        stream.take(piece);
        if record.len() == RECORD {
            let is_blank = record.iter().all(|byte| *byte == 0);
            if !is_blank && has_checksum(Header::from_byte_slice(&record)) {
                return Err(damaged(&unpacker.label, "something comes after the mark at its end"));
            }
            record.clear();
        }
    }
}

fn read_entry(
    header: Header,
    extensions: &Extensions,
    destination: &Destination<'_>,
    unpacker: &Unpacker,
) -> Result<TarEntry, Fault> {
    let extends = is_extension(&header);
    let named = extensions.sparse.name.as_deref().or(extensions.path.as_deref());
    let name = named.filter(|_| !extends);
    let name = name.map_or_else(|| header.path_bytes().into_owned(), <[u8]>::to_vec);
    let target = extensions.target.clone();
    let target = target.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
    // Links and folders have none, whatever some programs write there.
    let is_lenient = !destination.is_strict();
    let is_without = is_lenient && matches!(header.as_old().linkflag[0], b'1'..=b'6');
    let stated = match is_without || is_lenient && has_blank_size(&header) {
        true => Some(0),
        false => stated_size(&header),
    };
    let refuse = |why| destination.refuse(&name, &Objection::malformed(why));
    let stated = stated.ok_or_else(|| refuse("has no valid size"))?;
    let mut size = extensions.size.filter(|_| !extends).unwrap_or(stated);
    // Programs that know pax and those that do not would see different archives.
    if size != stated && stated != 0 && stated != 0o777_7777_7777 {
        return Err(refuse("has two sizes"));
    }
    if is_without {
        size = 0;
    }
    if size > unpacker.limits.bytes {
        return Err(too_large(&unpacker.label, unpacker.limits.bytes));
    }
    let modified = extensions.modified.or_else(|| header.mtime().ok());
    Ok(TarEntry { name, target: target.unwrap_or_default(), size, modified, header, sparse: None })
}

/// Whether a header states no size at all, as GNU tar does for the name of a volume.
fn has_blank_size(header: &Header) -> bool {
    header.as_old().size.iter().all(|byte| matches!(byte, 0 | b' '))
}

/// The size that a header states: octal digits, or (with the first bit set) a binary number, of
/// which all but the last eight bytes must be zero.
fn stated_size(header: &Header) -> Option<u64> {
    let field = &header.as_old().size;
    match field[0] {
        0x80 if field[1..4].iter().any(|byte| *byte != 0) => None,
        0x81..=0xff => None,
        _ => header.entry_size().ok(),
    }
}

/// The map of an entry that has holes: in its header, in the pax header before it, or at the
/// start of its contents.
fn sparse_map<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
    entry: &mut TarEntry,
    extensions: &Extensions,
    destination: &mut Destination<'_>,
    unpacker: &Unpacker,
) -> Result<Option<SparseMap>, Fault> {
    if destination.is_strict() && extensions.sparse.is_there() {
        return Err(destination.refuse(&entry.name, &Objection::unfit(sparse::REFUSED)));
    }
    let map = match entry.header.entry_type() {
        EntryType::GNUSparse if !destination.is_strict() => {
            Some(sparse::of_header(&entry.header, || read_record(stream)))
        }
        EntryType::Regular if extensions.sparse.is_there() => {
            let stored = &mut entry.size;
            Some(sparse::of_pax(&extensions.sparse, stored, || read_record(stream)))
        }
        _ => None,
    };
    let Some(map) = map else { return Ok(None) };
    let map = map?.and_then(|map| map.checked(entry.size));
    let map = map.map_err(|why| damaged(&unpacker.label, why))?;
    destination.expand(map.size.saturating_sub(entry.size))?;
    Ok(Some(map))
}

fn read_record<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
) -> Result<[u8; RECORD], Fault> {
    let (mut record, mut filled) = ([0; RECORD], 0);
    stream.pass(RECORD as u64, "the map of a sparse file", |bytes| {
        record[filled..filled + bytes.len()].copy_from_slice(bytes);
        filled += bytes.len();
        Ok(())
    })?;
    Ok(record)
}

fn read_extension<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
    entry: &TarEntry,
    destination: &mut Destination<'_>,
) -> Result<Vec<u8>, Fault> {
    if entry.size > LARGEST_EXTENSION {
        let why = "is an extended header of absurd size";
        return Err(destination.refuse(&entry.name, &Objection::malformed(why)));
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
    stream: &mut ArchiveStream<'_, 'env, R>,
    entry: &TarEntry,
    destination: &mut Destination<'_>,
) -> Result<(), Fault> {
    use EntryType as T;
    let kind = entry.header.entry_type();
    let entered = destination.enter(&entry.name)?;
    // Before ustar, a folder was a file whose name ends with a slash.
    let is_folder = kind == T::Directory || kind == T::Regular && entry.name.ends_with(b"/");
    let is_lenient = !destination.is_strict();
    // POSIX wants kinds that are not known to be taken for files.
    let is_file = match kind {
        T::Regular | T::Continuous => !is_folder,
        T::GNUSparse => is_lenient,
        T::Char | T::Block | T::Fifo | T::Directory | T::Link | T::Symlink => false,
        kind => is_lenient && !is_of_gnu(kind),
    };
    if is_file {
        return write_file(stream, entry, entered.as_ref(), destination);
    }
    if entry.size != 0 && !is_lenient {
        let why = "has contents, which its kind never has";
        return Err(destination.refuse(&entry.name, &Objection::malformed(why)));
    }
    match (kind, &entered) {
        (T::Directory | T::Regular, Some(entered)) => destination.folder(entered)?,
        (T::Symlink, Some(entered)) => destination.symlink(entered, &entry.target)?,
        (T::Link, Some(entered)) => destination.hard_link(entered, &entry.target)?,
        (T::Directory | T::Regular | T::Symlink | T::Link, None) => {}
        (kind, Some(entered)) if is_lenient => match kind.as_byte() {
            // A volume has a name, and an incremental archive lists folders.
            b'V' => {}
            b'D' => destination.folder(entered)?,
            _ => destination.object_to(entered, what_else(kind))?,
        },
        (_, None) if is_lenient => {}
        (kind, _) => return Err(destination.refuse(&entry.name, &what_else(kind))),
    }
    stream.pass(entry.size, "an entry", |_| Ok(()))?;
    skip_padding(stream, entry.size)
}

/// What GNU tar writes beside files: folders of incremental archives, the rest of a file of
/// another volume, old lists of names, and names of volumes.
fn is_of_gnu(kind: EntryType) -> bool {
    matches!(kind.as_byte(), b'D' | b'M' | b'N' | b'V')
}

fn write_file<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
    entry: &TarEntry,
    entered: Option<&Entered>,
    destination: &mut Destination<'_>,
) -> Result<(), Fault> {
    let executable = entry.header.mode().is_ok_and(|mode| mode & 0o111 != 0);
    let mut file = match entered {
        Some(entered) => destination.file(entered, executable)?,
        None => None,
    };
    let what = format!("`{}`", String::from_utf8_lossy(&entry.name).escape_debug());
    let mut at = 0;
    for (offset, length) in entry.sparse.iter().flat_map(|map| &map.chunks) {
        if let (Some(file), true) = (&mut file, *offset > at) {
            file.hole(offset - at)?;
        }
        stream.pass(*length, &what, |bytes| write(&mut file, bytes))?;
        at = offset + length;
    }
    match (&entry.sparse, &mut file) {
        (Some(map), Some(file)) if map.size > at => file.hole(map.size - at)?,
        (Some(_), _) => {}
        (None, _) => stream.pass(entry.size, &what, |bytes| write(&mut file, bytes))?,
    }
    skip_padding(stream, entry.size)?;
    file.map_or(Ok(()), |file| destination.finish(file, entry.modified))
}

fn write(file: &mut Option<NewFile>, bytes: &[u8]) -> Result<(), Fault> {
    file.as_mut().map_or(Ok(()), |file| file.write(bytes))
}

fn skip_padding<'env, R: Read + Send + 'env>(
    stream: &mut ArchiveStream<'_, 'env, R>,
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
    ) || header.entry_type().as_byte() == pax::SOLARIS
}

fn what_else(kind: EntryType) -> Objection {
    Objection::unfit(match kind {
        EntryType::Char | EntryType::Block => "is a device",
        EntryType::Fifo => "is a named pipe",
        EntryType::GNUSparse => sparse::REFUSED,
        kind if kind.as_byte() == b'M' => "began in another volume of the archive",
        _ => "is of a kind that forge does not know",
    })
}

/// Whether the checksum is right: the sum of all bytes, its own field taken as spaces. Some old
/// programs added them up as signed numbers.
fn has_checksum(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let fields = || bytes[..148].iter().chain(&bytes[156..]);
    let spaces = 8 * i64::from(b' ');
    let unsigned = spaces + fields().map(|byte| i64::from(*byte)).sum::<i64>();
    let signed = spaces + fields().map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
    let stated = header.cksum().map(i64::from);
    stated.is_ok_and(|stated| stated == unsigned || stated == signed)
}

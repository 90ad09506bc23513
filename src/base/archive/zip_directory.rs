//! The table of contents of a zip archive, read and checked before anything is unpacked.
//!
//! A zip says everything about an entry twice: in the table at its end and in a header before the
//! contents. Programs differ in which they believe, and archives that mean harm differ in the two,
//! let entries overlap, or claim sizes that no memory holds. So the table is read piece by piece,
//! within limits, both have to agree, and each byte belongs to one entry at most. What stands after the
//! end record, or a comment whose length is wrong, does no harm as long as there is only one table that
//! programs can find.
//! (APPNOTE.TXT 6.3.10, 4.3 and 4.5.3.)

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use super::{
    decoder::{damaged, over_limit},
    entry_name::EntryName,
    objection::REPACK,
    unpack::{EntryPolicy, Unpacker},
};
use crate::model::Fault;

/// How many bytes of names an archive may have.
const MOST_NAMES: u64 = 64 << 20;

/// How many bytes of two entries are compared at a time.
const PIECE: usize = 64 << 10;

/// How many bytes the record at the end has without its comment.
const RECORD: usize = 22;

/// How much of an archive's end is searched for that record, which is what Info-ZIP does: more than the
/// longest comment.
const SEARCHED: u64 = 66_000;

/// What stands in a field of 32 bits if the number is in the zip64 field.
const IN_ZIP64: u64 = 0xffff_ffff;

/// Flags of an entry: encrypted; sizes and checksum come after the contents.
const ENCRYPTED: u16 = 1;
const DESCRIBED_AFTER: u16 = 1 << 3;

/// An entry of the table.
#[derive(Clone, Debug)]
pub(super) struct ZipEntry {
    /// With `/` between folders, whatever the archive has.
    pub(super) name: Vec<u8>,
    flags: u16,
    /// How it is compressed.
    pub(super) method: u16,
    pub(super) crc: u32,
    /// Bytes, packed and unpacked.
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Type and permissions, if it was packed on Unix.
    pub(super) mode: Option<u32>,
    /// Whether it is marked as a folder as Windows does.
    pub(super) is_folder: bool,
    /// Where its header is, and then where its contents begin.
    header: u64,
    pub(super) at: u64,
    /// Whether another entry with its name has other contents.
    pub(super) has_other_twin: bool,
}

impl ZipEntry {
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }
}

/// Reads the table of `file`.
///
/// # Errors
/// `Verification` if the table cannot be believed or is too large.
pub(super) fn read(file: &mut File, unpacker: &Unpacker) -> Result<Vec<ZipEntry>, Fault> {
    let table = EntryTable { file, unpacker };
    table.read().map_err(|why| match why {
        Why::Damaged(why) => damaged(&unpacker.label, why),
        Why::TooLarge(why) => over_limit(&unpacker.label, why),
        Why::Ambiguous(why) => over_limit(&unpacker.label, why).hint(REPACK),
        Why::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            damaged(&unpacker.label, "its table of contents points past its end")
        }
        Why::Io(error) => Fault::io(format!("cannot read {}", unpacker.label), &error),
    })
}

/// Why a table is refused.
enum Why {
    Damaged(String),
    TooLarge(String),
    Ambiguous(String),
    Io(io::Error),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn lie<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why::Damaged(why.into()))
}

/// Where the table is, as the end of the archive says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct EndRecord {
    entries: u64,
    offset: u64,
    size: u64,
}

/// A record that may be the one at the end.
struct Candidate {
    place: u64,
    /// Whether its comment ends with the archive.
    fits: bool,
    end: EndRecord,
    /// Where programs find a table by it: at the place that it states, and right before it, which is
    /// another one if something stands before the archive.
    tables: Vec<u64>,
}

struct EntryTable<'a> {
    file: &'a mut File,
    unpacker: &'a Unpacker,
}

impl EntryTable<'_> {
    fn read(mut self) -> Result<Vec<ZipEntry>, Why> {
        let end = self.find()?;
        let mut entries = self.entries(&end)?;
        let mut by_place: Vec<usize> = (0..entries.len()).collect();
        by_place.sort_by_key(|index| entries[*index].header);
        let mut free = 0;
        for index in by_place {
            let entry = &mut entries[index];
            if entry.header < free {
                return lie("two of its entries overlap");
            }
            entry.at = self.contents(entry)?;
            free = entry.at.saturating_add(entry.packed);
            if free > end.offset {
                return lie("an entry reaches into its table of contents");
            }
        }
        self.mark_twins(&mut entries)?;
        Ok(entries)
    }

    /// Finds the table by the record at the end of the archive.
    fn find(&mut self) -> Result<EndRecord, Why> {
        let size = self.file.seek(SeekFrom::End(0))?;
        let start = size.saturating_sub(SEARCHED);
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_to_end(&mut tail)?;
        let is_strict = self.unpacker.keep == EntryPolicy::Everything;
        let (mut found, mut why_not): (Vec<Candidate>, _) = (Vec::new(), None);
        for at in (0..=tail.len().saturating_sub(RECORD)).rev() {
            let Some(record) = tail.get(at..).filter(|rest| rest.starts_with(b"PK\x05\x06")) else {
                continue;
            };
            let fits = RECORD + usize::from(u16_at(record, 20)) == record.len();
            let candidate = match is_strict && !fits {
                true => lie("something comes after its end record, or its comment is cut off"),
                false => self.candidate(record, start + at as u64, fits),
            };
            match candidate {
                Ok(candidate) => found.push(candidate),
                Err(Why::Io(error)) => return Err(Why::Io(error)),
                Err(why) => why_not = why_not.filter(|_| !fits).or(Some(why)),
            }
        }
        let Some((last, others)) = found.split_first() else {
            let cut_off = || Why::Damaged("it ends before its table of contents".into());
            return Err(why_not.unwrap_or_else(cut_off));
        };
        // What lies in the contents of an entry is only found by who wants a comment that fits.
        let is_other = |other: &Candidate| {
            let is_same = (other.end, &other.tables) == (last.end, &last.tables);
            !is_same && (other.place >= last.end.offset || other.fits && !last.fits)
        };
        if last.tables.len() > 1 || others.iter().any(is_other) {
            let why = "programs find different tables of contents at its end";
            return Err(Why::Ambiguous(why.into()));
        }
        match last.tables.contains(&last.end.offset) {
            true => Ok(last.end),
            false => lie("its table of contents is not where it says"),
        }
    }

    /// The record at `place`, if programs find a table by it.
    fn candidate(&mut self, record: &[u8], place: u64, fits: bool) -> Result<Candidate, Why> {
        let end = EndRecord {
            entries: u16_at(record, 10).into(),
            size: u32_at(record, 12).into(),
            offset: u32_at(record, 16).into(),
        };
        let disks = [u16_at(record, 4), u16_at(record, 6)];
        let (end, limit) = match self.find_zip64(place)? {
            Some((wide, limit)) => (widened(&end, wide)?, limit),
            None if disks != [0, 0] || u16_at(record, 8) != u16_at(record, 10) => {
                return lie("it is one part of several");
            }
            None => (end, place),
        };
        if end.entries > self.unpacker.limits.entries {
            let most = self.unpacker.limits.entries;
            return Err(Why::TooLarge(format!("it has more than {most} entries")));
        }
        let is_before = end.offset.checked_add(end.size).is_some_and(|after| after <= limit);
        if !is_before {
            return lie("its table of contents is not where it says");
        }
        let mut tables = vec![limit - end.size];
        if end.size > 0 {
            tables.extend(Some(end.offset).filter(|offset| *offset != tables[0]));
            for at in std::mem::take(&mut tables) {
                if self.at::<4>(at)? == *b"PK\x01\x02" {
                    tables.push(at);
                }
            }
        }
        match tables.is_empty() {
            true => lie("its table of contents cannot be read"),
            false => Ok(Candidate { place, fits, end, tables }),
        }
    }

    /// The zip64 record that a locator before the last record at `place` points to.
    fn find_zip64(&mut self, place: u64) -> Result<Option<(EndRecord, u64)>, Why> {
        let Some(locator) = place.checked_sub(20) else { return Ok(None) };
        let bytes: [u8; 20] = self.at(locator)?;
        if !bytes.starts_with(b"PK\x06\x07") {
            return Ok(None);
        }
        let place = u64_at(&bytes, 8);
        if place.checked_add(56).is_none_or(|end| end > locator) {
            return lie("its zip64 record is not where it says");
        }
        let record: [u8; 56] = self.at(place)?;
        if !record.starts_with(b"PK\x06\x06") {
            return lie("its zip64 record is not where it says");
        }
        let end = EndRecord {
            entries: u64_at(&record, 32),
            size: u64_at(&record, 40),
            offset: u64_at(&record, 48),
        };
        Ok(Some((end, place)))
    }

    fn at<const N: usize>(&mut self, place: u64) -> Result<[u8; N], Why> {
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(place))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The entries of the table, of which memory holds as many as there are, not as are claimed.
    fn entries(&mut self, end: &EndRecord) -> Result<Vec<ZipEntry>, Why> {
        self.file.seek(SeekFrom::Start(end.offset))?;
        let mut table = BufReader::with_capacity(64 << 10, &mut *self.file).take(end.size);
        let (mut entries, mut names) = (Vec::new(), 0);
        while table.limit() > 0 {
            let entry = entry(&mut table)?;
            names += entry.name.len() as u64;
            entries.push(entry);
            if names > MOST_NAMES {
                let why = format!("the names in it take more than {} MiB", MOST_NAMES >> 20);
                return Err(Why::TooLarge(why));
            }
            if entries.len() as u64 > end.entries {
                return lie("its table of contents has more entries than it says");
            }
        }
        match entries.len() as u64 == end.entries {
            true => Ok(entries),
            false => lie("its table of contents has fewer entries than it says"),
        }
    }

    /// Of entries with the same name, programs take one or the other: they have to be the same, or
    /// nobody may want them.
    fn mark_twins(&mut self, entries: &mut [ZipEntry]) -> Result<(), Why> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for at in 0..entries.len() {
            let name = EntryName::parse(&entries[at].name).ok().and_then(|name| name.strip(0));
            let Some(name) = name.filter(|_| !entries[at].name.ends_with(b"/")) else { continue };
            let Some(before) = seen.insert(name.clone(), at) else { continue };
            let is_same =
                !entries[before].has_other_twin && self.is_same(&entries[before], &entries[at])?;
            match self.unpacker.keep {
                EntryPolicy::Possible if is_same => {}
                EntryPolicy::Only(_) => {
                    entries[at].has_other_twin = !is_same;
                    entries[before].has_other_twin = !is_same;
                }
                EntryPolicy::Everything | EntryPolicy::Possible => {
                    let name = name.escape_debug();
                    return Err(Why::Ambiguous(format!("it lists an entry twice: `{name}`")));
                }
            }
        }
        Ok(())
    }

    /// Whether two entries have the same bytes, as they are packed, and mean the same by them.
    fn is_same(&mut self, one: &ZipEntry, other: &ZipEntry) -> Result<bool, Why> {
        let meant = |it: &ZipEntry| {
            (it.size, it.packed, it.crc, it.method, it.flags, it.mode, it.is_folder)
        };
        if meant(one) != meant(other) {
            return Ok(false);
        }
        let mut left = one.packed;
        let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
        while left > 0 {
            let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let done = one.packed - left;
            for (entry, piece) in [(one, &mut a), (other, &mut b)] {
                self.file.seek(SeekFrom::Start(entry.at + done))?;
                self.file.read_exact(&mut piece[..count])?;
            }
            if a[..count] != b[..count] {
                return Ok(false);
            }
            left -= count as u64;
        }
        Ok(true)
    }

    /// Where the contents of `entry` begin, after its own header, which has to agree.
    fn contents(&mut self, entry: &ZipEntry) -> Result<u64, Why> {
        let differs = || {
            let name = String::from_utf8_lossy(&entry.name).escape_debug().to_string();
            Why::Damaged(format!(
                "its table of contents says something else of `{name}` than the entry itself"
            ))
        };
        let header: [u8; 30] = self.at(entry.header)?;
        let (name, extra) = (usize::from(u16_at(&header, 26)), usize::from(u16_at(&header, 28)));
        let mut rest = vec![0; name + extra];
        self.file.read_exact(&mut rest)?;
        let (name, extra) = rest.split_at(name);
        let is_same = header.starts_with(b"PK\x03\x04")
            && slashed(name) == entry.name
            && u16_at(&header, 8) == entry.method
            && (u16_at(&header, 6) ^ entry.flags) & (ENCRYPTED | DESCRIBED_AFTER) == 0;
        if !is_same {
            return Err(differs());
        }
        let mut sizes = [u32_at(&header, 22).into(), u32_at(&header, 18).into()];
        zip64(extra, &mut sizes);
        let stated = [entry.size, entry.packed, entry.crc.into()];
        let own = [sizes[0], sizes[1], u64::from(u32_at(&header, 14))];
        // Who writes in one pass knows neither when the header is written.
        let after = entry.flags & DESCRIBED_AFTER != 0;
        let agrees =
            |(own, stated): (&u64, &u64)| own == stated || after && matches!(*own, 0 | IN_ZIP64);
        match own.iter().zip(&stated).all(agrees) {
            true => Ok(entry.header + 30 + rest.len() as u64),
            false => Err(differs()),
        }
    }
}

/// The numbers of the zip64 record, which those of the old one must not contradict.
fn widened(old: &EndRecord, wide: EndRecord) -> Result<EndRecord, Why> {
    let agrees = |old: u64, new: u64, all: u64| old == new || old == all;
    let is_same = agrees(old.entries, wide.entries, 0xffff)
        && agrees(old.size, wide.size, IN_ZIP64)
        && agrees(old.offset, wide.offset, IN_ZIP64);
    if is_same { Ok(wide) } else { lie("its two end records contradict each other") }
}

fn entry(table: &mut impl Read) -> Result<ZipEntry, Why> {
    let mut header = [0; 46];
    table.read_exact(&mut header)?;
    if !header.starts_with(b"PK\x01\x02") {
        return lie("its table of contents cannot be read");
    }
    let mut name = vec![0; u16_at(&header, 28).into()];
    let mut extra = vec![0; u16_at(&header, 30).into()];
    table.read_exact(&mut name)?;
    table.read_exact(&mut extra)?;
    let comment = u64::from(u16_at(&header, 32));
    if io::copy(&mut table.take(comment), &mut io::sink())? != comment {
        return lie("its table of contents is cut off");
    }
    let mut wide = [u32_at(&header, 24), u32_at(&header, 20), u32_at(&header, 42)].map(u64::from);
    zip64(&extra, &mut wide);
    let [size, packed, header_at] = wide;
    // Unix, and macOS as some call it; others have no such modes, whatever stands there.
    let is_unix = matches!(header[5], 3 | 19);
    let attributes = u32_at(&header, 38);
    Ok(ZipEntry {
        name: slashed(&name),
        flags: u16_at(&header, 8),
        method: u16_at(&header, 10),
        crc: u32_at(&header, 16),
        packed,
        size,
        mode: Some(attributes >> 16).filter(|mode| is_unix && *mode != 0),
        is_folder: !is_unix && attributes & 0x10 != 0 && size == 0,
        header: header_at,
        at: 0,
        has_other_twin: false,
    })
}

/// Programs on Windows write `\` between folders, against the specification; unzip reads it so.
fn slashed(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// Puts the numbers of a zip64 field in the place of those that did not fit, in their order.
fn zip64(mut extra: &[u8], numbers: &mut [u64]) {
    while extra.len() >= 4 {
        let (kind, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + length) else { return };
        if kind == 1 {
            let mut wide = field.chunks_exact(8).map(|bytes| u64_at(bytes, 0));
            for number in numbers.iter_mut().filter(|number| **number == IN_ZIP64) {
                let Some(wide) = wide.next() else { return };
                *number = wide;
            }
            return;
        }
        extra = &extra[4 + length..];
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) | u16::from(bytes[at + 1]) << 8
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

//! The plain tar stream of some entries: POSIX ustar, with nothing in it that differs from
//! one machine or day to the next.

use std::{
    io::{self, Read},
    slice,
};

use tar::{EntryType, Header};

use super::contents::{EntryReader, Measured};

/// Bytes per tar record: headers are as long, contents are padded to it.
const RECORD: usize = 512;

/// Modification time of every entry: 1980-01-01T00:00:00Z. Any constant would do; this
/// is the earliest one that zip can express too, and some tools dislike 1970.
const MTIME: u64 = 315_532_800;

/// What becomes an entry of an archive.
pub(super) trait TarEntry {
    /// What stands in its header.
    fn header(&self) -> HeaderFields<'_>;

    /// Opens what it holds.
    fn open(&self) -> io::Result<EntryReader<'_>>;
}

/// What stands in the header of an entry.
pub(super) struct HeaderFields<'a> {
    pub(super) name: &'a str,
    pub(super) kind: EntryType,
    pub(super) link: Option<&'a str>,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) mtime: u64,
    pub(super) size: u64,
}

impl TarEntry for Measured<'_> {
    fn header(&self) -> HeaderFields<'_> {
        HeaderFields {
            name: &self.entry.name,
            kind: EntryType::Regular,
            link: None,
            mode: self.mode(),
            owner: (0, 0),
            mtime: MTIME,
            size: self.size,
        }
    }

    fn open(&self) -> io::Result<EntryReader<'_>> {
        self.open()
    }
}

/// Reads as the tar archive of `entries`, in their order.
pub(super) struct TarStream<'a, E> {
    entries: slice::Iter<'a, E>,
    body: Option<EntryReader<'a>>,
    /// Bytes of padding after the body.
    padding: usize,
    /// Headers, padding and the end mark: what comes before anything else.
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<'a, E: TarEntry> TarStream<'a, E> {
    /// The archive of `entries`.
    pub(super) fn new(entries: &'a [E]) -> Self {
        Self {
            entries: entries.iter(),
            body: None,
            padding: 0,
            ready: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// How many bytes all of it has.
    pub(super) fn size(entries: &[E]) -> u64 {
        let entry = |entry: &E| {
            let fields = entry.header();
            header(&fields).len() as u64 + fields.size.next_multiple_of(RECORD as u64)
        };
        entries.iter().map(entry).sum::<u64>() + 2 * RECORD as u64
    }

    fn take_ready(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.ready.len() - self.given);
        buffer[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        count
    }

    /// Prepares the next header or, after the last entry, the end mark.
    fn advance(&mut self) -> io::Result<()> {
        self.given = 0;
        if let Some(entry) = self.entries.next() {
            let fields = entry.header();
            self.ready = header(&fields);
            self.padding = padding(fields.size);
            self.body = Some(entry.open()?);
        } else {
            self.ready = vec![0; 2 * RECORD];
            self.ended = true;
        }
        Ok(())
    }
}

impl<E: TarEntry> Read for TarStream<'_, E> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let ready = self.take_ready(buffer);
            if ready > 0 {
                return Ok(ready);
            }
            if let Some(body) = &mut self.body {
                let read = body.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                self.body = None;
                self.ready.clear();
                self.ready.resize(self.padding, 0);
                self.given = 0;
            } else if self.ended {
                return Ok(0);
            } else {
                self.advance()?;
            }
        }
    }
}

fn padding(size: u64) -> usize {
    (size.next_multiple_of(RECORD as u64) - size) as usize
}

/// The header of an entry, preceded by a pax header if its name or its target is too long for ustar.
fn header(fields: &HeaderFields<'_>) -> Vec<u8> {
    let name = match fields.kind {
        EntryType::Directory => format!("{}/", fields.name),
        _ => fields.name.to_owned(),
    };
    let mut header = blank(fields);
    let fits = header.set_path(&name).is_ok();
    let link_fits = fields.link.is_none_or(|link| header.set_link_name_literal(link).is_ok());
    if fits && link_fits {
        header.set_cksum();
        return header.as_bytes().to_vec();
    }
    let mut record = if fits { String::new() } else { pax_record("path", &name) };
    if let Some(link) = fields.link.filter(|_| !link_fits) {
        record += &pax_record("linkpath", link);
    }
    let size = record.len() as u64;
    let pax =
        HeaderFields { kind: EntryType::XHeader, mode: 0o644, size, owner: (0, 0), ..*fields };
    let mut pax = blank(&pax);
    // Readers that know no pax see these names; they fit, so setting them cannot fail.
    let shown = [(&mut pax, "pax", true), (&mut header, "long-name", !fits)];
    for (header, name, _) in shown.into_iter().filter(|(.., is_set)| *is_set) {
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    }
    pax.set_cksum();
    header.set_cksum();
    let mut bytes = pax.as_bytes().to_vec();
    bytes.extend(record.as_bytes());
    bytes.resize(bytes.len() + padding(record.len() as u64), 0);
    bytes.extend(header.as_bytes());
    bytes
}

fn blank(fields: &HeaderFields<'_>) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(fields.kind);
    header.set_mode(fields.mode);
    header.set_uid(u64::from(fields.owner.0));
    header.set_gid(u64::from(fields.owner.1));
    header.set_mtime(fields.mtime);
    header.set_size(fields.size);
    header
}

/// A record of a pax header: its own length in decimal, a space, `key=value`, a line feed.
pub(super) fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

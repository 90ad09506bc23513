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

/// Reads as the tar archive of `entries`, in their order.
pub(super) struct TarStream<'a> {
    entries: slice::Iter<'a, Measured<'a>>,
    body: Option<EntryReader<'a>>,
    /// Bytes of padding after the body.
    padding: usize,
    /// Headers, padding and the end mark: what comes before anything else.
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<'a> TarStream<'a> {
    /// The archive of `entries`.
    pub(super) fn new(entries: &'a [Measured<'a>]) -> Self {
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
    pub(super) fn size(entries: &[Measured<'_>]) -> u64 {
        let entry = |entry: &Measured<'_>| {
            header(entry).len() as u64 + entry.size.next_multiple_of(RECORD as u64)
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
            self.ready = header(entry);
            self.padding = padding(entry.size);
            self.body = Some(entry.open()?);
        } else {
            self.ready = vec![0; 2 * RECORD];
            self.ended = true;
        }
        Ok(())
    }
}

impl Read for TarStream<'_> {
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

/// The header of `entry`, preceded by a pax header if its name is too long for ustar.
fn header(entry: &Measured<'_>) -> Vec<u8> {
    let name = entry.entry.name.as_str();
    let mut header = blank(EntryType::Regular, entry.mode(), entry.size);
    if header.set_path(name).is_ok() {
        header.set_cksum();
        return header.as_bytes().to_vec();
    }
    let record = pax_record("path", name);
    let mut pax = blank(EntryType::XHeader, 0o644, record.len() as u64);
    // Readers that know no pax see these names; they fit, so setting them cannot fail.
    for (header, name) in [(&mut pax, "pax"), (&mut header, "long-name")] {
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
    }
    let mut bytes = pax.as_bytes().to_vec();
    bytes.extend(record.as_bytes());
    bytes.resize(bytes.len() + padding(record.len() as u64), 0);
    bytes.extend(header.as_bytes());
    bytes
}

fn blank(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MTIME);
    header.set_size(size);
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

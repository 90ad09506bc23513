//! What loads a program: a statically linked one needs nothing, another one the loader that its header
//! names (System V ABI, program header `PT_INTERP`). And the sections of a program, by their names.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// The type of the program header that names a loader.
const PT_INTERP: u32 = 3;

/// The path of the loader that the program in `file` needs, if it is an ELF program that needs one.
///
/// # Errors
/// If the file cannot be read.
pub fn interpreter(file: &mut File) -> io::Result<Option<String>> {
    let mut header = [0; 64];
    let read = read_some(file, &mut header)?;
    let Some(elf) = Elf::read(&header[..read]) else { return Ok(None) };
    let mut table = vec![0; usize::from(elf.count) * usize::from(elf.entry_bytes)];
    file.seek(SeekFrom::Start(elf.table))?;
    let read = read_some(file, &mut table)?;
    for entry in table[..read].chunks_exact(usize::from(elf.entry_bytes).max(1)) {
        let Some((offset, bytes)) = elf.loader(entry) else { continue };
        let mut path = vec![0; usize::try_from(bytes).unwrap_or(0).min(4096)];
        file.seek(SeekFrom::Start(offset))?;
        let read = read_some(file, &mut path)?;
        let path = path[..read].split(|byte| *byte == 0).next().unwrap_or_default();
        return Ok(Some(String::from_utf8_lossy(path).into_owned()));
    }
    Ok(None)
}

/// The section of the program in `file` that is called `name`, if it is an ELF program that has one of
/// at most `most` bytes.
///
/// # Errors
/// If the file cannot be read.
pub fn section(file: &mut File, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 64];
    file.seek(SeekFrom::Start(0))?;
    let read = read_some(file, &mut header)?;
    let Some(sections) = Elf::read(&header[..read]).and_then(|elf| elf.sections(&header[..read]))
    else {
        return Ok(None);
    };
    let SectionTable { elf, table, entry_bytes, count, names } = sections;
    let bytes = usize::from(entry_bytes) * usize::from(count);
    let table = read_at(file, table, bytes)?;
    let entries: Vec<&[u8]> = table.chunks_exact(usize::from(entry_bytes).max(1)).collect();
    let place = entries.get(usize::from(names)).and_then(|entry| elf.place(entry));
    let Some((offset, size)) = place.filter(|(_, size)| *size <= MOST_OF_NAMES) else {
        return Ok(None);
    };
    let names = read_at(file, offset, usize::try_from(size).unwrap_or(0))?;
    let is_it = |entry: &&&[u8]| {
        let at = entry.get(..4).map(|bytes| elf.number(bytes));
        let text = at.and_then(|at| names.get(usize::try_from(at).ok()?..));
        text.and_then(|text| text.split(|byte| *byte == 0).next()) == Some(name.as_bytes())
    };
    let place = entries.iter().find(is_it).and_then(|entry| elf.place(entry));
    match place.filter(|(_, size)| *size <= most) {
        Some((offset, size)) => read_at(file, offset, usize::try_from(size).unwrap_or(0)).map(Some),
        None => Ok(None),
    }
}

/// As many as there are of the `bytes` at `offset`.
fn read_at(file: &mut File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut found = vec![0; bytes];
    file.seek(SeekFrom::Start(offset))?;
    let read = read_some(file, &mut found)?;
    found.truncate(read);
    Ok(found)
}

/// Reads as much as there is room for.
fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The most that the names of sections have, in bytes.
const MOST_OF_NAMES: u64 = 1 << 20;

/// Where the table of sections is, and which of them holds the names.
struct SectionTable {
    elf: Elf,
    table: u64,
    entry_bytes: u16,
    count: u16,
    names: u16,
}

/// Where the table of program headers is.
struct Elf {
    is_wide: bool,
    is_big_endian: bool,
    table: u64,
    entry_bytes: u16,
    count: u16,
}

impl Elf {
    fn read(header: &[u8]) -> Option<Self> {
        if !header.starts_with(&[0x7f, b'E', b'L', b'F']) {
            return None;
        }
        let (is_wide, is_big_endian) = (*header.get(4)? == 2, *header.get(5)? == 2);
        let mut elf = Self { is_wide, is_big_endian, table: 0, entry_bytes: 0, count: 0 };
        let (table, sizes) = if is_wide { (32, 54) } else { (28, 42) };
        elf.table = elf.word(header, table)?;
        elf.entry_bytes = u16::try_from(elf.number(header.get(sizes..sizes + 2)?)).ok()?;
        elf.count = u16::try_from(elf.number(header.get(sizes + 2..sizes + 4)?)).ok()?;
        Some(elf)
    }

    /// Offset and size of the loader's path, if `entry` is the program header that names it.
    fn loader(&self, entry: &[u8]) -> Option<(u64, u64)> {
        let kind = self.number(entry.get(..4)?);
        let (offset, size) = if self.is_wide { (8, 32) } else { (4, 16) };
        let place = (self.word(entry, offset)?, self.word(entry, size)?);
        (kind == u64::from(PT_INTERP)).then_some(place)
    }

    /// Where the sections are, as `header` says.
    fn sections(self, header: &[u8]) -> Option<SectionTable> {
        let (table, sizes) = if self.is_wide { (40, 58) } else { (32, 46) };
        let table = self.word(header, table)?;
        let half = |at: usize| u16::try_from(self.number(header.get(at..at + 2)?)).ok();
        let (entry_bytes, count, names) = (half(sizes)?, half(sizes + 2)?, half(sizes + 4)?);
        Some(SectionTable { elf: self, table, entry_bytes, count, names })
    }

    /// Offset and size of the section whose header is `entry`.
    fn place(&self, entry: &[u8]) -> Option<(u64, u64)> {
        let (offset, size) = if self.is_wide { (24, 32) } else { (16, 20) };
        Some((self.word(entry, offset)?, self.word(entry, size)?))
    }

    /// The address or size at `at`.
    fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let length = if self.is_wide { 8 } else { 4 };
        Some(self.number(bytes.get(at..at + length)?))
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match self.is_big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn written(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn the_loader_of_a_program_is_read() {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[32], bytes[54], bytes[56]) = (64, 56, 1);
        (bytes[64], bytes[72], bytes[96]) = (3, 120, 28);
        bytes.extend(b"/lib64/ld-linux-x86-64.so.2\0");
        let found = interpreter(&mut written(&bytes)).unwrap();
        assert_eq!(found.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        for end in 0..bytes.len() {
            let _ = interpreter(&mut written(&bytes[..end])).unwrap();
        }
        assert_eq!(interpreter(&mut written(b"#!/bin/sh\n")).unwrap(), None);
    }
}

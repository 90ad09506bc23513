//! What loads a program: a statically linked one needs nothing, another one the loader that its header
//! names (System V ABI, program header `PT_INTERP`).

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

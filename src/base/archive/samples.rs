//! Archives made by hand for the tests: what no honest program would write.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::{
    pack::{Contents, FileToPack, pack},
    unpack::{Unpacked, Unpacker},
};
use crate::model::{Compression, Fault};

/// A tar archive, entry by entry, with any name and kind.
#[derive(Clone, Default)]
pub(super) struct Tar(pub(super) Vec<u8>);

impl Tar {
    pub(super) fn file(self, name: &str, contents: &[u8]) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), b"", contents)
    }

    pub(super) fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        self.entry(kind, name.as_bytes(), target.as_bytes(), b"")
    }

    pub(super) fn entry(
        self,
        kind: EntryType,
        name: &[u8],
        target: &[u8],
        contents: &[u8],
    ) -> Self {
        self.sized(kind, name, target, contents.len() as u64, contents)
    }

    /// An entry whose header says another size than its contents have.
    pub(super) fn sized(
        mut self,
        kind: EntryType,
        name: &[u8],
        target: &[u8],
        size: u64,
        contents: &[u8],
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o6755);
        header.set_mtime(1_000_000_000);
        header.set_size(size);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        old.linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// With the mark at its end.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// `bytes` as one gzip member, as other programs write it.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An entry with contents in memory.
pub(super) fn entry(name: &str, contents: impl Into<Vec<u8>>, executable: bool) -> FileToPack {
    FileToPack { name: name.to_owned(), contents: Contents::Bytes(contents.into()), executable }
}

/// The archive that [`pack`] makes of `entries`.
pub(super) fn packed(entries: &[FileToPack], compression: Compression) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    pack(entries, &path, compression).unwrap();
    fs::read(path).unwrap()
}

/// Bytes that compress as programs do: somewhat.
pub(super) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend((state & 0x1f0f_073f_1f0f_073f).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Unpacks `bytes` into the folder `out` below `parent`.
pub(super) fn unpack_into(
    unpacker: &Unpacker,
    bytes: &[u8],
    parent: &Path,
) -> Result<Unpacked, Fault> {
    unpacker.unpack(bytes, &parent.join("out"))
}

/// Why `bytes` are not unpacked, after checking that nothing came to be outside the folder.
pub(super) fn refusal(unpacker: &Unpacker, bytes: &[u8]) -> Fault {
    let parent = tempfile::tempdir().unwrap();
    let fault = unpack_into(unpacker, bytes, parent.path()).unwrap_err();
    let names: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "out"), "{names:?}");
    fault
}

/// A reader that hands out `step` bytes at a time.
pub(super) struct Dribble<'a>(pub(super) &'a [u8], pub(super) usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

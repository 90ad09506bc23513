//! Layers of images: tar.gz with folders, owners and modes, and the digest of the tar within, which
//! configurations of images name (OCI image specification 1.1, `layer.md` and `config.md`).

use std::{
    io::{self, BufRead, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{
    contents::{EntryReader, Measured},
    gzip_writer,
    hash::{Hasher, HashingWriter},
    pack::{FileToPack, create},
    tar_writer::{HeaderFields, TarEntry, TarStream},
};
use crate::model::{Fault, Sha256};

/// What is in a layer: a file, a folder or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// Its name, relative to the root of the image, and what it holds; of folders and links, nothing.
    pub file: FileToPack,
    /// What it is.
    pub kind: LayerEntryKind,
    /// Its permissions.
    pub mode: u32,
    /// The user and the group whose it is.
    pub owner: (u32, u32),
}

/// What an entry of a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerEntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link to this target.
    Link(String),
}

/// A layer that was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedLayer {
    /// The digest of the packed layer: what manifests name.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of the tar in it: what configurations name.
    pub diff_id: Sha256,
}

/// Packs `entries`, in their order, into `destination`. All have the time `mtime`, in seconds since 1970.
///
/// # Errors
/// A file that cannot be read or that changes while it is packed, a full disk.
pub fn pack_layer(
    entries: &[LayerEntry],
    destination: &Path,
    mtime: u64,
) -> Result<PackedLayer, Fault> {
    let mut measured = Vec::with_capacity(entries.len());
    for entry in entries {
        measured.push(MeasuredEntry { content: Measured::measure(&entry.file)?, entry, mtime });
    }
    let entries = measured;
    let write = || -> io::Result<PackedLayer> {
        let mut output = HashingWriter::new(create(destination)?);
        let size = TarStream::size(&entries);
        let mut tar = HashingReader { reader: TarStream::new(&entries), hasher: Hasher::new() };
        gzip_writer::write(&mut tar, size, &mut output)?;
        let (sha256, size) = output.finish();
        Ok(PackedLayer { sha256, size, diff_id: tar.hasher.finish() })
    };
    write().map_err(|error| match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) => Fault::io(format!("cannot write {}", destination.display()), &error),
    })
}

/// What is in a packed layer: the name of each entry, without `/` at its ends, and of a symbolic link where
/// it leads.
///
/// # Errors
/// If it cannot be read, or is not a layer.
pub fn list_layer(mut packed: impl BufRead) -> io::Result<Vec<(String, Option<String>)>> {
    let start = packed.fill_buf()?;
    let (is_gzip, is_zstd) =
        (start.starts_with(b"\x1f\x8b"), start.starts_with(b"\x28\xb5\x2f\xfd"));
    let tar: Box<dyn Read + '_> = match (is_gzip, is_zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(packed)),
        (_, true) => Box::new(zstd::Decoder::with_buffer(packed)?),
        _ => Box::new(packed),
    };
    let mut listed = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let entry = entry?;
        let plain = |path: &Path| {
            path.to_string_lossy().trim_start_matches("./").trim_matches('/').to_owned()
        };
        let target = match entry.header().entry_type() {
            EntryType::Symlink => entry.link_name()?.map(|it| it.to_string_lossy().into_owned()),
            _ => None,
        };
        listed.push((plain(&entry.path()?), target));
    }
    Ok(listed)
}

struct MeasuredEntry<'a> {
    content: Measured<'a>,
    entry: &'a LayerEntry,
    mtime: u64,
}

impl TarEntry for MeasuredEntry<'_> {
    fn header(&self) -> HeaderFields<'_> {
        let (kind, link) = match &self.entry.kind {
            LayerEntryKind::File => (EntryType::Regular, None),
            LayerEntryKind::Folder => (EntryType::Directory, None),
            LayerEntryKind::Link(target) => (EntryType::Symlink, Some(target.as_str())),
        };
        HeaderFields {
            name: &self.entry.file.name,
            kind,
            link,
            mode: self.entry.mode,
            owner: self.entry.owner,
            mtime: self.mtime,
            size: self.content.size,
        }
    }

    fn open(&self) -> io::Result<EntryReader<'_>> {
        self.content.open()
    }
}

/// Hashes what is read through it.
struct HashingReader<R> {
    reader: R,
    hasher: Hasher,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::Contents;

    fn entry(name: &str, kind: LayerEntryKind, bytes: &[u8]) -> LayerEntry {
        let contents = Contents::Bytes(bytes.to_vec());
        let file = FileToPack { name: name.into(), contents, executable: false };
        LayerEntry { file, kind, mode: 0o750, owner: (65532, 7) }
    }

    #[test]
    fn a_layer_has_folders_owners_and_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let long = "d".repeat(150);
        let entries = [
            entry("etc", LayerEntryKind::Folder, b""),
            entry("etc/a", LayerEntryKind::File, b"text"),
            entry(&format!("etc/{long}"), LayerEntryKind::Folder, b""),
            entry("etc/b", LayerEntryKind::Link("a".into()), b""),
            entry("etc/c", LayerEntryKind::Link(format!("{long}/a")), b""),
        ];
        let path = folder.path().join("layer");
        let packed = pack_layer(&entries, &path, 1_000).unwrap();
        assert_eq!(packed, pack_layer(&entries, &path, 1_000).unwrap());
        let bytes = fs::read(&path).unwrap();
        let mut tar = Vec::new();
        MultiGzDecoder::new(&bytes[..]).read_to_end(&mut tar).unwrap();
        let digest = |bytes: &[u8]| {
            let mut hasher = Hasher::new();
            hasher.update(bytes);
            hasher.finish()
        };
        assert_eq!((digest(&bytes), digest(&tar)), (packed.sha256, packed.diff_id));
        assert_eq!(bytes.len() as u64, packed.size);
        let mut archive = tar::Archive::new(&tar[..]);
        let mut seen = Vec::new();
        for found in archive.entries().unwrap() {
            let found = found.unwrap();
            let header = found.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (65532, 7));
            assert_eq!((header.mtime().unwrap(), header.mode().unwrap()), (1_000, 0o750));
            let link = found.link_name().unwrap().map(|link| link.display().to_string());
            seen.push((found.path().unwrap().display().to_string(), link));
        }
        let expected = [
            ("etc/".to_owned(), None),
            ("etc/a".to_owned(), None),
            (format!("etc/{long}/"), None),
            ("etc/b".to_owned(), Some("a".to_owned())),
            ("etc/c".to_owned(), Some(format!("{long}/a"))),
        ];
        assert_eq!(seen, expected);
    }
}

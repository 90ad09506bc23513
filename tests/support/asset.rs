//! Assets and archives made by hand, right or wrong in any way.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use tar::{EntryType, Header};

/// The SHA-256 of some bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The first bytes of an ELF program for arm64, which is all that a header check reads.
pub fn elf_for_arm64() -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    bytes.resize(18, 0);
    bytes.extend(183u16.to_le_bytes());
    bytes.resize(64, 0);
    bytes
}

/// A tar archive in the making.
pub struct Asset {
    tar: Vec<u8>,
}

impl Asset {
    /// Without entries.
    pub fn new() -> Self {
        Self { tar: Vec::new() }
    }

    /// The entries of a packed asset, as they are.
    pub fn read(path: &Path) -> Self {
        let mut tar = Vec::new();
        let file = fs::File::open(path).expect("the asset");
        MultiGzDecoder::new(file).read_to_end(&mut tar).expect("gzip");
        let mut asset = Self::new();
        for entry in tar::Archive::new(&tar[..]).entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            let name = entry.path().expect("its path").display().to_string();
            asset = asset.file(&name, &bytes);
        }
        asset
    }

    /// The stamp of a packed asset.
    pub fn stamp_of(path: &Path) -> String {
        let mut tar = Vec::new();
        let file = fs::File::open(path).expect("the asset");
        MultiGzDecoder::new(file).read_to_end(&mut tar).expect("gzip");
        let mut text = String::new();
        let mut archive = tar::Archive::new(&tar[..]);
        let mut stamp = archive.entries().expect("a tar").next().expect("an entry").expect("good");
        assert_eq!(stamp.path().expect("its path").as_os_str(), ".version");
        stamp.read_to_string(&mut text).expect("text");
        text
    }

    /// With a file that can be executed.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.entry(name, EntryType::Regular, "", bytes)
    }

    /// With an entry of any kind. The name goes in as it is, whatever it is.
    pub fn entry(mut self, name: &str, kind: EntryType, link: &str, bytes: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(0o755);
        header.set_mtime(0);
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        if kind == EntryType::Char {
            header.set_device_major(1).expect("a device");
            header.set_device_minor(3).expect("a device");
        }
        header.set_cksum();
        self.tar.extend_from_slice(header.as_bytes());
        self.tar.extend_from_slice(bytes);
        self.tar.resize(self.tar.len().next_multiple_of(512), 0);
        self
    }

    /// As a plain tar.
    pub fn plain(mut self) -> Vec<u8> {
        self.tar.resize(self.tar.len() + 1024, 0);
        self.tar
    }

    /// Packed as tar.gz.
    pub fn gz(mut self) -> Vec<u8> {
        self.tar.resize(self.tar.len() + 1024, 0);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&self.tar).expect("memory");
        gzip.finish().expect("memory")
    }

    /// Packed as tar.gz, and ending in one file of this many zeroes.
    pub fn gz_with_zeroes(mut self, name: &str, size: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_path(name).expect("a name");
        header.set_mode(0o755);
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_cksum();
        self.tar.extend_from_slice(header.as_bytes());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&self.tar).expect("memory");
        let mut bytes = gzip.finish().expect("memory");
        // Gzip members may follow each other: one is compressed and repeated.
        let chunk = vec![0u8; 64 << 20];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&chunk).expect("memory");
        let member = gzip.finish().expect("memory");
        for _ in 0..size.div_ceil(chunk.len() as u64) {
            bytes.extend_from_slice(&member);
        }
        bytes
    }
}

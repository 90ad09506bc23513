//! Unpacking: a stream in, files out, everything hashed on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
    thread,
};

use super::{
    decoder::{Decoder, damaged},
    destination::Destination,
    input::Input,
    stream::Stream,
    tar_reader, zip_reader,
};
use crate::model::{Algorithm, Digest, Fault, Header, Kind, Sha256, read_header};

/// How an archive is to be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacker {
    /// What messages call the archive: its URL or file name.
    pub label: String,
    /// The name under which a bare program is stored (what came is the program itself, not
    /// an archive of it). Without a name a bare program is refused.
    pub program: Option<String>,
    /// How many leading parts of each entry's name are dropped; entries that have no more
    /// parts than that are skipped.
    pub strip: usize,
    /// The names (after `strip`) to keep; all if absent. What is not kept is checked and
    /// counted all the same, but not written.
    pub only: Option<BTreeSet<String>>,
    /// By which algorithm the packed bytes are digested, beside SHA-256.
    pub algorithm: Algorithm,
    /// Whether files get the modification times that the archive says. Builds with `make`
    /// want that of their sources; nothing else does.
    pub keep_times: bool,
    /// How much an archive may hold.
    pub limits: Limits,
}

/// How much an archive may hold: what would be more is a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all, unpacked.
    pub bytes: u64,
    /// Entries of all types.
    pub entries: u64,
}

/// What came out of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The digest of the packed bytes.
    pub sha256: Sha256,
    /// The digest of the packed bytes by [`Unpacker::algorithm`].
    pub digest: Digest,
    /// How many packed bytes there were.
    pub size: u64,
    /// Every regular file that was written, by its path in the folder (parts separated by `/`).
    pub files: BTreeMap<String, UnpackedFile>,
    /// Every symbolic link that was made, with its target.
    pub links: BTreeMap<String, String>,
    /// Names of files and links that were not kept, the first [`Unpacked::NAMED`] of them:
    /// what to suggest when a wanted one is missing.
    pub skipped: Vec<String>,
}

/// One unpacked file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackedFile {
    /// The digest of its contents.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// Whether it is executable.
    pub executable: bool,
}

impl Unpacker {
    /// Keeps everything, under the default limits.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            program: None,
            strip: 0,
            only: None,
            algorithm: Algorithm::Sha256,
            keep_times: false,
            limits: Limits::default(),
        }
    }

    /// Reads an archive (tar.gz, tar.zst, tar or zip; told by its bytes, not by its name) or a
    /// bare program from `reader` to the end and unpacks it into `folder`, which is created.
    ///
    /// The digest of the packed bytes is known only at the end, so `folder` must be a fresh
    /// staging folder: the caller compares the digest and then renames or deletes it, and
    /// deletes it after an error. Blocks while `reader` does; a large archive
    /// takes a second thread, and no archive takes more than a few MiB of memory.
    ///
    /// # Errors
    /// `Verification` if the bytes are damaged, incomplete, hostile or no archive at all;
    /// what `reader` says if it fails (a [`Fault`] in an [`std::io::Error`] comes out as it
    /// was); `Failed` if the files cannot be written.
    pub fn unpack(&self, reader: impl Read + Send, folder: &Path) -> Result<Unpacked, Fault> {
        let mut input = Input::new(reader, self.algorithm);
        let start = match input.peek(START) {
            Ok(start) => start.to_vec(),
            Err(error) => {
                let fault = input.take_failure(&self.label);
                return Err(fault.unwrap_or_else(|| damaged(&self.label, error.to_string())));
            }
        };
        let decoder = match Format::of(&start) {
            Format::Gzip => Decoder::gzip(input, &self.label),
            Format::Zstd => Decoder::zstd(input, &self.label)?,
            Format::Plain => Decoder::plain(input, &self.label),
            Format::Zip => return zip_reader::unpack(input, self, folder),
            Format::Unknown(what) => return Err(self.no_archive(what)),
        };
        thread::scope(|scope| {
            let mut stream = Stream::new(scope, decoder, &self.label, self.limits.bytes);
            let mut destination = Destination::new(self, folder)?;
            if tar_reader::is_tar(stream.fill()?) {
                tar_reader::unpack(&mut stream, &mut destination, self)?;
            } else {
                self.store_program(&mut stream, &mut destination)?;
            }
            Ok(destination.unpacked(stream.finish()?))
        })
    }

    /// Stores what is no archive but the program itself.
    fn store_program<'env, R: Read + Send + 'env>(
        &self,
        stream: &mut Stream<'_, 'env, R>,
        destination: &mut Destination<'_>,
    ) -> Result<(), Fault> {
        match read_header(stream.fill()?) {
            Header::Script | Header::Program(_) => {}
            Header::Other(what) => return Err(self.no_archive(what)),
        }
        let Some(name) = &self.program else {
            return Err(self.no_archive("a program, not an archive of one"));
        };
        let mut file = destination.program(name)?;
        loop {
            let bytes = stream.fill()?;
            if bytes.is_empty() {
                return destination.finish(file, None);
            }
            file.write(bytes)?;
            let count = bytes.len();
            stream.take(count);
        }
    }

    fn no_archive(&self, what: &str) -> Fault {
        Fault::new(Kind::Verification, format!("{} is nothing that forge can unpack", self.label))
            .because(format!("it is {what}"))
            .hint("forge unpacks tar.gz, tar.zst, tar and zip, and takes a program as it is; check the URL")
    }
}

/// How many first bytes of a stream tell what it is.
const START: usize = 512;

/// What the first bytes of a stream announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Gzip,
    Zstd,
    Zip,
    /// A tar archive or a program, as it is.
    Plain,
    Unknown(&'static str),
}

impl Format {
    fn of(start: &[u8]) -> Self {
        match start {
            [] => Self::Unknown("empty"),
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // An archive without entries has nothing but the end record.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Unknown("an xz archive"),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Unknown("a bzip2 archive"),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Self::Unknown("a 7-Zip archive"),
            _ if tar_reader::is_tar(start) => Self::Plain,
            _ => match read_header(start) {
                Header::Script | Header::Program(_) => Self::Plain,
                Header::Other(what) => Self::Unknown(what),
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 30, entries: 100_000 }
    }
}

impl Unpacked {
    /// How many names [`Unpacked::skipped`] holds at most.
    pub const NAMED: usize = 100;
}

#[cfg(test)]
mod tests;

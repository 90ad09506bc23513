//! Unpacking: a stream in, files out, everything hashed on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek},
    path::Path,
    thread,
};

use super::{
    decoder::{Decoder, damaged},
    destination::{Destination, Settled},
    input::{Input, PackedBytes},
    stream::ArchiveStream,
    streams::Codec,
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
    /// What of it is kept.
    pub keep: EntryPolicy,
    /// By which algorithm the packed bytes are digested, beside SHA-256.
    pub algorithm: Algorithm,
    /// Whether files get the modification times that the archive says. Builds with `make`
    /// want that of their sources; nothing else does.
    pub keep_times: bool,
    /// How much an archive may hold.
    pub limits: UnpackLimits,
}

/// What of an archive is kept, and what is done about entries that forge does not unpack: links
/// that lead out, devices, names that are no paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPolicy {
    /// Everything, as forge itself packs it: an odd entry, or one that is there twice, and the
    /// archive is refused.
    Everything,
    /// Everything that can be unpacked safely, as tar would; what cannot be is left out
    /// ([`Unpacked::left_out`]).
    Possible,
    /// These paths (after `strip`), and what they lead to if they are links. Other entries do
    /// no harm, whatever they are, for nothing of them is written.
    Only(BTreeSet<String>),
}

/// How much an archive may hold: what would be more is a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
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
    /// With [`EntryPolicy::Possible`], the entries that were left out, the first [`Unpacked::NAMED`] of
    /// them, and why, as the end of a sentence.
    pub left_out: Vec<(String, String)>,
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
            keep: EntryPolicy::Everything,
            algorithm: Algorithm::Sha256,
            keep_times: false,
            limits: UnpackLimits::default(),
        }
    }

    /// Reads an archive (tar, also in gzip, zstd, xz, bzip2, lzma or lzip, or zip; told by its
    /// bytes, not by its name) or a program, bare or compressed, from `reader` to the end and unpacks it into `folder`, which is created.
    ///
    /// The digest of the packed bytes is known only at the end, so `folder` must be a fresh
    /// staging folder: the caller compares the digest and then renames or deletes it, and
    /// deletes it after an error. Blocks while `reader` does; a large archive takes a second
    /// thread. It takes a few MiB of memory and what the compression wants: 64 MiB at the highest
    /// level of xz, and never more than 512 MiB.
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
        let format = DetectedFormat::detect(&start);
        if let DetectedFormat::Unknown(what) = format {
            return Err(self.no_archive(what));
        }
        let destination = Destination::new(self, folder)?;
        if format == DetectedFormat::Zip {
            return zip_reader::unpack(input, destination, self, folder);
        }
        let spool = self.spool(&mut input, folder)?;
        let (destination, packed) = self.pass(format, input, destination)?;
        let destination = match (destination.settle()?, spool) {
            (Settled::Again(destination), Some(mut spool)) => {
                spool.rewind().map_err(|error| self.not_spooled(&error))?;
                let input = Input::new(spool, Algorithm::Sha256);
                let (destination, _) = self.pass(format, input, destination)?;
                destination.settle()?
            }
            (settled, _) => settled,
        };
        let (Settled::Done(destination) | Settled::Again(destination)) = destination;
        Ok(destination.unpacked(packed))
    }

    /// Where only some paths are wanted, and these may turn out to be links to entries that
    /// have gone by, what comes in is kept in an unnamed file.
    fn spool<R: Read>(&self, input: &mut Input<R>, folder: &Path) -> Result<Option<File>, Fault> {
        if !matches!(self.keep, EntryPolicy::Only(_)) {
            return Ok(None);
        }
        let file = tempfile::tempfile_in(folder).and_then(|file| Ok((file.try_clone()?, file)));
        let (copy, file) = file.map_err(|error| self.not_spooled(&error))?;
        input.copy_to(copy).map_err(|error| self.not_spooled(&error))?;
        Ok(Some(file))
    }

    fn not_spooled(&self, error: &std::io::Error) -> Fault {
        Fault::io(format!("cannot spool {}", self.label), error)
    }

    /// Passes once over all of `input`.
    fn pass<'a, R: Read + Send>(
        &'a self,
        format: DetectedFormat,
        input: Input<R>,
        mut destination: Destination<'a>,
    ) -> Result<(Destination<'a>, PackedBytes), Fault> {
        let decoder = match format {
            DetectedFormat::Streams(Codec::Gzip) => Decoder::gzip(input, &self.label),
            DetectedFormat::Streams(codec) => Decoder::streams(codec, input, &self.label)?,
            DetectedFormat::Plain | DetectedFormat::Zip | DetectedFormat::Unknown(_) => {
                Decoder::plain(input, &self.label)
            }
        };
        thread::scope(|scope| {
            let mut stream = ArchiveStream::new(scope, decoder, &self.label, self.limits.bytes);
            if tar_reader::is_tar(stream.fill()?) {
                tar_reader::unpack(&mut stream, &mut destination, self)?;
            } else {
                self.store_program(&mut stream, &mut destination)?;
            }
            Ok((destination, stream.finish()?))
        })
    }

    /// Stores what is no archive but the program itself.
    fn store_program<'env, R: Read + Send + 'env>(
        &self,
        stream: &mut ArchiveStream<'_, 'env, R>,
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
            .hint("forge unpacks tar (plain, or in gzip, zstd, xz, bzip2, lzma or lzip) and zip, and takes a program as it is; check the URL")
    }
}

/// How many first bytes of a stream tell what it is.
const START: usize = 512;

/// What the first bytes of a stream announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DetectedFormat {
    Streams(Codec),
    Zip,
    /// A tar archive or a program, as it is.
    Plain,
    Unknown(&'static str),
}

impl DetectedFormat {
    fn detect(start: &[u8]) -> Self {
        match start {
            [] => return Self::Unknown("empty"),
            // An archive without entries has nothing but the end record.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Self::Zip,
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => return Self::Unknown("a 7-Zip archive"),
            [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => return Self::Unknown("a RAR archive"),
            [0x1f, 0x9d, ..] => return Self::Unknown("compressed with `compress` (.Z)"),
            _ if tar_reader::is_tar(start) => return Self::Plain,
            _ => {}
        }
        match (Codec::detect(start), read_header(start)) {
            (Some(codec), _) => Self::Streams(codec),
            (None, Header::Script | Header::Program(_)) => Self::Plain,
            (None, Header::Other(what)) => Self::Unknown(what),
        }
    }
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 8 << 30, entries: 250_000 }
    }
}

impl Unpacked {
    /// How many names [`Unpacked::skipped`] holds at most.
    pub const NAMED: usize = 100;
}

#[cfg(test)]
mod foreign;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wanted;
#[cfg(test)]
mod zips;

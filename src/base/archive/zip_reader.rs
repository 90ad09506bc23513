//! Unpacks zip archives.
//!
//! A zip's table of contents stands at its end, so the archive is first spooled to an
//! unnamed temporary file, hashed on the way, and then read from there.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
};

use flate2::Crc;

use super::{
    decoder::damaged,
    destination::{Destination, Entered, Settled},
    input::{Input, PackedBytes},
    objection::Objection,
    stream::too_large,
    streams::WINDOW_LOG,
    unpack::{Unpacked, Unpacker},
    zip_directory::{self, ZipEntry},
};
use crate::model::{Fault, HEADER_BYTES, Header, read_header};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// Longest target of a symbolic link, in bytes.
const LONGEST_LINK: u64 = 4096;

/// Unpacks the zip archive that `input` holds into `folder`, which is that of `destination`.
pub(super) fn unpack<'a, R: Read>(
    input: Input<R>,
    destination: Destination<'a>,
    unpacker: &'a Unpacker,
    folder: &Path,
) -> Result<Unpacked, Fault> {
    let (mut file, packed) = spool(input, unpacker, folder)?;
    let entries = zip_directory::read(&mut file, unpacker)?;
    let mut zip = Zip { file, unpacker, left: unpacker.limits.bytes };
    let mut destination = zip.pass(&entries, destination)?;
    if let Settled::Again(again) = destination {
        destination = zip.pass(&entries, again)?;
    }
    match destination {
        Settled::Done(destination) | Settled::Again(destination) => {
            Ok(destination.unpacked(packed))
        }
    }
}

fn spool<R: Read>(
    mut input: Input<R>,
    unpacker: &Unpacker,
    folder: &Path,
) -> Result<(File, PackedBytes), Fault> {
    let what = || format!("cannot spool {} in {}", unpacker.label, folder.display());
    let mut file = tempfile::tempfile_in(folder).map_err(|error| Fault::io(what(), &error))?;
    let mut chunk = vec![0; CHUNK];
    let mut spooled = 0;
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                let fault = input.take_failure(&unpacker.label);
                return Err(fault.unwrap_or_else(|| damaged(&unpacker.label, error.to_string())));
            }
        };
        spooled += read as u64;
        if spooled > unpacker.limits.bytes {
            return Err(too_large(&unpacker.label, unpacker.limits.bytes));
        }
        file.write_all(&chunk[..read]).map_err(|error| Fault::io(what(), &error))?;
    }
    Ok((file, input.finish()))
}

/// A zip archive whose table was read.
struct Zip<'a> {
    file: File,
    unpacker: &'a Unpacker,
    /// How many bytes may still come out.
    left: u64,
}

impl Zip<'_> {
    /// Passes once over all entries.
    fn pass<'d>(
        &mut self,
        entries: &[ZipEntry],
        mut destination: Destination<'d>,
    ) -> Result<Settled<'d>, Fault> {
        // What will not fit is told before anything is written.
        let all = entries.iter().fold(0_u64, |all, entry| all.saturating_add(entry.size));
        if destination.keeps_all() && all > self.left {
            return Err(too_large(&self.unpacker.label, self.unpacker.limits.bytes));
        }
        for entry in entries {
            if let Some(entered) = destination.enter(&entry.name)? {
                self.place(entry, &entered, &mut destination)?;
            }
        }
        destination.settle()
    }

    fn place(
        &mut self,
        entry: &ZipEntry,
        entered: &Entered,
        destination: &mut Destination<'_>,
    ) -> Result<(), Fault> {
        if entry.has_other_twin {
            let objection = Objection::ambiguous("is there twice, with different contents");
            return destination.object_to(entered, objection);
        }
        match entry.mode.unwrap_or(0) & 0o170_000 {
            0o040_000 => destination.folder(entered),
            _ if entry.name.ends_with(b"/") || entry.is_folder => destination.folder(entered),
            0o120_000 if entry.size > LONGEST_LINK => {
                let objection = Objection::unfit("is a link to something that is no name");
                destination.object_to(entered, objection)
            }
            kind => match (cannot_read(entry), kind) {
                (Some(objection), _) => destination.object_to(entered, objection),
                (None, 0o120_000) => {
                    let mut target = Vec::new();
                    self.read(entry, |bytes| {
                        target.extend_from_slice(bytes);
                        Ok(())
                    })?;
                    destination.symlink(entered, &target)
                }
                (None, 0 | 0o100_000) => self.write_file(entry, entered, destination),
                _ => {
                    let objection = Objection::unfit("is neither a file nor a folder nor a link");
                    destination.object_to(entered, objection)
                }
            },
        }
    }

    fn write_file(
        &mut self,
        entry: &ZipEntry,
        entered: &Entered,
        destination: &mut Destination<'_>,
    ) -> Result<(), Fault> {
        let is_marked = entry.mode.is_some_and(|mode| mode & 0o111 != 0);
        // Archives made on Windows know no executable bit; there the file's header tells.
        let is_program = entry.mode.is_none() && destination.takes(entered) && {
            let mut reader = self.open(entry)?;
            let mut start = Vec::new();
            let read = reader.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut start);
            // If this failed, so will reading all of it, which says more.
            read.is_ok() && matches!(read_header(&start), Header::Script | Header::Program(_))
        };
        let Some(mut file) = destination.file(entered, is_marked || is_program)? else {
            return Ok(());
        };
        self.read(entry, |bytes| file.write(bytes))?;
        destination.finish(file, None)
    }

    /// The plain bytes of `entry`.
    fn open(&mut self, entry: &ZipEntry) -> Result<Box<dyn Read + '_>, Fault> {
        let label = &self.unpacker.label;
        let failed = |error: &io::Error| Fault::io(format!("cannot read {label}"), error);
        self.file.seek(SeekFrom::Start(entry.at)).map_err(|error| failed(&error))?;
        let packed = BufReader::with_capacity(CHUNK, &mut self.file).take(entry.packed);
        Ok(match entry.method {
            DEFLATE => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
            DEFLATE64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
            BZIP2 => Box::new(bzip2::bufread::BzDecoder::new(packed)),
            XZ => Box::new(liblzma::bufread::XzDecoder::new_stream(
                packed,
                liblzma::stream::Stream::new_stream_decoder(1 << WINDOW_LOG, 0)
                    .map_err(|error| failed(&error.into()))?,
            )),
            ZSTD => {
                let mut decoder =
                    zstd::Decoder::with_buffer(packed).map_err(|error| failed(&error))?;
                decoder.window_log_max(WINDOW_LOG).map_err(|error| failed(&error))?;
                Box::new(decoder)
            }
            _ => Box::new(packed),
        })
    }

    /// Passes the plain bytes of `entry` to `sink`, and checks that they are what the table says.
    fn read(
        &mut self,
        entry: &ZipEntry,
        mut sink: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (label, most) = (self.unpacker.label.clone(), self.unpacker.limits.bytes);
        self.left = self.left.checked_sub(entry.size).ok_or_else(|| too_large(&label, most))?;
        let name = String::from_utf8_lossy(&entry.name).escape_debug().to_string();
        let mut reader = self.open(entry)?;
        let (mut crc, mut size, mut chunk) = (Crc::new(), 0, vec![0; CHUNK]);
        loop {
            let read = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(damaged(&label, format!("its entry `{name}`: {error}"))),
            };
            size += read as u64;
            if size > entry.size {
                return Err(damaged(&label, format!("its entry `{name}` is larger than it says")));
            }
            crc.update(&chunk[..read]);
            sink(&chunk[..read])?;
        }
        match (size == entry.size, crc.sum() == entry.crc) {
            (true, true) => Ok(()),
            (false, _) => {
                Err(damaged(&label, format!("its entry `{name}` is smaller than it says")))
            }
            (true, false) => {
                Err(damaged(&label, format!("its entry `{name}` does not match its checksum")))
            }
        }
    }
}

/// How entries are compressed (APPNOTE.TXT 4.4.5).
const STORED: u16 = 0;
const DEFLATE: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;
const ZSTD: u16 = 93;
const XZ: u16 = 95;

/// Why forge cannot read `entry`.
fn cannot_read(entry: &ZipEntry) -> Option<Objection> {
    if entry.is_encrypted() {
        return Some(Objection::packed("is encrypted, and forge has no password"));
    }
    let method = match entry.method {
        STORED if entry.packed != entry.size => {
            return Some(Objection::malformed("is stored with two sizes"));
        }
        STORED | DEFLATE | DEFLATE64 | BZIP2 | ZSTD | XZ => return None,
        1 => "Shrink".to_owned(),
        6 => "Implode".to_owned(),
        14 => "LZMA".to_owned(),
        97 => "WavPack".to_owned(),
        98 => "PPMd".to_owned(),
        99 => "AES encryption".to_owned(),
        other => format!("method {other}"),
    };
    let why = format!(
        "is compressed with {method}, which forge does not unpack: deflate, bzip2, zstd and xz it does"
    );
    Some(Objection::packed(why))
}

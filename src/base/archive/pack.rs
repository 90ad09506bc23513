//! Packing: entries in, one archive out, the same bytes every time.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, BufWriter},
    path::{Path, PathBuf},
};

use super::{
    contents::Measured,
    entry_name::EntryName,
    gzip_writer,
    hash::{HashingWriter, hash_file},
    tar_writer::TarStream,
    zip_writer,
};
use crate::{
    disk::Folder,
    model::{Compression, Fault, Kind, Sha256, Stamp},
};

/// The compression level of zstd. Part of the format as far as reproducibility goes:
/// another level makes other bytes.
const ZSTD_LEVEL: i32 = 3;

/// How much is read before it goes to the compressor.
pub(super) const INPUT_BUFFER: usize = 256 << 10;

/// How much compressed output is collected before it is hashed and written.
const OUTPUT_BUFFER: usize = 256 << 10;

/// One file of an archive to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileToPack {
    /// Its name in the archive: relative, parts separated by `/`.
    pub name: String,
    /// What it holds.
    pub contents: Contents,
    /// Whether it is unpacked as an executable (mode 0755, else 0644).
    pub executable: bool,
}

/// Where the bytes of an [`FileToPack`] come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file on disk.
    File(PathBuf),
    /// A file on disk whose bytes must have this digest; they are hashed as they are packed.
    Proven(PathBuf, Sha256),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

/// What became of a packed archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the archive.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Packs `entries` into the archive `destination`, which is created or replaced. Nothing is
/// flushed to disk: how durable the file must be is for the caller to decide. After an error
/// an incomplete `destination` may remain.
///
/// The bytes depend on the names, the contents and the executable bits of the entries only.
/// May be called from any thread, one of rayon's included.
///
/// # Errors
/// A name that could not be unpacked again, a file that cannot be read or that changes
/// while it is packed, a full disk.
pub fn pack(
    entries: &[FileToPack],
    destination: &Path,
    compression: Compression,
) -> Result<Packed, Fault> {
    let entries = arrange(entries)?;
    let write = || -> io::Result<(Sha256, u64)> {
        let file = create(destination)?;
        match compression {
            Compression::TarGz => {
                let mut output = HashingWriter::new(file);
                let size = TarStream::size(&entries);
                gzip_writer::write(&mut TarStream::new(&entries), size, &mut output)?;
                Ok(output.finish())
            }
            Compression::TarZst => write_zstd(&entries, file),
            Compression::Zip => {
                zip_writer::write(&entries, &file)?;
                // A zip writer goes back to fill in sizes, so there is no one pass to hash in.
                hash_file(destination)
            }
        }
    };
    let (sha256, size) = write().map_err(|error| match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) => Fault::io(format!("cannot write {}", destination.display()), &error),
    })?;
    Ok(Packed { sha256, size })
}

/// A new file at `destination`. What is there goes; a link is not followed.
pub(super) fn create(destination: &Path) -> io::Result<File> {
    let folder = Folder::open(destination.parent().unwrap_or(Path::new("/")))?;
    let name = Path::new(destination.file_name().unwrap_or_default());
    match folder.remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => folder.create_new(name, 0o666),
    }
}

/// Checks and sorts the entries. The stamp comes first, so that a reader of the stream
/// knows what it is getting before the binaries arrive.
fn arrange(entries: &[FileToPack]) -> Result<Vec<Measured<'_>>, Fault> {
    let refuse = |entry: &FileToPack, why: &str| {
        Fault::new(Kind::Failed, format!("cannot pack `{}`", entry.name.escape_debug()))
            .because(format!("the entry {why}"))
    };
    let mut arranged = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = EntryName::parse(entry.name.as_bytes())
            .map_err(|objection| refuse(entry, &objection.why))?;
        if name.strip(0).as_deref() != Some(entry.name.as_str()) {
            return Err(refuse(entry, "has a name with empty parts or `.` in it"));
        }
        arranged.push(Measured::measure(entry)?);
    }
    arranged.sort_by_key(|sized| (sized.entry.name != Stamp::FILE, &sized.entry.name));
    let names: BTreeSet<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    for entry in entries {
        let mut above = entry.name.rmatch_indices('/').map(|(end, _)| &entry.name[..end]);
        if above.any(|folder| names.contains(folder)) {
            return Err(refuse(entry, "lies below another one, which is a file"));
        }
    }
    match arranged.windows(2).find(|pair| pair[0].entry.name == pair[1].entry.name) {
        Some(pair) => Err(refuse(pair[0].entry, "is there twice")),
        None => Ok(arranged),
    }
}

fn write_zstd(entries: &[Measured<'_>], file: File) -> io::Result<(Sha256, u64)> {
    let output = BufWriter::with_capacity(OUTPUT_BUFFER, HashingWriter::new(file));
    let mut encoder = zstd::Encoder::new(output, ZSTD_LEVEL)?;
    encoder.set_pledged_src_size(Some(TarStream::size(entries)))?;
    encoder.include_checksum(true)?;
    // Any number of workers from 1 on makes the same bytes; 0 would make others.
    encoder.multithread(rayon::current_num_threads().max(1) as u32)?;
    let mut tar = BufReader::with_capacity(INPUT_BUFFER, TarStream::new(entries));
    io::copy(&mut tar, &mut encoder)?;
    let output = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(output.finish())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read, process::Command, time::SystemTime};

    use flate2::read::MultiGzDecoder;

    use super::*;
    use crate::archive::{
        gzip::BLOCK,
        samples::{entry, noise, packed},
    };

    /// A stamp, a program of several blocks, and an empty file.
    fn entries_in(folder: &Path, program: &[u8]) -> Vec<FileToPack> {
        let path = folder.join("built");
        fs::write(&path, program).unwrap();
        vec![
            FileToPack { name: "server".into(), contents: Contents::File(path), executable: true },
            entry("empty", "", false),
            entry(".version", "name: nats\n", false),
            entry("+before-the-dot", "x", false),
        ]
    }

    fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    #[test]
    fn the_same_entries_make_the_same_bytes_anywhere() {
        let program = noise(2 * BLOCK + 4321);
        for compression in Compression::ALL {
            let first = tempfile::tempdir().unwrap();
            let entries = entries_in(first.path(), &program);
            let archive = first.path().join("archive");
            let expected = pack(&entries, &archive, *compression).unwrap();
            assert_eq!((expected.sha256, expected.size), hash_file(&archive).unwrap());
            for threads in [1, 2, 4] {
                let other = tempfile::tempdir().unwrap();
                let mut entries = entries_in(other.path(), &program);
                entries.reverse();
                let built = other.path().join("built");
                let file = File::options().write(true).open(&built).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                let mut permissions = file.metadata().unwrap().permissions();
                permissions.set_readonly(true);
                fs::set_permissions(&built, permissions).unwrap();
                let archive = other.path().join("elsewhere");
                let got = with_threads(threads, || pack(&entries, &archive, *compression)).unwrap();
                assert_eq!(got, expected, "{compression} with {threads} threads");
            }
        }
    }

    /// Should this fail after an upgrade of a compressor, then every asset changes its digest:
    /// rebuilding an old version conflicts with its release. Think before adapting it.
    #[test]
    fn the_bytes_are_those_of_earlier_forges() {
        let entries = [entry(".version", "v1", false), entry("tool", noise(100_000), true)];
        let digests = Compression::ALL.iter().map(|compression| {
            let mut hasher = crate::archive::Hasher::new();
            hasher.update(&packed(&entries, *compression));
            format!("{compression} {}", hasher.finish().short())
        });
        let digests: Vec<_> = digests.collect();
        assert_eq!(digests, ["tar.gz 14c51e2d9983", "tar.zst f3d182254d7f", "zip 7a19ee1d0d78"]);
    }

    #[test]
    fn the_stamp_comes_first_and_headers_tell_nothing_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let entries = entries_in(folder.path(), b"#!/bin/sh\n");
        let bytes = packed(&entries, Compression::TarGz);
        let mut archive = tar::Archive::new(MultiGzDecoder::new(&bytes[..]));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(
                (header.username().unwrap(), header.groupname().unwrap()),
                (Some(""), Some(""))
            );
            assert_eq!(header.mtime().unwrap(), 315_532_800);
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
        let expected =
            [(".version", 0o644), ("+before-the-dot", 0o644), ("empty", 0o644), ("server", 0o755)];
        assert_eq!(seen, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }

    #[test]
    fn any_gzip_reader_puts_the_members_together() {
        for size in [0, BLOCK - 1536, BLOCK - 1535, 2 * BLOCK, 2 * BLOCK + 1] {
            let entries = [entry("a", noise(size), false)];
            let bytes = packed(&entries, Compression::TarGz);
            let mut plain = Vec::new();
            MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            let sized = arrange(&entries).unwrap();
            let mut expected = Vec::new();
            TarStream::new(&sized).read_to_end(&mut expected).unwrap();
            assert_eq!(TarStream::size(&sized), expected.len() as u64);
            assert!(plain == expected, "{size}");
        }
    }

    #[test]
    fn tar_itself_unpacks_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = noise(2 * BLOCK);
        let archive = folder.path().join("a.tar.gz");
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(180));
        let mut entries = entries_in(folder.path(), &program);
        entries.push(entry(&long, "deep", false));
        pack(&entries, &archive, Compression::TarGz).unwrap();
        let run =
            Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).output();
        // A machine without tar has nothing to compare with.
        let Ok(output) = run else { return };
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(fs::read(folder.path().join("server")).unwrap() == program);
        assert_eq!(fs::read_to_string(folder.path().join(long)).unwrap(), "deep");
    }

    #[test]
    fn what_could_not_be_unpacked_is_not_packed() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Contents::File(folder.path().join("missing"));
        let itself = Contents::File(folder.path().to_owned());
        let file = |contents| FileToPack { name: "a".into(), contents, executable: false };
        for (entries, why) in [
            (vec![entry("../a", "", false)], "`..`"),
            (vec![entry("./a", "", false)], "empty parts"),
            (vec![entry("a/", "", false)], "empty parts"),
            (vec![entry("a", "", false), entry("a", "", false)], "is there twice"),
            (vec![entry("a/b/c", "", false), entry("a", "", false)], "lies below another"),
            (vec![file(missing)], "missing: "),
            (vec![file(itself)], "not a regular file"),
        ] {
            let fault = pack(&entries, &folder.path().join("x"), Compression::TarGz).unwrap_err();
            assert!(fault.to_string().contains(why), "{fault}");
        }
    }

    #[test]
    fn a_destination_that_cannot_be_written_is_named() {
        let path = Path::new("/nowhere/at/all.tar.gz");
        let fault = pack(&[entry("a", "", false)], path, Compression::TarGz).unwrap_err();
        assert!(fault.to_string().starts_with("cannot write /nowhere/at/all.tar.gz: "), "{fault}");
    }
}

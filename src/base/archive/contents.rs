//! Contents of entries to be packed: exactly as many bytes as were announced.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use super::{
    hash::Hasher,
    pack::{Contents, FileToPack},
};
use crate::{
    disk::open_file,
    model::{Fault, Kind, Sha256},
};

/// An entry whose size is known: archives announce it before the contents.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) entry: &'a FileToPack,
    pub(super) size: u64,
}

impl<'a> Measured<'a> {
    /// Looks how large the contents are.
    ///
    /// # Errors
    /// `Failed` if the file is not there or is not a regular file.
    pub(super) fn measure(entry: &'a FileToPack) -> Result<Self, Fault> {
        let size = match &entry.contents {
            Contents::Bytes(bytes) => bytes.len() as u64,
            Contents::File(path) | Contents::Proven(path, _) => {
                let what = || format!("cannot pack {}", path.display());
                let metadata = fs::metadata(path).map_err(|error| Fault::io(what(), &error))?;
                if !metadata.is_file() {
                    return Err(
                        Fault::new(Kind::Failed, what()).because("it is not a regular file")
                    );
                }
                metadata.len()
            }
        };
        Ok(Self { entry, size })
    }

    /// The Unix permissions it is packed with.
    pub(super) fn mode(&self) -> u32 {
        if self.entry.executable { 0o755 } else { 0o644 }
    }

    /// Opens the contents.
    ///
    /// # Errors
    /// A [`Fault`] inside.
    pub(super) fn open(&self) -> io::Result<EntryReader<'a>> {
        let open = |path: &Path| {
            let cannot = |error| Fault::io(format!("cannot pack {}", path.display()), &error);
            open_file(path).map_err(|error| io::Error::other(cannot(error)))
        };
        let (source, proof) = match &self.entry.contents {
            Contents::Bytes(bytes) => (ContentSource::Bytes(bytes), None),
            Contents::File(path) => (ContentSource::File(open(path)?), None),
            Contents::Proven(path, sha256) => {
                (ContentSource::File(open(path)?), Some((Hasher::new(), *sha256)))
            }
        };
        Ok(EntryReader { source, proof, left: self.size, entry: self.entry })
    }
}

/// Reads the contents of an entry. Fails with a [`Fault`] inside if they turn out shorter
/// or longer than they were, since then someone is writing to them, and with one of kind
/// `Verification` if their digest is not what it should be.
#[derive(Debug)]
pub(super) struct EntryReader<'a> {
    source: ContentSource<'a>,
    /// The digest so far, and what it has to be in the end.
    proof: Option<(Hasher, Sha256)>,
    left: u64,
    entry: &'a FileToPack,
}

#[derive(Debug)]
enum ContentSource<'a> {
    Bytes(&'a [u8]),
    File(File),
}

impl Read for EntryReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if self.left == 0 {
            return self.check_end().map(|()| 0);
        }
        let read = self.source.read(&mut buffer[..wanted]).map_err(|error| self.failed(error))?;
        if read == 0 && wanted > 0 {
            return Err(self.fault("it shrank while it was packed"));
        }
        self.left -= read as u64;
        if let Some((hasher, _)) = &mut self.proof {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}

impl Read for ContentSource<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

impl EntryReader<'_> {
    fn check_end(&mut self) -> io::Result<()> {
        match self.source.read(&mut [0]) {
            Ok(0) => self.compare(),
            Ok(_) => Err(self.fault("it grew while it was packed")),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn compare(&mut self) -> io::Result<()> {
        let Some((hasher, wanted)) = self.proof.take() else { return Ok(()) };
        let found = hasher.finish();
        if found == wanted {
            return Ok(());
        }
        let why = format!("its sha256 is {}, its stamp says {}", found.short(), wanted.short());
        Err(io::Error::other(
            Fault::new(Kind::Verification, self.what())
                .because(why)
                .hint("it was changed after it was installed; `forge ensure` obtains it anew"),
        ))
    }

    fn failed(&self, error: io::Error) -> io::Error {
        // Whoever reads tries again after this one.
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        self.fault(&error.to_string())
    }

    fn fault(&self, why: &str) -> io::Error {
        io::Error::other(Fault::new(Kind::Failed, self.what()).because(why))
    }

    fn what(&self) -> String {
        match &self.entry.contents {
            Contents::File(path) | Contents::Proven(path, _) => {
                format!("cannot pack {}", path.display())
            }
            Contents::Bytes(_) => format!("cannot pack `{}`", self.entry.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_digest_than_it_should_have_is_not_packed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        let (sha256, _) = super::super::hash_file(&path).unwrap();
        let entry = FileToPack {
            name: "file".into(),
            contents: Contents::Proven(path.clone(), sha256),
            executable: true,
        };
        let read = |entry: &FileToPack| {
            let mut read = Vec::new();
            Measured::measure(entry).unwrap().open().unwrap().read_to_end(&mut read)
        };
        assert_eq!(read(&entry).unwrap(), 5);
        fs::write(&path, "12346").unwrap();
        let fault = read(&entry).unwrap_err().downcast::<Fault>().unwrap();
        assert_eq!(fault.kind, Kind::Verification);
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let entry = FileToPack {
            name: "file".into(),
            contents: Contents::File(path.clone()),
            executable: false,
        };
        for (later, why) in [("12", "it shrank"), ("123456", "it grew"), ("12345", "")] {
            fs::write(&path, "12345").unwrap();
            let sized = Measured::measure(&entry).unwrap();
            fs::write(&path, later).unwrap();
            let mut read = Vec::new();
            match sized.open().unwrap().read_to_end(&mut read) {
                Ok(_) => assert_eq!((read.as_slice(), why), (&b"12345"[..], "")),
                Err(error) => {
                    let fault = error.downcast::<Fault>().unwrap();
                    assert!(!why.is_empty() && fault.why[0].starts_with(why), "{fault}");
                    assert!(fault.what.contains("file"), "{fault}");
                }
            }
        }
    }
}

//! SHA-256 of bytes as they stream by (`ring` uses the processor's own instructions).

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use ring::digest;

use crate::{
    disk::open_file,
    model::{Algorithm, Digest, Sha256},
};

/// How much [`hash_file`] reads at a time: small enough to stay in the processor's cache.
const CHUNK: usize = 256 << 10;

/// A SHA-256 digest in the making.
#[derive(Clone)]
pub struct Hasher {
    context: digest::Context,
    bytes: u64,
}

impl Hasher {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { context: digest::Context::new(&digest::SHA256), bytes: 0 }
    }

    /// Takes in `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes were taken in.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.context.finish().as_ref());
        Sha256(digest)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A digest in the making, of any algorithm that vendors publish.
pub struct DigestHasher {
    algorithm: Algorithm,
    context: digest::Context,
}

impl DigestHasher {
    /// Starts with nothing.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let of = match algorithm {
            Algorithm::Sha256 => &digest::SHA256,
            Algorithm::Sha384 => &digest::SHA384,
            Algorithm::Sha512 => &digest::SHA512,
        };
        Self { algorithm, context: digest::Context::new(of) }
    }

    /// Takes in `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        Digest::new(self.algorithm, self.context.finish().as_ref())
    }
}

/// A writer that hashes what is written through it.
#[derive(Debug)]
pub struct HashingWriter<W> {
    writer: W,
    hasher: Hasher,
}

impl<W: Write> HashingWriter<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer, hasher: Hasher::new() }
    }

    /// The digest and the number of the bytes that were written so far.
    pub fn finish(self) -> (Sha256, u64) {
        let bytes = self.hasher.bytes();
        (self.hasher.finish(), bytes)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The digest of the file at `path`, and its size in bytes.
///
/// # Errors
/// The file cannot be opened or read.
pub fn hash_file(path: &Path) -> io::Result<(Sha256, u64)> {
    hash_open(&mut open_file(path)?)
}

/// As [`hash_file`], of a file that is open, from where it is read next.
///
/// # Errors
/// The file cannot be read.
pub fn hash_open(file: &mut File) -> io::Result<(Sha256, u64)> {
    // One byte more than the file has room for shows its end without a second read of a chunk.
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(CHUNK);
    let mut chunk = vec![0; CHUNK.min(size.saturating_add(1))];
    let mut hasher = Hasher::new();
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => hasher.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let bytes = hasher.bytes();
    Ok((hasher.finish(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_the_published_vector() {
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.bytes(), 3);
        assert_eq!(
            hasher.finish().to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_other_algorithms_know_theirs_too() {
        let of = |algorithm, digits: &str| {
            let mut hasher = DigestHasher::new(algorithm);
            hasher.update(b"abc");
            assert_eq!(hasher.finish().unwrap().to_string(), digits.replace(' ', ""));
        };
        // FIPS 180-4, the examples of one block.
        of(
            Algorithm::Sha384,
            "cb00753f45a35e8b b5a03d699ac65007 272c32ab0eded163 1a8b605a43ff5bed \
             8086072ba1e7cc23 58baeca134c825a7",
        );
        of(
            Algorithm::Sha512,
            "ddaf35a193617aba cc417349ae204131 12e6fa4e89a97ea2 0a9eeee64b55d39a \
             2192992a274fc1a8 36ba3c23a3feebbd 454d4423643ce80e 2a9ac94fa54ca49f",
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_file_a_reader_and_pieces_agree(size in 0usize..3 * CHUNK, cut in 0usize..CHUNK) {
            let bytes: Vec<u8> = (0..size).map(|i| ((i * 7) >> 3) as u8).collect();
            let mut whole = Hasher::new();
            let (head, tail) = bytes.split_at(cut.min(size));
            whole.update(head);
            whole.update(tail);
            let expected = (whole.finish(), size as u64);

            let mut writer = HashingWriter::new(io::sink());
            writer.write_all(&bytes).unwrap();
            prop_assert_eq!(writer.finish(), expected);

            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, &bytes).unwrap();
            prop_assert_eq!(hash_file(&path).unwrap(), expected);
        }
    }
}

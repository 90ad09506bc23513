//! The packed bytes on their way in: buffered, hashed, counted.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write},
};

use super::hash::{DigestHasher, Hasher};
use crate::model::{Algorithm, Digest, Fault, Sha256};

/// How much is read at a time.
const BUFFER: usize = 128 << 10;

/// A buffered reader that hashes every byte it takes in and remembers how the reader below
/// it failed, since decoders do not pass errors on as they are.
pub(super) struct Input<R> {
    reader: R,
    hasher: Hasher,
    /// Hashes by another algorithm than SHA-256, if that is asked for.
    other: Option<DigestHasher>,
    /// Gets a copy of all that comes in.
    copy: Option<File>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    failure: Option<io::Error>,
}

/// What the packed bytes of an archive are known by.
#[derive(Clone, Copy)]
pub(super) struct PackedBytes {
    pub(super) sha256: Sha256,
    /// By the algorithm that was asked for.
    pub(super) digest: Digest,
    /// How many there were.
    pub(super) size: u64,
}

impl<R: Read> Input<R> {
    /// Reads from `reader`, to be digested by SHA-256 and by `algorithm`.
    pub(super) fn new(reader: R, algorithm: Algorithm) -> Self {
        let other = (algorithm != Algorithm::Sha256).then(|| DigestHasher::new(algorithm));
        let (hasher, buffer) = (Hasher::new(), vec![0; BUFFER]);
        Self { reader, hasher, other, copy: None, buffer, start: 0, end: 0, failure: None }
    }

    /// Copies all that comes in to `file` too. Nothing may have been taken before.
    pub(super) fn copy_to(&mut self, mut file: File) -> io::Result<()> {
        file.write_all(&self.buffer[self.start..self.end])?;
        self.copy = Some(file);
        Ok(())
    }

    /// The next `count` bytes (at most 64 KiB) without taking them; fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= BUFFER / 2);
        if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count {
            let end = self.end;
            // The buffer is lent out and put back, for a reader cannot be called with part of itself.
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = self.read_below(&mut buffer[end..]);
            self.buffer = buffer;
            match read? {
                0 => break,
                read => self.end += read,
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Whether the reader has no more bytes.
    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        self.fill_buf().map(<[u8]>::is_empty)
    }

    /// How the reader failed, if it did: the [`Fault`] it had inside, or one that says
    /// that `label` cannot be read.
    pub(super) fn take_failure(&mut self, label: &str) -> Option<Fault> {
        self.failure.take().map(|error| match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(error) => Fault::io(format!("cannot read {label}"), &error),
        })
    }

    /// What was read. Bytes in the buffer count too: at the end of a well-formed archive
    /// there are none.
    pub(super) fn finish(self) -> PackedBytes {
        let size = self.hasher.bytes();
        let sha256 = self.hasher.finish();
        let digest = self.other.and_then(DigestHasher::finish).unwrap_or(sha256.into());
        PackedBytes { sha256, digest, size }
    }

    fn read_below(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.hasher.update(&buffer[..read]);
                    if let Some(other) = &mut self.other {
                        other.update(&buffer[..read]);
                    }
                    if let Some(Err(error)) =
                        self.copy.as_mut().map(|copy| copy.write_all(&buffer[..read]))
                    {
                        let what = "cannot keep a copy of what is unpacked";
                        self.failure = Some(io::Error::other(Fault::io(what, &error)));
                        return Err(io::Error::other("the copy failed"));
                    }
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    return Err(io::Error::other("the reader failed"));
                }
            }
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && buffer.len() >= BUFFER {
            return self.read_below(buffer);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.peek(1)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

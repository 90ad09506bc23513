//! Blobs: bytes by their digest.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

use bytes::Bytes;
use reapi_protocol::reapi;
use ring::digest;
use tokio::io::AsyncReadExt;

use super::trouble::{Trouble, TroubleKind};
use crate::{disk::open_file, model::Sha256};

/// Larger blobs are streams of their own, in bytes.
pub(super) const MOST_OF_SMALL: u64 = 1 << 20;
/// What a digest takes beside its bytes in a message, in bytes.
const BESIDE: u64 = 100;

/// Those of `blobs` that are streams of their own, and the others as messages of at most `limit` bytes carry them.
pub(super) fn parcels<T>(
    blobs: impl IntoIterator<Item = T>,
    limit: u64,
    size_of: impl Fn(&T) -> u64,
) -> (Vec<T>, Vec<Vec<T>>) {
    let (mut large, mut batches) = (Vec::new(), Vec::<Vec<T>>::new());
    let mut room = 0;
    for blob in blobs {
        let size = size_of(&blob);
        if size > MOST_OF_SMALL.min(limit / 2) {
            large.push(blob);
            continue;
        }
        match batches.last_mut().filter(|_| size <= room) {
            Some(batch) => batch.push(blob),
            None => {
                batches.push(vec![blob]);
                room = limit;
            }
        }
        room = room.saturating_sub(size + BESIDE);
    }
    (large, batches)
}

/// SHA-256 and size of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest {
    /// The SHA-256.
    pub sha256: Sha256,
    /// How many bytes.
    pub size: u64,
}

impl BlobDigest {
    pub(super) fn message(self) -> reapi::Digest {
        reapi::Digest { hash: self.sha256.to_string(), size_bytes: self.size.cast_signed() }
    }

    pub(super) fn read(digest: &reapi::Digest) -> Option<Self> {
        Some(Self {
            sha256: digest.hash.parse().ok()?,
            size: u64::try_from(digest.size_bytes).ok()?,
        })
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sha256, self.size)
    }
}

/// Bytes to be written to a server.
#[derive(Clone, Debug)]
pub struct RemoteBlob {
    /// Their digest.
    pub digest: BlobDigest,
    /// Where they are.
    pub contents: BlobContents,
}

/// Takes blobs that come.
pub trait BlobSink: Sync {
    /// Begins the file of the blob `digest`.
    ///
    /// # Errors
    /// If it cannot be made.
    fn begin(&self, digest: BlobDigest) -> io::Result<Box<dyn Write + Send + '_>>;

    /// Takes note that the blob `digest` is whole, and what it should be.
    ///
    /// # Errors
    /// If it cannot be put where it belongs.
    fn keep(&self, digest: BlobDigest) -> io::Result<()>;
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug)]
pub enum BlobContents {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
}

impl RemoteBlob {
    /// These bytes.
    pub fn of_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let found = digest::digest(&digest::SHA256, &bytes);
        let digest = BlobDigest { size: bytes.len() as u64, sha256: sha256(&found) };
        Self { digest, contents: BlobContents::Bytes(bytes) }
    }

    pub(super) async fn read(&self) -> Result<Bytes, Trouble> {
        match &self.contents {
            BlobContents::Bytes(bytes) => Ok(bytes.clone()),
            BlobContents::File(_) => {
                let mut bytes = Vec::new();
                self.open()?.read_to_end(&mut bytes).await.map_err(|error| local(&error))?;
                Ok(bytes.into())
            }
        }
    }

    pub(super) fn open(&self) -> Result<Box<dyn tokio::io::AsyncRead + Send + Unpin>, Trouble> {
        Ok(match &self.contents {
            BlobContents::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            BlobContents::File(path) => {
                let file = open_file(path).map_err(|error| local(&error))?;
                Box::new(tokio::fs::File::from_std(file))
            }
        })
    }
}

pub(super) fn sha256(found: &digest::Digest) -> Sha256 {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(found.as_ref());
    Sha256(bytes)
}

pub(super) fn local(error: &io::Error) -> Trouble {
    Trouble::new(TroubleKind::Local, error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parcels_hold_everything_once_and_fit(
            sizes in proptest::collection::vec(0..2 * MOST_OF_SMALL, 0..200),
            limit in (1_u64 << 16)..(4 << 20),
        ) {
            let (large, batches) = parcels(sizes.iter().copied().enumerate(), limit, |it| it.1);
            let mut all: Vec<_> = batches.iter().flatten().chain(&large).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, sizes.into_iter().enumerate().collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(!batch.is_empty());
                prop_assert!(batch.iter().map(|it| it.1).sum::<u64>() <= limit);
            }
        }
    }
}

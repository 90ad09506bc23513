//! Where blobs that come are put.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crate::{
    cache::IncomingOutputs,
    disk::Folder,
    model::{BinaryName, Sha256},
    reapi::{BlobDigest, BlobSink},
};

/// Binaries that come into a folder, each under its names.
pub struct NamedFiles<'a> {
    /// The folder.
    pub folder: &'a Folder,
    /// Which names have the same bytes.
    pub names: BTreeMap<BlobDigest, Vec<&'a BinaryName>>,
}

impl NamedFiles<'_> {
    /// What is to come.
    pub fn digests(&self) -> Vec<BlobDigest> {
        self.names.keys().copied().collect()
    }

    fn names_of(&self, digest: BlobDigest) -> io::Result<(&BinaryName, &[&BinaryName])> {
        let names = self.names.get(&digest).and_then(|names| names.split_first());
        let (first, others) = names.ok_or_else(|| io::Error::other("nobody asked for it"))?;
        Ok((first, others))
    }
}

impl BlobSink for NamedFiles<'_> {
    fn begin(&self, digest: BlobDigest) -> io::Result<Box<dyn Write + Send + '_>> {
        let (first, _) = self.names_of(digest)?;
        Ok(Box::new(self.folder.create_new(first.as_ref(), 0o755)?))
    }

    fn keep(&self, digest: BlobDigest) -> io::Result<()> {
        let (first, others) = self.names_of(digest)?;
        for name in others {
            let mut from = self.folder.open_file(first.as_ref())?;
            let mut to = self.folder.create_new(name.as_ref(), 0o755)?;
            io::copy(&mut from, &mut to)?;
        }
        Ok(())
    }
}

/// What of `incoming` the user's cache does not have, by the `sizes` that the server says.
pub(super) fn missing_of(
    incoming: &IncomingOutputs<'_>,
    sizes: &BTreeMap<Sha256, u64>,
) -> Vec<BlobDigest> {
    let size = |sha256: &Sha256| sizes.get(sha256).copied().unwrap_or_default();
    let missing = incoming.missing().into_iter();
    missing.map(|sha256| BlobDigest { size: size(&sha256), sha256 }).collect()
}

/// Files that come into the user's cache.
pub(super) struct IntoCache<'a>(pub(super) &'a IncomingOutputs<'a>);

impl BlobSink for IntoCache<'_> {
    fn begin(&self, digest: BlobDigest) -> io::Result<Box<dyn Write + Send + '_>> {
        Ok(Box::new(self.0.begin(digest.sha256)?))
    }

    fn keep(&self, digest: BlobDigest) -> io::Result<()> {
        self.0.keep(digest.sha256)
    }
}

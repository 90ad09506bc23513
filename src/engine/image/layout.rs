//! An OCI image layout: blobs by their digests, and an index of what is in it (OCI image
//! specification 1.1, `image-layout.md`).

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    archive::Hasher,
    disk::Folder,
    model::{Fault, Sha256, oci::Descriptor},
};

/// The folder of blobs.
const BLOBS: &str = "blobs/sha256";

/// A layout that is being written.
pub(super) struct LayoutFolder<'f>(&'f Folder);

impl<'f> LayoutFolder<'f> {
    /// In `folder`, which is empty.
    pub(super) fn new(folder: &'f Folder) -> Result<Self, Fault> {
        folder.make_folder(Path::new(BLOBS)).map_err(|error| failed(folder, &error))?;
        Ok(Self(folder))
    }

    /// The folder that it is in.
    pub(super) fn folder(&self) -> &Folder {
        self.0
    }

    /// Where a layer is packed before its digest is known.
    pub(super) fn unnamed(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("layer-{number}"))
    }

    /// Puts what was packed to `from` in its place.
    pub(super) fn place(&self, from: &Path, digest: Sha256) -> Result<(), Fault> {
        let name = from.file_name().unwrap_or_default();
        let to = Path::new(BLOBS).join(digest.to_string());
        self.0.rename(Path::new(name), self.0, &to).map_err(|error| failed(self.0, &error))
    }

    /// Whether the blob `digest` is in it.
    pub(super) fn has(&self, digest: Sha256) -> bool {
        matches!(self.0.entry(&Path::new(BLOBS).join(digest.to_string())), Ok(Some(_)))
    }

    /// Adds a blob, and says what it is.
    pub(super) fn add(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Fault> {
        let digest = digest_of(bytes);
        self.write(&Path::new(BLOBS).join(digest.to_string()), bytes)?;
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }

    /// Completes it: it holds `index`, under `tag`.
    pub(super) fn finish(&self, index: &Descriptor, tag: &str) -> Result<(), Fault> {
        let name = json!({ "org.opencontainers.image.ref.name": tag });
        let entry = json!({
            "mediaType": index.media_type,
            "digest": format!("sha256:{}", index.digest),
            "size": index.size,
            "annotations": name,
        });
        let list =
            json!({ "schemaVersion": 2, "mediaType": index.media_type, "manifests": [entry] });
        self.write(Path::new("index.json"), list.to_string().as_bytes())?;
        let version = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
        self.write(Path::new("oci-layout"), version.as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
        // The same blob may be in several images of an index.
        match self.0.create_new(path, 0o644) {
            Ok(mut file) => io::Write::write_all(&mut file, bytes),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|error| failed(self.0, &error))
    }
}

/// Where the blob `digest` is in the layout at `layout`.
pub fn blob_path(layout: &Path, digest: Sha256) -> PathBuf {
    layout.join(BLOBS).join(digest.to_string())
}

/// The digest of `bytes`.
pub(super) fn digest_of(bytes: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn failed(folder: &Folder, error: &io::Error) -> Fault {
    Fault::io(format!("cannot write an image into {}", folder.path().display()), error)
}

//! What is put under one name of a release: a file that was proven, or a text beside it.

use std::{io, path::Path};

use super::{
    Upload,
    call::Content,
    file::{self, Digester},
    publication,
};
use crate::{
    disk::open_file,
    model::{Fault, Kind, Sha256},
};

/// A file or a text that is to be an asset. It can be sent any number of times.
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) size: u64,
    pub(super) sha256: Sha256,
}

impl Blob {
    /// The file of `upload`, proven to be what was promised: what is published stays.
    pub(super) async fn proven(upload: &Upload) -> Result<Self, Fault> {
        let path = upload.path.clone();
        let read = tokio::task::spawn_blocking(move || digested(&path)).await;
        let read = read.unwrap_or_else(|died| Err(io::Error::other(died)));
        let (size, sha256) = read.map_err(|error| {
            Fault::io(format!("cannot read {}, to publish it", upload.path.display()), &error)
        })?;
        if sha256 != upload.sha256 {
            return Err(publication::changed(&upload.path, sha256, upload.sha256));
        }
        let content = Content::File(upload.path.clone());
        Ok(Self { name: upload.asset.clone(), content, size, sha256 })
    }

    /// The texts that belong beside the file of `upload`.
    pub(super) fn beside(upload: &Upload) -> Vec<Self> {
        let text = |(name, text): &(String, String)| {
            let mut digester = Digester::default();
            digester.take(text.as_bytes());
            Self {
                name: name.clone(),
                content: Content::Bytes(text.clone().into()),
                size: text.len() as u64,
                sha256: digester.sha256(),
            }
        };
        upload.sidecars.iter().map(text).collect()
    }

    /// The media type by the name's ending.
    pub(super) fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "gz" => "application/gzip",
            "zst" => "application/zstd",
            "zip" => "application/zip",
            "sha256" | "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }

    /// It came back as `size` bytes with the digest `sha256`, which is not what was sent.
    pub(super) fn not_as_sent(&self, size: u64, sha256: Sha256) -> Fault {
        let what = format!("{} was not stored as sent", self.name);
        Fault::new(Kind::Verification, what).because(format!(
            "{} bytes with the SHA-256 digest {} were sent, {size} with {} are there",
            self.size,
            self.sha256.short(),
            sha256.short()
        ))
    }
}

fn digested(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = open_file(path)?;
    let sha256 = file::copy_digested(&mut file, &mut io::sink())?;
    Ok((file.metadata()?.len(), sha256))
}

//! `trust: attested`: the asset is fetched to a file first, and `gh` verifies GitHub's attestation of it
//! (`probe::attested_builder`). Only if that holds, it is unpacked, and held to the digest that was verified.

use std::{
    fs::File,
    io::{Seek, Write},
    path::Path,
};

use futures_util::StreamExt;

use crate::{
    archive::hash_file,
    model::{Fault, Kind, Sha256},
    probe::{ArtifactSpec, attested_builder},
    store::{Beginnings, BrokenTransfer, Store},
};

use super::Context;

impl Context {
    /// Who built the asset of `want`, as GitHub's attestation of it says. The inner error says why it is
    /// not trusted.
    ///
    /// # Errors
    /// `Store` if it cannot be fetched; `Usage` if nobody can verify it.
    pub(super) async fn attested_builder(
        &self,
        want: &ArtifactSpec,
        tag: &str,
        store: &dyn Store,
        sha256: Sha256,
        repositories: &[String],
    ) -> Result<Result<String, String>, Fault> {
        let staging = self.staging()?;
        let file = staging.path().join(&want.asset);
        let create = staging.folder().create_new(Path::new(&want.asset), 0o600);
        let target = create
            .map_err(|error| Fault::io(format!("cannot create {}", file.display()), &error))?;
        self.fetch_to(store, tag, &want.asset, target).await?;
        let read = |error| Fault::io(format!("cannot read {}", file.display()), &error);
        let (found, _) = hash_file(&file).map_err(read)?;
        if found != sha256 {
            return Ok(Err(format!("its sha256 is {found}, expected is {sha256}")));
        }
        let root = self.workspaces.layout().root();
        attested_builder(&*self.runner, root, &file, repositories).await
    }

    /// Fetches an asset to `target`.
    async fn fetch_to(
        &self,
        store: &dyn Store,
        tag: &str,
        asset: &str,
        mut target: File,
    ) -> Result<(), Fault> {
        let failed = |error| Fault::io(format!("cannot write {tag}/{asset}"), &error);
        let mut beginnings = Beginnings::default();
        loop {
            let stream = store.open(tag, asset).await?.ok_or_else(|| {
                Fault::new(Kind::Store, format!("{tag}/{asset} vanished")).hint("run it again")
            })?;
            let mut bytes = stream.bytes;
            target.set_len(0).and_then(|()| target.rewind()).map_err(failed)?;
            let written: Result<(), BrokenTransfer> = loop {
                tokio::select! {
                    next = bytes.next() => match next {
                        Some(Ok(chunk)) => target.write_all(&chunk).map_err(failed)?,
                        Some(Err(broken)) => break Err(broken),
                        None => break Ok(()),
                    },
                    () = self.cancel.cancelled() => return Err(self.cancel.fault("a transfer")),
                }
            };
            match written {
                Ok(()) => return Ok(()),
                Err(broken) => beginnings.again(broken)?,
            }
        }
    }
}

//! Keeping what was built in the remote cache, beside other work.

use std::{path::Path, sync::Arc};

use tokio::sync::Semaphore;

use super::RemoteCache;
use crate::{
    archive::hash_file,
    cache::ArtifactRecord,
    manifest::render_stamp,
    model::{Fault, Kind, Stamp},
    probe::ArtifactSpec,
    provenance::RunClass,
    reapi::{
        ActionOutput, ActionOutputs, BlobContents, BlobDigest, Connection, RemoteAction,
        RemoteBlob, Trouble, TroubleKind,
    },
};

/// How many artifacts are written at once.
const AT_ONCE: usize = 4;

pub(super) static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

impl RemoteCache {
    /// Begins to write the artifact of `record`, which this run built and which lies in `folder`; not if this
    /// run may not, or if something went into it that a run made whose work may not be published.
    pub fn keep(self: &Arc<Self>, want: &ArtifactSpec, record: &ArtifactRecord, folder: &Path) {
        let is_built =
            want.build.as_ref().is_some_and(|it| it.fingerprint == record.stamp.fingerprint);
        let is_ours = record.made.is_some() && record.class > RunClass::Untrusted;
        if self.rights.unwritten.is_some() || !is_built || !is_ours || self.state().is_read_only {
            return;
        }
        let (cache, want, stamp) = (self.clone(), want.clone(), record.stamp.clone());
        let folder = folder.to_owned();
        let work = async move {
            let Ok(_turn) = TURNS.acquire().await else { return };
            // Without a key it is a build that nobody else asks for either.
            let Ok(action) = cache.action(&want).await else { return };
            let Some(connection) = cache.connection().await else { return };
            match cache.write(connection, &action, &stamp, &folder).await {
                Ok(sent) => {
                    let mut state = cache.state();
                    state.totals.written += 1;
                    state.totals.sent += sent;
                }
                Err(trouble) => cache.write_no_more(&trouble),
            }
        };
        let mut writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writing.spawn(work);
    }

    /// Writes blobs first and the result last: whoever finds the result finds all that it names.
    async fn write(
        &self,
        connection: &Connection,
        action: &RemoteAction,
        stamp: &Stamp,
        folder: &Path,
    ) -> Result<u64, Trouble> {
        let mut blobs =
            vec![(Stamp::FILE.to_owned(), RemoteBlob::of_bytes(render_stamp(stamp).into_bytes()))];
        for (name, sha256) in &stamp.binaries {
            let path = folder.join(name);
            let local = |why: String| Trouble { kind: TroubleKind::Local, why };
            let hashed = {
                let path = path.clone();
                tokio::task::spawn_blocking(move || hash_file(&path)).await
            };
            let (found, size) = hashed
                .map_err(|error| local(error.to_string()))?
                .map_err(|error| local(error.to_string()))?;
            if found != *sha256 {
                return Err(local(format!("`{name}` changed after it was built")));
            }
            let digest = BlobDigest { sha256: found, size };
            blobs.push((
                name.to_string(),
                RemoteBlob { digest, contents: BlobContents::File(path) },
            ));
        }
        let output = |(path, blob): &(String, RemoteBlob)| ActionOutput {
            path: path.clone(),
            digest: blob.digest,
            is_executable: path != Stamp::FILE,
            contents: None,
        };
        let outputs = ActionOutputs {
            files: blobs.iter().map(output).collect(),
            worker: self.builder.id().to_owned(),
        };
        let files = blobs.into_iter().map(|(_, blob)| blob);
        let all: Vec<RemoteBlob> = files.chain(action.blobs()).collect();
        let sent = connection.write(&all).await?;
        connection.keep_result(action.digest(), &outputs).await?;
        Ok(sent)
    }

    /// Nothing more is written in this run; said once.
    pub(super) fn write_no_more(&self, trouble: &Trouble) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_read_only, true) {
            return;
        }
        let what =
            format!("nothing more is written to the remote cache {} in this run", self.identity());
        let fault = Fault::new(Kind::Store, what).because(trouble.why.clone());
        let hint = match trouble.kind {
            TroubleKind::Refused => {
                "give the run credentials that may write, or write `write: never` in versions.yml"
            }
            _ => "nothing fails for it; `forge doctor` looks at the server",
        };
        state.warnings.push(fault.hint(hint));
    }
}

//! Publishing into a bucket.
//!
//! ```text
//! HEAD ── there ──────────────────────────────> compare ──> Identical, Conflict
//!   │ absent                                       │
//! PUT If-None-Match: * ── 412 ─────────────────────┤
//!   │ 200                                          │
//! read back ── ours ──> Created                    │
//!   └───────── other bytes ────────────────────────┘
//! ```

use futures_util::stream::TryStreamExt;
use object_store::path::Path;
use reqwest::{Method, StatusCode};

use super::{DIGEST, S3, bucket, refusal, store_fault};
use crate::{
    disk::open_file,
    model::{Fault, Sha256},
    store::{
        Published, Upload,
        call::Content,
        file::{self, Digester},
        publication,
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
};

/// The most that S3 takes as one object at once ("Uploading objects"), in bytes.
const MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// What is to be an object.
struct ObjectToPut<'a> {
    key: Path,
    content: Content,
    sha256: Sha256,
    kind: &'a str,
}

/// What an attempt came to.
enum PutAttempt {
    Stored,
    Taken,
    /// The server knows no conditions.
    Careless,
}

impl S3 {
    pub(super) async fn put_all(&self, tag: &str, upload: &Upload) -> Result<Published, Fault> {
        let key = self.bucket.key(tag, &upload.asset)?;
        let mut sidecars = Vec::new();
        for (name, text) in &upload.sidecars {
            sidecars.push((self.bucket.key(tag, name)?, text));
        }
        if self.bucket.login.is_none() {
            let what = format!("cannot publish {tag}/{} to {}", upload.asset, self.url);
            return Err(store_fault(what).because(bucket::NO_LOGIN).hint(
                "set both (and AWS_SESSION_TOKEN if there is one); `aws configure \
                 export-credentials --format env` prints what a profile has",
            ));
        }
        let source = upload.clone();
        let proof = tokio::task::spawn_blocking(move || prove(&source)).await;
        proof.map_err(|died| store_fault(format!("{tag} was cut short: {died}")))??;
        let content = Content::File(upload.path.clone());
        let kind = "application/octet-stream";
        let published =
            self.put(&ObjectToPut { key, content, sha256: upload.sha256, kind }).await?;
        if matches!(published, Published::Conflict { .. }) {
            return Ok(published);
        }
        for (key, text) in sidecars {
            let content = Content::Bytes(text.clone().into());
            let mut digester = Digester::default();
            digester.take(text.as_bytes());
            let sha256 = digester.sha256();
            // Whatever it comes to: the first ones stay.
            self.put(&ObjectToPut { key, content, sha256, kind: "text/plain" }).await?;
        }
        Ok(published)
    }

    /// Puts `piece` where nothing is yet.
    async fn put(&self, piece: &ObjectToPut<'_>) -> Result<Published, Fault> {
        let mut retry = RetryPolicy::new(&self.bucket.client.settings);
        let mut is_conditional = true;
        loop {
            // Servers that ignore the condition would overwrite what is there.
            if self.look(&piece.key).await?.is_some()
                && let Some(theirs) = self.digest(&piece.key).await?
            {
                return Ok(judged(theirs, piece.sha256));
            }
            match self.attempt(piece, is_conditional).await {
                Ok(PutAttempt::Stored) => return self.read_back(piece).await,
                Ok(PutAttempt::Careless) => is_conditional = false,
                // It is there now, or on its way there.
                Ok(PutAttempt::Taken) => {
                    if let Some(theirs) = self.digest(&piece.key).await? {
                        return Ok(judged(theirs, piece.sha256));
                    }
                    retry.pause(taken(&piece.key, &self.url)).await?;
                }
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    async fn attempt(
        &self,
        piece: &ObjectToPut<'_>,
        is_conditional: bool,
    ) -> Result<PutAttempt, AttemptFailure> {
        let mut headers = vec![(DIGEST, piece.sha256.to_string())];
        if is_conditional {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let call = self.bucket.signed(Method::PUT, &piece.key, &headers).await;
        let call = call.map_err(AttemptFailure::never)?.carrying(piece.content.clone(), piece.kind);
        let reply = self.bucket.client.call(&call).await?;
        match reply.status {
            status if status.is_success() => Ok(PutAttempt::Stored),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(PutAttempt::Taken),
            StatusCode::NOT_IMPLEMENTED if is_conditional => Ok(PutAttempt::Careless),
            _ => {
                let failure = reply.failure(&call);
                match failure.again {
                    RetryDecision::Never => {
                        Err(AttemptFailure::never(refusal::fault(&call, &reply)))
                    }
                    _ => Err(failure),
                }
            }
        }
    }

    /// Whether what is there now is what was just put there.
    async fn read_back(&self, piece: &ObjectToPut<'_>) -> Result<Published, Fault> {
        match self.digest(&piece.key).await? {
            Some(theirs) if theirs == piece.sha256 => Ok(Published::Created),
            // Nothing is taken back, even if it looks like ours gone wrong: where conditions are
            // ignored, it may be what somebody else is just writing.
            Some(theirs) => Ok(Published::Conflict { theirs }),
            None => Err(store_fault(format!("cannot read back {} from {}", piece.key, self.url))
                .because("it was stored and is not there any more")
                .hint("did somebody remove the release just now? Run it again")),
        }
    }

    /// The digest of what is at `key`, read whole.
    async fn digest(&self, key: &Path) -> Result<Option<Sha256>, Fault> {
        let Some(stream) = self.read(key).await? else { return Ok(None) };
        let digest = |mut digester: Digester, piece: bytes::Bytes| async move {
            digester.take(&piece);
            Ok(digester)
        };
        let digester = stream.bytes.try_fold(Digester::default(), digest).await?;
        Ok(Some(digester.sha256()))
    }

    pub(super) async fn delete(&self, key: &Path) -> Result<(), Fault> {
        let call = self.bucket.signed(Method::DELETE, key, &[]).await?;
        let reply = self.bucket.send(&call).await?;
        if reply.status.is_success() || reply.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(refusal::fault(&call, &reply))
    }
}

/// What it means that `theirs` is there. What was sent before, and its answer lost, is no
/// different from what somebody else sent.
fn judged(theirs: Sha256, ours: Sha256) -> Published {
    if theirs == ours { Published::Identical } else { Published::Conflict { theirs } }
}

fn taken(key: &Path, url: &str) -> AttemptFailure {
    let fault = store_fault(format!("cannot publish {key} to {url}"))
        .because("the server says it is there already, and does not give it")
        .hint("somebody else may be publishing it: run it again later");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

/// Whether the file is what it is said to be, and fits.
fn prove(upload: &Upload) -> Result<(), Fault> {
    let path = &upload.path;
    let unreadable =
        |error| Fault::io(format!("cannot read {}, to publish it", path.display()), &error);
    let mut source = open_file(path).map_err(unreadable)?;
    let size = source.metadata().map_err(unreadable)?.len();
    if size > MAX_BYTES {
        return Err(store_fault(format!("cannot publish {}", path.display()))
            .because(format!("it has {size} bytes, and S3 takes at most {MAX_BYTES} at once")));
    }
    let digest = file::copy_digested(&mut source, &mut std::io::sink()).map_err(unreadable)?;
    if digest != upload.sha256 {
        return Err(publication::changed(path, digest, upload.sha256));
    }
    Ok(())
}

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

use object_store::path::Path;
use reqwest::{Method, StatusCode};

use super::{
    DIGEST, S3, bucket,
    refusal::{self, store_fault},
};
use crate::{
    model::{Fault, Sha256},
    store::{
        Published, Upload,
        blob::Blob,
        file,
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
};

/// The most that S3 takes as one object at once ("Uploading objects"), in bytes.
pub(super) const MOST_AT_ONCE: u64 = 5 * 1024 * 1024 * 1024;
/// The most that an object may hold, in bytes.
const MOST: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// What an attempt came to.
pub(super) enum PutAttempt {
    Stored,
    Taken,
    /// The server knows no conditions.
    Careless,
}

impl S3 {
    pub(super) async fn put_all(&self, tag: &str, upload: &Upload) -> Result<Published, Fault> {
        let key = self.bucket.key(tag, &upload.asset)?;
        let mut sidecars = Vec::new();
        for blob in Blob::beside(upload) {
            sidecars.push((self.bucket.key(tag, &blob.name)?, blob));
        }
        if self.bucket.login.is_none() {
            let what = format!("cannot publish {tag}/{} to {}", upload.asset, self.url);
            return Err(store_fault(what).because(bucket::NO_LOGIN).hint(
                "set both (and AWS_SESSION_TOKEN if there is one); `aws configure \
                 export-credentials --format env` prints what a profile has",
            ));
        }
        let blob = Blob::proven(upload).await?;
        if blob.size > MOST {
            let why = format!("it has {} bytes, and S3 takes at most {MOST}", blob.size);
            let what = format!("cannot publish {}", upload.path.display());
            return Err(store_fault(what).because(why));
        }
        let published = self.put(&key, &blob).await?;
        if matches!(published, Published::Conflict { .. }) {
            return Ok(published);
        }
        for (key, blob) in sidecars {
            // Whatever it comes to: the first ones stay.
            self.put(&key, &blob).await?;
        }
        Ok(published)
    }

    /// Puts `blob` at `key`, where nothing is yet.
    async fn put(&self, key: &Path, blob: &Blob) -> Result<Published, Fault> {
        let mut retry = RetryPolicy::new(&self.bucket.client.settings);
        let mut is_conditional = true;
        loop {
            // Servers that ignore the condition would overwrite what is there.
            if self.find_asset(key).await?.is_some()
                && let Some(theirs) = self.digest(key).await?
            {
                return Ok(judged(theirs, blob.sha256));
            }
            match self.attempt(key, blob, is_conditional).await {
                Ok(PutAttempt::Stored) => return self.read_back(key, blob).await,
                Ok(PutAttempt::Careless) => is_conditional = false,
                // It is there now, or on its way there.
                Ok(PutAttempt::Taken) => {
                    if let Some(theirs) = self.digest(key).await? {
                        return Ok(judged(theirs, blob.sha256));
                    }
                    retry.pause(taken(key, &self.url)).await?;
                }
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    async fn attempt(
        &self,
        key: &Path,
        blob: &Blob,
        is_conditional: bool,
    ) -> Result<PutAttempt, AttemptFailure> {
        if blob.size > self.at_once {
            return self.put_in_parts(key, blob, is_conditional).await;
        }
        let mut headers = vec![(DIGEST, blob.sha256.to_string())];
        if is_conditional {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let call = self.bucket.signed(Method::PUT, key, &headers).await;
        let call =
            call.map_err(AttemptFailure::never)?.carrying(blob.content.clone(), blob.media_type());
        let reply = self.bucket.client.call(&call).await?;
        match reply.status {
            status if status.is_success() => Ok(PutAttempt::Stored),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(PutAttempt::Taken),
            StatusCode::NOT_IMPLEMENTED if is_conditional => Ok(PutAttempt::Careless),
            _ => Err(Self::failure_of(&call, &reply)),
        }
    }

    /// Whether what is there now is what was just put there.
    async fn read_back(&self, key: &Path, blob: &Blob) -> Result<Published, Fault> {
        match self.digest(key).await? {
            Some(theirs) if theirs == blob.sha256 => Ok(Published::Created),
            // Nothing is taken back, even if it looks like ours gone wrong: where conditions are
            // ignored, it may be what somebody else is just writing.
            Some(theirs) => Ok(Published::Conflict { theirs }),
            None => Err(store_fault(format!("cannot read back {key} from {}", self.url))
                .because("it was stored and is not there any more")
                .hint("did somebody remove the release just now? Run it again")),
        }
    }

    /// The digest of what is at `key`, read whole.
    async fn digest(&self, key: &Path) -> Result<Option<Sha256>, Fault> {
        match self.read(key).await? {
            Some(stream) => file::digested(stream).await.map(Some),
            None => Ok(None),
        }
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

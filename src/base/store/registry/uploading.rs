//! Sending a blob: looked for, mounted from a repository beside it, or sent by one PUT.
//!
//! Never in parts: what registries make of PATCH is as different as they are, and one PUT with its
//! length works with all of them. What is cut begins anew, with another upload.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::StreamExt;
use reqwest::{Method, StatusCode, Url};

use super::{
    super::{
        AssetStream,
        call::{ApiRequest, ApiResponse, Content, ContentSource},
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
        upload,
    },
    Registries, RegistryScope,
    reading::shown,
    refusal,
};
use crate::model::{
    Fault, Kind,
    oci::{Descriptor, ImageRepository},
};

/// A blob that is to be in a repository.
#[derive(Clone, Debug)]
pub struct BlobUpload {
    /// What it is.
    pub blob: Descriptor,
    /// Where its bytes are.
    pub source: BlobSource,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug)]
pub enum BlobSource {
    /// In memory.
    Bytes(Bytes),
    /// In a file, read anew with every attempt.
    File(PathBuf),
    /// In another repository: mounted if that is in the same registry, or else streamed from there.
    Registry(ImageRepository),
}

/// What became of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobOutcome {
    /// It was there.
    Present,
    /// It was mounted from a repository beside.
    Mounted,
    /// It was sent.
    Sent,
}

/// Is told how many bytes are done, of how many.
#[derive(Clone)]
pub(super) struct Progress {
    done: Arc<AtomicU64>,
    total: u64,
    tell: Arc<dyn Fn(u64, u64) + Send + Sync>,
}

impl Progress {
    pub(super) fn new(total: u64, tell: Arc<dyn Fn(u64, u64) + Send + Sync>) -> Self {
        Self { done: Arc::default(), total, tell }
    }

    /// That nobody looks at.
    pub(super) fn none() -> Self {
        Self::new(0, Arc::new(|_, _| ()))
    }

    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.tell)(done.min(self.total), self.total);
    }

    fn take_back(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A blob on its way, opened anew with every attempt.
struct CountedSource {
    registries: Registries,
    upload: BlobUpload,
    progress: Progress,
    sent: Arc<AtomicU64>,
}

#[async_trait]
impl ContentSource for CountedSource {
    async fn open(&self) -> Result<AssetStream, Fault> {
        let BlobUpload { blob, source } = &self.upload;
        let stream = match source {
            BlobSource::Bytes(bytes) => AssetStream {
                size: Some(bytes.len() as u64),
                bytes: futures_util::stream::iter([Ok(bytes.clone())]).boxed(),
            },
            BlobSource::File(path) => upload::open(path)?,
            BlobSource::Registry(from) => {
                let found = self.registries.open_blob(from, blob.digest).await?;
                found.ok_or_else(|| {
                    Fault::new(Kind::Store, format!("cannot read {}", shown(from, blob.digest)))
                        .because("it is not there, while a manifest there names it")
                        .hint("was the image removed there? Choose another base, or push it anew")
                })?
            }
        };
        if stream.size.is_some_and(|size| size != blob.size) {
            let size = stream.size.unwrap_or_default();
            let what = format!("{} is not what was promised", source_name(source, blob));
            let why = format!("it has {size} bytes, not {}", blob.size);
            return Err(Fault::new(Kind::Verification, what).because(why));
        }
        self.progress.take_back(self.sent.swap(0, Ordering::Relaxed));
        let (progress, sent) = (self.progress.clone(), self.sent.clone());
        let counted = stream.bytes.inspect(move |piece| {
            let bytes = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            sent.fetch_add(bytes, Ordering::Relaxed);
            progress.add(bytes);
        });
        Ok(AssetStream { size: Some(blob.size), bytes: counted.boxed() })
    }
}

fn source_name(source: &BlobSource, blob: &Descriptor) -> String {
    match source {
        BlobSource::Bytes(_) => format!("the blob {}", blob.digest.short()),
        BlobSource::File(path) => path.display().to_string(),
        BlobSource::Registry(from) => shown(from, blob.digest),
    }
}

impl Registries {
    /// Makes sure that a blob is in `repository`.
    ///
    /// # Errors
    /// `Store` if the registry does not take it, or its source does not give it; `Verification` if it
    /// is not what its digest says.
    pub async fn put_blob(
        &self,
        repository: &ImageRepository,
        upload: &BlobUpload,
    ) -> Result<BlobOutcome, Fault> {
        self.put_counted(repository, upload, &Progress::none()).await
    }

    pub(super) async fn put_counted(
        &self,
        repository: &ImageRepository,
        upload: &BlobUpload,
        progress: &Progress,
    ) -> Result<BlobOutcome, Fault> {
        let source = Arc::new(CountedSource {
            registries: self.clone(),
            upload: upload.clone(),
            progress: progress.clone(),
            sent: Arc::default(),
        });
        let mut retry = RetryPolicy::new(self.settings());
        let mut mount = match &upload.source {
            // Of others, a registry knows nothing.
            BlobSource::Registry(from) if from.is_beside(repository) => Some(from.clone()),
            _ => None,
        };
        loop {
            match self.attempt(repository, &upload.blob, mount.as_ref(), &source).await {
                Ok(BlobOutcome::Sent) => return Ok(BlobOutcome::Sent),
                Ok(outcome) => {
                    progress.add(upload.blob.size - source.sent.load(Ordering::Relaxed));
                    return Ok(outcome);
                }
                // A mount only spares an upload: whatever fails with it is tried without.
                Err(_) if mount.is_some() => mount = None,
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    async fn attempt(
        &self,
        repository: &ImageRepository,
        blob: &Descriptor,
        mount: Option<&ImageRepository>,
        source: &Arc<CountedSource>,
    ) -> Result<BlobOutcome, AttemptFailure> {
        let scopes: Vec<_> = [RegistryScope::push(repository)]
            .into_iter()
            .chain(mount.map(RegistryScope::pull))
            .collect();
        let failed = format!("cannot push {}", shown(repository, blob.digest));
        let name = format!("sha256:{}", blob.digest);
        let head = Self::request(Method::HEAD, repository, &["blobs", &name])
            .map_err(AttemptFailure::never)?
            .failing(&failed);
        let reply = self.send(head.clone(), repository, &scopes).await?;
        if self.judge_head(&head, repository, &reply).await? {
            return Ok(BlobOutcome::Present);
        }
        let start = Self::request(Method::POST, repository, &["blobs", "uploads", ""])
            .map_err(AttemptFailure::never)?;
        let mut url = start.url.clone();
        if let Some(from) = mount {
            url.query_pairs_mut().append_pair("mount", &name).append_pair("from", from.path());
        }
        // Its length is said, though it is none: some servers insist.
        let start = ApiRequest::new(Method::POST, url)
            .failing(&failed)
            .carrying(Content::Bytes(Bytes::new()), "application/octet-stream");
        let reply = self.send(start.clone(), repository, &scopes).await?;
        match reply.status {
            StatusCode::CREATED if mount.is_some() => return Ok(BlobOutcome::Mounted),
            StatusCode::ACCEPTED => {}
            _ => return Err(self.refused(&start, repository, &reply).await),
        }
        let to = location(&start, &reply, blob, repository)?;
        let put = ApiRequest::new(Method::PUT, to)
            .failing(&failed)
            .carrying(Content::Stream(source.clone()), "application/octet-stream");
        let reply = self.send(put.clone(), repository, &scopes[..1]).await?;
        match reply.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(BlobOutcome::Sent),
            _ => Err(self.not_taken(&put, repository, &reply).await),
        }
    }

    /// Why an upload failed. What is over on the registry's side begins anew.
    async fn not_taken(
        &self,
        put: &ApiRequest,
        repository: &ImageRepository,
        reply: &ApiResponse,
    ) -> AttemptFailure {
        let code = refusal::error(reply).map(|error| error.code).unwrap_or_default();
        let mut failure = self.refused(put, repository, reply).await;
        let is_over = ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"].contains(&code.as_str())
            || reply.status == StatusCode::NOT_FOUND
            || reply.status == StatusCode::RANGE_NOT_SATISFIABLE;
        if code == "DIGEST_INVALID" {
            failure.fault.kind = Kind::Verification;
            failure.again = RetryDecision::Soon;
        } else if is_over || reply.status == StatusCode::UNAUTHORIZED {
            failure.again = RetryDecision::Soon;
        }
        failure
    }
}

/// Where the bytes are to be sent.
fn location(
    start: &ApiRequest,
    reply: &ApiResponse,
    blob: &Descriptor,
    repository: &ImageRepository,
) -> Result<Url, AttemptFailure> {
    let wrong = |why: String| AttemptFailure::never(start.failed().because(why));
    let host = repository.api_host();
    let told = reply
        .header("location")
        .ok_or_else(|| wrong(format!("{host} does not say where to send it")))?;
    let mut to = reply
        .url
        .join(told)
        .map_err(|error| wrong(format!("{host} wants it sent to what is not a URL: {error}")))?;
    let is_home = to.origin() == start.url.origin();
    let is_fine = match to.scheme() {
        "https" => true,
        "http" => {
            is_home
                || repository.is_local()
                    && crate::model::is_loopback(to.host_str().unwrap_or_default())
        }
        _ => false,
    };
    if !is_fine {
        let to = super::super::address::without_secrets(to.as_str());
        return Err(wrong(format!("{host} wants it sent to {to}, which is not https")));
    }
    to.query_pairs_mut().append_pair("digest", &format!("sha256:{}", blob.digest));
    Ok(to)
}

//! Objects that are too large for one PUT, by S3's multipart uploads ("Uploading and copying objects using
//! multipart upload").
//!
//! ```text
//! POST ?uploads ──> id ── PUT ?partNumber=N ──> ETag, for each part ── POST ?uploadId, If-None-Match: *
//!                    └───────────── whatever fails: DELETE ?uploadId ─────────────┘
//! ```
//!
//! What was not completed is visible to nobody, so nothing is half published.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use reqwest::{Method, StatusCode};

use super::{
    DIGEST, S3,
    publishing::PutAttempt,
    refusal::{self, store_fault},
};
use crate::{
    model::Fault,
    store::{
        AssetStream,
        blob::Blob,
        call::{ApiRequest, ApiResponse, Content, ContentSource},
        file,
        retry::{AttemptFailure, RetryDecision},
    },
};

/// The most parts that an upload has.
const MOST_PARTS: u64 = 10_000;
/// How large a part is, unless there would be too many.
const PART: u64 = 64 << 20;

impl S3 {
    /// Puts `blob` at `key` in parts.
    pub(super) async fn put_in_parts(
        &self,
        key: &Path,
        blob: &Blob,
        is_conditional: bool,
    ) -> Result<PutAttempt, AttemptFailure> {
        let Content::File(file) = &blob.content else {
            let what = format!("cannot publish {key} to {} in parts", self.url);
            return Err(AttemptFailure::never(store_fault(what).because("it is not a file")));
        };
        let id = self.begin_parts(key, blob).await.map_err(AttemptFailure::never)?;
        let put = async {
            let parts = self.send_parts(key, &id, file, blob.size).await;
            let parts = parts.map_err(AttemptFailure::never)?;
            self.complete_parts(key, &id, &parts, is_conditional).await
        };
        let put = put.await;
        if !matches!(put, Ok(PutAttempt::Stored)) {
            // What stays costs the bucket's owner money, and nothing else; rules of the bucket end it.
            let _ = self.abort_parts(key, &id).await;
        }
        put
    }

    async fn begin_parts(&self, key: &Path, blob: &Blob) -> Result<String, Fault> {
        let headers = [(DIGEST, blob.sha256.to_string())];
        let query = [("uploads", String::new())];
        let call = self.bucket.signed_with(Method::POST, key, &headers, &query).await?;
        let call = call.carrying(Content::Bytes(Bytes::new()), blob.media_type());
        let reply = self.succeed(&call).await?;
        let id = refusal::element(&reply, "UploadId").map(unescaped);
        id.ok_or_else(|| call.failed().because("the server names no upload"))
    }

    /// Sends all parts of the file, and returns their ETags.
    async fn send_parts(
        &self,
        key: &Path,
        id: &str,
        file: &std::path::Path,
        size: u64,
    ) -> Result<Vec<String>, Fault> {
        let part = PART.min(self.at_once).max(size.div_ceil(MOST_PARTS));
        let mut etags = Vec::new();
        let mut from = 0;
        while from < size {
            let source = FilePart { path: file.to_owned(), from, size: part.min(size - from) };
            let number = (etags.len() + 1).to_string();
            let query = [("partNumber", number), ("uploadId", id.to_owned())];
            let call = self.bucket.signed_with(Method::PUT, key, &[], &query).await?;
            let call = call.carrying(Content::Stream(Arc::new(source)), "application/octet-stream");
            let reply = self.succeed(&call).await?;
            let etag = reply.headers.get("etag").and_then(|etag| etag.to_str().ok());
            let etag =
                etag.ok_or_else(|| call.failed().because("a part came back without ETag"))?;
            etags.push(etag.to_owned());
            from += part;
        }
        Ok(etags)
    }

    async fn complete_parts(
        &self,
        key: &Path,
        id: &str,
        etags: &[String],
        is_conditional: bool,
    ) -> Result<PutAttempt, AttemptFailure> {
        let mut headers = Vec::new();
        if is_conditional {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let query = [("uploadId", id.to_owned())];
        let call = self.bucket.signed_with(Method::POST, key, &headers, &query).await;
        let call = call.map_err(AttemptFailure::never)?;
        let body = Content::Bytes(completion(etags).into());
        let call = call.carrying(body, "application/xml");
        let reply = self.bucket.client.call(&call).await?;
        match reply.status {
            // It begins to answer before it knows how it ends.
            status if status.is_success() && refusal::code(&reply).is_none() => {
                Ok(PutAttempt::Stored)
            }
            status if status.is_success() => {
                Err(AttemptFailure::never(refusal::fault(&call, &reply)))
            }
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(PutAttempt::Taken),
            StatusCode::NOT_IMPLEMENTED if is_conditional => Ok(PutAttempt::Careless),
            _ => Err(Self::failure_of(&call, &reply)),
        }
    }

    async fn abort_parts(&self, key: &Path, id: &str) -> Result<(), Fault> {
        let query = [("uploadId", id.to_owned())];
        let call = self.bucket.signed_with(Method::DELETE, key, &[], &query).await?;
        self.bucket.send(&call).await.map(drop)
    }

    /// Sends `call` until it is answered for good, and that has to be well.
    async fn succeed(&self, call: &ApiRequest) -> Result<ApiResponse, Fault> {
        let reply = self.bucket.send(call).await?;
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(refusal::fault(call, &reply)),
        }
    }

    pub(super) fn failure_of(call: &ApiRequest, reply: &ApiResponse) -> AttemptFailure {
        let failure = reply.failure(call);
        match failure.again {
            RetryDecision::Never => AttemptFailure::never(refusal::fault(call, reply)),
            _ => failure,
        }
    }
}

/// What completes an upload: its parts in order.
fn completion(etags: &[String]) -> String {
    let mut text = "<CompleteMultipartUpload>".to_owned();
    for (index, etag) in etags.iter().enumerate() {
        let etag = etag.replace('&', "&amp;").replace('<', "&lt;");
        let number = index + 1;
        let _ = write!(text, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    text + "</CompleteMultipartUpload>"
}

/// Text of XML.
fn unescaped(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// A part of a file, read anew with every attempt.
struct FilePart {
    path: PathBuf,
    from: u64,
    size: u64,
}

#[async_trait]
impl ContentSource for FilePart {
    async fn open(&self) -> Result<AssetStream, Fault> {
        file::open_part(&self.path, self.from, self.size)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_part_is_its_own_bytes() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        for (from, size) in [(0, 10), (7, 1_000_003), (2_999_990, 10)] {
            let part = FilePart { path: path.clone(), from, size };
            let mut stream = part.open().await.unwrap();
            let mut read = Vec::new();
            while let Some(piece) = stream.bytes.next().await {
                read.extend_from_slice(&piece.unwrap());
            }
            let from = usize::try_from(from).unwrap();
            assert!(read == bytes[from..from + usize::try_from(size).unwrap()], "{from} {size}");
        }
    }

    #[test]
    fn parts_are_named_in_order() {
        assert_eq!(
            completion(&["\"a\"".into(), "\"b&\"".into()]),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>\"b&amp;\"</ETag></Part></CompleteMultipartUpload>"
        );
        assert_eq!(unescaped("a&amp;lt;&lt;"), "a&lt;<");
    }
}

//! Blobs: bytes by their digest, found, read and written.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use reapi_protocol::{
    google::bytestream::{ReadRequest, WriteRequest},
    reapi,
};
use ring::digest;
use tokio::io::AsyncReadExt;

use super::{
    Connection,
    trouble::{Trouble, TroubleKind, tries},
};
use crate::{disk::open_file, model::Sha256};

/// Larger blobs are streams of their own, in bytes.
const MOST_OF_SMALL: u64 = 1 << 20;
/// How much one message of a stream carries, in bytes.
const PIECE: usize = 1 << 20;
/// How many digests one question holds.
const QUESTION: usize = 10_000;

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

    async fn read(&self) -> Result<Bytes, Trouble> {
        match &self.contents {
            BlobContents::Bytes(bytes) => Ok(bytes.clone()),
            BlobContents::File(_) => {
                let mut bytes = Vec::new();
                self.open()?.read_to_end(&mut bytes).await.map_err(|error| local(&error))?;
                Ok(bytes.into())
            }
        }
    }

    fn open(&self) -> Result<Box<dyn tokio::io::AsyncRead + Send + Unpin>, Trouble> {
        Ok(match &self.contents {
            BlobContents::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            BlobContents::File(path) => {
                let file = open_file(path).map_err(|error| local(&error))?;
                Box::new(tokio::fs::File::from_std(file))
            }
        })
    }
}

fn sha256(found: &digest::Digest) -> Sha256 {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(found.as_ref());
    Sha256(bytes)
}

fn local(error: &io::Error) -> Trouble {
    Trouble::new(TroubleKind::Local, error.to_string())
}

impl Connection {
    /// Writes those of `blobs` that the server lacks. Returns how many bytes were sent.
    ///
    /// # Errors
    /// Why one of them could not be written.
    pub async fn write(&self, blobs: &[RemoteBlob]) -> Result<u64, Trouble> {
        let missing = self.missing(blobs.iter().map(|blob| blob.digest)).await?;
        let mut sent = 0;
        let mut batch = Vec::new();
        let mut batched = 0;
        for blob in blobs.iter().filter(|blob| missing.contains(&blob.digest)) {
            sent += blob.digest.size;
            if blob.digest.size > MOST_OF_SMALL.min(self.most_at_once() / 2) {
                self.write_stream(blob).await?;
                continue;
            }
            if batched + blob.digest.size > self.most_at_once() {
                self.write_batch(std::mem::take(&mut batch)).await?;
                batched = 0;
            }
            batched += blob.digest.size;
            batch.push(reapi::batch_update_blobs_request::Request {
                digest: Some(blob.digest.message()),
                data: blob.read().await?,
                compressor: 0,
            });
        }
        if !batch.is_empty() {
            self.write_batch(batch).await?;
        }
        Ok(sent)
    }

    /// Those of `digests` that the server lacks. The empty blob is everywhere.
    async fn missing(
        &self,
        digests: impl Iterator<Item = BlobDigest>,
    ) -> Result<BTreeSet<BlobDigest>, Trouble> {
        let digests: BTreeSet<_> = digests.filter(|digest| digest.size > 0).collect();
        let digests: Vec<_> = digests.into_iter().collect();
        let mut missing = BTreeSet::new();
        for some in digests.chunks(QUESTION) {
            let question = reapi::FindMissingBlobsRequest {
                instance_name: self.instance().to_owned(),
                blob_digests: some.iter().map(|digest| digest.message()).collect(),
                digest_function: 0,
            };
            let answer = self
                .call(|| {
                    let (mut client, request) = (self.cas(), self.request(question.clone()));
                    async move { client.find_missing_blobs(request).await }
                })
                .await?;
            missing.extend(answer.missing_blob_digests.iter().filter_map(BlobDigest::read));
        }
        Ok(missing)
    }

    async fn write_batch(
        &self,
        requests: Vec<reapi::batch_update_blobs_request::Request>,
    ) -> Result<(), Trouble> {
        let batch = reapi::BatchUpdateBlobsRequest {
            instance_name: self.instance().to_owned(),
            requests,
            digest_function: 0,
        };
        let answer = self
            .call(|| {
                let (mut client, request) = (self.cas(), self.request(batch.clone()));
                async move { client.batch_update_blobs(request).await }
            })
            .await?;
        let statuses = answer.responses.iter().filter_map(|one| one.status.as_ref());
        match statuses.into_iter().find(|status| status.code != 0) {
            Some(status) => {
                let code = tonic::Code::from_i32(status.code);
                Err(Trouble::from_status(&tonic::Status::new(code, status.message.clone())))
            }
            None => Ok(()),
        }
    }

    /// Writes one blob as a stream; from its beginning if that breaks, since hardly any server knows how far it came.
    async fn write_stream(&self, blob: &RemoteBlob) -> Result<(), Trouble> {
        let mut tried = 0;
        let written = loop {
            let name = format!("{}uploads/{}/blobs/{}", self.prefix(), uuid(), blob.digest);
            let sent = Arc::new(AtomicU64::new(0));
            let pieces = pieces(name, blob.digest.size, blob.open()?, sent.clone());
            let mut client = self.bytestream();
            let status = match self.while_moving(&sent, client.write(self.request(pieces))).await? {
                Ok(answer) => break answer.into_inner(),
                Err(status) => status,
            };
            tried += 1;
            if tried >= tries(&status) {
                return Err(Trouble::from_status(&status));
            }
            self.pause(tried).await;
        };
        // The server may end the stream early if it has the blob by now; a compressed one has no size.
        match u64::try_from(written.committed_size) {
            Ok(size) if size != blob.digest.size => Err(Trouble::new(
                TroubleKind::Wrong,
                format!("it took {size} bytes of {}", blob.digest.size),
            )),
            _ => Ok(()),
        }
    }

    /// Reads the blob `digest` into `sink`, and compares what came with its digest.
    ///
    /// # Errors
    /// `Absent` if the server has it no more, `Wrong` if other bytes came.
    pub async fn read(
        &self,
        digest: BlobDigest,
        sink: &mut (dyn Write + Send),
    ) -> Result<(), Trouble> {
        let (mut hasher, mut size) = (digest::Context::new(&digest::SHA256), 0);
        if digest.size > 0 {
            self.read_stream(digest, &mut |piece| {
                hasher.update(piece);
                size += piece.len() as u64;
                sink.write_all(piece)
            })
            .await?;
        }
        let found = BlobDigest { size, sha256: sha256(&hasher.finish()) };
        match found == digest {
            true => Ok(()),
            false => Err(Trouble::new(
                TroubleKind::Wrong,
                format!("it gave {found} for the blob {digest}"),
            )),
        }
    }

    /// Reads a blob to its end, going on where a stream breaks.
    async fn read_stream(
        &self,
        digest: BlobDigest,
        take: &mut (dyn FnMut(&[u8]) -> io::Result<()> + Send),
    ) -> Result<(), Trouble> {
        let mut offset = 0_u64;
        let mut breaks = 0;
        loop {
            let began = offset;
            let broken = match self.read_from(digest, &mut offset, take).await {
                Ok(()) => return Ok(()),
                Err(StreamEnd::Trouble(trouble)) => return Err(trouble),
                Err(StreamEnd::Status(status)) => status,
            };
            breaks = if offset > began { 1 } else { breaks + 1 };
            if breaks >= tries(&broken) {
                return Err(Trouble::from_status(&broken));
            }
            self.pause(breaks).await;
        }
    }

    async fn read_from(
        &self,
        digest: BlobDigest,
        offset: &mut u64,
        take: &mut (dyn FnMut(&[u8]) -> io::Result<()> + Send),
    ) -> Result<(), StreamEnd> {
        let request = ReadRequest {
            resource_name: format!("{}blobs/{digest}", self.prefix()),
            read_offset: offset.cast_signed(),
            read_limit: 0,
        };
        let mut client = self.bytestream();
        let opened = self.within_patience(client.read(self.request(request))).await?;
        let mut stream = opened?.into_inner();
        while let Some(piece) = self.within_patience(stream.message()).await?? {
            *offset += piece.data.len() as u64;
            if *offset > digest.size {
                let why = format!("it gave more than the {} bytes of a blob", digest.size);
                return Err(Trouble::new(TroubleKind::Wrong, why).into());
            }
            take(&piece.data).map_err(|error| local(&error))?;
        }
        Ok(())
    }
}

/// Why a stream ended before its end.
enum StreamEnd {
    Status(tonic::Status),
    Trouble(Trouble),
}

impl From<tonic::Status> for StreamEnd {
    fn from(status: tonic::Status) -> Self {
        Self::Status(status)
    }
}

impl From<Trouble> for StreamEnd {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// The messages that carry the `size` bytes of `file`. The last one says so. How far they are is in `sent`.
fn pieces(
    name: String,
    size: u64,
    file: Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    sent: Arc<AtomicU64>,
) -> impl Stream<Item = WriteRequest> {
    stream::unfold(Some((name, 0_u64, file, sent)), move |state| async move {
        let (name, offset, mut file, sent) = state?;
        sent.store(offset + 1, Ordering::Relaxed);
        let mut data = vec![0; PIECE.min(usize::try_from(size - offset).unwrap_or(PIECE))];
        // What cannot be read any more is a stream that is too short, which the server refuses.
        file.read_exact(&mut data).await.ok()?;
        let end = offset + data.len() as u64;
        let piece = WriteRequest {
            resource_name: name,
            write_offset: offset.cast_signed(),
            finish_write: end == size,
            data: data.into(),
        };
        // Only the first message needs the name.
        let next = (end < size).then(|| (String::new(), end, file, sent));
        Some((piece, next))
    })
}

/// A name that no other upload has.
fn uuid() -> String {
    let unique = crate::disk::unique("");
    let hex: String =
        unique.bytes().filter(u8::is_ascii_hexdigit).map(char::from).cycle().take(32).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

//! Writing blobs: what the server lacks is asked, small ones go many in one message, others as a stream each, in zstd if
//! the server takes that.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use reapi_protocol::{google::bytestream::WriteRequest, reapi};
use tokio::io::AsyncReadExt;

use super::{
    BlobDigest, Connection, RemoteBlob,
    blobs::parcels,
    trouble::{Trouble, TroubleKind, tries},
};

/// How much of a file one message of a stream carries, in bytes.
const PIECE: usize = 1 << 20;
/// How many digests one question holds.
const QUESTION: usize = 10_000;
/// How many messages and streams are on their way at once.
const AT_ONCE: usize = 4;
/// The level of compression: what goes over a network once is hardly worth more.
const LEVEL: i32 = 1;

/// What is written by one call.
enum Parcel<'a> {
    Small(Vec<&'a RemoteBlob>),
    Large(&'a RemoteBlob),
}

impl Connection {
    /// Writes those of `blobs` that the server lacks. Returns how many bytes of them there were.
    ///
    /// # Errors
    /// Why one of them could not be written.
    pub async fn write(&self, blobs: &[RemoteBlob]) -> Result<u64, Trouble> {
        let mut left: Vec<&RemoteBlob> = blobs.iter().collect();
        let mut sent = 0;
        loop {
            let mut missing = self.missing(left.iter().map(|blob| blob.digest)).await?;
            left.retain(|blob| missing.remove(&blob.digest));
            // Of many actions with the same inputs one sends them.
            let claim = self.uploads().claim(&mut left, |blob| blob.digest);
            let blobs = claim.items.iter().copied();
            let (large, batches) = parcels(blobs, self.most_at_once(), |blob| blob.digest.size);
            let streams = large.into_iter().map(Parcel::Large);
            let parcels: Vec<_> = streams.chain(batches.into_iter().map(Parcel::Small)).collect();
            let writes = parcels.into_iter().map(|parcel| async move {
                match parcel {
                    Parcel::Small(some) => self.write_batch(&some).await,
                    Parcel::Large(blob) => self.write_stream(blob).await,
                }
            });
            let writes: Vec<_> = writes.collect();
            stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
            sent += claim.items.iter().map(|blob| blob.digest.size).sum::<u64>();
            drop(claim);
            if left.is_empty() {
                return Ok(sent);
            }
            self.uploads().end_of(left.iter().map(|blob| blob.digest)).await;
        }
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

    async fn write_batch(&self, blobs: &[&RemoteBlob]) -> Result<(), Trouble> {
        let mut requests = Vec::new();
        for blob in blobs {
            requests.push(reapi::batch_update_blobs_request::Request {
                digest: Some(blob.digest.message()),
                data: blob.read().await?,
                compressor: 0,
            });
        }
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
        let is_compressed = self.compresses();
        let form = if is_compressed { "compressed-blobs/zstd" } else { "blobs" };
        let mut tried = 0;
        let written = loop {
            let name = format!("{}uploads/{}/{form}/{}", self.prefix(), uuid(), blob.digest);
            let sent = Arc::new(AtomicU64::new(0));
            let upload = OutgoingBlob::new(name, blob, sent.clone(), is_compressed)?;
            let mut client = self.bytestream();
            let request = self.request(upload.pieces());
            let status = match self.while_moving(&sent, client.write(request)).await? {
                Ok(answer) => break answer.into_inner(),
                Err(status) => status,
            };
            tried += 1;
            if tried >= tries(&status) {
                return Err(Trouble::from_status(&status));
            }
            self.pause_after(&status, tried).await?;
        };
        // The server may end the stream early if it has the blob by now; a compressed one has another size.
        match u64::try_from(written.committed_size) {
            Ok(size) if size != blob.digest.size && !is_compressed => Err(Trouble::new(
                TroubleKind::Wrong,
                format!("it took {size} bytes of {}", blob.digest.size),
            )),
            _ => Ok(()),
        }
    }
}

/// A blob on its way.
struct OutgoingBlob {
    name: String,
    file: Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    /// How many bytes are not read yet.
    left: u64,
    /// Where the next message begins.
    offset: u64,
    encoder: Option<zstd::stream::write::Encoder<'static, Vec<u8>>>,
    /// How far it is, for who waits.
    sent: Arc<AtomicU64>,
}

impl OutgoingBlob {
    fn new(
        name: String,
        blob: &RemoteBlob,
        sent: Arc<AtomicU64>,
        is_compressed: bool,
    ) -> Result<Self, Trouble> {
        let encoder = is_compressed.then(|| zstd::stream::write::Encoder::new(Vec::new(), LEVEL));
        let encoder = encoder
            .transpose()
            .map_err(|error| Trouble::new(TroubleKind::Local, error.to_string()))?;
        let (file, left) = (blob.open()?, blob.digest.size);
        Ok(Self { name, file, left, offset: 0, encoder, sent })
    }

    /// Its messages. The last one says so.
    fn pieces(self) -> impl Stream<Item = WriteRequest> {
        stream::unfold(Some(self), |upload| async move {
            let mut upload = upload?;
            // What cannot be read any more is a stream that is too short, which the server refuses.
            let data = upload.next().await?;
            let piece = WriteRequest {
                // Only the first message needs the name.
                resource_name: std::mem::take(&mut upload.name),
                write_offset: upload.offset.cast_signed(),
                finish_write: upload.left == 0,
                data: data.into(),
            };
            upload.offset += piece.data.len() as u64;
            let next = (!piece.finish_write).then_some(upload);
            Some((piece, next))
        })
    }

    /// The next bytes as they are sent.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let mut plain = vec![0; PIECE.min(usize::try_from(self.left).unwrap_or(PIECE))];
            self.file.read_exact(&mut plain).await.ok()?;
            self.left -= plain.len() as u64;
            let Some(mut encoder) = self.encoder.take() else { return Some(plain) };
            encoder.write_all(&plain).ok()?;
            if self.left == 0 {
                return encoder.finish().ok();
            }
            let packed = std::mem::take(encoder.get_mut());
            self.encoder = Some(encoder);
            if !packed.is_empty() {
                return Some(packed);
            }
        }
    }
}

/// A name that no other upload has.
fn uuid() -> String {
    let unique = crate::disk::unique("");
    let hex: String =
        unique.bytes().filter(u8::is_ascii_hexdigit).map(char::from).cycle().take(32).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

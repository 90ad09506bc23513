//! Writing blobs: what the server lacks is asked, small ones go many in one message, others as a stream each, in zstd if
//! the server takes that.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use reapi_protocol::{google::bytestream::WriteRequest, reapi};
use tokio::{io::AsyncReadExt, sync::Notify};

use super::{
    BlobDigest, Connection, RemoteBlob,
    blobs::MOST_OF_SMALL,
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
            let claim = self.uploads().claim(&mut left);
            let writes = self.parcels(&claim.blobs).into_iter().map(|parcel| async move {
                match parcel {
                    Parcel::Small(some) => self.write_batch(&some).await,
                    Parcel::Large(blob) => self.write_stream(blob).await,
                }
            });
            let writes: Vec<_> = writes.collect();
            stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
            sent += claim.blobs.iter().map(|blob| blob.digest.size).sum::<u64>();
            drop(claim);
            if left.is_empty() {
                return Ok(sent);
            }
            self.uploads().end_of(&left).await;
        }
    }

    /// `blobs`, as few calls carry them.
    fn parcels<'a>(&self, blobs: &[&'a RemoteBlob]) -> Vec<Parcel<'a>> {
        let limit = self.most_at_once();
        let is_small = |blob: &&RemoteBlob| blob.digest.size <= MOST_OF_SMALL.min(limit / 2);
        let (small, large): (Vec<_>, Vec<_>) = blobs.iter().copied().partition(is_small);
        let mut parcels: Vec<_> = large.into_iter().map(Parcel::Large).collect();
        let (mut some, mut size) = (Vec::new(), 0);
        for blob in small {
            if size + blob.digest.size > limit {
                parcels.push(Parcel::Small(std::mem::take(&mut some)));
                size = 0;
            }
            // Each has a digest beside its bytes.
            size += blob.digest.size + 100;
            some.push(blob);
        }
        if !some.is_empty() {
            parcels.push(Parcel::Small(some));
        }
        parcels
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

/// The blobs that are on their way to a server, each sent by one caller.
#[derive(Debug, Default)]
pub(super) struct UploadsUnderWay {
    digests: Mutex<BTreeSet<BlobDigest>>,
    ended: Notify,
}

/// Blobs that one caller sends, until it is dropped.
struct UploadClaim<'a, 'b> {
    uploads: &'a UploadsUnderWay,
    blobs: Vec<&'b RemoteBlob>,
}

impl UploadsUnderWay {
    /// Takes those of `left` that nobody sends at the moment.
    fn claim<'a, 'b>(&'a self, left: &mut Vec<&'b RemoteBlob>) -> UploadClaim<'a, 'b> {
        let mut digests = self.digests();
        let free = |blob: &mut &RemoteBlob| digests.insert(blob.digest);
        let blobs = left.extract_if(.., free).collect();
        UploadClaim { uploads: self, blobs }
    }

    /// Waits until none of `blobs` is on its way, whatever became of it.
    async fn end_of(&self, blobs: &[&RemoteBlob]) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // From here on none is missed.
            ended.as_mut().enable();
            if !blobs.iter().any(|blob| self.digests().contains(&blob.digest)) {
                return;
            }
            ended.await;
        }
    }

    fn digests(&self) -> MutexGuard<'_, BTreeSet<BlobDigest>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UploadClaim<'_, '_> {
    fn drop(&mut self) {
        let mut digests = self.uploads.digests();
        for blob in &self.blobs {
            digests.remove(&blob.digest);
        }
        drop(digests);
        self.uploads.ended.notify_waiters();
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

//! Reading blobs. Small ones come many in one message, others as a stream each, in zstd if the server has that; a
//! stream that breaks goes on where it broke. What came is compared with its digest.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use reapi_protocol::{google::bytestream::ReadRequest, reapi};
use ring::digest;

use super::{
    BlobDigest, BlobSink, Connection,
    blobs::{MOST_OF_SMALL, local, parcels, sha256},
    trouble::{Trouble, TroubleKind, tries},
};

/// How many messages and streams are on their way at once.
const AT_ONCE: usize = 8;

impl Connection {
    /// Reads the blobs `digests`, each once, into `sink`.
    ///
    /// # Errors
    /// `Absent` if the server has one no more, `Wrong` if other bytes came. Some are there then.
    pub async fn read_all(
        &self,
        digests: impl IntoIterator<Item = BlobDigest>,
        sink: &dyn BlobSink,
    ) -> Result<(), Trouble> {
        let (large, batches) = parcels(digests, self.most_at_once(), |digest| digest.size);
        let parcels: Vec<_> = large.into_iter().map(|one| vec![one]).chain(batches).collect();
        let reads = parcels.into_iter().map(|parcel| async move {
            match parcel.as_slice() {
                [one] => self.read_into(*one, sink).await,
                several => self.read_batch(several, sink).await,
            }
        });
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
    }

    /// Reads what `missing` names into a `sink` that others fill as well: what one of them reads, the others wait for.
    ///
    /// # Errors
    /// As [`Self::read_all`].
    pub async fn read_missing(
        &self,
        missing: &(dyn Fn() -> Vec<BlobDigest> + Sync),
        sink: &dyn BlobSink,
    ) -> Result<(), Trouble> {
        let mut done = BTreeSet::new();
        loop {
            let mut left = missing();
            left.retain(|digest| !done.contains(digest));
            let claim = self.downloads().claim(&mut left, |digest| *digest);
            // Since it was looked, somebody else may have been done with one.
            let still = missing();
            let wanted = claim.items.iter().copied().filter(|digest| still.contains(digest));
            self.read_all(wanted, sink).await?;
            done.extend(claim.items.iter().copied());
            drop(claim);
            if left.is_empty() {
                return Ok(());
            }
            self.downloads().end_of(left.into_iter()).await;
        }
    }

    async fn read_into(&self, digest: BlobDigest, sink: &dyn BlobSink) -> Result<(), Trouble> {
        let mut file = sink.begin(digest).map_err(|error| local(&error))?;
        self.read(digest, &mut *file).await?;
        drop(file);
        sink.keep(digest).map_err(|error| local(&error))
    }

    /// Reads many blobs that fit into one message.
    async fn read_batch(&self, digests: &[BlobDigest], sink: &dyn BlobSink) -> Result<(), Trouble> {
        let question = reapi::BatchReadBlobsRequest {
            instance_name: self.instance().to_owned(),
            digests: digests.iter().map(|digest| digest.message()).collect(),
            ..reapi::BatchReadBlobsRequest::default()
        };
        let answer = self
            .call(|| {
                let (mut client, request) = (self.cas(), self.request(question.clone()));
                async move { client.batch_read_blobs(request).await }
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // Whoever does not have the call has streams.
            Err(trouble) if trouble.kind == TroubleKind::Refused => {
                for digest in digests {
                    self.read_into(*digest, sink).await?;
                }
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        };
        for digest in digests {
            let is_it = |one: &&reapi::batch_read_blobs_response::Response| {
                one.digest.as_ref().and_then(BlobDigest::read) == Some(*digest)
            };
            let wrong = |why: String| Trouble::new(TroubleKind::Wrong, why);
            let given = answer.responses.iter().find(is_it);
            let given = given.ok_or_else(|| wrong(format!("it gave nothing for {digest}")))?;
            if let Some(status) = given.status.as_ref().filter(|status| status.code != 0) {
                let code = tonic::Code::from_i32(status.code);
                let status = tonic::Status::new(code, status.message.clone());
                return Err(Trouble::from_status(&status));
            }
            let found = digest::digest(&digest::SHA256, &given.data);
            compared(
                *digest,
                BlobDigest { sha256: sha256(&found), size: given.data.len() as u64 },
            )?;
            let mut file = sink.begin(*digest).map_err(|error| local(&error))?;
            file.write_all(&given.data).map_err(|error| local(&error))?;
            drop(file);
            sink.keep(*digest).map_err(|error| local(&error))?;
        }
        Ok(())
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
        let mut taken = TakenBytes {
            hasher: digest::Context::new(&digest::SHA256),
            size: 0,
            limit: digest.size,
            sink,
            failed: None,
        };
        if digest.size > 0 {
            self.read_stream(digest, &mut taken).await?;
        }
        compared(digest, BlobDigest { size: taken.size, sha256: sha256(&taken.hasher.finish()) })
    }

    /// Reads a blob to its end, going on where a stream breaks.
    async fn read_stream(
        &self,
        digest: BlobDigest,
        taken: &mut TakenBytes<'_>,
    ) -> Result<(), Trouble> {
        let mut breaks = 0;
        loop {
            let began = taken.size;
            let broken = match self.read_from(digest, taken).await {
                Ok(()) => return Ok(()),
                Err(StreamEnd::Trouble(trouble)) => return Err(trouble),
                Err(StreamEnd::Status(status)) => status,
            };
            breaks = if taken.size > began { 1 } else { breaks + 1 };
            if breaks >= tries(&broken) {
                return Err(Trouble::from_status(&broken));
            }
            self.pause_after(&broken, breaks).await?;
        }
    }

    async fn read_from(
        &self,
        digest: BlobDigest,
        taken: &mut TakenBytes<'_>,
    ) -> Result<(), StreamEnd> {
        let is_compressed = self.compresses() && digest.size > MOST_OF_SMALL;
        let form = if is_compressed { "compressed-blobs/zstd" } else { "blobs" };
        let request = ReadRequest {
            resource_name: format!("{}{form}/{digest}", self.prefix()),
            // Of the plain bytes, also where they come compressed.
            read_offset: taken.size.cast_signed(),
            read_limit: 0,
        };
        let mut client = self.bytestream();
        let opened = self.within_patience(client.read(self.request(request))).await?;
        let mut stream = opened?.into_inner();
        let mut pieces = match is_compressed {
            true => StreamPieces::Packed(
                zstd::stream::write::Decoder::new(taken).map_err(|error| local(&error))?,
            ),
            false => StreamPieces::Plain(taken),
        };
        while let Some(piece) = self.within_patience(stream.message()).await?? {
            if let Err(error) = pieces.take(&piece.data) {
                return Err(pieces.taken().trouble(&error).into());
            }
        }
        match pieces.flush() {
            Ok(()) => Ok(()),
            Err(error) => Err(pieces.taken().trouble(&error).into()),
        }
    }
}

/// The pieces of a stream, as they come.
enum StreamPieces<'a, 'b> {
    Plain(&'a mut TakenBytes<'b>),
    Packed(zstd::stream::write::Decoder<'static, &'a mut TakenBytes<'b>>),
}

impl<'a, 'b> StreamPieces<'a, 'b> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(taken) => taken.write_all(bytes),
            Self::Packed(decoder) => decoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Packed(decoder) => decoder.flush(),
        }
    }

    fn taken(self) -> &'a mut TakenBytes<'b> {
        match self {
            Self::Plain(taken) => taken,
            Self::Packed(decoder) => decoder.into_inner(),
        }
    }
}

fn compared(wanted: BlobDigest, found: BlobDigest) -> Result<(), Trouble> {
    match found == wanted {
        true => Ok(()),
        false => {
            Err(Trouble::new(TroubleKind::Wrong, format!("it gave {found} for the blob {wanted}")))
        }
    }
}

/// The bytes of a blob that are here.
struct TakenBytes<'a> {
    hasher: digest::Context,
    size: u64,
    /// How many there may be.
    limit: u64,
    sink: &'a mut (dyn Write + Send),
    /// What this machine said when it should have kept them.
    failed: Option<String>,
}

impl Write for TakenBytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size + bytes.len() as u64 > self.limit {
            let why = format!("it gave more than the {} bytes of a blob", self.limit);
            return Err(io::Error::other(why));
        }
        if let Err(error) = self.sink.write_all(bytes) {
            self.failed = Some(error.to_string());
            return Err(error);
        }
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TakenBytes<'_> {
    /// Why bytes were not taken: this machine could not, or they are wrong.
    fn trouble(&mut self, error: &io::Error) -> Trouble {
        match self.failed.take() {
            Some(why) => Trouble::new(TroubleKind::Local, why),
            None => Trouble::new(TroubleKind::Wrong, error.to_string()),
        }
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

//! The calls of the stand-in server.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use prost::Message;
use reapi_protocol::{
    google::{
        bytestream::{
            QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse,
            WriteRequest, WriteResponse, byte_stream_server::ByteStream,
        },
        rpc,
    },
    reapi::{
        ActionCacheUpdateCapabilities, ActionResult, BatchReadBlobsRequest, BatchReadBlobsResponse,
        BatchUpdateBlobsRequest, BatchUpdateBlobsResponse, CacheCapabilities, Digest,
        ExecutionCapabilities, FindMissingBlobsRequest, FindMissingBlobsResponse,
        GetActionResultRequest, GetCapabilitiesRequest, GetChunkMappingRequest,
        GetChunkMappingResponse, GetTreeRequest, GetTreeResponse, OutputFile,
        RegisterChunkMappingRequest, RegisterChunkMappingResponse, ServerCapabilities,
        SpliceBlobRequest, SpliceBlobResponse, SplitBlobRequest, SplitBlobResponse,
        UpdateActionResultRequest, action_cache_server::ActionCache, batch_read_blobs_response,
        batch_update_blobs_response, capabilities_server::Capabilities,
        content_addressable_storage_server::ContentAddressableStorage,
    },
};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Misconduct, PRINTED, ReapiWorld};
use crate::support::sha256;

#[derive(Clone)]
pub struct Services(pub Arc<Mutex<ReapiWorld>>);

pub(super) type Answer<T> = Result<Response<T>, Status>;
pub(super) type Pieces<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Services {
    pub(super) fn world(&self) -> MutexGuard<'_, ReapiWorld> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call, and misbehaves.
    pub(super) async fn enter<T>(&self, name: &str, request: &Request<T>) -> Result<(), Status> {
        let login = request.metadata().get("authorization");
        let login = login.and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert!(
            request.metadata().contains_key("build.bazel.remote.execution.v2.requestmetadata-bin")
        );
        self.world().calls.push((name.to_owned(), login));
        while self.misconduct() == Misconduct::Silent {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match self.misconduct() {
            Misconduct::Internal => Err(Status::internal("out of order")),
            Misconduct::ReadOnly if ["Update", "Write"].iter().any(|it| name.contains(it)) => {
                Err(Status::permission_denied("you may not write"))
            }
            Misconduct::Full if ["Update", "Write"].iter().any(|it| name.contains(it)) => {
                Err(Status::resource_exhausted("no space left on device"))
            }
            Misconduct::BusyForASecond if name != "GetCapabilities" && self.is_first() => {
                Err(busy(1))
            }
            Misconduct::BusyForAnHour if name != "GetCapabilities" => Err(busy(3600)),
            _ => Ok(()),
        }
    }

    /// Whether it is the first time that something happens which happens once.
    pub(super) fn is_first(&self) -> bool {
        !std::mem::replace(&mut self.world().is_over, true)
    }

    pub(super) fn misconduct(&self) -> Misconduct {
        self.world().misconduct
    }

    /// The blob `digest`, as the server has it.
    fn given(&self, digest: &str) -> Result<Vec<u8>, Status> {
        let misconduct = self.misconduct();
        let found = self.world().blobs.get(digest).cloned();
        let found = found.filter(|_| misconduct != Misconduct::Evicted);
        let mut bytes = found.ok_or_else(|| Status::not_found("no such blob"))?.to_vec();
        match misconduct {
            Misconduct::Corrupt => *bytes.last_mut().expect("no empty blob") ^= 1,
            Misconduct::Short => drop(bytes.pop()),
            _ => {}
        }
        Ok(bytes)
    }

    fn keep(&self, digest: &str, bytes: Bytes) -> Result<(), Status> {
        if sha256(&bytes) != digest {
            return Err(Status::invalid_argument("that is another digest"));
        }
        self.world().blobs.insert(digest.to_owned(), bytes);
        Ok(())
    }
}

/// That the server is busy, and for how long.
fn busy(seconds: i64) -> Status {
    let retry_delay = Some(reapi_protocol::prost_types::Duration { seconds, nanos: 0 });
    let any = reapi_protocol::prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
        value: rpc::RetryInfo { retry_delay }.encode_to_vec(),
    };
    let details = rpc::Status { code: 14, message: "busy".into(), details: vec![any] };
    let details = details.encode_to_vec().into();
    Status::with_details(tonic::Code::Unavailable, "busy", details)
}

#[async_trait]
impl Capabilities for Services {
    async fn get_capabilities(
        &self,
        request: Request<GetCapabilitiesRequest>,
    ) -> Answer<ServerCapabilities> {
        self.enter("GetCapabilities", &request).await?;
        Ok(Response::new(ServerCapabilities {
            cache_capabilities: Some(CacheCapabilities {
                digest_functions: vec![1],
                action_cache_update_capabilities: Some(ActionCacheUpdateCapabilities {
                    update_enabled: true,
                }),
                supported_compressors: if self.world().compresses { vec![1] } else { Vec::new() },
                ..CacheCapabilities::default()
            }),
            execution_capabilities: Some(ExecutionCapabilities {
                digest_function: 1,
                exec_enabled: true,
                ..ExecutionCapabilities::default()
            }),
            ..ServerCapabilities::default()
        }))
    }
}

#[async_trait]
impl ActionCache for Services {
    async fn get_action_result(
        &self,
        request: Request<GetActionResultRequest>,
    ) -> Answer<ActionResult> {
        self.enter("GetActionResult", &request).await?;
        let digest = request.into_inner().action_digest.unwrap_or_default().hash;
        let found = self.world().results.get(&digest).cloned();
        let mut result = found.ok_or_else(|| Status::not_found("no such action"))?;
        match self.misconduct() {
            Misconduct::OutsidePath => {
                let file =
                    OutputFile { path: "../outside".into(), ..result.output_files[0].clone() };
                result.output_files.push(file);
            }
            Misconduct::Incomplete => drop(result.output_files.pop()),
            _ => {}
        }
        Ok(Response::new(result))
    }

    async fn update_action_result(
        &self,
        request: Request<UpdateActionResultRequest>,
    ) -> Answer<ActionResult> {
        self.enter("UpdateActionResult", &request).await?;
        let order = request.into_inner();
        let (action, result) = (order.action_digest.unwrap_or_default().hash, order.action_result);
        let result = result.ok_or_else(|| Status::invalid_argument("no result"))?;
        let mut world = self.world();
        let named = result.output_files.iter().filter_map(|file| file.digest.as_ref());
        let mut named: Vec<&str> = named.map(|digest| digest.hash.as_str()).collect();
        named.push(&action);
        if let Some(missing) = named.iter().find(|hash| !world.blobs.contains_key(**hash)) {
            return Err(Status::failed_precondition(format!("{missing} is not there yet")));
        }
        world.results.insert(action, result.clone());
        Ok(Response::new(result))
    }
}

#[async_trait]
impl ContentAddressableStorage for Services {
    async fn find_missing_blobs(
        &self,
        request: Request<FindMissingBlobsRequest>,
    ) -> Answer<FindMissingBlobsResponse> {
        self.enter("FindMissingBlobs", &request).await?;
        let mut missing_blob_digests = request.into_inner().blob_digests;
        missing_blob_digests.retain(|digest| !self.world().blobs.contains_key(&digest.hash));
        Ok(Response::new(FindMissingBlobsResponse { missing_blob_digests }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<BatchUpdateBlobsRequest>,
    ) -> Answer<BatchUpdateBlobsResponse> {
        self.enter("BatchUpdateBlobs", &request).await?;
        let mut responses = Vec::new();
        for one in request.into_inner().requests {
            let digest = one.digest.unwrap_or_default();
            self.world().received += one.data.len();
            self.keep(&digest.hash, one.data)?;
            responses.push(batch_update_blobs_response::Response {
                digest: Some(digest),
                status: Some(rpc::Status::default()),
            });
        }
        Ok(Response::new(BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<BatchReadBlobsRequest>,
    ) -> Answer<BatchReadBlobsResponse> {
        self.enter("BatchReadBlobs", &request).await?;
        if self.misconduct() == Misconduct::NoBatches {
            return Err(Status::unimplemented("by streams only"));
        }
        let digests = request.into_inner().digests;
        let size: i64 = digests.iter().map(|digest| digest.size_bytes).sum();
        if size > 4 << 20 {
            return Err(Status::invalid_argument("that is more than one message carries"));
        }
        let response = |digest: Digest| {
            let (data, status) = match self.given(&digest.hash) {
                Ok(bytes) => (bytes.into(), rpc::Status::default()),
                Err(status) => {
                    let message = status.message().to_owned();
                    let code = status.code() as i32;
                    (Bytes::new(), rpc::Status { code, message, ..rpc::Status::default() })
                }
            };
            batch_read_blobs_response::Response {
                digest: Some(digest),
                data,
                status: Some(status),
                ..batch_read_blobs_response::Response::default()
            }
        };
        let responses = digests.into_iter().map(response).collect();
        Ok(Response::new(BatchReadBlobsResponse { responses }))
    }

    type GetTreeStream = Pieces<GetTreeResponse>;

    async fn get_tree(&self, _: Request<GetTreeRequest>) -> Answer<Self::GetTreeStream> {
        Err(Status::unimplemented("no trees"))
    }

    type GetChunkMappingStream = Pieces<GetChunkMappingResponse>;

    async fn get_chunk_mapping(
        &self,
        _: Request<GetChunkMappingRequest>,
    ) -> Answer<Self::GetChunkMappingStream> {
        Err(Status::unimplemented("no chunks"))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<Streaming<RegisterChunkMappingRequest>>,
    ) -> Answer<RegisterChunkMappingResponse> {
        Err(Status::unimplemented("no chunks"))
    }

    async fn split_blob(&self, _: Request<SplitBlobRequest>) -> Answer<SplitBlobResponse> {
        Err(Status::unimplemented("no chunks"))
    }

    async fn splice_blob(&self, _: Request<SpliceBlobRequest>) -> Answer<SpliceBlobResponse> {
        Err(Status::unimplemented("no chunks"))
    }
}

#[async_trait]
impl ByteStream for Services {
    type ReadStream = Pieces<ReadResponse>;

    async fn read(&self, request: Request<ReadRequest>) -> Answer<Self::ReadStream> {
        self.enter("Read", &request).await?;
        let request = request.into_inner();
        if request.resource_name.starts_with("printed/") {
            let piece = Ok(ReadResponse { data: Bytes::from_static(PRINTED.as_bytes()) });
            return Ok(Response::new(Box::pin(stream::iter([piece]))));
        }
        let digest = request.resource_name.split('/').rev().nth(1).unwrap_or_default().to_owned();
        let mut bytes = self.given(&digest)?;
        let mut rest = bytes.split_off(usize::try_from(request.read_offset).unwrap_or(0));
        if request.resource_name.contains("compressed-blobs/zstd/") {
            assert!(self.world().compresses);
            rest = zstd::encode_all(&*rest, 1).expect("compressed");
        }
        let misconduct = self.misconduct();
        let mut pieces: Vec<Result<ReadResponse, Status>> = rest
            .chunks(64 << 10)
            .map(|piece| Ok(ReadResponse { data: Bytes::copy_from_slice(piece) }))
            .collect();
        let is_first = !self.world().broken.contains(&digest);
        if misconduct == Misconduct::Breaking && is_first {
            self.world().broken.push(digest);
            pieces.truncate(1);
            pieces.push(Err(Status::unavailable("a moment")));
        }
        Ok(Response::new(Box::pin(stream::iter(pieces))))
    }

    async fn write(&self, request: Request<Streaming<WriteRequest>>) -> Answer<WriteResponse> {
        self.enter("Write", &request).await?;
        let mut messages = request.into_inner();
        let (mut name, mut bytes) = (String::new(), Vec::new());
        while let Some(message) = messages.message().await? {
            if bytes.is_empty() {
                name.clone_from(&message.resource_name);
            }
            assert_eq!(usize::try_from(message.write_offset), Ok(bytes.len()));
            bytes.extend_from_slice(&message.data);
            if message.finish_write {
                break;
            }
        }
        let digest = name.split('/').rev().nth(1).unwrap_or_default().to_owned();
        self.world().received += bytes.len();
        let committed_size = i64::try_from(bytes.len()).expect("a size");
        if name.contains("compressed-blobs/zstd/") {
            assert!(self.world().compresses);
            bytes =
                zstd::decode_all(&*bytes).map_err(|e| Status::invalid_argument(e.to_string()))?;
        }
        self.keep(&digest, bytes.into())?;
        Ok(Response::new(WriteResponse { committed_size }))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Answer<QueryWriteStatusResponse> {
        Err(Status::unimplemented("nobody knows"))
    }
}

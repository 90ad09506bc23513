//! The calls to one server. It is connected to with the first.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use prost::Message;
use reapi_protocol::{
    google::{
        bytestream::byte_stream_client::ByteStreamClient,
        longrunning::operations_client::OperationsClient,
    },
    reapi::{
        self, action_cache_client::ActionCacheClient, capabilities_client::CapabilitiesClient,
        content_addressable_storage_client::ContentAddressableStorageClient,
        execution_client::ExecutionClient,
    },
};
use tonic::{
    Request, Response, Status,
    metadata::{AsciiMetadataKey, MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    ActionOutputs, BlobDigest, ConnectionSettings,
    trouble::{Trouble, TroubleKind, asked_delay, tries},
    under_way::BlobsUnderWay,
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// What servers send: more than the library takes by itself, in bytes.
const MOST_OF_A_MESSAGE: usize = 64 << 20;
/// What every server takes in one message, in bytes: gRPC's own limit.
const LIMIT: u64 = 4 << 20;
/// What a message has besides the bytes of blobs, in bytes.
const FRAME: u64 = 64 << 10;
/// The wait before another try; it doubles from there.
const PAUSE: Duration = Duration::from_millis(100);

/// A server.
pub struct Connection {
    settings: ConnectionSettings,
    channel: Channel,
    /// Streams that wait for executions: many servers allow few at once, and transfers must not wait for them.
    waiting: Channel,
    metadata: MetadataMap,
    most_at_once: AtomicU64,
    /// Whether the server takes and gives streams in zstd.
    compresses: AtomicBool,
    uploads: BlobsUnderWay,
    downloads: BlobsUnderWay,
}

/// What executions are asked for and stopped with.
pub(super) struct ExecutionClients {
    pub(super) execution: ExecutionClient<Channel>,
    pub(super) operations: OperationsClient<Channel>,
}

/// What a server can and lets do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCapabilities {
    /// The functions of digests that it knows, by their names.
    pub digest_functions: Vec<String>,
    /// Whether results may be written, as far as the server says.
    pub may_write: bool,
    /// The newest version of the API that it speaks.
    pub version: String,
    /// Whether it takes and gives streams in zstd.
    pub compresses: bool,
    /// Whether it also executes.
    pub executes: bool,
    has_sha256: bool,
}

impl Connection {
    /// The server of `settings`. Has to be called within a runtime; connects to nothing yet.
    ///
    /// # Errors
    /// If a certificate or a header cannot be used.
    pub fn new(settings: ConnectionSettings) -> Result<Self, Trouble> {
        let wrong = |why: String| Trouble::new(TroubleKind::Local, why);
        let mut endpoint = Endpoint::from_shared(settings.address.uri())
            .and_then(|endpoint| endpoint.user_agent(settings.user_agent.clone()))
            .map_err(|error| wrong(error.to_string()))?
            .connect_timeout(CONNECT)
            // Pings of HTTP/2 are limited by servers, those of TCP are not.
            .tcp_keepalive(Some(Duration::from_secs(60)));
        if settings.address.is_secure() {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(authorities) = &settings.authorities {
                tls = tls.ca_certificate(Certificate::from_pem(authorities));
            }
            if let Some(identity) = &settings.identity {
                tls = tls.identity(Identity::from_pem(&identity.certificate, &identity.key));
            }
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| wrong(format!("its certificates cannot be used: {error}")))?;
        }
        let metadata = metadata(&settings).map_err(wrong)?;
        let (channel, waiting) = (endpoint.connect_lazy(), endpoint.connect_lazy());
        let most_at_once = AtomicU64::new(LIMIT - FRAME);
        let compresses = AtomicBool::new(false);
        let (uploads, downloads) = (BlobsUnderWay::default(), BlobsUnderWay::default());
        Ok(Self {
            settings,
            channel,
            waiting,
            metadata,
            most_at_once,
            compresses,
            uploads,
            downloads,
        })
    }

    /// The address, as people write it.
    pub fn address(&self) -> &str {
        self.settings.address.as_str()
    }

    pub(super) fn instance(&self) -> &str {
        &self.settings.instance
    }

    /// What names of streams begin with.
    pub(super) fn prefix(&self) -> String {
        match self.instance() {
            "" => String::new(),
            instance => format!("{instance}/"),
        }
    }

    /// How many bytes of blobs one message may carry.
    pub(super) fn most_at_once(&self) -> u64 {
        self.most_at_once.load(Ordering::Relaxed)
    }

    /// Whether the server takes and gives streams in zstd, as far as it said so by now.
    pub(super) fn compresses(&self) -> bool {
        self.compresses.load(Ordering::Relaxed)
    }

    pub(super) fn uploads(&self) -> &BlobsUnderWay {
        &self.uploads
    }

    /// What comes at the moment, to where several look for it.
    pub(super) fn downloads(&self) -> &BlobsUnderWay {
        &self.downloads
    }

    pub(super) fn cas(&self) -> ContentAddressableStorageClient<Channel> {
        ContentAddressableStorageClient::new(self.channel.clone())
            .max_decoding_message_size(MOST_OF_A_MESSAGE)
    }

    pub(super) fn bytestream(&self) -> ByteStreamClient<Channel> {
        ByteStreamClient::new(self.channel.clone()).max_decoding_message_size(MOST_OF_A_MESSAGE)
    }

    /// For a stream that lasts as long as an execution.
    pub(super) fn waiting_bytestream(&self) -> ByteStreamClient<Channel> {
        ByteStreamClient::new(self.waiting.clone()).max_decoding_message_size(MOST_OF_A_MESSAGE)
    }

    pub(super) fn execution_clients(&self) -> ExecutionClients {
        ExecutionClients {
            execution: ExecutionClient::new(self.waiting.clone())
                .max_decoding_message_size(MOST_OF_A_MESSAGE),
            operations: OperationsClient::new(self.channel.clone()),
        }
    }

    /// How long the server may be silent.
    pub fn patience(&self) -> Duration {
        self.settings.patience
    }

    fn results(&self) -> ActionCacheClient<Channel> {
        ActionCacheClient::new(self.channel.clone()).max_decoding_message_size(MOST_OF_A_MESSAGE)
    }

    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        Request::from_parts(self.metadata.clone(), tonic::Extensions::default(), message)
    }

    /// What the server can and lets do.
    ///
    /// # Errors
    /// Why it does not say, or cannot serve forge.
    pub async fn capabilities(&self) -> Result<ServerCapabilities, Trouble> {
        let question = reapi::GetCapabilitiesRequest { instance_name: self.instance().to_owned() };
        let answer = self
            .call(|| {
                let mut client = CapabilitiesClient::new(self.channel.clone());
                let request = self.request(question.clone());
                async move { client.get_capabilities(request).await }
            })
            .await?;
        let cache = answer.cache_capabilities.unwrap_or_default();
        // Zero is said to be no limit; the library that carries the messages has one all the same.
        let limit = match u64::try_from(cache.max_batch_total_size_bytes) {
            Ok(limit) if limit > 0 => limit.min(LIMIT),
            _ => LIMIT,
        };
        self.most_at_once.store(limit.saturating_sub(FRAME).max(1), Ordering::Relaxed);
        let zstd = reapi::compressor::Value::Zstd as i32;
        let compresses = cache.supported_compressors.contains(&zstd);
        self.compresses.store(compresses, Ordering::Relaxed);
        let name = |function: &i32| {
            let function = reapi::digest_function::Value::try_from(*function).ok();
            function.map_or_else(|| "another".into(), |it| it.as_str_name().to_owned())
        };
        let sha256 = reapi::digest_function::Value::Sha256 as i32;
        let version = answer.high_api_version.unwrap_or_default();
        let capabilities = ServerCapabilities {
            digest_functions: cache.digest_functions.iter().map(name).collect(),
            may_write: cache
                .action_cache_update_capabilities
                .is_some_and(|capabilities| capabilities.update_enabled),
            version: format!("{}.{}", version.major, version.minor),
            compresses,
            executes: answer.execution_capabilities.is_some_and(|it| it.exec_enabled),
            has_sha256: cache.digest_functions.contains(&sha256),
        };
        match capabilities.has_sha256 {
            true => Ok(capabilities),
            false => {
                Err(Trouble::new(TroubleKind::Refused, "it does not go by SHA-256".to_owned()))
            }
        }
    }

    /// What is kept of the action with this digest; nothing if the server has none. The output `inline` comes with it,
    /// if the server does that.
    ///
    /// # Errors
    /// `Wrong` if that is nothing that forge could have written.
    pub async fn result(
        &self,
        action: BlobDigest,
        inline: &str,
    ) -> Result<Option<ActionOutputs>, Trouble> {
        let question = reapi::GetActionResultRequest {
            instance_name: self.instance().to_owned(),
            action_digest: Some(action.message()),
            inline_output_files: vec![inline.to_owned()],
            ..reapi::GetActionResultRequest::default()
        };
        let answer = self
            .call(|| {
                let (mut client, request) = (self.results(), self.request(question.clone()));
                async move { client.get_action_result(request).await }
            })
            .await;
        match answer {
            Ok(result) => ActionOutputs::read(&result).map(Some).ok_or_else(|| {
                let why = "its result is not one that forge writes".to_owned();
                Trouble::new(TroubleKind::Wrong, why)
            }),
            Err(trouble) if trouble.kind == TroubleKind::Absent => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Keeps `outputs` as what the action with this digest made. All blobs have to be there.
    ///
    /// # Errors
    /// Why the server does not.
    pub async fn keep_result(
        &self,
        action: BlobDigest,
        outputs: &ActionOutputs,
    ) -> Result<(), Trouble> {
        let order = reapi::UpdateActionResultRequest {
            instance_name: self.instance().to_owned(),
            action_digest: Some(action.message()),
            action_result: Some(outputs.message()),
            ..reapi::UpdateActionResultRequest::default()
        };
        self.call(|| {
            let (mut client, request) = (self.results(), self.request(order.clone()));
            async move { client.update_action_result(request).await }
        })
        .await?;
        Ok(())
    }

    /// Calls until there is an answer, or no further try is worth it.
    pub(super) async fn call<T, C: Future<Output = Result<Response<T>, Status>>>(
        &self,
        mut call: impl FnMut() -> C,
    ) -> Result<T, Trouble> {
        let mut tried = 0;
        loop {
            let status = match self.within_patience(call()).await? {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            tried += 1;
            if tried >= tries(&status) {
                return Err(Trouble::from_status(&status));
            }
            self.pause_after(&status, tried).await?;
        }
    }

    /// Waits for `answer` as long as `moved` changes now and then.
    pub(super) async fn while_moving<T>(
        &self,
        moved: &AtomicU64,
        answer: impl Future<Output = T>,
    ) -> Result<T, Trouble> {
        let limit = self.settings.patience;
        let mut answer = std::pin::pin!(answer);
        let mut before = None;
        loop {
            if let Ok(answer) = tokio::time::timeout(limit, answer.as_mut()).await {
                return Ok(answer);
            }
            let now = Some(moved.load(Ordering::Relaxed));
            if std::mem::replace(&mut before, now) == now {
                return Err(silent(limit));
            }
        }
    }

    /// Waits for `answer` no longer than a server may be silent.
    pub(super) async fn within_patience<T>(
        &self,
        answer: impl Future<Output = T>,
    ) -> Result<T, Trouble> {
        let limit = self.settings.patience;
        tokio::time::timeout(limit, answer).await.map_err(|_| silent(limit))
    }

    /// Waits before the next try after `status`: as long as the server says, or a little longer each time.
    ///
    /// # Errors
    /// If the server says longer than anybody waits.
    pub(super) async fn pause_after(&self, status: &Status, tried: u32) -> Result<(), Trouble> {
        let pause = match asked_delay(status) {
            Some(asked) if asked > self.settings.patience => {
                return Err(Trouble::from_status(status));
            }
            Some(asked) => asked,
            None => PAUSE * 2_u32.saturating_pow(tried.saturating_sub(1)).min(8),
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn silent(limit: Duration) -> Trouble {
    let why = format!("it did not answer within {} s", limit.as_secs_f64());
    Trouble::new(TroubleKind::Unavailable, why)
}

/// What each call carries: the headers, and who asks.
fn metadata(settings: &ConnectionSettings) -> Result<MetadataMap, String> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &settings.headers {
        let key = AsciiMetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes())
            .map_err(|_| format!("`{name}` cannot be a header"))?;
        let mut value = MetadataValue::try_from(value.as_str()).map_err(|_| {
            format!("the value for the header `{name}` has signs that none may have")
        })?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    let asking = reapi::RequestMetadata {
        tool_details: Some(reapi::ToolDetails {
            tool_name: "forge".into(),
            tool_version: env!("CARGO_PKG_VERSION").into(),
        }),
        tool_invocation_id: settings.run.clone(),
        ..reapi::RequestMetadata::default()
    };
    let value = MetadataValue::from_bytes(&asking.encode_to_vec());
    metadata.insert_bin("build.bazel.remote.execution.v2.requestmetadata-bin", value);
    Ok(metadata)
}

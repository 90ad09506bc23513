//! A server of the Remote Execution API in memory, which counts what is asked of it and misbehaves as it is told
//! to: what no real server does on request.

mod execution;
mod services;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
pub use execution::{MADE, PRINTED};
use reapi_protocol::{
    google::bytestream::byte_stream_server::ByteStreamServer,
    reapi::{
        ActionResult, action_cache_server::ActionCacheServer,
        capabilities_server::CapabilitiesServer,
        content_addressable_storage_server::ContentAddressableStorageServer,
        execution_server::ExecutionServer,
    },
};
use tokio::sync::oneshot;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming};

/// How it misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misconduct {
    /// Not at all.
    #[default]
    None,
    /// Blobs have another byte at their end.
    Corrupt,
    /// Blobs end too soon.
    Short,
    /// Results are there, their blobs are not.
    Evicted,
    /// Every call ends with INTERNAL.
    Internal,
    /// No call is answered.
    Silent,
    /// Nothing may be written.
    ReadOnly,
    /// Results name a file outside.
    OutsidePath,
    /// Results lack a file.
    Incomplete,
    /// Each stream of a blob breaks once, after its first piece.
    Breaking,
    /// The stream of an execution breaks once it has a name.
    LosesStreams,
    /// The inputs of an execution are gone once, and it says which.
    LosesInputs,
    /// The same, and it says nothing but INTERNAL.
    LosesInputsSilently,
    /// What an execution made is gone once.
    LosesOutputs,
    /// It is busy once, and says that it will be for a second.
    BusyForASecond,
    /// It is busy, and says that it will be for an hour.
    BusyForAnHour,
    /// It has no call for many blobs.
    NoBatches,
    /// The disk of the server is full.
    Full,
    /// An execution prints, and lasts until it is told to end.
    Prints,
}

/// What it holds, and what was asked of it.
#[derive(Default)]
pub struct ReapiWorld {
    /// By their digests.
    pub blobs: BTreeMap<String, Bytes>,
    /// By the digests of their actions.
    pub results: BTreeMap<String, ActionResult>,
    /// The names of calls, each with the value of the header `authorization`.
    pub calls: Vec<(String, Option<String>)>,
    pub misconduct: Misconduct,
    /// Whether the misconduct that happens once has happened.
    pub is_over: bool,
    /// Whether it takes and gives streams in zstd.
    pub compresses: bool,
    /// How many bytes of blobs came, as they came.
    pub received: usize,
    /// Whether executions that last may end.
    pub may_end: bool,
    broken: Vec<String>,
}

/// A server under way; it ends when it is dropped.
pub struct Reapi {
    world: Arc<Mutex<ReapiWorld>>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reapi {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// With a certificate and its key, and the authority that clients' certificates have to be of.
    pub fn start_secure(certificate: &str, key: &str, clients: &str) -> Self {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(clients));
        Self::start_with(Some(tls))
    }

    fn start_with(tls: Option<ServerTlsConfig>) -> Self {
        let world = Arc::new(Mutex::new(ReapiWorld::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let served = services::Services(world.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let address = "127.0.0.1:0".parse().expect("an address");
                let incoming = TcpIncoming::bind(address).expect("a port");
                tell.send(incoming.local_addr().expect("its address").port()).expect("a listener");
                let limit = 4 << 20;
                let blobs = ContentAddressableStorageServer::new(served.clone());
                let streams = ByteStreamServer::new(served.clone());
                let mut builder = Server::builder();
                if let Some(tls) = tls {
                    builder = builder.tls_config(tls).expect("certificates");
                }
                let server = builder
                    .add_service(ExecutionServer::new(served.clone()))
                    .add_service(CapabilitiesServer::new(served.clone()))
                    .add_service(ActionCacheServer::new(served.clone()))
                    .add_service(blobs.max_decoding_message_size(limit))
                    .add_service(streams.max_decoding_message_size(limit))
                    .serve_with_incoming_shutdown(incoming, async move {
                        let _ = stopped.await;
                    });
                // What is silent would be waited for.
                let _ = tokio::time::timeout(Duration::from_secs(300), server).await;
            });
        });
        let port = told.recv().expect("a port");
        Self { world, port, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `grpc://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    pub fn world(&self) -> MutexGuard<'_, ReapiWorld> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn misbehaves(&self, misconduct: Misconduct) {
        self.world().misconduct = misconduct;
    }

    /// How often `call` came since the last time that somebody asked for any.
    pub fn count(&self, call: &str) -> usize {
        self.world().calls.iter().filter(|(name, _)| name == call).count()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.world().calls.clear();
    }

    /// How often each call came, in the order of their names.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (name, _) in &self.world().calls {
            *counts.entry(name.clone()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Reapi {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.misbehaves(Misconduct::None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

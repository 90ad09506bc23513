//! The server: gRPC and JSON at one port, who may ask, and how it ends.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use reapi_protocol::deploy::{DESCRIPTION, deployment_service_server::DeploymentServiceServer};
use tonic::{
    Code, Status,
    service::Routes,
    transport::{
        Certificate, Identity, Server, ServerTlsConfig,
        server::{TcpIncoming, TlsConnectInfo},
    },
};
use tonic_web::GrpcWebLayer;
use tower_layer::Layer;

use super::{
    Callers, Catalog, DeployGround, JobQueue, JobStarter, ServeListener, SharedQueue,
    callers::Caller,
    calls::{Calls, QueueBell},
    conductor::Conductor,
    grpc::GrpcCalls,
    http::routes,
    metrics::{CONTENT_TYPE, Metrics, call_at},
    refusal::CallRefusal,
    schedule::Scheduler,
};
use crate::{
    model::{Fault, Kind},
    process::Cancel,
};

/// No request is larger, in bytes.
const MOST_OF_A_REQUEST: usize = 1 << 20;
/// How long calls that are being answered are waited for at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// The certificate of a server, as PEM.
pub struct ServerTls {
    /// The certificate, with those that lead to its authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The authority whose certificates clients prove themselves with, if they have to.
    pub client_authority: Option<Vec<u8>>,
}

/// How a server serves.
pub struct ServeSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its certificate, if it speaks TLS.
    pub tls: Option<ServerTls>,
    /// Who may ask.
    pub callers: Callers,
    /// How many jobs may be at work.
    pub most_at_work: usize,
    /// How many may wait.
    pub most_waiting: u64,
    /// The folder that the folders of jobs are in.
    pub root: PathBuf,
    /// Which server it is, of those that share a queue.
    pub owner: String,
    /// How other servers share the queue, if they do.
    pub shared: Option<SharedQueue>,
}

impl ServeSettings {
    /// Refuses to serve whoever comes by.
    ///
    /// # Errors
    /// `Usage` if others than this machine reach it, and it asks nobody who they are, or speaks in the open.
    pub fn check(&self) -> Result<(), Fault> {
        if self.address.ip().is_loopback() {
            return Ok(());
        }
        let has_authority = self.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some());
        let refused = |why: &str, hint: &str| {
            let what = format!("forge does not serve at {}", self.address);
            Err(Fault::new(Kind::Usage, what).because(why).hint(hint))
        };
        if !self.callers.have_tokens() && !has_authority {
            return refused(
                "others than this machine reach it, and anybody could deploy",
                "name a file with tokens (`--tokens FILE`), or listen at 127.0.0.1 behind a proxy",
            );
        }
        if self.tls.is_none() {
            return refused(
                "tokens would go over the network in the open",
                "name a certificate (`--certificate FILE --key FILE`), or listen at 127.0.0.1 behind a proxy",
            );
        }
        Ok(())
    }
}

/// What a server is made of.
pub struct ServeParts {
    /// Where jobs are kept.
    pub jobs: Arc<dyn JobQueue>,
    /// The workspace and its ledger.
    pub ground: Arc<dyn DeployGround>,
    /// What starts jobs.
    pub starter: Arc<dyn JobStarter>,
    /// Who hears what happens.
    pub tell: ServeListener,
}

/// What each request passes.
struct Gate {
    callers: Callers,
    metrics: Arc<Metrics>,
}

/// Serves until `stop`. JobQueue that are at work then go on, and the next server finds them.
///
/// # Errors
/// If it cannot listen, or the queue cannot be used.
pub async fn serve(settings: ServeSettings, parts: ServeParts, stop: Cancel) -> Result<(), Fault> {
    settings.check()?;
    let cannot = |why: String| {
        Fault::new(Kind::Failed, format!("cannot serve at {}", settings.address)).because(why)
    };
    let listener = TcpListener::bind(settings.address).map_err(|e| cannot(e.to_string()))?;
    listener.set_nonblocking(true).map_err(|error| cannot(error.to_string()))?;
    let address = listener.local_addr().map_err(|error| cannot(error.to_string()))?;
    let listener = tokio::net::TcpListener::from_std(listener);
    let incoming = TcpIncoming::from(listener.map_err(|error| cannot(error.to_string()))?);
    let mut builder = Server::builder().accept_http1(true);
    let is_secure = settings.tls.is_some();
    if let Some(tls) = &settings.tls {
        let wrong = |error: tonic::transport::Error| {
            let why =
                std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
            cannot(format!("its certificate cannot be used: {why}"))
        };
        builder = builder.tls_config(tls_config(tls)).map_err(wrong)?;
    }
    let bell = QueueBell::new();
    let calls = Arc::new(Calls {
        jobs: parts.jobs.clone(),
        ground: parts.ground.clone(),
        bell: bell.clone(),
        root: settings.root.clone(),
        owner: settings.owner.clone(),
        most_waiting: settings.most_waiting,
        stop: stop.clone(),
        catalog: RwLock::new(Catalog::default()),
    });
    let conductor = Conductor {
        jobs: parts.jobs,
        ground: parts.ground,
        starter: parts.starter,
        bell,
        root: settings.root,
        owner: settings.owner,
        most: settings.most_at_work,
        shared: settings.shared,
        tell: parts.tell.clone(),
        at_work: BTreeMap::new(),
    };
    let scheduler = Scheduler {
        jobs: calls.jobs.clone(),
        ground: calls.ground.clone(),
        bell: calls.bell.clone(),
        most_waiting: settings.most_waiting,
        tell: parts.tell.clone(),
        last: BTreeMap::new(),
        told: BTreeMap::new(),
    };
    let gate = Gate { callers: settings.callers, metrics: Arc::default() };
    let app = Routes::from(app(calls, gate)?);
    let scheme = if is_secure { ("grpcs", "https") } else { ("grpc", "http") };
    let text = format!("serving at {}://{address} and {}://{address}", scheme.0, scheme.1);
    (parts.tell)("serving", None, &text);
    let ending = stop.clone();
    let ended = async move { ending.cancelled().await };
    let serving = builder.add_routes(app).serve_with_incoming_shutdown(incoming, ended);
    tokio::spawn(scheduler.work(stop.clone()));
    let conducting = tokio::spawn(conductor.work(stop.clone()));
    tokio::pin!(serving, conducting);
    let served = tokio::select! {
        served = &mut serving => served.map_err(|error| cannot(error.to_string())),
        conducted = &mut conducting => {
            conducted.map_err(|error| cannot(error.to_string()))??;
            // A client that keeps its connection keeps no server.
            match tokio::time::timeout(DRAIN, serving).await {
                Ok(served) => served.map_err(|error| cannot(error.to_string())),
                Err(_) => Ok(()),
            }
        }
    };
    (parts.tell)("ended", None, "the server ends; what it deploys goes on");
    served
}

fn tls_config(tls: &ServerTls) -> ServerTlsConfig {
    let config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.certificate, &tls.key));
    match &tls.client_authority {
        Some(authority) => config.client_ca_root(Certificate::from_pem(authority)),
        None => config,
    }
}

/// All that is served.
fn app(calls: Arc<Calls>, gate: Gate) -> Result<Router, Fault> {
    let service = DeploymentServiceServer::new(GrpcCalls(calls.clone()))
        .max_decoding_message_size(MOST_OF_A_REQUEST);
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTION)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| {
            let fault = Fault::new(Kind::Failed, "the API does not describe itself");
            fault.because(error.to_string())
        })?;
    let web = GrpcWebLayer::new();
    let grpc = Routes::new(web.layer(service)).add_service(health).add_service(reflection);
    let metrics = gate.metrics.clone();
    let (counted, well) = (calls.clone(), calls.clone());
    let plain = Router::new()
        .route("/healthz", get(move || is_well(well.clone())))
        .route("/metrics", get(move || told_metrics(counted.clone(), metrics.clone())));
    Ok(grpc
        .prepare()
        .into_axum_router()
        .merge(routes(calls))
        .merge(plain)
        .fallback(nowhere)
        .layer(axum::extract::DefaultBodyLimit::max(MOST_OF_A_REQUEST))
        .layer(middleware::from_fn_with_state(Arc::new(gate), pass)))
}

async fn is_well(calls: Arc<Calls>) -> Response {
    match calls.jobs.counts().await {
        Ok(_) => "ok\n".into_response(),
        Err(fault) => CallRefusal::from(fault).into_response(),
    }
}

async fn told_metrics(calls: Arc<Calls>, metrics: Arc<Metrics>) -> Response {
    match calls.jobs.counts().await {
        Ok(counts) => {
            ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text(&counts)).into_response()
        }
        Err(fault) => CallRefusal::from(fault).into_response(),
    }
}

/// Lets those pass who may ask, and counts.
async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().to_string();
    let began = Instant::now();
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let is_open = path == "/healthz" || path.starts_with("/grpc.health.v1.Health/");
    let response = match gate.callers.named_by(authorization) {
        Some(caller) => {
            let has_certificate = has_certificate(&request);
            let caller = if !gate.callers.have_tokens() && has_certificate {
                Caller("a client with a certificate".into())
            } else {
                caller
            };
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        None if is_open => next.run(request).await,
        None => refused(&request),
    };
    gate.metrics.count(call_at(&method, &path), response.status().as_u16(), began.elapsed());
    response
}

fn has_certificate(request: &Request) -> bool {
    let connection =
        request.extensions().get::<TlsConnectInfo<tonic::transport::server::TcpConnectInfo>>();
    connection
        .and_then(TlsConnectInfo::peer_certs)
        .is_some_and(|certificates| !certificates.is_empty())
}

/// Nobody knows who asks.
fn refused(request: &Request) -> Response {
    let message = "a token is missing, or is not known here: send `authorization: Bearer TOKEN`";
    refusal_of(request, CallRefusal::new(Code::Unauthenticated, message))
}

/// There is no such call.
async fn nowhere(request: Request) -> Response {
    let (message, is_grpc) = (format!("there is no {}", request.uri().path()), is_grpc(&request));
    let code = if is_grpc { Code::Unimplemented } else { Code::NotFound };
    refusal_of(&request, CallRefusal::new(code, message))
}

fn is_grpc(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal in the words of whoever asks.
fn refusal_of(request: &Request, refusal: CallRefusal) -> Response {
    match is_grpc(request) {
        true => Status::from(refusal).into_http::<axum::body::Body>().into_response(),
        false => refusal.into_response(),
    }
}

/// The name of the server whose folder is `root`: kept there, so that the next one finds what this one was at.
///
/// # Errors
/// If it can be neither read nor written.
pub fn server_name(root: &Path, host: &str) -> Result<String, Fault> {
    use crate::disk::{Folder, MOST_OF_TEXT, unique};
    let cannot =
        |error: std::io::Error| Fault::io(format!("cannot use {}", root.display()), &error);
    let folder = Folder::make(root).map_err(cannot)?;
    match folder.read(Path::new("server"), MOST_OF_TEXT) {
        Ok(name) => Ok(String::from_utf8_lossy(&name).trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = format!("{host}-{}", unique("server"));
            let file = (Path::new("server"), Path::new("new"));
            folder.replace(file.0, name.as_bytes(), file.1, true).map_err(cannot)?;
            Ok(name)
        }
        Err(error) => Err(cannot(error)),
    }
}

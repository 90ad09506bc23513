//! The client: `forge deploy --server` and its kin.

use std::time::Duration;

use reapi_protocol::deploy::{
    self as wire, deployment_service_client::DeploymentServiceClient, watch_response::Event,
};
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    JobEvent, JobFilter, JobKind, JobRequest, JobState, ServedEnvironment, ServedPlacement,
    job::shown_time,
    messages::{kind, milliseconds, state},
};
use crate::{
    model::{Fault, Kind},
    reapi::{ClientIdentity, ServerAddress},
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How often a watcher comes back to a server that went away, and how long it waits in between.
const RETURNS: (u32, Duration) = (120, Duration::from_millis(500));

/// How a server is reached.
pub struct DeployAway {
    /// Where it is.
    pub address: ServerAddress,
    /// What proves who asks.
    pub token: Option<String>,
    /// The authority that is trusted besides those of the system, as PEM.
    pub authority: Option<Vec<u8>>,
    /// A certificate that proves who asks.
    pub identity: Option<ClientIdentity>,
}

/// A job of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteJob {
    /// Its number.
    pub id: u32,
    /// Where to.
    pub environment: String,
    /// The subsystem; empty for all.
    pub name: String,
    /// The version that was asked for, if one was.
    pub version: String,
    /// What was asked for.
    pub kind: JobKind,
    /// Its state.
    pub state: JobState,
    /// Why, if it did not succeed.
    pub error: String,
    /// The exit code of its process.
    pub exit_code: Option<i32>,
    /// Its deployments in the ledger of the server.
    pub ledger_ids: Vec<u32>,
    /// Who asked.
    pub requested_by: String,
    /// When it was asked for, by RFC 3339.
    pub created: String,
    /// When it ended.
    pub ended: Option<String>,
}

impl RemoteJob {
    /// When its state began, as far as is known.
    pub fn since(&self) -> &str {
        self.ended.as_deref().unwrap_or(&self.created)
    }
}

/// All that a server says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReport {
    /// The job.
    pub job: RemoteJob,
    /// What it printed, or the last of it.
    pub log: String,
    /// Its JSON document.
    pub document: String,
}

/// A client of a server.
pub struct DeployClient {
    away: DeployAway,
    channel: Channel,
}

impl DeployClient {
    /// The client of the server at `away`. Has to be called within a runtime; connects to nothing yet.
    ///
    /// # Errors
    /// `Usage` if a token would go over a network in the open, or a certificate cannot be used.
    pub fn new(away: DeployAway) -> Result<Self, Fault> {
        let address = away.address.as_str();
        let wrong =
            |why: String| Fault::new(Kind::Usage, format!("cannot ask {address}")).because(why);
        if away.address.is_unprotected() {
            return Err(wrong("what is said would go over the network in the open".into())
                .hint("write `grpcs://` before its name"));
        }
        let mut endpoint = Endpoint::from_shared(away.address.uri())
            .and_then(|it| it.user_agent(concat!("forge/", env!("CARGO_PKG_VERSION"))))
            .map_err(|error| wrong(error.to_string()))?
            .connect_timeout(CONNECT)
            .tcp_keepalive(Some(Duration::from_secs(60)));
        if away.address.is_secure() {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(authority) = &away.authority {
                tls = tls.ca_certificate(Certificate::from_pem(authority));
            }
            if let Some(identity) = &away.identity {
                tls = tls.identity(Identity::from_pem(&identity.certificate, &identity.key));
            }
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| wrong(format!("its certificates cannot be used: {error}")))?;
        }
        let channel = endpoint.connect_lazy();
        Ok(Self { away, channel })
    }

    /// The address of the server.
    pub fn address(&self) -> &str {
        self.away.address.as_str()
    }

    fn calls(&self) -> DeploymentServiceClient<Channel> {
        // An answer may have a megabyte of log, and a document beside it.
        DeploymentServiceClient::new(self.channel.clone()).max_decoding_message_size(16 << 20)
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, Fault> {
        let mut request = Request::new(message);
        if let Some(token) = &self.away.token {
            let mut value: MetadataValue<_> = format!("Bearer {token}").parse().map_err(|_| {
                Fault::new(Kind::Usage, "the token for the server cannot be sent")
                    .because("it has characters that no header has")
            })?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }

    fn timed<T>(&self, message: T) -> Result<Request<T>, Fault> {
        let mut request = self.request(message)?;
        request.set_timeout(ANSWER);
        Ok(request)
    }

    /// Asks for what `request` says; with a `key`, a call that is sent again is the same job.
    ///
    /// # Errors
    /// What the server says, or that it cannot be reached; so do all others.
    pub async fn ask(&self, request: &JobRequest, key: &str) -> Result<RemoteJob, Fault> {
        let JobRequest { environment, name, version, .. } = request.clone();
        let idempotency_key = key.to_owned();
        let deployment = match request.kind {
            JobKind::Deploy => {
                let timeout = request.timeout.map(|it| prost_types::Duration {
                    seconds: i64::try_from(it / 1000).unwrap_or(i64::MAX),
                    nanos: i32::try_from(it % 1000 * 1_000_000).unwrap_or_default(),
                });
                let asked = wire::DeployRequest {
                    environment,
                    name,
                    version,
                    from: request.from.clone(),
                    target: request.target.clone(),
                    timeout,
                    force: request.force,
                    idempotency_key,
                    run_after: None,
                };
                let asked = self.timed(asked)?;
                let answer = self.calls().deploy(asked).await;
                answer.map_err(|status| self.fault(&status))?.into_inner().deployment
            }
            JobKind::Preview => {
                let asked = wire::PreviewRequest {
                    environment,
                    name,
                    version,
                    from: request.from.clone(),
                    target: request.target.clone(),
                    idempotency_key,
                };
                let asked = self.timed(asked)?;
                let answer = self.calls().preview(asked).await;
                answer.map_err(|status| self.fault(&status))?.into_inner().deployment
            }
            JobKind::Drift | JobKind::Sweep => {
                let what = format!("{} is asked for by schedules alone", request.label());
                return Err(Fault::new(Kind::Usage, what));
            }
            JobKind::Rollback => {
                let asked =
                    wire::RollbackRequest { environment, name, to: version, idempotency_key };
                let asked = self.timed(asked)?;
                let answer = self.calls().rollback(asked).await;
                answer.map_err(|status| self.fault(&status))?.into_inner().deployment
            }
        };
        self.job(deployment)
    }

    /// The job with this number, and what it printed.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn get(&self, id: u32) -> Result<RemoteReport, Fault> {
        let asked = self.timed(wire::GetRequest { id })?;
        let answer = self.calls().get(asked).await.map_err(|status| self.fault(&status))?;
        let answer = answer.into_inner();
        let job = self.job(answer.deployment)?;
        Ok(RemoteReport { job, log: answer.log, document: answer.document })
    }

    /// The newest jobs that `filter` describes.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn list(&self, filter: &JobFilter) -> Result<Vec<RemoteJob>, Fault> {
        let asked = wire::ListRequest {
            environment: filter.environment.clone().unwrap_or_default(),
            name: filter.name.clone().unwrap_or_default(),
            page_size: u32::try_from(filter.most).unwrap_or(u32::MAX),
            ..wire::ListRequest::default()
        };
        let asked = self.timed(asked)?;
        let answer = self.calls().list(asked).await.map_err(|status| self.fault(&status))?;
        let found = answer.into_inner().deployments.into_iter();
        found.map(|job| self.job(Some(job))).collect()
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn cancel(&self, id: u32) -> Result<RemoteJob, Fault> {
        let asked = self.timed(wire::CancelRequest { id })?;
        let answer = self.calls().cancel(asked).await.map_err(|status| self.fault(&status))?;
        self.job(answer.into_inner().deployment)
    }

    /// Asks again for what a job was asked for.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn retry(&self, id: u32, key: &str) -> Result<RemoteJob, Fault> {
        let asked = self.timed(wire::RetryRequest { id, idempotency_key: key.to_owned() })?;
        let answer = self.calls().retry(asked).await.map_err(|status| self.fault(&status))?;
        self.job(answer.into_inner().deployment)
    }

    /// What runs where.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn environments(&self) -> Result<Vec<ServedEnvironment>, Fault> {
        let asked = self.timed(wire::ListEnvironmentsRequest {})?;
        let answer = self.calls().list_environments(asked).await;
        let found = answer.map_err(|status| self.fault(&status))?.into_inner().environments;
        let placement = |it: wire::Placement| ServedPlacement {
            name: it.name,
            version: Some(it.version).filter(|version| !version.is_empty()),
            ledger_id: Some(u64::from(it.ledger_id)).filter(|id| *id > 0),
            notes: it.notes,
        };
        let environment = |it: wire::Environment| ServedEnvironment {
            name: it.name,
            placements: it.placements.into_iter().map(placement).collect(),
        };
        Ok(found.into_iter().map(environment).collect())
    }

    /// Tells `hear` how a job goes and what it prints, until it has ended; comes back to a server that went away.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn watch(
        &self,
        id: u32,
        mut hear: impl FnMut(&JobEvent<RemoteJob>),
    ) -> Result<RemoteJob, Fault> {
        let (mut offset, mut last, mut returns) = (0, None, 0);
        loop {
            let asked = self.request(wire::WatchRequest { id, from_offset: offset })?;
            let status = match self.calls().watch(asked).await {
                Err(status) => status,
                Ok(answer) => {
                    let mut told = answer.into_inner();
                    loop {
                        let event = match told.message().await {
                            Ok(Some(event)) => event.event,
                            Ok(None) => break Status::unavailable("the server ended the answer"),
                            Err(status) => break status,
                        };
                        returns = 0;
                        match event {
                            Some(Event::Log(piece)) => {
                                offset = piece.next_offset;
                                hear(&JobEvent::Log(piece.text, piece.next_offset));
                            }
                            Some(Event::Deployment(job)) => {
                                let job = self.job(Some(job))?;
                                if job.state.is_over() {
                                    return Ok(job);
                                }
                                if last != Some(job.state) {
                                    last = Some(job.state);
                                    hear(&JobEvent::State(Box::new(job)));
                                }
                            }
                            None => {}
                        }
                    }
                }
            };
            let may_return =
                matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
                    || std::error::Error::source(&status).is_some();
            returns += 1;
            if !may_return || returns > RETURNS.0 {
                let fault = self.fault(&status);
                return Err(fault.hint(format!("deployment {id} goes on; `forge deployments --server … --watch {id}` watches it again")));
            }
            tokio::time::sleep(RETURNS.1).await;
        }
    }

    /// What `status` says.
    fn fault(&self, status: &Status) -> Fault {
        let kind = match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::Unauthenticated
            | Code::PermissionDenied => Kind::Usage,
            Code::DeadlineExceeded => Kind::Timeout,
            _ => Kind::Store,
        };
        let mut why = status.message().to_owned();
        let mut source = std::error::Error::source(status);
        while let Some(inner) = source {
            why = inner.to_string();
            source = inner.source();
        }
        let fault = Fault::new(kind, format!("{} did not do it", self.address())).because(why);
        match status.code() {
            Code::Unauthenticated => fault.hint("set FORGE_SERVER_TOKEN to a token that it knows"),
            Code::Unavailable => fault.hint("is `forge serve` running there?"),
            _ => fault,
        }
    }

    fn job(&self, found: Option<wire::Deployment>) -> Result<RemoteJob, Fault> {
        let wrong = || {
            let what = format!("{} gave an answer that this forge does not know", self.address());
            Fault::new(Kind::Store, what).hint("bring both to the same version")
        };
        let found = found.ok_or_else(wrong)?;
        let time = |time: prost_types::Timestamp| shown_time(milliseconds(&time));
        Ok(RemoteJob {
            id: found.id,
            kind: kind(found.kind).ok_or_else(wrong)?,
            environment: found.environment,
            name: found.name,
            version: found.version,
            state: state(found.state).ok_or_else(wrong)?,
            error: found.error,
            exit_code: found.exit_code,
            ledger_ids: found.ledger_ids,
            requested_by: found.requested_by,
            created: found.created_at.map(time).unwrap_or_default(),
            ended: found.ended_at.map(time),
        })
    }
}

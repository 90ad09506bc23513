//! Having an action executed: everything it needs is sent, its end is waited for however often the stream breaks,
//! and what the server lacks after all is sent again.
//!
//! ```text
//! send ─▶ Execute ─▶ operation … operation ─▶ done ─▶ result
//!   ▲        ▲           │ the stream breaks
//!   │        └── gone ── WaitExecution
//!   └── something is missing
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use prost::Message;
use reapi_protocol::{
    google::{
        longrunning::{CancelOperationRequest, Operation, operation},
        rpc,
    },
    reapi,
};
use tonic::{Code, Request, Status, Streaming};

use super::{
    BlobDigest, Connection, PrintedSink, RemoteBlob,
    connection::ExecutionClients,
    printing::PrintedStreams,
    tree::{TreeEntry, read_outputs, read_tree},
    trouble::{Trouble, TroubleKind},
};

/// How often something may be missing that was sent.
const ROUNDS: u32 = 3;
/// The least tries before a server that does not answer is given up.
const LEAST_TRIES: u32 = 4;
/// After this time without a word it is asked again how far it is: a connection may be dead and say nothing.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// No tree of outputs is larger, in bytes; nor is what is printed.
const MOST_IN_MEMORY: u64 = 64 << 20;

/// What is executed.
#[derive(Clone)]
pub struct ExecutionOrder<'a> {
    /// The action.
    pub action: BlobDigest,
    /// All that it needs, itself included.
    pub blobs: &'a [RemoteBlob],
    /// Whether it is executed though its result is known.
    pub is_anew: bool,
    /// How long it may wait for a worker.
    pub queue: Duration,
    /// Takes what it prints while it runs, if the server passes that on.
    pub printed: Option<PrintedSink<'a>>,
}

/// What became of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionResult {
    /// Its exit code.
    pub exit_code: i32,
    /// What it made, by paths.
    pub outputs: BTreeMap<String, TreeEntry>,
    /// What it printed on standard output.
    pub stdout: Vec<u8>,
    /// What it printed on standard error.
    pub stderr: Vec<u8>,
    /// How many bytes of both were passed on while it ran.
    pub passed: [usize; 2],
    /// Whether it was known before.
    pub is_known: bool,
    /// Who ran it, as they say.
    pub worker: String,
    /// How many bytes were sent for it.
    pub sent: u64,
}

impl ExecutionResult {
    /// What it printed and nobody was told while it ran: of standard output, and of standard error.
    pub fn untold(&self) -> [&[u8]; 2] {
        let [out, err] = self.passed;
        [self.stdout.get(out..).unwrap_or_default(), self.stderr.get(err..).unwrap_or_default()]
    }
}

/// Where an execution is, for who stops it.
#[derive(Debug, Default)]
pub struct ExecutionProgress {
    /// The name of the operation, once there is one.
    operation: Option<String>,
    /// How often it began.
    began: u32,
    /// Since when it waits for a worker; nothing if it does not.
    queued: Option<Instant>,
}

/// How one stream of operations ended.
enum StreamOutcome {
    Done(Box<reapi::ExecuteResponse>),
    Broken(Status),
    /// Nothing came for a while.
    Silent,
    /// Nobody took it up.
    Unwanted,
}

impl Connection {
    /// Has the action of `order` executed. `progress` tells how far it is; [`Connection::stop_execution`] stops it.
    ///
    /// # Errors
    /// Why it was not executed, or what it made is not all there.
    pub async fn execute(
        &self,
        order: &ExecutionOrder<'_>,
        progress: &mut ExecutionProgress,
    ) -> Result<ExecutionResult, Trouble> {
        let mut sent = self.write(order.blobs).await?;
        let (mut rounds, mut lost, mut heard) = (0, 0, Instant::now());
        let mut printed = PrintedStreams::new(order.printed);
        loop {
            let before = progress.began;
            let outcome = self.follow(order, progress, &mut printed, &mut heard).await?;
            let status = match outcome {
                StreamOutcome::Done(response) => match status_of(&response) {
                    None => {
                        let mut result = self.result_of(&response).await?;
                        (result.sent, result.passed) = (sent, printed.passed());
                        return Ok(result);
                    }
                    Some(status) => {
                        progress.operation = None;
                        status
                    }
                },
                StreamOutcome::Unwanted => return Err(unwanted(order.queue)),
                StreamOutcome::Silent if progress.operation.is_some() => continue,
                StreamOutcome::Silent => Status::unavailable("it does not answer"),
                StreamOutcome::Broken(status) => status,
            };
            match after(&status) {
                Next::Send if rounds < ROUNDS => {
                    rounds += 1;
                    progress.operation = None;
                    self.pause_after(&status, rounds).await?;
                    sent += self.write(order.blobs).await?;
                }
                Next::Fail | Next::Send => return Err(failed(&status)),
                Next::Again => {
                    if status.code() == Code::NotFound {
                        progress.operation = None;
                    }
                    lost = if progress.began > before { 1 } else { lost + 1 };
                    if lost >= LEAST_TRIES && heard.elapsed() > self.patience() {
                        return Err(failed(&status));
                    }
                    self.pause_after(&status, lost.min(5)).await?;
                }
            }
        }
    }

    /// Tells the server that nobody wants the execution any more.
    pub async fn stop_execution(&self, progress: &ExecutionProgress) {
        let Some(name) = progress.operation.clone() else { return };
        let ExecutionClients { mut operations, .. } = self.execution_clients();
        let order = self.request(CancelOperationRequest { name });
        // If it does not hear it, the action ends by its own time limit.
        let _ = self.within_patience(operations.cancel_operation(order)).await;
    }

    /// Begins the execution, or waits for it again, until the stream ends.
    async fn follow(
        &self,
        order: &ExecutionOrder<'_>,
        progress: &mut ExecutionProgress,
        printed: &mut PrintedStreams<'_>,
        heard: &mut Instant,
    ) -> Result<StreamOutcome, Trouble> {
        let Ok(opened) = self.within_patience(self.open(order, progress)).await else {
            return Ok(StreamOutcome::Broken(Status::unavailable("it does not answer")));
        };
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(status) => return Ok(StreamOutcome::Broken(status)),
        };
        let mut asked = Instant::now();
        loop {
            // A limit sent with the call would end the action; this one ends the waiting alone.
            let left = ASK_AGAIN.saturating_sub(asked.elapsed());
            let message = tokio::select! {
                message = tokio::time::timeout(left, stream.message()) => message,
                () = printed.pass_on() => {
                    *heard = Instant::now();
                    continue;
                }
            };
            let Ok(message) = message else { return Ok(StreamOutcome::Silent) };
            asked = Instant::now();
            let operation = match message {
                Ok(Some(operation)) => operation,
                Ok(None) => {
                    let status = Status::unavailable("it ended its answer too soon");
                    return Ok(StreamOutcome::Broken(status));
                }
                Err(status) => return Ok(StreamOutcome::Broken(status)),
            };
            *heard = Instant::now();
            let metadata = operation.metadata.as_ref();
            let metadata =
                metadata.and_then(|any| reapi::ExecuteOperationMetadata::decode(&*any.value).ok());
            if let Some(metadata) = &metadata {
                printed.follow(self, metadata);
            }
            let stage = metadata.map(|metadata| metadata.stage);
            if let Some(outcome) = heed(operation, stage, progress, order.queue)? {
                return Ok(outcome);
            }
        }
    }

    async fn open(
        &self,
        order: &ExecutionOrder<'_>,
        progress: &mut ExecutionProgress,
    ) -> Result<Streaming<Operation>, Status> {
        let ExecutionClients { mut execution, .. } = self.execution_clients();
        let opened = match &progress.operation {
            Some(name) => {
                let request: Request<_> =
                    self.request(reapi::WaitExecutionRequest { name: name.clone() });
                execution.wait_execution(request).await
            }
            None => {
                progress.began += 1;
                let request = self.request(reapi::ExecuteRequest {
                    instance_name: self.instance().to_owned(),
                    skip_cache_lookup: order.is_anew,
                    action_digest: Some(order.action.message()),
                    ..reapi::ExecuteRequest::default()
                });
                execution.execute(request).await
            }
        };
        opened.map(tonic::Response::into_inner)
    }

    /// What `response` says, with all that it only names.
    async fn result_of(
        &self,
        response: &reapi::ExecuteResponse,
    ) -> Result<ExecutionResult, Trouble> {
        let wrong = |why: &str| Trouble::new(TroubleKind::Wrong, why);
        let result = response.result.clone().unwrap_or_default();
        let (mut outputs, trees) =
            read_outputs(&result).ok_or_else(|| wrong("it names outputs that no action has"))?;
        for (path, digest) in trees {
            let bytes = self.read_whole(digest).await?;
            let tree = read_tree(&path, &bytes)
                .ok_or_else(|| wrong("a folder among the outputs is not a tree"))?;
            outputs.extend(tree);
        }
        let stdout = self.printed(&result.stdout_raw, result.stdout_digest.as_ref()).await?;
        let stderr = self.printed(&result.stderr_raw, result.stderr_digest.as_ref()).await?;
        let worker = result.execution_metadata.map(|metadata| metadata.worker);
        Ok(ExecutionResult {
            exit_code: result.exit_code,
            outputs,
            stdout,
            stderr,
            is_known: response.cached_result,
            worker: worker.unwrap_or_default(),
            passed: [0; 2],
            sent: 0,
        })
    }

    async fn printed(
        &self,
        inline: &[u8],
        digest: Option<&reapi::Digest>,
    ) -> Result<Vec<u8>, Trouble> {
        match digest.and_then(BlobDigest::read).filter(|digest| digest.size > 0) {
            Some(digest) if inline.is_empty() => self.read_whole(digest).await,
            _ => Ok(inline.to_vec()),
        }
    }

    /// A blob that is small enough to be in memory.
    async fn read_whole(&self, digest: BlobDigest) -> Result<Vec<u8>, Trouble> {
        if digest.size > MOST_IN_MEMORY {
            let why = format!("what an action printed or made is too large: {} bytes", digest.size);
            return Err(Trouble::new(TroubleKind::Wrong, why));
        }
        let mut bytes = Vec::new();
        self.read(digest, &mut bytes).await?;
        Ok(bytes)
    }
}

/// Notes what `operation` says. Returns how the stream ends, if it does.
fn heed(
    operation: Operation,
    stage: Option<i32>,
    progress: &mut ExecutionProgress,
    queue: Duration,
) -> Result<Option<StreamOutcome>, Trouble> {
    let wrong = |why: &str| Trouble::new(TroubleKind::Wrong, why);
    if !operation.name.is_empty() {
        progress.operation = Some(operation.name);
    }
    if stage == Some(reapi::execution_stage::Value::Queued as i32) {
        let since = *progress.queued.get_or_insert_with(Instant::now);
        if since.elapsed() > queue {
            return Ok(Some(StreamOutcome::Unwanted));
        }
    } else {
        progress.queued = None;
    }
    if !operation.done {
        return Ok(None);
    }
    match operation.result {
        Some(operation::Result::Response(any)) => {
            let response = reapi::ExecuteResponse::decode(&*any.value)
                .map_err(|_| wrong("its answer is not one to an execution"))?;
            Ok(Some(StreamOutcome::Done(Box::new(response))))
        }
        Some(operation::Result::Error(status)) => {
            progress.operation = None;
            Ok(Some(StreamOutcome::Broken(status_from(&status))))
        }
        None => Err(wrong("it says that the execution is over, and not how")),
    }
}

/// Why an action did not run as it should; nothing if it did.
fn status_of(response: &reapi::ExecuteResponse) -> Option<Status> {
    let status = response.status.as_ref().filter(|status| status.code != 0);
    match (status, &response.result) {
        (Some(status), _) => Some(status_from(status)),
        (None, None) => Some(Status::internal("it gives no result")),
        (None, Some(_)) => None,
    }
}

fn status_from(status: &rpc::Status) -> Status {
    let details = status.encode_to_vec().into();
    Status::with_details(Code::from_i32(status.code), status.message.clone(), details)
}

/// What follows a failure.
enum Next {
    Fail,
    /// Something is missing there: what it lacks is sent, and the action begins anew.
    Send,
    Again,
}

fn after(status: &Status) -> Next {
    use std::error::Error;
    let is_too_large = status.message().contains("larger than");
    match status.code() {
        // A connection that broke: the code says nothing reliable of it.
        _ if status.source().is_some() => Next::Again,
        // An operation that is forgotten, or an action that is: the sending finds out.
        Code::NotFound | Code::FailedPrecondition | Code::Internal | Code::Unknown => Next::Send,
        Code::Unavailable | Code::Aborted => Next::Again,
        Code::ResourceExhausted if !is_too_large => Next::Again,
        _ => Next::Fail,
    }
}

fn failed(status: &Status) -> Trouble {
    let trouble = Trouble::from_status(status);
    match status.code() {
        Code::DeadlineExceeded => Trouble { kind: TroubleKind::Late, ..trouble },
        _ => trouble,
    }
}

fn unwanted(queue: Duration) -> Trouble {
    let why = format!(
        "no worker took it up within {} s: none may have the properties that it asks for",
        queue.as_secs()
    );
    Trouble::new(TroubleKind::Unavailable, why)
}

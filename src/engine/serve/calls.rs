//! What the calls do, whichever way they come.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::watch;
use tonic::Code;

use super::{
    Admission, Catalog, DeployGround, JobFilter, JobKind, JobQueue, JobRequest, JobState, NewJob,
    OutputStream, ServedJob, callers::Caller, refusal::CallRefusal, seat::JobFolder,
};
use crate::{
    disk::{is_absent, open_file},
    model::nearest,
    process::Cancel,
};

/// No word of a request is longer, in bytes.
const MOST_OF_A_WORD: usize = 1000;
/// The longest time limit, in milliseconds: a week.
const LONGEST: u64 = 7 * 24 * 60 * 60 * 1000;
/// How many jobs a page has if nothing is said, and at most.
const PAGE: (usize, usize) = (50, 1000);
/// How much of a log an answer has, in bytes.
const MOST_OF_A_LOG: u64 = 1 << 20;

/// Tells whoever waits that something of the queue changed.
#[derive(Clone, Debug)]
pub(super) struct QueueBell(Arc<watch::Sender<u64>>);

impl QueueBell {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(super) fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// What calls work with.
pub(super) struct Calls {
    pub(super) jobs: Arc<dyn JobQueue>,
    pub(super) ground: Arc<dyn DeployGround>,
    pub(super) bell: QueueBell,
    /// The folder that the folders of jobs are in.
    pub(super) root: PathBuf,
    /// Which server it is.
    pub(super) owner: String,
    /// How many may wait.
    pub(super) most_waiting: u64,
    /// What ends streams.
    pub(super) stop: Cancel,
    pub(super) catalog: RwLock<Catalog>,
}

/// What is asked for, beside what it does.
#[derive(Debug, Default)]
pub(super) struct CallOptions {
    pub(super) key: String,
    pub(super) run_after: Option<i64>,
}

/// A page of jobs.
#[derive(Debug)]
pub(super) struct JobPage {
    pub(super) jobs: Vec<ServedJob>,
    pub(super) next: String,
}

/// Which jobs a page is of, in the words of whoever asks.
#[derive(Debug, Default)]
pub(super) struct PageWish {
    pub(super) environment: String,
    pub(super) name: String,
    pub(super) states: Vec<JobState>,
    pub(super) oldest_first: bool,
    pub(super) size: usize,
    pub(super) token: String,
}

impl Calls {
    /// Puts a request into the queue.
    pub(super) async fn ask(
        &self,
        request: JobRequest,
        asking: CallOptions,
        caller: &Caller,
    ) -> Result<ServedJob, CallRefusal> {
        self.check(&request, &asking).await?;
        let new = NewJob {
            request,
            key: Some(asking.key).filter(|key| !key.is_empty()),
            requested_by: caller.0.clone(),
            retry_of: None,
            run_after: asking.run_after,
        };
        self.admit(new).await
    }

    async fn admit(&self, new: NewJob) -> Result<ServedJob, CallRefusal> {
        match self.jobs.add(new, self.most_waiting).await? {
            Admission::New(job) => {
                self.bell.ring();
                Ok(*job)
            }
            Admission::Known(job) => Ok(*job),
            Admission::Other(job) => {
                let message = format!(
                    "the idempotency key is that of deployment {}, which does something else ({})",
                    job.id,
                    job.request().label()
                );
                Err(CallRefusal::new(Code::AlreadyExists, message))
            }
            Admission::Full(waiting) => Err(CallRefusal::new(
                Code::ResourceExhausted,
                format!("{waiting} deployments wait already, and no more may; ask again later"),
            )),
        }
    }

    async fn check(&self, request: &JobRequest, asking: &CallOptions) -> Result<(), CallRefusal> {
        let words = [
            ("environment", &request.environment),
            ("name", &request.name),
            ("version", &request.version),
            ("from", &request.from),
            ("target", &request.target),
            ("idempotency_key", &asking.key),
        ];
        for (what, word) in words {
            if word.len() > MOST_OF_A_WORD || word.chars().any(char::is_control) {
                let message =
                    format!("`{what}` is longer than {MOST_OF_A_WORD} bytes, or not on one line");
                return Err(CallRefusal::wrong(message));
            }
        }
        if request.environment.is_empty() {
            return Err(CallRefusal::wrong("`environment` is missing"));
        }
        let is_deploy = request.kind != JobKind::Rollback;
        if is_deploy && request.name.is_empty() && !request.version.is_empty() {
            return Err(CallRefusal::wrong(
                "`version` is that of one subsystem: `name` is missing",
            ));
        }
        if !request.version.is_empty() && !request.from.is_empty() {
            return Err(CallRefusal::wrong("`version` and `from` exclude each other"));
        }
        if request.timeout.is_some_and(|it| it == 0 || it > LONGEST) {
            return Err(CallRefusal::wrong("`timeout` is more than nothing and at most a week"));
        }
        self.is_known(request).await
    }

    /// Whether the workspace knows what `request` names. It is read again before somebody is refused.
    async fn is_known(&self, request: &JobRequest) -> Result<(), CallRefusal> {
        let looked = self.catalog.read().map_or_else(
            |held| missing(&held.into_inner(), request),
            |catalog| missing(&catalog, request),
        );
        if looked.is_none() {
            return Ok(());
        }
        let catalog = self.ground.catalog().await?;
        let looked = missing(&catalog, request);
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        looked.map_or(Ok(()), Err)
    }

    pub(super) async fn get(&self, id: u32) -> Result<ServedJob, CallRefusal> {
        self.jobs.get(id).await?.ok_or_else(|| CallRefusal::no_such(id))
    }

    pub(super) async fn list(&self, wish: PageWish) -> Result<JobPage, CallRefusal> {
        let behind = match wish.token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                CallRefusal::wrong("`page_token` is not one that a page before came with")
            })?),
        };
        let size = if wish.size == 0 { PAGE.0 } else { wish.size.min(PAGE.1) };
        let named = |word: String| Some(word).filter(|word| !word.is_empty());
        let filter = JobFilter {
            environment: named(wish.environment),
            name: named(wish.name),
            states: wish.states,
            oldest_first: wish.oldest_first,
            behind,
            most: size + 1,
        };
        let mut jobs = self.jobs.list(filter).await?;
        let has_more = jobs.len() > size;
        jobs.truncate(size);
        let next = jobs.last().filter(|_| has_more).map_or(String::new(), |job| job.id.to_string());
        Ok(JobPage { jobs, next })
    }

    pub(super) async fn cancel(&self, id: u32, caller: &Caller) -> Result<ServedJob, CallRefusal> {
        let why = format!("{} cancelled it before it began", caller.0);
        let job = self.jobs.cancel(id, &why).await?.ok_or_else(|| CallRefusal::no_such(id))?;
        self.bell.ring();
        match job.state {
            JobState::Cancelled | JobState::Cancelling => Ok(job),
            state => Err(CallRefusal::new(
                Code::FailedPrecondition,
                format!("deployment {id} has ended: it is {state}"),
            )),
        }
    }

    pub(super) async fn retry(
        &self,
        id: u32,
        key: String,
        caller: &Caller,
    ) -> Result<ServedJob, CallRefusal> {
        let earlier = self.get(id).await?;
        let refused = |why: String| Err(CallRefusal::new(Code::FailedPrecondition, why));
        match earlier.state {
            JobState::Succeeded => refused(format!("deployment {id} succeeded")),
            state if !state.is_over() => refused(format!("deployment {id} is {state}")),
            _ => {
                let new = NewJob {
                    request: earlier.asked.request,
                    key: Some(key).filter(|key| !key.is_empty()),
                    requested_by: caller.0.clone(),
                    retry_of: Some(id),
                    run_after: None,
                };
                self.admit(new).await
            }
        }
    }

    /// Whether the folder of a job is here, and not at another server.
    pub(super) fn has_folder(&self, job: &ServedJob) -> bool {
        job.owner.as_ref().is_none_or(|owner| *owner == self.owner)
    }

    /// The log of a job, or its end, and its document.
    pub(super) async fn printed(&self, job: &ServedJob) -> Result<(String, String), CallRefusal> {
        if !self.has_folder(job) {
            let log = self.kept(job, OutputStream::Log).await?;
            return Ok((log, self.kept(job, OutputStream::Document).await?));
        }
        let log = read_end(&JobFolder::log_of(&self.root, job.id, job.attempt))?;
        let document = read_end(&JobFolder::document_of(&self.root, job.id, job.attempt))?;
        Ok((log, document))
    }

    /// The end of what a job of another server printed.
    async fn kept(&self, job: &ServedJob, stream: OutputStream) -> Result<String, CallRefusal> {
        let mut bytes = Vec::new();
        let mut from = 0;
        while let Some(piece) = self.jobs.output(job.id, job.attempt, stream, from).await? {
            from = piece.start + piece.bytes.len() as u64;
            bytes.extend(piece.bytes);
            let surplus = (bytes.len() as u64).saturating_sub(MOST_OF_A_LOG);
            bytes.drain(..usize::try_from(surplus).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The end of the file at `path`; nothing if it is not there.
fn read_end(path: &std::path::Path) -> Result<String, CallRefusal> {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = open_file(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST_OF_A_LOG)))?;
        let mut bytes = Vec::new();
        file.take(MOST_OF_A_LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if is_absent(&error) => Ok(String::new()),
        Err(error) => Err(CallRefusal::new(
            Code::Internal,
            format!("cannot read {}: {error}", path.display()),
        )),
    }
}

/// What `request` names that `catalog` does not have.
fn missing(catalog: &Catalog, request: &JobRequest) -> Option<CallRefusal> {
    let look = |what: &str, word: &str, known: &[String]| {
        if word.is_empty() || known.iter().any(|it| it == word) {
            return None;
        }
        let near = nearest(word, known.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; there are {}", known.join(", ")),
        };
        Some(CallRefusal::wrong(format!("there is no {what} `{word}`{help}")))
    };
    look("environment", &request.environment, &catalog.environments)
        .or_else(|| look("environment", &request.from, &catalog.environments))
        .or_else(|| look("subsystem with a `deploy` called", &request.name, &catalog.names))
}

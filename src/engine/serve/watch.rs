//! What a watcher is told of a job: its states, and what it prints. A watcher reads files, so it never holds up a job,
//! and one that went away comes back where it was.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{Stream, stream};
use tokio::sync::watch::Receiver;
use tonic::Code;

use super::{
    JobState, OutputStream, ServedJob, calls::Calls, refusal::CallRefusal, seat::JobFolder,
};
use crate::disk::{is_absent, open_file};

/// How often it is looked whether something was printed.
const LOOK: Duration = Duration::from_millis(50);
/// How often the queue is asked, if this server changed nothing in it.
const IDLE: Duration = Duration::from_secs(1);
/// How often the queue is asked what a job of another server printed.
const FAR: Duration = Duration::from_millis(250);
/// How much is told at once, in bytes.
const MOST: u64 = 64 << 10;

/// Something new of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEvent<J> {
    /// Its state is another one.
    State(Box<J>),
    /// It printed something; the next piece begins at this byte.
    Log(String, u64),
}

struct JobWatcher {
    calls: Arc<Calls>,
    job: ServedJob,
    offset: u64,
    told: Option<JobState>,
    asked: Instant,
    /// When the queue had nothing more of the log of a job of another server.
    fetched: Option<Instant>,
    changed: Receiver<u64>,
    is_done: bool,
}

/// What happens with `job` from here on, and what it prints from byte `offset` on, until it has ended.
pub(super) fn events(
    calls: Arc<Calls>,
    job: ServedJob,
    offset: u64,
) -> impl Stream<Item = Result<JobEvent<ServedJob>, CallRefusal>> + Send + 'static {
    let changed = calls.bell.listen();
    let asked = Instant::now();
    let watcher = JobWatcher {
        calls,
        job,
        offset,
        told: None,
        asked,
        fetched: None,
        changed,
        is_done: false,
    };
    stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        watcher.is_done |= event.is_err();
        Some((event, watcher))
    })
}

impl JobWatcher {
    async fn next(&mut self) -> Option<Result<JobEvent<ServedJob>, CallRefusal>> {
        loop {
            if self.is_done {
                return None;
            }
            if self.changed.has_changed().unwrap_or(false) || self.asked.elapsed() > IDLE {
                self.changed.mark_unchanged();
                self.asked = Instant::now();
                match self.calls.get(self.job.id).await {
                    Ok(job) => self.job = job,
                    Err(refusal) => return Some(Err(refusal)),
                }
            }
            let (state, is_over) = (self.job.state, self.job.state.is_over());
            if !is_over && self.told != Some(state) {
                self.told = Some(state);
                return Some(Ok(JobEvent::State(Box::new(self.job.clone()))));
            }
            match self.piece(is_over).await {
                Ok(Some((text, next))) => {
                    self.offset = next;
                    return Some(Ok(JobEvent::Log(text, next)));
                }
                // The last word is the state that it ended in.
                Ok(None) if is_over => {
                    self.is_done = true;
                    return Some(Ok(JobEvent::State(Box::new(self.job.clone()))));
                }
                Ok(None) => {}
                Err(refusal) => return Some(Err(refusal)),
            }
            tokio::select! {
                () = self.calls.stop.cancelled() => {
                    let message = "the server is going down; what it deploys goes on. Watch again";
                    return Some(Err(CallRefusal::new(Code::Unavailable, message)));
                }
                _ = self.changed.changed() => self.changed.mark_changed(),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The next piece of the log, and where it ends: whole lines, or all if nothing more comes.
    async fn piece(&mut self, is_whole: bool) -> Result<Option<(String, u64)>, CallRefusal> {
        let (id, attempt) = (self.job.id, self.job.attempt);
        if self.calls.has_folder(&self.job) {
            let path = JobFolder::log_of(&self.calls.root, id, attempt);
            return piece_of(&path, self.offset, is_whole).map_err(|error| {
                let message = format!("cannot read the log of deployment {id}: {error}");
                CallRefusal::new(Code::Internal, message)
            });
        }
        if !is_whole && self.fetched.is_some_and(|at| at.elapsed() < FAR) {
            return Ok(None);
        }
        let log = OutputStream::Log;
        let piece = self.calls.jobs.output(id, attempt, log, self.offset).await?;
        self.fetched = piece.is_none().then(Instant::now);
        Ok(piece.map(|it| {
            let next = it.start + it.bytes.len() as u64;
            (String::from_utf8_lossy(&it.bytes).into_owned(), next)
        }))
    }
}

fn piece_of(path: &Path, offset: u64, is_whole: bool) -> io::Result<Option<(String, u64)>> {
    let mut file = match open_file(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let end = match end {
        Some(end) => end,
        // A line without an end, or one that is longer than a piece.
        None if is_whole || bytes.len() as u64 == MOST => bytes.len(),
        None => 0,
    };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    Ok((end > 0).then_some((text, offset + end as u64)))
}

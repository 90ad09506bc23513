//! The sign of life of a job whose queue several servers share: its process gives it itself, so that the job outlives
//! its server there as well. It also brings what the job prints to the queue, and how it ended, for servers that do not
//! see its folder.
//!
//! The server leaves a note in the job's folder that says which queue it is; the process takes it away as soon as it
//! has read it, since it may have a password.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use super::{
    JobOutcome, JobOutput, JobQueue, JobState, OutputStream, StoredJobs, conductor::ended,
    seat::this_process,
};
use crate::{
    disk::{Folder, MOST_OF_TEXT, is_absent, open_file},
    model::{Fault, Kind},
};

/// How often it is looked whether something was printed.
const LOOK: Duration = Duration::from_millis(250);
/// How often the sign of life is given, and it is heard whether somebody cancelled the job.
const BEAT: Duration = Duration::from_secs(1);
/// How much is brought at once, and of one attempt in all, in bytes.
const MOST: u64 = 64 << 10;
const MOST_IN_ALL: u64 = 16 << 20;
/// How long the end of a job is tried to be said.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which queue a job is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseNote {
    /// Where the queue is.
    pub(super) database: String,
    pub(super) id: u32,
    pub(super) attempt: u32,
    /// How long nothing may be heard of the job, in milliseconds.
    pub(super) lease: u64,
}

/// What gives the sign of life of the job of this process, while it lives.
pub struct JobLease {
    end: Sender<JobOutcome>,
    thread: JoinHandle<()>,
}

/// What the thread works with.
struct LeaseKeeper {
    note: LeaseNote,
    jobs: StoredJobs,
    folder: PathBuf,
    /// How much of the log was brought.
    brought: u64,
}

impl LeaseNote {
    /// Leaves the note in `folder`.
    pub(super) fn leave(&self, folder: &Folder) -> io::Result<()> {
        let name = Path::new("lease");
        if folder.entry(name)?.is_some() {
            folder.remove_file(name)?;
        }
        let mut file = folder.create_new(name, 0o600)?;
        io::Write::write_all(&mut file, &serde_json::to_vec(self)?)
    }

    fn take(folder: &Folder) -> io::Result<Option<Self>> {
        let name = Path::new("lease");
        let bytes = match folder.read(name, MOST_OF_TEXT) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        folder.remove_file(name)?;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }
}

/// What is to be known of the lease of a job.
pub enum LeaseFinding {
    /// No other server shares the queue.
    NotNeeded,
    /// The job is this process's.
    Taken(JobLease),
    /// Somebody else took it over.
    TooLate,
}

impl JobLease {
    /// Takes the lease of the job in `path`, if it has one; `know` is told the address of the queue.
    ///
    /// # Errors
    /// If the queue is not reached.
    pub fn take(path: &Path, know: impl FnOnce(&str)) -> Result<LeaseFinding, Fault> {
        let folder = Folder::open(path).and_then(|folder| LeaseNote::take(&folder));
        let note = folder.map_err(|error| Fault::io("cannot read the lease of the job", &error))?;
        let Some(note) = note else { return Ok(LeaseFinding::NotNeeded) };
        know(&note.database);
        let cannot = |error: &io::Error| Fault::io("cannot keep the lease of the job", error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| cannot(&error))?;
        let taking = async {
            let jobs = StoredJobs::in_database(&note.database).await?;
            let jobs = jobs.with_lease(Duration::from_millis(note.lease));
            let is_ours = jobs.began(note.id, note.attempt, this_process()).await?;
            Ok::<_, Fault>(is_ours.then_some(jobs))
        };
        let Some(jobs) = runtime.block_on(taking)? else { return Ok(LeaseFinding::TooLate) };
        let keeper = LeaseKeeper { note, jobs, folder: path.to_owned(), brought: 0 };
        let (end, ended) = channel();
        let thread = std::thread::Builder::new().name("lease".into());
        let thread = thread.spawn(move || keeper.keep(&runtime, &ended));
        Ok(LeaseFinding::Taken(Self { end, thread: thread.map_err(|error| cannot(&error))? }))
    }

    /// Says how the job ended. That this cannot be said is no failure of the job: its server says it later.
    pub fn end(self, outcome: &JobOutcome) {
        // Both only fail if the thread is gone.
        let _ = self.end.send(outcome.clone());
        let _ = self.thread.join();
    }
}

impl LeaseKeeper {
    fn keep(mut self, runtime: &Runtime, ended: &Receiver<JobOutcome>) {
        let lease = Duration::from_millis(self.note.lease);
        let beat = BEAT.min(lease / 9);
        let (mut beaten, mut heard, mut is_asked) = (Instant::now(), Instant::now(), false);
        loop {
            match ended.recv_timeout(LOOK.min(beat)) {
                Ok(outcome) => return runtime.block_on(self.close(&outcome)),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // What is not brought now is brought by the next look.
            let _ = runtime.block_on(self.bring(false));
            if beaten.elapsed() < beat {
                continue;
            }
            beaten = Instant::now();
            let state = runtime.block_on(self.jobs.beat(self.note.id, self.note.attempt));
            heard = if state.is_ok() { Instant::now() } else { heard };
            let goes_on = match state {
                Ok(state) => state == Some(JobState::Running),
                Err(_) => heard.elapsed() < lease / 3,
            };
            // Once, since a second signal ends it at once. It ends in order, before somebody else begins.
            if !goes_on && !is_asked {
                is_asked = true;
                this_process().terminate();
            }
        }
    }

    /// Brings what was printed since the last time: whole lines, or all if nothing more comes.
    async fn bring(&mut self, is_whole: bool) -> Result<(), Fault> {
        let cannot = |error: &io::Error| Fault::io("cannot read the log of the job", error);
        while self.brought < MOST_IN_ALL {
            let bytes = read_from(&self.folder.join("log"), self.brought);
            let mut bytes = bytes.map_err(|error| cannot(&error))?;
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            if !is_whole && (bytes.len() as u64) < MOST {
                bytes.truncate(end.unwrap_or_default());
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let length = bytes.len() as u64;
            self.keep_piece(OutputStream::Log, self.brought, bytes).await?;
            self.brought += length;
        }
        Ok(())
    }

    async fn keep_piece(
        &self,
        stream: OutputStream,
        start: u64,
        bytes: Vec<u8>,
    ) -> Result<(), Fault> {
        let piece = JobOutput { stream, start, bytes };
        self.jobs.keep_output(self.note.id, self.note.attempt, piece).await
    }

    async fn close(&mut self, outcome: &JobOutcome) {
        let began = Instant::now();
        while self.try_close(outcome).await.is_err() && began.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn try_close(&mut self, outcome: &JobOutcome) -> Result<(), Fault> {
        self.bring(true).await?;
        let path = self.folder.join("document");
        let mut start = 0;
        while start < MOST_IN_ALL {
            let bytes = read_from(&path, start);
            let bytes = bytes.map_err(|error| Fault::io("cannot read the document", &error))?;
            if bytes.is_empty() {
                break;
            }
            let length = bytes.len() as u64;
            self.keep_piece(OutputStream::Document, start, bytes).await?;
            start += length;
        }
        let (state, end) = ended(outcome, &path);
        self.jobs.end(self.note.id, self.note.attempt, state, end).await
    }
}

/// A piece of the file at `path`, from the byte `start` on; nothing if it is not there.
fn read_from(path: &Path, start: u64) -> io::Result<Vec<u8>> {
    let mut file = match open_file(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is wrong with how long a lease is, if anything is.
///
/// # Errors
/// `Usage` if it is too short.
pub fn check_lease(lease: Duration) -> Result<(), Fault> {
    match lease < Duration::from_secs(1) {
        true => Err(Fault::new(Kind::Usage, "`--lease` is at least one second")),
        false => Ok(()),
    }
}

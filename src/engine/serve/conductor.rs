//! What gives jobs their turn: it claims them, starts their processes, looks after them, and finds them again after
//! the server was killed or replaced.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    DeployGround, JobEnd, JobOutcome, JobQueue, JobState, ServedJob,
    calls::QueueBell,
    lease::LeaseNote,
    seat::{JobFolder, SeatFinding},
};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::Fault,
    process::{Cancel, ProcessId, tail},
};

/// How often it looks after what is at work.
const LOOK: Duration = Duration::from_millis(40);
/// How often it looks for what others changed.
const IDLE: Duration = Duration::from_secs(1);
/// How often it looks for jobs of other servers that nothing was heard of for too long.
const OVERDUE: Duration = Duration::from_secs(5);
/// How often a job is given a process before it is given up.
const MOST_ATTEMPTS: u32 = 3;

/// What the process of a job is started with.
#[derive(Clone, Copy, Debug)]
pub struct JobProcess<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// The file for what it prints.
    pub log: &'a Path,
    /// The file for its JSON document.
    pub document: &'a Path,
}

/// Starts processes of jobs, which outlive the server.
pub trait JobStarter: Send + Sync {
    /// Starts the process of `job`.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start(&self, job: &ServedJob, process: JobProcess<'_>) -> Result<ProcessId, Fault>;
}

/// Who hears what the server does: what, of which job, in which words.
pub type ServeListener = Arc<dyn Fn(&str, Option<u32>, &str) + Send + Sync>;

/// How several servers share a queue.
#[derive(Clone, Debug)]
pub struct SharedQueue {
    /// The database, by which the process of a job finds it.
    pub database: String,
    /// How long nothing may be heard of a job before others take it for gone.
    pub lease: Duration,
}

/// What gives jobs their turn.
pub(super) struct Conductor {
    pub(super) jobs: Arc<dyn JobQueue>,
    pub(super) ground: Arc<dyn DeployGround>,
    pub(super) starter: Arc<dyn JobStarter>,
    pub(super) bell: QueueBell,
    /// The folder that the folders of jobs are in.
    pub(super) root: PathBuf,
    /// Which server it is.
    pub(super) owner: String,
    /// How many may be at work.
    pub(super) most: usize,
    /// How other servers share the queue, if they do.
    pub(super) shared: Option<SharedQueue>,
    pub(super) tell: ServeListener,
    pub(super) at_work: BTreeMap<u32, JobAtWork>,
}

/// A job that is at work.
pub(super) struct JobAtWork {
    job: ServedJob,
    folder: JobFolder,
    process: Option<ProcessId>,
    is_asked: bool,
    has_trouble: bool,
}

impl Conductor {
    /// Works until `stop`. What is at work then goes on by itself.
    ///
    /// # Errors
    /// If what is at work cannot be found again.
    pub(super) async fn work(mut self, stop: Cancel) -> Result<(), Fault> {
        self.find_again().await?;
        let (mut heard, mut looked) = (self.bell.listen(), Instant::now());
        let mut overdue = None;
        loop {
            if heard.has_changed().unwrap_or(false) || looked.elapsed() > IDLE {
                heard.mark_unchanged();
                looked = Instant::now();
                self.pass_on_wishes().await;
            }
            self.look_after_all().await;
            if overdue.is_none_or(|at: Instant| at.elapsed() > OVERDUE) {
                overdue = Some(Instant::now());
                self.end_overdue().await;
            }
            if !stop.is_cancelled() {
                self.start_more().await;
            }
            let pause = if self.at_work.is_empty() { IDLE } else { LOOK };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = heard.changed() => heard.mark_changed(),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Finds what this server, or the one before it, was at work on.
    async fn find_again(&mut self) -> Result<(), Fault> {
        for job in self.jobs.at_work(&self.owner).await? {
            let folder = JobFolder::make(&self.root, job.id, job.attempt)?;
            let process = job.process.or_else(|| folder.process());
            let text = format!("found again: {}", job.request().label());
            (self.tell)("found", Some(job.id), &text);
            let found = JobAtWork { folder, process, is_asked: false, has_trouble: false, job };
            self.at_work.insert(found.job.id, found);
        }
        self.pass_on_wishes().await;
        Ok(())
    }

    /// Asks the processes to end whose jobs are to.
    async fn pass_on_wishes(&mut self) {
        if self.at_work.is_empty() {
            return;
        }
        let Ok(jobs) = self.jobs.at_work(&self.owner).await else { return };
        for job in jobs.iter().filter(|job| job.state == JobState::Cancelling) {
            if let Some(found) = self.at_work.get_mut(&job.id) {
                found.job.state = JobState::Cancelling;
            }
        }
    }

    /// Sees to the jobs of servers that are gone.
    async fn end_overdue(&mut self) {
        if self.shared.is_none() {
            return;
        }
        // What fails now is tried again.
        let Ok(found) = self.jobs.end_overdue(&self.owner).await else { return };
        for job in &found {
            let text = match job.state {
                JobState::Queued => {
                    "its server is gone before it began, and it waits again".to_owned()
                }
                state => format!("{} {state}: {}", job.request().label(), job.end.error),
            };
            (self.tell)("overdue", Some(job.id), &text);
        }
        if !found.is_empty() {
            self.bell.ring();
        }
    }

    async fn look_after_all(&mut self) {
        let ids: Vec<u32> = self.at_work.keys().copied().collect();
        for id in ids {
            let Some(found) = self.at_work.get_mut(&id) else { continue };
            // Where the queue is shared, its process hears of it there.
            let is_asked = found.is_asked || self.shared.is_some();
            if found.job.state == JobState::Cancelling && !is_asked {
                found.process = found.process.or_else(|| found.folder.process());
                // One that has not begun yet would not end in order.
                if let Some(process) = found.folder.process() {
                    process.terminate();
                    found.is_asked = true;
                }
            }
            let finding = match found.folder.look_at(found.process) {
                Ok(SeatFinding::AtWork) => continue,
                Ok(finding) => finding,
                Err(error) => {
                    let text = format!("cannot look after it: {error}");
                    self.trouble(id, &text);
                    continue;
                }
            };
            if let Err(fault) = self.close(id, finding).await {
                self.trouble(id, &format!("cannot write down how it ended: {fault}"));
            }
        }
    }

    /// Tells of trouble with a job, once.
    fn trouble(&mut self, id: u32, text: &str) {
        if let Some(found) = self.at_work.get_mut(&id).filter(|found| !found.has_trouble) {
            found.has_trouble = true;
            (self.tell)("trouble", Some(id), text);
        }
    }

    async fn close(&mut self, id: u32, finding: SeatFinding) -> Result<(), Fault> {
        let Some(found) = self.at_work.get(&id) else { return Ok(()) };
        let (state, end) = match finding {
            SeatFinding::AtWork => return Ok(()),
            SeatFinding::Ended(outcome) => ended(&outcome, &found.folder.document()),
            SeatFinding::Gone(process) => self.told_by_ledger(&found.job, process).await?,
            SeatFinding::NeverBegan if found.job.attempt < MOST_ATTEMPTS => {
                self.jobs.put_back(id, found.job.attempt).await?;
                (self.tell)("put back", Some(id), "its process never began, and it waits again");
                self.at_work.remove(&id);
                self.bell.ring();
                return Ok(());
            }
            SeatFinding::NeverBegan => {
                let said = tail(&found.folder.log(), 5).join("\n");
                let error = format!("its process could not begin, {MOST_ATTEMPTS} times: {said}");
                (JobState::Failed, JobEnd { error, ..JobEnd::default() })
            }
        };
        let why = if end.error.is_empty() { String::new() } else { format!(": {}", end.error) };
        let text = format!("{} {state}{why}", found.job.request().label());
        self.jobs.end(id, found.job.attempt, state, end).await?;
        self.at_work.remove(&id);
        (self.tell)("ended", Some(id), &text);
        self.bell.ring();
        Ok(())
    }

    /// How a job ended whose process is gone without a word, by what the ledger says of it.
    async fn told_by_ledger(
        &self,
        job: &ServedJob,
        process: ProcessId,
    ) -> Result<(JobState, JobEnd), Fault> {
        let entries = self.ground.deployed_by(process).await?;
        let ledger_ids = entries.iter().map(|entry| entry.id).collect();
        // A job of one subsystem has done what it should once its deployment succeeded.
        let is_done = !job.request().name.is_empty()
            && entries.last().is_some_and(|entry| entry.state == JobState::Succeeded);
        if is_done {
            return Ok((JobState::Succeeded, JobEnd { ledger_ids, ..JobEnd::default() }));
        }
        let told: Vec<&str> = entries.iter().map(|entry| entry.told.as_str()).collect();
        let told = match told.is_empty() {
            true => "the ledger has no deployment of it".to_owned(),
            false => told.join("; "),
        };
        let error = format!("process {} is gone without a word; {told}", process.pid);
        Ok((JobState::Interrupted, JobEnd { error, exit_code: None, ledger_ids }))
    }

    /// Starts jobs while there is room for them.
    async fn start_more(&mut self) {
        while self.at_work.len() < self.most {
            let claimed = match self.jobs.claim(&self.owner).await {
                Ok(Some(job)) => job,
                Ok(None) => return,
                Err(fault) => {
                    (self.tell)("trouble", None, &fault.to_string());
                    return;
                }
            };
            let (id, attempt) = (claimed.id, claimed.attempt);
            if let Err(fault) = self.start(claimed).await {
                let error = fault.to_string();
                (self.tell)("trouble", Some(id), &error);
                let end = JobEnd { error, ..JobEnd::default() };
                // What cannot be written down now is found again by the next server.
                let _ = self.jobs.end(id, attempt, JobState::Failed, end).await;
            }
            self.bell.ring();
        }
    }

    async fn start(&mut self, job: ServedJob) -> Result<(), Fault> {
        let folder = JobFolder::make(&self.root, job.id, job.attempt)?;
        let (log, document) = (folder.log(), folder.document());
        let place = JobProcess { folder: folder.path(), log: &log, document: &document };
        if let Some(SharedQueue { database, lease }) = &self.shared {
            let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
            let (database, id, attempt) = (database.clone(), job.id, job.attempt);
            folder.entrust(&LeaseNote { database, id, attempt, lease })?;
        }
        let process = self.starter.start(&job, place)?;
        (self.tell)("started", Some(job.id), &job.request().label());
        let (id, attempt) = (job.id, job.attempt);
        let found =
            JobAtWork { folder, process: Some(process), is_asked: false, has_trouble: false, job };
        self.at_work.insert(id, found);
        if let Err(fault) = self.jobs.began(id, attempt, process).await {
            // Its folder has it as well.
            self.trouble(id, &format!("cannot write down its process: {fault}"));
        }
        Ok(())
    }
}

/// How a job ended whose process left `outcome` and a document.
pub(super) fn ended(outcome: &JobOutcome, document: &Path) -> (JobState, JobEnd) {
    let document = read_text(document, MOST_OF_TEXT).unwrap_or_default();
    let document: Value = serde_json::from_str(&document).unwrap_or_default();
    let deployments = document["deployments"].as_array().cloned().unwrap_or_default();
    let has = |state: &str| deployments.iter().any(|it| it["state"] == state);
    let state = match outcome.code {
        0 => JobState::Succeeded,
        _ if has("stuck") => JobState::Stuck,
        _ if has("rolled back") => JobState::RolledBack,
        code => JobState::from_exit(code),
    };
    let fault = deployments.iter().find_map(|it| it["fault"].as_str());
    let error = match outcome.fault.as_str() {
        "" => fault.unwrap_or_default(),
        told => told,
    };
    let ledger_ids = deployments.iter().filter_map(|it| it["id"].as_u64()).collect();
    (state, JobEnd { error: error.to_owned(), exit_code: Some(outcome.code), ledger_ids })
}

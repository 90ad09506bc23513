//! The folder of an attempt at a job, by which its process and the server know of each other, whichever of them is
//! killed when.
//!
//! ```text
//! jobs/17-1/alive      locked by the process of the job, and by its commands, for as long as one of them lives
//! jobs/17-1/began      the process: written under that lock before anything of the job happens
//! jobs/17-1/outcome    how it ended: written under that lock, before it is let go
//! jobs/17-1/log        what it printed
//! jobs/17-1/document   the JSON document that it printed
//! jobs/17-1/lease      which queue it is of, if several servers share that (`lease`); it takes that away at once
//! ```
//!
//! Whoever has the lock decides. A server that finds it free and no outcome knows that the process is gone; if it
//! never began, the server leaves an outcome itself, so that a process that comes late does nothing.

use std::{
    io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::lease::LeaseNote;
use crate::{
    disk::{FileLock, Folder, MOST_OF_TEXT},
    model::{Fault, Kind},
    process::ProcessId,
};

/// How long a process waits for a server that looks at its folder.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it tries.
const LOOK: Duration = Duration::from_millis(2);

/// How the process of a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOutcome {
    /// Its exit code.
    pub code: i32,
    /// Why, if it was refused.
    pub fault: String,
    /// Whether nothing of it happened, and somebody else takes over.
    pub is_given_up: bool,
}

/// What the folder of an attempt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SeatFinding {
    /// Its process, or a command of it, lives.
    AtWork,
    /// It ended so.
    Ended(JobOutcome),
    /// It began, and is gone without a word.
    Gone(ProcessId),
    /// It never began, and will not any more.
    NeverBegan,
}

/// The folder of an attempt.
#[derive(Debug)]
pub(super) struct JobFolder {
    folder: Folder,
}

impl JobFolder {
    /// The folder of an attempt below `root`, which is made if it is missing.
    pub(super) fn make(root: &Path, id: u32, attempt: u32) -> Result<Self, Fault> {
        let path = Self::path_of(root, id, attempt);
        let made = Folder::make(&path);
        let cannot =
            |error: &io::Error| Fault::io(format!("cannot make {}", path.display()), error);
        Ok(Self { folder: made.map_err(|error| cannot(&error))? })
    }

    fn path_of(root: &Path, id: u32, attempt: u32) -> PathBuf {
        root.join(format!("jobs/{id}-{attempt}"))
    }

    /// What the job printed, whichever attempt is the last.
    pub(super) fn log_of(root: &Path, id: u32, attempt: u32) -> PathBuf {
        Self::path_of(root, id, attempt).join("log")
    }

    /// The JSON document that it printed.
    pub(super) fn document_of(root: &Path, id: u32, attempt: u32) -> PathBuf {
        Self::path_of(root, id, attempt).join("document")
    }

    /// Says which queue the job is of, where several servers share it.
    pub(super) fn entrust(&self, note: &LeaseNote) -> Result<(), Fault> {
        note.leave(&self.folder).map_err(|error| {
            Fault::io(format!("cannot write to {}", self.folder.path().display()), &error)
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file with what it prints.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The file with its document.
    pub(super) fn document(&self) -> PathBuf {
        self.folder.path().join("document")
    }

    /// What became of the attempt, whose process is `started`, if that is known.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub(super) fn look_at(&self, started: Option<ProcessId>) -> io::Result<SeatFinding> {
        // Looked at before the lock is: a process that ends in between has left its outcome.
        let may_begin = started.is_some_and(|process| process.is_alive());
        let Ok(_decides) = FileLock::take(&self.folder, Path::new("alive"))? else {
            return Ok(SeatFinding::AtWork);
        };
        if let Some(outcome) = read(&self.folder, "outcome")? {
            let outcome: JobOutcome = outcome;
            return Ok(match outcome.is_given_up {
                true => SeatFinding::NeverBegan,
                false => SeatFinding::Ended(outcome),
            });
        }
        if let Some(process) = read(&self.folder, "began")? {
            return Ok(SeatFinding::Gone(process));
        }
        if may_begin {
            return Ok(SeatFinding::AtWork);
        }
        let given_up = JobOutcome { is_given_up: true, ..JobOutcome::default() };
        write(&self.folder, "outcome", &given_up)?;
        Ok(SeatFinding::NeverBegan)
    }

    /// The process that began the attempt.
    pub(super) fn process(&self) -> Option<ProcessId> {
        read(&self.folder, "began").ok().flatten()
    }
}

/// The place of the process of a job, which is its own while this lives.
#[derive(Debug)]
pub struct JobSeat {
    folder: Folder,
    _alive: FileLock,
}

impl JobSeat {
    /// Takes the seat in `folder` for this process and its commands; none if it came too late.
    ///
    /// # Errors
    /// If the folder cannot be used, or somebody else has the seat.
    pub fn take(folder: &Path) -> Result<Option<Self>, Fault> {
        let cannot = |error: &io::Error| {
            Fault::io(format!("cannot use the folder of a job, {}", folder.display()), error)
        };
        let opened = Folder::open(folder).map_err(|error| cannot(&error))?;
        let began = Instant::now();
        let alive = loop {
            let taken = FileLock::take(&opened, Path::new("alive"));
            match taken.map_err(|error| cannot(&error))? {
                Ok(lock) => break lock,
                Err(_) if began.elapsed() < PATIENCE => sleep(LOOK),
                Err(_) => {
                    let what = format!("another process has the job in {}", folder.display());
                    return Err(Fault::new(Kind::Failed, what));
                }
            }
        };
        let outcome: Option<JobOutcome> =
            read(&opened, "outcome").map_err(|error| cannot(&error))?;
        let before: Option<ProcessId> = read(&opened, "began").map_err(|error| cannot(&error))?;
        if outcome.is_some() || before.is_some() {
            return Ok(None);
        }
        alive.pass_on().map_err(|error| cannot(&error))?;
        write(&opened, "began", &this_process()).map_err(|error| cannot(&error))?;
        Ok(Some(Self { folder: opened, _alive: alive }))
    }

    /// Leaves how it ended.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn leave(&self, outcome: &JobOutcome) -> Result<(), Fault> {
        write(&self.folder, "outcome", outcome)
            .map_err(|error| Fault::io("cannot write down how the job ended", &error))
    }
}

/// This process.
pub(super) fn this_process() -> ProcessId {
    let number = i32::try_from(std::process::id()).unwrap_or_default();
    ProcessId::find(number).unwrap_or_else(|| ProcessId::unknown(number))
}

fn write<T: Serialize>(folder: &Folder, name: &str, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    folder.replace(Path::new(name), &bytes, Path::new("new"), true)
}

fn read<T: for<'de> Deserialize<'de>>(folder: &Folder, name: &str) -> io::Result<Option<T>> {
    match folder.read(Path::new(name), MOST_OF_TEXT) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

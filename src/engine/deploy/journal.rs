//! The first home of the ledger: a folder with a journal, to which each step adds lines, synced to the
//! disk before anything else happens.
//!
//! ```text
//! ledger.jsonl   SUM {"opened":{…}}     SUM goes over the line and the SUM before it
//!                SUM {"changed":{…}}
//! ledger.lock    held for a step: read all, decide, write
//! alive/7        held by the owner of deployment 7, and by the commands that it runs; touched by the owner
//! logs/7.log     what those printed
//! ```
//!
//! A process that is killed while it writes leaves a last line without its end. Nobody was told of that
//! step, so the next one cuts the line off. Anything else that does not add up is damage, and told.
//!
//! Why not a database: one process writes at a time, a line a second is much, everybody can read the
//! file, and no C is compiled for it. A server with thousands of deployments wants indexes; it gets a home
//! of its own behind the same port.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Claim, DeployHistory, DeployOwner, DeployState, Deployment, Ledger, NewDeployment, StateChange,
    Ticket,
    heartbeat::{self, Heartbeat},
};
use crate::{
    disk::{FileLock, Folder},
    model::{Fault, Kind, checksum},
    process::ProcessId,
};

const JOURNAL: &str = "ledger.jsonl";
const LOCK: &str = "ledger.lock";
/// How long a step waits for those of others, each of which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);
/// How long the sum before a line is, in hexadecimal digits.
const SUM: usize = 16;

/// A ledger in a folder.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: Arc<Folder>,
    /// What tells other machines that the owners of deployments are there.
    beats: Arc<Mutex<BTreeMap<u64, Heartbeat>>>,
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Opened(Box<Deployment>),
    Changed { id: u64, change: StateChange },
    Started { id: u64, process: ProcessId },
}

/// What a journal holds.
struct JournalContents {
    history: DeployHistory,
    /// The sum of the last line.
    sum: String,
    /// Where the last whole line ends.
    end: u64,
}

/// A step that is being taken.
struct JournalStep {
    file: File,
    contents: JournalContents,
    lines: Vec<Line>,
    _alone: FileLock,
}

impl Journal {
    /// The ledger in the folder `path`, which is made if it is missing.
    ///
    /// # Errors
    /// `Failed` if it cannot be made.
    pub fn in_folder(path: &Path) -> Result<Self, Fault> {
        let made = Folder::make(path);
        let folder = made.map_err(|error| {
            Fault::io(format!("cannot make the ledger of deployments, {}", path.display()), &error)
        })?;
        Ok(Self { folder: Arc::new(folder), beats: Arc::default() })
    }

    fn step(&self) -> Result<JournalStep, Fault> {
        let cannot = |error: &std::io::Error| {
            let path = self.folder.path().display();
            Fault::io(format!("cannot use the ledger of deployments, {path}"), error)
        };
        let began = Instant::now();
        let alone = loop {
            match FileLock::take(&self.folder, Path::new(LOCK)).map_err(|error| cannot(&error))? {
                Ok(lock) => break lock,
                Err(_) if began.elapsed() < PATIENCE => std::thread::sleep(LOOK),
                Err(holder) => {
                    let who =
                        holder.map_or("another process".into(), |pid| format!("process {pid}"));
                    let what = "cannot use the ledger of deployments";
                    return Err(Fault::new(Kind::Timeout, what)
                        .because(format!("{who} has held it for {} s", PATIENCE.as_secs())));
                }
            }
        };
        let mut file =
            self.folder.open_or_create(Path::new(JOURNAL)).map_err(|error| cannot(&error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
        let contents = JournalContents::read(&bytes).map_err(|line| self.damaged(line))?;
        let mut step = JournalStep { file, contents, lines: Vec::new(), _alone: alone };
        self.reap(&mut step)?;
        Ok(step)
    }

    /// Takes over what machines wrote down elsewhere and is over, the oldest first; what is known already
    /// stays as it is. How many were new.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn take_over(&self, found: &[Deployment]) -> Result<usize, Fault> {
        let mut step = self.step()?;
        let mut taken = 0;
        for one in found {
            let all = &step.contents.history.all;
            let origin = one.origin.unwrap_or(one.id);
            let number = |it: &Deployment| it.origin.unwrap_or(it.id);
            if all.values().any(|it| number(it) == origin && it.owner == one.owner) {
                continue;
            }
            let next = all.keys().next_back().map_or(1, |last| last + 1);
            let id = if all.contains_key(&one.id) { next } else { one.id };
            let back_from = one.back_from.map(|from| {
                let of = all.values().rev().find(|it| number(it) == from && it.name == one.name);
                of.map_or(from, |it| it.id)
            });
            let new = Deployment {
                id,
                origin: Some(origin).filter(|it| *it != id),
                back_from,
                changes: Vec::new(),
                ..one.clone()
            };
            step.push(Line::Opened(Box::new(new)))?;
            for change in &one.changes {
                step.change(id, change.clone())?;
            }
            taken += 1;
        }
        step.write()?;
        Ok(taken)
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<u64, Heartbeat>> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, line: usize) -> Fault {
        let path = self.folder.path().join(JOURNAL);
        Fault::new(Kind::Verification, format!("the ledger {} is damaged", path.display()))
            .because(format!("line {line} is not what was written there"))
            .hint("nothing was deployed; restore it from a copy, or move it away and look what runs where")
    }

    /// Writes down which deployments have lost their owners.
    fn reap(&self, step: &mut JournalStep) -> Result<(), Fault> {
        let open: Vec<u64> = step
            .contents
            .history
            .all
            .values()
            .filter(|it| !it.state().is_over())
            .map(|it| it.id)
            .collect();
        for id in open {
            let owner = step.contents.history.all.get(&id).map(|it| it.owner.host.clone());
            // The locks of another machine may not be seen here.
            if owner.is_some_and(|host| host != DeployOwner::this().host)
                && heartbeat::is_fresh(&self.folder, &alive(id))
            {
                continue;
            }
            let taken = FileLock::take(&self.folder, &alive(id));
            let is_gone = matches!(taken, Ok(Ok(_)));
            if let Some(one) = step.contents.history.all.get(&id).filter(|_| is_gone) {
                let DeployOwner { host, process } = &one.owner;
                let why = format!(
                    "whoever ran it is gone: process {} on {host}; it was {}",
                    process.pid,
                    one.state()
                );
                step.change(id, StateChange::now(DeployState::Interrupted, why))?;
            }
        }
        Ok(())
    }
}

fn alive(id: u64) -> PathBuf {
    PathBuf::from(format!("alive/{id}"))
}

impl Ledger for Journal {
    fn history(&self) -> Result<DeployHistory, Fault> {
        let mut step = self.step()?;
        step.write()?;
        Ok(step.contents.history)
    }

    fn open(&self, new: NewDeployment, why: &str) -> Result<Ticket, Fault> {
        let mut step = self.step()?;
        let id = step.contents.history.all.keys().next_back().map_or(1, |last| last + 1);
        let cannot = |why: String| {
            Fault::new(Kind::Failed, format!("cannot write down deployment {id}")).because(why)
        };
        let taken = FileLock::take(&self.folder, &alive(id));
        let lock = taken.map_err(|error| Fault::io(cannot(String::new()).what, &error))?;
        let lock = lock
            .map_err(|_| cannot(format!("alive/{id} of the ledger is held by another process")))?;
        lock.pass_on().map_err(|error| Fault::io(cannot(String::new()).what, &error))?;
        step.push(Line::Opened(Box::new(Deployment { id, changes: Vec::new(), ..new })))?;
        step.change(id, StateChange::now(DeployState::Queued, why))?;
        step.write()?;
        let beat = Heartbeat::begin(self.folder.clone(), alive(id));
        self.beats().insert(id, beat);
        Ok(Ticket { id, alive: lock })
    }

    fn claim(&self, id: u64, within: Option<u64>) -> Result<Claim, Fault> {
        let mut step = self.step()?;
        let history = &step.contents.history;
        let stack = history.all.get(&id).map(|it| it.stack.clone()).unwrap_or_default();
        let active = history.active(&stack).filter(|it| Some(it.id) != within);
        let ahead = history.ahead(&stack, id).next().filter(|_| within.is_none());
        let before = active.or(ahead).cloned();
        if before.is_none() {
            step.change(id, StateChange::now(DeployState::Checking, "its turn has come"))?;
        }
        step.write()?;
        Ok(before.map_or(Claim::Yes, |it| Claim::Behind(Box::new(it))))
    }

    fn advance(&self, id: u64, changes: Vec<StateChange>) -> Result<(), Fault> {
        let mut step = self.step()?;
        let is_over = changes.last().is_some_and(|it| it.state.is_over());
        for change in changes {
            step.change(id, change)?;
        }
        step.write()?;
        if is_over {
            self.beats().remove(&id);
        }
        Ok(())
    }

    fn recorder(&self) -> Box<dyn Fn(u64, ProcessId) + Send + Sync> {
        let ledger = self.clone();
        Box::new(move |id, process| {
            let write = || {
                let mut step = ledger.step()?;
                step.push(Line::Started { id, process })?;
                step.write()
            };
            // Nothing but the proof of whose a lock is hangs on it.
            let _: Result<(), Fault> = write();
        })
    }

    fn log(&self, id: u64) -> PathBuf {
        // A log that cannot be written is told by whoever writes it.
        let _ = self.folder.make_folder(Path::new("logs"));
        self.folder.path().join(format!("logs/{id}.log"))
    }
}

impl JournalStep {
    /// Adds a change of the deployment `id`.
    fn change(&mut self, id: u64, change: StateChange) -> Result<(), Fault> {
        self.push(Line::Changed { id, change })
    }

    fn push(&mut self, line: Line) -> Result<(), Fault> {
        self.contents.history.take(&line).map_err(|why| {
            Fault::new(Kind::Failed, "the ledger of deployments does not take a step").because(why)
        })?;
        self.lines.push(line);
        Ok(())
    }

    /// Adds the lines to the journal, all or none, and waits until they are on the disk.
    fn write(&mut self) -> Result<(), Fault> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for line in &self.lines {
            let json = serde_json::to_string(line).unwrap_or_default();
            self.contents.sum = sum(&self.contents.sum, &json);
            text.push_str(&format!("{} {json}\n", self.contents.sum));
        }
        let end = self.contents.end;
        let mut add = || -> std::io::Result<()> {
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        add().map_err(|error| {
            // What was written of it would be cut off by the next step anyway.
            let _ = self.file.set_len(end);
            Fault::io("cannot write to the ledger of deployments", &error)
        })?;
        self.contents.end += text.len() as u64;
        self.lines.clear();
        Ok(())
    }
}

/// The sum of the line `json` behind a line with the sum `before`.
fn sum(before: &str, json: &str) -> String {
    let digest = checksum(format!("{before} {json}").as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..SUM].to_owned()
}

impl JournalContents {
    /// What `bytes` hold; or the line, from 1, that is not what was written there.
    fn read(bytes: &[u8]) -> Result<Self, usize> {
        let mut contents = Self { history: DeployHistory::default(), sum: String::new(), end: 0 };
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
        for (at, line) in lines {
            match contents.add(line) {
                Some(()) => contents.end += line.len() as u64,
                // Whoever wrote it did not come to its end, so nobody was told of it.
                None if !line.ends_with(b"\n") => break,
                None => return Err(at + 1),
            }
        }
        Ok(contents)
    }

    fn add(&mut self, line: &[u8]) -> Option<()> {
        let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
        let (own, json) = text.split_once(' ')?;
        let expected = sum(&self.sum, json);
        let line = serde_json::from_str(json).ok().filter(|_| own == expected)?;
        self.history.take(&line).ok()?;
        self.sum = expected;
        Some(())
    }
}

impl DeployHistory {
    /// Takes what a line says; or says why it cannot be.
    fn take(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Opened(one) => {
                self.all.insert(one.id, one.as_ref().clone());
                Ok(())
            }
            Line::Started { id, process } => match self.all.get_mut(id) {
                Some(one) => {
                    one.commands.push(*process);
                    Ok(())
                }
                None => Err(format!("there is no deployment {id}")),
            },
            Line::Changed { id, change } => {
                let Some(one) = self.all.get_mut(id) else {
                    return Err(format!("there is no deployment {id}"));
                };
                let (before, is_first) = (one.state(), one.changes.is_empty());
                if !is_first && !before.may_become(change.state) {
                    return Err(format!(
                        "deployment {id} is {before}, and cannot be {}",
                        change.state
                    ));
                }
                if change.state == DeployState::Deploying && !one.has_begun() {
                    self.began.push(*id);
                }
                one.changes.push(change.clone());
                Ok(())
            }
        }
    }
}

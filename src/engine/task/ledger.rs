//! The records of all tasks of a workspace: one file that is only added to, line by line, as long
//! as it stays small beside what it says.
//!
//! Each line is sealed for this workspace: one that this user's forge did not write here tells nothing.
//! Each line stands between line breaks of its own and is written in one call, so that a kill
//! between or within lines costs the last one at most; what is no line is not read. Who adds holds
//! a lock that many may hold; who writes the file anew holds it alone.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    cache::{Busy, BusyLock, Patience, SealKey, forge_folder},
    disk::{Folder, open_file},
    model::{Fault, Layout, path_to_text},
    process::Cancel,
    provenance::{Classes, RunClass},
};

use super::{
    plan::Invocation,
    record::{TaskRecord, digest},
};

/// The file is written anew when it has this many times more lines than records.
const STALE: usize = 4;
/// How long the file's lock is waited for. Who holds it alone writes a small file anew, so a wait that
/// takes long is not for a forge at work, and ends.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The records of all tasks.
pub struct TaskLedger {
    path: PathBuf,
    layout: Layout,
    classes: Classes,
    key: SealKey,
    /// The workspace, by its real path.
    workspace: String,
    /// The remote cache whose results count; nothing if none does.
    remote: Option<String>,
    known: Mutex<RecordedRun>,
}

/// Who made what is recorded.
pub struct RecordOrigin {
    /// The class of the run that made it.
    pub class: RunClass,
    /// The remote cache that it came from, if it did.
    pub remote: Option<String>,
}

impl RecordOrigin {
    /// A run of `class` on this machine.
    pub fn of_run(class: RunClass) -> Self {
        Self { class, remote: None }
    }
}

#[derive(Default)]
struct RecordedRun {
    /// Each as it is written; most are never looked at.
    lines: HashMap<String, String>,
    /// How many lines there are, with those that hold no more.
    count: usize,
    /// How far the file was read.
    end: u64,
    file: Option<File>,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct LedgerLine<R> {
    /// What tells the task and its parameters from others.
    of: String,
    /// The class of the run that ran it.
    #[serde(default)]
    class: RunClass,
    /// The remote cache that it came from, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    /// Nothing if what was known holds no more.
    is: Option<R>,
}

impl TaskLedger {
    /// The records in the workspace of `layout`, as a run of these classes reads and writes them;
    /// nothing is read yet.
    pub fn new(layout: &Layout, classes: Classes) -> Self {
        let path = layout.state().join("tasks.jsonl");
        let root = layout.root();
        let workspace = path_to_text(&root.canonicalize().unwrap_or_else(|_| root.to_owned()));
        let (layout, key) = (layout.clone(), SealKey::of_user(layout.user()));
        Self { path, layout, classes, key, workspace, remote: None, known: Mutex::default() }
    }

    /// The same, in which what came from the remote cache `identity` counts too.
    #[must_use]
    pub fn trusting(self, identity: Option<String>) -> Self {
        Self { remote: identity, ..self }
    }

    /// Where things are in the workspace.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is recorded of `invocation`; nothing if that cannot be read, or if a run of a class made it
    /// that this one does not trust.
    pub fn read(&self, invocation: &Invocation) -> Option<TaskRecord> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.file.is_none() {
            let _ = known.catch_up(&self.path);
        }
        let line = known.lines.get(&invocation.key())?;
        let (code, text) = line.split_once(' ')?;
        if !self.key.confirms(&self.purpose(), text.as_bytes(), &code.parse().ok()?) {
            return None;
        }
        let line: LedgerLine<TaskRecord> = serde_json::from_str(text).ok()?;
        let is_disowned = line.remote.is_some() && line.remote != self.remote;
        line.is.filter(|_| line.class >= self.classes.takes && !is_disowned)
    }

    /// Reads what others added meanwhile.
    pub fn catch_up(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = known.catch_up(&self.path);
    }

    /// How others are waited for who write the file: until `cancel` ends it, which `tell` is told.
    pub fn patience<'a>(cancel: &'a Cancel, tell: &'a dyn Fn(&str)) -> Patience<'a> {
        Patience {
            what: "which writes the records of tasks",
            cancel,
            tell,
            limit: Some(LONGEST_WAIT),
        }
    }

    /// Records it, as made by `origin`. Blocks while others write the file anew.
    ///
    /// # Errors
    /// If the file cannot be written; as [`BusyLock::wait`].
    pub fn write(
        &self,
        origin: &RecordOrigin,
        invocation: &Invocation,
        record: &TaskRecord,
        patience: &Patience,
    ) -> Result<(), Fault> {
        let class = origin.class.min(self.classes.own);
        let (of, remote) = (invocation.key(), origin.remote.clone());
        self.add(&LedgerLine { of, class, remote, is: Some(record) }, patience)
    }

    /// The key in the user's cache under which this run keeps what `record` says came out. Runs of
    /// another class keep theirs apart.
    pub fn kept_under(&self, record: &TaskRecord) -> String {
        self.cache_key(self.classes.own, record)
    }

    /// The keys in the user's cache under which this run looks for what `record` says goes in, each
    /// with the class of the runs that keep theirs there.
    pub fn looked_for(&self, record: &TaskRecord) -> impl Iterator<Item = (RunClass, String)> {
        self.classes.takes.and_above().map(|class| (class, self.cache_key(class, record)))
    }

    /// The key in the user's cache of what the remote cache `identity` gave for what `record` says goes
    /// in. It is apart from what runs of this machine made: with another salt it is not looked for.
    pub fn fetched_under(&self, identity: &str, record: &TaskRecord) -> String {
        digest(&format!("remote {identity} {} {:?}", record.key(), self.workspace))
    }

    /// Commands may use more than what a task says goes in, so that another workspace of the user
    /// must not decide what this one gets: the workspace is in the key.
    fn cache_key(&self, class: RunClass, record: &TaskRecord) -> String {
        digest(&format!("{} {} {:?}", class.as_str(), record.key(), self.workspace))
    }

    fn purpose(&self) -> String {
        format!("record of a task in {}", self.workspace)
    }

    /// Forgets what is recorded of `invocation`, since it holds no more.
    ///
    /// # Errors
    /// As [`TaskLedger::write`].
    pub fn forget(&self, invocation: &Invocation, patience: &Patience) -> Result<(), Fault> {
        let _ = self.read(invocation);
        let of = invocation.key();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = known.lines.contains_key(&of);
        drop(known);
        match is_known {
            true => {
                let class = self.classes.own;
                self.add(&LedgerLine { of, class, remote: None, is: None }, patience)
            }
            false => Ok(()),
        }
    }

    fn add(&self, line: &LedgerLine<&TaskRecord>, patience: &Patience) -> Result<(), Fault> {
        let failed = |error| Fault::io(format!("cannot write {}", self.path.display()), &error);
        let text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        let text = format!("{} {text}", self.key.code(&self.purpose(), text.as_bytes()));
        let folder = forge_folder(&self.layout)?;
        let lock = BusyLock::wait_to_share(&self.layout, &self.lock(), patience)?;
        let mut file = folder.append(&self.path).map_err(failed)?;
        file.write_all(format!("\n{text}\n").as_bytes()).map_err(failed)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.take(text);
        let is_stale = known.count > 1000 && known.count > STALE * known.lines.len();
        drop(lock);
        if !is_stale {
            return Ok(());
        }
        match BusyLock::take(&self.layout, &self.lock())? {
            Busy::Ours(_alone) => self.write_anew(&folder, &mut known).map_err(failed),
            // Others are at work: then the next time will do.
            Busy::Theirs(_) => Ok(()),
        }
    }

    fn write_anew(&self, folder: &Folder, known: &mut RecordedRun) -> io::Result<()> {
        known.catch_up(&self.path)?;
        let text = known.lines.values().fold(String::new(), |text, line| text + "\n" + line + "\n");
        folder.replace(&self.path, text.as_bytes(), &self.layout.staging(), false)?;
        known.file = None;
        known.catch_up(&self.path)
    }

    fn lock(&self) -> PathBuf {
        self.path.with_extension("lock")
    }
}

impl RecordedRun {
    fn catch_up(&mut self, path: &Path) -> io::Result<()> {
        let mut file = open_file(path)?;
        let is_same = self.file.as_ref().is_some_and(|known| is_same(known, &file));
        if !is_same {
            *self = Self::default();
        }
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(self.end))?;
        file.read_to_end(&mut text)?;
        // What somebody is still writing is for the next time.
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        self.end += text.len() as u64;
        self.file = Some(file);
        for line in String::from_utf8_lossy(&text).lines().filter(|line| !line.is_empty()) {
            self.take(line.to_owned());
        }
        Ok(())
    }

    fn take(&mut self, line: String) {
        let Some((of, is)) = parts(&line) else { return };
        self.count += 1;
        match is {
            true => self.lines.insert(of, line),
            false => self.lines.remove(&of),
        };
    }
}

/// Of what a line is, and whether it says anything.
fn parts(line: &str) -> Option<(String, bool)> {
    let (_, text) = line.split_once(' ')?;
    let rest = text.strip_prefix("{\"of\":")?.strip_suffix('}')?;
    let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let of = names.next()?.ok()?;
    Some((of, !rest[names.byte_offset()..].ends_with(":null")))
}

fn is_same(one: &File, other: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |file: &File| file.metadata().map(|data| (data.dev(), data.ino())).ok();
    id(one).is_some_and(|one| Some(one) == id(other))
}

//! The records of all tasks of a workspace: one file that is only added to, line by line, as long
//! as it stays small beside what it says.
//!
//! Each line stands between line breaks of its own and is written in one call, so that a kill
//! between or within lines costs the last one at most; what is no line is not read. Who adds holds
//! a lock that many may hold; who writes the file anew holds it alone.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    cache::forge_folder,
    disk::{Folder, open_file},
    model::{Fault, Layout},
};

use super::{plan::Invocation, record::Record};

/// The file is written anew when it has this many times more lines than records.
const STALE: usize = 4;
/// How long the file's lock is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The records of all tasks.
pub struct Ledger {
    path: PathBuf,
    layout: Layout,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
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
struct Line<R> {
    /// What tells the task and its parameters from others.
    of: String,
    /// Nothing if what was known holds no more.
    is: Option<R>,
}

impl Ledger {
    /// The records in the workspace of `layout`; nothing is read yet.
    pub fn new(layout: &Layout) -> Self {
        let path = layout.state().join("tasks.jsonl");
        Self { path, layout: layout.clone(), known: Mutex::default() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is recorded of `invocation`; nothing if that cannot be read.
    pub fn read(&self, invocation: &Invocation) -> Option<Record> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.file.is_none() {
            let _ = known.catch_up(&self.path);
        }
        let line = known.lines.get(&invocation.key())?;
        serde_json::from_str::<Line<Record>>(line).ok()?.is
    }

    /// Reads what others added meanwhile.
    pub fn catch_up(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = known.catch_up(&self.path);
    }

    /// Records it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, invocation: &Invocation, record: &Record) -> Result<(), Fault> {
        self.add(&Line { of: invocation.key(), is: Some(record) })
    }

    /// Forgets what is recorded of `invocation`, since it holds no more.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn forget(&self, invocation: &Invocation) -> Result<(), Fault> {
        let is_known = self.read(invocation).is_some();
        if is_known { self.add(&Line { of: invocation.key(), is: None }) } else { Ok(()) }
    }

    fn add(&self, line: &Line<&Record>) -> Result<(), Fault> {
        let failed = |error| Fault::io(format!("cannot write {}", self.path.display()), &error);
        let text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        let folder = forge_folder(&self.layout)?;
        let lock = self.lock(&folder).map_err(failed)?;
        share(&lock).map_err(failed)?;
        let mut file = folder.append(&self.path).map_err(failed)?;
        file.write_all(format!("\n{text}\n").as_bytes()).map_err(failed)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.take(text);
        let is_stale = known.count > 1000 && known.count > STALE * known.lines.len();
        drop(lock);
        // Others may be at work: then the next time will do.
        match is_stale {
            true => self.write_anew(&folder, &mut known).map_err(failed),
            false => Ok(()),
        }
    }

    fn write_anew(&self, folder: &Folder, known: &mut Known) -> io::Result<()> {
        let lock = self.lock(folder)?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        known.catch_up(&self.path)?;
        let text = known.lines.values().fold(String::new(), |text, line| text + "\n" + line + "\n");
        folder.replace(&self.path, text.as_bytes(), &self.layout.staging(), false)?;
        known.file = None;
        known.catch_up(&self.path)
    }

    fn lock(&self, folder: &Folder) -> io::Result<File> {
        folder.open_or_create(&self.path.with_extension("lock"))
    }
}

/// Takes a share of `lock`. Who holds it alone writes a small file anew, so a wait that takes long is
/// not for a forge at work, and ends.
fn share(lock: &File) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) if began.elapsed() < LONGEST_WAIT => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process holds its lock and does not let go"));
            }
            Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(error);
            }
            _ => return Ok(()),
        }
    }
}

impl Known {
    fn catch_up(&mut self, path: &PathBuf) -> io::Result<()> {
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
    let rest = line.strip_prefix("{\"of\":")?.strip_suffix('}')?;
    let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let of = names.next()?.ok()?;
    Some((of, !rest[names.byte_offset()..].ends_with(":null")))
}

fn is_same(one: &File, other: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |file: &File| file.metadata().map(|data| (data.dev(), data.ino())).ok();
    id(one).is_some_and(|one| Some(one) == id(other))
}

//! Digests of large files, which are not computed again while `stat` says that nobody wrote to them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
    time::SystemTime,
};

use crate::model::FileStat;

/// In bytes. A smaller file is read about as fast as it is looked up.
const LARGE: u64 = 1 << 20;

/// What is known of a large file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// What `stat` said of it before it was read.
    pub stat: FileStat,
    /// The digest of its bytes.
    pub checksum: [u8; 32],
}

/// Large files by their absolute paths.
pub type LargeFileTable = BTreeMap<PathBuf, LargeFile>;

type Load = Box<dyn FnOnce() -> HashMap<PathBuf, LargeFile> + Send>;

/// What earlier runs knew of large files, and what this one learned.
pub struct LargeFiles {
    before: LazyLock<HashMap<PathBuf, LargeFile>, Load>,
    now: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: LargeFileTable,
    has_news: bool,
}

impl fmt::Debug for LargeFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeFiles").field("now", &self.now).finish_non_exhaustive()
    }
}

impl LargeFiles {
    /// `load` says what is known from before. It is asked once a large file is met.
    pub fn new(load: impl FnOnce() -> LargeFileTable + Send + 'static) -> Self {
        let load: Load = Box::new(|| load().into_iter().collect());
        Self { before: LazyLock::new(load), now: Mutex::default() }
    }

    /// The digest of the file at `path`, if it is known and `stat` says that it still holds.
    pub(super) fn checksum(&self, path: &Path, stat: &FileStat) -> Option<[u8; 32]> {
        if stat.size < LARGE {
            return None;
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let known = now.files.get(path).or_else(|| self.before.get(path)).copied();
        let known = known.filter(|known| known.stat == *stat)?;
        now.files.entry(path.to_owned()).or_insert(known);
        Some(known.checksum)
    }

    /// Remembers the digest of a file of which `stat` spoke before it was read at `read_at`, if a later
    /// change would surely show.
    pub(super) fn learn(&self, path: &Path, file: LargeFile, read_at: SystemTime) {
        if file.stat.size < LARGE || !file.stat.is_settled(read_at) {
            return;
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.files.insert(path.to_owned(), file);
        now.has_news = true;
    }

    /// What is to be kept for later runs, if this one learned something: at most `most` files, first
    /// those that this run met.
    pub fn news(&self, most: usize) -> Option<LargeFileTable> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if !now.has_news {
            return None;
        }
        let met = now.files.iter().map(|(path, file)| (path.clone(), *file));
        let mut all: LargeFileTable = met.take(most).collect();
        let others = self.before.iter().filter(|(path, _)| !now.files.contains_key(*path));
        let room = most.saturating_sub(all.len());
        all.extend(others.take(room).map(|(path, file)| (path.clone(), *file)));
        Some(all)
    }
}

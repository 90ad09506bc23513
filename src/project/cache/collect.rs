//! What nobody used for long leaves the cache, and what it holds is counted and checked.
//!
//! Whoever works with the cache holds a share of the lock `in-use`; who removes holds it alone, for
//! moments only, and goes away if somebody works. A record was last used when its file says it was
//! written or touched. A file goes with the last record that names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    Cache,
    record::{ArtifactRecord, MAX_BYTES},
};
use crate::{
    archive::hash_file,
    disk::{FileLock, Folder},
    model::Sha256,
};

/// The lock of those who work with the cache.
const IN_USE: &str = "in-use";
/// When it was last collected.
const COLLECTED: &str = "collected";
/// How often that is done by itself.
const BETWEEN: Duration = Duration::from_secs(24 * 3600);
/// For so long who removes keeps others waiting.
const TURN: Duration = Duration::from_millis(200);
/// For so long others wait for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// What was kept so recently is not asked about.
const FRESH: Duration = Duration::from_secs(3600);

/// A part of the cache, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachePart {
    /// What it holds.
    pub what: &'static str,
    /// How many files.
    pub files: usize,
    /// How large they are together.
    pub bytes: u64,
}

/// What may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectRequest {
    /// What was not used for so long.
    pub oldest: Duration,
    /// What was not used for longest, until no more than this is left.
    pub most_bytes: Option<u64>,
    /// For how long it is worked at most.
    pub time: Duration,
    /// Whether nothing is removed, only counted.
    pub is_dry: bool,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many artifacts.
    pub artifacts: usize,
    /// How many files.
    pub files: usize,
    /// How large these were together.
    pub bytes: u64,
    /// Whether somebody works with the cache, so that something may be left that could go.
    pub is_busy: bool,
}

/// A record, as far as collecting goes by it.
struct KnownRecord {
    path: PathBuf,
    unused: Duration,
    files: Vec<Sha256>,
}

impl Cache {
    /// Says that this process works with the cache, as long as the lock is held. Nothing if there is no
    /// cache yet, or if it cannot be written to: then nobody removes anything either.
    pub fn begin_use(&self) -> Option<FileLock> {
        let root = Folder::open(self.root()).ok()?;
        let began = Instant::now();
        loop {
            match FileLock::share(&root, Path::new(IN_USE)).ok()? {
                Ok(lock) => return Some(lock),
                Err(_) if began.elapsed() > PATIENCE => return None,
                Err(_) => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// What the cache holds, by parts.
    pub fn parts(&self) -> Vec<CachePart> {
        let of_folders = |what, folders: &[&str]| {
            let mut part = CachePart { what, ..CachePart::default() };
            for folder in folders {
                add_tree(&self.root().join(folder), &mut part);
            }
            part
        };
        vec![
            of_folders("binaries", &["files", "artifacts"]),
            of_folders("outputs of tasks", &["outputs", "tasks"]),
            of_folders("included files", &["pinned"]),
        ]
    }

    /// [`Self::collect`], if that was not done for a day.
    pub fn collect_if_due(&self, wish: &CollectRequest) -> Option<Collected> {
        let root = Folder::open(self.root()).ok()?;
        let marker = Path::new(COLLECTED);
        let entry = root.entry(marker).ok()?;
        let is_due = entry.as_ref().is_some_and(|entry| entry.age() > BETWEEN);
        if entry.is_some() && !is_due {
            return None;
        }
        root.replace(marker, b"", Path::new(""), false).ok()?;
        // A new cache has nothing old.
        is_due.then(|| self.collect(wish))
    }

    /// Removes what may go.
    pub fn collect(&self, wish: &CollectRequest) -> Collected {
        let mut done = Collected::default();
        let Ok(root) = Folder::open(self.root()) else { return done };
        let mut records = self.records(&root);
        records.sort_by_key(|record| std::cmp::Reverse(record.unused));
        let sizes = sizes_of(&root);
        let mut uses: BTreeMap<Sha256, usize> = BTreeMap::new();
        for sha256 in records.iter().flat_map(|record| &record.files) {
            *uses.entry(*sha256).or_default() += 1;
        }
        let mut left: u64 = self.parts().iter().map(|part| part.bytes).sum();
        let mut going = Vec::new();
        for (sha256, (size, age)) in &sizes {
            if !uses.contains_key(sha256) && *age > wish.oldest.max(FRESH) {
                going.push((None, vec![*sha256]));
                left = left.saturating_sub(*size);
            }
        }
        for record in records {
            let is_too_much = wish.most_bytes.is_some_and(|most| left > most);
            if record.unused <= wish.oldest && !is_too_much {
                continue;
            }
            let mut files = Vec::new();
            for sha256 in record.files {
                let users = uses.entry(sha256).or_default();
                *users = users.saturating_sub(1);
                if *users == 0 {
                    files.push(sha256);
                    left = left.saturating_sub(sizes.get(&sha256).map_or(0, |(size, _)| *size));
                }
            }
            going.push((Some(record.path), files));
        }
        self.remove(&root, &going, &sizes, wish, &mut done);
        done
    }

    fn remove(
        &self,
        root: &Folder,
        going: &[(Option<PathBuf>, Vec<Sha256>)],
        sizes: &BTreeMap<Sha256, (u64, Duration)>,
        wish: &CollectRequest,
        done: &mut Collected,
    ) {
        let began = Instant::now();
        let mut turn: Option<(FileLock, Instant)> = None;
        for (record, files) in going {
            if began.elapsed() > wish.time {
                done.is_busy = true;
                return;
            }
            if !wish.is_dry {
                if turn.as_ref().is_some_and(|(_, since)| since.elapsed() > TURN) {
                    turn = None;
                    sleep(Duration::from_millis(20));
                }
                if turn.is_none() {
                    let Ok(Ok(lock)) = FileLock::take(root, Path::new(IN_USE)) else {
                        done.is_busy = true;
                        return;
                    };
                    turn = Some((lock, Instant::now()));
                }
                // The record first: what is named by none does no harm.
                if record.as_ref().is_some_and(|record| root.remove_file(record).is_err()) {
                    continue;
                }
            }
            done.artifacts += usize::from(record.is_some());
            for sha256 in files {
                let Some((size, _)) = sizes.get(sha256) else { continue };
                if wish.is_dry || root.remove_file(&self.file_path(*sha256)).is_ok() {
                    done.files += 1;
                    done.bytes += size;
                }
            }
        }
    }

    /// Hashes all that is kept by its digest. Returns how many files that are, and those that are not
    /// what they are called after; these are removed unless `is_dry` or somebody works with the cache.
    pub fn audit(&self, is_dry: bool) -> (usize, Vec<PathBuf>) {
        let Ok(root) = Folder::open(self.root()) else { return (0, Vec::new()) };
        let mut count = 0;
        let mut damaged = Vec::new();
        for part in ["files", "outputs"] {
            for path in below(&root, Path::new(part), 2) {
                let Some(sha256) = digest_in(&path) else { continue };
                count += 1;
                let is_right =
                    hash_file(&self.root().join(&path)).is_ok_and(|(is, _)| is == sha256);
                if !is_right {
                    damaged.push(path);
                }
            }
        }
        if !damaged.is_empty()
            && !is_dry
            && let Ok(Ok(_turn)) = FileLock::take(&root, Path::new(IN_USE))
        {
            for path in &damaged {
                let _ = root.remove_file(path);
            }
        }
        (count, damaged)
    }

    /// The records that this user's forge sealed; of others nothing is known but their age.
    fn records(&self, root: &Folder) -> Vec<KnownRecord> {
        let paths = below(root, Path::new("artifacts"), 1);
        let known = paths.into_iter().filter_map(|path| {
            let unused = root.entry(&path).ok()??.age();
            let bytes = root.read(&path, MAX_BYTES).ok()?;
            let purpose = format!("cached artifact {}", path.file_name()?.to_str()?);
            let record = ArtifactRecord::open(&purpose, &bytes, self.key());
            let binaries = record.map(|record| record.stamp.binaries).unwrap_or_default();
            Some(KnownRecord { path, unused, files: binaries.values().copied().collect() })
        });
        known.collect()
    }
}

/// How large the files are that are kept by their digests, and how old.
fn sizes_of(root: &Folder) -> BTreeMap<Sha256, (u64, Duration)> {
    let paths = below(root, Path::new("files"), 2);
    let known = paths.into_iter().filter_map(|path| {
        let entry = root.entry(&path).ok()??;
        Some((digest_in(&path)?, (entry.size, entry.age())))
    });
    known.collect()
}

fn digest_in(path: &Path) -> Option<Sha256> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The paths `depth` folders below `folder`, relative to `root`. Nothing is followed.
fn below(root: &Folder, folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut level = BTreeSet::from([folder.to_owned()]);
    for _ in 0..depth {
        let names = |folder: &PathBuf| {
            let names = root.folder(folder).and_then(|it| it.names_in()).unwrap_or_default();
            names.into_iter().map(|name| folder.join(name)).collect::<Vec<_>>()
        };
        level = level.iter().flat_map(names).collect();
    }
    level.into_iter().collect()
}

fn add_tree(folder: &Path, part: &mut CachePart) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => add_tree(&entry.path(), part),
            Ok(found) => {
                part.files += 1;
                part.bytes += found.len();
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;
    use crate::{
        cache::{CacheKey, Lookup, SealKey, record::tests::sample},
        model::{BinaryName, FileStat, Fingerprint},
    };

    const DAY: Duration = Duration::from_secs(24 * 3600);

    struct Kept {
        _dir: tempfile::TempDir,
        cache: Cache,
        keys: Vec<CacheKey>,
    }

    /// A cache with an artifact for each of `texts`, the first kept longest ago: days.
    fn kept(texts: &[(&str, u32)]) -> Kept {
        let dir = tempfile::tempdir().unwrap();
        let cache =
            Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join("data")));
        let mut keys = Vec::new();
        for (index, (text, days)) in texts.iter().enumerate() {
            let from = dir.path().join(format!("from{index}"));
            fs::create_dir(&from).unwrap();
            let path = from.join("nats");
            fs::write(&path, text).unwrap();
            let mut record = sample();
            let (sha256, _) = hash_file(&path).unwrap();
            record.stamp.binaries = [(BinaryName::new("nats").unwrap(), sha256)].into();
            record.files =
                [("nats".into(), FileStat::from_metadata(&fs::metadata(&path).unwrap()))].into();
            let fingerprint: Fingerprint = format!("{index:02x}").repeat(32).parse().unwrap();
            let key = CacheKey::Build(fingerprint);
            cache.keep(&record, &[key], &from).unwrap();
            let then = SystemTime::now() - DAY * *days;
            let record = cache.root().join("artifacts").join(format!("build-{fingerprint}"));
            fs::File::options().write(true).open(record).unwrap().set_modified(then).unwrap();
            keys.push(key);
        }
        Kept { _dir: dir, cache, keys }
    }

    fn wish(days: u32, most_bytes: Option<u64>) -> CollectRequest {
        let time = Duration::from_secs(10);
        CollectRequest { oldest: DAY * days, most_bytes, time, is_dry: false }
    }

    impl Kept {
        fn there(&self) -> Vec<bool> {
            let is_there = |key: &CacheKey| matches!(self.cache.find(*key, None), Lookup::Hit(_));
            self.keys.iter().map(is_there).collect()
        }
    }

    #[test]
    fn what_is_old_goes_with_the_files_that_nothing_else_names() {
        let it = kept(&[("one", 100), ("two", 50), ("one", 1)]);
        let dry = it.cache.collect(&CollectRequest { is_dry: true, ..wish(90, None) });
        assert_eq!((dry.artifacts, dry.files), (1, 0), "the file is the third's too");
        assert_eq!(it.there(), [true, true, true]);
        let done = it.cache.collect(&wish(40, None));
        assert_eq!((done.artifacts, done.files, done.bytes), (2, 1, 3));
        assert_eq!(it.there(), [false, false, true]);
    }

    #[test]
    fn what_is_too_much_goes_from_the_oldest_on() {
        let it = kept(&[("a", 3), ("b", 2), ("c", 1)]);
        let all: u64 = it.cache.parts().iter().map(|part| part.bytes).sum();
        it.cache.collect(&wish(90, Some(all)));
        assert_eq!(it.there(), [true, true, true]);
        it.cache.collect(&wish(90, Some(all - 1)));
        assert_eq!(it.there(), [false, true, true]);
    }

    #[test]
    fn nothing_goes_while_somebody_works() {
        let it = kept(&[("a", 100)]);
        let working = it.cache.begin_use().unwrap();
        let also = it.cache.begin_use();
        assert!(also.is_some(), "all share it");
        assert!(it.cache.collect(&wish(1, None)).is_busy);
        assert_eq!(it.there(), [true]);
        drop((working, also));
        assert_eq!(it.cache.collect(&wish(1, None)).artifacts, 1);
    }

    #[test]
    fn it_is_done_once_a_day() {
        let it = kept(&[("a", 100)]);
        assert_eq!(it.cache.collect_if_due(&wish(1, None)), None, "the first time only marks");
        assert_eq!(it.cache.collect_if_due(&wish(1, None)), None);
        let marker = it.cache.root().join(COLLECTED);
        fs::File::options().write(true).open(marker).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(it.cache.collect_if_due(&wish(1, None)).unwrap().artifacts, 1);
        assert_eq!(it.cache.collect_if_due(&wish(1, None)), None);
    }

    #[test]
    fn what_was_changed_is_found_and_removed() {
        let it = kept(&[("a", 1), ("b", 1)]);
        assert_eq!(it.cache.audit(false), (2, Vec::new()));
        let file = below(&Folder::open(it.cache.root()).unwrap(), Path::new("files"), 2).remove(0);
        let file = it.cache.root().join(file);
        fs::remove_file(&file).unwrap();
        fs::write(&file, "x").unwrap();
        assert_eq!(it.cache.audit(true).1.len(), 1);
        assert!(file.exists());
        assert_eq!(it.cache.audit(false).1.len(), 1);
        assert!(!file.exists());
    }
}

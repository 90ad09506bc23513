//! A no-op in the time of some `stat` calls.
//!
//! After a look at which everything was fresh, the snapshot keeps the answer together
//! with what `stat` said of every file and folder that the answer rests on: the
//! manifest, the specs, the lock, the sources in the repository, the installed
//! binaries, their stamps, the folder of their links. While all of them are as they were, the
//! answer holds, and nothing needs to be parsed, rendered, hashed or asked.
//!
//! What it costs is looking up paths in the kernel, so they are looked up from the
//! workspace's folder, not from `/`, and on all processors where there are many.
//!
//! Of the files that people wrote, the digest of what they held is kept as well: who checks out another
//! branch and comes back, or merely touches a file, has changed nothing. Such a file is read, and what
//! `stat` says of it now is written down in place of what it said. The same goes for a file that was edited
//! and still says what it said: what differs is a comment, or where something stands in it.
//!
//! Where only one line of the answer rests on a file, as an artifact does on its source, the file's record
//! names that line. If it changed, that line is stale and the others hold: who asks looks at that one again.
//! So is a line whose files were changed by the very run that gave the answer, since they are too young.
//!
//! It also rests on the environment variables that templates read, on the request, and
//! on the forge that wrote it. A snapshot is only written if nothing that all of it rests on was
//! changed since shortly before the run began: a change within one tick of the
//! file system's clock could otherwise hide behind an equal modification time.
//!
//! The format is text, a fact a line, and behind an empty line a record for each file; all of it sealed by
//! this user's forge: anybody else's answer is none.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::OsStr,
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::Path,
    str::from_utf8,
    thread,
    time::SystemTime,
};

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, statat};

use crate::{
    cache::{SealKey, write_state},
    disk::read_file,
    manifest::semantic_digest,
    model::{Environment, FileStat, Layout, Sha256, checksum},
    workspace::WrittenText,
};

/// An answer that holds while nothing it rests on changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The answer, line by line, as whoever asks writes it.
    pub answer: Vec<String>,
}

/// Where a snapshot is kept.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPlace<'a> {
    /// In which workspace.
    pub layout: &'a Layout,
    /// Under which name in its state.
    pub name: &'a str,
    /// What it is sealed with.
    pub key: &'a SealKey,
    /// The variables that forge was started with.
    pub environment: &'a Environment,
}

/// A file or folder that an answer rests on.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotInput<'a> {
    /// Where it is, absolute.
    pub path: &'a Path,
    /// What was read of it, if nothing else of it counts.
    pub content: Option<&'a WrittenText>,
    /// The line of the answer that alone rests on it, counted from 1; 0 if all do.
    pub line: u32,
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotBasis<'a> {
    /// When the run that gave it began.
    pub started: SystemTime,
    /// Files and folders.
    pub inputs: &'a [SnapshotInput<'a>],
    /// The environment variables that templates read, with what they held.
    pub environment: &'a BTreeMap<String, Option<String>>,
    /// The lines that are to be looked at again, whatever their files are like.
    pub unsure: &'a BTreeSet<u32>,
    /// What was there before: where its lines hold, they rest on the same as then.
    pub before: Option<&'a SnapshotLook>,
}

/// What a look at a snapshot found.
#[derive(Debug)]
pub struct SnapshotLook {
    /// The answer.
    pub answer: Vec<String>,
    /// The lines of it that may no longer hold, counted from 1.
    pub stale: BTreeSet<u32>,
    body: Vec<u8>,
    /// Where the records of files begin in `body`.
    records: usize,
    /// Files that were touched, and hold or say what they did.
    touched: Vec<Touched>,
}

/// Fewer files than this are looked at faster than a thread is started.
const WORTH_A_THREAD: usize = 500;

/// What a snapshot is sealed for.
const PURPOSE: &str = "snapshot 8";

/// More than any snapshot takes, in bytes.
const MOST_OF_SNAPSHOT: u64 = 256 << 20;

impl Snapshot {
    /// The answer that is `kept` for `request`, if all of it still holds.
    pub fn load(kept: SnapshotPlace, request: &str) -> Option<Self> {
        let look = SnapshotLook::at(kept, request).filter(|look| look.stale.is_empty())?;
        look.keep_touched(kept);
        Some(Self { answer: look.answer })
    }

    /// Keeps the answer. Does nothing if something that all of it rests on changed too
    /// recently, or if a path cannot be written down.
    pub fn save(&self, kept: SnapshotPlace, request: &str, basis: &SnapshotBasis) {
        let mut body = format!("r{}\n", identity(request)).into_bytes();
        for line in basis.variables() {
            body.extend_from_slice(format!("e{line}\n").as_bytes());
        }
        for line in &self.answer {
            if line.contains('\n') {
                return;
            }
            body.extend_from_slice(format!("a{line}\n").as_bytes());
        }
        body.push(b'\n');
        let Some(records) = basis.records(kept.layout.root()) else { return };
        body.extend(records);
        write(kept, &body);
    }
}

impl SnapshotLook {
    /// Looks at the answer that is `kept` for `request`. None if something that all of it rests on changed.
    pub fn at(kept: SnapshotPlace, request: &str) -> Option<Self> {
        let SnapshotPlace { layout, name, key, environment } = kept;
        let asked = SystemTime::now();
        let bytes = read_file(&layout.state().join(name), MOST_OF_SNAPSHOT).ok()?;
        let body = key.open(PURPOSE, &bytes)?;
        let records = body.windows(2).position(|two| two == b"\n\n")? + 2;
        let mut answer = Vec::new();
        for line in body[..records - 2].split(|byte| *byte == b'\n') {
            match line.split_first() {
                Some((b'a', rest)) => answer.push(from_utf8(rest).ok()?.to_owned()),
                Some((b'e', rest)) if is_variable_unchanged(environment, rest)? => {}
                Some((b'r', rest)) if rest == identity(request).as_bytes() => {}
                None => {}
                Some(_) => return None,
            }
        }
        let Changes { mut touched, stale } = look_at_all(layout.root(), &files(&body[records..])?)?;
        touched.retain(|file| file.stat.is_settled(asked));
        Some(Self { answer, stale, records, touched, body: body.to_vec() })
    }

    /// Writes down what `stat` says now of files that were only touched.
    pub fn keep_touched(&self, kept: SnapshotPlace) {
        if !self.touched.is_empty() {
            let records = self.files().iter().flat_map(SnapshotFile::record).collect::<Vec<_>>();
            write(kept, &[&self.body[..self.records], &records].concat());
        }
    }

    /// What is known of the files.
    fn files(&self) -> Vec<SnapshotFile<'_>> {
        let mut files = files(&self.body[self.records..]).unwrap_or_default();
        for Touched { at, stat, digest } in &self.touched {
            files[*at].stat = written(stat);
            files[*at].digest = digest;
        }
        files
    }

    /// The variables that it rests on, each with the digest of what it holds.
    fn variables(&self) -> impl Iterator<Item = &str> {
        let lines = self.body[..self.records].split(|byte| *byte == b'\n');
        lines.filter_map(|line| from_utf8(line.strip_prefix(b"e")?).ok())
    }
}

impl SnapshotBasis<'_> {
    /// The variables that the answer rests on, each with the digest of what it held.
    fn variables(&self) -> BTreeSet<String> {
        let digest = |value: &Option<String>| value.as_ref().map(|value| digest(value.as_bytes()));
        let own = self.environment.iter();
        let own = own.map(|(name, value)| format!("{name} {}", digest(value).unwrap_or_default()));
        own.chain(self.before.iter().flat_map(|it| it.variables()).map(str::to_owned)).collect()
    }

    /// The records of all files as they are now. None if there can be no snapshot.
    fn records(&self, root: &Path) -> Option<Vec<u8>> {
        let Self { started, inputs, unsure, before, .. } = *self;
        let is_new = |line: u32| before.is_none_or(|before| before.stale.contains(&line));
        let mut files = before.map(SnapshotLook::files).unwrap_or_default();
        files.retain(|file| {
            !unsure.contains(&file.line)
                && (before.is_none() || file.line == 0 || !is_new(file.line))
        });
        let shared = files.iter().filter(|file| file.line == 0);
        let shared: HashSet<&[u8]> = shared.map(|file| file.path).collect();
        let is_unknown = |input: &&SnapshotInput| match input.line {
            0 => !shared.contains(inside(root, input.path)),
            line => is_new(line) && !unsure.contains(&line),
        };
        let inputs: Vec<_> = inputs.iter().filter(is_unknown).copied().collect();
        let shares = inputs.par_chunks(WORTH_A_THREAD);
        let new = shares.map(|share| records(root, share, started)).collect::<Option<Vec<_>>>()?;
        let unsure = unsure.iter().map(|line| SnapshotFile::unsure(*line));
        let others = files.into_iter().chain(unsure).flat_map(|file| file.record());
        Some(new.into_iter().flatten().chain(others).collect())
    }
}

fn write(kept: SnapshotPlace, body: &[u8]) {
    let SnapshotPlace { layout, name, key, .. } = kept;
    // A snapshot only saves time: a run does not fail for want of one.
    let _ = write_state(layout, &layout.state().join(name), &key.seal(PURPOSE, body));
}

/// Whether a change to `path` since `moment` would surely show in its modification time; or, if it is
/// not there, in that of the folder which it would have gone from.
fn is_settled(path: &Path, moment: SystemTime) -> bool {
    let found = path.ancestors().find_map(|path| fs::symlink_metadata(path).ok());
    found.is_none_or(|found| FileStat::from_metadata(&found).is_settled(moment))
}

fn digest(bytes: &[u8]) -> String {
    Sha256(checksum(bytes)).to_string()
}

/// What the answer rests on beyond files: the request, and which forge gave it.
fn identity(request: &str) -> String {
    let forge =
        std::env::current_exe().and_then(fs::metadata).ok().map(|m| FileStat::from_metadata(&m));
    let forge = forge.map_or_else(String::new, |stat| format!("{} {}", stat.size, stat.mtime));
    format!("{} {forge} {request}", env!("CARGO_PKG_VERSION"))
}

/// How many bytes say what `stat` said.
const STAT: usize = 36;
/// Of these, so many say the size.
const SIZE: usize = 8;
/// And so many the size and the mode.
const SIZE_AND_MODE: usize = 12;
/// What stands there for a file that must stay absent.
const ABSENT: [u8; STAT] = [0xff; STAT];
/// What stands there for one that is to be looked at again, whatever it is like.
const UNSURE: [u8; STAT] = [0; STAT];

/// What `stat` said, as bytes.
fn written(stat: &FileStat) -> [u8; STAT] {
    let FileStat { size, mtime, ctime, inode, mode } = stat;
    let mut bytes = [0; STAT];
    bytes[..8].copy_from_slice(&size.to_be_bytes());
    bytes[8..12].copy_from_slice(&mode.to_be_bytes());
    bytes[12..20].copy_from_slice(&mtime.to_be_bytes());
    bytes[20..28].copy_from_slice(&ctime.to_be_bytes());
    bytes[28..].copy_from_slice(&inode.to_be_bytes());
    bytes
}

/// What is known of a file or folder.
struct SnapshotFile<'b> {
    stat: [u8; STAT],
    /// The digest of what it held; empty if that does not count.
    digest: &'b [u8],
    /// The digest of what it said; empty if that is not known.
    meaning: &'b [u8],
    /// Relative to the workspace, if it is in that.
    path: &'b [u8],
    /// The line of the answer that alone rests on it, counted from 1; 0 if all do.
    line: u32,
}

impl SnapshotFile<'_> {
    /// What makes `line` one to be looked at again.
    fn unsure(line: u32) -> Self {
        Self { stat: UNSURE, digest: &[], meaning: &[], path: b".", line }
    }

    /// What `stat` said, the line, the lengths of what follows (of the path in two bytes), digests and path.
    fn record(&self) -> Vec<u8> {
        let Self { stat, digest, meaning, path, line } = self;
        let length = u16::try_from(path.len()).unwrap_or(u16::MAX).to_be_bytes();
        let lengths = [digest.len() as u8, meaning.len() as u8, length[0], length[1]];
        [&stat[..], &line.to_be_bytes(), &lengths, digest, meaning, path].concat()
    }
}

/// The files of `records`; none if that is cut.
fn files(mut records: &[u8]) -> Option<Vec<SnapshotFile<'_>>> {
    let mut files = Vec::with_capacity(records.len() / (STAT + 32));
    while !records.is_empty() {
        let (stat, rest) = records.split_first_chunk()?;
        let (line, rest) = rest.split_first_chunk()?;
        let ([digest, meaning, high, low], rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_at_checked(usize::from(*digest))?;
        let (meaning, rest) = rest.split_at_checked(usize::from(*meaning))?;
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        let line = u32::from_be_bytes(*line);
        files.push(SnapshotFile { stat: *stat, digest, meaning, path, line });
        records = rest;
    }
    Some(files)
}

/// `path` as it is written down: relative to `root`, if it is in that.
fn inside<'p>(root: &Path, path: &'p Path) -> &'p [u8] {
    let bytes = path.as_os_str().as_bytes();
    match bytes.strip_prefix(root.as_os_str().as_bytes()) {
        Some([]) => b".",
        Some([b'/', inside @ ..]) => inside,
        _ => bytes,
    }
}

/// The records of `inputs` as they are now. None if there can be no snapshot.
fn records(root: &Path, inputs: &[SnapshotInput], started: SystemTime) -> Option<Vec<u8>> {
    let folder = File::open(root).ok()?;
    let mut records = Vec::with_capacity(inputs.len() * 3 * STAT);
    for SnapshotInput { path, content, line } in inputs {
        let (inside, line) = (inside(root, path), *line);
        let found = statat(&folder, inside, AtFlags::SYMLINK_NOFOLLOW).ok();
        let is_settled = match &found {
            Some(found) => file_stat(found).is_settled(started),
            None => is_settled(path, started),
        };
        // What is behind a link shows in no look at the link.
        let is_read = |found: &rustix::fs::Stat| is_file(found.st_mode) || content.is_none();
        let is_short = u16::try_from(inside.len()).is_ok();
        if !is_settled || !is_short || !found.as_ref().is_none_or(is_read) {
            if line == 0 {
                return None;
            }
            records.extend(SnapshotFile::unsure(line).record());
            continue;
        }
        let stat = found.map_or(ABSENT, |found| written(&file_stat(&found)));
        let digest = content.map(|text| &text.digest[..]).unwrap_or_default();
        let meaning = content.and_then(|text| text.meaning.as_ref());
        let meaning = meaning.map(|meaning| &meaning[..]).unwrap_or_default();
        records.extend(SnapshotFile { stat, digest, meaning, path: inside, line }.record());
    }
    Some(records)
}

fn is_file(mode: u32) -> bool {
    FileType::from_raw_mode(mode).is_file()
}

/// A file that was touched and holds, or at least says, what it did.
#[derive(Debug)]
struct Touched {
    /// Its number.
    at: usize,
    /// What `stat` says of it now.
    stat: FileStat,
    /// The digest of what it holds now.
    digest: [u8; 32],
}

/// What differs from what was written down.
#[derive(Default)]
struct Changes {
    touched: Vec<Touched>,
    /// The lines of the answer that alone rest on what changed.
    stale: BTreeSet<u32>,
}

/// Looks whether every file is as it was, or says what it did; none if something changed that all rests
/// on. Paths are relative to `root`.
fn look_at_all(root: &Path, files: &[SnapshotFile]) -> Option<Changes> {
    // Each thread has a handle of its own: the kernel counts who uses one, and two processors that
    // count in the same place wait for each other.
    let all = |begin: usize, files: &[SnapshotFile]| {
        let folder = File::open(root).ok()?;
        let mut changes = Changes::default();
        for (at, file) in files.iter().enumerate() {
            match look_at(&folder, root, file) {
                Look::Same => {}
                Look::Touched(stat, digest) => {
                    changes.touched.push(Touched { at: begin + at, stat, digest });
                }
                Look::Changed if file.line == 0 => return None,
                Look::Changed => {
                    changes.stale.insert(file.line);
                }
            }
        }
        Some(changes)
    };
    if files.len() < 2 * WORTH_A_THREAD {
        return all(0, files);
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(threads).max(WORTH_A_THREAD);
    let (mine, others) = files.split_at(share);
    thread::scope(|scope| {
        let begins = (share..).step_by(share);
        let others: Vec<_> = (begins.zip(others.chunks(share)))
            .map(|(begin, files)| {
                let look = move || all(begin, files);
                (begin, files, thread::Builder::new().spawn_scoped(scope, look).ok())
            })
            .collect();
        let mut changes = all(0, mine)?;
        for (begin, files, thread) in others {
            let theirs = match thread {
                Some(thread) => thread.join().ok()??,
                // The system has no thread left.
                None => all(begin, files)?,
            };
            changes.touched.extend(theirs.touched);
            changes.stale.extend(theirs.stale);
        }
        Some(changes)
    })
}

/// What a look at a file showed.
enum Look {
    Same,
    Touched(FileStat, [u8; 32]),
    Changed,
}

fn look_at(folder: &File, root: &Path, file: &SnapshotFile) -> Look {
    if file.stat == UNSURE {
        return Look::Changed;
    }
    let found = statat(folder, file.path, AtFlags::SYMLINK_NOFOLLOW).ok();
    let found = found.map(|found| file_stat(&found));
    let now = found.as_ref().map_or(ABSENT, written);
    if now == file.stat {
        return Look::Same;
    }
    let has_mode = now[SIZE..SIZE_AND_MODE] == file.stat[SIZE..SIZE_AND_MODE];
    let may_be_same = now[..SIZE] == file.stat[..SIZE] || !file.meaning.is_empty();
    let is_text = |stat: &FileStat| has_mode && may_be_same && is_file(stat.mode);
    let text = found.filter(|stat| is_text(stat) && !file.digest.is_empty());
    let same = text.and_then(|stat| Some((stat, unchanged_digest(root, file, &stat)?)));
    same.map_or(Look::Changed, |(stat, digest)| Look::Touched(stat, digest))
}

/// The digest of what `file` holds now, if it says what it did.
fn unchanged_digest(root: &Path, file: &SnapshotFile, stat: &FileStat) -> Option<[u8; 32]> {
    let path = root.join(OsStr::from_bytes(file.path));
    let bytes = read_file(&path, stat.size).ok()?;
    let digest = checksum(&bytes);
    let is_same = digest == file.digest
        || !file.meaning.is_empty() && semantic_digest(&bytes)? == file.meaning;
    is_same.then_some(digest)
}

/// The same facts that [`FileStat::from_metadata`] takes from the standard library.
fn file_stat(stat: &rustix::fs::Stat) -> FileStat {
    let nanoseconds = |seconds: i64, nanoseconds: i64| {
        seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
    };
    FileStat {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: nanoseconds(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        ctime: nanoseconds(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        inode: stat.st_ino,
        mode: stat.st_mode,
    }
}

fn is_variable_unchanged(environment: &Environment, line: &[u8]) -> Option<bool> {
    let (name, recorded) = from_utf8(line).ok()?.split_once(' ')?;
    let now = environment.get(name).map_or_else(String::new, |value| digest(value.as_bytes()));
    Some(now == recorded)
}

#[cfg(test)]
mod tests;

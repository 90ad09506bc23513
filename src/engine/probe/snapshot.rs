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
//! It also rests on the environment variables that templates read, on the request, and
//! on the forge that wrote it. A snapshot is only written if nothing it rests on was
//! changed since shortly before the run began: a change within one tick of the
//! file system's clock could otherwise hide behind an equal modification time.
//!
//! The format is text, a fact a line, and behind an empty line a record for each file; all of it sealed by
//! this user's forge: anybody else's answer is none.

use std::{
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
}

/// Fewer files than this are looked at faster than a thread is started.
const WORTH_A_THREAD: usize = 500;

/// What a snapshot is sealed for.
const PURPOSE: &str = "snapshot 7";

/// More than any snapshot takes, in bytes.
const MOST_OF_SNAPSHOT: u64 = 256 << 20;

impl Snapshot {
    /// The answer that is `kept` for `request`, if it still holds.
    pub fn load(kept: SnapshotPlace, request: &str) -> Option<Self> {
        let SnapshotPlace { layout, name, key, environment } = kept;
        let asked = SystemTime::now();
        let bytes = read_file(&layout.state().join(name), MOST_OF_SNAPSHOT).ok()?;
        let body = key.open(PURPOSE, &bytes)?;
        let (facts, records) = body.split_at(body.windows(2).position(|two| two == b"\n\n")?);
        let mut answer = Vec::new();
        for line in facts.split(|byte| *byte == b'\n') {
            match line.split_first() {
                Some((b'a', rest)) => answer.push(from_utf8(rest).ok()?.to_owned()),
                Some((b'e', rest)) if is_variable_unchanged(environment, rest)? => {}
                Some((b'r', rest)) if rest == identity(request).as_bytes() => {}
                None => {}
                Some(_) => return None,
            }
        }
        let mut files = files(&records[2..])?;
        let touched = look_at_all(layout.root(), &files)?;
        if !touched.is_empty() && touched.iter().all(|file| file.stat.is_settled(asked)) {
            for Touched { at, stat, digest } in &touched {
                files[*at].stat = written(stat);
                files[*at].digest = digest;
            }
            let records = files.iter().flat_map(SnapshotFile::record);
            write(kept, &facts.iter().copied().chain(*b"\n\n").chain(records).collect::<Vec<_>>());
        }
        Some(Self { answer })
    }

    /// Keeps the answer. Does nothing if something it rests on changed too
    /// recently, or if a path cannot be written down.
    pub fn save<'a>(
        &self,
        kept: SnapshotPlace,
        request: &str,
        started: SystemTime,
        inputs: &[SnapshotInput],
        environment: impl Iterator<Item = (&'a String, &'a Option<String>)>,
    ) {
        let mut body = format!("r{}\n", identity(request)).into_bytes();
        for (name, value) in environment {
            let digest = value.as_ref().map_or_else(String::new, |v| digest(v.as_bytes()));
            body.extend_from_slice(format!("e{name} {digest}\n").as_bytes());
        }
        for line in &self.answer {
            if line.contains('\n') {
                return;
            }
            body.extend_from_slice(format!("a{line}\n").as_bytes());
        }
        body.push(b'\n');
        let shares = inputs.par_chunks(WORTH_A_THREAD);
        let records = shares.map(|share| records(kept.layout.root(), share, started));
        let Some(records) = records.collect::<Option<Vec<_>>>() else { return };
        body.extend(records.concat());
        write(kept, &body);
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
}

impl SnapshotFile<'_> {
    /// What `stat` said, the lengths of what follows (of the path in two bytes), digests and path.
    fn record(&self) -> Vec<u8> {
        let Self { stat, digest, meaning, path } = self;
        let length = u16::try_from(path.len()).unwrap_or(u16::MAX).to_be_bytes();
        let lengths = [digest.len() as u8, meaning.len() as u8, length[0], length[1]];
        [&stat[..], &lengths, digest, meaning, path].concat()
    }
}

/// The files of `records`; none if that is cut.
fn files(mut records: &[u8]) -> Option<Vec<SnapshotFile<'_>>> {
    let mut files = Vec::with_capacity(records.len() / (STAT + 32));
    while !records.is_empty() {
        let (stat, rest) = records.split_first_chunk()?;
        let ([digest, meaning, high, low], rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_at_checked(usize::from(*digest))?;
        let (meaning, rest) = rest.split_at_checked(usize::from(*meaning))?;
        let (path, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        files.push(SnapshotFile { stat: *stat, digest, meaning, path });
        records = rest;
    }
    Some(files)
}

/// The records of `inputs` as they are now. None if there can be no snapshot.
fn records(root: &Path, inputs: &[SnapshotInput], started: SystemTime) -> Option<Vec<u8>> {
    let folder = File::open(root).ok()?;
    let mut records = Vec::with_capacity(inputs.len() * 3 * STAT);
    for SnapshotInput { path, content } in inputs {
        let bytes = path.as_os_str().as_bytes();
        let inside = match bytes.strip_prefix(root.as_os_str().as_bytes()) {
            Some([]) => b".",
            Some([b'/', inside @ ..]) => inside,
            _ => bytes,
        };
        let found = statat(&folder, inside, AtFlags::SYMLINK_NOFOLLOW).ok();
        let is_settled = match &found {
            Some(found) => file_stat(found).is_settled(started),
            None => is_settled(path, started),
        };
        // What is behind a link shows in no look at the link.
        let is_read = |found: &rustix::fs::Stat| is_file(found.st_mode) || content.is_none();
        let is_short = u16::try_from(inside.len()).is_ok();
        if !is_settled || !is_short || !found.as_ref().is_none_or(is_read) {
            return None;
        }
        let stat = found.map_or(ABSENT, |found| written(&file_stat(&found)));
        let digest = content.map(|text| &text.digest[..]).unwrap_or_default();
        let meaning = content.and_then(|text| text.meaning.as_ref());
        let meaning = meaning.map(|meaning| &meaning[..]).unwrap_or_default();
        records.extend(SnapshotFile { stat, digest, meaning, path: inside }.record());
    }
    Some(records)
}

fn is_file(mode: u32) -> bool {
    FileType::from_raw_mode(mode).is_file()
}

/// A file that was touched and holds, or at least says, what it did.
struct Touched {
    /// Its number.
    at: usize,
    /// What `stat` says of it now.
    stat: FileStat,
    /// The digest of what it holds now.
    digest: [u8; 32],
}

/// Looks whether every file is as it was, or says what it did: then those that were touched. Paths are
/// relative to `root`.
fn look_at_all(root: &Path, files: &[SnapshotFile]) -> Option<Vec<Touched>> {
    // Each thread has a handle of its own: the kernel counts who uses one, and two processors that
    // count in the same place wait for each other.
    let all = |begin: usize, files: &[SnapshotFile]| {
        let folder = File::open(root).ok()?;
        let mut touched = Vec::new();
        for (at, file) in files.iter().enumerate() {
            if let Look::Touched(stat, digest) = look_at(&folder, root, file)? {
                touched.push(Touched { at: begin + at, stat, digest });
            }
        }
        Some(touched)
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
        let mut touched = all(0, mine)?;
        for (begin, files, thread) in others {
            touched.extend(match thread {
                Some(thread) => thread.join().ok()??,
                // The system has no thread left.
                None => all(begin, files)?,
            });
        }
        Some(touched)
    })
}

/// What a look at a file showed that has not changed.
enum Look {
    Same,
    Touched(FileStat, [u8; 32]),
}

fn look_at(folder: &File, root: &Path, file: &SnapshotFile) -> Option<Look> {
    let found = statat(folder, file.path, AtFlags::SYMLINK_NOFOLLOW).ok();
    let found = found.map(|found| file_stat(&found));
    let now = found.as_ref().map_or(ABSENT, written);
    if now == file.stat {
        return Some(Look::Same);
    }
    let has_mode = now[SIZE..SIZE_AND_MODE] == file.stat[SIZE..SIZE_AND_MODE];
    let may_be_same = now[..SIZE] == file.stat[..SIZE] || !file.meaning.is_empty();
    let is_text = |stat: &FileStat| has_mode && may_be_same && is_file(stat.mode);
    let stat = found.filter(|stat| is_text(stat) && !file.digest.is_empty())?;
    let path = root.join(OsStr::from_bytes(file.path));
    let bytes = read_file(&path, stat.size).ok()?;
    let digest = checksum(&bytes);
    let is_same = digest == file.digest
        || !file.meaning.is_empty() && semantic_digest(&bytes)? == file.meaning;
    is_same.then_some(Look::Touched(stat, digest))
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

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
//! It also rests on the environment variables that templates read, on the request, and
//! on the forge that wrote it. A snapshot is only written if nothing it rests on was
//! changed since shortly before the run began: a change within one tick of the
//! file system's clock could otherwise hide behind an equal modification time.
//!
//! The format is text, a fact a line, sealed by this user's forge: anybody else's answer is none.

use std::{
    fmt::Write as _,
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::{FromStr, from_utf8},
    thread,
    time::SystemTime,
};

use rustix::fs::{AtFlags, statat};

use crate::{
    cache::{SealKey, write_state},
    disk::read_file,
    model::{Environment, FileStat, Layout, Sha256, checksum},
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

/// Fewer files than this are looked at faster than a thread is started.
const WORTH_A_THREAD: usize = 500;

/// What a snapshot is sealed for.
const PURPOSE: &str = "snapshot 5";

/// More than any snapshot takes, in bytes.
const MOST_OF_SNAPSHOT: u64 = 256 << 20;

impl Snapshot {
    /// The answer that is `kept` for `request`, if it still holds.
    pub fn load(kept: SnapshotPlace, request: &str) -> Option<Self> {
        let SnapshotPlace { layout, name, key, environment } = kept;
        let bytes = read_file(&layout.state().join(name), MOST_OF_SNAPSHOT).ok()?;
        let body = key.open(PURPOSE, &bytes)?;
        let (mut answer, mut files) = (Vec::new(), Vec::new());
        for line in body.split(|byte| *byte == b'\n') {
            match line.split_first() {
                Some((b'f', rest)) => files.push(rest),
                Some((b'a', rest)) => answer.push(from_utf8(rest).ok()?.to_owned()),
                Some((b'e', rest)) if is_variable_unchanged(environment, rest)? => {}
                Some((b'r', rest)) if rest == identity(request).as_bytes() => {}
                None => {}
                Some(_) => return None,
            }
        }
        let root = File::open(layout.root()).ok()?;
        are_unchanged(&root, &files).then_some(Self { answer })
    }

    /// Keeps the answer. Does nothing if something it rests on changed too
    /// recently, or if a path cannot be written down.
    pub fn save<'a>(
        &self,
        kept: SnapshotPlace,
        request: &str,
        started: SystemTime,
        inputs: impl Iterator<Item = &'a PathBuf>,
        environment: impl Iterator<Item = (&'a String, &'a Option<String>)>,
    ) {
        let SnapshotPlace { layout, name: place, key, .. } = kept;
        let mut body = Vec::new();
        body.extend_from_slice(format!("r{}\n", identity(request)).as_bytes());
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
        for path in inputs {
            let stat = fs::symlink_metadata(path).ok().map(|m| FileStat::of(&m));
            if !is_settled(path, started) || has_newline(path) {
                return;
            }
            body.extend_from_slice(file_line(stat).as_bytes());
            let inside = path.strip_prefix(layout.root()).unwrap_or(path).as_os_str().as_bytes();
            body.extend_from_slice(if inside.is_empty() { b"." } else { inside });
            body.push(b'\n');
        }
        let bytes = key.seal(PURPOSE, &body);
        // A snapshot only saves time: a run does not fail for want of one.
        let _ = write_state(layout, &layout.state().join(place), &bytes);
    }
}

/// Whether a change to `path` since `moment` would surely show in its modification time; or, if it is
/// not there, in that of the folder which it would have gone from.
fn is_settled(path: &Path, moment: SystemTime) -> bool {
    let found = path.ancestors().find_map(|path| fs::symlink_metadata(path).ok());
    found.is_none_or(|found| FileStat::of(&found).is_settled(moment))
}

fn digest(bytes: &[u8]) -> String {
    Sha256(checksum(bytes)).to_string()
}

/// What the answer rests on beyond files: the request, and which forge gave it.
fn identity(request: &str) -> String {
    let forge = std::env::current_exe().and_then(fs::metadata).ok().map(|m| FileStat::of(&m));
    let forge = forge.map_or_else(String::new, |stat| format!("{} {}", stat.size, stat.mtime));
    format!("{} {forge} {request}", env!("CARGO_PKG_VERSION"))
}

fn has_newline(path: &Path) -> bool {
    path.as_os_str().as_bytes().contains(&b'\n')
}

/// `f<size> <mtime> <ctime> <inode> <mode> <path>`, or `f- - - - - <path>` for a file that must stay absent.
fn file_line(stat: Option<FileStat>) -> String {
    let mut line = String::from("f");
    let _ = match stat {
        Some(stat) => {
            let FileStat { size, mtime, ctime, inode, mode } = stat;
            write!(line, "{size} {mtime} {ctime} {inode} {mode} ")
        }
        None => write!(line, "- - - - - "),
    };
    line
}

/// Whether every file is as its line says; the paths are relative to `root`.
fn are_unchanged(root: &File, lines: &[&[u8]]) -> bool {
    let all = |lines: &[&[u8]]| lines.iter().all(|line| is_unchanged(root, line) == Some(true));
    if lines.len() < 2 * WORTH_A_THREAD {
        return all(lines);
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(threads).max(WORTH_A_THREAD);
    let (mine, others) = lines.split_at(share);
    thread::scope(|scope| {
        let begin = |lines| thread::Builder::new().spawn_scoped(scope, move || all(lines)).ok();
        let others: Vec<_> = others.chunks(share).map(|lines| (lines, begin(lines))).collect();
        all(mine)
            && others.into_iter().all(|(lines, thread)| match thread {
                Some(thread) => thread.join().unwrap_or(false),
                // The system has no thread left.
                None => all(lines),
            })
    })
}

fn is_unchanged(root: &File, line: &[u8]) -> Option<bool> {
    let mut parts = line.splitn(6, |byte| *byte == b' ');
    let (size, mtime, ctime) = (parts.next()?, parts.next()?, parts.next()?);
    let (inode, mode) = (parts.next()?, parts.next()?);
    let found = statat(root, parts.next()?, AtFlags::SYMLINK_NOFOLLOW).ok();
    if size == b"-" {
        return Some(found.is_none());
    }
    let recorded = FileStat {
        size: number(size)?,
        mtime: number(mtime)?,
        ctime: number(ctime)?,
        inode: number(inode)?,
        mode: number(mode)?,
    };
    Some(found.is_some_and(|stat| file_stat(&stat) == recorded))
}

fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    from_utf8(digits).ok()?.parse().ok()
}

/// The same facts that [`FileStat::of`] takes from the standard library.
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
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    struct SnapshotSample {
        dir: tempfile::TempDir,
        layout: Layout,
        key: SealKey,
        inputs: Vec<PathBuf>,
        environment: Vec<(String, Option<String>)>,
        started_with: Environment,
    }

    fn saved() -> SnapshotSample {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().join("work"));
        fs::create_dir(layout.root()).unwrap();
        let inputs = vec![layout.root().join("spec"), dir.path().join("absent")];
        fs::write(&inputs[0], "x").unwrap();
        let environment = vec![("FORGE_SURELY_UNSET".to_owned(), None)];
        let key = SealKey::in_folder(&dir.path().join("data"));
        let started_with = Environment::default();
        let it = SnapshotSample { dir, layout, key, inputs, environment, started_with };
        it.save(later());
        it
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(1)
    }

    impl SnapshotSample {
        fn path(&self) -> PathBuf {
            self.layout.state().join("snapshot")
        }

        fn save(&self, started: SystemTime) {
            let environment = self.environment.iter().map(|(name, value)| (name, value));
            answer().save(self.kept(), "ensure", started, self.inputs.iter(), environment);
        }

        fn load(&self) -> Option<Snapshot> {
            Snapshot::load(self.kept(), "ensure")
        }

        fn kept(&self) -> SnapshotPlace<'_> {
            let environment = &self.started_with;
            SnapshotPlace { layout: &self.layout, name: "snapshot", key: &self.key, environment }
        }
    }

    fn answer() -> Snapshot {
        Snapshot { answer: vec!["5 nats v1".into()] }
    }

    #[test]
    fn it_holds_while_nothing_changes() {
        assert_eq!(saved().load(), Some(answer()));
    }

    #[test]
    fn every_kind_of_change_ends_it() {
        let it = saved();
        assert_eq!(Snapshot::load(it.kept(), "ensure nats"), None, "another request");
        fs::write(&it.inputs[0], "yy").unwrap();
        assert_eq!(it.load(), None, "a changed file");
        let it = saved();
        fs::set_permissions(&it.inputs[0], fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(it.load(), None, "a changed mode");
        let it = saved();
        fs::write(&it.inputs[1], "").unwrap();
        assert_eq!(it.load(), None, "an added file");
        let it = saved();
        fs::remove_file(&it.inputs[0]).unwrap();
        assert_eq!(it.load(), None, "a removed file");
        let mut it = saved();
        it.environment[0].1 = Some("set when it was saved".into());
        it.save(later());
        assert_eq!(it.load(), None, "a changed variable");
    }

    #[test]
    fn among_very_many_files_each_one_counts() {
        let mut it = saved();
        for i in 0..2 * WORTH_A_THREAD {
            it.inputs.push(it.dir.path().join(format!("absent-{i}")));
        }
        it.save(later());
        assert_eq!(it.load(), Some(answer()));
        for at in [1, WORTH_A_THREAD, it.inputs.len() - 1] {
            fs::write(&it.inputs[at], "").unwrap();
            assert_eq!(it.load(), None, "file {at}");
            fs::remove_file(&it.inputs[at]).unwrap();
        }
    }

    #[test]
    fn a_file_is_the_same_to_either_way_of_asking() {
        let it = saved();
        for time in [-1.5, 0.0, 1_700_000_000.25] {
            let file = File::options().write(true).open(&it.inputs[0]).unwrap();
            let away = Duration::from_secs_f64(f64::abs(time));
            let time = if time < 0.0 { UNIX_EPOCH - away } else { UNIX_EPOCH + away };
            file.set_modified(time).unwrap();
            let metadata = fs::symlink_metadata(&it.inputs[0]).unwrap();
            let stat = rustix::fs::stat(&it.inputs[0]).unwrap();
            assert_eq!(file_stat(&stat), FileStat::of(&metadata));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_answer() {
        let it = saved();
        let other = SealKey::in_folder(&it.dir.path().join("other"));
        let body = fs::read(it.path()).unwrap();
        let at = body.iter().position(|byte| *byte == b'\n').unwrap();
        fs::write(it.path(), other.seal(PURPOSE, &body[at + 1..])).unwrap();
        assert_eq!(it.load(), None);
        assert!(Snapshot::load(SnapshotPlace { key: &other, ..it.kept() }, "ensure").is_some());
    }

    #[test]
    fn a_file_written_with_its_time_put_back_ends_it() {
        let it = saved();
        let time = fs::metadata(&it.inputs[0]).unwrap().modified().unwrap();
        fs::write(&it.inputs[0], "y").unwrap();
        File::options().write(true).open(&it.inputs[0]).unwrap().set_modified(time).unwrap();
        assert_eq!(it.load(), None);
    }

    #[test]
    fn damage_anywhere_ends_it() {
        let it = saved();
        let good = fs::read(it.path()).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(it.path(), &bad).unwrap();
            assert_eq!(it.load(), None, "byte {at}");
        }
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_trusted() {
        let it = saved();
        fs::remove_file(it.path()).unwrap();
        it.save(SystemTime::now());
        assert_eq!(it.load(), None);
    }
}

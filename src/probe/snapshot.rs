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
//! The format is text, a fact a line, under a line with the checksum of the rest.

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
    cache::write_state,
    model::{FileStat, Layout, Sha256, checksum},
};

/// An answer that holds while nothing it rests on changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The answer, line by line, as whoever asks writes it.
    pub answer: Vec<String>,
}

/// Fewer files than this are looked at faster than a thread is started.
const WORTH_A_THREAD: usize = 500;

const FORMAT: &str = "forge-snapshot 4";

impl Snapshot {
    /// The answer kept in the workspace at `place` for `request`, if it still holds.
    pub fn load(layout: &Layout, place: &str, request: &str) -> Option<Self> {
        let bytes = fs::read(layout.state().join(place)).ok()?;
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = (&bytes[..at], &bytes[at + 1..]);
        if head != head_line(body).as_bytes() {
            return None;
        }
        let (mut answer, mut files) = (Vec::new(), Vec::new());
        for line in body.split(|byte| *byte == b'\n') {
            match line.split_first() {
                Some((b'f', rest)) => files.push(rest),
                Some((b'a', rest)) => answer.push(from_utf8(rest).ok()?.to_owned()),
                Some((b'e', rest)) if variable_is_unchanged(rest)? => {}
                Some((b'r', rest)) if rest == identity(request).as_bytes() => {}
                None => {}
                Some(_) => return None,
            }
        }
        let root = File::open(layout.root()).ok()?;
        are_unchanged(&root, &files).then_some(Self { answer })
    }

    /// Keeps the answer in the workspace at `place`. Does nothing if something it rests on changed too
    /// recently, or if a path cannot be written down.
    pub fn save<'a>(
        &self,
        layout: &Layout,
        place: &str,
        request: &str,
        started: SystemTime,
        inputs: impl Iterator<Item = &'a PathBuf>,
        environment: impl Iterator<Item = (&'a String, &'a Option<String>)>,
    ) {
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
        let mut bytes = head_line(&body).into_bytes();
        bytes.push(b'\n');
        bytes.extend(body);
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

fn head_line(body: &[u8]) -> String {
    format!("{FORMAT} {}", digest(body))
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

/// `f<size> <mtime> <inode> <mode> <path>`, or `f- - - - <path>` for a file that must stay absent.
fn file_line(stat: Option<FileStat>) -> String {
    let mut line = String::from("f");
    let _ = match stat {
        Some(stat) => {
            write!(line, "{} {} {} {} ", stat.size, stat.mtime, stat.inode, stat.mode)
        }
        None => write!(line, "- - - - "),
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
        let others: Vec<_> =
            others.chunks(share).map(|lines| scope.spawn(move || all(lines))).collect();
        all(mine) && others.into_iter().all(|thread| thread.join().unwrap_or(false))
    })
}

fn is_unchanged(root: &File, line: &[u8]) -> Option<bool> {
    let mut parts = line.splitn(5, |byte| *byte == b' ');
    let (size, mtime) = (parts.next()?, parts.next()?);
    let (inode, mode) = (parts.next()?, parts.next()?);
    let found = statat(root, parts.next()?, AtFlags::SYMLINK_NOFOLLOW).ok();
    if size == b"-" {
        return Some(found.is_none());
    }
    let recorded = FileStat {
        size: number(size)?,
        mtime: number(mtime)?,
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
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    FileStat {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        inode: stat.st_ino,
        mode: stat.st_mode,
    }
}

fn variable_is_unchanged(line: &[u8]) -> Option<bool> {
    let (name, recorded) = from_utf8(line).ok()?.split_once(' ')?;
    let now = std::env::var(name).map_or_else(|_| String::new(), |value| digest(value.as_bytes()));
    Some(now == recorded)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    struct Box {
        dir: tempfile::TempDir,
        layout: Layout,
        inputs: Vec<PathBuf>,
        environment: Vec<(String, Option<String>)>,
    }

    fn saved() -> Box {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("work"));
        fs::create_dir(layout.root()).unwrap();
        let inputs = vec![layout.root().join("spec"), dir.path().join("absent")];
        fs::write(&inputs[0], "x").unwrap();
        let environment = vec![("FORGE_SURELY_UNSET".to_owned(), None)];
        let it = Box { dir, layout, inputs, environment };
        it.save(later());
        it
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(1)
    }

    impl Box {
        fn path(&self) -> PathBuf {
            self.layout.state().join("snapshot")
        }

        fn save(&self, started: SystemTime) {
            let environment = self.environment.iter().map(|(name, value)| (name, value));
            answer().save(
                &self.layout,
                "snapshot",
                "ensure",
                started,
                self.inputs.iter(),
                environment,
            );
        }

        fn load(&self) -> Option<Snapshot> {
            Snapshot::load(&self.layout, "snapshot", "ensure")
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
        assert_eq!(Snapshot::load(&it.layout, "snapshot", "ensure nats"), None, "another request");
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

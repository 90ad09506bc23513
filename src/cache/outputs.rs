//! What tasks made, kept by content under the digest of all that went into it.
//!
//! `outputs/<aa>/<sha256>` holds each file once; `tasks/<key>` says which files a task made. Files
//! go in and out as copies (which share their blocks where the file system can), never as hard
//! links: whoever writes to an output of a task does not write into the cache. What comes out is
//! hashed again before any of it is visible.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{
    archive::hash_file,
    disk::{Entry, EntryKind, Folder, Staging, read_file, unique},
    model::{Fault, Kind, Sha256},
};

use super::files::Cache;

/// What takes more room than this is not kept.
const MOST_BYTES: u64 = 1 << 30;
/// No list of outputs is longer than this.
const MOST_OF_MANIFEST: u64 = 64 << 20;
/// What has more files than this is not kept.
const MOST_FILES: usize = 10_000;
/// What nobody asked for in this time is removed.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often it is looked for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(24 * 3600);

/// A file or link that a task made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Output {
    /// Relative to where the task runs.
    path: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    /// Its digest and its permissions.
    File(Sha256, u32),
    /// Where it points to.
    Link(PathBuf),
}

impl Cache {
    /// Whether there are outputs under `key`.
    pub fn has_outputs(&self, key: &str) -> bool {
        self.manifest(key).exists()
    }

    /// Keeps the files `names` below `dir` under `key`.
    ///
    /// # Errors
    /// What cannot be kept, and why: it is too much, or lies elsewhere, or cannot be written.
    pub fn keep_outputs(&self, key: &str, dir: &Path, names: &[&str]) -> Result<(), Fault> {
        let refused =
            |why: String| Fault::new(Kind::Failed, "the outputs are not kept").because(why);
        if names.len() > MOST_FILES {
            return Err(refused(format!("{} files are more than {MOST_FILES}", names.len())));
        }
        let mut bytes = 0;
        let mut outputs = Vec::new();
        let staging = self.stage().map_err(|error| {
            Fault::io(format!("cannot write to the cache at {}", self.root().display()), &error)
        })?;
        for name in names {
            let output = self.keep_output(dir, name, &staging, &mut bytes).map_err(|error| {
                Fault::io(
                    format!("cannot keep {name} in the cache at {}", self.root().display()),
                    &error,
                )
            })?;
            if bytes > MOST_BYTES {
                return Err(refused(format!("they are more than {} MiB", MOST_BYTES >> 20)));
            }
            outputs.push(output);
        }
        let path = self.manifest(key);
        let text = serde_json::to_vec(&outputs).map_err(|error| refused(error.to_string()))?;
        self.write(&path, &text)?;
        self.forget_old_outputs();
        Ok(())
    }

    fn keep_output(
        &self,
        dir: &Path,
        name: &str,
        staging: &Staging,
        bytes: &mut u64,
    ) -> io::Result<Output> {
        if !is_below(Path::new(name)) {
            return Err(io::Error::other("it lies outside of where the task runs"));
        }
        let path = dir.join(name);
        let metadata = fs::symlink_metadata(&path)?;
        let named = |what| Output { path: name.to_owned(), what };
        if metadata.is_symlink() {
            let target = fs::read_link(&path)?;
            if target.is_absolute() {
                return Err(io::Error::other("it is a link to an absolute path"));
            }
            return Ok(named(What::Link(target)));
        }
        *bytes += metadata.len();
        if *bytes > MOST_BYTES {
            return Ok(named(What::Link(PathBuf::new())));
        }
        // The copy is hashed, not the file: somebody may write to that meanwhile.
        let digest = self.keep_copy(&path, staging)?;
        Ok(named(What::File(digest, metadata.permissions().mode() & 0o777)))
    }

    fn keep_copy(&self, from: &Path, staging: &Staging) -> io::Result<Sha256> {
        let temporary = staging.path().join("output");
        copy(from, &temporary)?;
        let (digest, _) = hash_file(&temporary)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o444))?;
        staging.folder().rename(&temporary, &self.folder()?, &self.output(digest))?;
        Ok(digest)
    }

    /// Puts what is kept under `key` into `dir`, all of it or, if something is not as it was kept,
    /// nothing; by way of the folder `staging`. Says whether there is anything.
    ///
    /// # Errors
    /// `Verification` if the cache holds other bytes than were kept; `Failed` if something cannot be
    /// read or written.
    pub fn restore_outputs(&self, key: &str, dir: &Path, staging: &Staging) -> Result<bool, Fault> {
        let manifest = self.manifest(key);
        let Ok(text) = read_file(&manifest, MOST_OF_MANIFEST) else { return Ok(false) };
        let Ok(outputs) = serde_json::from_slice::<Vec<Output>>(&text) else { return Ok(false) };
        let failed = |error| Fault::io("cannot restore outputs from the cache", &error);
        let mut staged = Vec::new();
        for (count, output) in outputs.iter().enumerate() {
            let path = staging.path().join(count.to_string());
            let to = dir.join(&output.path);
            if !is_below(Path::new(&output.path)) || to.is_dir() && !to.is_symlink() {
                return Err(failed(io::Error::other(format!("{} is in the way", to.display()))));
            }
            match self.put_aside(&output.what, &path) {
                Err(fault) if fault.kind == Kind::Verification => {
                    let _ = fs::remove_file(&manifest);
                    return Err(fault);
                }
                Err(fault) => return Err(fault),
                Ok(false) => return Ok(false),
                Ok(true) => staged.push((path, to)),
            }
        }
        let mut replaced = Replaced { aside: staging.path(), done: Vec::new() };
        for (path, to) in staged {
            if let Err(error) = replaced.replace(&path, &to) {
                return Err(failed(error).within(replaced.undo()));
            }
        }
        touch(&manifest);
        Ok(true)
    }

    /// Makes `path` what was kept. Says whether it is still there.
    fn put_aside(&self, what: &What, path: &Path) -> Result<bool, Fault> {
        let failed = |error| Fault::io("cannot restore outputs from the cache", &error);
        let (digest, mode) = match what {
            What::Link(target) => return symlink(target, path).map(|()| true).map_err(failed),
            What::File(digest, mode) => (*digest, *mode),
        };
        let from = self.output(digest);
        match copy(&from, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(failed)?,
        }
        let (found, _) = hash_file(path).map_err(failed)?;
        if found != digest {
            let _ = fs::remove_file(&from);
            let what = format!("a file in your cache was changed: {}", from.display());
            let why = format!("its sha256 is {}, not {}", found.short(), digest.short());
            return Err(Fault::new(Kind::Verification, what).because(why));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        touch(&from);
        Ok(true)
    }

    /// Removes what nobody asked for in a long time, if nobody looked for that lately.
    fn forget_old_outputs(&self) {
        let swept = self.root().join("tasks/.swept");
        if age(&swept).is_some_and(|age| age < BETWEEN_SWEEPS) {
            return;
        }
        let _ = self.write(&swept, &[]);
        let Ok(root) = self.folder() else { return };
        if let Ok(tasks) = root.folder(Path::new("tasks")) {
            forget_old(&tasks);
        }
        let Ok(outputs) = root.folder(Path::new("outputs")) else { return };
        for name in outputs.names_in().unwrap_or_default() {
            if let Ok(folder) = outputs.folder(Path::new(&name)) {
                forget_old(&folder);
            }
        }
    }

    fn manifest(&self, key: &str) -> PathBuf {
        self.root().join("tasks").join(key)
    }

    fn output(&self, digest: Sha256) -> PathBuf {
        let digits = digest.to_string();
        self.root().join("outputs").join(&digits[..2]).join(digits)
    }
}

/// Removes the files of `folder` that nobody asked for in a long time.
fn forget_old(folder: &Folder) {
    for name in folder.names_in().unwrap_or_default() {
        let path = Path::new(&name);
        let entry = folder.entry(path).ok().flatten();
        let is_old = |entry: &Entry| entry.kind == EntryKind::File && entry.age() > LIFETIME;
        if entry.as_ref().is_some_and(is_old) {
            let _ = folder.remove_file(path);
        }
    }
}

/// Files that were put into their places, so that all of it can be undone.
struct Replaced<'a> {
    /// Where what was there before waits until all is done.
    aside: &'a Path,
    /// Each place, and what was there.
    done: Vec<(PathBuf, Option<PathBuf>)>,
}

impl Replaced<'_> {
    /// Puts `from` where `to` is.
    fn replace(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
        let before = self.aside.join(format!("before-{}", self.done.len()));
        // A second name, so that at no moment nothing is there.
        let kept = fs::hard_link(to, &before).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Err(error),
            _ => copy(to, &before),
        });
        let before = match kept {
            Ok(()) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.done.push((to.to_owned(), before));
        move_to(from, to)
    }

    /// Makes everything as it was before, the last first. Says how that went.
    fn undo(self) -> String {
        let mut lost = Vec::new();
        for (to, before) in self.done.into_iter().rev() {
            let undone = match before {
                Some(before) => move_to(&before, &to),
                None => fs::remove_file(&to),
            };
            if undone.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
                lost.push(to.display().to_string());
            }
        }
        match lost.as_slice() {
            [] => "nothing is restored".into(),
            lost => format!("what was restored already could not be undone: {}", lost.join(", ")),
        }
    }
}

/// A copy of its own, whatever shares blocks with what; the system's copying does that by itself.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let copied = match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && from.exists() => {
            fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
            fs::copy(from, to)
        }
        other => other,
    };
    copied.map(|_| ())
}

fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        // The task runs on another file system than its workspace is on.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices && !from.is_symlink() => {
            let beside = to.with_file_name(unique(".output-"));
            fs::copy(from, &beside)?;
            fs::rename(&beside, to)
        }
        other => other,
    }
}

fn is_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Notes that somebody asked for it.
fn touch(path: &Path) {
    // It only lives shorter if this fails.
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::SealKey;

    struct Box {
        dir: tempfile::TempDir,
        cache: Cache,
    }

    impl Box {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("made/bin")).unwrap();
            fs::write(dir.path().join("made/bin/tool"), "#!/bin/sh\n").unwrap();
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(dir.path().join("made/bin/tool"), mode).unwrap();
            symlink("bin/tool", dir.path().join("made/link")).unwrap();
            let cache =
                Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join("data")));
            cache.keep_outputs("key", &dir.path().join("made"), &["bin/tool", "link"]).unwrap();
            Self { dir, cache }
        }

        fn restore(&self) -> Result<bool, Fault> {
            let folder = Folder::open(self.dir.path()).unwrap();
            let staging = Staging::new(&folder, Path::new("half-made")).unwrap();
            self.cache.restore_outputs("key", &self.to(), &staging)
        }

        fn to(&self) -> PathBuf {
            self.dir.path().join("to")
        }

        fn kept(&self) -> PathBuf {
            let (digest, _) = hash_file(&self.dir.path().join("made/bin/tool")).unwrap();
            self.cache.output(digest)
        }
    }

    #[test]
    fn modes_and_links_come_back_and_writing_to_them_harms_nothing() {
        let it = Box::new();
        for _ in 0..2 {
            assert!(it.restore().unwrap());
            let tool = it.to().join("bin/tool");
            assert_eq!(fs::metadata(&tool).unwrap().permissions().mode() & 0o777, 0o755);
            assert_eq!(fs::read_link(it.to().join("link")).unwrap(), Path::new("bin/tool"));
            assert_eq!(fs::read_to_string(&tool).unwrap(), "#!/bin/sh\n");
            fs::write(&tool, "other").unwrap();
        }
        let staging = it.cache.stage().unwrap();
        assert!(!it.cache.restore_outputs("other", &it.to(), &staging).unwrap());
    }

    #[test]
    fn changed_bytes_are_refused_and_nothing_is_restored() {
        let it = Box::new();
        fs::set_permissions(it.kept(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(it.kept(), "#!/bin/no\n").unwrap();
        assert_eq!(it.restore().unwrap_err().kind, Kind::Verification);
        assert!(!it.to().exists());
        assert!(!it.restore().unwrap(), "it is not offered again");
    }

    #[test]
    fn what_was_replaced_is_put_back_when_something_fails() {
        let it = Box::new();
        let folder = it.to().join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("tool"), "mine").unwrap();
        fs::write(it.to().join("new"), "made").unwrap();
        fs::create_dir_all(it.to().join("aside")).unwrap();
        let aside = it.to().join("aside");
        let mut replaced = Replaced { aside: &aside, done: Vec::new() };
        let made = it.dir.path().join("made");
        replaced.replace(&made.join("bin/tool"), &folder.join("tool")).unwrap();
        replaced.replace(&made.join("link"), &it.to().join("link")).unwrap();
        assert_eq!(fs::read(folder.join("tool")).unwrap(), b"#!/bin/sh\n");
        replaced.replace(&made.join("none"), &it.to().join("new")).unwrap_err();
        assert_eq!(replaced.undo(), "nothing is restored");
        assert_eq!(fs::read(folder.join("tool")).unwrap(), b"mine");
        assert_eq!(fs::read(it.to().join("new")).unwrap(), b"made");
        assert!(it.to().join("link").symlink_metadata().is_err());
    }

    /// A file stands where a folder is wanted, after others were put into their places.
    #[test]
    fn what_cannot_be_restored_whole_is_not_restored_at_all() {
        let it = Box::new();
        fs::write(it.dir.path().join("made/a"), "new").unwrap();
        let made = it.dir.path().join("made");
        it.cache.keep_outputs("key", &made, &["a", "bin/tool"]).unwrap();
        fs::create_dir_all(it.to()).unwrap();
        fs::write(it.to().join("a"), "old").unwrap();
        fs::write(it.to().join("bin"), "no folder").unwrap();
        let fault = it.restore().unwrap_err();
        assert!(fault.to_string().contains("nothing is restored"), "{fault}");
        assert_eq!(fs::read(it.to().join("a")).unwrap(), b"old");
        assert_eq!(fs::read(it.to().join("bin")).unwrap(), b"no folder");
    }

    #[test]
    fn what_is_gone_is_a_miss() {
        let it = Box::new();
        fs::remove_file(it.kept()).unwrap();
        assert!(!it.restore().unwrap());
        assert!(!it.to().exists());
    }

    #[test]
    fn what_lies_outside_is_not_kept() {
        let it = Box::new();
        let kept = it.cache.keep_outputs("out", &it.to(), &["../made/bin/tool"]);
        assert!(kept.unwrap_err().to_string().contains("cannot keep"));
        assert!(!it.cache.has_outputs("out"));
    }
}

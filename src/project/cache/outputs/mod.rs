//! What tasks made, kept by content under the digest of all that went into it.
//!
//! `outputs/<aa>/<sha256>` holds each file once; `tasks/<key>` says what a task made: files, links,
//! empty folders. That list is sealed (`seal`): one that this user's forge did not write is none, so
//! that whoever may write to the cache cannot choose what is restored. Its paths are checked all the
//! same (`list`): each must be one that the task says it makes, and none may lie behind another that
//! is a link.
//!
//! Files go in and out as copies (which share their blocks where the file system can), never as hard
//! links: whoever writes to an output of a task does not write into the cache. What comes out is hashed
//! as it is copied, before any of it is visible, and is put into place without following a link
//! (`place`). What another machine made comes and goes by `sharing`.

mod list;
mod place;
mod sharing;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    archive::Hasher,
    disk::{EntryKind, Folder, Staging},
    model::{Fault, Kind, Sha256, path_to_text, text_to_path},
};

use super::files::Cache;
use list::{KeptOutput, List, OutputKind};
use place::Placing;
pub use sharing::{IncomingOutputs, MadeOutput, OutgoingFile, OutgoingOutputs};

/// What takes more room than this is not kept.
const MOST_BYTES: u64 = 1 << 30;
/// What has more files than this is not kept.
const MOST_FILES: usize = 10_000;
/// What nobody asked for in this time is removed.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often it is looked for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(24 * 3600);
/// How much of a file is in memory at once.
const PIECE: usize = 128 << 10;

/// Where a task's outputs are put.
#[derive(Clone, Copy)]
pub struct OutputPlace<'a> {
    /// Where the task runs: what its outputs' paths are relative to.
    pub dir: &'a Path,
    /// Makes a folder for half-made things, in the workspace.
    pub stage: &'a dyn Fn() -> Result<Staging, Fault>,
    /// Whether the task says that it makes what has this path.
    pub is_declared: &'a dyn Fn(&Path) -> bool,
}

/// What was kept, by its path as text, with what the caller knew of it then.
pub type KeptOutputs = BTreeMap<String, String>;

impl Cache {
    /// Whether there are outputs under `key`.
    pub fn has_outputs(&self, key: &str) -> bool {
        self.list_of(key).is_some()
    }

    /// Keeps `outputs`, which are below `dir`, under `key`.
    ///
    /// # Errors
    /// What cannot be kept, and why: it is too much, or lies elsewhere or behind a link, or cannot be
    /// written.
    pub fn keep_outputs(&self, key: &str, dir: &Path, outputs: &KeptOutputs) -> Result<(), Fault> {
        let refused =
            |why: String| Fault::new(Kind::Failed, "the outputs are not kept").because(why);
        if outputs.len() > MOST_FILES {
            return Err(refused(format!("{} files are more than {MOST_FILES}", outputs.len())));
        }
        let cannot = |error| {
            Fault::io(format!("cannot write the cache at {}", self.root().display()), &error)
        };
        let root = self.folder().map_err(cannot)?;
        let staging = self.stage().map_err(cannot)?;
        let keeping =
            Keeping { dir: Folder::open(dir).map_err(cannot)?, root: &root, staging: &staging };
        let mut list = List { outputs: Vec::new(), folders: BTreeMap::new() };
        let mut left = MOST_BYTES;
        for (name, mark) in outputs {
            let kind = keeping
                .keep(name, outputs, &mut left)
                .map_err(|error| Fault::io(format!("the outputs are not kept: {name}"), &error))?;
            let Some(kind) = kind else { continue };
            keeping.keep_folders(name, &kind, &mut list.folders).map_err(cannot)?;
            list.outputs.push(KeptOutput { path: name.clone(), mark: mark.clone(), kind });
        }
        let text = serde_json::to_vec(&list).map_err(|error| refused(error.to_string()))?;
        let sealed = self.key().seal(&purpose(key), &text);
        self.write(&self.root().join(list_path(key)), &sealed)?;
        forget_old_outputs(&root);
        Ok(())
    }

    /// Puts what is kept under `key` into its place, all of it or, if something is not as it was kept,
    /// nothing. Returns what was put there; nothing if nothing is kept.
    ///
    /// # Errors
    /// `Verification` if the cache holds other bytes than were kept; `Failed` if something cannot be
    /// read or written, or something is in the way that the task did not make.
    pub fn restore_outputs(
        &self,
        key: &str,
        place: &OutputPlace<'_>,
    ) -> Result<Option<KeptOutputs>, Fault> {
        let Some((root, list)) = self.list_of(key) else { return Ok(None) };
        let outputs = &list.outputs;
        let failed = |error| Fault::io("cannot restore outputs from the cache", &error);
        list::check(outputs, place.is_declared).map_err(failed)?;
        let placing = Placing::new(place)?;
        for (count, output) in outputs.iter().enumerate() {
            match stage(&root, &output.kind, placing.staged(), &PathBuf::from(count.to_string())) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(fault) => {
                    if fault.kind == Kind::Verification {
                        let _ = root.remove_file(&list_path(key));
                    }
                    return Err(fault);
                }
            }
        }
        placing.place_all(&list)?;
        touch(&root, &list_path(key));
        Ok(Some(list.outputs.into_iter().map(|output| (output.path, output.mark)).collect()))
    }

    /// What is kept under `key`, if this user's forge says so.
    fn list_of(&self, key: &str) -> Option<(Folder, List)> {
        let root = Folder::open(self.root()).ok()?;
        let bytes = root.read(&list_path(key), list::MOST_BYTES).ok()?;
        let list = serde_json::from_slice(self.key().open(&purpose(key), &bytes)?).ok()?;
        Some((root, list))
    }
}

/// What a task made being kept.
struct Keeping<'a> {
    dir: Folder,
    root: &'a Folder,
    staging: &'a Staging,
}

impl Keeping<'_> {
    /// Keeps what is called `name`; nothing if it comes back with another of `all`, since it is behind
    /// a link to that.
    fn keep(
        &self,
        name: &str,
        all: &KeptOutputs,
        left: &mut u64,
    ) -> io::Result<Option<OutputKind>> {
        let path = text_to_path(name);
        if !list::is_below(&path) {
            return Err(io::Error::other("it lies outside of where the task runs"));
        }
        if let Some(link) = self.link_on_the_way(&path)? {
            let real = self.behind(&link, &path)?;
            return match real.is_some_and(|real| all.contains_key(&path_to_text(&real))) {
                true => Ok(None),
                false => {
                    let link = link.display();
                    Err(io::Error::other(format!("it lies behind the link {link}")))
                }
            };
        }
        let entry = self.dir.entry(&path)?.ok_or(io::ErrorKind::NotFound)?;
        match entry.kind {
            EntryKind::Link => {
                let target = self.dir.read_link(&path)?;
                match target.is_absolute() {
                    true => Err(io::Error::other("it is a link to an absolute path")),
                    false => Ok(Some(OutputKind::Link(path_to_text(&target)))),
                }
            }
            EntryKind::Folder => Ok(Some(OutputKind::EmptyFolder)),
            EntryKind::File => self.keep_file(&path, left).map(Some),
            EntryKind::Other => Err(io::Error::other("it is neither a file, a folder nor a link")),
        }
    }

    /// Notes the permissions of the folders that the output `name` is in, and its own if it is one.
    fn keep_folders(
        &self,
        name: &str,
        kind: &OutputKind,
        folders: &mut BTreeMap<String, u32>,
    ) -> io::Result<()> {
        let path = list::normal(&text_to_path(name)).unwrap_or_default();
        let own = usize::from(*kind != OutputKind::EmptyFolder);
        for folder in path.ancestors().skip(own) {
            let text = path_to_text(folder);
            if text.is_empty() || folders.contains_key(&text) {
                break;
            }
            let entry = self.dir.entry(folder)?.ok_or(io::ErrorKind::NotFound)?;
            folders.insert(text, entry.mode);
        }
        Ok(())
    }

    /// The first link among the folders of `path`.
    fn link_on_the_way(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
            if self.dir.entry(folder)?.is_some_and(|entry| entry.kind == EntryKind::Link) {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok(None)
    }

    /// What `path` is called without the link `link` on its way; nothing if that leads out of where the
    /// task runs.
    fn behind(&self, link: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        let target = self.dir.read_link(link)?;
        let to = link.parent().unwrap_or(Path::new("")).join(target);
        let rest = path.strip_prefix(link).unwrap_or(Path::new(""));
        Ok(list::normal(&to.join(rest)))
    }

    fn keep_file(&self, path: &Path, left: &mut u64) -> io::Result<OutputKind> {
        let from = self.dir.open_file(path)?;
        let mode = from.metadata()?.permissions().mode() & 0o777;
        // The copy is hashed, not the file: somebody may write to that meanwhile.
        let name = Path::new("output");
        let folder = self.staging.folder();
        let kept = folder.create_new(name, 0o444).and_then(|to| copy(&from, &to, left));
        let digest = match kept {
            Ok(digest) => digest,
            Err(error) => {
                let _ = folder.remove_file(name);
                return Err(error);
            }
        };
        folder.rename(name, self.root, &output_path(digest))?;
        Ok(OutputKind::File(digest, mode))
    }
}

/// Makes `name` in the folder `staged` what was kept; an empty folder needs no preparing. Says whether
/// it is still there.
fn stage(root: &Folder, kind: &OutputKind, staged: &Folder, name: &Path) -> Result<bool, Fault> {
    let failed = |error| Fault::io("cannot restore outputs from the cache", &error);
    let (digest, mode) = match kind {
        OutputKind::EmptyFolder => return Ok(true),
        OutputKind::Link(target) => {
            let target = text_to_path(target);
            return staged.symlink(&target, name).map(|()| true).map_err(failed);
        }
        OutputKind::File(digest, mode) => (*digest, *mode),
    };
    let path = output_path(digest);
    let from = match root.open_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed)?,
    };
    let to = staged.create_new(name, 0o600).map_err(failed)?;
    let found = copy(&from, &to, &mut { MOST_BYTES }).map_err(failed)?;
    if found != digest {
        let _ = root.remove_file(&path);
        let what =
            format!("a file in your cache was changed: {}", root.path().join(path).display());
        let why = format!("its sha256 is {}, not {}", found.short(), digest.short());
        return Err(Fault::new(Kind::Verification, what).because(why));
    }
    to.set_permissions(fs::Permissions::from_mode(mode & 0o777)).map_err(failed)?;
    touch(root, &path);
    Ok(true)
}

/// Makes the new file `to` a copy of `from`, which shares its blocks where the file system can, and
/// returns the digest of the copy. Not more than `left` bytes, which are taken off.
fn copy(from: &File, mut to: &File, left: &mut u64) -> io::Result<Sha256> {
    let is_shared = share_blocks(from, to);
    let mut hasher = Hasher::new();
    let mut piece = vec![0; PIECE];
    let mut source = if is_shared { to } else { from };
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        *left = left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!("all outputs are more than {} MiB", MOST_BYTES >> 20))
        })?;
        hasher.update(&piece[..count]);
        if !is_shared {
            to.write_all(&piece[..count])?;
        }
    }
}

/// Whether the new file `to` now shares the blocks of `from`, until one of them is written to.
#[cfg(target_os = "linux")]
fn share_blocks(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share_blocks(_from: &File, _to: &File) -> bool {
    false
}

/// What the list under `key` is sealed for.
fn purpose(key: &str) -> String {
    format!("outputs of a task {key}")
}

fn list_path(key: &str) -> PathBuf {
    Path::new("tasks").join(key)
}

fn output_path(digest: Sha256) -> PathBuf {
    let digits = digest.to_string();
    Path::new("outputs").join(&digits[..2]).join(digits)
}

/// Removes what nobody asked for in a long time, if nobody looked for that lately. Only names that are
/// made here are touched.
fn forget_old_outputs(root: &Folder) {
    let swept = Path::new("tasks/.swept");
    if age(root, swept).is_some_and(|age| age < BETWEEN_SWEEPS) {
        return;
    }
    let _ = root.remove_file(swept);
    let _ = root.create_new(swept, 0o666);
    let inside = |folder: &Path, digits: usize| {
        let names = root.folder(folder).and_then(|folder| folder.names_in()).unwrap_or_default();
        let is_made_here = move |name: &PathBuf| {
            let name = name.as_os_str().as_encoded_bytes();
            name.len() == digits && name.iter().all(|digit| digit.is_ascii_hexdigit())
        };
        let names = names.into_iter().map(PathBuf::from).filter(is_made_here);
        names.map(|name| folder.join(name)).collect::<Vec<_>>()
    };
    let files = inside(Path::new("outputs"), 2).into_iter().flat_map(|folder| inside(&folder, 64));
    let old: BTreeSet<PathBuf> = inside(Path::new("tasks"), 64)
        .into_iter()
        .chain(files)
        .filter(|path| age(root, path).is_some_and(|age| age > LIFETIME))
        .collect();
    for path in old {
        let _ = root.remove_file(&path);
    }
}

/// Notes that somebody asked for it.
fn touch(root: &Folder, path: &Path) {
    // It only lives shorter if this fails.
    let _ = root.open_file(path).and_then(|file| file.set_modified(SystemTime::now()));
}

fn age(root: &Folder, path: &Path) -> Option<Duration> {
    let modified = u64::try_from(root.entry(path).ok()??.modified).unwrap_or_default();
    (UNIX_EPOCH + Duration::from_secs(modified)).elapsed().ok()
}

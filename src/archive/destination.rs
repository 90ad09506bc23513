//! The folder that an archive is unpacked into: nothing gets out of it, nothing is
//! written twice, and nothing is written through a link.
//!
//! Every path that the archive made is remembered here, so what stands in the way of an
//! entry is known without asking the file system.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    entry_name::{self, EntryName},
    hash::Hasher,
    input::PackedBytes,
    unpack::{Unpacked, UnpackedFile, Unpacker},
};
use crate::model::{Fault, Kind};

/// Where entries become files.
pub(super) struct Destination<'a> {
    unpacker: &'a Unpacker,
    folder: &'a Path,
    seen: HashMap<String, Seen>,
    entries: u64,
    files: BTreeMap<String, UnpackedFile>,
    links: BTreeMap<String, String>,
    skipped: Vec<String>,
}

/// What an archive has at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A folder, as far as names go.
    Folder,
    /// A folder that was created.
    Created,
    /// Not a folder, kept or not.
    Leaf,
}

/// A file that is being written.
pub(super) struct NewFile {
    path: String,
    file: File,
    hasher: Hasher,
    executable: bool,
}

impl<'a> Destination<'a> {
    /// Creates `folder`.
    pub(super) fn new(unpacker: &'a Unpacker, folder: &'a Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)
            .map_err(|error| Fault::io(format!("cannot create {}", folder.display()), &error))?;
        Ok(Self {
            unpacker,
            folder,
            seen: HashMap::new(),
            entries: 0,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            skipped: Vec::new(),
        })
    }

    /// Counts the next entry and checks its name. `None` if stripping leaves nothing of it.
    pub(super) fn enter(&mut self, raw: &[u8]) -> Result<Option<String>, Fault> {
        self.count(1)?;
        let name = EntryName::parse(raw).map_err(|why| self.refuse(raw, why))?;
        Ok(name.strip(self.unpacker.strip))
    }

    /// Counts `entries` more.
    pub(super) fn count(&mut self, entries: u64) -> Result<(), Fault> {
        self.entries += entries;
        let most = self.unpacker.limits.entries;
        if self.entries <= most {
            return Ok(());
        }
        let why = format!("it has more than {most} entries");
        Err(Fault::new(Kind::Verification, refused(&self.unpacker.label)).because(why))
    }

    /// A folder entry.
    pub(super) fn folder(&mut self, path: &str) -> Result<(), Fault> {
        self.claim_parents(path)?;
        if *self.seen.entry(path.to_owned()).or_insert(Seen::Folder) == Seen::Leaf {
            return Err(self.refuse(path.as_bytes(), "is there twice"));
        }
        if self.unpacker.only.is_some() { Ok(()) } else { self.create_folder(path) }
    }

    /// Begins a file; `None` if it is not to be kept.
    pub(super) fn file(&mut self, path: &str, executable: bool) -> Result<Option<NewFile>, Fault> {
        if self.claim(path)? { self.create(path, executable).map(Some) } else { Ok(None) }
    }

    /// Begins the file that a bare program is stored in. Its name is the caller's, so it is
    /// neither stripped nor left out.
    pub(super) fn program(&mut self, name: &str) -> Result<NewFile, Fault> {
        let name = EntryName::parse(name.as_bytes()).ok().and_then(|name| name.strip(0));
        let name = name.ok_or_else(|| self.refuse(b"", "has no name to be stored under"))?;
        self.create(&name, true)
    }

    fn create(&self, path: &str, executable: bool) -> Result<NewFile, Fault> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            if executable { 0o755 } else { 0o644 },
        );
        let file =
            options.open(self.folder.join(path)).map_err(|error| self.not_made(path, &error))?;
        Ok(NewFile { path: path.to_owned(), file, hasher: Hasher::new(), executable })
    }

    /// Ends a file. `modified` is in seconds since 1970.
    pub(super) fn finish(&mut self, new: NewFile, modified: Option<u64>) -> Result<(), Fault> {
        if let Some(seconds) = modified.filter(|_| self.unpacker.keep_times) {
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            let time = time.unwrap_or(SystemTime::UNIX_EPOCH);
            new.file.set_modified(time).map_err(|error| not_written(&new.path, &error))?;
        }
        let size = new.hasher.bytes();
        let file = UnpackedFile { sha256: new.hasher.finish(), size, executable: new.executable };
        self.files.insert(new.path, file);
        Ok(())
    }

    /// Makes a symbolic link.
    pub(super) fn symlink(&mut self, path: &str, target: &[u8]) -> Result<(), Fault> {
        let target = entry_name::check_link(path, target)
            .map_err(|why| self.refuse(path.as_bytes(), why))?;
        if self.claim(path)? {
            make_symlink(&target, &self.folder.join(path))
                .map_err(|error| self.not_made(path, &error))?;
            self.links.insert(path.to_owned(), target);
        }
        Ok(())
    }

    /// Makes a second name for a file that came earlier. `target` is a name in the archive.
    pub(super) fn hard_link(&mut self, path: &str, target: &[u8]) -> Result<(), Fault> {
        let name = EntryName::parse(target)
            .map_err(|_| self.refuse(path.as_bytes(), "is a link that leaves its folder"))?;
        if !self.claim(path)? {
            return Ok(());
        }
        let target = name.strip(self.unpacker.strip).unwrap_or_default();
        let Some(file) = self.files.get(&target).copied() else {
            let left_out = self.unpacker.only.is_some() && self.seen.contains_key(&target);
            let which = if left_out { "not to be kept" } else { "no file unpacked before it" };
            let why = format!("is a link to `{target}`, which is {which}");
            return Err(self.refuse(path.as_bytes(), &why));
        };
        fs::hard_link(self.folder.join(&target), self.folder.join(path))
            .map_err(|error| self.not_made(path, &error))?;
        self.files.insert(path.to_owned(), file);
        Ok(())
    }

    /// All that was unpacked.
    pub(super) fn unpacked(self, packed: PackedBytes) -> Unpacked {
        let Self { files, links, skipped, .. } = self;
        let PackedBytes { sha256, digest, size } = packed;
        Unpacked { sha256, digest, size, files, links, skipped }
    }

    /// An entry that is not unpacked, and neither is its archive.
    pub(super) fn refuse(&self, entry: &[u8], why: &str) -> Fault {
        let entry = String::from_utf8_lossy(&entry[..entry.len().min(200)]);
        Fault::new(Kind::Verification, refused(&self.unpacker.label))
            .because(format!("its entry `{}` {why}", entry.escape_debug()))
            .hint("forge unpacks only archives that stay within their own folder; get this one from where you trust it")
    }

    /// Takes `path` for something that is no folder; `false` if it is not to be kept.
    fn claim(&mut self, path: &str) -> Result<bool, Fault> {
        self.claim_parents(path)?;
        if self.seen.insert(path.to_owned(), Seen::Leaf).is_some() {
            return Err(self.refuse(path.as_bytes(), "is there twice"));
        }
        if self.unpacker.only.as_ref().is_some_and(|only| !only.contains(path)) {
            if self.skipped.len() < Unpacked::NAMED {
                self.skipped.push(path.to_owned());
            }
            return Ok(false);
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.create_folder(parent)?;
        }
        Ok(true)
    }

    /// Checks that everything above `path` is a folder: a file or a link is in the way.
    fn claim_parents(&mut self, path: &str) -> Result<(), Fault> {
        for (end, _) in path.rmatch_indices('/') {
            match self.seen.get(&path[..end]) {
                // What is above a folder was looked at when the folder was.
                Some(Seen::Folder | Seen::Created) => return Ok(()),
                Some(Seen::Leaf) => {
                    return Err(self.refuse(path.as_bytes(), "goes through a file or a link"));
                }
                None => {
                    self.seen.insert(path[..end].to_owned(), Seen::Folder);
                }
            }
        }
        Ok(())
    }

    fn create_folder(&mut self, path: &str) -> Result<(), Fault> {
        if self.seen.get(path) != Some(&Seen::Created) {
            fs::create_dir_all(self.folder.join(path))
                .map_err(|error| self.not_made(path, &error))?;
            self.seen.insert(path.to_owned(), Seen::Created);
        }
        Ok(())
    }

    fn not_made(&self, path: &str, error: &io::Error) -> Fault {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return self.refuse(path.as_bytes(), "is there twice, or differs by case only");
        }
        not_written(path, error)
    }
}

impl NewFile {
    /// Hashes and writes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| not_written(&self.path, &error))
    }
}

fn refused(label: &str) -> String {
    format!("{label} is refused")
}

fn not_written(path: &str, error: &io::Error) -> Fault {
    Fault::io(format!("cannot write `{path}`"), error)
}

#[cfg(unix)]
fn make_symlink(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_symlink(_target: &str, _path: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links are not made on this system"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_so() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (path, hasher) = ("server".to_owned(), Hasher::new());
        let fault = NewFile { path, file, hasher, executable: true }.write(b"x").unwrap_err();
        assert_eq!((fault.kind, fault.what.as_str()), (Kind::Failed, "cannot write `server`"));
        assert!(fault.hint.unwrap().starts_with("free some space"));
    }
}

//! The folder that an archive is unpacked into: nothing gets out of it, and nothing is
//! written through a link.
//!
//! Every path that the archive made is remembered here, so what stands in the way of an
//! entry is known without asking the file system. Where only some paths are wanted, no link
//! is ever made on disk: which entry a wanted path leads to is found in the [`EntryIndex`].

mod wanted;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, OpenOptions},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    catalog::{EntryIndex, EntryNode},
    decoder::over_limit,
    entry_name::{self, EntryName},
    hash::Hasher,
    input::PackedBytes,
    new_file::{NewFile, not_written},
    objection::Objection,
    stream::too_large,
    unpack::{EntryPolicy, Unpacked, UnpackedFile, Unpacker},
};
use crate::model::{Fault, Kind};

pub(super) use wanted::Settled;

/// How many bytes of names are remembered of one archive.
const MOST_NAMES: usize = 64 << 20;

/// Where entries become files.
pub(super) struct Destination<'a> {
    unpacker: &'a Unpacker,
    folder: &'a Path,
    /// The entries to be taken, by number, and under which paths: all that counts in a second
    /// pass over the archive.
    picks: Option<BTreeMap<u64, Vec<String>>>,
    seen: HashMap<String, Seen>,
    catalog: EntryIndex,
    entries: u64,
    /// Bytes of the names that are remembered.
    names: usize,
    /// Bytes of holes so far.
    holes: u64,
    files: BTreeMap<String, UnpackedFile>,
    /// Which entry each of the files is, where only some are wanted.
    written: BTreeMap<String, u64>,
    links: BTreeMap<String, String>,
    skipped: Vec<String>,
    left_out: Vec<(String, String)>,
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

/// An entry that may be kept: its number, and its name with and without what is stripped.
pub(super) struct Entered {
    number: u64,
    full: String,
    path: String,
}

impl<'a> Destination<'a> {
    /// Creates `folder`.
    pub(super) fn new(unpacker: &'a Unpacker, folder: &'a Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)
            .map_err(|error| Fault::io(format!("cannot create {}", folder.display()), &error))?;
        Ok(Self {
            unpacker,
            folder,
            picks: None,
            seen: HashMap::new(),
            catalog: EntryIndex::default(),
            entries: 0,
            names: 0,
            holes: 0,
            files: BTreeMap::new(),
            written: BTreeMap::new(),
            links: BTreeMap::new(),
            skipped: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// Whether an entry that cannot be unpacked, or is odd, makes all of it be refused.
    pub(super) fn is_strict(&self) -> bool {
        self.unpacker.keep == EntryPolicy::Everything
    }

    /// Counts the next entry and checks its name. `None` if it is of no interest.
    pub(super) fn enter(&mut self, raw: &[u8]) -> Result<Option<Entered>, Fault> {
        let number = self.entries;
        self.count(1)?;
        // As tar programs do, where a name only needs to stay below the folder.
        let relative = raw.iter().position(|byte| *byte != b'/').unwrap_or(raw.len());
        let name = if self.is_strict() { raw } else { &raw[relative..] };
        let name = match EntryName::parse(name) {
            Ok(name) => name,
            Err(objection) => return self.object(raw, &objection).map(|()| None),
        };
        let full = name.clone().strip(0);
        let (Some(full), Some(path)) = (full, name.strip(self.unpacker.strip)) else {
            return Ok(None);
        };
        Ok(Some(Entered { number, full, path }))
    }

    /// Counts `entries` more.
    pub(super) fn count(&mut self, entries: u64) -> Result<(), Fault> {
        self.entries += entries;
        let most = self.unpacker.limits.entries;
        if self.entries <= most {
            return Ok(());
        }
        Err(over_limit(&self.unpacker.label, format!("it has more than {most} entries")))
    }

    /// An entry that forge does not unpack. It sinks the archive only if all of it is wanted,
    /// and strictly so.
    pub(super) fn object(&mut self, entry: &[u8], objection: &Objection) -> Result<(), Fault> {
        if self.is_strict() {
            return Err(self.refuse(entry, objection));
        }
        if self.unpacker.keep == EntryPolicy::Possible && self.left_out.len() < Unpacked::NAMED {
            let entry = String::from_utf8_lossy(&entry[..entry.len().min(200)]);
            self.left_out.push((entry.escape_debug().to_string(), objection.why.to_string()));
        }
        Ok(())
    }

    /// An entry that forge does not unpack, as [`Destination::object`] has it, whose name is fit.
    pub(super) fn object_to(
        &mut self,
        entered: &Entered,
        objection: Objection,
    ) -> Result<(), Fault> {
        if self.wants_some() {
            return self.catalogue(entered, EntryNode::Other(objection));
        }
        self.remember(&entered.path)?;
        self.seen.insert(entered.path.clone(), Seen::Leaf);
        self.object(entered.full.as_bytes(), &objection)
    }

    /// A folder entry.
    pub(super) fn folder(&mut self, entered: &Entered) -> Result<(), Fault> {
        if self.wants_some() {
            return self.catalogue(entered, EntryNode::Folder);
        }
        let path = entered.path.as_str();
        if !self.claim_parents(path)? {
            return Ok(());
        }
        self.remember(path)?;
        if *self.seen.entry(path.to_owned()).or_insert(Seen::Folder) == Seen::Leaf {
            return self.object(path.as_bytes(), &twice());
        }
        self.create_folder(path)
    }

    /// Begins a file; `None` if it is not to be kept.
    pub(super) fn file(
        &mut self,
        entered: &Entered,
        executable: bool,
    ) -> Result<Option<NewFile>, Fault> {
        let number = entered.number;
        if let Some(picks) = &self.picks {
            let path = picks.get(&number).and_then(|paths| paths.first()).cloned();
            return path.map(|path| self.replace(&path, number, executable)).transpose();
        }
        if let EntryPolicy::Only(only) = &self.unpacker.keep {
            let is_wanted = only.contains(&entered.path);
            self.catalogue(entered, EntryNode::File(number))?;
            return match is_wanted {
                true => self.replace(&entered.path, number, executable).map(Some),
                false => Ok(None),
            };
        }
        match self.claim(&entered.path)? {
            true => self.replace(&entered.path, number, executable).map(Some),
            false => Ok(None),
        }
    }

    /// Begins the file that a bare program is stored in. Its name is the caller's, so it is
    /// neither stripped nor left out.
    pub(super) fn program(&mut self, name: &str) -> Result<NewFile, Fault> {
        let name = EntryName::parse(name.as_bytes()).ok().and_then(|name| name.strip(0));
        let name = name
            .ok_or_else(|| self.refuse(b"", &Objection::unfit("has no name to be stored under")))?;
        self.create(&name, 0, true)
    }

    /// Begins a file in the place of what the archive had there before.
    fn replace(&mut self, path: &str, number: u64, executable: bool) -> Result<NewFile, Fault> {
        if self.wants_some()
            && let Some((parent, _)) = path.rsplit_once('/')
        {
            self.create_folder(parent)?;
        }
        self.forget(path)?;
        self.create(path, number, executable)
    }

    /// Removes what was written at `path` before.
    fn forget(&mut self, path: &str) -> Result<(), Fault> {
        let had_file = self.files.remove(path).is_some();
        if self.links.remove(path).is_some() || had_file {
            self.written.remove(path);
            fs::remove_file(self.folder.join(path)).map_err(|error| not_written(path, &error))?;
        }
        Ok(())
    }

    fn create(&self, path: &str, number: u64, executable: bool) -> Result<NewFile, Fault> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            if executable { 0o755 } else { 0o644 },
        );
        let file =
            options.open(self.folder.join(path)).map_err(|error| self.not_made(path, &error))?;
        Ok(NewFile { path: path.to_owned(), number, file, hasher: Hasher::new(), executable })
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
        if self.wants_some() {
            self.written.insert(new.path.clone(), new.number);
        }
        self.files.insert(new.path, file);
        Ok(())
    }

    /// A symbolic link.
    pub(super) fn symlink(&mut self, entered: &Entered, target: &[u8]) -> Result<(), Fault> {
        if self.wants_some() {
            let node = match entry_name::link_text(target) {
                Ok(target) => EntryNode::Link(target.to_owned()),
                Err(objection) => EntryNode::Other(objection),
            };
            return self.catalogue(entered, node);
        }
        let path = entered.path.as_str();
        let target = match entry_name::check_link(path, target) {
            Ok(target) => target,
            Err(objection) => return self.object_to(entered, objection),
        };
        if self.claim(path)? {
            self.forget(path)?;
            make_symlink(&target, &self.folder.join(path))
                .map_err(|error| self.not_made(path, &error))?;
            self.links.insert(path.to_owned(), target);
        }
        Ok(())
    }

    /// A second name for an entry that came earlier. `target` is a name in the archive.
    pub(super) fn hard_link(&mut self, entered: &Entered, target: &[u8]) -> Result<(), Fault> {
        let relative = target.iter().position(|byte| *byte != b'/').unwrap_or(target.len());
        let name = if self.is_strict() { target } else { &target[relative..] };
        let Ok(name) = EntryName::parse(name) else {
            return self.object_to(entered, Objection::leaves("is a link that leaves its folder"));
        };
        let full = name.clone().strip(0).unwrap_or_default();
        if !self.is_strict() && full == entered.full {
            // A link to itself changes nothing.
            return Ok(());
        }
        let missing = || {
            let why = format!("is a link to `{full}`, which is not a file unpacked before it");
            Objection::unfit(why)
        };
        if self.wants_some() {
            let node = self.catalog.find(&full, self.unpacker.strip).cloned();
            let node = node.filter(|node| *node != EntryNode::Folder);
            return self.catalogue(entered, node.unwrap_or_else(|| EntryNode::Other(missing())));
        }
        let path = entered.path.as_str();
        let target = name.strip(self.unpacker.strip).unwrap_or_default();
        let Some(file) = self.files.get(&target).copied() else {
            return self.object_to(entered, missing());
        };
        if self.claim(path)? {
            self.forget(path)?;
            fs::hard_link(self.folder.join(&target), self.folder.join(path))
                .map_err(|error| self.not_made(path, &error))?;
            self.files.insert(path.to_owned(), file);
        }
        Ok(())
    }

    /// Counts `bytes` that an entry has beyond those that are stored.
    pub(super) fn expand(&mut self, bytes: u64) -> Result<(), Fault> {
        self.holes = self.holes.saturating_add(bytes);
        let most = self.unpacker.limits.bytes;
        if self.holes > most { Err(too_large(&self.unpacker.label, most)) } else { Ok(()) }
    }

    /// All that was unpacked.
    pub(super) fn unpacked(self, packed: PackedBytes) -> Unpacked {
        let Self { files, links, skipped, left_out, .. } = self;
        let skipped = skipped.into_iter().filter(|path| !files.contains_key(path)).collect();
        let PackedBytes { sha256, digest, size } = packed;
        Unpacked { sha256, digest, size, files, links, skipped, left_out }
    }

    /// An entry that is not unpacked, and neither is its archive.
    pub(super) fn refuse(&self, entry: &[u8], objection: &Objection) -> Fault {
        let entry = String::from_utf8_lossy(&entry[..entry.len().min(200)]);
        let fault = Fault::new(Kind::Verification, format!("{} is refused", self.unpacker.label))
            .because(format!("its entry `{}` {}", entry.escape_debug(), objection.why));
        match objection.help(&self.unpacker.keep) {
            Some(help) => fault.hint(help),
            None => fault,
        }
    }

    /// Counts a name that is about to be remembered.
    fn remember(&mut self, name: &str) -> Result<(), Fault> {
        self.names += name.len();
        if self.names <= MOST_NAMES {
            return Ok(());
        }
        let why = format!("the names in it take more than {} MiB", MOST_NAMES >> 20);
        Err(over_limit(&self.unpacker.label, why))
    }

    /// Takes `path` for something that is no folder; `false` if it is left out.
    fn claim(&mut self, path: &str) -> Result<bool, Fault> {
        if !self.claim_parents(path)? {
            return Ok(false);
        }
        self.remember(path)?;
        match self.seen.insert(path.to_owned(), Seen::Leaf) {
            None => {}
            // The last one of those with the same name counts, as with tar.
            Some(Seen::Leaf) if !self.is_strict() => {}
            Some(before) => {
                self.seen.insert(path.to_owned(), before);
                return self.object(path.as_bytes(), &twice()).map(|()| false);
            }
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.create_folder(parent)?;
        }
        Ok(true)
    }

    /// Checks that everything above `path` is a folder: a file or a link is in the way. `false`
    /// if it is left out for that.
    fn claim_parents(&mut self, path: &str) -> Result<bool, Fault> {
        for (end, _) in path.rmatch_indices('/') {
            match self.seen.get(&path[..end]) {
                // What is above a folder was looked at when the folder was.
                Some(Seen::Folder | Seen::Created) => return Ok(true),
                Some(Seen::Leaf) => {
                    let objection = Objection::leaves("goes through a file or a link");
                    return self.object(path.as_bytes(), &objection).map(|()| false);
                }
                None => {
                    self.remember(&path[..end])?;
                    self.seen.insert(path[..end].to_owned(), Seen::Folder);
                }
            }
        }
        Ok(true)
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
            let why = "is there twice, or differs by case only";
            return self.refuse(path.as_bytes(), &Objection::ambiguous(why));
        }
        not_written(path, error)
    }
}

fn twice() -> Objection {
    Objection::ambiguous("is there twice")
}

#[cfg(unix)]
fn make_symlink(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_symlink(_target: &str, _path: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links are not made on this system"))
}

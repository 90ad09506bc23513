//! The user's cache: content-addressed files, shared by all workspaces of one user.
//!
//! `files/<aa>/<sha256>` holds each binary once, read-only. `artifacts/<key>` holds the record of an
//! artifact. There are two kinds of keys:
//!
//! - `asset-<sha256>`: what was unpacked from the release's asset with this digest. `forge.lock`, or a
//!   release that was just asked, names the digest.
//! - `build-<digest>`: what was made here by a recipe. Workspaces share such an entry only if the
//!   recipe holds everything that went in; else the key holds the workspace, too (see `probe/shared.rs`).
//!
//! Nothing here is believed for lying here. A record counts if this user's forge on this machine sealed
//! it (see [`SealKey`]). Without one, the files themselves serve if `forge.lock` pins their digests. A file
//! is hashed unless it is exactly as it was when a sealed record says it was hashed last.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    disk::{Folder, StagedFile, Staging, read_file},
    model::{BinaryName, Fault, FileStat, Fingerprint, Kind, Sha256, UserFolders},
};

use super::{
    proof::{self, Unproven},
    record::{ArtifactRecord, MAX_BYTES},
    seal::SealKey,
    transfer::{self, Transfer, Transfers},
};

/// Nothing in the cache takes this long to make.
const LEFT_FOR_DEAD: Duration = Duration::from_secs(3600);

/// The folder in the cache for what is not complete yet.
const HALF_MADE: &str = "half-made";

/// The user's cache.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    key: SealKey,
    transfers: Transfers,
}

/// What an artifact is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKey {
    /// The recipe that it was made by here.
    Build(Fingerprint),
    /// The digest of the asset that it was unpacked from, or packed into.
    Asset(Sha256),
}

/// What looking for an artifact found.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, and never kept")]
pub enum Lookup {
    /// Nothing, or not all of it.
    Absent,
    /// A record that nobody vouches for: this user's forge did not write it.
    Unproven,
    /// All of it.
    Hit(Hit),
}

/// An artifact that is in the cache, some of its files perhaps not proven yet.
#[derive(Debug)]
pub struct Hit {
    record: ArtifactRecord,
    unproven: Vec<(BinaryName, PathBuf)>,
}

impl CacheKey {
    fn file_name(self) -> String {
        match self {
            Self::Build(fingerprint) => format!("build-{fingerprint}"),
            Self::Asset(sha256) => format!("asset-{sha256}"),
        }
    }

    /// A record in another's place is not a record.
    fn purpose(self) -> String {
        format!("cached artifact {}", self.file_name())
    }
}

impl Hit {
    /// Whether every file is as it was when it was hashed last.
    pub fn is_proven(&self) -> bool {
        self.unproven.is_empty()
    }

    /// Hashes what is not proven yet. May take as long as reading the files does.
    ///
    /// # Errors
    /// `Verification` if a file is not what the record says. It stays where it is, since looking
    /// changes nothing; keeping the artifact replaces it.
    pub fn prove(self) -> Result<ArtifactRecord, Fault> {
        let Self { mut record, unproven } = self;
        for (name, path) in unproven {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let found = Folder::open(folder).and_then(|folder| folder.open_file(&path));
            let found = found.map_err(Unproven::Unreadable);
            let (sha256, sum) = (record.stamp.binaries[&*name], record.sums.get(&name));
            let stat = found.and_then(|file| proof::prove(file, sha256, sum));
            let stat = stat.map_err(|why| damaged(&path, &why))?;
            record.files.insert(name.into(), stat);
        }
        Ok(record)
    }
}

fn damaged(path: &Path, why: &Unproven) -> Fault {
    match why {
        Unproven::Unreadable(error) => Fault::io(format!("cannot read {}", path.display()), error),
        why => Fault::new(
            Kind::Verification,
            format!("a file in your cache was changed: {}", path.display()),
        )
        .because(why.to_string())
        .hint("it is not used: the artifact is obtained anew"),
    }
}

impl Cache {
    /// The cache at `root`, which need not exist yet, with records sealed by `key`.
    pub fn new(root: PathBuf, key: SealKey) -> Self {
        Self { root, key, transfers: Transfers::new() }
    }

    /// The cache that the workspaces of a user with these folders share.
    ///
    /// # Errors
    /// `Failed` if the user has no home folder.
    pub fn of_user(user: &UserFolders) -> Result<Self, Fault> {
        Ok(Self::new(user.cache()?.to_owned(), SealKey::of_user(user)))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The key that this user's records are sealed with: here, and in workspaces.
    pub fn key(&self) -> &SealKey {
        &self.key
    }

    /// Looks for the artifact with this `key`. What a record of somebody else says does not count: if
    /// there is one and none of ours, the files of what is `pinned` are looked for. Reads only, and
    /// hashes nothing.
    pub fn find(&self, key: CacheKey, pinned: Option<ArtifactRecord>) -> Lookup {
        let Ok(bytes) = read_file(&self.record_path(key), MAX_BYTES) else {
            return Lookup::Absent;
        };
        let ours = ArtifactRecord::open(&key.purpose(), &bytes, &self.key);
        let Some(record) = ours.or(pinned) else { return Lookup::Unproven };
        let mut unproven = Vec::new();
        for (name, sha256) in &record.stamp.binaries {
            let path = self.file_path(*sha256);
            let Ok(metadata) = fs::symlink_metadata(&path) else { return Lookup::Absent };
            if record.files.get(&**name) != Some(&FileStat::from_metadata(&metadata)) {
                unproven.push((name.clone(), path));
            }
        }
        Lookup::Hit(Hit { record, unproven })
    }

    /// Puts the binaries of `record`, which was found under `key` and proven, into the folder `into`.
    ///
    /// # Errors
    /// `Verification` if a file has changed since; `Failed` if one cannot be read or written.
    pub fn restore(
        &self,
        record: &ArtifactRecord,
        key: CacheKey,
        into: &Path,
    ) -> Result<(), Fault> {
        let target = Folder::open(into).map_err(|e| cannot("restore into", into, &e))?;
        let root = Folder::open(&self.root).map_err(|e| cannot("open", &self.root, &e))?;
        for (name, sha256) in &record.stamp.binaries {
            let path = self.file_path(*sha256);
            let known = record.files.get(&**name).copied();
            let copied = root
                .open_file(&path)
                .and_then(|file| self.transfers.transfer(&file, known, &target, name.as_ref()));
            match copied.map_err(|e| cannot("restore", &path, &e))? {
                Transfer::Done(_) => {}
                Transfer::Changed => return Err(damaged(&path, &Unproven::Changing)),
            }
        }
        self.remember(record, key);
        note_use(&root, &self.record_path(key));
        Ok(())
    }

    /// Writes `record` down if more is known now than what its file says. It only saves work: a
    /// cache that cannot be written to serves as well.
    fn remember(&self, record: &ArtifactRecord, key: CacheKey) {
        if self.sealed(key).as_ref() != Some(record) {
            let _ = self.write_record(record, key);
        }
    }

    /// Keeps the binaries of `record`, which lie in the folder `from` as the record says, under
    /// `keys`, together with the record itself.
    ///
    /// # Errors
    /// What could not be kept. `Verification` if a file is not as the record says.
    pub fn keep(
        &self,
        record: &ArtifactRecord,
        keys: &[CacheKey],
        from: &Path,
    ) -> Result<(), Fault> {
        let root = self.folder().map_err(|e| cannot("make", &self.root, &e))?;
        let before: Vec<ArtifactRecord> = keys.iter().filter_map(|key| self.sealed(*key)).collect();
        let mut kept =
            ArtifactRecord { files: std::collections::BTreeMap::new(), ..record.clone() };
        for (name, sha256) in &record.stamp.binaries {
            let path = self.file_path(*sha256);
            let now =
                fs::symlink_metadata(&path).ok().map(|metadata| FileStat::from_metadata(&metadata));
            let is_there = |before: &ArtifactRecord| {
                now.is_some()
                    && before.stamp.binaries.get(name) == Some(sha256)
                    && before.files.get(&**name) == now.as_ref()
            };
            let stat = match now.filter(|_| before.iter().any(is_there)) {
                Some(stat) => stat,
                None => self.keep_file(&root, from, (name, *sha256), record)?,
            };
            kept.files.insert(name.to_string(), stat);
        }
        for key in keys {
            self.write_record(&kept, *key)?;
        }
        Ok(())
    }

    /// Keeps one file. If there is a file already it is replaced: ours has just been proven, that
    /// one has not.
    fn keep_file(
        &self,
        root: &Folder,
        from: &Path,
        (name, sha256): (&BinaryName, Sha256),
        record: &ArtifactRecord,
    ) -> Result<FileStat, Fault> {
        let to = self.file_path(sha256);
        let known = record.files.get(&**name).copied();
        let keep = || -> io::Result<Option<FileStat>> {
            let file = Folder::open(from)?.open_file(name.as_ref())?;
            let new = StagedFile::new(root, Path::new(HALF_MADE), transfer::MODE)?;
            match self.transfers.transfer_into(&file, known, new.file())? {
                Transfer::Changed => Ok(None),
                // Renaming changes what `stat` says.
                Transfer::Done(_) => {
                    Ok(Some(FileStat::from_metadata(&new.place(root, &to)?.metadata()?)))
                }
            }
        };
        let cannot_keep = || format!("cannot keep {name} in the cache at {}", to.display());
        match keep() {
            Ok(Some(stat)) => Ok(stat),
            Ok(None) => Err(Fault::new(Kind::Verification, cannot_keep())
                .because("what was installed a moment ago has changed")),
            Err(error) => Err(Fault::io(cannot_keep(), &error)),
        }
    }

    fn sealed(&self, key: CacheKey) -> Option<ArtifactRecord> {
        let bytes = read_file(&self.record_path(key), MAX_BYTES).ok()?;
        ArtifactRecord::open(&key.purpose(), &bytes, &self.key)
    }

    fn write_record(&self, record: &ArtifactRecord, key: CacheKey) -> Result<(), Fault> {
        self.write(&self.record_path(key), &record.sealed(&key.purpose(), &self.key))
    }

    /// Removes what killed processes left half-made long ago.
    pub fn sweep(&self) {
        if let Ok(folder) = Folder::open(&self.root) {
            Staging::sweep(&folder, Path::new(HALF_MADE), LEFT_FOR_DEAD);
        }
    }

    /// The folder of the cache, made if it is not there. Nothing in it is followed.
    pub(super) fn folder(&self) -> io::Result<Folder> {
        Folder::make(&self.root)
    }

    /// A new folder for half-made things.
    pub(super) fn stage(&self) -> io::Result<Staging> {
        Staging::new(&self.folder()?, Path::new(HALF_MADE))
    }

    /// Makes the file `path` hold `bytes`, in one step.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
        self.folder()
            .and_then(|folder| folder.replace(path, bytes, Path::new(HALF_MADE), false))
            .map_err(|e| cannot("write", path, &e))
    }

    pub(super) fn file_path(&self, sha256: Sha256) -> PathBuf {
        let digits = sha256.to_string();
        self.root.join("files").join(&digits[..2]).join(digits)
    }

    fn record_path(&self, key: CacheKey) -> PathBuf {
        self.root.join("artifacts").join(key.file_name())
    }
}

/// Notes that somebody used what the record at `path` is of, if nobody did for an hour.
fn note_use(root: &Folder, path: &Path) {
    const HOUR: Duration = Duration::from_secs(3600);
    if root.entry(path).ok().flatten().is_some_and(|entry| entry.age() > HOUR) {
        // It only lives shorter if this fails.
        let _ = root.open_file(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::io(format!("cannot {what} {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{archive::hash_file, cache::record::tests::sample};

    struct CacheSample {
        dir: tempfile::TempDir,
        cache: Cache,
        record: ArtifactRecord,
        key: CacheKey,
    }

    fn kept() -> CacheSample {
        let dir = tempfile::tempdir().unwrap();
        let (record, key) = made(&dir.path().join("from"), "#!/bin/sh\n");
        let cache =
            Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join("data")));
        cache.keep(&record, &[key], &dir.path().join("from")).unwrap();
        CacheSample { dir, cache, record, key }
    }

    /// What a build has just put into `folder`.
    fn made(folder: &Path, text: &str) -> (ArtifactRecord, CacheKey) {
        fs::create_dir(folder).unwrap();
        let path = folder.join("nats");
        fs::write(&path, text).unwrap();
        let mut record = sample();
        let (sha256, _) = hash_file(&path).unwrap();
        record.stamp.binaries.insert(BinaryName::new("nats").unwrap(), sha256);
        let stat = FileStat::from_metadata(&fs::metadata(&path).unwrap());
        record.files.insert("nats".into(), stat);
        let key = CacheKey::Build(record.stamp.fingerprint);
        (record, key)
    }

    impl CacheSample {
        fn file(&self) -> PathBuf {
            self.cache.file_path(self.record.stamp.binaries["nats"])
        }

        fn find(&self) -> Result<Option<ArtifactRecord>, Fault> {
            match self.cache.find(self.key, None) {
                Lookup::Hit(hit) => hit.prove().map(Some),
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn what_was_kept_is_found_without_hashing_and_restored() {
        let it = kept();
        let Lookup::Hit(hit) = it.cache.find(it.key, None) else { panic!("it was kept") };
        assert!(hit.is_proven());
        let record = hit.prove().unwrap();
        assert_eq!(record.stamp, it.record.stamp);
        let into = it.dir.path().join("into");
        fs::create_dir(&into).unwrap();
        it.cache.restore(&record, it.key, &into).unwrap();
        assert_eq!(fs::read_to_string(into.join("nats")).unwrap(), "#!/bin/sh\n");
    }

    #[test]
    fn what_a_workspace_writes_to_its_file_is_not_in_the_cache() {
        let it = kept();
        let record = it.find().unwrap().unwrap();
        let into = it.dir.path().join("into");
        fs::create_dir(&into).unwrap();
        it.cache.restore(&record, it.key, &into).unwrap();
        for file in [into.join("nats"), it.dir.path().join("from/nats")] {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            fs::write(&file, "#!/bin/no\n").unwrap();
        }
        assert_eq!(fs::read_to_string(it.file()).unwrap(), "#!/bin/sh\n");
    }

    #[test]
    fn keeping_twice_replaces_without_leftovers() {
        let it = kept();
        it.cache.keep(&it.record, &[it.key], &it.dir.path().join("from")).unwrap();
        assert_eq!(fs::read_dir(it.file().parent().unwrap()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(it.cache.root().join(HALF_MADE)).unwrap().count(), 0);
        assert!(it.find().unwrap().is_some());
    }

    #[test]
    fn a_changed_file_is_noticed_reported_and_replaced() {
        let it = kept();
        let file = it.file();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&file, "#!/bin/no\n").unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o555)).unwrap();
        for _ in 0..2 {
            let fault = it.find().unwrap_err();
            assert_eq!(fault.kind, Kind::Verification);
            let now = fs::read_to_string(&file).unwrap();
            assert_eq!(now, "#!/bin/no\n", "looking changes nothing");
        }
        let again = it.dir.path().join("again");
        let (record, _) = made(&again, "#!/bin/sh\n");
        it.cache.keep(&record, &[it.key], &again).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "#!/bin/sh\n");
        assert!(it.find().unwrap().is_some());
    }

    #[test]
    fn what_changes_between_looking_and_restoring_is_not_restored() {
        let it = kept();
        let record = it.find().unwrap().unwrap();
        fs::remove_file(it.file()).unwrap();
        fs::write(it.file(), "#!/bin/no\n").unwrap();
        let into = it.dir.path().join("into");
        fs::create_dir(&into).unwrap();
        let fault = it.cache.restore(&record, it.key, &into).unwrap_err();
        assert_eq!(fault.kind, Kind::Verification);
        assert!(!into.join("nats").exists());
    }

    #[test]
    fn a_touched_file_is_hashed_again_serves_and_is_known_then() {
        let it = kept();
        let file = fs::File::open(it.file()).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let record = it.find().unwrap().unwrap();
        let into = it.dir.path().join("into");
        fs::create_dir(&into).unwrap();
        it.cache.restore(&record, it.key, &into).unwrap();
        let Lookup::Hit(hit) = it.cache.find(it.key, None) else { panic!("it was kept") };
        assert!(hit.is_proven());
    }

    #[test]
    fn a_record_that_others_wrote_does_not_count_and_what_is_pinned_is_hashed() {
        let it = kept();
        let theirs = SealKey::in_folder(&it.dir.path().join("elsewhere"));
        let path = it.cache.record_path(it.key);
        fs::write(&path, it.record.sealed(&it.key.purpose(), &theirs)).unwrap();
        assert!(matches!(it.cache.find(it.key, None), Lookup::Unproven));
        let pinned =
            ArtifactRecord::unknown(it.record.stamp.clone(), std::collections::BTreeMap::new());
        let Lookup::Hit(hit) = it.cache.find(it.key, Some(pinned.clone())) else { panic!("there") };
        assert!(!hit.is_proven(), "what it says of its files is not believed");
        let record = hit.prove().unwrap();
        assert_eq!((record.made, record.release, record.builder), (None, None, None));
        let other = CacheKey::Asset(Sha256([1; 32]));
        let elsewhere = it.record.sealed(&it.key.purpose(), it.cache.key());
        fs::write(it.cache.record_path(other), elsewhere).unwrap();
        assert!(matches!(it.cache.find(other, None), Lookup::Unproven), "in another's place");
        let mut absent = pinned;
        absent.stamp.binaries.insert(BinaryName::new("nats").unwrap(), Sha256([7; 32]));
        assert!(matches!(it.cache.find(other, Some(absent)), Lookup::Absent));
    }

    #[test]
    fn a_changed_file_is_not_taken_for_its_sum_either() {
        let it = kept();
        let mut record = it.record.clone();
        let name = BinaryName::new("nats").unwrap();
        let from = it.dir.path().join("from/nats");
        record.sums.insert(name, proof::sum_of(&mut fs::File::open(from).unwrap()).unwrap());
        it.cache.write_record(&record, it.key).unwrap();
        assert!(it.find().unwrap().is_some(), "proven by its sum");
        fs::remove_file(it.file()).unwrap();
        fs::write(it.file(), "#!/bin/no\n").unwrap();
        assert_eq!(it.find().unwrap_err().kind, Kind::Verification);
    }
}

//! The user's cache: content-addressed files, shared by all workspaces of one user.
//!
//! `files/<aa>/<sha256>` holds each binary once, read-only. `artifacts/<key>` holds
//! the record of an artifact, under its fingerprint and under the digest of its asset.
//! A restore is a reflink or a hard link, so it costs no copying; and since a hard link
//! shares its bytes with every workspace, a file counts as verified only while its size,
//! modification time and inode are those that were recorded when it was hashed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    archive::hash_file,
    disk::{Folder, Staging},
    model::{Fault, FileStat, Fingerprint, Kind, Sha256},
};

use super::{record::Record, seal::SealKey};

/// Nothing in the cache takes this long to make.
const LEFT_FOR_DEAD: Duration = Duration::from_secs(3600);

/// The folder of half-made things in the cache.
const HALF_MADE: &str = "half-made";

/// The user's cache.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    key: SealKey,
    /// Cleared when a reflink fails: one file system does not learn it from file to file.
    try_reflinks: AtomicBool,
}

/// A cached artifact that turned out to be damaged. It has been left out of use.
#[derive(Debug)]
pub struct CacheFault(pub Fault);

/// What an artifact is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Fingerprint(Fingerprint),
    Asset(Sha256),
}

impl Cache {
    /// The cache at `root`, which need not exist yet, with records sealed by `key`.
    pub fn new(root: PathBuf, key: SealKey) -> Self {
        Self { root, key, try_reflinks: AtomicBool::new(true) }
    }

    /// The cache of the user who runs forge: `$FORGE_CACHE_DIR`, or `forge` in the
    /// cache folder that the system sets aside (`$XDG_CACHE_HOME`, `~/.cache`).
    pub fn of_user() -> Result<Self, Fault> {
        use etcetera::BaseStrategy;
        if let Some(root) = std::env::var_os("FORGE_CACHE_DIR").filter(|dir| !dir.is_empty()) {
            return Ok(Self::new(root.into(), SealKey::of_user()));
        }
        let folders = etcetera::choose_base_strategy().map_err(|_| {
            Fault::new(Kind::Failed, "cannot tell where your cache folder is")
                .because("there is no home directory")
                .hint("set HOME, or FORGE_CACHE_DIR to the folder to use")
        })?;
        Ok(Self::new(folders.cache_dir().join("forge"), SealKey::of_user()))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The key that this user's records are sealed with: here, and in workspaces.
    pub fn key(&self) -> &SealKey {
        &self.key
    }

    /// Finds an artifact built with this fingerprint.
    pub fn find_built(&self, fingerprint: Fingerprint) -> Result<Option<Record>, CacheFault> {
        self.find(Key::Fingerprint(fingerprint))
    }

    /// Finds the artifact that was unpacked from the asset with this digest.
    pub fn find_asset(&self, sha256: Sha256) -> Result<Option<Record>, CacheFault> {
        self.find(Key::Asset(sha256))
    }

    /// Finds an artifact whose files are all there and proven.
    fn find(&self, key: Key) -> Result<Option<Record>, CacheFault> {
        let Some(mut record) = Record::read(&self.record_path(key)) else { return Ok(None) };
        for (name, sha256) in record.stamp.binaries.clone() {
            let path = self.file_path(sha256);
            let Ok(metadata) = fs::metadata(&path) else { return Ok(None) };
            let stat = FileStat::of(&metadata);
            if record.files.get(&name) != Some(&stat) {
                prove(&path, sha256)?;
                record.files.insert(name, stat);
            }
        }
        Ok(Some(record))
    }

    /// Puts the binaries of `record` into the folder `into`, by reflink, hard link, or,
    /// where the file systems allow neither, by copying.
    pub fn restore(&self, record: &Record, into: &Path) -> Result<(), Fault> {
        for (name, sha256) in &record.stamp.binaries {
            let (from, to) = (self.file_path(*sha256), into.join(name));
            self.link(&from, &to).map_err(|e| {
                Fault::io(format!("cannot link {} to {}", from.display(), to.display()), &e)
            })?;
        }
        Ok(())
    }

    /// Keeps the binaries of `record`, which lie in the folder `from` and have just
    /// been hashed there, together with the record itself.
    pub fn keep(&self, record: &Record, from: &Path) -> Result<(), Fault> {
        let mut kept = Record { files: std::collections::BTreeMap::new(), ..record.clone() };
        for (name, sha256) in &record.stamp.binaries {
            let to = self.file_path(*sha256);
            let stat = self.keep_file(&from.join(name), &to).map_err(|e| {
                Fault::io(format!("cannot keep {name} in the cache at {}", to.display()), &e)
            })?;
            kept.files.insert(name.clone(), stat);
        }
        let bytes = kept.to_bytes();
        let fingerprint = Some(Key::Fingerprint(record.stamp.fingerprint));
        let asset = record.asset().map(|asset| Key::Asset(asset.sha256));
        for key in fingerprint.into_iter().chain(asset) {
            let path = self.record_path(key);
            self.write(&path, &bytes)?;
        }
        Ok(())
    }

    /// Makes `to` the file at `from`. If there is a file already it is replaced: ours has
    /// just been proven, that one has not.
    fn keep_file(&self, from: &Path, to: &Path) -> io::Result<FileStat> {
        match self.link(from, to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.keep_file_again(from, to);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return self.keep_file_again(from, to);
            }
            Err(error) => return Err(error),
        }
        Ok(FileStat::of(&fs::metadata(to)?))
    }

    fn keep_file_again(&self, from: &Path, to: &Path) -> io::Result<FileStat> {
        let staging = self.stage()?;
        self.link(from, &staging.path().join("file"))?;
        staging.folder().rename(Path::new("file"), &self.folder()?, to)?;
        Ok(FileStat::of(&fs::metadata(to)?))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.try_reflinks.load(Ordering::Relaxed) {
            match reflink(from, to) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(_) => self.try_reflinks.store(false, Ordering::Relaxed),
            }
        }
        match fs::hard_link(from, to) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::CrossesDevices
                        | io::ErrorKind::TooManyLinks
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::Unsupported
                ) =>
            {
                copy_new(from, to)
            }
            other => other,
        }
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
            .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))
    }

    fn file_path(&self, sha256: Sha256) -> PathBuf {
        let digits = sha256.to_string();
        self.root.join("files").join(&digits[..2]).join(digits)
    }

    fn record_path(&self, key: Key) -> PathBuf {
        let name = match key {
            Key::Fingerprint(fingerprint) => format!("build-{fingerprint}"),
            Key::Asset(sha256) => format!("asset-{sha256}"),
        };
        self.root.join("artifacts").join(name)
    }
}

/// Hashes a file whose `stat` data differs from what was recorded.
fn prove(path: &Path, sha256: Sha256) -> Result<(), CacheFault> {
    match hash_file(path) {
        Ok((found, _)) if found == sha256 => Ok(()),
        Ok((found, _)) => {
            let what = format!("a file in your cache was changed: {}", path.display());
            let why = format!("its sha256 is {}, not {}", found.short(), sha256.short());
            // It stays where it is, since looking changes nothing; keeping the artifact replaces it.
            let fault = Fault::new(Kind::Verification, what).because(why);
            Err(CacheFault(fault.hint("it is not used: the artifact is obtained anew")))
        }
        Err(error) => Err(CacheFault(Fault::io(format!("cannot read {}", path.display()), &error))),
    }
}

/// Makes `to` a copy of `from` that shares its blocks until one of them is written to.
#[cfg(target_os = "linux")]
fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    let source = fs::File::open(from)?;
    let target = fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    let cloned = rustix::fs::ioctl_ficlone(&target, &source)
        .map_err(io::Error::from)
        .and_then(|()| fs::set_permissions(to, source.metadata()?.permissions()));
    cloned.inspect_err(|_| {
        let _ = fs::remove_file(to);
    })
}

/// APFS clones through `fs::copy`, which std implements with `fclonefileat` there.
#[cfg(not(target_os = "linux"))]
fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    copy_new(from, to)
}

fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    if to.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::copy(from, to).map(|_| ()).inspect_err(|_| {
        let _ = fs::remove_file(to);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cache::record::tests::sample;

    struct Box {
        dir: tempfile::TempDir,
        cache: Cache,
        record: Record,
    }

    fn kept() -> Box {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("nats"), "#!/bin/sh\n").unwrap();
        let mut record = sample();
        let (sha256, _) = hash_file(&from.join("nats")).unwrap();
        record.stamp.binaries.insert("nats".into(), sha256);
        let cache =
            Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join("data")));
        cache.keep(&record, &from).unwrap();
        Box { dir, cache, record }
    }

    impl Box {
        fn file(&self) -> PathBuf {
            self.cache.file_path(self.record.stamp.binaries["nats"])
        }

        fn find(&self) -> Result<Option<Record>, CacheFault> {
            self.cache.find_built(self.record.stamp.fingerprint)
        }
    }

    #[test]
    fn what_was_kept_is_found_and_restored() {
        let it = kept();
        let record = it.find().unwrap().unwrap();
        assert_eq!(record.stamp, it.record.stamp);
        let into = it.dir.path().join("into");
        fs::create_dir(&into).unwrap();
        it.cache.restore(&record, &into).unwrap();
        assert_eq!(fs::read_to_string(into.join("nats")).unwrap(), "#!/bin/sh\n");
    }

    #[test]
    fn keeping_twice_replaces_without_leftovers() {
        let it = kept();
        it.cache.keep(&it.record, &it.dir.path().join("from")).unwrap();
        assert_eq!(fs::read_dir(it.file().parent().unwrap()).unwrap().count(), 1);
        assert!(it.find().unwrap().is_some());
    }

    #[test]
    fn a_changed_file_is_noticed_reported_and_replaced() {
        let it = kept();
        let file = it.file();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, "#!/bin/no\n").unwrap();
        for _ in 0..2 {
            let CacheFault(fault) = it.find().unwrap_err();
            assert_eq!(fault.kind, Kind::Verification);
            assert_eq!(
                fs::read_to_string(&file).unwrap(),
                "#!/bin/no\n",
                "looking changes nothing"
            );
        }
        let again = it.dir.path().join("again");
        fs::create_dir(&again).unwrap();
        fs::write(again.join("nats"), "#!/bin/sh\n").unwrap();
        it.cache.keep(&it.record, &again).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "#!/bin/sh\n");
        assert!(it.find().unwrap().is_some());
    }

    #[test]
    fn a_touched_file_is_hashed_again_and_serves() {
        let it = kept();
        let file = fs::File::open(it.file()).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(it.find().unwrap().is_some());
    }
}

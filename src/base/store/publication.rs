//! Publishing into a folder: whatever happens, an asset is there whole or not at all, and
//! what was there first stays.
//!
//! ```text
//! source ── copy, digest, fsync ──> .partial/staging-…/new ── rename, never over ──> <tag>/<asset>
//!                                                        then <tag>/<asset>.sha256 ── rename, over
//! ```
//!
//! The bytes are copied. A hard link would be cheaper, but then the store would share
//! an inode with a file in somebody's workspace: one careless write there, and a
//! published release is another. Copying also is the moment to compare digests.
//!
//! Against a power loss the asset is synced before it gets its name: else the name
//! may outlive the bytes, and a torn asset is worse than none, since readers rightly
//! refuse to build past a digest that does not match. Nothing else is synced. A lost name
//! is a miss, which heals by publishing again; a lost or empty sidecar is an unknown
//! digest, which the next publication heals.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Published, Upload, file};
use crate::{
    disk::{EntryKind, Folder, FolderEntry, Staging, open_file},
    model::{Fault, Kind, Sha256},
};

/// The folder of half-made files, in the root of the store. Its name begins with a dot,
/// as no tag does.
const PARTIAL: &str = ".partial";

/// The name of a half-made file in its folder.
const NEW: &str = "new";

/// How old a half-made file must be for nobody to be at work on it any more.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// One asset on its way into a folder.
pub(super) struct AssetPublication {
    /// The store's URL, for messages.
    pub(super) url: String,
    /// The store's folder.
    pub(super) root: PathBuf,
    /// The release.
    pub(super) tag: String,
    /// The asset and what belongs beside it.
    pub(super) upload: Upload,
}

impl AssetPublication {
    /// Publishes. Blocks.
    pub(super) fn run(&self) -> Result<Published, Fault> {
        // What is there stays for ever, so seeing it spares the attempt. That nothing is
        // there proves nothing: only the rename decides.
        if let Some(theirs) = self.there()? {
            return self.compare(theirs);
        }
        let root = self.open_root()?;
        let copy = self.copied(&root)?;
        match self.claim(&root, &copy) {
            Ok(()) => self.write_sidecars(&root).map(|()| Published::Created),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let theirs = self.there()?.ok_or_else(|| self.failed(&error))?;
                self.compare(theirs)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The folder of the store, made if it is not there. No link in it is followed.
    fn open_root(&self) -> Result<Folder, Fault> {
        Folder::make(&self.root).map_err(|error| self.failed(&error))
    }

    fn folder(&self) -> PathBuf {
        self.root.join(&self.tag)
    }

    /// The digest of the asset that is there.
    fn there(&self) -> Result<Option<Sha256>, Fault> {
        match open_file(&self.folder().join(&self.upload.asset)) {
            Ok(mut file) => file::copy_digested(&mut file, &mut io::sink())
                .map(Some)
                .map_err(|error| self.failed(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn compare(&self, theirs: Sha256) -> Result<Published, Fault> {
        if theirs != self.upload.sha256 {
            return Ok(Published::Conflict { theirs });
        }
        self.write_sidecars(&self.open_root()?)?;
        Ok(Published::Identical)
    }

    /// A complete, proven, durable copy without a name yet.
    fn copied(&self, root: &Folder) -> Result<Staging, Fault> {
        let unreadable = |error| {
            Fault::io(format!("cannot read {}, to publish it", self.upload.path.display()), &error)
        };
        let mut source = open_file(&self.upload.path).map_err(unreadable)?;
        let (staging, mut partial) = partial(root).map_err(|error| self.failed(&error))?;
        let digest =
            file::copy_digested(&mut source, &mut partial).map_err(|error| self.failed(&error))?;
        if digest != self.upload.sha256 {
            return Err(changed(&self.upload.path, digest, self.upload.sha256));
        }
        partial.sync_data().map_err(|error| self.failed(&error))?;
        Ok(staging)
    }

    /// Gives the copy its name, unless that is taken.
    fn claim(&self, root: &Folder, copy: &Staging) -> io::Result<()> {
        let path = Path::new(&self.tag).join(&self.upload.asset);
        copy.folder().rename_new(Path::new(NEW), root, &path)
    }

    /// Writes what is not there yet: whoever created the asset may have been killed before, and
    /// an empty one is what a power loss leaves.
    fn write_sidecars(&self, root: &Folder) -> Result<(), Fault> {
        for (name, text) in &self.upload.sidecars {
            let path = Path::new(&self.tag).join(name);
            write_sidecar(root, &path, text).map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Fault {
        let what = format!("cannot publish {}/{} to {}", self.tag, self.upload.asset, self.url);
        let fault = Fault::new(Kind::Store, what).because(error.to_string());
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => fault.hint(format!(
                "make the folder {} writable for you, or run with `--no-publish`",
                self.root.display()
            )),
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => fault.hint(format!(
                "the store must be a folder: see what stands at {}",
                self.root.display()
            )),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => fault.hint(format!(
                "free some space where {} is, and run it again",
                self.root.display()
            )),
            _ => fault,
        }
    }
}

/// Writes the sidecar `path` of the store at `root`, unless a whole one is there.
fn write_sidecar(root: &Folder, path: &Path, text: &str) -> io::Result<()> {
    let is_whole = |there: FolderEntry| there.kind == EntryKind::File && there.size > 0;
    if root.entry(path)?.is_some_and(is_whole) {
        return Ok(());
    }
    let (staging, mut partial) = partial(root)?;
    partial.write_all(text.as_bytes())?;
    staging.folder().rename(Path::new(NEW), root, path)
}

/// A new file among the half-made ones of the store at `root`, in a folder of its own.
fn partial(root: &Folder) -> io::Result<(Staging, File)> {
    let staging = Staging::new(root, Path::new(PARTIAL))?;
    // Readable for a web server that mirrors the store, writable for nobody.
    let file = staging.folder().create_new(Path::new(NEW), 0o444)?;
    Ok((staging, file))
}

/// Removes what publications that were killed left in the store at `root`. What cannot be
/// removed is left for the next one: nobody reads it.
pub(super) fn sweep(root: &Path) {
    if let Ok(root) = Folder::open(root) {
        Staging::sweep(&root, Path::new(PARTIAL), ABANDONED);
    }
}

pub(super) fn changed(path: &Path, found: Sha256, expected: Sha256) -> Fault {
    Fault::new(Kind::Verification, format!("{} is not what was to be published", path.display()))
        .because(format!("its SHA-256 digest is {}, not {}", found.short(), expected.short()))
        .hint("something wrote to it in the meantime; run it again")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::Barrier, thread, time::SystemTime};

    use super::{
        super::testing::{digest, publication},
        *,
    };

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_first_stays() {
        let temp = tempfile::tempdir().unwrap();
        let (first, second) = (publication(temp.path(), b"one"), publication(temp.path(), b"two"));
        assert_eq!(first.run().unwrap(), Published::Created);
        assert_eq!(first.run().unwrap(), Published::Identical);
        assert_eq!(second.run().unwrap(), Published::Conflict { theirs: digest(b"one") });

        let folder = first.folder();
        assert_eq!(fs::read(folder.join("asset")).unwrap(), b"one");
        let sidecar = fs::read_to_string(folder.join("asset.sha256")).unwrap();
        assert_eq!(sidecar, format!("{}  asset\n", digest(b"one")));
        assert_eq!(names(&folder), ["asset", "asset.sha256"]);
        assert!(names(&first.root.join(PARTIAL)).is_empty(), "no leftovers");
    }

    #[test]
    fn of_all_who_race_for_a_name_one_wins() {
        const RACERS: u8 = 16;
        let temp = tempfile::tempdir().unwrap();
        let sources: Vec<_> = (0..RACERS).map(|n| publication(temp.path(), &[n; 2000])).collect();
        for round in 0..50 {
            let start = Barrier::new(sources.len());
            let outcomes: Vec<_> = thread::scope(|scope| {
                let race = |mine: &AssetPublication| {
                    let (path, sha256) = (mine.upload.path.clone(), mine.upload.sha256);
                    let mine = AssetPublication {
                        upload: Upload::new(format!("asset-{round}"), path, sha256),
                        url: String::new(),
                        root: mine.root.clone(),
                        tag: mine.tag.clone(),
                    };
                    start.wait();
                    (sha256, mine.run().unwrap())
                };
                let racers: Vec<_> =
                    sources.iter().map(|mine| scope.spawn(move || race(mine))).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            let winners: Vec<_> =
                outcomes.iter().filter(|(_, o)| *o == Published::Created).collect();
            let [(winner, _)] = winners.as_slice() else { panic!("{} won", winners.len()) };
            for (sha256, outcome) in &outcomes {
                let lost = *outcome == Published::Conflict { theirs: *winner };
                assert!(lost || sha256 == winner, "{outcome:?}");
            }
            let sidecar = sources[0].folder().join(format!("asset-{round}.sha256"));
            assert!(fs::read_to_string(sidecar).unwrap().starts_with(&winner.to_string()));
        }
    }

    #[test]
    fn bytes_that_are_not_what_was_promised_are_not_published() {
        let temp = tempfile::tempdir().unwrap();
        let mut promised = publication(temp.path(), b"one");
        promised.upload.sha256 = digest(b"two");
        let fault = promised.run().unwrap_err();
        assert_eq!(fault.kind, Kind::Verification);
        assert!(!promised.folder().exists());
        assert!(names(&promised.root.join(PARTIAL)).is_empty());
    }

    #[test]
    fn a_lost_or_torn_sidecar_is_written_again() {
        let temp = tempfile::tempdir().unwrap();
        let publication = publication(temp.path(), b"one");
        publication.run().unwrap();
        let sidecar = publication.folder().join("asset.sha256");
        let good = fs::read(&sidecar).unwrap();
        for spoil in [
            |path: &Path| fs::remove_file(path),
            |path: &Path| {
                fs::remove_file(path)?;
                fs::write(path, "")
            },
        ] {
            spoil(&sidecar).unwrap();
            assert_eq!(publication.run().unwrap(), Published::Identical);
            assert_eq!(fs::read(&sidecar).unwrap(), good);
        }
    }

    #[test]
    fn leftovers_are_swept_when_nobody_can_be_at_work_on_them() {
        let temp = tempfile::tempdir().unwrap();
        let partial = temp.path().join(PARTIAL);
        let [new, old] = ["staging-000000000000000a", "staging-000000000000000b"];
        for name in [new, old, "of somebody else"] {
            fs::create_dir_all(partial.join(name)).unwrap();
            fs::write(partial.join(name).join(NEW), "half").unwrap();
        }
        for name in [old, "of somebody else"] {
            let long_ago = SystemTime::now() - ABANDONED - Duration::from_secs(60);
            File::open(partial.join(name)).unwrap().set_modified(long_ago).unwrap();
        }
        sweep(temp.path());
        assert_eq!(names(&partial), ["of somebody else", new]);
        sweep(&temp.path().join("no store yet"));
    }

    #[test]
    fn a_file_where_the_store_should_be_is_explained() {
        let temp = tempfile::tempdir().unwrap();
        let publication = publication(temp.path(), b"one");
        fs::write(&publication.root, "not a folder").unwrap();
        let fault = publication.run().unwrap_err();
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.what.starts_with("cannot publish tag-v1/asset to dir:"), "{fault}");
        assert!(fault.hint.unwrap().contains("must be a folder"));
    }

    #[test]
    fn no_link_in_the_store_is_followed() {
        for planted in [PARTIAL, "tag-v1"] {
            let temp = tempfile::tempdir().unwrap();
            let elsewhere = temp.path().join("elsewhere");
            let left = elsewhere.join("staging-000000000000000a");
            fs::create_dir_all(&left).unwrap();
            let long_ago = SystemTime::now() - ABANDONED - Duration::from_secs(60);
            File::open(&left).unwrap().set_modified(long_ago).unwrap();
            let publication = publication(temp.path(), b"one");
            fs::create_dir_all(&publication.root).unwrap();
            symlink(&elsewhere, publication.root.join(planted)).unwrap();
            sweep(&publication.root);
            let fault = publication.run().unwrap_err().to_string();
            assert!(fault.contains("is a symbolic link"), "{fault}");
            assert_eq!(names(&elsewhere), ["staging-000000000000000a"], "{planted}");
        }
    }

    #[test]
    fn a_missing_source_is_explained() {
        let temp = tempfile::tempdir().unwrap();
        let publication = publication(temp.path(), b"one");
        fs::remove_file(&publication.upload.path).unwrap();
        let fault = publication.run().unwrap_err();
        assert!(fault.what.contains(".source-") && fault.what.contains("to publish it"), "{fault}");
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_folder_is_explained() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let publication = publication(temp.path(), b"one");
        fs::create_dir(&publication.root).unwrap();
        fs::set_permissions(&publication.root, fs::Permissions::from_mode(0o555)).unwrap();
        if File::create(publication.root.join("x")).is_ok() {
            return; // Root may write everywhere.
        }
        let fault = publication.run().unwrap_err();
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.hint.unwrap().contains("writable"));
    }
}

//! What is installed in a workspace: looking at it, proving it, replacing it.
//!
//! The stamp beside the binaries says what they are. The record beside them, sealed by this user's
//! forge, says that forge put them there, and under which `stat` data they were last hashed; what was
//! learned since then stands in a newer record in `.forge/state`. Without such a record only
//! `forge.lock` can vouch for what lies there.
//!
//! Everything is put into place below a handle of the workspace's folder, and no link in the way is
//! followed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    disk::{Folder, MOST_OF_TEXT, Staging, is_absent, read_text},
    manifest::{parse_stamp, render_stamp},
    model::{ArtifactId, BinaryName, ContentSum, Fault, FileStat, Layout, Platform, Stamp},
};

use super::{
    own::{existing_forge_folder, forge_folder},
    proof::{self, Unproven},
    record::ArtifactRecord,
    seal::SealKey,
};

/// The record as it was when the artifact was installed, beside its binaries: it comes into
/// place with them, in one step.
const CAME_WITH: &str = ".record";

/// The second digest of each binary.
type Sums = BTreeMap<BinaryName, ContentSum>;

/// What a look at an installed artifact found.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, and never kept")]
pub enum Installed {
    /// Nothing is installed.
    Absent,
    /// The binaries are what the stamp says.
    Intact {
        /// What is known of it.
        record: ArtifactRecord,
        /// Whether this user's forge installed it, by a record that it sealed. If not, the stamp may
        /// be anybody's.
        is_ours: bool,
        /// Whether the record differs from the one on disk, so that writing it saves work next time.
        relearned: bool,
    },
    /// The binaries are not what the stamp says, or there is no usable stamp.
    Damaged(String),
}

/// Where one artifact is installed.
#[derive(Clone, Debug)]
pub struct InstallPlace {
    /// The folder with binaries and stamp.
    pub folder: PathBuf,
    /// The file with the record, if more is known than when it was installed.
    pub record: PathBuf,
}

impl InstallPlace {
    /// The place of `id`.
    pub fn for_artifact(layout: &Layout, id: &ArtifactId) -> Self {
        Self { folder: layout.installed_artifact(id), record: layout.record(id) }
    }

    /// What is known of what was installed here last, if forge with this `key` installed it.
    pub fn known(&self, key: &SealKey) -> Option<ArtifactRecord> {
        ArtifactRecord::read(&self.record, key).or_else(|| self.came_with(key))
    }

    fn came_with(&self, key: &SealKey) -> Option<ArtifactRecord> {
        ArtifactRecord::read(&self.folder.join(CAME_WITH), key)
    }
}

/// Looks at what is installed, by `stat` alone where that is enough. Writes nothing.
pub fn inspect(place: &InstallPlace, key: &SealKey) -> Installed {
    match place.known(key) {
        Some(record) if stats(&place.folder, &record.stamp).as_ref() == Ok(&record.files) => {
            Installed::Intact { record, is_ours: true, relearned: false }
        }
        record => {
            let sums = record.as_ref().map(|record| record.sums.clone()).unwrap_or_default();
            prove(place, record, &sums, key)
        }
    }
}

/// Works out the SHA-256 of everything that is installed, whatever `stat` says. Writes nothing.
pub fn rehash(place: &InstallPlace, key: &SealKey) -> Installed {
    prove(place, place.known(key), &Sums::new(), key)
}

/// Compares the files with their stamp, by their `sums` if those are known and right.
fn prove(
    place: &InstallPlace,
    known: Option<ArtifactRecord>,
    sums: &Sums,
    key: &SealKey,
) -> Installed {
    let text = match read_text(&place.folder.join(Stamp::FILE), MOST_OF_TEXT) {
        Ok(text) => text,
        Err(error) if is_absent(&error) && !place.folder.exists() => {
            return Installed::Absent;
        }
        Err(error) => return Installed::Damaged(format!("its stamp cannot be read: {error}")),
    };
    let stamp = match parse_stamp(&text) {
        Ok(stamp) => stamp,
        Err(why) => return Installed::Damaged(format!("its stamp is damaged: {why}")),
    };
    let files = match prove_binaries(&place.folder, &stamp, sums) {
        Ok(files) => files,
        Err(why) => return Installed::Damaged(why),
    };
    // What the old record knows of the release and of the build's length stays true
    // as long as it speaks of the same artifact. Whoever was killed right after the exchange
    // left the newer record of what was there before.
    let is_same = |record: &ArtifactRecord| record.stamp == stamp;
    let came_with_it = || place.came_with(key).filter(is_same);
    let known = known.filter(is_same);
    let relearned = known.as_ref().is_none_or(|record| record.files != files);
    match known.or_else(came_with_it) {
        Some(record) => Installed::Intact {
            record: ArtifactRecord { files, ..record },
            is_ours: true,
            relearned,
        },
        None => Installed::Intact {
            record: ArtifactRecord::unknown(stamp, files),
            is_ours: false,
            relearned,
        },
    }
}

/// Hashes the binaries, and says what `stat` says of each and of the stamp.
fn prove_binaries(
    folder: &Path,
    stamp: &Stamp,
    sums: &Sums,
) -> Result<BTreeMap<String, FileStat>, String> {
    let open = |name: &Path| Folder::open(folder)?.open_file(name);
    let mut files = BTreeMap::new();
    for (name, sha256) in &stamp.binaries {
        let proven = open(name.as_ref())
            .map_err(Unproven::Unreadable)
            .and_then(|file| proof::prove(file, *sha256, sums.get(name)));
        let stat = proven.map_err(|why| match why {
            Unproven::Unreadable(error) if is_absent(&error) => {
                format!("`{name}` is missing")
            }
            Unproven::Differs { found, wanted } => format!(
                "`{name}` was changed: its sha256 is {}, the stamp says {}",
                found.short(),
                wanted.short()
            ),
            why => format!("`{name}`: {why}"),
        })?;
        files.insert(name.to_string(), stat);
    }
    files.insert(Stamp::FILE.to_owned(), stat_of(folder, Stamp::FILE)?);
    Ok(files)
}

/// What `stat` says of the stamp and each binary.
fn stats(folder: &Path, stamp: &Stamp) -> Result<BTreeMap<String, FileStat>, String> {
    let names = stamp.binaries.keys().map(BinaryName::as_str).chain([Stamp::FILE]);
    names.map(|name| Ok((name.to_owned(), stat_of(folder, name)?))).collect()
}

fn stat_of(folder: &Path, name: &str) -> Result<FileStat, String> {
    let metadata = fs::symlink_metadata(folder.join(name));
    metadata
        .map(|metadata| FileStat::from_metadata(&metadata))
        .map_err(|error| format!("`{name}` cannot be read: {error}"))
}

/// Installs the binaries that lie, proven, in `staging`: adds the stamp, makes everything
/// read-only, and puts the folder in place in one step. Returns the record, which is
/// also on disk, sealed with `key`.
///
/// Killed before the exchange, the old artifact is untouched; killed after it, the next
/// look may find a newer record of the old one, proves the new artifact by its own stamp, and takes
/// what else is known of it from the record that came with it.
pub fn install(
    layout: &Layout,
    id: &ArtifactId,
    staging: &Staging,
    mut record: ArtifactRecord,
    key: &SealKey,
) -> Result<ArtifactRecord, Fault> {
    let place = InstallPlace::for_artifact(layout, id);
    let before = place.known(key);
    // How long it took to build is worth knowing even if this one was not built here.
    record.build_seconds =
        record.build_seconds.or(before.as_ref().and_then(|before| before.build_seconds));
    let what = || format!("cannot install {id} into {}", place.folder.display());
    let fault = |e: &io::Error| Fault::io(what(), e);
    complete(staging.folder(), &mut record, key).map_err(|e| fault(&e))?;
    let forge = forge_folder(layout)?;
    staging.exchange(&forge, &place.folder).map_err(|e| fault(&e))?;
    if id.platform == Platform::host() {
        publish_links(&forge, layout, id, &record, before.as_ref()).map_err(|e| fault(&e))?;
    }
    match forge.remove_file(&place.record) {
        Err(error) if !is_absent(&error) => Err(fault(&error)),
        _ => Ok(record),
    }
}

/// Makes the binaries in `staging` read-only, and adds the stamp and the record.
fn complete(folder: &Folder, record: &mut ArtifactRecord, key: &SealKey) -> io::Result<()> {
    record.files.clear();
    for name in record.stamp.binaries.keys() {
        let mut file = folder.open_file(name.as_ref())?;
        record.files.insert(name.to_string(), made_read_only(&file, 0o555)?);
        if !record.sums.contains_key(name) {
            record.sums.insert(name.clone(), proof::sum_of(&mut file)?);
        }
    }
    let stamp = write_new(folder, Stamp::FILE, render_stamp(&record.stamp).as_bytes())?;
    record.files.insert(Stamp::FILE.to_owned(), made_read_only(&stamp, 0o444)?);
    write_new(folder, CAME_WITH, &record.sealed_installed(key)).map(drop)
}

/// Writes a file that replaces what a build or an asset put there under its name.
fn write_new(folder: &Folder, name: &str, bytes: &[u8]) -> io::Result<File> {
    match folder.remove_all(Path::new(name)) {
        Err(error) if !is_absent(&error) => return Err(error),
        _ => {}
    }
    let mut file = folder.create_new(Path::new(name), 0o644)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Gives the file this mode, and says what `stat` says of it then.
fn made_read_only(file: &File, mode: u32) -> io::Result<FileStat> {
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o7777 == mode {
        return Ok(FileStat::from_metadata(&metadata));
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok(FileStat::from_metadata(&file.metadata()?))
}

/// Puts a link to each binary into `.forge/bin`, and removes those of binaries that
/// the artifact had before and has no longer.
fn publish_links(
    forge: &Folder,
    layout: &Layout,
    id: &ArtifactId,
    record: &ArtifactRecord,
    before: Option<&ArtifactRecord>,
) -> io::Result<()> {
    for name in record.stamp.binaries.keys() {
        link_binary(forge, layout, id, name)?;
    }
    let gone = before.into_iter().flat_map(|before| before.stamp.binaries.keys());
    for name in gone.filter(|name| !record.stamp.binaries.contains_key(*name)) {
        remove_link(forge, layout, id, name);
    }
    Ok(())
}

/// Removes the link to a binary from `.forge/bin`, if it is this artifact's.
fn remove_link(forge: &Folder, layout: &Layout, id: &ArtifactId, name: &BinaryName) {
    let link = layout.bin().join(name);
    if forge.read_link(&link).is_ok_and(|target| target == link_target(id, name)) {
        let _ = forge.remove_file(&link);
    }
}

fn link_target(id: &ArtifactId, binary: &BinaryName) -> PathBuf {
    Path::new("../installed").join(id.name.file_name()).join(binary)
}

/// Makes `.forge/bin/<binary>` a link to the installed binary, if it is not one yet.
fn link_binary(
    forge: &Folder,
    layout: &Layout,
    id: &ArtifactId,
    binary: &BinaryName,
) -> io::Result<()> {
    let (link, target) = (layout.bin().join(binary), link_target(id, binary));
    match forge.symlink(&target, &link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    if forge.read_link(&link).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let (staging, new) = (Staging::new(forge, &layout.staging())?, Path::new("link"));
    staging.folder().symlink(&target, new)?;
    staging.folder().rename(new, forge, &link)
}

/// Whether every link of an installed artifact is in `.forge/bin`.
pub fn links_are_there(layout: &Layout, id: &ArtifactId, record: &ArtifactRecord) -> bool {
    id.platform != Platform::host()
        || record.stamp.binaries.keys().all(|name| {
            fs::read_link(layout.bin().join(name)).is_ok_and(|found| found == link_target(id, name))
        })
}

/// Brings back the links and the record of an artifact that is installed and intact.
pub fn repair(
    layout: &Layout,
    id: &ArtifactId,
    record: &ArtifactRecord,
    key: &SealKey,
) -> Result<(), Fault> {
    if id.platform == Platform::host() {
        publish_links(&forge_folder(layout)?, layout, id, record, None)
            .map_err(|e| Fault::io(format!("cannot link {id} into .forge/bin"), &e))?;
    }
    remember(layout, id, record, key)
}

/// Writes down what is known of an installed artifact now.
pub fn remember(
    layout: &Layout,
    id: &ArtifactId,
    record: &ArtifactRecord,
    key: &SealKey,
) -> Result<(), Fault> {
    record.write(layout, &layout.record(id), key)
}

/// Removes an installed artifact, its links and its record.
pub fn uninstall(layout: &Layout, id: &ArtifactId, key: &SealKey) -> Result<(), Fault> {
    let place = InstallPlace::for_artifact(layout, id);
    let fault = |e: &io::Error| Fault::io(format!("cannot remove {}", place.folder.display()), e);
    let Some(forge) = existing_forge_folder(layout)? else { return Ok(()) };
    if let Some(record) = place.known(key) {
        for name in record.stamp.binaries.keys() {
            remove_link(&forge, layout, id, name);
        }
    }
    let _ = forge.remove_file(&place.record);
    match forge.remove_all(&place.folder) {
        Err(error) if !is_absent(&error) => Err(fault(&error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{archive::hash_file, cache::record::tests::sample, model::Name};

    struct InstalledSample {
        dir: tempfile::TempDir,
        key: SealKey,
        layout: Layout,
        id: ArtifactId,
    }

    fn installed(text: &str) -> InstalledSample {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        let id = ArtifactId { name: Name::new("nats").unwrap(), platform: Platform::host() };
        let key = SealKey::in_folder(&dir.path().join("data"));
        let it = InstalledSample { dir, key, layout, id };
        it.install(text);
        it
    }

    impl InstalledSample {
        fn install(&self, text: &str) {
            let staging = crate::cache::stage(&self.layout).unwrap();
            fs::write(staging.path().join("nats"), text).unwrap();
            let mut record = sample();
            let (sha256, _) = hash_file(&staging.path().join("nats")).unwrap();
            record.stamp.binaries.insert(BinaryName::new("nats").unwrap(), sha256);
            install(&self.layout, &self.id, &staging, record, &self.key).unwrap();
        }

        fn place(&self) -> InstallPlace {
            InstallPlace::for_artifact(&self.layout, &self.id)
        }

        fn inspect(&self) -> Installed {
            inspect(&self.place(), &self.key)
        }
    }

    #[test]
    fn what_is_installed_is_intact_and_on_the_path() {
        let it = installed("#!/bin/sh\n");
        assert!(matches!(it.inspect(), Installed::Intact { relearned: false, .. }));
        assert!(matches!(rehash(&it.place(), &it.key), Installed::Intact { relearned: false, .. }));
        assert_eq!(fs::read_to_string(it.layout.bin().join("nats")).unwrap(), "#!/bin/sh\n");
    }

    #[test]
    fn installing_again_replaces_and_leaves_no_staging() {
        let it = installed("#!/bin/sh\n");
        it.install("#!/bin/sh\nexit 1\n");
        assert_eq!(
            fs::read_to_string(it.layout.bin().join("nats")).unwrap(),
            "#!/bin/sh\nexit 1\n"
        );
        assert_eq!(fs::read_dir(it.layout.staging()).unwrap().count(), 0);
    }

    #[test]
    fn killed_between_exchange_and_record_nothing_that_is_known_is_lost() {
        let it = installed("#!/bin/sh\n");
        let old = it.place().known(&it.key).unwrap();
        it.install("#!/bin/sh\nexit 1\n");
        let new = it.place().known(&it.key).unwrap();
        for left in [Some(old), None] {
            let _ = fs::remove_file(&it.place().record);
            if let Some(old) = left {
                old.write(&it.layout, &it.place().record, &it.key).unwrap();
            }
            let Installed::Intact { record, .. } = it.inspect() else { panic!("intact") };
            assert_eq!((&record, record.made.is_some()), (&new, true));
        }
    }

    #[test]
    fn a_changed_binary_is_damage_even_with_size_mode_and_time_restored() {
        let it = installed("#!/bin/sh\n");
        let file = it.place().folder.join("nats");
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&file, "#!/bin/no\n").unwrap();
        assert!(matches!(it.inspect(), Installed::Damaged(_)));
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o555)).unwrap();
        assert!(matches!(it.inspect(), Installed::Damaged(_)), "ctime is nobody's to set");
    }

    #[test]
    fn of_two_records_one_may_be_lost_or_damaged() {
        let it = installed("#!/bin/sh\n");
        let is_known =
            || matches!(it.inspect(), Installed::Intact { relearned: false, is_ours: true, .. });
        let record = it.place().known(&it.key).unwrap();
        for lost in [it.place().record, it.place().folder.join(CAME_WITH)] {
            remember(&it.layout, &it.id, &record, &it.key).unwrap();
            assert!(is_known());
            let _ = fs::set_permissions(&lost, fs::Permissions::from_mode(0o644));
            fs::write(&lost, "garbage").unwrap();
            assert!(is_known(), "{}", lost.display());
            fs::remove_file(&lost).unwrap();
            assert!(is_known(), "{}", lost.display());
        }
    }

    #[test]
    fn without_a_record_of_ours_the_stamp_may_be_anybodys() {
        let it = installed("#!/bin/sh\n");
        let other = SealKey::in_folder(&it.dir.path().join("other"));
        let place = it.place();
        let Installed::Intact { record, is_ours, .. } = inspect(&place, &other) else {
            panic!("the binaries are what the stamp says")
        };
        assert!(!is_ours);
        assert_eq!((record.made, record.release), (None, None));
    }

    #[test]
    fn nothing_is_installed_through_a_link() {
        for planted in ["installed", "bin", "state"] {
            let it = installed("#!/bin/sh\n");
            let elsewhere = it.dir.path().join("elsewhere");
            let folder = it.layout.forge().join(planted);
            fs::create_dir(&elsewhere).unwrap();
            Folder::open(it.dir.path()).unwrap().remove_all(&folder).unwrap();
            std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
            let forge = forge_folder(&it.layout).unwrap();
            let staging = Staging::new(&forge, Path::new("half-made")).unwrap();
            fs::write(staging.path().join("nats"), "#!/bin/sh\n").unwrap();
            let installed = install(&it.layout, &it.id, &staging, sample(), &it.key);
            let name = BinaryName::new("nats").unwrap();
            let linked = link_binary(&forge, &it.layout, &it.id, &name);
            assert!(installed.is_err() || linked.is_err(), "{planted}");
            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{planted}");
        }
    }
}

//! What is installed in a workspace: looking at it, proving it, replacing it.
//!
//! The stamp beside the binaries is the truth. The record in `.forge/state` only
//! remembers under which `stat` data that truth was last proven.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    archive::hash_file,
    disk::{Folder, MOST_OF_TEXT, Staging, is_absent, read_text},
    manifest::{parse_stamp, render_stamp},
    model::{ArtifactId, Fault, FileStat, Layout, Platform, Stamp},
};

use super::{
    own::{existing_forge_folder, forge_folder},
    record::Record,
};

/// The record as it was when the artifact was installed, beside its binaries: it comes into
/// place with them, in one step.
const CAME_WITH: &str = ".record";

/// What a look at an installed artifact found.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, and never kept")]
pub enum Installed {
    /// Nothing is installed.
    Absent,
    /// The binaries are what the stamp says.
    Intact {
        /// What is known of it.
        record: Record,
        /// Whether the record differs from the one on disk, so that writing it saves work next time.
        relearned: bool,
    },
    /// The binaries are not what the stamp says, or there is no usable stamp.
    Damaged(String),
}

/// Where one artifact is installed.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder with binaries and stamp.
    pub folder: PathBuf,
    /// The file with the record.
    pub record: PathBuf,
}

impl Place {
    /// The place of `id`.
    pub fn of(layout: &Layout, id: &ArtifactId) -> Self {
        Self { folder: layout.installed_artifact(id), record: layout.record(id) }
    }
}

/// Looks at what is installed, by `stat` alone where that is enough. Writes nothing.
pub fn inspect(place: &Place) -> Installed {
    match Record::read(&place.record) {
        Some(record) if stats(&place.folder, &record.stamp).as_ref() == Ok(&record.files) => {
            Installed::Intact { record, relearned: false }
        }
        record => prove(place, record),
    }
}

/// Hashes everything that is installed, whatever `stat` says. Writes nothing.
pub fn rehash(place: &Place) -> Installed {
    prove(place, Record::read(&place.record))
}

fn prove(place: &Place, known: Option<Record>) -> Installed {
    let text = match read_text(&place.folder.join(Stamp::FILE), MOST_OF_TEXT) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !place.folder.exists() => {
            return Installed::Absent;
        }
        Err(error) => return Installed::Damaged(format!("its stamp cannot be read: {error}")),
    };
    let stamp = match parse_stamp(&text) {
        Ok(stamp) => stamp,
        Err(why) => return Installed::Damaged(format!("its stamp is damaged: {why}")),
    };
    if let Err(why) = prove_binaries(&place.folder, &stamp) {
        return Installed::Damaged(why);
    }
    let files = match stats(&place.folder, &stamp) {
        Ok(files) => files,
        Err(why) => return Installed::Damaged(why),
    };
    // What the old record knows of the release and of the build's length stays true
    // as long as it speaks of the same artifact. Whoever was killed right after the exchange
    // left the record that came with the artifact.
    let is_same = |record: &Record| record.stamp == stamp;
    let came_with_it = || Record::read(&place.folder.join(CAME_WITH)).filter(is_same);
    let known = known.filter(is_same);
    let relearned = known.as_ref().is_none_or(|record| record.files != files);
    let same = known.or_else(came_with_it);
    let record = match same {
        Some(record) => Record { files, ..record },
        None => Record::unknown(stamp, files),
    };
    Installed::Intact { record, relearned }
}

fn prove_binaries(folder: &Path, stamp: &Stamp) -> Result<(), String> {
    for (name, sha256) in &stamp.binaries {
        match hash_file(&folder.join(name)) {
            Ok((found, _)) if found == *sha256 => {}
            Ok((found, _)) => {
                return Err(format!(
                    "`{name}` was changed: its sha256 is {}, the stamp says {}",
                    found.short(),
                    sha256.short()
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("`{name}` is missing"));
            }
            Err(error) => return Err(format!("`{name}` cannot be read: {error}")),
        }
    }
    Ok(())
}

/// What `stat` says of the stamp and each binary.
fn stats(folder: &Path, stamp: &Stamp) -> Result<BTreeMap<String, FileStat>, String> {
    let names = stamp.binaries.keys().map(String::as_str).chain([Stamp::FILE]);
    names
        .map(|name| match fs::metadata(folder.join(name)) {
            Ok(metadata) => Ok((name.to_owned(), FileStat::of(&metadata))),
            Err(error) => Err(format!("`{name}` cannot be read: {error}")),
        })
        .collect()
}

/// Installs the binaries that lie, proven, in `staging`: adds the stamp, makes everything
/// read-only, and puts the folder in place in one step. Returns the record, which is
/// also on disk.
///
/// Killed before the exchange, the old artifact is untouched; killed after it, the next
/// look finds an outdated record, proves the new artifact by its own stamp, and takes what else is
/// known of it from the record that came with it.
pub fn install(
    layout: &Layout,
    id: &ArtifactId,
    staging: &Staging,
    mut record: Record,
) -> Result<Record, Fault> {
    let place = Place::of(layout, id);
    let before = Record::read(&place.record);
    // How long it took to build is worth knowing even if this one was not built here.
    record.build_seconds =
        record.build_seconds.or(before.as_ref().and_then(|before| before.build_seconds));
    let seal = || -> io::Result<()> {
        for name in record.stamp.binaries.keys() {
            set_mode(&staging.path().join(name), 0o555)?;
        }
        let stamp = staging.path().join(Stamp::FILE);
        let _ = fs::remove_file(&stamp);
        fs::write(&stamp, render_stamp(&record.stamp))?;
        set_mode(&stamp, 0o444)
    };
    let fault = |e: &io::Error| {
        Fault::io(format!("cannot install {id} into {}", place.folder.display()), e)
    };
    seal().map_err(|e| fault(&e))?;
    record.files = stats(staging.path(), &record.stamp).map_err(|why| {
        Fault::new(crate::model::Kind::Failed, why)
            .within(format!("cannot install {id} into {}", place.folder.display()))
    })?;
    fs::write(staging.path().join(CAME_WITH), record.to_bytes()).map_err(|e| fault(&e))?;
    let forge = forge_folder(layout)?;
    staging.exchange(&forge, &place.folder).map_err(|e| fault(&e))?;
    if id.platform == Platform::host() {
        publish_links(&forge, layout, id, &record, before.as_ref()).map_err(|e| fault(&e))?;
    }
    record.write(layout, &place.record)?;
    Ok(record)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Puts a link to each binary into `.forge/bin`, and removes those of binaries that
/// the artifact had before and has no longer.
fn publish_links(
    forge: &Folder,
    layout: &Layout,
    id: &ArtifactId,
    record: &Record,
    before: Option<&Record>,
) -> io::Result<()> {
    for name in record.stamp.binaries.keys() {
        link_binary(forge, layout, id, name)?;
    }
    let gone = before.into_iter().flat_map(|before| before.stamp.binaries.keys());
    for name in gone.filter(|name| !record.stamp.binaries.contains_key(*name)) {
        unlink_binary(forge, layout, id, name);
    }
    Ok(())
}

/// Removes the link to a binary, if it is one of this artifact's.
fn unlink_binary(forge: &Folder, layout: &Layout, id: &ArtifactId, name: &str) {
    let link = layout.bin().join(name);
    if forge.read_link(&link).is_ok_and(|target| target == link_target(id, name)) {
        let _ = forge.remove_file(&link);
    }
}

fn link_target(id: &ArtifactId, binary: &str) -> PathBuf {
    Path::new("../installed").join(id.name.file_name()).join(binary)
}

/// Makes `.forge/bin/<binary>` a link to the installed binary, if it is not one yet.
fn link_binary(forge: &Folder, layout: &Layout, id: &ArtifactId, binary: &str) -> io::Result<()> {
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
pub fn links_are_there(layout: &Layout, id: &ArtifactId, record: &Record) -> bool {
    id.platform != Platform::host()
        || record.stamp.binaries.keys().all(|name| {
            fs::read_link(layout.bin().join(name)).is_ok_and(|found| found == link_target(id, name))
        })
}

/// Brings back the links and the record of an artifact that is installed and intact.
pub fn repair(layout: &Layout, id: &ArtifactId, record: &Record) -> Result<(), Fault> {
    if id.platform == Platform::host() {
        publish_links(&forge_folder(layout)?, layout, id, record, None)
            .map_err(|e| Fault::io(format!("cannot link {id} into .forge/bin"), &e))?;
    }
    record.write(layout, &layout.record(id))
}

/// Removes an installed artifact, its links and its record.
pub fn uninstall(layout: &Layout, id: &ArtifactId) -> Result<(), Fault> {
    let place = Place::of(layout, id);
    let Some(forge) = existing_forge_folder(layout)? else { return Ok(()) };
    if let Some(record) = Record::read(&place.record) {
        for name in record.stamp.binaries.keys() {
            unlink_binary(&forge, layout, id, name);
        }
    }
    let _ = forge.remove_file(&place.record);
    match forge.remove_all(&place.folder) {
        Err(error) if !is_absent(&error) => {
            Err(Fault::io(format!("cannot remove {}", place.folder.display()), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cache::record::tests::sample, model::Name};

    struct Box {
        _dir: tempfile::TempDir,
        layout: Layout,
        id: ArtifactId,
    }

    fn installed(text: &str) -> Box {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let id = ArtifactId { name: Name::new("nats").unwrap(), platform: Platform::host() };
        let it = Box { _dir: dir, layout, id };
        it.install(text);
        it
    }

    impl Box {
        fn install(&self, text: &str) {
            let staging = crate::cache::stage(&self.layout).unwrap();
            fs::write(staging.path().join("nats"), text).unwrap();
            let mut record = sample();
            let (sha256, _) = hash_file(&staging.path().join("nats")).unwrap();
            record.stamp.binaries.insert("nats".into(), sha256);
            install(&self.layout, &self.id, &staging, record).unwrap();
        }

        fn place(&self) -> Place {
            Place::of(&self.layout, &self.id)
        }
    }

    #[test]
    fn what_is_installed_is_intact_and_on_the_path() {
        let it = installed("#!/bin/sh\n");
        assert!(matches!(inspect(&it.place()), Installed::Intact { relearned: false, .. }));
        assert!(matches!(rehash(&it.place()), Installed::Intact { relearned: false, .. }));
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
        let old = fs::read(&it.place().record).unwrap();
        it.install("#!/bin/sh\nexit 1\n");
        let new = Record::read(&it.place().record).unwrap();
        for lost in [Some(old), None] {
            let _ = fs::remove_file(&it.place().record);
            if let Some(old) = lost {
                fs::write(&it.place().record, old).unwrap();
            }
            let Installed::Intact { record, .. } = inspect(&it.place()) else { panic!("intact") };
            assert_eq!((&record, record.made.is_some()), (&new, true));
        }
    }

    #[test]
    fn a_changed_binary_is_damage_even_with_size_and_time_restored_under_rehash() {
        let it = installed("#!/bin/sh\n");
        let file = it.place().folder.join("nats");
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        set_mode(&file, 0o755).unwrap();
        fs::write(&file, "#!/bin/no\n").unwrap();
        assert!(matches!(inspect(&it.place()), Installed::Damaged(_)));
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        assert!(matches!(rehash(&it.place()), Installed::Damaged(_)));
    }

    #[test]
    fn a_lost_or_damaged_record_is_learned_again_from_the_stamp() {
        let it = installed("#!/bin/sh\n");
        fs::write(it.place().record, "garbage").unwrap();
        assert!(matches!(inspect(&it.place()), Installed::Intact { relearned: true, .. }));
        fs::remove_file(it.place().record).unwrap();
        assert!(matches!(inspect(&it.place()), Installed::Intact { relearned: true, .. }));
    }

    #[test]
    fn a_stamp_with_garbage_is_damage_not_a_crash() {
        let it = installed("#!/bin/sh\n");
        let stamp = it.place().folder.join(Stamp::FILE);
        fs::remove_file(&stamp).unwrap();
        fs::write(&stamp, "\u{0}garbage: [").unwrap();
        assert!(matches!(inspect(&it.place()), Installed::Damaged(_)));
    }

    #[test]
    fn nothing_installed_is_absent() {
        let it = installed("#!/bin/sh\n");
        uninstall(&it.layout, &it.id).unwrap();
        assert_eq!(inspect(&it.place()), Installed::Absent);
        assert!(fs::symlink_metadata(it.layout.bin().join("nats")).is_err());
    }
}

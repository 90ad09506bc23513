//! The `.forge` of a workspace: its handle, and what is written by way of it.
//!
//! A repository can bring a `.forge`, so nothing in it is followed. `.forge` itself may be a link that
//! the user made, to keep it on another disk; since a repository can bring such a link too, it counts
//! only if the environment, which no repository sets, says where such links may lead.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    disk::{EntryKind, Folder, StagedFile, Staging, in_tree},
    model::{Fault, Kind, Layout, normal_path},
};

/// The variable that names the folders into which a `.forge` that is a symbolic link may lead.
const LINKED: &str = "FORGE_LINKED_DIRS";

/// What marks a folder that backups need not keep, as <https://bford.info/cachedir/> has it.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder was made by forge; it may be deleted.\n";

/// The `.forge` of the workspace at `layout`, made if it is not there.
///
/// # Errors
/// If it cannot be made, or if it is a link that the environment does not allow.
pub fn forge_folder(layout: &Layout) -> Result<Folder, Fault> {
    let path = layout.forge();
    let failed = |error: io::Error| Fault::io(format!("cannot make {}", path.display()), &error);
    let root = Folder::open(layout.root()).map_err(failed)?;
    match root.entry(&path).map_err(failed)?.map(|entry| entry.kind) {
        Some(EntryKind::Link) => linked(&path, layout.user().linked()),
        Some(_) => root.make_folder(&path).map_err(failed),
        None => {
            let folder = root.make_folder(&path).map_err(failed)?;
            hide(layout, &folder).map_err(failed)?;
            Ok(folder)
        }
    }
}

/// Says to git and to backups that what is in the new `.forge` is made.
fn hide(layout: &Layout, forge: &Folder) -> io::Result<()> {
    for (name, text) in [(".gitignore", "*\n"), ("CACHEDIR.TAG", CACHE_TAG)] {
        let path = layout.forge().join(name);
        // Another forge may be quicker.
        forge.replace(&path, text.as_bytes(), &layout.staging(), false)?;
    }
    Ok(())
}

/// As [`forge_folder`], if it is there. Makes nothing.
///
/// # Errors
/// As [`forge_folder`].
pub fn existing_forge_folder(layout: &Layout) -> Result<Option<Folder>, Fault> {
    match fs::symlink_metadata(layout.forge()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => forge_folder(layout).map(Some),
    }
}

/// The folder that the link at `path` leads to, if it lies in one of the folders `allowed`.
fn linked(path: &Path, allowed: &[PathBuf]) -> Result<Folder, Fault> {
    let failed = |error: io::Error| Fault::io(format!("cannot open {}", path.display()), &error);
    let target = path.canonicalize().map_err(failed)?;
    let is_allowed = |folder: &PathBuf| {
        folder.is_absolute() && folder.canonicalize().is_ok_and(|folder| target.starts_with(folder))
    };
    if allowed.iter().any(is_allowed) {
        return Folder::open(path).map_err(failed);
    }
    let path = path.display();
    let holder = target.parent().unwrap_or(&target).display();
    Err(Fault::new(Kind::Failed, format!("{path} is a symbolic link to {}", target.display()))
        .because("a repository can bring such a link, so forge writes nothing through it")
        .hint(format!(
            "if you made it, run forge with {LINKED}={holder} in its environment; else `rm {path}`"
        )))
}

/// A new folder for half-made things of the workspace at `layout`.
///
/// # Errors
/// If it cannot be made.
pub fn stage(layout: &Layout) -> Result<Staging, Fault> {
    let path = layout.staging();
    Staging::new(&forge_folder(layout)?, &path)
        .map_err(|error| Fault::io(format!("cannot make a folder in {}", path.display()), &error))
}

/// Removes what killed processes left half-made in the workspace at `layout`.
pub fn sweep_staging(layout: &Layout) {
    // Whoever makes something reports what is wrong with `.forge`.
    if let Ok(Some(folder)) = existing_forge_folder(layout) {
        Staging::sweep(&folder, &layout.staging(), Duration::ZERO);
    }
}

/// Makes the folder `path` below `.forge`, with its parents.
///
/// # Errors
/// If it cannot be made.
pub fn make_folder(layout: &Layout, path: &Path) -> Result<Folder, Fault> {
    forge_folder(layout)?
        .make_folder(path)
        .map_err(|error| Fault::io(format!("cannot make {}", path.display()), &error))
}

/// Makes the file `path` below `.forge` hold `bytes`, in one step.
///
/// # Errors
/// If it cannot be written.
pub fn write_state(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    forge_folder(layout)?
        .replace(path, bytes, &layout.staging(), false)
        .map_err(|error| Fault::io(format!("cannot write {}", path.display()), &error))
}

/// Makes the file `path`, in a folder that a user named, hold `bytes`, in one step and synced. Links to
/// its folder are followed; one at its end is replaced.
///
/// # Errors
/// If it cannot be written.
pub fn replace_file(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::io(format!("cannot write {}", path.display()), &error);
    let name = Path::new(path.file_name().unwrap_or_default());
    let folder = Folder::make(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
    write_in_one_step(layout, &folder, name, bytes)
}

/// Makes the file `path`, which people keep in the workspace or name, hold `bytes`, in one step and
/// synced. It keeps its mode. Links are followed as long as they stay in the workspace, or in the folder
/// that was named outside of it: a repository can bring one that leads elsewhere.
///
/// # Errors
/// If it cannot be written, or is behind a link that leads out or nowhere.
pub fn rewrite_file(layout: &Layout, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::io(format!("cannot write {}", path.display()), &error);
    let is_own = normal_path(path).starts_with(layout.root());
    let named = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let root = if is_own { layout.root() } else { named.unwrap_or(Path::new(".")) };
    // What is named outside is the user's affair up to its folder.
    if !is_own {
        fs::create_dir_all(root).map_err(failed)?;
    }
    let (folder, place) = in_tree(root, path)
        .map_err(|error| failed(error).hint("nothing was written; put a file in its place"))?;
    write_in_one_step(layout, &folder, &place, bytes)
}

/// Makes the file `path` below `folder` hold `bytes`, in one step and synced; it keeps its mode.
fn write_in_one_step(
    layout: &Layout,
    folder: &Folder,
    path: &Path,
    bytes: &[u8],
) -> Result<(), Fault> {
    let write = |root: &Folder, half_made: &Path| {
        let before = folder.open_file(path).and_then(|file| file.metadata());
        let mut new = StagedFile::new(root, half_made, 0o666)?;
        if let Ok(before) = before {
            new.file().set_permissions(before.permissions())?;
        }
        new.write_all(bytes)?;
        new.file().sync_all()?;
        new.place(folder, path).map(drop)
    };
    let written = match write(&forge_folder(layout)?, &layout.staging()) {
        // The two are on different file systems, so it has to be written where it goes.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => write(folder, Path::new("")),
        other => other,
    };
    written.map_err(|error| {
        Fault::io(format!("cannot write {}", folder.path().join(path).display()), &error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_linked_forge_folder_counts_only_if_the_environment_says_where_it_may_lead() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("disk/forge")).unwrap();
        symlink("disk/forge", at(".forge")).unwrap();
        let fault = linked(&at(".forge"), &[]).unwrap_err();
        assert!(fault.hint.unwrap().contains(LINKED));
        assert!(linked(&at(".forge"), &[at("elsewhere")]).is_err());
        assert!(linked(&at(".forge"), &["disk".into()]).is_err(), "not absolute");
        let folder = linked(&at(".forge"), &[at("disk")]).unwrap();
        assert_eq!(folder.path(), at(".forge"));
        folder.make_folder(&at(".forge/state")).unwrap();
        assert!(at("disk/forge/state").is_dir());
    }

    #[test]
    fn a_planted_forge_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        symlink(elsewhere.path(), layout.forge()).unwrap();
        assert!(stage(&layout).is_err());
        assert!(write_state(&layout, &layout.state().join("x"), b"x").is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_the_user_is_replaced_and_a_link_in_its_place_too() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        fs::write(dir.path().join("precious"), "old").unwrap();
        symlink("precious", layout.lock()).unwrap();
        replace_file(&layout, &layout.lock(), b"new").unwrap();
        assert_eq!(fs::read_to_string(layout.lock()).unwrap(), "new");
        assert_eq!(fs::read_to_string(dir.path().join("precious")).unwrap(), "old");
        assert_eq!(fs::read_dir(layout.staging()).unwrap().count(), 0);
    }
}

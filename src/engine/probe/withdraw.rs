//! Taking off PATH what is installed and may not be used by this run.
//!
//! What is asked for is replaced when it is ensured. A task, however, finds everything in
//! `.forge/bin`, also what it does not say that it needs.

use std::{ffi::OsStr, fs, path::Path};

use crate::{
    cache::{InstallPlace, SealKey, existing_forge_folder},
    model::Fault,
    provenance::RunClass,
    workspace::Workspace,
};

use super::{distrust, leftover::artifact};

/// Removes from `.forge/bin` whatever a run that takes what runs of the class `takes` made may not
/// use, and whatever is not a link that forge made. A run that takes everything removes nothing.
///
/// # Errors
/// If a file cannot be removed.
pub fn withdraw_distrusted(
    workspace: &Workspace,
    key: &SealKey,
    takes: RunClass,
) -> Result<(), Fault> {
    if takes == RunClass::Untrusted {
        return Ok(());
    }
    let Some(forge) = existing_forge_folder(&workspace.layout)? else { return Ok(()) };
    let Ok(entries) = fs::read_dir(workspace.layout.bin()) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let target = forge.read_link(&path).ok();
        if !target.is_some_and(|target| may_be_used(workspace, key, takes, &target)) {
            forge
                .remove_file(&path)
                .map_err(|error| Fault::io(format!("cannot remove {}", path.display()), &error))?;
        }
    }
    Ok(())
}

/// Whether the installed binary that a link in `.forge/bin` leads to may be used.
fn may_be_used(workspace: &Workspace, key: &SealKey, takes: RunClass, target: &Path) -> bool {
    let folder = target.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    let Some(id) = folder.and_then(artifact) else { return false };
    let Some(record) = InstallPlace::for_artifact(&workspace.layout, &id).known(key) else {
        return false;
    };
    let locked = workspace.lock.get(&id.name, &record.stamp.version);
    let locked = locked.and_then(|locked| locked.assets.get(&id.platform));
    distrust(workspace, &record, locked, takes).is_none()
}

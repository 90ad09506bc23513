//! What is installed though the manifest names it no longer.

use std::fs;

use crate::{
    model::{ArtifactId, Name, Platform},
    workspace::Workspace,
};

/// The artifacts in `.forge/installed` whose subsystem is gone from the workspace, sorted.
pub fn leftovers(workspace: &Workspace) -> Vec<ArtifactId> {
    let Ok(entries) = fs::read_dir(workspace.layout.installed()) else { return Vec::new() };
    let installed = entries.flatten().filter_map(|entry| artifact(entry.file_name().to_str()?));
    let mut leftovers: Vec<_> =
        installed.filter(|id| !workspace.subsystems.contains_key(&id.name)).collect();
    leftovers.sort();
    leftovers
}

/// Reads the name of an installed artifact's folder: `nats`, `nats@linux-arm64`.
pub(super) fn artifact(folder: &str) -> Option<ArtifactId> {
    let (name, platform) = match folder.split_once('@') {
        Some((name, platform)) => (name, platform.parse().ok()?),
        None => (folder, Platform::host()),
    };
    Some(ArtifactId { name: Name::of_file(name).ok()?, platform })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Layout;

    #[test]
    fn folders_are_read_as_they_are_named() {
        let layout = Layout::at("/w".into());
        for platform in ["linux-arm64", "windows-386", &Platform::host().to_string()] {
            let id = ArtifactId {
                name: Name::new("d/a.b-c").unwrap(),
                platform: platform.parse().unwrap(),
            };
            let folder = layout.installed_artifact(&id);
            assert_eq!(artifact(folder.file_name().unwrap().to_str().unwrap()), Some(id));
        }
        assert_eq!(artifact(".tmp"), None);
        assert_eq!(artifact("a@nowhere"), None);
    }
}

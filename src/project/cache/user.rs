//! Which cache a workspace uses: the user's, or its own where the user has none.

use std::path::Path;

use rustix::fs::{Access, access};

use super::{Cache, SealKey};
use crate::model::{Fault, Kind, Layout};

impl Cache {
    /// The user's cache; where there is no home folder, or none that may be written to, a cache in the
    /// `.forge` of the workspace at `layout`, and why it is used. A folder that the user names with
    /// `FORGE_CACHE_DIR` is taken as it is.
    #[must_use]
    pub fn for_workspace(layout: &Layout) -> (Self, Option<Fault>) {
        let user = layout.user();
        let is_named = user.is_cache_named();
        let why = match Self::of_user(user) {
            Ok(cache) if is_named || can_be_made(cache.root()) => return (cache, None),
            Ok(cache) => format!("{} cannot be made or written to", cache.root().display()),
            Err(fault) => fault.why.first().cloned().unwrap_or(fault.what),
        };
        let own = layout.state().join("cache");
        let fault = Fault::new(Kind::Failed, "there is no cache that workspaces share")
            .because(why)
            .hint("set FORGE_CACHE_DIR to a folder of yours; until then this workspace keeps a cache of its own");
        (Self::new(own, SealKey::of_user(user)), Some(fault))
    }
}

/// Whether the folder at `root` can be written to, or made.
pub(super) fn can_be_made(root: &Path) -> bool {
    let is_there = |place: &&Path| place.symlink_metadata().is_ok();
    let there = root.ancestors().find(is_there).unwrap_or(Path::new("/"));
    // Neither /proc nor /sys takes new folders, whatever their permissions say.
    let is_of_system = there.starts_with("/proc") || there.starts_with("/sys");
    there.is_dir() && !is_of_system && access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_usable_if_it_can_be_made() {
        let temp = tempfile::tempdir().unwrap();
        assert!(can_be_made(&temp.path().join("a/b")));
        std::fs::write(temp.path().join("file"), "").unwrap();
        assert!(!can_be_made(&temp.path().join("file/b")));
        assert!(!can_be_made(Path::new("/dev/null/forge")));
        assert!(!can_be_made(Path::new("/proc/nope/.cache/forge")));
        std::os::unix::fs::symlink("loop", temp.path().join("loop")).unwrap();
        assert!(!can_be_made(&temp.path().join("loop/x")));
    }
}

//! From a folder to a workspace: finds it, reads its files, makes every check.

use std::path::{Path, PathBuf};

use super::Workspace;
use crate::model::{Fault, Kind, Platform, Problems};

/// Why a workspace could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// People wrote something that does not hold together: all of it.
    Problems(Problems),
    /// The files could not be read.
    Fault(Fault),
}

/// The workspace that `from` is in: the nearest folder, upwards, that holds a `versions.yml`.
///
/// # Errors
/// When there is none; the hint says how to make one.
pub fn find_root(from: &Path) -> Result<PathBuf, Fault> {
    Err(Fault::new(Kind::Usage, format!("no `versions.yml` in {}", from.display())))
}

/// Loads the workspace at `root` for `platform`, with the variables forge was started with.
///
/// # Errors
/// All that is wrong in its files, at once; or why they could not be read.
pub fn load(root: &Path, platform: Platform) -> Result<Workspace, LoadError> {
    load_with(root, platform, &|name| std::env::var(name).ok())
}

/// [`load`], with `environment` to look variables up.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    root: &Path,
    platform: Platform,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<Workspace, LoadError> {
    let _ = (root, platform, environment);
    Err(LoadError::Fault(Fault::new(Kind::Failed, "not loaded")))
}

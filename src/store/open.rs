//! From a store's URL to the backend that serves it.

use std::sync::Arc;

use super::{Settings, Store, StoreUrl};
use crate::model::Fault;

/// Opens the store at `url`. Touches neither disk nor network yet.
///
/// # Errors
/// `Usage` if this forge has no backend for the URL, `Failed` if a path cannot be made
/// absolute.
pub fn open(url: &StoreUrl, settings: &Settings) -> Result<Arc<dyn Store>, Fault> {
    todo!("{url} {settings:?}")
}

/// The store of a workspace whose manifest names none: a folder for `project` below
/// `$FORGE_DATA_DIR/releases`, or below `forge/releases` in the user's data folder.
///
/// # Errors
/// `Failed` if the user has no home folder.
pub fn default_url(project: &str) -> Result<StoreUrl, Fault> {
    todo!("{project}")
}

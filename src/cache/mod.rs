//! What this machine already has: content-addressed files shared by all workspaces,
//! what is installed in this workspace, and the means to change both so that
//! a kill at any instant leaves the old state or the new one.

mod atomic;
mod busy;
mod files;
mod installed;
mod outputs;
mod pinned;
mod record;
mod seal;

pub use atomic::{Staging, exchange, remove_tree, replace_file};
pub use busy::{Busy, BusyLock};
pub use files::{Cache, CacheFault};
pub use installed::{
    Installed, Place, inspect, install, links_are_there, rehash, repair, uninstall,
};
pub use record::{Made, Record, Release};
pub use seal::SealKey;

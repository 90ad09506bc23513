//! What this machine already has: content-addressed files shared by all workspaces,
//! what is installed in this workspace, and the means to change both so that
//! a kill at any instant leaves the old state or the new one.

mod busy;
mod collect;
mod files;
mod installed;
mod large_files;
mod outputs;
mod own;
mod pinned;
mod proof;
mod record;
mod seal;
mod sound_commands;
mod transfer;
mod user;

pub use crate::disk::Staging;
pub use busy::{Busy, BusyLock, Patience, another, turn_to_write};
pub use collect::{CachePart, CollectRequest, Collected};
pub use files::{Cache, CacheKey, Hit, Lookup};
pub use installed::{
    InstallPlace, Installed, inspect, install, links_are_there, rehash, remember, repair, uninstall,
};
pub use outputs::{
    IncomingOutputs, KeptOutputs, MadeOutput, OutgoingFile, OutgoingOutputs, OutputPlace,
};
pub use own::{
    existing_forge_folder, forge_folder, make_folder, replace_file, rewrite_file, stage,
    sweep_staging, write_state,
};
pub use record::{ArtifactRecord, KnownRelease, Made};
pub use seal::SealKey;
pub use sound_commands::{CommandDigest, MOST_COMMANDS};

//! Taskfiles of Task: run as they are, or written down as a workspace.

pub use forge_base::{
    archive, console, disk, imports, manifest, model, process, provenance, reapi, store, walk,
};
pub use forge_project::{cache, git, login, report, workspace};

pub mod migrate;
pub mod taskfile;

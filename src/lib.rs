//! forge: binaries are the artifact, releases are the cache. One build, many downloads.
//!
//! `ARCHITECTURE.md` has the map: which room does what, and which may know which.

pub use forge_base::{
    archive, console, disk, imports, manifest, model, process, provenance, reapi, store, walk,
};
pub use forge_engine::{
    adopt, affected, ci, deploy, execute, image, plan, probe, release, remote, serve, service,
    task, ui, upgrade, versioning,
};
pub use forge_project::{cache, git, login, report, workspace};
pub use forge_taskfiles::{migrate, taskfile};

pub mod cli;

//! What forge does: looking, planning, executing, tasks, services, versions, releases, CI.

pub use forge_base::{
    archive, console, disk, imports, manifest, model, process, provenance, reapi, store, walk,
};
pub use forge_project::{cache, git, login, report, workspace};

pub mod adopt;
pub mod affected;
pub mod ci;
pub mod deploy;
pub mod execute;
pub mod image;
pub mod plan;
pub mod probe;
pub mod release;
pub mod remote;
pub mod serve;
pub mod service;
pub mod task;
pub mod ui;
pub mod upgrade;
pub mod versioning;

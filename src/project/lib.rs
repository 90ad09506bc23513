//! What a project is: its workspace, its repository, its cache, its logins.

pub use forge_base::{
    archive, console, disk, imports, manifest, model, process, provenance, reapi, store, walk,
};

pub mod cache;
pub mod git;
pub mod login;
pub mod report;
pub mod workspace;

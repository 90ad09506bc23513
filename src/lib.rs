//! forge: binaries are the artifact, releases are the cache. One build, many downloads.
//!
//! `ARCHITECTURE.md` has the map: which room does what, and which may know which.

pub mod affected;
pub mod archive;
pub mod cache;
pub mod ci;
pub mod cli;
pub mod console;
pub mod disk;
pub mod execute;
pub mod git;
pub mod imports;
pub mod login;
pub mod manifest;
pub mod migrate;
pub mod model;
pub mod newer;
pub mod plan;
pub mod probe;
pub mod process;
pub mod provenance;
pub mod release;
pub mod report;
pub mod service;
pub mod store;
pub mod task;
pub mod taskfile;
pub mod ui;
pub mod versioning;
pub mod walk;
pub mod workspace;

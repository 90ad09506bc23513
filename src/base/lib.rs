//! What everything stands on: words, files, archives, processes, stores.

pub mod archive;
pub mod console;
pub mod disk;
pub mod imports;
pub mod manifest;
pub mod model;
pub mod process;
pub mod provenance;
pub mod reapi;
pub mod store;
pub mod walk;

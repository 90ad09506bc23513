//! Releases as a whole: what is there against what should be; notes; bundles.
//!
//! Pure: what stores and git answered goes in, what is to be told or done comes out.
//!
//! ```text
//! Workspace ──> Pins ─┐
//! ReleaseInfos ───────┴─> Catalog ─┬─> gaps      what a release lacks
//!                                  ├─> prune     what can go
//!                                  └─> audit     what is not as it should be
//! commits, versions ──> notes, Changelog        records ──> Bundle
//! ```

mod audit;
mod bundle;
mod catalog;
mod change;
mod changelog;
mod changelog_file;
mod component_notes;
mod components;
mod gap;
mod image_audit;
mod images;
mod markdown;
mod notes;
mod pauses;
mod pins;
mod prune;
#[cfg(test)]
mod sample;

pub use audit::{AuditFinding, Audited, Severity, audit, audit_tags};
pub use bundle::{bundle_entries, bundle_name};
pub use catalog::{CatalogEntry, ReleaseCatalog};
pub use change::NoteEntry;
pub use changelog::{Changelog, Links, Released, Section, shown};
pub use changelog_file::update;
pub use component_notes::ComponentNotes;
pub use components::Components;
pub use gap::{Gap, gaps};
pub use image_audit::{AuditedImage, audit_images};
pub use images::{ImagePin, newest_images, outdated_images};
pub use notes::{Notes, is_latest, is_project_tag, latest, previous};
pub use pauses::Pauses;
pub use pins::{Pin, Pins};
pub use prune::{RetentionPolicy, outdated};

//! YAML text to documents with positions, and back: the manifest, specs, the lock
//! and stamps. The only room that knows YAML.
//!
//! ```text
//! text ─ yaml.rs ─> Node ─ check.rs + language.rs ─> diagnostics
//!                    └──── document.rs ────────────> ManifestDoc, SpecDoc
//! ```

mod build_language;
mod check;
mod comment;
mod deploy_language;
mod document;
mod edit;
mod extends;
mod file;
mod format;
mod image_language;
mod include;
mod language;
mod newer;
mod node;
mod place;
mod record;
mod record_language;
mod schema;
mod semantic_digest;
mod service_language;
mod shape;
mod spec_language;
mod tables;
mod task_language;
mod taskfile_language;
mod text;
mod yaml;

pub use comment::{Comment, comments};
pub use document::{
    BuildDoc, CommitsDoc, DigestDoc, HeadDoc, ManifestDoc, Pairs, SchemeDoc, SourceDoc, SpecDoc,
    UpstreamDoc, VersionDoc, pairs, read_manifest, read_spec, read_taskfile, read_tree, scalar,
    scalars,
};
pub use edit::{NotEditable, with_entry, without_entry, without_item};
pub use extends::extended;
pub use file::{Findings, MAX_BYTES, ManifestFile, Seams};
pub use format::formatted;
pub use include::{IncludeDoc, OriginDoc, TaskFileDoc, read_task_file};
pub use newer::NewerDoc;
pub use node::{Node, Pair, Quoting, Scalar, Sp, Value};
pub use record::{parse_lock, parse_stamp, render_lock, render_stamp};
pub use schema::{manifest_schema, spec_schema};
pub use semantic_digest::{SemanticDigest, semantic_digest};
pub use shape::{Field, Mapping, Presence, Shape};
pub use tables::{LanguageTable, language_tables};
pub use text::{parse_yaml, write_yaml};

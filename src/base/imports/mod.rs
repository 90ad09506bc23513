//! What code imports from elsewhere in the workspace: which folders go into a Go program besides
//! its own.
//!
//! Read from the import clauses by forge itself and not asked of `go list`, so that the answer is
//! the same on every machine and for every platform, and needs no toolchain: build constraints are
//! ignored, so that what any platform uses counts for all. Tests and what only they import are left
//! out: they go into no binary. `clause` reads one file, `module` go.mod and go.work, `graph`
//! follows from folder to folder.

mod clause;
mod graph;
mod module;

pub use clause::Clauses;
pub use graph::{Graph, ImportClosure};

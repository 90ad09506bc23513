//! Images that a Dockerfile makes: by an engine that is on this machine, from images that are pinned and
//! files that the fingerprint has.
//!
//! ```text
//! Dockerfile ── images ──> digests: forge.lock, fingerprint ── pinned ──┐
//! context less .dockerignore ── digest ──> fingerprint ── staged ───────┴─> engine ──> OCI layout ── adopt
//! ```
//!
//! The engine sees a copy of the context that holds what the fingerprint holds, and nothing else. It never
//! pushes: what it made is taken over as an OCI layout, and goes the way of all images.

mod adopt;
mod context;
mod engine;
mod ignore;
mod images;

pub use adopt::adopt;
pub use context::DockerContext;
pub use engine::{BuildEngine, ENGINE_VARIABLE, EngineBuild};
pub use images::DockerfileImages;

//! Container images: what they should be, made without a daemon, and brought to their registry.
//!
//! ```text
//! Image of a spec ─ want ──> ImageSpec: tag, fingerprint
//!                              │ look: GET of the tag ── same fingerprint ──> hit
//!                              │          absent: miss        other: told, never pushed over
//! binaries, files ─ layers ──> assemble ──> OCI layout ──> push: blobs, children, tag; then moving tags
//! Dockerfile ─ an engine ───────> adopt ──────┘
//! ```
//!
//! The bytes of an image depend on what goes into it alone: constant times, sorted platforms, entries
//! in order, JSON with fixed keys. So whoever makes it again makes the same, and a tag that is there
//! can be compared.

mod assemble;
mod base;
mod dockerfile;
mod elf;
mod layers;
mod layout;
mod look;
mod push;
mod want;

pub use assemble::{Assembled, Assembly, PlatformParts, assemble};
pub use base::{BaseImage, BaseOfPlatform, read_base};
pub use dockerfile::{
    BuildEngine, DockerContext, DockerfileImages, ENGINE_VARIABLE, EngineBuild, adopt,
};
pub use elf::interpreter;
pub use layers::{LayerPlan, binaries_layer, files_digest, files_layer};
pub use look::{ImageState, look_at};
pub use push::{MovedTag, PushedImage, is_newer, move_tag, push, to_push};
pub use want::{FINGERPRINT, ImagePrint, ImageSpec, PlatformInputs, image_print, image_tag};

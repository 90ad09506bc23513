//! Container images: what they should be, made without a daemon, and brought to their registry.
//!
//! ```text
//! Image of a spec ─ want ──> ImageSpec: tag, fingerprint
//!                              │ look: GET of the tag ── same fingerprint ──> hit
//!                              │          absent: miss        other: told, never pushed over
//! binaries, files ─ layers ──> assemble ──> OCI layout ──> push: blobs, children, notes, tag; then moving tags
//! Dockerfile ─ an engine ───────> adopt ──────┘
//!                                              └─ origin, inventory: what is said of it, kept beside it
//! ```
//!
//! What is said of an image is there before its tag is: a push that is cut off leaves no tag of which
//! nobody says who made what it leads to.
//!
//! The bytes of an image depend on what goes into it alone: constant times, sorted platforms, entries
//! in order, JSON with fixed keys. So whoever makes it again makes the same, and a tag that is there
//! can be compared.

mod assemble;
mod base;
mod dockerfile;
mod elf;
mod inventory;
mod layers;
mod layout;
mod libraries;
mod loaders;
mod look;
mod origin;
mod packed_before;
mod push;
mod released;
mod want;

pub use assemble::{Assembled, Assembly, PlatformParts, assemble};
pub use base::{BaseImage, BaseOfPlatform, read_base};
pub use dockerfile::{
    BuildEngine, DockerContext, DockerfileImages, ENGINE_VARIABLE, EngineBuild, adopt,
};
pub use elf::interpreter;
pub use inventory::{ImagePart, ImageSources, inventories};
pub use layers::{LayerPlan, binaries_layer, files_digest, files_layer};
pub use layout::blob_path;
pub use loaders::{BaseFiles, LackingLoader, lacking_loaders};
pub use look::{ImageState, look_at};
pub use origin::{ImageOrigin, image_statements, trusted_image};
pub use packed_before::PackedBefore;
pub use push::{MovedTag, PushedImage, is_newer, move_tag, push, to_push};
pub use released::{ImageChild, ImageRemoval, ReleasedImage, RepositoryTags};
pub use want::{FINGERPRINT, ImagePrint, ImageSpec, PlatformInputs, image_print, image_tag};

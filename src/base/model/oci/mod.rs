//! Container images and what else lives in registries, as the Open Container Initiative writes it
//! (image-spec 1.1, distribution-spec 1.1): names, descriptors, indexes, manifests, configurations.
//!
//! Reading is lenient: Docker's older media types mean the same blobs, absent and `null` are one, and
//! what forge does not know is kept where it goes on into another image. Writing is strict: compact
//! JSON whose keys have one order, since a digest is over the very bytes.

mod config;
mod descriptor;
mod image_name;
mod json;
mod manifest;
mod media_type;

pub use config::{ImageConfig, ImageHistory, ImageRootFs, ImageSettings, NoDetails};
pub use descriptor::{Annotations, Descriptor, ImagePlatform};
pub use image_name::{DOCKER_HUB, ImageReference, ImageRepository, check_image_tag};
pub use manifest::{ImageIndex, ImageManifest, RegistryDocument};
pub use media_type::*;

#[cfg(test)]
mod tests;

//! Whether an image is released: by the fingerprint at its tag.

use super::{FINGERPRINT, ImageSpec};
use crate::{
    model::{Fault, Kind, LockedImage, Sha256, oci::RegistryDocument},
    store::{Registries, RegistryManifest},
};

/// What is at the tag of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// The image: a hit.
    Released {
        /// The digest of its index.
        digest: Sha256,
    },
    /// Nothing, for sure.
    Absent,
    /// Another image.
    Other {
        /// The digest of that.
        digest: Sha256,
        /// How it differs: one sentence without a full stop.
        why: String,
    },
}

/// Looks at the tag of `spec`. Absence is confirmed; doubt is an error. `locked` is what was there
/// before.
///
/// # Errors
/// `Store` if the registry does not say; `Verification` if the tag leads to other bytes than it did.
pub async fn look_at(
    registries: &Registries,
    spec: &ImageSpec,
    locked: Option<&LockedImage>,
) -> Result<ImageState, Fault> {
    let Some(found) = registries.manifest(&spec.reference()).await? else {
        return Ok(ImageState::Absent);
    };
    let digest = found.digest;
    let theirs = fingerprint(&found);
    let ours = spec.print.fingerprint;
    if theirs != Some(ours.to_string().as_str()) {
        let why = match theirs {
            Some(theirs) => format!("it was made of other parts (fingerprint {})", short(theirs)),
            None => "forge did not make it".to_owned(),
        };
        return Ok(ImageState::Other { digest, why });
    }
    match locked.filter(|locked| locked.fingerprint == ours && locked.digest != digest) {
        None => Ok(ImageState::Released { digest }),
        Some(locked) => {
            let what = format!("{} is not the image that was released", spec.reference());
            Err(Fault::new(Kind::Verification, what)
                .because(format!(
                    "its index is sha256:{digest}, and forge.lock has sha256:{}",
                    locked.digest
                ))
                .hint("somebody moved the tag; find out who, before anybody runs it"))
        }
    }
}

/// The fingerprint that an index carries.
fn fingerprint(found: &RegistryManifest) -> Option<&str> {
    match &found.document {
        RegistryDocument::Index(index) => index.annotations.get(FINGERPRINT).map(String::as_str),
        RegistryDocument::Manifest(_) => None,
    }
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

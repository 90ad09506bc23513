//! Bringing an image to its registry: everything that its tag needs, the tag, and then the tags that
//! move.

use std::{path::Path, sync::Arc};

use super::{Assembled, BaseImage, ImageSpec, layout::blob_path};
use crate::{
    model::{
        Fault, Kind, Precedence, Sha256,
        oci::{Descriptor, RegistryDocument},
    },
    store::{
        BlobSource, BlobUpload, ImagePush, ManifestUpload, Published, PushReceipt, Registries,
    },
};

/// The annotation that holds the version of an image.
pub(super) const VERSION: &str = "org.opencontainers.image.version";

/// What became of an image that was pushed.
#[derive(Clone, Debug)]
pub struct PushedImage {
    /// The digest of its index.
    pub digest: Sha256,
    /// What became of its tag and blobs.
    pub receipt: PushReceipt,
}

/// What became of a tag that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MovedTag {
    /// It leads to the image now.
    Moved,
    /// It did already.
    There,
    /// It stays where it is, since …
    Stays(String),
}

/// What is sent for an image whose layout is at `layout`.
pub fn to_push(
    spec: &ImageSpec,
    assembled: &Assembled,
    base: Option<&BaseImage>,
    layout: &Path,
) -> ImagePush {
    let own = |blob: &Descriptor| BlobUpload {
        blob: blob.clone(),
        source: BlobSource::File(blob_path(layout, blob.digest)),
    };
    let mut blobs: Vec<BlobUpload> = assembled.blobs.iter().map(own).collect();
    if let Some(base) = base {
        blobs.extend(assembled.base_layers.iter().map(|blob| BlobUpload {
            blob: blob.clone(),
            source: BlobSource::Registry(base.reference.repository.clone()),
        }));
    }
    let child = |(manifest, bytes): &(Descriptor, Vec<u8>)| {
        ManifestUpload::new(bytes.clone(), &manifest.media_type)
    };
    ImagePush {
        repository: spec.repository.clone(),
        blobs,
        children: assembled.manifests.iter().map(child).collect(),
        index: ManifestUpload::new(assembled.index_bytes.clone(), &assembled.index.media_type),
        notes: Vec::new(),
        tag: spec.tag.clone(),
    }
}

/// Pushes it. A tag that has other bytes stays, which is a conflict.
///
/// # Errors
/// `Store` if the registry does not take it; `Verification` after a conflict.
pub async fn push(
    registries: &Registries,
    spec: &ImageSpec,
    image: &ImagePush,
    progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
) -> Result<PushedImage, Fault> {
    let receipt = registries.push(image, progress).await?;
    let digest = image.index.digest();
    if let Published::Conflict { theirs } = receipt.published {
        return Err(Fault::new(Kind::Verification, format!("{} is another image", spec.reference()))
            .because(format!("its index is sha256:{theirs}, that of the one made here sha256:{digest}"))
            .hint("a release is never overwritten: somebody pushed that tag meanwhile; a new version releases this one"));
    }
    Ok(PushedImage { digest, receipt })
}

/// Moves `tag` to the image of `spec`, whose index is `own`, if that is no pre-release and newer than what
/// the tag leads to.
///
/// # Errors
/// `Store` if the registry does not say or take it.
pub async fn move_tag(
    registries: &Registries,
    spec: &ImageSpec,
    own: Sha256,
    tag: &str,
) -> Result<MovedTag, Fault> {
    if let Some(found) = registries.manifest(&spec.repository.tagged(tag)).await? {
        if found.digest == own {
            return Ok(MovedTag::There);
        }
        let annotations = match &found.document {
            RegistryDocument::Index(index) => &index.annotations,
            RegistryDocument::Manifest(manifest) => &manifest.annotations,
        };
        let theirs = annotations.get(VERSION).map(String::as_str);
        if let Err(why) = is_newer(&spec.version, theirs) {
            return Ok(MovedTag::Stays(why));
        }
    } else if let Err(why) = is_newer(&spec.version, None) {
        return Ok(MovedTag::Stays(why));
    }
    let Some(own) = registries.manifest(&spec.repository.at(own)).await? else {
        return Ok(MovedTag::Stays(format!("{} is not there", spec.reference())));
    };
    let own = ManifestUpload::new(own.bytes.to_vec(), &own.media_type);
    registries.move_tag(&spec.repository, tag, &own).await?;
    Ok(MovedTag::Moved)
}

/// Whether a tag that moves may go from `theirs` to `version`.
///
/// # Errors
/// Why not, as the end of a sentence.
pub fn is_newer(version: &str, theirs: Option<&str>) -> Result<(), String> {
    let Some(ours) = Precedence::parse(version) else { return Ok(()) };
    if !ours.is_stable() {
        return Err(format!("{version} is a pre-release"));
    }
    match theirs.and_then(|theirs| Some((theirs, Precedence::parse(theirs)?))) {
        Some((theirs, precedence)) if precedence > ours => {
            Err(format!("it is at {theirs}, which is newer"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_move_forward_only_and_never_to_a_pre_release() {
        for (version, theirs, may) in [
            ("v1.2.0", None, true),
            ("v1.2.0", Some("v1.1.0"), true),
            ("v1.2.0", Some("v1.2.0"), true),
            ("v1.2.0", Some("v1.10.0"), false),
            ("v1.2.0-rc.1", None, false),
            ("v1.2.0", Some("v1.2.0-rc.1"), true),
            ("main-0123456789ab", Some("v1"), true),
        ] {
            assert_eq!(is_newer(version, theirs).is_ok(), may, "{version} {theirs:?}");
        }
    }
}

//! The image that another one stands on: for each platform its layers and its configuration. Its layers
//! are not downloaded for that.

use std::collections::BTreeMap;

use crate::{
    model::{
        Fault, Kind, Platform, Sha256,
        oci::{Descriptor, ImageConfig, ImageManifest, ImageReference, RegistryDocument},
    },
    store::Registries,
};

/// An image that others stand on.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// How its spec names it, pinned to the digest of its index.
    pub reference: ImageReference,
    /// The digest of its index.
    pub digest: Sha256,
    /// What it is on each platform.
    pub platforms: BTreeMap<Platform, BaseOfPlatform>,
}

/// An image that others stand on, as one platform has it.
#[derive(Clone, Debug)]
pub struct BaseOfPlatform {
    /// The digest of its manifest.
    pub manifest: Sha256,
    /// Its layers, from the bottom up.
    pub layers: Vec<Descriptor>,
    /// Its configuration.
    pub config: ImageConfig,
}

/// Reads `reference` for `platforms`.
///
/// # Errors
/// `Usage` if it is not there or lacks a platform; `Store` if its registry does not say;
/// `Verification` if it is not what a digest says.
pub async fn read_base(
    registries: &Registries,
    reference: &ImageReference,
    platforms: &[Platform],
) -> Result<BaseImage, Fault> {
    let Some(found) = registries.manifest(reference).await? else {
        let fault = Fault::new(Kind::Usage, format!("there is no image {reference} to stand on"));
        return Err(fault.hint(match reference.digest {
            Some(_) => "it was removed there; `forge bump` takes what its tag is now",
            None => "look at `base:` and at its registry",
        }));
    };
    let mut all = BTreeMap::new();
    for platform in platforms {
        let manifest = match &found.document {
            RegistryDocument::Manifest(manifest) => (found.digest, manifest.clone()),
            RegistryDocument::Index(index) => {
                let child = index.manifest_for(*platform).ok_or_else(|| {
                    let known = index.manifests.iter().filter_map(|it| it.platform.as_ref());
                    let known: Vec<_> = known.map(ToString::to_string).collect();
                    lacks(reference, *platform, &known.join(", "))
                })?;
                (child.digest, child_manifest(registries, reference, child).await?)
            }
        };
        let (digest, manifest) = manifest;
        let config = registries.small_blob(&reference.repository, &manifest.config).await?;
        let config = ImageConfig::parse(&config).map_err(|why| {
            Fault::new(Kind::Store, format!("cannot use the base {reference}")).because(why)
        })?;
        if !config.platform().runs(*platform) {
            return Err(lacks(reference, *platform, &config.platform().to_string()));
        }
        let of_platform = BaseOfPlatform { manifest: digest, layers: manifest.layers, config };
        all.insert(*platform, of_platform);
    }
    let reference = reference.pinned(found.digest);
    Ok(BaseImage { reference, digest: found.digest, platforms: all })
}

async fn child_manifest(
    registries: &Registries,
    reference: &ImageReference,
    child: &Descriptor,
) -> Result<ImageManifest, Fault> {
    let what = || format!("cannot use the base {reference}");
    let found = registries.manifest(&reference.repository.at(child.digest)).await?;
    match found.map(|found| found.document) {
        Some(RegistryDocument::Manifest(manifest)) => Ok(manifest),
        Some(RegistryDocument::Index(_)) => {
            Err(Fault::new(Kind::Store, what()).because("its index holds another index"))
        }
        None => Err(Fault::new(Kind::Store, what())
            .because(format!("its index names {}, which is not there", child.digest.short()))
            .hint("somebody removed what looked unused; choose another base, or push it anew")),
    }
}

fn lacks(reference: &ImageReference, platform: Platform, known: &str) -> Fault {
    Fault::new(Kind::Usage, format!("the base {reference} is not for {platform}"))
        .because(format!("it is for {known}"))
        .hint("choose another `base:`, or leave the platform out of `platforms:` of the image")
}

//! The images of versions, as releases are told: which are pinned, which can go.

use std::collections::{BTreeMap, BTreeSet};

use super::{CatalogEntry, Pin, Pins, ReleaseCatalog};
use crate::{
    image::{ReleasedImage, image_tag},
    model::{Locked, LockedImage, Name, Platform, Revision, Version, oci::ImageRepository},
    store::ReleaseInfo,
    workspace::{Subsystem, Workspace},
};

/// What a workspace wants of the image of one subsystem.
#[derive(Clone, Debug)]
pub struct ImagePin {
    /// The subsystem.
    pub name: Name,
    /// Where its images are.
    pub repository: ImageRepository,
    /// The tags that move.
    pub also: Vec<String>,
    /// What a complete image is for.
    pub platforms: Vec<Platform>,
    /// What `versions.yml` and `forge.lock` pin of the version.
    pub pin: Pin,
}

impl ImagePin {
    /// What `workspace` wants of the images of `names`.
    pub fn from_workspace(workspace: &Workspace, names: &BTreeSet<Name>) -> Vec<Self> {
        let pin = |subsystem: &Subsystem| {
            let image = subsystem.image.as_ref()?;
            let locked = workspace.lock.subsystems.get(&subsystem.name).cloned();
            Some(Self {
                name: subsystem.name.clone(),
                repository: image.repo.clone(),
                also: image.also.clone(),
                platforms: image.platforms.clone(),
                pin: Pin {
                    name: subsystem.name.clone(),
                    version: last_version(subsystem, locked.as_ref()),
                    scheme: subsystem.scheme.clone(),
                    tag: subsystem.tag.clone(),
                    locked,
                    binary: subsystem.binaries.first().cloned().unwrap_or_default(),
                    compression: subsystem.compression,
                },
            })
        };
        names.iter().filter_map(|name| pin(&workspace.subsystems[name])).collect()
    }

    /// The tag of the pinned version, if it is a version that can be released.
    pub fn tag(&self) -> Option<String> {
        let label = self.pin.label().filter(|_| !self.pin.version.is_unreleased())?;
        Some(image_tag(&label))
    }

    /// What `forge.lock` has of the image of the pinned version.
    pub fn locked(&self) -> Option<&LockedImage> {
        self.pin.lock()?.image.as_ref()
    }
}

/// The version of `subsystem`. What follows the project's tag has none elsewhere; there the one that
/// `forge.lock` has counts, which was released last.
fn last_version(subsystem: &Subsystem, locked: Option<&Locked>) -> Version {
    let is_elsewhere = subsystem.follows_tag && subsystem.version.is_unreleased();
    let last = locked.filter(|_| is_elsewhere).map(|locked| Version::new(&locked.version));
    last.and_then(Result::ok).unwrap_or_else(|| subsystem.version.clone())
}

/// Sorts images as releases are: by subsystem, the newest first.
pub fn newest_images(images: Vec<ReleasedImage>) -> Vec<ReleasedImage> {
    let catalog = catalog(&images);
    let mut by_tag: BTreeMap<String, ReleasedImage> =
        images.into_iter().map(|image| (image.reference(), image)).collect();
    catalog.entries.iter().filter_map(|entry| by_tag.remove(&entry.info.tag)).collect()
}

/// Those of `images` that can go, by the rules for releases. Nothing says when an image was pushed, so
/// where days are to be kept, only versions that are days themselves count as old.
pub fn outdated_images<'i>(
    pins: &[ImagePin],
    images: &'i [ReleasedImage],
    keep: super::RetentionPolicy,
) -> Vec<&'i ReleasedImage> {
    let catalog = catalog(images);
    let names = pins.iter().map(|pin| pin.name.clone()).collect();
    let old = super::outdated(&catalog, &all_pins(pins), &names, keep);
    let is_dated =
        |entry: &&&CatalogEntry| keep.since.is_none() || super::prune::day(entry).is_some();
    let tags = old.iter().filter(is_dated).map(|entry| entry.info.tag.as_str());
    tags.filter_map(|tag| images.iter().find(|image| image.reference() == tag)).collect()
}

fn catalog(images: &[ReleasedImage]) -> ReleaseCatalog {
    let entries = images.iter().map(entry).collect();
    ReleaseCatalog::from_entries(entries)
}

/// The image as the releases of subsystems are told.
fn entry(image: &ReleasedImage) -> CatalogEntry {
    let info = ReleaseInfo {
        tag: image.reference(),
        is_draft: false,
        is_prerelease: false,
        is_immutable: false,
        published_at: None,
        assets: Vec::new(),
    };
    let (name, label) = (image.name.clone(), image.label.clone());
    CatalogEntry { name, label, revision: Revision::FIRST, info }
}

fn all_pins(pins: &[ImagePin]) -> Pins {
    Pins::new(Vec::new(), pins.iter().map(|pin| pin.pin.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::ImageChild,
        model::{Sha256, oci::Descriptor},
        release::{RetentionPolicy, sample},
    };

    fn image(tag: &str, index: u8, children: &[u8]) -> ReleasedImage {
        let child = |byte: &u8| ImageChild {
            entry: Descriptor::new("m", Sha256([*byte; 32]), 1),
            manifest: None,
        };
        ReleasedImage {
            name: Name::new("a").unwrap(),
            label: tag.to_owned(),
            repository: "r.example/a".parse().unwrap(),
            tag: tag.to_owned(),
            digest: Sha256([index; 32]),
            children: children.iter().map(child).collect(),
        }
    }

    fn pin() -> ImagePin {
        ImagePin {
            name: Name::new("a").unwrap(),
            repository: "r.example/a".parse().unwrap(),
            also: vec!["latest".into()],
            platforms: Vec::new(),
            pin: sample::pin("a", "v3"),
        }
    }

    #[test]
    fn images_are_old_by_the_rules_for_releases() {
        let pins = [pin()];
        let images =
            [image("v1", 1, &[]), image("v10", 2, &[]), image("v3", 3, &[]), image("v9", 4, &[])];
        let old = |keep| -> Vec<_> {
            outdated_images(&pins, &images, keep).iter().map(|it| it.tag.clone()).collect()
        };
        assert_eq!(old(RetentionPolicy { number: 1, since: None }), ["v1", "v9"], "v3 is pinned");
        let today = Some(jiff::civil::date(2026, 1, 1));
        assert!(old(RetentionPolicy { number: 1, since: today }).is_empty());
        let sorted = newest_images(images.to_vec());
        let sorted: Vec<_> = sorted.iter().map(|image| image.tag.as_str()).collect();
        assert_eq!(sorted, ["v10", "v9", "v3", "v1"]);
    }
}

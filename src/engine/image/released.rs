//! The images in registries, each with the version it is of; and what of them can go.
//!
//! A tag is a version's if forge made the image there for that version, as its index says. Tags that
//! move, lists of referrers and images of others are nobody's: they are never told as old, and what
//! they lead to stays.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{FINGERPRINT, image_tag, push::VERSION};
use crate::{
    model::{
        Fault, Name, Platform, Sha256,
        oci::{Descriptor, ImageManifest, ImageRepository, RegistryDocument},
    },
    store::Registries,
};

/// How many tags are read at once.
const READS_AT_ONCE: usize = 8;

/// An image that is in a registry.
#[derive(Clone, Debug)]
pub struct ReleasedImage {
    /// The subsystem.
    pub name: Name,
    /// The version.
    pub label: String,
    /// Where it is.
    pub repository: ImageRepository,
    /// Its tag.
    pub tag: String,
    /// The digest of its index.
    pub digest: Sha256,
    /// What the index names.
    pub children: Vec<ImageChild>,
}

/// A manifest that an index names.
#[derive(Clone, Debug)]
pub struct ImageChild {
    /// What the index says of it.
    pub entry: Descriptor,
    /// What it says; nothing if it is not there.
    pub manifest: Option<ImageManifest>,
}

/// All tags of a repository.
#[derive(Clone, Debug, Default)]
pub struct RepositoryTags {
    /// The images of versions.
    pub images: Vec<ReleasedImage>,
    /// What all other tags lead to: the digests of indexes and manifests.
    pub others: BTreeMap<String, BTreeSet<Sha256>>,
}

/// What is removed with an old image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRemoval {
    /// Its index, unless another tag leads to it as well.
    pub index: Option<Sha256>,
    /// The manifests that no other tag leads to.
    pub children: Vec<Sha256>,
}

impl ReleasedImage {
    /// What it is called.
    pub fn reference(&self) -> String {
        self.repository.tagged(&self.tag).to_string()
    }

    /// What it runs on.
    pub fn platforms(&self) -> BTreeSet<Platform> {
        let platform = |child: &ImageChild| child.entry.platform.as_ref()?.platform();
        let there = self.children.iter().filter(|child| child.manifest.is_some());
        there.filter_map(platform).collect()
    }

    /// Those of `platforms` that it is not for.
    pub fn lacks(&self, platforms: &[Platform]) -> Vec<Platform> {
        let there = self.platforms();
        platforms.iter().copied().filter(|platform| !there.contains(platform)).collect()
    }

    /// Its configurations and layers, each once.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let manifests = self.children.iter().filter_map(|child| child.manifest.as_ref());
        let all =
            manifests.flat_map(|manifest| [&manifest.config].into_iter().chain(&manifest.layers));
        let by_digest: BTreeMap<Sha256, &Descriptor> =
            all.map(|blob| (blob.digest, blob)).collect();
        by_digest.into_values().collect()
    }

    /// The bytes of all of it.
    pub fn bytes(&self) -> u64 {
        self.blobs().iter().map(|blob| blob.size).sum()
    }

    fn digests(&self) -> BTreeSet<Sha256> {
        let children = self.children.iter().map(|child| child.entry.digest);
        children.chain([self.digest]).collect()
    }
}

impl RepositoryTags {
    /// Reads all tags of `repository`, where the images of the subsystem `name` are. The tags of `also`
    /// move.
    ///
    /// # Errors
    /// `Store` if the registry does not say.
    pub async fn read(
        registries: &Registries,
        name: &Name,
        repository: &ImageRepository,
        also: &[String],
    ) -> Result<Self, Fault> {
        let tags = registries.tags(repository).await?;
        // What refers to an image is listed under such tags.
        let is_list = |tag: &str| tag.starts_with("sha256-");
        let reads = tags.iter().filter(|tag| !is_list(tag)).map(|tag| async move {
            Ok::<_, Fault>((tag.clone(), read_tag(registries, repository, tag, name, also).await?))
        });
        let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        let mut all = Self::default();
        for (tag, found) in read {
            match found {
                TagTarget::Image(image) => all.images.push(*image),
                TagTarget::Other(digests) => drop(all.others.insert(tag, digests)),
            }
        }
        Ok(all)
    }

    /// What goes with the image tagged `tag`, if all of `gone` go: what no tag that stays leads to.
    pub fn removal(&self, tag: &str, gone: &BTreeSet<&str>) -> Option<ImageRemoval> {
        let image = self.images.iter().find(|image| image.tag == tag)?;
        let kept = self.images.iter().filter(|other| !gone.contains(other.tag.as_str()));
        let kept: BTreeSet<Sha256> = kept
            .flat_map(ReleasedImage::digests)
            .chain(self.others.values().flatten().copied())
            .collect();
        let children = image.children.iter().map(|child| child.entry.digest);
        Some(ImageRemoval {
            index: Some(image.digest).filter(|digest| !kept.contains(digest)),
            children: children.filter(|digest| !kept.contains(digest)).collect(),
        })
    }
}

/// What a tag leads to.
enum TagTarget {
    Image(Box<ReleasedImage>),
    Other(BTreeSet<Sha256>),
}

async fn read_tag(
    registries: &Registries,
    repository: &ImageRepository,
    tag: &str,
    name: &Name,
    also: &[String],
) -> Result<TagTarget, Fault> {
    let Some(found) = registries.manifest(&repository.tagged(tag)).await? else {
        return Ok(TagTarget::Other(BTreeSet::new()));
    };
    let RegistryDocument::Index(index) = &found.document else {
        return Ok(TagTarget::Other(BTreeSet::from([found.digest])));
    };
    let label = index.annotations.get(VERSION).filter(|label| image_tag(label) == tag);
    let is_made_here =
        index.annotations.contains_key(FINGERPRINT) && !also.iter().any(|it| it == tag);
    let Some(label) = label.filter(|_| is_made_here) else {
        let children = index.manifests.iter().map(|entry| entry.digest);
        return Ok(TagTarget::Other(children.chain([found.digest]).collect()));
    };
    let children = index.manifests.iter().map(|entry| async move {
        let found = registries.manifest(&repository.at(entry.digest)).await?;
        let manifest = found.and_then(|found| match found.document {
            RegistryDocument::Manifest(manifest) => Some(manifest),
            RegistryDocument::Index(_) => None,
        });
        Ok::<_, Fault>(ImageChild { entry: entry.clone(), manifest })
    });
    let children = stream::iter(children).buffered(READS_AT_ONCE).try_collect().await?;
    Ok(TagTarget::Image(Box::new(ReleasedImage {
        name: name.clone(),
        label: label.clone(),
        repository: repository.clone(),
        tag: tag.to_owned(),
        digest: found.digest,
        children,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_a_tag_that_stays_leads_to_stays() {
        let tags = RepositoryTags {
            images: vec![
                image("v1", 1, &[11, 12]),
                image("v2", 2, &[12, 13]),
                image("v3", 3, &[14]),
            ],
            others: BTreeMap::from([("latest".to_owned(), BTreeSet::from([Sha256([13; 32])]))]),
        };
        let digests = |bytes: &[u8]| bytes.iter().map(|byte| Sha256([*byte; 32])).collect();
        let removal =
            |tag, gone: &[&str]| tags.removal(tag, &gone.iter().copied().collect()).unwrap();
        let expected = ImageRemoval { index: Some(Sha256([1; 32])), children: digests(&[11]) };
        assert_eq!(removal("v1", &["v1"]), expected, "v2 shares one");
        assert_eq!(removal("v1", &["v1", "v2"]).children, digests(&[11, 12]));
        assert_eq!(removal("v2", &["v1", "v2"]).children, digests(&[12]), "latest shares one");
        let moved = BTreeMap::from([("latest".to_owned(), BTreeSet::from([Sha256([1; 32])]))]);
        let tags = RepositoryTags { others: moved, ..tags };
        assert_eq!(tags.removal("v1", &BTreeSet::from(["v1"])).unwrap().index, None);
    }
}

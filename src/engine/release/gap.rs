//! What the release of a pinned version lacks before everybody can download it.

use std::{collections::BTreeSet, fmt};

use crate::{model::Platform, store::checksum_name};

use super::pins::Pin;

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// There is no release.
    Release {
        /// Its tag.
        tag: String,
    },
    /// The release can only be seen by those who may write.
    Draft {
        /// Its tag.
        tag: String,
    },
    /// There is no image.
    Image {
        /// The image by its tag.
        image: String,
    },
    /// A file of a release.
    File {
        /// The release's tag.
        tag: String,
        /// The platform it is for.
        platform: Platform,
        /// Its name.
        file: String,
    },
}

impl Gap {
    /// The tag of the release in question.
    pub fn tag(&self) -> &str {
        match self {
            Self::Release { tag } | Self::Draft { tag } | Self::File { tag, .. } => tag,
            Self::Image { image } => image,
        }
    }

    /// The file, if one is missing.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File { file, .. } => Some(file),
            Self::Release { .. } | Self::Draft { .. } | Self::Image { .. } => None,
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { tag } => write!(f, "there is no release {tag}"),
            Self::Image { image } => write!(f, "there is no image {image}"),
            Self::Draft { tag } => write!(f, "{tag} is a draft"),
            Self::File { tag, file, .. } => write!(f, "{tag} has no {file}"),
        }
    }
}

/// What the release `tag` of `pin`, of which these files are there, lacks: for each of `platforms`
/// an asset and its checksum.
pub fn gaps(pin: &Pin, platforms: &[Platform], tag: &str, present: &BTreeSet<String>) -> Vec<Gap> {
    let tag = tag.to_owned();
    if present.is_empty() {
        return vec![Gap::Release { tag }];
    }
    let missing = platforms.iter().filter_map(|platform| {
        let asset = pin.asset(*platform);
        // Without the asset, its checksum is not worth a line.
        let file = if present.contains(&asset) { checksum_name(&asset) } else { asset };
        let gap = Gap::File { tag: tag.clone(), platform: *platform, file };
        (!present.contains(gap.file()?)).then_some(gap)
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn told(files: &[&str]) -> Vec<String> {
        let present = files.iter().map(|file| (*file).to_owned()).collect();
        let gaps = gaps(&sample::pin("a", "v1"), &sample::platforms(), "a-v1", &present);
        gaps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_platform_needs_an_asset_and_its_checksum() {
        let (linux, darwin) = ("a-linux-amd64.tar.gz", "a-darwin-arm64.tar.gz");
        let sums = ["a-linux-amd64.tar.gz.sha256", "a-darwin-arm64.tar.gz.sha256"];
        assert!(told(&[linux, darwin, sums[0], sums[1]]).is_empty());
        assert_eq!(told(&[linux, darwin, sums[0]]), ["a-v1 has no a-darwin-arm64.tar.gz.sha256"]);
        assert_eq!(told(&[linux, sums[0]]), ["a-v1 has no a-darwin-arm64.tar.gz"]);
        assert_eq!(told(&[]), ["there is no release a-v1"]);
    }
}

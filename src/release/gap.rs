//! What the release of a pinned version lacks before everybody can download it.

use std::fmt;

use crate::{
    model::Platform,
    store::{ReleaseInfo, checksum_name},
};

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
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { tag } => write!(f, "there is no release {tag}"),
            Self::Draft { tag } => write!(f, "{tag} is a draft"),
            Self::File { tag, file, .. } => write!(f, "{tag} has no {file}"),
        }
    }
}

/// What the release `tag` of `pin` lacks: for each of `platforms` an asset and its checksum.
pub fn gaps(pin: &Pin, platforms: &[Platform], tag: &str, info: Option<&ReleaseInfo>) -> Vec<Gap> {
    let tag = tag.to_owned();
    let Some(info) = info else { return vec![Gap::Release { tag }] };
    let has = |file: &String| info.assets.iter().any(|asset| asset.name == *file);
    let mut gaps = Vec::new();
    for platform in platforms {
        let asset = pin.asset(*platform);
        // Without the asset, its checksum is not worth a line.
        let file = if has(&asset) { checksum_name(&asset) } else { asset };
        if !has(&file) {
            gaps.push(Gap::File { tag: tag.clone(), platform: *platform, file });
        }
    }
    if info.is_draft {
        gaps.push(Gap::Draft { tag });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn told(files: &[&str], is_draft: bool) -> Vec<String> {
        let pin = sample::pin("a", "v1");
        let info = ReleaseInfo { is_draft, ..sample::release("a-v1", files) };
        let gaps = gaps(&pin, &sample::platforms(), "a-v1", Some(&info));
        gaps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_platform_needs_an_asset_and_its_checksum() {
        let (linux, darwin) = ("a-linux-amd64.tar.gz", "a-darwin-arm64.tar.gz");
        let sums = ["a-linux-amd64.tar.gz.sha256", "a-darwin-arm64.tar.gz.sha256"];
        assert!(told(&[linux, darwin, sums[0], sums[1]], false).is_empty());
        assert_eq!(
            told(&[linux, darwin, sums[0]], false),
            ["a-v1 has no a-darwin-arm64.tar.gz.sha256"]
        );
        assert_eq!(told(&[linux, sums[0]], false), ["a-v1 has no a-darwin-arm64.tar.gz"]);
        assert_eq!(told(&[linux, darwin, sums[0], sums[1]], true), ["a-v1 is a draft"]);
        let none = gaps(&sample::pin("a", "v1"), &sample::platforms(), "a-v1", None);
        assert_eq!(none[0].to_string(), "there is no release a-v1");
    }
}

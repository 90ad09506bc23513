//! Descriptors: what a blob is, how large, and by which digest it is known.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::json;
use crate::model::{Arch, Os, Platform, Sha256};

/// Annotations, sorted by key.
pub type Annotations = BTreeMap<String, String>;

/// What a blob is, how large, and by which digest it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    #[serde(default, deserialize_with = "json::absent")]
    pub media_type: String,
    /// The digest of its bytes.
    #[serde(with = "json::digest")]
    pub digest: Sha256,
    /// Its bytes.
    pub size: u64,
    /// What it is for, if it is an artifact that is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What else is said of it.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
    /// What it runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<ImagePlatform>,
}

impl Descriptor {
    /// A blob of `size` bytes, about which nothing else is said.
    #[must_use]
    pub fn new(media_type: &str, digest: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: Annotations::new(),
            platform: None,
        }
    }

    /// That of [`super::EMPTY_JSON`].
    #[must_use]
    pub fn empty() -> Self {
        const DIGEST: [u8; 32] = [
            0x44, 0x13, 0x6f, 0xa3, 0x55, 0xb3, 0x67, 0x8a, 0x11, 0x46, 0xad, 0x16, 0xf7, 0xe8,
            0x64, 0x9e, 0x94, 0xfb, 0x4f, 0xc2, 0x1f, 0xe7, 0x7e, 0x83, 0x10, 0xc0, 0x60, 0xf6,
            0x1c, 0xaa, 0xff, 0x8a,
        ];
        Self::new(super::EMPTY, Sha256(DIGEST), super::EMPTY_JSON.len() as u64)
    }

    /// The same, which runs on `platform`.
    #[must_use]
    pub fn on(self, platform: ImagePlatform) -> Self {
        Self { platform: Some(platform), ..self }
    }
}

/// What an image runs on, in the words of image-spec.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImagePlatform {
    /// The processor architecture, by its `GOARCH` name.
    pub architecture: String,
    /// The operating system, by its `GOOS` name.
    pub os: String,
    /// The version of Windows.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What of an architecture: `v7` of arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl From<Platform> for ImagePlatform {
    /// The words for `platform`. 32-bit arm is `v7`, as forge builds it; for arm64 nothing is said,
    /// since `v8` is the only one.
    fn from(platform: Platform) -> Self {
        Self {
            architecture: platform.arch.as_str().to_owned(),
            os: platform.os.as_str().to_owned(),
            os_version: None,
            variant: (platform.arch == Arch::Arm).then(|| "v7".to_owned()),
        }
    }
}

impl ImagePlatform {
    /// Whether what is made for `platform` runs on it: `v8` of arm64 goes without saying, and so does
    /// `v7` of arm.
    #[must_use]
    pub fn runs(&self, platform: Platform) -> bool {
        self.platform() == Some(platform)
    }

    /// The platform that it is; none if forge does not build for it.
    #[must_use]
    pub fn platform(&self) -> Option<Platform> {
        let os = Os::ALL.iter().copied().find(|os| os.as_str() == self.os)?;
        let arch = Arch::ALL.iter().copied().find(|arch| arch.as_str() == self.architecture)?;
        let is_usual = match (arch, self.variant.as_deref()) {
            (_, None | Some("")) | (Arch::Arm64, Some("v8")) | (Arch::Arm, Some("v7")) => true,
            (Arch::Amd64, Some(variant)) => variant == "v1",
            _ => false,
        };
        is_usual.then_some(Platform { os, arch })
    }
}

impl fmt::Display for ImagePlatform {
    /// As Docker writes it: `linux/arm/v7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

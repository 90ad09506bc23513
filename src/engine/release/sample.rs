//! Pins and releases to test with.

use crate::{
    model::{Compression, Locked, Name, Platform, Sha256, TagStem, Version},
    store::{ReleaseAsset, ReleaseInfo},
};

use super::pins::{Pin, Pins};

/// Subsystems at these versions, complete with linux-amd64 and darwin-arm64, nothing locked.
pub fn pins(versions: &[(&str, &str)]) -> Pins {
    Pins::new(platforms(), versions.iter().map(|(name, version)| pin(name, version)))
}

/// One subsystem.
pub fn pin(name: &str, version: &str) -> Pin {
    let name = Name::new(name).unwrap();
    Pin {
        tag: TagStem::for_subsystem(&name),
        binary: name.to_string(),
        name,
        version: Version::new(version).unwrap(),
        locked: None,
        scheme: None,
        compression: Compression::TarGz,
    }
}

/// The same, locked.
pub fn locked(pin: Pin, version: &str, commit: Option<&str>) -> Pin {
    let commit = commit.map(str::to_owned);
    Pin { locked: Some(Locked { commit, ..Locked::nothing_of(version) }), ..pin }
}

/// Two platforms.
pub fn platforms() -> Vec<Platform> {
    ["linux-amd64", "darwin-arm64"].map(|platform| platform.parse().unwrap()).to_vec()
}

/// A release with these files, each of a hundred bytes, whose digest is `digest(name)`.
pub fn release(tag: &str, files: &[&str]) -> ReleaseInfo {
    let asset = |name: &&str| ReleaseAsset {
        name: (*name).to_owned(),
        size: 100,
        sha256: Some(digest(name)),
    };
    ReleaseInfo {
        tag: tag.to_owned(),
        is_draft: false,
        is_prerelease: false,
        is_immutable: false,
        published_at: None,
        assets: files.iter().map(asset).collect(),
    }
}

/// Some digest that depends on `text`.
pub fn digest(text: &str) -> Sha256 {
    Sha256(crate::model::checksum(text.as_bytes()))
}

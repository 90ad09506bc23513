//! The lock: what `forge.lock` pins beyond `versions.yml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Binaries, Digest, Fingerprint, Name, Platform, Revision, Sha256};

/// The contents of `forge.lock`, sorted by name and platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// What is locked of each subsystem.
    pub subsystems: BTreeMap<Name, Locked>,
}

/// What is locked of one subsystem. It counts only while `version` is the pinned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The version as `versions.yml` states it (`v2.10.24`, `main`).
    pub version: String,
    /// The commit that the version means, where the source is a git repository.
    pub commit: Option<String>,
    /// What the release holds, per platform.
    pub assets: BTreeMap<Platform, LockedAsset>,
    /// The digest of each binary in the locked asset, per platform. What lies in a cache, or is
    /// installed, is compared with these.
    pub binaries: BTreeMap<Platform, Binaries>,
    /// What the vendor's own release held at first use, per platform.
    pub upstream: BTreeMap<Platform, LockedUpstream>,
    /// The image that the version was released as.
    pub image: Option<LockedImage>,
    /// The digests of the indexes of images that its own stands on, by how specs name them. They
    /// hold from version to version.
    pub bases: BTreeMap<String, Sha256>,
}

/// An image, as it was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedImage {
    /// The digest of its index.
    pub digest: Sha256,
    /// The fingerprint of what went into it.
    pub fingerprint: Fingerprint,
}

/// A vendor's asset, as it was at first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedUpstream {
    /// The fingerprint of taking it from the vendor: another URL is another asset.
    pub fingerprint: Fingerprint,
    /// Its digest, as the vendor published it then.
    pub digest: Digest,
}

/// One asset of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedAsset {
    /// The fingerprint in its stamp.
    pub fingerprint: Fingerprint,
    /// The digest of the packed asset.
    pub sha256: Sha256,
    /// The size of the packed asset in bytes.
    pub size: u64,
    /// Which release of the version it is in.
    #[serde(default)]
    pub revision: Revision,
}

impl Locked {
    /// An entry for `version` that says nothing else.
    #[must_use]
    pub fn nothing_of(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            commit: None,
            assets: BTreeMap::new(),
            binaries: BTreeMap::new(),
            upstream: BTreeMap::new(),
            image: None,
            bases: BTreeMap::new(),
        }
    }
}

impl Lock {
    /// What is locked for `name` at `version`; nothing if another version is locked.
    #[must_use]
    pub fn get(&self, name: &Name, version: &str) -> Option<&Locked> {
        self.subsystems.get(name).filter(|locked| locked.version == version)
    }

    /// The entry for `name` at `version`, emptied first if another version was locked.
    pub fn entry(&mut self, name: &Name, version: &str) -> &mut Locked {
        let locked =
            self.subsystems.entry(name.clone()).or_insert_with(|| Locked::nothing_of(version));
        if locked.version != version {
            let bases = std::mem::take(&mut locked.bases);
            *locked = Locked { bases, ..Locked::nothing_of(version) };
        }
        locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_empties_the_entry() {
        let name = Name::new("nats").unwrap();
        let mut lock = Lock::default();
        lock.entry(&name, "v1").commit = Some("c".into());
        assert!(lock.get(&name, "v1").is_some());
        assert!(lock.get(&name, "v2").is_none());
        assert_eq!(lock.entry(&name, "v2").commit, None);
    }
}

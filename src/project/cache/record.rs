//! What forge remembers of an artifact: its stamp, what `stat` said of its files when
//! they were last hashed, how long it took, and what its release holds.
//!
//! A record is sealed with this user's key (see [`SealKey`]): what somebody else wrote is none. It
//! saves work: where it is missing, damaged or out of date, the files themselves are hashed again.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    disk::read_file,
    model::{BinaryName, ContentSum, Fault, FileStat, Layout, LockedAsset, Stamp},
    provenance::RunClass,
};

use super::{own::write_state, seal::SealKey};

/// No record is longer, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// What the records of workspaces are sealed for.
const INSTALLED: &str = "installed artifact";

/// What is remembered of one artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its stamp.
    pub stamp: Stamp,
    /// For each file, what `stat` said when its digest was last compared.
    pub files: BTreeMap<String, FileStat>,
    /// For each binary a second digest, which is worked out faster.
    #[serde(default)]
    pub sums: BTreeMap<BinaryName, ContentSum>,
    /// Seconds that building it took, if it was ever built here.
    pub build_seconds: Option<f64>,
    /// The class of the run that made or fetched it; the lowest if nobody knows.
    #[serde(default)]
    pub class: RunClass,
    /// How it was made, if it was made on this machine.
    #[serde(default)]
    pub made: Option<Made>,
    /// What became of it in a store.
    pub release: Option<KnownRelease>,
    /// Who built it, as its provenance said when it was downloaded; nothing if it was made on
    /// this machine, or if nobody looked.
    #[serde(default)]
    pub builder: Option<String>,
    /// Whether a signature proved that when it was downloaded.
    #[serde(default)]
    pub attested: bool,
    /// The remote cache that it came from.
    #[serde(default)]
    pub remote: Option<String>,
}

/// How an artifact was made on this machine: what its provenance says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Who made it: the URI of the builder.
    pub builder: String,
    /// The page of the run that made it, if it was CI's.
    pub run_url: Option<String>,
    /// What started that run.
    pub event: Option<String>,
    /// What kept the build from writing elsewhere: `landlock`, the `worker` that it ran on, or `none`.
    pub sandbox: Option<String>,
    /// The properties of that worker.
    #[serde(default)]
    pub worker: Option<String>,
    /// When work on it began, as RFC 3339 has it.
    pub started_on: String,
    /// When it was done.
    pub finished_on: String,
    /// What each tool said of its version.
    pub tools: BTreeMap<String, String>,
}

/// What is known of an artifact's release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KnownRelease {
    /// A release holds exactly this artifact.
    Holds {
        /// The store's URL.
        store: String,
        /// The asset.
        asset: LockedAsset,
    },
    /// A release holds other bytes under this version, so this artifact stays local.
    HoldsOther {
        /// The store's URL.
        store: String,
        /// Why it stays local, as it is told until the version changes; nothing if nobody need know.
        #[serde(default)]
        why: Option<Fault>,
    },
}

impl ArtifactRecord {
    /// A record of an artifact of which no more is known than what lies there.
    pub fn unknown(stamp: Stamp, files: BTreeMap<String, FileStat>) -> Self {
        Self {
            stamp,
            files,
            sums: BTreeMap::new(),
            build_seconds: None,
            class: RunClass::Untrusted,
            made: None,
            release: None,
            builder: None,
            attested: false,
            remote: None,
        }
    }

    /// The total size of the binaries in bytes.
    pub fn bytes(&self) -> u64 {
        let binary = |(name, stat): (&String, &FileStat)| {
            if self.stamp.binaries.contains_key(name.as_str()) { stat.size } else { 0 }
        };
        self.files.iter().map(binary).sum()
    }

    /// The asset that holds exactly this artifact, if one is known.
    pub fn asset(&self) -> Option<&LockedAsset> {
        match &self.release {
            Some(KnownRelease::Holds { asset, .. }) => Some(asset),
            _ => None,
        }
    }

    /// Reads the record of something installed. One that is missing, damaged, or written by anybody
    /// else than this user's forge is not a record.
    pub(super) fn read(path: &Path, key: &SealKey) -> Option<Self> {
        Self::open_installed(&read_file(path, MAX_BYTES).ok()?, key)
    }

    /// Writes the record of something installed in the workspace at `layout` in one step.
    pub(super) fn write(&self, layout: &Layout, path: &Path, key: &SealKey) -> Result<(), Fault> {
        write_state(layout, path, &self.sealed_installed(key))
    }

    /// As [`read`](Self::read), of the bytes of a file.
    pub(super) fn open_installed(bytes: &[u8], key: &SealKey) -> Option<Self> {
        Self::open(INSTALLED, bytes, key)
    }

    /// The record of something installed as it stands in its file.
    pub(super) fn sealed_installed(&self, key: &SealKey) -> Vec<u8> {
        self.sealed(INSTALLED, key)
    }

    /// The record in `bytes`, if it was sealed with `key` for this `purpose`.
    pub(super) fn open(purpose: &str, bytes: &[u8], key: &SealKey) -> Option<Self> {
        serde_json::from_slice(key.open(purpose, bytes)?).ok()
    }

    /// The record as it stands in its file, sealed with `key` for `purpose`.
    pub(super) fn sealed(&self, purpose: &str, key: &SealKey) -> Vec<u8> {
        let body = serde_json::to_vec(self).expect("a record has only text keys");
        key.seal(purpose, &body)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Name, Platform};

    pub(in crate::cache) fn sample() -> ArtifactRecord {
        ArtifactRecord {
            stamp: Stamp {
                name: Name::new("nats").unwrap(),
                version: "v1".into(),
                commit: None,
                platform: Platform::host(),
                fingerprint: "1".repeat(64).parse().unwrap(),
                inputs: BTreeMap::new(),
                binaries: BTreeMap::new(),
            },
            files: BTreeMap::new(),
            sums: BTreeMap::new(),
            build_seconds: Some(1.5),
            class: RunClass::OnRequest,
            made: Some(Made::default()),
            release: None,
            builder: None,
            attested: false,
            remote: None,
        }
    }

    #[test]
    fn a_damaged_record_is_no_record_and_another_users_is_none_either() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        let path = layout.state().join("nats");
        let key = SealKey::in_folder(&dir.path().join("data"));
        sample().write(&layout, &path, &key).unwrap();
        assert_eq!(ArtifactRecord::read(&path, &key), Some(sample()));
        let other = SealKey::in_folder(&dir.path().join("elsewhere"));
        let _ = other.seal("", b"");
        assert_eq!(ArtifactRecord::read(&path, &other), None);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(ArtifactRecord::read(&path, &key), None, "byte {at}");
        }
    }

    #[test]
    fn a_record_that_names_a_path_as_a_binary_is_none_whoever_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::in_folder(dir.path());
        let mut record = serde_json::to_value(sample()).unwrap();
        for name in ["../../.git/hooks/pre-commit", "/etc/x", ".version"] {
            record["stamp"]["binaries"] = serde_json::json!({ name: "ab".repeat(32) });
            let body = serde_json::to_vec(&record).unwrap();
            let sealed = key.seal(INSTALLED, &body);
            assert_eq!(ArtifactRecord::open_installed(&sealed, &key), None, "{name}");
        }
    }
}

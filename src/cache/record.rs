//! What forge remembers of an artifact: its stamp, what `stat` said of its files when
//! they were last hashed, how long it took, and what its release holds.
//!
//! A record saves work and never decides on its own: where it is missing, damaged or out
//! of date, the files themselves are hashed again.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    disk::{MOST_OF_TEXT, read_file},
    model::{Fault, FileStat, Layout, LockedAsset, Sha256, Stamp, checksum},
    provenance::RunClass,
};

use super::own::write_state;

/// What is remembered of one artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its stamp.
    pub stamp: Stamp,
    /// For each file, what `stat` said when its digest was last compared.
    pub files: BTreeMap<String, FileStat>,
    /// Seconds that building it took, if it was ever built here.
    pub build_seconds: Option<f64>,
    /// The class of the run that made or fetched it; the lowest if nobody knows.
    #[serde(default)]
    pub class: RunClass,
    /// How it was made, if it was made on this machine.
    #[serde(default)]
    pub made: Option<Made>,
    /// What became of it in a store.
    pub release: Option<Release>,
    /// Who built it, as its provenance said when it was downloaded; nothing if it was made on
    /// this machine, or if nobody looked.
    #[serde(default)]
    pub builder: Option<String>,
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
    /// When work on it began, as RFC 3339 has it.
    pub started_on: String,
    /// When it was done.
    pub finished_on: String,
    /// What each tool said of its version.
    pub tools: BTreeMap<String, String>,
}

/// What is known of an artifact's release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Release {
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
    },
}

impl Record {
    /// A record of an artifact of which no more is known than what lies there.
    pub fn unknown(stamp: Stamp, files: BTreeMap<String, FileStat>) -> Self {
        Self {
            stamp,
            files,
            build_seconds: None,
            class: RunClass::Untrusted,
            made: None,
            release: None,
            builder: None,
        }
    }

    /// The total size of the binaries in bytes.
    pub fn bytes(&self) -> u64 {
        let binary = |(name, stat): (&String, &FileStat)| {
            if self.stamp.binaries.contains_key(name) { stat.size } else { 0 }
        };
        self.files.iter().map(binary).sum()
    }

    /// The asset that holds exactly this artifact, if one is known.
    pub fn asset(&self) -> Option<&LockedAsset> {
        match &self.release {
            Some(Release::Holds { asset, .. }) => Some(asset),
            _ => None,
        }
    }

    /// Reads a record. One that is missing or damaged is no record.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = read_file(path, MOST_OF_TEXT).ok()?;
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let (sum, body) = (&bytes[..at], &bytes[at + 1..]);
        if sum != check_line(body).as_bytes() {
            return None;
        }
        serde_json::from_slice(body).ok()
    }

    /// Writes a record of the workspace at `layout` in one step.
    pub fn write(&self, layout: &Layout, path: &Path) -> Result<(), Fault> {
        write_state(layout, path, &self.to_bytes())
    }

    /// The record as it stands in its file: a line with the checksum of what follows.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let body = serde_json::to_vec(self).expect("a record has only text keys");
        let mut bytes = check_line(&body).into_bytes();
        bytes.push(b'\n');
        bytes.extend(body);
        bytes
    }
}

fn check_line(body: &[u8]) -> String {
    format!("forge-record 1 {}", Sha256(checksum(body)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Name, Platform};

    pub(in crate::cache) fn sample() -> Record {
        Record {
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
            build_seconds: Some(1.5),
            class: RunClass::OnRequest,
            made: Some(Made::default()),
            release: None,
            builder: None,
        }
    }

    #[test]
    fn a_damaged_record_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let path = layout.state().join("nats");
        sample().write(&layout, &path).unwrap();
        assert_eq!(Record::read(&path), Some(sample()));
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(Record::read(&path), None, "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert_eq!(Record::read(&path), None, "cut at {at}");
        }
    }
}

//! What is said of releases at the port: what is to be published, what became of it, and
//! what is there.

use std::path::PathBuf;

use crate::model::{Fault, Kind, Sha256};

/// What a store knows of an asset before it is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetInfo {
    /// Bytes, if the store says.
    pub size: Option<u64>,
    /// The digest, if the store gives it at no further cost. If not, [`super::published_digest`]
    /// reads it from the sidecar.
    pub sha256: Option<Sha256>,
}

/// A release as it is to be: what an [`Upload`] belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRelease {
    /// Its tag.
    pub tag: String,
    /// Its title for people.
    pub title: String,
    /// What its page says, in Markdown.
    pub notes: String,
    /// Whether it is a release of the project, which its host may call the latest; those of
    /// subsystems never are.
    pub is_latest: bool,
    /// Whether it lacks something that it is still to have: its host calls it a pre-release then.
    pub is_partial: bool,
    /// The assets, without sidecars, that make it complete: one per platform.
    pub expected: Vec<String>,
    /// When it becomes visible.
    pub mode: Mode,
}

/// When a release becomes visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the host needs it: [`Mode::Sealed`] where releases are immutable, else [`Mode::Append`].
    #[default]
    Detected,
    /// With its first asset; others are added as they come.
    Append,
    /// When everything expected is there, and not before: a draft until then.
    Sealed,
}

/// A file on its way into a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The asset's name.
    pub asset: String,
    /// The file. A path and no stream, since a second attempt needs the first byte again.
    pub path: PathBuf,
    /// What its digest has to be.
    pub sha256: Sha256,
    /// Small texts that belong beside it, as file name and contents: its checksum, its provenance.
    pub sidecars: Vec<(String, String)>,
}

/// What became of an attempt to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of the asset.
    pub published: Published,
    /// What the release still waits for before anybody can see it; empty once it is visible.
    pub waits_for: Vec<String>,
}

/// What became of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The asset was not there and now is.
    Created,
    /// The same bytes were there already.
    Identical,
    /// Other bytes were there already; they stay.
    Conflict {
        /// The digest of what is there.
        theirs: Sha256,
    },
}

/// A release as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Its tag.
    pub tag: String,
    /// Whether only those who may write can see it.
    pub is_draft: bool,
    /// Whether its host calls it a pre-release.
    pub is_prerelease: bool,
    /// Whether its host lets nobody change it any more.
    pub is_immutable: bool,
    /// When it became visible, as RFC 3339 has it, if the store says.
    pub published_at: Option<String>,
    /// Its assets, sidecars among them, sorted by name. Half-made ones are left out.
    pub assets: Vec<ReleaseAsset>,
}

/// An asset as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseAsset {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The digest, if the store gives it at no further cost.
    pub sha256: Option<Sha256>,
}

/// What a store says of those who ask: for `forge doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where the login came from (`FORGE_GITHUB_TOKEN`, `gh auth token`), if there is one.
    /// Never the login itself.
    pub login: Option<String>,
    /// Whether it may be read.
    pub may_read: bool,
    /// Whether it may be written; nothing if the store does not say.
    pub may_write: Option<bool>,
    /// What else is worth telling, a sentence each.
    pub notes: Vec<String>,
}

impl StoreRelease {
    /// A release of a subsystem, whose complete set of assets is `expected`.
    #[must_use]
    pub fn of_subsystem(tag: String, expected: Vec<String>) -> Self {
        let title = tag.clone();
        Self {
            tag,
            title,
            notes: String::new(),
            is_latest: false,
            is_partial: false,
            expected,
            mode: Mode::Detected,
        }
    }
}

impl Upload {
    /// The file at `path` with its checksum beside it.
    #[must_use]
    pub fn new(asset: String, path: PathBuf, sha256: Sha256) -> Self {
        let checksum = (super::sidecar::name(&asset), super::sidecar::text(&asset, sha256));
        Self { asset, path, sha256, sidecars: vec![checksum] }
    }

    /// The fault of other bytes, whose digest is `theirs`, being there already in the release
    /// `tag` of the store called `store`.
    #[must_use]
    pub fn conflict(&self, store: &str, tag: &str, theirs: Sha256) -> Fault {
        Fault::new(Kind::Verification, format!("{store} holds another {tag}/{}", self.asset))
            .because(format!(
                "its sha256 is {theirs}, that of the one made here is {}",
                self.sha256
            ))
            .hint(
                "a release is never overwritten: the one made here stays on this machine; a new \
                 version releases it",
            )
    }

    /// The same with another text beside it.
    #[must_use]
    pub fn with(mut self, name: String, text: String) -> Self {
        self.sidecars.push((name, text));
        self
    }
}

//! The words that APIs for releases have in common. GitHub's came first
//! (<https://docs.github.com/en/rest/releases>), and Gitea speaks them too; what only one of them
//! says is optional here.

use serde::Deserialize;

use crate::{
    model::Sha256,
    store::{ReleaseAsset, ReleaseInfo},
};

/// A release.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HostedRelease {
    pub(super) id: u64,
    pub(super) tag_name: String,
    #[serde(default)]
    pub(super) draft: bool,
    #[serde(default)]
    pub(super) prerelease: bool,
    #[serde(default)]
    pub(super) immutable: bool,
    /// Where assets are uploaded to, if not to the API.
    #[serde(default)]
    pub(super) upload_url: String,
    pub(super) published_at: Option<String>,
    /// What was seen there; there may be more by now.
    #[serde(default)]
    pub(super) assets: Vec<HostedAsset>,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct HostedAsset {
    pub(super) id: u64,
    pub(super) name: String,
    /// Anything but `uploaded` is half-made.
    #[serde(default = "uploaded")]
    pub(super) state: String,
    #[serde(default)]
    pub(super) size: u64,
    /// `sha256:…`, if the host knows it.
    pub(super) digest: Option<String>,
    /// RFC 3339.
    pub(super) created_at: Option<String>,
    /// Where its bytes are, if not under its identifier.
    #[serde(default, rename = "uuid")]
    pub(super) place: String,
}

/// A repository.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct HostedRepository {
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) empty: bool,
    #[serde(default)]
    pub(super) default_branch: String,
    /// What the login may do; not told to everybody.
    pub(super) permissions: Option<Permissions>,
}

/// What a login may do.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Permissions {
    #[serde(default)]
    pub(super) push: bool,
}

fn uploaded() -> String {
    "uploaded".into()
}

impl HostedAsset {
    pub(super) fn is_whole(&self) -> bool {
        self.state == "uploaded"
    }

    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.digest.as_deref()?.strip_prefix("sha256:")?.parse().ok()
    }
}

impl HostedRelease {
    /// The whole asset called `name`: the first one, if there are several.
    pub(super) fn asset(&self, name: &str) -> Option<&HostedAsset> {
        let called = self.assets.iter().filter(|asset| asset.name == name && asset.is_whole());
        called.min_by_key(|asset| asset.id)
    }

    /// It in the words of the port.
    pub(super) fn info(&self) -> ReleaseInfo {
        let mut assets: Vec<_> = self.assets.iter().filter(|asset| asset.is_whole()).collect();
        assets.sort_by_key(|asset| (&asset.name, asset.id));
        assets.dedup_by_key(|asset| &asset.name);
        let told = |asset: &&HostedAsset| ReleaseAsset {
            name: asset.name.clone(),
            size: asset.size,
            sha256: asset.sha256(),
        };
        ReleaseInfo {
            tag: self.tag_name.clone(),
            is_draft: self.draft,
            is_prerelease: self.prerelease,
            is_immutable: self.immutable,
            published_at: self.published_at.clone().filter(|_| !self.draft),
            assets: assets.iter().map(told).collect(),
        }
    }
}

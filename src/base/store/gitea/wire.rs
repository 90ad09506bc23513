//! The words of Gitea's API for releases (its `templates/swagger/v1_json.tmpl`), as far as
//! forge reads and writes them.

use serde::{Deserialize, Serialize};

use crate::store::{ReleaseAsset, ReleaseInfo, StoreRelease};

/// A release, as the API has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GiteaRelease {
    pub(super) id: u64,
    pub(super) tag_name: String,
    #[serde(default)]
    pub(super) draft: bool,
    #[serde(default)]
    prerelease: bool,
    published_at: Option<String>,
    /// All of them, however many.
    #[serde(default)]
    assets: Vec<GiteaAsset>,
}

/// An asset, as the API has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GiteaAsset {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) uuid: String,
    #[serde(default)]
    pub(super) size: u64,
}

/// A repository, as the API has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GiteaRepository {
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) empty: bool,
    #[serde(default)]
    pub(super) default_branch: String,
    /// What the login may do.
    pub(super) permissions: Option<GiteaPermissions>,
}

/// What a login may do.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GiteaPermissions {
    #[serde(default)]
    pub(super) push: bool,
}

/// A release as it is to be created.
#[derive(Serialize)]
pub(super) struct GiteaNewRelease<'a> {
    pub(super) tag_name: &'a str,
    /// Where the tag goes if there is none yet.
    pub(super) target_commitish: &'a str,
    pub(super) name: &'a str,
    pub(super) body: &'a str,
    pub(super) draft: bool,
    /// Only what is none may be called the latest.
    pub(super) prerelease: bool,
}

/// What makes a draft visible.
#[derive(Serialize)]
pub(super) struct GiteaPublication {
    pub(super) draft: bool,
}

/// What replaces the text of a release.
#[derive(Serialize)]
pub(super) struct GiteaNotes<'a> {
    pub(super) body: &'a str,
}

impl<'a> GiteaNewRelease<'a> {
    pub(super) fn of(release: &'a StoreRelease, branch: &'a str, draft: bool) -> Self {
        Self {
            tag_name: &release.tag,
            target_commitish: branch,
            name: &release.title,
            body: &release.notes,
            draft,
            prerelease: !release.is_latest,
        }
    }
}

impl GiteaRelease {
    /// All assets called `name`, the first one first.
    pub(super) fn called(&self, name: &str) -> Vec<&GiteaAsset> {
        let mut called: Vec<_> = self.assets.iter().filter(|asset| asset.name == name).collect();
        called.sort_by_key(|asset| asset.id);
        called
    }

    /// The asset called `name`: the first one, if there are several.
    pub(super) fn asset(&self, name: &str) -> Option<&GiteaAsset> {
        self.called(name).first().copied()
    }

    /// It in the words of the port.
    pub(super) fn info(&self) -> ReleaseInfo {
        let mut assets: Vec<_> = self.assets.iter().collect();
        assets.sort_by_key(|asset| (&asset.name, asset.id));
        assets.dedup_by_key(|asset| &asset.name);
        let told = |asset: &&GiteaAsset| ReleaseAsset {
            name: asset.name.clone(),
            size: asset.size,
            sha256: None,
        };
        ReleaseInfo {
            tag: self.tag_name.clone(),
            is_draft: self.draft,
            is_prerelease: self.prerelease,
            is_immutable: false,
            published_at: self.published_at.clone().filter(|_| !self.draft),
            assets: assets.iter().map(told).collect(),
        }
    }
}

//! A release.

use serde_json::{Value, json};

use super::{asset::Asset, origins::Origins, user};

/// A release, as it is stored.
#[derive(Clone, Debug)]
pub struct Release {
    pub id: u64,
    pub tag: String,
    pub target: String,
    pub name: Option<String>,
    pub body: Option<String>,
    pub draft: bool,
    pub prerelease: bool,
    /// Sealed: neither the tag nor the assets change any more.
    pub immutable: bool,
    pub created_at: String,
    pub published_at: Option<String>,
    pub assets: Vec<Asset>,
}

impl Release {
    /// The asset with this name.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }

    /// The names of its assets, sorted.
    pub fn asset_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.assets.iter().map(|asset| asset.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The tag in addresses for browsers: a draft has none yet.
    pub fn tag_in_addresses(&self) -> String {
        if self.draft { format!("untagged-{:020x}", self.id) } else { self.tag.clone() }
    }

    /// The object that the API gives for it.
    pub fn to_json(&self, origins: &Origins, folder: &str) -> Value {
        let Self { id, tag, .. } = self;
        let url = format!("{}/repos/{folder}", origins.api);
        let shown = self.tag_in_addresses();
        let archive = |kind: &str| (!self.draft).then(|| format!("{url}/{kind}/{tag}"));
        let assets: Vec<_> =
            self.assets.iter().map(|asset| asset.to_json(origins, folder, &shown)).collect();
        json!({
            "url": format!("{url}/releases/{id}"),
            "assets_url": format!("{url}/releases/{id}/assets"),
            "upload_url":
                format!("{}/repos/{folder}/releases/{id}/assets{{?name,label}}", origins.uploads),
            "html_url": format!("{}/{folder}/releases/tag/{shown}", origins.web),
            "id": id,
            "author": user::to_json(origins),
            "node_id": format!("RE_{id}"),
            "tag_name": tag,
            "target_commitish": self.target,
            "name": self.name,
            "draft": self.draft,
            "immutable": self.immutable,
            "prerelease": self.prerelease,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "published_at": self.published_at,
            "assets": assets,
            "tarball_url": archive("tarball"),
            "zipball_url": archive("zipball"),
            "body": self.body,
        })
    }
}

/// A release to be there before a test begins.
#[derive(Clone, Debug, Default)]
pub struct NewRelease {
    pub(super) tag: String,
    pub(super) name: Option<String>,
    pub(super) body: Option<String>,
    pub(super) draft: bool,
    pub(super) prerelease: bool,
    pub(super) assets: Vec<(String, Vec<u8>)>,
    pub(super) starters: Vec<String>,
}

impl NewRelease {
    /// Published, without assets.
    pub fn tagged(tag: &str) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }

    /// With a name and a text.
    #[must_use]
    pub fn titled(mut self, name: &str, body: &str) -> Self {
        (self.name, self.body) = (Some(name.into()), Some(body.into()));
        self
    }

    /// Not published.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.draft = true;
        self
    }

    /// Marked as not ready for production.
    #[must_use]
    pub fn prerelease(mut self) -> Self {
        self.prerelease = true;
        self
    }

    /// With an asset.
    #[must_use]
    pub fn asset(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.assets.push((name.into(), bytes.into()));
        self
    }

    /// With an asset whose upload somebody began and did not finish.
    #[must_use]
    pub fn starter(mut self, name: &str) -> Self {
        self.starters.push(name.into());
        self
    }
}

impl From<&str> for NewRelease {
    fn from(tag: &str) -> Self {
        Self::tagged(tag)
    }
}

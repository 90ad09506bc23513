//! The words of GitHub's REST API for releases (<https://docs.github.com/en/rest/releases>), as far as forge reads and
//! writes them.

use serde::{Deserialize, Serialize};

use crate::{
    model::Sha256,
    store::{Mode, ReleaseAsset, ReleaseInfo, StoreRelease},
};

/// A release, as the API has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireRelease {
    pub(super) id: u64,
    pub(super) tag_name: String,
    #[serde(default)]
    pub(super) draft: bool,
    #[serde(default)]
    prerelease: bool,
    #[serde(default)]
    pub(super) immutable: bool,
    pub(super) upload_url: String,
    pub(super) published_at: Option<String>,
    #[serde(default)]
    pub(super) assets: Vec<WireAsset>,
}

/// An asset, as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct WireAsset {
    pub(super) id: u64,
    pub(super) name: String,
    /// `uploaded`; anything else is half-made.
    pub(super) state: String,
    #[serde(default)]
    pub(super) size: u64,
    /// `sha256:…`; assets that are older than GitHub's digests have none.
    pub(super) digest: Option<String>,
    /// RFC 3339.
    pub(super) created_at: Option<String>,
}

/// A repository, as the API has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireRepository {
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    /// What the login may do; not told to everybody.
    pub(super) permissions: Option<Permissions>,
}

/// What a login may do.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Permissions {
    #[serde(default)]
    pub(super) push: bool,
}

/// Whether releases of a repository are immutable from now on.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Immutability {
    pub(super) enabled: bool,
}

/// A release as it is to be created.
#[derive(Serialize)]
pub(super) struct NewRelease<'a> {
    tag_name: &'a str,
    name: &'a str,
    body: String,
    draft: bool,
    prerelease: bool,
    make_latest: &'static str,
}

/// What makes a draft visible.
#[derive(Serialize)]
pub(super) struct DraftPublication {
    draft: bool,
    make_latest: &'static str,
}

/// What replaces the text of a release.
#[derive(Serialize)]
pub(super) struct NotesUpdate {
    body: String,
    make_latest: &'static str,
}

impl NotesUpdate {
    pub(super) fn of(release: &StoreRelease) -> Self {
        let body = release.notes.chars().take(MAX_BODY).collect();
        Self { body, make_latest: make_latest(release) }
    }
}

/// The most characters that the body of a release may have.
const MAX_BODY: usize = 125_000;

impl<'a> NewRelease<'a> {
    /// `release`, visible at once or as a draft. Names no commit: that takes permissions which
    /// the logins of workflows cannot have, and the provenance beside an asset says it better.
    pub(super) fn of(release: &'a StoreRelease, draft: bool) -> Self {
        Self {
            tag_name: &release.tag,
            name: &release.title,
            body: release.notes.chars().take(MAX_BODY).collect(),
            draft,
            prerelease: false,
            make_latest: make_latest(release),
        }
    }
}

impl DraftPublication {
    pub(super) fn of(release: &StoreRelease) -> Self {
        Self { draft: false, make_latest: make_latest(release) }
    }
}

/// Said always, since the host's default is to call whatever came last the latest.
fn make_latest(release: &StoreRelease) -> &'static str {
    if release.is_latest { "true" } else { "false" }
}

impl WireAsset {
    pub(super) fn is_whole(&self) -> bool {
        self.state == "uploaded"
    }

    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.digest.as_deref()?.strip_prefix("sha256:")?.parse().ok()
    }
}

impl WireRelease {
    /// The whole asset called `name`.
    pub(super) fn asset(&self, name: &str) -> Option<&WireAsset> {
        self.assets.iter().find(|asset| asset.name == name && asset.is_whole())
    }

    /// It in the words of the port.
    pub(super) fn info(&self) -> ReleaseInfo {
        let whole = self.assets.iter().filter(|asset| asset.is_whole());
        let mut assets: Vec<_> = whole
            .map(|asset| ReleaseAsset {
                name: asset.name.clone(),
                size: asset.size,
                sha256: asset.sha256(),
            })
            .collect();
        assets.sort_by(|a, b| a.name.cmp(&b.name));
        ReleaseInfo {
            tag: self.tag_name.clone(),
            is_draft: self.draft,
            is_prerelease: self.prerelease,
            is_immutable: self.immutable,
            published_at: self.published_at.clone(),
            assets,
        }
    }
}

impl Immutability {
    /// How releases have to be published then.
    pub(super) fn mode(self) -> Mode {
        if self.enabled { Mode::Sealed } else { Mode::Append }
    }
}

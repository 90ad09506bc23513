//! The words of GitLab's API, as far as forge reads and writes them.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::wire::{HostedAsset, HostedRelease, HostedRepository, Permissions},
    files::{self, PackagePath},
};

/// A release (<https://docs.gitlab.com/api/releases/>).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GitLabRelease {
    tag_name: String,
    released_at: Option<String>,
    #[serde(default)]
    assets: Assets,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Assets {
    #[serde(default)]
    links: Vec<ReleaseLink>,
}

/// A link of a release (<https://docs.gitlab.com/api/releases/links/>).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReleaseLink {
    id: u64,
    name: String,
    url: String,
}

/// A package of a project (<https://docs.gitlab.com/api/packages/>).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GitLabPackage {
    pub(super) id: u64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
}

/// A file of a package.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PackageFile {
    pub(super) id: u64,
    pub(super) package_id: u64,
    file_name: String,
    #[serde(default)]
    size: u64,
    file_sha256: Option<String>,
}

/// A project (<https://docs.gitlab.com/api/projects/>); strangers are told less of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GitLabProject {
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    empty_repo: bool,
    default_branch: Option<String>,
    permissions: Option<GitLabPermissions>,
}

#[derive(Clone, Debug, Deserialize)]
struct GitLabPermissions {
    project_access: Option<Membership>,
    group_access: Option<Membership>,
}

#[derive(Clone, Debug, Deserialize)]
struct Membership {
    access_level: u32,
}

/// Who may make releases and packages ("Roles and permissions").
const DEVELOPER: u32 = 30;

impl GitLabRelease {
    /// It in the words that hosts share: of its links, those that lead to forge's files.
    pub(super) fn hosted(self) -> HostedRelease {
        let links = self.assets.links.iter();
        let assets = links.filter_map(|link| link.asset(&self.tag_name)).collect();
        HostedRelease {
            draft: false,
            published_at: self.released_at,
            ..release(&self.tag_name, 0, assets)
        }
    }
}

/// A release of `tag` that nobody sees yet, kept in the package called `id`.
pub(super) fn release(tag: &str, id: u64, assets: Vec<HostedAsset>) -> HostedRelease {
    HostedRelease {
        id,
        tag_name: tag.to_owned(),
        draft: true,
        prerelease: false,
        immutable: false,
        upload_url: String::new(),
        published_at: None,
        assets,
    }
}

/// The asset that is in the file at `place`.
fn asset(id: u64, place: &str) -> Option<HostedAsset> {
    let path = PackagePath::parse(place)?;
    let (sha256, size, name) = files::parse(&path.file)?;
    Some(HostedAsset {
        id,
        name: name.to_owned(),
        state: "uploaded".into(),
        size,
        digest: Some(format!("sha256:{sha256}")),
        created_at: None,
        place: place.to_owned(),
    })
}

impl ReleaseLink {
    /// The asset of `tag` that it leads to, if it is one of forge's and is called so.
    pub(super) fn asset(&self, tag: &str) -> Option<HostedAsset> {
        let is_of_tag = PackagePath::parse(&self.url).is_some_and(|path| path.tag == tag);
        asset(self.id, &self.url).filter(|asset| is_of_tag && asset.name == self.name)
    }
}

impl PackageFile {
    /// The asset of `tag` that it is, with size and digest as the registry has found them.
    pub(super) fn asset(&self, tag: &str) -> Option<HostedAsset> {
        let place = format!("packages/generic/{}/{tag}/{}", files::PACKAGE, self.file_name);
        let told = self.file_sha256.as_ref().map(|sha256| format!("sha256:{sha256}"));
        Some(HostedAsset { size: self.size, digest: told, ..asset(self.id, &place)? })
    }
}

impl From<GitLabProject> for HostedRepository {
    fn from(project: GitLabProject) -> Self {
        let most = |it: GitLabPermissions| {
            let levels = [it.project_access, it.group_access];
            let most = levels.into_iter().flatten().map(|it| it.access_level).max();
            // Neither is told to an administrator, nor to whom another group was invited with.
            most.map(|most| Permissions { push: most >= DEVELOPER })
        };
        Self {
            private: !project.visibility.is_empty() && project.visibility != "public",
            archived: project.archived,
            empty: project.empty_repo,
            default_branch: project.default_branch.unwrap_or_default(),
            permissions: project.permissions.and_then(most),
        }
    }
}

/// The first file of each asset.
pub(super) fn first_of_each(assets: &[HostedAsset]) -> impl Iterator<Item = &HostedAsset> {
    let mut sorted: Vec<_> = assets.iter().collect();
    sorted.sort_by_key(|asset| asset.id);
    let mut seen = BTreeSet::new();
    sorted.into_iter().filter(move |asset| seen.insert(&asset.name))
}

/// A link called `name` to `url`, with an address below the release's page where its name can be
/// one ("Permanent links to release assets").
pub(super) fn new_link(name: &str, url: &Url) -> Value {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let ends_plainly = name.ends_with(|c: char| c.is_ascii_alphanumeric());
    let mut link = json!({ "name": name, "url": url.as_str(), "link_type": "package" });
    if ends_plainly && name.len() < 120 && name.chars().all(is_plain) {
        link["direct_asset_path"] = format!("/{name}").into();
    }
    link
}

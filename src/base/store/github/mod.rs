//! The releases of a GitHub repository.
//!
//! ```text
//! find, open ──> reading ── by tag and name, no API ──> transfer
//!                   └────── private ──┐
//! publish ──> publishing ──> target (append) or sealing (draft) ──> put (an asset)
//!                                     │                              │
//!                                     └──> api ──> limits, kept <────┘
//! host: which GitHub; wire: the words of its API; refusal: what its errors mean
//! ```
//!
//! A release is made by whoever comes first: creating is tried, and "it is there already" is
//! the lock. The same holds for assets. Nothing that is whole is ever deleted or replaced
//! on the way, except by the one who just uploaded it and found it broken.

mod api;
mod host;
mod kept;
mod limits;
mod publishing;
mod put;
mod reading;
mod refusal;
mod sealing;
mod target;
mod wire;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::OnceCell;

pub(super) use self::host::GitHubHost;
use self::{api::GitHubApi, reading::Visibility, target::ReleaseTarget};
use super::{
    Access, AssetInfo, AssetStream, Mode, Pending, Receipt, ReleaseInfo, Store, StoreRelease,
    StoreSettings, Upload, check_names,
};
use crate::model::Fault;

/// A repository whose releases are the store.
pub(super) struct GitHub {
    url: String,
    api: GitHubApi,
    /// Who sees the repository.
    sight: OnceCell<Visibility>,
    /// When releases become visible, if nobody says so.
    detected: std::sync::OnceLock<Mode>,
    /// Whether a release turned out to be immutable, whatever was detected.
    seals: AtomicBool,
    /// Releases that this store put something into, by tag.
    targets: Mutex<HashMap<String, ReleaseTarget>>,
}

impl GitHub {
    /// The store called `url`: the releases of `owner/name` at `host`. Connects to nothing yet.
    pub(super) fn new(
        url: String,
        host: GitHubHost,
        [owner, name]: [&String; 2],
        settings: &StoreSettings,
    ) -> Self {
        let repository = [owner.clone(), name.clone()];
        Self {
            api: GitHubApi::new(url.clone(), host, repository, settings),
            url,
            sight: OnceCell::new(),
            detected: std::sync::OnceLock::new(),
            seals: AtomicBool::new(false),
            targets: Mutex::default(),
        }
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<String, ReleaseTarget>> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, tag: &str) -> Option<ReleaseTarget> {
        self.targets().get(tag).cloned()
    }

    fn remember(&self, tag: &str, target: ReleaseTarget) {
        self.targets().insert(tag.to_owned(), target);
    }

    fn forget(&self, tag: &str) {
        self.targets().remove(tag);
    }

    /// The release of `tag`, also if it is a draft that whoever asks may see.
    async fn find_release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        check_names(tag, "asset")?;
        let recent = self.api.tempo().recent;
        if let Some(release) = self.api.release(tag, recent).await? {
            return Ok(Some(release.info()));
        }
        // Says so too if the repository is not to be seen.
        Ok(self.listed(tag).await?.agreed().map(|release| release.info()))
    }

    async fn list(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        let listed = self.api.releases(usize::MAX).await?;
        let mut releases: Vec<_> = listed.iter().map(|release| release.info()).collect();
        releases.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(releases)
    }

    async fn withdraw_tag(&self, tag: &str) -> Result<(), Fault> {
        check_names(tag, "asset")?;
        let listed = self.listed(tag).await?;
        let by_tag = self.api.release(tag, Duration::ZERO).await?;
        let releases = listed.visible.into_iter().chain(listed.drafts).chain(by_tag);
        let mut ids: Vec<_> = releases.map(|release| release.id).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            self.api.delete(&["releases", &id.to_string()]).await?;
        }
        self.forget(tag);
        // The tag last: without it, the release could not be found again.
        self.api.delete(&["git", "refs", "tags", tag]).await
    }

    async fn ask_access(&self) -> Result<Access, Fault> {
        let login = self.api.login().await.map(|login| login.source.clone());
        let Some(repository) = self.api.repository().await? else {
            let notes = vec![self.api.who().await.hidden().to_string()];
            return Ok(Access { login, may_read: false, may_write: Some(false), notes });
        };
        let mut notes = Vec::new();
        if repository.private {
            notes.push("the repository is private: reading it takes a login and the API".into());
        }
        if repository.archived {
            notes.push("the repository is archived, so that nobody can write to it".into());
        }
        let url = self.api.resource(&["immutable-releases"]);
        match self.api.get_if_allowed::<wire::Immutability>(url).await? {
            Some(immutability) if immutability.enabled => notes.push(
                "its releases are immutable: each is published when all platforms are there".into(),
            ),
            Some(_) => notes.push("its releases are not immutable".into()),
            None => notes.push("whether its releases are immutable, this login may not ask".into()),
        }
        let may_write = match (&login, repository.permissions) {
            (None, _) => Some(false),
            (_, permissions) => permissions.map(|may| may.push && !repository.archived),
        };
        Ok(Access { login, may_read: true, may_write, notes })
    }
}

impl Store for GitHub {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn find<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetInfo>, Fault>> {
        Box::pin(self.look(tag, asset))
    }

    fn open<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetStream>, Fault>> {
        Box::pin(self.read(tag, asset))
    }

    fn publish<'a>(
        &'a self,
        release: &'a StoreRelease,
        upload: &'a Upload,
    ) -> Pending<'a, Result<Receipt, Fault>> {
        Box::pin(self.publish_upload(release, upload))
    }

    fn release<'a>(&'a self, tag: &'a str) -> Pending<'a, Result<Option<ReleaseInfo>, Fault>> {
        Box::pin(self.find_release(tag))
    }

    fn releases(&self) -> Pending<'_, Result<Vec<ReleaseInfo>, Fault>> {
        Box::pin(self.list())
    }

    fn describe<'a>(&'a self, release: &'a StoreRelease) -> Pending<'a, Result<bool, Fault>> {
        Box::pin(self.rewrite_notes(release))
    }

    fn remove<'a>(&'a self, tag: &'a str) -> Pending<'a, Result<(), Fault>> {
        Box::pin(self.withdraw_tag(tag))
    }

    fn access(&self) -> Pending<'_, Result<Access, Fault>> {
        Box::pin(self.ask_access())
    }
}

//! Releases of a repository on a host that has such: GitHub, Gitea, Forgejo, GitLab. What all have in common
//! is here, once; what is special about each is in its folder, behind [`ReleaseHost`].
//!
//! ```text
//! find, open ──> reading ── by tag and name, no API ──> transfer
//!                   └────── private ──┐
//! publish ──> publishing ──> target (created, or found) ──> put (an asset) ──> sealing (a draft)
//!                                     │                       │
//!                                     └────> ReleaseHost ──> api ────┴──> limits, kept, refusal
//! ```
//!
//! A release is made by whoever comes first: creating is tried, and "it is there already" is
//! the lock. The same holds for assets, by their names where the host keeps those unique, else by
//! their identifiers: the lowest one counts. Nothing that is whole is ever deleted or replaced on
//! the way, except by the one who just uploaded it and found it broken, or second.

mod account;
mod api;
mod beside;
pub(super) mod gitea;
pub(super) mod github;
pub(super) mod gitlab;
mod host;
mod kept;
mod limits;
mod publishing;
mod put;
mod reading;
mod refusal;
mod sealing;
mod wire;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use self::beside::{ApiChange, RepositoryApi, RepositoryHost, repository_api};
use self::{
    host::{ReleaseHost, Visibility},
    wire::{HostedAsset, HostedRelease, HostedRepository},
};
use super::{
    Access, AssetInfo, AssetStream, Mode, Receipt, ReleaseInfo, Store, StoreRelease, Upload,
    check_names, retry::retrying,
};
use crate::model::{Fault, Kind};

/// A repository whose releases are the store.
struct Hosted<H> {
    url: String,
    host: H,
    /// Who sees the repository.
    sight: OnceCell<Visibility>,
    /// Releases that this store put something into, by tag.
    targets: Mutex<HashMap<String, HostedRelease>>,
}

impl<H: ReleaseHost> Hosted<H> {
    /// The store called `url`: the releases at `host`. Connects to nothing yet.
    fn new(url: String, host: H) -> Self {
        Self { url, host, sight: OnceCell::new(), targets: Mutex::default() }
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<String, HostedRelease>> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The release that all agree on: the visible one, or else a draft.
    async fn agreed(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault> {
        match self.host.release(tag, age).await? {
            Some(visible) => Ok(Some(visible)),
            None => Ok(self.host.releases_of(tag).await?.into_iter().next()),
        }
    }
}

#[async_trait]
impl<H: ReleaseHost> Store for Hosted<H> {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        true
    }

    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        self.find_asset(tag, asset).await
    }

    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        self.read(tag, asset).await
    }

    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        self.publish_upload(release, upload).await
    }

    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        check_names(tag, "asset")?;
        match self.agreed(tag, self.host.api().tempo().recent).await? {
            Some(release) => Ok(Some(release.info())),
            // Only of a repository that can be seen is that an absence.
            None => self.host.visible_repository().await.map(|_| None),
        }
    }

    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        let listed = self.host.releases().await?;
        let mut releases: Vec<_> = listed.iter().map(HostedRelease::info).collect();
        releases.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(releases)
    }

    async fn describe(&self, release: &StoreRelease) -> Result<bool, Fault> {
        let Some(found) = self.agreed(&release.tag, Duration::ZERO).await? else {
            let what = format!("there is no release {} in {}", release.tag, self.url);
            return Err(Fault::new(Kind::Store, what));
        };
        let (api, call) = (self.host.api(), self.host.description(&found, release));
        retrying(api.settings(), || api.change(&call)).await.map(|()| true)
    }

    async fn announce(&self, release: &StoreRelease) -> Result<bool, Fault> {
        check_names(&release.tag, "asset")?;
        let api = self.host.api();
        if api.account.login().await.is_none() {
            return Err(api.who().await.needs_login());
        }
        let found = self.agreed(&release.tag, Duration::ZERO).await?;
        if found.is_none() && release.is_partial && !release.expected.is_empty() {
            let mode = match release.mode {
                Mode::Detected => self.host.mode().await?,
                asked => Some(asked),
            };
            // Nothing could be added to it later.
            if mode == Some(Mode::Sealed) {
                return Ok(false);
            }
        }
        let target = match found {
            Some(found) => found,
            None => {
                let visible = StoreRelease { mode: Mode::Append, ..release.clone() };
                self.host.target(&visible).await?
            }
        };
        // Where a release is made with its assets, that is still to be done.
        let call = match target.draft && self.host.begins_with_assets() {
            true => self.host.publication(&target, release, &[]).await?,
            false => self.host.page(&target, release),
        };
        retrying(api.settings(), || api.change(&call)).await.map(|()| true)
    }

    async fn remove(&self, tag: &str) -> Result<(), Fault> {
        check_names(tag, "asset")?;
        let api = self.host.api();
        let found = self.host.releases_of(tag).await?;
        if found.is_empty() {
            self.host.visible_repository().await?;
        }
        for release in found {
            api.delete(self.host.place(&release)).await?;
        }
        self.targets().remove(tag);
        // The tag last: without it, a release could not be found again.
        api.delete(api.resource(&self.host.tag_path(tag))).await
    }

    async fn access(&self) -> Result<Access, Fault> {
        let api = self.host.api();
        let login = api.account.source().await;
        let Some(repository) = self.host.repository().await? else {
            let notes = vec![api.who().await.hidden().to_string()];
            return Ok(Access { login, may_read: false, may_write: Some(false), notes });
        };
        let mut notes = Vec::new();
        if repository.private {
            notes.push("the repository is private: reading it takes a login and the API".into());
        }
        if repository.archived {
            notes.push("the repository is archived, so that nobody can write to it".into());
        }
        notes.extend(self.host.notes(&repository).await?);
        let may_write = match (&login, &repository.permissions) {
            (None, _) => Some(false),
            (_, permissions) => permissions.as_ref().map(|may| may.push && !repository.archived),
        };
        Ok(Access { login, may_read: true, may_write, notes })
    }
}

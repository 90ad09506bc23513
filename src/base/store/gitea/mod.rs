//! The releases of a repository on a Gitea or Forgejo server.
//!
//! ```text
//! find, open ──> reading ── by tag and name, no API ──> transfer
//!                   └────── private ──┐
//! publish ──> publishing ──> target (created, or found) ──> put (an asset)
//!                                     └────> api <────────────┘
//! wire: the words of its API; refusal: what its errors mean
//! ```
//!
//! There is one release to a tag, draft or not, and creating it is tried. Names of assets are
//! not unique: of several the first one counts, the lowest identifier, and who added another
//! takes it away again. A file is stored when it came whole, so nothing is ever half-made.
//!
//! Source: Gitea 1.27, `routers/api/v1/repo`, `services/release`, `models/repo`. Files are
//! taken as they are since Gitea 1.22 and Forgejo 7.

mod api;
mod publishing;
mod put;
mod reading;
mod refusal;
mod target;
mod wire;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use self::{api::GiteaApi, reading::GiteaVisibility, target::GiteaTarget};
use super::{
    Access, AssetInfo, AssetStream, Pending, Receipt, ReleaseInfo, Store, StoreRelease,
    StoreSettings, Upload, address, check_names,
};
use crate::model::Fault;

/// A repository whose releases are the store.
pub(super) struct Gitea {
    url: String,
    api: GiteaApi,
    /// Who sees the repository.
    sight: OnceCell<GiteaVisibility>,
    /// Releases that this store put something into, by tag.
    targets: Mutex<HashMap<String, GiteaTarget>>,
}

impl Gitea {
    /// The store called `url`: the releases of `owner/name` at `base`. Connects to nothing yet.
    ///
    /// # Errors
    /// `Usage` if unprotected http would lead away from this machine.
    pub(super) fn new(
        url: String,
        base: &str,
        [owner, name]: [&String; 2],
        settings: &StoreSettings,
    ) -> Result<Self, Fault> {
        let base = address::protected("releases", base, "a Gitea")?;
        let repository = [owner.clone(), name.clone()];
        Ok(Self {
            api: GiteaApi::new(url.clone(), base, repository, settings),
            url,
            sight: OnceCell::new(),
            targets: Mutex::default(),
        })
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<String, GiteaTarget>> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, tag: &str) -> Option<GiteaTarget> {
        self.targets().get(tag).copied()
    }

    fn remember(&self, tag: &str, target: GiteaTarget) {
        self.targets().insert(tag.to_owned(), target);
    }

    fn forget(&self, tag: &str) {
        self.targets().remove(tag);
    }

    async fn find_release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        check_names(tag, "asset")?;
        match self.api.release(tag).await? {
            Some(release) => Ok(Some(release.info())),
            // Only of a repository that can be seen is that an absence.
            None => self.api.visible_repository().await.map(|_| None),
        }
    }

    async fn list(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        let listed = self.api.releases().await?;
        let mut releases: Vec<_> = listed.iter().map(|release| release.info()).collect();
        releases.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(releases)
    }

    async fn withdraw_tag(&self, tag: &str) -> Result<(), Fault> {
        check_names(tag, "asset")?;
        self.forget(tag);
        match self.api.release(tag).await? {
            Some(release) => self.api.delete(&["releases", &release.id.to_string()]).await?,
            None => drop(self.api.visible_repository().await?),
        }
        // The tag last: while it has a release, it cannot be removed.
        self.api.delete(&["tags", tag]).await
    }

    async fn ask_access(&self) -> Result<Access, Fault> {
        let login = self.api.account.source().await;
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
        if repository.empty {
            notes.push("the repository is empty: it can have releases after its first push".into());
        }
        let may_write = match (&login, repository.permissions) {
            (None, _) => Some(false),
            (_, permissions) => permissions.map(|may| may.push && !repository.archived),
        };
        Ok(Access { login, may_read: true, may_write, notes })
    }
}

impl Store for Gitea {
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

//! What a host of releases is asked by the store, and answers in its own way.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;

use super::{
    api::HostApi,
    wire::{HostedAsset, HostedRelease, HostedRepository},
};
use crate::{
    model::{Fault, Kind},
    store::{
        Mode, StoreRelease, Upload,
        blob::Blob,
        call::ApiRequest,
        retry::{AttemptFailure, RetryDecision},
    },
};

/// What one host says differently from others.
#[async_trait]
pub(super) trait ReleaseHost: Send + Sync {
    /// Its API.
    fn api(&self) -> &HostApi;

    /// Whether a release has one asset of a name at most, which the host sees to.
    fn has_unique_names(&self) -> bool;

    /// Whether everybody's assets can be asked for beside the API.
    fn has_pages(&self) -> bool {
        true
    }

    /// Whether everybody sees the repository, so that what its pages do not show is absent: asked
    /// without a login.
    async fn is_public(&self) -> Result<bool, Fault>;

    /// The repository; nothing if whoever asks cannot see it.
    async fn repository(&self) -> Result<Option<HostedRepository>, Fault> {
        self.api().get(self.api().resource(&[]), self.api().tempo().recent).await
    }

    /// The repository.
    ///
    /// # Errors
    /// `Store` also if it does not show itself.
    async fn visible_repository(&self) -> Result<HostedRepository, Fault> {
        match self.repository().await? {
            Some(repository) => Ok(repository),
            None => Err(self.api().who().await.hidden()),
        }
    }

    /// What the host lets be known of the repository besides, a sentence each.
    async fn notes(&self, repository: &HostedRepository) -> Result<Vec<String>, Fault>;

    /// The visible release of `tag` with all its assets, as of `age` ago at most.
    async fn release(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault>;

    /// Every release of `tag`, the agreed one first: drafts too, for those who may see them.
    async fn releases_of(&self, tag: &str) -> Result<Vec<HostedRelease>, Fault>;

    /// All releases with all their assets, drafts too for those who may see them.
    async fn releases(&self) -> Result<Vec<HostedRelease>, Fault>;

    /// All assets of `release`, half-made ones among them; nothing if it is not there any more.
    async fn assets(&self, release: &HostedRelease) -> Result<Option<Vec<HostedAsset>>, Fault>;

    /// How an asset is asked for through the API.
    fn reading(&self, asset: &HostedAsset) -> ApiRequest;

    /// Refuses what the host would not keep as it is in a release of a tag.
    fn check(&self, _: &str, _: &Blob) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether a release is made with assets in it, and not before.
    fn begins_with_assets(&self) -> bool {
        false
    }

    /// When releases become visible, where nobody says so; nothing if it cannot be found out yet.
    async fn mode(&self) -> Result<Option<Mode>, Fault> {
        Ok(Some(Mode::Append))
    }

    /// The release that assets of `release` go into: created now, or found.
    async fn target(&self, release: &StoreRelease) -> Result<HostedRelease, Fault>;

    /// Tries to put `blob` into `target`, once.
    async fn upload(
        &self,
        target: &HostedRelease,
        blob: &Blob,
    ) -> Result<UploadAttempt, AttemptFailure>;

    /// Removes `asset` from `target`.
    async fn discard(&self, target: &HostedRelease, asset: &HostedAsset) -> Result<(), Fault>;

    /// What a release says to who would add to it and may not.
    fn locked(&self, release: &StoreRelease, upload: &Upload) -> Fault {
        let what = format!("the release {} is locked and has no {}", release.tag, upload.asset);
        Fault::new(Kind::Store, what)
    }

    /// Whether all agreed on another release than the draft `target`, into which we put `ours`.
    async fn is_superseded(&self, _: &HostedRelease, _: &[String]) -> Result<bool, Fault> {
        Ok(false)
    }

    /// What makes the draft `target` visible with `assets`.
    async fn publication(
        &self,
        target: &HostedRelease,
        release: &StoreRelease,
        assets: &[HostedAsset],
    ) -> Result<ApiRequest, Fault>;

    /// The draft `target` as it is now; nothing if it is gone, or all agreed on another release that
    /// lacks `assets`.
    async fn renewed(
        &self,
        target: &HostedRelease,
        assets: &[HostedAsset],
    ) -> Result<Option<HostedRelease>, Fault>;

    /// Removes what others who were stopped left of the release of `tag`, now that it is visible.
    async fn tidy(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// What replaces the page of `found` by the notes of `release`.
    fn description(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest;

    /// As [`Self::description`], and what else its page says: whether it lacks something, whether it is
    /// the latest.
    fn page(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        self.description(found, release)
    }

    /// Where `release` is changed and removed.
    fn place(&self, release: &HostedRelease) -> Url {
        self.api().resource(&["releases", &release.id.to_string()])
    }

    /// The path of the tag called `tag` below the repository.
    fn tag_path<'a>(&self, tag: &'a str) -> Vec<&'a str>;
}

/// Who sees a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    Everybody,
    /// Those whom the API shows it, and so we.
    Some,
    /// Not even we, or it is not there.
    Nobody,
}

/// What an attempt came to.
pub(super) enum UploadAttempt {
    Stored(HostedAsset),
    /// Something of that name is there.
    Taken,
    Locked,
}

/// The release of `tag` can neither be created nor seen.
pub(super) fn unseen(tag: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("the release {tag} is there, but cannot be seen"))
        .because("the server refuses to create it again, and does not show it either")
        .hint("run it again in a minute");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

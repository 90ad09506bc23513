//! Reading releases. What everybody may see costs no request to the API and no login:
//!
//! ```text
//! <base>/OWNER/REPO/releases/download/TAG/ASSET ── 200 ──> there
//!        404 │
//! API, without a login: the repository ── 200 ──> everybody sees it: confirmed absence
//!        404 │ once per store
//! API, with a login: the repository, the release of the tag; the asset by what is its own
//! ```

use reqwest::{Method, Url};

use super::{Gitea, wire::GiteaAsset};
use crate::{
    model::Fault,
    store::{
        AssetInfo, AssetStream, answer::ServerAnswer, call::ApiRequest, check_names,
        retry::retrying, transfer,
    },
};

/// Who sees a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GiteaVisibility {
    Everybody,
    /// Only those with a login, such as ours.
    Some,
    /// Not even we, or it is not there.
    Nobody,
}

impl Gitea {
    pub(super) async fn look(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        check_names(tag, asset)?;
        let missed = if self.is_private() { Ok(None) } else { self.head(tag, asset).await };
        if let Ok(Some(found)) = missed {
            return Ok(Some(found));
        }
        let found = self.look_closer(tag, asset, missed.err()).await?;
        Ok(found.map(|asset| AssetInfo { size: Some(asset.size), sha256: None }))
    }

    pub(super) async fn read(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        check_names(tag, asset)?;
        let missed = if self.is_private() {
            Ok(None)
        } else {
            let call = ApiRequest::get(self.download(tag, asset));
            transfer::open(self.api.client.clone(), call).await
        };
        if let Ok(Some(stream)) = missed {
            return Ok(Some(stream));
        }
        match self.look_closer(tag, asset, missed.err()).await? {
            Some(asset) => self.api.open(&asset).await,
            None => Ok(None),
        }
    }

    /// Whether it is known that strangers are told nothing.
    fn is_private(&self) -> bool {
        self.sight.get() == Some(&GiteaVisibility::Some)
    }

    fn download(&self, tag: &str, asset: &str) -> Url {
        self.api.page(&["releases", "download", tag, asset])
    }

    async fn head(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        let call = ApiRequest::new(Method::HEAD, self.download(tag, asset));
        let client = &self.api.client;
        match retrying(&client.settings, || client.exchange(&call)).await? {
            ServerAnswer::Absent => Ok(None),
            ServerAnswer::Found(response) => {
                Ok(Some(AssetInfo { size: transfer::size(&response), sha256: None }))
            }
        }
    }

    /// The asset, after it was not found where everybody looks, or that was in `doubt`.
    /// Nothing is a confirmed absence.
    async fn look_closer(
        &self,
        tag: &str,
        asset: &str,
        doubt: Option<Fault>,
    ) -> Result<Option<GiteaAsset>, Fault> {
        match (self.sight().await, doubt) {
            // A server that is closed to strangers shows them a page where they log in.
            (Ok(GiteaVisibility::Some), _) => self.by_api(tag, asset).await,
            (_, Some(doubt)) => Err(doubt),
            (Ok(GiteaVisibility::Everybody), None) => Ok(None),
            (Ok(GiteaVisibility::Nobody), None) => Err(self.api.who().await.hidden()),
            (Err(fault), None) => Err(fault),
        }
    }

    async fn by_api(&self, tag: &str, asset: &str) -> Result<Option<GiteaAsset>, Fault> {
        let release = self.api.release(tag).await?.filter(|release| !release.draft);
        Ok(release.and_then(|release| release.asset(asset).cloned()))
    }

    /// Who sees the repository; asked once.
    async fn sight(&self) -> Result<GiteaVisibility, Fault> {
        let ask = || async {
            if self.api.is_public().await? {
                return Ok(GiteaVisibility::Everybody);
            }
            if self.api.account.login().await.is_none() {
                return Ok(GiteaVisibility::Nobody);
            }
            Ok(self
                .api
                .repository()
                .await?
                .map_or(GiteaVisibility::Nobody, |_| GiteaVisibility::Some))
        };
        self.sight.get_or_try_init(ask).await.copied()
    }
}

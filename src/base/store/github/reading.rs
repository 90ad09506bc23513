//! Reading releases. What everybody may see costs no request to the API and no login:
//!
//! ```text
//! <web>/OWNER/REPO/releases/download/TAG/ASSET ── 200 ──> there
//!        404 │
//! <web>/OWNER/REPO ── 200 ──> everybody sees the repository: confirmed absence
//!        404 │ once per store         or whatever leaves doubt ╮
//! API, with a login: the repository, the release of the tag, the asset by its identifier <╯
//! ```

use std::future::Future;

use reqwest::{Method, StatusCode, Url};

use super::{GitHub, wire::WireAsset};
use crate::{
    model::Fault,
    store::{
        AssetInfo, AssetStream, answer::ServerAnswer, call::ApiRequest, check_names,
        retry::retrying, transfer,
    },
};

/// Who sees a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    Everybody,
    /// Only those with a login, such as ours.
    Some,
    /// Not even we, or it is not there.
    Nobody,
}

impl GitHub {
    pub(super) async fn look(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        check_names(tag, asset)?;
        let call = ApiRequest::new(Method::HEAD, self.download(tag, asset));
        let client = &self.api.client;
        let plain = async {
            match retrying(&client.settings, || client.exchange(&call)).await? {
                ServerAnswer::Absent => Ok(None),
                ServerAnswer::Found(response) => Ok(Some(transfer::size(&response))),
            }
        };
        match self.unless_private(plain).await {
            Ok(Some(size)) => Ok(Some(AssetInfo { size, sha256: None })),
            missed => Ok(self
                .look_closer(tag, asset, missed.err())
                .await?
                .map(|asset| AssetInfo { size: Some(asset.size), sha256: asset.sha256() })),
        }
    }

    pub(super) async fn read(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        check_names(tag, asset)?;
        let call = ApiRequest::get(self.download(tag, asset));
        let plain = transfer::open(self.api.client.clone(), call);
        match self.unless_private(plain).await {
            Ok(Some(stream)) => Ok(Some(stream)),
            missed => match self.look_closer(tag, asset, missed.err()).await? {
                Some(asset) => self.api.open(asset.id).await,
                None => Ok(None),
            },
        }
    }

    /// What `plain`, which everybody may ask, comes to; asked only if there may be something.
    async fn unless_private<T>(
        &self,
        plain: impl Future<Output = Result<Option<T>, Fault>>,
    ) -> Result<Option<T>, Fault> {
        match self.sight.get() {
            Some(Visibility::Some) => Ok(None),
            _ => plain.await,
        }
    }

    fn download(&self, tag: &str, asset: &str) -> Url {
        self.api.page(&["releases", "download", tag, asset])
    }

    /// The asset, after it was not found where everybody looks, or that was in `doubt`.
    /// Nothing is a confirmed absence.
    async fn look_closer(
        &self,
        tag: &str,
        asset: &str,
        doubt: Option<Fault>,
    ) -> Result<Option<WireAsset>, Fault> {
        if let Some(doubt) = doubt {
            return self.second_opinion(tag, asset).await.unwrap_or(Err(doubt));
        }
        match self.sight().await? {
            Visibility::Everybody => Ok(None),
            Visibility::Nobody => Err(self.api.who().await.hidden()),
            Visibility::Some => self.by_api(tag, asset).await,
        }
    }

    async fn by_api(&self, tag: &str, asset: &str) -> Result<Option<WireAsset>, Fault> {
        let release = self.api.release(tag, self.api.tempo().recent).await?;
        Ok(release.and_then(|release| release.asset(asset).cloned()))
    }

    /// What the API knows of the asset: pages for people may be closed, limited or broken
    /// while it works. Nothing if it cannot be asked either.
    async fn second_opinion(
        &self,
        tag: &str,
        asset: &str,
    ) -> Option<Result<Option<WireAsset>, Fault>> {
        if self.api.settings().offline || self.api.login().await.is_none() {
            return None;
        }
        match self.api.repository().await.ok()? {
            Some(repository) if repository.private => drop(self.sight.set(Visibility::Some)),
            Some(_) => {}
            None => return Some(Err(self.api.who().await.hidden())),
        }
        self.by_api(tag, asset).await.ok().map(Ok)
    }

    /// Who sees the repository; asked once.
    async fn sight(&self) -> Result<Visibility, Fault> {
        let ask = || async {
            if self.is_seen_by_everybody().await? {
                return Ok(Visibility::Everybody);
            }
            if self.api.login().await.is_none() {
                return Ok(Visibility::Nobody);
            }
            let repository = self.api.repository().await?;
            Ok(repository.map_or(Visibility::Nobody, |_| Visibility::Some))
        };
        self.sight.get_or_try_init(ask).await.copied()
    }

    async fn is_seen_by_everybody(&self) -> Result<bool, Fault> {
        let call = ApiRequest::new(Method::HEAD, self.api.page(&[]));
        let client = &self.api.client;
        let reply = retrying(&client.settings, || async {
            let reply = client.call(&call).await?;
            match reply.status {
                StatusCode::OK | StatusCode::NOT_FOUND => Ok(reply),
                _ => Err(reply.failure(&call)),
            }
        })
        .await?;
        // A server that is closed to strangers sends them to a page where they log in; one that
        // gave the repository another name, to a page of the same shape.
        let is_page_of_repository = reply.url.origin() == call.url.origin()
            && reply.url.path_segments().is_some_and(|segments| segments.count() == 2);
        Ok(reply.status == StatusCode::OK && is_page_of_repository)
    }
}

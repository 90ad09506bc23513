//! Reading releases. What everybody may see costs no request to the API and no login:
//!
//! ```text
//! <page of the repository>/releases/download/TAG/ASSET ── 200 ──> there
//!        404 │
//! asked without a login: the repository ── 200 ──> everybody sees it: confirmed absence
//!        404 │ once per store          or whatever leaves doubt ╮
//! API, with a login: the repository, the release of the tag, the asset by its identifier <╯
//! ```

use std::future::Future;

use reqwest::Url;

use super::{Hosted, HostedAsset, ReleaseHost, Visibility};
use crate::{
    model::{Fault, Kind},
    store::{AssetInfo, AssetStream, call::ApiRequest, check_names, transfer},
};

impl<H: ReleaseHost> Hosted<H> {
    pub(super) async fn find_asset(
        &self,
        tag: &str,
        asset: &str,
    ) -> Result<Option<AssetInfo>, Fault> {
        check_names(tag, asset)?;
        let plain = transfer::head(&self.host.api().client, self.download(tag, asset));
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
        let plain = transfer::open(self.host.api().client.clone(), call);
        match self.unless_private(plain).await {
            Ok(Some(stream)) => Ok(Some(stream)),
            missed => match self.look_closer(tag, asset, missed.err()).await? {
                Some(asset) => self.by_identifier(tag, &asset).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// Opens `asset`, which the release has. That it is not given is not an absence.
    async fn by_identifier(&self, tag: &str, asset: &HostedAsset) -> Result<AssetStream, Fault> {
        let gone = || {
            let what = format!("cannot read {tag}/{} in {}", asset.name, self.url);
            Fault::new(Kind::Store, what)
                .because("the release lists it, and the server does not give it")
                .hint("did somebody remove it just now? Run it again")
        };
        self.host.api().open(self.host.reading(asset)).await?.ok_or_else(gone)
    }

    /// What `plain`, which everybody may ask, comes to; asked only if there may be something.
    async fn unless_private<T>(
        &self,
        plain: impl Future<Output = Result<Option<T>, Fault>>,
    ) -> Result<Option<T>, Fault> {
        match self.sight.get() {
            Some(Visibility::Some) => Ok(None),
            _ if !self.host.has_pages() => Ok(None),
            _ => plain.await,
        }
    }

    fn download(&self, tag: &str, asset: &str) -> Url {
        self.host.api().page(&["releases", "download", tag, asset])
    }

    /// The asset, after it was not found where everybody looks, or that was in `doubt`.
    /// Nothing is a confirmed absence.
    async fn look_closer(
        &self,
        tag: &str,
        asset: &str,
        doubt: Option<Fault>,
    ) -> Result<Option<HostedAsset>, Fault> {
        if let Some(doubt) = doubt {
            return self.second_opinion(tag, asset).await.unwrap_or(Err(doubt));
        }
        match self.sight().await? {
            Visibility::Everybody => Ok(None),
            Visibility::Nobody => Err(self.host.api().who().await.hidden()),
            Visibility::Some => self.by_api(tag, asset).await,
        }
    }

    async fn by_api(&self, tag: &str, asset: &str) -> Result<Option<HostedAsset>, Fault> {
        let release = self.host.release(tag, self.host.api().tempo().recent).await?;
        Ok(release.and_then(|release| release.asset(asset).cloned()))
    }

    /// What the API knows of the asset: pages for people may be closed, limited or broken
    /// while it works. Nothing if it cannot be asked either.
    async fn second_opinion(
        &self,
        tag: &str,
        asset: &str,
    ) -> Option<Result<Option<HostedAsset>, Fault>> {
        let api = self.host.api();
        if api.settings().offline || api.account.login().await.is_none() {
            return None;
        }
        if self.host.repository().await.ok()?.is_none() {
            return Some(Err(api.who().await.hidden()));
        }
        let found = self.by_api(tag, asset).await.ok()?;
        // From now on the pages need not be asked first.
        let _ = self.sight.set(Visibility::Some);
        Some(Ok(found))
    }

    /// Who sees the repository; asked once.
    async fn sight(&self) -> Result<Visibility, Fault> {
        let api = self.host.api();
        let ask = || async {
            if self.host.has_pages() {
                if self.host.is_public().await? {
                    return Ok(Visibility::Everybody);
                }
                if api.account.login().await.is_none() {
                    return Ok(Visibility::Nobody);
                }
            }
            let repository = self.host.repository().await?;
            Ok(repository.map_or(Visibility::Nobody, |_| Visibility::Some))
        };
        self.sight.get_or_try_init(ask).await.copied()
    }
}

//! Reading releases. What everybody may see costs no request to the API and no login:
//!
//! ```text
//! <web>/OWNER/REPO/releases/download/TAG/ASSET ── 200 ──> there
//!        404 │
//! <web>/OWNER/REPO ── 200 ──> everybody sees the repository: confirmed absence
//!        404 │ once per store
//! API, with a login: the repository, the release of the tag, the asset by its identifier
//! ```

use reqwest::{Method, StatusCode, Url};

use super::{GitHub, wire::WireAsset};
use crate::{
    model::Fault,
    store::{
        AssetInfo, AssetStream, answer::Answer, call::Call, check_names, retry::retrying, transfer,
    },
};

/// Who sees a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Everybody,
    /// Only those with a login, such as ours.
    Some,
    /// Not even we, or it is not there.
    Nobody,
}

impl GitHub {
    pub(super) async fn look(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        check_names(tag, asset)?;
        if !self.is_known_private() {
            let call = Call::new(Method::HEAD, self.download(tag, asset));
            let client = &self.api.client;
            if let Answer::Found(response) =
                retrying(&client.settings, || client.exchange(&call)).await?
            {
                return Ok(Some(AssetInfo { size: transfer::size(&response), sha256: None }));
            }
        }
        let found = self.look_closer(tag, asset).await?;
        Ok(found.map(|asset| AssetInfo { size: Some(asset.size), sha256: asset.sha256() }))
    }

    pub(super) async fn read(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        check_names(tag, asset)?;
        if !self.is_known_private() {
            let call = Call::get(self.download(tag, asset));
            if let Some(stream) = transfer::open(self.api.client.clone(), call).await? {
                return Ok(Some(stream));
            }
        }
        match self.look_closer(tag, asset).await? {
            Some(asset) => self.api.open(asset.id).await,
            None => Ok(None),
        }
    }

    fn download(&self, tag: &str, asset: &str) -> Url {
        self.api.page(&["releases", "download", tag, asset])
    }

    fn is_known_private(&self) -> bool {
        self.sight.get() == Some(&Sight::Some)
    }

    /// The asset, after it was not found where everybody looks. Nothing is a confirmed absence.
    async fn look_closer(&self, tag: &str, asset: &str) -> Result<Option<WireAsset>, Fault> {
        match self.sight().await? {
            Sight::Everybody => Ok(None),
            Sight::Nobody => Err(self.api.who().await.hidden()),
            Sight::Some => {
                let recent = self.api.settings().tempo.recent;
                let release = self.api.release(tag, recent).await?;
                Ok(release.and_then(|release| release.asset(asset).cloned()))
            }
        }
    }

    /// Who sees the repository; asked once.
    async fn sight(&self) -> Result<Sight, Fault> {
        let ask = || async {
            if self.is_seen_by_everybody().await? {
                return Ok(Sight::Everybody);
            }
            if self.api.login().await.is_none() {
                return Ok(Sight::Nobody);
            }
            let repository = self.api.repository().await?;
            Ok(repository.map_or(Sight::Nobody, |_| Sight::Some))
        };
        self.sight.get_or_try_init(ask).await.copied()
    }

    async fn is_seen_by_everybody(&self) -> Result<bool, Fault> {
        let call = Call::new(Method::HEAD, self.api.page(&[]));
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

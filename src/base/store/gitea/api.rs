//! Gitea's API for one repository. What the answers mean is for those who ask.

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::{
    refusal::{self, GiteaParties},
    wire::{GiteaAsset, GiteaRelease, GiteaRepository},
};
use crate::{
    model::{Fault, Sha256},
    store::{
        AssetStream, StoreSettings,
        account::HostLogin,
        address,
        call::{ApiRequest, ApiResponse},
        client::Client,
        file,
        retry::{AttemptFailure, retrying},
        transfer,
    },
};

/// The most that a page of a list holds by default (`MAX_RESPONSE_ITEMS`); a server may give
/// fewer.
const PER_PAGE: usize = 50;

/// The API, and the pages beside it.
pub(super) struct GiteaApi {
    pub(super) client: Arc<Client>,
    pub(super) account: HostLogin,
    store: String,
    base: Url,
    repository: [String; 2],
}

impl GiteaApi {
    pub(super) fn new(
        store: String,
        base: Url,
        repository: [String; 2],
        settings: &StoreSettings,
    ) -> Self {
        let client = Arc::new(Client::new(settings));
        let account = HostLogin::new(address::name(&base), settings);
        Self { client, account, store, base, repository }
    }

    pub(super) fn settings(&self) -> &StoreSettings {
        &self.client.settings
    }

    /// Who asks whom, for messages.
    pub(super) async fn who(&self) -> GiteaParties {
        GiteaParties {
            store: self.store.clone(),
            host: address::name(&self.base),
            login: self.account.source().await,
        }
    }

    /// A page for people below the repository's.
    pub(super) fn page(&self, path: &[&str]) -> Url {
        let [owner, name] = &self.repository;
        address::below(&self.base, &[&[owner.as_str(), name], path].concat())
    }

    /// A resource below the repository's.
    pub(super) fn resource(&self, path: &[&str]) -> Url {
        let [owner, name] = &self.repository;
        let folder = ["api", "v1", "repos", owner.as_str(), name];
        address::below(&self.base, &[&folder, path].concat())
    }

    /// `call` with the login, if there is one.
    async fn signed(&self, call: ApiRequest) -> ApiRequest {
        match self.account.login().await {
            Some(login) => call.authorized(format!("token {}", login.token)),
            None => call,
        }
    }

    pub(super) async fn refused(&self, call: &ApiRequest, reply: &ApiResponse) -> AttemptFailure {
        refusal::failure(call, reply, &self.who().await)
    }

    /// The answer to a question: 200 or 404.
    async fn ask(&self, url: Url) -> Result<(ApiRequest, ApiResponse), Fault> {
        let call = self.signed(ApiRequest::get(url)).await;
        let reply = retrying(self.settings(), || async {
            let reply = self.client.call(&call).await?;
            match reply.status {
                StatusCode::OK | StatusCode::NOT_FOUND => Ok(reply),
                _ => Err(self.refused(&call, &reply).await),
            }
        })
        .await?;
        Ok((call, reply))
    }

    /// What is at `url`; nothing if the API says it is not there.
    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, Fault> {
        match self.ask(url).await? {
            (_, reply) if reply.status == StatusCode::NOT_FOUND => Ok(None),
            (call, reply) => reply.parse(&call).map(Some).map_err(|failure| failure.fault),
        }
    }

    /// Sends what changes something, once. An error leaves open whether it was done.
    pub(super) async fn write(&self, call: ApiRequest) -> Result<ApiResponse, AttemptFailure> {
        let call = self.signed(call).await;
        let reply = self.client.call(&call).await?;
        match reply.status.is_server_error() {
            true => Err(self.refused(&call, &reply).await),
            false => Ok(reply),
        }
    }

    /// Deletes what is at `path`; that it is not there is as good.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Fault> {
        let call = ApiRequest::new(Method::DELETE, self.resource(path));
        retrying(self.settings(), || async {
            let reply = self.write(call.clone()).await?;
            match reply.status.is_success() || reply.status == StatusCode::NOT_FOUND {
                true => Ok(()),
                false => Err(self.refused(&call, &reply).await),
            }
        })
        .await
    }

    /// Whether everybody sees the repository: asked without a login.
    pub(super) async fn is_public(&self) -> Result<bool, Fault> {
        use StatusCode as S;
        let call = ApiRequest::get(self.resource(&[]));
        retrying(self.settings(), || async {
            let reply = self.client.call(&call).await?;
            match reply.status {
                S::OK => Ok(true),
                S::UNAUTHORIZED | S::FORBIDDEN | S::NOT_FOUND => Ok(false),
                _ => Err(self.refused(&call, &reply).await),
            }
        })
        .await
    }

    /// The repository; nothing if it does not show itself.
    pub(super) async fn repository(&self) -> Result<Option<GiteaRepository>, Fault> {
        self.get(self.resource(&[])).await
    }

    /// The repository.
    ///
    /// # Errors
    /// `Store` also if it does not show itself.
    pub(super) async fn visible_repository(&self) -> Result<GiteaRepository, Fault> {
        match self.repository().await? {
            Some(repository) => Ok(repository),
            None => Err(self.who().await.hidden()),
        }
    }

    /// The release of `tag`; also a draft, for those who may write.
    ///
    /// # Errors
    /// `Store` also if it is the release of a tag that differs in capitals only.
    pub(super) async fn release(&self, tag: &str) -> Result<Option<GiteaRelease>, Fault> {
        match self.get::<GiteaRelease>(self.resource(&["releases", "tags", tag])).await? {
            Some(other) if other.tag_name != tag => Err(refusal::alike(tag, &other.tag_name)),
            found => Ok(found),
        }
    }

    /// The release called `id`. Its list of assets would not do: it stays when the release goes.
    pub(super) async fn release_by_id(&self, id: u64) -> Result<Option<GiteaRelease>, Fault> {
        self.get(self.resource(&["releases", &id.to_string()])).await
    }

    /// All releases, and for those who may write all drafts.
    pub(super) async fn releases(&self) -> Result<Vec<GiteaRelease>, Fault> {
        let mut all = Vec::new();
        for page in 1_usize.. {
            let mut url = self.resource(&["releases"]);
            url.query_pairs_mut()
                .append_pair("limit", &PER_PAGE.to_string())
                .append_pair("page", &page.to_string());
            let (call, reply) = self.ask(url).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Err(self.who().await.hidden());
            }
            let listed: Vec<GiteaRelease> = reply.parse(&call).map_err(|failure| failure.fault)?;
            let is_last = listed.is_empty() || reply.has_next_page() != Some(true);
            all.extend(listed);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Opens an asset; nothing if it is not there. By what is its own, since its name need not be.
    pub(super) async fn open(&self, asset: &GiteaAsset) -> Result<Option<AssetStream>, Fault> {
        let call =
            self.signed(ApiRequest::get(address::below(&self.base, &["attachments", &asset.uuid])));
        transfer::open(self.client.clone(), call.await).await
    }

    /// The digest of an asset, by its bytes: Gitea keeps none. Nothing if it is not there.
    pub(super) async fn sha256(&self, asset: &GiteaAsset) -> Result<Option<Sha256>, Fault> {
        match self.open(asset).await? {
            Some(stream) => file::digested(stream).await.map(Some),
            None => Ok(None),
        }
    }
}

//! GitHub's API: who asks, how often, and what is done about limits. What the answers mean
//! is for those who ask.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, ETAG, HeaderName, IF_NONE_MATCH},
};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{
    host::GitHubHost,
    kept::ResponseCache,
    limits::{self, Pace},
    refusal::{self, Parties},
    wire::{WireAsset, WireRelease, WireRepository},
};
use crate::{
    model::Fault,
    store::{
        AssetStream, Login, StoreSettings, Tempo,
        account::HostLogin,
        call::{ApiRequest, ApiResponse},
        client::Client,
        retry::{AttemptFailure, RetryPolicy, retrying},
        transfer,
    },
};

/// The version of the API that this is written for.
const VERSION: (HeaderName, &str) = (HeaderName::from_static("x-github-api-version"), "2022-11-28");

/// The most that a page of a list may hold.
const PER_PAGE: usize = 100;

/// Assets beyond these may be missing in the answer about a release.
const EMBEDDED: usize = 30;

/// The API for one repository.
pub(super) struct GitHubApi {
    pub(super) client: Arc<Client>,
    pub(super) host: GitHubHost,
    store: String,
    repository: [String; 2],
    account: HostLogin,
    /// Held while something is written: GitHub wants writes one after the other.
    pace: Mutex<Pace>,
    tempo: Tempo,
    kept: ResponseCache,
}

impl GitHubApi {
    pub(super) fn new(
        store: String,
        host: GitHubHost,
        repository: [String; 2],
        settings: &StoreSettings,
    ) -> Self {
        let tempo = settings.tempo.clone().unwrap_or_else(|| host.tempo());
        Self {
            client: Arc::new(Client::new(settings)),
            store,
            repository,
            account: HostLogin::new(host.name(), settings),
            host,
            pace: Mutex::new(Pace::new(&tempo)),
            tempo,
            kept: ResponseCache::default(),
        }
    }

    pub(super) fn tempo(&self) -> &Tempo {
        &self.tempo
    }

    pub(super) fn settings(&self) -> &StoreSettings {
        &self.client.settings
    }

    /// Who asks; looked for once, when it is needed first.
    pub(super) async fn login(&self) -> Option<&Login> {
        self.account.login().await
    }

    /// Who asks whom, for messages.
    pub(super) async fn who(&self) -> Parties {
        Parties { store: self.store.clone(), login: self.account.source().await }
    }

    /// A page for people below the repository's.
    pub(super) fn page(&self, path: &[&str]) -> Url {
        let [owner, name] = &self.repository;
        self.host.page(&[&[owner.as_str(), name], path].concat())
    }

    /// A resource below the repository's.
    pub(super) fn resource(&self, path: &[&str]) -> Url {
        let [owner, name] = &self.repository;
        self.host.resource(&[&["repos", owner.as_str(), name], path].concat())
    }

    /// `call` as the API wants it.
    async fn signed(&self, call: ApiRequest) -> ApiRequest {
        let call = call.with(ACCEPT, "application/vnd.github+json").with(VERSION.0, VERSION.1);
        match self.login().await {
            Some(login) => call.authorized(format!("Bearer {}", login.token)),
            None => call,
        }
    }

    /// Sends `call` once, or again when GitHub wants fewer requests. Answers of any other
    /// kind are for the caller.
    async fn send(&self, call: &ApiRequest) -> Result<ApiResponse, AttemptFailure> {
        let settings = self.settings();
        let mut retry = RetryPolicy::new(settings);
        for refused in 0.. {
            let reply = self.client.call(call).await?;
            match limits::refusal(call, &reply, refused, &self.tempo) {
                Some(failure) => retry.pause(failure).await.map_err(AttemptFailure::never)?,
                None => return Ok(reply),
            }
        }
        unreachable!("attempts are counted")
    }

    /// Asks for `url`. An answer that is younger than `age` is good enough.
    async fn ask(&self, url: Url, age: Duration) -> Result<Arc<ApiResponse>, Fault> {
        let slot = self.kept.slot(url.as_str());
        let mut kept = slot.lock().await;
        if let Some(answer) = kept.as_ref().filter(|answer| self.kept.is_recent(answer, age)) {
            return Ok(answer.reply.clone());
        }
        let before = kept.as_ref().map(|answer| answer.reply.clone());
        let tag = before.as_ref().and_then(|reply| reply.headers.get(ETAG)?.to_str().ok());
        let mut call = self.signed(ApiRequest::get(url)).await;
        if let Some(tag) = tag {
            call = call.with(IF_NONE_MATCH, tag);
        }
        let who = self.who().await;
        let reply = retrying(self.settings(), || async {
            let reply = self.send(&call).await?;
            match (reply.status, &before) {
                (StatusCode::NOT_MODIFIED, Some(before)) => Ok(before.clone()),
                (StatusCode::OK | StatusCode::NOT_FOUND, _) => Ok(Arc::new(reply)),
                _ => Err(refusal::failure(&call, &reply, &who)),
            }
        })
        .await?;
        *kept = Some(self.kept.answer(reply.clone()));
        Ok(reply)
    }

    /// What is at `url`, as of `age` ago at most; nothing if the API says it is not there.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: Url,
        age: Duration,
    ) -> Result<Option<T>, Fault> {
        let reply = self.ask(url.clone(), age).await?;
        match reply.status {
            StatusCode::OK => {
                reply.parse(&ApiRequest::get(url)).map(Some).map_err(|failure| failure.fault)
            }
            _ => Ok(None),
        }
    }

    /// What is at `url`; nothing also if whoever asks may not know.
    pub(super) async fn get_if_allowed<T: DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<Option<T>, Fault> {
        let call = self.signed(ApiRequest::get(url)).await;
        let who = self.who().await;
        retrying(self.settings(), || async {
            let reply = self.send(&call).await?;
            match reply.status {
                StatusCode::OK => reply.parse(&call).map(Some),
                StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
                _ => Err(refusal::failure(&call, &reply, &who)),
            }
        })
        .await
    }

    /// The list at `url`, as of `age` ago at most: `pages` of it, the first ones. Nothing if the
    /// API says it is not there.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        url: Url,
        pages: usize,
        age: Duration,
    ) -> Result<Option<Vec<T>>, Fault> {
        let mut all = Vec::new();
        for page in 1..=pages {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("per_page", &PER_PAGE.to_string())
                .append_pair("page", &page.to_string());
            let reply = self.ask(url.clone(), age).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let items: Vec<T> =
                reply.parse(&ApiRequest::get(url)).map_err(|failure| failure.fault)?;
            let has_more = reply.has_next_page().unwrap_or(items.len() >= PER_PAGE);
            all.extend(items);
            if !has_more {
                break;
            }
        }
        Ok(Some(all))
    }

    /// Sends what changes something, once and when it is its turn. An error leaves open whether it
    /// was done.
    pub(super) async fn write(&self, call: ApiRequest) -> Result<ApiResponse, AttemptFailure> {
        let call = self.signed(call).await;
        let mut pace = self.pace.lock().await;
        let wait = pace.take(Instant::now());
        self.settings().waits.tell(wait, "GitHub wants to be written to slowly");
        tokio::time::sleep(wait).await;
        let reply = self.send(&call).await;
        self.kept.outdate();
        match reply {
            Ok(reply) if reply.status.is_server_error() => Err(reply.failure(&call)),
            reply => reply,
        }
    }

    /// Deletes what is at `path`; that it is not there is as good.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Fault> {
        let call = ApiRequest::new(Method::DELETE, self.resource(path));
        let who = self.who().await;
        retrying(self.settings(), || async {
            let reply = self.write(call.clone()).await?;
            let is_gone = reply.status == StatusCode::NOT_FOUND
                // How the API says so of a tag.
                || reply.status == StatusCode::UNPROCESSABLE_ENTITY
                    && String::from_utf8_lossy(&reply.body).contains("does not exist");
            match reply.status.is_success() || is_gone {
                true => Ok(()),
                false => Err(refusal::failure(&call, &reply, &who)),
            }
        })
        .await
    }

    /// The repository; nothing if whoever asks cannot see it.
    pub(super) async fn repository(&self) -> Result<Option<WireRepository>, Fault> {
        self.get(self.resource(&[]), self.tempo().recent).await
    }

    /// The visible release of `tag`, with all its assets.
    pub(super) async fn release(
        &self,
        tag: &str,
        age: Duration,
    ) -> Result<Option<WireRelease>, Fault> {
        match self.get(self.resource(&["releases", "tags", tag]), age).await? {
            Some(release) => self.complete(release, age).await.map(Some),
            None => Ok(None),
        }
    }

    /// The first `pages` of the list of releases, each with all its assets.
    pub(super) async fn releases(&self, pages: usize) -> Result<Vec<WireRelease>, Fault> {
        let listed = self.list(self.resource(&["releases"]), pages, Duration::ZERO).await?;
        let mut all = Vec::new();
        for release in listed.ok_or(self.who().await.hidden())? {
            all.push(self.complete(release, Duration::ZERO).await?);
        }
        Ok(all)
    }

    /// `release` with those assets too that the answer about it left out.
    async fn complete(
        &self,
        mut release: WireRelease,
        age: Duration,
    ) -> Result<WireRelease, Fault> {
        if release.assets.len() >= EMBEDDED
            && let Some(assets) = self.assets(release.id, age).await?
        {
            release.assets = assets;
        }
        Ok(release)
    }

    /// All assets of a release, half-made ones among them; nothing if there is no such release.
    pub(super) async fn assets(
        &self,
        release: u64,
        age: Duration,
    ) -> Result<Option<Vec<WireAsset>>, Fault> {
        let url = self.resource(&["releases", &release.to_string(), "assets"]);
        self.list(url, usize::MAX, age).await
    }

    /// Opens an asset by its identifier; nothing if it is not there. The login stays here when the
    /// API sends us on to where the bytes are.
    pub(super) async fn open(&self, asset: u64) -> Result<Option<AssetStream>, Fault> {
        let url = self.resource(&["releases", "assets", &asset.to_string()]);
        let call = self.signed(ApiRequest::get(url)).await.with(ACCEPT, "application/octet-stream");
        transfer::open(self.client.clone(), call).await
    }
}

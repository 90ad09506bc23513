//! The API of a host for one repository: who asks, how often, and what is done about limits. What
//! the answers mean is for those who ask.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Method, StatusCode, Url,
    header::{ETAG, IF_NONE_MATCH},
};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use super::{
    account::HostLogin,
    kept::ResponseCache,
    limits::{self, Pace},
    refusal::{self, LoginAdvice, Parties, Refusal},
};
use crate::{
    model::Fault,
    store::{
        AssetStream, Login, StoreSettings, Tempo,
        address::below,
        call::{ApiRequest, ApiResponse},
        client::Client,
        retry::{AttemptFailure, RetryPolicy, retrying},
        transfer,
    },
};

/// How a host wants to be asked.
pub(super) struct Dialect {
    /// What it is called.
    pub(super) name: &'static str,
    /// A request with what each says besides.
    pub(super) prepare: fn(ApiRequest) -> ApiRequest,
    /// A request with a login.
    pub(super) sign: fn(ApiRequest, &Login) -> ApiRequest,
    /// The parameter that says how much a page of a list holds, and the most that it may.
    pub(super) page_size: (&'static str, usize),
    /// What is told in a refusal.
    pub(super) refusal: fn(&ApiRequest, &ApiResponse, &Parties) -> Refusal,
    pub(super) advice: LoginAdvice,
}

/// Where a repository is.
pub(super) struct Location {
    /// The name that logins for its host are kept under.
    pub(super) host: String,
    /// Its page, for people.
    pub(super) page: Url,
    /// Its resource of the API.
    pub(super) resource: Url,
}

/// The API for one repository.
pub(super) struct HostApi {
    pub(super) client: Arc<Client>,
    pub(super) account: HostLogin,
    dialect: &'static Dialect,
    store: String,
    location: Location,
    /// Held while something is written, where the host wants writes one after the other.
    pace: Mutex<Pace>,
    tempo: Tempo,
    kept: ResponseCache,
}

impl HostApi {
    /// The API for the repository at `location`, which `store` calls so. It wants to be written to
    /// at `tempo`, if the settings name no other. Connects to nothing yet.
    pub(super) fn new(
        store: String,
        dialect: &'static Dialect,
        location: Location,
        tempo: Tempo,
        settings: &StoreSettings,
    ) -> Self {
        let tempo = settings.tempo.clone().unwrap_or(tempo);
        Self {
            client: Arc::new(Client::new(settings)),
            account: HostLogin::new(location.host.clone(), settings),
            dialect,
            store,
            location,
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

    /// Who asks whom, for messages.
    pub(super) async fn who(&self) -> Parties {
        Parties {
            store: self.store.clone(),
            host: self.location.host.clone(),
            login: self.account.source().await,
            advice: &self.dialect.advice,
        }
    }

    /// A page for people below the repository's.
    pub(super) fn page(&self, path: &[&str]) -> Url {
        below(&self.location.page, path)
    }

    /// A resource below the repository's.
    pub(super) fn resource(&self, path: &[&str]) -> Url {
        below(&self.location.resource, path)
    }

    /// `call` with the login, if there is one.
    async fn signed(&self, call: ApiRequest) -> ApiRequest {
        match self.account.login().await {
            Some(login) => (self.dialect.sign)(call, login),
            None => call,
        }
    }

    /// `call` as the API wants it.
    async fn prepared(&self, call: ApiRequest) -> ApiRequest {
        self.signed((self.dialect.prepare)(call)).await
    }

    /// What it means that `call` was refused by `reply`.
    pub(super) async fn refused(&self, call: &ApiRequest, reply: &ApiResponse) -> AttemptFailure {
        let who = self.who().await;
        refusal::failure(call, reply, (self.dialect.refusal)(call, reply, &who), &who)
    }

    /// Sends `call` once, or again when the host wants fewer requests. Answers of any other
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
        let mut call = self.prepared(ApiRequest::get(url)).await;
        if let Some(tag) = tag {
            call = call.with(IF_NONE_MATCH, tag);
        }
        let reply = retrying(self.settings(), || async {
            let reply = self.send(&call).await?;
            match (reply.status, &before) {
                (StatusCode::NOT_MODIFIED, Some(before)) => Ok(before.clone()),
                (StatusCode::OK | StatusCode::NOT_FOUND, _) => Ok(Arc::new(reply)),
                _ => Err(self.refused(&call, &reply).await),
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
        let call = self.prepared(ApiRequest::get(url)).await;
        retrying(self.settings(), || async {
            let reply = self.send(&call).await?;
            match reply.status {
                StatusCode::OK => reply.parse(&call).map(Some),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(self.refused(&call, &reply).await),
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
        let (parameter, size) = self.dialect.page_size;
        let mut all = Vec::new();
        for page in 1..=pages {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair(parameter, &size.to_string())
                .append_pair("page", &page.to_string());
            let reply = self.ask(url.clone(), age).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let items: Vec<T> =
                reply.parse(&ApiRequest::get(url)).map_err(|failure| failure.fault)?;
            let has_more = reply.has_next_page().unwrap_or(items.len() >= size);
            all.extend(items);
            if !has_more {
                break;
            }
        }
        Ok(Some(all))
    }

    /// Whose turn it is to write; nothing where nobody counts.
    async fn turn(&self) -> Option<MutexGuard<'_, Pace>> {
        if self.tempo.between_writes.is_zero() {
            return None;
        }
        let mut pace = self.pace.lock().await;
        let wait = pace.take(Instant::now());
        let why = format!("{} wants to be written to slowly", self.dialect.name);
        self.settings().waits.report(wait, &why);
        tokio::time::sleep(wait).await;
        Some(pace)
    }

    /// Sends what changes something, once and when it is its turn. An error leaves open whether it
    /// was done.
    pub(super) async fn write(&self, call: &ApiRequest) -> Result<ApiResponse, AttemptFailure> {
        let prepared = self.prepared(call.clone()).await;
        let turn = self.turn().await;
        let reply = self.send(&prepared).await;
        drop(turn);
        self.kept.outdate();
        match reply {
            Ok(reply) if reply.status.is_server_error() => Err(self.refused(call, &reply).await),
            reply => reply,
        }
    }

    /// The same, where only success will do.
    pub(super) async fn change(&self, call: &ApiRequest) -> Result<(), AttemptFailure> {
        let reply = self.write(call).await?;
        match reply.status.is_success() {
            true => Ok(()),
            false => Err(self.refused(call, &reply).await),
        }
    }

    /// Deletes what is at `url`; that it is not there is as good.
    pub(super) async fn delete(&self, url: Url) -> Result<(), Fault> {
        let call = ApiRequest::new(Method::DELETE, url);
        retrying(self.settings(), || async {
            let reply = self.write(&call).await?;
            let is_gone = reply.status == StatusCode::NOT_FOUND
                // How GitHub says so of a tag.
                || reply.status == StatusCode::UNPROCESSABLE_ENTITY
                    && String::from_utf8_lossy(&reply.body).contains("does not exist");
            match reply.status.is_success() || is_gone {
                true => Ok(()),
                false => Err(self.refused(&call, &reply).await),
            }
        })
        .await
    }

    /// Whether everybody may read `url`: asked without a login.
    pub(super) async fn is_open(&self, url: Url) -> Result<bool, Fault> {
        use StatusCode as S;
        let call = ApiRequest::get(url);
        retrying(self.settings(), || async {
            let reply = self.send(&call).await?;
            match reply.status {
                S::OK => Ok(true),
                S::UNAUTHORIZED | S::FORBIDDEN | S::NOT_FOUND => Ok(false),
                _ => Err(self.refused(&call, &reply).await),
            }
        })
        .await
    }

    /// Opens what `call` asks for; nothing if it is not there. The login stays here when the API
    /// sends us on to where the bytes are.
    pub(super) async fn open(&self, call: ApiRequest) -> Result<Option<AssetStream>, Fault> {
        transfer::open(self.client.clone(), self.signed(call).await).await
    }
}

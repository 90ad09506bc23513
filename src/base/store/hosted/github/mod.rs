//! What is special about GitHub: uploads go to a host of their own, assets may be half-made,
//! releases may be immutable, and drafts are not unique (`drafts`).
//!
//! `server`: which GitHub; `wire`: what is sent; `refusal`: what its errors mean.

mod drafts;
mod refusal;
mod server;
mod wire;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, HeaderName},
};
use serde::Deserialize;

pub(in crate::store) use self::server::GitHubServer;
use self::wire::{DraftPublication, NewRelease, NotesUpdate, PageUpdate};
use super::{
    Hosted, HostedAsset, HostedRelease, HostedRepository, ReleaseHost,
    api::{Dialect, HostApi, Location},
    host::UploadAttempt,
    refusal::LoginAdvice,
};
use crate::{
    model::{Fault, Kind},
    store::{
        Mode, Store, StoreRelease, StoreSettings, Upload,
        blob::Blob,
        call::ApiRequest,
        retry::{AttemptFailure, RetryDecision, RetryPolicy, retrying},
    },
};

/// The version of the API that this is written for.
const VERSION: (HeaderName, &str) = (HeaderName::from_static("x-github-api-version"), "2022-11-28");

/// Assets beyond these may be missing in the answer about a release.
const EMBEDDED: usize = 30;

/// GitHub takes files below 2 GiB
/// (<https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases>).
const MAX_SIZE: u64 = 2 << 30;

static DIALECT: Dialect = Dialect {
    name: "GitHub",
    prepare: |call| call.with(ACCEPT, "application/vnd.github+json").with(VERSION.0, VERSION.1),
    sign: |call, login| call.authorized(format!("Bearer {}", login.token)),
    page_size: ("per_page", 100),
    refusal: refusal::told,
    advice: LoginAdvice {
        with: "is the name right? If it is, the login needs access to it: a classic token the \
               scope `repo`, any other `contents: read` for this repository",
        without: "if it is private, set FORGE_GITHUB_TOKEN to a token that may read it, or log in \
                  with `gh auth login`",
        publish: "set FORGE_GITHUB_TOKEN, or log in with `gh auth login`; in GitHub Actions, pass \
                  `GITHUB_TOKEN: ${{ github.token }}` in `env`",
    },
};

/// A repository on a GitHub.
struct GitHub {
    api: HostApi,
    server: GitHubServer,
    /// When releases become visible, if nobody says so.
    detected: OnceLock<Mode>,
    /// Whether a release turned out to be immutable, whatever was detected.
    seals: AtomicBool,
}

/// Whether releases of a repository are immutable from now on.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Immutability {
    enabled: bool,
}

impl Immutability {
    /// How releases have to be published then.
    fn mode(self) -> Mode {
        if self.enabled { Mode::Sealed } else { Mode::Append }
    }
}

/// The API for `owner/name` at `server`, which the store `url` calls so. Connects to nothing yet.
pub(super) fn api(
    url: String,
    server: &GitHubServer,
    [owner, name]: [&str; 2],
    settings: &StoreSettings,
) -> HostApi {
    let location = Location {
        host: server.name(),
        page: server.page(&[owner, name]),
        resource: server.resource(&["repos", owner, name]),
    };
    HostApi::new(url, &DIALECT, location, server.tempo(), settings)
}

/// The store called `url`: the releases of `owner/name` at `server`. Connects to nothing yet.
pub(in crate::store) fn store(
    url: String,
    server: GitHubServer,
    [owner, name]: [&str; 2],
    settings: &StoreSettings,
) -> impl Store + use<> {
    let api = api(url.clone(), &server, [owner, name], settings);
    let (detected, seals) = (OnceLock::new(), AtomicBool::new(false));
    Hosted::new(url, GitHub { api, server, detected, seals })
}

impl GitHub {
    /// `release` with those assets too that the answer about it left out.
    async fn complete(
        &self,
        mut release: HostedRelease,
        age: Duration,
    ) -> Result<HostedRelease, Fault> {
        if release.assets.len() >= EMBEDDED
            && let Some(assets) = self.listed_assets(&release, age).await?
        {
            release.assets = assets;
        }
        Ok(release)
    }

    async fn listed_assets(
        &self,
        release: &HostedRelease,
        age: Duration,
    ) -> Result<Option<Vec<HostedAsset>>, Fault> {
        let url = self.api.resource(&["releases", &release.id.to_string(), "assets"]);
        self.api.list(url, usize::MAX, age).await
    }

    /// The first `pages` of the list of releases, each with all its assets.
    async fn listed_releases(&self, pages: usize) -> Result<Vec<HostedRelease>, Fault> {
        let url = self.api.resource(&["releases"]);
        let listed = self.api.list(url, pages, Duration::ZERO).await?;
        let mut all = Vec::new();
        for release in listed.ok_or(self.api.who().await.hidden())? {
            all.push(self.complete(release, Duration::ZERO).await?);
        }
        Ok(all)
    }

    fn asset_url(&self, asset: &HostedAsset) -> Url {
        self.api.resource(&["releases", "assets", &asset.id.to_string()])
    }

    async fn immutability(&self) -> Result<Option<Immutability>, Fault> {
        self.api.get_if_allowed(self.api.resource(&["immutable-releases"])).await
    }

    /// Asks whether releases are immutable. Who may not ask sees it from the newest release.
    async fn detect(&self) -> Result<Option<Mode>, Fault> {
        if let Some(immutability) = self.immutability().await? {
            return Ok(Some(immutability.mode()));
        }
        let releases = self.listed_releases(1).await?;
        let newest = releases.iter().find(|release| !release.draft);
        Ok(newest.map(|newest| Immutability { enabled: newest.immutable }.mode()))
    }

    /// The visible release, created now or by somebody else before.
    async fn appended(&self, release: &StoreRelease) -> Result<HostedRelease, Fault> {
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            match self.create(release, false).await {
                Ok(Some(created)) => return Ok(created),
                Ok(None) => return self.appears(&release.tag).await,
                // If only the answer was lost, the next attempt is told so.
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    /// Tries to create `release`, once; nothing if there is one of that tag already.
    async fn create(
        &self,
        release: &StoreRelease,
        draft: bool,
    ) -> Result<Option<HostedRelease>, AttemptFailure> {
        let call = ApiRequest::new(Method::POST, self.api.resource(&["releases"]))
            .json(&NewRelease::for_release(release, draft));
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(Some),
            _ if refusal::is_taken(&reply) => Ok(None),
            // The release may still be there: then that is the better answer.
            _ if refusal::is_burned(&reply) && self.is_visible(&release.tag).await? => Ok(None),
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }

    async fn is_visible(&self, tag: &str) -> Result<bool, AttemptFailure> {
        let found = self.release(tag, Duration::ZERO).await;
        found.map(|found| found.is_some()).map_err(AttemptFailure::never)
    }

    /// The release of `tag`, which is there, as soon as it can be seen.
    async fn appears(&self, tag: &str) -> Result<HostedRelease, Fault> {
        let tempo = self.api.tempo();
        let since = Instant::now();
        loop {
            if let Some(release) = self.release(tag, Duration::ZERO).await? {
                return Ok(release);
            }
            if let Some(release) = self.listed(tag).await?.agreed() {
                return Ok(release);
            }
            if since.elapsed() > tempo.settling {
                return Err(super::host::unseen(tag).fault);
            }
            tokio::time::sleep(tempo.look).await;
        }
    }
}

#[async_trait]
impl ReleaseHost for GitHub {
    fn api(&self) -> &HostApi {
        &self.api
    }

    fn has_unique_names(&self) -> bool {
        true
    }

    async fn is_public(&self) -> Result<bool, Fault> {
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

    async fn notes(&self, _: &HostedRepository) -> Result<Vec<String>, Fault> {
        let note = match self.immutability().await? {
            Some(immutability) if immutability.enabled => {
                "its releases are immutable: each is published when all platforms are there"
            }
            Some(_) => "its releases are not immutable",
            None => "whether its releases are immutable, this login may not ask",
        };
        Ok(vec![note.into()])
    }

    async fn release(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault> {
        match self.api.get(self.api.resource(&["releases", "tags", tag]), age).await? {
            Some(release) => self.complete(release, age).await.map(Some),
            None => Ok(None),
        }
    }

    async fn releases_of(&self, tag: &str) -> Result<Vec<HostedRelease>, Fault> {
        let listed = self.listed(tag).await?;
        let by_tag = self.release(tag, Duration::ZERO).await?;
        let mut all: Vec<_> = listed.visible.or(by_tag).into_iter().collect();
        all.extend(listed.drafts);
        Ok(all)
    }

    async fn releases(&self) -> Result<Vec<HostedRelease>, Fault> {
        self.listed_releases(usize::MAX).await
    }

    async fn assets(&self, release: &HostedRelease) -> Result<Option<Vec<HostedAsset>>, Fault> {
        self.listed_assets(release, Duration::ZERO).await
    }

    fn reading(&self, asset: &HostedAsset) -> ApiRequest {
        ApiRequest::get(self.asset_url(asset))
            .with(ACCEPT, "application/octet-stream")
            .with(VERSION.0, VERSION.1)
    }

    fn check(&self, _: &str, blob: &Blob) -> Result<(), Fault> {
        let Blob { name, size, .. } = blob;
        // It makes one dot of several, and takes away those at the end.
        if name.contains("..") || name.ends_with('.') {
            return Err(Fault::new(
                Kind::Usage,
                format!("GitHub would give {name:?} another name"),
            )
            .because("it allows single dots between other characters only")
            .hint("give the binary another name"));
        }
        if *size >= MAX_SIZE {
            return Err(Fault::new(Kind::Store, "it is too large for a release")
                .because(format!("it has {size} bytes, and GitHub takes less than 2 GiB"))
                .hint("strip the binaries, or pack them as `tar.zst`"));
        }
        Ok(())
    }

    async fn mode(&self) -> Result<Option<Mode>, Fault> {
        if self.seals.load(Ordering::Relaxed) {
            return Ok(Some(Mode::Sealed));
        }
        if let Some(mode) = self.detected.get() {
            return Ok(Some(*mode));
        }
        let found = self.detect().await?;
        Ok(found.map(|mode| *self.detected.get_or_init(|| mode)))
    }

    async fn target(&self, release: &StoreRelease) -> Result<HostedRelease, Fault> {
        match release.mode {
            Mode::Sealed => self.draft(release).await,
            Mode::Append | Mode::Detected => self.appended(release).await,
        }
    }

    async fn upload(
        &self,
        target: &HostedRelease,
        blob: &Blob,
    ) -> Result<UploadAttempt, AttemptFailure> {
        let url = self.server.upload(&target.upload_url, &blob.name);
        let call = ApiRequest::new(Method::POST, url.map_err(AttemptFailure::never)?)
            .carrying(blob.content.clone(), blob.media_type());
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(UploadAttempt::Stored),
            _ if refusal::is_taken(&reply) => Ok(UploadAttempt::Taken),
            _ if refusal::is_locked(&reply) => Ok(UploadAttempt::Locked),
            status => {
                let mut failure = self.api.refused(&call, &reply).await;
                // Somebody may have taken our half-made asset for a leftover.
                if status == StatusCode::NOT_FOUND {
                    failure.again = RetryDecision::Later(None);
                }
                Err(failure)
            }
        }
    }

    async fn discard(&self, _: &HostedRelease, asset: &HostedAsset) -> Result<(), Fault> {
        self.api.delete(self.asset_url(asset)).await
    }

    fn locked(&self, release: &StoreRelease, upload: &Upload) -> Fault {
        // Others of this repository are then too.
        self.seals.store(true, Ordering::Relaxed);
        let what = format!("the release {} is immutable and has no {}", release.tag, upload.asset);
        Fault::new(Kind::Store, what)
            .because("once an immutable release is published, its host lets nobody add to it")
            .hint(
                "write `sealed: true` in versions.yml, and publish all platforms as the next \
                 version or revision: it stays a draft until it has them",
            )
    }

    async fn is_superseded(&self, target: &HostedRelease, ours: &[String]) -> Result<bool, Fault> {
        let listed = self.listed(&target.tag_name).await?;
        let own = listed.drafts.iter().find(|draft| draft.id == target.id);
        let Some(own) = own.filter(|_| listed.is_agreed_elsewhere(target)) else {
            return Ok(false);
        };
        // Whoever else put something there moves it as well.
        if own.assets.iter().all(|asset| ours.contains(&asset.name)) {
            self.withdraw(own).await?;
        }
        Ok(true)
    }

    async fn publication(
        &self,
        target: &HostedRelease,
        release: &StoreRelease,
        _: &[HostedAsset],
    ) -> Result<ApiRequest, Fault> {
        let call = ApiRequest::new(Method::PATCH, self.place(target));
        Ok(call.json(&DraftPublication::for_release(release)))
    }

    async fn renewed(
        &self,
        target: &HostedRelease,
        _: &[HostedAsset],
    ) -> Result<Option<HostedRelease>, Fault> {
        let now: Option<HostedRelease> = self.api.get(self.place(target), Duration::ZERO).await?;
        let is_draft = now.as_ref().is_some_and(|now| now.draft);
        let is_elsewhere = is_draft && self.listed(&target.tag_name).await?.visible.is_some();
        Ok(now.filter(|_| !is_elsewhere))
    }

    async fn tidy(&self, tag: &str) -> Result<(), Fault> {
        self.remove_leftovers(tag).await
    }

    fn description(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        ApiRequest::new(Method::PATCH, self.place(found)).json(&NotesUpdate::for_release(release))
    }

    fn page(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        ApiRequest::new(Method::PATCH, self.place(found)).json(&PageUpdate::for_release(release))
    }

    fn tag_path<'a>(&self, tag: &'a str) -> Vec<&'a str> {
        vec!["git", "refs", "tags", tag]
    }
}

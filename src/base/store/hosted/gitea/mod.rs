//! What is special about Gitea and Forgejo: there is one release to a tag, draft or not, and
//! creating it is tried. Names of assets are not unique. A file is stored when it came whole, so
//! nothing is ever half-made, and no digest of it is kept.
//!
//! Source: Gitea 1.27, `routers/api/v1/repo`, `services/release`, `models/repo`. Files are
//! taken as they are since Gitea 1.22 and Forgejo 7.

mod refusal;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode, Url};
use serde_json::json;

use super::{
    Hosted, HostedAsset, HostedRelease, HostedRepository, ReleaseHost,
    api::{Dialect, HostApi, Location},
    host::{UploadAttempt, unseen},
    refusal::LoginAdvice,
};
use crate::{
    model::Fault,
    store::{
        Mode, Store, StoreRelease, StoreSettings, Tempo, address,
        blob::Blob,
        call::ApiRequest,
        retry::{AttemptFailure, RetryPolicy},
    },
};

/// How one gets a login.
const LOGIN: &str = "set FORGE_GITEA_TOKEN to a token of this server (Settings, Applications) with \
                     the permission \"repository: Read and Write\"";

static DIALECT: Dialect = Dialect {
    name: "Gitea",
    prepare: |call| call,
    sign: |call, login| call.authorized(format!("token {}", login.token)),
    // The most by default (`MAX_RESPONSE_ITEMS`); a server may give fewer.
    page_size: ("limit", 50),
    refusal: refusal::told,
    advice: LoginAdvice {
        with: "is the name right? If it is, the login's user needs access to it, and its token the \
               permission \"repository\"",
        without: LOGIN,
        publish: LOGIN,
    },
};

/// A repository on a Gitea.
struct Gitea {
    api: HostApi,
    base: Url,
    url: String,
}

/// The store called `url`: the releases of `owner/name` at `base`. Connects to nothing yet.
///
/// # Errors
/// `Usage` if unprotected http would lead away from this machine.
pub(in crate::store) fn store(
    url: String,
    base: &str,
    [owner, name]: [&str; 2],
    settings: &StoreSettings,
) -> Result<impl Store + use<>, Fault> {
    let base = address::protected("releases", base, "a Gitea")?;
    let location = Location {
        host: address::name(&base),
        page: address::below(&base, &[owner, name]),
        resource: address::below(&base, &["api", "v1", "repos", owner, name]),
    };
    let api = HostApi::new(url.clone(), &DIALECT, location, Tempo::of_own_server(), settings);
    Ok(Hosted::new(url.clone(), Gitea { api, base, url }))
}

impl Gitea {
    /// Where the tag goes.
    async fn branch(&self) -> Result<String, Fault> {
        let repository = self.visible_repository().await?;
        // Asked of such a repository, the server says no more than that it failed.
        if repository.archived {
            return Err(refusal::archived(&self.url));
        }
        Ok(repository.default_branch)
    }

    /// The release of `tag`; also a draft, for those who may write.
    ///
    /// # Errors
    /// `Store` also if it is the release of a tag that differs in capitals only.
    async fn any(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault> {
        let url = self.api.resource(&["releases", "tags", tag]);
        match self.api.get::<HostedRelease>(url, age).await? {
            Some(other) if other.tag_name != tag => Err(refusal::alike(tag, &other.tag_name)),
            found => Ok(found),
        }
    }

    /// Tries to create `release`, once; nothing if there is one of that tag already.
    async fn create(
        &self,
        release: &StoreRelease,
        branch: &str,
    ) -> Result<Option<HostedRelease>, AttemptFailure> {
        let call = ApiRequest::new(Method::POST, self.api.resource(&["releases"])).json(&json!({
            "tag_name": release.tag,
            "target_commitish": branch,
            "name": release.title,
            "body": release.notes,
            "draft": release.mode == Mode::Sealed,
            // Only what is none may be called the latest.
            "prerelease": !release.is_latest,
        }));
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(Some),
            StatusCode::CONFLICT => Ok(None),
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }
}

#[async_trait]
impl ReleaseHost for Gitea {
    fn api(&self) -> &HostApi {
        &self.api
    }

    fn has_unique_names(&self) -> bool {
        false
    }

    async fn is_public(&self) -> Result<bool, Fault> {
        self.api.is_open(self.api.resource(&[])).await
    }

    async fn notes(&self, repository: &HostedRepository) -> Result<Vec<String>, Fault> {
        let empty = "the repository is empty: it can have releases after its first push";
        Ok(repository.empty.then(|| empty.to_owned()).into_iter().collect())
    }

    async fn release(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault> {
        Ok(self.any(tag, age).await?.filter(|release| !release.draft))
    }

    async fn releases_of(&self, tag: &str) -> Result<Vec<HostedRelease>, Fault> {
        Ok(self.any(tag, Duration::ZERO).await?.into_iter().collect())
    }

    async fn releases(&self) -> Result<Vec<HostedRelease>, Fault> {
        let url = self.api.resource(&["releases"]);
        let listed = self.api.list(url, usize::MAX, Duration::ZERO).await?;
        listed.ok_or(self.api.who().await.hidden())
    }

    /// Those that the release tells: a list of assets stays when the release goes.
    async fn assets(&self, release: &HostedRelease) -> Result<Option<Vec<HostedAsset>>, Fault> {
        let release: Option<HostedRelease> =
            self.api.get(self.place(release), Duration::ZERO).await?;
        Ok(release.map(|release| release.assets))
    }

    /// By what is its own, since its name need not be.
    fn reading(&self, asset: &HostedAsset) -> ApiRequest {
        ApiRequest::get(address::below(&self.base, &["attachments", &asset.place]))
    }

    async fn target(&self, release: &StoreRelease) -> Result<HostedRelease, Fault> {
        let branch = self.branch().await?;
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.create(release, &branch).await {
                Ok(Some(created)) => return Ok(created),
                Ok(None) => match self.any(&release.tag, Duration::ZERO).await? {
                    Some(found) => return Ok(found),
                    None => unseen(&release.tag),
                },
                // Of several at once all but one fail so; the next attempt is told why.
                Err(failure) => failure,
            };
            retry.pause(failure).await?;
        }
    }

    async fn upload(
        &self,
        target: &HostedRelease,
        blob: &Blob,
    ) -> Result<UploadAttempt, AttemptFailure> {
        let mut url = self.api.resource(&["releases", &target.id.to_string(), "assets"]);
        url.query_pairs_mut().append_pair("name", &blob.name);
        // Any other kind would be read as a form.
        let call = ApiRequest::new(Method::POST, url)
            .carrying(blob.content.clone(), "application/octet-stream");
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(UploadAttempt::Stored),
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }

    async fn discard(&self, target: &HostedRelease, asset: &HostedAsset) -> Result<(), Fault> {
        let (release, asset) = (target.id.to_string(), asset.id.to_string());
        self.api.delete(self.api.resource(&["releases", &release, "assets", &asset])).await
    }

    async fn publication(
        &self,
        target: &HostedRelease,
        _: &StoreRelease,
        _: &[HostedAsset],
    ) -> Result<ApiRequest, Fault> {
        let call = ApiRequest::new(Method::PATCH, self.place(target));
        Ok(call.json(&json!({ "draft": false })))
    }

    async fn renewed(
        &self,
        target: &HostedRelease,
        _: &[HostedAsset],
    ) -> Result<Option<HostedRelease>, Fault> {
        self.api.get(self.place(target), Duration::ZERO).await
    }

    fn description(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        ApiRequest::new(Method::PATCH, self.place(found)).json(&json!({ "body": release.notes }))
    }

    fn page(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        let page = json!({ "body": release.notes, "prerelease": !release.is_latest });
        ApiRequest::new(Method::PATCH, self.place(found)).json(&page)
    }

    fn tag_path<'a>(&self, tag: &'a str) -> Vec<&'a str> {
        vec!["tags", tag]
    }
}

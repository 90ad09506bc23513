//! What is special about GitLab: a release holds no files. They lie in the project's registry of
//! generic packages, and the release links to them.
//!
//! ```text
//! packages/generic/forge/TAG/<digest>.<size>.<asset>  <── link called <asset> ── release of TAG
//! ```
//!
//! The registry takes a second file of the same name, and gives the newest one from then on, unless
//! the owner of the group forbids that. So a file is called after its digest: what comes second is
//! the same. Links of one release have different names, which the host sees to; making the link is
//! what decides whose asset it is, and what is not linked is seen by nobody who asks for a release.
//!
//! There are no drafts. A package without a release is one here: of several files for one asset the
//! first one counts, and the release is made, with all its links at once, when there is what it
//! waits for. So no release is ever seen without assets.
//!
//! Sources: <https://docs.gitlab.com/user/packages/generic_packages/>,
//! <https://docs.gitlab.com/api/releases/>, <https://docs.gitlab.com/api/releases/links/>,
//! <https://docs.gitlab.com/api/packages/>, <https://docs.gitlab.com/api/rest/>.

mod files;
mod refusal;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode, Url};
use serde_json::json;

use self::{
    files::PackagePath,
    wire::{GitLabPackage, GitLabProject, GitLabRelease, PackageFile},
};
use super::{
    Hosted, HostedAsset, HostedRelease, HostedRepository, ReleaseHost,
    api::{Dialect, HostApi, Location},
    host::UploadAttempt,
    refusal::LoginAdvice,
};
use crate::{
    model::{Fault, Kind},
    store::{
        Store, StoreRelease, StoreSettings, Tempo, address, blob::Blob, call::ApiRequest, file,
        retry::AttemptFailure,
    },
};

/// The server that is meant where none is named.
const PUBLIC: &str = "https://gitlab.com";

/// How one gets a login.
const LOGIN: &str = "set GITLAB_TOKEN to a token with the scope `api` (FORGE_GITLAB_TOKEN if others \
                     are to go on without it); a job of GitLab CI has one for its own server";

static DIALECT: Dialect = Dialect {
    name: "GitLab",
    prepare: |call| call,
    // A job's token is for the server of the job, and is not taken as a person's.
    sign: |call, login| match login.source.as_str() {
        "CI_JOB_TOKEN" => call.credential("job-token", &login.token),
        "FORGE_GITLAB_TOKEN" | "GITLAB_TOKEN" => call.credential("private-token", &login.token),
        // What git's helpers keep may also be a token of OAuth.
        _ => call.authorized(format!("Bearer {}", login.token)),
    },
    page_size: ("per_page", 100),
    refusal: refusal::told,
    advice: LoginAdvice {
        with: "is the name right? If it is, the login needs access to the project: a token the \
               scope `read_api`, a job of another project a place in its job token allowlist \
               (Settings, CI/CD)",
        without: LOGIN,
        publish: LOGIN,
    },
};

/// A project on a GitLab.
struct GitLabHost {
    api: HostApi,
    url: String,
    /// The branch that a tag is made of if nothing says better: of the project whose job this is.
    branch: Option<String>,
}

/// The API for `project` of the GitLab at `base`, which the store `url` calls so. Connects to nothing yet.
///
/// # Errors
/// `Usage` if the server must not be asked.
pub(super) fn api(
    url: String,
    base: Option<&str>,
    project: &str,
    settings: &StoreSettings,
) -> Result<HostApi, Fault> {
    let base = address::protected("releases", base.unwrap_or(PUBLIC), "a GitLab")?;
    let location = Location {
        host: address::name(&base),
        page: address::below(&base, &project.split('/').collect::<Vec<_>>()),
        resource: address::below(&base, &["api", "v4", "projects", project]),
    };
    Ok(HostApi::new(url, &DIALECT, location, Tempo::of_own_server(), settings))
}

/// The store called `url`: the releases of `project` (`GROUP/SUBGROUP/PROJECT`) at `base`, or at
/// gitlab.com. Connects to nothing yet.
///
/// # Errors
/// `Usage` if unprotected http would lead away from this machine.
pub(in crate::store) fn store(
    url: String,
    base: Option<&str>,
    project: &str,
    settings: &StoreSettings,
) -> Result<impl Store + use<>, Fault> {
    let api = api(url.clone(), base, project, settings)?;
    let variable = |name: &str| settings.environment.get(name).map(|value| value.trim());
    let is_own = variable("CI_PROJECT_PATH") == Some(project);
    let branch = variable("CI_DEFAULT_BRANCH").filter(|_| is_own).map(str::to_owned);
    Ok(Hosted::new(url.clone(), GitLabHost { api, url, branch }))
}

impl GitLabHost {
    fn release_url(&self, tag: &str) -> Url {
        self.api.resource(&["releases", tag])
    }

    fn links_url(&self, tag: &str, rest: &[&str]) -> Url {
        self.api.resource(&[&["releases", tag, "assets", "links"], rest].concat())
    }

    fn file_url(&self, tag: &str, name: &str) -> Url {
        self.api.resource(&["packages", "generic", files::PACKAGE, tag, name])
    }

    /// The packages that are forge's: one for each tag. What is not released yet is nothing to
    /// strangers, to whom the registry may be closed. The server looks for names that are alike.
    async fn packages(&self) -> Result<Vec<GitLabPackage>, Fault> {
        if self.api.account.login().await.is_none() {
            return Ok(Vec::new());
        }
        let mut url = self.api.resource(&["packages"]);
        url.query_pairs_mut()
            .append_pair("package_type", "generic")
            .append_pair("package_name", files::PACKAGE);
        let listed: Option<Vec<GitLabPackage>> =
            self.api.list(url, usize::MAX, Duration::ZERO).await?;
        let mut packages = listed.ok_or(self.api.who().await.hidden())?;
        packages.retain(|package| package.name == files::PACKAGE);
        Ok(packages)
    }

    async fn package(&self, tag: &str) -> Result<Option<GitLabPackage>, Fault> {
        Ok(self.packages().await?.into_iter().find(|package| package.version == tag))
    }

    /// The files in `package`, as a draft; nothing if it was removed just now.
    async fn draft(&self, package: &GitLabPackage) -> Result<HostedRelease, Fault> {
        let url = self.api.resource(&["packages", &package.id.to_string(), "package_files"]);
        let listed: Option<Vec<PackageFile>> =
            self.api.list(url, usize::MAX, Duration::ZERO).await?;
        let files = listed.unwrap_or_default();
        let assets = files.into_iter().filter_map(|file| file.asset(&package.version)).collect();
        Ok(wire::release(&package.version, package.id, assets))
    }

    /// Puts `blob` into the registry; nothing if the same is there and the group's owner wants
    /// nothing twice.
    async fn put_file(
        &self,
        tag: &str,
        blob: &Blob,
    ) -> Result<Option<(PackageFile, HostedAsset)>, AttemptFailure> {
        let mut url = self.file_url(tag, &files::name(blob));
        url.query_pairs_mut().append_pair("select", "package_file");
        let call = ApiRequest::new(Method::PUT, url)
            .carrying(blob.content.clone(), "application/octet-stream");
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED | StatusCode::OK => {
                let file: PackageFile = reply.parse(&call)?;
                let asset = file.asset(tag).ok_or_else(|| {
                    let why = "the server gave the file another name";
                    AttemptFailure::never(call.failed().because(why))
                })?;
                Ok(Some((file, asset)))
            }
            StatusCode::BAD_REQUEST if refusal::is_duplicate(&reply) => Ok(None),
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }

    /// Makes sure that the registry holds `blob` and not something else, before anybody is told.
    async fn verify(
        &self,
        tag: &str,
        blob: &Blob,
        stored: Option<&HostedAsset>,
    ) -> Result<(), Fault> {
        let told = stored.and_then(|stored| Some((stored.size, stored.sha256()?)));
        let (size, sha256) = match told {
            Some(told) => told,
            None => {
                let call = ApiRequest::get(self.file_url(tag, &files::name(blob)));
                let gone = || Fault::new(Kind::Store, format!("{} is not there", blob.name));
                let stream = self.api.open(call).await?.ok_or_else(gone)?;
                (blob.size, file::digested(stream).await?)
            }
        };
        match (size, sha256) == (blob.size, blob.sha256) {
            true => Ok(()),
            false => Err(blob.not_as_sent(size, sha256)),
        }
    }

    async fn remove_file(&self, package: u64, file: u64) -> Result<(), Fault> {
        let (package, file) = (package.to_string(), file.to_string());
        self.api.delete(self.api.resource(&["packages", &package, "package_files", &file])).await
    }

    /// Puts `blob` beside the release of `tag`, which is visible, and links to it. Whose link comes
    /// second has lost, and takes his file away again unless it is what the link leads to.
    async fn link(&self, tag: &str, blob: &Blob) -> Result<UploadAttempt, AttemptFailure> {
        let stored = self.put_file(tag, blob).await?;
        let verified = self.verify(tag, blob, stored.as_ref().map(|(_, asset)| asset)).await;
        if let Err(fault) = verified {
            if let Some((file, _)) = &stored {
                self.remove_file(file.package_id, file.id).await.map_err(AttemptFailure::never)?;
            }
            return Err(AttemptFailure::never(fault.hint("run it again")));
        }
        let url = self.file_url(tag, &files::name(blob));
        let call = ApiRequest::new(Method::POST, self.links_url(tag, &[]))
            .json(&wire::new_link(&blob.name, &url));
        let reply = self.api.write(&call).await?;
        match reply.status {
            StatusCode::CREATED => {
                let link: wire::ReleaseLink = reply.parse(&call)?;
                let own = link.asset(tag).ok_or_else(|| {
                    AttemptFailure::never(call.failed().because("the server changed the link"))
                })?;
                Ok(UploadAttempt::Stored(own))
            }
            _ if refusal::is_taken(&reply) => {
                let there =
                    self.release(tag, Duration::ZERO).await.map_err(AttemptFailure::never)?;
                let theirs = there.and_then(|it| it.asset(&blob.name)?.sha256());
                if let Some((file, _)) =
                    stored.filter(|_| theirs.is_some_and(|it| it != blob.sha256))
                {
                    let removed = self.remove_file(file.package_id, file.id).await;
                    removed.map_err(AttemptFailure::never)?;
                }
                Ok(UploadAttempt::Taken)
            }
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }
}

#[async_trait]
impl ReleaseHost for GitLabHost {
    fn api(&self) -> &HostApi {
        &self.api
    }

    /// Files of a package are not, and links are looked at before anything is sent.
    fn has_unique_names(&self) -> bool {
        false
    }

    /// Its pages lead to the registry, which may be closed where the project is open: only the API
    /// tells an absence.
    fn has_pages(&self) -> bool {
        false
    }

    async fn is_public(&self) -> Result<bool, Fault> {
        Ok(false)
    }

    /// A job's token may not ask for the project, but for its releases.
    async fn repository(&self) -> Result<Option<HostedRepository>, Fault> {
        let project: Option<GitLabProject> =
            self.api.get_if_allowed(self.api.resource(&[])).await?;
        if let Some(project) = project {
            return Ok(Some(project.into()));
        }
        let mut url = self.api.resource(&["releases"]);
        url.query_pairs_mut().append_pair("per_page", "1");
        let seen: Option<Vec<GitLabRelease>> = self.api.get(url, self.api.tempo().recent).await?;
        Ok(seen.map(|_| HostedRepository::default()))
    }

    async fn notes(&self, repository: &HostedRepository) -> Result<Vec<String>, Fault> {
        let empty = "the repository is empty: it can have releases after its first push";
        Ok(repository.empty.then(|| empty.to_owned()).into_iter().collect())
    }

    async fn release(&self, tag: &str, age: Duration) -> Result<Option<HostedRelease>, Fault> {
        let found: Option<GitLabRelease> = self.api.get(self.release_url(tag), age).await?;
        Ok(found.map(GitLabRelease::hosted))
    }

    async fn releases_of(&self, tag: &str) -> Result<Vec<HostedRelease>, Fault> {
        let mut all: Vec<_> = self.release(tag, Duration::ZERO).await?.into_iter().collect();
        if let Some(package) = self.package(tag).await? {
            all.push(self.draft(&package).await?);
        }
        Ok(all)
    }

    async fn releases(&self) -> Result<Vec<HostedRelease>, Fault> {
        let url = self.api.resource(&["releases"]);
        let listed: Option<Vec<GitLabRelease>> =
            self.api.list(url, usize::MAX, Duration::ZERO).await?;
        let listed = listed.ok_or(self.api.who().await.hidden())?;
        let mut all: Vec<_> = listed.into_iter().map(GitLabRelease::hosted).collect();
        for package in self.packages().await? {
            if !all.iter().any(|release| release.tag_name == package.version) {
                all.push(self.draft(&package).await?);
            }
        }
        Ok(all)
    }

    async fn assets(&self, release: &HostedRelease) -> Result<Option<Vec<HostedAsset>>, Fault> {
        if !release.draft {
            let found = self.release(&release.tag_name, Duration::ZERO).await?;
            return Ok(found.map(|found| found.assets));
        }
        Ok(Some(match self.package(&release.tag_name).await? {
            Some(package) => self.draft(&package).await?.assets,
            None => Vec::new(),
        }))
    }

    /// The registry's own address of the file, whatever the link says: only its name is taken
    /// from there, and a login goes to no other place.
    fn reading(&self, asset: &HostedAsset) -> ApiRequest {
        let path = PackagePath::parse(&asset.place).unwrap_or_default();
        ApiRequest::get(self.file_url(&path.tag, &path.file))
    }

    fn check(&self, tag: &str, blob: &Blob) -> Result<(), Fault> {
        files::check(tag, blob)
    }

    fn begins_with_assets(&self) -> bool {
        true
    }

    async fn target(&self, release: &StoreRelease) -> Result<HostedRelease, Fault> {
        let visible = self.release(&release.tag, Duration::ZERO).await?;
        Ok(visible.unwrap_or_else(|| wire::release(&release.tag, 0, Vec::new())))
    }

    async fn upload(
        &self,
        target: &HostedRelease,
        blob: &Blob,
    ) -> Result<UploadAttempt, AttemptFailure> {
        if !target.draft {
            return self.link(&target.tag_name, blob).await;
        }
        let stored = self.put_file(&target.tag_name, blob).await?;
        Ok(stored.map_or(UploadAttempt::Taken, |(_, asset)| UploadAttempt::Stored(asset)))
    }

    async fn discard(&self, target: &HostedRelease, asset: &HostedAsset) -> Result<(), Fault> {
        if !target.draft {
            let link = asset.id.to_string();
            return self.api.delete(self.links_url(&target.tag_name, &[&link])).await;
        }
        match self.package(&target.tag_name).await? {
            Some(package) => self.remove_file(package.id, asset.id).await,
            None => Ok(()),
        }
    }

    async fn publication(
        &self,
        target: &HostedRelease,
        release: &StoreRelease,
        assets: &[HostedAsset],
    ) -> Result<ApiRequest, Fault> {
        let repository = self.visible_repository().await?;
        if repository.archived {
            return Err(refusal::archived(&self.url));
        }
        let known = Some(repository.default_branch).filter(|branch| !branch.is_empty());
        let links: Vec<_> = wire::first_of_each(assets)
            .map(|asset| {
                let path = PackagePath::parse(&asset.place).unwrap_or_default();
                wire::new_link(&asset.name, &self.file_url(&path.tag, &path.file))
            })
            .collect();
        Ok(ApiRequest::new(Method::POST, self.api.resource(&["releases"])).json(&json!({
            "tag_name": target.tag_name,
            // Where the tag goes if there is none yet.
            "ref": known.or_else(|| self.branch.clone()).unwrap_or_else(|| "HEAD".into()),
            "name": release.title,
            "description": release.notes,
            "assets": { "links": links },
        })))
    }

    async fn renewed(
        &self,
        target: &HostedRelease,
        assets: &[HostedAsset],
    ) -> Result<Option<HostedRelease>, Fault> {
        let Some(visible) = self.release(&target.tag_name, Duration::ZERO).await? else {
            return Ok(Some(target.clone()));
        };
        let has_it = |asset: &HostedAsset| {
            visible.asset(&asset.name).is_some_and(|there| there.sha256() == asset.sha256())
        };
        let has_all = wire::first_of_each(assets).all(has_it);
        Ok(Some(visible).filter(|_| has_all))
    }

    fn description(&self, found: &HostedRelease, release: &StoreRelease) -> ApiRequest {
        ApiRequest::new(Method::PUT, self.place(found)).json(&json!({
            "description": release.notes
        }))
    }

    fn place(&self, release: &HostedRelease) -> Url {
        match release.draft {
            true => self.api.resource(&["packages", &release.id.to_string()]),
            false => self.release_url(&release.tag_name),
        }
    }

    fn tag_path<'a>(&self, tag: &'a str) -> Vec<&'a str> {
        vec!["repository", "tags", tag]
    }
}

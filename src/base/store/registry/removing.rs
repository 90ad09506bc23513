//! Removing from registries: a tag alone, or a manifest with all its tags. Many registries can do only
//! one of the two, and some neither.

use reqwest::{Method, StatusCode};

use super::{
    super::call::{ApiRequest, ApiResponse},
    Registries, RegistryScope,
};
use crate::model::{Fault, Sha256, oci::ImageRepository};

impl Registries {
    /// Removes a tag, and leaves the manifest that it leads to. Whether the registry can do that; that
    /// it is not there is as good.
    ///
    /// # Errors
    /// `Store` if the registry refuses.
    pub async fn untag(&self, repository: &ImageRepository, tag: &str) -> Result<bool, Fault> {
        let what = format!("cannot remove {}", repository.tagged(tag));
        let (call, reply) = self.delete(repository, tag, what).await?;
        match reply.status {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(true),
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Ok(false),
            _ => Err(self.no_removal(&call, repository, &reply).await),
        }
    }

    /// Removes a manifest or an index, and all tags that lead to it. That it is not there is as good.
    ///
    /// # Errors
    /// `Store` if the registry refuses.
    pub async fn remove_manifest(
        &self,
        repository: &ImageRepository,
        digest: Sha256,
    ) -> Result<(), Fault> {
        let what = format!("cannot remove {} of {repository}", digest.short());
        let (call, reply) = self.delete(repository, &format!("sha256:{digest}"), what).await?;
        match reply.status {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            _ => Err(self.no_removal(&call, repository, &reply).await),
        }
    }

    async fn delete(
        &self,
        repository: &ImageRepository,
        reference: &str,
        what: String,
    ) -> Result<(ApiRequest, ApiResponse), Fault> {
        // What else a token has to allow, the registry says itself.
        let scopes = [RegistryScope::push(repository)];
        let call = Self::request(Method::DELETE, repository, &["manifests", reference])?;
        let call = ApiRequest::failing(call, what);
        let reply = self.ask(&call, repository, &scopes).await?;
        Ok((call, reply))
    }

    async fn no_removal(
        &self,
        call: &ApiRequest,
        repository: &ImageRepository,
        reply: &ApiResponse,
    ) -> Fault {
        let fault = self.refused(call, repository, reply).await.fault;
        match hint(repository, reply.status) {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

/// What a registry needs that does not let images be removed by its API.
fn hint(repository: &ImageRepository, status: StatusCode) -> Option<String> {
    let (host, path) = (repository.host(), repository.path());
    match host {
        "ghcr.io" => Some(format!(
            "versions of packages of GitHub are deleted by its own API, with a token that has \
             `delete:packages`, or at https://github.com/{}",
            super::refusal::packages(path)
        )),
        "docker.io" => Some(format!(
            "a token of Docker Hub needs the right to delete; its page deletes tags too: \
             https://hub.docker.com/r/{path}/tags"
        )),
        _ if [StatusCode::METHOD_NOT_ALLOWED, StatusCode::BAD_REQUEST].contains(&status) => {
            Some(format!(
                "{host} does not let manifests be deleted: the open registry wants \
                 `storage: {{ delete: {{ enabled: true }} }}`, others a right or a setting of their own"
            ))
        }
        _ => None,
    }
}

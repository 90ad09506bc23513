//! Registries of container images (distribution-spec 1.1): manifests, blobs and tags, read and written.
//!
//! ```text
//! Registries ── reading ──> manifest, blobs, tags     absence is confirmed by GET, with all types accepted
//!      │ └───── pushing ──> blobs, children, tag      blob: HEAD, mount, or one PUT with its length
//!      └ keys: challenge, token, login ──> client     tokens by host and scopes, renewed on 401
//! refusal: what registries' errors mean
//! ```
//!
//! A tag is never create-only (the condition `If-None-Match` is ignored by registries), so whoever
//! pushes looks before, pushes everything that the tag needs by digest, looks again, tags, and reads
//! back.
//!
//! A login goes to the registry itself and to the server of its tokens, if that is of the same
//! domain; never to where blobs are kept or uploads are sent instead.

mod access;
mod challenge;
mod keys;
mod pushing;
mod reading;
mod referring;
mod refusal;
mod removing;
mod token;
mod uploading;
mod writing;

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};

use self::keys::{KeyRing, RegistryScope};
pub use access::RegistryAccess;
pub use pushing::{ImagePush, ManifestUpload, PushReceipt};
pub use reading::RegistryManifest;
pub use referring::ImageNote;
pub use uploading::{BlobOutcome, BlobSource, BlobUpload};

use super::{
    StoreSettings, address,
    call::{ApiRequest, ApiResponse},
    client::Client,
    retry::{AttemptFailure, retrying},
};
use crate::model::{Fault, Kind, oci::ImageRepository};

/// Registries, spoken to over shared connections and with the tokens that were given. Clones share
/// both.
#[derive(Clone)]
pub struct Registries {
    client: Arc<Client>,
    keys: Arc<KeyRing>,
}

impl Registries {
    /// Connects to nothing yet, and asks nobody for a login.
    #[must_use]
    pub fn new(settings: &StoreSettings) -> Self {
        let keys = Arc::new(KeyRing::new(settings.logins.clone()));
        Self { client: Arc::new(Client::new(settings)), keys }
    }

    fn settings(&self) -> &StoreSettings {
        &self.client.settings
    }

    /// Sends `call`, which needs `scopes`, once; if the registry wants a token, with one.
    async fn send(
        &self,
        call: ApiRequest,
        repository: &ImageRepository,
        scopes: &[RegistryScope],
    ) -> Result<ApiResponse, AttemptFailure> {
        let home = origin(repository).map_err(AttemptFailure::never)?;
        // An upload may go to another server, which the token is not for.
        if call.url.origin() != home.origin() {
            return self.client.call(&call).await;
        }
        let mut shown = self.keys.ready(&self.client, repository, scopes).await?;
        // Nothing is shown, then a token, and a token anew if that one has just ended.
        for is_last in [false, false, true] {
            let prepared = match &shown {
                Some(key) => call.clone().authorized(key.clone()),
                None => call.clone(),
            };
            let reply = self.client.call(&prepared).await?;
            if reply.status != StatusCode::UNAUTHORIZED || is_last {
                return Ok(reply);
            }
            let renewed =
                self.keys.challenged(&self.client, repository, scopes, &reply, shown.as_deref());
            match renewed.await? {
                Some(key) => shown = Some(key),
                None => return Ok(reply),
            }
        }
        unreachable!("the last of the attempts returns")
    }

    /// Asks until there is an answer that will not change by asking again.
    async fn ask(
        &self,
        call: &ApiRequest,
        repository: &ImageRepository,
        scopes: &[RegistryScope],
    ) -> Result<ApiResponse, Fault> {
        retrying(self.settings(), || async {
            let reply = self.send(call.clone(), repository, scopes).await?;
            match refusal::passes(call, &reply) {
                Some(failure) => Err(failure),
                None => Ok(reply),
            }
        })
        .await
    }

    /// `reply` as what went wrong with `call`.
    async fn refused(
        &self,
        call: &ApiRequest,
        repository: &ImageRepository,
        reply: &ApiResponse,
    ) -> AttemptFailure {
        let login = self.keys.login_source(repository).await;
        refusal::failure(call, repository, reply, login.as_deref())
    }

    /// A request about `path` of the API of `repository`.
    fn request(
        method: Method,
        repository: &ImageRepository,
        path: &[&str],
    ) -> Result<ApiRequest, Fault> {
        let below = ["v2"].into_iter().chain(repository.path().split('/'));
        let segments: Vec<_> = below.chain(path.iter().copied()).collect();
        Ok(ApiRequest::new(method, address::below(&origin(repository)?, &segments)))
    }
}

/// The server of the API of `repository`.
fn origin(repository: &ImageRepository) -> Result<Url, Fault> {
    let scheme = if repository.is_local() { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{}/", repository.api_host())).map_err(|error| {
        Fault::new(Kind::Usage, format!("`{repository}` is not the name of an image"))
            .because(error.to_string())
    })
}

#[cfg(test)]
mod tests;

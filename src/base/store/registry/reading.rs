//! Reading from registries.

use std::collections::BTreeSet;

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url, header::ACCEPT};
use serde::Deserialize;

use super::{
    super::{
        AssetStream,
        call::{ApiRequest, ApiResponse},
        file::Digester,
        retry::AttemptFailure,
        transfer,
    },
    Registries, RegistryScope, refusal,
};
use crate::model::{
    Fault, Kind, Sha256,
    oci::{self, Descriptor, ImageReference, ImageRepository, RegistryDocument},
};

/// The most that a manifest may have, in bytes (distribution-spec 1.1, "Pushing Manifests").
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// How many tags are asked for at once.
const PAGE: usize = 1000;

/// What a registry keeps under a tag or digest: an index or a manifest, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryManifest {
    /// Its bytes.
    pub bytes: Bytes,
    /// The digest of its bytes.
    pub digest: Sha256,
    /// Its media type, as it says itself or as the registry says.
    pub media_type: String,
    /// What it says.
    pub document: RegistryDocument,
}

impl RegistryManifest {
    /// The bytes of an index or a manifest.
    ///
    /// # Errors
    /// Says in one sentence why they are none.
    pub fn parse(bytes: Bytes, content_type: Option<&str>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(rename = "mediaType")]
            media_type: Option<String>,
        }
        let document = RegistryDocument::parse(&bytes, content_type)?;
        let typed: Option<Typed> = serde_json::from_slice(&bytes).ok();
        let media_type = typed.and_then(|it| it.media_type).filter(|it| !it.is_empty());
        let media_type = media_type.unwrap_or_else(|| match (content_type, &document) {
            (Some(said), _) if said.starts_with("application/vnd.") => said.to_owned(),
            (_, RegistryDocument::Index(_)) => oci::INDEX.to_owned(),
            (_, RegistryDocument::Manifest(_)) => oci::MANIFEST.to_owned(),
        });
        let digest = digest_of(&bytes);
        Ok(Self { bytes, digest, media_type, document })
    }

    /// What others call it by.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            oci::oci_type(&self.media_type).as_ref(),
            self.digest,
            self.bytes.len() as u64,
        )
    }
}

/// The digest of `bytes`.
pub(super) fn digest_of(bytes: &[u8]) -> Sha256 {
    let mut digester = Digester::default();
    digester.take(bytes);
    digester.sha256()
}

impl Registries {
    /// That all of `repositories` will be read: so one token does for all of them.
    pub async fn expect(&self, repositories: &[ImageRepository]) {
        self.keys.expect(repositories).await;
    }

    /// The index or manifest that `image` names, by its digest if it has one. `None` is a confirmed
    /// absence.
    ///
    /// # Errors
    /// `Store` if the registry does not say, or says something else than a manifest; `Verification`
    /// if it is not what its digest says.
    pub async fn manifest(
        &self,
        image: &ImageReference,
    ) -> Result<Option<RegistryManifest>, Fault> {
        let repository = &image.repository;
        let asked = image.asked();
        let call = Self::request(Method::GET, repository, &["manifests", &asked])?
            .failing(format!("cannot read {image}"))
            .with(ACCEPT, oci::ACCEPT);
        let reply = self.ask(&call, repository, &[RegistryScope::pull(repository)]).await?;
        match reply.status {
            StatusCode::OK => {}
            _ if refusal::is_absence(&reply) => return Ok(None),
            _ => return Err(self.refused(&call, repository, &reply).await.fault),
        }
        if refusal::is_page(&reply) {
            let why = format!("{} answered with a web page", repository.api_host());
            return Err(call.failed().because(why));
        }
        if reply.body.len() > MAX_MANIFEST {
            return Err(call.failed().because("it has more than 4 MiB, and manifests have less"));
        }
        let told = reply.header("content-type");
        let found = RegistryManifest::parse(reply.body.clone(), told)
            .map_err(|why| call.failed().because(why))?;
        let expected = image.digest.or_else(|| told_digest(&reply));
        if let Some(expected) = expected.filter(|expected| *expected != found.digest) {
            return Err(lying(&format!("{image}"), expected, found.digest));
        }
        Ok(Some(found))
    }

    /// Whether the blob `digest` is there, by a HEAD. That it is not there is no confirmed absence.
    ///
    /// # Errors
    /// `Store` if the registry does not say.
    pub async fn has_blob(
        &self,
        repository: &ImageRepository,
        digest: Sha256,
    ) -> Result<bool, Fault> {
        let call = blob_call(Method::HEAD, repository, digest)?;
        let reply = self.ask(&call, repository, &[RegistryScope::pull(repository)]).await?;
        self.judge_head(&call, repository, &reply).await.map_err(|failure| failure.fault)
    }

    pub(super) async fn judge_head(
        &self,
        call: &ApiRequest,
        repository: &ImageRepository,
        reply: &ApiResponse,
    ) -> Result<bool, AttemptFailure> {
        match reply.status {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refused(call, repository, reply).await),
        }
    }

    /// A small blob, such as the configuration of an image, verified.
    ///
    /// # Errors
    /// `Store` if it cannot be read or is not there; `Verification` if it is not what `blob` says.
    pub async fn small_blob(
        &self,
        repository: &ImageRepository,
        blob: &Descriptor,
    ) -> Result<Bytes, Fault> {
        let call = blob_call(Method::GET, repository, blob.digest)?;
        if blob.size > MAX_MANIFEST as u64 {
            let why = format!("it has {} bytes, more than forge reads of it", blob.size);
            return Err(call.failed().because(why));
        }
        let reply = self.ask(&call, repository, &[RegistryScope::pull(repository)]).await?;
        if reply.status != StatusCode::OK {
            return Err(self.refused(&call, repository, &reply).await.fault);
        }
        let digest = digest_of(&reply.body);
        if digest != blob.digest {
            return Err(lying(&shown(repository, blob.digest), blob.digest, digest));
        }
        Ok(reply.body)
    }

    /// Opens a blob for reading from its beginning; a cut transfer is resumed. `None` if it is not
    /// there. What comes is not verified yet.
    ///
    /// # Errors
    /// `Store` if the registry does not give it.
    pub async fn open_blob(
        &self,
        repository: &ImageRepository,
        digest: Sha256,
    ) -> Result<Option<AssetStream>, Fault> {
        let scopes = [RegistryScope::pull(repository)];
        // A HEAD shows what the registry wants to be shown; a transfer asks with what is there.
        if !self.has_blob(repository, digest).await? {
            return Ok(None);
        }
        let key = self.keys.ready(&self.client, repository, &scopes).await;
        let key = key.map_err(|failure| failure.fault)?;
        let call = blob_call(Method::GET, repository, digest)?.of_any_kind();
        let call = match key {
            Some(key) => call.authorized(key),
            None => call,
        };
        transfer::open(self.client.clone(), call).await
    }

    /// All tags of `repository`, sorted; none if there is no such repository.
    ///
    /// # Errors
    /// `Store` if the registry does not list them.
    pub async fn tags(&self, repository: &ImageRepository) -> Result<BTreeSet<String>, Fault> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let first = Self::request(Method::GET, repository, &["tags", "list"])?;
        let mut url = first.url.clone();
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        let mut tags = BTreeSet::new();
        loop {
            let call =
                ApiRequest::get(url).failing(format!("cannot list the tags of {repository}"));
            let reply = self.ask(&call, repository, &[RegistryScope::pull(repository)]).await?;
            if refusal::is_absence(&reply) {
                return Ok(tags);
            }
            if reply.status != StatusCode::OK {
                return Err(self.refused(&call, repository, &reply).await.fault);
            }
            let page: Page = reply.parse(&call).map_err(|failure| failure.fault)?;
            let page = page.tags.unwrap_or_default();
            let (known, count, last) = (tags.len(), page.len(), page.iter().max().cloned());
            tags.extend(page);
            let next = next_page(&call.url, &reply).or_else(|| {
                // Some cut the list off and do not say so.
                last.filter(|_| count == PAGE).map(|last| after(&first.url, &last))
            });
            match next {
                Some(next) if tags.len() > known => url = next,
                _ => return Ok(tags),
            }
        }
    }
}

fn blob_call(
    method: Method,
    repository: &ImageRepository,
    digest: Sha256,
) -> Result<ApiRequest, Fault> {
    let name = format!("sha256:{digest}");
    let call = Registries::request(method, repository, &["blobs", &name])?;
    Ok(call.failing(format!("cannot read {}", shown(repository, digest))))
}

/// A blob, for people.
pub(super) fn shown(repository: &ImageRepository, digest: Sha256) -> String {
    format!("the blob {} of {repository}", digest.short())
}

pub(super) fn lying(what: &str, expected: Sha256, found: Sha256) -> Fault {
    Fault::new(Kind::Verification, format!("{what} is not what its digest says"))
        .because(format!("the registry gave bytes with the SHA-256 digest {found}, not {expected}"))
        .hint("run it again; if it stays so, the registry or a proxy before it gives wrong bytes")
}

/// The digest that a registry says of its answer.
pub(super) fn told_digest(reply: &ApiResponse) -> Option<Sha256> {
    reply.header("docker-content-digest")?.strip_prefix("sha256:")?.parse().ok()
}

/// `Link: <…>; rel="next"`, as long as it stays where it is.
fn next_page(at: &Url, reply: &ApiResponse) -> Option<Url> {
    let link = reply.header("link")?;
    let target = link.split_once('<')?.1.split_once('>')?;
    let next = at.join(target.0).ok()?;
    (target.1.contains("next") && next.origin() == at.origin()).then_some(next)
}

fn after(first: &Url, last: &str) -> Url {
    let mut url = first.clone();
    url.query_pairs_mut().append_pair("n", &PAGE.to_string()).append_pair("last", last);
    url
}

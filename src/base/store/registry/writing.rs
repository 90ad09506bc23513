//! Writing manifests and tags.
//!
//! ```text
//! GET tag ── there ─────────────────────────> compare ──> Identical, Conflict
//!   │ absent                                     │
//! PUT tag ── refused ──> GET tag ── there ───────┤   "already exists", of registries with immutable tags
//!   │ taken                  └ absent ──> error  │
//! read back, until it is there ──> Created ──────┘ other
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;

use super::{
    super::{
        Published, Tempo,
        call::{ApiRequest, Content},
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
    ManifestUpload, Registries, RegistryScope,
    reading::{lying, told_digest},
    refusal,
};
use crate::model::{Fault, Kind, Sha256, oci::ImageRepository};

/// The time before the first look again at what settles; it doubles from there.
const FIRST_LOOK: Duration = Duration::from_millis(50);

impl Registries {
    /// Puts a manifest into `repository` under its digest alone.
    ///
    /// # Errors
    /// `Store` if the registry does not take it.
    pub async fn put_manifest(
        &self,
        repository: &ImageRepository,
        manifest: &ManifestUpload,
    ) -> Result<(), Fault> {
        let digest = manifest.digest();
        let mut retry = RetryPolicy::new(self.settings());
        loop {
            let failure = match self.put(repository, &format!("sha256:{digest}"), manifest).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            // Registries with immutable tags refuse what is there.
            if failure.again == RetryDecision::Never
                && self.manifest(&repository.at(digest)).await?.is_some()
            {
                return Ok(());
            }
            retry.pause(failure).await?;
        }
    }

    /// Tags a manifest, whose children and blobs are there, with a tag that nothing has yet. What has
    /// it is compared, never replaced.
    ///
    /// # Errors
    /// `Store` if the registry does not take it, or does not say what is there.
    pub async fn put_tag(
        &self,
        repository: &ImageRepository,
        tag: &str,
        manifest: &ManifestUpload,
    ) -> Result<Published, Fault> {
        let (image, ours) = (repository.tagged(tag), manifest.digest());
        let mut retry = RetryPolicy::new(self.settings());
        loop {
            if let Some(theirs) = self.manifest(&image).await? {
                return Ok(judged(theirs.digest, ours, false));
            }
            let failure = match self.put(repository, tag, manifest).await {
                Ok(()) => return self.read_back(repository, tag, ours).await,
                Err(failure) => failure,
            };
            if failure.again == RetryDecision::Never
                && let Some(theirs) = self.manifest(&image).await?
            {
                return Ok(judged(theirs.digest, ours, false));
            }
            retry.pause(failure).await?;
        }
    }

    /// Moves a tag to a manifest, whose children and blobs are there, whatever had it.
    ///
    /// # Errors
    /// `Store` if the registry does not take it.
    pub async fn move_tag(
        &self,
        repository: &ImageRepository,
        tag: &str,
        manifest: &ManifestUpload,
    ) -> Result<(), Fault> {
        let mut retry = RetryPolicy::new(self.settings());
        while let Err(failure) = self.put(repository, tag, manifest).await {
            retry.pause(failure).await?;
        }
        Ok(())
    }

    /// Removes a tag or, where the registry knows no such thing, the manifest that has it. That it is
    /// not there is as good.
    ///
    /// # Errors
    /// `Store` if the registry refuses.
    pub async fn remove_tag(&self, repository: &ImageRepository, tag: &str) -> Result<(), Fault> {
        let image = repository.tagged(tag);
        let scopes = [RegistryScope::push(repository)];
        let call = Self::request(Method::DELETE, repository, &["manifests", tag])?
            .failing(format!("cannot remove {image}"));
        let reply = self.ask(&call, repository, &scopes).await?;
        if reply.status.is_success() || reply.status == 404 {
            return Ok(());
        }
        let knows_no_tags = [400, 405].contains(&reply.status.as_u16());
        if !knows_no_tags {
            return Err(self.refused(&call, repository, &reply).await.fault);
        }
        let Some(found) = self.manifest(&image).await? else { return Ok(()) };
        let call = Self::request(
            Method::DELETE,
            repository,
            &["manifests", &format!("sha256:{}", found.digest)],
        )?
        .failing(format!("cannot remove {image}"));
        let reply = self.ask(&call, repository, &scopes).await?;
        match reply.status.is_success() || reply.status == 404 {
            true => Ok(()),
            false => Err(self
                .refused(&call, repository, &reply)
                .await
                .fault
                .hint("does the registry let manifests be deleted at all?")),
        }
    }

    /// Puts `manifest` under `reference`, a tag or its digest, once.
    async fn put(
        &self,
        repository: &ImageRepository,
        reference: &str,
        manifest: &ManifestUpload,
    ) -> Result<(), AttemptFailure> {
        let call = Self::request(Method::PUT, repository, &["manifests", reference])
            .map_err(AttemptFailure::never)?;
        let shown = match reference.strip_prefix("sha256:") {
            Some(digest) => format!("the manifest {} of {repository}", &digest[..12]),
            None => format!("{repository}:{reference}"),
        };
        let call = ApiRequest::failing(call, format!("cannot push {shown}"))
            .carrying(Content::Bytes(manifest.bytes.clone()), &manifest.media_type);
        let reply = self.send(call.clone(), repository, &[RegistryScope::push(repository)]).await?;
        if !reply.status.is_success() {
            let mut failure = self.refused(&call, repository, &reply).await;
            if refusal::error(&reply).is_some_and(|error| error.code == "DIGEST_INVALID") {
                // Docker's own says so, too, while somebody else pushes the same bytes.
                failure.fault.kind = Kind::Verification;
                failure.again = RetryDecision::Soon;
            }
            return Err(failure);
        }
        let (told, ours) = (told_digest(&reply), manifest.digest());
        match told.filter(|told| *told != ours) {
            Some(theirs) => Err(AttemptFailure::never(lying(&shown, ours, theirs))),
            None => Ok(()),
        }
    }

    /// Whether `tag` leads to what was just put there. A registry may take a while to show it.
    async fn read_back(
        &self,
        repository: &ImageRepository,
        tag: &str,
        ours: Sha256,
    ) -> Result<Published, Fault> {
        let tempo: Tempo = self.settings().tempo.clone().unwrap_or_default();
        let (since, mut pause) = (Instant::now(), FIRST_LOOK);
        loop {
            if let Some(theirs) = self.manifest(&repository.tagged(tag)).await? {
                return Ok(judged(theirs.digest, ours, true));
            }
            // It said that it has it: somebody may have removed the tag, too.
            if since.elapsed() >= tempo.settling {
                return Ok(Published::Created);
            }
            pause = pause.min(tempo.look);
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

impl Registries {
    /// Waits until `tag` leads to `digest`, as long as that may take.
    pub(super) async fn settled(
        &self,
        repository: &ImageRepository,
        tag: &str,
        digest: Sha256,
    ) -> Result<(), Fault> {
        let tempo: Tempo = self.settings().tempo.clone().unwrap_or_default();
        let (since, mut pause) = (Instant::now(), FIRST_LOOK);
        while since.elapsed() < tempo.settling {
            let found = self.manifest(&repository.tagged(tag)).await?;
            // Another one is there: somebody wrote in between, and nothing is to be waited for.
            if found.is_some_and(|found| found.digest == digest || since.elapsed() > tempo.look) {
                return Ok(());
            }
            pause = pause.min(tempo.look);
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}

fn judged(theirs: Sha256, ours: Sha256, is_ours: bool) -> Published {
    match theirs == ours {
        true if is_ours => Published::Created,
        true => Published::Identical,
        false => Published::Conflict { theirs },
    }
}

impl ManifestUpload {
    /// Bytes of the media type `media_type`.
    #[must_use]
    pub fn new(bytes: Vec<u8>, media_type: &str) -> Self {
        Self { bytes: Bytes::from(bytes), media_type: media_type.to_owned() }
    }

    /// The digest of its bytes.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        super::reading::digest_of(&self.bytes)
    }
}

//! Pushing a whole image: everything that its tag needs, and the tag last.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{
    super::Published,
    ImageNote, Registries,
    uploading::{BlobOutcome, BlobUpload, Progress},
};
use crate::model::{
    Fault,
    oci::{Descriptor, ImageRepository},
};

/// How many blobs are sent at once.
const AT_ONCE: usize = 4;

/// How many manifests are sent at once.
const MANIFESTS_AT_ONCE: usize = 4;

/// An index or a manifest on its way, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestUpload {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: String,
}

/// An image that is to be in a registry.
#[derive(Clone, Debug)]
pub struct ImagePush {
    /// Where.
    pub repository: ImageRepository,
    /// Configurations and layers.
    pub blobs: Vec<BlobUpload>,
    /// The manifests that the index names. They are known by their digests alone.
    pub children: Vec<ManifestUpload>,
    /// What is tagged.
    pub index: ManifestUpload,
    /// What is said of the index and of the manifests, each kept beside what it is about.
    pub notes: Vec<(Descriptor, ImageNote)>,
    /// The tag, which nothing has yet.
    pub tag: String,
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushReceipt {
    /// What became of the tag. After a conflict nothing has changed but that blobs and manifests
    /// without a tag are there.
    pub published: Published,
    /// How many blobs were there already.
    pub present: usize,
    /// How many were mounted.
    pub mounted: usize,
    /// How many were sent.
    pub sent: usize,
    /// The bytes of those that were sent.
    pub sent_bytes: u64,
    /// Why notes are not beside it, for each that is not.
    pub unsaid: Vec<Fault>,
}

impl Registries {
    /// Pushes an image: its blobs, what the index names, what is said of it, the tag; each only when
    /// all that it needs is there. So whoever finds the tag finds what is said of it, whenever a push
    /// was cut off. `progress` is told how many bytes are done, of how many.
    ///
    /// # Errors
    /// As [`Registries::put_blob`] and [`Registries::put_tag`].
    pub async fn push(
        &self,
        push: &ImagePush,
        progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
    ) -> Result<PushReceipt, Fault> {
        let blobs = distinct(&push.blobs);
        let total = blobs.iter().map(|upload| upload.blob.size).sum();
        let progress = Progress::new(total, progress);
        let repository = &push.repository;
        let outcomes: Vec<(BlobOutcome, u64)> = stream::iter(blobs)
            .map(|upload| {
                let progress = progress.clone();
                async move {
                    let outcome = self.put_counted(repository, &upload, &progress).await?;
                    Ok::<_, Fault>((outcome, upload.blob.size))
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        self.put_children(repository, &push.children).await?;
        let unsaid = self.put_notes(push).await?;
        let published = self.put_tag(repository, &push.tag, &push.index).await?;
        let count = |wanted| outcomes.iter().filter(|(outcome, _)| *outcome == wanted).count();
        let sent = outcomes.iter().filter(|(outcome, _)| *outcome == BlobOutcome::Sent);
        Ok(PushReceipt {
            published,
            present: count(BlobOutcome::Present),
            mounted: count(BlobOutcome::Mounted),
            sent: count(BlobOutcome::Sent),
            sent_bytes: sent.map(|(_, size)| size).sum(),
            unsaid,
        })
    }

    /// Keeps all notes beside what they are about. A registry that does not take such manifests is no
    /// reason not to release: why not is returned.
    async fn put_notes(&self, push: &ImagePush) -> Result<Vec<Fault>, Fault> {
        if push.notes.is_empty() {
            return Ok(Vec::new());
        }
        self.put_manifest(&push.repository, &push.index).await?;
        let attached: Vec<_> = stream::iter(&push.notes)
            .map(|(subject, note)| self.attach(&push.repository, subject, note))
            .buffer_unordered(MANIFESTS_AT_ONCE)
            .collect()
            .await;
        Ok(attached.into_iter().filter_map(Result::err).collect())
    }

    async fn put_children(
        &self,
        repository: &ImageRepository,
        children: &[ManifestUpload],
    ) -> Result<(), Fault> {
        stream::iter(children)
            .map(|child| self.put_manifest(repository, child))
            .buffer_unordered(MANIFESTS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The blobs of an image that are not in the registry yet: what a push would send or mount.
    ///
    /// # Errors
    /// `Store` if the registry does not say.
    pub async fn missing(&self, push: &ImagePush) -> Result<Vec<Descriptor>, Fault> {
        let looked: Vec<Option<Descriptor>> = stream::iter(distinct(&push.blobs))
            .map(|upload| async move {
                let is_there = self.has_blob(&push.repository, upload.blob.digest).await?;
                Ok::<_, Fault>((!is_there).then_some(upload.blob))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(looked.into_iter().flatten().collect())
    }
}

/// Each blob once, in order.
fn distinct(blobs: &[BlobUpload]) -> Vec<BlobUpload> {
    let mut seen = BTreeSet::new();
    blobs.iter().filter(|upload| seen.insert(upload.blob.digest)).cloned().collect()
}

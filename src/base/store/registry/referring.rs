//! What is said of an image, kept beside it: manifests with a `subject` (distribution-spec 1.1, "Pushing
//! Manifests with Subject").
//!
//! A registry that lists referrers says so when one is put there, or by its referrers API. For all
//! others a list of them is kept by the clients: an index tagged `sha256-HEX`. It is read, extended
//! and written; since two may do so at once, it is read again afterwards and written once more if
//! one's own is not in it.

use bytes::Bytes;
use futures_util::future::try_join;
use reqwest::{Method, StatusCode, header::ACCEPT};

use super::{
    super::call::{ApiRequest, ApiResponse},
    BlobSource, BlobUpload, ManifestUpload, Registries, RegistryManifest, RegistryScope,
    reading::digest_of,
    refusal,
};
use crate::model::{
    Fault, Kind, Sha256,
    oci::{
        self, Annotations, Descriptor, ImageIndex, ImageManifest, ImageRepository, RegistryDocument,
    },
};

/// How often the list of referrers is written that clients keep, at most.
const WRITES: u32 = 4;

/// A document about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNote {
    /// What kind of document it is, as a media type.
    pub artifact_type: String,
    /// What the file is called.
    pub title: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// What else is said of it.
    pub annotations: Annotations,
}

impl ImageNote {
    /// The manifest of it, about `subject`. The same note about the same image is the same manifest.
    fn manifest(&self, subject: &Descriptor) -> ImageManifest {
        const TITLE: &str = "org.opencontainers.image.title";
        let size = self.bytes.len() as u64;
        let file = Descriptor::new(&self.artifact_type, digest_of(&self.bytes), size);
        let mut annotations = self.annotations.clone();
        annotations.insert(TITLE.to_owned(), self.title.clone());
        let file = Descriptor { annotations, ..file };
        ImageManifest::new(Descriptor::empty(), vec![file], self.annotations.clone())
            .of_type(&self.artifact_type)
            .about(Descriptor::new(&subject.media_type, subject.digest, subject.size))
    }
}

impl Registries {
    /// Keeps `note` beside the image `subject` of `repository`. The digest of its manifest.
    ///
    /// # Errors
    /// `Store` if the registry does not take it.
    pub async fn attach(
        &self,
        repository: &ImageRepository,
        subject: &Descriptor,
        note: &ImageNote,
    ) -> Result<Sha256, Fault> {
        let manifest = note.manifest(subject);
        let file = BlobUpload {
            blob: manifest.layers.first().cloned().unwrap_or_else(Descriptor::empty),
            source: BlobSource::Bytes(note.bytes.clone()),
        };
        let empty = BlobUpload {
            blob: Descriptor::empty(),
            source: BlobSource::Bytes(oci::EMPTY_JSON.into()),
        };
        try_join(self.put_blob(repository, &file), self.put_blob(repository, &empty)).await?;
        let upload = ManifestUpload::new(manifest.to_json(), oci::MANIFEST);
        self.put_manifest(repository, &upload).await?;
        let digest = upload.digest();
        if self.listed(repository, subject.digest).await?.is_none() {
            let size = upload.bytes.len() as u64;
            let entry = Descriptor {
                artifact_type: Some(note.artifact_type.clone()),
                annotations: note.annotations.clone(),
                ..Descriptor::new(oci::MANIFEST, digest, size)
            };
            self.keep_list(repository, subject.digest, &entry).await?;
        }
        Ok(digest)
    }

    /// All that refers to `subject`: what the registry lists, or else the list that clients keep.
    ///
    /// # Errors
    /// `Store` if the registry does not say.
    pub async fn referrers(
        &self,
        repository: &ImageRepository,
        subject: Sha256,
    ) -> Result<Vec<Descriptor>, Fault> {
        if let Some(listed) = self.listed(repository, subject).await? {
            return Ok(listed);
        }
        Ok(self.list(repository, subject).await?.manifests)
    }

    /// The files of type `artifact_type` that are kept beside `subject`, at most `most` of them. Some
    /// registries do not tell types; what turns out to be of another one is passed over.
    ///
    /// # Errors
    /// `Store` if the registry does not say; `Verification` if a file is not what its digest says.
    pub async fn notes(
        &self,
        repository: &ImageRepository,
        subject: Sha256,
        artifact_type: &str,
        most: usize,
    ) -> Result<Vec<Bytes>, Fault> {
        let is_likely = |it: &Descriptor| {
            it.artifact_type
                .as_deref()
                .is_none_or(|told| [artifact_type, oci::EMPTY].contains(&told))
        };
        let referrers = self.referrers(repository, subject).await?;
        let mut files = Vec::new();
        for referrer in referrers.iter().filter(|it| is_likely(it)).take(most) {
            // Somebody may have removed it since it was listed.
            let found = self.manifest(&repository.at(referrer.digest)).await?;
            let Some(RegistryDocument::Manifest(manifest)) = found.map(|it| it.document) else {
                continue;
            };
            let is_about_it = manifest.subject.as_ref().is_some_and(|it| it.digest == subject);
            for layer in manifest.layers.iter().filter(|it| it.media_type == artifact_type) {
                if is_about_it {
                    files.push(self.small_blob(repository, layer).await?);
                }
            }
        }
        Ok(files)
    }

    /// What the registry lists; nothing if it knows no referrers.
    async fn listed(
        &self,
        repository: &ImageRepository,
        subject: Sha256,
    ) -> Result<Option<Vec<Descriptor>>, Fault> {
        let name = format!("sha256:{subject}");
        let call = Self::request(Method::GET, repository, &["referrers", &name])?
            .failing(format!("cannot list what refers to {repository}@{name}"))
            .with(ACCEPT, oci::INDEX);
        let reply = self.ask(&call, repository, &[RegistryScope::pull(repository)]).await?;
        match reply.status {
            StatusCode::OK => read_list(&call, &reply).map(|index| Some(index.manifests)),
            // Registries say in many ways that they know no such thing.
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => {
                Ok(None)
            }
            _ => Err(self.refused(&call, repository, &reply).await.fault),
        }
    }

    /// The list that clients keep, which may be empty.
    async fn list(
        &self,
        repository: &ImageRepository,
        subject: Sha256,
    ) -> Result<ImageIndex, Fault> {
        let image = repository.tagged(&list_tag(subject));
        match self.manifest(&image).await?.map(|found: RegistryManifest| found.document) {
            None => Ok(ImageIndex::new(Vec::new(), Annotations::new())),
            Some(RegistryDocument::Index(index)) => Ok(index),
            Some(RegistryDocument::Manifest(_)) => {
                Err(Fault::new(Kind::Store, format!("{image} is not a list of referrers"))
                    .because("somebody put an image there")
                    .hint("remove that tag"))
            }
        }
    }

    /// Adds `entry` to the list that clients keep, as it is and with all that others added.
    async fn keep_list(
        &self,
        repository: &ImageRepository,
        subject: Sha256,
        entry: &Descriptor,
    ) -> Result<(), Fault> {
        let tag = list_tag(subject);
        for _ in 0..WRITES {
            let mut index = self.list(repository, subject).await?;
            if index.manifests.iter().any(|known| known.digest == entry.digest) {
                return Ok(());
            }
            index.manifests.push(entry.clone());
            let upload = ManifestUpload::new(index.to_json(), oci::INDEX);
            self.move_tag(repository, &tag, &upload).await?;
            self.settled(repository, &tag, upload.digest()).await?;
        }
        Err(Fault::new(Kind::Store, format!("cannot add to the list {repository}:{tag}"))
            .because(format!("others replaced it {WRITES} times"))
            .hint("run it again"))
    }
}

fn read_list(call: &ApiRequest, reply: &ApiResponse) -> Result<ImageIndex, Fault> {
    if refusal::is_page(reply) {
        return Err(call.failed().because("the registry answered with a web page"));
    }
    reply.parse(call).map_err(|failure| failure.fault)
}

/// The tag of the list that clients keep.
fn list_tag(subject: Sha256) -> String {
    format!("sha256-{subject}")
}

//! The OCI store: releases in a repository of any registry of container images.
//!
//! An asset is a tag of its own ([`key`]), whose manifest has the file as its only layer. One GET of
//! the manifest tells size and digest. Nothing is ever read, changed and written back, so that the
//! runners of several platforms never meet; `oras pull` gives the file to people.
//!
//! What is atomic: a tag leads to a manifest whose blobs are there. A registry has no create-only
//! tags: what is there is looked at before, and read back after; two who publish other bytes within
//! the same round trip may overwrite each other, unless the registry's tags are immutable.

mod key;

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{
    Access, AssetInfo, AssetStream, BlobSource, BlobUpload, ManifestUpload, Published, Receipt,
    Registries, ReleaseAsset, ReleaseInfo, Store, StoreRelease, StoreSettings, Upload, blob::Blob,
    call::Content, check_names,
};
use crate::model::{
    Fault, Kind, Sha256,
    oci::{
        self, Annotations, Descriptor, ImageManifest, ImageReference, ImageRepository,
        RegistryDocument,
    },
};

/// What the manifest of an asset is for.
const ASSET: &str = "application/vnd.forge.asset.v1";

/// The type of the file in it.
const FILE: &str = "application/octet-stream";

/// The annotation of a layer that says what the file is called; `oras` goes by it.
const TITLE: &str = "org.opencontainers.image.title";

/// The annotation of a manifest that says which release it is of, so that no two assets have the same
/// manifest: it could not be removed for one of them alone.
const RELEASE: &str = "vnd.forge.release";

/// How many manifests are asked for at once.
const AT_ONCE: usize = 8;

/// Releases in a repository of a registry.
pub(super) struct Oci {
    url: String,
    repository: ImageRepository,
    registries: Registries,
}

impl Oci {
    /// The store called `url`, in `repository`. Connects to nothing yet.
    pub(super) fn new(url: String, repository: ImageRepository, settings: &StoreSettings) -> Self {
        Self { url, repository, registries: Registries::new(settings) }
    }

    fn image(&self, tag: &str, asset: &str) -> Result<ImageReference, Fault> {
        check_names(tag, asset)?;
        let key = key::tag(tag, asset).map_err(|why| {
            Fault::new(Kind::Usage, format!("{tag}/{asset} cannot be kept in {}", self.url))
                .because(why)
                .hint("give the subsystem or its binary a shorter name")
        })?;
        Ok(self.repository.tagged(&key))
    }

    /// The file that is kept under `image`. `None` is a confirmed absence.
    async fn file(&self, image: &ImageReference) -> Result<Option<Descriptor>, Fault> {
        let Some(found) = self.registries.manifest(image).await? else { return Ok(None) };
        let not_ours = || {
            Fault::new(Kind::Store, format!("{image} is not an asset of a release"))
                .because("somebody else put something there")
                .hint("give the releases a repository of their own")
        };
        let RegistryDocument::Manifest(manifest) = found.document else { return Err(not_ours()) };
        let is_asset = manifest.artifact_type.as_deref() == Some(ASSET);
        match <[Descriptor; 1]>::try_from(manifest.layers) {
            Ok([file]) if is_asset => Ok(Some(file)),
            _ => Err(not_ours()),
        }
    }

    /// Puts `blob` as the asset that `release` has under its name.
    async fn put(&self, release: &str, blob: &Blob) -> Result<Published, Fault> {
        let image = self.image(release, &blob.name)?;
        if let Some(theirs) = self.file(&image).await? {
            return Ok(judged(theirs.digest, blob.sha256));
        }
        let empty = BlobUpload {
            blob: Descriptor::empty(),
            source: BlobSource::Bytes(oci::EMPTY_JSON.into()),
        };
        let file = Descriptor::new(FILE, blob.sha256, blob.size);
        let source = match &blob.content {
            Content::File(path) => BlobSource::File(path.clone()),
            Content::Bytes(bytes) => BlobSource::Bytes(bytes.clone()),
            _ => BlobSource::Bytes(bytes::Bytes::new()),
        };
        let upload = BlobUpload { blob: file.clone(), source };
        let (file_put, empty_put) = futures_util::future::join(
            self.registries.put_blob(&self.repository, &upload),
            self.registries.put_blob(&self.repository, &empty),
        )
        .await;
        file_put.and(empty_put)?;
        let titled = Annotations::from([(TITLE.to_owned(), blob.name.clone())]);
        let of_release = Annotations::from([(RELEASE.to_owned(), release.to_owned())]);
        let layer = Descriptor { annotations: titled, ..file };
        let manifest =
            ImageManifest::new(Descriptor::empty(), vec![layer], of_release).of_type(ASSET);
        let manifest = ManifestUpload::new(manifest.to_json(), oci::MANIFEST);
        let key = image.tag.clone().unwrap_or_default();
        match self.registries.put_tag(&self.repository, &key, &manifest).await? {
            Published::Conflict { .. } => match self.file(&image).await? {
                Some(theirs) => Ok(judged(theirs.digest, blob.sha256)),
                None => Err(Fault::new(Kind::Store, format!("cannot read back {image}"))
                    .because("it was there and is not there any more")
                    .hint("did somebody remove the release just now? Run it again")),
            },
            published => Ok(published),
        }
    }

    /// The tags of all assets, by release and name; of one release, or of all.
    async fn keys(&self, release: Option<&str>) -> Result<Vec<(String, String, String)>, Fault> {
        let beginning = release.map(key::beginning).unwrap_or_default();
        let tags = self.registries.tags(&self.repository).await?;
        let ours = tags.into_iter().filter(|tag| tag.starts_with(&beginning));
        let names = ours.filter_map(|tag| {
            let (release, name) = key::parse(&tag)?;
            check_names(&release, &name).ok()?;
            Some((release, name, tag))
        });
        Ok(names.collect())
    }

    async fn list(&self, release: Option<&str>) -> Result<Vec<ReleaseInfo>, Fault> {
        let keys = self.keys(release).await?;
        let assets: Vec<Option<(String, ReleaseAsset)>> = stream::iter(keys)
            .map(|(release, name, tag)| async move {
                // What is listed may have been removed meanwhile.
                let found = self.file(&self.repository.tagged(&tag)).await?;
                Ok::<_, Fault>(found.map(|file| {
                    let sha256 = Some(file.digest);
                    (release, ReleaseAsset { name, size: file.size, sha256 })
                }))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut releases: BTreeMap<String, Vec<ReleaseAsset>> = BTreeMap::new();
        for (release, asset) in assets.into_iter().flatten() {
            releases.entry(release).or_default().push(asset);
        }
        Ok(releases.into_iter().map(|(tag, assets)| info(tag, assets)).collect())
    }
}

fn info(tag: String, mut assets: Vec<ReleaseAsset>) -> ReleaseInfo {
    assets.sort_by(|a, b| a.name.cmp(&b.name));
    let (is_draft, is_prerelease, is_immutable) = (false, false, false);
    ReleaseInfo { tag, is_draft, is_prerelease, is_immutable, published_at: None, assets }
}

fn judged(theirs: Sha256, ours: Sha256) -> Published {
    if theirs == ours { Published::Identical } else { Published::Conflict { theirs } }
}

#[async_trait]
impl Store for Oci {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        true
    }

    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        let found = self.file(&self.image(tag, asset)?).await?;
        Ok(found.map(|file| AssetInfo { size: Some(file.size), sha256: Some(file.digest) }))
    }

    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        let image = self.image(tag, asset)?;
        let Some(file) = self.file(&image).await? else { return Ok(None) };
        let stream = self.registries.open_blob(&self.repository, file.digest).await?;
        // A tag that leads to nothing is no absence: nothing else may be put there.
        stream.map(Some).ok_or_else(|| {
            Fault::new(Kind::Store, format!("cannot read {image}"))
                .because("the registry has its manifest, and not its file")
                .hint("was it cleaned up there? Remove the release and publish it again")
        })
    }

    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        self.image(&release.tag, &upload.asset)?;
        let beside = Blob::beside(upload);
        for blob in &beside {
            self.image(&release.tag, &blob.name)?;
        }
        let published = self.put(&release.tag, &Blob::proven(upload).await?).await?;
        let receipt = Receipt { published, waits_for: Vec::new() };
        if matches!(receipt.published, Published::Conflict { .. }) {
            return Ok(receipt);
        }
        for blob in beside {
            // Whatever it comes to: the first ones stay.
            self.put(&release.tag, &blob).await?;
        }
        Ok(receipt)
    }

    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        self.image(tag, "asset")?;
        Ok(self.list(Some(tag)).await?.pop())
    }

    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        self.list(None).await
    }

    async fn remove(&self, tag: &str) -> Result<(), Fault> {
        self.image(tag, "asset")?;
        for (_, _, key) in self.keys(Some(tag)).await? {
            self.registries.remove_tag(&self.repository, &key).await?;
        }
        Ok(())
    }

    async fn access(&self) -> Result<Access, Fault> {
        self.registries.access(&self.repository).await
    }
}

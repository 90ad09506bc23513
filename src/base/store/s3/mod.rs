//! The S3 store: `<prefix>/<tag>/<asset>` in a bucket of Amazon's or of any server that
//! speaks its protocol. The digest of each asset is also kept as metadata of its object, so
//! that a HEAD tells it.
//!
//! ```text
//! find, open ──> bucket (signs) ──> client, transfer   as for any web server
//! publish ─────> publishing ──────> client             one PUT, `If-None-Match: *`
//! releases ────> bucket ── library ──> wire ──> client
//! refusal: what S3's errors mean
//! ```
//!
//! The library signs, lists, and finds credentials; the bytes go through this room's own
//! client, so that transfers resume, uploads stream from disk, and waiting, retrying and
//! `--offline` are as everywhere.
//!
//! What is atomic: an asset is one PUT, whatever its size (S3 takes 5 GiB so), hence whole or
//! not there. On servers that honour `If-None-Match: *` (Amazon, MinIO, R2, moto), the first
//! publisher wins and all others learn it. Some servers ignore the condition or do not check
//! it atomically. There, what is there is looked at before, and read back after: whoever
//! finds other bytes than their own reports a conflict, and nothing is ever deleted on the way. Of two who write in the same instant,
//! one may still be told of success before the other overwrites; such a server cannot do better.

mod bucket;
mod multipart;
mod publishing;
mod refusal;
mod wire;

use std::collections::BTreeMap;

use async_trait::async_trait;
use object_store::{ObjectMeta, path::Path};
use reqwest::Method;
use tokio::sync::OnceCell;

use self::bucket::Bucket;
use super::{
    Access, AssetInfo, AssetStream, Receipt, ReleaseAsset, ReleaseInfo, Store, StoreRelease,
    StoreSettings, Upload, answer::ServerAnswer, retry::retrying, transfer,
};
use crate::model::Fault;

/// The name of the metadata that holds an object's SHA-256 digest in hexadecimal.
const DIGEST: &str = "x-amz-meta-sha256";

/// Releases in a bucket.
pub(super) struct S3 {
    url: String,
    bucket: Bucket,
    /// The most that is sent as one object, in bytes; what is larger goes in parts.
    at_once: u64,
    /// Set once the bucket has shown that it is one.
    is_bucket: OnceCell<()>,
}

impl S3 {
    /// The store called `url`, in the bucket `name` below `prefix`. Connects to nothing yet.
    ///
    /// # Errors
    /// `Usage` if the environment says what cannot be.
    pub(super) fn new(
        url: String,
        name: &str,
        prefix: &str,
        settings: &StoreSettings,
    ) -> Result<Self, Fault> {
        let bucket = Bucket::new(&url, name, prefix, settings)?;
        let at_once = settings.most_at_once.unwrap_or(publishing::MOST_AT_ONCE);
        Ok(Self { url, bucket, at_once, is_bucket: OnceCell::new() })
    }

    async fn find_asset(&self, key: &Path) -> Result<Option<AssetInfo>, Fault> {
        let call = self.bucket.signed(Method::HEAD, key, &[]).await?;
        let client = &self.bucket.client;
        match retrying(&client.settings, || client.exchange(&call)).await {
            Err(fault) => Err(self.bucket.explained(key, fault).await),
            Ok(ServerAnswer::Absent) => self.confirm_absence(key).await.map(|()| None),
            Ok(ServerAnswer::Found(response)) => {
                let told = response.headers().get(DIGEST).and_then(|value| value.to_str().ok());
                let sha256 = told.and_then(|text| text.parse().ok());
                Ok(Some(AssetInfo { size: transfer::size(&response), sha256 }))
            }
        }
    }

    async fn read(&self, key: &Path) -> Result<Option<AssetStream>, Fault> {
        let call = self.bucket.signed(Method::GET, key, &[]).await?;
        match transfer::open(self.bucket.client.clone(), call).await {
            Err(fault) => Err(self.bucket.explained(key, fault).await),
            Ok(None) => self.confirm_absence(key).await.map(|()| None),
            Ok(found) => Ok(found),
        }
    }

    /// A 404 also comes from servers that have no such bucket, or are no S3 at all. Once the
    /// bucket has spoken, its word is taken.
    async fn confirm_absence(&self, key: &Path) -> Result<(), Fault> {
        self.is_bucket.get_or_try_init(|| self.bucket.confirm_absence(key)).await.copied()
    }

    async fn list(&self, tag: Option<&str>) -> Result<Vec<ReleaseInfo>, Fault> {
        let mut releases: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
        for object in self.bucket.list(tag).await? {
            if let Some((tag, _)) = self.bucket.names(&object.location) {
                releases.entry(tag).or_default().push(object);
            }
        }
        Ok(releases.into_iter().map(|(tag, objects)| self.info(tag, &objects)).collect())
    }

    fn info(&self, tag: String, objects: &[ObjectMeta]) -> ReleaseInfo {
        let first = objects.iter().map(|object| object.last_modified).min();
        let mut assets: Vec<_> = objects
            .iter()
            .filter_map(|object| {
                let (_, name) = self.bucket.names(&object.location)?;
                Some(ReleaseAsset { name, size: object.size, sha256: None })
            })
            .collect();
        assets.sort_by(|a, b| a.name.cmp(&b.name));
        ReleaseInfo {
            tag,
            is_draft: false,
            is_prerelease: false,
            is_immutable: false,
            published_at: first.map(|at| at.to_rfc3339()),
            assets,
        }
    }

    async fn withdraw(&self, tag: &str) -> Result<(), Fault> {
        for object in self.bucket.list(Some(tag)).await? {
            self.delete(&object.location).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Store for S3 {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        self.bucket.login.is_some()
    }

    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        self.find_asset(&self.bucket.key(tag, asset)?).await
    }

    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        self.read(&self.bucket.key(tag, asset)?).await
    }

    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        let published = self.put_all(&release.tag, upload).await?;
        Ok(Receipt { published, waits_for: Vec::new() })
    }

    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        self.bucket.key(tag, "asset")?;
        Ok(self.list(Some(tag)).await?.pop())
    }

    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        self.list(None).await
    }

    async fn remove(&self, tag: &str) -> Result<(), Fault> {
        self.bucket.key(tag, "asset")?;
        self.withdraw(tag).await
    }

    async fn access(&self) -> Result<Access, Fault> {
        let login = self.bucket.login.map(str::to_owned);
        // S3 tells nobody what they may write; only trying would show.
        let may_write = if login.is_some() { None } else { Some(false) };
        let mut notes = vec![format!("the server is {}", self.bucket.server)];
        if login.is_none() {
            notes.push(bucket::NO_LOGIN.to_owned());
        }
        let read = self.bucket.list_one().await;
        if let Err(fault) = &read {
            notes.push(fault.to_string());
        }
        Ok(Access { login, may_read: read.is_ok(), may_write, notes })
    }
}

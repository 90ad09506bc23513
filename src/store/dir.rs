//! The directory store: a folder laid out `<tag>/<asset>`, with the digest of each asset
//! beside it in `<asset>.sha256`. Any web server that serves the folder makes an
//! [`super::http`] store of it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    AssetInfo, AssetStream, Pending, Published, Store, check_names, file,
    publication::{self, Publication},
    sidecar,
};
use crate::model::{Fault, Kind, Sha256};

/// A folder of releases.
pub(super) struct Dir {
    url: String,
    root: PathBuf,
    /// Whether leftovers were looked for since this store was opened.
    swept: AtomicBool,
}

impl Dir {
    /// The store in the folder `root`, which need not be there yet.
    pub(super) fn new(url: String, root: PathBuf) -> Self {
        Self { url, root, swept: AtomicBool::new(false) }
    }

    fn path(&self, tag: &str, asset: &str) -> Result<PathBuf, Fault> {
        check_names(tag, asset)?;
        Ok(self.root.join(tag).join(asset))
    }

    fn look(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        let Some(size) = file::size(&self.path(tag, asset)?)? else { return Ok(None) };
        let sha256 = read_sidecar(&self.path(tag, &sidecar::name(asset))?, asset)?;
        Ok(Some(AssetInfo { size: Some(size), sha256 }))
    }

    fn list(&self) -> Result<Vec<String>, Fault> {
        let failed = |error| Fault::io(format!("cannot list the releases in {}", self.url), &error);
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Fault { kind: Kind::Store, ..failed(error) }),
        };
        let mut tags = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if let Some(tag) = name.to_str().filter(|name| !name.starts_with('.'))
                && entry.path().is_dir()
            {
                tags.push(tag.to_owned());
            }
        }
        tags.sort();
        Ok(tags)
    }
}

fn read_sidecar(path: &Path, asset: &str) -> Result<Option<Sha256>, Fault> {
    let unusable = |why: String| {
        Fault::new(Kind::Store, format!("the checksum in {} cannot be used", path.display()))
            .because(why)
            .hint("if the asset beside it is good, delete it: the digest then counts as unknown")
    };
    match fs::read_to_string(path) {
        Ok(text) => sidecar::read(&text, asset).map_err(unusable),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error.to_string())),
    }
}

impl Store for Dir {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        true
    }

    // Two system calls take microseconds: less than handing them to another thread.
    fn find<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetInfo>, Fault>> {
        Box::pin(async move { self.look(tag, asset) })
    }

    fn open<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetStream>, Fault>> {
        Box::pin(async move { file::open(&self.path(tag, asset)?) })
    }

    fn publish<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
        path: &'a Path,
        sha256: Sha256,
    ) -> Pending<'a, Result<Published, Fault>> {
        Box::pin(async move {
            check_names(tag, asset)?;
            let sweep = !self.swept.swap(true, Ordering::Relaxed);
            let publication = Publication {
                url: self.url.clone(),
                root: self.root.clone(),
                tag: tag.to_owned(),
                asset: asset.to_owned(),
                source: path.to_owned(),
                sha256,
            };
            let work = move || {
                if sweep {
                    publication::sweep(&publication.root);
                }
                publication.run()
            };
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| {
                Err(Fault::new(Kind::Failed, format!("publishing {tag}/{asset} was cut short"))
                    .because(died.to_string()))
            })
        })
    }

    fn tags(&self) -> Pending<'_, Result<Vec<String>, Fault>> {
        Box::pin(async move { self.list() })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{all, conforms, digest, furnish},
        *,
    };

    #[tokio::test]
    async fn conforms_to_the_port() {
        let temp = tempfile::tempdir().unwrap();
        furnish(temp.path());
        conforms(&Dir::new("dir:store".into(), temp.path().join("store"))).await;
    }

    #[tokio::test]
    async fn what_is_published_is_found_and_read() {
        let temp = tempfile::tempdir().unwrap();
        let store = Dir::new("dir:store".into(), temp.path().join("a/store"));
        assert_eq!(store.find("nats-v1", "nats.tar.gz").await.unwrap(), None);
        assert_eq!(store.tags().await.unwrap(), Vec::<String>::new());

        let source = temp.path().join("source");
        fs::write(&source, "binary").unwrap();
        let sha256 = digest(b"binary");
        for tag in ["nats-v1", "arc-v1"] {
            let published = store.publish(tag, "nats.tar.gz", &source, sha256).await.unwrap();
            assert_eq!(published, Published::Created);
        }
        let info = store.find("nats-v1", "nats.tar.gz").await.unwrap().unwrap();
        assert_eq!(info, AssetInfo { size: Some(6), sha256: Some(sha256) });
        let stream = store.open("nats-v1", "nats.tar.gz").await.unwrap().unwrap();
        assert_eq!(all(stream).await.unwrap(), b"binary");
        assert_eq!(store.tags().await.unwrap(), ["arc-v1", "nats-v1"]);

        fs::write(&source, "other").unwrap();
        let published = store.publish("arc-v1", "nats.tar.gz", &source, digest(b"other")).await;
        assert_eq!(published.unwrap(), Published::Conflict { theirs: sha256 });
    }

    #[tokio::test]
    async fn doubt_is_no_absence() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("nats-v1/nats.tar.gz")).unwrap();
        let store = Dir::new("dir:store".into(), temp.path().into());
        let fault = store.find("nats-v1", "nats.tar.gz").await.unwrap_err();
        assert!(fault.to_string().ends_with("nats.tar.gz: it is a folder, not a file"), "{fault}");

        fs::write(temp.path().join("file"), "").unwrap();
        let store = Dir::new("dir:file".into(), temp.path().join("file"));
        assert_eq!(store.find("nats-v1", "nats.tar.gz").await.unwrap_err().kind, Kind::Store);
        assert_eq!(store.open("nats-v1", "nats.tar.gz").await.err().unwrap().kind, Kind::Store);
        assert_eq!(store.tags().await.unwrap_err().kind, Kind::Store);
    }

    #[tokio::test]
    async fn a_reader_may_stop_in_the_middle() {
        let temp = tempfile::tempdir().unwrap();
        furnish(temp.path());
        let store = Dir::new("dir:store".into(), temp.path().join("store"));
        drop(store.open("tag-v1", "1000000").await.unwrap());
    }
}

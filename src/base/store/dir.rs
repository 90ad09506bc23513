//! The directory store: a folder laid out `<tag>/<asset>`, with the digest of each asset
//! beside it in `<asset>.sha256`. Any web server that serves the folder makes an
//! [`super::http`] store of it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use async_trait::async_trait;

use super::{
    Access, AssetInfo, AssetStream, Receipt, ReleaseAsset, ReleaseInfo, Store, StoreRelease,
    Upload, check_names, file,
    publication::{self, AssetPublication},
    sidecar, text,
};
use crate::{
    disk::{Folder, MOST_OF_TEXT, read_file, unique},
    model::{Fault, Kind, Sha256},
};

/// A folder of releases.
pub(super) struct Dir {
    url: String,
    root: PathBuf,
    is_writable: bool,
    /// Whether leftovers were looked for since this store was opened.
    swept: AtomicBool,
}

impl Dir {
    /// The store in the folder `root`, which need not be there yet.
    pub(super) fn new(url: String, root: PathBuf) -> Self {
        Self { url, root, is_writable: true, swept: AtomicBool::new(false) }
    }

    /// A store that holds nothing and takes nothing; nothing is at `root`.
    pub(super) fn nowhere(url: String, root: PathBuf) -> Self {
        Self { is_writable: false, ..Self::new(url, root) }
    }

    /// The store in the folder `root` that serves where none is named: if it cannot be written to, it
    /// is only read; nothing if it cannot even be made.
    pub(super) fn private(url: String, root: PathBuf) -> Option<Self> {
        let there = root.ancestors().find(|place| place.exists()).unwrap_or(Path::new("/"));
        let may_write = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        let is_writable = there.is_dir() && rustix::fs::access(there, may_write).is_ok();
        let is_there = is_writable || root.is_dir();
        is_there.then(|| Self { is_writable, ..Self::new(url, root) })
    }

    fn path(&self, tag: &str, asset: &str) -> Result<PathBuf, Fault> {
        check_names(tag, asset)?;
        Ok(self.root.join(tag).join(asset))
    }

    fn find_asset(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        let Some(size) = file::size(&self.path(tag, asset)?)? else { return Ok(None) };
        let sha256 = read_sidecar(&self.path(tag, &sidecar::name(asset))?, asset)?;
        Ok(Some(AssetInfo { size: Some(size), sha256 }))
    }

    fn list(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        let tags = names_in(&self.root).map_err(|error| self.unlisted(&error))?;
        tags.iter().filter_map(|tag| self.release_at(tag).transpose()).collect()
    }

    /// The release in the folder called `tag`; `None` if that is none.
    fn release_at(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        let folder = self.root.join(tag);
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut assets = Vec::new();
        let mut published: Option<SystemTime> = None;
        for name in names_in(&folder).map_err(|error| self.unlisted(&error))? {
            let path = folder.join(&name);
            // What is no file is not an asset: somebody left it there. A folder is listed as one, for
            // whoever looks for what does not belong there.
            if let Some(found) = path.metadata().ok().filter(|found| !found.is_file()) {
                let name = format!("{name}/");
                assets.extend(found.is_dir().then_some(ReleaseAsset {
                    name,
                    size: 0,
                    sha256: None,
                }));
                continue;
            }
            let Some(size) = file::size(&path)? else { continue };
            // Who lists wants to see all; that a checksum is unusable is told to who reads it.
            let sha256 = read_sidecar(&folder.join(sidecar::name(&name)), &name).ok().flatten();
            let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
            published = published.into_iter().chain(written).min();
            assets.push(ReleaseAsset { name, size, sha256 });
        }
        let published = published.and_then(|time| jiff::Timestamp::try_from(time).ok());
        let published_at = published.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let tag = tag.to_owned();
        Ok(Some(ReleaseInfo {
            tag,
            is_draft: false,
            is_prerelease: false,
            is_immutable: false,
            published_at,
            assets,
        }))
    }

    fn unlisted(&self, error: &std::io::Error) -> Fault {
        let what = format!("cannot list the releases in {}", self.url);
        Fault { kind: Kind::Store, ..Fault::io(what, error) }
    }

    fn withdraw(&self, tag: &str) -> Result<(), Fault> {
        check_names(tag, "asset")?;
        let failed = |error| Fault {
            kind: Kind::Store,
            ..Fault::io(format!("cannot remove {tag} from {}", self.url), &error)
        };
        // Out of sight first: half a release is never seen.
        let away = PathBuf::from(unique(&format!(".removed-{tag}-")));
        let root = match Folder::open(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            root => root.map_err(failed)?,
        };
        match root.rename(Path::new(tag), &root, &away) {
            Ok(()) => root.remove_all(&away).map_err(failed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The names in a folder that do not begin with a dot, sorted; none if it is not there.
fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_sidecar(path: &Path, asset: &str) -> Result<Option<Sha256>, Fault> {
    let unusable = |why: String| {
        Fault::new(Kind::Store, format!("the checksum in {} cannot be used", path.display()))
            .because(why)
            .hint("if the asset beside it is good, delete it: the digest then counts as unknown")
    };
    match read_file(path, MOST_OF_TEXT) {
        Ok(bytes) => {
            let text = text::decode(bytes).map_err(unusable)?;
            sidecar::read(&text, asset).map_err(unusable)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error.to_string())),
    }
}

#[async_trait]
impl Store for Dir {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_writable(&self) -> bool {
        self.is_writable
    }

    fn is_shared(&self) -> bool {
        false
    }

    // Two system calls take microseconds: less than handing them to another thread.
    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault> {
        self.find_asset(tag, asset)
    }

    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault> {
        file::open(&self.path(tag, asset)?)
    }

    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        let (tag, asset) = (&release.tag, &upload.asset);
        check_names(tag, asset)?;
        for (name, _) in &upload.sidecars {
            check_names(tag, name)?;
        }
        let sweep = !self.swept.swap(true, Ordering::Relaxed);
        let publication = AssetPublication {
            url: self.url.clone(),
            root: self.root.clone(),
            tag: tag.clone(),
            upload: upload.clone(),
        };
        let work = move || {
            if sweep {
                publication::sweep(&publication.root);
            }
            publication.run()
        };
        let published = tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| {
            Err(Fault::new(Kind::Failed, format!("publishing {tag}/{asset} was cut short"))
                .because(died.to_string()))
        })?;
        Ok(Receipt { published, waits_for: Vec::new() })
    }

    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault> {
        check_names(tag, "asset")?;
        self.release_at(tag)
    }

    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault> {
        self.list()
    }

    async fn remove(&self, tag: &str) -> Result<(), Fault> {
        self.withdraw(tag)
    }

    async fn access(&self) -> Result<Access, Fault> {
        let is_there = self.root.is_dir();
        let may_write = rustix::fs::access(&self.root, rustix::fs::Access::WRITE_OK).is_ok();
        let notes = match is_there {
            true => Vec::new(),
            false => vec!["the folder is not there yet; publishing makes it".to_owned()],
        };
        let may_write = is_there.then_some(may_write);
        Ok(Access { login: None, may_read: true, may_write, notes })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Published,
            testing::{all, conforms, digest, furnish},
        },
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
        assert_eq!(store.releases().await.unwrap(), []);

        let source = temp.path().join("source");
        fs::write(&source, "binary").unwrap();
        let sha256 = digest(b"binary");
        let upload = Upload::new("nats.tar.gz".into(), source.clone(), sha256);
        for tag in ["nats-v1", "arc-v1"] {
            let release = StoreRelease::of_subsystem(tag.into(), Vec::new());
            let receipt = store.publish(&release, &upload).await.unwrap();
            assert_eq!(receipt.published, Published::Created);
        }
        let info = store.find("nats-v1", "nats.tar.gz").await.unwrap().unwrap();
        assert_eq!(info, AssetInfo { size: Some(6), sha256: Some(sha256) });
        let stream = store.open("nats-v1", "nats.tar.gz").await.unwrap().unwrap();
        assert_eq!(all(stream).await.unwrap(), b"binary");
        let releases = store.releases().await.unwrap();
        let tags: Vec<_> = releases.iter().map(|release| release.tag.as_str()).collect();
        assert_eq!(tags, ["arc-v1", "nats-v1"]);
        let names: Vec<_> = releases[0].assets.iter().map(|asset| asset.name.as_str()).collect();
        assert_eq!(names, ["nats.tar.gz", "nats.tar.gz.sha256"]);
        assert_eq!(store.release("arc-v1").await.unwrap().unwrap(), releases[0]);

        fs::write(&source, "other").unwrap();
        let upload = Upload::new("nats.tar.gz".into(), source, digest(b"other"));
        let release = StoreRelease::of_subsystem("arc-v1".into(), Vec::new());
        let receipt = store.publish(&release, &upload).await.unwrap();
        assert_eq!(receipt.published, Published::Conflict { theirs: sha256 });

        store.remove("arc-v1").await.unwrap();
        store.remove("arc-v1").await.unwrap();
        assert_eq!(store.release("arc-v1").await.unwrap(), None);
        assert_eq!(names_in(&temp.path().join("a/store")).unwrap(), ["nats-v1"]);
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
        assert_eq!(store.releases().await.unwrap_err().kind, Kind::Store);
    }

    #[tokio::test]
    async fn a_reader_may_stop_in_the_middle() {
        let temp = tempfile::tempdir().unwrap();
        furnish(temp.path());
        let store = Dir::new("dir:store".into(), temp.path().join("store"));
        drop(store.open("tag-v1", "1000000").await.unwrap());
    }
}

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

    fn tags<'a>(&'a self) -> Pending<'a, Result<Vec<String>, Fault>> {
        Box::pin(async move { self.list() })
    }
}

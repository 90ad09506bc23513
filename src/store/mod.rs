//! Stores: where releases live. One port, a backend per file, [`open`] maps a URL to one.

use std::{future::Future, path::Path, pin::Pin};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::model::{Fault, Sha256};

/// A boxed future, as ports return it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a store knows of an asset before it is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetInfo {
    /// Bytes, if the store says.
    pub size: Option<u64>,
    /// The published digest, if there is one.
    pub sha256: Option<Sha256>,
}

/// An asset on its way.
pub struct AssetStream {
    /// Bytes in all, if the store says.
    pub size: Option<u64>,
    /// The bytes as they come. An interrupted transfer is resumed where the store can;
    /// an error ends the stream.
    pub bytes: BoxStream<'static, Result<Bytes, Fault>>,
}

/// What became of an attempt to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The asset was not there and now is.
    Created,
    /// The same bytes were there already.
    Identical,
    /// Other bytes were there already; they stay.
    Conflict {
        /// The digest of what is there.
        theirs: Sha256,
    },
}

/// The port to a place where releases live, laid out `<tag>/<asset>`.
pub trait Store: Send + Sync {
    /// The URL it was opened with, for messages.
    fn url(&self) -> &str;

    /// Whether [`Store::publish`] can work at all.
    fn is_writable(&self) -> bool;

    /// Looks for an asset. `None` is a confirmed absence; whatever leaves doubt is an error.
    fn find<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetInfo>, Fault>>;

    /// Opens an asset for reading from its beginning. `None` is a confirmed absence.
    fn open<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
    ) -> Pending<'a, Result<Option<AssetStream>, Fault>>;

    /// Publishes the file at `path`, whose digest is `sha256`. Creating is tried, never
    /// checked first; what is there already is compared, never overwritten.
    fn publish<'a>(
        &'a self,
        tag: &'a str,
        asset: &'a str,
        path: &'a Path,
        sha256: Sha256,
    ) -> Pending<'a, Result<Published, Fault>>;

    /// The tags of all releases, sorted.
    fn tags<'a>(&'a self) -> Pending<'a, Result<Vec<String>, Fault>>;
}

#[derive(Default)]
pub struct Settings {
    pub root: std::path::PathBuf,
    pub offline: bool,
}
pub struct Fetcher;
impl Fetcher {
    pub fn new(_: &Settings) -> Self {
        Fetcher
    }
    pub async fn get(&self, _: &str) -> Result<AssetStream, Fault> {
        todo!()
    }
    pub async fn get_text(&self, _: &str, _: usize) -> Result<String, Fault> {
        todo!()
    }
}
pub fn find_digest(_: &str, _: &str) -> Option<Sha256> {
    todo!()
}
pub struct D(String, std::path::PathBuf);
impl Store for D {
    fn url(&self) -> &str {
        &self.0
    }
    fn is_writable(&self) -> bool {
        true
    }
    fn find<'a>(&'a self, t: &'a str, a: &'a str) -> Pending<'a, Result<Option<AssetInfo>, Fault>> {
        let p = self.1.join(t).join(a);
        Box::pin(async move {
            Ok(std::fs::metadata(p).ok().map(|m| AssetInfo { size: Some(m.len()), sha256: None }))
        })
    }
    fn open<'a>(
        &'a self,
        t: &'a str,
        a: &'a str,
    ) -> Pending<'a, Result<Option<AssetStream>, Fault>> {
        let p = self.1.join(t).join(a);
        Box::pin(async move {
            Ok(std::fs::read(p).ok().map(|b| AssetStream {
                size: Some(b.len() as u64),
                bytes: Box::pin(futures_util::stream::once(async move { Ok(Bytes::from(b)) })),
            }))
        })
    }
    fn publish<'a>(
        &'a self,
        t: &'a str,
        a: &'a str,
        p: &'a Path,
        _: Sha256,
    ) -> Pending<'a, Result<Published, Fault>> {
        let d = self.1.join(t);
        Box::pin(async move {
            std::fs::create_dir_all(&d).unwrap();
            Ok(if std::fs::hard_link(p, d.join(a)).is_ok() {
                Published::Created
            } else {
                Published::Identical
            })
        })
    }
    fn tags<'a>(&'a self) -> Pending<'a, Result<Vec<String>, Fault>> {
        todo!()
    }
}
pub fn open(u: &str, _: &Settings) -> Result<std::sync::Arc<dyn Store>, Fault> {
    Ok(std::sync::Arc::new(D(u.into(), u.strip_prefix("dir:").unwrap().into())))
}
pub fn open_default(p: &str, _: &Settings) -> Result<std::sync::Arc<dyn Store>, Fault> {
    let d = std::path::PathBuf::from(std::env::var_os("FORGE_DATA_DIR").unwrap()).join(p);
    Ok(std::sync::Arc::new(D(format!("dir:{}", d.display()), d)))
}

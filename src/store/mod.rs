//! Stores: where releases live. One port, a backend per file, [`open()`] maps a URL to one.
//!
//! ```text
//! StoreUrl ── open ──> dir   <root>/<tag>/<asset>      writable
//!                 └──> http  <base>/<tag>/<asset>      read-only
//! URL ──── Fetcher ──> what vendors publish            read-only
//!
//! dir ──> publication (create-only), file, sidecar
//! http, Fetcher ──> transfer (resumes) ──> retry (when again) ──> client (one exchange) ──> answer
//! ```
//!
//! Two answers are kept apart everywhere: a confirmed absence (`Ok(None)`), after which
//! something else may be tried, and doubt (a [`Fault`]), after which it may not.

mod answer;
mod client;
mod dir;
mod fetch;
mod file;
mod http;
mod open;
mod publication;
mod reach;
mod retry;
mod settings;
mod sidecar;
mod transfer;
mod url;

#[cfg(test)]
mod testing;

use std::{future::Future, path::Path, pin::Pin};

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use fetch::Fetcher;
pub use open::{default_url, open};
pub use settings::Settings;
pub use sidecar::find_digest;
pub use url::StoreUrl;

use crate::model::{Fault, Kind, Sha256};

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
///
/// A backend deals with what its host is like and tells nobody: it waits for rate limits as
/// long as [`Settings::patience`] allows, tries again what may pass, resumes transfers, finds
/// the page or the identifier of an asset, and creates what a release needs around it. A
/// publication whose answer was lost is asked about again: the bytes that were sent, found
/// there afterwards, are [`Published::Identical`]. It gets a path and no stream since a
/// second attempt needs the first byte again.
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
    fn tags(&self) -> Pending<'_, Result<Vec<String>, Fault>>;
}

/// Checks that `tag` and `asset` name something inside a store: forge's own tags and asset
/// names always do, and nothing else may reach a path or a URL.
fn check_names(tag: &str, asset: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+@-".contains(c);
    for (name, what) in [(tag, "a release"), (asset, "an asset")] {
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(Fault::new(Kind::Usage, format!("{name:?} cannot be the name of {what}"))
                .hint("names are made of letters, digits and `._+@-`, and begin with no dot"));
        }
    }
    Ok(())
}

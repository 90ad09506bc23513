//! Stores: where releases live. One port, a backend per file, [`open()`] maps a URL to one.
//!
//! ```text
//! StoreUrl ── open ─┬> dir      <root>/<tag>/<asset>      writable
//!                   ├> http     <base>/<tag>/<asset>      read-only
//!                   ├> s3       <prefix>/<tag>/<asset>    writable, with credentials
//!                   ├> oci      a tag for each asset      writable
//!                   └> hosted   a repository's releases   writable
//!                        └> github, gitea, gitlab: what each host says differently
//! URL ────── Fetcher ──> what vendors publish             read-only
//! a repository ── repository_api ──> RepositoryApi: records of deployments, statuses, comments
//! image ──── Registries ──> container images              read, and pushed (registry)
//!
//! dir ──> publication (create-only), file, sidecar
//! http, hosted, Fetcher ──> transfer (resumes) ──> retry (when again) ─┐
//! hosted (its API) ──────────────────────────────> retry ──────────────┴> client ──> answer
//! hosted ──> address (whom a login is shown to), blob (a file or a text on its way)
//! client: one call (a request as a value) and the redirects it leads to; upload: a file on its way out
//! ```
//!
//! The port is a trait object, since the command line's tests stand in for a store too; its
//! methods are written as plain `async fn`s, and `async_trait` boxes what they return.
//!
//! Two answers are kept apart everywhere: a confirmed absence (`Ok(None)`), after which
//! something else may be tried, and doubt (a [`Fault`]), after which it may not.

mod address;
mod answer;
mod beginning;
mod blob;
mod call;
mod checksums;
mod client;
mod dir;
mod fetch;
mod file;
mod hosted;
mod http;
mod oci;
mod open;
mod proxy;
mod publication;
mod reach;
mod registry;
mod release;
mod retry;
mod s3;
mod settings;
mod sidecar;
mod status;
mod text;
mod transfer;
mod upload;
mod url;
mod web_call;

#[cfg(test)]
mod testing;

use async_trait::async_trait;

pub use address::public_address;
pub use beginning::{AssetStream, Beginnings, BrokenTransfer};
pub use checksums::{asset_path, find_digest};
pub use fetch::Fetcher;
pub use hosted::{ApiChange, RepositoryApi, RepositoryHost, repository_api};
pub use open::{default_url, open, private};
pub use registry::*;
pub use release::{
    Access, AssetInfo, Mode, Published, Receipt, ReleaseAsset, ReleaseInfo, StoreRelease, Upload,
};
pub use settings::{Login, Logins, RegistryLogin, RegistrySecret, StoreSettings, Tempo, Waits};
pub use sidecar::name as checksum_name;
pub use status::http_status;
pub use url::{STORE_KINDS, StoreUrl};
pub use web_call::{
    WebAnswer, WebCall, form_body, signed_headers, token_claims, url_with_query, web_call,
};

use crate::model::{Fault, Kind, RELEASE_NAME_HELP, Sha256, check_file_name, check_release_name};

/// The port to a place where releases live, laid out `<tag>/<asset>`.
///
/// A backend deals with what its host is like and tells nobody: it waits for rate limits as
/// long as [`StoreSettings::patience`] allows, tries again what may pass, resumes transfers, finds
/// the page or the identifier of an asset, and creates what a release needs around it. A
/// publication whose answer was lost is asked about again: the bytes that were sent, found
/// there afterwards, are [`Published::Identical`].
#[async_trait]
pub trait Store: Send + Sync {
    /// The URL it was opened with, for messages.
    fn url(&self) -> &str;

    /// Whether [`Store::publish`] can work at all.
    fn is_writable(&self) -> bool;

    /// Whether others read it too, so that publishing to it needs to be asked for or trusted; a
    /// folder on this machine is not shared.
    fn is_shared(&self) -> bool {
        true
    }

    /// Looks for an asset. `None` is a confirmed absence; whatever leaves doubt is an error.
    async fn find(&self, tag: &str, asset: &str) -> Result<Option<AssetInfo>, Fault>;

    /// Opens an asset for reading from its beginning. `None` is a confirmed absence.
    async fn open(&self, tag: &str, asset: &str) -> Result<Option<AssetStream>, Fault>;

    /// Publishes a file as part of `release`, and the texts that belong beside it. Creating is
    /// tried, never checked first; what is there already is compared, never overwritten. Of the
    /// texts beside it, the first ones stay.
    async fn publish(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault>;

    /// One release with its assets; also a draft, for those who may see it. `None` is a
    /// confirmed absence.
    async fn release(&self, tag: &str) -> Result<Option<ReleaseInfo>, Fault>;

    /// All releases with their assets, sorted by tag.
    async fn releases(&self) -> Result<Vec<ReleaseInfo>, Fault>;

    /// Replaces what the page of a release says by its notes, and nothing else. Whether the store
    /// has such pages.
    async fn describe(&self, _: &StoreRelease) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Makes the page of a release that may have no assets, or brings the one that is there up to
    /// date: what it says, whether it lacks something, whether it is the latest. Whether the store
    /// has such pages, and lets one be changed again if it lacks something.
    async fn announce(&self, _: &StoreRelease) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Removes a release, its assets and its tag. Only `release:prune` asks for that.
    async fn remove(&self, tag: &str) -> Result<(), Fault>;

    /// Who is asking, and what they may do.
    async fn access(&self) -> Result<Access, Fault>;
}

/// The digest that stands beside an asset in its `.sha256` file, if there is one.
///
/// # Errors
/// `Store` if it cannot be read or is none.
pub async fn published_digest(
    store: &dyn Store,
    tag: &str,
    asset: &str,
) -> Result<Option<Sha256>, Fault> {
    let name = sidecar::name(asset);
    let Some(text) = read_text(store, tag, &name, sidecar::MAX_BYTES).await? else {
        return Ok(None);
    };
    let what = format!("the checksum {tag}/{name} in {} cannot be used", store.url());
    sidecar::read(&text, asset).map_err(|why| Fault::new(Kind::Store, what).because(why))
}

/// Reads a small text from a store, such as a sidecar; `None` is a confirmed absence.
///
/// # Errors
/// As [`Store::open`]; `Store` also if it is longer than `max_bytes` or no text.
pub async fn read_text(
    store: &dyn Store,
    tag: &str,
    asset: &str,
    max_bytes: u64,
) -> Result<Option<String>, Fault> {
    let Some(bytes) = read_bytes(store, tag, asset, max_bytes).await? else { return Ok(None) };
    text::decode(bytes).map(Some).map_err(|why| unusable(store, tag, asset, why))
}

/// Reads something from a store that fits into memory; `None` is a confirmed absence.
///
/// # Errors
/// As [`Store::open`]; `Store` also if it is longer than `max_bytes`.
pub async fn read_bytes(
    store: &dyn Store,
    tag: &str,
    asset: &str,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut beginnings = Beginnings::default();
    let bytes = loop {
        let Some(stream) = store.open(tag, asset).await? else { return Ok(None) };
        match fetch::read_small(stream, max_bytes).await {
            Ok(bytes) => break bytes,
            Err(broken) => beginnings.again(broken)?,
        }
    };
    bytes.map(Some).map_err(|why| unusable(store, tag, asset, why))
}

fn unusable(store: &dyn Store, tag: &str, asset: &str, why: String) -> Fault {
    Fault::new(Kind::Store, format!("cannot use {tag}/{asset} in {}", store.url())).because(why)
}

/// Checks that `tag` and `asset` name something inside a store: forge's own tags and asset
/// names always do, and nothing else may reach a path or a URL.
fn check_names(tag: &str, asset: &str) -> Result<(), Fault> {
    let refused = |name: &str, what: &str, why: String| {
        Fault::new(Kind::Usage, format!("{name:?} cannot be the name of {what}"))
            .because(format!("it {why}"))
            .hint(RELEASE_NAME_HELP)
    };
    check_release_name(tag).map_err(|why| refused(tag, "a release", why))?;
    check_file_name(asset).map_err(|why| refused(asset, "an asset", why))
}

//! What stands beside the assets of releases: digests, and who says to have built them from what.

use futures_util::{StreamExt, stream};

use crate::{
    model::{Fault, asset_platform},
    provenance::{MAX_BYTES, Statement, read_statements, statement_name},
    release::CatalogEntry,
    store::{ReleaseAsset, Store, published_digest, read_text},
};

/// How many files are read at once.
const READS_AT_ONCE: usize = 8;

/// An asset, with what stands beside it.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    /// The asset, with its digest where anything tells it.
    pub(super) asset: ReleaseAsset,
    /// What is said of its bytes.
    pub(super) statement: Option<Statement>,
}

impl Evidence {
    /// The commit of the workspace that it was built from.
    pub(super) fn commit(&self) -> Option<&str> {
        let dependencies = &self.statement.as_ref()?.dependencies;
        let commit = dependencies.iter().find_map(|one| one.digest.get("gitCommit"));
        commit.map(String::as_str)
    }

    /// Who built it.
    pub(super) fn builder(&self) -> Option<&str> {
        self.statement.as_ref().map(|statement| statement.builder.id())
    }

    /// The page of the run.
    pub(super) fn run(&self) -> Option<&str> {
        self.statement.as_ref()?.run.url.as_deref()
    }

    /// When it was built.
    pub(super) fn built(&self) -> Option<&str> {
        self.statement.as_ref()?.run.finished_on.as_deref()
    }
}

/// The assets of a release, with what stands beside each. What cannot be used tells nothing.
///
/// # Errors
/// As the store.
pub(super) async fn evidence(
    store: &dyn Store,
    entry: &CatalogEntry,
) -> Result<Vec<Evidence>, Fault> {
    let assets = entry.info.assets.iter().filter(|asset| asset_platform(&asset.name).is_some());
    let read = assets.map(|asset| read(store, &entry.info.tag, asset));
    let read: Vec<_> = stream::iter(read).buffered(READS_AT_ONCE).collect().await;
    read.into_iter().collect()
}

async fn read(store: &dyn Store, tag: &str, asset: &ReleaseAsset) -> Result<Evidence, Fault> {
    let sha256 = match asset.sha256 {
        Some(known) => Some(known),
        None => published_digest(store, tag, &asset.name).await.unwrap_or_default(),
    };
    let text = read_text(store, tag, &statement_name(&asset.name), MAX_BYTES).await?;
    let statements = text.and_then(|text| read_statements(&text).ok()).unwrap_or_default();
    let is_about = |one: &Statement| sha256.is_none_or(|sha256| one.is_about(sha256));
    let statement = statements.into_iter().find(is_about);
    Ok(Evidence { asset: ReleaseAsset { sha256, ..asset.clone() }, statement })
}

//! `ledger:` of `versions.yml`.

use std::path::PathBuf;

use crate::{
    manifest::{Findings, ManifestDoc},
    model::Layout,
    store::StoreUrl,
};

/// Where the ledger of deployments is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerHome {
    /// A folder.
    Folder(PathBuf),
    /// The records of deployments at a repository.
    Repository(StoreUrl),
}

/// Resolves `ledger:` of `doc`. What is wrong goes to `found`.
pub fn ledger(doc: &ManifestDoc, layout: &Layout, found: &mut Findings) -> Option<LedgerHome> {
    let written = doc.ledger.as_ref()?;
    let text = written.text.as_str();
    if !["github:", "gitlab:", "gitea:"].iter().any(|host| text.starts_with(host)) {
        return Some(LedgerHome::Folder(layout.root().join(text)));
    }
    let (why, label) = match StoreUrl::parse(text) {
        Ok(url @ StoreUrl::GitHub { .. }) => return Some(LedgerHome::Repository(url)),
        Ok(_) => ("only records at GitHub hold all that a ledger has to know".into(), "not GitHub"),
        Err(why) => (why, "not a repository"),
    };
    let help = "write `github:OWNER/REPO`, or the path of a folder";
    found.add(written.bytes.clone(), why, label, help);
    None
}

//! What a pin was before its last change, by the history of `versions.yml`: a state file would
//! not survive a fresh clone, and would not know of edits by hand.

use std::collections::BTreeMap;

use super::ManifestPins;
use crate::{
    git::History,
    manifest::parse_lock,
    model::{Fault, Layout, Lock},
};

/// How far back in history it is looked, in commits that touch `versions.yml`.
const FAR: usize = 1000;

/// What pins were before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The commit that says so.
    pub revision: String,
    /// The versions that are others now, by the names before them.
    pub versions: BTreeMap<String, String>,
    /// What was locked then.
    pub lock: Lock,
}

/// The last time that `now` was not what it is: of the pin called `name`, or of any. Nothing if
/// it never was. What is not committed yet is a change, too.
///
/// # Errors
/// As those of [`History`].
pub async fn before(
    history: &History<'_>,
    now: &ManifestPins,
    name: Option<&str>,
) -> Result<Option<Earlier>, Fault> {
    let path = [Layout::MANIFEST.to_owned()];
    if history.head().await?.is_none() {
        return Ok(None);
    }
    let commits = history.commits_to(&path, &|_| true, None, "HEAD").await?;
    // Right before a commit changed it, the lock had learned all of what was pinned.
    let commits = commits.into_iter().map(|commit| format!("{}^", commit.hash)).take(FAR);
    for revision in std::iter::once("HEAD".to_owned()).chain(commits) {
        // What cannot be read has no say.
        let text = history.file(&revision, Layout::MANIFEST).await?.unwrap_or_default();
        let Ok(then) = ManifestPins::read(text.into_bytes()) else { continue };
        let versions = differing(&then, now, name);
        if !versions.is_empty() {
            let lock = history.file(&revision, Layout::LOCK).await?.unwrap_or_default();
            let lock = parse_lock(&lock).unwrap_or_default();
            return Ok(Some(Earlier { revision, versions, lock }));
        }
    }
    Ok(None)
}

fn differing(
    then: &ManifestPins,
    now: &ManifestPins,
    name: Option<&str>,
) -> BTreeMap<String, String> {
    let is_meant = |key: &&String| name.is_none_or(|name| name == key.as_str());
    let all = now.all().iter().filter(|(key, _)| is_meant(key));
    all.filter_map(|(key, pin)| {
        let old = then.all().get(key).filter(|old| old.version != pin.version)?;
        Some((key.clone(), old.version.clone()))
    })
    .collect()
}

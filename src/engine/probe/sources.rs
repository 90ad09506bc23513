//! Which files the source of an artifact had when it was made: kept in the workspace, so that "its source
//! differs" can name them. Nothing but words rests on it.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    cache::write_state,
    disk::read_text,
    model::{ArtifactId, Layout},
};

use super::tree::SourceTreeState;

/// Of a source with more files than this no list is kept.
const MOST: usize = 20_000;
/// How large a list may be in bytes.
const MOST_BYTES: u64 = 8 << 20;

/// Keeps which files `tree` has, of which `id` was made.
pub fn keep_sources(layout: &Layout, id: &ArtifactId, tree: &SourceTreeState) {
    let mut text = String::new();
    for (path, digest) in tree.files().take(MOST + 1) {
        let _ = writeln!(text, "{digest} {}", layout.display(path));
    }
    if tree.files().count() <= MOST {
        // Without it, digests are told instead of names.
        let _ = write_state(layout, &layout.kept_sources(id), text.as_bytes());
    }
}

/// What is different in `tree` from the source that `id` was made of when it was installed: `changed x`,
/// `added y`, `removed z`. Nothing if nobody kept that.
pub fn changed_sources(layout: &Layout, id: &ArtifactId, tree: &SourceTreeState) -> Vec<String> {
    let Ok(kept) = read_text(&layout.kept_sources(id), MOST_BYTES) else { return Vec::new() };
    let mut before: BTreeMap<&str, &str> = kept
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(digest, path)| (path, digest)))
        .collect();
    let mut changes = Vec::new();
    for (path, digest) in tree.files() {
        let path = layout.display(path);
        match before.remove(path.as_str()) {
            None => changes.push(format!("added {path}")),
            Some(known) if known != digest => changes.push(format!("changed {path}")),
            Some(_) => {}
        }
    }
    changes.extend(before.into_keys().map(|path| format!("removed {path}")));
    changes
}

//! Writing `forge.lock`: changes of this run, merged into what the file says now.

use std::collections::BTreeMap;

use crate::{
    cache::{rewrite_file, turn_to_write},
    manifest::{parse_lock, render_lock},
    model::{
        Binaries, Fault, Kind, Layout, Lock, LockedAsset, LockedImage, LockedUpstream, Name,
        Platform, Sha256,
    },
    process::Cancel,
    workspace::lock_text,
};

/// One thing that a run learned and the lock should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockChange {
    /// The subsystem.
    pub name: Name,
    /// Its version as the manifest states it.
    pub version: String,
    /// The commit that the version means.
    pub commit: Option<String>,
    /// What its release holds for a platform, and the binaries in that.
    pub asset: Option<(Platform, LockedAsset, Binaries)>,
    /// What its vendor's own release holds for a platform.
    pub upstream: Option<(Platform, LockedUpstream)>,
    /// The image that it is released as.
    pub image: Option<LockedImage>,
    /// Images that its own stands on.
    pub bases: BTreeMap<String, Sha256>,
}

impl LockChange {
    /// That nothing new is known of `name` at `version`.
    pub fn nothing_of(name: &Name, version: &str) -> Self {
        Self {
            name: name.clone(),
            version: version.to_owned(),
            commit: None,
            asset: None,
            upstream: None,
            image: None,
            bases: BTreeMap::new(),
        }
    }
}

/// Merges `changes` into `forge.lock`. Two runs that end at once both get theirs in: one waits for the
/// other, which `tell` is told, until `cancel` ends it.
pub fn write_lock(
    layout: &Layout,
    changes: &[LockChange],
    cancel: &Cancel,
    tell: &dyn Fn(&str),
) -> Result<(), Fault> {
    if changes.is_empty() {
        return Ok(());
    }
    let _turn = turn_to_write(layout, cancel, tell)?;
    let before = lock_text(layout)?;
    let mut lock = parse_lock(&before).map_err(|diagnostic| {
        Fault::new(Kind::Usage, "forge.lock cannot be read any more").because(diagnostic.what)
    })?;
    apply(&mut lock, changes);
    let after = render_lock(&lock);
    if after == before {
        return Ok(());
    }
    rewrite_file(layout, &layout.lock(), after.as_bytes())
}

fn apply(lock: &mut Lock, changes: &[LockChange]) {
    for change in changes {
        let locked = lock.entry(&change.name, &change.version);
        if change.commit.is_some() {
            locked.commit.clone_from(&change.commit);
        }
        if let Some((platform, asset, binaries)) = &change.asset {
            locked.assets.insert(*platform, *asset);
            locked.binaries.insert(*platform, binaries.clone());
        }
        locked.upstream.extend(change.upstream);
        locked.image = change.image.or(locked.image);
        locked.bases.extend(change.bases.clone());
    }
}

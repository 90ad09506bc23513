//! Layers that were packed before. Compressing is most of the work of making an image; where the same
//! image is made once more, as `ci:package` and `ci:release` do, its layers are taken from the layout
//! that is there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{LayerPlan, layout::blob_path};
use crate::{
    archive::{Contents, Hasher, LayerEntryKind, PackedLayer, hash_file},
    cache::{SealKey, forge_folder, write_state},
    disk::{Folder, read_file},
    model::{Fault, Layout, Sha256},
};

/// What the table is sealed as.
const PURPOSE: &str = "packed layers";
/// How many layers are kept in it.
const MOST_LAYERS: usize = 2_000;
/// More than it ever takes, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// A packed layer as it is kept: its digest, its size, and the digest of the tar in it.
type Row = (Sha256, u64, Sha256);

/// What layers of this workspace came to, by what is in them.
#[derive(Debug)]
pub struct PackedBefore<'a> {
    layout: &'a Layout,
    key: &'a SealKey,
    /// The layout of the image that was made before.
    image: PathBuf,
    before: BTreeMap<Sha256, Row>,
    /// Those of the image that is being made.
    now: BTreeMap<Sha256, Row>,
}

impl<'a> PackedBefore<'a> {
    /// What is known in this workspace; the layout of the image itself may be at `image`.
    pub fn load(layout: &'a Layout, key: &'a SealKey, image: &Path) -> Self {
        let bytes = read_file(&path(layout), MOST_BYTES).unwrap_or_default();
        let body = key.open(PURPOSE, &bytes).unwrap_or_default();
        let before = serde_json::from_slice(body).unwrap_or_default();
        Self { layout, key, image: image.to_owned(), before, now: BTreeMap::new() }
    }

    /// Puts the layer of `plan` to `to`, a path in `folder`, if it was packed before and its bytes are still there.
    pub(super) fn take(
        &self,
        plan: &LayerPlan,
        mtime: u64,
        folder: &Folder,
        to: &Path,
    ) -> Option<PackedLayer> {
        let (sha256, size, diff_id) = *self.before.get(&content_digest(plan, mtime)?)?;
        let from = blob_path(&self.image, sha256);
        forge_folder(self.layout).ok()?.hard_link(&from, folder, to).ok()?;
        // The layout is a folder of the user's: what is there may be anything by now.
        match hash_file(to) {
            Ok((found, found_size)) if found == sha256 && found_size == size => {
                Some(PackedLayer { sha256, size, diff_id })
            }
            _ => {
                let _ = folder.remove_file(to);
                None
            }
        }
    }

    /// Remembers what `plan` came to.
    pub(super) fn learn(&mut self, plan: &LayerPlan, mtime: u64, packed: PackedLayer) {
        if let Some(digest) = content_digest(plan, mtime) {
            self.now.insert(digest, (packed.sha256, packed.size, packed.diff_id));
        }
    }

    /// The layer of the image that is being made that has the same in it as `plan`: another platform's.
    pub(super) fn same(&self, plan: &LayerPlan, mtime: u64) -> Option<PackedLayer> {
        let (sha256, size, diff_id) = *self.now.get(&content_digest(plan, mtime)?)?;
        Some(PackedLayer { sha256, size, diff_id })
    }

    /// Keeps what was learned, if something was.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(mut self) -> Result<(), Fault> {
        if self.now.iter().all(|(digest, row)| self.before.get(digest) == Some(row)) {
            return Ok(());
        }
        while self.before.len() + self.now.len() > MOST_LAYERS && self.before.pop_first().is_some()
        {
        }
        self.before.append(&mut self.now);
        let body = serde_json::to_vec(&self.before).unwrap_or_default();
        write_state(self.layout, &path(self.layout), &self.key.seal(PURPOSE, &body))
    }
}

fn path(layout: &Layout) -> PathBuf {
    layout.state().join("layers")
}

/// The digest of all that the bytes of a layer depend on; nothing if it has files that nobody has hashed.
fn content_digest(plan: &LayerPlan, mtime: u64) -> Option<Sha256> {
    let mut hasher = Hasher::new();
    // Another version of forge may pack in another way.
    let mut add = |field: &[u8]| {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(&mtime.to_le_bytes());
    for entry in &plan.entries {
        add(entry.file.name.as_bytes());
        add(&entry.mode.to_le_bytes());
        add(&entry.owner.0.to_le_bytes());
        add(&entry.owner.1.to_le_bytes());
        match &entry.kind {
            LayerEntryKind::File => add(b"file"),
            LayerEntryKind::Folder => add(b"folder"),
            LayerEntryKind::Link(target) => add(format!("link {target}").as_bytes()),
        }
        match &entry.file.contents {
            Contents::File(_) => return None,
            Contents::Proven(_, sha256) => add(format!("sha256 {sha256}").as_bytes()),
            Contents::Bytes(bytes) => add(bytes),
        }
    }
    Some(hasher.finish())
}

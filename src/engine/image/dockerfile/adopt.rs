//! Taking over what an engine made: its layers as they are, and a configuration, manifests and an index
//! as forge writes them, so that they are the same whichever engine it was.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::super::{
    Assembled, Assembly, FINGERPRINT,
    layout::{LayoutFolder, digest_of},
};
use crate::{
    archive::hash_open,
    disk::Folder,
    model::{
        Fault, Kind, Platform, Sha256,
        oci::{
            CONFIG, Descriptor, INDEX, ImageConfig, ImageIndex, ImageManifest, MANIFEST,
            RegistryDocument, oci_type,
        },
    },
};

/// The most that a manifest or a configuration has, in bytes.
const MOST: u64 = 4 << 20;

/// How deep indexes are in each other, at most.
const DEEPEST: usize = 3;

/// A layout that an engine made for one platform.
struct MadeLayout {
    folder: Folder,
    platform: Platform,
}

/// Takes over the layouts `made` into `folder`, which is empty.
///
/// # Errors
/// `Failed` if one is not what it should be, or something cannot be read or written; `Verification` if a
/// blob is not what its digest says.
pub fn adopt(
    assembly: &Assembly<'_>,
    made: &BTreeMap<Platform, PathBuf>,
    folder: &Folder,
) -> Result<Assembled, Fault> {
    let layout = LayoutFolder::new(folder)?;
    let (mut manifests, mut blobs) = (Vec::new(), Vec::new());
    for (platform, path) in made {
        let opened = Folder::open(path).map_err(|error| {
            Fault::io(format!("cannot read the image for {platform} that was made"), &error)
        })?;
        let made = MadeLayout { folder: opened, platform: *platform };
        let manifest = made.manifest()?;
        let mut config = made.config(&manifest)?;
        config.created = assembly.created();
        config.config.labels.extend(assembly.facts());
        if let Some(parts) = assembly.platforms.get(platform) {
            config.config.labels.extend(parts.settings.labels.clone());
        }
        let mut layers = Vec::new();
        for layer in &manifest.layers {
            made.give(layer.digest, folder, &layout)?;
            layers.push(Descriptor::new(&oci_type(&layer.media_type), layer.digest, layer.size));
        }
        blobs.extend(layers.iter().cloned());
        let runs_on = config.platform();
        let config = layout.add(CONFIG, &config.to_json())?;
        blobs.push(config.clone());
        let bytes = ImageManifest::new(config, layers, assembly.annotations(None)).to_json();
        manifests.push((layout.add(MANIFEST, &bytes)?.on(runs_on), bytes));
    }
    let entries = manifests.iter().map(|(manifest, _)| manifest.clone()).collect();
    let mut annotations = assembly.annotations(None);
    annotations.insert(FINGERPRINT.into(), assembly.spec.print.fingerprint.to_string());
    let index_bytes = ImageIndex::new(entries, annotations).to_json();
    let index = layout.add(INDEX, &index_bytes)?;
    layout.finish(&index, &assembly.spec.tag)?;
    Ok(Assembled { index, index_bytes, manifests, blobs, base_layers: Vec::new() })
}

impl MadeLayout {
    fn wrong(&self, why: impl Into<String>) -> Fault {
        let what = format!("the image for {} that was made cannot be used", self.platform);
        Fault::new(Kind::Failed, what).because(why)
    }

    fn blob(&self, digest: Sha256) -> Result<Vec<u8>, Fault> {
        let bytes = self.folder.read(&path_of(digest), MOST);
        let bytes = bytes.map_err(|error| self.wrong(format!("{}: {error}", digest.short())))?;
        match digest_of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(Fault {
                kind: Kind::Verification,
                ..self.wrong(format!("the blob {} is not what its digest says", digest.short()))
            }),
        }
    }

    /// The one manifest for the platform. What an engine says of its build is in manifests for a platform
    /// that does not exist.
    fn manifest(&self) -> Result<ImageManifest, Fault> {
        let index = self.folder.read(Path::new("index.json"), MOST);
        let mut bytes = index.map_err(|error| self.wrong(format!("index.json: {error}")))?;
        for _ in 0..DEEPEST {
            let document = RegistryDocument::parse(&bytes, None).map_err(|why| self.wrong(why))?;
            let index = match document {
                RegistryDocument::Manifest(manifest) => return Ok(manifest),
                RegistryDocument::Index(index) => index,
            };
            let is_usable = |entry: &&Descriptor| {
                entry.platform.as_ref().is_none_or(|platform| platform.runs(self.platform))
            };
            let entry = index.manifests.iter().find(is_usable);
            bytes = self.blob(entry.ok_or_else(|| self.wrong("it is for another"))?.digest)?;
        }
        Err(self.wrong("its indexes are too deep in each other"))
    }

    fn config(&self, manifest: &ImageManifest) -> Result<ImageConfig, Fault> {
        let config = ImageConfig::parse(&self.blob(manifest.config.digest)?);
        let config = config.map_err(|why| self.wrong(why))?;
        match config.platform().runs(self.platform) {
            true => Ok(config),
            false => Err(self.wrong(format!("it is for {}", config.platform()))),
        }
    }

    /// Moves the blob `digest` into the layout in `folder`, verified.
    fn give(
        &self,
        digest: Sha256,
        folder: &Folder,
        layout: &LayoutFolder<'_>,
    ) -> Result<(), Fault> {
        let path = path_of(digest);
        if layout.has(digest) {
            return Ok(());
        }
        let failed = |error: std::io::Error| self.wrong(format!("{}: {error}", digest.short()));
        let mut file = self.folder.open_file(&path).map_err(failed)?;
        if hash_open(&mut file).map_err(failed)?.0 != digest {
            let fault =
                self.wrong(format!("the layer {} is not what its digest says", digest.short()));
            return Err(Fault { kind: Kind::Verification, ..fault });
        }
        self.folder.rename(&path, folder, &path).map_err(failed)
    }
}

fn path_of(digest: Sha256) -> PathBuf {
    Path::new("blobs/sha256").join(digest.to_string())
}

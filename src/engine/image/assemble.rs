//! Putting an image together: layers, a configuration and a manifest per platform, and an index, in an
//! OCI layout on disk.

use std::collections::BTreeMap;

use super::{
    BaseImage, BaseOfPlatform, FINGERPRINT, ImageSpec, PackedBefore, layers::LayerPlan,
    layout::LayoutFolder, loaders::lacking_loaders,
};
use crate::{
    archive::{PackedLayer, pack_layer},
    disk::Folder,
    model::{
        Fault, Platform, Sha256,
        oci::{
            Annotations, CONFIG, Descriptor, INDEX, ImageConfig, ImageHistory, ImageIndex,
            ImageManifest, ImagePlatform, LAYER_GZIP, MANIFEST, NoDetails,
        },
    },
    workspace::ContainerSettings,
};

/// The time of everything in an image, in seconds since 1970, unless somebody says otherwise: the
/// first day of 1980, as in assets.
const EPOCH: u64 = 315_532_800;

/// Who runs what names nobody.
const NOBODY: &str = "65532:65532";

/// Where programs are looked for on no base at all.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image to be put together.
#[derive(Debug)]
pub struct Assembly<'a> {
    /// What it should be.
    pub spec: &'a ImageSpec,
    /// What it stands on.
    pub base: Option<&'a BaseImage>,
    /// What each platform adds.
    pub platforms: BTreeMap<Platform, PlatformParts>,
    /// A few words on what it is.
    pub desc: Option<&'a str>,
    /// The page of its source.
    pub source: Option<String>,
    /// `SOURCE_DATE_EPOCH`, if somebody set it.
    pub epoch: Option<u64>,
}

/// What one platform adds to the base.
#[derive(Debug)]
pub struct PlatformParts {
    /// The layers, from the bottom up.
    pub layers: Vec<LayerPlan>,
    /// What containers are started with.
    pub settings: ContainerSettings,
}

/// An image that was put together. Its blobs are in the layout, but for those of its base.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The index.
    pub index: Descriptor,
    /// Its bytes.
    pub index_bytes: Vec<u8>,
    /// The manifests that it names, with their bytes.
    pub manifests: Vec<(Descriptor, Vec<u8>)>,
    /// The configurations and the layers of its own.
    pub blobs: Vec<Descriptor>,
    /// The layers of its base.
    pub base_layers: Vec<Descriptor>,
}

impl Assembled {
    /// The bytes of all its blobs, each counted once.
    pub fn bytes(&self) -> u64 {
        let all = self.blobs.iter().chain(&self.base_layers);
        let by_digest: BTreeMap<Sha256, u64> = all.map(|blob| (blob.digest, blob.size)).collect();
        by_digest.values().sum()
    }
}

/// Puts the image together in `folder`, which is empty. Layers that were packed `before` are taken from there.
///
/// # Errors
/// `Usage` if a program would not start on its base; `Failed` if something cannot be read or written.
pub fn assemble(
    assembly: &Assembly<'_>,
    folder: &Folder,
    before: &mut PackedBefore<'_>,
) -> Result<Assembled, Fault> {
    let layout = LayoutFolder::new(folder)?;
    let mtime = assembly.time();
    let mut packer = Packer { layout: &layout, mtime, packed: Vec::new(), before };
    let (mut manifests, mut blobs, mut base_layers) = (Vec::new(), Vec::new(), Vec::new());
    for (platform, parts) in &assembly.platforms {
        let base = assembly.base.and_then(|base| base.platforms.get(platform));
        // On another image, whoever has its files looks.
        if base.is_none()
            && let Some(lacking) = lacking_loaders(parts)?.first()
        {
            return Err(lacking.fault(assembly.spec, *platform, None));
        }
        let mut layers: Vec<Descriptor> = base.map(|it| it.layers.clone()).unwrap_or_default();
        base_layers.extend(layers.iter().cloned());
        let mut config = assembly.config(*platform, parts, base);
        for plan in &parts.layers {
            let packed = packer.pack(plan)?;
            let layer = Descriptor::new(LAYER_GZIP, packed.sha256, packed.size);
            config.rootfs.diff_ids.push(packed.diff_id);
            config.history.push(assembly.history(plan));
            blobs.push(layer.clone());
            layers.push(layer);
        }
        let platform = config.platform();
        let config = layout.add(CONFIG, &config.to_json())?;
        blobs.push(config.clone());
        let annotations = assembly.annotations(base.map(|base| base.manifest));
        let bytes = ImageManifest::new(config, layers, annotations).to_json();
        manifests.push((layout.add(MANIFEST, &bytes)?.on(platform), bytes));
    }
    let entries = manifests.iter().map(|(manifest, _)| manifest.clone()).collect();
    let mut annotations = assembly.annotations(assembly.base.map(|base| base.digest));
    annotations.insert(FINGERPRINT.into(), assembly.spec.print.fingerprint.to_string());
    let index_bytes = ImageIndex::new(entries, annotations).to_json();
    let index = layout.add(INDEX, &index_bytes)?;
    layout.finish(&index, &assembly.spec.tag)?;
    Ok(Assembled { index, index_bytes, manifests, blobs, base_layers })
}

/// Packs layers; what several platforms share is packed once.
struct Packer<'l, 'b> {
    layout: &'l LayoutFolder<'l>,
    mtime: u64,
    packed: Vec<(LayerPlan, PackedLayer)>,
    before: &'l mut PackedBefore<'b>,
}

impl Packer<'_, '_> {
    fn pack(&mut self, plan: &LayerPlan) -> Result<PackedLayer, Fault> {
        if let Some((_, known)) = self.packed.iter().find(|(known, _)| known == plan) {
            return Ok(*known);
        }
        if let Some(same) = self.before.same(plan, self.mtime) {
            return Ok(same);
        }
        let path = self.layout.unnamed(self.packed.len());
        let packed = match self.before.take(plan, self.mtime, self.layout.folder(), &path) {
            Some(packed) => packed,
            None => pack_layer(&plan.entries, &path, self.mtime)?,
        };
        self.before.learn(plan, self.mtime, packed);
        self.layout.place(&path, packed.sha256)?;
        self.packed.push((plan.clone(), packed));
        Ok(packed)
    }
}

impl Assembly<'_> {
    /// The time of everything in it, in seconds since 1970.
    pub fn time(&self) -> u64 {
        self.epoch.unwrap_or(EPOCH)
    }

    /// The time as RFC 3339 has it.
    pub(super) fn created(&self) -> Option<String> {
        let seconds = i64::try_from(self.time()).ok()?;
        jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
    }

    fn history(&self, plan: &LayerPlan) -> ImageHistory {
        ImageHistory {
            created: self.created(),
            created_by: Some(format!("forge: {}", plan.what)),
            ..ImageHistory::default()
        }
    }

    /// What is said of the image beside what is in it. `base` is the digest of what it stands on.
    pub(super) fn annotations(&self, base: Option<Sha256>) -> Annotations {
        let mut all = self.facts();
        if let (Some(digest), Some(base)) = (base, self.base) {
            let named =
                crate::model::oci::ImageReference { digest: None, ..base.reference.clone() };
            all.insert("org.opencontainers.image.base.name".into(), named.to_string());
            let digest = format!("sha256:{digest}");
            all.insert("org.opencontainers.image.base.digest".into(), digest);
        }
        all
    }

    /// What runtimes are told too.
    pub(super) fn facts(&self) -> Annotations {
        let facts = [
            ("title", Some(self.spec.name.as_str())),
            ("version", Some(self.spec.version.as_str())),
            ("description", self.desc),
            ("source", self.source.as_deref()),
        ];
        let fact = |(name, value): (&str, Option<&str>)| {
            Some((format!("org.opencontainers.image.{name}"), value?.to_owned()))
        };
        facts.into_iter().filter_map(fact).collect()
    }

    /// The configuration without the layers that are added.
    fn config(
        &self,
        platform: Platform,
        parts: &PlatformParts,
        base: Option<&BaseOfPlatform>,
    ) -> ImageConfig {
        let mut config = base.map(|base| base.config.clone()).unwrap_or_default();
        if base.is_none() {
            let words = ImagePlatform::from(platform);
            (config.os, config.architecture) = (words.os, words.architecture);
            config.variant = words.variant;
            config.config.env = vec![PATH.to_owned()];
        }
        config.created = self.created();
        let run = &mut config.config;
        let said = &parts.settings;
        if let Some(user) = &said.user {
            run.user.clone_from(user);
        } else if run.user.is_empty() {
            NOBODY.clone_into(&mut run.user);
        }
        if !said.entrypoint.is_empty() {
            run.entrypoint = Some(said.entrypoint.clone());
            run.cmd = None;
        }
        if !said.args.is_empty() {
            run.cmd = Some(said.args.clone());
        }
        for (name, value) in &said.env {
            let is_it = |one: &String| one.split('=').next() == Some(name);
            run.env.retain(|one| !is_it(one));
            run.env.push(format!("{name}={value}"));
        }
        if let Some(folder) = &said.workdir {
            run.working_dir.clone_from(folder);
        }
        run.exposed_ports.extend(said.ports.iter().map(|port| (port.clone(), NoDetails {})));
        run.volumes.extend(said.volumes.iter().map(|folder| (folder.clone(), NoDetails {})));
        run.labels.extend(self.facts());
        run.labels.extend(said.labels.clone());
        config
    }
}

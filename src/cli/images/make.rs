//! Making images: layers of what is installed, put together into an OCI layout in `.forge/dist`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use crate::{
    cache::{InstallPlace, Installed, forge_folder, inspect, make_folder, stage},
    disk::{Folder, Staging},
    image::{
        Assembled, Assembly, BaseImage, ImageSpec, LayerPlan, PackedBefore, PlatformParts,
        assemble, binaries_layer, blob_path, files_layer, lacking_loaders, read_base,
    },
    model::{
        ArtifactId, Fault, ImageHow, ImageReport, Kind, Name, Platform, RunReport, oci::Descriptor,
    },
    walk::Walker,
};

use super::{
    super::{CliError, notes, publish::Publish},
    ImageWork,
    wants::{image, needed},
    work::{failed, report},
};

/// An image that was put together.
pub(super) struct MadeImage {
    pub(super) assembled: Assembled,
    pub(super) base: Option<BaseImage>,
    /// Where its layout is.
    pub(super) layout: PathBuf,
}

impl ImageWork<'_> {
    /// Makes the images of `names`, whole: with the layers of their bases.
    pub(super) async fn make(&self, names: &BTreeSet<Name>) -> Result<RunReport, CliError> {
        let mut run = self.ensured(names.iter(), Publish::Never).await?;
        for name in names {
            let began = Instant::now();
            let image = match &self.wants.specs[name] {
                Ok(spec) => self.make_one(spec, &run).await,
                Err(fault) => self.unknown(name, fault.clone()),
            };
            let seconds = began.elapsed().as_secs_f64();
            run.images.push(ImageReport { seconds, ..image });
        }
        Ok(run)
    }

    async fn make_one(&self, spec: &ImageSpec, run: &RunReport) -> ImageReport {
        if let Some(lacks) = self.lacks(spec, run) {
            let fault = Fault::new(Kind::Failed, format!("the image of {} {lacks}", spec.name));
            return ImageReport { how: ImageHow::Skipped, reason: lacks, ..failed(spec, fault) };
        }
        match self.whole(spec).await {
            Ok(made) => {
                let reason = self.workspaces().layout().display(&made.layout);
                let digest = Some(made.assembled.index.digest);
                let bytes = made.assembled.bytes();
                ImageReport { digest, bytes, ..report(spec, ImageHow::Made, &reason) }
            }
            Err(fault) => failed(spec, fault),
        }
    }

    pub(super) fn unknown(&self, name: &Name, fault: Fault) -> ImageReport {
        let repo = image(self.workspaces(), name).repo.to_string();
        let version = self.workspaces().any().subsystems[name].version.label(None);
        ImageReport::failed(name.clone(), version, repo, fault)
    }

    /// The image with all its blobs on disk.
    async fn whole(&self, spec: &ImageSpec) -> Result<MadeImage, Fault> {
        let made = self.made(spec, false).await?;
        let Some(base) = &made.base else { return Ok(made) };
        let layout = forge_folder(self.workspaces().layout())?.folder(&made.layout);
        let layout = layout.map_err(|error| Fault::io("cannot open the image", &error))?;
        for layer in &made.assembled.base_layers {
            self.download(base, layer, &layout).await?;
        }
        Ok(made)
    }

    /// Downloads a layer of `base` into the layout at `layout`, verified.
    async fn download(
        &self,
        base: &BaseImage,
        layer: &Descriptor,
        layout: &Folder,
    ) -> Result<(), Fault> {
        let to = blob_path(layout.path(), layer.digest);
        if to.exists() {
            return Ok(());
        }
        let what = || format!("cannot download {} of {}", layer.digest.short(), base.reference);
        let repository = &base.reference.repository;
        let found = self.wants.registries.open_blob(repository, layer.digest).await?;
        let mut stream = found.ok_or_else(|| {
            Fault::new(Kind::Store, what()).because("it is not there, while a manifest names it")
        })?;
        let cannot = |error: std::io::Error| Fault::io(what(), &error);
        let blobs = to.parent().unwrap_or(layout.path());
        layout.make_folder(blobs).map_err(cannot)?;
        let partial = layout.path().join(format!("partial-{}", layer.digest));
        let mut file = tokio::fs::File::create_new(&partial).await.map_err(cannot)?;
        let mut hasher = crate::archive::Hasher::new();
        while let Some(piece) = stream.bytes.next().await {
            let piece = piece.map_err(|error| Fault::from(error).within(what()))?;
            hasher.update(&piece);
            file.write_all(&piece).await.map_err(cannot)?;
        }
        file.flush().await.map_err(cannot)?;
        let digest = hasher.finish();
        if digest != layer.digest {
            let why =
                format!("its digest is sha256:{digest}, and sha256:{} was promised", layer.digest);
            return Err(Fault::new(Kind::Verification, what()).because(why));
        }
        tokio::fs::rename(&partial, &to).await.map_err(cannot)
    }

    /// The image, put together in `.forge/dist` but for the layers of its base.
    /// Only a release `is_release` puts something into a registry, be it a cache.
    pub(super) async fn made(
        &self,
        spec: &ImageSpec,
        is_release: bool,
    ) -> Result<MadeImage, Fault> {
        if let Some(dockerfile) = &image(self.workspaces(), &spec.name).dockerfile {
            return self.made_by_engine(spec, dockerfile, is_release).await;
        }
        let base = match self.wants.bases.get(&spec.name) {
            Some(base) => Some(read_base(&self.wants.registries, base, &spec.platforms).await?),
            None => None,
        };
        let mut platforms = BTreeMap::new();
        for platform in &spec.platforms {
            platforms.insert(*platform, self.parts(spec, *platform, &self.wants.walker)?);
        }
        if let Some(base) = &base {
            for (platform, parts) in &platforms {
                self.find_loaders(spec, *platform, parts, base).await?;
            }
        }
        // Packing takes all cores anyway, and other images are being sent meanwhile.
        tokio::task::block_in_place(|| self.put_together(spec, base, platforms))
    }

    /// Checks that the programs of `parts` find what loads them in `base`. Its layers are only
    /// downloaded if there is one that needs a loader.
    async fn find_loaders(
        &self,
        spec: &ImageSpec,
        platform: Platform,
        parts: &PlatformParts,
        base: &BaseImage,
    ) -> Result<(), Fault> {
        let mut lacking = lacking_loaders(parts)?;
        let layers = base.platforms.get(&platform).map(|base| base.layers.as_slice());
        if lacking.is_empty() {
            return Ok(());
        }
        // Held meanwhile: images beside often stand on the same.
        let mut known = self.base_files.lock().await;
        let files = known.entry((base.digest, platform)).or_default();
        lacking.retain(|one| !files.has(&one.loader));
        let staging = stage(self.workspaces().layout())?;
        for layer in layers.unwrap_or_default() {
            if lacking.is_empty() {
                break;
            }
            self.download(base, layer, staging.folder()).await?;
            let path = blob_path(staging.path(), layer.digest);
            tokio::task::block_in_place(|| files.add(&path))?;
            lacking.retain(|one| !files.has(&one.loader));
        }
        match lacking.first() {
            Some(one) => Err(one.fault(spec, platform, Some(base))),
            None => Ok(()),
        }
    }

    fn put_together(
        &self,
        spec: &ImageSpec,
        base: Option<BaseImage>,
        platforms: BTreeMap<Platform, PlatformParts>,
    ) -> Result<MadeImage, Fault> {
        let assembly = self.assembly(spec, base.as_ref(), platforms)?;
        let staging = stage(self.workspaces().layout())?;
        let (path, key) = (self.layout_of(spec), self.session.host.seal_key());
        let mut before = PackedBefore::load(self.workspaces().layout(), key, &path);
        let assembled = assemble(&assembly, staging.folder(), &mut before)?;
        self.place(&staging, &path)?;
        // It only saves time.
        let _ = before.keep();
        Ok(MadeImage { assembled, base, layout: path })
    }

    pub(super) fn assembly<'a>(
        &'a self,
        spec: &'a ImageSpec,
        base: Option<&'a BaseImage>,
        platforms: BTreeMap<Platform, PlatformParts>,
    ) -> Result<Assembly<'a>, Fault> {
        let workspace = self.workspaces().any();
        let epoch = self.session.host.environment().get("SOURCE_DATE_EPOCH").map(epoch);
        Ok(Assembly {
            spec,
            base,
            platforms,
            desc: workspace.subsystems[&spec.name].desc.as_deref(),
            source: notes::links(workspace).map(|links| links.repository),
            epoch: epoch.transpose()?,
        })
    }

    /// Where the layout of `spec` is put.
    pub(super) fn layout_of(&self, spec: &ImageSpec) -> PathBuf {
        let file_name = spec.name.as_str().replace('/', "+");
        self.workspaces().layout().dist().join(format!("{file_name}-{}.oci", spec.tag))
    }

    pub(super) fn place(&self, staging: &Staging, path: &Path) -> Result<(), Fault> {
        let layout = self.workspaces().layout();
        make_folder(layout, &layout.dist())?;
        staging
            .exchange(&forge_folder(layout)?, path)
            .map_err(|error| Fault::io(format!("cannot write {}", layout.display(path)), &error))
    }

    /// What the image adds to its base on `platform`.
    fn parts(
        &self,
        spec: &ImageSpec,
        platform: Platform,
        walker: &Walker,
    ) -> Result<PlatformParts, Fault> {
        let workspaces = self.workspaces();
        let workspace = workspaces.for_platform(platform);
        let own = workspace.subsystems[&spec.name].image.as_ref();
        let own = own.unwrap_or_else(|| image(workspaces, &spec.name));
        let mut layers = Vec::new();
        layers.extend(files_layer(workspaces.layout().root(), walker, &own.files)?);
        for name in needed(workspaces, &spec.name) {
            layers.push(self.binaries(&ArtifactId { name, platform })?);
        }
        Ok(PlatformParts { layers, settings: own.settings.clone() })
    }

    /// The layer of what is installed as `id`.
    fn binaries(&self, id: &ArtifactId) -> Result<LayerPlan, Fault> {
        let place = InstallPlace::for_artifact(self.workspaces().layout(), id);
        match inspect(&place, self.session.host.seal_key()) {
            Installed::Intact { record, .. } => binaries_layer(&place.folder, &record.stamp),
            _ => Err(Fault::new(
                Kind::Failed,
                format!("{id} vanished before it was put into an image"),
            )
            .hint("another forge may have removed it; run this again")),
        }
    }
}

/// The seconds since 1970 that `SOURCE_DATE_EPOCH` says.
fn epoch(text: &str) -> Result<u64, Fault> {
    text.trim().parse().map_err(|_| {
        Fault::new(Kind::Usage, format!("SOURCE_DATE_EPOCH is `{text}`, which is not a time"))
            .hint("it is a number of seconds since 1970: `git log -1 --format=%ct`")
    })
}

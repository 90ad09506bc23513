//! What images should be: fingerprints of what goes into them, and the digests of their bases.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    cache::Cache,
    image::{DockerContext, ImageSpec, PlatformInputs, files_digest, image_print, image_tag},
    model::{Fault, Fingerprint, Kind, Name, Platform, Sha256, oci::ImageReference},
    probe::{ArtifactSpec, Wants},
    store::{Registries, StoreSettings, Waits},
    walk::{LargeFiles, Walker},
    workspace::{Image, Workspaces},
};

use super::{
    super::{CliError, run::commits, session::Session},
    engine::images_of,
};

/// What images should be.
pub(in super::super) struct ImageWants {
    /// The workspace, for all platforms of images.
    pub(in super::super) workspaces: Arc<Workspaces>,
    /// Speaks to registries.
    pub(in super::super) registries: Registries,
    /// The images, or why that cannot be told.
    pub(in super::super) specs: BTreeMap<Name, Result<ImageSpec, Fault>>,
    /// The bases, pinned.
    pub(super) bases: BTreeMap<Name, ImageReference>,
    /// The digests of the images that Dockerfiles take from elsewhere, by how they are named.
    pub(super) from: BTreeMap<Name, BTreeMap<String, Sha256>>,
    /// The digests of both that `forge.lock` does not pin yet.
    pub(super) new_bases: BTreeMap<Name, BTreeMap<String, Sha256>>,
    /// Knows what of the workspace counts.
    pub(super) walker: Walker,
    /// The own artifacts of each, on the first of its platforms.
    pub(super) artifacts: BTreeMap<Name, ArtifactSpec>,
}

impl ImageWants {
    /// Finds out what the images of `names` should be.
    pub(in super::super) fn find(
        session: &Session,
        workspaces: Arc<Workspaces>,
        names: &BTreeSet<Name>,
    ) -> Result<Self, CliError> {
        let console = session.console();
        let waits = Waits(Arc::new(move |why| console.err(&format!("waiting: {why}\n"))));
        let settings = session.store_settings(workspaces.any());
        let registries = Registries::new(&StoreSettings { waits, ..settings });
        let (cache, _) = Cache::for_workspace(workspaces.layout());
        let large_files = Arc::new(cache.large_files());
        let mut wants = Self {
            walker: Walker::new(workspaces.layout()).with_large_files(large_files.clone()),
            from: BTreeMap::new(),
            workspaces,
            registries,
            specs: BTreeMap::new(),
            bases: BTreeMap::new(),
            new_bases: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        session.host.runtime()?.wait_for(wants.fill(session, names, &large_files))?;
        // They only save time: without them, the next run reads the files again.
        let _ = cache.keep_large_files(&large_files);
        Ok(wants)
    }

    async fn fill(
        &mut self,
        session: &Session,
        names: &BTreeSet<Name>,
        large_files: &Arc<LargeFiles>,
    ) -> Result<(), Fault> {
        let workspaces = self.workspaces.clone();
        let all: BTreeSet<Name> = names.iter().flat_map(|name| needed(&workspaces, name)).collect();
        let runner = session.host.runner(1);
        let commits = commits(session, &workspaces, &runner, &all).await?;
        let mut found: BTreeMap<Platform, Wants<'_>> = BTreeMap::new();
        for platform in workspaces.wanted() {
            let workspace = workspaces.for_platform(*platform);
            let wants = Wants::new(workspace, &commits, false, large_files.clone());
            found.insert(*platform, wants);
        }
        for name in names {
            let spec = match self.pin(session, name).await {
                Ok(()) => self.spec(name, &mut found),
                Err(fault) => Err(fault),
            };
            self.specs.insert(name.clone(), spec);
        }
        Ok(())
    }

    /// Pins what the image of `name` stands on, and what its Dockerfile takes from elsewhere.
    async fn pin(&mut self, session: &Session, name: &Name) -> Result<(), Fault> {
        let workspaces = self.workspaces.clone();
        let own = image(&workspaces, name);
        if let Some(base) = &own.base {
            let digest = self.digest(session, name, base).await?;
            self.bases.insert(name.clone(), base.pinned(digest));
        }
        let Some(dockerfile) = &own.dockerfile else { return Ok(()) };
        let context = DockerContext::find(workspaces.layout().root(), &self.walker, dockerfile)?;
        let images = images_of(&context, dockerfile, &own.platforms)?;
        let mut from = BTreeMap::new();
        for image in images.images() {
            from.insert(image.to_string(), self.digest(session, name, image).await?);
        }
        self.from.insert(name.clone(), from);
        Ok(())
    }

    /// The digest of `base`, on which the image of `name` stands: as locked, or as its registry says
    /// now.
    async fn digest(
        &mut self,
        session: &Session,
        name: &Name,
        base: &ImageReference,
    ) -> Result<Sha256, Fault> {
        if let Some(digest) = base.digest {
            return Ok(digest);
        }
        let written = base.to_string();
        let locked = self.workspaces.any().lock.subsystems.get(name);
        if let Some(digest) = locked.and_then(|locked| locked.bases.get(&written)) {
            return Ok(*digest);
        }
        let unpinned = |flag: &str| {
            Fault::new(Kind::Usage, format!("forge.lock does not pin the base {written} of {name}"))
                .because(format!("{flag} does not ask its registry"))
                .hint(format!("run `forge image {name}` without it, and commit forge.lock"))
        };
        if session.flags.locked || session.flags.offline {
            return Err(unpinned(if session.flags.locked { "--locked" } else { "--offline" }));
        }
        let found = self.registries.manifest(base).await?.ok_or_else(|| {
            Fault::new(Kind::Usage, format!("there is no image {written} for {name} to stand on"))
                .hint("look at `base:` and at its registry")
        })?;
        self.new_bases.entry(name.clone()).or_default().insert(written, found.digest);
        Ok(found.digest)
    }

    fn spec(
        &mut self,
        name: &Name,
        found: &mut BTreeMap<Platform, Wants<'_>>,
    ) -> Result<ImageSpec, Fault> {
        let workspaces = self.workspaces.clone();
        let root = workspaces.layout().root();
        let own = image(&workspaces, name);
        let platforms: Vec<Platform> =
            own.platforms.iter().copied().filter(|it| workspaces.wanted().contains(it)).collect();
        let (mut inputs, mut version) = (BTreeMap::new(), None);
        for platform in &platforms {
            let subsystems = &workspaces.for_platform(*platform).subsystems;
            let image = subsystems[name].image.as_ref().unwrap_or(own);
            let mut artifacts: BTreeMap<Name, Fingerprint> = BTreeMap::new();
            for part in needed(&workspaces, name) {
                let Some(wants) = found.get_mut(platform) else { continue };
                let spec = wants.spec_of(&part)?;
                artifacts.insert(part.clone(), spec.print().fingerprint);
                if part == *name {
                    version.get_or_insert(spec.version.clone());
                    self.artifacts.entry(part).or_insert(spec);
                }
            }
            let files = match &image.dockerfile {
                Some(dockerfile) => {
                    DockerContext::find(root, &self.walker, dockerfile)?.digest()?
                }
                None => files_digest(root, &self.walker, &image.files)?,
            };
            inputs.insert(*platform, PlatformInputs { image, files, artifacts });
        }
        let label = || workspaces.any().subsystems[name].version.label(None);
        let version = version.unwrap_or_else(label);
        let base = self.bases.get(name).and_then(|base| base.digest);
        let print = image_print(&inputs, base, self.from.get(name).unwrap_or(&BTreeMap::new()));
        Ok(ImageSpec {
            name: name.clone(),
            tag: image_tag(&version),
            version,
            repository: own.repo.clone(),
            also: own.also.clone(),
            platforms,
            print,
        })
    }
}

/// The image of `name`, as the first platform has it.
pub(super) fn image<'w>(workspaces: &'w Workspaces, name: &Name) -> &'w Image {
    let image = workspaces.any().subsystems[name].image.as_ref();
    image.expect("only subsystems with an image are asked for")
}

/// The subsystems whose binaries are in the image of `name`: those it is with, and its own.
pub(in super::super) fn needed(workspaces: &Workspaces, name: &Name) -> Vec<Name> {
    let subsystems = &workspaces.any().subsystems;
    let with = image(workspaces, name).with.iter();
    let all = with.filter(|part| *part != name).chain([name]);
    all.filter(|part| subsystems[*part].has_binaries()).cloned().collect()
}

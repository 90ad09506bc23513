//! One workspace for several platforms: resolved once for each that is worked for, and for
//! this machine's, on which the tools of a build have to run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Documents, LoadError, LoadInputs, Subsystem, Workspace};
use crate::model::{ArtifactId, Layout, Name, Platform};

/// Which platforms are worked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedPlatforms {
    /// This one.
    One(Platform),
    /// All that a complete release has: `platforms:` of the manifest.
    All,
    /// All that images are for.
    Images,
}

/// A workspace, resolved for several platforms.
#[derive(Clone, Debug)]
pub struct Workspaces {
    wanted: Vec<Platform>,
    all: BTreeMap<Platform, Workspace>,
}

impl Workspaces {
    /// Resolves `documents`, with what this invocation chooses.
    ///
    /// # Errors
    /// As [`Documents::resolve`].
    pub fn resolve(
        documents: &Documents,
        wanted: WantedPlatforms,
        outside: &LoadInputs,
    ) -> Result<Self, LoadError> {
        let host = Platform::host();
        let mut all = BTreeMap::from([(host, documents.resolve(host, outside)?)]);
        let wanted = match wanted {
            WantedPlatforms::One(platform) => vec![platform],
            WantedPlatforms::All => all[&host].platforms.clone(),
            WantedPlatforms::Images => image_platforms(&all[&host]),
        };
        for platform in wanted.iter().filter(|platform| **platform != host) {
            all.insert(*platform, documents.resolve(*platform, outside)?);
        }
        Ok(Self { wanted, all })
    }

    /// A workspace that was loaded already.
    pub fn of_one(workspace: Workspace) -> Self {
        let platform = workspace.platform;
        Self { wanted: vec![platform], all: BTreeMap::from([(platform, workspace)]) }
    }

    /// The platforms that are worked for.
    pub fn wanted(&self) -> &[Platform] {
        &self.wanted
    }

    /// Whether the workspace was loaded for `platform` too.
    pub fn knows(&self, platform: Platform) -> bool {
        self.all.contains_key(&platform)
    }

    /// The workspace as `platform` has it.
    ///
    /// # Panics
    /// Never: artifacts are only ever made for platforms that were loaded.
    pub fn for_platform(&self, platform: Platform) -> &Workspace {
        &self.all[&platform]
    }

    /// The same, which works for `platforms` alone. It has to know them.
    #[must_use]
    pub fn narrowed(&self, platforms: &[Platform]) -> Self {
        Self { wanted: platforms.to_vec(), all: self.all.clone() }
    }

    /// The workspace as the first platform that is worked for has it; names, groups, stores
    /// and lock are the same for all.
    pub fn any(&self) -> &Workspace {
        self.for_platform(self.wanted[0])
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.any().layout
    }

    /// The subsystem of an artifact, as the artifact's platform has it.
    pub fn subsystem(&self, id: &ArtifactId) -> &Subsystem {
        &self.for_platform(id.platform).subsystems[&id.name]
    }

    /// What must be ensured with `id`: for the same platform.
    pub fn needs(&self, id: &ArtifactId) -> impl Iterator<Item = ArtifactId> {
        let platform = id.platform;
        let needs = self.subsystem(id).needs.iter().filter(|name| self.has_binaries(name));
        needs.map(move |name| ArtifactId { name: name.clone(), platform })
    }

    /// Whether the subsystem called `name` yields binaries, on any platform.
    fn has_binaries(&self, name: &Name) -> bool {
        self.all.values().any(|workspace| workspace.subsystems[name].has_binaries())
    }

    /// Those of `names` whose binaries are released.
    pub fn with_released_binaries(&self, names: &BTreeSet<Name>) -> BTreeSet<Name> {
        let is_released =
            |name: &Name| self.all.values().any(|it| it.subsystems[name].releases_binaries());
        names.iter().filter(|name| is_released(name)).cloned().collect()
    }

    /// What `id` is built with: tools, which run on this machine.
    pub fn build_needs(&self, id: &ArtifactId) -> impl Iterator<Item = ArtifactId> {
        let tool = |name: &Name| ArtifactId { name: name.clone(), platform: Platform::host() };
        let needs = self.subsystem(id).build_needs.iter().filter(|name| self.has_binaries(name));
        needs.map(tool)
    }

    /// The artifacts of the subsystems called `names`, for every platform that is worked for.
    pub fn artifacts<'n>(
        &self,
        names: impl IntoIterator<Item = &'n Name>,
    ) -> impl Iterator<Item = ArtifactId> {
        names.into_iter().filter(|name| self.has_binaries(name)).flat_map(|name| {
            self.wanted
                .iter()
                .map(|platform| ArtifactId { name: name.clone(), platform: *platform })
        })
    }
}

/// What the images of `workspace` are for; this machine's platform if there are none.
fn image_platforms(workspace: &Workspace) -> Vec<Platform> {
    let images = workspace.subsystems.values().filter_map(|subsystem| subsystem.image.as_ref());
    let platforms: BTreeSet<Platform> =
        images.flat_map(|image| image.platforms.iter().copied()).collect();
    match platforms.is_empty() {
        true => vec![workspace.platform],
        false => platforms.into_iter().collect(),
    }
}

//! Jobs that make images.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fleet, Job, words};
use crate::{
    ci::quote::shell_word,
    model::{ArtifactId, Name, Platform},
};

/// An image that a job is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLoad {
    /// Its subsystem.
    pub name: Name,
    /// What it is for.
    pub platforms: BTreeSet<Platform>,
    /// The artifacts that go into it.
    pub parts: BTreeSet<ArtifactId>,
}

impl ImageLoad {
    /// Whether it is made of one of `artifacts`.
    pub(super) fn takes(&self, artifacts: &BTreeSet<ArtifactId>) -> bool {
        self.parts.iter().any(|part| artifacts.contains(part))
    }
}

impl Fleet<'_> {
    /// The job that makes `images`, and before them the `artifacts` that are released too.
    pub(super) fn image_job(
        &self,
        images: &[&ImageLoad],
        artifacts: &BTreeSet<ArtifactId>,
        seconds: &BTreeMap<ArtifactId, f64>,
        usual: f64,
    ) -> Job {
        let parts: BTreeSet<ArtifactId> =
            images.iter().flat_map(|image| &image.parts).chain(artifacts).cloned().collect();
        let names: BTreeSet<Name> = images.iter().map(|image| image.name.clone()).collect();
        let mut by_platform: BTreeMap<Platform, BTreeSet<Name>> = BTreeMap::new();
        for id in artifacts {
            by_platform.entry(id.platform).or_default().insert(id.name.clone());
        }
        let folder = self.folder.map(|folder| format!(" -C {}", shell_word(folder)));
        let folder = folder.unwrap_or_default();
        // What is built and tested for each platform before need not be once more.
        let is_built = names.iter().all(|name| by_platform.values().any(|all| all.contains(name)));
        let make = match is_built {
            true => format!("forge{folder} image {}", words(&names)),
            false => format!("forge{folder} ci {} --part --no-publish", words(&names)),
        };
        let push = format!("forge{folder} ci:release {} --part", words(&names));
        let with = |before: String, line: String| match before.is_empty() {
            true => line,
            false => format!("{before} && {line}"),
        };
        let known = parts.iter().map(|id| seconds.get(id).copied().unwrap_or(usual)).sum::<f64>();
        Job {
            name: format!("image {}", words(&names).replace(' ', ", ")),
            runner: self.runner_of_images(images, &parts),
            command: with(self.command("ci", " --part --no-publish", &by_platform), make),
            publish: with(self.command("ci:release", " --part", &by_platform), push),
            artifacts: by_platform,
            images: images.iter().map(|it| (it.name.clone(), it.platforms.clone())).collect(),
            seconds: if parts.is_empty() { usual } else { known },
        }
    }

    /// The runner for images: as for what goes into them; if that is nothing, that of a platform of theirs.
    fn runner_of_images(
        &self,
        images: &[&ImageLoad],
        parts: &BTreeSet<ArtifactId>,
    ) -> super::PlatformRunner {
        let first = images.iter().flat_map(|image| &image.platforms).next();
        match (parts.is_empty(), first) {
            (true, Some(platform)) => self.runner(*platform),
            _ => self.runner_of_all(parts),
        }
    }
}

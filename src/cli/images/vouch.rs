//! What is said of images that are pushed: who put them together and from what, and what is in them.

use std::path::{Path, PathBuf};

use crate::{
    cache::{InstallPlace, Installed, inspect},
    git,
    image::{ImageOrigin, ImagePart, ImageSources, ImageSpec, inventories},
    model::{
        ArtifactId, Fault, Layout,
        oci::{Descriptor, ImageReference},
    },
    provenance::{Dependency, StatementRun},
    store::ImageNote,
    workspace::{Source, Subsystem},
};

use super::{super::own, ImageWork, make::MadeImage, wants::needed};

/// The name of cargo's lock.
const CARGO_LOCK: &str = "Cargo.lock";

impl ImageWork<'_> {
    /// All that is said of the image `made`, each with what it is about.
    pub(super) async fn notes(
        &self,
        spec: &ImageSpec,
        made: &MadeImage,
    ) -> Result<Vec<(Descriptor, ImageNote)>, Fault> {
        let parts = self.parts_of(spec);
        let tool = format!("forge-{}", own::VERSION);
        let stages: Vec<_> = self.stages_of(spec).collect();
        let sources = ImageSources { base: made.base.as_ref(), stages: &stages, parts: &parts };
        let mut notes =
            tokio::task::block_in_place(|| inventories(spec, &made.assembled, sources, &tool))?;
        notes.push(self.statement(spec, made).await?);
        Ok(notes)
    }

    /// The statement of who put the image `made` together alone.
    pub(super) async fn statement(
        &self,
        spec: &ImageSpec,
        made: &MadeImage,
    ) -> Result<(Descriptor, ImageNote), Fault> {
        let (parts, bases) = (self.parts_of(spec), self.bases_of(spec));
        Ok(self.origin().await?.statement(spec, &made.assembled, &bases, &parts))
    }

    /// The images that the image of `spec` stands on: its base, and what its Dockerfile takes.
    fn bases_of(&self, spec: &ImageSpec) -> Vec<ImageReference> {
        self.wants.bases.get(&spec.name).cloned().into_iter().chain(self.stages_of(spec)).collect()
    }

    /// The images that the Dockerfile of `spec` takes.
    fn stages_of(&self, spec: &ImageSpec) -> impl Iterator<Item = ImageReference> {
        let from = self.wants.from.get(&spec.name).into_iter().flatten();
        from.filter_map(|(written, digest)| {
            written.parse().ok().map(|it: ImageReference| it.pinned(*digest))
        })
    }

    /// Who puts images together here.
    async fn origin(&self) -> Result<ImageOrigin, Fault> {
        let (session, workspaces) = (self.session, self.workspaces());
        let surroundings = session.surroundings();
        let state = git::state(&session.host.runner(1), workspaces.layout().root()).await?;
        // Of a tree with changes nothing is said: it is not what the commit holds.
        let workspace = state.filter(|state| state.is_clean).map(|state| {
            let url = surroundings.repository().or(state.origin).unwrap_or_default();
            Dependency::repository(&url, &state.commit)
        });
        Ok(ImageOrigin {
            project: workspaces.any().project.clone(),
            builder: surroundings.builder(),
            run: StatementRun {
                url: surroundings.run_url().map(str::to_owned),
                event: surroundings.event().map(str::to_owned),
                ..StatementRun::default()
            },
            workspace,
        })
    }

    /// The artifacts that are in the image, on all its platforms.
    fn parts_of(&self, spec: &ImageSpec) -> Vec<ImagePart> {
        let layout = self.workspaces().layout();
        let mut parts = Vec::new();
        for name in needed(self.workspaces(), &spec.name) {
            for platform in &spec.platforms {
                let workspace = self.workspaces().for_platform(*platform);
                let id = ArtifactId { name: name.clone(), platform: *platform };
                let place = InstallPlace::for_artifact(layout, &id);
                // What is not there any more was not taken from there either.
                let Installed::Intact { record, .. } =
                    inspect(&place, self.session.host.seal_key())
                else {
                    continue;
                };
                parts.push(ImagePart {
                    stamp: record.stamp,
                    folder: place.folder,
                    cargo_lock: cargo_lock(layout, &workspace.subsystems[&name]),
                });
            }
        }
        parts
    }
}

/// The `Cargo.lock` that `subsystem` is built by: of its own folder, or of one above it.
fn cargo_lock(layout: &Layout, subsystem: &Subsystem) -> Option<PathBuf> {
    let Source::Path { dir, .. } = &subsystem.source else { return None };
    subsystem.build.as_ref().filter(|build| build.preset == Some("cargo"))?;
    let root = layout.root();
    let folder = root.join(dir);
    let above = folder.ancestors().take_while(|folder| folder.starts_with(root));
    above.map(|folder: &Path| folder.join(CARGO_LOCK)).find(|path| path.is_file())
}

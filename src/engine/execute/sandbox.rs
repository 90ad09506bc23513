//! What a build may write to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    process::{Sandbox, SandboxBase, can_sandbox, temporary_folders, toolchain_caches},
    store::StoreUrl,
    workspace::{Build, Places, Source, Subsystem},
};

use super::Context;

impl Context {
    /// What `build` may write to; everything, if there is no sandbox for it. `dir` is where it runs,
    /// `temporary` the folder for its temporary files.
    pub(super) fn sandbox(
        &self,
        subsystem: &Subsystem,
        build: &Build,
        places: &Places,
        dir: &Path,
        temporary: &Path,
    ) -> Option<Sandbox> {
        let base = self.sandbox_of(build)?;
        let mut own = vec![places.out.clone(), places.work.clone(), temporary.to_owned()];
        let mut in_workspace = vec![dir.to_owned()];
        match subsystem.source {
            Source::Path { .. } => in_workspace.push(places.src.clone()),
            _ => own.push(places.src.clone()),
        }
        in_workspace.dedup();
        Some(base.sandbox(own, &in_workspace))
    }

    /// What the sandboxes of this run have in common, if the commands of `build` run in one.
    pub(super) fn sandbox_of(&self, build: &Build) -> Option<&Arc<SandboxBase>> {
        let base = build.is_sandboxed.then(|| {
            self.sandbox_base
                .get_or_init(|| can_sandbox().then(|| Arc::new(self.new_sandbox_base())))
        });
        base?.as_ref()
    }

    fn new_sandbox_base(&self) -> SandboxBase {
        let root = self.workspaces.layout().root().to_owned();
        let environment = self.runner.environment();
        let (caches, temporary) = (toolchain_caches(environment), temporary_folders(environment));
        // The user's home may be in a folder for temporary files, as the workspace may.
        let homes: Vec<PathBuf> =
            [root.clone()].into_iter().chain(environment.path("HOME")).collect();
        SandboxBase::new(&self.protected()).with(&caches, &[root]).with(&temporary, &homes)
    }

    /// What no build may write to.
    fn protected(&self) -> Vec<PathBuf> {
        let layout = self.workspaces.layout();
        let stores = self.workspaces.any().stores.iter();
        let folders = stores.filter_map(|url| match StoreUrl::parse(url) {
            Ok(StoreUrl::Dir(folder)) => Some(layout.root().join(folder)),
            _ => None,
        });
        let own = [layout.forge(), layout.root().join(".git"), self.cache.root().to_owned()];
        let data = layout.user().data().ok().map(Path::to_owned);
        own.into_iter().chain(data).chain(folders).collect()
    }
}

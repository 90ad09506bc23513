//! What a build may write to.

use std::path::{Path, PathBuf};

use crate::{
    process::{Sandbox, can_sandbox, temporary_folders, toolchain_caches},
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
        if !is_sandboxed(build) {
            return None;
        }
        let mut own = vec![places.out.clone(), places.work.clone(), temporary.to_owned()];
        let mut in_workspace = vec![dir.to_owned()];
        match subsystem.source {
            Source::Path { .. } => in_workspace.push(places.src.clone()),
            _ => own.push(places.src.clone()),
        }
        let environment = self.runner.environment();
        let caches = self.toolchain_caches.get_or_init(|| toolchain_caches(environment));
        let mut protected = self.protected();
        let sandbox = Sandbox::new(own).with(&in_workspace, &protected);
        protected.push(places.root.clone());
        let sandbox = sandbox.with(caches, &protected);
        // The user's home may be in a folder for temporary files, as the workspace may.
        protected.extend(environment.path("HOME"));
        Some(sandbox.with(&temporary_folders(environment), &protected))
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

/// Whether the commands of `build` run in a sandbox.
pub(super) fn is_sandboxed(build: &Build) -> bool {
    build.is_sandboxed && can_sandbox()
}

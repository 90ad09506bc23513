//! What the places of templates are, and which variables are inherited, for commands that run beside
//! what is installed.

use std::collections::BTreeSet;

use super::{Places, RemoteSettings, Source, Workspace};
use crate::{
    model::{ArtifactId, Name},
    process::Inherit,
};

impl Workspace {
    /// What a task or service inherits of the environment that names `passed` in `pass_env:`.
    pub fn inherit(&self, passed: &BTreeSet<String>) -> Inherit {
        let uses_s3 = self.stores.iter().any(|store| store.starts_with("s3:"));
        let remote = self.remote.iter().flat_map(RemoteSettings::variables);
        Inherit::of_task(passed, uses_s3).without(remote.filter(|name| !passed.contains(*name)))
    }

    /// What the places are for a task or service: those of its subsystem as it is installed here,
    /// or those of the workspace itself.
    pub fn places(&self, subsystem: Option<&Name>) -> Places {
        let layout = &self.layout;
        let workspace_itself =
            Places { root: layout.root().to_owned(), bin: layout.bin(), ..Places::default() };
        let Some(name) = subsystem else { return workspace_itself };
        let id = ArtifactId { name: name.clone(), platform: self.platform };
        let locked = self.lock.subsystems.get(name);
        Places {
            src: match &self.subsystems[name].source {
                Source::Path { dir, .. } => layout.root().join(dir),
                _ => layout.source(&id),
            },
            out: layout.installed_artifact(&id),
            work: layout.work(&id),
            commit: locked.and_then(|locked| locked.commit.clone()).unwrap_or_default(),
            ..workspace_itself
        }
    }
}

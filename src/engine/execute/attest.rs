//! What is said beside an asset of who built it and from what: its provenance.

use std::collections::BTreeMap;

use crate::{
    cache::{ArtifactRecord, Made},
    git,
    model::{Fault, Sha256},
    probe::ArtifactSpec,
    provenance::{Builder, Dependency, Statement},
    workspace::{Source, UpstreamDigest},
};

use super::Context;

impl Context {
    /// The statement about an asset that was made here; none for what was made elsewhere, of
    /// which this machine cannot speak.
    pub(super) async fn statement(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
        sha256: Sha256,
    ) -> Result<Option<String>, Fault> {
        let Some(made) = &record.made else { return Ok(None) };
        let project = &self.workspaces.any().project;
        let builder = Builder::new(made.builder.clone());
        let mut statement = Statement::new(project, &record.stamp, &want.asset, sha256, builder);
        statement.dependencies = self.dependencies(want, record, made).await?;
        statement.run.url.clone_from(&made.run_url);
        statement.run.event.clone_from(&made.event);
        statement.run.sandbox.clone_from(&made.sandbox);
        statement.run.worker.clone_from(&made.worker);
        statement.run.started_on = Some(made.started_on.clone());
        statement.run.finished_on = Some(made.finished_on.clone());
        Ok(Some(statement.line()))
    }

    /// What went in: the workspace, the source, the tools.
    async fn dependencies(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
        made: &Made,
    ) -> Result<Vec<Dependency>, Fault> {
        let mut all: Vec<Dependency> = self.workspace_commit().await?.into_iter().collect();
        let subsystem = self.workspaces.subsystem(&want.id);
        let is_from_vendor =
            want.upstream.as_ref().is_some_and(|p| p.fingerprint == record.stamp.fingerprint);
        match (&subsystem.source, &subsystem.upstream) {
            (_, Some(upstream)) if is_from_vendor => all.extend(match &upstream.digest {
                UpstreamDigest::Pinned(digest) => Some(Dependency::file(&upstream.url, *digest)),
                UpstreamDigest::Published(_) => None,
            }),
            (Source::Git { url, .. }, _) => {
                let commit = record.stamp.commit.as_deref();
                all.extend(commit.map(|commit| Dependency::repository(url, commit)));
            }
            (Source::Archive { url, digest, .. }, _) => all.push(Dependency::file(url, *digest)),
            (Source::Path { .. } | Source::None, _) => {}
        }
        all.extend(made.tools.iter().map(|(tool, version)| Dependency::tool(tool, version)));
        Ok(all)
    }

    /// The workspace's repository and commit. Of a tree with changes nothing is said: it is not
    /// what the commit holds.
    async fn workspace_commit(&self) -> Result<Option<Dependency>, Fault> {
        let ask = || async { git::state(&*self.runner, self.workspaces.layout().root()).await };
        let state = self.state.get_or_try_init(ask).await?.clone();
        Ok(state.filter(|state| state.is_clean).map(|state| {
            let url = self.surroundings.repository().or(state.origin).unwrap_or_default();
            Dependency::repository(&url, &state.commit)
        }))
    }

    /// What each tool of a build says of its version. Each is asked once in a run.
    pub(super) async fn tool_versions(
        &self,
        id: &crate::model::ArtifactId,
        build: &crate::workspace::Build,
    ) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for tool in build.tools.keys() {
            let known = self.versions.known(tool);
            let version = match known {
                Some(version) => version,
                None => self.versions.learn(tool, self.version_line(id, build, tool).await),
            };
            versions.insert(tool.clone(), version);
        }
        versions
    }
}

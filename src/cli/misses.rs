//! What no release holds: what the jobs of a run have to make, and what is missing afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    cache::Cache,
    ci::matrix::Fleet,
    model::{ArtifactId, Fault},
    probe::{Finding, ProbeOptions, Prober, Verdict},
    report::render_warning,
    store::Store,
    workspace::Workspaces,
};

use super::session::{Session, Stores};

/// Who looks for what is missing.
pub(super) struct MissSearch<'a> {
    pub(super) session: &'a Session,
    pub(super) workspaces: &'a Workspaces,
    pub(super) stores: &'a Stores,
    cache: Cache,
}

impl<'a> MissSearch<'a> {
    pub(super) fn new(
        session: &'a Session,
        workspaces: &'a Workspaces,
        stores: &'a Stores,
    ) -> Self {
        Self { session, workspaces, stores, cache: Cache::for_workspace(workspaces.layout()).0 }
    }

    /// Those of `wanted` that no release holds, and what has to be made for them too, as far as no
    /// release holds that either.
    ///
    /// # Errors
    /// Why it cannot be told of one of them: an error is not a miss.
    pub(super) async fn to_make(
        &self,
        fleet: &Fleet<'_>,
        wanted: BTreeSet<ArtifactId>,
    ) -> Result<BTreeSet<ArtifactId>, Fault> {
        let mut misses = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let (mut frontier, mut is_wanted) = (wanted, true);
        while !frontier.is_empty() {
            let mut next = BTreeSet::new();
            for (id, finding) in self.ask_stores(&frontier).await? {
                let is_miss = is_to_make(&finding);
                // Of what can be had, only that is needed which somebody has to make.
                let needs = match is_miss {
                    true => fleet.needs(self.workspaces, &id),
                    false if is_wanted => BTreeSet::new(),
                    false => self.workspaces.needs(&id).collect(),
                };
                let known = needs.into_iter().filter(|need| self.workspaces.knows(need.platform));
                next.extend(known);
                if is_miss {
                    misses.insert(id.clone());
                    self.warn(&finding);
                }
                seen.insert(id);
            }
            next.retain(|id| !seen.contains(id));
            (frontier, is_wanted) = (next, false);
        }
        Ok(misses)
    }

    /// Those of `wanted` that nobody can download, each with the reason.
    pub(super) async fn to_release(
        &self,
        wanted: &BTreeSet<ArtifactId>,
    ) -> Result<BTreeMap<ArtifactId, Finding>, Fault> {
        let found = self.ask_stores(wanted).await?;
        let is_due = |id: &ArtifactId, finding: &Finding| {
            // Changed code has a release of its own only where versions are made.
            let has_scheme = self.workspaces.subsystem(id).scheme.is_some();
            finding.publish || (has_scheme && finding.taken_in.is_some())
        };
        Ok(found.into_iter().filter(|(id, finding)| is_due(id, finding)).collect())
    }

    async fn ask_stores(
        &self,
        ids: &BTreeSet<ArtifactId>,
    ) -> Result<BTreeMap<ArtifactId, Finding>, Fault> {
        let stores: &[Arc<dyn Store>] = &self.stores.all;
        let options = ProbeOptions {
            offline: self.session.flags.offline,
            publish: true,
            private_store: self.stores.private,
            classes: self.session.surroundings().classes(false),
            ..ProbeOptions::default()
        };
        let commits = BTreeMap::new();
        let prober = Prober {
            workspaces: self.workspaces,
            commits: &commits,
            cache: &self.cache,
            large_files: Arc::new(self.cache.large_files()),
            stores,
            remote: None,
            options,
        };
        let mut findings = prober.probe(ids).await.findings;
        findings.retain(|id, _| ids.contains(id));
        findings.into_iter().map(|(id, finding)| Ok((id, finding?))).collect()
    }

    fn warn(&self, finding: &Finding) {
        for warning in &finding.warnings {
            self.session.console().err(&render_warning(None, warning, self.session.stderr_style()));
        }
    }
}

/// Whether a job has something to do for it: to build, to take from its vendor, to publish.
fn is_to_make(finding: &Finding) -> bool {
    finding.publish || matches!(finding.verdict, Verdict::Build | Verdict::Upstream)
}

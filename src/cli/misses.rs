//! What stores say of artifacts: what the jobs of a run have to make, and what is missing afterwards. What
//! lies on this machine is no evidence for or against that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    cache::Cache,
    ci::matrix::Fleet,
    model::{ArtifactId, Fault},
    probe::{Finding, ProbeOptions, Prober, Verdict, not_asked},
    report::render_warning,
    store::Store,
    workspace::Workspaces,
};

use super::session::{Session, Stores};

/// What is not released as it is in the workspace.
#[derive(Default)]
pub(super) struct Unreleased {
    /// What nobody can download.
    pub(super) missing: BTreeMap<ArtifactId, Finding>,
    /// Code that has changed since its version was released: the release holds what it was then.
    pub(super) others: BTreeMap<ArtifactId, Finding>,
}

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

    /// Those of `wanted` that nobody can download.
    ///
    /// # Errors
    /// As [`Self::to_make`].
    pub(super) async fn to_release(
        &self,
        wanted: &BTreeSet<ArtifactId>,
    ) -> Result<Unreleased, Fault> {
        let mut unreleased = Unreleased::default();
        for (id, finding) in self.ask_stores(wanted).await? {
            // Changed code has a release of its own only where versions are made.
            let has_scheme = self.workspaces.subsystem(&id).scheme.is_some();
            let is_other = finding.taken.is_some();
            if finding.publish || (has_scheme && is_other) {
                unreleased.missing.insert(id, finding);
            } else if is_other {
                unreleased.others.insert(id, finding);
            }
        }
        Ok(unreleased)
    }

    async fn ask_stores(
        &self,
        ids: &BTreeSet<ArtifactId>,
    ) -> Result<BTreeMap<ArtifactId, Finding>, Fault> {
        let told = |(id, finding): (ArtifactId, Result<Finding, Fault>)| {
            let finding = finding?;
            match &finding.unasked {
                Some(store) => Err(not_asked(&finding.want.tag, store)),
                None => Ok((id, finding)),
            }
        };
        self.findings(ids).await.into_iter().map(told).collect()
    }

    /// What the stores say of each of `ids`.
    pub(super) async fn findings(
        &self,
        ids: &BTreeSet<ArtifactId>,
    ) -> BTreeMap<ArtifactId, Result<Finding, Fault>> {
        let stores: &[Arc<dyn Store>] = &self.stores.all;
        let options = ProbeOptions {
            offline: self.session.flags.offline,
            publish: true,
            stores_only: true,
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
        findings
    }

    /// Tells what the owner of an artifact should know.
    pub(super) fn warn(&self, finding: &Finding) {
        for warning in &finding.warnings {
            self.session.console().err(&render_warning(None, warning, self.session.stderr_style()));
        }
    }
}

/// Whether a job has something to do for it: to build, to take from its vendor, to publish.
fn is_to_make(finding: &Finding) -> bool {
    finding.publish || matches!(finding.verdict, Verdict::Build | Verdict::Upstream)
}

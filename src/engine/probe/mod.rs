//! Looking before leaping: for each wanted artifact, what is installed, cached,
//! released, or has to be built, and why. Reads; never writes, never runs anything.
//!
//! ```text
//! fresh ─ no ─▶ cached ─ no ─▶ released ─ confirmed absence ─▶ upstream ─ none ─▶ remote ─▶ build
//!                                 │ doubt (timeout, 403, 5xx, HTML)
//!                                 ▼
//!                               fault: an error is never taken for a miss
//! ```
//!
//! A hit prunes: only what has to be built makes its `build_needs` wanted, so on a
//! warm project no toolchain is ever looked for.

mod accept;
mod attested;
mod beyond;
mod header;
mod known;
mod leftover;
mod look;
mod pinned;
mod released;
mod remote;
mod shared;
mod snapshot;
mod sources;
mod tree;
mod trust;
mod use_rules;
mod want;
mod withdraw;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use rayon::prelude::*;

use crate::{
    cache::{ArtifactRecord, Cache, CacheKey, KnownRelease},
    model::{ArtifactId, Fault, Name, Platform, Revision},
    provenance::Classes,
    store::Store,
    walk::LargeFiles,
    workspace::Workspaces,
};

pub use accept::{Acceptance, accept, accept_installed};
pub use attested::attested_builder;
pub use beyond::{Own, linked, walk_sources};
pub use header::check_header;
pub use known::{KnownArtifact, Recheck};
pub use leftover::leftovers;
use look::InstalledState;
pub use look::{NOT_ASKED, not_asked};
pub use released::{is_remote, read_stamp};
pub use remote::{RemoteAnswer, RemoteHit, RemoteLookup};
pub use shared::upstream_key;
pub use snapshot::{Snapshot, SnapshotBasis, SnapshotInput, SnapshotLook, SnapshotPlace};
pub use sources::{changed_sources, keep_sources};
pub use tree::SourceTreeState;
pub use trust::{builder_of_asset, distrust, trusted_repositories};
pub use use_rules::UseRules;
pub use want::{ArtifactSpec, RecipePrint, Wants};
pub use withdraw::withdraw_distrusted;

/// How many artifacts are looked at in stores at once.
const LOOKS_AT_ONCE: usize = 16;

/// Below this many places, threads cost more than they save.
const MANY_PLACES: usize = 64;

/// What is wanted, and what is installed of it; nothing of what is built in any case.
type WantAndState = (ArtifactSpec, Option<InstalledState>);

/// Who looks, and where.
pub struct Prober<'a> {
    /// What is wanted, resolved.
    pub workspaces: &'a Workspaces,
    /// Commits of moving refs, as locked or just resolved.
    pub commits: &'a BTreeMap<Name, String>,
    /// The user's cache.
    pub cache: &'a Cache,
    /// What is known of large source files.
    pub large_files: Arc<LargeFiles>,
    /// The project's releases, in order.
    pub stores: &'a [Arc<dyn Store>],
    /// The cache that machines share, if there is one.
    pub remote: Option<&'a dyn RemoteLookup>,
    /// What the command line asked for.
    pub options: ProbeOptions,
}

/// What the command line says about looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProbeOptions {
    /// Whether somebody works on the code: that it differs from its release is nothing to warn of.
    pub is_inner_loop: bool,
    /// Build what was asked for by name even if it could be had otherwise.
    pub force: bool,
    /// Do not touch the network.
    pub offline: bool,
    /// Nothing counts that is not pinned.
    pub locked: bool,
    /// What the first store lacks is to be published there.
    pub publish: bool,
    /// A release counts only if it was made by exactly the recipe that the spec has now.
    pub exact: bool,
    /// The stores are the embedded default: a cache of this user, not the project's releases.
    pub private_store: bool,
    /// Only what stores say counts: what this machine has of an artifact is no evidence that it is released,
    /// or that it is not.
    pub stores_only: bool,
    /// What the run is, and whose work it uses.
    pub classes: Classes,
}

/// How an artifact can be had.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is installed and verified.
    Fresh {
        /// What is known of it.
        record: ArtifactRecord,
        /// Whether links or record need repair.
        repair: bool,
    },
    /// It is in the user's cache.
    Cached {
        /// What is known of it.
        record: ArtifactRecord,
        /// Under which key.
        key: CacheKey,
    },
    /// A release has it.
    Released {
        /// Which store, by its place in the list.
        store: usize,
        /// Which release of the version.
        revision: Revision,
    },
    /// The vendor has it.
    Upstream,
    /// A remote cache has it, and its files are here.
    Remote(RemoteHit),
    /// It has to be built.
    Build,
}

/// What looking at one artifact found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wanted.
    pub want: ArtifactSpec,
    /// How it can be had.
    pub verdict: Verdict,
    /// Why so: one sentence without a full stop.
    pub reason: String,
    /// Where it was looked for, and what was found there.
    pub looked: Vec<(String, String)>,
    /// What its owner should know.
    pub warnings: Vec<Fault>,
    /// Whether it should be published to the first store.
    pub publish: bool,
    /// What the first store holds under this version, if that is another artifact.
    pub taken: Option<KnownRelease>,
    /// A store that might have it and was not asked: that it is in no release is not known then.
    pub unasked: Option<String>,
}

/// What looking at all wanted artifacts found.
#[derive(Debug, Default)]
pub struct Probed {
    /// Per artifact, a finding or why there can be none.
    pub findings: BTreeMap<ArtifactId, Result<Finding, Fault>>,
    /// What is installed though the manifest names it no longer; only if all was asked for.
    pub leftovers: Vec<ArtifactId>,
    /// The files and folders of in-repo sources that were read, with whose they are if they are of one alone.
    pub source_inputs: Vec<(PathBuf, Option<Name>)>,
}

impl Probed {
    /// What has to be built.
    pub fn builds(&self) -> impl Iterator<Item = &ArtifactId> {
        let is_build = |finding: &Result<Finding, Fault>| matches!(finding, Ok(finding) if matches!(finding.verdict, Verdict::Build));
        self.findings.iter().filter(move |(_, finding)| is_build(finding)).map(|(id, _)| id)
    }
}

impl Prober<'_> {
    /// Looks for `requested` and everything that they turn out to need.
    pub async fn probe(&self, requested: &BTreeSet<ArtifactId>) -> Probed {
        let mut wants = HashMap::new();
        let mut probed = Probed::default();
        let mut frontier = self.with_needs(requested.clone());
        while !frontier.is_empty() {
            let looks: Vec<_> = self
                .with_installed(self.wants_of(&frontier, &mut wants), requested)
                .into_iter()
                .map(|(id, want)| self.look_for(id, want))
                .collect();
            let mut found: Vec<_> =
                stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await;
            self.look_in_remote(&mut found, requested).await;
            let misses: BTreeSet<ArtifactId> = found
                .iter()
                .filter(
                    |(_, finding)| matches!(finding, Ok(f) if matches!(f.verdict, Verdict::Build)),
                )
                .flat_map(|(id, _)| self.workspaces.build_needs(id))
                .collect();
            probed.findings.extend(found);
            frontier = self.with_needs(misses);
            frontier.retain(|id| !probed.findings.contains_key(id));
        }
        let workspace = self.workspaces.any();
        let all = workspace.subsystems.keys();
        if !workspace.is_part && self.workspaces.artifacts(all).all(|id| requested.contains(&id)) {
            probed.leftovers = leftovers(workspace);
        }
        probed.source_inputs = wants.values().flat_map(Wants::source_inputs).collect();
        probed
    }

    /// What `ids` should be; per platform, their sources are read in one go.
    fn wants_of<'a>(
        &'a self,
        ids: &BTreeSet<ArtifactId>,
        wants: &mut HashMap<Platform, Wants<'a>>,
    ) -> Vec<(ArtifactId, Result<ArtifactSpec, Fault>)> {
        let platforms: BTreeSet<Platform> = ids.iter().map(|id| id.platform).collect();
        let mut all = Vec::new();
        for platform in platforms {
            let workspace = self.workspaces.for_platform(platform);
            let wants = wants.entry(platform).or_insert_with(|| {
                let strict = self.options.exact || self.options.private_store;
                Wants::new(workspace, self.commits, strict, self.large_files.clone())
            });
            let names = ids.iter().filter(|id| id.platform == platform).map(|id| &id.name);
            let wanted = wants.of_all(names).into_iter();
            all.extend(wanted.map(|(name, want)| (ArtifactId { name, platform }, want)));
        }
        all
    }

    /// Looks at what is installed of each of `wants`, side by side; not at what is built in any case.
    fn with_installed(
        &self,
        wants: Vec<(ArtifactId, Result<ArtifactSpec, Fault>)>,
        requested: &BTreeSet<ArtifactId>,
    ) -> Vec<(ArtifactId, Result<WantAndState, Fault>)> {
        let is_forced = |id: &ArtifactId| {
            self.options.stores_only || self.options.force && requested.contains(id)
        };
        let look = |(id, want): (ArtifactId, Result<ArtifactSpec, Fault>)| {
            let state = |id| (!is_forced(id)).then(|| self.look_at_place(id));
            let both = want.map(|want| (want, state(&id)));
            (id, both)
        };
        match wants.len() {
            ..MANY_PLACES => wants.into_iter().map(look).collect(),
            _ => wants.into_par_iter().map(look).collect(),
        }
    }

    async fn look_for(
        &self,
        id: ArtifactId,
        want: Result<WantAndState, Fault>,
    ) -> (ArtifactId, Result<Finding, Fault>) {
        let finding = match want {
            Ok((want, installed)) => self.probe_artifact(want, installed).await,
            Err(fault) => Err(fault),
        };
        (id, finding)
    }

    /// `ids` and all that they need, however indirectly.
    fn with_needs(&self, ids: BTreeSet<ArtifactId>) -> BTreeSet<ArtifactId> {
        let mut all = BTreeSet::new();
        let mut rest: Vec<ArtifactId> = ids.into_iter().collect();
        while let Some(id) = rest.pop() {
            rest.extend(self.workspaces.needs(&id).filter(|need| !all.contains(need)));
            all.insert(id);
        }
        all
    }
}

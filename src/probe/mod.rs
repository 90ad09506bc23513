//! Looking before leaping: for each wanted artifact, what is installed, cached,
//! released, or has to be built, and why. Reads; never writes, never runs anything.
//!
//! ```text
//! fresh ─ no ─▶ cached ─ no ─▶ released ─ confirmed absence ─▶ upstream ─ none ─▶ build
//!                                 │ doubt (timeout, 403, 5xx, HTML)
//!                                 ▼
//!                               fault: an error is never taken for a miss
//! ```
//!
//! A hit prunes: only what has to be built makes its `build_needs` wanted, so on a
//! warm project no toolchain is ever looked for.

mod accept;
mod leftover;
mod look;
mod snapshot;
mod tree;
mod trust;
mod want;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use futures_util::{StreamExt, stream};

use crate::{
    cache::{Cache, Record, Release},
    model::{ArtifactId, Fault, Name},
    store::Store,
    workspace::Workspace,
};

pub use accept::{Acceptance, accept};
pub use leftover::leftovers;
pub use look::is_remote;
pub use snapshot::{Row, Snapshot};
pub use tree::{Grounds, Tree, walk};
pub use trust::{distrust, trusted_repositories};
pub use want::{Print, Want, Wants};

/// How many artifacts are looked at in stores at once.
const LOOKS_AT_ONCE: usize = 16;

/// Who looks, and where.
pub struct Prober<'a> {
    /// What is wanted, resolved.
    pub workspace: &'a Workspace,
    /// Commits of moving refs, as locked or just resolved.
    pub commits: &'a BTreeMap<Name, String>,
    /// The user's cache.
    pub cache: &'a Cache,
    /// The project's releases, in order.
    pub stores: &'a [Arc<dyn Store>],
    /// What the command line asked for.
    pub options: Options,
}

/// What the command line says about looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Build what was asked for by name even if it could be had otherwise.
    pub force: bool,
    /// Do not touch the network.
    pub offline: bool,
    /// What the first store lacks is to be published there.
    pub publish: bool,
    /// The stores are the embedded default: a cache of this user, not the project's releases.
    pub private_store: bool,
}

/// How an artifact can be had.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is installed and proven.
    Fresh {
        /// What is known of it.
        record: Record,
        /// Whether links or record need repair.
        repair: bool,
    },
    /// It is in the user's cache.
    Cached {
        /// What is known of it.
        record: Record,
    },
    /// A release has it.
    Released {
        /// Which store, by its place in the list.
        store: usize,
    },
    /// The vendor has it.
    Upstream,
    /// It has to be built.
    Build,
}

/// What looking at one artifact found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wanted.
    pub want: Want,
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
    /// The first store, if that holds another artifact under this version.
    pub taken_in: Option<String>,
}

impl Finding {
    /// What is known of the release before anything is published.
    pub fn taken(&self) -> Option<Release> {
        self.taken_in.as_ref().map(|store| Release::HoldsOther { store: store.clone() })
    }
}

/// What looking at all wanted artifacts found.
#[derive(Debug, Default)]
pub struct Probed {
    /// Per subsystem, a finding or why there can be none.
    pub findings: BTreeMap<Name, Result<Finding, Fault>>,
    /// What is installed though the manifest names it no longer; only if all was asked for.
    pub leftovers: Vec<ArtifactId>,
    /// The files and folders of in-repo sources that were read.
    pub source_inputs: Vec<PathBuf>,
}

impl Prober<'_> {
    /// Looks for `requested` and everything that they turn out to need.
    pub async fn probe(&self, requested: &BTreeSet<Name>) -> Probed {
        let mut wants = Wants::new(self.workspace, self.commits, self.options.private_store);
        let mut probed = Probed::default();
        let mut frontier = self.with_needs(requested.clone());
        while !frontier.is_empty() {
            let looks: Vec<_> = wants
                .of_all(&frontier)
                .into_iter()
                .map(|(name, want)| self.look_for(name, want, requested))
                .collect();
            let found: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await;
            let misses: BTreeSet<Name> = found
                .iter()
                .filter(
                    |(_, finding)| matches!(finding, Ok(f) if matches!(f.verdict, Verdict::Build)),
                )
                .flat_map(|(name, _)| self.workspace.subsystems[name].build_needs.clone())
                .collect();
            probed.findings.extend(found);
            frontier = self.with_needs(misses);
            frontier.retain(|name| !probed.findings.contains_key(name));
        }
        if requested.len() == self.workspace.subsystems.len() {
            probed.leftovers = leftovers(self.workspace);
        }
        probed.source_inputs = wants.source_inputs();
        probed
    }

    async fn look_for(
        &self,
        name: Name,
        want: Result<Want, Fault>,
        requested: &BTreeSet<Name>,
    ) -> (Name, Result<Finding, Fault>) {
        let force = self.options.force && requested.contains(&name);
        let finding = match want {
            Ok(want) => self.look(want, force).await,
            Err(fault) => Err(fault),
        };
        (name, finding)
    }

    /// `names` and all that they need, however indirectly.
    fn with_needs(&self, names: BTreeSet<Name>) -> BTreeSet<Name> {
        let mut all = BTreeSet::new();
        let mut rest: Vec<Name> = names.into_iter().collect();
        while let Some(name) = rest.pop() {
            if all.insert(name.clone()) {
                rest.extend(self.workspace.subsystems[&name].needs.iter().cloned());
            }
        }
        all
    }
}

//! What a remote cache has of what would be built: the port that is asked, all at once and before anything that
//! building needs is looked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;

use super::{Finding, Prober, Verdict, want::ArtifactSpec};
use crate::{
    disk::Staging,
    model::{ArtifactId, Fault, Stamp},
};

/// The port to a cache that machines share.
#[async_trait]
pub trait RemoteLookup: Send + Sync {
    /// What the cache is called, for people.
    fn label(&self) -> String;

    /// What it has of `wants`, each of which would be built. Trouble is an answer, never a fault.
    async fn look_up(&self, wants: &[&ArtifactSpec]) -> BTreeMap<ArtifactId, RemoteAnswer>;
}

/// What a remote cache said of one artifact.
#[derive(Debug, Default)]
pub struct RemoteAnswer {
    /// What was found, in words.
    pub found: String,
    /// The artifact.
    pub hit: Option<RemoteHit>,
    /// What its owner should know.
    pub warning: Option<Fault>,
}

/// An artifact that came from a remote cache: complete, and compared with its digests.
#[derive(Clone, Debug)]
pub struct RemoteHit {
    /// Its stamp.
    pub stamp: Stamp,
    /// The folder with its binaries.
    pub staging: Arc<Staging>,
    /// The cache, as records name it.
    pub cache: String,
    /// Who built it, as the cache says.
    pub builder: Option<String>,
}

impl Prober<'_> {
    /// Asks the remote cache for what of `found` would be built; not for what was asked to be built.
    pub(super) async fn look_in_remote(
        &self,
        found: &mut [(ArtifactId, Result<Finding, Fault>)],
        requested: &BTreeSet<ArtifactId>,
    ) {
        let Some(remote) = self.remote else { return };
        let is_asked = |id: &ArtifactId, finding: &Finding| {
            let is_forced = self.options.force && requested.contains(id);
            matches!(finding.verdict, Verdict::Build) && !is_forced
        };
        let wants: Vec<&ArtifactSpec> = (found.iter())
            .filter_map(|(id, finding)| Some((id, finding.as_ref().ok()?)))
            .filter(|(id, finding)| is_asked(id, finding))
            .map(|(_, finding)| &finding.want)
            .collect();
        if wants.is_empty() {
            return;
        }
        let mut answers = remote.look_up(&wants).await;
        for (id, finding) in found.iter_mut() {
            let (Some(answer), Ok(finding)) = (answers.remove(id), finding) else { continue };
            finding.looked.push((remote.label(), answer.found));
            finding.warnings.extend(answer.warning);
            if let Some(hit) = answer.hit {
                finding.reason = format!("{} has it", remote.label());
                finding.verdict = Verdict::Remote(hit);
                finding.publish = false;
            }
        }
    }
}

//! Is what is on this machine pinned? With `--locked` nothing else is taken, wherever it lies: what
//! would not be fetched or built counts no more because an earlier run, without `--locked`, did it.

use crate::{
    cache::ArtifactRecord,
    workspace::{Source, Subsystem, UpstreamDigest},
};

use super::want::{ArtifactSpec, RecipePrint};

/// What forge.lock lacks for the artifact of `record` to be pinned; none if it is. In a private store
/// lies what this user's forge put there: its assets are in no lock.
pub(super) fn unpinned(
    subsystem: &Subsystem,
    want: &ArtifactSpec,
    record: &ArtifactRecord,
    private_store: bool,
) -> Option<String> {
    let is_by = |print: &Option<RecipePrint>| {
        print.as_ref().is_some_and(|print| print.fingerprint == record.stamp.fingerprint)
    };
    if record.made.is_none() {
        let is_pinned = want.locked.is_some() || private_store;
        return (!is_pinned).then(|| format!("forge.lock has no digest of {}", want.tag));
    }
    let digest = subsystem.upstream.as_ref().map(|upstream| &upstream.digest);
    if is_by(&want.upstream) && !is_by(&want.build) {
        let is_locked =
            want.locked_upstream.is_some() || want.locked.is_some() && record.asset().is_some();
        let is_pinned = is_locked || !matches!(digest, Some(UpstreamDigest::Published(_)));
        return (!is_pinned).then(|| "forge.lock has no digest of the vendor's asset".into());
    }
    let is_pinned = !matches!(subsystem.source, Source::Git { .. }) || want.commit.is_some();
    (!is_pinned).then(|| "forge.lock has no commit of its source".into())
}

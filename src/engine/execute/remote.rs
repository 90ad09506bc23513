//! Installing what came from a remote cache. It does not go into this user's cache, which other workspaces take from.

use crate::{
    cache::ArtifactRecord,
    model::{Fault, How},
    probe::{Finding, RemoteHit},
    provenance::RunClass,
};

use super::{Context, Done};

impl Context {
    /// Installs `hit`, whose files were compared with their digests when they came.
    pub(super) fn take_remote(&self, finding: &Finding, hit: &RemoteHit) -> Result<Done, Fault> {
        let record = ArtifactRecord {
            // Whatever is made with it is not published either.
            class: RunClass::Untrusted,
            builder: hit.builder.clone(),
            remote: Some(hit.cache.clone()),
            ..self.new_record(hit.stamp.clone(), None, None)
        };
        let record = self.install(&finding.want, &hit.staging, record)?;
        Ok(Done::new(How::Remote, record))
    }
}

//! May this run use an artifact that is on this machine? One decision for what is installed, what is
//! cached, and what another forge installed while this run waited.

use crate::{
    cache::ArtifactRecord, model::LockedAsset, provenance::RunClass, workspace::Workspaces,
};

use super::{Acceptance, accept, accept_installed, distrust, pinned::unpinned, want::ArtifactSpec};

/// What a run asks of an artifact on this machine before it uses it.
#[derive(Clone, Copy)]
pub struct UseRules<'a> {
    /// What is wanted, resolved.
    pub workspaces: &'a Workspaces,
    /// The lowest class of runs whose work this run uses.
    pub takes: RunClass,
    /// Whether releases were asked for, which hold only what was built.
    pub exact: bool,
    /// Whether only what is pinned may be used (`--locked`).
    pub locked: bool,
    /// Whether the store is this user's own, so that its assets are not releases of the project.
    pub private_store: bool,
}

impl UseRules<'_> {
    /// Whether the installed artifact of `record` may be used; `is_ours` as in [`accept_installed`].
    pub fn judge_installed(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
        is_ours: bool,
    ) -> Acceptance {
        self.judge(want, record, || match self.private_store {
            true => {
                let record = ArtifactRecord { release: None, ..record.clone() };
                accept_installed(want, &record, is_ours)
            }
            false => accept_installed(want, record, is_ours),
        })
    }

    /// Whether the cached artifact of `record` may be used.
    pub fn judge_cached(&self, want: &ArtifactSpec, record: &ArtifactRecord) -> Acceptance {
        self.judge(want, record, || accept(want, &record.stamp, self.release_of(record)))
    }

    /// The asset that `record` names, if it is one of the project's releases.
    fn release_of<'r>(&self, record: &'r ArtifactRecord) -> Option<&'r LockedAsset> {
        record.asset().filter(|_| !self.private_store)
    }

    fn judge(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
        is_wanted: impl FnOnce() -> Acceptance,
    ) -> Acceptance {
        let workspace = self.workspaces.any();
        if self.exact
            && let Some(server) = &record.remote
        {
            let why = format!("it came from the remote cache {server}, which is never released");
            return Acceptance::No(format!("not trusted: {why}"));
        }
        if let Some(why) = distrust(workspace, record, want.locked.as_ref(), self.takes) {
            return Acceptance::No(format!("not trusted: {why}"));
        }
        let subsystem = self.workspaces.subsystem(&want.id);
        if self.locked
            && let Some(why) = unpinned(subsystem, want, record, self.private_store)
        {
            return Acceptance::No(format!("not pinned: {why}"));
        }
        match is_wanted() {
            Acceptance::No(why) => Acceptance::No(format!("not the pinned one: {why}")),
            accepted => accepted,
        }
    }
}

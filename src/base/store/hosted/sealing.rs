//! Releases that become visible when they are complete: drafts until then.

use super::{Hosted, HostedAsset, HostedRelease, ReleaseHost};
use crate::{
    model::Fault,
    store::{StoreRelease, Upload, retry::RetryPolicy},
};

/// What became of an attempt to make a draft visible.
pub(super) enum SealOutcome {
    Visible,
    /// These are missing.
    Waiting(Vec<String>),
    /// The draft is gone, or others agreed on another release.
    Elsewhere,
}

impl<H: ReleaseHost> Hosted<H> {
    /// Makes the draft `target` visible if everything is there. What is `ours` is, also if the list
    /// lags behind.
    pub(super) async fn seal(
        &self,
        target: &HostedRelease,
        release: &StoreRelease,
        upload: &Upload,
        ours: &[String],
    ) -> Result<SealOutcome, Fault> {
        if self.host.is_superseded(target, ours).await? {
            return Ok(SealOutcome::Elsewhere);
        }
        let Some(mut assets) = self.host.assets(target).await? else {
            return Ok(SealOutcome::Elsewhere);
        };
        let mut missing = wanted(release, upload);
        assets.retain(|asset| asset.is_whole() && missing.contains(&asset.name));
        missing
            .retain(|name| !ours.contains(name) && !assets.iter().any(|asset| asset.name == *name));
        match missing.is_empty() {
            true => self.publish_draft(target, release, &assets).await,
            false => Ok(SealOutcome::Waiting(missing)),
        }
    }

    async fn publish_draft(
        &self,
        target: &HostedRelease,
        release: &StoreRelease,
        assets: &[HostedAsset],
    ) -> Result<SealOutcome, Fault> {
        let api = self.host.api();
        let call = self.host.publication(target, release, assets).await?;
        let mut retry = RetryPolicy::new(api.settings());
        loop {
            let Err(failure) = api.change(&call).await else { return Ok(SealOutcome::Visible) };
            // Perhaps only the answer was lost, or somebody else was faster.
            match self.host.renewed(target, assets).await? {
                Some(now) if !now.draft => return Ok(SealOutcome::Visible),
                Some(_) => retry.pause(failure).await?,
                None => return Ok(SealOutcome::Elsewhere),
            }
        }
    }
}

/// All that makes `release` complete: each asset with what stands beside it, which is the same
/// for all, and so the same as for `upload`.
fn wanted(release: &StoreRelease, upload: &Upload) -> Vec<String> {
    let beside: Vec<_> =
        upload.sidecars.iter().filter_map(|(name, _)| name.strip_prefix(&upload.asset)).collect();
    let mut assets = release.expected.clone();
    if !assets.contains(&upload.asset) {
        assets.push(upload.asset.clone());
    }
    let mut wanted: Vec<_> = assets
        .iter()
        .flat_map(|asset| beside.iter().map(move |end| format!("{asset}{end}")))
        .chain(assets.iter().cloned())
        .collect();
    wanted.sort();
    wanted
}

//! Drafts, which are not unique: several machines may create one each for the same tag. All agree
//! on the first one, the lowest identifier; who created another removes it.
//!
//! ```text
//! none ── POST draft ── list ── ours is first ──> fill ── all there ── PATCH ──> visible
//!                         └── another is first ── delete ours, go on with that one
//! ```

use std::time::{Duration, Instant};

use super::{GitHub, HostedRelease, ReleaseHost};
use crate::{
    model::Fault,
    store::{StoreRelease, retry::RetryPolicy},
};

/// How many pages of the newest releases are searched for drafts, which no other call finds.
/// A draft is new, and thousands of releases are not read for it.
const DRAFT_PAGES: usize = 3;

/// What a list says of a tag.
pub(super) struct ListedTag {
    /// The release that everybody sees.
    pub(super) visible: Option<HostedRelease>,
    /// Those that are not published, the first one first. There should be one at most, but the
    /// host does not see to that.
    pub(super) drafts: Vec<HostedRelease>,
}

impl ListedTag {
    /// The release that all agree on: the visible one, or else the first draft.
    pub(super) fn agreed(self) -> Option<HostedRelease> {
        self.visible.or_else(|| self.drafts.into_iter().next())
    }

    /// Whether that is another one than the draft `target`.
    pub(super) fn is_agreed_elsewhere(&self, target: &HostedRelease) -> bool {
        self.visible.as_ref().is_some_and(|visible| visible.id != target.id)
            || self.drafts.first().is_some_and(|first| first.id < target.id)
    }
}

impl GitHub {
    /// What the newest releases say of `tag`.
    pub(super) async fn listed(&self, tag: &str) -> Result<ListedTag, Fault> {
        let mut listed = self.listed_releases(DRAFT_PAGES).await?;
        listed.retain(|release| release.tag_name == tag);
        listed.sort_by_key(|release| release.id);
        let (drafts, mut visible): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|release| release.draft);
        Ok(ListedTag { visible: visible.pop(), drafts })
    }

    /// The release of the tag, if it is visible already, or else the draft that all agree on.
    pub(super) async fn draft(&self, release: &StoreRelease) -> Result<HostedRelease, Fault> {
        if let Some(visible) = self.release(&release.tag, Duration::ZERO).await? {
            return Ok(visible);
        }
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            if let Some(agreed) = self.listed(&release.tag).await?.agreed() {
                return Ok(agreed);
            }
            match self.create(release, true).await {
                Ok(Some(own)) => return self.agree(own).await,
                Ok(None) => {}
                // If only the answer was lost, the list shows the draft.
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    /// The draft that all agree on, after we created `own`.
    async fn agree(&self, own: HostedRelease) -> Result<HostedRelease, Fault> {
        let tempo = self.api.tempo();
        let since = Instant::now();
        loop {
            let listed = self.listed(&own.tag_name).await?;
            let is_listed = listed.drafts.iter().any(|draft| draft.id == own.id);
            match listed.agreed() {
                Some(agreed) if agreed.id != own.id => {
                    self.withdraw(&own).await?;
                    return Ok(agreed);
                }
                // Whoever came at the same time is listed by now too.
                _ if is_listed || since.elapsed() > tempo.settling => return Ok(own),
                _ => tokio::time::sleep(tempo.look).await,
            }
        }
    }

    pub(super) async fn withdraw(&self, draft: &HostedRelease) -> Result<(), Fault> {
        self.api.delete(self.place(draft)).await
    }

    /// Removes drafts of a release that is visible: what those who were stopped left behind.
    /// Only if nothing is in them that the release has not.
    pub(super) async fn remove_leftovers(&self, tag: &str) -> Result<(), Fault> {
        let ListedTag { visible: Some(visible), drafts } = self.listed(tag).await? else {
            return Ok(());
        };
        for draft in drafts {
            if draft.assets.iter().all(|asset| visible.asset(&asset.name).is_some()) {
                self.withdraw(&draft).await?;
            }
        }
        Ok(())
    }
}

//! The release that assets go into: created, or found by those who came second.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::{
    GitHub, refusal,
    wire::{NewRelease, WireAsset, WireRelease},
};
use crate::{
    model::{Fault, Kind},
    store::{
        Mode, StoreRelease,
        call::ApiRequest,
        retry::{AttemptFailure, RetryPolicy},
    },
};

/// How many pages of the newest releases are searched for drafts, which no other call finds.
/// A draft is new, and thousands of releases are not read for it.
const DRAFT_PAGES: usize = 3;

/// A release as a place for assets.
#[derive(Clone, Debug)]
pub(super) struct ReleaseTarget {
    pub(super) id: u64,
    pub(super) upload_url: String,
    pub(super) is_draft: bool,
    /// What was seen there; there may be more by now.
    seen: Vec<WireAsset>,
}

impl ReleaseTarget {
    pub(super) fn of(release: WireRelease) -> Self {
        let WireRelease { id, upload_url, draft, assets, .. } = release;
        Self { id, upload_url, is_draft: draft, seen: assets }
    }

    /// The whole asset called `name`, if it was seen.
    pub(super) fn asset(&self, name: &str) -> Option<&WireAsset> {
        self.seen.iter().find(|asset| asset.name == name && asset.is_whole())
    }

    /// The same with nothing seen, to be remembered while others write too.
    pub(super) fn unseen(&self) -> Self {
        Self { seen: Vec::new(), ..self.clone() }
    }
}

/// What a list says of a tag.
pub(super) struct ListedTag {
    /// The release that everybody sees.
    pub(super) visible: Option<WireRelease>,
    /// Those that are not published, the first one first. There should be one at most, but the
    /// host does not see to that.
    pub(super) drafts: Vec<WireRelease>,
}

impl ListedTag {
    /// The release that all agree on: the visible one, or else the first draft.
    pub(super) fn agreed(self) -> Option<WireRelease> {
        self.visible.or_else(|| self.drafts.into_iter().next())
    }
}

/// What became of an attempt to create a release.
pub(super) enum Creation {
    Created(WireRelease),
    /// There is one of that tag already.
    Taken,
}

impl GitHub {
    /// The release to put assets into.
    pub(super) async fn target(
        &self,
        release: &StoreRelease,
        mode: Mode,
    ) -> Result<ReleaseTarget, Fault> {
        match mode {
            Mode::Sealed => self.draft(release).await,
            Mode::Append | Mode::Detected => self.visible(release).await,
        }
        .map(ReleaseTarget::of)
    }

    /// The visible release, created now or by somebody else before.
    async fn visible(&self, release: &StoreRelease) -> Result<WireRelease, Fault> {
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            match self.create(release, false).await {
                Ok(Creation::Created(created)) => return Ok(created),
                Ok(Creation::Taken) => return self.appears(&release.tag).await,
                // If only the answer was lost, the next attempt is told so.
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    /// Tries to create `release`, once.
    pub(super) async fn create(
        &self,
        release: &StoreRelease,
        draft: bool,
    ) -> Result<Creation, AttemptFailure> {
        let call = ApiRequest::new(Method::POST, self.api.resource(&["releases"]))
            .json(&NewRelease::of(release, draft));
        let reply = self.api.write(call.clone()).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(Creation::Created),
            _ if refusal::is_taken(&reply) => Ok(Creation::Taken),
            // The release may still be there: then that is the better answer.
            _ if refusal::is_burned(&reply) && self.is_visible(release).await? => {
                Ok(Creation::Taken)
            }
            _ => Err(self.refused(&call, &reply).await),
        }
    }

    async fn is_visible(&self, release: &StoreRelease) -> Result<bool, AttemptFailure> {
        let found = self.api.release(&release.tag, Duration::ZERO).await;
        found.map(|found| found.is_some()).map_err(AttemptFailure::never)
    }

    /// The release of `tag`, which is there, as soon as it can be seen.
    async fn appears(&self, tag: &str) -> Result<WireRelease, Fault> {
        let tempo = self.api.tempo();
        let since = Instant::now();
        loop {
            if let Some(release) = self.api.release(tag, Duration::ZERO).await? {
                return Ok(release);
            }
            if let Some(release) = self.listed(tag).await?.agreed() {
                return Ok(release);
            }
            if since.elapsed() > tempo.settling {
                let what = format!("the release {tag} is there, but cannot be seen");
                return Err(Fault::new(Kind::Store, what)
                    .because("the server refuses to create it again, and does not show it either")
                    .hint("run it again in a minute"));
            }
            tokio::time::sleep(tempo.look).await;
        }
    }

    /// What the newest releases say of `tag`.
    pub(super) async fn listed(&self, tag: &str) -> Result<ListedTag, Fault> {
        let mut listed = self.api.releases(DRAFT_PAGES).await?;
        listed.retain(|release| release.tag_name == tag);
        listed.sort_by_key(|release| release.id);
        let (mut drafts, mut visible) = (Vec::new(), None);
        for release in listed {
            match release.draft {
                true => drafts.push(release),
                false => visible = Some(release),
            }
        }
        Ok(ListedTag { visible, drafts })
    }
}

//! Releases that become visible when they are complete, and are locked from then on.
//!
//! Drafts are not unique: several machines may create one each for the same tag. All agree
//! on the first one, the lowest identifier; who created another removes it.
//!
//! ```text
//! none ── POST draft ── list ── ours is first ──> fill ── all there ── PATCH ──> visible
//!                         └── another is first ── delete ours, go on with that one
//! ```

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::{
    GitHub,
    target::{Creation, ListedTag, ReleaseTarget},
    wire::{DraftPublication, NotesUpdate, WireAsset, WireRelease},
};
use crate::{
    model::{Fault, Kind},
    store::{StoreRelease, Upload, call::ApiRequest, complete, retry::RetryPolicy},
};

/// What became of an attempt to make a draft visible.
pub(super) enum SealOutcome {
    Visible,
    /// These are missing.
    Waiting(Vec<String>),
    /// Others agreed on another release.
    Elsewhere,
}

impl GitHub {
    /// The release of the tag, if it is visible already, or else the draft that all agree on.
    pub(super) async fn draft(&self, release: &StoreRelease) -> Result<WireRelease, Fault> {
        if let Some(visible) = self.api.release(&release.tag, Duration::ZERO).await? {
            return Ok(visible);
        }
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            if let Some(agreed) = self.listed(&release.tag).await?.agreed() {
                return Ok(agreed);
            }
            match self.create(release, true).await {
                Ok(Creation::Created(own)) => return self.agree(own).await,
                Ok(Creation::Taken) => {}
                // If only the answer was lost, the list shows the draft.
                Err(failure) => retry.pause(failure).await?,
            }
        }
    }

    /// The draft that all agree on, after we created `own`.
    async fn agree(&self, own: WireRelease) -> Result<WireRelease, Fault> {
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

    async fn withdraw(&self, draft: &WireRelease) -> Result<(), Fault> {
        self.api.delete(&["releases", &draft.id.to_string()]).await
    }

    /// Makes the draft `target` visible if everything is there. `ours` is, as we know.
    pub(super) async fn seal(
        &self,
        target: &ReleaseTarget,
        release: &StoreRelease,
        upload: &Upload,
        ours: &[String],
    ) -> Result<SealOutcome, Fault> {
        let listed = self.listed(&release.tag).await?;
        if let Some(own) = listed.drafts.iter().find(|draft| draft.id == target.id)
            && is_agreed_elsewhere(&listed, target)
        {
            // Whoever else put something there moves it as well.
            if own.assets.iter().all(|asset| ours.contains(&asset.name)) {
                self.withdraw(own).await?;
            }
            return Ok(SealOutcome::Elsewhere);
        }
        let Some(assets) = self.api.assets(target.id, Duration::ZERO).await? else {
            return Ok(SealOutcome::Elsewhere);
        };
        let missing = missing(&complete::wanted(release, upload), ours, &assets);
        if !missing.is_empty() {
            return Ok(SealOutcome::Waiting(missing));
        }
        self.publish_draft(target, release).await
    }

    /// Replaces what the page of `release` says.
    pub(super) async fn rewrite_notes(&self, release: &StoreRelease) -> Result<bool, Fault> {
        let found = match self.api.release(&release.tag, Duration::ZERO).await? {
            Some(visible) => Some(visible),
            None => self.listed(&release.tag).await?.agreed(),
        };
        let Some(found) = found else {
            let what = format!("there is no release {} in {}", release.tag, self.url);
            return Err(Fault::new(Kind::Store, what));
        };
        let url = self.api.resource(&["releases", &found.id.to_string()]);
        let call = ApiRequest::new(Method::PATCH, url).json(&NotesUpdate::of(release));
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.api.write(call.clone()).await {
                Ok(reply) if reply.status == StatusCode::OK => return Ok(true),
                Ok(reply) => self.refused(&call, &reply).await,
                Err(failure) => failure,
            };
            retry.pause(failure).await?;
        }
    }

    async fn publish_draft(
        &self,
        target: &ReleaseTarget,
        release: &StoreRelease,
    ) -> Result<SealOutcome, Fault> {
        let url = self.api.resource(&["releases", &target.id.to_string()]);
        let call = ApiRequest::new(Method::PATCH, url.clone()).json(&DraftPublication::of(release));
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.api.write(call.clone()).await {
                Ok(reply) if reply.status == StatusCode::OK => return Ok(SealOutcome::Visible),
                Ok(reply) => self.refused(&call, &reply).await,
                Err(failure) => failure,
            };
            // Perhaps only the answer was lost, or somebody else was faster.
            match self.api.get::<WireRelease>(url.clone(), Duration::ZERO).await? {
                Some(now) if !now.draft => return Ok(SealOutcome::Visible),
                None => return Ok(SealOutcome::Elsewhere),
                Some(_) if self.listed(&release.tag).await?.visible.is_some() => {
                    return Ok(SealOutcome::Elsewhere);
                }
                Some(_) => retry.pause(failure).await?,
            }
        }
    }

    /// Removes drafts of a release that is visible: what those who were stopped left behind.
    /// Only if nothing is in them that the release has not.
    pub(super) async fn tidy(&self, tag: &str) -> Result<(), Fault> {
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

fn is_agreed_elsewhere(listed: &ListedTag, target: &ReleaseTarget) -> bool {
    listed.visible.as_ref().is_some_and(|visible| visible.id != target.id)
        || listed.drafts.first().is_some_and(|first| first.id < target.id)
}

/// What of `wanted` is not there. What is `ours` is, also if the list lags behind.
fn missing(wanted: &[String], ours: &[String], assets: &[WireAsset]) -> Vec<String> {
    let is_there = |name: &String| {
        ours.contains(name) || assets.iter().any(|asset| asset.name == *name && asset.is_whole())
    };
    wanted.iter().filter(|name| !is_there(name)).cloned().collect()
}

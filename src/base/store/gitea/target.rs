//! The release that assets go into: created, or found by those who came second. There is one
//! to a tag, and a draft is not an exception.

use reqwest::{Method, StatusCode};

use super::{
    Gitea, refusal,
    wire::{GiteaNewRelease, GiteaNotes, GiteaPublication, GiteaRelease},
};
use crate::{
    model::{Fault, Kind},
    store::{
        Mode, StoreRelease, Upload,
        call::ApiRequest,
        complete,
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
};

/// A release as a place for assets.
#[derive(Clone, Copy, Debug)]
pub(super) struct GiteaTarget {
    pub(super) id: u64,
    pub(super) is_draft: bool,
}

/// What became of an attempt to make a draft visible.
pub(super) enum GiteaSealOutcome {
    Visible,
    /// These are missing.
    Waiting(Vec<String>),
    /// The release is not there any more.
    Gone,
}

impl Gitea {
    /// The release to put assets into.
    pub(super) async fn target(&self, release: &StoreRelease) -> Result<GiteaTarget, Fault> {
        let branch = self.branch().await?;
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.create(release, &branch).await {
                Ok(Some(created)) => return Ok(GiteaTarget::of(&created)),
                Ok(None) => match self.api.release(&release.tag).await? {
                    Some(found) => return Ok(GiteaTarget::of(&found)),
                    None => unseen(&release.tag),
                },
                // Of several at once all but one fail so; the next attempt is told why.
                Err(failure) => failure,
            };
            retry.pause(failure).await?;
        }
    }

    /// Where the tag goes.
    async fn branch(&self) -> Result<String, Fault> {
        let repository = self.api.visible_repository().await?;
        // Asked of such a repository, the server says no more than that it failed.
        if repository.archived {
            return Err(refusal::archived(&self.url));
        }
        Ok(repository.default_branch)
    }

    /// Tries to create `release`, once; nothing if there is one of that tag already.
    async fn create(
        &self,
        release: &StoreRelease,
        branch: &str,
    ) -> Result<Option<GiteaRelease>, AttemptFailure> {
        let is_draft = release.mode == Mode::Sealed;
        let call = ApiRequest::new(Method::POST, self.api.resource(&["releases"]))
            .json(&GiteaNewRelease::of(release, branch, is_draft));
        let reply = self.api.write(call.clone()).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(Some),
            StatusCode::CONFLICT => Ok(None),
            _ => Err(self.api.refused(&call, &reply).await),
        }
    }

    /// Makes the draft `target` visible if everything is there.
    pub(super) async fn seal(
        &self,
        target: GiteaTarget,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<GiteaSealOutcome, Fault> {
        let Some(now) = self.api.release_by_id(target.id).await? else {
            return Ok(GiteaSealOutcome::Gone);
        };
        let mut missing = complete::wanted(release, upload);
        missing.retain(|name| now.asset(name).is_none());
        match missing.is_empty() {
            true => self.publish_draft(target).await,
            false => Ok(GiteaSealOutcome::Waiting(missing)),
        }
    }

    /// Replaces what the page of `release` says.
    pub(super) async fn rewrite_notes(&self, release: &StoreRelease) -> Result<bool, Fault> {
        let Some(found) = self.api.release(&release.tag).await? else {
            let what = format!("there is no release {} in {}", release.tag, self.url);
            return Err(Fault::new(Kind::Store, what));
        };
        let url = self.api.resource(&["releases", &found.id.to_string()]);
        let call = ApiRequest::new(Method::PATCH, url).json(&GiteaNotes { body: &release.notes });
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.api.write(call.clone()).await {
                Ok(reply) if reply.status == StatusCode::OK => return Ok(true),
                Ok(reply) => self.api.refused(&call, &reply).await,
                Err(failure) => failure,
            };
            retry.pause(failure).await?;
        }
    }

    async fn publish_draft(&self, target: GiteaTarget) -> Result<GiteaSealOutcome, Fault> {
        let url = self.api.resource(&["releases", &target.id.to_string()]);
        let call = ApiRequest::new(Method::PATCH, url).json(&GiteaPublication { draft: false });
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.api.write(call.clone()).await {
                Ok(reply) if reply.status == StatusCode::OK => {
                    return Ok(GiteaSealOutcome::Visible);
                }
                Ok(reply) => self.api.refused(&call, &reply).await,
                Err(failure) => failure,
            };
            // Perhaps only the answer was lost, or somebody else was faster.
            match self.api.release_by_id(target.id).await? {
                Some(now) if !now.draft => return Ok(GiteaSealOutcome::Visible),
                Some(_) => retry.pause(failure).await?,
                None => return Ok(GiteaSealOutcome::Gone),
            }
        }
    }
}

impl GiteaTarget {
    fn of(release: &GiteaRelease) -> Self {
        Self { id: release.id, is_draft: release.draft }
    }
}

fn unseen(tag: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("the release {tag} is there, but cannot be seen"))
        .because("the server refuses to create it again, and does not show it either")
        .hint("run it again in a minute");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

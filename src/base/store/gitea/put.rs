//! One asset on its way into a release.
//!
//! ```text
//! look ── one of that name ──────────────────────────────────> There
//!   │ none
//! POST ── 201 ──> read back ──> look ── ours is the first ───> Created
//!   │ no answer                  └───── another is ── delete ours ──> There
//!   └──> look again
//! ```
//!
//! Whoever sends at the same time is listed when our own bytes have come back, so that all
//! see the same first one.

use reqwest::{Method, StatusCode};

use super::{Gitea, target::GiteaTarget, wire::GiteaAsset};
use crate::{
    model::{Fault, Kind, Sha256},
    store::{
        call::ApiRequest,
        piece::Blob,
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
};

/// What became of a piece.
pub(super) enum GiteaPutOutcome {
    /// It was not there and now is.
    Created,
    /// Something of that name is there, with this digest.
    There(Sha256),
    /// The release is not there any more.
    Gone,
}

/// What stands under a name.
enum GiteaAssetState {
    Nothing,
    Taken(Sha256),
    Gone,
}

impl Gitea {
    /// Puts `piece` into the release `target`. What is there already stays.
    pub(super) async fn put(
        &self,
        target: GiteaTarget,
        piece: &Blob,
    ) -> Result<GiteaPutOutcome, Fault> {
        let mut retry = RetryPolicy::new(self.api.settings());
        let mut is_lost = false;
        loop {
            match self.standing(target, piece, is_lost).await? {
                GiteaAssetState::Gone => return Ok(GiteaPutOutcome::Gone),
                // If only the answer was lost, it is ours.
                GiteaAssetState::Taken(there) if is_lost && there == piece.sha256 => {
                    return Ok(GiteaPutOutcome::Created);
                }
                GiteaAssetState::Taken(there) => return Ok(GiteaPutOutcome::There(there)),
                GiteaAssetState::Nothing => {}
            }
            let failure = match self.attempt(target, piece).await {
                Ok(own) => match self.settle(target, piece, &own).await? {
                    Some(put) => return Ok(put),
                    None => vanished(&piece.name),
                },
                Err(failure) => {
                    is_lost = true;
                    failure
                }
            };
            retry.pause(failure).await?;
        }
    }

    async fn standing(
        &self,
        target: GiteaTarget,
        piece: &Blob,
        is_lost: bool,
    ) -> Result<GiteaAssetState, Fault> {
        let Some(release) = self.api.release_by_id(target.id).await? else {
            return Ok(GiteaAssetState::Gone);
        };
        let called = release.called(&piece.name);
        let [first, others @ ..] = called.as_slice() else { return Ok(GiteaAssetState::Nothing) };
        for other in others {
            // What was stored without our knowing; whoever else sent these bytes loses nothing.
            if is_lost && self.api.sha256(other).await? == Some(piece.sha256) {
                self.discard(target, other).await?;
            }
        }
        Ok(self.api.sha256(first).await?.map_or(GiteaAssetState::Nothing, GiteaAssetState::Taken))
    }

    /// What became of `own`, which was just stored; nothing if somebody took it away again.
    async fn settle(
        &self,
        target: GiteaTarget,
        piece: &Blob,
        own: &GiteaAsset,
    ) -> Result<Option<GiteaPutOutcome>, Fault> {
        if !self.read_back(target, piece, own).await? {
            return Ok(None);
        }
        let Some(release) = self.api.release_by_id(target.id).await? else {
            return Ok(Some(GiteaPutOutcome::Gone));
        };
        match release.asset(&piece.name) {
            Some(first) if first.id == own.id => Ok(Some(GiteaPutOutcome::Created)),
            Some(first) => {
                self.discard(target, own).await?;
                Ok(self.api.sha256(first).await?.map(GiteaPutOutcome::There))
            }
            None => Ok(None),
        }
    }

    /// Compares what was stored with what was sent. What is not the same goes away again. Answers
    /// whether it still is there.
    async fn read_back(
        &self,
        target: GiteaTarget,
        piece: &Blob,
        own: &GiteaAsset,
    ) -> Result<bool, Fault> {
        let Some(sha256) = self.api.sha256(own).await? else { return Ok(false) };
        if sha256 == piece.sha256 {
            return Ok(true);
        }
        let fault = piece.not_as_sent(own.size, sha256);
        match self.discard(target, own).await {
            Ok(()) => Err(fault.hint("it was removed again: run it again")),
            Err(why) => Err(fault
                .because(format!("and it could not be removed again: {why}"))
                .hint("remove it from the release by hand, and run it again")),
        }
    }

    async fn attempt(
        &self,
        target: GiteaTarget,
        piece: &Blob,
    ) -> Result<GiteaAsset, AttemptFailure> {
        let mut url = self.api.resource(&["releases", &target.id.to_string(), "assets"]);
        url.query_pairs_mut().append_pair("name", &piece.name);
        // Any other kind would be read as a form.
        let call = ApiRequest::new(Method::POST, url)
            .carrying(piece.content.clone(), "application/octet-stream");
        let reply = self.api.write(call.clone()).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call),
            _ => {
                let refused = self.api.refused(&call, &reply).await;
                let is_there =
                    self.api.release_by_id(target.id).await.map_err(AttemptFailure::never)?;
                // If it is gone, the next look says so.
                let again = if is_there.is_some() { refused.again } else { RetryDecision::Soon };
                Err(AttemptFailure { again, ..refused })
            }
        }
    }

    async fn discard(&self, target: GiteaTarget, asset: &GiteaAsset) -> Result<(), Fault> {
        let (release, asset) = (target.id.to_string(), asset.id.to_string());
        self.api.delete(&["releases", &release, "assets", &asset]).await
    }
}

fn vanished(name: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("{name} was stored and is gone again"))
        .because("somebody removes it while it is published")
        .hint("see who does, and run it again");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

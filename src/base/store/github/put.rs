//! One asset on its way into a release.
//!
//! ```text
//! POST ── 201 ──> read back ──> Created
//!   │ 422 already_exists, or no answer
//! list ── whole ──────────────────────────> There (Created, if only our answer was lost)
//!   │ ╲── half-made ── wait, delete ──┐
//!   └──── nothing ────────────────────┴──> POST
//! ```

use std::time::{Duration, Instant, SystemTime};

use reqwest::{Method, StatusCode};

use super::{GitHub, limits, refusal, target::ReleaseTarget, wire::WireAsset};
use crate::{
    model::{Fault, Kind, Sha256},
    store::{
        call::{ApiRequest, ApiResponse},
        file,
        piece::Blob,
        retry::{AttemptFailure, RetryDecision, RetryPolicy},
    },
};

/// An upload that is slower than this, in bytes a second, may be taken for one that was stopped;
/// it finds out and starts again.
const SLOWEST: u64 = 256 * 1024;

/// What became of it.
pub(super) enum PutOutcome {
    /// It was not there and now is.
    Created,
    /// Something of that name is there, whole.
    There(WireAsset),
    /// The release lets nobody add to it.
    Locked,
    /// The release is not there any more.
    Gone,
}

/// What an attempt came to.
enum UploadAttempt {
    Stored(WireAsset),
    Taken,
    Locked,
    Gone,
}

/// What stands under a name.
enum AssetState {
    Nothing,
    Whole(WireAsset),
    Gone,
}

impl GitHub {
    /// Puts `piece` into the release `target`. What is there already stays.
    pub(super) async fn put(
        &self,
        target: &ReleaseTarget,
        piece: &Blob,
    ) -> Result<PutOutcome, Fault> {
        if let Some(there) = target.asset(&piece.name) {
            // What is there stays for ever, so seeing it spares the attempt. That nothing is
            // there proves nothing: only the attempt does.
            return Ok(PutOutcome::There(there.clone()));
        }
        let mut retry = RetryPolicy::new(self.api.settings());
        loop {
            let failure = match self.attempt(target, piece).await {
                Ok(UploadAttempt::Stored(asset)) => {
                    return self.read_back(asset, piece).await.map(|()| PutOutcome::Created);
                }
                Ok(UploadAttempt::Locked) => return Ok(PutOutcome::Locked),
                Ok(UploadAttempt::Gone) => return Ok(PutOutcome::Gone),
                Ok(UploadAttempt::Taken) => None,
                Err(failure) => Some(failure),
            };
            let is_lost = failure.is_some();
            if let Some(failure) = failure {
                retry.pause(failure).await?;
            }
            match self.standing(target, piece, is_lost).await? {
                AssetState::Whole(asset)
                    if is_lost && self.sha256(&asset).await? == piece.sha256 =>
                {
                    return Ok(PutOutcome::Created);
                }
                AssetState::Whole(asset) => return Ok(PutOutcome::There(asset)),
                AssetState::Gone => return Ok(PutOutcome::Gone),
                AssetState::Nothing if is_lost => {}
                // It was half-made, or is not listed yet.
                AssetState::Nothing => retry.pause(unlisted(&piece.name)).await?,
            }
        }
    }

    async fn attempt(
        &self,
        target: &ReleaseTarget,
        piece: &Blob,
    ) -> Result<UploadAttempt, AttemptFailure> {
        let url =
            self.api.host.upload(&target.upload_url, &piece.name).map_err(AttemptFailure::never)?;
        let call =
            ApiRequest::new(Method::POST, url).carrying(piece.content.clone(), kind(&piece.name));
        let reply = self.api.write(call.clone()).await?;
        match reply.status {
            StatusCode::CREATED => reply.parse(&call).map(UploadAttempt::Stored),
            _ if refusal::is_taken(&reply) => Ok(UploadAttempt::Taken),
            _ if refusal::is_locked(&reply) => Ok(UploadAttempt::Locked),
            StatusCode::NOT_FOUND if self.is_gone(target).await? => Ok(UploadAttempt::Gone),
            // Somebody may have taken our half-made asset for a leftover.
            StatusCode::NOT_FOUND => {
                let refused = self.refused(&call, &reply).await;
                Err(AttemptFailure { again: RetryDecision::Later(None), ..refused })
            }
            _ => Err(self.refused(&call, &reply).await),
        }
    }

    /// Whether the release is not there any more; else a 404 is about something else.
    async fn is_gone(&self, target: &ReleaseTarget) -> Result<bool, AttemptFailure> {
        let assets =
            self.api.assets(target.id, Duration::ZERO).await.map_err(AttemptFailure::never)?;
        Ok(assets.is_none())
    }

    pub(super) async fn refused(&self, call: &ApiRequest, reply: &ApiResponse) -> AttemptFailure {
        refusal::failure(call, reply, &self.api.who().await)
    }

    /// What stands under the name of `piece`, once it is whole or gone. `is_ours`: a half-made one
    /// most likely is what our last attempt left.
    async fn standing(
        &self,
        target: &ReleaseTarget,
        piece: &Blob,
        is_ours: bool,
    ) -> Result<AssetState, Fault> {
        let name = &piece.name;
        let tempo = self.api.tempo();
        let since = Instant::now();
        let mut seen: Option<u64> = None;
        loop {
            let Some(assets) = self.api.assets(target.id, Duration::ZERO).await? else {
                return Ok(AssetState::Gone);
            };
            let Some(asset) = assets.into_iter().find(|asset| asset.name == *name) else {
                return Ok(AssetState::Nothing);
            };
            if asset.is_whole() {
                return Ok(AssetState::Whole(asset));
            }
            if *seen.get_or_insert(asset.id) != asset.id {
                // Somebody else gave up on the first one and is at it again.
                return Ok(AssetState::Nothing);
            }
            // A few looks at least: clocks differ, and what is looked at may be alive.
            let upload = tempo.upload + Duration::from_secs(piece.size / SLOWEST);
            let limit = if is_ours { Duration::ZERO } else { upload };
            let limit = limit.saturating_sub(age(&asset)).max(tempo.look * 3);
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                self.discard(&asset).await?;
                return Ok(AssetState::Nothing);
            }
            if since.elapsed() < tempo.look {
                let why = format!("{name} is half-made: somebody else uploads it, or was stopped");
                self.api.settings().waits.tell(left, &why);
            }
            tokio::time::sleep(left.min(tempo.look)).await;
        }
    }

    async fn discard(&self, asset: &WireAsset) -> Result<(), Fault> {
        self.api.delete(&["releases", "assets", &asset.id.to_string()]).await
    }

    /// Compares what was stored with what was sent. What is not the same goes away again.
    async fn read_back(&self, stored: WireAsset, piece: &Blob) -> Result<(), Fault> {
        let stored = self.settled(stored).await?;
        let sha256 = self.sha256(&stored).await?;
        if sha256 == piece.sha256 && stored.size == piece.size {
            return Ok(());
        }
        let fault = piece.not_as_sent(stored.size, sha256);
        match self.discard(&stored).await {
            Ok(()) => Err(fault.hint("it was removed again: run it again")),
            Err(why) => Err(fault
                .because(format!("and it could not be removed again: {why}"))
                .hint("remove it from the release by hand, and run it again")),
        }
    }

    /// `asset`, when it is whole.
    async fn settled(&self, mut asset: WireAsset) -> Result<WireAsset, Fault> {
        let tempo = self.api.tempo();
        let since = Instant::now();
        while !asset.is_whole() {
            if since.elapsed() > tempo.settling {
                let what = format!("{} was sent, but does not become whole", asset.name);
                return Err(Fault::new(Kind::Store, what)
                    .because(format!("its state still is `{}`", asset.state))
                    .hint("run it again in a few minutes"));
            }
            tokio::time::sleep(tempo.look).await;
            let url = self.api.resource(&["releases", "assets", &asset.id.to_string()]);
            if let Some(now) = self.api.get(url, Duration::ZERO).await? {
                asset = now;
            }
        }
        Ok(asset)
    }

    /// The digest of `asset`: as the host says, or else as its bytes say.
    pub(super) async fn sha256(&self, asset: &WireAsset) -> Result<Sha256, Fault> {
        if let Some(sha256) = asset.sha256() {
            return Ok(sha256);
        }
        let gone = || {
            Fault::new(Kind::Store, format!("cannot read {} back", asset.name))
                .because("it is not there any more")
        };
        file::digested(self.api.open(asset.id).await?.ok_or_else(gone)?).await
    }
}

/// How long ago an upload began.
fn age(asset: &WireAsset) -> Duration {
    let began = asset.created_at.as_deref().and_then(limits::time);
    began.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

fn unlisted(name: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("{name} cannot be uploaded"))
        .because("the server says that it is there already, and does not list it")
        .hint("run it again in a minute");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

/// The media type by the name's ending.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "gz" => "application/gzip",
        "zst" => "application/zstd",
        "zip" => "application/zip",
        "sha256" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

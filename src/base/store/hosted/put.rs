//! One asset on its way into a release.
//!
//! ```text
//! look ── whole ────────────────────────────> There (Created, if only our answer was lost)
//!   │ ╲── half-made ── wait, delete ──┐
//!   │ nothing  <──────────────────────┘
//! POST ── 201 ──> read back ──> ours is the first of its name ──> Created
//!   │ already there, or no answer └── another is ── delete ours ──> There
//!   └──> look again
//! ```
//!
//! Where names are unique the host decides by refusing the second one, and the first look is
//! spared. Elsewhere whoever sends at the same time is listed when our own bytes have come back, so
//! that all see the same first one.

use std::time::{Duration, Instant, SystemTime};

use super::{Hosted, HostedAsset, HostedRelease, ReleaseHost, host::UploadAttempt, limits};
use crate::{
    model::{Fault, Kind, Sha256},
    store::{
        blob::Blob,
        file,
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
    /// Something of that name is there, whole, with this digest.
    There(Sha256),
    /// The release lets nobody add to it.
    Locked,
    /// The release is not there any more.
    Gone,
}

/// What stands under a name.
enum AssetState {
    Nothing,
    Whole(HostedAsset),
    Gone,
}

impl<H: ReleaseHost> Hosted<H> {
    /// Puts `blob` into the release `target`. What is there already stays.
    pub(super) async fn put(
        &self,
        target: &HostedRelease,
        blob: &Blob,
    ) -> Result<PutOutcome, Fault> {
        let mut retry = RetryPolicy::new(self.host.api().settings());
        let mut is_lost = false;
        let mut state = self.first_look(target, blob).await?;
        loop {
            match state {
                AssetState::Gone => return Ok(PutOutcome::Gone),
                AssetState::Whole(asset) => match self.sha256(&asset).await? {
                    // If only the answer was lost, it is ours.
                    Some(there) if is_lost && there == blob.sha256 => {
                        return Ok(PutOutcome::Created);
                    }
                    Some(there) => return Ok(PutOutcome::There(there)),
                    None => retry.pause(vanished(&blob.name)).await?,
                },
                AssetState::Nothing => {}
            }
            let attempt = self.host.upload(target, blob).await;
            is_lost = attempt.is_err();
            let next = match attempt {
                Ok(UploadAttempt::Locked) => return Ok(PutOutcome::Locked),
                Ok(UploadAttempt::Stored(own)) => match self.settle(target, blob, own).await? {
                    Some(put) => return Ok(put),
                    None => vanished(&blob.name),
                },
                Ok(UploadAttempt::Taken) => unlisted(&blob.name),
                Err(failure) => {
                    // What is refused may be about a release that somebody removed.
                    let is_final = failure.again == RetryDecision::Never;
                    if is_final && matches!(self.host.assets(target).await, Ok(None)) {
                        return Ok(PutOutcome::Gone);
                    }
                    retry.pause(failure).await?;
                    state = self.state(target, blob, true).await?;
                    continue;
                }
            };
            state = self.state(target, blob, false).await?;
            if matches!(state, AssetState::Nothing) {
                retry.pause(next).await?;
            }
        }
    }

    /// What is there before the first attempt. What is there stays for ever, so seeing it spares
    /// the attempt. That nothing is there proves nothing where names are unique: only the attempt
    /// does.
    async fn first_look(&self, target: &HostedRelease, blob: &Blob) -> Result<AssetState, Fault> {
        match self.host.has_unique_names() {
            true => {
                Ok(target.asset(&blob.name).cloned().map_or(AssetState::Nothing, AssetState::Whole))
            }
            false => self.state(target, blob, false).await,
        }
    }

    /// What stands under the name of `blob`, once it is whole or gone. `is_ours`: our last attempt
    /// most likely left what is half-made, or what was stored without our knowing.
    async fn state(
        &self,
        target: &HostedRelease,
        blob: &Blob,
        is_ours: bool,
    ) -> Result<AssetState, Fault> {
        let tempo = self.host.api().tempo();
        let since = Instant::now();
        let mut seen: Option<u64> = None;
        loop {
            let Some(mut called) = self.host.assets(target).await? else {
                return Ok(AssetState::Gone);
            };
            called.retain(|asset| asset.name == blob.name);
            called.sort_by_key(|asset| asset.id);
            let mut called = called.into_iter();
            let Some(asset) = called.next() else { return Ok(AssetState::Nothing) };
            for other in called {
                // Whoever else sent these bytes loses nothing.
                if is_ours && self.sha256(&other).await? == Some(blob.sha256) {
                    self.host.discard(target, &other).await?;
                }
            }
            if asset.is_whole() {
                return Ok(AssetState::Whole(asset));
            }
            if *seen.get_or_insert(asset.id) != asset.id {
                // Somebody else gave up on the first one and is at it again.
                return Ok(AssetState::Nothing);
            }
            // A few looks at least: clocks differ, and what is looked at may be alive.
            let upload = tempo.upload + Duration::from_secs(blob.size / SLOWEST);
            let limit = if is_ours { Duration::ZERO } else { upload };
            let limit = limit.saturating_sub(age(&asset)).max(tempo.look * 3);
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                self.host.discard(target, &asset).await?;
                return Ok(AssetState::Nothing);
            }
            if since.elapsed() < tempo.look {
                let name = &blob.name;
                let why = format!("{name} is half-made: somebody else uploads it, or was stopped");
                self.host.api().settings().waits.report(left, &why);
            }
            tokio::time::sleep(left.min(tempo.look)).await;
        }
    }

    /// What became of `own`, which was just stored; nothing if somebody took it away again.
    async fn settle(
        &self,
        target: &HostedRelease,
        blob: &Blob,
        own: HostedAsset,
    ) -> Result<Option<PutOutcome>, Fault> {
        let own = self.settled(target, own).await?;
        let Some(sha256) = self.sha256(&own).await? else { return Ok(None) };
        if sha256 != blob.sha256 || own.size != blob.size {
            return Err(self.taken_back(target, &own, blob.not_as_sent(own.size, sha256)).await);
        }
        if self.host.has_unique_names() {
            return Ok(Some(PutOutcome::Created));
        }
        let Some(assets) = self.host.assets(target).await? else {
            return Ok(Some(PutOutcome::Gone));
        };
        let called = assets.iter().filter(|asset| asset.name == blob.name);
        match called.min_by_key(|asset| asset.id) {
            Some(first) if first.id == own.id => Ok(Some(PutOutcome::Created)),
            Some(first) => {
                self.host.discard(target, &own).await?;
                Ok(self.sha256(first).await?.map(PutOutcome::There))
            }
            None => Ok(None),
        }
    }

    /// `fault` of `own`, which is not what was sent and goes away again.
    async fn taken_back(&self, target: &HostedRelease, own: &HostedAsset, fault: Fault) -> Fault {
        match self.host.discard(target, own).await {
            Ok(()) => fault.hint("it was removed again: run it again"),
            Err(why) => fault
                .because(format!("and it could not be removed again: {why}"))
                .hint("remove it from the release by hand, and run it again"),
        }
    }

    /// `asset` of `target`, when it is whole.
    async fn settled(
        &self,
        target: &HostedRelease,
        mut asset: HostedAsset,
    ) -> Result<HostedAsset, Fault> {
        let tempo = self.host.api().tempo();
        let since = Instant::now();
        while !asset.is_whole() {
            if since.elapsed() > tempo.settling {
                let what = format!("{} was sent, but does not become whole", asset.name);
                return Err(Fault::new(Kind::Store, what)
                    .because(format!("its state still is `{}`", asset.state))
                    .hint("run it again in a few minutes"));
            }
            tokio::time::sleep(tempo.look).await;
            let now = self.host.assets(target).await?.into_iter().flatten();
            asset = now.into_iter().find(|now| now.id == asset.id).unwrap_or(asset);
        }
        Ok(asset)
    }

    /// The digest of `asset`: as the host says, or else as its bytes say. Nothing if it is not there
    /// any more.
    async fn sha256(&self, asset: &HostedAsset) -> Result<Option<Sha256>, Fault> {
        if let Some(sha256) = asset.sha256() {
            return Ok(Some(sha256));
        }
        match self.host.api().open(self.host.reading(asset)).await? {
            Some(stream) => file::digested(stream).await.map(Some),
            None => Ok(None),
        }
    }
}

/// How long ago an upload began.
fn age(asset: &HostedAsset) -> Duration {
    let began = asset.created_at.as_deref().and_then(limits::time);
    began.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

fn vanished(name: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("{name} was stored and is gone again"))
        .because("somebody removes it while it is published")
        .hint("see who does, and run it again");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

fn unlisted(name: &str) -> AttemptFailure {
    let fault = Fault::new(Kind::Store, format!("{name} cannot be uploaded"))
        .because("the server says that it is there already, and does not list it")
        .hint("run it again in a minute");
    AttemptFailure { fault, again: RetryDecision::Later(None) }
}

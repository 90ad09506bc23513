//! Publishing: a release is found or made, filled, and made visible. Whoever is stopped
//! anywhere, or meets others on the way, ends at the same release when it is done again.

use std::sync::atomic::Ordering;

use super::{
    GitHub,
    put::PutOutcome,
    sealing::SealOutcome,
    target::ReleaseTarget,
    wire::{Immutability, WireRelease},
};
use crate::{
    model::{Fault, Kind},
    store::{Mode, Published, Receipt, StoreRelease, Upload, check_names, piece::Blob},
};

/// How often a release may turn out to be gone, or another one, before that is an error.
const ROUNDS: u32 = 5;

/// GitHub takes files below 2 GiB
/// (<https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases>).
const MAX_SIZE: u64 = 2 << 30;

impl GitHub {
    pub(super) async fn publish_upload(
        &self,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<Receipt, Fault> {
        for name in upload.sidecars.iter().map(|(name, _)| name).chain([&upload.asset]) {
            check_names(&release.tag, name)?;
            check_kept(name)?;
        }
        let failed = |fault: Fault| {
            let what = format!("cannot publish {}/{} to {}", release.tag, upload.asset, self.url);
            fault.within(what)
        };
        if self.api.login().await.is_none() {
            return Err(failed(self.api.who().await.needs_login()));
        }
        let piece = Blob::proven(upload).await.map_err(failed)?;
        check_size(&piece).map_err(failed)?;
        let release = &self.decided(release, upload).await.map_err(failed)?;
        for _ in 0..ROUNDS {
            match self.round(release, upload, &piece).await.map_err(failed)? {
                Some(receipt) => return Ok(receipt),
                None => self.forget(&release.tag),
            }
        }
        Err(failed(
            Fault::new(Kind::Store, "the release changed again and again")
                .because(format!("somebody removes {} while it is published", release.tag))
                .hint("see who does, and run it again"),
        ))
    }

    /// `release` with its mode decided. Nothing is known of a repository without releases if
    /// nobody may ask it: its first one is a draft until it holds what is published here, since
    /// one that is immutable and visible while it is empty would stay so for ever.
    async fn decided(
        &self,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<StoreRelease, Fault> {
        Ok(match self.mode(release.mode).await? {
            Some(mode) => StoreRelease { mode, ..release.clone() },
            None => StoreRelease {
                mode: Mode::Sealed,
                expected: vec![upload.asset.clone()],
                ..release.clone()
            },
        })
    }

    /// Nothing if the release that was found is gone, or another one by now.
    async fn round(
        &self,
        release: &StoreRelease,
        upload: &Upload,
        piece: &Blob,
    ) -> Result<Option<Receipt>, Fault> {
        let mode = release.mode;
        let target = match self.remembered(&release.tag) {
            Some(target) => target,
            None => self.target(release, mode).await?,
        };
        let published = match self.put(&target, piece).await? {
            PutOutcome::Created => Published::Created,
            PutOutcome::There(asset) => match self.sha256(&asset).await? {
                same if same == upload.sha256 => Published::Identical,
                theirs => Published::Conflict { theirs },
            },
            PutOutcome::Locked => {
                // Others of this repository are then too.
                self.seals.store(true, Ordering::Relaxed);
                return Err(locked(release, upload));
            }
            PutOutcome::Gone => return Ok(None),
        };
        let mut ours = vec![upload.asset.clone()];
        // What we would put beside other bytes would be about ours.
        if !matches!(published, Published::Conflict { .. }) {
            if !self.put_sidecars(&target, upload).await? {
                return Ok(None);
            }
            ours.extend(upload.sidecars.iter().map(|(name, _)| name.clone()));
        }
        let waits_for = match target.is_draft {
            false => Vec::new(),
            true => match self.seal(&target, release, upload, &ours).await? {
                SealOutcome::Visible => Vec::new(),
                SealOutcome::Waiting(missing) => missing,
                SealOutcome::Elsewhere => return Ok(None),
            },
        };
        if waits_for.is_empty() && (target.is_draft || mode == Mode::Sealed) {
            self.forget(&release.tag);
            self.tidy(&release.tag).await?;
        } else {
            self.remember(&release.tag, target.unseen());
        }
        Ok(Some(Receipt { published, waits_for }))
    }

    /// Puts the texts beside the asset. Those that are there stay, whatever they say. Answers
    /// whether the release still is there.
    async fn put_sidecars(&self, target: &ReleaseTarget, upload: &Upload) -> Result<bool, Fault> {
        for piece in Blob::beside(upload) {
            match self.put(target, &piece).await? {
                PutOutcome::Gone => return Ok(false),
                // Whoever locked the release did so without it.
                PutOutcome::Created | PutOutcome::There(_) | PutOutcome::Locked => {}
            }
        }
        Ok(true)
    }

    /// When releases become visible; nothing if nobody says so and it cannot be found out yet.
    async fn mode(&self, asked: Mode) -> Result<Option<Mode>, Fault> {
        match asked {
            Mode::Detected if self.seals.load(Ordering::Relaxed) => Ok(Some(Mode::Sealed)),
            Mode::Detected => match self.detected.get() {
                Some(mode) => Ok(Some(*mode)),
                None => {
                    let found = self.detect().await?;
                    Ok(found.map(|mode| *self.detected.get_or_init(|| mode)))
                }
            },
            asked => Ok(Some(asked)),
        }
    }

    /// Asks whether releases are immutable. Who may not ask sees it from the newest release.
    async fn detect(&self) -> Result<Option<Mode>, Fault> {
        let url = self.api.resource(&["immutable-releases"]);
        if let Some(immutability) = self.api.get_if_allowed::<Immutability>(url).await? {
            return Ok(Some(immutability.mode()));
        }
        let releases: Vec<WireRelease> = self.api.releases(1).await?;
        let newest = releases.iter().find(|release| !release.draft);
        Ok(newest.map(|newest| Immutability { enabled: newest.immutable }.mode()))
    }
}

/// Checks that GitHub keeps `name` as it is: it makes one dot of several, and takes away those
/// at the end.
fn check_kept(name: &str) -> Result<(), Fault> {
    if !name.contains("..") && !name.ends_with('.') {
        return Ok(());
    }
    Err(Fault::new(Kind::Usage, format!("GitHub would give {name:?} another name"))
        .because("it allows single dots between other characters only")
        .hint("give the binary another name"))
}

fn check_size(piece: &Blob) -> Result<(), Fault> {
    if piece.size < MAX_SIZE {
        return Ok(());
    }
    Err(Fault::new(Kind::Store, "it is too large for a release")
        .because(format!("it has {} bytes, and GitHub takes less than 2 GiB", piece.size))
        .hint("strip the binaries, or pack them as `tar.zst`"))
}

fn locked(release: &StoreRelease, upload: &Upload) -> Fault {
    let what = format!("the release {} is immutable and has no {}", release.tag, upload.asset);
    Fault::new(Kind::Store, what)
        .because("once an immutable release is published, its host lets nobody add to it")
        .hint(
            "write `sealed: true` in versions.yml, and publish all platforms as the next version or \
             revision: it stays a draft until it has them",
        )
}

//! Publishing: a release is found or made, filled, and made visible. Whoever is stopped
//! anywhere, or meets others on the way, ends at the same release when it is done again.

use super::{Hosted, HostedRelease, ReleaseHost, put::PutOutcome, sealing::SealOutcome};
use crate::{
    model::{Fault, Kind},
    store::{Mode, Published, Receipt, StoreRelease, Upload, blob::Blob, check_names},
};

/// How often a release may turn out to be gone, or another one, before that is an error.
const ROUNDS: u32 = 5;

impl<H: ReleaseHost> Hosted<H> {
    pub(super) async fn publish_upload(
        &self,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<Receipt, Fault> {
        for name in upload.sidecars.iter().map(|(name, _)| name).chain([&upload.asset]) {
            check_names(&release.tag, name)?;
        }
        self.attempts(release, upload).await.map_err(|fault| {
            let what = format!("cannot publish {}/{} to {}", release.tag, upload.asset, self.url);
            fault.within(what)
        })
    }

    async fn attempts(&self, release: &StoreRelease, upload: &Upload) -> Result<Receipt, Fault> {
        let api = self.host.api();
        if api.account.login().await.is_none() {
            return Err(api.who().await.needs_login());
        }
        let blob = Blob::proven(upload).await?;
        for blob in Blob::beside(upload).iter().chain([&blob]) {
            self.host.check(&release.tag, blob)?;
        }
        let release = &self.decided(release, upload).await?;
        for _ in 0..ROUNDS {
            match self.round(release, upload, &blob).await? {
                Some(receipt) => return Ok(receipt),
                None => drop(self.targets().remove(&release.tag)),
            }
        }
        Err(Fault::new(Kind::Store, "the release changed again and again")
            .because(format!("somebody removes {} while it is published", release.tag))
            .hint("see who does, and run it again"))
    }

    /// `release` with its mode decided, and what it waits for. Nothing is known of a repository without releases if
    /// nobody may ask it: its first one is a draft until it holds what is published here, since
    /// one that is immutable and visible while it is empty would stay so for ever.
    async fn decided(
        &self,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<StoreRelease, Fault> {
        let mode = match release.mode {
            Mode::Detected => self.host.mode().await?,
            asked => Some(asked),
        };
        let is_alone =
            mode.is_none() || mode == Some(Mode::Append) && self.host.begins_with_assets();
        let alone = || vec![upload.asset.clone()];
        Ok(StoreRelease {
            expected: if is_alone { alone() } else { release.expected.clone() },
            mode: mode.unwrap_or(Mode::Sealed),
            ..release.clone()
        })
    }

    /// Nothing if the release that was found is gone, or another one by now.
    async fn round(
        &self,
        release: &StoreRelease,
        upload: &Upload,
        blob: &Blob,
    ) -> Result<Option<Receipt>, Fault> {
        let remembered = self.targets().get(&release.tag).cloned();
        let target = match remembered {
            Some(target) => target,
            None => self.host.target(release).await?,
        };
        let published = match self.put(&target, blob).await? {
            PutOutcome::Created => Published::Created,
            PutOutcome::There(same) if same == upload.sha256 => Published::Identical,
            PutOutcome::There(theirs) => Published::Conflict { theirs },
            PutOutcome::Locked => return Err(self.host.locked(release, upload)),
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
        let waits_for = match target.draft {
            false => Vec::new(),
            true => match self.seal(&target, release, upload, &ours).await? {
                SealOutcome::Visible => Vec::new(),
                SealOutcome::Waiting(missing) => missing,
                SealOutcome::Elsewhere => return Ok(None),
            },
        };
        if waits_for.is_empty() && (target.draft || release.mode == Mode::Sealed) {
            self.targets().remove(&release.tag);
            self.host.tidy(&release.tag).await?;
        } else {
            // With nothing seen, since others write too.
            let target = HostedRelease { assets: Vec::new(), ..target };
            self.targets().insert(release.tag.clone(), target);
        }
        Ok(Some(Receipt { published, waits_for }))
    }

    /// Puts the texts beside the asset. Those that are there stay, whatever they say. Answers
    /// whether the release still is there.
    async fn put_sidecars(&self, target: &HostedRelease, upload: &Upload) -> Result<bool, Fault> {
        for blob in Blob::beside(upload) {
            match self.put(target, &blob).await? {
                PutOutcome::Gone => return Ok(false),
                // Whoever locked the release did so without it.
                PutOutcome::Created | PutOutcome::There(_) | PutOutcome::Locked => {}
            }
        }
        Ok(true)
    }
}

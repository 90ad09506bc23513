//! Publishing: a release is found or made, filled, and made visible. Whoever is stopped
//! anywhere, or meets others on the way, ends at the same release when it is done again.

use super::{
    Gitea,
    put::GiteaPutOutcome,
    target::{GiteaSealOutcome, GiteaTarget},
};
use crate::{
    model::{Fault, Kind},
    store::{Published, Receipt, StoreRelease, Upload, check_names, piece::Blob},
};

/// How often a release may turn out to be gone before that is an error.
const ROUNDS: u32 = 5;

impl Gitea {
    pub(super) async fn publish_upload(
        &self,
        release: &StoreRelease,
        upload: &Upload,
    ) -> Result<Receipt, Fault> {
        for name in upload.sidecars.iter().map(|(name, _)| name).chain([&upload.asset]) {
            check_names(&release.tag, name)?;
        }
        let failed = |fault: Fault| {
            let what = format!("cannot publish {}/{} to {}", release.tag, upload.asset, self.url);
            fault.within(what)
        };
        if self.api.account.login().await.is_none() {
            return Err(failed(self.api.who().await.needs_login()));
        }
        let piece = Blob::proven(upload).await.map_err(failed)?;
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

    /// Nothing if the release that was found is gone by now.
    async fn round(
        &self,
        release: &StoreRelease,
        upload: &Upload,
        piece: &Blob,
    ) -> Result<Option<Receipt>, Fault> {
        let target = match self.remembered(&release.tag) {
            Some(target) => target,
            None => self.target(release).await?,
        };
        let published = match self.put(target, piece).await? {
            GiteaPutOutcome::Created => Published::Created,
            GiteaPutOutcome::There(same) if same == upload.sha256 => Published::Identical,
            GiteaPutOutcome::There(theirs) => Published::Conflict { theirs },
            GiteaPutOutcome::Gone => return Ok(None),
        };
        // What we would put beside other bytes would be about ours.
        let is_ours = !matches!(published, Published::Conflict { .. });
        if is_ours && !self.put_sidecars(target, upload).await? {
            return Ok(None);
        }
        let waits_for = match target.is_draft {
            false => Vec::new(),
            true => match self.seal(target, release, upload).await? {
                GiteaSealOutcome::Visible => Vec::new(),
                GiteaSealOutcome::Waiting(missing) => missing,
                GiteaSealOutcome::Gone => return Ok(None),
            },
        };
        let is_draft = !waits_for.is_empty();
        self.remember(&release.tag, GiteaTarget { is_draft, ..target });
        Ok(Some(Receipt { published, waits_for }))
    }

    /// Puts the texts beside the asset. Those that are there stay, whatever they say. Answers
    /// whether the release still is there.
    async fn put_sidecars(&self, target: GiteaTarget, upload: &Upload) -> Result<bool, Fault> {
        for piece in Blob::beside(upload) {
            if let GiteaPutOutcome::Gone = self.put(target, &piece).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

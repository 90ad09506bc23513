//! Publishing: a release is found or made, filled, and made visible. Whoever is stopped
//! anywhere, or meets others on the way, ends at the same release when it is done again.

use std::{fs::File, io, path::Path, sync::atomic::Ordering};

use super::{
    GitHub,
    put::{Piece, Put},
    sealing::Sealed,
    target::Target,
    wire::{Immutability, WireRelease},
};
use crate::{
    model::{Fault, Kind, Sha256},
    store::{
        Mode, Published, Receipt, Release, Upload,
        call::Content,
        check_names,
        file::{self, Digester},
    },
};

/// How often a release may turn out to be gone, or another one, before that is an error.
const ROUNDS: u32 = 5;

/// GitHub takes files below 2 GiB
/// (<https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases>).
const MAX_SIZE: u64 = 2 << 30;

impl GitHub {
    pub(super) async fn publish_upload(
        &self,
        release: &Release,
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
        let piece = proven(upload).await.map_err(failed)?;
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
    async fn decided(&self, release: &Release, upload: &Upload) -> Result<Release, Fault> {
        Ok(match self.mode(release.mode).await? {
            Some(mode) => Release { mode, ..release.clone() },
            None => Release {
                mode: Mode::Sealed,
                expected: vec![upload.asset.clone()],
                ..release.clone()
            },
        })
    }

    /// Nothing if the release that was found is gone, or another one by now.
    async fn round(
        &self,
        release: &Release,
        upload: &Upload,
        piece: &Piece,
    ) -> Result<Option<Receipt>, Fault> {
        let mode = release.mode;
        let target = match self.remembered(&release.tag) {
            Some(target) => target,
            None => self.target(release, mode).await?,
        };
        let published = match self.put(&target, piece).await? {
            Put::Created => Published::Created,
            Put::There(asset) => match self.sha256(&asset).await? {
                same if same == upload.sha256 => Published::Identical,
                theirs => Published::Conflict { theirs },
            },
            Put::Locked => {
                // Others of this repository are then too.
                self.seals.store(true, Ordering::Relaxed);
                return Err(locked(release, upload));
            }
            Put::Gone => return Ok(None),
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
                Sealed::Visible => Vec::new(),
                Sealed::Waiting(missing) => missing,
                Sealed::Elsewhere => return Ok(None),
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
    async fn put_sidecars(&self, target: &Target, upload: &Upload) -> Result<bool, Fault> {
        for (name, text) in &upload.sidecars {
            let mut digester = Digester::default();
            digester.take(text.as_bytes());
            let piece = Piece {
                name: name.clone(),
                content: Content::Bytes(text.clone().into()),
                size: text.len() as u64,
                sha256: digester.sha256(),
            };
            match self.put(target, &piece).await? {
                Put::Gone => return Ok(false),
                // Whoever locked the release did so without it.
                Put::Created | Put::There(_) | Put::Locked => {}
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

/// The file of `upload`, proven to be what was promised: what is published stays.
async fn proven(upload: &Upload) -> Result<Piece, Fault> {
    let path = upload.path.clone();
    let read = tokio::task::spawn_blocking(move || digested(&path)).await;
    let read = read.unwrap_or_else(|died| Err(io::Error::other(died)));
    let (size, sha256) = read.map_err(|error| {
        Fault::io(format!("cannot read {}, to publish it", upload.path.display()), &error)
    })?;
    if sha256 != upload.sha256 {
        let what = format!("{} is not what was to be published", upload.path.display());
        return Err(Fault::new(Kind::Verification, what)
            .because(format!(
                "its SHA-256 digest is {}, not {}",
                sha256.short(),
                upload.sha256.short()
            ))
            .hint("something wrote to it in the meantime; run it again"));
    }
    if size >= MAX_SIZE {
        return Err(Fault::new(Kind::Store, "it is too large for a release")
            .because(format!("it has {size} bytes, and GitHub takes less than 2 GiB"))
            .hint("strip the binaries, or pack them as `tar.zst`"));
    }
    Ok(Piece {
        name: upload.asset.clone(),
        content: Content::File(upload.path.clone()),
        size,
        sha256,
    })
}

fn digested(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = File::open(path)?;
    let sha256 = file::copy_digested(&mut file, &mut io::sink())?;
    Ok((file.metadata()?.len(), sha256))
}

fn locked(release: &Release, upload: &Upload) -> Fault {
    let what = format!("the release {} is immutable and has no {}", release.tag, upload.asset);
    Fault::new(Kind::Store, what)
        .because("once an immutable release is published, its host lets nobody add to it")
        .hint(
            "write `sealed: true` in versions.yml, and publish all platforms as the next version or \
             revision: it stays a draft until it has them",
        )
}

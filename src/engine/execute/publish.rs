//! Publishing what is installed: packed, put into the first store, never over anything.
//!
//! ```text
//! installed ─ pack ─> asset + sidecars ─ publish ─> created │ identical ─> locked
//!                        ▲                            │ conflict
//!                        └──── the next revision ─────┘ if the recipe is another
//! ```

use std::path::Path;

use crate::{
    archive::{Contents, FileToPack, Packed, pack},
    cache::{ArtifactRecord, CacheKey, InstallPlace, Installed, KnownRelease, inspect, remember},
    manifest::render_stamp,
    model::{
        BinaryName, Compression, Fault, How, Kind, LockedAsset, Revision, Scheme, Sha256, Stamp,
        asset_name,
    },
    plan::Action,
    probe::{ArtifactSpec, Finding, read_stamp},
    provenance::{Builder, MAX_BYTES, promotion_name, read_statements, statement_name},
    store::{self, Published, Receipt, Store, Upload},
};

use super::{Context, Done, context::blocking};

/// How often another recipe is found under a revision that was free a moment ago.
const RACES: u32 = 20;

impl Context {
    /// Packs the installed artifact and publishes it.
    pub(super) async fn publish(&self, action: &Action, finding: &Finding) -> Result<Done, Fault> {
        let want = &finding.want;
        let place = InstallPlace::for_artifact(self.workspaces.layout(), &want.id);
        let Installed::Intact { record, .. } = inspect(&place, self.cache.key()) else {
            return Err(Fault::new(Kind::Failed, format!("cannot publish {}", want.id))
                .because("what was installed a moment ago has changed"));
        };
        let Some(store) = self.stores.first() else {
            return Err(Fault::new(Kind::Usage, "there is no store to publish to"));
        };
        if record.class < self.options.classes.takes {
            return Err(Fault::new(
                Kind::Verification,
                format!("{} is not published to {}", want.id, store.url()),
            )
            .because(format!("what is installed was made by {}", record.class))
            .hint(format!("build it in this run: `forge ensure --force {}`", want.id.name)));
        }
        match self.is_not_its_version(want).await {
            Ok(None) => {}
            Ok(Some(why)) if self.options.asked => return Err(why),
            Ok(Some(why)) => return self.leave_unpublished(want, record, &**store, why),
            // The next run asks again.
            Err(fault) if !self.options.asked && fault.kind == Kind::Store => {
                let fault = fault.within(format!("{} is not published", want.tag));
                return Ok(Done { warnings: vec![fault], ..Done::new(How::Built, record) });
            }
            Err(fault) => return Err(fault),
        }
        let compression = self.workspaces.subsystem(&want.id).compression;
        let staging = self.staging()?;
        let file = staging.path().join(&want.asset);
        self.phase(action, "packing");
        let packed = pack_installed(&place, &record, compression, &file).await?;
        let mut upload = Upload::new(want.asset.clone(), file, packed.sha256);
        if let Some(statement) = self.statement(want, &record, packed.sha256).await? {
            upload = upload.with(statement_name(&want.asset), statement);
        }
        self.phase(action, "publishing");
        let within = |fault: Fault| fault.within(format!("cannot publish {}", want.tag));
        let (revision, receipt) =
            self.publish_revision(want, &record, &**store, &upload).await.map_err(within)?;
        let is_by_ci = record
            .made
            .as_ref()
            .is_some_and(|made| Builder::new(made.builder.clone()).is_ci_of_accepted_code());
        // A draft shows nobody what stands beside its assets.
        if is_by_ci && receipt.published == Published::Identical && receipt.waits_for.is_empty() {
            self.promote(want, revision, &**store, &upload).await.map_err(within)?;
        }
        let sent = Sent { packed, upload, revision, receipt };
        self.enter_release(want, &place, record, &**store, &sent)
    }

    /// Remembers that what is installed is not to be published as it is. In a store that only this user
    /// reads nobody misses it.
    fn leave_unpublished(
        &self,
        want: &ArtifactSpec,
        mut record: ArtifactRecord,
        store: &dyn Store,
        why: Fault,
    ) -> Result<Done, Fault> {
        let is_told = !self.options.private_store && want.version != Scheme::unreleased().as_str();
        let why = is_told.then_some(why);
        let warnings = why.iter().cloned().collect();
        record.release = Some(KnownRelease::HoldsOther { store: store.url().to_owned(), why });
        remember(self.workspaces.layout(), &want.id, &record, self.cache.key())?;
        Ok(Done { warnings, ..Done::new(How::Built, record) })
    }

    /// Publishes as part of the last release of the version, or as the next one if that one was made
    /// by another recipe.
    async fn publish_revision(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
        store: &dyn Store,
        upload: &Upload,
    ) -> Result<(Revision, Receipt), Fault> {
        let mut revision = last_revision(want, store).await?;
        for _ in 0..RACES {
            let tag = want.tag_of(revision);
            let receipt = store.publish(&self.release(want, &tag), upload).await?;
            let is_conflict = matches!(receipt.published, Published::Conflict { .. });
            if want.in_repo
                || !is_conflict
                || !is_by_another_recipe(want, record, store, &tag).await?
            {
                return Ok((revision, receipt));
            }
            revision = revision.next();
        }
        Err(Fault::new(Kind::Store, format!("{} goes on being released by others", want.tag))
            .hint("another machine is publishing a different build of this version; run it again"))
    }

    /// The release that an asset of `want` belongs to.
    fn release(&self, want: &ArtifactSpec, tag: &str) -> store::StoreRelease {
        let subsystem = self.workspaces.subsystem(&want.id);
        let expected =
            self.workspaces.any().platforms.iter().map(|platform| {
                asset_name(&subsystem.binaries[0], *platform, subsystem.compression)
            });
        let mut release = store::StoreRelease::of_subsystem(tag.to_owned(), expected.collect());
        release.title = format!("{} {}", want.id.name, want.version);
        release.mode = self.workspaces.any().mode;
        release.notes = notes(want, subsystem.desc.as_deref());
        release
    }

    /// Where CI made the same bytes as a laptop before it, says so beside the asset.
    async fn promote(
        &self,
        want: &ArtifactSpec,
        revision: Revision,
        store: &dyn Store,
        upload: &Upload,
    ) -> Result<(), Fault> {
        let (tag, asset) = (want.tag_of(revision), &want.asset);
        let theirs = store::read_text(store, &tag, &statement_name(asset), MAX_BYTES).await?;
        let statements = theirs.map(|text| read_statements(&text)).transpose().unwrap_or_default();
        let is_by_ci = statements
            .iter()
            .flatten()
            .any(|one| one.is_about(upload.sha256) && one.builder.is_ci_of_accepted_code());
        let ours = upload.sidecars.iter().find(|(name, _)| *name == statement_name(asset));
        let Some((_, statement)) = ours.filter(|_| !is_by_ci) else { return Ok(()) };
        let promotion = upload.clone().with(promotion_name(asset), statement.clone());
        store.publish(&self.release(want, &tag), &promotion).await.map(drop)
    }

    /// Remembers what became of the publication.
    fn enter_release(
        &self,
        want: &ArtifactSpec,
        place: &InstallPlace,
        mut record: ArtifactRecord,
        store: &dyn Store,
        sent: &Sent,
    ) -> Result<Done, Fault> {
        let Sent { packed, upload, revision, receipt } = sent;
        let url = store.url().to_owned();
        let fingerprint = record.stamp.fingerprint;
        let (sha256, size) = (packed.sha256, packed.size);
        let asset = LockedAsset { fingerprint, sha256, size, revision: *revision };
        let mut warnings = Vec::new();
        record.release = Some(match receipt.published {
            Published::Created | Published::Identical => KnownRelease::Holds { store: url, asset },
            Published::Conflict { theirs } if self.options.asked => {
                return Err(upload.conflict(store.url(), &want.tag_of(*revision), theirs));
            }
            Published::Conflict { theirs } => {
                let why = upload.conflict(store.url(), &want.tag_of(*revision), theirs);
                warnings.push(why.clone());
                KnownRelease::HoldsOther { store: url, why: Some(why) }
            }
        });
        if !receipt.waits_for.is_empty() {
            warnings.push(still_a_draft(&want.tag_of(*revision), &receipt.waits_for));
        }
        let layout = self.workspaces.layout();
        remember(layout, &want.id, &record, self.cache.key())?;
        let asset = record.asset().map(|asset| CacheKey::Asset(asset.sha256));
        let keys: Vec<_> = want.cache_key(fingerprint).into_iter().chain(asset).collect();
        warnings.extend(self.cache.keep(&record, &keys, &place.folder).err());
        let lock = record.asset().and_then(|asset| self.lock_change(want, &record.stamp, *asset));
        let is_new = receipt.published == Published::Created;
        let done = Done::new(How::Built, record);
        Ok(Done { published: is_new, warnings, lock, ..done })
    }
}

/// What was sent to the store, and what became of it.
struct Sent {
    packed: Packed,
    upload: Upload,
    revision: Revision,
    receipt: Receipt,
}

/// The last release of the wanted version that is there, or the first if none is.
async fn last_revision(want: &ArtifactSpec, store: &dyn Store) -> Result<Revision, Fault> {
    let mut revision = want.locked.map_or(Revision::FIRST, |locked| locked.revision);
    while !want.in_repo && store.release(&want.tag_of(revision.next())).await?.is_some() {
        revision = revision.next();
    }
    Ok(revision)
}

/// Whether the asset that stands in the way was made by another recipe. If by the same one, the
/// build is not reproducible, which no further release would mend.
async fn is_by_another_recipe(
    want: &ArtifactSpec,
    record: &ArtifactRecord,
    store: &dyn Store,
    tag: &str,
) -> Result<bool, Fault> {
    let stamp = read_stamp(store, tag, &want.asset).await?;
    Ok(stamp.is_some_and(|stamp| stamp.fingerprint != record.stamp.fingerprint))
}

/// What the page of a release says.
fn notes(want: &ArtifactSpec, desc: Option<&str>) -> String {
    let desc = desc.map_or_else(String::new, |desc| format!(" ({desc})"));
    format!(
        "`{}` {}{desc}, packed by forge: each archive holds the binaries for one platform and \
         their stamp, `.version`.\n\n`sha256sum -c <asset>.sha256` checks an archive; \
         `<asset>.intoto.jsonl` says who built it, and from what.\n",
        want.id.name, want.version
    )
}

fn still_a_draft(tag: &str, waits_for: &[String]) -> Fault {
    Fault::new(Kind::Partial, format!("{tag} is uploaded, and still a draft"))
        .because(format!("it waits for {}", waits_for.join(", ")))
        .hint("it becomes visible with the last of them; nothing has to be uploaded twice")
}

/// Packs stamp and binaries of an installed artifact into `file`. The binaries are hashed as they are
/// packed: a release is for ever.
///
/// # Errors
/// `Verification` if a binary is not what the stamp says; else as [`pack`].
pub async fn pack_installed(
    place: &InstallPlace,
    record: &ArtifactRecord,
    compression: Compression,
    file: &Path,
) -> Result<Packed, Fault> {
    const SMALL: u64 = 256 << 10;
    let stamp = FileToPack {
        name: Stamp::FILE.to_owned(),
        contents: Contents::Bytes(render_stamp(&record.stamp).into_bytes()),
        executable: false,
    };
    let binary = |(name, sha256): (&BinaryName, &Sha256)| FileToPack {
        name: name.to_string(),
        contents: Contents::Proven(place.folder.join(name), *sha256),
        executable: true,
    };
    let mut entries = vec![stamp];
    entries.extend(record.stamp.binaries.iter().map(binary));
    // Packing a little takes less time than handing it to another thread.
    if record.bytes() < SMALL {
        return pack(&entries, file, compression);
    }
    let file = file.to_owned();
    blocking(move || pack(&entries, &file, compression)).await
}

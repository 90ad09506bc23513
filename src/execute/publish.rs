//! Publishing what is installed: packed, put into the first store, never over anything.

use std::path::Path;

use crate::{
    archive::{Contents, Entry, Packed, pack},
    cache::{Installed, Place, Record, Release, inspect},
    manifest::render_stamp,
    model::{Compression, Fault, Kind, LockedAsset, Revision, Stamp},
    probe::{Finding, Want},
    store::{Published, Release as Draft, Store, Upload},
};

use super::{Context, Done, context::blocking};

impl Context {
    /// Packs the installed artifact and publishes it.
    pub(super) async fn publish(&self, finding: &Finding) -> Result<Done, Fault> {
        let want = &finding.want;
        let place = Place::of(self.workspaces.layout(), &want.id);
        let Installed::Intact { record, .. } = inspect(&place) else {
            return Err(Fault::new(Kind::Failed, format!("cannot publish {}", want.id))
                .because("what was installed a moment ago has changed"));
        };
        let Some(store) = self.stores.first() else {
            return Err(Fault::new(Kind::Usage, "there is no store to publish to"));
        };
        let compression = self.workspaces.subsystem(&want.id).compression;
        let staging = self.staging(want)?;
        let file = staging.path().join(&want.asset);
        let packed = pack_installed(&place, &record, compression, &file).await?;
        let release = Draft::of_subsystem(want.tag.clone(), Vec::new());
        let upload = Upload::new(want.asset.clone(), file, packed.sha256);
        let receipt = store
            .publish(&release, &upload)
            .await
            .map_err(|fault| fault.within(format!("cannot publish {}", want.tag)))?;
        self.enter_release(want, &place, record, &**store, packed, receipt.published)
    }

    /// Remembers what became of the publication.
    fn enter_release(
        &self,
        want: &Want,
        place: &Place,
        mut record: Record,
        store: &dyn Store,
        packed: Packed,
        published: Published,
    ) -> Result<Done, Fault> {
        let url = store.url().to_owned();
        let fingerprint = record.stamp.fingerprint;
        let asset = LockedAsset {
            fingerprint,
            sha256: packed.sha256,
            size: packed.size,
            revision: Revision::FIRST,
        };
        let mut warnings = Vec::new();
        record.release = Some(match published {
            Published::Created | Published::Identical => Release::Holds { store: url, asset },
            Published::Conflict { theirs } => {
                warnings.push(conflict(want, store, packed, theirs));
                Release::HoldsOther { store: url }
            }
        });
        record.write(&place.record, &self.workspaces.layout().staging())?;
        warnings.extend(self.cache.keep(&record, &place.folder).err());
        let lock = record
            .asset()
            .and_then(|asset| self.lock_change(want, record.stamp.commit.clone(), *asset));
        let is_new = published == Published::Created;
        let done = Done::new(crate::model::How::Built, record);
        Ok(Done { published: is_new, warnings, lock, ..done })
    }
}

fn conflict(want: &Want, store: &dyn Store, packed: Packed, theirs: crate::model::Sha256) -> Fault {
    Fault::new(
        Kind::Verification,
        format!("{} holds another {}/{}", store.url(), want.tag, want.asset),
    )
    .because(format!("its sha256 is {theirs}, that of the one made here is {}", packed.sha256))
    .hint("a release is never overwritten: the one made here stays on this machine; a new version releases it")
}

/// Packs stamp and binaries of an installed artifact into `file`.
pub async fn pack_installed(
    place: &Place,
    record: &Record,
    compression: Compression,
    file: &Path,
) -> Result<Packed, Fault> {
    const SMALL: u64 = 256 << 10;
    let stamp = Entry {
        name: Stamp::FILE.to_owned(),
        contents: Contents::Bytes(render_stamp(&record.stamp).into_bytes()),
        executable: false,
    };
    let binary = |name: &String| Entry {
        name: name.clone(),
        contents: Contents::File(place.folder.join(name)),
        executable: true,
    };
    let mut entries = vec![stamp];
    entries.extend(record.stamp.binaries.keys().map(binary));
    // Packing a little takes less time than handing it to another thread.
    if record.bytes() < SMALL {
        return pack(&entries, file, compression);
    }
    let file = file.to_owned();
    blocking(move || pack(&entries, &file, compression)).await
}

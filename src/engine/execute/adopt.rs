//! The last stretch that every new artifact goes: its files proven, stamped, installed, cached.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;

use crate::{
    archive::hash_file,
    cache::{ArtifactRecord, CacheKey, KnownRelease, Made, Staging, install},
    model::{ArtifactId, Binaries, BinaryName, Fault, Stamp},
    probe::{ArtifactSpec, RecipePrint, check_header, keep_sources},
};

use super::Context;

impl Context {
    /// Installs the artifact in `staging`. A fault of the cache does not ruin it.
    pub(super) fn install(
        &self,
        want: &ArtifactSpec,
        staging: &Staging,
        record: ArtifactRecord,
    ) -> Result<ArtifactRecord, Fault> {
        let layout = self.workspaces.layout();
        let record = install(layout, &want.id, staging, record, self.cache.key())?;
        if let Some(tree) = &want.tree {
            keep_sources(layout, &want.id, tree);
        }
        Ok(record)
    }

    /// How an artifact was made that was `begun` then, and is done now. Who made it is noted at
    /// once: it may be published by a later run, perhaps in other surroundings.
    pub(super) fn made(
        &self,
        begun: Timestamp,
        tools: BTreeMap<String, String>,
        sandbox: Option<&str>,
    ) -> Made {
        let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Made {
            builder: self.surroundings.builder().id().to_owned(),
            run_url: self.surroundings.run_url().map(str::to_owned),
            event: self.surroundings.event().map(str::to_owned),
            sandbox: sandbox.map(str::to_owned),
            worker: None,
            started_on: text(begun),
            finished_on: text(Timestamp::now()),
            tools,
        }
    }

    /// A record of a new artifact of this run.
    pub(super) fn new_record(
        &self,
        stamp: Stamp,
        made: Option<Made>,
        release: Option<KnownRelease>,
    ) -> ArtifactRecord {
        let class = self.options.classes.own;
        ArtifactRecord { class, made, release, ..ArtifactRecord::unknown(stamp, BTreeMap::new()) }
    }

    /// Installs a new artifact and keeps it in the user's cache under `key`. What goes wrong with
    /// the cache is returned as a warning: the artifact is good without it.
    pub(super) fn adopt(
        &self,
        want: &ArtifactSpec,
        staging: &Staging,
        record: ArtifactRecord,
        key: CacheKey,
    ) -> Result<(ArtifactRecord, Vec<Fault>), Fault> {
        let record = self.install(want, staging, record)?;
        let folder = self.workspaces.layout().installed_artifact(&want.id);
        let warnings = self.cache.keep(&record, &[key], &folder).err();
        Ok((record, warnings.into_iter().collect()))
    }
}

/// The stamp for `binaries`, got by the recipe of `print`.
pub(super) fn new_stamp(
    want: &ArtifactSpec,
    print: &RecipePrint,
    commit: Option<String>,
    binaries: Binaries,
) -> Stamp {
    Stamp {
        name: want.id.name.clone(),
        version: want.version.clone(),
        commit,
        platform: want.id.platform,
        fingerprint: print.fingerprint,
        inputs: print.inputs.clone(),
        binaries,
    }
}

/// Checks that each of `names` is in `folder` and runs on `platform`, and hashes it.
pub(super) fn prove_binaries(
    id: &ArtifactId,
    folder: &Path,
    names: &[BinaryName],
) -> Result<Binaries, Fault> {
    names
        .iter()
        .map(|name| {
            let path = folder.join(name);
            check_header(id.platform, name, &path)?;
            let (sha256, _) = hash_file(&path)
                .map_err(|e| Fault::io(format!("cannot read {}", path.display()), &e))?;
            Ok((name.clone(), sha256))
        })
        .collect()
}

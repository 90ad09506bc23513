//! `forge package:bundle`: every binary of a platform in one archive, made of what is installed
//! and proven. Nothing is built for it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    archive::{Packed, pack},
    cache::{ArtifactRecord, InstallPlace, KnownRelease, replace_file},
    disk::{MOST_OF_TEXT, read_text},
    git::History,
    model::{Compression, Fault, Kind, Layout, Name, Platform},
    release::{bundle_entries, bundle_name, is_project_tag},
    report::human_size,
    workspace::Workspaces,
};

use super::{
    CliError,
    notes::tag_of_head,
    package::make_target,
    session::{Session, select},
    verify::examine_all,
};

/// One bundle, packed.
pub(super) struct Bundle {
    pub(super) platform: Platform,
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) packed: Packed,
}

/// Packs a bundle for each platform into `into`.
pub(super) fn package(
    session: &Session,
    words: &[String],
    into: Option<&Path>,
) -> Result<u8, CliError> {
    let workspaces = session.workspaces()?;
    let names = select(workspaces.any(), words)?;
    let layout = workspaces.layout();
    let version = session.host.runtime()?.block_on(version_here(session, layout))?;
    let into = match into {
        Some(into) => session.folder()?.join(into),
        None => layout.dist(),
    };
    if session.flags.dry_run {
        for platform in workspaces.wanted() {
            let name = bundle_name(&workspaces.any().project, &version, *platform);
            session.say(&format!("would pack {}\n", layout.display(&into.join(name))))?;
        }
        return Ok(0);
    }
    make_target(layout, &into)?;
    let bundles = pack_all(session, &workspaces, &names, &version, &into)?;
    for bundle in &bundles {
        let line = format!("{}  {}\n", bundle.packed.sha256, bundle.name);
        let sidecar = into.join(format!("{}.sha256", bundle.name));
        replace_file(layout, &sidecar, line.as_bytes())?;
    }
    if session.flags.json {
        let bundles: Vec<_> = bundles.iter().map(Bundle::json).collect();
        let document = serde_json::json!({"schema": 1, "version": version, "bundles": bundles});
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    for Bundle { path, packed, .. } in &bundles {
        let (size, path) = (human_size(packed.size), layout.display(path));
        session.say(&format!("{}  {path}  {size}\n", packed.sha256))?;
    }
    Ok(0)
}

impl Bundle {
    /// What `--json` says of it.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "platform": self.platform.to_string(),
            "asset": self.name,
            "path": self.path,
            "sha256": self.packed.sha256.to_string(),
            "bytes": self.packed.size,
        })
    }
}

/// Packs a bundle for each platform that is worked for.
pub(super) fn pack_all(
    session: &Session,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
    version: &str,
    into: &Path,
) -> Result<Vec<Bundle>, Fault> {
    let lock_path = workspaces.layout().lock();
    let lock = match read_text(&lock_path, MOST_OF_TEXT) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Fault::io(format!("cannot read {}", lock_path.display()), &error));
        }
    };
    let mut bundles = Vec::new();
    for platform in workspaces.wanted().iter().copied() {
        let name = bundle_name(&workspaces.any().project, version, platform);
        let artifacts = proven(session, workspaces, names, platform)?;
        if is_project_tag(version) {
            all_released(workspaces, platform, &artifacts)?;
        }
        let artifacts: Vec<_> =
            artifacts.iter().map(|(record, folder)| (record.clone(), folder.as_path())).collect();
        let entries = bundle_entries(&name, &artifacts, lock.clone());
        let (path, partial) = (into.join(&name), into.join(format!("{name}.part")));
        let packed = pack(&entries, &partial, Compression::TarGz)?;
        fs::rename(&partial, &path)
            .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
        bundles.push(Bundle { platform, name, path, packed });
    }
    Ok(bundles)
}

/// The installed artifacts with their folders, every byte hashed again.
fn proven(
    session: &Session,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
    platform: Platform,
) -> Result<Vec<(ArtifactRecord, PathBuf)>, Fault> {
    let mut proven = Vec::new();
    let mut wrong = Vec::new();
    for (id, examined) in examine_all(session, workspaces, names, platform) {
        match examined {
            Ok(record) => {
                proven.push((record, InstallPlace::for_artifact(workspaces.layout(), &id).folder));
            }
            Err(why) => wrong.push(format!("{id}: {why}")),
        }
    }
    if wrong.is_empty() {
        return Ok(proven);
    }
    let fault = Fault::new(Kind::Verification, "cannot bundle what is not installed and verified");
    let fault = wrong.into_iter().fold(fault, Fault::because);
    Err(fault.hint(format!("`forge ensure --platform {platform}` makes it so")))
}

/// Refuses what a scheme versions and no release holds: it was built from something else than what its
/// version means, and a bundle of a version goes out under that.
fn all_released(
    workspaces: &Workspaces,
    platform: Platform,
    artifacts: &[(ArtifactRecord, PathBuf)],
) -> Result<(), Fault> {
    let subsystems = &workspaces.for_platform(platform).subsystems;
    let is_open = |record: &&ArtifactRecord| {
        let subsystem = subsystems.get(&record.stamp.name);
        let has_scheme = subsystem.is_some_and(|subsystem| subsystem.scheme.is_some());
        has_scheme && !matches!(record.release, Some(KnownRelease::Holds { .. }))
    };
    let open = artifacts.iter().map(|(record, _)| record).find(is_open);
    let Some(ArtifactRecord { stamp, .. }) = open else { return Ok(()) };
    let what = format!("cannot bundle {}: it is not {}", stamp.name, stamp.version);
    Err(Fault::new(Kind::Usage, what)
        .because("it was built here, and no release of that version holds it")
        .hint(format!(
            "`forge release:binary {}` releases it as the version that it is",
            stamp.name
        )))
}

/// What differs from the commit that is checked out, other than what forge made.
pub(super) async fn changes(history: &History<'_>) -> Result<Vec<String>, Fault> {
    let mut changes = history.changes().await?;
    changes.retain(|path| !path.starts_with(".forge/"));
    Ok(changes)
}

/// How a bundle of the workspace as it is here is called: by its tag, or else by its commit.
async fn version_here(session: &Session, layout: &Layout) -> Result<String, Fault> {
    let runner = session.host.runner(1);
    let Some(history) = History::around(&runner, layout.root()) else {
        return Ok("untracked".into());
    };
    let Some(head) = history.head().await? else { return Ok("untracked".into()) };
    let tag = tag_of_head(&history, &history.tags().await?).await?;
    let name = tag.unwrap_or_else(|| head.get(..12).unwrap_or(&head).to_owned());
    let is_clean = changes(&history).await?.is_empty();
    Ok(if is_clean { name } else { format!("{name}-changed") })
}

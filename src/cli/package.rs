//! `forge package`: the installed artifacts packed as they would be released.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    archive,
    cache::{InstallPlace, Installed, inspect, make_folder, replace_file},
    execute::pack_installed,
    model::{ArtifactId, Fault, Kind, Layout, Name, Sha256, asset_name},
    report::human_size,
    workspace::Workspaces,
};

use super::{
    CliError,
    ensure::close,
    plan::plan,
    publish::Publish,
    run::{RunRequest, run},
    session::{Session, select},
};

/// Ensures the artifacts, then packs them into `into`.
pub(super) fn package(
    session: &Session,
    words: &[String],
    into: Option<&Path>,
) -> Result<u8, CliError> {
    if session.flags.dry_run {
        return plan(session, words);
    }
    let workspaces = Arc::new(session.workspaces()?);
    let names = select(workspaces.any(), words)?;
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    let outcome = session.host.runtime()?.block_on(run(session, request))?;
    let layout = workspaces.layout();
    if !outcome.report.is_good() {
        return close(session, layout, &outcome.report);
    }
    let into: PathBuf = match into {
        Some(into) => session.folder()?.join(into),
        None => layout.dist(),
    };
    let packed = pack(session, &workspaces, &names, &into)?;
    let document: Vec<_> = packed
        .iter()
        .map(|PackedArtifact { id, path, asset }| {
            serde_json::json!({
                "name": id.name.as_str(),
                "platform": id.platform.to_string(),
                "path": path,
                "sha256": asset.sha256.to_string(),
                "bytes": asset.size,
            })
        })
        .collect();
    if session.flags.json {
        let document = serde_json::json!({"schema": 1, "assets": document});
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    session.say(&text(&packed, layout))?;
    Ok(0)
}

/// A packed artifact.
pub(super) struct PackedArtifact {
    id: ArtifactId,
    path: PathBuf,
    asset: archive::Packed,
}

impl PackedArtifact {
    /// Whose it is, the name of its file, and its digest.
    pub(super) fn parts(&self) -> (Name, String, Sha256) {
        (self.id.name.clone(), file_name(&self.path), self.asset.sha256)
    }
}

/// Packs the installed artifacts of the subsystems called `names` into `into`.
pub(super) fn pack(
    session: &Session,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
    into: &Path,
) -> Result<Vec<PackedArtifact>, Fault> {
    let (runtime, layout) = (session.host.runtime()?, workspaces.layout());
    let key = session.host.seal_key();
    make_target(layout, into)?;
    let mut packed = Vec::new();
    for id in workspaces.artifacts(names) {
        let subsystem = workspaces.subsystem(&id);
        let place = InstallPlace::for_artifact(layout, &id);
        let Installed::Intact { record, .. } = inspect(&place, key) else {
            return Err(Fault::new(Kind::Failed, format!("{id} vanished while it was packed")));
        };
        let compression = subsystem.compression;
        let path = into.join(asset_name(&subsystem.binaries[0], id.platform, compression));
        let partial = path.with_extension("part");
        let asset = runtime.wait_for(pack_installed(&place, &record, compression, &partial))?;
        std::fs::rename(&partial, &path)
            .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
        let line = format!("{}  {}\n", asset.sha256, file_name(&path));
        let sidecar = PathBuf::from(format!("{}.sha256", path.display()));
        replace_file(layout, &sidecar, line.as_bytes())?;
        packed.push(PackedArtifact { id, path, asset });
    }
    Ok(packed)
}

/// Makes the folder that assets are packed into: one of the user's, or one below `.forge`.
pub(super) fn make_target(layout: &Layout, into: &Path) -> Result<(), Fault> {
    if into.starts_with(layout.forge()) {
        return make_folder(layout, into).map(drop);
    }
    std::fs::create_dir_all(into)
        .map_err(|e| Fault::io(format!("cannot make {}", into.display()), &e))
}

/// A line for each: digest, path, size.
pub(super) fn text(packed: &[PackedArtifact], layout: &Layout) -> String {
    let line = |packed: &PackedArtifact| {
        let (size, path) = (human_size(packed.asset.size), layout.display(&packed.path));
        format!("{}  {path}  {size}\n", packed.asset.sha256)
    };
    packed.iter().map(line).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

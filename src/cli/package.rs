//! `forge package`: the installed artifacts packed as they would be released.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cache::{Installed, Place, inspect, replace_file},
    execute::pack_installed,
    model::{ArtifactId, Fault, Kind, asset_name},
    report::human_size,
};

use super::{
    Stop,
    ensure::{close, plan, run, runtime},
    session::{Session, say, select},
};

/// Ensures the artifacts, then packs them into `into`.
pub(super) fn package(
    session: &Session,
    words: &[String],
    into: Option<&Path>,
) -> Result<u8, Stop> {
    if session.flags.dry_run {
        return plan(session, words);
    }
    let workspace = Arc::new(session.workspace()?);
    let names = select(&workspace, words)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(run(session, workspace.clone(), &names))?;
    if !outcome.report.is_good() {
        return close(session, &workspace.layout, &outcome.report);
    }
    let into: PathBuf = match into {
        Some(into) => session.folder()?.join(into),
        None => workspace.layout.dist(),
    };
    std::fs::create_dir_all(&into)
        .map_err(|e| Fault::io(format!("cannot make {}", into.display()), &e))?;
    let mut packed = Vec::new();
    for name in &names {
        let subsystem = &workspace.subsystems[name];
        let id = ArtifactId { name: name.clone(), platform: workspace.platform };
        let place = Place::of(&workspace.layout, &id);
        let Installed::Intact { record, .. } = inspect(&place) else {
            return Err(
                Fault::new(Kind::Failed, format!("{id} vanished while it was packed")).into()
            );
        };
        let compression = subsystem.compression;
        let path = into.join(asset_name(&subsystem.binaries[0], id.platform, compression));
        let partial = path.with_extension("part");
        let asset = runtime.block_on(pack_installed(&place, &record, compression, &partial))?;
        std::fs::rename(&partial, &path)
            .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
        let line = format!("{}  {}\n", asset.sha256, file_name(&path));
        let sidecar = PathBuf::from(format!("{}.sha256", path.display()));
        replace_file(&sidecar, line.as_bytes(), &workspace.layout.staging(), false)
            .map_err(|e| Fault::io(format!("cannot write {}", sidecar.display()), &e))?;
        packed.push((name.clone(), path, asset));
    }
    let document: Vec<_> = packed
        .iter()
        .map(|(name, path, asset)| {
            serde_json::json!({
                "name": name.as_str(),
                "path": path,
                "sha256": asset.sha256.to_string(),
                "bytes": asset.size,
            })
        })
        .collect();
    if session.flags.json {
        let document = serde_json::json!({"schema": 1, "assets": document});
        say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    for (_, path, asset) in &packed {
        let (size, path) = (human_size(asset.size), workspace.layout.display(path));
        say(&format!("{}  {path}  {size}\n", asset.sha256))?;
    }
    Ok(0)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

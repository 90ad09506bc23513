//! `forge package`: the installed artifacts packed as they would be released.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cache::{Installed, Place, inspect, replace_file},
    execute::pack_installed,
    model::{Fault, Kind, asset_name},
    report::human_size,
};

use super::{
    Stop,
    ensure::close,
    plan::plan,
    run::{Publish, Request, run, runtime},
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
    let workspaces = Arc::new(session.workspaces()?);
    let names = select(workspaces.any(), words)?;
    let request =
        Request { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    let runtime = runtime()?;
    let outcome = runtime.block_on(run(session, request))?;
    let layout = workspaces.layout();
    if !outcome.report.is_good() {
        return close(session, layout, &outcome.report);
    }
    let into: PathBuf = match into {
        Some(into) => session.folder()?.join(into),
        None => layout.dist(),
    };
    std::fs::create_dir_all(&into)
        .map_err(|e| Fault::io(format!("cannot make {}", into.display()), &e))?;
    let mut packed = Vec::new();
    for id in workspaces.artifacts(&names) {
        let subsystem = workspaces.subsystem(&id);
        let place = Place::of(layout, &id);
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
        replace_file(&sidecar, line.as_bytes(), &layout.staging(), false)
            .map_err(|e| Fault::io(format!("cannot write {}", sidecar.display()), &e))?;
        packed.push((id, path, asset));
    }
    let document: Vec<_> = packed
        .iter()
        .map(|(id, path, asset)| {
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
        say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    for (_, path, asset) in &packed {
        let (size, path) = (human_size(asset.size), layout.display(path));
        say(&format!("{}  {path}  {size}\n", asset.sha256))?;
    }
    Ok(0)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

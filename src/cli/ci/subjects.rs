//! `forge ci:release --subjects FILE`: the digests of the assets that this run published, for a step that
//! attests them. What was there already, or could not be published, is in no line.

use std::{fmt::Write as _, path::Path};

use crate::{
    disk::{Folder, MOST_OF_TEXT, read_text},
    manifest::parse_lock,
    model::{Fault, Kind, asset_name},
    workspace::Workspaces,
};

use super::{super::session::Session, account::Counts, voice::Voice};

/// Writes them to `file`, a line each as `sha256sum` has it, and sets the output `subjects` of the step if
/// there are some.
pub(super) fn write(
    session: &Session,
    workspaces: &Workspaces,
    counts: &Counts,
    file: &Path,
    voice: &Voice,
) -> Result<(), Fault> {
    let lock = read_text(&workspaces.layout().lock(), MOST_OF_TEXT).unwrap_or_default();
    let lock = parse_lock(&lock).map_err(|wrong| {
        Fault::new(Kind::Usage, "forge.lock cannot be read").because(wrong.what)
    })?;
    let mut lines = String::new();
    for id in &counts.assets {
        let asset =
            lock.subsystems.get(&id.name).and_then(|locked| locked.assets.get(&id.platform));
        let Some(asset) = asset else { continue };
        let subsystem = workspaces.subsystem(id);
        let binary = subsystem.binaries.first().map_or("", String::as_str);
        let name = asset_name(binary, id.platform, subsystem.compression);
        let _ = writeln!(lines, "{}  {name}", asset.sha256);
    }
    let file = session.folder()?.join(file);
    let name = Path::new(file.file_name().unwrap_or_default());
    Folder::open(file.parent().unwrap_or(Path::new("/")))
        .and_then(|folder| folder.replace(name, lines.as_bytes(), Path::new(""), false))
        .map_err(|error| Fault::io(format!("cannot write {}", file.display()), &error))?;
    match voice.actions() {
        Some(actions) if !lines.is_empty() => {
            actions.set_outputs(&[("subjects", file.display().to_string())])
        }
        _ => Ok(()),
    }
}

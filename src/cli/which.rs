//! `forge which`: where the pinned binary is.

use serde::Serialize;

use crate::{
    cache::{InstallPlace, Installed, inspect},
    model::{ArtifactId, Fault, Kind},
    workspace::Workspace,
};

use super::{
    CliError,
    session::{Session, select},
};

/// What can be written behind `forge which`.
#[derive(Debug, clap::Args)]
pub(super) struct WhichArgs {
    /// A binary, or a subsystem for all of its
    name: String,
}

/// One binary, for `--json`.
#[derive(Debug, Serialize)]
struct WhichRow {
    name: String,
    subsystem: String,
    version: String,
    path: String,
    installed: bool,
}

/// Prints the path of each binary that is meant.
pub(super) fn which(session: &Session, wish: &WhichArgs) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let rows = rows(session, &workspace, &wish.name)?;
    let lacking = rows.iter().find(|row| !row.installed);
    if session.flags.json {
        let document = serde_json::json!({ "schema": 1, "binaries": rows });
        session.say(&format!("{document:#}\n"))?;
        return Ok(u8::from(lacking.is_some()));
    }
    if let Some(row) = lacking {
        let what = format!("{} {} is not installed", row.subsystem, row.version);
        let hint = format!("`forge ensure {}` installs it", row.subsystem);
        return Err(Fault::new(Kind::Failed, what).hint(hint).into());
    }
    session.say(&rows.iter().map(|row| format!("{}\n", row.path)).collect::<String>())?;
    Ok(0)
}

fn rows(session: &Session, workspace: &Workspace, word: &str) -> Result<Vec<WhichRow>, Fault> {
    let (name, binaries) = match workspace.owner_of(word) {
        Some(name) => (name.clone(), vec![word.to_owned()]),
        None => {
            let names = select(workspace, &[word.to_owned()])?;
            let Some(name) = names.into_iter().next() else { return Ok(Vec::new()) };
            let binaries = workspace.subsystems[&name].binaries.clone();
            (name, binaries)
        }
    };
    let subsystem = &workspace.subsystems[&name];
    let id = ArtifactId { name: name.clone(), platform: workspace.platform };
    let commit = workspace.lock.subsystems.get(&name).and_then(|locked| locked.commit.as_deref());
    let label = subsystem.version.label(commit);
    let is_pinned =
        match inspect(&InstallPlace::for_artifact(&workspace.layout, &id), session.host.seal_key())
        {
            Installed::Intact { record, .. } => record.stamp.version == label,
            _ => false,
        };
    let row = |binary: String| {
        let path = workspace.layout.bin().join(workspace.platform.executable(&binary));
        WhichRow {
            subsystem: name.to_string(),
            version: subsystem.version.to_string(),
            installed: is_pinned && path.exists(),
            path: path.display().to_string(),
            name: binary,
        }
    };
    Ok(binaries.into_iter().map(row).collect())
}

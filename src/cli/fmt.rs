//! `forge fmt`: the manifest and the specs, laid out.

use std::path::PathBuf;

use crate::{
    cache::rewrite_file,
    disk::{Folder, MOST_OF_TEXT, is_absent, read_text},
    manifest::formatted,
    model::{Fault, Kind, Layout},
};

use super::{CliError, session::Session};

/// What can be written behind `forge fmt`.
#[derive(Debug, clap::Args)]
pub(super) struct FmtArgs {
    /// Write nothing; exit with 1 if a file is not laid out
    #[arg(long)]
    check: bool,
}

/// Lays them out.
pub(super) fn fmt(session: &Session, wish: &FmtArgs) -> Result<u8, CliError> {
    let layout = session.layout()?;
    let is_dry = wish.check || session.flags.dry_run;
    let mut changed = Vec::new();
    for path in files(&layout)? {
        let label = layout.display(&path);
        let cannot = |error| Fault::io(format!("cannot read {label}"), &error);
        let text = read_text(&path, MOST_OF_TEXT).map_err(cannot)?;
        let made = formatted(&text).map_err(|_| {
            Fault::new(Kind::Usage, format!("{label} cannot be laid out"))
                .because("it is not valid YAML, or is written so that its meaning would change")
                .hint("`forge check` tells what is wrong")
        })?;
        if made == text {
            continue;
        }
        if !is_dry {
            rewrite_file(&layout, &path, made.as_bytes())?;
        }
        changed.push(label);
    }
    if session.flags.json {
        let document = serde_json::json!({ "schema": 1, "changed": changed, "written": !is_dry });
        session.say(&format!("{document:#}\n"))?;
    } else if !session.flags.quiet {
        let verb = if is_dry { "would lay out" } else { "laid out" };
        let lines = changed.iter().map(|label| format!("{verb} {label}\n"));
        session.say(&lines.collect::<String>())?;
    }
    Ok(u8::from(wish.check && !changed.is_empty()))
}

/// The manifest, and the files of all specs.
fn files(layout: &Layout) -> Result<Vec<PathBuf>, Fault> {
    let mut files = vec![layout.manifest()];
    let folder = layout.specs();
    let cannot = |error| Fault::io(format!("cannot list {}", layout.display(&folder)), &error);
    let specs = match Folder::open(&folder) {
        Ok(specs) => specs,
        Err(error) if is_absent(&error) => return Ok(files),
        Err(error) => return Err(cannot(error)),
    };
    for name in specs.names_in().map_err(cannot)? {
        let path = folder.join(&name);
        let own = path.join("subsystem.yml");
        if own.is_file() {
            files.push(own);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
    Ok(files)
}

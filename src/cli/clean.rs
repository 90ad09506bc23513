//! `forge clean`: removes what forge made in a workspace, and nothing else.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    cache::existing_forge_folder,
    disk::{EntryKind, Folder},
    model::{Fault, Layout},
};

use super::{CliError, choice::CleanWhat, services::refuse_while_running, session::Session};

/// Removes it.
pub(super) fn clean(session: &Session, what: CleanWhat) -> Result<u8, CliError> {
    let layout = session.layout()?;
    if !matches!(what, CleanWhat::Src | CleanWhat::Dist) {
        refuse_while_running(&layout)?;
    }
    if matches!(what, CleanWhat::All) {
        return clean_all(session, &layout);
    }
    let Some(forge) = existing_forge_folder(&layout)? else { return Ok(0) };
    for path in folders(&layout, what) {
        let label = layout.display(&path);
        let failed = |error: io::Error| Fault::io(format!("cannot remove {label}"), &error);
        if forge.entry(&path).map_err(failed)?.is_some() {
            remove(session, &forge, &path)?;
        }
    }
    Ok(0)
}

/// Removes `.forge`. If that is a link, so that it is kept on another disk, the link stays.
fn clean_all(session: &Session, layout: &Layout) -> Result<u8, CliError> {
    let failed = |error: io::Error| Fault::io("cannot look at .forge", &error);
    let root = Folder::open(layout.root()).map_err(failed)?;
    match root.entry(&layout.forge()).map_err(failed)?.map(|entry| entry.kind) {
        None => {}
        Some(EntryKind::Link) => {
            let Some(forge) = existing_forge_folder(layout)? else { return Ok(0) };
            for name in forge.names_in().map_err(failed)? {
                remove(session, &forge, &layout.forge().join(name))?;
            }
        }
        Some(_) => remove(session, &root, &layout.forge())?,
    }
    Ok(0)
}

/// Removes what stands at `path`, below `within`, and says so.
fn remove(session: &Session, within: &Folder, path: &Path) -> Result<(), CliError> {
    let label = session.layout()?.display(path);
    if session.flags.dry_run {
        return Ok(session.say(&format!("would remove {label}\n"))?);
    }
    match within.remove_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Fault::io(format!("cannot remove {label}"), &error).into())
        }
        _ if session.flags.quiet => Ok(()),
        _ => Ok(session.say(&format!("removed {label}\n"))?),
    }
}

fn folders(layout: &Layout, what: CleanWhat) -> Vec<PathBuf> {
    let state = |name| layout.state().join(name);
    let installed = || vec![layout.bin(), layout.installed(), state("artifacts"), state("sources")];
    match what {
        CleanWhat::Bin => installed(),
        CleanWhat::Src => vec![layout.sources()],
        CleanWhat::Dist => vec![layout.dist()],
        CleanWhat::Built => {
            let mut all = installed();
            all.extend([layout.dist(), layout.logs()]);
            all
        }
        CleanWhat::All => vec![layout.forge()],
    }
}

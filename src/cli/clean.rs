//! `forge clean`: removes what forge made in a workspace, and nothing else.

use std::{fs, io, path::PathBuf};

use crate::{
    cache::remove_tree,
    model::{Fault, Layout},
};

use super::{
    Stop,
    choice::CleanWhat,
    services::refuse_while_running,
    session::{Session, say},
};

/// Removes it.
pub(super) fn clean(session: &Session, what: CleanWhat) -> Result<u8, Stop> {
    let layout = session.layout()?;
    if !matches!(what, CleanWhat::Src | CleanWhat::Dist) {
        refuse_while_running(&layout)?;
    }
    for path in folders(&layout, what) {
        if fs::symlink_metadata(&path).is_err() {
            continue;
        }
        let label = layout.display(&path);
        if session.flags.dry_run {
            say(&format!("would remove {label}\n"))?;
            continue;
        }
        match remove_tree(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Fault::io(format!("cannot remove {label}"), &error).into());
            }
            _ if session.flags.quiet => {}
            _ => say(&format!("removed {label}\n"))?,
        }
    }
    Ok(0)
}

fn folders(layout: &Layout, what: CleanWhat) -> Vec<PathBuf> {
    let installed = || vec![layout.bin(), layout.installed(), layout.state().join("artifacts")];
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

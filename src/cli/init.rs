//! `forge init`: a workspace that works at once.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    model::{Fault, Kind},
    workspace::starter,
};

use super::{Stop, session::Session};

/// Writes it. Nothing that is there is overwritten.
pub(super) fn init(session: &Session, folder: Option<&Path>) -> Result<u8, Stop> {
    let here = session.folder()?;
    let root = folder.map_or_else(|| here.clone(), |folder| here.join(folder));
    if let Some(there) = starter().iter().find(|file| root.join(file.path).exists()) {
        return Err(Fault::new(
            Kind::Usage,
            format!("{} is there already", root.join(there.path).display()),
        )
        .hint("`forge init` overwrites nothing; give it another folder")
        .into());
    }
    if session.flags.dry_run {
        for file in starter() {
            session.say(&format!("would write {}\n", file.path))?;
        }
        return Ok(0);
    }
    for file in starter() {
        let path = root.join(file.path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&root))?;
            fs::write(&path, file.text)?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        write().map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
        session.say(&format!("wrote {}\n", file.path))?;
    }
    if !root.join(".gitignore").exists() {
        let path = root.join(".gitignore");
        fs::write(&path, ".forge/\n")
            .map_err(|e| Fault::io(format!("cannot write {}", path.display()), &e))?;
        session.say("wrote .gitignore\n")?;
    }
    session.say("\nnow run `forge ensure`\n")?;
    Ok(0)
}

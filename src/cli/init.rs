//! `forge init`: a workspace that works at once.

use std::{
    fs::{Permissions, create_dir_all},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::{
    disk::Folder,
    model::{Fault, Kind, Layout},
    workspace::{check_root, starter},
};

use super::{CliError, editor::keep_schemas, session::Session};

/// What keeps git from seeing what forge makes.
const IGNORE: &str = ".gitignore";

/// Writes it. Nothing that is there is overwritten.
pub(super) fn init(session: &Session, folder: Option<&Path>) -> Result<u8, CliError> {
    let here = session.folder()?;
    let root = folder.map_or_else(|| here.clone(), |folder| here.join(folder));
    check_root(&root)?;
    let is_there = |path: &str| root.join(path).symlink_metadata().is_ok();
    if let Some(there) = starter().iter().find(|file| is_there(file.path)) {
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
    write_all(&root)?;
    // An editor's help is worth no failure.
    let _ = keep_schemas(&Layout::new(root.clone(), session.host.user().clone()));
    for file in starter() {
        session.say(&format!("wrote {}\n", file.path))?;
    }
    if !is_there(IGNORE) {
        write(&root, IGNORE, ".forge/\n", false)?;
        session.say(&format!("wrote {IGNORE}\n"))?;
    }
    session.say("\nnow run `forge ensure`\n")?;
    Ok(0)
}

/// Writes the files of a fresh workspace to `root`. `versions.yml` comes last: it makes a workspace of
/// the folder.
fn write_all(root: &Path) -> Result<(), Fault> {
    create_dir_all(root)
        .map_err(|error| Fault::io(format!("cannot make {}", root.display()), &error))?;
    starter().iter().rev().try_for_each(|file| write(root, file.path, file.text, file.executable))
}

/// Writes one file, through no link: somebody may have put one there.
fn write(root: &Path, path: &str, text: &str, executable: bool) -> Result<(), Fault> {
    let below = Path::new(path);
    let written = || -> io::Result<()> {
        let root = Folder::open(root)?;
        root.replace(below, text.as_bytes(), Path::new(""), true)?;
        match executable {
            true => root.open_file(below)?.set_permissions(Permissions::from_mode(0o755)),
            false => Ok(()),
        }
    };
    written()
        .map_err(|error| Fault::io(format!("cannot write {}", root.join(path).display()), &error))
}

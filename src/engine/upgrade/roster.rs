//! Subsystems that join or leave a workspace: the pin, the spec and the lock, all of them or none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::change::read;
use crate::{
    cache::{rewrite_file, turn_to_write},
    manifest::{parse_lock, render_lock},
    model::{Fault, Kind, Layout, Name},
    process::Cancel,
};

/// One subsystem more, or one less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEdit {
    /// The subsystem.
    pub name: Name,
    /// What `versions.yml` must hold, or else nothing is done.
    pub before: String,
    /// What it holds afterwards.
    pub after: String,
    /// Its spec, relative to the workspace.
    pub spec: PathBuf,
    /// What the spec says; none if it goes.
    pub text: Option<String>,
}

impl RosterEdit {
    /// Makes it. While another forge writes these files, this waits, which `tell` is told, until
    /// `cancel` ends it.
    ///
    /// # Errors
    /// `Usage` if `versions.yml` is another one meanwhile, or the spec of who joins is there already;
    /// `Failed` if a file cannot be written: then those that were are as they had been.
    pub fn make(&self, layout: &Layout, cancel: &Cancel, tell: &dyn Fn(&str)) -> Result<(), Fault> {
        let _turn = turn_to_write(layout, cancel, tell)?;
        let manifest = layout.manifest();
        if read(&manifest)?.unwrap_or_default() != self.before.as_bytes() {
            return Err(Fault::new(Kind::Usage, format!("{} changed meanwhile", Layout::MANIFEST))
                .hint("run it again"));
        }
        let spec = layout.root().join(&self.spec);
        match &self.text {
            Some(text) => {
                if spec.symlink_metadata().is_ok() {
                    let what = format!("{} is there already", self.spec.display());
                    return Err(
                        Fault::new(Kind::Usage, what).hint("give it another name: `--name`")
                    );
                }
                let folder = layout.specs();
                fs::create_dir_all(&folder)
                    .map_err(|e| Fault::io(format!("cannot make {}", folder.display()), &e))?;
                rewrite_file(layout, &spec, text.as_bytes())?;
                rewrite_file(layout, &manifest, self.after.as_bytes()).inspect_err(|_| {
                    // It was made a moment ago.
                    let _ = fs::remove_file(&spec);
                })
            }
            None => {
                let lock = self.lock(layout)?;
                rewrite_file(layout, &manifest, self.after.as_bytes())?;
                let removed = lock
                    .map_or(Ok(()), |text| rewrite_file(layout, &layout.lock(), text.as_bytes()));
                removed.and_then(|()| remove(&spec)).or_else(|fault| {
                    rewrite_file(layout, &manifest, self.before.as_bytes())?;
                    Err(fault)
                })
            }
        }
    }

    /// The lock without it, if it says something of it.
    fn lock(&self, layout: &Layout) -> Result<Option<String>, Fault> {
        let Some(bytes) = read(&layout.lock())? else { return Ok(None) };
        let mut lock = parse_lock(&String::from_utf8_lossy(&bytes)).map_err(|wrong| {
            Fault::new(Kind::Usage, "forge.lock cannot be read").because(wrong.what)
        })?;
        Ok(lock.subsystems.remove(&self.name).map(|_| render_lock(&lock)))
    }
}

/// Removes a spec, and its folder if nothing else is in it.
fn remove(spec: &Path) -> Result<(), Fault> {
    match fs::remove_file(spec) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Fault::io(format!("cannot remove {}", spec.display()), &error))
        }
        _ => {
            if let Some(folder) = spec.parent().filter(|it| !it.ends_with(Layout::SPECS)) {
                let _ = fs::remove_dir(folder);
            }
            Ok(())
        }
    }
}

//! Putting what was kept into place, all of it or nothing.
//!
//! No link is followed. Inside of what a task makes, a link that is in the way gives way: the task did
//! not make it, or the list would have it. Anything else that is in the way is somebody's, and nothing
//! is restored.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{
    disk::{EntryKind, Folder, Staging},
    model::{Fault, text_to_path},
};

use super::{
    OutputPlace,
    list::{KeptOutput, List, OutputKind},
};

/// Outputs on their way into place.
pub struct Placing<'a> {
    place: &'a OutputPlace<'a>,
    /// Where the task runs.
    target: Folder,
    /// What was prepared, by its number; and what it replaced.
    staging: Staging,
    done: Vec<PlacedOutput>,
}

/// Something that was changed, so that it can be undone.
struct PlacedOutput {
    /// Where.
    path: PathBuf,
    /// What was there, by its name in the staging folder.
    before: Option<PathBuf>,
    /// Whether something is there now.
    is_placed: bool,
}

impl<'a> Placing<'a> {
    /// Begins, with nothing prepared.
    pub fn new(place: &'a OutputPlace<'a>) -> Result<Self, Fault> {
        let failed = |error| Fault::io("cannot restore outputs from the cache", &error);
        let target = Folder::make(place.dir).map_err(failed)?;
        let staging = (place.stage)()?;
        // What is prepared must be on the disk where it goes: only there it can be renamed.
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
        let is_same = device(staging.path()).and_then(|here| Ok(here == device(place.dir)?));
        let staging = match is_same.map_err(failed)? {
            true => staging,
            false => Staging::new(&target, Path::new(".forge/half-made")).map_err(failed)?,
        };
        Ok(Self { place, target, staging, done: Vec::new() })
    }

    /// The folder in which outputs are prepared, each under its number.
    pub fn staged(&self) -> &Folder {
        self.staging.folder()
    }

    /// Puts all of `list`, which was prepared, where it belongs.
    pub fn place_all(mut self, list: &List) -> Result<(), Fault> {
        self.try_all(list).map_err(|error| {
            let fault = Fault::io("cannot restore outputs from the cache", &error);
            fault.within(self.undo())
        })
    }

    fn try_all(&mut self, list: &List) -> io::Result<()> {
        // Whose folder it is, decides who may do what with it.
        let mut new = Vec::new();
        for (folder, mode) in &list.folders {
            let folder = text_to_path(folder);
            let is_there = self.target.entry(&folder);
            // Behind a link nothing is there yet that stays.
            if !is_there.is_ok_and(|found| found.is_some_and(|it| it.kind == EntryKind::Folder)) {
                new.push((folder, *mode));
            }
        }
        for (count, output) in list.outputs.iter().enumerate() {
            self.place(count, output)?;
        }
        // The innermost first: those around it may forbid it.
        for (folder, mode) in new.into_iter().rev() {
            self.target.folder(&folder)?.set_mode(mode)?;
        }
        Ok(())
    }

    fn place(&mut self, count: usize, output: &KeptOutput) -> io::Result<()> {
        let path = text_to_path(&output.path);
        self.clear_way(&path)?;
        let found = self.target.entry(&path)?.map(|entry| entry.kind);
        match (&output.kind, found) {
            (OutputKind::EmptyFolder, Some(EntryKind::Folder)) => Ok(()),
            (OutputKind::EmptyFolder, None | Some(EntryKind::Link)) => {
                if found.is_some() {
                    self.give_way(&path)?;
                }
                self.target.make_folder(&path).map(drop)
            }
            (OutputKind::EmptyFolder, _) | (_, Some(EntryKind::Folder | EntryKind::Other)) => {
                Err(self.in_the_way(&path))
            }
            (_, found) => {
                // A second name, so that at no moment nothing is there.
                let before = found.map(|_| self.next_name());
                if let Some(before) = &before {
                    self.target.hard_link(&path, self.staging.folder(), before)?;
                }
                self.done.push(PlacedOutput { path: path.clone(), before, is_placed: true });
                let staged = PathBuf::from(count.to_string());
                self.staging.folder().rename(&staged, &self.target, &path)
            }
        }
    }

    /// Sees to it that no folder on the way to `path` is a link.
    fn clear_way(&mut self, path: &Path) -> io::Result<()> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
            match self.target.entry(folder)?.map(|entry| entry.kind) {
                None => return Ok(()),
                Some(EntryKind::Folder) => {}
                Some(EntryKind::Link) if (self.place.is_declared)(folder) => {
                    self.give_way(folder)?;
                }
                Some(_) => return Err(self.in_the_way(folder)),
            }
        }
        Ok(())
    }

    /// Puts the link `path` aside.
    fn give_way(&mut self, path: &Path) -> io::Result<()> {
        let before = self.next_name();
        self.target.rename(path, self.staging.folder(), &before)?;
        let path = path.to_owned();
        self.done.push(PlacedOutput { path, before: Some(before), is_placed: false });
        Ok(())
    }

    fn next_name(&self) -> PathBuf {
        PathBuf::from(format!("before-{}", self.done.len()))
    }

    fn in_the_way(&self, path: &Path) -> io::Error {
        let path = self.target.path().join(path);
        io::Error::other(format!("{} is in the way", path.display()))
    }

    /// Makes everything as it was before, the last first. Says how that went.
    fn undo(self) -> String {
        let mut lost = Vec::new();
        for PlacedOutput { path, before, is_placed } in self.done.into_iter().rev() {
            let undone = match before {
                // The folder that took the place of a link has nothing in it by now but folders.
                Some(before) if !is_placed => {
                    let _ = self.target.remove_all(&path);
                    self.staging.folder().rename(&before, &self.target, &path)
                }
                Some(before) => self.staging.folder().rename(&before, &self.target, &path),
                None => self.target.remove_file(&path),
            };
            if undone.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
                lost.push(self.target.path().join(path).display().to_string());
            }
        }
        match lost.as_slice() {
            [] => "nothing is restored".into(),
            lost => format!("what was restored already could not be undone: {}", lost.join(", ")),
        }
    }
}

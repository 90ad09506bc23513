//! Goes through folders, and says what of them counts.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use ignore::{Match, overrides::Override};

use super::{
    is_own, rules,
    walker::{FolderState, Walker},
};

/// What something that counts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// A file.
    File,
    /// A link, wherever it points.
    Link,
    /// A folder with nothing in it.
    EmptyFolder,
}

/// Something that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Where it is, by the way it was reached: perhaps through links.
    pub path: PathBuf,
    /// What it is.
    pub kind: InputKind,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What counts.
    pub inputs: Vec<InputFile>,
    /// The folders that were looked through.
    pub folders: Vec<PathBuf>,
    /// Sockets, pipes and devices that would count if they were files.
    pub special: Vec<PathBuf>,
}

/// What is looked for.
pub(super) struct Lister<'a> {
    /// Who knows what git ignores; everything counts without.
    pub walker: Option<&'a Walker>,
    /// What is meant; everything without.
    pub patterns: Option<&'a Override>,
    /// Whether people ask for it by patterns: then folders that cannot be listed are passed over, and
    /// empty folders count (but git knows none).
    pub is_asked: bool,
    /// Whether links to folders are followed.
    pub follow: bool,
    /// How many folders deep it is looked; without end if nothing is said.
    pub depth: Option<usize>,
}

/// A folder that is still to be looked through.
struct Open {
    shown: PathBuf,
    /// Where it really is, if it was reached through a link.
    real: Option<PathBuf>,
    place: Option<FolderState>,
    depth: usize,
    /// Whether all in it counts, whatever the patterns are.
    is_whole: bool,
}

/// Folders that links led to, by their real paths.
#[derive(Default)]
struct Reached {
    once: HashSet<PathBuf>,
    whole: HashSet<PathBuf>,
}

impl Lister<'_> {
    /// Looks at `start`, a file or a folder (or a link to one), and all below it.
    pub fn list(&self, start: &Path) -> io::Result<Listing> {
        let mut listing = Listing::default();
        let kind = fs::symlink_metadata(start)?.file_type();
        let leads_to_folder = || fs::metadata(start).is_ok_and(|found| found.is_dir());
        let is_folder = kind.is_dir() || kind.is_symlink() && leads_to_folder();
        if !is_folder {
            listing.add(start.to_owned(), kind);
            return Ok(listing);
        }
        let place = self.walker.map(|walker| match start.parent() {
            // Who names an ignored folder wants what is in it.
            Some(above) => walker.place(above).with_ignored(false),
            None => walker.place(start),
        });
        let mut reached = Reached::default();
        let (shown, real) = (start.to_owned(), None);
        let mut open = vec![Open { shown, real, place, depth: 0, is_whole: false }];
        while let Some(folder) = open.pop() {
            if self.depth.is_some_and(|depth| folder.depth > depth) {
                continue;
            }
            match self.look_through(&folder, &mut listing, &mut reached) {
                Ok(more) => open.extend(more),
                Err(_) if self.is_asked => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listing)
    }

    /// Adds what is in `folder`; returns the folders in it.
    fn look_through(
        &self,
        folder: &Open,
        listing: &mut Listing,
        reached: &mut Reached,
    ) -> io::Result<Vec<Open>> {
        let at = folder.real.as_deref().unwrap_or(&folder.shown);
        let mut inside = Vec::new();
        for entry in fs::read_dir(at)? {
            let entry = entry?;
            inside.push((entry.file_name(), entry.file_type()?));
        }
        listing.folders.push(folder.shown.clone());
        let holds = |name: &str| inside.iter().any(|(found, _)| found == name);
        let place = folder.place.clone();
        let place = place.map(|place| place.within(at, holds(".git"), holds(rules::FILE)));
        // What was asked for is not lost without a word.
        let is_made = self.is_asked && place.is_none();
        let own = inside.iter().filter(|(name, _)| is_made && is_own(name));
        let own = own.map(|(name, _)| folder.shown.join(name));
        listing.special.extend(own.filter(|path| self.means(folder, path, true)));
        inside.retain(|(name, _)| !is_own(name));
        if inside.is_empty()
            && self.is_asked
            && place.is_none()
            && self.means(folder, &folder.shown, true)
        {
            let path = folder.shown.clone();
            listing.inputs.push(InputFile { path, kind: InputKind::EmptyFolder });
        }
        let mut more = Vec::new();
        for (name, kind) in inside {
            let shown = folder.shown.join(&name);
            let real = folder.real.as_ref().map(|real| real.join(&name));
            let at = real.as_deref().unwrap_or(&shown);
            if place.as_ref().is_some_and(|place| !place.counts(at, kind.is_dir())) {
                continue;
            }
            if kind.is_dir() {
                if !self.excludes(&shown) {
                    let place = place.clone().map(|place| {
                        let is_ignored = place.ignores(at, true);
                        place.with_ignored(is_ignored)
                    });
                    let depth = folder.depth + 1;
                    more.push(Open { shown, real, place, depth, is_whole: folder.is_whole });
                }
                continue;
            }
            if kind.is_symlink() && self.follow && !folder.is_whole && !self.excludes(&shown) {
                more.extend(self.behind(at, &shown, folder.depth + 1, reached));
            }
            if self.means(folder, &shown, false) {
                listing.add(shown, kind);
            }
        }
        Ok(more)
    }

    /// The folder behind a link, if it is to be looked through. One that holds the link is not:
    /// that would never end. One that another link led to counts whole instead, whatever is meant:
    /// looking for each of many names would take too long, and nothing is missed so.
    fn behind(&self, at: &Path, shown: &Path, depth: usize, reached: &mut Reached) -> Option<Open> {
        if !fs::metadata(at).ok()?.is_dir() {
            return None;
        }
        let real = at.canonicalize().ok()?;
        let holder = at.parent()?.canonicalize().ok()?;
        if holder.starts_with(&real) || real.components().any(|part| is_own(part.as_os_str())) {
            return None;
        }
        let is_first = reached.once.insert(real.clone());
        if !is_first && !reached.whole.insert(real.clone()) {
            return None;
        }
        let place = self.walker.zip(real.parent()).map(|(walker, above)| walker.place(above));
        let (shown, real) = (shown.to_owned(), Some(real));
        Some(Open { shown, real, place, depth, is_whole: !is_first })
    }

    fn means(&self, folder: &Open, path: &Path, is_dir: bool) -> bool {
        let matched = |patterns: &Override| patterns.matched(path, is_dir).is_whitelist();
        match folder.is_whole {
            true => !self.excludes(path),
            false => self.patterns.is_none_or(matched),
        }
    }

    /// Whether a pattern with `!` means it.
    fn excludes(&self, path: &Path) -> bool {
        let matched =
            |patterns: &Override| matches!(patterns.matched(path, true), Match::Ignore(_));
        self.patterns.is_some_and(matched)
    }
}

impl Listing {
    /// Adds what is no folder.
    fn add(&mut self, path: PathBuf, kind: fs::FileType) {
        if kind.is_symlink() {
            self.inputs.push(InputFile { path, kind: InputKind::Link });
        } else if kind.is_file() {
            self.inputs.push(InputFile { path, kind: InputKind::File });
        } else {
            self.special.push(path);
        }
    }

    /// The links among what counts.
    pub fn links(&self) -> Vec<PathBuf> {
        let links = self.inputs.iter().filter(|input| input.kind == InputKind::Link);
        links.map(|input| input.path.clone()).collect()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.inputs.extend(other.inputs);
        self.folders.extend(other.folders);
        self.special.extend(other.special);
    }
}

//! The one walker: what counts below a folder, as git sees it.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    contents::{self, FileDigest},
    index::Lack,
    large_files::LargeFiles,
    lfs,
    lister::{InputFile, Lister, Listing},
    repository::GitRepository,
    rules::{self, IgnoreRules},
};
use crate::model::{Layout, UserFolders};

/// Looks at the files of a workspace. What holds in the folders above them, and what git tracks, is
/// read once.
#[derive(Debug)]
pub struct Walker {
    repository: Arc<GitRepository>,
    known: Mutex<HashMap<PathBuf, FolderState>>,
    large_files: Option<Arc<LargeFiles>>,
}

/// How things stand in a folder.
#[derive(Clone, Debug)]
pub(super) struct FolderState {
    repository: Arc<GitRepository>,
    rules: Arc<IgnoreRules>,
    /// Whether git ignores the folder: then only what it tracks all the same counts.
    is_ignored: bool,
}

impl Walker {
    /// For the workspace at `layout`, an absolute path.
    pub fn new(layout: &Layout) -> Self {
        let repository = GitRepository::around(layout.root(), layout.user());
        Self { repository, known: Mutex::default(), large_files: None }
    }

    /// For the folder `top`, which is a tree of its own, whatever is around it: a checkout of another
    /// repository, or what an archive held.
    pub fn of_tree(top: &Path, user: &UserFolders) -> Self {
        Self {
            repository: GitRepository::at_top(top, user),
            known: Mutex::default(),
            large_files: None,
        }
    }

    /// Takes from `large_files` what is known of files, and adds what it learns.
    #[must_use]
    pub fn with_large_files(self, large_files: Arc<LargeFiles>) -> Self {
        Self { large_files: Some(large_files), ..self }
    }

    /// As [`contents::read`]; what is known of large files is not computed again.
    ///
    /// # Errors
    /// If it cannot be read, or is by now something else.
    pub fn read(&self, input: &InputFile) -> io::Result<FileDigest> {
        contents::read_unless_known(input, self.large_files.as_deref())
    }

    /// What git tracks, or would not ignore, at and below `start`: also where `start` itself is
    /// ignored, since somebody named it.
    ///
    /// # Errors
    /// If something cannot be listed.
    pub fn list(&self, start: &Path) -> io::Result<Listing> {
        Lister { walker: Some(self), patterns: None, is_asked: false, follow: false, depth: None }
            .list(start)
    }

    /// Whether git tracks something at or below `path`, though it may not be there: a sparse checkout
    /// leaves out what is tracked.
    pub fn tracks_below(&self, path: &Path) -> bool {
        self.repository.tracks_below(path)
    }

    /// The first that git tracks at or below `path` and this checkout lacks.
    pub fn lacks_below(&self, path: &Path) -> Option<(PathBuf, Lack)> {
        self.repository.lacks_below(path)
    }

    /// Whether git tracks `path`, a file or link, or would not ignore it.
    pub fn counts(&self, path: &Path) -> bool {
        path.parent().is_none_or(|folder| self.place(folder).counts(path, false))
    }

    /// The files that decide what counts at `start`, beside those below it; some may not be there.
    pub fn deciding(&self, start: &Path) -> BTreeSet<PathBuf> {
        let above = start.ancestors().skip(1);
        let above = above.take_while(|folder| folder.starts_with(&self.repository.top));
        let mut files: BTreeSet<PathBuf> = above.map(|folder| folder.join(rules::FILE)).collect();
        files.extend(self.repository.deciding());
        files
    }

    /// Which line of which `.gitattributes` gives `path` to Git LFS, if one does: `FILE:LINE`.
    pub fn lfs_rule(&self, path: &Path) -> Option<String> {
        lfs::rule(&self.repository.top, path)
    }

    /// The first file below `top` that is a pointer of Git LFS, and the line that gives it to LFS.
    ///
    /// # Errors
    /// If something cannot be listed or read.
    pub fn first_pointer(&self, top: &Path) -> io::Result<Option<(PathBuf, String)>> {
        let files = self.list(top)?.inputs;
        // Nearly no repository has any: then no file is opened.
        if !files.iter().any(|file| lfs::gives_to_lfs(&file.path)) {
            return Ok(None);
        }
        for file in files.iter().filter(|file| lfs::may_be_pointer(&file.path)) {
            if contents::read(file)?.is_pointer
                && let Some(rule) = self.lfs_rule(&file.path)
            {
                return Ok(Some((file.path.clone(), rule)));
            }
        }
        Ok(None)
    }

    /// How things stand in `folder`.
    pub(super) fn place(&self, folder: &Path) -> FolderState {
        let known = |folder: &Path| {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(folder).cloned()
        };
        if let Some(place) = known(folder) {
            return place;
        }
        let top = &self.repository.top;
        let place = match folder.parent() {
            Some(above) if folder != top && folder.starts_with(top) => {
                let above = self.place(above);
                let is_ignored = above.is_ignored || above.rules.ignore(folder, true);
                FolderState { is_ignored, ..above }.within(
                    folder,
                    folder.join(".git").exists(),
                    true,
                )
            }
            _ => {
                let rules = self.repository.rules.within(top);
                FolderState { repository: self.repository.clone(), rules, is_ignored: false }
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(folder.to_owned(), place.clone());
        place
    }
}

impl FolderState {
    /// The same of a folder that git ignores, or does not.
    pub fn with_ignored(self, is_ignored: bool) -> Self {
        Self { is_ignored, ..self }
    }

    /// How things stand in `folder`, which this was said of from above, knowing what it holds: a
    /// repository of its own (a submodule), rules of its own.
    pub fn within(self, folder: &Path, is_repository: bool, has_rules: bool) -> Self {
        let inner = if is_repository { self.repository.within(folder) } else { None };
        let place = match inner {
            Some(inner) if folder != self.repository.top => {
                Self { rules: inner.rules.clone(), repository: inner, is_ignored: false }
            }
            _ => self,
        };
        match has_rules {
            true => Self { rules: place.rules.within(folder), ..place },
            false => place,
        }
    }

    /// Whether something in the folder that this is said of counts: it is not ignored, or tracked all
    /// the same.
    pub fn counts(&self, path: &Path, is_dir: bool) -> bool {
        !self.ignores(path, is_dir)
            || match is_dir {
                true => self.repository.tracks_below(path),
                false => self.repository.tracks(path),
            }
    }

    /// Whether git ignores `path`, which is in the folder that this is said of.
    pub fn ignores(&self, path: &Path, is_dir: bool) -> bool {
        self.is_ignored || self.rules.ignore(path, is_dir)
    }
}

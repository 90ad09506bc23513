//! The git repository that a folder is in: where it begins, which rules hold in all of it, and what
//! it tracks. All of it is read from files; git itself is not run.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::{
    excludes::excludes_file,
    index::{Lack, TrackedPaths},
    rules::IgnoreRules,
};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::UserFolders,
};

/// A repository; or, where there is none, a folder in which rules hold all the same.
#[derive(Debug)]
pub struct GitRepository {
    /// Where its files begin.
    pub top: PathBuf,
    /// Its own folder; none where there is no repository.
    git_dir: Option<PathBuf>,
    /// What holds in all of it.
    pub rules: Arc<IgnoreRules>,
    /// What its user's git ignores everywhere.
    of_user: Option<PathBuf>,
    index: OnceLock<TrackedPaths>,
}

impl GitRepository {
    /// The repository that the workspace at `root` is in. One that belongs to somebody else, and so
    /// decides nothing here, is none (git does not trust such either).
    pub fn around(root: &Path, user: &UserFolders) -> Arc<Self> {
        let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
        let own = owner(root);
        let is_ours = |top: &&Path| {
            let git = top.join(".git");
            git.exists() && (owner(&git) == own || owner(&git) == Some(0))
        };
        let top = root.ancestors().find(is_ours);
        Self::new(top.unwrap_or(root), excludes_file(user))
    }

    /// The repository that begins at `top`, in this one, if one does.
    pub fn within(&self, top: &Path) -> Option<Arc<Self>> {
        top.join(".git").exists().then(|| Self::new(top, self.of_user.clone()))
    }

    /// The repository at `top`, or rules that hold from there on if none begins there.
    pub fn at_top(top: &Path, user: &UserFolders) -> Arc<Self> {
        Self::new(top, excludes_file(user))
    }

    fn new(top: &Path, of_user: Option<PathBuf>) -> Arc<Self> {
        let git_dir = git_dir(top);
        let exclude = git_dir.as_deref().map(|dir| common_dir(dir).join("info/exclude"));
        let rules = IgnoreRules::of_repository(top, of_user.as_deref(), exclude.as_deref());
        Arc::new(Self { top: top.to_owned(), git_dir, rules, of_user, index: OnceLock::new() })
    }

    /// Whether git tracks the file `path`, an absolute path.
    pub fn tracks(&self, path: &Path) -> bool {
        self.inside(path).is_some_and(|path| self.index().has(path))
    }

    /// Whether git tracks something at or below `path`, an absolute path.
    pub fn tracks_below(&self, path: &Path) -> bool {
        let index = || self.index();
        self.inside(path).is_some_and(|path| index().has_below(path) || index().has(path))
    }

    /// What git tracks at or below `path`, an absolute path, and this checkout lacks; the first of it.
    pub fn lacks_below(&self, path: &Path) -> Option<(PathBuf, Lack)> {
        let git_dir = self.git_dir.as_ref()?;
        // Nearly no checkout lacks anything: then the index is not read for this.
        let may_lack = [git_dir.join("info/sparse-checkout"), self.top.join(".gitmodules")];
        let inside = self.inside(path).filter(|_| may_lack.iter().any(|file| file.exists()))?;
        let lacks = |(path, lack): (&[u8], Lack)| {
            let path = self.top.join(OsStr::from_bytes(path));
            let is_there = match lack {
                Lack::Sparse => path.symlink_metadata().is_ok(),
                Lack::Submodule => path.join(".git").symlink_metadata().is_ok(),
            };
            (!is_there).then_some((path, lack))
        };
        self.index().optional_below(inside).find_map(lacks)
    }

    /// The files that say what it ignores and tracks, beside those among its own files; they may not be
    /// there.
    pub fn deciding(&self) -> Vec<PathBuf> {
        let of_git = self
            .git_dir
            .iter()
            .flat_map(|dir| [common_dir(dir).join("info/exclude"), dir.join("index")]);
        of_git.chain(self.of_user.clone()).collect()
    }

    fn inside<'p>(&self, path: &'p Path) -> Option<&'p [u8]> {
        Some(path.strip_prefix(&self.top).ok()?.as_os_str().as_bytes())
    }

    /// Read when it is first needed, which is where something is ignored.
    fn index(&self) -> &TrackedPaths {
        self.index.get_or_init(|| match &self.git_dir {
            Some(dir) => TrackedPaths::read(dir, hash_bytes(&common_dir(dir))),
            None => TrackedPaths::default(),
        })
    }
}

/// The folder of the repository at `top`: `.git`, or what a file of that name says (worktrees,
/// submodules).
fn git_dir(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = read_text(&git, MOST_OF_TEXT).ok()?;
    Some(top.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The folder that all worktrees of a repository share.
fn common_dir(git_dir: &Path) -> PathBuf {
    match read_text(&git_dir.join("commondir"), MOST_OF_TEXT) {
        Ok(text) => git_dir.join(text.trim()),
        Err(_) => git_dir.to_owned(),
    }
}

/// How many bytes a hash has: SHA-1, unless `extensions.objectFormat` says otherwise.
fn hash_bytes(common_dir: &Path) -> usize {
    let config = read_text(&common_dir.join("config"), MOST_OF_TEXT).unwrap_or_default();
    let says_sha256 = |line: &str| {
        let line = line.to_ascii_lowercase();
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "objectformat" && value.trim() == "sha256")
    };
    if config.lines().any(says_sha256) { 32 } else { 20 }
}

//! What `.gitignore` files say, from the folder of a file up to the top of its repository.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use crate::disk::{MOST_OF_TEXT, read_file};

/// What one file says, and those that come after it if it says nothing of a path.
#[derive(Debug)]
pub struct IgnoreRules {
    own: Gitignore,
    next: Option<Arc<IgnoreRules>>,
}

/// What git reads in every folder.
pub const FILE: &str = ".gitignore";

impl IgnoreRules {
    /// What holds in the whole repository at `top`, if no file in it says otherwise: the user's own
    /// list `of_user`, and before that `exclude`.
    pub fn of_repository(top: &Path, of_user: Option<&Path>, exclude: Option<&Path>) -> Arc<Self> {
        let own = of_user.and_then(|path| parse(top, path));
        let global = Arc::new(Self { own: own.unwrap_or_else(Gitignore::empty), next: None });
        match exclude.and_then(|path| read(top, path)) {
            Some(own) => Arc::new(Self { own, next: Some(global) }),
            None => global,
        }
    }

    /// Those of `folder`: of its own file first, then `self`. Git reads no such file through a link.
    pub fn within(self: &Arc<Self>, folder: &Path) -> Arc<Self> {
        match read(folder, &folder.join(FILE)) {
            Some(own) => Arc::new(Self { own, next: Some(self.clone()) }),
            None => self.clone(),
        }
    }

    /// Whether they ignore `path`, by itself: whether a folder above is ignored is not looked at.
    pub fn ignore(&self, path: &Path, is_dir: bool) -> bool {
        let mut next = Some(self);
        while let Some(rules) = next {
            match rules.own.matched(path, is_dir) {
                Match::None => next = rules.next.as_deref(),
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

/// What the file at `path` says of what is in `folder`; nothing if there is no such file.
fn read(folder: &Path, path: &Path) -> Option<Gitignore> {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file()).then(|| parse(folder, path))?
}

/// [`read`], also through a link.
fn parse(folder: &Path, path: &Path) -> Option<Gitignore> {
    let bytes = read_file(path, MOST_OF_TEXT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new(folder);
    for line in text.trim_start_matches('\u{feff}').lines() {
        // A line that is not a pattern ignores nothing, as in git.
        let _ = builder.add_line(None::<PathBuf>, line);
    }
    builder.build().ok()
}

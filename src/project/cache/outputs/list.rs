//! The list of what a task made, as it is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::{Sha256, text_to_path};

/// A list is smaller than this.
pub const MOST_BYTES: u64 = 64 << 20;

/// All that a task made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Files, links and empty folders.
    pub outputs: Vec<KeptOutput>,
    /// The permissions of folders that any of these are in, and of empty ones, by their paths as text.
    pub folders: BTreeMap<String, u32>,
}

/// Something that a task made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOutput {
    /// Where, relative to where the task runs, as text.
    pub path: String,
    /// What the caller knew of it when it was kept.
    pub mark: String,
    /// What it is.
    pub kind: OutputKind,
}

/// What something that a task made is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputKind {
    /// A file: its digest and its permissions.
    File(Sha256, u32),
    /// A link: where it points, as text.
    Link(String),
    /// A folder with nothing in it.
    EmptyFolder,
}

/// Checks that each of `outputs` is one that may be made, whoever wrote the list: below where the task
/// runs, declared, once, and behind no other of them that is not a folder.
///
/// # Errors
/// The first that is not.
pub fn check(outputs: &[KeptOutput], is_declared: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let refused = |output: &KeptOutput, why: &str| {
        Err(io::Error::other(format!("the cache has an output {:?} that {why}", output.path)))
    };
    let mut seen = BTreeSet::new();
    for output in outputs {
        let path = text_to_path(&output.path);
        if !is_below(&path) || path.components().any(is_own) {
            return refused(output, "lies outside of where the task runs");
        }
        if !is_declared(&path) {
            return refused(output, "the task does not make");
        }
        if !seen.insert(normal(&path).unwrap_or_default()) {
            return refused(output, "is there twice");
        }
    }
    let is_behind = |output: &&KeptOutput| {
        let path = normal(&text_to_path(&output.path)).unwrap_or_default();
        path.ancestors().skip(1).any(|above| seen.contains(above))
    };
    match outputs.iter().find(is_behind) {
        Some(output) => refused(output, "lies behind another one"),
        None => Ok(()),
    }
}

/// Whether `path` leads to something below the folder that it is relative to.
pub fn is_below(path: &Path) -> bool {
    let is_name = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    path.components().all(is_name) && path.file_name().is_some()
}

fn is_own(part: Component) -> bool {
    matches!(part, Component::Normal(name) if name == ".git" || name == ".forge")
}

/// `path` without `.` and `..`; nothing if it leads out.
pub fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            _ => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &str) -> KeptOutput {
        KeptOutput { path: path.into(), mark: String::new(), kind: OutputKind::Link("x".into()) }
    }

    #[test]
    fn no_path_leads_out_or_behind_another() {
        let is_fine = |paths: &[&str]| {
            let outputs: Vec<KeptOutput> = paths.iter().map(|path| link(path)).collect();
            check(&outputs, &|path| !path.starts_with("other")).is_ok()
        };
        assert!(is_fine(&["dist/a", "dist/b/c", "./d"]));
        for paths in [
            &["../a"][..],
            &["/etc/a"],
            &["a/../../b"],
            &[""],
            &["."],
            &["a/.."],
            &[".git/hooks/pre-commit"],
            &["sub/.forge/bin/x"],
            &["other/a"],
            &["a", "a"],
            &["a", "./a"],
            &["l", "l/.bashrc"],
            &["l/b/c", "l"],
        ] {
            assert!(!is_fine(paths), "{paths:?}");
        }
    }
}

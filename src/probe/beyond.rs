//! What goes into in-repo sources from outside of their folders: `also` and `imports`. Every file is
//! read once, however many share it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rayon::prelude::*;

use super::tree::{self, Grounds, Tree};
use crate::{
    imports::Graph,
    model::{Fault, FileStat, TreeHasher, checksum},
    workspace::Shared,
};

/// An in-repo source.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Its folder, relative to the workspace.
    pub dir: &'a Path,
    /// What of it counts; all if there is nothing.
    pub only: &'a [String],
    /// What else does.
    pub shared: &'a Shared,
}

impl Own<'_> {
    /// Its files and folders, relative to the workspace, with `/` between their parts; the workspace
    /// itself is the empty path.
    pub fn starts(&self) -> Vec<String> {
        let dir = if self.dir == Path::new(".") { Path::new("") } else { self.dir };
        match self.only {
            [] => vec![dir.to_string_lossy().into_owned()],
            only => only.iter().map(|part| dir.join(part).to_string_lossy().into_owned()).collect(),
        }
    }
}

/// Reads many in-repo sources of the workspace at `root`, with what goes into them from elsewhere.
pub fn walk_sources(root: &Path, all: &[Own]) -> Vec<Result<Tree, Fault>> {
    let grounds = |own: &Own<'_>| root.join(own.dir);
    let grounds: Vec<_> =
        all.iter().map(|own| Grounds { root: grounds(own), only: own.only }).collect();
    let mut trees = tree::walk_all(&grounds);
    let wide: Vec<usize> = (0..all.len()).filter(|at| !all[*at].shared.is_empty()).collect();
    if wide.is_empty() {
        return trees;
    }
    let sources: Vec<Own> = wide.iter().map(|at| all[*at]).collect();
    let read_at = SystemTime::now();
    match beyond(root, &sources).and_then(|found| Ok((read(root, &found)?, found))) {
        Ok((files, found)) => {
            for (at, found) in wide.into_iter().zip(found) {
                if let Ok(own) = &mut trees[at] {
                    found.widen(root, own, &files);
                    own.read_at = own.read_at.min(read_at);
                }
            }
        }
        Err(fault) => wide.into_iter().for_each(|at| trees[at] = Err(fault.clone())),
    }
    trees
}

/// What is outside of one source.
#[derive(Debug, Default)]
struct Beyond {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    absent: BTreeSet<String>,
}

/// A file that was read.
struct Mark {
    kind: char,
    checksum: [u8; 32],
    stat: FileStat,
}

fn beyond(root: &Path, all: &[Own]) -> Result<Vec<Beyond>, Fault> {
    let mut found: Vec<Beyond> = all.iter().map(|_| Beyond::default()).collect();
    let importing: Vec<usize> = (0..all.len()).filter(|at| all[*at].shared.imports).collect();
    let programs: Vec<_> = importing.iter().map(|at| all[*at].starts()).collect();
    for (at, reach) in importing.into_iter().zip(Graph::new(root).reach_all(&programs)?) {
        found[at].absent.extend(reach.rules.difference(&reach.files).cloned());
        found[at].folders.extend(reach.packages);
        found[at].files.extend(reach.files);
    }
    let mut listed: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for (own, found) in all.iter().zip(&mut found) {
        for pattern in &own.shared.also {
            let start = Shared::start(pattern);
            if !listed.contains_key(start) {
                listed.insert(start, tree::names(root, start)?);
            }
            let (files, folders) = &listed[start];
            let one = Shared { also: vec![pattern.clone()], imports: false };
            found.files.extend(files.iter().filter(|path| one.means(path).is_some()).cloned());
            found.folders.extend(folders.iter().cloned());
        }
    }
    Ok(found)
}

/// Reads every file of `all` once.
fn read(root: &Path, all: &[Beyond]) -> Result<BTreeMap<String, Mark>, Fault> {
    let names: BTreeSet<&String> = all.iter().flat_map(|found| &found.files).collect();
    let mark = |name: &String| {
        let path = root.join(name);
        let cannot = |error| Fault::io(format!("cannot read {}", path.display()), &error);
        let metadata = fs::symlink_metadata(&path).map_err(cannot)?;
        let (kind, contents) = tree::read(&path, &metadata).map_err(cannot)?;
        let stat = FileStat::of(&metadata);
        Ok((name.clone(), Mark { kind, checksum: checksum(&contents), stat }))
    };
    names.into_par_iter().map(mark).collect()
}

impl Beyond {
    /// Makes it part of `tree`.
    fn widen(self, root: &Path, tree: &mut Tree, files: &BTreeMap<String, Mark>) {
        let mut hasher = TreeHasher::new();
        hasher.add("", 'd', &tree.digest.0);
        for name in &self.files {
            let Mark { kind, checksum, stat } = &files[name];
            hasher.add(name, *kind, checksum);
            tree.inputs.push((root.join(name), *stat));
        }
        tree.digest = hasher.finish();
        for name in &self.folders {
            let path: PathBuf = root.join(name);
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                tree.inputs.push((path, FileStat::of(&metadata)));
            }
        }
        tree.absent.extend(self.absent.iter().map(|name| root.join(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_is_shared_counts_and_what_is_beside_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "go.mod", "module m\n");
        write(root, "a/main.go", "package main\nimport _ \"m/libs/x\"\n");
        write(root, "libs/x/x.go", "package x\n");
        write(root, "libs/y/y.go", "package y\n");
        write(root, "protos/p.proto", "1");
        let shared = Shared { also: vec!["protos/*.proto".into()], imports: true };
        let own = Own { dir: Path::new("a"), only: &[], shared: &shared };
        let walk = || walk_sources(root, &[own]).remove(0).unwrap();
        let mut before = walk();
        write(root, "libs/y/y.go", "package y // changed\n");
        write(root, "protos/p.md", "1");
        write(root, "libs/x/x_test.go", "package x\n");
        assert_eq!(walk().digest, before.digest);
        for (path, text) in [
            ("libs/x/x.go", "package x // changed\n"),
            ("libs/x/z.go", "package x\n"),
            ("protos/p.proto", "2"),
            ("go.mod", "module m\n\ngo 1.22\n"),
            ("go.sum", "x"),
        ] {
            write(root, path, text);
            let now = walk();
            assert_ne!(now.digest, before.digest, "{path}");
            before = now;
        }
        before.read_at += 2 * FileStat::CLOCK_TICK;
        assert!(before.is_surely_unchanged());
        write(root, "go.work", "use ./x\n");
        assert!(!before.is_surely_unchanged());
    }
}

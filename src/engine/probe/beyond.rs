//! What goes into in-repo sources from outside of their folders: `also` and `imports`. Every file is
//! read once, however many share it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rayon::prelude::*;

use super::tree::{self, Grounds, SourceTreeState, name, read_all};
use crate::{
    imports::Graph,
    model::{Fault, FileStat, Layout, TreeHasher, text_to_path},
    walk::{FileDigest, InputFile, InputKind, Walker, reached_by_links},
    workspace::{SharedInputs, Source, Subsystem, is_meant},
};

/// Below this many sources, threads cost more than they save.
const MANY_SOURCES: usize = 64;

/// What of the workspace goes into a subsystem.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The folder of its source, relative to the workspace; none if its source is not in it.
    pub dir: Option<&'a Path>,
    /// What of it counts; all if there is nothing.
    pub only: &'a [String],
    /// What else does.
    pub shared: &'a SharedInputs,
}

impl<'a> Own<'a> {
    /// That of `subsystem`; none if nothing of the workspace does.
    pub fn for_subsystem(subsystem: &'a Subsystem) -> Option<Self> {
        let shared = &subsystem.shared;
        match &subsystem.source {
            Source::Path { dir, only } => Some(Self { dir: Some(dir), only, shared }),
            _ if shared.is_empty() => None,
            _ => Some(Self { dir: None, only: &[], shared }),
        }
    }

    /// Its files and folders, relative to the workspace, with `/` between their parts; the workspace
    /// itself is the empty path.
    pub fn starts(&self) -> Vec<String> {
        let Some(dir) = self.dir else { return Vec::new() };
        let dir = if dir == Path::new(".") { Path::new("") } else { dir };
        match self.only {
            [] => vec![dir.to_string_lossy().into_owned()],
            only => only.iter().map(|part| dir.join(part).to_string_lossy().into_owned()).collect(),
        }
    }
}

/// Reads many in-repo sources of the workspace at `layout`, with what goes into them from elsewhere.
pub fn walk_sources(layout: &Layout, all: &[Own]) -> Vec<Result<SourceTreeState, Fault>> {
    walk_sources_by(&Walker::new(layout), layout.root(), all)
}

/// As [`walk_sources`], by a walker of the workspace at `root`.
pub(super) fn walk_sources_by(
    walker: &Walker,
    root: &Path,
    all: &[Own],
) -> Vec<Result<SourceTreeState, Fault>> {
    let ground = |own: &Own<'_>| Grounds {
        starts: own.starts().iter().map(|start| root.join(start)).collect(),
        root: own.dir.map_or_else(|| root.to_owned(), |dir| root.join(dir)),
    };
    let grounds: Vec<_> = all.iter().map(ground).collect();
    let mut trees = tree::walk_all(walker, &grounds);
    let read_at = SystemTime::now();
    let whole = |at: &usize| trees[*at].is_ok();
    let wide: Vec<usize> = (0..all.len()).filter(whole).collect();
    let sources: Vec<(Own, Vec<PathBuf>)> = wide
        .iter()
        .map(|at| {
            (all[*at], trees[*at].as_ref().map(|tree| tree.links.clone()).unwrap_or_default())
        })
        .collect();
    match beyond(root, &sources, walker).and_then(|found| Ok((read(root, &found, walker)?, found)))
    {
        Ok((files, found)) => {
            for (at, found) in wide.into_iter().zip(found) {
                if let (Ok(own), false) = (&mut trees[at], found.is_empty()) {
                    found.widen(root, own, &files);
                    own.read_at = own.read_at.min(read_at);
                }
            }
        }
        Err(fault) => wide.into_iter().for_each(|at| trees[at] = Err(fault.clone())),
    }
    trees
}

/// Where links of `own` lead to elsewhere in the workspace at `root`: files and folders with all below
/// them, relative to the workspace. They go into it as if `also` named them.
///
/// # Errors
/// If something cannot be listed.
pub fn linked(root: &Path, walker: &Walker, own: &Own) -> Result<BTreeSet<String>, Fault> {
    let mut links = Vec::new();
    for start in own.starts() {
        let path = root.join(start);
        match walker.list(&path) {
            Ok(listing) => links.extend(listing.links()),
            // A sparse checkout left it out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::io(format!("cannot list {}", path.display()), &error)),
        }
    }
    let found = also(root, own.shared, walker, &mut BTreeMap::new())?;
    links.extend(found.links(root));
    reach(root, walker, own, links)
}

fn reach(
    root: &Path,
    walker: &Walker,
    own: &Own,
    links: Vec<PathBuf>,
) -> Result<BTreeSet<String>, Fault> {
    let starts: Vec<PathBuf> = own.starts().iter().map(|start| root.join(start)).collect();
    let reached = reached_by_links(walker, root, &starts, links)
        .map_err(|error| Fault::io("cannot list what a link leads to", &error))?;
    Ok(reached.iter().map(|path| name(root, path)).collect())
}

/// What is outside of one source. Names are relative to the workspace.
#[derive(Debug, Default)]
struct Beyond {
    files: BTreeMap<String, InputKind>,
    folders: BTreeSet<String>,
    absent: BTreeSet<String>,
}

fn beyond(root: &Path, all: &[(Own, Vec<PathBuf>)], walker: &Walker) -> Result<Vec<Beyond>, Fault> {
    let mut listed = BTreeMap::new();
    let named = all.iter().map(|(own, _)| also(root, own.shared, walker, &mut listed));
    let mut found = named.collect::<Result<Vec<_>, Fault>>()?;
    let look = |(at, (own, links)): (usize, &(Own, Vec<PathBuf>))| {
        reach(root, walker, own, links.iter().cloned().chain(found[at].links(root)).collect())
    };
    let reached: Result<Vec<_>, Fault> = match all.len() {
        ..MANY_SOURCES => all.iter().enumerate().map(look).collect(),
        _ => all.par_iter().enumerate().map(look).collect(),
    };
    for (one, starts) in found.iter_mut().zip(reached?) {
        for start in starts {
            one.add(list(root, &start, walker, &mut listed)?, |_| true);
        }
    }
    let importing: Vec<usize> = (0..all.len()).filter(|at| all[*at].0.shared.imports).collect();
    let programs: Vec<_> = importing.iter().map(|at| all[*at].0.starts()).collect();
    for (at, reach) in importing.into_iter().zip(Graph::new(root).reach_all(&programs)?) {
        found[at].absent.extend(reach.rules.difference(&reach.files).cloned());
        found[at].folders.extend(reach.packages);
        // What git ignores and does not track is no more an input there than in the source.
        let counts = |file: &String| walker.counts(&root.join(file));
        let files = reach.files.into_iter().filter(counts);
        found[at].files.extend(files.map(|file| (file, InputKind::File)));
    }
    Ok(found)
}

/// Folders of the workspace that were listed, by their names, with all that is below them.
type Listed = BTreeMap<String, Beyond>;

/// What is shared by name: by `also`, and by commands.
fn also(
    root: &Path,
    shared: &SharedInputs,
    walker: &Walker,
    listed: &mut Listed,
) -> Result<Beyond, Fault> {
    let mut found = Beyond::default();
    for pattern in shared.patterns() {
        let listing = list(root, SharedInputs::start(pattern), walker, listed)?;
        found.add(listing, |name| is_meant(pattern, name));
    }
    Ok(found)
}

/// What is at and below `start`, a path relative to `root`.
fn list<'l>(
    root: &Path,
    start: &str,
    walker: &Walker,
    listed: &'l mut Listed,
) -> Result<&'l Beyond, Fault> {
    if !listed.contains_key(start) {
        let mut found = Beyond::default();
        let path = root.join(text_to_path(start));
        match walker.list(&path) {
            Ok(listing) => {
                let inputs = listing.inputs.iter();
                found.files = inputs.map(|one| (name(root, &one.path), one.kind)).collect();
                found.folders = listing.folders.iter().map(|path| name(root, path)).collect();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.absent.insert(start.to_owned());
            }
            Err(error) => return Err(Fault::io(format!("cannot list {}", path.display()), &error)),
        }
        listed.insert(start.to_owned(), found);
    }
    Ok(&listed[start])
}

/// Reads every file of `all` once.
fn read(
    root: &Path,
    all: &[Beyond],
    walker: &Walker,
) -> Result<BTreeMap<String, FileDigest>, Fault> {
    let files: BTreeMap<&String, InputKind> =
        all.iter().flat_map(|found| &found.files).map(|(name, kind)| (name, *kind)).collect();
    let input = |(name, kind): (&String, InputKind)| {
        let path = root.join(text_to_path(name));
        let is_link = kind == InputKind::File
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        InputFile { path, kind: if is_link { InputKind::Link } else { kind } }
    };
    let read = read_all(walker, files.into_iter().map(input).collect())?;
    Ok(read.into_iter().map(|(input, digest)| (name(root, &input.path), digest)).collect())
}

impl Beyond {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty() && self.absent.is_empty()
    }

    /// Adds the files of `listing` that `means` says yes to, and where it was looked for them.
    fn add(&mut self, listing: &Self, means: impl Fn(&str) -> bool) {
        let files = listing.files.iter().filter(|(name, _)| means(name));
        self.files.extend(files.map(|(name, kind)| (name.clone(), *kind)));
        self.folders.extend(listing.folders.iter().cloned());
        self.absent.extend(listing.absent.iter().cloned());
    }

    /// The links in it, absolute.
    fn links(&self, root: &Path) -> Vec<PathBuf> {
        let links = self.files.iter().filter(|(_, kind)| **kind == InputKind::Link);
        links.map(|(name, _)| root.join(text_to_path(name))).collect()
    }

    /// Makes it part of `tree`.
    fn widen(self, root: &Path, tree: &mut SourceTreeState, files: &BTreeMap<String, FileDigest>) {
        let mut hasher = TreeHasher::new();
        hasher.add("", 'd', &tree.digest.0);
        for name in self.files.keys() {
            let digest = &files[name];
            hasher.add(name, digest.letter, &digest.checksum);
            tree.inputs.push((root.join(text_to_path(name)), digest.stat));
        }
        tree.digest = hasher.finish();
        for name in &self.folders {
            let path: PathBuf = root.join(text_to_path(name));
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                tree.inputs.push((path, FileStat::from_metadata(&metadata)));
            }
        }
        tree.absent.extend(self.absent.iter().map(|name| root.join(text_to_path(name))));
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
        let shared = SharedInputs {
            also: vec!["protos/*.proto".into()],
            imports: true,
            ..SharedInputs::default()
        };
        let own = Own { dir: Some(Path::new("a")), only: &[], shared: &shared };
        let walk = || walk_sources(&Layout::at(root.to_owned()), &[own]).remove(0).unwrap();
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

//! The digest of an in-repo source: every file that git tracks or would not ignore, as [`crate::walk`]
//! finds them.
//!
//! What counts: path, contents, the executable bit, and where a link points. What does not: times,
//! owners, other mode bits, empty folders (git knows none), sockets and pipes. `.gitignore` files count
//! whether or not there is a repository, so that an exported tree has the same digest.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rayon::prelude::*;

use crate::{
    model::{Fault, FileStat, Kind, TreeDigest, TreeHasher, path_to_text},
    walk::{FileDigest, InputFile, Lack, Listing, Walker},
};

/// Below this many trees, threads cost more than they save.
const MANY_TREES: usize = 64;
/// Below this many files, threads cost more than they save.
const MANY_FILES: usize = 64;

/// Where a source tree is.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// The files and folders in it that count, absolute, with all below them.
    pub starts: Vec<PathBuf>,
}

/// A source tree as it was when it was read.
#[derive(Clone, Debug)]
pub struct SourceTreeState {
    /// The digest over all files.
    pub digest: TreeDigest,
    /// Every file read and every folder listed, absolute, with what `stat` said of it before.
    pub inputs: Vec<(PathBuf, FileStat)>,
    /// What else decides which files count, absolute, with what `stat` said of it before.
    pub deciding: Vec<(PathBuf, FileStat)>,
    /// What would count or decide and is not there, absolute.
    pub absent: Vec<PathBuf>,
    /// Links in it, absolute.
    pub links: Vec<PathBuf>,
    /// Sockets, pipes and devices in it, which do not count, absolute.
    pub special: Vec<PathBuf>,
    /// When it was about to be read.
    pub read_at: SystemTime,
}

impl SourceTreeState {
    /// Whether `stat` tells for sure that nothing in it has changed. If not, only reading it
    /// again can tell.
    pub fn is_surely_unchanged(&self) -> bool {
        self.inputs.iter().chain(&self.deciding).all(|(path, stat)| {
            let now = fs::symlink_metadata(path).map(|metadata| FileStat::from_metadata(&metadata));
            stat.is_settled(self.read_at) && now.is_ok_and(|now| now == *stat)
        }) && self.absent.iter().all(|path| fs::symlink_metadata(path).is_err())
    }
}

/// Reads one tree.
pub fn walk(walker: &Walker, grounds: &Grounds) -> Result<SourceTreeState, Fault> {
    let read_at = SystemTime::now();
    let mut listing = Listing::default();
    let mut deciding = BTreeMap::new();
    for start in &grounds.starts {
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound if walker.tracks_below(start) => left_out(start),
            _ => Fault::io(format!("cannot list {}", start.display()), &error),
        };
        listing.extend(walker.list(start).map_err(cannot)?);
        if let Some((path, lack)) = walker.lacks_below(start) {
            return Err(match lack {
                Lack::Sparse => left_out(&path),
                Lack::Submodule => not_checked_out(&path),
            });
        }
        deciding.extend(walker.deciding(start).into_iter().map(|path| {
            let stat =
                fs::symlink_metadata(&path).ok().map(|found| FileStat::from_metadata(&found));
            (path, stat)
        }));
    }
    let mut tree = grounds.read(walker, listing, read_at)?;
    for (path, stat) in deciding {
        match stat {
            Some(stat) => tree.deciding.push((path, stat)),
            None => tree.absent.push(path),
        }
    }
    Ok(tree)
}

/// That `start` is not there, though git tracks it.
fn left_out(start: &Path) -> Fault {
    let what = format!("{} is not in this checkout", start.display());
    let why = "git tracks it, but a sparse checkout leaves it out, or it was removed";
    Fault::new(Kind::Failed, what)
        .because(why)
        .hint("run `git sparse-checkout add` with its folder, or `git checkout` to get it back")
}

/// That the submodule at `path` is empty.
fn not_checked_out(path: &Path) -> Fault {
    let path = path.display();
    Fault::new(Kind::Failed, format!("{path} is not in this checkout"))
        .because("it is a submodule, which git has not checked out")
        .hint(format!("run `git submodule update --init {path}`"))
}

/// Reads many trees.
pub fn walk_all(walker: &Walker, all: &[Grounds]) -> Vec<Result<SourceTreeState, Fault>> {
    match all.len() < MANY_TREES {
        true => all.iter().map(|grounds| walk(walker, grounds)).collect(),
        false => all.par_iter().map(|grounds| walk(walker, grounds)).collect(),
    }
}

impl Grounds {
    /// Reads what was found.
    fn read(
        &self,
        walker: &Walker,
        listing: Listing,
        read_at: SystemTime,
    ) -> Result<SourceTreeState, Fault> {
        let mut inputs = Vec::with_capacity(listing.inputs.len() + listing.folders.len());
        let links = listing.links();
        for path in listing.folders {
            let metadata = fs::symlink_metadata(&path)
                .map_err(|e| Fault::io(format!("cannot read {}", path.display()), &e))?;
            inputs.push((path, FileStat::from_metadata(&metadata)));
        }
        let mut files: Vec<(String, InputFile, FileDigest)> = read_all(walker, listing.inputs)?
            .into_iter()
            .map(|(input, digest)| (name(&self.root, &input.path), input, digest))
            .collect();
        files.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut hasher = TreeHasher::new();
        for (name, input, digest) in files {
            hasher.add(&name, digest.letter, &digest.checksum);
            inputs.push((input.path, digest.stat));
        }
        Ok(SourceTreeState {
            digest: hasher.finish(),
            inputs,
            deciding: Vec::new(),
            absent: Vec::new(),
            links,
            special: listing.special,
            read_at,
        })
    }
}

/// Reads many files; says of a pointer of Git LFS that the file itself is not there.
pub fn read_all(
    walker: &Walker,
    inputs: Vec<InputFile>,
) -> Result<Vec<(InputFile, FileDigest)>, Fault> {
    let read = |input: InputFile| {
        let path = input.path.display();
        let digest = walker
            .read(&input)
            .map_err(|error| Fault::io(format!("cannot read {path}"), &error))?;
        if digest.is_pointer
            && let Some(rule) = walker.lfs_rule(&input.path)
        {
            let what = format!("{path} is a pointer of Git LFS, not the file itself");
            let why = format!("{rule} gives it to LFS, and its content was not fetched");
            return Err(Fault::new(Kind::Failed, what).because(why).hint("run `git lfs pull`"));
        }
        Ok((input, digest))
    };
    match inputs.len() < MANY_FILES {
        true => inputs.into_iter().map(read).collect(),
        false => inputs.into_par_iter().map(read).collect(),
    }
}

/// What `path` is called, relative to `root`; the folder itself is the empty name.
pub fn name(root: &Path, path: &Path) -> String {
    path_to_text(path.strip_prefix(root).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::model::Layout;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn grounds(dir: &tempfile::TempDir, only: &[String]) -> Grounds {
        grounds_of(dir.path(), only)
    }

    fn grounds_of(root: &Path, only: &[String]) -> Grounds {
        let starts = match only {
            [] => vec![root.to_owned()],
            only => only.iter().map(|part| root.join(part)).collect(),
        };
        Grounds { root: root.to_owned(), starts }
    }

    fn digest(dir: &tempfile::TempDir) -> TreeDigest {
        walk(&Walker::new(&Layout::at(dir.path().to_owned())), &grounds(dir, &[])).unwrap().digest
    }

    #[test]
    fn the_same_files_elsewhere_have_the_same_digest() {
        let files = [("a.c", "1"), ("b/c.h", "2")];
        assert_eq!(digest(&tree(&files)), digest(&tree(&files)));
    }

    #[test]
    fn every_change_addition_removal_and_mode_is_noticed() {
        let dir = tree(&[("a.c", "1"), ("b/c.h", "2")]);
        let mut seen = vec![digest(&dir)];
        let mut changed = |what: &str| {
            let now = digest(&dir);
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(dir.path().join("a.c"), "9").unwrap();
        changed("content");
        fs::write(dir.path().join("b/new.h"), "").unwrap();
        changed("addition");
        fs::write(dir.path().join(".hidden"), "").unwrap();
        changed("hidden file");
        fs::remove_file(dir.path().join("b/c.h")).unwrap();
        changed("removal");
        fs::rename(dir.path().join("a.c"), dir.path().join("z.c")).unwrap();
        changed("renaming");
        fs::set_permissions(dir.path().join("z.c"), fs::Permissions::from_mode(0o755)).unwrap();
        changed("mode");
        std::os::unix::fs::symlink("z.c", dir.path().join("l")).unwrap();
        changed("symlink");
    }

    #[test]
    fn what_git_ignores_does_not_count() {
        let dir = tree(&[("a.c", "1"), (".gitignore", "*.o\n/target\n")]);
        let before = digest(&dir);
        fs::write(dir.path().join("a.o"), "x").unwrap();
        fs::create_dir_all(dir.path().join("target/debug")).unwrap();
        fs::write(dir.path().join("target/debug/x"), "x").unwrap();
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/index"), "x").unwrap();
        assert_eq!(digest(&dir), before);
    }

    #[test]
    fn only_limits_what_counts() {
        let dir = tree(&[("src/a.c", "1"), ("Makefile", "2"), ("README", "3")]);
        let only = ["src".to_owned(), "Makefile".to_owned()];
        let before = walk(&Walker::new(&Layout::at(dir.path().to_owned())), &grounds(&dir, &only))
            .unwrap()
            .digest;
        fs::write(dir.path().join("README"), "9").unwrap();
        assert_eq!(
            walk(&Walker::new(&Layout::at(dir.path().to_owned())), &grounds(&dir, &only))
                .unwrap()
                .digest,
            before
        );
        fs::write(dir.path().join("src/b.c"), "9").unwrap();
        assert_ne!(
            walk(&Walker::new(&Layout::at(dir.path().to_owned())), &grounds(&dir, &only))
                .unwrap()
                .digest,
            before
        );
        assert!(
            walk(
                &Walker::new(&Layout::at(dir.path().to_owned())),
                &grounds(&dir, &["nothing".to_owned()])
            )
            .is_err()
        );
    }

    #[test]
    fn many_at_once_are_what_each_is_alone() {
        let parent = tree(&[(".gitignore", "*.o\n"), ("z.o", "")]);
        let only = ["b".to_owned(), "a.c".to_owned()];
        let names: Vec<_> =
            (0..2 * MANY_TREES).map(|i| parent.path().join(i.to_string())).collect();
        for (i, root) in names.iter().enumerate() {
            fs::create_dir_all(root.join("b")).unwrap();
            fs::write(root.join("a.c"), i.to_string()).unwrap();
            fs::write(root.join("b/a.o"), "ignored").unwrap();
            fs::write(root.join("left out"), "by half of them").unwrap();
        }
        let ground =
            |(i, root): (usize, &PathBuf)| grounds_of(root, if i % 2 == 0 { &only } else { &[] });
        let mut all: Vec<_> = names.iter().enumerate().map(ground).collect();
        let walker = Walker::new(&Layout::at(parent.path().to_owned()));
        for (tree, grounds) in walk_all(&walker, &all).into_iter().zip(&all) {
            let (tree, alone) = (tree.unwrap(), walk(&walker, grounds).unwrap());
            assert_eq!((tree.digest, &tree.inputs), (alone.digest, &alone.inputs));
            assert!(tree.inputs.iter().all(|(path, _)| !path.ends_with("a.o")));
        }
        all[7] = grounds_of(&parent.path().join("missing"), &[]);
        let trees = walk_all(&walker, &all);
        let failed: Vec<_> = (0..all.len()).filter(|i| trees[*i].is_err()).collect();
        assert_eq!(failed, [7]);
    }

    #[test]
    fn only_what_is_settled_and_untouched_is_surely_unchanged() {
        let dir = tree(&[("a.c", "1"), ("b/c.h", "2")]);
        let mut tree =
            walk(&Walker::new(&Layout::at(dir.path().to_owned())), &grounds(&dir, &[])).unwrap();
        assert!(!tree.is_surely_unchanged(), "written a moment ago");
        tree.read_at += 2 * FileStat::CLOCK_TICK;
        assert!(tree.is_surely_unchanged());
        fs::write(dir.path().join("b/new"), "").unwrap();
        assert!(!tree.is_surely_unchanged());
    }
}

//! The digest of an in-repo source: every file that git would not ignore.
//!
//! What counts: path, contents, the executable bit, and where a symlink points. What
//! does not: times, owners, other mode bits, empty folders. `.gitignore` files count
//! whether or not there is a repository, so that an exported tree has the same digest.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use ignore::WalkBuilder;
use rayon::prelude::*;

use crate::model::{Fault, FileStat, Kind, TreeDigest, TreeHasher, checksum};

/// Below this many trees, threads cost more than they save.
const MANY_TREES: usize = 64;

/// Where a source tree is.
#[derive(Clone, Debug)]
pub struct Grounds<'a> {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// The files and folders that count, relative to it; all if there are none.
    pub only: &'a [String],
}

/// A source tree as it was when it was read.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The digest over all files.
    pub digest: TreeDigest,
    /// Every file read and every folder listed, absolute, with what `stat` said of it before.
    pub inputs: Vec<(PathBuf, FileStat)>,
    /// What would count and is not there, absolute.
    pub absent: Vec<PathBuf>,
    /// When it was about to be read.
    pub read_at: SystemTime,
}

impl Tree {
    /// Whether `stat` tells for sure that nothing in it has changed. If not, only reading it
    /// again can tell.
    pub fn is_surely_unchanged(&self) -> bool {
        self.inputs.iter().all(|(path, stat)| {
            let now = fs::symlink_metadata(path).map(|metadata| FileStat::of(&metadata));
            stat.is_settled(self.read_at) && now.is_ok_and(|now| now == *stat)
        }) && self.absent.iter().all(|path| fs::symlink_metadata(path).is_err())
    }
}

/// Reads one tree.
pub fn walk(grounds: &Grounds) -> Result<Tree, Fault> {
    let read_at = SystemTime::now();
    let entries = grounds.check().and_then(|()| {
        let cannot = |e: ignore::Error| {
            Fault::new(Kind::Failed, format!("cannot list {}", grounds.root.display()))
                .because(e.to_string())
        };
        list(&grounds.starts()).map_err(cannot)
    });
    grounds.read(entries?.into_iter().flatten().collect(), read_at)
}

/// Reads many trees. What the folders above them say about ignored files is
/// looked at once for all.
pub fn walk_all(all: &[Grounds]) -> Vec<Result<Tree, Fault>> {
    let read_at = SystemTime::now();
    let starts: Vec<Vec<PathBuf>> = all.iter().map(Grounds::starts).collect();
    let is_sound = all.iter().all(|grounds| grounds.check().is_ok());
    let Some(listed) = is_sound.then(|| list(&starts.concat()).ok()).flatten() else {
        // Something is wrong with one of them: each alone tells what.
        return all.iter().map(walk).collect();
    };
    let mut listed = listed.into_iter();
    let entries =
        starts.iter().map(|starts| listed.by_ref().take(starts.len()).flatten().collect());
    let jobs: Vec<(&Grounds, Vec<Entry>)> = all.iter().zip(entries).collect();
    if jobs.len() < MANY_TREES {
        return jobs.into_iter().map(|(grounds, entries)| grounds.read(entries, read_at)).collect();
    }
    jobs.into_par_iter().map(|(grounds, entries)| grounds.read(entries, read_at)).collect()
}

/// A file or folder that counts.
struct Entry {
    path: PathBuf,
    is_folder: bool,
}

/// Lists what git would not ignore at each of `starts`, and below it.
fn list(starts: &[PathBuf]) -> Result<Vec<Vec<Entry>>, ignore::Error> {
    let Some((first, others)) = starts.split_first() else { return Ok(Vec::new()) };
    let mut builder = WalkBuilder::new(first);
    for start in others {
        builder.add(start);
    }
    builder
        .hidden(false)
        .require_git(false)
        .ignore(false)
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(".git" | ".forge")));
    let mut found: Vec<Vec<Entry>> = Vec::with_capacity(starts.len());
    for entry in builder.build() {
        let entry = entry?;
        if entry.depth() == 0 {
            found.push(Vec::new());
        }
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        if let Some(last) = found.last_mut() {
            last.push(Entry { path: entry.into_path(), is_folder });
        }
    }
    Ok(found)
}

impl Grounds<'_> {
    /// Where walking begins.
    fn starts(&self) -> Vec<PathBuf> {
        match self.only {
            [] => vec![self.root.clone()],
            only => only.iter().map(|part| self.root.join(part)).collect(),
        }
    }

    /// Checks that all of it is there.
    fn check(&self) -> Result<(), Fault> {
        for start in self.starts() {
            fs::symlink_metadata(&start)
                .map_err(|e| Fault::io(format!("cannot find {}", start.display()), &e))?;
        }
        Ok(())
    }

    /// Reads the files among `entries`.
    fn read(&self, entries: Vec<Entry>, read_at: SystemTime) -> Result<Tree, Fault> {
        let mut files = Vec::new();
        let mut inputs = Vec::with_capacity(entries.len());
        for Entry { path, is_folder } in entries {
            let cannot = |e| Fault::io(format!("cannot read {}", path.display()), &e);
            let metadata = fs::symlink_metadata(&path).map_err(cannot)?;
            if !is_folder {
                let (kind, contents) = read(&path, &metadata).map_err(cannot)?;
                files.push((relative(&self.root, &path), kind, checksum(&contents)));
            }
            inputs.push((path, FileStat::of(&metadata)));
        }
        files.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut hasher = TreeHasher::new();
        for (name, kind, checksum) in &files {
            hasher.add(name, *kind, checksum);
        }
        Ok(Tree { digest: hasher.finish(), inputs, absent: Vec::new(), read_at })
    }
}

/// The files and the folders at and below `start`, a path relative to `root`, that git would not
/// ignore; relative to `root` too.
pub fn names(root: &Path, start: &str) -> Result<(Vec<String>, Vec<String>), Fault> {
    let path = if start.is_empty() { root.to_owned() } else { root.join(start) };
    let cannot = |error: ignore::Error| {
        let what = format!("cannot list {}", path.display());
        Fault::new(Kind::Failed, what).because(error.to_string())
    };
    let entries = list(std::slice::from_ref(&path)).map_err(cannot)?.into_iter().flatten();
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_folder);
    let names = |entries: Vec<Entry>| {
        entries.iter().map(|entry| relative(root, &entry.path)).collect::<Vec<_>>()
    };
    Ok((names(files), names(folders)))
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// The letter for what the file at `path` is, and what is in it.
pub fn read(path: &Path, metadata: &fs::Metadata) -> io::Result<(char, Vec<u8>)> {
    if metadata.is_symlink() {
        let target = fs::read_link(path)?;
        return Ok(('l', target.as_os_str().as_encoded_bytes().to_vec()));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is neither a file, a folder nor a symlink"));
    }
    let kind = if metadata.permissions().mode() & 0o100 == 0 { 'f' } else { 'x' };
    Ok((kind, fs::read(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn grounds<'a>(dir: &tempfile::TempDir, only: &'a [String]) -> Grounds<'a> {
        Grounds { root: dir.path().to_owned(), only }
    }

    fn digest(dir: &tempfile::TempDir) -> TreeDigest {
        walk(&grounds(dir, &[])).unwrap().digest
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
        let before = walk(&grounds(&dir, &only)).unwrap().digest;
        fs::write(dir.path().join("README"), "9").unwrap();
        assert_eq!(walk(&grounds(&dir, &only)).unwrap().digest, before);
        fs::write(dir.path().join("src/b.c"), "9").unwrap();
        assert_ne!(walk(&grounds(&dir, &only)).unwrap().digest, before);
        assert!(walk(&grounds(&dir, &["nothing".to_owned()])).is_err());
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
        let ground = |(i, root): (usize, &PathBuf)| Grounds {
            root: root.clone(),
            only: if i % 2 == 0 { &only } else { &[] },
        };
        let mut all: Vec<_> = names.iter().enumerate().map(ground).collect();
        for (tree, grounds) in walk_all(&all).into_iter().zip(&all) {
            let (tree, alone) = (tree.unwrap(), walk(grounds).unwrap());
            assert_eq!((tree.digest, &tree.inputs), (alone.digest, &alone.inputs));
            assert!(tree.inputs.iter().all(|(path, _)| !path.ends_with("a.o")));
        }
        all[7].root = parent.path().join("missing");
        let trees = walk_all(&all);
        let failed: Vec<_> = (0..all.len()).filter(|i| trees[*i].is_err()).collect();
        assert_eq!(failed, [7]);
    }

    #[test]
    fn only_what_is_settled_and_untouched_is_surely_unchanged() {
        let dir = tree(&[("a.c", "1"), ("b/c.h", "2")]);
        let mut tree = walk(&grounds(&dir, &[])).unwrap();
        assert!(!tree.is_surely_unchanged(), "written a moment ago");
        tree.read_at += 2 * FileStat::CLOCK_TICK;
        assert!(tree.is_surely_unchanged());
        fs::write(dir.path().join("b/new"), "").unwrap();
        assert!(!tree.is_surely_unchanged());
    }
}

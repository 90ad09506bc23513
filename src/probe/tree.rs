//! The digest of an in-repo source: every file that git would not ignore.
//!
//! What counts: path, contents, the executable bit, and where a symlink points. What
//! does not: times, owners, other mode bits, empty folders. `.gitignore` files count
//! whether or not there is a repository, so that an exported tree has the same digest.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ignore::{DirEntry, WalkBuilder};

use crate::model::{Fault, Kind, TreeDigest, TreeHasher, checksum};

/// A source tree as it is now.
#[derive(Debug)]
pub struct Tree {
    /// The digest over all files.
    pub digest: TreeDigest,
    /// Every file read and every folder listed, absolute.
    pub inputs: Vec<PathBuf>,
}

/// Reads the tree at `root`, or only the files and folders named in `only`, relative to it.
pub fn walk(root: &Path, only: &[String]) -> Result<Tree, Fault> {
    let mut inputs = Vec::new();
    let mut files = Vec::new();
    for entry in walker(root, only)? {
        let entry = entry.map_err(|e| {
            Fault::new(Kind::Failed, format!("cannot list {}", root.display()))
                .because(e.to_string())
        })?;
        inputs.push(entry.path().to_owned());
        if entry.file_type().is_some_and(|kind| !kind.is_dir()) {
            files.push((relative(root, &entry), entry));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hasher = TreeHasher::new();
    for (name, entry) in files {
        let (kind, contents) = read(entry.path())
            .map_err(|e| Fault::io(format!("cannot read {}", entry.path().display()), &e))?;
        hasher.add(&name, kind, &checksum(&contents));
    }
    Ok(Tree { digest: hasher.finish(), inputs })
}

fn walker(root: &Path, only: &[String]) -> Result<ignore::Walk, Fault> {
    let mut starts = only.iter().map(|part| root.join(part));
    let first = starts.next().unwrap_or_else(|| root.to_owned());
    let mut builder = WalkBuilder::new(&first);
    for start in starts.by_ref() {
        builder.add(start);
    }
    for start in only.iter().map(|part| root.join(part)).chain([root.to_owned()]) {
        if let Err(error) = fs::symlink_metadata(&start) {
            return Err(Fault::io(format!("cannot find {}", start.display()), &error));
        }
    }
    builder
        .hidden(false)
        .require_git(false)
        .ignore(false)
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(".git" | ".forge")));
    Ok(builder.build())
}

fn relative(root: &Path, entry: &DirEntry) -> String {
    let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

fn read(path: &Path) -> io::Result<(char, Vec<u8>)> {
    let metadata = fs::symlink_metadata(path)?;
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

    fn digest(dir: &tempfile::TempDir) -> TreeDigest {
        walk(dir.path(), &[]).unwrap().digest
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
        let before = walk(dir.path(), &only).unwrap().digest;
        fs::write(dir.path().join("README"), "9").unwrap();
        assert_eq!(walk(dir.path(), &only).unwrap().digest, before);
        fs::write(dir.path().join("src/b.c"), "9").unwrap();
        assert_ne!(walk(dir.path(), &only).unwrap().digest, before);
        assert!(walk(dir.path(), &["nothing".to_owned()]).is_err());
    }
}

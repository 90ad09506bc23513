//! Where a file of a tree really is, so that what is written there stays in that tree.

use std::{
    io,
    path::{Path, PathBuf, absolute},
};

use super::{folder::Folder, read::is_absent};

/// The tree at `root`, opened, and where `path` really is in it: neither has links on its way any more,
/// so that one made meanwhile is not followed.
///
/// Links are followed as long as they stay in the tree: it is for files of people, who may keep one
/// elsewhere in their workspace.
///
/// # Errors
/// If `path` leads out of the tree, or a link on its way leads nowhere.
pub fn in_tree(root: &Path, path: &Path) -> io::Result<(Folder, PathBuf)> {
    let root = root.canonicalize()?;
    let place = real_place(&absolute(path)?)?;
    match place.strip_prefix(&root) {
        Ok(below) => Ok((Folder::open(&root)?, below.to_owned())),
        Err(_) => {
            let (path, place, root) = (path.display(), place.display(), root.display());
            let what = format!("{path} is a link that leads out of {root}: to {place}");
            Err(io::Error::other(what))
        }
    }
}

/// The real path of `path`, of which the end may be missing.
fn real_place(path: &Path) -> io::Result<PathBuf> {
    let (mut there, mut missing) = (path, Vec::new());
    let real = loop {
        match there.canonicalize() {
            Err(error) if is_absent(&error) && !there.is_symlink() => {
                let (Some(above), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(error);
                };
                missing.push(name);
                there = above;
            }
            Err(error) if is_absent(&error) => {
                let what = format!("{} is a link that leads nowhere", there.display());
                return Err(io::Error::other(what));
            }
            other => break other?,
        }
    };
    Ok(missing.iter().rev().fold(real, |place, name| place.join(name)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_are_followed_within_the_tree_and_not_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(root.join("docs/text"), "").unwrap();
        for (target, link) in [
            ("docs/text", "text"),
            ("docs", "folder"),
            ("../outside", "out"),
            ("../outside/new", "nowhere"),
            ("nothing", "here"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let place = |path: &str| in_tree(&root, &root.join(path)).map(|(_, place)| place);
        for (path, wanted) in [
            ("docs/text", "docs/text"),
            ("text", "docs/text"),
            ("folder/a/b", "docs/a/b"),
            ("new/a", "new/a"),
        ] {
            assert_eq!(place(path).unwrap(), Path::new(wanted));
        }
        for (path, why) in [
            ("out", "leads out of"),
            ("out/a/b", "leads out of"),
            ("nowhere", "leads nowhere"),
            ("here", "leads nowhere"),
            ("nowhere/a", "leads nowhere"),
        ] {
            let error = place(path).unwrap_err().to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}

//! Where links lead.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::model::normal_path;

use super::{is_own, walker::Walker};

/// The most links that are followed in a row, as in Linux: more are taken for a cycle.
const MOST_HOPS: usize = 40;

/// What `links` lead to in the workspace at `root` outside of `starts`, and what links in that lead to,
/// and so on. Real paths; whoever looks for what is below them finds it all. A start that is behind a
/// link counts by its real path too.
///
/// # Errors
/// If something cannot be listed.
pub fn reached_by_links(
    walker: &Walker,
    root: &Path,
    starts: &[PathBuf],
    links: Vec<PathBuf>,
) -> io::Result<BTreeSet<PathBuf>> {
    let mut open = links;
    let parts = |start: &PathBuf| start.ancestors().map(Path::to_owned).collect::<Vec<_>>();
    let parts = starts.iter().flat_map(parts).filter(|part| part.starts_with(root) && part != root);
    open.extend(parts.collect::<BTreeSet<_>>().into_iter().filter(|part| part.is_symlink()));
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    while let Some(link) = open.pop() {
        for path in leads_to(root, &link) {
            let is_known = starts.iter().chain(&reached).any(|known| path.starts_with(known));
            if is_known || starts.iter().any(|start| start.starts_with(&path)) {
                continue;
            }
            match walker.list(&path) {
                Ok(listing) => open.extend(listing.links()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            reached.insert(path);
        }
    }
    Ok(reached)
}

/// What `link` leads to in the workspace at `root`: each further link on the way, and the end, whether
/// that is there or not; below `root`, by their real paths. Nothing from where it leaves the workspace
/// on, and nothing that holds the link itself.
fn leads_to(root: &Path, link: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(real_root) = root.canonicalize() else { return found };
    let mut at = link.to_owned();
    for _ in 0..MOST_HOPS {
        let (Ok(target), Some(folder)) = (fs::read_link(&at), at.parent()) else { break };
        let Ok(folder) = folder.canonicalize() else { break };
        let next = resolved(&folder.join(target));
        let Ok(inside) = next.strip_prefix(&real_root) else { break };
        let is_hidden = inside.components().any(|part| is_own(part.as_os_str()));
        if is_hidden || folder.starts_with(&next) {
            break;
        }
        found.push(root.join(inside));
        at = next;
    }
    found
}

/// The real path of `path`, but for a link at its end; as it is written if there is no such path.
fn resolved(path: &Path) -> PathBuf {
    let by_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    by_folder().or_else(|| path.canonicalize().ok()).unwrap_or_else(|| normal_path(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_step_in_the_workspace_is_named_and_cycles_end() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("work");
        fs::create_dir_all(root.join("app/deep")).unwrap();
        fs::create_dir_all(root.join("real")).unwrap();
        let link = |target: &str, path: &str| symlink(target, root.join(path)).unwrap();
        link("../between", "app/two-steps");
        link("real", "between");
        link("../none/there", "app/dangling");
        link("../../outside", "app/out");
        link("..", "app/deep/up");
        link("../app", "app/self");
        link("b", "app/a");
        link("a", "app/b");
        let found = |path: &str| -> Vec<String> {
            let found = leads_to(&root, &root.join(path));
            let name = |path: PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
            found.into_iter().map(name).collect()
        };
        assert_eq!(found("app/two-steps"), ["between", "real"]);
        assert_eq!(found("app/dangling"), ["none/there"]);
        assert_eq!(found("app/out"), [""; 0]);
        assert_eq!(found("app/deep/up"), [""; 0]);
        assert_eq!(found("app/self"), [""; 0]);
        assert_eq!(found("app/a").len(), MOST_HOPS);
    }
}

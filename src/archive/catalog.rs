//! What an archive holds, by the names that stand in it: which entry a path leads to, through
//! the archive's own links. Nothing of it is on disk, so no link leads anywhere else.

use std::collections::{BTreeSet, HashMap, HashSet};

/// How many links a path may lead through: what Linux allows.
const MOST_HOPS: usize = 40;

/// How many folders that strip takes away are remembered.
const MOST_ROOTS: usize = 100;

/// Longer paths are in no archive, in bytes.
const LONGEST: usize = 4096;

/// The entries of an archive. Of those with the same name the last one counts.
#[derive(Default)]
pub(super) struct Catalog {
    nodes: HashMap<String, Node>,
    /// The first parts of names, as many as strip takes away.
    roots: BTreeSet<String>,
    /// The first part of each name.
    tops: HashSet<String>,
}

/// What an archive has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    /// A regular file, by the number of its entry.
    File(u64),
    /// A symbolic link.
    Link(String),
    /// What cannot be taken, as the end of the sentence "its entry `…`".
    Other(String),
}

impl Catalog {
    /// Enters what is called `path`, with nothing stripped.
    pub(super) fn enter(&mut self, path: &str, node: Node, strip: usize) {
        if let Some(root) = root(path, strip).filter(|_| self.roots.len() < MOST_ROOTS) {
            self.roots.insert(root.to_owned());
        }
        let top = path.split('/').next().unwrap_or_default();
        if !self.tops.contains(top) {
            self.tops.insert(top.to_owned());
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// What is at `path`, if anything.
    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// The entry that `wanted`, a path after stripping, leads to; `None` if to none.
    ///
    /// # Errors
    /// The path and why it cannot be taken, as the end of the sentence "its entry `…`".
    pub(super) fn resolve(&self, wanted: &str) -> Result<Option<u64>, (String, String)> {
        let (mut found, mut refused) = (None, None);
        for root in &self.roots {
            let path = if root.is_empty() { wanted.to_owned() } else { format!("{root}/{wanted}") };
            match self.walk(root, &path) {
                // As with entries of the same name, the last one counts.
                Ok(entry) => found = found.max(entry),
                Err(why) => refused = Some((path, why)),
            }
        }
        match (found, refused) {
            (None, Some(refused)) => Err(refused),
            (found, _) => Ok(found),
        }
    }

    fn walk(&self, root: &str, path: &str) -> Result<Option<u64>, String> {
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_no_folder = |at: &str| matches!(self.get(at), Some(Node::Link(_) | Node::File(_)));
        if matches!(self.get(path), Some(Node::File(_))) && above.any(is_no_folder) {
            return Err("goes through a file or a link".into());
        }
        let mut at: Vec<String> = Vec::new();
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut hops = 0;
        while let Some(part) = left.pop() {
            match part.as_str() {
                ".." if at.pop().is_none() => {
                    return Err("is a link that leaves the archive".into());
                }
                "" | "." | ".." => continue,
                _ => at.push(part),
            }
            let here = at.join("/");
            if here.len() > LONGEST {
                return Ok(None);
            }
            match self.get(&here) {
                Some(Node::File(entry)) if left.is_empty() => return Ok(Some(*entry)),
                Some(Node::File(_)) => return Ok(None),
                Some(Node::Other(why)) => return Err(why.clone()),
                Some(Node::Link(target)) => {
                    hops += 1;
                    if hops > MOST_HOPS {
                        return Err("is a link that leads in a circle".into());
                    }
                    at.pop();
                    if let Some(absolute) = target.strip_prefix('/') {
                        at = self.base_of(root, absolute);
                    }
                    left.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(Node::Folder) | None => {}
            }
        }
        Ok(None)
    }

    /// Where the absolute path `/target` begins: at the top of the archive, or below what is
    /// stripped, whichever has its first part.
    fn base_of(&self, root: &str, target: &str) -> Vec<String> {
        let first = target.split('/').find(|part| !matches!(*part, "" | ".")).unwrap_or_default();
        if root.is_empty() || self.tops.contains(first) {
            return Vec::new();
        }
        root.split('/').map(str::to_owned).collect()
    }
}

/// The first `strip` parts of `path`; `None` if it has no more than these.
fn root(path: &str, strip: usize) -> Option<&str> {
    let end = match strip {
        0 => 0,
        _ => path.match_indices('/').nth(strip - 1)?.0,
    };
    Some(&path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(strip: usize, nodes: &[(&str, Node)]) -> Catalog {
        let mut catalog = Catalog::default();
        for (path, node) in nodes {
            catalog.enter(path, node.clone(), strip);
        }
        catalog
    }

    fn link(target: &str) -> Node {
        Node::Link(target.into())
    }

    #[test]
    fn links_lead_to_entries_of_the_archive() {
        for (wanted, target, entry) in [
            ("slim", "mint", "mint"),
            ("slim", "./mint", "mint"),
            ("bin/slim", "../lib/mint", "lib/mint"),
            ("bin/slim", "/lib/mint", "lib/mint"),
            ("slim", "a//b/../mint", "a/mint"),
        ] {
            let catalog = catalog(0, &[(wanted, link(target)), (entry, Node::File(7))]);
            assert_eq!(catalog.resolve(wanted), Ok(Some(7)), "{wanted} -> {target}");
        }
    }

    #[test]
    fn chains_folders_and_what_is_stripped() {
        let all = catalog(
            1,
            &[
                ("top/e", link("current/e")),
                ("top/current", link("v2")),
                ("top/v2/e", link("/top/real")),
                ("top/abs", link("/real")),
                ("top/out", link("../other/real")),
                ("top/real", Node::File(3)),
                ("other/real", Node::File(4)),
            ],
        );
        assert_eq!(all.resolve("e"), Ok(Some(3)));
        assert_eq!(all.resolve("current/e"), Ok(Some(3)));
        assert_eq!(all.resolve("abs"), Ok(Some(3)));
        assert_eq!(all.resolve("out"), Ok(Some(4)));
        assert_eq!(all.resolve("none"), Ok(None));
    }

    #[test]
    fn what_leads_nowhere_or_out_or_around_says_so() {
        let other = Node::Other("is a device".into());
        let all = catalog(
            0,
            &[
                ("self", link("self")),
                ("a", link("b")),
                ("b", link("a")),
                ("out", link("../x")),
                ("dangling", link("gone")),
                ("device", other),
                ("to-device", link("device")),
                ("d", link("x")),
                ("d/e", Node::File(1)),
            ],
        );
        for (wanted, why) in [
            ("self", "circle"),
            ("a", "circle"),
            ("out", "leaves"),
            ("device", "device"),
            ("to-device", "device"),
            ("d/e", "goes through"),
        ] {
            assert!(all.resolve(wanted).unwrap_err().1.contains(why), "{wanted}");
        }
        assert_eq!(all.resolve("dangling"), Ok(None));
    }
}

//! What an archive holds, by the names that stand in it: which entry a path leads to, through
//! the archive's own links. Nothing of it is on disk, so no link leads anywhere else.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeSet, HashMap, HashSet},
};

use super::objection::Objection;

/// How many links a path may lead through: what Linux allows.
const MOST_HOPS: usize = 40;

/// How many folders that strip takes away are remembered.
const MOST_ROOTS: usize = 100;

/// How many bytes of paths are looked up to find out what lies behind links: far more than the tarball
/// of a whole system takes, and less than a second's work.
const MOST_LOOKED_UP: usize = 256 << 20;

/// Longer paths are in no archive, in bytes.
const LONGEST: usize = 4096;

/// The entries of an archive. Of those with the same name the last one counts. What comes after a link
/// to a folder and is called as if it lay in the link is where tar would put it: in the folder that the
/// link leads to. In tarballs of whole systems, `bin` is a link to `usr/bin`.
#[derive(Default)]
pub(super) struct EntryIndex {
    nodes: HashMap<String, EntryNode>,
    /// The first parts of names, as many as strip takes away.
    roots: BTreeSet<String>,
    /// The first part of each name.
    tops: HashSet<String>,
    /// Whether there is a link.
    has_links: bool,
    /// How many bytes of paths were looked up so far.
    looked_up: Cell<usize>,
}

/// What an archive has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryNode {
    Folder,
    /// A regular file, by the number of its entry.
    File(u64),
    /// A symbolic link.
    Link(String),
    /// What cannot be taken.
    Other(Objection),
}

/// Where a path ends.
enum Reached {
    File(u64),
    /// A folder, or what no entry says anything of: its path.
    Folder(String),
    /// Nowhere.
    Nothing,
}

impl EntryIndex {
    /// Enters what is called `path`, with nothing stripped.
    pub(super) fn enter(&mut self, path: &str, node: EntryNode, strip: usize) {
        if let Some(root) = root(path, strip).filter(|_| self.roots.len() < MOST_ROOTS) {
            self.roots.insert(root.to_owned());
        }
        let top = path.split('/').next().unwrap_or_default();
        if !self.tops.contains(top) {
            self.tops.insert(top.to_owned());
        }
        let place = self.place(path, strip).into_owned();
        self.has_links |= matches!(node, EntryNode::Link(_));
        self.nodes.insert(place, node);
    }

    /// What is called `path`, if anything.
    pub(super) fn find(&self, path: &str, strip: usize) -> Option<&EntryNode> {
        self.get(&self.place(path, strip))
    }

    /// Counts that `path` is looked up; `false` if that would be too much.
    fn is_looked_up(&self, path: &str) -> bool {
        self.looked_up.set(self.looked_up.get().saturating_add(path.len()));
        self.looked_up.get() <= MOST_LOOKED_UP
    }

    /// What is at `path`, if anything.
    fn get(&self, path: &str) -> Option<&EntryNode> {
        self.nodes.get(path)
    }

    /// Where what is called `path` is: behind the links above it, so far as there are any and they
    /// lead to a folder.
    fn place<'p>(&self, path: &'p str, strip: usize) -> Cow<'p, str> {
        let Some((folder, name)) = path.rsplit_once('/').filter(|_| self.has_links) else {
            return path.into();
        };
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_link =
            |at| self.is_looked_up(at) && matches!(self.get(at), Some(EntryNode::Link(_)));
        if !above.any(is_link) {
            return path.into();
        }
        match self.follow(root(path, strip).unwrap_or_default(), folder) {
            Ok(Reached::Folder(folder)) if folder.is_empty() => name.to_owned().into(),
            Ok(Reached::Folder(folder)) => format!("{folder}/{name}").into(),
            _ => path.into(),
        }
    }

    /// The entry that `wanted`, a path after stripping, leads to; `None` if to none.
    ///
    /// # Errors
    /// The path, and why it cannot be taken.
    pub(super) fn resolve(&self, wanted: &str) -> Result<Option<u64>, (String, Objection)> {
        let (mut found, mut refused) = (None, None);
        for root in &self.roots {
            let path = if root.is_empty() { wanted.to_owned() } else { format!("{root}/{wanted}") };
            match self.walk(root, &path) {
                // As with entries of the same name, the last one counts.
                Ok(entry) => found = found.max(entry),
                Err(objection) => refused = Some((path, objection)),
            }
        }
        match (found, refused) {
            (None, Some(refused)) => Err(refused),
            (found, _) => Ok(found),
        }
    }

    fn walk(&self, root: &str, path: &str) -> Result<Option<u64>, Objection> {
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_no_folder =
            |at: &str| matches!(self.get(at), Some(EntryNode::Link(_) | EntryNode::File(_)));
        if matches!(self.get(path), Some(EntryNode::File(_))) && above.any(is_no_folder) {
            let why = "lies in a folder that a file or a link of the same name replaces";
            return Err(Objection::ambiguous(why));
        }
        Ok(match self.follow(root, path)? {
            Reached::File(entry) => Some(entry),
            Reached::Folder(_) | Reached::Nothing => None,
        })
    }

    /// Follows `path` through the links of the archive.
    fn follow(&self, root: &str, path: &str) -> Result<Reached, Objection> {
        let mut at: Vec<String> = Vec::new();
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut hops = 0;
        while let Some(part) = left.pop() {
            match part.as_str() {
                ".." if at.pop().is_none() => {
                    return Err(Objection::leaves("is a link that leaves the archive"));
                }
                "" | "." | ".." => continue,
                _ => at.push(part),
            }
            let here = at.join("/");
            if here.len() > LONGEST || !self.is_looked_up(&here) {
                return Ok(Reached::Nothing);
            }
            match self.get(&here) {
                Some(EntryNode::File(entry)) if left.is_empty() => {
                    return Ok(Reached::File(*entry));
                }
                Some(EntryNode::File(_)) => return Ok(Reached::Nothing),
                Some(EntryNode::Other(objection)) => return Err(objection.clone()),
                Some(EntryNode::Link(target)) => {
                    hops += 1;
                    if hops > MOST_HOPS {
                        return Err(Objection::unfit("is a link that leads in a cycle"));
                    }
                    at.pop();
                    if let Some(absolute) = target.strip_prefix('/') {
                        at = self.base_of(root, absolute);
                    }
                    left.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(EntryNode::Folder) | None => {}
            }
        }
        Ok(Reached::Folder(at.join("/")))
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

    fn catalog(strip: usize, nodes: &[(&str, EntryNode)]) -> EntryIndex {
        let mut catalog = EntryIndex::default();
        for (path, node) in nodes {
            catalog.enter(path, node.clone(), strip);
        }
        catalog
    }

    fn link(target: &str) -> EntryNode {
        EntryNode::Link(target.into())
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
            let catalog = catalog(0, &[(wanted, link(target)), (entry, EntryNode::File(7))]);
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
                ("top/real", EntryNode::File(3)),
                ("other/real", EntryNode::File(4)),
            ],
        );
        assert_eq!(all.resolve("e"), Ok(Some(3)));
        assert_eq!(all.resolve("current/e"), Ok(Some(3)));
        assert_eq!(all.resolve("abs"), Ok(Some(3)));
        assert_eq!(all.resolve("out"), Ok(Some(4)));
        assert_eq!(all.resolve("none"), Ok(None));
    }

    #[test]
    fn what_comes_after_a_link_to_a_folder_lies_in_that_folder() {
        let all = catalog(
            1,
            &[
                ("top/bin", link("usr/bin")),
                ("top/sbin", link("/bin")),
                ("top/self", link("self")),
                ("top/out", link("../../out")),
                ("top/bin/e", EntryNode::File(3)),
                ("top/usr/bin/f", EntryNode::File(4)),
                ("top/sbin/e", EntryNode::File(5)),
                ("top/bin/l", link("e")),
                ("top/self/x", EntryNode::File(6)),
                ("top/out/x", EntryNode::File(7)),
            ],
        );
        for (wanted, entry) in [("bin/e", 5), ("usr/bin/e", 5), ("sbin/f", 4), ("usr/bin/l", 5)] {
            assert_eq!(all.resolve(wanted), Ok(Some(entry)), "{wanted}");
        }
        assert_eq!(all.find("top/sbin/f", 1), Some(&EntryNode::File(4)));
        for wanted in ["self/x", "out/x"] {
            assert!(all.resolve(wanted).is_err(), "{wanted}");
        }
    }

    #[test]
    fn what_leads_nowhere_or_out_or_around_says_so() {
        let other = EntryNode::Other(Objection::unfit("is a device"));
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
                ("d/e", EntryNode::File(1)),
                ("d", link("x")),
            ],
        );
        for (wanted, why) in [
            ("self", "cycle"),
            ("a", "cycle"),
            ("out", "leaves"),
            ("device", "device"),
            ("to-device", "device"),
            ("d/e", "replaces"),
        ] {
            assert!(all.resolve(wanted).unwrap_err().1.why.contains(why), "{wanted}");
        }
        assert_eq!(all.resolve("dangling"), Ok(None));
    }
}

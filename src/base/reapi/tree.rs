//! Trees of files: what goes into an action as a Merkle tree of directories, and what comes out of one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use prost::Message;
use reapi_protocol::reapi;

use super::{BlobContents, BlobDigest, RemoteBlob};

/// No tree is deeper.
const MOST_LEVELS: usize = 200;

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntry {
    /// A file.
    File {
        /// What is in it.
        digest: BlobDigest,
        /// Whether it can be executed.
        is_executable: bool,
    },
    /// A link, with where it points.
    Link(String),
    /// A folder with nothing in it.
    EmptyFolder,
}

/// What goes into an action: entries by their paths, and where the bytes of files are.
#[derive(Clone, Debug, Default)]
pub struct InputTree {
    root: TreeFolder,
    files: BTreeMap<BlobDigest, PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct TreeFolder {
    folders: BTreeMap<String, TreeFolder>,
    entries: BTreeMap<String, TreeEntry>,
}

impl InputTree {
    /// Adds the file at `path`, with its bytes in `source`.
    pub fn add_file(
        &mut self,
        path: &str,
        digest: BlobDigest,
        is_executable: bool,
        source: PathBuf,
    ) {
        self.files.insert(digest, source);
        self.add(path, &TreeEntry::File { digest, is_executable });
    }

    /// Adds `entry` at `path`, whose parts are names.
    pub fn add(&mut self, path: &str, entry: &TreeEntry) {
        let mut folder = &mut self.root;
        let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_some() || *entry == TreeEntry::EmptyFolder {
                folder = folder.folders.entry(part.to_owned()).or_default();
            } else {
                folder.entries.insert(part.to_owned(), entry.clone());
            }
        }
    }

    /// How many files it has, and how many bytes they are.
    pub fn size(&self) -> (usize, u64) {
        (self.files.len(), self.files.keys().map(|digest| digest.size).sum())
    }

    /// The digest of its root, and everything that the server needs of it.
    pub fn blobs(&self) -> (BlobDigest, Vec<RemoteBlob>) {
        let mut blobs = Vec::new();
        let root = self.root.digest(&mut blobs);
        let files = self.files.iter().map(|(digest, path)| RemoteBlob {
            digest: *digest,
            contents: BlobContents::File(path.clone()),
        });
        blobs.extend(files);
        (root, blobs)
    }
}

impl TreeFolder {
    /// Its digest; it and all below it are added to `blobs`.
    fn digest(&self, blobs: &mut Vec<RemoteBlob>) -> BlobDigest {
        let mut message = reapi::Directory::default();
        for (name, entry) in &self.entries {
            match entry {
                TreeEntry::File { digest, is_executable } => message.files.push(reapi::FileNode {
                    name: name.clone(),
                    digest: Some(digest.message()),
                    is_executable: *is_executable,
                    ..reapi::FileNode::default()
                }),
                TreeEntry::Link(target) => message.symlinks.push(reapi::SymlinkNode {
                    name: name.clone(),
                    target: target.clone(),
                    ..reapi::SymlinkNode::default()
                }),
                TreeEntry::EmptyFolder => {}
            }
        }
        for (name, folder) in &self.folders {
            let digest = folder.digest(blobs);
            message
                .directories
                .push(reapi::DirectoryNode { name: name.clone(), digest: Some(digest.message()) });
        }
        let blob = RemoteBlob::of_bytes(message.encode_to_vec());
        let digest = blob.digest;
        blobs.push(blob);
        digest
    }
}

/// What the tree in `bytes` holds, by paths below `path`. Nothing if it is not a tree: it lacks a folder, or a
/// name in it is more than one.
pub(super) fn read_tree(path: &str, bytes: &[u8]) -> Option<BTreeMap<String, TreeEntry>> {
    let tree = reapi::Tree::decode(bytes).ok()?;
    let children: BTreeMap<BlobDigest, &reapi::Directory> = tree
        .children
        .iter()
        .map(|child| (RemoteBlob::of_bytes(child.encode_to_vec()).digest, child))
        .collect();
    let mut entries = BTreeMap::new();
    let root = tree.root.as_ref()?;
    let mut open = vec![(path.to_owned(), root, 0)];
    while let Some((path, folder, level)) = open.pop() {
        let within = |name: &str| is_name(name).then(|| join(&path, name));
        let is_empty =
            folder.files.is_empty() && folder.symlinks.is_empty() && folder.directories.is_empty();
        if is_empty || level > MOST_LEVELS {
            entries.insert(path.clone(), TreeEntry::EmptyFolder);
        }
        for file in &folder.files {
            let digest = BlobDigest::read(file.digest.as_ref()?)?;
            let entry = TreeEntry::File { digest, is_executable: file.is_executable };
            entries.insert(within(&file.name)?, entry);
        }
        for link in &folder.symlinks {
            entries.insert(within(&link.name)?, TreeEntry::Link(link.target.clone()));
        }
        for node in &folder.directories {
            let child = children.get(&BlobDigest::read(node.digest.as_ref()?)?)?;
            open.push((within(&node.name)?, child, level + 1));
        }
    }
    Some(entries)
}

/// What `result` has among its outputs beside the folders, and the digests of those trees by their paths.
#[allow(deprecated, reason = "older servers name links so")]
pub(super) fn read_outputs(
    result: &reapi::ActionResult,
) -> Option<(BTreeMap<String, TreeEntry>, BTreeMap<String, BlobDigest>)> {
    let mut entries = BTreeMap::new();
    for file in &result.output_files {
        let digest = BlobDigest::read(file.digest.as_ref()?)?;
        let entry = TreeEntry::File { digest, is_executable: file.is_executable };
        entries.insert(is_path(&file.path)?, entry);
    }
    let links = result.output_symlinks.iter().chain(&result.output_file_symlinks);
    for link in links.chain(&result.output_directory_symlinks) {
        entries.insert(is_path(&link.path)?, TreeEntry::Link(link.target.clone()));
    }
    let mut trees = BTreeMap::new();
    for folder in &result.output_directories {
        let digest = BlobDigest::read(folder.tree_digest.as_ref()?)?;
        trees.insert(is_path(&folder.path)?, digest);
    }
    let all: BTreeSet<&String> = entries.keys().chain(trees.keys()).collect();
    (all.len() == entries.len() + trees.len()).then_some((entries, trees))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn is_path(path: &str) -> Option<String> {
    (path.is_empty() || path.split('/').all(is_name)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_comes_back_as_it_went() {
        let digest = RemoteBlob::of_bytes("x").digest;
        let mut tree = InputTree::default();
        tree.add_file("b/c/x", digest, true, "x".into());
        tree.add_file("a", digest, false, "x".into());
        tree.add("b/l", &TreeEntry::Link("c/x".into()));
        tree.add("e/f", &TreeEntry::EmptyFolder);
        let (root, blobs) = tree.blobs();
        let mut folders: Vec<reapi::Directory> = blobs
            .iter()
            .filter_map(|blob| blob.contents.bytes())
            .map(|bytes| reapi::Directory::decode(bytes).unwrap())
            .collect();
        let root_folder = folders.pop().unwrap();
        assert_eq!(RemoteBlob::of_bytes(root_folder.encode_to_vec()).digest, root);
        let message = reapi::Tree { root: Some(root_folder), children: folders };
        let read = read_tree("out", &message.encode_to_vec()).unwrap();
        let paths: Vec<&str> = read.keys().map(String::as_str).collect();
        assert_eq!(paths, ["out/a", "out/b/c/x", "out/b/l", "out/e/f"]);
        assert_eq!(read["out/b/c/x"], TreeEntry::File { digest, is_executable: true });
        // A folder that is named and not there, and a name that is a path, make it none.
        let lacking = reapi::Tree { children: Vec::new(), ..message.clone() };
        assert_eq!(read_tree("", &lacking.encode_to_vec()), None);
        let mut evil = message;
        evil.root.as_mut().unwrap().files[0].name = "../x".into();
        assert_eq!(read_tree("", &evil.encode_to_vec()), None);
    }

    #[test]
    fn no_output_has_a_path_that_leads_out() {
        for path in ["../x", "/x", "a//b", "a/../b", "./a"] {
            let file = reapi::OutputFile {
                path: path.into(),
                digest: Some(RemoteBlob::of_bytes("x").digest.message()),
                ..reapi::OutputFile::default()
            };
            let result =
                reapi::ActionResult { output_files: vec![file], ..reapi::ActionResult::default() };
            assert!(read_outputs(&result).is_none(), "{path}");
        }
    }
}

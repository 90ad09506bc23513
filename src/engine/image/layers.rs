//! What is in the layers of an image: the files of the workspace, and the binaries of subsystems.
//!
//! Each layer has an entry for each folder above what it holds, once and before it: without one some
//! runtimes make folders that only root may enter, and others do not start.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    archive::{Contents, FileToPack, LayerEntry, LayerEntryKind},
    model::{BinaryName, Checksum, Fault, Kind, Sha256, Stamp},
    walk::{self, InputFile, InputKind, Walker},
    workspace::{BINARIES, ImageFile},
};

/// The permissions of folders that have others than 0755 wherever they are.
const KNOWN_FOLDERS: [(&str, u32); 3] = [("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)];

/// A layer to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPlan {
    /// What it is, for the history of the image: `binaries of api v1.2.3`.
    pub what: String,
    /// Its entries, in order.
    pub entries: Vec<LayerEntry>,
}

/// A file of the workspace, and where it goes.
struct PlacedFile<'f> {
    /// Relative to the root of the image.
    to: String,
    input: InputFile,
    file: &'f ImageFile,
}

/// The layer of `files`; none if there are none.
///
/// # Errors
/// `Failed` if they cannot be read, `Usage` if two go to one place, or a link leads out of its folder.
pub fn files_layer(
    root: &Path,
    walker: &Walker,
    files: &[ImageFile],
) -> Result<Option<LayerPlan>, Fault> {
    let mut entries = Entries::default();
    for placed in placed(root, walker, files)? {
        let path = &placed.input.path;
        let metadata = fs::symlink_metadata(path)
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        let is_executable = metadata.permissions().mode() & 0o100 != 0;
        let usual = if is_executable { 0o755 } else { 0o644 };
        let (kind, contents) = match placed.input.kind {
            InputKind::File => (LayerEntryKind::File, Contents::File(path.clone())),
            InputKind::EmptyFolder => (LayerEntryKind::Folder, Contents::Bytes(Vec::new())),
            InputKind::Link => (LayerEntryKind::Link(target(path)?), Contents::Bytes(Vec::new())),
        };
        let mode = match kind {
            LayerEntryKind::File => placed.file.mode.unwrap_or(usual),
            LayerEntryKind::Folder => 0o755,
            LayerEntryKind::Link(_) => 0o777,
        };
        let file = FileToPack { name: placed.to, contents, executable: is_executable };
        entries.add(LayerEntry { file, kind, mode, owner: placed.file.owner })?;
    }
    Ok((!files.is_empty()).then(|| LayerPlan { what: "files".into(), entries: entries.finish() }))
}

/// The digest of `files`: where each goes, its contents, its mode and whose it is.
///
/// # Errors
/// As [`files_layer`].
pub fn files_digest(root: &Path, walker: &Walker, files: &[ImageFile]) -> Result<[u8; 32], Fault> {
    let mut all = Checksum::new();
    let mut placed = placed(root, walker, files)?;
    placed.sort_by(|a, b| a.to.cmp(&b.to));
    for PlacedFile { to, input, file } in placed {
        let digest = walk::read(&input)
            .map_err(|error| Fault::io(format!("cannot read {}", input.path.display()), &error))?;
        let (user, group) = file.owner;
        let mode = file.mode.map_or_else(String::new, |mode| format!("{mode:o}"));
        let line = format!("{}\0{to}\0{}\0{mode}\0{user}:{group}\0", to.len(), digest.letter);
        all.update(line.as_bytes());
        all.update(&digest.checksum);
    }
    Ok(all.finish())
}

/// Each file of the workspace that counts below those that `files` name, with its place.
fn placed<'f>(
    root: &Path,
    walker: &Walker,
    files: &'f [ImageFile],
) -> Result<Vec<PlacedFile<'f>>, Fault> {
    let mut all = Vec::new();
    for file in files {
        let from = root.join(&file.from);
        let listing = walker
            .list(&from)
            .map_err(|error| Fault::io(format!("cannot list {}", file.from.display()), &error))?;
        let top = file.to.trim_matches('/');
        for input in listing.inputs {
            let below = input.path.strip_prefix(&from).unwrap_or(Path::new(""));
            let name = match below.as_os_str().is_empty() {
                // A single file: its name, if it goes into a folder.
                true if file.to.ends_with('/') => from.file_name().map(PathBuf::from),
                true => None,
                false => Some(below.to_owned()),
            };
            let to = name.map_or_else(|| top.to_owned(), |name| joined(top, &name));
            all.push(PlacedFile { to, input, file });
        }
    }
    Ok(all)
}

fn joined(top: &str, below: &Path) -> String {
    let below = below.to_string_lossy();
    if top.is_empty() { below.into_owned() } else { format!("{top}/{below}") }
}

/// Where the link at `path` leads, which has to be in the folder that it is in, or below.
fn target(path: &Path) -> Result<String, Fault> {
    let refused = |why: &str| {
        Fault::new(Kind::Usage, format!("{} cannot go into an image", path.display()))
            .because(why.to_owned())
            .hint("put the file itself there")
    };
    let target = fs::read_link(path)
        .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
    let is_below = target.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    match target.to_str() {
        Some(text) if is_below => Ok(text.to_owned()),
        _ => Err(refused("it is a link that leads out of its folder")),
    }
}

/// The layer of the binaries in `folder`, which are what `stamp` says.
///
/// # Errors
/// Never, as long as no two binaries are called the same.
pub fn binaries_layer(folder: &Path, stamp: &Stamp) -> Result<LayerPlan, Fault> {
    let mut entries = Entries::default();
    for (name, sha256) in &stamp.binaries {
        entries.add(binary(folder, name, *sha256))?;
    }
    let what = format!("binaries of {} {}", stamp.name, stamp.version);
    Ok(LayerPlan { what, entries: entries.finish() })
}

fn binary(folder: &Path, name: &BinaryName, sha256: Sha256) -> LayerEntry {
    let to = format!("{}/{name}", BINARIES.trim_start_matches('/'));
    let contents = Contents::Proven(folder.join(name), sha256);
    LayerEntry {
        file: FileToPack { name: to, contents, executable: true },
        kind: LayerEntryKind::File,
        mode: 0o755,
        owner: (0, 0),
    }
}

/// Entries by their names, with the folders above them.
#[derive(Default)]
struct Entries(BTreeMap<String, LayerEntry>);

impl Entries {
    fn add(&mut self, entry: LayerEntry) -> Result<(), Fault> {
        let name = entry.file.name.clone();
        let refused = |why: String| {
            Err(Fault::new(Kind::Usage, format!("/{name} cannot be in the image")).because(why))
        };
        if name.split('/').any(|part| part.starts_with(".wh.")) {
            return refused(
                "a file called `.wh.…` deletes another, in the format of layers".into(),
            );
        }
        let mut above: Vec<&str> = name.match_indices('/').map(|(at, _)| &name[..at]).collect();
        above.retain(|folder| !folder.is_empty());
        for folder in above {
            let known = self.0.entry(folder.to_owned()).or_insert_with(|| parent(folder));
            if known.kind != LayerEntryKind::Folder {
                return refused(format!("/{folder} is a file"));
            }
        }
        match self.0.insert(name.clone(), entry) {
            Some(other) if other.kind == LayerEntryKind::Folder => {
                refused("it is a folder, too".into())
            }
            Some(_) => refused("two files would go there".into()),
            None => Ok(()),
        }
    }

    fn finish(self) -> Vec<LayerEntry> {
        self.0.into_values().collect()
    }
}

/// The folder called `name`, as systems have it.
fn parent(name: &str) -> LayerEntry {
    let known = KNOWN_FOLDERS.iter().find(|(folder, _)| *folder == name);
    let contents = Contents::Bytes(Vec::new());
    LayerEntry {
        file: FileToPack { name: name.to_owned(), contents, executable: true },
        kind: LayerEntryKind::Folder,
        mode: known.map_or(0o755, |(_, mode)| *mode),
        owner: (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layout, UserFolders};

    fn file(from: &str, to: &str) -> ImageFile {
        ImageFile { from: from.into(), to: to.into(), mode: None, owner: (0, 0) }
    }

    fn tree(files: &[ImageFile]) -> (tempfile::TempDir, Result<Option<LayerPlan>, Fault>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("config/deep")).unwrap();
        for (path, text) in [("config/a", "1"), ("config/deep/b", "2"), ("c", "3")] {
            fs::write(dir.path().join(path), text).unwrap();
        }
        let layout = Layout::new(dir.path().to_owned(), UserFolders::default());
        let plan = files_layer(dir.path(), &Walker::new(&layout), files);
        (dir, plan)
    }

    #[test]
    fn folders_go_where_they_should_with_all_above_them_once() {
        let (_dir, plan) = tree(&[file("config", "/etc/x/"), file("c", "/tmp/"), file("c", "/d")]);
        let told: Vec<_> = plan
            .unwrap()
            .unwrap()
            .entries
            .iter()
            .map(|entry| format!("{} {:o}", entry.file.name, entry.mode))
            .collect();
        let expected = [
            "d 644",
            "etc 755",
            "etc/x 755",
            "etc/x/a 644",
            "etc/x/deep 755",
            "etc/x/deep/b 644",
            "tmp 1777",
            "tmp/c 644",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn two_files_for_one_place_and_links_out_are_refused() {
        let (_dir, plan) = tree(&[file("c", "/x"), file("config/a", "/x")]);
        assert!(plan.unwrap_err().to_string().contains("two files"));
        let (dir, _) = tree(&[]);
        std::os::unix::fs::symlink("../../etc/passwd", dir.path().join("config/l")).unwrap();
        let layout = Layout::new(dir.path().to_owned(), UserFolders::default());
        let plan = files_layer(dir.path(), &Walker::new(&layout), &[file("config", "/e")]);
        assert!(plan.unwrap_err().to_string().contains("leads out"));
    }
}

//! What tasks made, on its way to another machine and from one.
//!
//! A list that comes from elsewhere is a claim: it is checked like one of ours, and its links may not lead out of
//! where the task runs. Its files come into the cache under their digests; the list is sealed last, as ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{
    disk::{Folder, Staging},
    model::{Fault, Kind, Sha256, text_to_path},
};

use super::{
    super::files::Cache,
    MOST_BYTES, MOST_FILES,
    list::{self, KeptOutput, List, OutputKind},
    list_path, output_path, purpose,
};

/// What a task made, to be sent.
#[derive(Debug)]
pub struct OutgoingOutputs {
    /// The list, as text.
    pub list: Vec<u8>,
    /// Its files.
    pub files: Vec<OutgoingFile>,
}

/// A file that a task made, to be sent.
#[derive(Debug)]
pub struct OutgoingFile {
    /// Its path, as text, relative to where the task runs.
    pub path: String,
    /// Its digest.
    pub digest: Sha256,
    /// Its size, in bytes.
    pub size: u64,
    /// Whether it can be executed.
    pub is_executable: bool,
    /// Where its bytes are.
    pub bytes: PathBuf,
}

/// What a task made elsewhere, about to be kept.
pub struct IncomingOutputs<'c> {
    cache: &'c Cache,
    root: Folder,
    staging: Staging,
    list: List,
}

impl Cache {
    /// What is kept under `key`, to be sent; nothing if something of it is not there.
    pub fn kept_outputs(&self, key: &str) -> Option<OutgoingOutputs> {
        let (root, list) = self.list_of(key)?;
        let mut files = Vec::new();
        for output in &list.outputs {
            if let OutputKind::File(digest, mode) = output.kind {
                let path = output_path(digest);
                let size = root.open_file(&path).and_then(|file| file.metadata()).ok()?.len();
                files.push(OutgoingFile {
                    path: output.path.clone(),
                    digest,
                    size,
                    is_executable: mode & 0o100 != 0,
                    bytes: root.path().join(path),
                });
            }
        }
        Some(OutgoingOutputs { list: serde_json::to_vec(&list).ok()?, files })
    }

    /// Begins to take what somebody else's forge says that a task made. `is_declared` tells whether the task
    /// makes what has a path.
    ///
    /// # Errors
    /// `Verification` if no task of ours may make that; `Failed` if the cache cannot be written.
    pub fn receive_outputs(
        &self,
        list: &[u8],
        is_declared: &dyn Fn(&Path) -> bool,
    ) -> Result<IncomingOutputs<'_>, Fault> {
        let wrong = |why: String| wrong_list(&why);
        let list = serde_json::from_slice(list).map_err(|error| wrong(error.to_string()))?;
        self.receive(list, is_declared)
    }

    /// Begins to take what a worker `made` for us, by paths relative to where the task runs.
    ///
    /// # Errors
    /// As [`Self::receive_outputs`].
    pub fn receive_made(
        &self,
        made: BTreeMap<String, MadeOutput>,
        is_declared: &dyn Fn(&Path) -> bool,
    ) -> Result<IncomingOutputs<'_>, Fault> {
        let output = |(path, made)| {
            let kind = match made {
                MadeOutput::File(digest, is_executable) => {
                    OutputKind::File(digest, if is_executable { 0o755 } else { 0o644 })
                }
                MadeOutput::Link(target) => OutputKind::Link(target),
                MadeOutput::EmptyFolder => OutputKind::EmptyFolder,
            };
            KeptOutput { path, mark: String::new(), kind }
        };
        let outputs = made.into_iter().map(output).collect();
        self.receive(List { outputs, folders: BTreeMap::new() }, is_declared)
    }

    fn receive(
        &self,
        list: List,
        is_declared: &dyn Fn(&Path) -> bool,
    ) -> Result<IncomingOutputs<'_>, Fault> {
        let wrong = |why: String| wrong_list(&why);
        if list.outputs.len() > MOST_FILES || list.folders.len() > MOST_FILES {
            return Err(wrong(format!("it has more than {MOST_FILES} files")));
        }
        list::check(&list.outputs, is_declared).map_err(|error| wrong(error.to_string()))?;
        if let Some(link) = list.outputs.iter().find(|output| leads_out(output)) {
            return Err(wrong(format!("its link {:?} leads out", link.path)));
        }
        let cannot = |error: io::Error| {
            Fault::io(format!("cannot write the cache at {}", self.root().display()), &error)
        };
        let (root, staging) = (self.folder().map_err(cannot)?, self.stage().map_err(cannot)?);
        Ok(IncomingOutputs { cache: self, root, staging, list })
    }
}

/// Something that a worker made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeOutput {
    /// A file, and whether it can be executed.
    File(Sha256, bool),
    /// A link, with where it points.
    Link(String),
    /// A folder with nothing in it.
    EmptyFolder,
}

impl IncomingOutputs<'_> {
    /// The files that are not here yet.
    pub fn missing(&self) -> BTreeSet<Sha256> {
        let digest = |output: &KeptOutput| match output.kind {
            OutputKind::File(digest, _) => Some(digest),
            _ => None,
        };
        let is_missing = |digest: &Sha256| self.root.open_file(&output_path(*digest)).is_err();
        self.list.outputs.iter().filter_map(digest).filter(is_missing).collect()
    }

    /// The most that all files may be together, in bytes.
    pub fn limit(&self) -> u64 {
        MOST_BYTES
    }

    /// A new file for the bytes of `digest`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn begin(&self, digest: Sha256) -> io::Result<File> {
        let name = digest.to_string();
        // What came of it in an earlier try is not whole.
        let _ = self.staging.folder().remove_file(Path::new(&name));
        self.staging.folder().create_new(Path::new(&name), 0o444)
    }

    /// Keeps the file of `digest`, whose bytes were compared with it.
    ///
    /// # Errors
    /// If it cannot be put into its place.
    pub fn keep(&self, digest: Sha256) -> io::Result<()> {
        let name = digest.to_string();
        self.staging.folder().rename(Path::new(&name), &self.root, &output_path(digest))
    }

    /// Keeps the list under `key`: from here on all of it can be restored.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn finish(self, key: &str) -> Result<(), Fault> {
        let text = serde_json::to_vec(&self.list).map_err(|error| {
            Fault::new(Kind::Failed, "the outputs are not kept").because(error.to_string())
        })?;
        let sealed = self.cache.key().seal(&purpose(key), &text);
        self.cache.write(&self.cache.root().join(list_path(key)), &sealed)
    }
}

fn wrong_list(why: &str) -> Fault {
    Fault::new(Kind::Verification, "its list of outputs is not one of this task").because(why)
}

/// Whether `output` is a link that leads out of where the task runs.
fn leads_out(output: &KeptOutput) -> bool {
    let OutputKind::Link(target) = &output.kind else { return false };
    let (path, target) = (text_to_path(&output.path), text_to_path(target));
    let folder = path.parent().unwrap_or(Path::new(""));
    target.is_absolute() || list::normal(&folder.join(target)).is_none()
}

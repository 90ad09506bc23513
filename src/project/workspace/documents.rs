//! The files of a workspace, read and parsed once. What they mean for a platform, at versions and with
//! variables is worked out by [`Documents::resolve`], as often as it is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rayon::prelude::*;

use super::{
    extends::{self, Gathered},
    files::{self, SpecFile, Specs},
};
use crate::{
    manifest::{
        Findings, MAX_BYTES, ManifestDoc, ManifestFile, SpecDoc, TaskFileDoc, parse_lock,
        read_manifest, read_spec, read_task_file,
    },
    model::{Diagnostic, Fault, Layout, Lock, Sha256, UserFolders},
};

/// Below this many specs, threads cost more than they save.
pub(super) const MANY_SPECS: usize = 64;

/// The files of a workspace, as they were read.
#[derive(Debug)]
pub struct Documents {
    pub(super) layout: Layout,
    /// Whether some specs were not read.
    pub(super) is_part: bool,
    pub(super) manifest: Parsed<ManifestDoc>,
    /// What the folder of specs holds, and the specs in that order.
    pub(super) listed: Specs,
    pub(super) specs: Vec<ParsedSpec>,
    pub(super) lock: ParsedLock,
    /// Files of tasks, by their paths or what URLs gave: which there are turns out as they are resolved.
    task_files: Mutex<BTreeMap<TaskFileKey, Arc<Parsed<TaskFileDoc>>>>,
}

/// A file of tasks: its path, as messages show it, and its digest if a URL gave it.
type TaskFileKey = (PathBuf, Option<Sha256>);

/// A file, and what it says.
#[derive(Debug)]
pub struct Parsed<D> {
    /// The file.
    pub file: ManifestFile,
    /// What it says.
    pub doc: D,
    /// What is wrong with how it is written.
    diagnostics: Vec<Diagnostic>,
}

impl<D> Parsed<D> {
    fn parse(file: ManifestFile, read: impl FnOnce(&ManifestFile, &mut Findings) -> D) -> Self {
        let mut found = Findings::new(&file);
        let doc = read(&file, &mut found);
        let diagnostics = found.diagnostics;
        Self { file, doc, diagnostics }
    }

    /// What was found in it so far.
    pub fn findings(&self) -> Findings<'_> {
        let mut found = Findings::new(&self.file);
        found.diagnostics.clone_from(&self.diagnostics);
        found
    }
}

/// A spec with what it extends.
#[derive(Debug)]
pub struct ParsedSpec {
    /// What it says; nothing if something that it extends cannot be obtained.
    pub parsed: Parsed<Option<SpecDoc>>,
    /// Other files that were read or looked for, absolute.
    pub looked_at: Vec<PathBuf>,
}

/// `forge.lock`.
#[derive(Debug)]
pub struct ParsedLock {
    /// Its text.
    pub text: String,
    /// What it pins.
    pub lock: Lock,
    /// Why it cannot be read.
    pub wrong: Option<Diagnostic>,
}

impl Documents {
    /// Reads the workspace at `root`, for `user`.
    ///
    /// # Errors
    /// When there is none, or a file cannot be read. What is wrong in the files comes out as they are
    /// resolved.
    pub fn read(root: &Path, user: &UserFolders) -> Result<Self, Fault> {
        let layout = files::layout(root, user)?;
        let manifest = files::read(&layout, Path::new(Layout::MANIFEST))?;
        let listed = files::list_specs(&layout)?;
        Self::from_files(layout, manifest, listed)
    }

    /// Reads of the workspace at `root`, for `user`, only the specs at the paths `specs`, relative to it.
    ///
    /// The rest is known to be well: what concerns several specs is not checked, and there are no tasks and no
    /// files that are included. All that those specs need has to be among them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_part(
        root: &Path,
        user: &UserFolders,
        specs: &BTreeSet<PathBuf>,
    ) -> Result<Self, Fault> {
        let layout = files::layout(root, user)?;
        let manifest = files::read(&layout, Path::new(Layout::MANIFEST))?;
        let mut listed = files::list_specs(&layout)?;
        listed.files.retain(|spec| specs.contains(&spec.path));
        Ok(Self { is_part: true, ..Self::from_files(layout, manifest, listed)? })
    }

    /// The workspace at `root` where `text` is what stands in `versions.yml`, and without specs.
    ///
    /// # Errors
    /// When `forge.lock` cannot be read.
    pub fn of_text(root: &Path, text: &str, user: &UserFolders) -> Result<Self, Fault> {
        let file = ManifestFile::new(Layout::MANIFEST.into(), text.as_bytes().to_vec(), MAX_BYTES);
        Self::from_files(Layout::new(root.to_owned(), user.clone()), file, Specs::default())
    }

    /// The workspace at `root` where `pages` are `versions.yml` and the specs, by their paths; files
    /// that are there count for nothing but sources and `forge.lock`.
    ///
    /// # Errors
    /// When `forge.lock` cannot be read.
    pub fn of_pages(
        root: &Path,
        pages: &[(&Path, &str)],
        user: &UserFolders,
    ) -> Result<Self, Fault> {
        let (mut listed, mut specs, mut manifest) = (Specs::default(), Vec::new(), "");
        for (path, text) in pages {
            if *path == Path::new(Layout::MANIFEST) {
                manifest = text;
            } else if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
                let path = path.to_path_buf();
                listed.files.push(SpecFile { name: name.to_owned(), path: path.clone() });
                let file = ManifestFile::new(path, text.as_bytes().to_vec(), MAX_BYTES);
                let parsed = Parsed::parse(file, |file, found| Some(read_spec(file, found)));
                specs.push(ParsedSpec { parsed, looked_at: Vec::new() });
            }
        }
        let whole = Self::of_text(root, manifest, user)?;
        Ok(Self { listed, specs, ..whole })
    }

    fn from_files(layout: Layout, manifest: ManifestFile, listed: Specs) -> Result<Self, Fault> {
        let specs = &listed.files;
        let spec = |own: &SpecFile| ParsedSpec::read(&layout, own, specs);
        let specs: Result<_, Fault> = match specs.len() {
            ..MANY_SPECS => specs.iter().map(spec).collect(),
            _ => specs.par_iter().map(spec).collect(),
        };
        Ok(Self {
            manifest: Parsed::parse(manifest, read_manifest),
            specs: specs?,
            lock: ParsedLock::read(&layout)?,
            listed,
            layout,
            is_part: false,
            task_files: Mutex::default(),
        })
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The file of tasks at `path`, relative to the workspace.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn task_file(&self, path: &Path) -> Result<Arc<Parsed<TaskFileDoc>>, Fault> {
        self.parsed_once((path.to_owned(), None), || files::read(&self.layout, path))
    }

    /// The file of tasks that the Taskfile at `path` is said as in `text`.
    ///
    /// # Errors
    /// None so far.
    pub(super) fn said_task_file(
        &self,
        path: &Path,
        text: String,
    ) -> Result<Arc<Parsed<TaskFileDoc>>, Fault> {
        let file = || Ok(ManifestFile::new(path.to_owned(), text.into_bytes(), MAX_BYTES));
        self.parsed_once((path.to_owned(), None), file)
    }

    /// The file of tasks that a URL gave, which messages show as `shown`.
    pub(super) fn fetched_task_file(
        &self,
        shown: &str,
        sha256: Sha256,
        bytes: Vec<u8>,
    ) -> Result<Arc<Parsed<TaskFileDoc>>, Fault> {
        let key = (PathBuf::from(shown), Some(sha256));
        self.parsed_once(key, || Ok(ManifestFile::new(shown.into(), bytes, MAX_BYTES)))
    }

    fn parsed_once(
        &self,
        key: TaskFileKey,
        file: impl FnOnce() -> Result<ManifestFile, Fault>,
    ) -> Result<Arc<Parsed<TaskFileDoc>>, Fault> {
        let mut known = self.task_files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = known.get(&key) {
            return Ok(parsed.clone());
        }
        let parsed = Arc::new(Parsed::parse(file()?, read_task_file));
        known.insert(key, parsed.clone());
        Ok(parsed)
    }
}

impl ParsedSpec {
    fn read(layout: &Layout, own: &SpecFile, specs: &[SpecFile]) -> Result<Self, Fault> {
        let Gathered { file, looked_at, diagnostics } = extends::read(layout, own, specs)?;
        let parsed = match diagnostics.is_empty() {
            true => Parsed::parse(file, |file, found| Some(read_spec(file, found))),
            // Without what it extends, too much would be told of the rest.
            false => Parsed { file, doc: None, diagnostics },
        };
        Ok(Self { parsed, looked_at })
    }
}

impl ParsedLock {
    fn read(layout: &Layout) -> Result<Self, Fault> {
        let text = files::lock_text(layout)?;
        let (lock, wrong) = match parse_lock(&text) {
            Ok(lock) => (lock, None),
            Err(wrong) => (Lock::default(), Some(*wrong)),
        };
        Ok(Self { text, lock, wrong })
    }
}

//! The files of a workspace: where it begins, which specs it has, what they say.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    disk::{MOST_OF_TEXT, open_file, read_file},
    manifest::{MAX_BYTES, ManifestFile},
    model::{Diagnostic, Fault, Kind, Layout, Span, UserFolders, path_to_text},
    walk::Walker,
};

/// The file of a spec that has a folder of its own.
const SPEC_IN_FOLDER: &str = "subsystem.yml";

/// The workspace that `from` is in: the nearest folder, upwards, that holds a `versions.yml`.
///
/// # Errors
/// When there is none; the hint says how to make one.
pub fn find_root(from: &Path) -> Result<PathBuf, Fault> {
    let from = std::path::absolute(from)
        .map_err(|error| Fault::io(format!("cannot find {}", from.display()), &error))?;
    // What is there and no file is refused when it is read.
    let is_root = |folder: &&Path| {
        fs::metadata(folder.join(Layout::MANIFEST)).is_ok_and(|found| !found.is_dir())
    };
    let root = from.ancestors().find(is_root);
    root.map(check_root).transpose()?;
    root.map(Path::to_owned).ok_or_else(|| {
        let what = format!("there is no `{}` in {} or above it", Layout::MANIFEST, from.display());
        let misnamed = from.ancestors().map(|folder| folder.join("versions.yaml"));
        let misnamed = misnamed.into_iter().find(|path| path.is_file());
        Fault::new(Kind::Usage, what).hint(match misnamed {
            Some(path) => format!("rename {} to `{}`", path.display(), Layout::MANIFEST),
            None => "`forge init` makes a workspace here; `-C DIR` names one elsewhere".to_owned(),
        })
    })
}

/// Refuses a folder that no workspace can be in: PATH, commands and records hold its path as text.
///
/// # Errors
/// `Usage` if its path holds a `:`, a line break or another control character, or is not UTF-8.
pub fn check_root(root: &Path) -> Result<(), Fault> {
    let (why, reason) = match root.to_str() {
        None => ("is not UTF-8", "commands, templates and records hold paths as text"),
        Some(text) if text.contains(':') => (
            "holds a `:`",
            "PATH separates folders by `:`, so what forge installs there would not be found",
        ),
        Some(text) if text.contains(char::is_control) => (
            "holds a line break or another control character",
            "commands and files that are written line by line would be cut there",
        ),
        Some(_) => return Ok(()),
    };
    let what = format!("a workspace cannot be in {}: its path {why}", path_to_text(root));
    Err(Fault::new(Kind::Usage, what).because(reason).hint("move or rename the folder"))
}

/// The layout of the workspace at `root`, for `user`.
///
/// # Errors
/// When there is no `versions.yml` in it.
pub fn layout(root: &Path, user: &UserFolders) -> Result<Layout, Fault> {
    let root = std::path::absolute(root)
        .map_err(|error| Fault::io(format!("cannot find {}", root.display()), &error))?;
    check_root(&root)?;
    let layout = Layout::new(root, user.clone());
    if layout.manifest().exists() {
        return Ok(layout);
    }
    let what = format!("there is no {}", layout.manifest().display());
    Err(Fault::new(Kind::Usage, what).hint("`forge init` makes a workspace"))
}

/// A file with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecFile {
    /// The subsystem's name, as the file is called.
    pub name: String,
    /// Relative to the workspace.
    pub path: PathBuf,
}

/// What the folder of specs holds.
#[derive(Debug, Default)]
pub struct Specs {
    /// The specs, sorted by name.
    pub files: Vec<SpecFile>,
    /// Files that were meant as specs but cannot be.
    pub misplaced: Vec<Diagnostic>,
    /// Paths that were looked at and may come to be, absolute.
    pub looked_at: Vec<PathBuf>,
}

/// Lists the specs of the workspace at `layout`.
///
/// # Errors
/// When the folder cannot be read, or is not there though git tracks files in it. Else its absence is none.
pub fn list_specs(layout: &Layout) -> Result<Specs, Fault> {
    let folder = layout.specs();
    let mut found = Specs { looked_at: vec![folder.clone()], ..Specs::default() };
    let cannot = |error: io::Error| Fault::io(format!("cannot list {}", folder.display()), &error);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match Walker::new(layout).tracks_below(&folder) {
                true => Err(left_out()),
                false => Ok(found),
            };
        }
        Err(error) => return Err(cannot(error)),
    };
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        let is_folder = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
        if let Some(file_name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')) {
            found.take(layout, file_name, is_folder);
        }
    }
    found.files.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    found.tell_twins();
    found.looked_at.sort();
    Ok(found)
}

/// That the folder of specs is not there, though git tracks files in it.
fn left_out() -> Fault {
    let what = format!("{}/ is not in this checkout", Layout::SPECS);
    Fault::new(Kind::Usage, what)
        .because("git tracks files in it, but a sparse checkout leaves it out, or it was removed")
        .hint(format!(
            "run `git sparse-checkout add {0}`, or `git checkout -- {0}` if it was removed",
            Layout::SPECS
        ))
}

impl Specs {
    /// The names of all specs.
    pub fn names(&self) -> Vec<&str> {
        self.files.iter().map(|spec| spec.name.as_str()).collect()
    }

    /// Every path that loading the workspace at `layout` depends on, absolute.
    pub fn inputs(&self, layout: &Layout) -> Vec<PathBuf> {
        let specs = self.files.iter().map(|spec| layout.root().join(&spec.path));
        [layout.manifest(), layout.lock()]
            .into_iter()
            .chain(specs)
            .chain(self.looked_at.iter().cloned())
            .collect()
    }

    fn take(&mut self, layout: &Layout, file_name: &str, is_folder: bool) {
        let path = Path::new(Layout::SPECS).join(file_name);
        if is_folder {
            let path = path.join(SPEC_IN_FOLDER);
            let absolute = layout.root().join(&path);
            if absolute.is_file() {
                self.files.push(SpecFile { name: file_name.to_owned(), path });
            } else {
                self.looked_at.push(absolute);
            }
        } else if let Some(name) = file_name.strip_suffix(".yml") {
            self.files.push(SpecFile { name: name.to_owned(), path });
        } else if let Some(name) = file_name.strip_suffix(".yaml") {
            let what = format!("{} is not read: specs end in `.yml`", path.display());
            let help = format!("rename it to `{name}.yml`");
            let span = Span { file: path, bytes: 0..0 };
            self.misplaced.push(Diagnostic::new(span, what, "this file").help(help));
        }
    }

    /// One subsystem has one spec.
    fn tell_twins(&mut self) {
        for pair in self.files.windows(2) {
            if let [first, second] = pair
                && first.name == second.name
            {
                let what = format!("{} has two specs", first.name);
                let span = |spec: &SpecFile| Span { file: spec.path.clone(), bytes: 0..0 };
                let diagnostic = Diagnostic::new(span(second), what, "the second one")
                    .related(span(first), "the first one")
                    .help("keep one of the two files");
                self.misplaced.push(diagnostic);
            }
        }
        self.files.dedup_by(|second, first| first.name == second.name);
    }
}

/// Reads the file at `path`, relative to the workspace.
///
/// # Errors
/// When it cannot be read.
pub fn read(layout: &Layout, path: &Path) -> Result<ManifestFile, Fault> {
    let absolute = layout.root().join(path);
    let bytes = read_at_most(&absolute)
        .map_err(|error| Fault::io(format!("cannot read {}", absolute.display()), &error))?;
    Ok(ManifestFile::new(path.to_owned(), bytes, MAX_BYTES))
}

fn read_at_most(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than is allowed is enough to tell that it is too long.
    io::Read::read_to_end(&mut io::Read::take(open_file(path)?, MAX_BYTES as u64 + 1), &mut bytes)?;
    Ok(bytes)
}

/// The text of `forge.lock`, with replacement characters where it is not a UTF-8; empty if
/// there is none.
///
/// # Errors
/// When it cannot be read.
pub fn lock_text(layout: &Layout) -> Result<String, Fault> {
    let path = layout.lock();
    match read_file(&path, MOST_OF_TEXT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Fault::io(format!("cannot read {}", path.display()), &error)),
    }
}

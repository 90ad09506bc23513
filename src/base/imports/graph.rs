//! From the folders of a Go program to all folders of the workspace that go into it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use super::{clause::Clauses, module::ModuleFile};
use crate::{
    disk::{read_file, read_text},
    model::Fault,
};

/// More than any Go file that people or programs write, in bytes.
const MOST_OF_SOURCE: u64 = 256 << 20;

/// Files that the go command gives to compilers (`go help packages`, "go help filetype").
const COMPILED: &[&str] = &[
    "go", "c", "cc", "cpp", "cxx", "m", "h", "hh", "hpp", "hxx", "f", "F", "for", "f90", "s", "S",
    "sx", "swig", "swigcxx", "syso",
];

/// Fewer folders than this are read faster than threads are woken.
const MANY_FOLDERS: usize = 8;

/// The import graph below one folder, read as far as it was asked for. Each folder is read once.
#[derive(Debug)]
pub struct Graph {
    root: PathBuf,
    folders: HashMap<String, Arc<PackageFolder>>,
    modules: HashMap<String, Option<Arc<ModuleMap>>>,
}

/// What goes into a program besides its own folders. Paths are relative to the graph's folder, with
/// `/` between their parts; that folder itself is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportClosure {
    /// The folders of the packages it imports, of theirs, and so on.
    pub packages: BTreeSet<String>,
    /// What files in them embed: the folder, and the pattern.
    pub embeds: BTreeSet<(String, String)>,
    /// Files that say which code an import path means, whether they are there or not: go.mod, go.sum,
    /// go.work.
    pub rules: BTreeSet<String>,
    /// The files of all that are there.
    pub files: BTreeSet<String>,
}

/// What is in one folder.
#[derive(Debug, Default)]
struct PackageFolder {
    compiled: Vec<String>,
    imports: BTreeSet<String>,
    embeds: BTreeSet<String>,
}

/// What import paths mean in one module.
#[derive(Debug, Default)]
struct ModuleMap {
    /// Import path to folder.
    places: BTreeMap<String, String>,
    /// The folder of vendored packages, if there is one.
    vendor: Option<String>,
    rules: BTreeSet<String>,
}

impl ImportClosure {
    /// Whether a change of `path` goes into the program.
    pub fn covers(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.rules.contains(path)
            || is_compiled(name) && self.packages.contains(folder)
            || self.embeds.iter().any(|(folder, pattern)| {
                is_below(path, folder)
                    && embedded(folder, pattern).is_some_and(|glob| holds(&glob, path))
            })
    }
}

impl Graph {
    /// The graph below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), folders: HashMap::new(), modules: HashMap::new() }
    }

    /// What goes into each of `programs`, which are files and folders relative to the graph's folder
    /// with all below them.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn reach_all(&mut self, programs: &[Vec<String>]) -> Result<Vec<ImportClosure>, Fault> {
        let root = &self.root;
        let own = |starts: &Vec<String>| -> io::Result<BTreeSet<String>> {
            let mut own = BTreeSet::new();
            for start in starts {
                descend(root, start, &mut own)?;
            }
            Ok(own)
        };
        let own: Vec<BTreeSet<String>> = programs
            .par_iter()
            .map(own)
            .collect::<io::Result<_>>()
            .map_err(|error| Fault::io("cannot list the folders of a Go program", &error))?;
        self.enter(own.iter().flatten().cloned().collect())?;
        own.iter().map(|own| self.reach(own)).collect()
    }

    /// What goes into a program whose own folders are `own`.
    fn reach(&mut self, own: &BTreeSet<String>) -> Result<ImportClosure, Fault> {
        let mut reach = ImportClosure::default();
        // Only the main module says what paths mean, so each start keeps its own.
        let mut rest: Vec<(String, Arc<ModuleMap>)> = Vec::new();
        for folder in own {
            if let Some(main) = self.main(folder)? {
                reach.rules.extend(main.rules.iter().cloned());
                rest.push((folder.clone(), main));
            }
        }
        let mut seen: BTreeSet<String> = own.clone();
        while !rest.is_empty() {
            let mut next: Vec<(String, Arc<ModuleMap>)> = Vec::new();
            for (folder, main) in &rest {
                for import in &self.folders[folder].imports.clone() {
                    if let Some(place) = main.place(&self.root, import)
                        && seen.insert(place.clone())
                    {
                        next.push((place, main.clone()));
                    }
                }
            }
            self.enter(next.iter().map(|(folder, _)| folder.clone()).collect())?;
            rest = next;
        }
        for folder in seen {
            let found = &self.folders[&folder];
            reach
                .embeds
                .extend(found.embeds.iter().map(|pattern| (folder.clone(), pattern.clone())));
            if !own.contains(&folder) {
                reach.files.extend(found.compiled.iter().map(|name| joined(&folder, name)));
                reach.packages.insert(folder);
            }
        }
        let here = reach.rules.iter().filter(|rule| self.root.join(rule).is_file());
        reach.files.extend(here.cloned());
        for (folder, pattern) in &reach.embeds {
            // What a program embeds from its own folders is its own.
            if !own.contains(folder) {
                self.embed(folder, pattern, &mut reach.files)?;
            }
        }
        Ok(reach)
    }

    /// Adds the files that `pattern` in `folder` embeds.
    fn embed(
        &self,
        folder: &str,
        pattern: &str,
        files: &mut BTreeSet<String>,
    ) -> Result<(), Fault> {
        let Some(glob) = embedded(folder, pattern) else { return Ok(()) };
        let fixed = pattern
            .split('/')
            .take_while(|part| !part.contains(['*', '?', '[']))
            .collect::<Vec<_>>();
        let mut all = Vec::new();
        let start = joined(folder, &fixed.join("/"));
        list(&self.root, &start, &mut all)
            .map_err(|error| Fault::io(format!("cannot list what {folder} embeds"), &error))?;
        files.extend(all.into_iter().filter(|path| holds(&glob, path)));
        Ok(())
    }

    /// Reads those of `names` that are not known yet.
    fn enter(&mut self, names: BTreeSet<String>) -> Result<(), Fault> {
        let new: Vec<String> =
            names.into_iter().filter(|name| !self.folders.contains_key(name)).collect();
        let read = |name: &String| PackageFolder::read(&self.root.join(name));
        let read: Vec<io::Result<PackageFolder>> = match new.len() < MANY_FOLDERS {
            true => new.iter().map(read).collect(),
            false => new.par_iter().map(read).collect(),
        };
        for (name, folder) in new.into_iter().zip(read) {
            let cannot = |error| Fault::io(format!("cannot read the Go files in {name}"), &error);
            self.folders.insert(name.clone(), Arc::new(folder.map_err(cannot)?));
        }
        Ok(())
    }

    /// The module that `folder` is in: that of the nearest go.mod.
    fn main(&mut self, folder: &str) -> Result<Option<Arc<ModuleMap>>, Fault> {
        if let Some(known) = self.modules.get(folder) {
            return Ok(known.clone());
        }
        let main = match self.file(folder, "go.mod")? {
            Some(file) => Some(Arc::new(self.module(folder, &file)?)),
            None if folder.is_empty() => None,
            None => self.main(above(folder))?,
        };
        self.modules.insert(folder.to_owned(), main.clone());
        Ok(main)
    }

    fn module(&self, folder: &str, file: &ModuleFile) -> Result<ModuleMap, Fault> {
        let mut main = ModuleMap::default();
        main.add(folder, file);
        let vendor = joined(folder, "vendor");
        if self.root.join(&vendor).join("modules.txt").is_file() {
            main.rules.insert(joined(&vendor, "modules.txt"));
            main.vendor = Some(vendor);
        }
        for above in ancestors(folder) {
            main.rules.insert(joined(above, "go.work"));
            let Some(work) = self.file(above, "go.work")? else { continue };
            let used: Vec<String> =
                work.used.iter().filter_map(|path| resolved(above, path)).collect();
            if used.iter().any(|used| used == folder) {
                main.rules.insert(joined(above, "go.work.sum"));
                main.add(above, &ModuleFile { module: None, ..work.clone() });
                for other in &used {
                    if let Some(file) = self.file(other, "go.mod")? {
                        main.add(other, &file);
                    }
                }
            }
            break;
        }
        Ok(main)
    }

    fn file(&self, folder: &str, name: &str) -> Result<Option<ModuleFile>, Fault> {
        let path = self.root.join(folder).join(name);
        match read_text(&path, MOST_OF_SOURCE) {
            Ok(text) => Ok(Some(ModuleFile::read(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::io(format!("cannot read {}", path.display()), &error)),
        }
    }
}

impl ModuleMap {
    /// Adds what `file` in `folder` says to it.
    fn add(&mut self, folder: &str, file: &ModuleFile) {
        if let Some(path) = &file.module {
            self.places.insert(path.clone(), folder.to_owned());
            self.rules.extend(["go.mod", "go.sum"].map(|name| joined(folder, name)));
        }
        for (path, written) in &file.replaced {
            if let Some(place) = resolved(folder, written) {
                self.rules.insert(joined(&place, "go.mod"));
                self.places.insert(path.clone(), place);
            }
        }
    }

    /// The folder that `import` means, if that is in the workspace.
    fn place(&self, root: &Path, import: &str) -> Option<String> {
        let of_module = |(module, folder): (&String, &String)| {
            let below = import.strip_prefix(module.as_str())?;
            let below = if below.is_empty() { below } else { below.strip_prefix('/')? };
            Some((module.len(), joined(folder, below)))
        };
        let place = self.places.iter().filter_map(of_module).max().map(|(_, place)| place);
        let vendored = self.vendor.as_ref().map(|vendor| joined(vendor, import));
        place.into_iter().chain(vendored).find(|place| root.join(place).is_dir())
    }
}

impl PackageFolder {
    fn read(path: &Path) -> io::Result<Self> {
        let mut folder = Self::default();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !is_compiled(&name) || !fs::metadata(entry.path()).is_ok_and(|found| found.is_file())
            {
                continue;
            }
            if name.ends_with(".go") {
                let bytes = read_file(&entry.path(), MOST_OF_SOURCE)?;
                let clauses = Clauses::read(&String::from_utf8_lossy(&bytes));
                folder.imports.extend(clauses.imports);
                folder.embeds.extend(clauses.embeds);
            }
            folder.compiled.push(name);
        }
        folder.compiled.sort_unstable();
        Ok(folder)
    }
}

/// Whether a file of this name is compiled into its package. Build constraints are ignored.
fn is_compiled(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| COMPILED.contains(&extension))
        && !name.ends_with("_test.go")
        && !name.starts_with(['.', '_'])
}

/// Adds the folders at and below `start` that can hold packages.
fn descend(root: &Path, start: &str, folders: &mut BTreeSet<String>) -> io::Result<()> {
    let path = root.join(start);
    if !path.is_dir() {
        // A file: its folder is the package.
        folders.insert(above(start).to_owned());
        return Ok(());
    }
    folders.insert(start.to_owned());
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_left_out =
            name.starts_with(['.', '_']) || matches!(name.as_str(), "testdata" | "vendor");
        if !is_left_out && entry.file_type()?.is_dir() {
            descend(root, &joined(start, &name), folders)?;
        }
    }
    Ok(())
}

/// Adds the files at and below `start`.
fn list(root: &Path, start: &str, files: &mut Vec<String>) -> io::Result<()> {
    let path = root.join(start);
    if path.is_file() {
        files.push(start.to_owned());
    } else if path.is_dir() {
        for entry in fs::read_dir(path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                list(root, &joined(start, &name), files)?;
            }
        }
    }
    Ok(())
}

fn embedded(folder: &str, pattern: &str) -> Option<Gitignore> {
    let mut glob = GitignoreBuilder::new("");
    glob.add_line(None, &format!("/{}", joined(folder, pattern))).ok()?;
    glob.build().ok()
}

fn holds(glob: &Gitignore, path: &str) -> bool {
    glob.matched_path_or_any_parents(path, false).is_ignore()
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn joined(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

fn above(folder: &str) -> &str {
    folder.rsplit_once('/').map_or("", |(above, _)| above)
}

/// `folder` and all above it, the nearest first.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| (!folder.is_empty()).then(|| above(folder)))
}

/// The folder that `written` means in `folder`; `None` if it is outside.
fn resolved(folder: &str, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;

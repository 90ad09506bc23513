//! A Taskfile and all it includes, found and read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{file::taskfile, model::Taskfile};
use crate::{
    archive::Hasher,
    manifest::{File, Findings, MAX_BYTES, Scalar},
    model::{Diagnostic, Fault, Kind, Problems},
    workspace::LoadError,
};

/// What a Taskfile may be called, in the order in which they are looked for.
pub const NAMES: [&str; 8] = [
    "Taskfile.yml",
    "taskfile.yml",
    "Taskfile.yaml",
    "taskfile.yaml",
    "Taskfile.dist.yml",
    "taskfile.dist.yml",
    "Taskfile.dist.yaml",
    "taskfile.dist.yaml",
];

/// What a Taskfile is run with, as far as it decides what is read.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `NAME=value` of the command line.
    pub words: BTreeMap<String, String>,
    /// Variables of the environment.
    pub env: BTreeMap<String, String>,
}

/// Taskfiles, the first of which is the one that was named.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The folder of the first Taskfile, absolute.
    pub root: PathBuf,
    /// All of them; one that is included several times is there once.
    pub files: Vec<Taskfile>,
}

/// The Taskfile that `path` is or is in, or the nearest one above `path` if that is a folder
/// without one and `upwards`.
///
/// # Errors
/// `Usage` if there is none.
pub fn find(path: &Path, upwards: bool) -> Result<PathBuf, Fault> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Fault::io(format!("cannot find {}", path.display()), &error))?;
    let upwards = upwards && absolute.is_dir();
    let folders = absolute.ancestors().take(if upwards { usize::MAX } else { 1 });
    let found = match absolute.is_file() {
        true => Some(absolute.clone()),
        false => folders.into_iter().find_map(within),
    };
    found.ok_or_else(|| {
        let place = if upwards { "in or above" } else { "at" };
        let what = format!("there is no Taskfile {place} {}", path.display());
        Fault::new(Kind::Usage, what).hint("name the file: `--taskfile PATH`")
    })
}

fn within(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Reads the Taskfile at `path`, which [`find`] gave, and all that it includes.
///
/// # Errors
/// All that is wrong in any of them, at once; or why one cannot be read.
pub fn read(path: &Path, given: &Given) -> Result<Tree, LoadError> {
    let root = path.parent().unwrap_or(Path::new("/")).to_owned();
    let mut reader =
        Reader { root, given, files: Vec::new(), known: BTreeMap::new(), wrong: Vec::new() };
    reader.file(path, &[])?;
    if !reader.wrong.is_empty() {
        let texts = reader.known.into_values().map(|(_, file)| (file.path, file.text)).collect();
        return Err(LoadError::Problems(Problems::gather(reader.wrong, texts)));
    }
    let mut files: Vec<_> = reader.files.into_iter().flatten().collect();
    files.sort_by_key(|(index, _): &(usize, Taskfile)| *index);
    Ok(Tree { root: reader.root, files: files.into_iter().map(|(_, file)| file).collect() })
}

struct Reader<'a> {
    root: PathBuf,
    given: &'a Given,
    /// Those that were read, and which place each has.
    files: Vec<Option<(usize, Taskfile)>>,
    known: BTreeMap<PathBuf, (usize, File)>,
    wrong: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads the file at `path`, which those in `above` include, and says which one it is.
    fn file(&mut self, path: &Path, above: &[PathBuf]) -> Result<usize, Fault> {
        if let Some((index, _)) = self.known.get(path) {
            return Ok(*index);
        }
        let bytes = fs::read(path)
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        let shown = path.strip_prefix(&self.root).unwrap_or(path).to_owned();
        let file = File::new(shown, bytes, MAX_BYTES);
        let index = self.files.len();
        self.files.push(None);
        self.known.insert(path.to_owned(), (index, file.clone()));
        let dir = path.parent().unwrap_or(&self.root).to_owned();
        let mut found = Findings::new(&file);
        let taskfile = taskfile(&file, dir, &mut found);
        let Some(mut taskfile) = taskfile else {
            self.wrong.append(&mut found.diagnostics);
            return Ok(index);
        };
        let above: Vec<PathBuf> = above.iter().cloned().chain([path.to_owned()]).collect();
        let mut includes = std::mem::take(&mut taskfile.includes);
        for include in &mut includes {
            let Some(target) = self.place(&taskfile, &include.taskfile, &mut found) else {
                continue;
            };
            let Some(target) = existing(&target) else {
                if !include.optional {
                    let what = format!("there is no Taskfile at {}", target.display());
                    let help = "write `optional: true` if it may be missing";
                    found.add(include.taskfile.bytes.clone(), what, "not there", help);
                }
                continue;
            };
            if above.contains(&target) {
                let what = format!("{} includes itself in a circle", target.display());
                let help = "remove one of the includes";
                found.add(include.taskfile.bytes.clone(), what, "closes the circle", help);
                continue;
            }
            if let Some(expected) = &include.checksum {
                Self::compare(&target, expected, &mut found)?;
            }
            include.target = Some(self.file(&target, &above)?);
        }
        taskfile.includes = includes;
        self.wrong.append(&mut found.diagnostics);
        self.files[index] = Some((index, taskfile));
        Ok(index)
    }

    /// Where an include of `taskfile` leads.
    fn place(&self, taskfile: &Taskfile, path: &Scalar, found: &mut Findings) -> Option<PathBuf> {
        let _ = (self.given, found);
        Some(normal(&taskfile.dir.join(&path.text)))
    }

    fn compare(path: &Path, expected: &Scalar, found: &mut Findings) -> Result<(), Fault> {
        let bytes = fs::read(path)
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        let mut hasher = Hasher::new();
        hasher.update(&bytes);
        let digest = hasher.finish().to_string();
        if digest != expected.text {
            let what = format!("{} has another SHA-256 than is written here", path.display());
            let help = format!("it is {digest}; look at what changed before you write that");
            found.add(expected.bytes.clone(), what, "not its digest", help);
        }
        Ok(())
    }
}

/// The Taskfile that `path` is or holds.
fn existing(path: &Path) -> Option<PathBuf> {
    if path.is_file() { Some(path.to_owned()) } else { within(path) }
}

/// The path without `.` and `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    path.components().fold(PathBuf::new(), |mut normal, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
        normal
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taskfile::{Deed, Loop, Value};

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Tree, LoadError>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let path = dir.path().join("Taskfile.yml");
        (dir, read(&path, &Given::default()))
    }

    #[test]
    fn a_tree_is_read_with_its_includes_places_and_comments() {
        let root = "version: '3'\nincludes:\n  a: ./a # the first\n  b: {taskfile: b.yml, vars: {X: {sh: ls}}}\n  \
                    c: {taskfile: none, optional: true}\ntasks:\n  one: &base\n    cmds:\n      - for: [1]\n        \
                    cmd: ls\n  two:\n    <<: *base\n    desc: d\n  three:\n";
        let (_dir, tree) = tree(&[
            ("Taskfile.yml", root),
            ("a/Taskfile.yaml", "version: 3\n"),
            ("b.yml", "version: 3\n"),
        ]);
        let tree = tree.unwrap();
        let first = &tree.files[0];
        assert_eq!(first.comments[0].text, "the first");
        let targets: Vec<_> = first.includes.iter().map(|include| include.target).collect();
        assert_eq!(targets, [Some(1), Some(2), None]);
        assert_eq!(tree.files[1].file.path, Path::new("a/Taskfile.yaml"));
        assert!(matches!(first.includes[1].vars[0].value, Value::Sh(_)));
        assert_eq!(first.tasks.len(), 3);
        assert!(matches!(first.tasks[1].commands[0].deed, Deed::Run(_)));
        assert!(matches!(first.tasks[1].commands[0].each, Some(Loop::List(_))));
        assert_eq!(&root[first.tasks[1].name.bytes.clone()], "two");
    }

    #[test]
    fn what_is_wrong_in_any_file_is_told_with_its_place() {
        let root = "version: 3\nincludes: {a: a.yml, n: none}\ntasks: {x: {comands: [ls]}, y: {cmd: ls, cmds: [ls]}}\n";
        let (_dir, tree) =
            tree(&[("Taskfile.yml", root), ("a.yml", "version: 3\nincludes: {r: Taskfile.yml}\n")]);
        let Err(LoadError::Problems(problems)) = tree else { panic!("{tree:?}") };
        let told: Vec<_> = problems.diagnostics.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[3].contains("in a circle") || told.iter().any(|one| one.contains("in a circle"))
        );
        assert!(told.iter().any(|one| one.contains("no key `comands`")));
        assert!(told.iter().any(|one| one.contains("`cmd` and `cmds`")));
    }
}

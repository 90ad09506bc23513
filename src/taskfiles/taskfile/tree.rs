//! A Taskfile and all it includes, found and read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    file::taskfile,
    model::{Include, OutputGroup, Taskfile, TaskfileOutput, VariableValue},
    template::{GoTemplate, literal},
};
use crate::{
    archive::Hasher,
    disk::{MOST_OF_TEXT, read_file},
    manifest::{Findings, MAX_BYTES, ManifestFile, Quoting, Scalar},
    model::{Diagnostic, Fault, Kind, Platform, Problems, Sha256},
    workspace::{Library, LoadError, Pinned, render_fixed},
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
pub struct TaskfileTree {
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
    let absolute = normal(&absolute);
    let upwards = upwards && absolute.is_dir();
    let folders = absolute.ancestors().take(if upwards { usize::MAX } else { 1 });
    let found = match absolute.is_file() {
        true => Some(absolute.clone()),
        false => folders.into_iter().find_map(within),
    };
    found.ok_or_else(|| {
        let place = if upwards { "in or above" } else { "at" };
        let broken = NAMES.iter().map(|name| absolute.join(name)).find(|path| path.is_symlink());
        let what = match broken.or_else(|| absolute.is_symlink().then_some(absolute.clone())) {
            Some(link) => format!("{} is a link to a file that is not there", link.display()),
            None => format!("there is no Taskfile {place} {}", path.display()),
        };
        Fault::new(Kind::Usage, what)
    })
}

fn within(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Reads the Taskfile at `path`, which [`find`] gave, and all that it includes. Those at URLs come
/// from `library`.
///
/// # Errors
/// All that is wrong in any of them, at once; what is missing in the library; or why one cannot be
/// read.
pub fn read(path: &Path, given: &Given, library: &Library) -> Result<TaskfileTree, LoadError> {
    let root = path.parent().unwrap_or(Path::new("/")).to_owned();
    let mut reader = TreeReader {
        root,
        given,
        library,
        files: Vec::new(),
        known: BTreeMap::new(),
        wrong: Vec::new(),
        wanted: Vec::new(),
    };
    reader.file(&TaskfileOrigin::File(path.to_owned()), &[])?;
    if !reader.wrong.is_empty() {
        let texts = reader.known.into_values().map(|(_, file)| (file.path, file.text)).collect();
        return Err(LoadError::Problems(Problems::gather(reader.wrong, texts)));
    }
    if !reader.wanted.is_empty() {
        return Err(LoadError::Wanted(reader.wanted));
    }
    Ok(TaskfileTree { root: reader.root, files: reader.files.into_iter().flatten().collect() })
}

impl TaskfileTree {
    /// The same with output in groups, with these texts around each.
    #[must_use]
    pub fn in_groups(mut self, begin: Option<String>, end: Option<String>) -> Self {
        let scalar = |text| Scalar { text, style: Quoting::Double, bytes: 0..0 };
        if let Some(root) = self.files.first_mut().filter(|_| begin.is_some() || end.is_some()) {
            let (begin, end) = (begin.map(scalar), end.map(scalar));
            let group = OutputGroup { begin, end, error_only: false };
            root.settings.output = Some(TaskfileOutput::Group(group));
        }
        self
    }
}

/// Where a Taskfile is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TaskfileOrigin {
    File(PathBuf),
    Url(String, Sha256),
}

struct TreeReader<'a> {
    root: PathBuf,
    given: &'a Given,
    library: &'a Library<'a>,
    /// Those that were read.
    files: Vec<Option<Taskfile>>,
    known: BTreeMap<TaskfileOrigin, (usize, ManifestFile)>,
    wrong: Vec<Diagnostic>,
    wanted: Vec<Pinned>,
}

impl TreeReader<'_> {
    /// Reads the file at `origin`, which those in `above` include, and says which one it is.
    fn file(&mut self, origin: &TaskfileOrigin, above: &[TaskfileOrigin]) -> Result<usize, Fault> {
        if let Some((index, _)) = self.known.get(origin) {
            return Ok(*index);
        }
        let (file, dir) = self.open(origin)?;
        let index = self.files.len();
        self.files.push(None);
        self.known.insert(origin.clone(), (index, file.clone()));
        let mut found = Findings::new(&file);
        let Some(mut taskfile) = taskfile(&file, dir, &mut found) else {
            self.wrong.append(&mut found.diagnostics);
            return Ok(index);
        };
        let above: Vec<TaskfileOrigin> = above.iter().cloned().chain([origin.clone()]).collect();
        let mut includes = std::mem::take(&mut taskfile.includes);
        for include in &mut includes {
            include.target = self.target(&taskfile, include, &above, &mut found)?;
            include.dir = include.dir.take().map(|dir| filled(&taskfile, dir));
        }
        taskfile.includes = includes;
        self.wrong.append(&mut found.diagnostics);
        self.files[index] = Some(taskfile);
        Ok(index)
    }

    /// What is at `origin`, and the folder that it is in.
    fn open(&self, origin: &TaskfileOrigin) -> Result<(ManifestFile, PathBuf), Fault> {
        match origin {
            TaskfileOrigin::File(path) => {
                let shown = path.strip_prefix(&self.root).unwrap_or(path).to_owned();
                let dir = path.parent().unwrap_or(&self.root).to_owned();
                Ok((ManifestFile::new(shown, bytes_of(path)?, MAX_BYTES), dir))
            }
            TaskfileOrigin::Url(url, sha256) => {
                let bytes = (self.library)(*sha256).unwrap_or_default();
                Ok((ManifestFile::new(url.into(), bytes, MAX_BYTES), self.root.clone()))
            }
        }
    }

    /// The file that `include` leads to; none if it may be missing and is, or cannot be read.
    fn target(
        &mut self,
        taskfile: &Taskfile,
        include: &Include,
        above: &[TaskfileOrigin],
        found: &mut Findings,
    ) -> Result<Option<usize>, Fault> {
        let written = &include.taskfile;
        let Some(place) = self.place(taskfile, written, found) else { return Ok(None) };
        let origin = match place.starts_with("https://") || place.starts_with("http://") {
            true => self.pinned(&place, include, found),
            false => Self::local(&taskfile.dir.join(place), include, found)?,
        };
        let Some(origin) = origin else { return Ok(None) };
        if above.contains(&origin) {
            let help = "remove one of the includes";
            let what = "these files include each other in a cycle";
            found.add(written.bytes.clone(), what, "closes the cycle", help);
            return Ok(None);
        }
        self.file(&origin, above).map(Some)
    }

    fn local(
        path: &Path,
        include: &Include,
        found: &mut Findings,
    ) -> Result<Option<TaskfileOrigin>, Fault> {
        let path = normal(path);
        let Some(path) = existing(&path) else {
            if !include.optional {
                let what = format!("there is no Taskfile at {}", path.display());
                let help = "write `optional: true` if it may be missing";
                found.add(include.taskfile.bytes.clone(), what, "not there", help);
            }
            return Ok(None);
        };
        if let Some(expected) = &include.checksum {
            let mut hasher = Hasher::new();
            hasher.update(&bytes_of(&path)?);
            let digest = hasher.finish().to_string();
            if digest != expected.text {
                let what = format!("{} has another SHA-256 than is written here", path.display());
                let help = format!("it is {digest}; look at what changed before you write that");
                found.add(expected.bytes.clone(), what, "not its digest", help);
            }
        }
        Ok(Some(TaskfileOrigin::File(path)))
    }

    /// A file at a URL, if it is here or its digest is known.
    fn pinned(
        &mut self,
        url: &str,
        include: &Include,
        found: &mut Findings,
    ) -> Option<TaskfileOrigin> {
        let digest = include.checksum.as_ref().and_then(|text| text.text.parse::<Sha256>().ok());
        let Some(sha256) = digest else {
            let what = format!("the file at {url} is not pinned");
            let help = "write `checksum:` with its SHA-256, so that it is always the same file";
            found.add(include.taskfile.bytes.clone(), what, "could be anything tomorrow", help);
            return None;
        };
        if (self.library)(sha256).is_none() {
            let place = found.span(include.taskfile.bytes.clone()).file.display().to_string();
            let (url, shown) = (url.to_owned(), url.to_owned());
            self.wanted.push(Pinned { url, shown, sha256, place });
            return None;
        }
        Some(TaskfileOrigin::Url(url.to_owned(), sha256))
    }

    /// Where an include of `taskfile` leads.
    fn place(&self, taskfile: &Taskfile, path: &Scalar, found: &mut Findings) -> Option<String> {
        if !path.text.contains("{{") {
            return Some(path.text.clone());
        }
        let names = |name: &str| {
            let declared = taskfile.vars.iter().find(|one| one.name.value == name);
            match declared.map(|one| &one.value) {
                Some(VariableValue::Text(text)) => literal(&text.text),
                _ => literal(self.given.env.get(name).map_or("", String::as_str)),
            }
        };
        let said = GoTemplate::parse(&path.text).and_then(|template| template.translate(&names));
        let said = said.map_err(|flaw| flaw.what);
        match said.and_then(|said| render_fixed(&said, Platform::host())) {
            Ok(place) => Some(place),
            Err(why) => {
                let what = format!("it cannot be told where this leads: {why}");
                found.add(path.bytes.clone(), what, "not known", "write the path out");
                None
            }
        }
    }
}

/// The folder of an include, in which variables of the file that includes it are as that file writes them.
/// As it stands if it has others, which are told where tasks run.
fn filled(taskfile: &Taskfile, dir: Scalar) -> Scalar {
    let Ok(template) = GoTemplate::parse(&dir.text) else { return dir };
    let written = |name: &str| {
        let variable = taskfile.vars.iter().find(|one| one.name.value == name)?;
        match &variable.value {
            VariableValue::Text(text) => Some(literal(&text.text)),
            _ => None,
        }
    };
    if template.variables().iter().any(|name| written(name).is_none()) {
        return dir;
    }
    let said = template.translate(&|name: &str| written(name).unwrap_or_default());
    match said.ok().and_then(|said| render_fixed(&said, Platform::host()).ok()) {
        Some(text) => Scalar { text, ..dir },
        None => dir,
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Fault> {
    read_file(path, MOST_OF_TEXT)
        .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))
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
    use std::fs;

    use super::*;
    use crate::taskfile::{CommandKind, Loop, VariableValue};

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<TaskfileTree, LoadError>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let path = dir.path().join("Taskfile.yml");
        (dir, read(&path, &Given::default(), &|_| None))
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
        assert!(matches!(first.includes[1].vars[0].value, VariableValue::Sh(_)));
        assert_eq!(first.tasks.len(), 3);
        assert!(matches!(first.tasks[1].commands[0].deed, CommandKind::Run(_)));
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
            told[3].contains("in a cycle") || told.iter().any(|one| one.contains("in a cycle"))
        );
        assert!(told.iter().any(|one| one.contains("no key `comands`")));
        assert!(told.iter().any(|one| one.contains("`cmd` and `cmds`")));
    }
}

//! Where each Taskfile stands in the tree of includes, and what its tasks are called there. A file
//! that is included twice stands there twice.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::super::{
    model::{Include, Taskfile, TaskfileTask, TaskfileVariable},
    tree::TaskfileTree,
};
use super::folder::begins_absolute;

/// A Taskfile at one place of the tree.
#[derive(Clone, Debug)]
pub(super) struct Instance<'t> {
    pub(super) file: &'t Taskfile,
    /// The includes that lead to it, the outermost first.
    pub(super) includes: Vec<&'t Include>,
    /// The files that those stand in.
    pub(super) above: Vec<&'t Taskfile>,
    /// Where its tasks run, relative to the workspace, if an include says so. A template of Go.
    pub(super) dir: Option<PathBuf>,
}

/// A task at one place of the tree.
#[derive(Clone, Debug)]
pub(super) struct TaskInstance<'t> {
    /// What it is called from the root.
    pub(super) name: String,
    /// What else it is called.
    pub(super) aliases: Vec<String>,
    /// Which instance it belongs to.
    pub(super) instance: usize,
    pub(super) task: &'t TaskfileTask,
}

/// All places of Taskfiles, the root's first.
pub(super) fn instances(tree: &TaskfileTree) -> Vec<Instance<'_>> {
    let mut all = Vec::new();
    let root =
        Instance { file: &tree.files[0], includes: Vec::new(), above: Vec::new(), dir: None };
    let mut open = vec![root];
    while let Some(instance) = open.pop() {
        let file = instance.file;
        for include in file.includes.iter().rev() {
            let Some(target) = include.target else { continue };
            let dir = include_dir(tree, file, include);
            open.push(Instance {
                file: &tree.files[target],
                includes: with(&instance.includes, include),
                above: with(&instance.above, file),
                dir: dir.map_or_else(|| instance.dir.clone(), filled),
            });
        }
        all.push(instance);
    }
    all
}

/// Where the tasks of an include that is written as a mapping run, relative to the workspace.
fn include_dir(tree: &TaskfileTree, file: &Taskfile, include: &Include) -> Option<PathBuf> {
    let written = include.dir.as_ref().map_or("", |dir| dir.text.as_str());
    include.is_mapping.then(|| match begins_absolute(written) {
        true => written.into(),
        false => below(tree, &file.dir, written),
    })
}

fn filled(dir: PathBuf) -> Option<PathBuf> {
    (!dir.as_os_str().is_empty()).then_some(dir)
}

/// A variable of a file, once the files that it includes are laid over it.
#[derive(Clone, Debug)]
pub(super) struct LayeredVariable<'t> {
    pub(super) variable: &'t TaskfileVariable,
    /// Where its command runs, relative to the workspace, if an include says so.
    pub(super) dir: Option<PathBuf>,
}

impl LayeredVariable<'_> {
    pub(super) fn name(&self) -> &str {
        &self.variable.name.value
    }

    pub(super) fn is(&self, other: &TaskfileVariable) -> bool {
        std::ptr::eq(self.variable, other)
    }
}

/// The variables that `of` finds in `file` and in all that it includes, as Task lays them over each
/// other: what is included goes over what includes it, in its place. Which of two siblings does is a
/// matter of luck in Task; here it is the one that leads to a task, by `lineage`, or else the last.
pub(super) fn layered<'t>(
    tree: &'t TaskfileTree,
    file: &'t Taskfile,
    lineage: &[&Include],
    of: fn(&'t Taskfile) -> &'t [TaskfileVariable],
) -> Vec<LayeredVariable<'t>> {
    let own = of(file).iter().map(|variable| LayeredVariable { variable, dir: None });
    let mut all: Vec<LayeredVariable> = own.collect();
    let leads =
        |include: &&Include| lineage.first().is_some_and(|one| std::ptr::eq(*one, *include));
    let others = file.includes.iter().filter(|include| !leads(include));
    for include in others.chain(file.includes.iter().filter(leads)) {
        let Some(target) = include.target else { continue };
        let rest = if leads(&include) { &lineage[1..] } else { &[] };
        for mut one in layered(tree, &tree.files[target], rest, of) {
            one.dir = include_dir(tree, file, include).and_then(filled).or(one.dir);
            let name = &one.variable.name.value;
            match all.iter_mut().find(|known| known.variable.name.value == *name) {
                Some(known) => *known = one,
                None => all.push(one),
            }
        }
    }
    all
}

fn with<'t, T>(list: &[&'t T], last: &'t T) -> Vec<&'t T> {
    list.iter().copied().chain([last]).collect()
}

/// `path` as it stands in `folder`, relative to the workspace where it is below that.
fn below(tree: &TaskfileTree, folder: &Path, path: &str) -> PathBuf {
    let absolute = super::super::tree::normal(&folder.join(path));
    absolute.strip_prefix(&tree.root).map(Path::to_owned).unwrap_or(absolute)
}

impl<'t> Instance<'t> {
    /// Whether it is the file that was named.
    pub(super) fn is_root(&self) -> bool {
        self.includes.is_empty()
    }

    /// What `name`, written in a task of it, is from the root. A `:` leads one level up.
    pub(super) fn called_from_root(&self, name: &str) -> String {
        self.includes
            .iter()
            .rev()
            .fold(name.to_owned(), |name, include| match name.strip_prefix(':') {
                Some(above) => above.to_owned(),
                None if include.flatten => name,
                None => format!("{}:{name}", include.name.value),
            })
            .trim_start_matches(':')
            .to_owned()
    }

    /// All names of its task `name` but the first, for includes that have several.
    fn names(&self, task: &TaskfileTask) -> Vec<String> {
        let own = std::iter::once(&task.name.value).chain(task.aliases.iter().map(|one| &one.text));
        let mut names: Vec<String> = own.cloned().collect();
        for include in self.includes.iter().rev().filter(|include| !include.flatten) {
            let prefixes: Vec<&String> = std::iter::once(&include.name.value)
                .chain(include.aliases.iter().map(|one| &one.text))
                .collect();
            let is_default = |name: &String| name == "default";
            names = prefixes
                .iter()
                .flat_map(|prefix| {
                    names.iter().flat_map(move |name| {
                        // A `:` leads one level up.
                        let whole = match name.strip_prefix(':') {
                            Some(above) => above.to_owned(),
                            None => format!("{prefix}:{name}"),
                        };
                        let short = is_default(name).then(|| (*prefix).clone());
                        std::iter::once(whole).chain(short)
                    })
                })
                .collect();
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Its tasks; `index` is its own place.
    pub(super) fn tasks(&self, index: usize) -> Vec<TaskInstance<'t>> {
        let is_out = |task: &TaskfileTask| {
            let mut excludes = self.includes.iter().rev().take(1).flat_map(|one| &one.excludes);
            excludes.any(|name| name.text == task.name.value)
        };
        let mut tasks = Vec::new();
        for task in self.file.tasks.iter().filter(|task| !is_out(task)) {
            let mut names = self.names(task).into_iter();
            let Some(name) = names.next() else { continue };
            // A pattern is a task of its own, since a name of another kind has nothing that it matches.
            let (patterns, aliases) = names.partition::<Vec<String>, _>(|name| name.contains('*'));
            tasks.push(TaskInstance { name, aliases, instance: index, task });
            let more = patterns.into_iter();
            tasks.extend(more.map(|name| TaskInstance {
                name,
                aliases: Vec::new(),
                instance: index,
                task,
            }));
        }
        tasks
    }
}

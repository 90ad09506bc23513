//! The files that tasks go by: the `inputs` of all that a run reaches, without what it makes
//! itself; the files that its variables stand in; and the in-repo sources of what it needs. What
//! counts is what is in them, not when they were written.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    model::{FileStat, Layout, Name, path_to_text, text_to_path},
    probe::{Own, SourceTreeState, walk_sources},
    workspace::{Bindings, SharedInputs, TemplateValue, Workspace},
};

use super::{
    context::TaskContext,
    files::{Mark, Marks, PatternsBelow, mark_of_file},
    key::patterns,
    knowledge::{TaskKnowledge, at_once},
    plan::{Invocation, TaskPlan, TaskPlanner, subsystems},
    steps::Work,
};

/// The files that some tasks go by.
#[derive(Debug, Default)]
pub struct TaskWatch {
    layout: Layout,
    inputs: BTreeSet<Patterns>,
    outputs: BTreeSet<Patterns>,
    files: BTreeSet<PathBuf>,
    sources: Vec<WatchedSource>,
    /// The tasks of whose `inputs` only a run finds out which they are.
    pub unknown: BTreeSet<String>,
}

/// What of the workspace goes into a subsystem.
#[derive(Debug)]
struct WatchedSource {
    dir: Option<PathBuf>,
    only: Vec<String>,
    shared: SharedInputs,
}

impl WatchedSource {
    fn own(&self) -> Own<'_> {
        Own { dir: self.dir.as_deref(), only: &self.only, shared: &self.shared }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Patterns {
    dir: PathBuf,
    written: Vec<String>,
    gitignore: bool,
}

/// What was in the files that are watched.
#[derive(Debug, Default)]
pub struct WatchedFiles {
    inputs: Vec<Marks>,
    made: HashSet<PathBuf>,
    files: BTreeMap<PathBuf, Option<Mark>>,
    trees: Vec<Option<Arc<SourceTreeState>>>,
}

impl TaskWatch {
    /// What `wanted` of `workspace` go by, as far as that is known before a run.
    pub fn for_invocations(workspace: &Workspace, wanted: &[Invocation]) -> Self {
        let context = TaskContext::new(workspace);
        let planner = TaskPlanner::dry(&context);
        let mut watch = Self { layout: workspace.layout.clone(), ..Self::default() };
        let (mut open, mut seen) = (wanted.to_vec(), HashSet::new());
        while let Some(invocation) = open.pop() {
            // What is wrong with it, its run tells.
            let Ok(plan) = at_once(TaskPlan::for_invocation(&planner, invocation)) else {
                continue;
            };
            for (invocation, _) in plan.nodes {
                if seen.insert(invocation.key()) {
                    open.extend(watch.add(&context, &invocation));
                }
            }
        }
        let needed = wanted.iter().filter_map(|one| subsystems(&context.names, one.task).ok());
        watch.sources = sources(workspace, needed.flatten().collect());
        watch
    }

    /// Adds what `invocation` goes by; returns what it calls.
    fn add<'w>(
        &mut self,
        context: &TaskContext<'w>,
        invocation: &Invocation<'w>,
    ) -> Vec<Invocation<'w>> {
        let task = invocation.task;
        let Ok(mut known) = TaskKnowledge::for_invocation(context, invocation) else {
            self.unknown.insert(task.name.clone());
            return Vec::new();
        };
        let bindings = std::mem::take(&mut known.learned.words);
        let rendering = context.rendering(task, &bindings);
        for (written, is_input) in [(&task.inputs, true), (&task.outputs, false)] {
            let found = patterns(&rendering, &known.ground, written).ok();
            let is_known = |found: &Vec<String>| {
                let unknown = known.evaluation.unknown();
                !found.iter().any(|one| unknown.iter().any(|unknown| one.contains(unknown)))
            };
            match found.filter(is_known) {
                Some(found) if found.is_empty() => {}
                Some(written) => {
                    let (dir, gitignore) = (known.ground.dir.clone(), is_input && task.gitignore);
                    let whose = if is_input { &mut self.inputs } else { &mut self.outputs };
                    whose.insert(Patterns { dir, written, gitignore });
                }
                None => drop(self.unknown.insert(task.name.clone())),
            }
        }
        // A file that cannot be read is told of by the run.
        let _ = known.ground.furnish(&rendering, &known.learned.of_file);
        self.files.append(&mut known.ground.read.into_iter().collect());
        let calls = at_once(rendering.run(&known.evaluation)).unwrap_or_default();
        let last = at_end(&bindings);
        let more = at_once(rendering.finally(&last, &known.evaluation)).unwrap_or_default();
        let called = calls.into_iter().chain(more).filter_map(|step| match step.what {
            Work::Call(called) => Some(called),
            Work::Later(later) => {
                match rendering.later(&later, &at_end(&later.bindings)).ok()?.what {
                    Work::Call(called) => Some(called),
                    _ => None,
                }
            }
            Work::Run(_) => None,
        });
        called.collect()
    }

    /// Adds `files` that tasks themselves stand in; what forge writes among them does not count.
    #[must_use]
    pub fn and(mut self, layout: &Layout, files: &[PathBuf]) -> Self {
        self.files.extend(files.iter().filter(|file| **file != layout.lock()).cloned());
        self
    }

    /// Whether no task names a file that it goes by.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.sources.is_empty()
    }

    /// What is in the files now; those that `stat` says are as they were when they were `known` are
    /// not read again.
    pub fn snapshot(&self, known: &WatchedFiles) -> WatchedFiles {
        let nothing = Marks::new();
        let inputs = self.inputs.iter().enumerate().map(|(at, of)| {
            let known = known.inputs.get(at).unwrap_or(&nothing);
            // A file may vanish while it is looked at: the next look tells.
            let gitignore = of.gitignore.then_some(&self.layout);
            let meant = PatternsBelow::inputs(&of.dir, &of.written, gitignore);
            meant.marks(known).unwrap_or_else(|_| known.clone())
        });
        let made = self.outputs.iter().flat_map(|of| {
            let names = PatternsBelow::outputs(&of.dir, &of.written).names().unwrap_or_default();
            names.into_iter().map(|name| of.dir.join(text_to_path(&name)))
        });
        let of_file = |path: &PathBuf| {
            let known = known.files.get(path).and_then(Option::as_ref);
            (path.clone(), of_path(path, known))
        };
        WatchedFiles {
            inputs: inputs.collect(),
            made: made.collect(),
            files: self.files.iter().map(of_file).collect(),
            trees: self.trees(known),
        }
    }

    fn trees(&self, known: &WatchedFiles) -> Vec<Option<Arc<SourceTreeState>>> {
        let each = self.sources.iter().enumerate().map(|(at, source)| {
            let known = known.trees.get(at).cloned().flatten();
            if known.as_ref().is_some_and(|tree| tree.is_surely_unchanged()) {
                return known;
            }
            let now = walk_sources(&self.layout, &[source.own()]).pop();
            now.and_then(Result::ok).map(Arc::new).or(known)
        });
        each.collect()
    }

    /// The files that differ between two looks.
    pub fn changes(&self, then: &WatchedFiles, now: &WatchedFiles) -> BTreeSet<PathBuf> {
        let mut changes = BTreeSet::new();
        let nothing = Marks::new();
        for (at, of) in self.inputs.iter().enumerate() {
            let [then, now] = [then, now].map(|sight| sight.inputs.get(at).unwrap_or(&nothing));
            let differs = |name: &&String| {
                then.get(*name).map(|mark| &mark.digest) != now.get(*name).map(|mark| &mark.digest)
            };
            let names = then.keys().chain(now.keys()).filter(differs);
            changes.extend(names.map(|name| of.dir.join(text_to_path(name))));
        }
        changes.retain(|path| !then.made.contains(path) && !now.made.contains(path));
        for (path, mark) in &now.files {
            let digest = |mark: &Option<Mark>| mark.as_ref().map(|mark| mark.digest.clone());
            if then.files.get(path).map(digest) != Some(digest(mark)) {
                changes.insert(path.clone());
            }
        }
        for (then, now) in then.trees.iter().zip(&now.trees) {
            changes.extend(changes_of_tree(then.as_deref(), now.as_deref()));
        }
        changes
    }

    /// How many files there are.
    pub fn count(&self, sight: &WatchedFiles) -> usize {
        let inputs = self.inputs.iter().zip(&sight.inputs);
        let inputs =
            inputs.flat_map(|(of, marks)| marks.keys().map(|name| of.dir.join(text_to_path(name))));
        let of_trees = sight.trees.iter().flatten().flat_map(|tree| &tree.inputs);
        let of_trees = of_trees.map(|(path, _)| path.clone()).filter(|path| path.is_file());
        let there = sight.files.iter().filter(|(path, mark)| mark.is_some() && path.is_file());
        let all = inputs.filter(|path| !sight.made.contains(path)).chain(of_trees);
        all.chain(there.map(|(path, _)| path.clone())).collect::<HashSet<_>>().len()
    }
}

/// What is known of words where something runs at the end.
fn at_end(bindings: &Bindings) -> Bindings {
    let mut bindings = bindings.clone();
    bindings.set("exit_code", TemplateValue::number(0));
    bindings
}

/// The sources in the workspace of `names` and of all that they need.
fn sources(workspace: &Workspace, names: BTreeSet<Name>) -> Vec<WatchedSource> {
    let (mut open, mut seen, mut sources) = (Vec::from_iter(names), HashSet::new(), Vec::new());
    while let Some(name) = open.pop() {
        let Some(subsystem) = workspace.subsystems.get(&name) else { continue };
        if !seen.insert(name) {
            continue;
        }
        open.extend(subsystem.needs.iter().chain(&subsystem.build_needs).cloned());
        sources.extend(Own::for_subsystem(subsystem).map(|own| WatchedSource {
            dir: own.dir.map(Path::to_owned),
            only: own.only.to_vec(),
            shared: own.shared.clone(),
        }));
    }
    sources
}

/// What is at `path`: the bytes of a file, the names in a folder but for those that editors leave.
fn of_path(path: &Path, known: Option<&Mark>) -> Option<Mark> {
    let found = fs::metadata(path).ok()?;
    if !found.is_dir() {
        return mark_of_file(path, known).ok();
    }
    let names = fs::read_dir(path).ok()?.flatten();
    let mut names: Vec<_> =
        names.map(|entry| path_to_text(Path::new(&entry.file_name()))).collect();
    names.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
    names.sort_unstable();
    Some(Mark { digest: names.join("/"), stat: None })
}

fn changes_of_tree(then: Option<&SourceTreeState>, now: Option<&SourceTreeState>) -> Vec<PathBuf> {
    let (Some(then), Some(now)) = (then, now) else { return Vec::new() };
    if then.digest == now.digest {
        return Vec::new();
    }
    let of = |tree: &SourceTreeState| {
        tree.inputs.iter().cloned().collect::<BTreeMap<PathBuf, FileStat>>()
    };
    let (then, now) = (of(then), of(now));
    let differs = |path: &&PathBuf| then.get(*path) != now.get(*path) && !path.is_dir();
    then.keys().chain(now.keys()).filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Platform,
        workspace::{LoadInputs, load},
    };

    /// What a look at what the task `name` of `manifest` goes by shows after `change`.
    fn seen(manifest: &str, change: impl Fn(&Path)) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        write("versions.yml", &format!("versions: {{}}\ntasks:\n{manifest}"));
        for name in ["a.in", "b.in", "made", ".env"] {
            write(name, "old");
        }
        let workspace = load(&root, Platform::host(), &LoadInputs::nothing()).unwrap();
        let task = &workspace.tasks["all"];
        let wanted = Invocation::new(task, BTreeMap::new(), Vec::new()).unwrap();
        let watch = TaskWatch::for_invocations(&workspace, &[wanted])
            .and(&workspace.layout, &workspace.inputs);
        let before = watch.snapshot(&WatchedFiles::default());
        assert!(watch.changes(&before, &watch.snapshot(&before)).is_empty());
        change(&root);
        let changes = watch.changes(&before, &watch.snapshot(&before));
        let name = |path: PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        changes.into_iter().map(name).collect()
    }

    #[test]
    fn what_tasks_reach_is_watched_and_what_they_make_is_not() {
        let manifest = "  all: { needs: one, run: [{ task: two, with: { x: b } }] }\n  one: { inputs: '*', outputs: made, dotenv: '.env?', run: 'true' }\n  two: { with: [x], inputs: '{{ x }}.in', run: 'true' }\n";
        let after = |name: &'static str| {
            seen(manifest, move |root| fs::write(root.join(name), "new and longer").unwrap())
        };
        assert_eq!(after("made"), [""; 0]);
        assert_eq!(after("a.in"), ["a.in"]);
        assert_eq!(after("b.in"), ["b.in"]);
        assert_eq!(after(".env"), [".env"]);
        assert_eq!(after("c.in"), ["c.in"]);
        assert_eq!(after("versions.yml"), ["versions.yml"]);
        assert_eq!(seen(manifest, |root| fs::remove_file(root.join("a.in")).unwrap()), ["a.in"]);
        let same = |root: &Path| {
            fs::remove_file(root.join("a.in")).unwrap();
            fs::write(root.join("a.in"), "old").unwrap();
        };
        assert_eq!(seen(manifest, same), [""; 0], "what is in it counts");
    }
}

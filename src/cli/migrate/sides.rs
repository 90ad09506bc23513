//! Both sides of a comparison: the tasks of a tree of Taskfiles as `run --taskfile` takes them, and
//! those of the workspace that was made of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    migrate::Migration,
    model::{Fault, Name},
    task::{ForeseenTask, Invocation, ParameterRequest, foresee},
    taskfile::{self, Given, NamedTask, TaskfileTree, TranslationRequest},
    workspace::{Assignments, Documents, Task, Workspace},
};

use super::{
    super::{CliError, session::Session, task_names, taskfile as translated},
    comparison::{Comparison, Decisions},
};

/// What stands for a value that somebody gives.
const SAMPLE: &str = "forge-sample";

/// Compares each task of `tree` with what it became in `workspace`, which `documents` say.
pub(super) fn compared(
    session: &Session,
    tree: &TaskfileTree,
    migration: &Migration,
    documents: &Documents,
    workspace: &Workspace,
) -> Comparison {
    let root = tree.root.display().to_string();
    let moved = migration
        .moved
        .iter()
        .map(|(before, after)| (before.replace("{root}", &root), place(workspace, after, &root)));
    let named = migration.moved.iter().filter_map(|(_, after)| source(after));
    let sources = named.map(|name| {
        let place = workspace.places(Some(&name)).src.display().to_string();
        (name, place)
    });
    let sources = sources.collect();
    let is_kept = migration.is_kept;
    let decisions =
        Decisions { replaced: &migration.replaced, moved: moved.collect(), sources, root, is_kept };
    let renamed = &migration.renamed;
    let all = taskfile::named_tasks(tree);
    let sides = Sides {
        session,
        tree,
        documents,
        workspace,
        decisions,
        renamed,
        shared: shared_words(&all),
        names: all.iter().map(|task| task.name.clone()).collect(),
        before: RefCell::default(),
        after: RefCell::default(),
    };
    let gone: BTreeSet<&str> = migration.replaced.iter().map(|one| one.task.as_str()).collect();
    let mut comparison = Comparison::default();
    for task in all {
        if gone.contains(task.name.as_str()) {
            continue;
        }
        comparison.compared += 1;
        if let Err(what) = sides.compare(&task) {
            comparison.differences.insert(task.name, what);
        }
    }
    comparison
}

/// The subsystem whose source `text` stands for.
fn source(text: &str) -> Option<Name> {
    Name::new(text.strip_prefix("{src:")?.strip_suffix('}')?).ok()
}

/// A text that stands for a place, as that place.
fn place(workspace: &Workspace, text: &str, root: &str) -> String {
    match source(text) {
        Some(name) => workspace.places(Some(&name)).src.display().to_string(),
        None => text.replace("{root}", root),
    }
}

struct Sides<'a> {
    session: &'a Session,
    tree: &'a TaskfileTree,
    documents: &'a Documents,
    workspace: &'a Workspace,
    decisions: Decisions<'a>,
    renamed: &'a BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// Variables that several tasks look at.
    shared: BTreeSet<String>,
    /// What all tasks are called.
    names: Vec<String>,
    /// All tasks as `run --taskfile` takes them with these variables; none if they cannot be taken all
    /// together.
    before: RefCell<BTreeMap<Words, Option<Rc<Workspace>>>>,
    /// The workspace of now, with these variables set.
    after: RefCell<BTreeMap<Assignments, Rc<Workspace>>>,
}

/// So many workspaces of each side are kept at most.
const MOST_KEPT: usize = 32;

/// So many tasks look at a variable for it to be worth a workspace of all tasks.
const SHARED: usize = 4;

/// The variables that many of `tasks` look at.
fn shared_words(tasks: &[NamedTask]) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in tasks.iter().flat_map(NamedTask::words) {
        *counts.entry(word).or_default() += 1;
    }
    let mut shared: Vec<(usize, String)> = counts
        .into_iter()
        .map(|(word, count)| (count, word))
        .filter(|one| one.0 >= SHARED)
        .collect();
    shared.sort_by(|one, other| other.cmp(one));
    shared.into_iter().take(MOST_KEPT).map(|(_, word)| word).collect()
}

type Words = BTreeMap<String, String>;

impl Sides<'_> {
    /// Compares one task: as it is, and with each variable that somebody may give it.
    fn compare(&self, task: &NamedTask) -> Result<(), String> {
        let none = Words::new();
        let before = self.before(&task.name, &none);
        let before = before.map_err(|why| format!("cannot be compared: {why}"))?;
        self.held(&task.name, &before, &none)?;
        for name in task.words() {
            let Some(called) = self.called(&task.name, &name) else { continue };
            let given: Words = [(name.clone(), SAMPLE.to_owned())].into();
            // What nothing looks at, or what must be something else, says nothing.
            let Ok(with) = self.before(&task.name, &given) else { continue };
            if with != before && !self.is_written_out(&task.name, &name) {
                let given = [called, name.clone()].map(|name| (name, SAMPLE.to_owned())).into();
                self.held(&task.name, &with, &given)
                    .map_err(|what| format!("with {name}={SAMPLE}, {what}"))?;
            }
        }
        Ok(())
    }

    /// What the variable `name` is called now for `task`; nothing if forge has a word for what it was.
    fn called(&self, task: &str, name: &str) -> Option<String> {
        let space = task.split_once(':').map_or("", |(space, _)| space);
        let spaces = [space, ""].into_iter().filter_map(|space| self.renamed.get(space));
        let known = spaces.into_iter().find_map(|names| names.get(name));
        known.cloned().unwrap_or_else(|| Some(name.to_owned()))
    }

    /// Whether `given` is the old name of a variable that `task` does not know by it; or one that a task
    /// for all subsystems has written out.
    fn is_known_by_another_name(&self, name: &str, given: &str, task: &Task) -> bool {
        let request = ParameterRequest {
            tasks: vec![name.to_owned()],
            given: [(given.to_owned(), String::new())].into(),
        };
        let is_for_all = task.name.contains('*') && !name.contains('*');
        let is_old = self.called(name, given).is_some_and(|called| called != given);
        (is_for_all || is_old) && request.assignments(&[task]).is_err()
    }

    /// Whether the task `name` is one for all subsystems now, in which the variable is written out.
    fn is_written_out(&self, name: &str, variable: &str) -> bool {
        task_names::find(self.workspace, name).is_ok_and(|task| {
            task.name.contains('*') && !name.contains('*') && self.called(name, variable).is_some()
        })
    }

    fn held(&self, name: &str, before: &ForeseenTask, given: &Words) -> Result<(), String> {
        let after = self.after(name, given)?;
        let called = |name: &str, given: &Words| self.before(name, given).ok();
        let before = self.decisions.applied(before.clone(), &called);
        self.decisions.difference(&before, &after).map_or(Ok(()), Err)
    }

    /// What `run --taskfile` would do.
    fn before(&self, name: &str, given: &Words) -> Result<ForeseenTask, String> {
        let is_shared = given.keys().all(|word| self.shared.contains(word));
        let all = is_shared.then(|| self.all_before(given)).flatten();
        let workspace = match all {
            Some(all) => all,
            None => Rc::new(self.before_of(&[name.to_owned()], given)?),
        };
        let task = task_names::find(&workspace, name).map_err(|fault| fault.what)?;
        foreseen(&workspace, task, name, BTreeMap::new()).map_err(|fault| because(&fault))
    }

    /// All tasks as `run --taskfile` takes them, made once for the variables of `given`.
    fn all_before(&self, given: &Words) -> Option<Rc<Workspace>> {
        let known = self.before.borrow().get(given).cloned();
        known.unwrap_or_else(|| {
            let made = self.before_of(&self.names, given).ok().map(Rc::new);
            self.before.borrow_mut().insert(given.clone(), made.clone());
            made
        })
    }

    /// The workspace of the tasks `names`, as `run --taskfile` takes them.
    fn before_of(&self, names: &[String], given: &Words) -> Result<Workspace, String> {
        let mut env = self.session.host.environment().to_texts();
        // Where it is called.
        let folder = self.session.folder().map_err(|fault| fault.what)?;
        env.insert("PWD".to_owned(), folder.display().to_string());
        let given = Given { words: given.clone(), env };
        let wish = TranslationRequest {
            tasks: Some(names),
            given: &given,
            args: &[],
            flags: &[],
            words: &BTreeMap::new(),
        };
        let translation = taskfile::translate(self.tree, &wish);
        if let Some(problems) = translation.problems(self.tree) {
            return Err(told(&CliError::Problems(problems)));
        }
        let loaded = translated::loaded(self.session, self.tree, translation);
        loaded.map(|(workspace, _)| workspace).map_err(|stop| told(&stop))
    }

    /// What forge would do now.
    fn after(&self, name: &str, given: &Words) -> Result<ForeseenTask, String> {
        let find = |workspace| task_names::find(workspace, name);
        let task = find(self.workspace).map_err(|_| "it is not there any more".to_owned())?;
        let mut asked = ParameterRequest { tasks: vec![name.to_owned()], given: given.clone() };
        asked.given.retain(|one, _| !self.is_known_by_another_name(name, one, task));
        let set = asked.assignments(&[task]).map_err(|fault| fault.what)?;
        let own = asked.parameters(task);
        if set.is_empty() {
            return foreseen(self.workspace, task, name, own).map_err(|fault| because(&fault));
        }
        let again = self.workspace_with(set)?;
        let task = find(again.as_ref()).map_err(|fault| fault.what)?;
        foreseen(&again, task, name, own).map_err(|fault| because(&fault))
    }

    /// The workspace of now where somebody set these variables, made once.
    fn workspace_with(&self, set: Assignments) -> Result<Rc<Workspace>, String> {
        if let Some(known) = self.after.borrow().get(&set) {
            return Ok(known.clone());
        }
        let none = |_| None;
        let mut outside = self.session.outside(&none);
        outside.syntax_check = crate::process::SyntaxCheck::off();
        outside.assignments = set.clone();
        let made = self.documents.resolve(self.session.platform(), &outside);
        let made = Rc::new(made.map_err(|stop| told(&stop.into()))?);
        if self.after.borrow().len() < MOST_KEPT {
            self.after.borrow_mut().insert(set, made.clone());
        }
        Ok(made)
    }
}

fn foreseen(
    workspace: &Workspace,
    task: &Task,
    name: &str,
    mut given: Words,
) -> Result<ForeseenTask, Fault> {
    for one in task.with.iter().filter(|one| one.default.is_none()) {
        let value = || one.choices.first().cloned().unwrap_or_else(|| format!("<{}>", one.name));
        given.entry(one.name.clone()).or_insert_with(value);
    }
    let Some(task) = workspace.tasks.get(&task.name) else {
        return Err(Fault::new(crate::model::Kind::Failed, "the task is not there"));
    };
    foresee(workspace, &Invocation::new(task, given, Vec::new())?.called(name))
}

fn because(fault: &Fault) -> String {
    std::iter::once(&fault.what).chain(&fault.why).cloned().collect::<Vec<_>>().join(": ")
}

fn told(stop: &CliError) -> String {
    match stop {
        CliError::Problems(problems) => {
            problems.diagnostics.first().map_or(String::new(), |one| one.what.clone())
        }
        CliError::Fault(fault) => because(fault),
    }
}

//! The comparison of a tree of Taskfiles with the workspace that it became: each task is foreseen on
//! both sides, nothing is run, and what would happen is held against each other. It works on data of
//! plans, never on what is printed.
//!
//! What a migration decides (a task that forge does by itself, a binary that lies elsewhere) is applied
//! to the side of the Taskfile first, so that only what was not decided comes out as a difference.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    migrate::{Replacement, call_of_task, changes_folder, in_forge, runs_anywhere},
    model::Name,
    task::{ForeseenStep, ForeseenTask, ForeseenWork},
};

/// What was decided, for a comparison.
#[derive(Debug, Default)]
pub(super) struct Decisions<'m> {
    /// The tasks that forge does by itself.
    pub(super) replaced: &'m [Replacement],
    /// Texts that are written another way, the longest first.
    pub(super) moved: Vec<(String, String)>,
    /// Where the sources of subsystems are.
    pub(super) sources: Vec<(Name, String)>,
    /// Whether the Taskfiles stay as they are: nothing is decided.
    pub(super) is_kept: bool,
    /// The folder of both workspaces.
    pub(super) root: String,
}

/// What a comparison came to.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// How many tasks were compared.
    pub(super) compared: usize,
    /// What differs or cannot be compared, by the tasks' names.
    pub(super) differences: BTreeMap<String, String>,
}

impl Comparison {
    /// How many tasks do the same.
    pub(super) fn equal(&self) -> usize {
        self.compared - self.differences.len()
    }
}

/// What a task called by a command of the Taskfile would do, if there is such a task.
pub(super) type Called<'a> = &'a dyn Fn(&str, &BTreeMap<String, String>) -> Option<ForeseenTask>;

impl Decisions<'_> {
    /// What `before` comes to once all that was decided is done to it. Commands that are a plain call of
    /// Task are that call, which `called` foresees.
    pub(super) fn applied(&self, before: ForeseenTask, called: Called) -> ForeseenTask {
        if self.is_kept {
            return before;
        }
        let mut after = ForeseenTask { needs: Vec::new(), steps: Vec::new(), ..before };
        let mut made = BTreeSet::new();
        for need in before.needs {
            match self.replaced(&need.name) {
                Some(instead) => Self::add_replacement(&instead, &mut after, &mut made, None),
                None => after.needs.push(self.applied(need, called)),
            }
        }
        for step in &before.steps {
            self.step(step, &mut after, &mut made, called);
        }
        let moved = |text: &mut String| *text = self.moved(text);
        after.env.values_mut().for_each(moved);
        after.conditions.iter_mut().for_each(|(_, text)| moved(text));
        moved(&mut after.dir);
        // What runs in a source needs it.
        let own = format!("{} {:?} {:?}", after.dir, after.conditions, commands(&after));
        let used = self.sources.iter().filter(|(_, source)| own.contains(source));
        after.subsystems.extend(used.map(|(name, _)| name.clone()));
        after
    }

    fn step(
        &self,
        step: &ForeseenStep,
        after: &mut ForeseenTask,
        made: &mut BTreeSet<String>,
        called: Called,
    ) {
        let what = match &step.what {
            ForeseenWork::Command(line) => match call_of_task(line) {
                Some((name, given)) if self.replaced(&name).is_some() && given.is_empty() => {
                    if let Some(instead) = self.replaced(&name) {
                        Self::add_replacement(&instead, after, made, Some(step));
                    }
                    return;
                }
                Some((name, given)) => match called(&name, &given) {
                    Some(task) => ForeseenWork::Call(Box::new(self.applied(task, called))),
                    None => ForeseenWork::Command(self.line(line)),
                },
                None => ForeseenWork::Command(self.line(line)),
            },
            ForeseenWork::Call(task) => match self.replaced(&task.name) {
                Some(instead) => return Self::add_replacement(&instead, after, made, Some(step)),
                None => ForeseenWork::Call(Box::new(self.applied((**task).clone(), called))),
            },
        };
        let condition = step.condition.as_ref().map(|text| self.moved(text));
        after.steps.push(ForeseenStep { what, condition, ..step.clone() });
    }

    fn replaced(&self, name: &str) -> Option<Replacement> {
        let known = self.replaced.iter().find(|one| one.task == name).cloned();
        known.or_else(|| self.replaced_for_all(name))
    }

    /// What forge does instead of the task `name` of a subsystem that only a run knows: what it does for
    /// every one that has such a task.
    fn replaced_for_all(&self, name: &str) -> Option<Replacement> {
        let (subsystem, end) = name.trim_matches('"').split_once(':')?;
        let own = |one: &&Replacement| one.task.split_once(':').is_some_and(|(_, own)| own == end);
        let all: Vec<&Replacement> = self.replaced.iter().filter(own).collect();
        let is_ensured = |one: &&Replacement| {
            let name = one.task.split_once(':').map_or("", |(name, _)| name);
            one.commands.is_empty() && one.ensures == [name]
        };
        (all.len() > 1 && all.iter().all(is_ensured)).then(|| Replacement {
            task: name.to_owned(),
            instead: all[0].instead.clone(),
            ensures: vec![subsystem.to_owned()],
            commands: Vec::new(),
        })
    }

    /// Lets `after` do what forge does instead of a task that it needed, or called in a step.
    fn add_replacement(
        instead: &Replacement,
        after: &mut ForeseenTask,
        made: &mut BTreeSet<String>,
        called: Option<&ForeseenStep>,
    ) {
        let names: Vec<Name> =
            instead.ensures.iter().filter_map(|one| Name::new(one).ok()).collect();
        let is_first = called.is_none_or(|step| after.steps.is_empty() && step.condition.is_none());
        let mut lines = instead.commands.clone();
        if is_first {
            after.subsystems.extend(names);
        } else if !names.iter().all(|name| after.subsystems.contains(name)) {
            let names: String = names.iter().map(|name| format!(" {name}")).collect();
            lines.insert(0, format!("forge ensure{names}"));
        }
        for line in lines.into_iter().filter(|line| made.insert(line.clone())) {
            after.steps.push(ForeseenStep {
                what: ForeseenWork::Command(line),
                condition: called.and_then(|step| step.condition.clone()),
                timeout: None,
                allow_failure: called.is_some_and(|step| step.allow_failure),
                at_end: called.is_some_and(|step| step.at_end),
            });
        }
    }

    fn line(&self, line: &str) -> String {
        let instead = |name: &str| {
            let one = self.replaced(name)?;
            let ensures = one.ensures.iter().map(|name| format!(" {name}")).collect::<String>();
            let ensures =
                Some(format!("forge ensure{ensures}")).filter(|_| !one.ensures.is_empty());
            let all: Vec<_> = ensures.into_iter().chain(one.commands.clone()).collect();
            (!all.is_empty()).then(|| all.join("; "))
        };
        let line = in_forge(line, &instead);
        // What is removed is what was there.
        let moved = |line: &str| match line.trim_start().starts_with("rm ") {
            true => line.to_owned(),
            false => self.moved(line),
        };
        line.split('\n').map(moved).collect::<Vec<_>>().join("\n")
    }

    fn moved(&self, text: &str) -> String {
        self.moved.iter().fold(text.to_owned(), |text, (before, after)| text.replace(before, after))
    }
}

impl Decisions<'_> {
    /// In what `after` differs from `before`, to which what was decided is done already.
    pub(super) fn difference(&self, before: &ForeseenTask, after: &ForeseenTask) -> Option<String> {
        let (one, other) = (self.plain(before), self.plain(after));
        (one != other).then(|| first(&one, &other, &[]))
    }

    /// A task without what says nothing of what it does.
    fn plain(&self, task: &ForeseenTask) -> ForeseenTask {
        let mut task = task.clone();
        (task.name, task.given) = (String::new(), BTreeMap::new());
        task.needs = task.needs.iter().map(|need| self.plain(need)).collect();
        // Needs run side by side.
        task.needs.sort_by_cached_key(|need| format!("{need:?}"));
        task.needs.dedup();
        task.steps.retain(|step| !is_nothing(step));
        // What is ensured before all else is needed.
        while let Some(names) = task.steps.first().and_then(ensured) {
            task.subsystems.extend(names);
            task.steps.remove(0);
        }
        if self.is_anywhere(&task) {
            task.dir.clone_from(&self.root);
        }
        let (is_at_root, below) = (task.dir == self.root, format!("{}/", self.root));
        for step in &mut task.steps {
            match &mut step.what {
                ForeseenWork::Command(line) => {
                    *line = line.trim_end().to_owned();
                    // Where it runs in the root, a path from there is the same without it.
                    if is_at_root && !changes_folder(line) {
                        *line = line.replace(&below, "");
                    }
                }
                ForeseenWork::Call(called) => **called = self.plain(called),
            }
        }
        if is_at_root {
            for (_, text) in &mut task.conditions {
                *text = text.replace(&below, "");
            }
        }
        task
    }

    /// Whether nothing that a task does depends on where it runs: it names all files from the root.
    fn is_anywhere(&self, task: &ForeseenTask) -> bool {
        let below = format!("{}/", self.root);
        let programs: Vec<&str> = self.moved.iter().map(|(_, after)| after.as_str()).collect();
        let runs = |text: &str| runs_anywhere(&text.replace(&below, "{{.ROOT_DIR}}/"), &programs);
        task.steps.iter().all(|step| match &step.what {
            ForeseenWork::Command(line) => runs(line),
            ForeseenWork::Call(_) => true,
        }) && task.conditions.iter().all(|(key, text)| match *key {
            "inputs" | "outputs" => text.starts_with(&below),
            "status" | "assert" | "if" => runs(text),
            _ => true,
        })
    }
}

/// The commands of a task itself.
fn commands(task: &ForeseenTask) -> Vec<&String> {
    let steps = task.steps.iter();
    steps
        .filter_map(|step| match &step.what {
            ForeseenWork::Command(line) => Some(line),
            ForeseenWork::Call(_) => None,
        })
        .collect()
}

fn is_nothing(step: &ForeseenStep) -> bool {
    match &step.what {
        ForeseenWork::Command(line) => matches!(line.trim(), "true" | ":" | ""),
        ForeseenWork::Call(_) => false,
    }
}

/// The subsystems that a step ensures, if it does nothing else.
fn ensured(step: &ForeseenStep) -> Option<Vec<Name>> {
    let ForeseenWork::Command(line) = &step.what else { return None };
    let names = line.strip_prefix("forge ensure ").filter(|_| step.condition.is_none())?;
    names.split(' ').map(|name| Name::new(name).ok()).collect()
}

/// The first difference of two tasks that are not the same; `within` are the tasks around them.
fn first(before: &ForeseenTask, after: &ForeseenTask, within: &[&str]) -> String {
    let place = |what: &str| format!("{}{what}", within.concat());
    let two = |what: &str, before: &str, after: &str| {
        let from = shared(before, after);
        place(&format!("{what} {} and is {}", shown_from(before, from), shown_from(after, from)))
    };
    if before.dir != after.dir {
        return two("ran in", &before.dir, &after.dir);
    }
    if before.subsystems != after.subsystems {
        let names =
            |names: &BTreeSet<Name>| names.iter().map(Name::as_str).collect::<Vec<_>>().join(" ");
        return two("needed subsystems", &names(&before.subsystems), &names(&after.subsystems));
    }
    if let Some(told) = maps("variable", &before.env, &after.env) {
        return place(&told);
    }
    if before.shell != after.shell {
        return two("ran in the shell", &before.shell.join(" "), &after.shell.join(" "));
    }
    if before.conditions != after.conditions {
        let all = |all: &[(&str, String)]| {
            all.iter().map(|(key, text)| format!("{key}: {text}")).collect::<Vec<_>>().join("; ")
        };
        return two("ran under", &all(&before.conditions), &all(&after.conditions));
    }
    if before.needs.len() != after.needs.len() {
        let (was, is) = (before.needs.len(), after.needs.len());
        return place(&format!("needed {was} tasks and needs {is}"));
    }
    let mut needs = before.needs.iter().zip(&after.needs);
    if let Some((before, after)) = needs.find(|(before, after)| before != after) {
        return first(before, after, &[within, &["in what it needs, "]].concat());
    }
    for (at, (before, after)) in before.steps.iter().zip(&after.steps).enumerate() {
        if before == after {
            continue;
        }
        let number = format!("command {} ", at + 1);
        return match (&before.what, &after.what) {
            (ForeseenWork::Call(before), ForeseenWork::Call(after)) if before != after => {
                first(before, after, &[within, &["in a call, "]].concat())
            }
            (before, after) if before != after => {
                two(&format!("{number}was"), &work(before), &work(after))
            }
            _ => place(&format!("{number}has another `if`, `timeout` or `allow_failure`")),
        };
    }
    let (was, is) = (before.steps.len(), after.steps.len());
    let more = before.steps.get(is).or_else(|| after.steps.get(was)).map(|step| work(&step.what));
    place(&format!("did {was} things and does {is}: {}", shown(&more.unwrap_or_default())))
}

fn work(work: &ForeseenWork) -> String {
    match work {
        ForeseenWork::Command(line) => line.clone(),
        ForeseenWork::Call(_) => "the call of a task".to_owned(),
    }
}

fn maps(
    what: &str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Option<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let name = names.into_iter().find(|name| before.get(*name) != after.get(*name))?;
    let value = |map: &BTreeMap<String, String>| {
        map.get(name).map_or("not set".to_owned(), |value| shown(value))
    };
    Some(format!("{what} {name} was {} and is {}", value(before), value(after)))
}

/// From where two texts are shown, so that their first difference is seen.
fn shared(before: &str, after: &str) -> usize {
    const AROUND: usize = 30;
    let same =
        before.char_indices().zip(after.chars()).take_while(|((_, one), other)| one == other);
    let same: Vec<usize> = same.map(|((at, _), _)| at).collect();
    match same.len() {
        ..AROUND => 0,
        many => same[many - AROUND],
    }
}

fn shown_from(text: &str, from: usize) -> String {
    match from {
        0 => shown(text),
        from => shown(&format!("…{}", text.get(from..).unwrap_or_default())),
    }
}

/// A text as it stands in a sentence: on one line, and not too long.
fn shown(text: &str) -> String {
    const MOST: usize = 90;
    let line = text.trim().replace('\n', "; ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

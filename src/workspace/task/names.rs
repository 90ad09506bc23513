//! Which task or subsystem a task means by a name, and where tasks need each other in a circle.

use std::collections::{BTreeSet, HashMap};

use super::{Call, Task};
use crate::model::{Diagnostic, Name, Span, suggestion};

/// Everything that a task can name.
pub struct Names<'w> {
    tasks: HashMap<&'w str, &'w Task>,
    subsystems: BTreeSet<&'w str>,
}

/// What a name means.
#[derive(Clone, Copy, Debug)]
pub enum Meaning<'w> {
    /// A task.
    Task(&'w Task),
    /// A subsystem.
    Subsystem(&'w str),
}

impl<'w> Names<'w> {
    /// The names of `tasks`, their aliases and `subsystems`.
    pub fn new(
        tasks: impl Iterator<Item = &'w Task> + Clone,
        subsystems: impl Iterator<Item = &'w Name>,
    ) -> Self {
        let alias = |task: &'w Task| task.aliases.iter().map(move |alias| (alias.as_str(), task));
        // A name of its own goes over an alias.
        let aliases = tasks.clone().flat_map(alias);
        let own = tasks.map(|task| (task.name.as_str(), task));
        Self {
            tasks: aliases.chain(own).collect(),
            subsystems: subsystems.map(Name::as_str).collect(),
        }
    }

    /// The task called `name` from outside.
    pub fn task(&self, name: &str) -> Option<&'w Task> {
        self.tasks.get(name).copied()
    }

    /// What `task` means by `name`: a task of the same subsystem before one of the workspace, and
    /// that before a subsystem.
    pub fn meant(&self, task: &Task, name: &str) -> Option<Meaning<'w>> {
        let own = task.subsystem.as_ref().and_then(|owner| self.task(&format!("{owner}:{name}")));
        let meant = own.or_else(|| self.task(name)).map(Meaning::Task);
        meant.or_else(|| self.subsystems.get(name).map(|name| Meaning::Subsystem(name)))
    }

    fn all(&self) -> Vec<&'w str> {
        let mut names: Vec<&str> = self.tasks.keys().copied().collect();
        names.extend(&self.subsystems);
        names.sort_unstable();
        names
    }
}

fn span(task: &Task, call: &Call) -> Span {
    Span { file: task.place.file.clone(), bytes: call.name.bytes.clone() }
}

/// Every check across tasks.
pub fn check<'w>(tasks: &'w [Task], subsystems: impl Iterator<Item = &'w Name>) -> Vec<Diagnostic> {
    let names = Names::new(tasks.iter(), subsystems);
    let mut diagnostics = Vec::new();
    for task in tasks {
        let calls = task.calls().map(|call| (call, true));
        for (call, is_call) in task.needs.iter().map(|need| (&need.call, false)).chain(calls) {
            diagnostics.extend(wrong_call(&names, task, call, is_call));
        }
    }
    diagnostics.extend(same_names(tasks));
    diagnostics.extend(cycles(&names, tasks));
    diagnostics
}

fn wrong_call(names: &Names, task: &Task, call: &Call, is_call: bool) -> Option<Diagnostic> {
    let name = &call.name.text;
    let told = |what: String, label: &str, help: String| {
        Some(Diagnostic::new(span(task, call), what, label).help(help))
    };
    let target = match names.meant(task, name) {
        Some(Meaning::Task(target)) => target,
        Some(Meaning::Subsystem(_)) if !is_call && call.with.is_empty() => return None,
        Some(Meaning::Subsystem(_)) => {
            let what = format!("`{name}` is a subsystem, and only a task can be run");
            return told(what, "not a task", "name it under `needs`".into());
        }
        None => {
            let what = format!(
                "the task `{}` names `{name}`, which is no task and no subsystem",
                task.name
            );
            return told(what, "not known", suggestion(name, names.all()));
        }
    };
    let known = || target.with.iter().map(|parameter| parameter.name.as_str());
    if let Some((unknown, _)) = call.with.iter().find(|(key, _)| !known().any(|name| name == key)) {
        let what = format!("the task `{}` has no parameter `{unknown}`", target.name);
        return told(what, "not a parameter of it", suggestion(unknown, known()));
    }
    let given = |name: &str| call.with.iter().any(|(key, _)| key == name);
    let missing = target.with.iter().find(|one| one.default.is_none() && !given(&one.name))?;
    let what = format!("the task `{}` must be given `{}`", target.name, missing.name);
    told(what, "not given here", format!("write `with: {{ {}: … }}`", missing.name))
}

fn same_names(tasks: &[Task]) -> Vec<Diagnostic> {
    let mut seen: HashMap<&str, &Task> =
        tasks.iter().map(|task| (task.name.as_str(), task)).collect();
    let mut diagnostics = Vec::new();
    for task in tasks {
        for alias in &task.aliases {
            if let Some(other) = seen.insert(alias, task) {
                let what = format!("`{alias}` is a name of the task `{}` already", other.name);
                let diagnostic = Diagnostic::new(task.place.clone(), what, "calls itself so too")
                    .help("remove it from `alias` of one of them");
                diagnostics.push(diagnostic);
            }
        }
    }
    diagnostics
}

/// One diagnostic per circle of needs and calls. Depth first, with a stack of its own.
fn cycles(names: &Names, tasks: &[Task]) -> Vec<Diagnostic> {
    let index: HashMap<&str, usize> =
        tasks.iter().enumerate().map(|(at, task)| (task.name.as_str(), at)).collect();
    let mut edges: Vec<Vec<(usize, &Call)>> = Vec::new();
    for task in tasks {
        let mut targets = Vec::new();
        for call in task.reach() {
            if let Some(Meaning::Task(target)) = names.meant(task, &call.name.text) {
                targets.extend(index.get(target.name.as_str()).map(|at| (*at, call)));
            }
        }
        edges.push(targets);
    }
    // 0: not seen; 1: on the path; 2: done.
    let mut state = vec![0_u8; tasks.len()];
    let mut diagnostics = Vec::new();
    for start in 0..tasks.len() {
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(&(target, _)) = edges[node].get(*next) else {
                state[node] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            if state[target] == 0 {
                state[target] = 1;
                path.push((target, 0));
            } else if state[target] == 1 {
                let begin = path.iter().position(|(node, _)| *node == target).unwrap_or(0);
                let cycle: Vec<(&Task, &Call)> = path[begin..]
                    .iter()
                    .map(|(node, next)| (&tasks[*node], edges[*node][*next - 1].1))
                    .collect();
                diagnostics.push(tell_cycle(&cycle));
            }
        }
    }
    diagnostics
}

fn tell_cycle(cycle: &[(&Task, &Call)]) -> Diagnostic {
    let (first, call) = cycle[0];
    let mut path: Vec<&str> = cycle.iter().map(|(task, _)| task.name.as_str()).collect();
    path.push(&first.name);
    let what = match cycle {
        [(only, _)] => format!("the task `{}` needs itself", only.name),
        _ => format!("these tasks need each other in a circle: {}", path.join(" → ")),
    };
    let label = |at: usize| format!("{} needs {}", path[at], path[at + 1]);
    let diagnostic = Diagnostic::new(span(first, call), what, label(0));
    let related = cycle.iter().enumerate().skip(1);
    related
        .fold(diagnostic, |diagnostic, (at, (task, call))| {
            diagnostic.related(span(task, call), label(at))
        })
        .help("remove one of them")
}

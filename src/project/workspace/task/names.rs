//! Which task or subsystem a task means by a name, and where tasks need each other in a cycle.

use std::collections::{BTreeSet, HashMap};

use super::{Task, TaskRef};
use crate::{
    model::{Diagnostic, Name, Span, suggestion},
    workspace::cycles::find_cycles,
};

/// Everything that a task can name.
pub struct Names<'w> {
    tasks: HashMap<&'w str, &'w Task>,
    /// Those whose names hold `*`.
    patterns: Vec<&'w Task>,
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
        let patterns = tasks.clone().filter(|task| task.name.contains('*')).collect();
        let own = tasks.map(|task| (task.name.as_str(), task));
        Self {
            patterns,
            tasks: aliases.chain(own).collect(),
            subsystems: subsystems.map(Name::as_str).collect(),
        }
    }

    /// The task called `name` from outside: by its name or alias, or else the one whose pattern fits
    /// with the most letters of its own. Where several fit equally well, [`Self::tied`] says so.
    pub fn task(&self, name: &str) -> Option<&'w Task> {
        let known = self.tasks.get(name).copied();
        known.or_else(|| self.fitting(name).first().copied())
    }

    /// Two tasks whose patterns fit `name` equally well, if no task is called so.
    pub fn tied(&self, name: &str) -> Option<(&'w Task, &'w Task)> {
        match self.fitting(name)[..] {
            [one, other, ..] if !self.tasks.contains_key(name) => Some((one, other)),
            _ => None,
        }
    }

    /// The tasks whose patterns fit `name` best.
    fn fitting(&self, name: &str) -> Vec<&'w Task> {
        let letters = |task: &Task| task.name.chars().filter(|c| *c != '*').count();
        let fits = |task: &&&Task| captured(&task.name, name).is_some();
        let mut fitting: Vec<&Task> = self.patterns.iter().filter(fits).copied().collect();
        let most = fitting.iter().map(|task| letters(task)).max();
        fitting.retain(|task| Some(letters(task)) == most);
        fitting
    }

    /// What `task` means by `name`: a task of the same subsystem or included file before one of the
    /// workspace, and that before a subsystem. An included file means one of the workspace only by
    /// `:name`. What a template means is known once it is rendered.
    pub fn meant(&self, task: &Task, name: &str) -> Option<Meaning<'w>> {
        if name.contains("{{") {
            return None;
        }
        if let Some(name) = name.strip_prefix(':') {
            return self.task(name).map(Meaning::Task);
        }
        let space = task.subsystem.as_ref().map_or(task.home.space.as_str(), Name::as_str);
        let own = match space {
            "" => None,
            space => self.task(&format!("{space}:{name}")),
        };
        let reaches_out = !task.home.is_included || space.is_empty();
        let meant = own.or_else(|| self.task(name).filter(|_| reaches_out)).map(Meaning::Task);
        meant.or_else(|| self.subsystems.get(name).map(|name| Meaning::Subsystem(name)))
    }

    /// Every name, as `task` has to write it.
    fn known_to(&self, task: &Task) -> Vec<String> {
        let space = format!("{}:", task.home.space);
        let written = |name: &&str| match name.strip_prefix(space.as_str()) {
            Some(own) => own.to_owned(),
            None if task.home.is_included => format!(":{name}"),
            None => (*name).to_owned(),
        };
        let subsystems = self.subsystems.iter().map(|name| (*name).to_owned());
        let mut names: Vec<String> = self.tasks.keys().map(written).chain(subsystems).collect();
        names.sort_unstable();
        names
    }
}

impl Task {
    /// What stands for each `*` of its name in `called`, as which a task of the same subsystem may
    /// have called it; nothing if its name has none.
    pub fn matched(&self, called: &str) -> Vec<String> {
        let full = || self.subsystem.as_ref().map(|owner| format!("{owner}:{called}"));
        let matched = captured(&self.name, called);
        matched.or_else(|| captured(&self.name, &full()?)).unwrap_or_default()
    }
}

/// What stands for each `*` of `pattern` in `name`, the first ones as long as can be; nothing if it
/// does not fit.
fn captured(pattern: &str, name: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('*') else {
        return (pattern == name).then(Vec::new);
    };
    let name = name.strip_prefix(before)?;
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.rev().find_map(|end| {
        let mut captured = captured(rest, &name[end..])?;
        captured.insert(0, name[..end].to_owned());
        Some(captured)
    })
}

fn span(task: &Task, call: &TaskRef) -> Span {
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

fn wrong_call(names: &Names, task: &Task, call: &TaskRef, is_call: bool) -> Option<Diagnostic> {
    if call.open.is_some() {
        return None;
    }
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
                "the task `{}` names `{name}`, which is neither a task nor a subsystem",
                task.name
            );
            let help = match names.task(name) {
                Some(_) => format!("`:{name}` means the workspace's"),
                None => suggestion(name, names.known_to(task).iter().map(String::as_str)),
            };
            return told(what, "not known", help);
        }
    };
    if let Some(diagnostic) = tie(names, task, call) {
        return Some(diagnostic);
    }
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

/// Tasks that are called like another one.
pub fn twins(tasks: &[Task]) -> Vec<Diagnostic> {
    let mut seen: HashMap<&str, &Task> = HashMap::new();
    let mut diagnostics = Vec::new();
    for task in tasks {
        let Some(first) = seen.insert(&task.name, task) else { continue };
        // A key that stands twice in one file is told already.
        if first.place.file == task.place.file && first.place != task.place {
            continue;
        }
        let what = format!("two tasks are called `{}`", task.name);
        let help = "give one of them another name; `except` leaves a task of an include out";
        let diagnostic = Diagnostic::new(task.place.clone(), what, "again here");
        diagnostics.push(diagnostic.related(first.place.clone(), "first written here").help(help));
    }
    diagnostics
}

/// Several patterns fit the name equally well.
fn tie(names: &Names, task: &Task, call: &TaskRef) -> Option<Diagnostic> {
    let name = &call.name.text;
    let space = task.subsystem.as_ref().map_or(task.home.space.as_str(), Name::as_str);
    let own = Some(format!("{space}:{name}"));
    let own = own.filter(|own| !space.is_empty() && names.task(own).is_some());
    let outer = name.strip_prefix(':').unwrap_or(name);
    let (one, other) = names.tied(own.as_deref().unwrap_or(outer))?;
    let what = format!("`{name}` may be `{}` as well as `{}`", one.name, other.name);
    let diagnostic = Diagnostic::new(span(task, call), what, "fits both");
    let diagnostic = diagnostic.related(one.place.clone(), "one of them");
    let diagnostic = diagnostic.related(other.place.clone(), "the other");
    Some(diagnostic.help(format!("write a task `{name}`, or another pattern")))
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

/// One diagnostic per cycle of needs and calls.
fn cycles(names: &Names, tasks: &[Task]) -> Vec<Diagnostic> {
    let index: HashMap<&str, usize> =
        tasks.iter().enumerate().map(|(at, task)| (task.name.as_str(), at)).collect();
    let mut edges: Vec<Vec<(usize, &TaskRef)>> = Vec::new();
    for task in tasks {
        let mut targets = Vec::new();
        for call in task.reach() {
            if let Some(Meaning::Task(target)) = names.meant(task, &call.name.text) {
                targets.extend(index.get(target.name.as_str()).map(|at| (*at, call)));
            }
        }
        edges.push(targets);
    }
    let edge = |&(node, edge): &(usize, usize)| (&tasks[node], edges[node][edge].1);
    let cycles = find_cycles(&edges);
    cycles.iter().map(|cycle| tell_cycle(&cycle.iter().map(edge).collect::<Vec<_>>())).collect()
}

fn tell_cycle(cycle: &[(&Task, &TaskRef)]) -> Diagnostic {
    let (first, call) = cycle[0];
    let mut path: Vec<&str> = cycle.iter().map(|(task, _)| task.name.as_str()).collect();
    path.push(&first.name);
    let what = match cycle {
        [(only, _)] => format!("the task `{}` needs itself", only.name),
        _ => format!("these tasks need each other in a cycle: {}", path.join(" → ")),
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

#[cfg(test)]
mod tests {
    use super::captured;

    #[test]
    fn stars_stand_for_what_is_left() {
        let told = |pattern, name| captured(pattern, name).map(|parts| parts.join("|"));
        for (pattern, name, expected) in [
            ("a-*", "a-b", Some("b")),
            ("a-*", "a-", Some("")),
            ("a-*", "b-a", None),
            ("*-*", "a-b-c", Some("a-b|c")),
            ("*:up", "x:y:up", Some("x:y")),
            ("a*b", "ab", Some("")),
            ("a*b", "aé", None),
            ("a", "a", Some("")),
        ] {
            assert_eq!(told(pattern, name).as_deref(), expected, "{pattern} {name}");
        }
    }
}

//! A tree of Taskfiles as a stack of subsystems: which file is whose, and which task a call means.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    calls::call_of_task,
    rewrite::{each_template, of_variable},
};
use crate::{
    manifest::{Node, Scalar, Sp},
    taskfile::{
        CommandKind, Loop, Taskfile, TaskfileCall, TaskfileCommand, TaskfileTask, TaskfileTree,
        TaskfileVariable, VariableValue,
    },
};

/// A tree, with its files' places in it.
pub(super) struct Stack {
    /// The tree, in which calls whose names are templates stand written out where that is possible.
    pub(super) tree: TaskfileTree,
    /// Per file, what its tasks' names begin with (nothing for the first file's); none if the file is
    /// not included by the first, or several times.
    pub(super) prefixes: Vec<Option<String>>,
    /// Where each task is, by its full name: file and place in it.
    pub(super) tasks: BTreeMap<String, (usize, usize)>,
}

impl Stack {
    pub(super) fn new(mut tree: TaskfileTree) -> Self {
        let prefixes = prefixes(&tree);
        with_places(&mut tree);
        let names = names(&tree, &prefixes);
        for file in &mut tree.files {
            let is_root = file.file.path.parent().is_none_or(|dir| dir.as_os_str().is_empty());
            for task in &mut file.tasks {
                task.commands.iter_mut().for_each(|one| as_call(one, &names, is_root));
            }
        }
        for file in 0..tree.files.len() {
            let vars = tree.files[file].clone();
            for task in &mut tree.files[file].tasks {
                task.commands = unrolled(&task.commands, &vars);
                task.deps = unrolled(&task.deps, &vars);
            }
        }
        let mut tasks = BTreeMap::new();
        for (file, prefix) in prefixes.iter().enumerate() {
            let Some(prefix) = prefix else { continue };
            for (at, task) in tree.files[file].tasks.iter().enumerate() {
                tasks.insert(full(prefix, &task.name.value), (file, at));
            }
        }
        Self { tree, prefixes, tasks }
    }

    pub(super) fn task(&self, (file, at): (usize, usize)) -> &TaskfileTask {
        &self.tree.files[file].tasks[at]
    }

    /// The full name of what `name` means in `file`.
    pub(super) fn meant(&self, file: usize, name: &str) -> String {
        match (name.strip_prefix(':'), self.prefixes[file].as_deref()) {
            (Some(above), _) => above.to_owned(),
            (None, Some(prefix)) => full(prefix, name),
            (None, None) => name.to_owned(),
        }
    }

    /// The calls of a task, in order: first those of what it needs.
    pub(super) fn calls(&self, at: (usize, usize)) -> Vec<String> {
        let task = self.task(at);
        let calls = task.deps.iter().chain(&task.commands).filter_map(call);
        calls.map(|call| self.meant(at.0, &call.task.text)).collect()
    }

    /// All that the commands of a task say to the shell.
    pub(super) fn script(&self, at: (usize, usize)) -> String {
        let lines = self.task(at).commands.iter().filter_map(|one| match &one.deed {
            CommandKind::Run(line) | CommandKind::DeferRun(line) => Some(line.text.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The task that a command calls.
pub(super) fn call(command: &TaskfileCommand) -> Option<&TaskfileCall> {
    match &command.deed {
        CommandKind::Call(call) | CommandKind::DeferCall(call) => Some(call),
        _ => None,
    }
}

/// Writes `{{.TASKFILE_DIR}}` as the folder of the file that says it, in every file. In Task it is that of
/// the task that comes to look at it.
pub fn with_places(tree: &mut TaskfileTree) {
    for file in &mut tree.files {
        let Ok(below) = file.dir.strip_prefix(&tree.root) else { continue };
        let place = match below.to_str() {
            None => continue,
            Some("") => "{{.ROOT_DIR}}".to_owned(),
            Some(below) => format!("{{{{.ROOT_DIR}}}}/{below}"),
        };
        let mut change = |text: &mut Scalar| {
            for shown in ["{{.TASKFILE_DIR}}", "{{ .TASKFILE_DIR }}"] {
                text.text = text.text.replace(shown, &place);
            }
        };
        file.tasks.iter_mut().for_each(|task| each_template(task, &mut change));
        file.vars.iter_mut().chain(&mut file.env).for_each(|one| of_variable(one, &mut change));
    }
}

/// The full names of all tasks, and all that files set for every task.
fn names(tree: &TaskfileTree, prefixes: &[Option<String>]) -> (BTreeSet<String>, BTreeSet<String>) {
    let files = tree.files.iter().zip(prefixes);
    let tasks = files.filter_map(|(file, prefix)| Some((file, prefix.as_deref()?)));
    let tasks = tasks.flat_map(|(file, prefix)| {
        file.tasks.iter().map(move |task| full(prefix, &task.name.value))
    });
    let vars = tree.files.iter().flat_map(|file| &file.vars);
    (tasks.collect(), vars.map(|one| one.name.value.clone()).collect())
}

/// A command that is nothing but a call of Task as the call of a task. What gives it a variable that
/// all tasks know stays a run of its own.
fn as_call(
    command: &mut TaskfileCommand,
    (tasks, vars): &(BTreeSet<String>, BTreeSet<String>),
    is_root: bool,
) {
    let (line, is_deferred) = match &command.deed {
        CommandKind::Run(line) => (line.clone(), false),
        CommandKind::DeferRun(line) => (line.clone(), true),
        _ => return,
    };
    let Some((name, given)) = call_of_task(&line.text) else { return };
    if !tasks.contains(&name)
        || command.each.is_some()
        || given.keys().any(|one| vars.contains(one))
    {
        return;
    }
    let root = if is_root { "" } else { ":" };
    let task = Scalar { text: format!("{root}{name}"), ..line.clone() };
    let variable = |(name, value): (String, String)| TaskfileVariable {
        name: Sp { value: name, bytes: line.bytes.clone() },
        value: VariableValue::Text(Scalar { text: value, ..line.clone() }),
        secret: false,
    };
    let call = TaskfileCall { task, vars: given.into_iter().map(variable).collect() };
    command.deed = match is_deferred {
        true => CommandKind::DeferCall(call),
        false => CommandKind::Call(call),
    };
}

fn full(prefix: &str, name: &str) -> String {
    match name.strip_prefix(':') {
        // A `:` leads one level up.
        Some(above) => above.to_owned(),
        None if prefix.is_empty() => name.to_owned(),
        None => format!("{prefix}:{name}"),
    }
}

fn prefixes(tree: &TaskfileTree) -> Vec<Option<String>> {
    let leads_to = |file: usize| {
        let all = tree
            .files
            .iter()
            .enumerate()
            .flat_map(|(at, one)| one.includes.iter().map(move |it| (at, it)));
        all.filter(|(_, include)| include.target == Some(file)).collect::<Vec<_>>()
    };
    let prefix = |file: usize| match leads_to(file).as_slice() {
        _ if file == 0 => Some(String::new()),
        [(0, include)] if !include.flatten && include.vars.is_empty() => {
            Some(include.name.value.clone())
        }
        _ => None,
    };
    (0..tree.files.len()).map(prefix).collect()
}

/// `commands`, in which a loop over tasks stands as the calls that it comes to be.
fn unrolled(commands: &[TaskfileCommand], file: &Taskfile) -> Vec<TaskfileCommand> {
    commands
        .iter()
        .flat_map(|command| unroll(command, file).unwrap_or_else(|| vec![command.clone()]))
        .collect()
}

fn unroll(command: &TaskfileCommand, file: &Taskfile) -> Option<Vec<TaskfileCommand>> {
    let name = &call(command)?.task;
    let (word, items) = match command.each.as_ref()? {
        Loop::List(nodes) => ("ITEM", texts(nodes)?),
        Loop::Var { name, split, called } => {
            let called = called.as_ref().map_or("ITEM", |called| called.text.as_str());
            (called, items(file, &name.text, split.as_ref().map(|split| split.text.as_str()))?)
        }
        _ => return None,
    };
    // Where the loop does not decide which task is called, it stays one.
    if !name.text.contains(&format!(".{word}")) {
        return None;
    }
    let filled = |text: &str, item: &str| filled(text, word, item);
    let one = |item: &String| {
        let mut command = TaskfileCommand { each: None, ..command.clone() };
        if let CommandKind::Call(call) | CommandKind::DeferCall(call) = &mut command.deed {
            call.task.text = filled(&name.text, item);
            if let Some(condition) = &mut command.condition {
                condition.text = filled(&condition.text, item);
            }
            for variable in &mut call.vars {
                if let VariableValue::Text(text) = &mut variable.value {
                    text.text = filled(&text.text, item);
                }
            }
        }
        command
    };
    let commands: Vec<TaskfileCommand> = items.iter().map(one).collect();
    let is_known = commands.iter().filter_map(call).all(|call| !call.task.text.contains("{{"));
    is_known.then_some(commands)
}

/// `text`, in which `item` stands for the variable `word` in every template.
fn filled(text: &str, word: &str, item: &str) -> String {
    let bare = [format!("{{{{.{word}}}}}"), format!("{{{{ .{word} }}}}")];
    let text = bare.iter().fold(text.to_owned(), |text, bare| text.replace(bare, item));
    let (own, quoted) = (format!(".{word}"), format!("{item:?}"));
    let (mut said, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find(&own) {
        let (before, after) = (&rest[..at], &rest[at + own.len()..]);
        said.push_str(before);
        let is_within = said.rfind("{{").is_some_and(|open| !said[open..].contains("}}"));
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || "_)".contains(c))
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        said.push_str(if is_within && is_whole { &quoted } else { &own });
        rest = after;
    }
    said + rest
}

/// What the variable `name` of `file` lists, if it is written there.
pub(super) fn items(file: &Taskfile, name: &str, split: Option<&str>) -> Option<Vec<String>> {
    match &file.vars.iter().find(|one| one.name.value == name)?.value {
        VariableValue::List(node) => texts(node.one_or_many()),
        VariableValue::Text(Scalar { text, .. }) => {
            let text = if text.contains("{{") { own_default(text, name)? } else { text };
            Some(match split {
                Some(split) => text.split(split).map(str::to_owned).collect(),
                None => text.split_whitespace().map(str::to_owned).collect(),
            })
        }
        _ => None,
    }
}

/// `a b` of `{{.NAME | default "a b"}}`, where NAME is `name`.
fn own_default<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let rest = inside.strip_prefix('.')?.strip_prefix(name)?.trim_start().strip_prefix('|')?;
    let literal = rest.trim_start().strip_prefix("default ")?.trim();
    literal.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('"'))
}

fn texts(nodes: &[Node]) -> Option<Vec<String>> {
    nodes.iter().map(|node| Some(node.scalar()?.text.clone())).collect()
}

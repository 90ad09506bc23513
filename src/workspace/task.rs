//! `tasks:` of the manifest and of specs to [`Task`]s: templates rendered, shell syntax checked,
//! as the steps of a build are.
//!
//! The short forms are run: a command, a list of commands, or a mapping with `desc`, `run`,
//! `dir` and `env`. A task that uses more of the language is kept, together with the key that
//! is not run yet, so that running it is refused by name and nothing else suffers.

use std::collections::{BTreeMap, HashSet};

use super::{Text, build, subsystem::Draft, template::Scope};
use crate::{
    manifest::{File, Findings, Node, Pairs, Sp, Value, pairs, scalar},
    model::{Diagnostic, Name, suggestion},
};

/// The keys of a task that are run.
const RUN: &[&str] = &["desc", "run", "dir", "env"];

/// The other keys of the language.
const BEYOND: &[&str] = &[
    "alias",
    "allow_failure",
    "assert",
    "confirm",
    "dotenv",
    "finally",
    "for",
    "help",
    "if",
    "include",
    "inputs",
    "interactive",
    "label",
    "needs",
    "once",
    "only",
    "outputs",
    "pool",
    "private",
    "quiet",
    "retry",
    "shell",
    "status",
    "timeout",
    "vars",
    "with",
];

/// A named list of commands, of a subsystem or of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it is called: `hello`, or `nats:test` if it is a subsystem's.
    pub name: String,
    /// The subsystem it belongs to.
    pub subsystem: Option<Name>,
    /// `desc:`.
    pub desc: Option<String>,
    /// The commands, one after the other.
    pub commands: Vec<Text>,
    /// Where they run; the workspace if absent. Relative to the workspace.
    pub dir: Option<Text>,
    /// Variables set for them, over what forge was started with.
    pub env: BTreeMap<String, Text>,
    /// A key of the task that is part of the language and not run yet; then the rest was not
    /// looked at.
    pub beyond: Option<String>,
}

impl Task {
    /// Whether its commands, folder or variables mention the place called `place`.
    pub fn mentions(&self, place: &str) -> bool {
        let symbol = Text::symbol(place);
        let texts = self.commands.iter().chain(&self.dir).chain(self.env.values());
        texts.into_iter().any(|text| text.contains(&symbol))
    }
}

/// Resolves the tasks of `owner`, or those of the workspace. `env` is what is set for all
/// commands. What is wrong goes to `found`.
pub fn resolve(
    owner: Option<&Name>,
    written: &Pairs<Node>,
    env: &BTreeMap<String, Text>,
    scope: &Scope,
    found: &mut Findings,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (key, node) in written {
        if !is_name(&key.value) {
            let what = format!("`{}` can be no task's name", key.value);
            let help =
                "use letters, digits, `-`, `_`, `.` and `:`, and begin with a letter or digit";
            found.add(key.bytes.clone(), what, "not a plain word", help);
            continue;
        }
        let name = match owner {
            Some(owner) => format!("{owner}:{}", key.value),
            None => key.value.clone(),
        };
        let empty = Task {
            name,
            subsystem: owner.cloned(),
            desc: None,
            commands: Vec::new(),
            dir: None,
            env: env.clone(),
            beyond: None,
        };
        tasks.extend(task(empty, node, scope, found));
    }
    tasks
}

/// Tasks of the manifest that are called like one of a subsystem: `nats:test`.
pub fn taken_names(file: &File, written: &Pairs<Node>, drafts: &[Draft]) -> Vec<Diagnostic> {
    let names = drafts.iter().flat_map(|draft| &draft.tasks).map(|task| task.name.as_str());
    let names: HashSet<&str> = names.collect();
    let taken = |(key, _): &&(Sp<String>, Node)| names.contains(key.value.as_str());
    let tell = |(key, _): &(Sp<String>, Node)| {
        let what = format!("`{}` is the task of a subsystem already", key.value);
        let help = "give one of them another name";
        Diagnostic::new(file.span(key.bytes.clone()), what, "taken").help(help)
    };
    written.iter().filter(taken).map(tell).collect()
}

/// A word that a shell and a command line leave alone.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.:".contains(c);
    text.starts_with(char::is_alphanumeric) && text.chars().all(plain)
}

/// Fills `task` with what `node` says.
fn task(mut task: Task, node: &Node, scope: &Scope, found: &mut Findings) -> Option<Task> {
    let run = match &node.value {
        Value::Map(_) => {
            keys(&task.name, node, found)?;
            task.desc = scalar(node, "desc").map(|desc| desc.text);
            task.beyond = beyond(node);
            node.get("run")
        }
        _ => Some(node),
    };
    task.beyond = task.beyond.or_else(|| run.and_then(entry_beyond));
    if task.beyond.is_some() {
        return Some(task);
    }
    let commands = run.map(|run| build::commands(run, scope, found));
    match commands.unwrap_or_else(|| Some(Vec::new()))? {
        none if none.is_empty() => {
            let what = format!("the task `{}` has no command", task.name);
            let help = "write a command, a list of commands, or a mapping with `run`";
            found.add(node.bytes.clone(), what, "nothing to run", help);
            return None;
        }
        commands => task.commands = commands,
    }
    if let Some(dir) = scalar(node, "dir") {
        task.dir = Some(scope.text(&dir, found)?);
    }
    task.env.extend(build::environment(&pairs(node, "env"), scope, found));
    Some(task)
}

/// Every key must be one of the language.
fn keys(name: &str, node: &Node, found: &mut Findings) -> Option<()> {
    let known = || RUN.iter().chain(BEYOND).copied();
    let mut all_known = Some(());
    for entry in node.entries() {
        let key = &entry.key.value;
        if !known().any(|word| word == key) {
            let what = format!("the task `{name}` has no key `{key}`");
            let help = suggestion(key, known());
            found.add(entry.key.bytes.clone(), what, "not a known key", help);
            all_known = None;
        }
    }
    all_known
}

/// The first key that is not run.
fn beyond(node: &Node) -> Option<String> {
    let keys = node.entries().iter().map(|entry| entry.key.value.as_str());
    keys.into_iter().find(|key| BEYOND.contains(key)).map(str::to_owned)
}

/// What a command says beside itself, if it is no plain command.
fn entry_beyond(run: &Node) -> Option<String> {
    let nodes = match &run.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Map(_) => std::slice::from_ref(run),
        _ => &[],
    };
    let entry = nodes.iter().find(|node| matches!(node.value, Value::Map(_) | Value::List(_)))?;
    Some(beyond(entry).unwrap_or_else(|| "run".into()))
}

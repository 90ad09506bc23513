//! From a checked tree of YAML to a [`Taskfile`].

use std::path::PathBuf;

use super::model::{
    CommandKind, Glob, Include, Loop, MatrixRow, Often, OutputGroup, Precondition, Requirement,
    Taskfile, TaskfileCall, TaskfileCommand, TaskfileOutput, TaskfileSettings, TaskfileTask,
    TaskfileVariable, VariableValue,
};
use crate::manifest::{
    self, Findings, ManifestFile, Node, Scalar, Value as Yaml, comments, read_taskfile, scalar,
};

/// Reads `file`, which is in `dir`. What is wrong goes to `found`.
pub(super) fn taskfile(
    file: &ManifestFile,
    dir: PathBuf,
    found: &mut Findings,
) -> Option<Taskfile> {
    let root = read_taskfile(file, found)?;
    let settings = settings(&root);
    let tasks = root.get("tasks").map(Node::entries).unwrap_or_default();
    let task = |entry: &manifest::Pair| task(entry, &settings, found);
    let tasks = tasks.iter().map(task).collect();
    let includes = root.get("includes").map(Node::entries).unwrap_or_default();
    Some(Taskfile {
        dir,
        comments: comments(&file.text, &root),
        vars: variables(&root, "vars"),
        env: variables(&root, "env"),
        dotenv: list(&root, "dotenv"),
        includes: includes.iter().filter_map(include).collect(),
        tasks,
        settings,
        file: file.clone(),
    })
}

fn settings(root: &Node) -> TaskfileSettings {
    let output = root.get("output").and_then(|node| match node.get("group") {
        None => node.scalar().cloned().map(TaskfileOutput::Style),
        Some(group) => Some(TaskfileOutput::Group(OutputGroup {
            begin: scalar(group, "begin"),
            end: scalar(group, "end"),
            error_only: flag(group, "error_only"),
        })),
    });
    TaskfileSettings {
        version: scalar(root, "version"),
        output,
        method: scalar(root, "method"),
        silent: flag(root, "silent"),
        run: often(root),
        interval: scalar(root, "interval"),
        set: list(root, "set"),
        shopt: list(root, "shopt"),
        use_gitignore: flag(root, "use_gitignore"),
        failfast: flag(root, "failfast"),
    }
}

fn include(entry: &manifest::Pair) -> Option<Include> {
    let node = &entry.value;
    Some(Include {
        name: entry.key.clone(),
        taskfile: node.scalar().cloned().or_else(|| scalar(node, "taskfile"))?,
        dir: scalar(node, "dir"),
        vars: variables(node, "vars"),
        optional: flag(node, "optional"),
        flatten: flag(node, "flatten"),
        internal: flag(node, "internal"),
        aliases: list(node, "aliases"),
        excludes: list(node, "excludes"),
        checksum: scalar(node, "checksum"),
        is_mapping: node.scalar().is_none(),
        target: None,
    })
}

fn task(entry: &manifest::Pair, settings: &TaskfileSettings, found: &mut Findings) -> TaskfileTask {
    let node = &entry.value;
    let text = |key| scalar(node, key);
    if let (Some(one), Some(many)) = (node.get("cmd"), node.get("cmds")) {
        let what = format!("the task `{}` has `cmd` and `cmds`", entry.key.value);
        let related = found.span(many.bytes.clone());
        let diagnostic = found.add(one.bytes.clone(), what, "one of two", "keep one of them");
        diagnostic.related.push((related, "the other".into()));
    }
    let commands = match &node.value {
        Yaml::Map(_) => node.get("cmds").or_else(|| node.get("cmd")),
        _ => Some(node),
    };
    let vars = node.get("requires").and_then(|node| node.get("vars"));
    TaskfileTask {
        name: entry.key.clone(),
        desc: text("desc"),
        summary: text("summary"),
        label: text("label"),
        prefix: text("prefix"),
        aliases: list(node, "aliases"),
        prompt: list(node, "prompt"),
        commands: commands.map(|node| steps(node, false)).unwrap_or_default(),
        deps: node.get("deps").map(|node| steps(node, true)).unwrap_or_default(),
        sources: globs(node, "sources"),
        generates: globs(node, "generates"),
        status: list(node, "status"),
        preconditions: elements(node.get("preconditions")).filter_map(precondition).collect(),
        requires: elements(vars).filter_map(requirement).collect(),
        condition: text("if"),
        dir: text("dir"),
        vars: variables(node, "vars"),
        env: variables(node, "env"),
        dotenv: list(node, "dotenv"),
        set: list(node, "set"),
        shopt: list(node, "shopt"),
        method: text("method"),
        run: often(node),
        platforms: list(node, "platforms"),
        silent: flag(node, "silent"),
        interactive: flag(node, "interactive"),
        internal: flag(node, "internal"),
        ignore_error: flag(node, "ignore_error"),
        watch: flag(node, "watch"),
        failfast: flag(node, "failfast"),
        use_gitignore: match text("use_gitignore") {
            Some(flag) => flag.text == "true",
            None => settings.use_gitignore,
        },
        node: node.clone(),
    }
}

/// The entries that `node` is or lists. A text means a task where tasks are needed.
fn steps(node: &Node, are_tasks: bool) -> Vec<TaskfileCommand> {
    match &node.value {
        Yaml::Null => Vec::new(),
        Yaml::List(nodes) => {
            let nodes = nodes.iter().filter(|node| !is_blank(node));
            nodes.filter_map(|node| step(node, are_tasks)).collect()
        }
        _ if is_blank(node) => Vec::new(),
        _ => step(node, are_tasks).into_iter().collect(),
    }
}

/// Whether `node` is a text that says nothing: a command that does nothing.
fn is_blank(node: &Node) -> bool {
    node.scalar().is_some_and(|text| text.text.trim().is_empty())
}

fn step(node: &Node, is_task: bool) -> Option<TaskfileCommand> {
    let call = |node: &Node| {
        Some(TaskfileCall { task: scalar(node, "task")?, vars: variables(node, "vars") })
    };
    let deferred = node.get("defer");
    let deed = if let Some(text) = node.scalar().cloned() {
        if is_task {
            CommandKind::Call(TaskfileCall { task: text, vars: Vec::new() })
        } else {
            CommandKind::Run(text)
        }
    } else if let Some(line) = deferred.and_then(Node::scalar).cloned() {
        CommandKind::DeferRun(line)
    } else if let Some(node) = deferred {
        CommandKind::DeferCall(call(node)?)
    } else if let Some(line) = scalar(node, "cmd") {
        CommandKind::Run(line)
    } else {
        CommandKind::Call(call(node)?)
    };
    Some(TaskfileCommand {
        deed,
        each: node.get("for").and_then(each),
        condition: scalar(node, "if"),
        silent: flag(node, "silent"),
        ignore_error: flag(node, "ignore_error"),
        platforms: list(node, "platforms"),
        timeout: scalar(node, "timeout"),
        set: list(node, "set"),
        shopt: list(node, "shopt"),
        bytes: node.bytes.clone(),
    })
}

fn each(node: &Node) -> Option<Loop> {
    match &node.value {
        Yaml::List(nodes) => Some(Loop::List(nodes.clone())),
        Yaml::Scalar(word) if word.text == "sources" => Some(Loop::Sources),
        Yaml::Scalar(_) => Some(Loop::Generates),
        _ => match scalar(node, "var") {
            Some(name) => {
                Some(Loop::Var { name, split: scalar(node, "split"), called: scalar(node, "as") })
            }
            None => Some(Loop::Matrix(node.get("matrix")?.entries().iter().map(part).collect())),
        },
    }
}

fn part(entry: &manifest::Pair) -> (manifest::Sp<String>, MatrixRow) {
    let part = match scalar(&entry.value, "ref") {
        Some(expression) => MatrixRow::Ref(expression),
        None => MatrixRow::List(elements(Some(&entry.value)).cloned().collect()),
    };
    (entry.key.clone(), part)
}

fn globs(node: &Node, key: &str) -> Vec<Glob> {
    let glob = |node: &Node| match node.scalar() {
        Some(text) => Some(Glob { pattern: text.clone(), excludes: false }),
        None => Some(Glob { pattern: scalar(node, "exclude")?, excludes: true }),
    };
    elements(node.get(key)).filter_map(glob).collect()
}

fn precondition(node: &Node) -> Option<Precondition> {
    let sh = node.scalar().cloned().or_else(|| scalar(node, "sh"))?;
    Some(Precondition { sh, message: scalar(node, "msg") })
}

fn requirement(node: &Node) -> Option<Requirement> {
    let name = node.scalar().cloned().or_else(|| scalar(node, "name"))?;
    let choices_ref = node.get("enum").and_then(|node| scalar(node, "ref"));
    Some(Requirement { name, choices: list(node, "enum"), choices_ref })
}

fn variables(node: &Node, key: &str) -> Vec<TaskfileVariable> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    entries.iter().map(variable).collect()
}

fn variable(entry: &manifest::Pair) -> TaskfileVariable {
    let node = &entry.value;
    TaskfileVariable { name: entry.key.clone(), value: value(node), secret: flag(node, "secret") }
}

/// What a variable is that is written as `node`.
fn value(node: &Node) -> VariableValue {
    match &node.value {
        Yaml::Null => VariableValue::Empty,
        Yaml::Scalar(text) => VariableValue::Text(text.clone()),
        Yaml::List(_) => VariableValue::List(node.clone()),
        Yaml::Map(_) => {
            let (sh, reference) = (scalar(node, "sh"), scalar(node, "ref"));
            match (sh, reference, node.get("map"), node.get("value")) {
                (Some(line), ..) => VariableValue::Sh(line),
                (_, Some(expression), ..) => VariableValue::Ref(expression),
                (_, _, Some(map), _) => VariableValue::Map(map.clone()),
                (_, _, _, Some(node)) => match &node.value {
                    Yaml::Map(_) => VariableValue::Map(node.clone()),
                    _ => value(node),
                },
                _ => VariableValue::Empty,
            }
        }
    }
}

fn flag(node: &Node, key: &str) -> bool {
    scalar(node, key).is_some_and(|flag| flag.text == "true")
}

fn often(node: &Node) -> Option<Often> {
    match scalar(node, "run")?.text.as_str() {
        "once" => Some(Often::Once),
        "when_changed" => Some(Often::WhenChanged),
        _ => Some(Often::Always),
    }
}

fn elements(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    node.map(Node::one_or_many).unwrap_or_default().iter()
}

fn list(node: &Node, key: &str) -> Vec<Scalar> {
    elements(node.get(key)).filter_map(Node::scalar).cloned().collect()
}

//! Tasks that stay, rewritten so that nothing in them is about what is gone: calls of tasks that
//! forge does now, variables that forge has words for, and `task` itself.

use super::{
    fate::{Effects, Fates},
    shell::{self, programs, words},
    stack::{Stack, call, items},
    variables::MigratedVariables,
};
use crate::{
    manifest::{Node, Quoting, Scalar, Value as Tree},
    taskfile::{
        CommandKind, Loop, TaskfileCall, TaskfileCommand, TaskfileTask, TaskfileVariable,
        VariableValue,
    },
};

/// A task that stays, with what it needs of forge.
#[derive(Clone, Debug)]
pub(super) struct Rewritten {
    pub(super) task: TaskfileTask,
    /// Subsystems that must be ensured before.
    pub(super) ensures: Vec<String>,
    /// What needs a person.
    pub(super) marks: Vec<String>,
}

/// Rewrites the task at `at`.
pub(super) fn rewrite(stack: &Stack, fates: &Fates, at: (usize, usize)) -> Rewritten {
    let task = stack.task(at).clone();
    let mut rewriter =
        Rewriter { stack, fates, file: at.0, ensures: Vec::new(), marks: Vec::new() };
    let mut first = Vec::new();
    let mut deps = Vec::new();
    for dep in &task.deps {
        match rewriter.gone(dep) {
            Some(effects) => first.extend(rewriter.done(effects, &task.name.value)),
            None => deps.push(dep.clone()),
        }
    }
    let mut commands = Vec::new();
    for command in &task.commands {
        if let Some(calls) = rewriter.one_each(command) {
            deps.extend(calls);
            continue;
        }
        let mut command = rewriter.of_shell(command);
        if let Some(Loop::Var { name, split: None, called: None }) = &command.each
            && let Some(items) = items(&stack.tree.files[at.0], &name.text, None)
            && items.iter().all(|item| stack.prefixes.contains(&Some(item.clone())))
        {
            command.each =
                Some(Loop::List(items.into_iter().map(|item| node(&item, name)).collect()));
        }
        match rewriter.gone(&command) {
            Some(effects) if matches!(command.deed, CommandKind::DeferCall(_)) => {
                let lines = rewriter.done(effects, &task.name.value);
                commands.extend(lines.into_iter().map(deferred));
            }
            Some(effects) => commands.extend(rewriter.done(effects, &task.name.value)),
            None => commands.push(command),
        }
    }
    first.append(&mut commands);
    let commands = without_doubles(first);
    let Rewriter { ensures, marks, .. } = rewriter;
    let mut task = TaskfileTask { deps, commands, silent: false, ..task };
    if task.dir.is_none() && at.0 != 0 && stands_anywhere(stack, at.0, &task) {
        let root = "{{.ROOT_DIR}}".to_owned();
        task.dir =
            Some(Scalar { text: root, style: Quoting::Plain, bytes: task.name.bytes.clone() });
    }
    Rewritten { task, ensures, marks }
}

/// Whether nothing in a task depends on where it runs.
pub(super) fn stands_anywhere(stack: &Stack, file: usize, task: &TaskfileTask) -> bool {
    let variables = MigratedVariables::new(&stack.tree, file);
    let written = |text: &Scalar| variables.written_out(&text.text, &|_| false);
    let mut globs = task.sources.iter().chain(&task.generates);
    let lines = task.commands.iter().filter_map(|one| match &one.deed {
        CommandKind::Run(line) | CommandKind::DeferRun(line) => Some(line),
        _ => None,
    });
    let asked = task
        .status
        .iter()
        .chain(task.preconditions.iter().map(|one| &one.sh))
        .chain(&task.condition);
    globs.all(|glob| written(&glob.pattern).starts_with("{{.ROOT_DIR}}"))
        && lines.chain(asked).all(|line| shell::is_rooted(&written(line)))
}

struct Rewriter<'s> {
    stack: &'s Stack,
    fates: &'s Fates<'s>,
    file: usize,
    ensures: Vec<String>,
    marks: Vec<String>,
}

impl Rewriter<'_> {
    /// What is to be done instead of the call that `command` is, if forge does that task.
    fn gone(&self, command: &TaskfileCommand) -> Option<Effects> {
        let name = self.stack.meant(self.file, &call(command)?.task.text);
        let fate = self.fates.disposition(&name)?;
        (!fate.stays()).then(|| self.fates.effects(&name))
    }

    /// Effects as commands; what is to be ensured is noted.
    fn done(&mut self, effects: Effects, _task: &str) -> Vec<TaskfileCommand> {
        let mut commands = Vec::new();
        for (verb, names) in effects {
            if verb == "ensure" {
                for name in names {
                    if !self.ensures.contains(&name) {
                        self.ensures.push(name);
                    }
                }
                continue;
            }
            let names: String = names.iter().map(|name| format!(" {name}")).collect();
            commands
                .push(run(format!("forge {verb}{names}").replace("{{ args }}", "{{.CLI_ARGS}}")));
        }
        commands
    }

    /// A command that is `task NAME` alone as that call; `task` within others as `forge run`.
    fn of_shell(&mut self, command: &TaskfileCommand) -> TaskfileCommand {
        let CommandKind::Run(line) = &command.deed else { return command.clone() };
        if !programs(&line.text).contains("task") {
            return command.clone();
        }
        let words = words(&line.text);
        let is_plain = !line.text.contains(['\n', '|', '&', ';', '$', '>', '<']);
        let names: Vec<&String> =
            words.iter().skip(1).filter(|word| !word.starts_with('-')).collect();
        if let ([name], true, Some("task")) =
            (names.as_slice(), is_plain, words.first().map(String::as_str))
        {
            let task = Scalar { text: format!(":{name}"), ..line.clone() };
            let task = if self.file == 0 { Scalar { text: (*name).clone(), ..task } } else { task };
            return TaskfileCommand {
                deed: CommandKind::Call(TaskfileCall { task, vars: Vec::new() }),
                ..command.clone()
            };
        }
        let text = in_forge(&line.text);
        for word in nested(&line.text) {
            let kept = |name: &&String| {
                self.fates.disposition(name).is_some_and(super::fate::Disposition::stays)
            };
            let is_there = self.stack.tasks.keys().filter(kept).any(|name| {
                name.ends_with(word.trim_start_matches(['$', '{', '}', '.'])) || fits(&word, name)
            });
            if !is_there {
                self.marks.push(format!("it calls `{word}`, which forge does by itself now"));
            }
        }
        TaskfileCommand {
            deed: CommandKind::Run(Scalar { text, ..line.clone() }),
            ..command.clone()
        }
    }

    /// The calls that a script comes to be which runs one task of each of a list, and says in the end
    /// which failed: that is what tasks that are needed do anyway.
    fn one_each(&self, command: &TaskfileCommand) -> Option<Vec<TaskfileCommand>> {
        const MAY: &[&str] = &["task", "printf", "echo", "exit", "[", "test"];
        let CommandKind::Run(line) = &command.deed else { return None };
        if !programs(&line.text).iter().all(|one| MAY.contains(&one.as_str())) {
            return None;
        }
        let (_, after) = line.text.split_once("for ")?;
        let (word, after) = after.split_once(" in {{.")?;
        let (list, _) = after.split_once("}}")?;
        let calls = nested(&line.text);
        let [one] = calls.as_slice() else { return None };
        let name = one.strip_prefix(&format!("${word}:"))?;
        let items = items(&self.stack.tree.files[self.file], list, None)?;
        let names: Vec<String> = items.iter().map(|item| format!("{item}:{name}")).collect();
        let stays = |name: &String| {
            self.fates.disposition(name).is_some_and(super::fate::Disposition::stays)
        };
        let call = |name: String| {
            let task = Scalar { text: name, ..line.clone() };
            TaskfileCommand {
                deed: CommandKind::Call(TaskfileCall { task, vars: Vec::new() }),
                ..command.clone()
            }
        };
        names.iter().all(stays).then(|| names.into_iter().map(call).collect())
    }
}

/// A text, as a list holds it.
fn node(text: &str, like: &Scalar) -> Node {
    let scalar = Scalar { text: text.to_owned(), style: Quoting::Plain, bytes: like.bytes.clone() };
    Node { value: Tree::Scalar(scalar), bytes: like.bytes.clone() }
}

/// The words that `task` is called with in a script.
fn nested(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in script.split("task ").skip(1) {
        let name = words(part.lines().next().unwrap_or_default())
            .into_iter()
            .find(|word| !word.starts_with('-'));
        found.extend(name.map(|name| name.trim_end_matches([')', '"', ';']).to_owned()));
    }
    found
}

fn fits(word: &str, name: &str) -> bool {
    word.rsplit_once('}')
        .map_or(word, |(_, end)| end)
        .split_once(':')
        .is_some_and(|(_, end)| name.ends_with(end))
}

/// `task --silent NAME` as `forge -q run NAME`, wherever a command stands.
fn in_forge(script: &str) -> String {
    let begins = |before: &str| {
        let before = before.trim_end_matches(' ');
        before.is_empty()
            || before.ends_with(['\n', ';', '|', '&', '(', '!', '`'])
            || ["if", "then", "do", "else", "until", "while"]
                .iter()
                .any(|word| before.ends_with(word))
    };
    let mut text = String::new();
    let mut rest = script;
    while let Some((before, after)) = rest.split_once("task ") {
        text.push_str(before);
        match begins(&text) {
            true => {
                let after_flags = after.trim_start_matches("--silent ").trim_start_matches("-s ");
                text.push_str(if after_flags.len() < after.len() {
                    "forge -q run "
                } else {
                    "forge run "
                });
                rest = after_flags;
            }
            false => {
                text.push_str("task ");
                rest = after;
            }
        }
    }
    text + rest
}

/// A command that a Taskfile does not hold.
pub(super) fn run(line: String) -> TaskfileCommand {
    TaskfileCommand {
        deed: CommandKind::Run(Scalar { text: line, style: Quoting::Plain, bytes: 0..0 }),
        each: None,
        condition: None,
        silent: false,
        ignore_error: false,
        platforms: Vec::new(),
        timeout: None,
        set: Vec::new(),
        shopt: Vec::new(),
        bytes: 0..0,
    }
}

fn deferred(command: TaskfileCommand) -> TaskfileCommand {
    match command.deed {
        CommandKind::Run(line) => TaskfileCommand { deed: CommandKind::DeferRun(line), ..command },
        _ => command,
    }
}

fn without_doubles(commands: Vec<TaskfileCommand>) -> Vec<TaskfileCommand> {
    let mut kept: Vec<TaskfileCommand> = Vec::new();
    for command in commands {
        let line = |one: &TaskfileCommand| match &one.deed {
            CommandKind::Run(line) if one.bytes == (0..0) => Some(line.text.clone()),
            _ => None,
        };
        if line(&command)
            .is_none_or(|text| !kept.iter().any(|one| line(one).as_deref() == Some(&text)))
        {
            kept.push(command);
        }
    }
    kept
}

/// Every template in a task.
pub(super) fn each_template(task: &mut TaskfileTask, change: &mut dyn FnMut(&mut Scalar)) {
    let single = [&mut task.label, &mut task.prefix, &mut task.condition, &mut task.dir];
    single.into_iter().flatten().for_each(&mut *change);
    for list in [&mut task.prompt, &mut task.status, &mut task.dotenv] {
        list.iter_mut().for_each(&mut *change);
    }
    task.sources.iter_mut().chain(&mut task.generates).for_each(|glob| change(&mut glob.pattern));
    for one in &mut task.preconditions {
        change(&mut one.sh);
        one.message.iter_mut().for_each(&mut *change);
    }
    task.vars.iter_mut().chain(&mut task.env).for_each(|one| of_variable(one, change));
    for command in task.commands.iter_mut().chain(&mut task.deps) {
        match &mut command.deed {
            CommandKind::Run(line) | CommandKind::DeferRun(line) => change(line),
            CommandKind::Call(call) | CommandKind::DeferCall(call) => {
                change(&mut call.task);
                call.vars.iter_mut().for_each(|one| of_variable(one, change));
            }
        }
        command.condition.iter_mut().for_each(&mut *change);
    }
}

/// Every template of a variable that is one text.
pub(super) fn of_variable(variable: &mut TaskfileVariable, change: &mut dyn FnMut(&mut Scalar)) {
    if let VariableValue::Text(text) | VariableValue::Sh(text) = &mut variable.value {
        change(text);
    }
}

//! Tasks that stay, rewritten so that nothing in them is about what is gone: calls of tasks that
//! forge does now, variables that forge has words for, and `task` itself.

use super::{
    calls::{calls_in, in_forge},
    fate::{Effects, Fates},
    shell,
    stack::{Stack, call},
    variables::MigratedVariables,
};
use crate::{
    manifest::{Quoting, Scalar},
    taskfile::{CommandKind, TaskfileCommand, TaskfileTask, TaskfileVariable, VariableValue},
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
    if let Some(owner) = fates.in_source(at) {
        rewriter.ensures.push(owner.to_owned());
    }
    let mut commands = Vec::new();
    let mut deps = Vec::new();
    for dep in &task.deps {
        match rewriter.gone(dep) {
            Some(effects) => {
                rewriter.ensured(&effects);
                commands.extend(verbs(&effects));
            }
            None => deps.push(dep.clone()),
        }
    }
    for command in &task.commands {
        let command = rewriter.of_shell(command);
        match rewriter.gone(&command) {
            Some(effects) => commands.extend(rewriter.instead(&command, &effects, &commands)),
            None => commands.push(command),
        }
    }
    let commands = without_doubles(commands);
    let mut task = TaskfileTask { deps, commands, silent: false, ..task };
    let asked = task.status.iter_mut().chain(task.preconditions.iter_mut().map(|one| &mut one.sh));
    for line in asked.chain(&mut task.condition) {
        line.text = rewriter.with_binaries(std::mem::take(&mut line.text));
    }
    let Rewriter { ensures, marks, .. } = rewriter;
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
        && lines.chain(asked).all(|line| shell::is_rooted(&written(line), &[]))
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

    /// Notes what is to be ensured before the task.
    fn ensured(&mut self, effects: &Effects) {
        for name in ensures(effects) {
            if !self.ensures.contains(name) {
                self.ensures.push(name.clone());
            }
        }
    }

    /// The commands that stand where a task was called that forge does. What is to be ensured before
    /// all else is needed; after other commands it is ensured in its turn.
    fn instead(
        &mut self,
        command: &TaskfileCommand,
        effects: &Effects,
        before: &[TaskfileCommand],
    ) -> Vec<TaskfileCommand> {
        let mut commands: Vec<_> = verbs(effects).collect();
        let names: Vec<&String> = ensures(effects).collect();
        let is_first = before.is_empty() && command.condition.is_none() && command.each.is_none();
        if is_first {
            self.ensured(effects);
        } else if !names.is_empty() && !names.iter().all(|name| self.ensures.contains(name)) {
            let names: String = names.iter().map(|name| format!(" {name}")).collect();
            commands.insert(0, run(format!("forge ensure{names}")));
        }
        let like = |made: TaskfileCommand| TaskfileCommand {
            deed: match (made.deed, &command.deed) {
                (CommandKind::Run(line), CommandKind::DeferCall(_)) => CommandKind::DeferRun(line),
                (deed, _) => deed,
            },
            condition: command.condition.clone(),
            ignore_error: command.ignore_error,
            platforms: command.platforms.clone(),
            ..made
        };
        commands.into_iter().map(like).collect()
    }

    /// `task` within a command as `forge run`.
    fn of_shell(&mut self, command: &TaskfileCommand) -> TaskfileCommand {
        let (line, is_deferred) = match &command.deed {
            CommandKind::Run(line) => (line, false),
            CommandKind::DeferRun(line) => (line, true),
            _ => return command.clone(),
        };
        for (name, is_said) in calls_in(&line.text) {
            if !is_said {
                let what = format!("`task {name}` has flags that forge lacks: it still needs Task");
                self.marks.push(what);
            }
        }
        let text = in_forge(&line.text, &|name| self.fates.instead_of(name));
        let text = self.with_binaries(text);
        let line = Scalar { text, ..line.clone() };
        let deed = if is_deferred { CommandKind::DeferRun(line) } else { CommandKind::Run(line) };
        TaskfileCommand { deed, ..command.clone() }
    }
}

impl Rewriter<'_> {
    /// A script of no subsystem in which binaries of subsystems are called by their names.
    fn with_binaries(&self, script: String) -> String {
        let fates = self.fates;
        let line = |line: &str| {
            // What is removed is what was there.
            if line.trim_start().starts_with("rm ") {
                return line.to_owned();
            }
            fates.binaries().fold(line.to_owned(), |line, (path, binary)| {
                let shown = [format!("{{{{.ROOT_DIR}}}}/{path}"), path];
                shown.iter().fold(line, |line, path| line.replace(path.as_str(), binary))
            })
        };
        let text = script.split('\n').map(line).collect::<Vec<_>>().join("\n");
        if self.fates.is_of_subsystem(self.file) {
            return script;
        }
        text
    }
}

/// The subsystems that `effects` ensure.
fn ensures(effects: &Effects) -> impl Iterator<Item = &String> {
    effects.iter().filter(|(verb, _)| verb == "ensure").flat_map(|(_, names)| names)
}

/// The other verbs of `effects`, as commands.
fn verbs(effects: &Effects) -> impl Iterator<Item = TaskfileCommand> {
    effects
        .iter()
        .filter(|(verb, _)| verb != "ensure")
        .map(|effect| run(command_of(effect).replace("{{ args }}", "{{.CLI_ARGS}}")))
}

/// `forge VERB NAME…`.
pub(super) fn command_of((verb, names): &(String, Vec<String>)) -> String {
    let names: String = names.iter().map(|name| format!(" {name}")).collect();
    format!("forge {verb}{names}")
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

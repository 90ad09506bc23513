//! Which tasks are meant by what somebody wrote, and what to say where none is.

use std::collections::BTreeSet;

use clap::CommandFactory;

use crate::{
    model::{Fault, Kind, all_nearest, nearest},
    report::render_warning,
    task::ParameterRequest as Asked,
    workspace::{Meaning, Names, Task, Workspace},
};

use super::{CliError, args::Args, session::Session, synonyms, task_args::TaskArgs};

/// The tasks called `asked`, which may be run by people.
pub(super) fn wanted<'w>(
    workspace: &'w Workspace,
    asked: &[String],
) -> Result<Vec<&'w Task>, Fault> {
    let mut tasks = Vec::new();
    for name in asked {
        let task = match find(workspace, name) {
            Err(fault) if !tasks.is_empty() => {
                let why = "a parameter is written `NAME=value`; what the commands are to get stands \
                           after `--`";
                return Err(fault.because(why));
            }
            found => found?,
        };
        if task.private {
            let fault = Fault::new(Kind::Usage, format!("the task {} is private", task.name));
            return Err(fault.because("only other tasks may use it"));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

pub(super) fn names(workspace: &Workspace) -> Names<'_> {
    Names::new(workspace.tasks.values(), workspace.subsystems.keys())
}

/// `tasks`, and all that they may come to run.
pub(super) fn reach<'w>(names: &Names<'w>, tasks: &[&'w Task]) -> Vec<&'w Task> {
    let mut seen: BTreeSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let mut reached = tasks.to_vec();
    let mut at = 0;
    while let Some(task) = reached.get(at).copied() {
        at += 1;
        for call in task.reach() {
            if let Some(Meaning::Task(target)) = names.meant(task, &call.name.text)
                && seen.insert(&target.name)
            {
                reached.push(target);
            }
        }
    }
    reached
}

/// The task called `name`.
pub(super) fn find<'w>(workspace: &'w Workspace, name: &str) -> Result<&'w Task, Fault> {
    let names = names(workspace);
    if let Some((one, other)) = names.tied(name) {
        let at = |task: &Task| format!("{}:{}", task.place.file.display(), task.line);
        let what = format!("`{name}` may be `{}` as well as `{}`", one.name, other.name);
        let why = format!("the patterns at {} and {} fit it equally well", at(one), at(other));
        return Err(Fault::new(Kind::Usage, what).because(why));
    }
    names.task(name).ok_or_else(|| unknown(workspace, name))
}

/// No verb and no task is called so.
fn unknown(workspace: &Workspace, name: &str) -> Fault {
    let fault = Fault::new(Kind::Usage, format!("there is no verb and no task `{name}`"));
    let tasks = workspace.tasks.values().filter(|task| !task.private);
    let tasks: Vec<&str> = tasks
        .flat_map(|task| task.aliases.iter().chain([&task.name]))
        .map(String::as_str)
        .collect();
    let is_that = |task: &&&str| task.rsplit_once(':').is_some_and(|(_, last)| last == name);
    let same: Vec<_> = tasks.iter().filter(is_that).take(3).map(|it| format!("`{it}`")).collect();
    if !same.is_empty() {
        return fault.hint(format!("there is {}", same.join(", ")));
    }
    if let Some(hint) = synonyms::hint(name) {
        return fault.hint(hint);
    }
    let command = Args::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verbs: Vec<_> = verbs.map(clap::Command::get_name).collect();
    // A task may have the name of a verb.
    let tasks = tasks.into_iter().filter(|task| !verbs.contains(task));
    let near = all_nearest(name, verbs.iter().copied().chain(tasks));
    let near: Vec<_> = near.iter().take(3).map(|word| format!("`{word}`")).collect();
    match near.is_empty() {
        true => {
            fault.hint(synonyms::near_hint(name).unwrap_or_else(|| {
                "`forge list` shows the tasks, `forge help` the verbs".to_owned()
            }))
        }
        false => fault.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

/// Why `word` is neither a verb nor a task, if that can be told: it can if there is no workspace, or a
/// sound one.
pub(super) fn unknown_word(session: &Session, word: &str) -> Option<Fault> {
    match session.workspace() {
        Ok(workspace) => find(&workspace, word).err(),
        Err(_) if session.layout().is_ok() => None,
        Err(_) => Some(without_any(word)),
    }
}

/// `word` is not a verb, and there is no workspace whose task it could be.
fn without_any(word: &str) -> Fault {
    let what = format!("there is no verb `{word}`, and no workspace that has a task so called");
    let hint = verb_hint(word).unwrap_or_else(|| "`forge help` shows the verbs".to_owned());
    Fault::new(Kind::Usage, what).hint(hint)
}

/// The verb that `word` means elsewhere, or is a slip of.
fn verb_hint(word: &str) -> Option<String> {
    let command = Args::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let near = || nearest(word, verbs.map(clap::Command::get_name));
    synonyms::hint(word)
        .or_else(|| near().map(|verb| format!("did you mean `{verb}`?")))
        .or_else(|| synonyms::near_hint(word))
}

/// Why there is no workspace; or, if a verb of others was typed where there is none, what that is called.
pub(super) fn without_workspace(session: &Session, asked: &Asked, stop: CliError) -> CliError {
    let word = asked.tasks.first().map(String::as_str).unwrap_or_default();
    match (session.layout(), verb_hint(word)) {
        (Err(_), Some(_)) => without_any(word).into(),
        _ => stop,
    }
}

/// Warns if nothing of what is asked for takes what stands after `--`.
pub(super) fn warn_of_args(
    session: &Session,
    workspace: &Workspace,
    asked: &Asked,
    wish: &TaskArgs,
) -> Result<(), Fault> {
    let tasks = wanted(workspace, &asked.tasks)?;
    let uses = |task: &&Task| task.templates().iter().any(|text| text.mentions("args"));
    if wish.args.is_empty() || reach(&names(workspace), &tasks).iter().any(uses) {
        return Ok(());
    }
    let called: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let what =
        format!("what stands after `--` changes nothing: {} does not use it", called.join(", "));
    let fault =
        Fault::new(Kind::Usage, what).hint("write `{{ args }}` in a command, where they belong");
    session.console().err(&render_warning(None, &fault, session.stderr_style()));
    Ok(())
}

//! `forge list` (and `forge` alone): what there is.

use std::collections::BTreeSet;

use crate::{
    report::{Align, Cell, Role, Table},
    workspace::{Parameter, Task, Workspace},
};

use super::{
    CliError,
    session::Session,
    shadow::{note, taken_names},
    task,
    task_args::TaskArgs,
};

/// Lists subsystems, groups and tasks; private ones too if `all`.
pub(super) fn list(session: &Session, all: bool) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let tasks = workspace.tasks.values().filter(|task| all || !task.private).collect::<Vec<_>>();
    let text = match session.flags.json {
        true => json(&workspace, &tasks),
        false => text(&workspace, &tasks, session),
    };
    session.say(&text)?;
    Ok(0)
}

fn text(workspace: &Workspace, tasks: &[&Task], session: &Session) -> String {
    let style = session.stdout_style();
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("binaries", Align::Left),
        ("description", Align::Left),
    ]);
    for subsystem in workspace.subsystems.values() {
        table.row([
            Cell::new(Role::Name, subsystem.name.as_str()),
            Cell::new(Role::Plain, subsystem.version.as_str()),
            Cell::new(Role::Plain, subsystem.binaries.join(", ")),
            Cell::new(Role::Dim, subsystem.desc.as_deref().unwrap_or_default()),
        ]);
    }
    let has_subsystems = !table.is_empty();
    let mut text = if has_subsystems { table.render(style) } else { String::new() };
    for (group, names) in &workspace.groups {
        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!("group {}: {}\n", style.paint(Role::Name, group), names.join(", ")));
    }
    let deployed: Vec<_> = workspace.deploys.keys().map(|name| name.as_str()).collect();
    for environment in workspace.environments.iter().filter(|_| !deployed.is_empty()) {
        let name = style.paint(Role::Name, &environment.name);
        text.push_str(&format!("environment {name}: {}\n", deployed.join(", ")));
    }
    if !tasks.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table_of(tasks).render(style));
    }
    text.push_str(match has_subsystems {
        true => "\n`forge ensure` installs all of them; `forge help` lists what else there is\n",
        false => "\n`forge help` lists what else there is\n",
    });
    text
}

/// The tasks: those of the workspace itself, then those of each subsystem and included file.
fn table_of(tasks: &[&Task]) -> Table {
    let space = |task: &Task| task.name.rsplit_once(':').map(|(space, _)| space.to_owned());
    let mut tasks = tasks.to_vec();
    tasks.sort_by_key(|task| space(task));
    let mut table = Table::new([
        ("task", Align::Left),
        ("parameters", Align::Left),
        ("description", Align::Left),
    ]);
    let (mut last, taken) = (None, taken_names());
    for task in tasks {
        let space = space(task);
        if last.replace(space.clone()).is_some_and(|last| last != space) {
            table.row([]);
        }
        let names: Vec<&str> =
            std::iter::once(&task.name).chain(&task.aliases).map(String::as_str).collect();
        let parameters: Vec<String> = task.with.iter().map(parameter).collect();
        let desc = task.desc.as_deref().unwrap_or_default();
        let private = if task.private { "(private) " } else { "" };
        table.row([
            Cell::new(Role::Name, names.join(", ")),
            Cell::new(Role::Plain, parameters.join(" ")),
            Cell::new(Role::Dim, described(task, &format!("{private}{desc}"), &taken)),
        ]);
    }
    table
}

/// `desc`, and how `task` is run where a verb has its name.
fn described(task: &Task, desc: &str, taken: &BTreeSet<String>) -> String {
    match (note(task, taken), desc.is_empty()) {
        (None, _) => desc.to_owned(),
        (Some(note), true) => format!("({note})"),
        (Some(note), false) => format!("{desc} ({note})"),
    }
}

/// Lists the tasks alone: what `forge run` shows that is given no name.
pub(super) fn list_tasks(session: &Session) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let tasks: Vec<&Task> = workspace.tasks.values().filter(|task| !task.private).collect();
    if session.flags.json {
        session.say(&json(&workspace, &tasks))?;
        return Ok(0);
    }
    if tasks.is_empty() {
        session.note("there are no tasks; `forge help manifest` says how they are written");
        return Ok(0);
    }
    session.say(&table_of(&tasks).render(session.stdout_style()))?;
    Ok(0)
}

/// What `forge` alone does: the task `default` if there is one, or else the list.
pub(super) fn bare(session: &Session) -> Result<u8, CliError> {
    let has_default = session.workspace()?.tasks.get("default").is_some_and(|task| !task.private);
    match has_default && !session.flags.json {
        true => task::start(&session.that_runs(), TaskArgs::named("default")),
        false => list(session, false),
    }
}

/// A parameter as it is given, in brackets if it need not be.
fn parameter(one: &Parameter) -> String {
    let value = match (&one.default, one.choices.as_slice()) {
        (Some(default), _) => default.clone(),
        (None, []) => "…".into(),
        (None, choices) => choices.join("|"),
    };
    let text = format!("{}={value}", one.name);
    if one.default.is_some() { format!("[{text}]") } else { text }
}

fn json(workspace: &Workspace, tasks: &[&Task]) -> String {
    let subsystems: Vec<_> = workspace
        .subsystems
        .values()
        .map(|subsystem| {
            serde_json::json!({
                "name": subsystem.name.as_str(),
                "version": subsystem.version.as_str(),
                "binaries": subsystem.binaries,
                "desc": subsystem.desc,
                "needs": subsystem.needs.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
                "build_needs": subsystem.build_needs.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
            })
        })
        .collect();
    let groups: serde_json::Map<_, _> = workspace
        .groups
        .iter()
        .map(|(group, names)| {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            (group.clone(), serde_json::json!(names))
        })
        .collect();
    let parameter = |one: &Parameter| {
        serde_json::json!({
            "name": one.name,
            "desc": one.desc,
            "default": one.default,
            "enum": one.choices,
        })
    };
    let task = |task: &&Task| {
        serde_json::json!({
            "name": task.name,
            "desc": task.desc,
            "help": task.help,
            "aliases": task.aliases,
            "private": task.private,
            "pattern": task.name.contains('*'),
            "subsystem": task.subsystem.as_ref().map(|name| name.as_str()),
            "file": task.place.file,
            "line": task.line,
            "with": task.with.iter().map(parameter).collect::<Vec<_>>(),
        })
    };
    let tasks: Vec<_> = tasks.iter().map(task).collect();
    let document = serde_json::json!({
        "schema": 1,
        "project": workspace.project,
        "subsystems": subsystems,
        "groups": groups,
        "tasks": tasks,
    });
    format!("{document:#}\n")
}

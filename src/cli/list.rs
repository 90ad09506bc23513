//! `forge list` (and `forge` alone): what there is.

use std::{collections::BTreeSet, ffi::OsStr, path::Path};

use clap::Parser;

use crate::{
    model::{Fault, Kind},
    report::{Align, Cell, Role, Table},
    workspace::{DeployEnvironment, Parameter, Task, Workspace},
};

use super::{
    CliError,
    args::Args,
    session::Session,
    shadow::{note, taken_names},
    task,
    task_args::TaskArgs,
    verb::Verb,
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

/// Lists all tasks of the Taskfile at `path`.
pub(super) fn taskfile(session: &Session, path: &Path) -> Result<u8, CliError> {
    let line = ["forge", "run", "--list-all", "--taskfile"].map(OsStr::new);
    match Args::try_parse_from(line.into_iter().chain([path.as_os_str()])).map(|args| args.verb) {
        Ok(Some(Verb::Run(wish))) => task::start(session, wish),
        Ok(_) => Ok(0),
        Err(error) => Err(Fault::new(Kind::Usage, error.to_string()).into()),
    }
}

fn text(workspace: &Workspace, tasks: &[&Task], session: &Session) -> String {
    let style = session.stdout_style();
    let has_images = workspace.subsystems.values().any(|subsystem| subsystem.image.is_some());
    let mut columns =
        vec![("subsystem", Align::Left), ("version", Align::Left), ("binaries", Align::Left)];
    columns.extend(has_images.then_some(("image", Align::Left)));
    columns.push(("description", Align::Left));
    let mut table = Table::new(columns);
    for subsystem in workspace.subsystems.values() {
        let image = subsystem.image.as_ref().map(|image| image.repo.to_string());
        let binaries =
            if subsystem.has_binaries() { subsystem.binaries.join(", ") } else { "-".into() };
        let mut row = vec![
            Cell::new(Role::Name, subsystem.name.as_str()),
            Cell::new(Role::Plain, subsystem.version.as_str()),
            Cell::new(Role::Plain, binaries),
        ];
        row.extend(has_images.then(|| Cell::new(Role::Plain, image.unwrap_or_default())));
        row.push(Cell::new(Role::Dim, subsystem.desc.as_deref().unwrap_or_default()));
        table.row(row);
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
                "image": subsystem.image.as_ref().map(|image| image.repo.to_string()),
                "desc": subsystem.desc,
                "needs": subsystem.needs.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
                "deployed": workspace.deploys.contains_key(&subsystem.name),
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
    let environment = |it: &DeployEnvironment| {
        serde_json::json!({
            "name": it.name,
            "branch": it.branch,
            "tag": it.tag,
            "after": it.after,
            "pull_request": it.is_preview,
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "project": workspace.project,
        "environments": workspace.environments.iter().map(environment).collect::<Vec<_>>(),
        "subsystems": subsystems,
        "groups": groups,
        "tasks": tasks,
    });
    format!("{document:#}\n")
}

//! `forge list` (and `forge` alone): what there is; and `forge env`: how to use it.

use crate::{
    report::{Align, Cell, Role, Table},
    workspace::{Parameter, Task, Workspace},
};

use super::{CliError, choice::EnvShell, session::Session};

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
    let mut text = table.render(style);
    for (group, names) in &workspace.groups {
        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!("group {}: {}\n", style.paint(Role::Name, group), names.join(", ")));
    }
    if !tasks.is_empty() {
        text.push('\n');
        text.push_str(&table_of(tasks).render(style));
    }
    text.push_str(
        "\n`forge ensure` makes all of them present; `forge --help` lists what else there is\n",
    );
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
    let mut last = None;
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
            Cell::new(Role::Dim, format!("{private}{desc}")),
        ]);
    }
    table
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

/// Prints the line that puts `.forge/bin` on PATH.
pub(super) fn env(session: &Session, shell: EnvShell) -> Result<u8, CliError> {
    let bin = session.layout()?.bin().display().to_string();
    let line = match shell {
        EnvShell::Sh => format!("export PATH='{}':\"$PATH\"\n", bin.replace('\'', r"'\''")),
        EnvShell::Fish => {
            let bin = bin.replace('\\', r"\\").replace('\'', r"\'");
            format!("set -gx PATH '{bin}' $PATH\n")
        }
        EnvShell::Powershell => {
            let bin = bin.replace('\'', "''");
            format!("$env:PATH = '{bin}' + [IO.Path]::PathSeparator + $env:PATH\n")
        }
    };
    session.say(&line)?;
    Ok(0)
}

//! `forge list` (and `forge` alone): what there is; and `forge env`: how to use it.

use crate::{
    report::{Align, Cell, Role, Table},
    workspace::{Parameter, Task, Workspace},
};

use super::{
    Stop,
    args::EnvShell,
    session::{Session, say},
};

/// Lists subsystems, groups and tasks.
pub(super) fn list(session: &Session) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let text = if session.flags.json { json(&workspace) } else { text(&workspace, session) };
    say(&text)?;
    Ok(0)
}

fn text(workspace: &Workspace, session: &Session) -> String {
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
    for task in workspace.tasks.values().filter(|task| !task.private) {
        let desc = task.desc.as_deref().map(|desc| format!(": {desc}")).unwrap_or_default();
        text.push_str(&format!("task {}{desc}\n", style.paint(Role::Name, &task.name)));
    }
    text.push_str(
        "\n`forge ensure` makes all of them present; `forge --help` lists what else there is\n",
    );
    text
}

fn json(workspace: &Workspace) -> String {
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
    let task = |task: &Task| {
        serde_json::json!({
            "name": task.name,
            "desc": task.desc,
            "help": task.help,
            "aliases": task.aliases,
            "private": task.private,
            "with": task.with.iter().map(parameter).collect::<Vec<_>>(),
        })
    };
    let tasks: Vec<_> = workspace.tasks.values().map(task).collect();
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
pub(super) fn env(session: &Session, shell: EnvShell) -> Result<u8, Stop> {
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
    say(&line)?;
    Ok(0)
}

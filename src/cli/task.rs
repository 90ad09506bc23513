//! `forge run TASK`, and the name of a task alone: its commands, one after the other.

use std::sync::Arc;

use clap::CommandFactory;

use crate::{
    model::{ArtifactId, Fault, Kind, nearest},
    process::{Cancel, Command, CommandLine, CommandRunner, Runner},
    workspace::{Places, Source, Task, Text, Workspace},
};

use super::{
    Stop,
    args::Args,
    run::{jobs, runtime},
    session::{Session, say},
};

/// Runs the task called `name`. What its commands print is passed on.
pub(super) fn run(session: &Session, name: &str) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let task = workspace.tasks.get(name).ok_or_else(|| unknown(&workspace, name))?;
    if session.flags.dry_run {
        check(task)?;
        for command in &task.commands {
            say(&format!("would run {}\n", command.symbolic()))?;
        }
        return Ok(0);
    }
    let mut pass_on = |line: &str| {
        // A reader that went away must not stop the task.
        let _ = say(&format!("{line}\n"));
    };
    run_all(session, &workspace, &[task], &mut |_| (), &mut pass_on)?;
    Ok(0)
}

/// Runs `tasks`, one after the other, up to the first that fails. Each is told to `begins`, and
/// each line that its commands print goes to `line`.
pub(super) fn run_all(
    session: &Session,
    workspace: &Workspace,
    tasks: &[&Task],
    begins: &mut dyn FnMut(&Task),
    line: &mut (dyn FnMut(&str) + Send),
) -> Result<(), Fault> {
    tasks.iter().try_for_each(|task| check(task))?;
    runtime()?.block_on(async {
        let cancel = Cancel::new();
        cancel.listen_to_signals()?;
        let runner = Arc::new(Runner::new(jobs(session), cancel).guarded());
        for task in tasks {
            begins(task);
            for command in commands(workspace, task)? {
                let done = runner.run(&command, line).await;
                done.map_err(|fault| fault.within(format!("task {} failed", task.name)))?;
            }
        }
        Ok(())
    })
}

/// Whether the source that `task` speaks of is there. What was downloaded has none here.
pub(super) fn has_source(workspace: &Workspace, task: &Task) -> bool {
    !task.mentions("src") || places(workspace, task).src.is_dir()
}

/// Whether all that `task` says can be run.
fn check(task: &Task) -> Result<(), Fault> {
    let Some(key) = &task.beyond else { return Ok(()) };
    Err(Fault::new(Kind::Usage, format!("the task {} cannot be run", task.name))
        .because(format!("it uses `{key}`, which this forge knows but does not run yet"))
        .hint("`desc`, `run` (a command or a list of commands), `dir` and `env` are run"))
}

fn commands(workspace: &Workspace, task: &Task) -> Result<Vec<Command>, Fault> {
    if !has_source(workspace, task) {
        let owner = task.subsystem.as_ref().map_or("it", |name| name.as_str());
        let what = format!("the task {} works on the source of {owner}", task.name);
        return Err(Fault::new(Kind::Failed, what)
            .because("that source is not here, since nothing was built from it here")
            .hint(format!("`forge ensure --force {owner}` fetches and builds it")));
    }
    let places = places(workspace, task);
    let root = workspace.layout.root();
    let dir = task.dir.as_ref().map_or(root.to_owned(), |dir| root.join(dir.expand(&places)));
    let command = |text: &Text| Command {
        env: task.env.iter().map(|(key, value)| (key.clone(), value.expand(&places))).collect(),
        path: vec![workspace.layout.bin()],
        jobs: true,
        ..Command::new(CommandLine::Shell(text.expand_in_shell(&places)), &dir)
    };
    Ok(task.commands.iter().map(command).collect())
}

/// What the places are for a task: those of its subsystem as it is installed here.
fn places(workspace: &Workspace, task: &Task) -> Places {
    let layout = &workspace.layout;
    let workspace_itself =
        Places { root: layout.root().to_owned(), bin: layout.bin(), ..Places::default() };
    let Some(name) = &task.subsystem else { return workspace_itself };
    let id = ArtifactId { name: name.clone(), platform: workspace.platform };
    let locked = workspace.lock.subsystems.get(name);
    Places {
        src: match &workspace.subsystems[name].source {
            Source::Path { dir, .. } => layout.root().join(dir),
            _ => layout.source(&id),
        },
        out: layout.installed_artifact(&id),
        work: layout.sources().join(format!("{}.work", id.file_name())),
        commit: locked.and_then(|locked| locked.commit.clone()).unwrap_or_default(),
        ..workspace_itself
    }
}

/// No verb and no task is called so.
fn unknown(workspace: &Workspace, name: &str) -> Fault {
    let fault = Fault::new(Kind::Usage, format!("there is no verb and no task `{name}`"));
    let command = Args::command();
    let verbs = command.get_subcommands().map(clap::Command::get_name);
    let tasks = workspace.tasks.keys().map(String::as_str);
    match nearest(name, verbs.chain(tasks)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("`forge list` shows the tasks, `forge --help` the verbs"),
    }
}

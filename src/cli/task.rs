//! `forge run TASK`, and the name of a task alone; and `forge explain TASK`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, BufRead, IsTerminal},
    sync::Arc,
};

use crate::{
    cache::Cache,
    model::{Fault, Kind, Layout, Name},
    probe::withdraw_distrusted,
    process::Cancel,
    report::Role,
    task::{
        self, Invocation, ParameterRequest as Asked, PreviewOptions, TaskEngine, TaskEvent,
        TaskMessage, TaskOptions, preview, subsystems,
    },
    workspace::{Task, Workspace, Workspaces},
};

use super::{
    CliError, ensure, explain_json, list,
    publish::Publish,
    remote::{remote_of_tasks, tell_remote_of_tasks},
    run::{self, RunRequest, jobs},
    session::Session,
    shadow,
    task_args::TaskArgs,
    task_names::{find, names, reach, wanted, warn_of_args, without_workspace},
    task_noop::{NoopCache, is_lasting},
    task_screen::TaskScreen,
    taskfile,
    watch::{self, Loaded},
};

pub(super) use task::has_source;

/// Runs tasks of the workspace, or of a Taskfile.
pub(super) fn start(session: &Session, mut wish: TaskArgs) -> Result<u8, CliError> {
    let Some(path) = wish.taskfile.take() else { return run(session, &wish) };
    wish.is_of_taskfile = true;
    taskfile::run(session, &path, &wish)
}

/// Runs tasks with all they need.
fn run(session: &Session, wish: &TaskArgs) -> Result<u8, CliError> {
    let asked = Asked::read(&wish.words)?;
    if wish.words.is_empty() && wish.args.is_empty() && !wish.watch {
        return list::list_tasks(session);
    }
    if asked.tasks.is_empty() {
        return Err(Fault::new(Kind::Usage, "no task is named")
            .hint("`forge list` shows them")
            .into());
    }
    if wish.watch && !session.flags.dry_run {
        return watch::watch(session, wish, &|| {
            let workspaces = Arc::new(loaded(session, &asked)?);
            let files = workspaces.any().inputs.clone();
            Ok(Loaded { workspaces, asked: asked.clone(), files })
        });
    }
    let question = NoopCache::open(session, wish)
        .map_err(|stop| without_workspace(session, &asked, stop.into()))?;
    if question.as_ref().is_some_and(|question| question.answered(session)) {
        return Ok(0);
    }
    let workspaces = Arc::new(loaded(session, &asked)?);
    warn_of_args(session, workspaces.any(), &asked, wish)?;
    run_in(session, &workspaces, &asked, wish, question)
}

/// The workspace, with the variables that are `asked` for.
fn loaded(session: &Session, asked: &Asked) -> Result<Workspaces, CliError> {
    let workspaces =
        session.workspaces().map_err(|stop| without_workspace(session, asked, stop))?;
    let set = asked.assignments(&wanted(workspaces.any(), &asked.tasks)?)?;
    match set.is_empty() {
        true => Ok(workspaces),
        // Loaded again, so that all that looks at these variables is what they make it.
        false => session.workspaces_with(&set),
    }
}

/// Returns 0 if there is nothing to do for any of the tasks that are asked for, and 1 at the first for
/// which there is. Runs their `status`, and no command.
pub(super) fn status_of(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    asked: &Asked,
) -> Result<u8, CliError> {
    let workspace = workspaces.any();
    let options = TaskOptions { as_task: true, only_looks: true, ..options(session, false, false) };
    let audience = |_: TaskMessage| ();
    for (task, name) in wanted(workspace, &asked.tasks)?.iter().zip(&asked.tasks) {
        let invocation = Invocation::new(task, asked.parameters(task), Vec::new())?.called(name);
        let (runner, cancel) = (session.host.runner(options.jobs), session.host.cancel().clone());
        let engine = TaskEngine::new(workspace, options, &audience, cancel, runner);
        session.host.runtime()?.block_on(engine.look_at(&invocation))?;
    }
    Ok(0)
}

/// Runs tasks of `workspaces` with all they need.
pub(super) fn run_in(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    asked: &Asked,
    wish: &TaskArgs,
    question: Option<NoopCache>,
) -> Result<u8, CliError> {
    let wanted = SelectedTasks::select(workspaces, asked, wish)?;
    if session.flags.dry_run {
        for invocation in wanted.invocations {
            dry_run(session, wanted.workspace, invocation)?;
        }
        return Ok(0);
    }
    wanted.confirm(session, wish)?;
    let question =
        question.filter(|_| wanted.rests_on_files() && !session.follows_checkout(wanted.workspace));
    let running = wanted.run(session, wish, session.host.cancel().clone(), question.as_ref());
    session.host.runtime()?.block_on(running)
}

/// Tasks about to run.
pub(super) struct SelectedTasks<'w> {
    workspaces: &'w Arc<Workspaces>,
    workspace: &'w Workspace,
    /// As they are asked for.
    pub(super) invocations: Vec<Invocation<'w>>,
    /// They and all that they may come to run.
    reached: Vec<&'w Task>,
    /// The subsystems that they need.
    needed: BTreeSet<Name>,
}

impl<'w> SelectedTasks<'w> {
    /// What is `asked` of `workspaces`.
    ///
    /// # Errors
    /// `Usage` if there are no such tasks, or if they are given what they do not take.
    pub(super) fn select(
        workspaces: &'w Arc<Workspaces>,
        asked: &Asked,
        wish: &TaskArgs,
    ) -> Result<Self, Fault> {
        let workspace = workspaces.any();
        let tasks = wanted(workspace, &asked.tasks)?;
        let mut invocations = Vec::new();
        for (task, name) in tasks.iter().zip(&asked.tasks) {
            let invocation = Invocation::new(task, asked.parameters(task), wish.args.clone())?;
            invocations.push(invocation.called(name));
        }
        let names = names(workspace);
        let mut needed = BTreeSet::new();
        for task in &tasks {
            needed.append(&mut subsystems(&names, task)?);
        }
        let reached = reach(&names, &tasks);
        Ok(Self { workspaces, workspace, invocations, reached, needed })
    }

    /// Asks every question of all that may come to run, before anything runs.
    ///
    /// # Errors
    /// If the answer is no, or there is nobody to ask.
    pub(super) fn confirm(&self, session: &Session, wish: &TaskArgs) -> Result<(), Fault> {
        let asking = self.reached.iter().filter(|_| !wish.yes);
        for task in asking.filter(|task| task.confirm.is_some()) {
            let asked = self.invocations.iter().find(|one| one.task.name == task.name);
            let invocation = match asked {
                Some(invocation) => invocation.clone(),
                None => stand_in(task)?,
            };
            confirm(session, task, &self.question(session, &invocation)?)?;
        }
        Ok(())
    }

    /// What `invocation` asks, once its variables are found out.
    fn question(&self, session: &Session, invocation: &Invocation<'w>) -> Result<String, Fault> {
        let options = options(session, false, false);
        let audience = |_: TaskMessage| ();
        let runner = session.host.runner(options.jobs);
        let cancel = session.host.cancel().clone();
        let engine = TaskEngine::new(self.workspace, options, &audience, cancel, runner);
        let question = session.host.runtime()?.block_on(engine.question(invocation))?;
        Ok(question.unwrap_or_default())
    }

    /// Where things are.
    pub(super) fn layout(&self) -> &Layout {
        &self.workspace.layout
    }

    /// Whether an answer that there was nothing to do may be kept.
    fn rests_on_files(&self) -> bool {
        self.needed.is_empty() && is_lasting(self.workspace, &self.reached)
    }

    /// Runs them, after what they need is ensured, to their end or until `cancel` stops them; what
    /// fails is told. Returns the exit code.
    ///
    /// # Errors
    /// If something could not run, or failed and the exit code is not that of a command.
    pub(super) async fn run(
        &self,
        session: &Session,
        wish: &TaskArgs,
        cancel: Cancel,
        question: Option<&NoopCache>,
    ) -> Result<u8, CliError> {
        let ensured = ensure_until(session, self.workspaces, &self.needed, cancel.clone()).await;
        if let Some(code) = ensured? {
            return Ok(code);
        }
        let is_one = self.reached.len() == 1;
        let screen = match wish.is_of_taskfile {
            true => TaskScreen::as_task(session, self.workspace, wish.output),
            false => TaskScreen::for_session(session, self.workspace, is_one, wish.output),
        };
        let audience = |told: TaskMessage| {
            if let Some(question) = question {
                question.hear(told);
            }
            screen.show(told);
        };
        let options = TaskOptions {
            restore: !wish.is_of_taskfile,
            as_task: wish.is_of_taskfile,
            ..options(session, wish.fail_fast, screen.lets_through())
        };
        let runner = session.host.runner_until(options.jobs, cancel.clone());
        let _in_use = session.host.cache().ok().and_then(Cache::begin_use);
        let remote = remote_of_tasks(session, self.workspaces, &self.reached, options);
        let engine = TaskEngine::new(self.workspace, options, &audience, cancel.clone(), runner)
            .sharing(remote.clone());
        let done = perform(&engine, self.workspace, self.invocations.clone(), wish.parallel).await;
        let tell = |text: &str| session.note(text);
        tell_remote_of_tasks(session, remote.as_deref(), &cancel, &tell).await;
        screen.finish(done.as_ref().err().map(ToString::to_string).as_deref());
        let Err(fault) = done else {
            question.inspect(|question| question.keep(self.workspace, &engine));
            return Ok(0);
        };
        let Some(code) = fault.code.filter(|_| wish.exit_code) else { return Err(fault.into()) };
        session.report(fault.into());
        Ok(code)
    }
}

/// Runs `task` by itself. Each line that its commands print goes to `line`.
pub(super) fn run_alone(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    workspace: &Workspace,
    task: &Task,
    line: &(dyn Fn(&str) + Sync),
) -> Result<(), CliError> {
    let needed = subsystems(&names(workspace), task)?;
    if ensure_all(session, workspaces, &needed)?.is_some() {
        let what = format!("what {} needs could not be ensured", task.name);
        return Err(Fault::new(Kind::Failed, what).into());
    }
    let options = options(session, false, false);
    let reached = reach(&names(workspace), &[task]);
    let remote = remote_of_tasks(session, workspaces, &reached, options);
    let invocation = Invocation::new(task, BTreeMap::new(), Vec::new())?;
    let audience = |told: TaskMessage| match told.event {
        TaskEvent::Line(text) | TaskEvent::Printed(text, _) => line(text),
        TaskEvent::Note(note) => line(&format!("{} {note}", told.label)),
        _ => {}
    };
    session.host.runtime()?.block_on(async {
        let cancel = session.host.cancel().clone();
        let runner = session.host.runner(options.jobs);
        let engine =
            TaskEngine::new(workspace, options, &audience, cancel, runner).sharing(remote.clone());
        let done = perform(&engine, workspace, vec![invocation], false).await;
        tell_remote_of_tasks(session, remote.as_deref(), session.host.cancel(), &line).await;
        done
    })?;
    Ok(())
}

/// Runs `invocations`, if the sources that their tasks speak of are here.
async fn perform<'w>(
    engine: &TaskEngine<'w>,
    workspace: &Workspace,
    invocations: Vec<Invocation<'w>>,
    side_by_side: bool,
) -> Result<(), Fault> {
    let lacks = |task: &&&Task| !has_source(workspace, task);
    if let Some(task) = invocations.iter().map(|one| &one.task).find(lacks) {
        let owner = task.subsystem.as_ref().map_or("it", |name| name.as_str());
        let what = format!("the task {} works on the source of {owner}", task.name);
        return Err(Fault::new(Kind::Failed, what)
            .because("that source is not here, since nothing was built from it here")
            .hint(format!("`forge ensure --force {owner}` fetches and builds it")));
    }
    engine.run_all(invocations, side_by_side).await
}

/// Ensures what tasks need. Returns the exit code if that failed, which was told then.
pub(super) fn ensure_all(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    names: &BTreeSet<Name>,
) -> Result<Option<u8>, CliError> {
    if names.is_empty() {
        withdraw(session, workspaces)?;
        return Ok(None);
    }
    let cancel = session.host.cancel().clone();
    session.host.runtime()?.block_on(ensure_until(session, workspaces, names, cancel))
}

/// Takes off the PATH of tasks what this run may not use.
fn withdraw(session: &Session, workspaces: &Workspaces) -> Result<(), Fault> {
    withdraw_distrusted(workspaces.any(), session.host.seal_key(), session.classes().takes)
}

/// [`ensure_all`], up to its end or until `cancel` stops it.
async fn ensure_until(
    session: &Session,
    workspaces: &Arc<Workspaces>,
    names: &BTreeSet<Name>,
    cancel: Cancel,
) -> Result<Option<u8>, CliError> {
    withdraw(session, workspaces)?;
    if names.is_empty() || ensure::is_known_fresh(session, workspaces.layout(), names) {
        return Ok(None);
    }
    let request = RunRequest { workspaces: workspaces.clone(), names, publish: Publish::AsUsual };
    let report = run::run_until(session, request, cancel).await?.report;
    if report.is_good() {
        return Ok(None);
    }
    let style = session.stderr_style();
    let text = ensure::closing(session, workspaces.layout(), &report, ensure::DONE, style);
    session.console().err(&text);
    Ok(Some(report.exit_code()))
}

fn options(session: &Session, fail_fast: bool, through: bool) -> TaskOptions {
    TaskOptions {
        jobs: jobs(session),
        force: session.flags.force,
        restore: true,
        as_task: false,
        only_looks: false,
        fail_fast,
        through,
        classes: session.classes(),
    }
}

/// A call of `task` in which what must be given stands for itself.
fn stand_in(task: &Task) -> Result<Invocation<'_>, Fault> {
    let given = task.with.iter().filter(|one| one.default.is_none());
    let given = given.map(|one| {
        let value = one.choices.first().cloned().unwrap_or_else(|| format!("<{}>", one.name));
        (one.name.clone(), value)
    });
    Invocation::new(task, given.collect(), Vec::new())
}

/// Asks the `question` of `task`.
fn confirm(session: &Session, task: &Task, question: &str) -> Result<(), Fault> {
    let refused = |why: &str| {
        Fault::new(Kind::Failed, format!("the task {} was not confirmed", task.name))
            .because(why.to_owned())
            .hint("`--yes` answers every question with yes")
    };
    if !io::stdin().is_terminal() {
        return Err(refused("it asks a question, and there is no terminal to ask at"));
    }
    session.console().err(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused("the answer was no")),
    }
}

fn dry_run(
    session: &Session,
    workspace: &Workspace,
    invocation: Invocation,
) -> Result<u8, CliError> {
    let how = PreviewOptions { force: session.flags.force, through_calls: true };
    for task in preview(workspace, invocation, how, session.classes())? {
        if !task.runs {
            session.say(&format!("would leave {} as it is: {}\n", task.name, task.why))?;
            continue;
        }
        for line in &task.commands {
            let command = line.trim_start_matches(' ');
            let indent = " ".repeat(line.len() - command.len());
            session.say(&format!("{indent}would run {command}\n"))?;
        }
    }
    Ok(0)
}

/// Shows what a task is and why it would run.
pub(super) fn explain(
    session: &Session,
    workspace: &Workspace,
    name: &str,
) -> Result<u8, CliError> {
    let task = find(workspace, name)?;
    let invocation = stand_in(task)?.called(name);
    let how = PreviewOptions { force: session.flags.force, through_calls: false };
    let previews = preview(workspace, invocation, how, session.classes())?;
    if session.flags.json {
        let text = format!("{:#}\n", explain_json::task(task, &previews));
        session.say(&session.host.secrets().mask(&text))?;
        return Ok(0);
    }
    let style = session.stdout_style();
    let desc = task.desc.as_deref().map_or_else(String::new, |desc| format!(": {desc}"));
    let mut text = format!("{}{desc}\n", style.paint(Role::Name, &task.name));
    if let Some(note) = shadow::note(task, &shadow::taken_names()) {
        let _ = writeln!(text, "  {note}");
    }
    for line in task.help.iter().flat_map(|help| help.lines()) {
        let _ = writeln!(text, "  {line}");
    }
    for one in &task.with {
        let desc = one.desc.as_deref().map_or_else(String::new, |desc| format!(": {desc}"));
        let default = match &one.default {
            Some(default) => format!("`{default}` if it is not given"),
            None => "must be given".into(),
        };
        let _ = writeln!(text, "  parameter {}{desc} ({default})", one.name);
    }
    for task in previews {
        let verb = if task.runs { "would run" } else { "would be left as it is" };
        let _ = writeln!(text, "{} {verb}: {}", style.paint(Role::Name, &task.name), task.why);
        for command in &task.commands {
            let _ = writeln!(text, "  {command}");
        }
    }
    session.say(&text)?;
    Ok(0)
}

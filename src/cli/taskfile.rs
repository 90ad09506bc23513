//! `forge run --taskfile PATH TASK...`: tasks of a Taskfile, said in forge's language in memory and
//! run by the ordinary engine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    model::{Fault, Kind, Problems, suggestion},
    process::SyntaxCheck,
    report::render_warning,
    task::ParameterRequest,
    taskfile::{self, Given, ListedTask, Remark, TaskListing, TaskfileTree, Translation},
    workspace::{LoadError, LoadInputs, SaidTaskfile, Workspace, Workspaces, load_text},
};

use super::{
    CliError,
    choice::ListOrder,
    included,
    session::Session,
    task,
    task_args::TaskArgs,
    task_noop::NoopCache,
    watch::{self, Loaded},
};

/// Runs tasks of the Taskfile that `path` is or is in.
pub(super) fn run(session: &Session, path: &Path, wish: &TaskArgs) -> Result<u8, CliError> {
    let path = match path.to_str() {
        Some("~") => Path::new(session.host.environment().get("HOME").unwrap_or("/")),
        _ => path,
    };
    let found = taskfile::find(&session.folder()?.join(path), true);
    let path = found.map_err(|fault| fault.hint("name the file: `--taskfile PATH`"))?;
    let question = NoopCache::of_taskfile(session, wish, &path)?;
    if question.as_ref().is_some_and(|question| question.answered(session)) {
        return Ok(0);
    }
    let opened = OpenedTaskfile::read(session, &path, wish)?;
    if let Some(code) = shown(session, &opened, wish)? {
        return Ok(code);
    }
    let (Loaded { workspaces, asked, .. }, translation) = load(session, &opened, wish)?;
    if (wish.watch || opened.is_watched()) && !session.flags.dry_run {
        return watch::watch(session, wish, &|| {
            Ok(load(session, &OpenedTaskfile::read(session, &path, wish)?, wish)?.0)
        });
    }
    if wish.status {
        return task::status_of(session, &workspaces, &asked);
    }
    let question = question.zip(opened.files()).map(|(question, files)| question.resting_on(files));
    task::run_in(session, &workspaces, &asked, wish, question).map_err(|error| match error {
        // What is wrong stands in the Taskfile, and not in what was made of it.
        CliError::Fault(mut fault) => {
            let blamed = |wrong: Box<Problems>| Box::new(translation.blamed(*wrong, &opened.tree));
            fault.shown = fault.shown.take().map(blamed);
            CliError::Fault(fault)
        }
        error @ CliError::Problems(_) => error,
    })
}

/// A Taskfile with all it includes, and what is asked of it.
struct OpenedTaskfile {
    tree: TaskfileTree,
    given: Given,
    /// The tasks that are named.
    names: Vec<String>,
}

impl OpenedTaskfile {
    fn read(session: &Session, path: &Path, wish: &TaskArgs) -> Result<Self, CliError> {
        let (names, words) = sorted(wish);
        let given = Given { words, env: session.host.environment().to_texts() };
        let layout = session.layout_at(path.parent().unwrap_or(Path::new("/")).to_owned());
        let tree =
            included::loaded(session, &layout, |library| taskfile::read(path, &given, library))?;
        let tree = tree.in_groups(wish.group_begin.clone(), wish.group_end.clone());
        Ok(Self { tree, given, names })
    }

    /// The files that say what its tasks are, and those that would if they were there; nothing if
    /// it is not known which those are.
    fn files(&self) -> Option<Vec<PathBuf>> {
        let includes = self.tree.files.iter().flat_map(|file| &file.includes);
        let mut missing_ones = includes.filter(|include| include.target.is_none());
        if missing_ones.any(|include| include.taskfile.text.contains(['{', '~', '$'])) {
            return None;
        }
        let here = self.tree.files.iter().map(|file| self.tree.root.join(&file.file.path));
        let missing = self.tree.files.iter().flat_map(|file| {
            let absent = file.includes.iter().filter(|include| include.target.is_none());
            absent.flat_map(|include| {
                let path = file.dir.join(&include.taskfile.text);
                taskfile::NAMES
                    .iter()
                    .map(|name| path.join(name))
                    .chain([path.clone()])
                    .collect::<Vec<_>>()
            })
        });
        let mut files: Vec<PathBuf> = here.clone().chain(missing).collect();
        // A file of a name that is looked for first would be taken instead.
        for file in here {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let before = taskfile::NAMES.iter().take_while(|other| **other != name);
            if taskfile::NAMES.contains(&name) {
                files.extend(before.map(|other| file.with_file_name(other)));
            }
        }
        Some(files)
    }

    /// Whether it says itself that one of the named tasks is to be watched.
    fn is_watched(&self) -> bool {
        let mut own = self.tree.files.first().into_iter().flat_map(|file| &file.tasks);
        own.any(|task| task.watch && self.names.contains(&task.name.value))
    }
}

/// Lists or describes tasks, if that is asked for, or one that is named is not there. Returns the exit
/// code then.
fn shown(
    session: &Session,
    opened: &OpenedTaskfile,
    wish: &TaskArgs,
) -> Result<Option<u8>, CliError> {
    let OpenedTaskfile { tree, given, names } = opened;
    let is_known = |name: &String| taskfile::has_task(tree, name);
    if !(wish.list || wish.list_all || wish.summary) && names.iter().all(is_known) {
        return Ok(None);
    }
    let none = BTreeMap::new();
    let wished = taskfile::TranslationRequest {
        tasks: Some(names),
        given,
        args: &wish.args,
        flags: &[],
        words: &none,
    };
    let mut listing = TaskListing::from_tree(tree, &wished);
    match wish.sort {
        Some(ListOrder::None) => listing.as_written(tree),
        Some(ListOrder::Alphanumeric) => listing.by_name(),
        Some(ListOrder::Default) | None => {}
    }
    if wish.list || wish.list_all {
        if session.flags.json {
            session.say(&as_json(&listing, tree, wish.list_all))?;
            return Ok(Some(0));
        }
        if listing.is_empty(wish.list_all) {
            let what = match wish.list_all {
                true => "task: No tasks available\n",
                false => {
                    "task: No tasks with description available. Try --list-all to list all tasks\n"
                }
            };
            session.say(what)?;
            return Ok(Some(1));
        }
        match session.flags.quiet {
            true => session.say(&listing.names(wish.list_all))?,
            false => session.say(&table(&listing, wish.list_all))?,
        }
        return Ok(Some(0));
    }
    if let Some(unknown) = names.iter().find(|name| !taskfile::has_task(tree, name)) {
        if !listing.is_empty(false) {
            session.say(&table(&listing, false))?;
        }
        let what = format!("there is no task `{unknown}` in {}", tree.files[0].file.path.display());
        let hint = suggestion(unknown, listing.all_names().collect::<Vec<_>>());
        return Err(Fault::new(Kind::Usage, what).hint(hint).into());
    }
    if wish.summary {
        let texts: Vec<String> = names.iter().filter_map(|name| listing.summary(name)).collect();
        session.say(&texts.join("\n\n"))?;
        return Ok(Some(0));
    }
    Ok(None)
}

fn table(listing: &TaskListing, all: bool) -> String {
    format!("task: Available tasks for this project:\n{}", listing.columns(all))
}

/// The list as Task writes it for programs that do not ask whether tasks are up to date.
fn as_json(listing: &TaskListing, tree: &TaskfileTree, all: bool) -> String {
    let entry = |one: ListedTask| {
        let ListedTask { label, name, desc, summary, aliases, taskfile, line, column } = one;
        let location = serde_json::json!({ "line": line, "column": column, "taskfile": taskfile });
        serde_json::json!({
            "name": label, "task": name, "desc": desc, "summary": summary, "aliases": aliases,
            "location": location,
        })
    };
    let tasks: Vec<_> = listing.entries(tree, all).into_iter().map(entry).collect();
    let location = tree.root.join(&tree.files[0].file.path);
    format!("{:#}\n", serde_json::json!({ "tasks": tasks, "location": location }))
}

/// What the Taskfile says, as a workspace; and what that was made of.
fn load(
    session: &Session,
    OpenedTaskfile { tree, given, names }: &OpenedTaskfile,
    wish: &TaskArgs,
) -> Result<(Loaded, Translation), CliError> {
    let translation = translated(session, tree, given, names, wish);
    if let Some(problems) = translation.problems(tree) {
        return Err(CliError::Problems(problems));
    }
    for remark in translation.remarks.iter().filter(|_| !session.flags.quiet) {
        let fault = Fault::new(Kind::Usage, format!("{}: {}", place(tree, remark), remark.what));
        session.console().err(&render_warning(None, &fault, session.stderr_style()));
    }
    let (workspace, translation) = loaded(session, tree, translation)?;
    let asked = ParameterRequest { tasks: names.clone(), ..ParameterRequest::default() };
    let files = tree.files.iter().map(|file| tree.root.join(&file.file.path)).collect();
    let workspaces = Arc::new(Workspaces::of_one(workspace));
    Ok((Loaded { workspaces, asked, files }, translation))
}

/// The workspace that `translation` is. What is wrong in tasks that are only called by names that a
/// template makes keeps nothing from running: they are not there, then.
pub(super) fn loaded(
    session: &Session,
    tree: &TaskfileTree,
    mut translation: Translation,
) -> Result<(Workspace, Translation), CliError> {
    loop {
        // As in Task, a command that no shell can read fails when its turn comes.
        let outside = LoadInputs { syntax_check: SyntaxCheck::off(), ..session.outside(&|_| None) };
        let wrong = match load_text(&tree.root, &translation.text, session.platform(), &outside) {
            Err(LoadError::Problems(wrong)) => wrong,
            loaded => return Ok((loaded?, translation)),
        };
        translation = match translation.without(&wrong) {
            Some(less) => less,
            None => return Err(CliError::Problems(translation.blamed(wrong, tree))),
        };
    }
}

/// `Taskfile.yml:12`.
fn place(tree: &TaskfileTree, Remark { span, .. }: &Remark) -> String {
    let file = tree.files.iter().find(|file| file.file.path == span.file);
    let before = file.and_then(|file| file.file.text.get(..span.bytes.start)).unwrap_or_default();
    format!("{}:{}", span.file.display(), before.matches('\n').count() + 1)
}

/// The names of tasks, and `NAME=value`, which Task takes in any order.
fn sorted(wish: &TaskArgs) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut names, mut words) = (Vec::new(), BTreeMap::new());
    for word in &wish.words {
        match word.split_once('=') {
            Some((name, value)) => drop(words.insert(name.to_owned(), value.to_owned())),
            None => names.push(word.clone()),
        }
    }
    if names.is_empty() {
        names.push("default".to_owned());
    }
    (names, words)
}

fn translated(
    session: &Session,
    tree: &TaskfileTree,
    given: &Given,
    names: &[String],
    wish: &TaskArgs,
) -> Translation {
    let flags = [
        ("CLI_FORCE", session.flags.force),
        ("CLI_SILENT", session.flags.quiet),
        ("CLI_VERBOSE", session.flags.verbose),
        ("CLI_OFFLINE", session.flags.offline),
        ("CLI_ASSUME_YES", wish.yes),
    ];
    let wish = taskfile::TranslationRequest {
        tasks: Some(names),
        given,
        args: &wish.args,
        flags: &flags,
        words: &BTreeMap::new(),
    };
    taskfile::translate(tree, &wish)
}

/// The Taskfile at `path`, or in that folder, as a file of tasks.
///
/// # Errors
/// If there is none, it cannot be read, or it includes what is not here.
pub(super) fn said_taskfile(path: &Path) -> Result<SaidTaskfile, Fault> {
    let path = taskfile::find(path, false)?;
    let tree =
        taskfile::read(&path, &Given::default(), &|_| None).map_err(|error| match error {
            LoadError::Fault(fault) => fault,
            LoadError::Problems(wrong) => {
                let what = format!("{} cannot be included", path.display());
                let why = wrong.diagnostics.first().map(|one| one.what.clone()).unwrap_or_default();
                Fault::new(Kind::Usage, what).because(why)
            }
            LoadError::Wanted(_) => {
                let what = format!("{} cannot be included", path.display());
                Fault::new(Kind::Usage, what).because("it includes Taskfiles from URLs")
            }
        })?;
    let files = tree.files.iter().map(|file| tree.root.join(&file.file.path)).collect();
    Ok(SaidTaskfile { text: taskfile::task_file(&tree), files })
}

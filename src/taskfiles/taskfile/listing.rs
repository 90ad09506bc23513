//! The tasks of a tree as `--list` and `--summary` of Task show them.

use std::{fmt::Write as _, path::PathBuf, ptr};

use super::{
    model::{CommandKind, Taskfile, TaskfileTask, VariableValue},
    template::{GoTemplate, literal},
    translate::{FixedWords, NamedTask, TranslationRequest, named_tasks},
    tree::TaskfileTree,
};
use crate::{manifest::Scalar, model::Platform, workspace::render_fixed};

/// The tasks of a tree that people may name.
pub struct TaskListing<'t> {
    tasks: Vec<NamedTask<'t>>,
    words: FixedWords<'t>,
}

/// A task of a tree, as programs read it.
pub struct ListedTask {
    /// What it is called in messages.
    pub label: String,
    /// Its name.
    pub name: String,
    /// `desc`.
    pub desc: String,
    /// `summary`.
    pub summary: String,
    /// What else it is called.
    pub aliases: Vec<String>,
    /// The file that it is written in.
    pub taskfile: PathBuf,
    /// The line there, from 1.
    pub line: usize,
    /// The column there, from 1.
    pub column: usize,
}

/// How many blanks stand between two columns.
const GAP: usize = 6;

impl<'t> TaskListing<'t> {
    /// The tasks of `tree`: those of the first file come first, each part sorted by name.
    pub fn from_tree(tree: &'t TaskfileTree, wish: &'t TranslationRequest<'t>) -> Self {
        let mut tasks = named_tasks(tree);
        tasks.retain(|one| !one.is_internal);
        tasks.sort_by_cached_key(|one| (one.name.contains(':'), one.name.clone()));
        Self { tasks, words: FixedWords::from_tree(tree, wish) }
    }

    /// Sorts them as they are written.
    pub fn as_written(&mut self, tree: &TaskfileTree) {
        let place = |one: &NamedTask| {
            let at = tree
                .files
                .iter()
                .position(|file| file.tasks.iter().any(|task| std::ptr::eq(task, one.task)));
            (at, one.task.name.bytes.start)
        };
        self.tasks.sort_by_key(place);
    }

    /// Sorts them by name alone.
    pub fn by_name(&mut self) {
        self.tasks.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// Whether there is nothing to show, of all tasks or of those with a description.
    pub fn is_empty(&self, all: bool) -> bool {
        self.shown(all).next().is_none()
    }

    fn shown(&self, all: bool) -> impl Iterator<Item = &NamedTask<'t>> {
        let is_shown = move |one: &&NamedTask| {
            all || one.task.desc.as_ref().is_some_and(|desc| !desc.text.is_empty())
        };
        self.tasks.iter().filter(is_shown)
    }

    /// The names and other names of the tasks, one a line.
    pub fn names(&self, all: bool) -> String {
        let names = self.shown(all).flat_map(|one| std::iter::once(&one.name).chain(&one.aliases));
        names.map(|name| format!("{}\n", name.trim_end_matches(':'))).collect()
    }

    /// All names that a task can be called by.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        let names =
            self.tasks.iter().flat_map(|one| std::iter::once(&one.name).chain(&one.aliases));
        names.map(String::as_str)
    }

    /// The tasks with their descriptions and other names, in columns.
    pub fn columns(&self, all: bool) -> String {
        let shown: Vec<(&NamedTask, String)> = self
            .shown(all)
            .map(|one| (one, self.text_in(one, one.task.desc.as_ref()).replace('\n', " ")))
            .collect();
        let signs = |text: &str| text.chars().count();
        let widest = shown.iter().map(|(one, _)| signs(&one.name)).max().unwrap_or(0);
        let mut text = String::new();
        for (at, (one, desc)) in shown.iter().enumerate() {
            let head = format!("* {}: ", one.name);
            let _ = write!(text, "{head:<width$}{desc}", width = widest + 4 + GAP);
            if !one.aliases.is_empty() {
                // A column is as wide as the lines need that have it one below the other.
                let has = |other: &&(&NamedTask, String)| !other.0.aliases.is_empty();
                let above = shown[..at].iter().rev().take_while(has);
                let block = above.chain(shown[at..].iter().take_while(has));
                let width = block.map(|(_, desc)| signs(desc)).max().unwrap_or(0) + GAP;
                let gap = " ".repeat(width - signs(desc));
                let _ = write!(text, "{gap}(aliases: {})", one.aliases.join(", "));
            }
            text.push('\n');
        }
        text
    }

    /// The tasks, as programs read them.
    pub fn entries(&self, tree: &TaskfileTree, all: bool) -> Vec<ListedTask> {
        let entry = |one: &NamedTask| {
            let of_file = |file: &&Taskfile| file.tasks.iter().any(|task| ptr::eq(task, one.task));
            let file = tree.files.iter().find(of_file).unwrap_or(&tree.files[0]);
            let before = file.file.text.get(..one.task.name.bytes.start).unwrap_or_default();
            let label = one.task.label.as_ref().map(|label| self.text_in(one, Some(label)));
            ListedTask {
                label: label.unwrap_or_else(|| one.name.clone()),
                name: one.name.trim_end_matches(':').to_owned(),
                desc: self.text_in(one, one.task.desc.as_ref()),
                summary: self.text_in(one, one.task.summary.as_ref()),
                aliases: one.aliases.clone(),
                taskfile: tree.root.join(&file.file.path),
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|sign| *sign != '\n').count() + 1,
            }
        };
        self.shown(all).map(entry).collect()
    }

    /// What the task called `name` is, needs and runs.
    pub fn summary(&self, name: &str) -> Option<String> {
        let is_it =
            |one: &&NamedTask| one.name == name || one.aliases.iter().any(|own| own == name);
        let one = self.tasks.iter().find(is_it)?;
        let TaskfileTask { label, summary, desc, deps, commands, .. } = one.task;
        let title = label.as_ref().map_or(one.name.clone(), |label| self.text(Some(label)));
        let mut text = format!("task: {title}\n\n");
        let about = [summary, desc].into_iter().flatten().find(|text| !text.text.is_empty());
        match about {
            Some(about) => {
                let about = self.text(Some(about));
                let _ = writeln!(text, "{}", about.strip_suffix('\n').unwrap_or(&about));
            }
            None => text.push_str("(task does not have description or summary)\n"),
        }
        let called = |command: &CommandKind| match command {
            CommandKind::Call(call) | CommandKind::DeferCall(call) => {
                Some(one.called_from_root(&self.text(Some(&call.task))))
            }
            CommandKind::Run(_) | CommandKind::DeferRun(_) => None,
        };
        let deps: Vec<String> = deps.iter().filter_map(|dep| called(&dep.deed)).collect();
        section(&mut text, "dependencies", &deps);
        section(&mut text, "aliases", &one.aliases);
        let command = |deed: &CommandKind| match deed {
            CommandKind::Run(line) | CommandKind::DeferRun(line) => self.text_in(one, Some(line)),
            deed => format!("Task: {}", called(deed).unwrap_or_default()),
        };
        let commands: Vec<String> = commands.iter().map(|one| command(&one.deed)).collect();
        section(&mut text, "commands", &commands);
        Some(text)
    }

    /// A template of `one`, as far as it is known before anything runs.
    fn text_in(&self, one: &NamedTask, scalar: Option<&Scalar>) -> String {
        let own = |name: &str| {
            if name == "TASK" {
                return Some(literal(&one.name));
            }
            let variable = one.task.vars.iter().find(|one| one.name.value == name)?;
            match &variable.value {
                VariableValue::Text(text) if !text.text.contains("{{") => Some(literal(&text.text)),
                _ => None,
            }
        };
        Self::rendered(scalar, &|name| own(name).unwrap_or_else(|| self.words.expression(name)))
    }

    /// A template, as far as it is known before anything runs.
    fn text(&self, scalar: Option<&Scalar>) -> String {
        Self::rendered(scalar, &|name| self.words.expression(name))
    }

    fn rendered(scalar: Option<&Scalar>, names: &dyn Fn(&str) -> String) -> String {
        let Some(scalar) = scalar else { return String::new() };
        if !scalar.text.contains("{{") {
            return scalar.text.clone();
        }
        let said = GoTemplate::parse(&scalar.text).and_then(|one| one.translate_exactly(names));
        let text = said.ok().and_then(|said| render_fixed(&said, Platform::host()).ok());
        text.unwrap_or_else(|| scalar.text.clone())
    }
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = write!(text, "\n{title}:\n");
        text.extend(lines.iter().map(|line| format!(" - {line}\n")));
    }
}

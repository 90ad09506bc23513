//! A tree of Taskfiles, written down as a workspace of forge: `versions.yml` and a spec for each
//! subsystem. What the tasks of the usual pattern do (`src:clone`, `bin:build`, `ensure`, `package`…)
//! forge does by itself; they are gone, and everything else stays.
//!
//! ```text
//! Tree ─stack─▶ who calls whom ─subsystem─▶ sources, builds, downloads
//!        └─fate─▶ what stays ─rewrite─▶ tasks without what is gone ─unit─▶ in forge's words ─page─▶ documents
//! ```

mod calls;
mod comments;
mod common;
mod duty;
mod fate;
mod finish;
mod folds;
mod manifest;
mod platforms;
mod rewrite;
mod roles;
mod service;
mod shell;
mod spec;
mod stack;
mod subsystem;
mod unit;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::taskfile::{Taskfile, TaskfileTree};
pub use calls::{call_of_task, in_forge};
use comments::{Comments, start_of};
use fate::{Disposition, Fates};
use manifest::MigratedSettings;
use roles::Roles;
use service::MigratedServices;
pub use shell::{changes_folder, is_rooted as runs_anywhere};
use stack::Stack;
pub use stack::with_places;
use subsystem::{MigratedSource, MigratedSubsystem};
use unit::Kept;
use variables::MigratedVariables;

/// How long a line may be that says all of a task.
const WIDTH: usize = 100;
/// Keys whose own keys have lines of their own.
const BLOCKS: &[&str] = &["versions", "groups", "tasks"];

/// What a tree of Taskfiles becomes.
#[derive(Debug)]
pub struct Migration {
    /// The files, `versions.yml` first.
    pub pages: Vec<WrittenFile>,
    /// What forge does instead of tasks that are gone: by what a person says, the tasks' full names.
    pub gone: BTreeMap<String, Vec<String>>,
    /// The same, task by task.
    pub replaced: Vec<Replacement>,
    /// The same, Taskfile by Taskfile.
    pub files: Vec<TaskfileFate>,
    /// Texts that are written another way, the longest first; `{root}` stands for the workspace,
    /// `{src:NAME}` for where forge keeps a subsystem's source.
    pub moved: Vec<(String, String)>,
    /// Variables of Taskfiles by the names that begin their tasks' (nothing for all tasks), with what
    /// they are called now; nothing if forge has words for what they were.
    pub renamed: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// Whether the Taskfiles stay as they are.
    pub is_kept: bool,
}

/// What becomes of one Taskfile.
#[derive(Clone, Debug)]
pub struct TaskfileFate {
    /// The Taskfile.
    pub path: PathBuf,
    /// The file that what stays of it is written to.
    pub page: PathBuf,
    /// Its tasks that stay, by their full names.
    pub tasks: Vec<String>,
    /// Its tasks that are gone, with what a person says instead.
    pub gone: Vec<(String, String)>,
}

/// A task that forge does by itself.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// Its full name.
    pub task: String,
    /// What a person says instead.
    pub instead: String,
    /// The subsystems that are ensured where it is called.
    pub ensures: Vec<String>,
    /// The commands that stand where it is called.
    pub commands: Vec<String>,
}

/// A file that is written.
#[derive(Clone, Debug)]
pub struct WrittenFile {
    /// Where, from the workspace.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
    /// The Taskfiles that it comes from, each with how many lines that has.
    pub from: Vec<(PathBuf, usize)>,
}

/// What marks a thing that needs a person, in the files that are written.
pub const MARK: &str = "# migrate: ";

impl WrittenFile {
    /// What needs a person: its line, counted from 1, and what it says.
    pub fn marks(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.filter_map(|(at, line)| Some((at + 1, line.split_once(MARK)?.1)))
    }

    /// Marks what stands at `at`, a place in the text: above the entry of a task, variable or key that
    /// it is part of, unless that is marked already.
    pub fn mark(&mut self, at: usize, what: &str) {
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let line = self.text.get(..at).unwrap_or_default().matches('\n').count();
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        // Deeper lines may be part of a script.
        let begins = |line: &&str| {
            indent(line) <= 2 && !line.trim().is_empty() && !line.trim_start().starts_with('#')
        };
        let Some(above) = lines.iter().take(line + 1).rposition(begins) else {
            return;
        };
        let marks =
            lines[..above].iter().rev().take_while(|line| line.trim_start().starts_with('#'));
        if marks.chain([&lines[above]]).any(|line| line.contains(MARK)) {
            return;
        }
        let mark = fitting(format!("{}{MARK}{what}", " ".repeat(indent(lines[above])))) + "\n";
        self.text = lines[..above].concat() + &mark + &lines[above..].concat();
    }
}

/// The longest line of a page that nobody wrote.
const WIDEST: usize = 120;

/// A line that fits a page.
fn fitting(line: String) -> String {
    match line.char_indices().nth(WIDEST - 1) {
        Some((end, sign)) if end + sign.len_utf8() < line.len() => format!("{}…", &line[..end]),
        _ => line,
    }
}

/// A page whose marks fit it.
fn with_fitting_marks(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.contains(MARK) {
        true => fitting(line.to_owned()),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a migration is told that no Taskfile says.
pub struct MigrationAids<'s> {
    /// The URL of the checksums that a vendor publishes for what is at a URL.
    pub published_sums: &'s dyn Fn(&str) -> Option<String>,
    /// What stands in the configuration of Process Compose beside the first Taskfile.
    pub process_compose: Option<&'s str>,
    /// The tasks that are written as `run --taskfile` takes them, by their full names, since they would not
    /// do the same as people would write them; nothing stands for the variables of files.
    pub exactly: &'s BTreeSet<String>,
}

/// Writes `tree` down as a workspace.
pub fn migrate(mut tree: TaskfileTree, around: &MigrationAids) -> Migration {
    folds::mark_folds(&mut tree);
    let stack = Stack::new(tree);
    let files = 1..stack.tree.files.len();
    let recognised = files.filter_map(|file| subsystem::recognise(&stack, file, around));
    let subsystems: Vec<_> = recognised.collect();
    let services = MigratedServices::find(&stack, &subsystems, around.process_compose);
    let fates = Fates::new(&stack, &subsystems, &services);
    let survey = Survey {
        kept: kept(&stack, &fates, &subsystems),
        shared: shared_lines(&stack, &subsystems),
        exactly: around.exactly,
        stack: &stack,
        subsystems: &subsystems,
        services: &services,
        fates: &fates,
    };
    let (pages, renamed) = (survey.pages(), survey.renamed());
    let moved = moved(&subsystems);
    let (gone, replaced) = (fates.gone(), fates.replaced());
    let files = taskfile_fates(&stack, &pages, &replaced);
    Migration { pages, gone, replaced, files, moved, renamed, is_kept: false }
}

/// A workspace that has the tasks of `tree`, whose first file is at `place` from its folder, as they are.
pub fn keep(tree: &TaskfileTree, place: &Path) -> Migration {
    let place = place.display();
    let text = format!(
        "# The tasks of the Taskfile, as they are. A task that comes to stand here, or in a spec, is left out\n\
         # there: `except: [build, 'docs:*']`.\n\
         versions: {{}}\ninclude:\n  old: {{taskfile: {place}, flatten: true}}\n"
    );
    let lines = |file: &Taskfile| (file.file.path.clone(), file.file.text.lines().count());
    let from = tree.files.iter().map(lines).collect();
    let page = WrittenFile { path: "versions.yml".into(), text, from };
    Migration {
        pages: vec![page],
        gone: BTreeMap::new(),
        replaced: Vec::new(),
        files: Vec::new(),
        moved: Vec::new(),
        renamed: BTreeMap::new(),
        is_kept: true,
    }
}

/// What becomes of each Taskfile.
fn taskfile_fates(
    stack: &Stack,
    pages: &[WrittenFile],
    replaced: &[Replacement],
) -> Vec<TaskfileFate> {
    let fate = |(at, file): (usize, &Taskfile)| {
        let path = &file.file.path;
        let holds = |page: &&WrittenFile| page.from.iter().any(|(from, _)| from == path);
        let page = pages.iter().find(holds).map(|page| page.path.clone()).unwrap_or_default();
        let mut fate = TaskfileFate { path: path.clone(), page, tasks: vec![], gone: vec![] };
        for (name, _) in stack.tasks.iter().filter(|(_, place)| place.0 == at) {
            match replaced.iter().find(|one| one.task == *name) {
                Some(one) => fate.gone.push((name.clone(), one.instead.clone())),
                None => fate.tasks.push(name.clone()),
            }
        }
        fate
    };
    stack.tree.files.iter().enumerate().map(fate).collect()
}

/// The tasks that stay, rewritten.
fn kept(stack: &Stack, fates: &Fates, subsystems: &[MigratedSubsystem]) -> Kept {
    // What is a service is said once more as such.
    let is_said = |fate: &Disposition| fate.stays() || *fate == Disposition::Service;
    let said = stack.tasks.iter().filter(|(name, _)| fates.disposition(name).is_some_and(is_said));
    let said = said.map(|(name, at)| (name.clone(), rewrite::rewrite(stack, fates, *at)));
    let mut kept: Kept = said.collect();
    common::gather(stack, subsystems, &mut kept);
    kept
}

/// A stack that was looked at, about to be written down.
struct Survey<'s> {
    exactly: &'s BTreeSet<String>,
    stack: &'s Stack,
    subsystems: &'s [MigratedSubsystem],
    services: &'s MigratedServices,
    fates: &'s Fates<'s>,
    kept: Kept,
    /// Comments that stand in several of the subsystems' files.
    shared: BTreeSet<String>,
}

impl Survey<'_> {
    fn pages(&self) -> Vec<WrittenFile> {
        let mut specs = Vec::new();
        let mut used = Vec::new();
        for one in self.subsystems {
            let unit = unit::of_subsystem(self, one);
            let text = self.with_lost(one.file, &self.spec(one, &unit).page(WIDTH, BLOCKS));
            used.extend(unit.shared);
            let text = with_fitting_marks(&text);
            let path = PathBuf::from("subsystems").join(format!("{}.yml", one.name));
            specs.push(WrittenFile { path, text, from: vec![self.lines(one.file)] });
        }
        let settings = MigratedSettings::find(self);
        let unit = unit::of_root(self, &settings);
        let text = self.with_lost(0, &self.manifest(&settings, &unit, &used).page(WIDTH, BLOCKS));
        let text = with_fitting_marks(&text);
        let is_spec = |file: &usize| self.subsystems.iter().any(|one| one.file == *file);
        let others = (0..self.stack.tree.files.len()).filter(|file| !is_spec(file));
        let from = others.map(|file| self.lines(file)).collect();
        let first = WrittenFile { path: "versions.yml".into(), text, from };
        std::iter::once(first).chain(specs).collect()
    }

    /// What variables are called now.
    fn renamed(&self) -> BTreeMap<String, BTreeMap<String, Option<String>>> {
        let settings = MigratedSettings::find(self);
        let all = settings.variables.iter().map(|name| (name.clone(), None)).collect();
        let mut renamed: BTreeMap<_, _> = [(String::new(), all)].into();
        for one in self.subsystems {
            let variables = MigratedVariables::new(&self.stack.tree, one.file);
            renamed.insert(one.name.clone(), Roles { one, variables }.renamed(self.stack));
        }
        renamed
    }

    /// Whether a comment stands in one file only.
    fn is_own(&self, line: &str) -> bool {
        !self.shared.contains(line)
    }

    /// A page, with the comments on top that stood at something in `file` that is not there any more.
    fn with_lost(&self, file: usize, text: &str) -> String {
        let taskfile = &self.stack.tree.files[file];
        let end = start_of(&taskfile.file.text, "tasks").unwrap_or_default();
        let comments = Comments::in_file(taskfile);
        let desc = |line: &str| {
            line.split_once(": ").is_some_and(|(_, desc)| text.contains(desc.trim_end_matches('.')))
        };
        let lacking = comments.lacking(end, text).map(|(_, line)| line);
        let version = self.subsystems.iter().filter(|one| one.file == file);
        let elsewhere: Vec<String> = version.flat_map(|one| self.about_version(one)).collect();
        let is_said = |line: &str| desc(line) || elsewhere.iter().any(|one| one == line);
        let lost = lacking.filter(|line| self.is_own(line) && !is_said(line));
        let lost: String = lost.map(|line| format!("# {line}\n")).collect();
        lost + text
    }

    fn lines(&self, file: usize) -> (PathBuf, usize) {
        let file = &self.stack.tree.files[file].file;
        (file.path.clone(), file.text.lines().count())
    }
}

/// What lies elsewhere: the binaries of subsystems are found by their names.
fn moved(subsystems: &[MigratedSubsystem]) -> Vec<(String, String)> {
    let mut moved = Vec::new();
    for one in subsystems {
        if let (Some(MigratedSource::Git(_)), Some(src)) = (&one.source, &one.src_dir) {
            moved.push((format!("{{root}}/{src}"), format!("{{src:{}}}", one.name)));
        }
        let Some(dir) = &one.bin_dir else { continue };
        for before in ["{root}/", ""] {
            moved.push((format!("{before}{dir}/{}", one.binary), one.binary.clone()));
        }
        moved.push((format!("{{root}}/{dir}"), "{root}/.forge/bin".to_owned()));
    }
    moved.sort_by_key(|(before, _)| std::cmp::Reverse(before.len()));
    moved
}

/// The comments that stand in several of the subsystems' files.
fn shared_lines(stack: &Stack, subsystems: &[MigratedSubsystem]) -> BTreeSet<String> {
    let mut seen: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for one in subsystems {
        for comment in &stack.tree.files[one.file].comments {
            seen.entry(&comment.text).or_default().insert(one.file);
        }
    }
    seen.into_iter().filter(|(_, files)| files.len() > 1).map(|(text, _)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_above_the_entry_and_once() {
        let text = "a: 1\ntasks:\n  # why\n  x:\n    run: |\n      one\n\n      # two\n  y: z\n";
        let mut page = WrittenFile { path: "p".into(), text: text.to_owned(), from: Vec::new() };
        for (sign, what) in [("z", "late"), ("two", "deep"), ("one", "again"), ("1", "first")] {
            page.mark(page.text.find(sign).unwrap(), what);
        }
        let marked = "# migrate: first\na: 1\ntasks:\n  # why\n  # migrate: deep\n  x:\n    run: |\n      one\n\n      # two\n  \
                      # migrate: late\n  y: z\n";
        assert_eq!(page.text, marked);
        assert_eq!(page.marks().map(|(line, _)| line).collect::<Vec<_>>(), [1, 5, 11]);
    }
}

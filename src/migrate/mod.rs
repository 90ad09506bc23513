//! A tree of Taskfiles, written down as a workspace of forge: `versions.yml` and a spec for each
//! subsystem. What the tasks of the usual pattern do (`src:clone`, `bin:build`, `ensure`, `package`…)
//! forge does by itself; they are gone, and everything else stays.
//!
//! ```text
//! Tree ─stack─▶ who calls whom ─subsystem─▶ sources, builds, downloads
//!        └─fate─▶ what stays ─rewrite─▶ tasks without what is gone ─unit─▶ in forge's words ─page─▶ documents
//! ```

mod comments;
mod common;
mod duty;
mod fate;
mod page;
mod rewrite;
mod service;
mod shell;
mod stack;
mod subsystem;
mod unit;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::taskfile::{Tree, Yaml};
use fate::Fates;
use service::Services;
use stack::Stack;
use unit::Kept;

/// What a tree of Taskfiles becomes.
#[derive(Debug)]
pub struct Migration {
    /// The files, `versions.yml` first.
    pub pages: Vec<Page>,
    /// What forge does instead of tasks that are gone: by what a person says, the tasks' full names.
    pub gone: BTreeMap<String, Vec<String>>,
}

/// A file that is written.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where, from the workspace.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
    /// The Taskfiles that it comes from, each with how many lines that has.
    pub from: Vec<(PathBuf, usize)>,
}

/// What marks a thing that needs a person, in the files that are written.
pub const MARK: &str = "# migrate: ";

impl Page {
    /// What needs a person: its line, counted from 1, and what it says.
    pub fn marks(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.filter_map(|(at, line)| Some((at + 1, line.split_once(MARK)?.1)))
    }
}

/// Writes `tree` down as a workspace.
pub fn migrate(tree: Tree) -> Migration {
    let stack = Stack::new(tree);
    let files = 1..stack.tree.files.len();
    let subsystems: Vec<_> = files.filter_map(|file| subsystem::recognise(&stack, file)).collect();
    let services = Services::find(&stack, &subsystems);
    let fates = Fates::new(&stack, &subsystems, &services);
    let mut kept: Kept = stack
        .tasks
        .iter()
        // What is a service is said once more as such.
        .filter(|(name, _)| {
            fates.of(name).is_some_and(|fate| fate.stays() || *fate == fate::Fate::Service)
        })
        .map(|(name, at)| (name.clone(), rewrite::rewrite(&stack, &fates, *at)))
        .collect();
    common::gather(&stack, &subsystems, &mut kept);
    let shared = shared_lines(&stack, &subsystems);
    let is_own = |line: &str| !shared.contains(line) || subsystems.len() == 1;
    let mut pages = Vec::new();
    let mut used = Vec::new();
    for one in &subsystems {
        let unit = unit::of_subsystem(&stack, one, &kept, &is_own);
        used.extend(unit.shared.iter().cloned());
        let spec = page::spec(&stack, &fates, &services, one, &unit, &is_own);
        let path = PathBuf::from("subsystems").join(format!("{}.yml", one.name));
        pages.push(Page {
            path,
            text: spec.page(page::WIDTH, page::BLOCKS),
            from: vec![lines(&stack, one.file)],
        });
    }
    let settings = page::Settings::find(&stack, &subsystems);
    let unit = unit::of_root(&stack, &subsystems, &kept, &settings.variables);
    let mut tasks = Yaml::map();
    for (name, mut above, said) in unit.tasks.clone() {
        above.extend(page::more(&fates, &name));
        tasks.put_with(above, &name, said);
    }
    let above = once_said(&stack, &subsystems, &shared);
    let manifest = page::manifest(&settings, &subsystems, &services, &unit, &used, above, tasks);
    let of_subsystem = |file: &usize| subsystems.iter().any(|one| one.file == *file);
    let from = (0..stack.tree.files.len())
        .filter(|file| !of_subsystem(file))
        .map(|file| lines(&stack, file));
    let text = manifest.page(page::WIDTH, page::BLOCKS);
    pages.insert(0, Page { path: "versions.yml".into(), text, from: from.collect() });
    let gone = fates.gone().into_iter();
    let gone =
        gone.map(|(verb, names)| (verb.to_owned(), names.into_iter().map(str::to_owned).collect()));
    Migration { pages, gone: gone.collect() }
}

fn lines(stack: &Stack, file: usize) -> (PathBuf, usize) {
    let file = &stack.tree.files[file].file;
    (file.path.clone(), file.text.lines().count())
}

/// The comments that stand in several of the subsystems' files.
fn shared_lines(stack: &Stack, subsystems: &[subsystem::Subsystem]) -> BTreeSet<String> {
    let mut seen: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for one in subsystems {
        for comment in &stack.tree.files[one.file].comments {
            seen.entry(&comment.text).or_default().insert(one.file);
        }
    }
    seen.into_iter().filter(|(_, files)| files.len() > 1).map(|(text, _)| text.to_owned()).collect()
}

/// What the heads of several files say, once.
fn once_said(
    stack: &Stack,
    subsystems: &[subsystem::Subsystem],
    shared: &BTreeSet<String>,
) -> Vec<String> {
    let heads = subsystems.iter().take(2).flat_map(|one| page::head(stack, one.file));
    let mut said: Vec<String> = Vec::new();
    for line in heads.filter(|line| !line.is_empty() && shared.contains(line)) {
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

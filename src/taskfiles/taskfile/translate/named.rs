//! The tasks of a tree by their names, and what its variables are before anything runs.

use std::collections::BTreeSet;

use super::{
    super::{model::TaskfileTask, tree::TaskfileTree},
    TranslationRequest, Translator,
    instance::{Instance, TaskInstance, instances},
    matches,
    scope::{Globals, of_node},
};

/// Variables that Task sets itself.
const BY_TASK: &[&str] = &[
    "ALIAS",
    "CHECKSUM",
    "EXIT_CODE",
    "ITEM",
    "KEY",
    "MATCH",
    "ROOT_DIR",
    "ROOT_TASKFILE",
    "TASK",
    "TASKFILE",
    "TASKFILE_DIR",
    "TASK_DIR",
    "TASK_EXE",
    "TASK_VERSION",
    "TIMESTAMP",
    "USER_WORKING_DIR",
];

/// A task of a tree, by the name that it has from the first file.
pub struct NamedTask<'t> {
    /// Its name.
    pub name: String,
    /// What else it is called.
    pub aliases: Vec<String>,
    /// Whether only other tasks may call it.
    pub is_internal: bool,
    /// What its file says.
    pub task: &'t TaskfileTask,
    instance: Instance<'t>,
}

impl NamedTask<'_> {
    /// What a name that the task writes is from the first file.
    pub fn called_from_root(&self, name: &str) -> String {
        self.instance.called_from_root(name)
    }

    /// The variables that it looks at, but for those that Task sets.
    pub fn words(&self) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        of_node(&self.task.node, &mut words);
        let is_name = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        words.retain(|word| {
            is_name(word) && !BY_TASK.contains(&word.as_str()) && !word.starts_with("CLI_")
        });
        words
    }
}

/// All tasks of `tree`.
pub fn named_tasks(tree: &TaskfileTree) -> Vec<NamedTask<'_>> {
    let mut all = Vec::new();
    for instance in instances(tree) {
        for TaskInstance { name, aliases, task, .. } in instance.tasks(0) {
            let is_internal = task.internal || instance.includes.iter().any(|one| one.internal);
            all.push(NamedTask { name, aliases, is_internal, task, instance: instance.clone() });
        }
    }
    all
}

impl Translator<'_> {
    /// What else the task is called. What several are called is nobody's name in a run.
    pub(super) fn aliases(&self, at: usize) -> impl Iterator<Item = &String> {
        let is_shared = move |name: &String| {
            let is_other = |other: usize| {
                let one = &self.tasks[other];
                other != at && (one.name == *name || one.aliases.contains(name))
            };
            self.wish.tasks.is_some() && (0..self.tasks.len()).any(is_other)
        };
        self.tasks[at].aliases.iter().filter(move |name| !is_shared(name))
    }
}

/// Whether a task of `tree` is called `name`, or has a pattern that fits it.
pub fn has_task(tree: &TaskfileTree, name: &str) -> bool {
    instances(tree).iter().flat_map(|one| one.tasks(0)).any(|one| {
        let mut names = std::iter::once(&one.name).chain(&one.aliases);
        names.any(|own| own == name || own.contains('*') && matches(own, name))
    })
}

/// What variables are before anything runs.
pub struct FixedWords<'t>(Globals<'t>);

impl<'t> FixedWords<'t> {
    /// Those of `tree`.
    pub fn from_tree(tree: &'t TaskfileTree, wish: &'t TranslationRequest<'t>) -> Self {
        Self(Globals::new(tree, wish))
    }

    /// An expression for the variable `name`; nothing at all if that is not known.
    pub fn expression(&self, name: &str) -> String {
        self.0.fixed(name).unwrap_or_else(|| "''".into())
    }
}

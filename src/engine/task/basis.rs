//! What the answer of a run rests on that had nothing to do: the files and folders it looked at.
//! There is no such answer once something ran, or was asked for that no file shows.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::workspace::Task;

/// Words of templates that mean something else each time, or what no file shows.
const FLEETING: [&str; 2] = ["env", "now"];

/// What a run looked at.
#[derive(Debug, Default)]
pub struct NoopInputs {
    files: Mutex<HashSet<PathBuf>>,
    is_more: AtomicBool,
}

impl NoopInputs {
    /// Something was done, or found out in another way than by looking at files.
    pub fn is_more(&self) {
        self.is_more.store(true, Ordering::Relaxed);
    }

    /// It rests on `files`, whether they are there or not.
    pub fn add(&self, files: impl IntoIterator<Item = PathBuf>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).extend(files);
    }

    /// It rests on what the templates of `task` look at.
    pub fn add_words(&self, task: &Task) {
        if self.stands() && FLEETING.iter().any(|word| mentions(task, word)) {
            self.is_more();
        }
    }

    /// Whether it only looked at files up to now.
    pub fn stands(&self) -> bool {
        !self.is_more.load(Ordering::Relaxed)
    }

    /// The files and folders that the answer rests on; nothing if it rests on more. What stands
    /// behind a link shows in no look at the link.
    pub fn files(&self) -> Option<Vec<PathBuf>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let is_link =
            |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        let is_whole = self.stands() && !files.iter().any(is_link);
        is_whole.then(|| files.iter().cloned().collect())
    }
}

/// Whether something in `task`, or in its variables, looks at `word`.
pub fn mentions(task: &Task, word: &str) -> bool {
    // What a file says that is known at load was remembered then.
    let of_file = task.home.vars.iter().filter(|var| var.is_lazy);
    let of_vars = task.vars.iter().chain(of_file).map(|var| &var.variable);
    let mut templates = task.templates();
    templates.extend(task.home.late_env.iter().map(|(_, value)| value));
    templates.extend(of_vars.flat_map(crate::workspace::TaskVariable::templates));
    templates.iter().any(|one| one.mentions(word))
        || task.expressions().iter().any(|one| one.mentions_in_expression(word))
}

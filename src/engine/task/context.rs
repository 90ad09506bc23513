//! What all tasks of one request share: the workspace, what its names mean, and what was found out
//! on the way, with the secrets among it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::{
    model::Fault,
    workspace::{Bindings, Names, Renderer, Task, Workspace},
};

use super::{basis::NoopInputs, steps::Rendering, vault::Vault};

/// What a command printed, for all variables that are what it prints.
type Printed = Arc<OnceCell<Result<String, Fault>>>;

/// What tasks are rendered and run with.
pub struct TaskContext<'w> {
    /// Whose tasks.
    pub workspace: &'w Workspace,
    /// What names mean.
    pub names: Names<'w>,
    /// What renders.
    pub renderer: Renderer<'w>,
    /// The secrets that became known.
    pub vault: Vault,
    /// The files that were looked at.
    pub basis: NoopInputs,
    /// Whether Task's meaning counts, as [`super::TaskOptions::as_task`] has it.
    pub as_task: bool,
    /// Whether what a command would print stands with the folder that it would run in.
    pub tells_folders: bool,
    printed: Mutex<HashMap<String, Printed>>,
}

impl<'w> TaskContext<'w> {
    /// For the tasks of `workspace`.
    pub fn new(workspace: &'w Workspace) -> Self {
        Self {
            workspace,
            names: Names::new(workspace.tasks.values(), workspace.subsystems.keys()),
            renderer: Renderer::new(workspace),
            vault: Vault::default(),
            basis: NoopInputs::default(),
            as_task: false,
            tells_folders: false,
            printed: Mutex::default(),
        }
    }

    /// The same, with Task's meaning if `as_task`.
    #[must_use]
    pub fn meaning_task(self, as_task: bool) -> Self {
        Self { as_task, ..self }
    }

    /// What renders `task`, whose words mean `bindings`.
    pub fn rendering<'a>(&'a self, task: &'w Task, bindings: &'a Bindings) -> Rendering<'a, 'w> {
        let (names, renderer, as_task) = (&self.names, &self.renderer, self.as_task);
        Rendering { names, renderer, task, bindings, as_task }
    }

    /// What the command called `key` printed, if that is known already.
    pub fn printed(&self, key: String) -> Printed {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.entry(key).or_default().clone()
    }
}

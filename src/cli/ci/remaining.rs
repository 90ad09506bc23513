//! Which subsystems the pipeline still works on. One of which something failed is left out of the stages
//! that follow, with what is made of it; the others are built, tested and released without it.

use std::collections::BTreeSet;

use crate::{
    model::{Name, RunReport},
    workspace::Workspace,
};

/// The subsystems that were selected, less those that are left out.
pub(super) struct RemainingNames<'a> {
    workspace: &'a Workspace,
    selected: &'a BTreeSet<Name>,
    names: BTreeSet<Name>,
}

impl<'a> RemainingNames<'a> {
    /// All that were selected.
    pub(super) fn all(workspace: &'a Workspace, selected: &'a BTreeSet<Name>) -> Self {
        Self { workspace, selected, names: selected.clone() }
    }

    /// Those that are left.
    pub(super) fn names(&self) -> &BTreeSet<Name> {
        &self.names
    }

    /// Whether one of those that were selected is left out.
    pub(super) fn lack_some(&self) -> bool {
        self.names.len() < self.selected.len()
    }

    /// Those that are left out, in words; nothing if none is.
    pub(super) fn left_out(&self) -> Option<String> {
        let out: Vec<&str> = self.selected.difference(&self.names).map(Name::as_str).collect();
        (!out.is_empty()).then(|| format!("without {}", out.join(", ")))
    }

    /// Leaves out `failed`, and what is made of it.
    pub(super) fn leave_out(&mut self, failed: impl IntoIterator<Item = Name>) {
        let mut failed: Vec<Name> = failed.into_iter().collect();
        while let Some(name) = failed.pop() {
            self.names.remove(&name);
            let made_of_it = |other: &&Name| self.is_made_of(other, &name);
            failed.extend(self.names.iter().filter(made_of_it).cloned());
        }
    }

    fn is_made_of(&self, name: &Name, part: &Name) -> bool {
        let subsystem = &self.workspace.subsystems[name];
        let image = subsystem.image.iter().flat_map(|image| &image.with);
        subsystem.needs.iter().chain(&subsystem.build_needs).chain(image).any(|it| it == part)
    }
}

/// The subsystems of which `report` says that something failed.
pub(super) fn failed(report: &RunReport) -> BTreeSet<Name> {
    let artifacts = report.artifacts.iter().filter(|it| !it.how.is_good() || it.fault.is_some());
    let images = report.images.iter().filter(|it| it.fault.is_some());
    artifacts.map(|it| it.id.name.clone()).chain(images.map(|it| it.name.clone())).collect()
}

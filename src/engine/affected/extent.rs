//! What goes into a component: its own code, what its links lead to, what it shares, what it imports,
//! its spec. The
//! fingerprint goes by the same, and so does everything that asks whether a file is a component's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::reason::Reason;
use crate::{
    imports::{Graph, ImportClosure},
    model::{Fault, Name},
    probe::{Own, linked},
    walk::Walker,
    workspace::{SharedInputs, Subsystem, Workspace},
};

/// What goes into one component.
#[derive(Clone, Debug)]
pub struct PathScope<'w> {
    subsystem: &'w Subsystem,
    /// What its code imports; absent if nobody asked for it.
    reach: Option<ImportClosure>,
    /// Files and folders that links of its own lead to; none if nobody asked for them.
    linked: BTreeSet<String>,
}

impl<'w> PathScope<'w> {
    /// That of one component.
    ///
    /// # Errors
    /// When code cannot be read.
    pub fn for_component(
        workspace: &'w Workspace,
        subsystem: &'w Subsystem,
    ) -> Result<Self, Fault> {
        let names = BTreeSet::from([subsystem.name.clone()]);
        let mut all = Self::of_all(workspace, &names, &|_| true)?;
        Ok(all.remove(&subsystem.name).unwrap_or_else(|| Self::new(subsystem)))
    }

    /// Those of `names`; what code imports and links lead to is looked at only of those that `asks` for
    /// it.
    ///
    /// # Errors
    /// When code cannot be read.
    pub fn of_all(
        workspace: &'w Workspace,
        names: &BTreeSet<Name>,
        asks: &dyn Fn(&Self) -> bool,
    ) -> Result<BTreeMap<Name, Self>, Fault> {
        let own = |name: &Name| Self::new(&workspace.subsystems[name]);
        let mut all: BTreeMap<Name, Self> =
            names.iter().map(|name| (name.clone(), own(name))).collect();
        let walker = Walker::new(&workspace.layout);
        for one in all.values_mut().filter(|one| asks(one)) {
            if let Some(own) = Own::for_subsystem(one.subsystem) {
                one.linked = linked(workspace.layout.root(), &walker, &own)?;
            }
        }
        let importing: Vec<&mut Self> =
            all.values_mut().filter(|one| one.imports() && asks(one)).collect();
        let programs: Vec<_> = importing.iter().map(|one| one.own()).collect();
        let reaches = Graph::new(workspace.layout.root()).reach_all(&programs)?;
        for (one, reach) in importing.into_iter().zip(reaches) {
            one.reach = Some(reach);
        }
        Ok(all)
    }

    fn new(subsystem: &'w Subsystem) -> Self {
        Self { subsystem, reach: None, linked: BTreeSet::new() }
    }

    /// The component.
    pub fn name(&self) -> &'w Name {
        &self.subsystem.name
    }

    /// Whether `file`, relative to the workspace, goes into it.
    pub fn covers(&self, file: &str) -> bool {
        self.reason(file).is_some()
    }

    /// Why a change of `file` is one of it.
    pub fn reason(&self, file: &str) -> Option<Reason> {
        if self.specs().any(|spec| spec == Path::new(file)) {
            return Some(Reason::Spec(file.to_owned()));
        }
        if self.own().iter().any(|start| is_at(file, start)) {
            return Some(Reason::Own(file.to_owned()));
        }
        let shared = &self.subsystem.shared;
        if let Some(pattern) = shared.means(file) {
            return Some(match shared.also.iter().any(|also| also == pattern) {
                true => Reason::Also(file.to_owned(), pattern.to_owned()),
                false => Reason::Used(file.to_owned()),
            });
        }
        if self.of_image().iter().any(|start| is_at(file, start)) {
            return Some(Reason::Own(file.to_owned()));
        }
        if self.linked.iter().any(|start| is_at(file, start)) {
            return Some(Reason::Linked(file.to_owned()));
        }
        let reach = self.reach.as_ref().filter(|reach| reach.covers(file));
        reach.map(|_| Reason::Imported(file.to_owned()))
    }

    /// Files and folders of the workspace that hold all of it, and more; none if only all do.
    pub fn starts(&self) -> Vec<String> {
        let mut starts = self.own();
        starts.extend(self.specs().map(|spec| spec.to_string_lossy().into_owned()));
        let also = self.subsystem.shared.patterns();
        starts.extend(also.map(|pattern| SharedInputs::start(pattern).to_owned()));
        starts.extend(self.linked.iter().cloned());
        starts.extend(self.of_image());
        if let Some(ImportClosure { packages, embeds, rules, .. }) = &self.reach {
            let embedding = embeds.iter().map(|(folder, _)| folder);
            starts.extend(packages.iter().chain(rules).chain(embedding).cloned());
        }
        starts.sort_unstable();
        // What is below another is held by that.
        let mut outer: Vec<String> = Vec::new();
        for start in starts {
            if !outer.iter().any(|known| is_at(&start, known)) {
                outer.push(start);
            }
        }
        match outer.first().is_some_and(String::is_empty) {
            true => Vec::new(),
            false => outer,
        }
    }

    /// Its spec, and those that this extends.
    fn specs(&self) -> impl Iterator<Item = &'w Path> {
        let bases = self.subsystem.extends.iter().map(|(base, _)| base.as_path());
        std::iter::once(self.subsystem.spec.as_path()).chain(bases)
    }

    /// Its own files and folders.
    fn own(&self) -> Vec<String> {
        Own::for_subsystem(self.subsystem).map(|own| own.starts()).unwrap_or_default()
    }

    /// The files and folders that go into its image, and what its Dockerfile sees.
    fn of_image(&self) -> Vec<String> {
        let Some(image) = &self.subsystem.image else { return Vec::new() };
        let dockerfile = image.dockerfile.iter().flat_map(|it| [&it.path, &it.context]);
        let files = image.files.iter().map(|file| &file.from).chain(dockerfile);
        files.map(|path| start_of(path)).collect()
    }

    fn imports(&self) -> bool {
        self.subsystem.shared.imports
    }
}

/// `path` as [`is_at`] takes it; the workspace itself is the empty one.
fn start_of(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = text.trim_end_matches('/');
    if text == "." { String::new() } else { text.to_owned() }
}

/// Whether `file` is `start` or below it; all is below the empty path.
fn is_at(file: &str, start: &str) -> bool {
    start.is_empty()
        || file.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

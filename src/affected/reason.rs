//! Why a component is affected.

use std::collections::{BTreeMap, BTreeSet};

use super::{base::Bases, extent::Extent};
use crate::{
    model::{Fault, Layout, Name},
    workspace::Workspace,
};

/// Why a component is affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was never released.
    Unreleased,
    /// A file of its own.
    Own(String),
    /// Its spec.
    Spec(String),
    /// `versions.yml`, which holds for all.
    Versions,
    /// A file that a pattern of `also` means.
    Also(String, String),
    /// A file that it imports.
    Imported(String),
    /// Another component that is needed to build it.
    Needs(Name),
}

impl Reason {
    /// The kind of it, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreleased => "unreleased",
            Self::Own(_) => "own",
            Self::Spec(_) => "spec",
            Self::Versions => "versions",
            Self::Also(..) => "also",
            Self::Imported(_) => "imported",
            Self::Needs(_) => "needs",
        }
    }

    /// The file that has changed, if it is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Own(file) | Self::Spec(file) | Self::Also(file, _) | Self::Imported(file) => {
                Some(file)
            }
            Self::Versions => Some(Layout::MANIFEST),
            Self::Unreleased | Self::Needs(_) => None,
        }
    }

    /// The reason in words.
    pub fn told(&self) -> String {
        match self {
            Self::Unreleased => "never released".into(),
            Self::Own(file) => file.clone(),
            Self::Spec(file) => format!("{file}, its spec"),
            Self::Versions => format!("{}, which holds for all", Layout::MANIFEST),
            Self::Also(file, pattern) => format!("{file}, by `also: {pattern}`"),
            Self::Imported(file) => format!("{file}, which it imports"),
            Self::Needs(name) => format!("{name}, which it is built with"),
        }
    }
}

/// Why each of `names` is affected, the first reason first; nothing for those that are not.
///
/// # Errors
/// When code cannot be read.
pub fn reasons(
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    bases: &Bases,
) -> Result<BTreeMap<Name, Vec<Reason>>, Fault> {
    let nothing = BTreeSet::new();
    let changed = |name: &Name| {
        let base = bases.of.get(name)?;
        Some(bases.changed.get(&base.commit).unwrap_or(&nothing))
    };
    // What code imports matters only if something changed that is not its own anyway.
    let asks = |extent: &Extent| {
        let files = changed(extent.name());
        files.is_some_and(|files| files.iter().any(|file| reason(extent, file).is_none()))
    };
    let extents = Extent::of_all(workspace, names, &asks)?;
    let mut all = BTreeMap::new();
    for name in names {
        let found = match (changed(name), extents.get(name)) {
            (None, _) | (_, None) => vec![Reason::Unreleased],
            (Some(files), Some(extent)) => {
                files.iter().filter_map(|file| reason(extent, file)).collect()
            }
        };
        if !found.is_empty() {
            all.insert(name.clone(), found);
        }
    }
    spread(workspace, names, &mut all);
    Ok(all)
}

/// Why a change of `file` affects the component.
fn reason(extent: &Extent, file: &str) -> Option<Reason> {
    match file == Layout::MANIFEST {
        true => Some(Reason::Versions),
        false => extent.reason(file),
    }
}

/// What is built with something that is affected is affected too.
fn spread(workspace: &Workspace, names: &BTreeSet<Name>, all: &mut BTreeMap<Name, Vec<Reason>>) {
    loop {
        let rest = names.iter().filter(|name| !all.contains_key(*name));
        let next: Vec<(Name, Name)> = rest
            .filter_map(|name| {
                let needs = &workspace.subsystems[name].build_needs;
                Some((name.clone(), needs.iter().find(|need| all.contains_key(*need))?.clone()))
            })
            .collect();
        if next.is_empty() {
            return;
        }
        all.extend(next.into_iter().map(|(name, need)| (name, vec![Reason::Needs(need)])));
    }
}

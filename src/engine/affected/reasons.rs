//! Which components are affected, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::{base::Bases, extent::PathScope, reason::Reason};
use crate::{
    model::{Fault, Layout, Name},
    workspace::{Subsystem, Workspace},
};

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
    let asks = |extent: &PathScope| {
        let files = changed(extent.name());
        let others = files.into_iter().flatten().filter(|file| *file != Layout::MANIFEST);
        others.into_iter().any(|file| extent.reason(file).is_none())
    };
    let extents = PathScope::of_all(workspace, names, &asks)?;
    let mut all = BTreeMap::new();
    for name in names {
        let found = match (changed(name), extents.get(name)) {
            (None, _) | (_, None) => vec![Reason::Unreleased],
            (Some(files), Some(extent)) => {
                let subsystem = &workspace.subsystems[name];
                let manifest =
                    versions(subsystem, bases).filter(|_| files.contains(Layout::MANIFEST));
                let others = files.iter().filter(|file| *file != Layout::MANIFEST);
                let own = others.filter_map(|file| extent.reason(file));
                let new = bases.pending.get(name).cloned().map(Reason::NewVersion);
                new.into_iter().chain(manifest).chain(own).collect()
            }
        };
        if !found.is_empty() {
            all.insert(name.clone(), found);
        }
    }
    spread(workspace, names, &mut all);
    Ok(all)
}

/// Why a change of `versions.yml` affects `subsystem`, if it does.
fn versions(subsystem: &Subsystem, bases: &Bases) -> Option<Reason> {
    let before = bases.manifests.get(&bases.of.get(&subsystem.name)?.commit);
    let (Some(before), Some(now)) = (before, &bases.manifest) else {
        return Some(Reason::Versions(None));
    };
    before.change(now, subsystem).map(|change| Reason::Versions(Some(change)))
}

/// What is built with something that is affected is affected too.
fn spread(workspace: &Workspace, names: &BTreeSet<Name>, all: &mut BTreeMap<Name, Vec<Reason>>) {
    loop {
        let rest = names.iter().filter(|name| !all.contains_key(*name));
        let next: Vec<(Name, Name)> = rest
            .filter_map(|name| {
                let subsystem = &workspace.subsystems[name];
                let with = subsystem.image.iter().flat_map(|image| &image.with);
                let mut needs = subsystem.build_needs.iter().chain(with);
                Some((name.clone(), needs.find(|need| all.contains_key(*need))?.clone()))
            })
            .collect();
        if next.is_empty() {
            return;
        }
        all.extend(next.into_iter().map(|(name, need)| (name, vec![Reason::Needs(need)])));
    }
}

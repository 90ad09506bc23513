//! Why a component is affected.

use std::collections::{BTreeMap, BTreeSet};

use super::{base::Bases, manifest::Change};
use crate::{
    imports::{Graph, Reach},
    model::{Fault, Layout, Name},
    probe::Own,
    workspace::{Source, Subsystem, Workspace},
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
    /// `versions.yml`; where it is known, what of it.
    Versions(Option<Change>),
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
            Self::Versions(_) => "versions",
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
            Self::Versions(_) => Some(Layout::MANIFEST),
            Self::Unreleased | Self::Needs(_) => None,
        }
    }

    /// The reason in words.
    pub fn told(&self) -> String {
        match self {
            Self::Unreleased => "never released".into(),
            Self::Own(file) => file.clone(),
            Self::Spec(file) => format!("{file}, its spec"),
            Self::Versions(None) => format!("{}, which holds for all", Layout::MANIFEST),
            Self::Versions(Some(Change::Common(key))) => {
                format!("{}, whose `{key}` holds for all", Layout::MANIFEST)
            }
            Self::Versions(Some(Change::Version(name))) => {
                format!("{}, the line of {name}", Layout::MANIFEST)
            }
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
    let reaches = reaches(workspace, names, &changed)?;
    let mut all = BTreeMap::new();
    for name in names {
        let subsystem = &workspace.subsystems[name];
        let found = match changed(name) {
            None => vec![Reason::Unreleased],
            Some(files) => {
                let reach = reaches.get(name);
                let manifest =
                    versions(subsystem, bases).filter(|_| files.contains(Layout::MANIFEST));
                let files = files.iter().filter(|file| *file != Layout::MANIFEST);
                manifest
                    .into_iter()
                    .chain(files.filter_map(|file| reason(subsystem, reach, file)))
                    .collect()
            }
        };
        if !found.is_empty() {
            all.insert(name.clone(), found);
        }
    }
    spread(workspace, names, &mut all);
    Ok(all)
}

/// Of those whose changed files are not all their own, what they import.
fn reaches<'c>(
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    changed: &dyn Fn(&Name) -> Option<&'c BTreeSet<String>>,
) -> Result<BTreeMap<Name, Reach>, Fault> {
    let mut importing = Vec::new();
    for name in names {
        let subsystem = &workspace.subsystems[name];
        let Source::Path { dir, only, shared } = &subsystem.source else { continue };
        let Some(files) = changed(name).filter(|_| shared.imports) else { continue };
        if files.iter().any(|file| reason(subsystem, None, file).is_none()) {
            importing.push((name.clone(), Own { dir, only, shared }.starts()));
        }
    }
    let (names, programs): (Vec<_>, Vec<_>) = importing.into_iter().unzip();
    let reaches = Graph::new(workspace.layout.root()).reach_all(&programs)?;
    Ok(names.into_iter().zip(reaches).collect())
}

/// Why a change of `versions.yml` affects `subsystem`, if it does.
fn versions(subsystem: &Subsystem, bases: &Bases) -> Option<Reason> {
    let before = bases.manifests.get(&bases.of.get(&subsystem.name)?.commit);
    let (Some(before), Some(now)) = (before, &bases.manifest) else {
        return Some(Reason::Versions(None));
    };
    before.change(now, subsystem).map(|change| Reason::Versions(Some(change)))
}

/// Why a change of `file` affects `subsystem`.
fn reason(subsystem: &Subsystem, reach: Option<&Reach>, file: &str) -> Option<Reason> {
    let path = std::path::Path::new(file);
    if path == subsystem.spec || subsystem.extends.iter().any(|(base, _)| path == base) {
        return Some(Reason::Spec(file.to_owned()));
    }
    let Source::Path { dir, only, shared } = &subsystem.source else { return None };
    let is_below = |start: &String| {
        start.is_empty()
            || file
                .strip_prefix(start.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if (Own { dir, only, shared }).starts().iter().any(is_below) {
        return Some(Reason::Own(file.to_owned()));
    }
    if let Some(pattern) = shared.means(file) {
        return Some(Reason::Also(file.to_owned(), pattern.to_owned()));
    }
    reach.filter(|reach| reach.covers(file)).map(|_| Reason::Imported(file.to_owned()))
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

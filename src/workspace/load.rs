//! From a folder to a workspace: reads its files, makes every check, and tells all
//! that is wrong at once.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Choice, Environment, Workspace, files, graph, service, settings, specs::Loader, task, template,
    version::Versions,
};
use crate::{
    manifest::{Findings, parse_lock, read_manifest},
    model::{Fault, Kind, Layout, Lock, Name, Platform, Problems},
    store::Mode,
};

/// Why a workspace could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// People wrote something that does not hold together: all of it.
    Problems(Problems),
    /// The files could not be read.
    Fault(Fault),
}

impl From<Fault> for LoadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Loads the workspace at `root` for `platform`, with the variables forge was started with and
/// what this invocation chooses.
///
/// # Errors
/// All that is wrong in its files, at once; or why they could not be read.
pub fn load(root: &Path, platform: Platform, choice: &Choice) -> Result<Workspace, LoadError> {
    load_with(root, platform, choice, &Environment::host())
}

/// [`load`], with another `environment`.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    root: &Path,
    platform: Platform,
    choice: &Choice,
    environment: &Environment,
) -> Result<Workspace, LoadError> {
    let layout = files::layout(root)?;
    let manifest_file = files::read(&layout, Path::new(Layout::MANIFEST))?;
    let mut found = Findings::new(&manifest_file);
    let manifest = read_manifest(&manifest_file, &mut found);
    // Without any versions read, specs would all be told to lack one.
    let is_listed = !manifest.versions.is_empty() || found.is_empty();
    let listed = files::list_specs(&layout)?;
    let settings = settings::resolve(&manifest, &mut found);
    let lock_text = files::lock_text(&layout)?;
    let (lock, wrong_lock) = match parse_lock(&lock_text) {
        Ok(lock) => (lock, None),
        Err(wrong) => (Lock::default(), Some(*wrong)),
    };

    let loader = Loader {
        layout: &layout,
        manifest_file: &manifest_file,
        manifest: &manifest,
        versions: Versions { stated: &settings.versions, lock: &lock, choice },
        is_listed,
        engine: &template::engine(),
        environment,
        platform,
    };
    let tasks = loader.tasks(&mut found);
    let loaded = loader.load(&listed.files)?;

    let mut diagnostics = Vec::new();
    let mut texts = BTreeMap::from([(manifest_file.path.clone(), manifest_file.text.clone())]);
    let mut drafts = Vec::new();
    let mut families: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    let mut looked_at = Vec::new();
    for (spec, listed) in loaded.into_iter().zip(&listed.files) {
        diagnostics.extend(spec.diagnostics);
        texts.insert(spec.file.path, spec.file.text);
        if spec.is_family {
            let names = spec.drafts.iter().map(|draft| draft.name.clone());
            families.insert(listed.name.clone(), names.collect());
        }
        looked_at.extend(spec.looked_at);
        drafts.extend(spec.drafts);
    }
    let mut names = listed.names();
    names.extend(drafts.iter().map(|draft| draft.name.as_str()));
    names.sort_unstable();
    names.dedup();
    loader.check_versions(&names, &mut found);
    let mut groups = settings::groups(&manifest, &drafts, &names, &mut found);
    // A family is a group too, unless one is called so.
    for (family, members) in families {
        groups.entry(family).or_insert(members);
    }
    diagnostics.splice(0..0, found.diagnostics);
    let pinned = settings.versions.keys().map(Name::as_str);
    let known = pinned.chain(names.iter().copied()).collect();
    diagnostics.extend(graph::check(&drafts, &known));
    diagnostics.extend(service::check(&drafts, &known));
    diagnostics.extend(listed.misplaced.iter().cloned());
    diagnostics.extend(task::taken_names(&manifest_file, &manifest.tasks, &drafts));
    let mut all_tasks = tasks;
    all_tasks.extend(drafts.iter_mut().flat_map(|draft| std::mem::take(&mut draft.tasks)));
    if diagnostics.is_empty() {
        let subsystems = drafts.iter().map(|draft| &draft.name);
        diagnostics.extend(task::check(&all_tasks, subsystems));
    }
    diagnostics.extend(wrong_lock);
    texts.insert(PathBuf::from(Layout::LOCK), lock_text);
    if !diagnostics.is_empty() {
        return Err(LoadError::Problems(Problems::gather(diagnostics, texts)));
    }

    let mut subsystems = BTreeMap::new();
    for draft in drafts {
        let subsystem = draft.subsystem.ok_or_else(|| unexplained(&draft.name))?;
        subsystems.insert(draft.name, subsystem);
    }
    let folder = || layout.root().file_name().map(|name| name.to_string_lossy().into_owned());
    let project = manifest.project.map(|project| project.text).or_else(folder);
    Ok(Workspace {
        platform,
        project: project.unwrap_or_else(|| "workspace".into()),
        stores: settings.stores,
        platforms: if settings.platforms.is_empty() { vec![platform] } else { settings.platforms },
        repository: settings.repository,
        trust: settings.trust,
        mode: match manifest.sealed.as_ref().map(|flag| flag.text.as_str()) {
            Some("true") => Mode::Sealed,
            Some(_) => Mode::Append,
            None => Mode::Detected,
        },
        groups,
        subsystems,
        tasks: all_tasks.into_iter().map(|task| (task.name.clone(), task)).collect(),
        lock,
        inputs: listed.inputs(&layout).into_iter().chain(looked_at).collect(),
        environment: environment.seen(),
        layout,
    })
}

/// Nothing is wrong with a subsystem, and yet it was not resolved.
fn unexplained(name: &Name) -> Fault {
    let what = format!("{name} could not be resolved, though nothing in it is wrong");
    Fault::new(Kind::Failed, what).hint("this is a mistake in forge; please report it")
}

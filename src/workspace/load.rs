//! From a folder to a workspace: reads its files, makes every check, and tells all
//! that is wrong at once.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Outside, Workspace, files, graph,
    include::{self, Pinned},
    service, settings,
    specs::Loader,
    subsystem::Draft,
    task,
    template::Engine,
    version::Versions,
};
use crate::{
    manifest::{File, Findings, MAX_BYTES, ManifestDoc, parse_lock, read_manifest},
    model::{Fault, Kind, Layout, Lock, Name, Platform, Problems},
    store::Mode,
};

/// Why a workspace could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// People wrote something that does not hold together: all of it.
    Problems(Problems),
    /// Files that are included by their URLs are not here. Nothing is wrong as far as can be seen
    /// without them; once the library has them, loading goes on.
    Wanted(Vec<Pinned>),
    /// The files could not be read.
    Fault(Fault),
}

impl From<Fault> for LoadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Loads the workspace at `root` for `platform`.
///
/// # Errors
/// All that is wrong in its files, at once; what is missing in the library; or why files could not
/// be read.
pub fn load(root: &Path, platform: Platform, outside: &Outside) -> Result<Workspace, LoadError> {
    let layout = files::layout(root, &outside.user)?;
    let manifest_file = files::read(&layout, Path::new(Layout::MANIFEST))?;
    let listed = files::list_specs(&layout)?;
    resolve(layout, &manifest_file, listed, platform, outside)
}

/// [`load`], where `text` is what stands in `versions.yml`; no file of the workspace is read.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    root: &Path,
    text: &str,
    platform: Platform,
    outside: &Outside,
) -> Result<Workspace, LoadError> {
    let file = File::new(Layout::MANIFEST.into(), text.as_bytes().to_vec(), MAX_BYTES);
    let layout = Layout::new(root.to_owned(), outside.user.clone());
    resolve(layout, &file, files::Specs::default(), platform, outside)
}

fn resolve(
    layout: Layout,
    manifest_file: &File,
    listed: files::Specs,
    platform: Platform,
    outside: &Outside,
) -> Result<Workspace, LoadError> {
    let mut found = Findings::new(manifest_file);
    let manifest = read_manifest(manifest_file, &mut found);
    // Without any versions read, specs would all be told to lack one.
    let is_listed = !manifest.versions.is_empty() || found.is_empty();
    let settings = settings::resolve(&manifest, &mut found);
    let lock_text = files::lock_text(&layout)?;
    let (lock, wrong_lock) = match parse_lock(&lock_text) {
        Ok(lock) => (lock, None),
        Err(wrong) => (Lock::default(), Some(*wrong)),
    };

    let engine = Engine::new().checking(outside.syntax_check.clone());
    let loader = Loader {
        layout: &layout,
        manifest_file,
        manifest: &manifest,
        versions: Versions { stated: &settings.versions, lock: &lock, outside },
        is_listed,
        engine: &engine,
        environment: &outside.environment,
        assignments: &outside.assignments,
        platform,
    };
    let tasks = loader.tasks(&mut found);
    let around = loader.surroundings();
    let included =
        include::follow(&layout, &around, outside.library, &manifest.include, &mut found)?;
    let loaded = loader.load(&listed.files)?;

    let mut diagnostics = included.diagnostics;
    let mut texts = BTreeMap::from([(manifest_file.path.clone(), manifest_file.text.clone())]);
    texts.extend(included.files.into_iter().map(|file| (file.path, file.text)));
    let mut drafts = Vec::new();
    let mut families: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    let mut looked_at = Vec::new();
    for (spec, listed) in loaded.into_iter().zip(&listed.files) {
        diagnostics.extend(spec.diagnostics);
        texts.extend(spec.file.texts());
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
    let groups = groups(&manifest, &drafts, families, &names, &mut found);
    diagnostics.splice(0..0, found.diagnostics);
    let pinned = settings.versions.keys().map(Name::as_str);
    let known = pinned.chain(names.iter().copied()).collect();
    diagnostics.extend(graph::check(&drafts, &known));
    diagnostics.extend(service::check(&drafts, &known));
    diagnostics.extend(listed.misplaced.iter().cloned());
    let mut all_tasks = tasks;
    all_tasks.extend(included.tasks);
    all_tasks.extend(drafts.iter_mut().flat_map(|draft| std::mem::take(&mut draft.tasks)));
    diagnostics.extend(task::twins(&all_tasks));
    diagnostics.extend(engine.doubts.settle());
    if diagnostics.is_empty() && included.wanted.is_empty() {
        let subsystems = drafts.iter().map(|draft| &draft.name);
        diagnostics.extend(task::check(&all_tasks, subsystems));
    }
    diagnostics.extend(wrong_lock);
    texts.insert(PathBuf::from(Layout::LOCK), lock_text);
    if !diagnostics.is_empty() {
        return Err(LoadError::Problems(Problems::gather(diagnostics, texts)));
    }
    if !included.wanted.is_empty() {
        return Err(LoadError::Wanted(included.wanted));
    }

    let mut subsystems = BTreeMap::new();
    for draft in drafts {
        let subsystem = draft.subsystem.ok_or_else(|| unexplained(&draft.name))?;
        subsystems.insert(draft.name, subsystem);
    }
    Ok(Workspace {
        platform,
        project: project(&manifest, &layout),
        stores: settings.stores,
        platforms: if settings.platforms.is_empty() { vec![platform] } else { settings.platforms },
        runners: settings.runners,
        repository: settings.repository,
        trust: settings.trust,
        mode: mode(&manifest),
        output: manifest.head.output.map(|word| word.text),
        groups,
        subsystems,
        tasks: all_tasks.into_iter().map(|task| (task.name.clone(), task)).collect(),
        lock,
        inputs: listed
            .inputs(&layout)
            .into_iter()
            .chain(looked_at)
            .chain(included.looked_at)
            .collect(),
        seen_variables: outside.environment.seen(),
        environment: outside.environment.all().clone(),
        layout,
    })
}

/// What the project is called: as it says, or as its folder.
fn project(manifest: &ManifestDoc, layout: &Layout) -> String {
    let folder = || layout.root().file_name().map(|name| name.to_string_lossy().into_owned());
    let said = manifest.project.as_ref().map(|project| project.text.clone());
    said.or_else(folder).unwrap_or_else(|| "workspace".into())
}

/// How releases are published.
fn mode(manifest: &ManifestDoc) -> Mode {
    match manifest.sealed.as_ref().map(|flag| flag.text.as_str()) {
        Some("true") => Mode::Sealed,
        Some(_) => Mode::Append,
        None => Mode::Detected,
    }
}

/// The groups of `manifest` and of the specs; a family is a group too, unless one is called so.
fn groups(
    manifest: &ManifestDoc,
    drafts: &[Draft],
    families: BTreeMap<String, Vec<Name>>,
    names: &[&str],
    found: &mut Findings,
) -> BTreeMap<String, Vec<Name>> {
    let mut groups = settings::groups(manifest, drafts, names, found);
    for (family, members) in families {
        groups.entry(family).or_insert(members);
    }
    groups
}

/// Nothing is wrong with a subsystem, and yet it was not resolved.
fn unexplained(name: &Name) -> Fault {
    let what = format!("{name} could not be resolved, though nothing in it is wrong");
    Fault::new(Kind::Failed, what).hint("this is a mistake in forge; please report it")
}

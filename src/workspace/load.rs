//! From a folder to a workspace: reads its files, makes every check, and tells all
//! that is wrong at once.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use minijinja::Environment as Engine;
use rayon::prelude::*;

use super::{
    Environment, Workspace,
    files::{self, SpecFile},
    graph, settings,
    subsystem::{self, Draft, Surroundings},
    template,
};
use crate::{
    manifest::{File, Findings, ManifestDoc, Sp, nearest, parse_lock, read_manifest, read_spec},
    model::{Diagnostic, Fault, Kind, Layout, Lock, Name, Platform, Problems, Span, Version},
};

/// Below this many specs, threads cost more than they save.
const MANY_SPECS: usize = 64;

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

/// Loads the workspace at `root` for `platform`, with the variables forge was started with.
///
/// # Errors
/// All that is wrong in its files, at once; or why they could not be read.
pub fn load(root: &Path, platform: Platform) -> Result<Workspace, LoadError> {
    load_with(root, platform, &Environment::host())
}

/// [`load`], with another `environment`.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    root: &Path,
    platform: Platform,
    environment: &Environment,
) -> Result<Workspace, LoadError> {
    let root = std::path::absolute(root)
        .map_err(|error| Fault::io(format!("cannot find {}", root.display()), &error))?;
    let layout = Layout::new(root);
    if !layout.manifest().exists() {
        let what = format!("there is no {}", layout.manifest().display());
        let fault = Fault::new(Kind::Usage, what).hint("`forge init` makes a workspace");
        return Err(fault.into());
    }
    let manifest_file = files::read(&layout, Path::new(Layout::MANIFEST))?;
    let mut in_manifest = Findings::new(&manifest_file);
    let manifest = read_manifest(&manifest_file, &mut in_manifest);
    // Without any versions read, specs would all be told to lack one.
    let is_listed = !manifest.versions.is_empty() || in_manifest.is_empty();

    let listed = files::list_specs(&layout)?;
    let names: Vec<&str> = listed.files.iter().map(|spec| spec.name.as_str()).collect();
    let settings = settings::resolve(&manifest, &names, &mut in_manifest);
    let engine = template::engine();
    let loader = Loader {
        layout: &layout,
        manifest_file: &manifest_file,
        manifest: &manifest,
        versions: &settings.versions,
        is_listed,
        engine: &engine,
        environment,
        platform,
    };
    let loaded = loader.specs(&listed.files)?;
    let (lock, lock_file) = lock(&layout)?;

    let mut texts = BTreeMap::from([(manifest_file.path.clone(), manifest_file.text.clone())]);
    let mut diagnostics = in_manifest.diagnostics;
    versions_without_spec(&manifest, &names, &manifest_file, &mut diagnostics);
    diagnostics.extend(listed.misplaced);
    let mut drafts = Vec::new();
    for spec in loaded {
        diagnostics.extend(spec.diagnostics);
        texts.insert(spec.file.path, spec.file.text);
        drafts.extend(spec.draft);
    }
    let mut known: Vec<_> = settings.versions.keys().map(Name::as_str).collect();
    known.extend(&names);
    diagnostics.extend(graph::check(&drafts, &known));
    let lock = lock.unwrap_or_else(|wrong| {
        diagnostics.push(*wrong);
        Lock::default()
    });
    texts.extend(lock_file);
    if !diagnostics.is_empty() {
        return Err(LoadError::Problems(problems(diagnostics, texts)));
    }

    if let Some(lost) = drafts.iter().find(|draft| draft.subsystem.is_none()) {
        let what = format!("{} could not be resolved, though nothing in it is wrong", lost.name);
        return Err(Fault::new(Kind::Failed, what)
            .hint("this is a mistake in forge; please report it")
            .into());
    }

    let mut inputs = vec![layout.manifest(), layout.lock()];
    inputs.extend(listed.files.iter().map(|spec| layout.root().join(&spec.path)));
    inputs.extend(listed.looked_at);
    let folder = layout.root().file_name().map(|name| name.to_string_lossy().into_owned());
    let project = manifest.project.as_ref().map(|project| project.text.clone());
    Ok(Workspace {
        platform,
        project: project.or(folder).unwrap_or_else(|| "workspace".into()),
        stores: settings.stores,
        platforms: if settings.platforms.is_empty() { vec![platform] } else { settings.platforms },
        groups: settings.groups,
        subsystems: drafts
            .into_iter()
            .filter_map(|draft| draft.subsystem.map(|subsystem| (draft.name, subsystem)))
            .collect(),
        lock,
        inputs,
        environment: environment.seen(),
        layout,
    })
}

struct Loader<'a> {
    layout: &'a Layout,
    manifest_file: &'a File,
    manifest: &'a ManifestDoc,
    versions: &'a BTreeMap<Name, Sp<Version>>,
    is_listed: bool,
    engine: &'a Engine<'static>,
    environment: &'a Environment,
    platform: Platform,
}

struct LoadedSpec {
    file: File,
    draft: Option<Draft>,
    diagnostics: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn specs(&self, specs: &[SpecFile]) -> Result<Vec<LoadedSpec>, Fault> {
        if specs.len() < MANY_SPECS {
            specs.iter().map(|spec| self.spec(spec)).collect()
        } else {
            specs.par_iter().map(|spec| self.spec(spec)).collect()
        }
    }

    fn spec(&self, spec: &SpecFile) -> Result<LoadedSpec, Fault> {
        let file = files::read(self.layout, &spec.path)?;
        let mut found = Findings::new(&file);
        let mut in_manifest = Findings::new(self.manifest_file);
        let doc = read_spec(&file, &mut found);
        let draft = match Name::new(&spec.name) {
            Ok(name) => {
                let version = self.version(&name, &mut found);
                let has_version = version.is_some();
                let mut draft = subsystem::resolve(
                    &name,
                    &doc,
                    &version.unwrap_or_else(unknown_version),
                    &self.surroundings(),
                    &mut found,
                    &mut in_manifest,
                );
                draft.spec.clone_from(&spec.path);
                draft.subsystem = draft.subsystem.filter(|_| has_version).map(|mut subsystem| {
                    subsystem.spec.clone_from(&spec.path);
                    subsystem
                });
                Some(draft)
            }
            Err(why) => {
                found.add(0..0, why, "this file's name", "rename the file to the subsystem's name");
                None
            }
        };
        let mut diagnostics = found.diagnostics;
        diagnostics.extend(in_manifest.diagnostics);
        Ok(LoadedSpec { file, draft, diagnostics })
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            engine: self.engine,
            environment: self.environment,
            platform: self.platform,
            root: self.layout.root(),
            manifest: self.manifest,
        }
    }

    /// The pinned version of `name`. That there is none goes to `found`.
    fn version(&self, name: &Name, found: &mut Findings) -> Option<Sp<Version>> {
        let version = self.versions.get(name).cloned();
        let written = self.manifest.versions.iter().any(|(key, _)| key.value == name.as_str());
        if version.is_none() && self.is_listed && !written {
            let what = format!("{name} has a spec but no version");
            let help =
                format!("add `{name}: v1.0.0` (with its version) under `versions` in versions.yml");
            found
                .diagnostics
                .insert(0, Diagnostic::new(found.span(0..0), what, "no version for it").help(help));
        }
        version
    }
}

/// Stands in for a version that is missing, so that the rest can be checked.
fn unknown_version() -> Sp<Version> {
    Sp { value: Version::Pin("v0.0.0".into()), bytes: 0..0 }
}

fn versions_without_spec(
    manifest: &ManifestDoc,
    specs: &[&str],
    file: &File,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let is_valid = |key: &&Sp<String>| Name::new(&key.value).is_ok();
    let lonely = manifest.versions.iter().map(|(key, _)| key).filter(is_valid);
    for key in lonely.filter(|key| !specs.contains(&key.value.as_str())) {
        let name = &key.value;
        let what = format!("{name} has a version but no spec");
        let unpinned = specs
            .iter()
            .copied()
            .filter(|spec| !manifest.versions.iter().any(|(key, _)| key.value == *spec));
        let help = match nearest(name, unpinned) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}/{name}.yml, or remove the line", Layout::SPECS),
        };
        let span = file.span(key.bytes.clone());
        diagnostics.push(Diagnostic::new(span, what, "no spec for it").help(help));
    }
}

type LockAndText = (Result<Lock, Box<Diagnostic>>, Option<(PathBuf, String)>);

fn lock(layout: &Layout) -> Result<LockAndText, Fault> {
    let path = layout.lock();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Ok(Lock::default()), None));
        }
        Err(error) => return Err(Fault::io(format!("cannot read {}", path.display()), &error)),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((parse_lock(&text), Some((PathBuf::from(Layout::LOCK), text))))
}

/// Puts what was found in the order of files and places, each thing once.
fn problems(mut diagnostics: Vec<Diagnostic>, mut texts: BTreeMap<PathBuf, String>) -> Problems {
    let rank = |span: &Span| match span.file.to_str() {
        Some(Layout::MANIFEST) => 0,
        Some(Layout::LOCK) => 2,
        _ => 1,
    };
    diagnostics.sort_by(|a, b| {
        let place = |d: &Diagnostic| (rank(&d.span), d.span.file.clone(), d.span.bytes.start);
        place(a).cmp(&place(b))
    });
    // What is wrong for all subsystems was found with each of them.
    let mut told = HashSet::new();
    diagnostics
        .retain(|diagnostic| told.insert((diagnostic.span.clone(), diagnostic.what.clone())));
    let spans = |diagnostic: &Diagnostic| {
        let related = diagnostic.related.iter().map(|(span, _)| span.file.clone());
        related.chain([diagnostic.span.file.clone()]).collect::<Vec<_>>()
    };
    let named: Vec<PathBuf> = diagnostics.iter().flat_map(spans).collect();
    texts.retain(|path, _| named.contains(path));
    for path in named {
        texts.entry(path).or_default();
    }
    Problems { diagnostics, texts }
}

//! From documents to a workspace: works out what they mean, makes every check, and tells all
//! that is wrong at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use super::{
    Deploy, LoadInputs, Subsystem, Workspace, WrittenText, deploy,
    documents::{Documents, Parsed, ParsedSpec},
    files::{SpecFile, Specs},
    graph, image,
    include::{self, Included, Pinned},
    requirement, service, settings,
    specs::{LoadedSpec, Loader},
    subsystem::SubsystemDraft,
    task,
    template::TemplateEngine,
    version::VersionTable,
};
use crate::{
    manifest::{Findings, ManifestDoc},
    model::{Diagnostic, Fault, Kind, Layout, Name, Platform, Problems, checksum},
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
pub fn load(root: &Path, platform: Platform, outside: &LoadInputs) -> Result<Workspace, LoadError> {
    Documents::read(root, &outside.user)?.resolve(platform, outside)
}

/// [`load`], where `text` is what stands in `versions.yml`; no other file but the lock is read.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    root: &Path,
    text: &str,
    platform: Platform,
    outside: &LoadInputs,
) -> Result<Workspace, LoadError> {
    Documents::of_text(root, text, &outside.user)?.resolve(platform, outside)
}

impl Documents {
    /// What the files mean for `platform`. Reads none of them again.
    ///
    /// # Errors
    /// All that is wrong in them, at once; or what is missing in the library.
    pub fn resolve(
        &self,
        platform: Platform,
        outside: &LoadInputs,
    ) -> Result<Workspace, LoadError> {
        resolve(self, platform, outside)
    }

    /// What is wrong, with the texts that it is in.
    fn problems(&self, diagnostics: Vec<Diagnostic>, included: &Included) -> LoadError {
        let texts = self.texts(included);
        let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        LoadError::Problems(Problems::gather(diagnostics, texts))
    }

    /// Each file that people wrote, relative to the workspace, with what it says.
    fn texts<'t>(&'t self, included: &'t Included) -> impl Iterator<Item = (&'t Path, &'t str)> {
        let included = included.files.iter().map(|parsed| &parsed.file);
        let specs = self.specs.iter().map(|spec| &spec.parsed.file);
        let files = [&self.manifest.file].into_iter().chain(included).chain(specs);
        let lock = (Path::new(Layout::LOCK), self.lock.text.as_str());
        files.flat_map(|file| file.texts()).chain([lock])
    }

    /// What is known of these files, by their absolute paths.
    fn contents(&self, included: &Included) -> HashMap<PathBuf, WrittenText> {
        let files = included.files.iter().map(|it| (it.file.path.as_path(), it.doc.meaning));
        let doc = |spec: &ParsedSpec| spec.parsed.doc.as_ref().and_then(|doc| doc.meaning);
        let specs = self.specs.iter().map(|spec| (spec.parsed.file.path.as_path(), doc(spec)));
        let manifest = [(self.manifest.file.path.as_path(), self.manifest.doc.meaning)];
        let meanings: HashMap<_, _> = manifest.into_iter().chain(files).chain(specs).collect();
        let known = |(path, text): (&Path, &str)| {
            let meaning = meanings.get(path).copied().flatten();
            let text = WrittenText { digest: checksum(text.as_bytes()), meaning };
            (self.layout.root().join(path), text)
        };
        self.texts(included).map(known).collect()
    }
}

fn resolve(
    documents: &Documents,
    platform: Platform,
    outside: &LoadInputs,
) -> Result<Workspace, LoadError> {
    let Documents { layout, manifest: Parsed { doc: manifest, file, .. }, listed, .. } = documents;
    // Another forge may know what this one would call wrong.
    if let Some(unmet) = manifest.forge.as_ref().and_then(|it| requirement::unmet(it, file)) {
        return Err(documents.problems(vec![unmet], &Included::default()));
    }
    let mut found = documents.manifest.findings();
    // Without any versions read, specs would all be told to lack one.
    let is_listed = !manifest.versions.is_empty() || found.is_empty();
    let settings = settings::resolve(manifest, layout.root(), &mut found);
    let environments = deploy::environments(manifest, &mut found);
    let schedules = deploy::schedules(manifest, &environments, &mut found);
    let (ledger, notify) = deploy::outside(manifest, layout, &mut found);
    let engine = TemplateEngine::new().checking(outside.syntax_check.clone());
    let loader = Loader {
        layout,
        manifest_file: &documents.manifest.file,
        manifest,
        versions: VersionTable { stated: &settings.versions, lock: &documents.lock.lock, outside },
        is_listed,
        engine: &engine,
        environment: &outside.environment,
        assignments: &outside.assignments,
        platform,
    };
    let (tasks, env) = loader.tasks(&mut found);
    let around = loader.surroundings();
    let sources = (outside.library, outside.taskfiles);
    let include = if documents.is_part { &[][..] } else { &manifest.include };
    let mut included = include::follow(documents, &around, sources, include, &mut found)?;
    let mut diagnostics = std::mem::take(&mut included.diagnostics);
    let loaded = loader.load(&listed.files, &documents.specs)?;
    let ResolvedSpecs { mut drafts, families, looked_at } =
        ResolvedSpecs::merge(&listed.files, loaded, &mut diagnostics);
    let names = names(listed, &drafts);
    // To a part, all that was left out would be missing.
    let mut unheard = Findings::new(&documents.manifest.file);
    let heard = if documents.is_part { &mut unheard } else { &mut found };
    if !documents.is_part {
        loader.check_versions(&names, heard);
    }
    let groups = groups(manifest, &drafts, families, &names, heard);
    diagnostics.splice(0..0, found.diagnostics);
    if !documents.is_part {
        let pinned = settings.versions.keys().map(Name::as_str);
        diagnostics.extend(check_drafts(&drafts, &pinned.chain(names.iter().copied()).collect()));
        diagnostics.extend(listed.misplaced.iter().cloned());
    }
    let mut all_tasks = tasks;
    all_tasks.append(&mut included.tasks);
    all_tasks.extend(drafts.iter_mut().flat_map(|draft| std::mem::take(&mut draft.tasks)));
    diagnostics.extend(task::twins(&all_tasks));
    diagnostics.extend(engine.doubts.settle());
    if documents.is_part {
        all_tasks.clear();
    }
    if diagnostics.is_empty() && included.wanted.is_empty() {
        let subsystems = drafts.iter().map(|draft| &draft.name);
        diagnostics.extend(task::check(&all_tasks, subsystems));
    }
    diagnostics.extend(documents.lock.wrong.clone());
    if !diagnostics.is_empty() {
        return Err(documents.problems(diagnostics, &included));
    }
    if !included.wanted.is_empty() {
        return Err(LoadError::Wanted(included.wanted));
    }

    let contents = documents.contents(&included);
    let deploys = deploys(&mut drafts);
    let mut subsystems = subsystems(drafts)?;
    let images = subsystems.values_mut().filter_map(|subsystem| subsystem.image.as_mut());
    image::with_platforms(images, &settings.platforms);
    let mut inputs = listed.inputs(layout);
    inputs.extend(looked_at.into_iter().chain(included.looked_at));
    Ok(Workspace {
        platform,
        project: project(manifest, layout),
        stores: settings.stores,
        platforms: if settings.platforms.is_empty() { vec![platform] } else { settings.platforms },
        runners: settings.runners,
        repository: settings.repository,
        trust: settings.trust,
        remote: settings.remote,
        image_trust: settings.image_trust,
        mode: mode(manifest),
        deploys,
        environments,
        ledger,
        schedules,
        notify,
        env,
        output: manifest.head.output.as_ref().map(|word| word.text.clone()),
        groups,
        is_part: documents.is_part,
        subsystems,
        tasks: all_tasks.into_iter().map(|task| (task.name.clone(), task)).collect(),
        lock: documents.lock.lock.clone(),
        inputs,
        contents,
        seen_variables: outside.environment.seen(),
        environment: outside.environment.all().clone(),
        layout: layout.clone(),
    })
}

/// What is wrong with what `drafts` say of others, of which those are there that are `known`.
fn check_drafts(drafts: &[SubsystemDraft], known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut diagnostics = graph::check(drafts, known);
    diagnostics.extend(service::check(drafts, known));
    diagnostics.extend(image::check(drafts, known));
    diagnostics.extend(deploy::check(drafts, known));
    diagnostics
}

/// What specs came to.
#[derive(Default)]
struct ResolvedSpecs {
    drafts: Vec<SubsystemDraft>,
    /// The members of each family, which is a group too.
    families: BTreeMap<String, Vec<Name>>,
    looked_at: Vec<PathBuf>,
}

impl ResolvedSpecs {
    /// All that was `loaded`, in the order in which it is `listed`; what is wrong is added to
    /// `diagnostics`.
    fn merge(
        listed: &[SpecFile],
        loaded: Vec<LoadedSpec>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut all = Self::default();
        for (listed, spec) in listed.iter().zip(loaded) {
            diagnostics.extend(spec.diagnostics);
            if spec.is_family {
                let names = spec.drafts.iter().map(|draft| draft.name.clone());
                all.families.insert(listed.name.clone(), names.collect());
            }
            all.looked_at.extend(spec.looked_at);
            all.drafts.extend(spec.drafts);
        }
        all
    }
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
    drafts: &[SubsystemDraft],
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

/// The names of all that has a spec, sorted.
fn names<'n>(listed: &'n Specs, drafts: &'n [SubsystemDraft]) -> Vec<&'n str> {
    let mut names = listed.names();
    names.extend(drafts.iter().map(|draft| draft.name.as_str()));
    names.sort_unstable();
    names.dedup();
    names
}

/// How those are deployed that say so.
fn deploys(drafts: &mut [SubsystemDraft]) -> BTreeMap<Name, Deploy> {
    let own = |draft: &mut SubsystemDraft| Some((draft.name.clone(), draft.deploy.take()?.deploy?));
    drafts.iter_mut().filter_map(own).collect()
}

fn subsystems(drafts: Vec<SubsystemDraft>) -> Result<BTreeMap<Name, Subsystem>, Fault> {
    let whole = |draft: SubsystemDraft| {
        let subsystem = draft.subsystem.ok_or_else(|| unexplained(&draft.name))?;
        Ok((draft.name, subsystem))
    };
    drafts.into_iter().map(whole).collect()
}

/// Nothing is wrong with a subsystem, and yet it was not resolved.
fn unexplained(name: &Name) -> Fault {
    let what = format!("{name} could not be resolved, though nothing in it is wrong");
    Fault::new(Kind::Failed, what).hint("this is a mistake in forge; please report it")
}

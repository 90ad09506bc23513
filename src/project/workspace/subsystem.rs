//! One spec and its version to a resolved [`Subsystem`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use minijinja::value::Value as Word;

use super::{
    Assignments, Build, SeenEnvironment, SharedInputs, Source, Subsystem, Task, Text, build,
    deploy::{self, DeployDraft},
    discover::DiscoveredFolder,
    feed::Inference,
    image::{self, ImageDraft, ImageInputs},
    names::{binaries, tag},
    outside,
    reads::{Reads, reads},
    service::{self, ServiceDraft},
    source,
    task::{self, TaskFileScope},
    template::{ScopeWords, TemplateEngine, TemplateScope},
    upstream,
    version::Current,
};
use crate::{
    manifest::{Findings, HeadDoc, ManifestDoc, ManifestFile, Scalar, Seams, Sp, SpecDoc},
    model::{Compression, Layout, Name, Platform, TagStem, Version},
    walk::Walker,
};

/// What every subsystem is resolved with.
pub struct SubsystemContext<'a> {
    /// Renders templates.
    pub engine: &'a TemplateEngine,
    /// What all templates know of the machine.
    pub words: ScopeWords,
    /// What the host says.
    pub environment: &'a SeenEnvironment,
    /// What a command line sets.
    pub assignments: &'a Assignments,
    /// What the workspace is resolved for.
    pub platform: Platform,
    /// The workspace's folder.
    pub root: &'a Path,
    /// Where things are in it.
    pub layout: &'a Layout,
    /// `versions.yml`.
    pub manifest: &'a ManifestDoc,
    /// Who knows what git tracks, once somebody asks.
    pub walker: OnceLock<Walker>,
}

/// What is known of a subsystem before its spec is looked at.
#[derive(Clone, Debug)]
pub struct SubsystemIdentity<'a> {
    /// Its name.
    pub name: Name,
    /// The spec's path, relative to the workspace.
    pub spec: &'a Path,
    /// Its version, and where that is stated.
    pub current: Sp<Current>,
    /// The folder that it was discovered by, if it was.
    pub found: Option<DiscoveredFolder>,
}

/// A subsystem with the places that checks across subsystems point at.
#[derive(Clone, Debug)]
pub struct SubsystemDraft {
    /// Its name.
    pub name: Name,
    /// Which file its places are in.
    pub seams: Seams,
    /// `needs`, where they are written.
    pub needs: Vec<Scalar>,
    /// `build_needs`, where they are written.
    pub build_needs: Vec<Scalar>,
    /// The binaries, where they are written.
    pub binaries: Vec<Sp<String>>,
    /// What the tags of its releases begin with, where `tag` is written.
    pub tag: Sp<TagStem>,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Its service.
    pub service: Option<ServiceDraft>,
    /// Its image.
    pub image: Option<ImageDraft>,
    /// How it is deployed.
    pub deploy: Option<DeployDraft>,
    /// `group`.
    pub groups: Vec<String>,
    /// The subsystem, if nothing in its spec is wrong.
    pub subsystem: Option<Subsystem>,
}

/// Resolves `doc`, the spec of the subsystem that `identity` tells. What is wrong goes to `found`,
/// or to `in_manifest` where `versions.yml` is to blame.
pub fn resolve(
    identity: &SubsystemIdentity,
    doc: &SpecDoc,
    around: &SubsystemContext,
    found: &mut Findings,
    in_manifest: &mut Findings,
) -> SubsystemDraft {
    let is_well_formed = found.is_empty();
    let (before, before_in_manifest) = (found.diagnostics.len(), in_manifest.diagnostics.len());
    let SubsystemIdentity { name, spec, current, .. } = identity;
    let (version, platform) = (&current.value.version, around.platform);
    let mut scope = scope(identity, around);
    let mut home = TaskFileScope::default();
    home.add(Path::new(""), &around.manifest.head, &mut scope, in_manifest);
    home.add(spec.parent().unwrap_or(Path::new("")), &doc.head, &mut scope, found);
    let declared = declared(&home, doc, around);
    let tasks = own_tasks(identity, doc, around, &home, &scope, found, in_manifest);
    let service =
        doc.service.as_ref().map(|entry| service::resolve(entry, &declared, &scope, found));
    let deploy = doc.deploy.as_ref().map(|entry| {
        let declared = (&declared.env, &declared.pass_env);
        deploy::resolve(entry, doc, around.manifest, declared, &scope, found)
    });
    let binaries = binaries(name, &doc.binary, platform, &scope, found);
    let names: Vec<_> = binaries.iter().map(|binary| binary.value.clone()).collect();
    let resolved_source = source::resolve(doc.source.as_ref(), version, around, &scope, found);
    let build = doc.build.as_ref().and_then(|build| {
        build::resolve(build, doc.source.as_ref(), declared, &scope, &names, found)
    });
    let shared = source::shared(doc, around, &scope, found);
    let built = build.as_ref().zip(resolved_source.as_ref());
    let shared = shared.map(|shared| with_reads(shared, built, doc, around, found));
    let tag = tag(name, doc, &scope, found);
    let groups = groups(&doc.groups, &scope, found);
    let vendor = doc.upstream.as_ref();
    let vendor = vendor.and_then(|doc| upstream::resolve(doc, platform, &names, &scope, found));
    let (source, upstream) = (resolved_source.as_ref(), vendor.as_ref());
    let feed = Inference { doc, version, source, upstream }.feed(&scope, found);
    let inputs = ImageInputs {
        around,
        binaries: &names,
        source,
        has_binaries: doc.build.is_some() || doc.upstream.is_some(),
    };
    let image = doc.image.as_ref().map(|entry| image::resolve(entry, &inputs, &scope, found));
    if is_well_formed {
        obtainable(name, doc, vendor.is_some(), platform, found);
        source_is_there(doc, found);
    }
    let has_git = matches!(resolved_source, Some(Source::Git { .. }));
    let version = if has_git { version.clone() } else { without_git(version) };
    if version.is_moving() && !has_git && is_well_formed {
        moves_without_git(name, &version, current, in_manifest);
    }
    let is_good = is_well_formed
        && found.diagnostics.len() == before
        && in_manifest.diagnostics.len() == before_in_manifest;
    let subsystem =
        resolved_source.zip(shared).filter(|_| is_good).map(|(source, shared)| Subsystem {
            name: name.clone(),
            desc: doc.desc.as_ref().map(|desc| desc.text.clone()),
            spec: spec.to_path_buf(),
            extends: extends(found.file(), doc),
            version,
            scheme: current.value.scheme.clone(),
            follows_tag: current.value.follows_tag,
            is_chosen: current.value.is_chosen,
            tag: tag.clone(),
            binaries: names,
            compression: compression(doc),
            needs: names_of(&doc.needs),
            build_needs: names_of(&doc.build_needs),
            source,
            shared,
            build,
            upstream: vendor,
            feed,
            service: service.as_ref().and_then(|draft| draft.service.clone()),
            image: image.as_ref().and_then(|draft| draft.image.clone()),
        });
    SubsystemDraft {
        name: name.clone(),
        seams: found.file().seams(),
        needs: doc.needs.clone(),
        build_needs: doc.build_needs.clone(),
        binaries,
        tag: Sp { value: tag, bytes: doc.tag.as_ref().map_or(0..0, |tag| tag.bytes.clone()) },
        tasks,
        service,
        image,
        deploy,
        groups,
        subsystem,
    }
}

/// `version`, which is a pin where nobody could tell where it moves to.
fn without_git(version: &Version) -> Version {
    if version.has_number() { version.clone().pinned() } else { version.clone() }
}

fn compression(doc: &SpecDoc) -> Compression {
    doc.package.as_ref().and_then(|word| word.text.parse().ok()).unwrap_or_default()
}

/// What is declared for all commands of a subsystem.
fn declared<'a>(
    home: &TaskFileScope,
    doc: &SpecDoc,
    around: &SubsystemContext<'a>,
) -> build::Declared<'a> {
    build::Declared {
        env: home.env.clone(),
        pass_env: home.pass_env.clone(),
        is_sandboxed: doc.sandbox.as_ref().is_none_or(|word| word.text != "off"),
        environment: around.environment,
    }
}

/// That `version` is a moving ref of a subsystem that has no git source.
fn moves_without_git(name: &Name, version: &Version, current: &Sp<Current>, found: &mut Findings) {
    let what = format!(
        "`{version}` is a moving ref, but {name} has no git source that it could mean a commit of"
    );
    let help = "pin a version, which holds a number: `v1.2.3`, `release-1.2`; or give the spec `source: {git: …}`";
    found.add(current.bytes.clone(), what, "not a pinned version", help);
}

/// The tasks of `name`: its own, and those of the files whose defaults it takes.
/// The tasks of the spec. What is set on the command line is set for them alone: what is built stays
/// what is pinned.
fn own_tasks(
    identity: &SubsystemIdentity,
    doc: &SpecDoc,
    around: &SubsystemContext,
    home: &TaskFileScope,
    scope: &TemplateScope,
    found: &mut Findings,
    in_manifest: &mut Findings,
) -> Vec<Task> {
    let SubsystemIdentity { name, spec, .. } = identity;
    let Some(set) = around.assignments.get(&(spec.to_path_buf(), String::new())) else {
        return all_tasks(name, doc, home, scope, found);
    };
    let mut scope = self::scope(identity, around);
    let mut home = TaskFileScope { dir: home.dir.clone(), ..TaskFileScope::default() };
    let mut all = doc.head.clone();
    all.vars.extend(around.manifest.head.vars.iter().cloned());
    home.give(outside::assigned(set, &all), &mut scope);
    let dir = home.dir.clone();
    let (above, own) = (home.lacking(&around.manifest.head), home.lacking(&doc.head));
    home.add(Path::new(""), &above, &mut scope, in_manifest);
    home.add(&dir, &own, &mut scope, found);
    all_tasks(name, doc, &home, &scope, found)
}

fn all_tasks(
    name: &Name,
    doc: &SpecDoc,
    home: &TaskFileScope,
    scope: &TemplateScope,
    found: &mut Findings,
) -> Vec<Task> {
    let mut tasks = task::resolve(Some(name), &doc.tasks, home.clone(), scope, found);
    for ((_, base), inherited) in found.file().bases().iter().zip(&doc.inherited) {
        let mut in_base = Findings::new(base);
        tasks.extend(task::resolve(Some(name), inherited, home.clone(), scope, &mut in_base));
        found.diagnostics.extend(in_base.diagnostics);
    }
    tasks
}

/// The files whose defaults the spec in `file` takes, and what of it they gave.
fn extends(file: &ManifestFile, doc: &SpecDoc) -> Vec<(PathBuf, Vec<String>)> {
    let bases = file.bases().iter().zip(doc.taken.iter().zip(&doc.inherited));
    let mut all = Vec::new();
    for ((_, base), (keys, tasks)) in bases {
        let tasks = (!tasks.is_empty()).then(|| "tasks".to_owned());
        all.push((base.path.clone(), keys.iter().cloned().chain(tasks).collect()));
    }
    all
}

/// The groups that a spec names itself.
fn groups(written: &[Scalar], scope: &TemplateScope, found: &mut Findings) -> Vec<String> {
    let mut groups = Vec::new();
    for scalar in written {
        let Some(group) = scope.plain(scalar, found) else { continue };
        if let Err(why) = Name::new(&group) {
            let help = "a group is called as a subsystem may be";
            found.add(scalar.bytes.clone(), why, "not a group", help);
        }
        groups.push(group);
    }
    groups
}

fn names_of(scalars: &[Scalar]) -> BTreeSet<Name> {
    scalars.iter().filter_map(|scalar| Name::new(&scalar.text).ok()).collect()
}

fn scope<'e>(identity: &SubsystemIdentity, around: &SubsystemContext<'e>) -> TemplateScope<'e> {
    let SubsystemIdentity { name, current, found: discovered, .. } = identity;
    let version = current.value.version.as_str();
    let has_v =
        version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let own = [
        ("name", name.as_str().into()),
        ("version", version.into()),
        ("version_number", has_v.unwrap_or(version).into()),
    ];
    let mut scope = family_scope(around);
    scope.extend(own.map(|(word, value): (&str, Word)| (word.to_owned(), value)));
    scope.extend(discovered.iter().flat_map(captured));
    scope
}

/// The words of a folder that was discovered.
fn captured(found: &DiscoveredFolder) -> impl Iterator<Item = (String, Word)> {
    let captures =
        found.captures.iter().map(|(word, text)| (word.clone(), Word::from(text.as_str())));
    captures.chain([("folder".to_owned(), Word::from(found.folder.as_str()))])
}

/// What a spec with `discover` is read with before anything is found.
pub fn family_scope<'e>(around: &SubsystemContext<'e>) -> TemplateScope<'e> {
    TemplateScope::of_words(around.engine, &around.words)
}

/// What a folder that was discovered is called: `name` of `doc`, or its captures.
pub fn discovered_name(
    doc: &SpecDoc,
    found: &DiscoveredFolder,
    captures: &[String],
    around: &SubsystemContext,
    problems: &mut Findings,
) -> Option<Name> {
    let text = match &doc.name {
        Some(written) => {
            let mut scope = family_scope(around);
            scope.extend(captured(found));
            scope.plain(written, problems)?
        }
        None => {
            captures.iter().map(|word| found.captures[word].as_str()).collect::<Vec<_>>().join("/")
        }
    };
    let place = doc.name.as_ref().or(doc.discover.as_ref()).map(|scalar| scalar.bytes.clone());
    let tell = |why| {
        let what = format!("{} cannot be a subsystem: {why}", found.folder);
        let help = "say with `name:` what it is called, such as `{{ provider }}/{{ component }}`";
        problems.add(place.unwrap_or_default(), what, "not a name", help);
    };
    Name::new(&text).map_err(tell).ok()
}

/// The tasks of the workspace itself, which know nothing of single subsystems; and its `env:`.
pub fn workspace_tasks(
    around: &SubsystemContext,
    found: &mut Findings,
) -> (Vec<Task>, BTreeMap<String, Text>) {
    let doc = around.manifest;
    if doc.tasks.is_empty() && doc.head.env.is_empty() {
        return (Vec::new(), BTreeMap::new());
    }
    let mut home = TaskFileScope::default();
    let scope = file_scope(around, &doc.head, &[], &mut home, found);
    let env = home.env.clone();
    (task::resolve(None, &doc.tasks, home, &scope, found), env)
}

/// What templates of a file know that belongs to no subsystem: the machine, what the file is
/// `given`, and what its `head` says, but for the variables that it is given. All that is said for
/// its tasks is added to `home`.
pub fn file_scope<'e>(
    around: &SubsystemContext<'e>,
    head: &HeadDoc,
    given: &[(String, Word)],
    home: &mut TaskFileScope,
    found: &mut Findings,
) -> TemplateScope<'e> {
    let mut scope = family_scope(around).without(&["src", "out", "work", "commit"]);
    home.give(given.iter().cloned(), &mut scope);
    let at = (found.file().path.clone(), home.space.clone());
    if let Some(set) = around.assignments.get(&at) {
        home.give(outside::assigned(set, head), &mut scope);
    }
    let dir = home.dir.clone();
    home.add(&dir, &home.lacking(head), &mut scope, found);
    scope
}

/// What all scopes know: the platform and the environment, and by their names the places.
pub fn machine_words(
    engine: &TemplateEngine,
    environment: &SeenEnvironment,
    platform: Platform,
) -> ScopeWords {
    let words: [(_, Word); 7] = [
        ("os", platform.os.as_str().into()),
        ("arch", platform.arch.as_str().into()),
        ("rust_target", platform.rust_target().into()),
        ("platform", platform.to_string().into()),
        ("exe", platform.executable("").into()),
        ("env", Word::from_object(environment.clone())),
        ("vars", Word::from(BTreeMap::<String, Word>::new())),
    ];
    let words = words.map(|(word, value)| (word.to_owned(), value));
    TemplateScope::new(engine, words.into()).words()
}

/// There must be some way to obtain it.
fn obtainable(
    name: &Name,
    doc: &SpecDoc,
    has_upstream: bool,
    platform: Platform,
    found: &mut Findings,
) {
    let is_image_alone = doc.image.is_some() && doc.upstream.is_none();
    if doc.build.is_some() || has_upstream || is_image_alone || !found.is_empty() {
        return;
    }
    let (what, help) = if doc.upstream.is_some() {
        (
            format!(
                "{name} cannot be obtained for {platform}: `upstream.sha256` has no digest for it, and there is no `build`"
            ),
            format!("add the digest of the {platform} asset, or a `build`"),
        )
    } else {
        (
            format!(
                "{name} can neither be built nor downloaded: its spec has no `build` and no `upstream`"
            ),
            "write `build:` (how to build it) or `upstream:` (the vendor's own release)".to_owned(),
        )
    };
    found.add(0..0, what, "no way to obtain it", help);
}

/// `shared` with what the commands of a build use of the workspace. What leads out of the source to what
/// cannot be told is an error, unless `also` says what is meant.
fn with_reads(
    mut shared: SharedInputs,
    built: Option<(&Build, &Source)>,
    doc: &SpecDoc,
    around: &SubsystemContext,
    found: &mut Findings,
) -> SharedInputs {
    let Some((build, source)) = built else { return shared };
    let Reads { used, unseen } = reads(build, source, around.root);
    // What `also` means already, it means.
    shared.used = used.into_iter().filter(|one| shared.means(one).is_none()).collect();
    let Some(how) = doc.build.as_ref().filter(|_| shared.also.is_empty()) else { return shared };
    for (at, word) in unseen {
        let what = format!(
            "`{word}` leads out of the source, and what it uses there cannot be told: that goes into no fingerprint"
        );
        let help = match source {
            Source::None => {
                "write the path out, since what commands name in the workspace is seen; or name a source: `source: { path: DIR, also: [FILES] }`"
            }
            _ => "say what it uses: `source: { …, also: [scripts] }`; or write the path out",
        };
        let written = how.options.one_or_many();
        let step = written.get(at).filter(|_| build.steps.len() == written.len());
        let bytes = step.map_or_else(|| how.how.bytes.clone(), |step| step.bytes.clone());
        found.add(bytes, what, "leads out", help);
    }
    shared
}

/// A preset that builds a source needs one.
fn source_is_there(doc: &SpecDoc, found: &mut Findings) {
    let Some(build) = &doc.build else { return };
    if doc.source.is_some() || !build::needs_source(build) {
        return;
    }
    let preset = &build.how.value;
    let what = format!("`build.{preset}` builds a source, and this spec names none");
    let help = match preset.as_str() {
        "go" => {
            "write `source: {git: URL}` or `source: {path: FOLDER}`; or let go fetch it: `go: {module: PATH}`"
        }
        _ => {
            "write `source: {git: URL}` or `source: {path: FOLDER}`; or let cargo fetch it: `cargo: {install: CRATE}`"
        }
    };
    found.add(build.how.bytes.clone(), what, "nothing to build", help);
}

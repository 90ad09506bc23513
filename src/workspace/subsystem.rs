//! One spec and its version to a resolved [`Subsystem`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use minijinja::{Environment as Engine, value::Value as Word};

use super::{
    Assignments, Environment, Source, Subsystem, Task, build, outside, source,
    task::{self, Home},
    template::Scope,
    upstream,
};
use crate::{
    manifest::{Findings, HeadDoc, ManifestDoc, Scalar, Sp, SpecDoc},
    model::{Name, Platform, Version},
};

/// What every subsystem is resolved with.
pub struct Surroundings<'a> {
    /// Renders templates.
    pub engine: &'a Engine<'static>,
    /// What the host says.
    pub environment: &'a Environment,
    /// What a command line sets.
    pub assignments: &'a Assignments,
    /// What the workspace is resolved for.
    pub platform: Platform,
    /// The workspace's folder.
    pub root: &'a Path,
    /// `versions.yml`.
    pub manifest: &'a ManifestDoc,
}

/// A subsystem with the places that checks across subsystems point at.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: Name,
    /// The spec's path, relative to the workspace.
    pub spec: PathBuf,
    /// `needs`, where they are written.
    pub needs: Vec<Scalar>,
    /// `build_needs`, where they are written.
    pub build_needs: Vec<Scalar>,
    /// The binaries, where they are written.
    pub binaries: Vec<Sp<String>>,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// The subsystem, if nothing in its spec is wrong.
    pub subsystem: Option<Subsystem>,
}

/// Resolves `doc`, the spec of `name` in the file `spec`, pinned to `version`. What is wrong goes to `found`,
/// or to `in_manifest` where `versions.yml` is to blame.
pub fn resolve(
    name: &Name,
    spec: &Path,
    doc: &SpecDoc,
    version: &Sp<Version>,
    around: &Surroundings,
    found: &mut Findings,
    in_manifest: &mut Findings,
) -> Draft {
    let is_well_formed = found.is_empty();
    let (before, before_in_manifest) = (found.diagnostics.len(), in_manifest.diagnostics.len());
    let mut scope = scope(name, &version.value, around);
    let mut home = Home::default();
    home.add(Path::new(""), &around.manifest.head, &mut scope, in_manifest);
    home.add(spec.parent().unwrap_or(Path::new("")), &doc.head, &mut scope, found);
    let env = home.env.clone();
    let tasks = match around.assignments.get(&(spec.to_owned(), String::new())) {
        None => task::resolve(Some(name), &doc.tasks, home, &scope, found),
        // What is set is set for its tasks: what is built stays what is pinned.
        Some(set) => {
            let mut scope = self::scope(name, &version.value, around);
            let (root, dir) = (Path::new(""), home.dir);
            let mut home = Home::default();
            let mut all = doc.head.clone();
            all.vars.extend(around.manifest.head.vars.iter().cloned());
            home.give(outside::assigned(set, &all), &mut scope);
            home.add(root, &home.lacking(&around.manifest.head), &mut scope, in_manifest);
            home.add(&dir, &home.lacking(&doc.head), &mut scope, found);
            task::resolve(Some(name), &doc.tasks, home, &scope, found)
        }
    };
    let binaries = binaries(name, &doc.binary, &scope, found);
    let names: Vec<_> = binaries.iter().map(|binary| binary.value.clone()).collect();

    let resolved_source =
        source::resolve(doc.source.as_ref(), &version.value, around.root, &scope, found);
    let build = match &doc.build {
        Some(build) => build::resolve(build, doc.source.as_ref(), env, &scope, &names, found),
        None => None,
    };
    let vendor = doc
        .upstream
        .as_ref()
        .and_then(|doc| upstream::resolve(doc, around.platform, &names, &scope, found));
    if is_well_formed {
        obtainable(name, doc, vendor.is_some(), around.platform, found);
        source_is_there(doc, found);
    }
    let has_git = matches!(resolved_source, Some(Source::Git { .. }));
    if version.value.is_moving() && !has_git && is_well_formed {
        let what = format!(
            "`{}` is a moving ref, but {name} has no git source that it could mean a commit of",
            version.value
        );
        let help = "pin a version such as `v1.2.3`, or give the spec `source: {git: …}`";
        in_manifest.add(version.bytes.clone(), what, "not a pinned version", help);
    }

    let is_good = is_well_formed
        && found.diagnostics.len() == before
        && in_manifest.diagnostics.len() == before_in_manifest;
    let subsystem = resolved_source.filter(|_| is_good).map(|source| Subsystem {
        name: name.clone(),
        desc: doc.desc.as_ref().map(|desc| desc.text.clone()),
        spec: spec.to_owned(),
        version: version.value.clone(),
        binaries: names,
        compression: doc
            .package
            .as_ref()
            .and_then(|word| word.text.parse().ok())
            .unwrap_or_default(),
        needs: names_of(&doc.needs),
        build_needs: names_of(&doc.build_needs),
        source,
        build,
        upstream: vendor,
    });
    Draft {
        name: name.clone(),
        spec: spec.to_owned(),
        needs: doc.needs.clone(),
        build_needs: doc.build_needs.clone(),
        binaries,
        tasks,
        subsystem,
    }
}

fn names_of(scalars: &[Scalar]) -> BTreeSet<Name> {
    scalars.iter().filter_map(|scalar| Name::new(&scalar.text).ok()).collect()
}

fn scope<'e>(name: &Name, version: &Version, around: &Surroundings<'e>) -> Scope<'e> {
    let version = version.as_str();
    let has_v =
        version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let own = [
        ("name", name.as_str().into()),
        ("version", version.into()),
        ("version_number", has_v.unwrap_or(version).into()),
    ];
    Scope::new(around.engine, words(own.into_iter().chain(machine(around))))
}

/// The tasks of the workspace itself. They know nothing of single subsystems.
pub fn workspace_tasks(around: &Surroundings, found: &mut Findings) -> Vec<Task> {
    let doc = around.manifest;
    if doc.tasks.is_empty() {
        return Vec::new();
    }
    let mut home = Home::default();
    let scope = file_scope(around, &doc.head, &[], &mut home, found);
    task::resolve(None, &doc.tasks, home, &scope, found)
}

/// What templates of a file know that belongs to no subsystem: the machine, what the file is
/// `given`, and what its `head` says, but for the variables that it is given. All that is said for
/// its tasks is added to `home`.
pub fn file_scope<'e>(
    around: &Surroundings<'e>,
    head: &HeadDoc,
    given: &[(String, Word)],
    home: &mut Home,
    found: &mut Findings,
) -> Scope<'e> {
    let scope = Scope::new(around.engine, words(machine(around)));
    let mut scope = scope.without(&["src", "out", "work", "commit"]);
    home.give(given.iter().cloned(), &mut scope);
    let at = (found.file().path.clone(), home.space.clone());
    if let Some(set) = around.assignments.get(&at) {
        home.give(outside::assigned(set, head), &mut scope);
    }
    let dir = home.dir.clone();
    home.add(&dir, &home.lacking(head), &mut scope, found);
    scope
}

/// What all scopes know: the platform and the environment.
fn machine(around: &Surroundings) -> [(&'static str, Word); 7] {
    let platform = around.platform;
    [
        ("os", platform.os.as_str().into()),
        ("arch", platform.arch.as_str().into()),
        ("rust_target", platform.rust_target().into()),
        ("platform", platform.to_string().into()),
        ("exe", platform.executable("").into()),
        ("env", Word::from_object(around.environment.clone())),
        ("vars", Word::from(BTreeMap::<String, Word>::new())),
    ]
}

fn words(facts: impl IntoIterator<Item = (&'static str, Word)>) -> BTreeMap<String, Word> {
    facts.into_iter().map(|(word, value)| (word.to_owned(), value)).collect()
}

fn binaries(
    name: &Name,
    written: &[Scalar],
    scope: &Scope,
    found: &mut Findings,
) -> Vec<Sp<String>> {
    let mut binaries: Vec<Sp<String>> = Vec::new();
    for scalar in written {
        let Some(rendered) = scope.plain(scalar, found) else { continue };
        let binary = rendered.strip_suffix(".exe").unwrap_or(&rendered);
        let bytes = scalar.bytes.clone();
        let is_file_name = !binary.is_empty()
            && !binary.starts_with(['.', '-'])
            && !binary.contains(|c: char| {
                c.is_control() || c.is_whitespace() || "/\\:\"'$`;&|<>()*?".contains(c)
            });
        if !is_file_name {
            let what = format!("`{binary}` can be no binary's name");
            found.add(bytes, what, "not a plain file name", "write the file name alone, without folders; `upstream.paths` says where it is in an archive");
        } else if binaries.iter().any(|other| other.value == binary) {
            let what = format!("`{binary}` is named twice");
            found.add(bytes, what, "again here", "keep one of them");
        } else {
            binaries.push(Sp { value: binary.to_owned(), bytes });
        }
    }
    if written.is_empty() {
        binaries.push(Sp { value: name.to_string(), bytes: 0..0 });
    }
    binaries
}

/// There must be some way to obtain it.
fn obtainable(
    name: &Name,
    doc: &SpecDoc,
    has_upstream: bool,
    platform: Platform,
    found: &mut Findings,
) {
    if doc.build.is_some() || has_upstream || !found.is_empty() {
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

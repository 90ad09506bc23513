//! All specs of a workspace, resolved; side by side where there are many.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use rayon::prelude::*;

use super::{
    Assignments, SeenEnvironment, Task, Text,
    discover::Pattern,
    documents::{MANY_SPECS, ParsedSpec},
    files::SpecFile,
    subsystem::{self, SubsystemContext, SubsystemDraft, SubsystemIdentity},
    template::TemplateEngine,
    version::{Current, Stated, VersionTable, stated_scheme},
};
use crate::{
    manifest::{Findings, ManifestDoc, ManifestFile, Scalar, Sp, SpecDoc},
    model::{Diagnostic, Fault, Layout, Name, Platform, Version, nearest},
};

/// What specs are loaded with.
pub struct Loader<'a> {
    /// Where the workspace is.
    pub layout: &'a Layout,
    /// The file of `versions.yml`.
    pub manifest_file: &'a ManifestFile,
    /// What it says.
    pub manifest: &'a ManifestDoc,
    /// Its valid versions.
    pub versions: VersionTable<'a>,
    /// Whether its list of versions could be read at all.
    pub is_listed: bool,
    /// What renders templates.
    pub engine: &'a TemplateEngine,
    /// What the host says.
    pub environment: &'a SeenEnvironment,
    /// What a command line sets.
    pub assignments: &'a Assignments,
    /// What the workspace is resolved for.
    pub platform: Platform,
}

/// One spec, resolved as far as possible.
pub struct LoadedSpec {
    /// What came out: one subsystem, or as many as were discovered; none if the file's name is
    /// no name of a subsystem.
    pub drafts: Vec<SubsystemDraft>,
    /// Whether it has `discover`.
    pub is_family: bool,
    /// The folders that were listed to discover some, and the files that it extends, absolute.
    pub looked_at: Vec<PathBuf>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A version to check a spec with that has none.
fn stand_in() -> Sp<Current> {
    let version = Version::Pin("v0.0.0".into());
    Sp {
        value: Current { version, scheme: None, follows_tag: false, is_chosen: false },
        bytes: 0..0,
    }
}

impl Loader<'_> {
    /// Resolves `specs`, which are `listed` so, in their order.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn load(
        &self,
        listed: &[SpecFile],
        specs: &[ParsedSpec],
    ) -> Result<Vec<LoadedSpec>, Fault> {
        let around = self.surroundings();
        let load = |(listed, spec)| self.spec(listed, spec, &around);
        match specs.len() {
            ..MANY_SPECS => listed.iter().zip(specs).map(load).collect(),
            _ => listed.par_iter().zip(specs).map(load).collect(),
        }
    }

    fn spec(
        &self,
        spec: &SpecFile,
        read: &ParsedSpec,
        around: &SubsystemContext,
    ) -> Result<LoadedSpec, Fault> {
        let mut found = read.parsed.findings();
        let mut looked_at = read.looked_at.clone();
        let Some(doc) = &read.parsed.doc else {
            let (drafts, is_family, diagnostics) = (Vec::new(), false, found.diagnostics);
            return Ok(LoadedSpec { drafts, is_family, looked_at, diagnostics });
        };
        let mut in_manifest = Findings::new(self.manifest_file);
        let in_spec = doc.version.as_ref().and_then(|doc| stated_scheme(doc, &mut found));
        let is_family = doc.discover.is_some();
        let (identities, listed) = match &doc.discover {
            Some(shape) => self.family(spec, shape, (doc, around), in_spec.as_ref(), &mut found)?,
            None => (self.single(spec, in_spec.as_ref(), &mut found), Vec::new()),
        };
        looked_at.extend(listed);
        let mut drafts = Vec::new();
        for identity in &identities {
            drafts.push(subsystem::resolve(identity, doc, around, &mut found, &mut in_manifest));
            // What is wrong with one of a family is wrong with all: once is enough.
            if is_family && !(found.is_empty() && in_manifest.is_empty()) {
                break;
            }
        }
        let mut diagnostics = found.diagnostics;
        diagnostics.extend(in_manifest.diagnostics);
        Ok(LoadedSpec { drafts, is_family, looked_at, diagnostics })
    }

    /// The subsystem that `spec` is called as.
    fn single<'s>(
        &self,
        spec: &'s SpecFile,
        in_spec: Option<&Sp<Stated>>,
        found: &mut Findings,
    ) -> Vec<SubsystemIdentity<'s>> {
        let name = match Name::new(&spec.name) {
            Ok(name) => name,
            Err(why) => {
                let help = "rename the file to the subsystem's name";
                found.add(0..0, why, "this file's name", help);
                return Vec::new();
            }
        };
        let current = self.versions.version_of(&name, &spec.name, in_spec).unwrap_or_else(|| {
            self.tell_missing_version(&name, found);
            // The rest of a spec can still be checked.
            stand_in()
        });
        vec![SubsystemIdentity { name, spec: &spec.path, current, found: None }]
    }

    /// The subsystems that `shape` finds, and the folders that were listed.
    fn family<'s>(
        &self,
        spec: &'s SpecFile,
        shape: &Scalar,
        (doc, around): (&SpecDoc, &SubsystemContext),
        in_spec: Option<&Sp<Stated>>,
        problems: &mut Findings,
    ) -> Result<(Vec<SubsystemIdentity<'s>>, Vec<PathBuf>), Fault> {
        let scope = subsystem::family_scope(around);
        let Some(pattern) = Pattern::read(shape, &scope, problems) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let (all, looked_at) = pattern.find(self.layout.root())?;
        if all.is_empty() {
            let what = format!("no folder is called like `{}`", shape.text);
            let help = "write a path relative to the folder of `versions.yml`";
            problems.add(shape.bytes.clone(), what, "nothing there", help);
        }
        let captures = pattern.captures();
        let mut identities: Vec<SubsystemIdentity> = Vec::new();
        for found in all {
            let Some(name) = subsystem::discovered_name(doc, &found, &captures, around, problems)
            else {
                break;
            };
            if let Some(other) = identities.iter().find(|other| other.name == name) {
                let other = other.found.as_ref().map(|found| found.folder.as_str());
                let what = format!(
                    "{} and {} are both called {name}",
                    other.unwrap_or_default(),
                    found.folder
                );
                let help = "let `name:` hold what tells them apart";
                let bytes = doc.name.as_ref().unwrap_or(shape).bytes.clone();
                problems.add(bytes, what, "one name for two", help);
                break;
            }
            let Some(current) = self.versions.version_of(&name, &spec.name, in_spec) else {
                tell_missing_family_version(spec, problems);
                break;
            };
            identities.push(SubsystemIdentity {
                name,
                spec: &spec.path,
                current,
                found: Some(found),
            });
        }
        Ok((identities, looked_at))
    }

    /// The tasks of the manifest, and its `env:`.
    pub fn tasks(&self, found: &mut Findings) -> (Vec<Task>, BTreeMap<String, Text>) {
        // Without tasks, what is wrong with it is told where it is used.
        let mut unheard = Findings::new(self.manifest_file);
        match self.manifest.tasks.is_empty() {
            true => subsystem::workspace_tasks(&self.surroundings(), &mut unheard),
            false => subsystem::workspace_tasks(&self.surroundings(), found),
        }
    }

    /// What all is resolved with.
    pub fn surroundings(&self) -> SubsystemContext<'_> {
        SubsystemContext {
            engine: self.engine,
            words: subsystem::machine_words(self.engine, self.environment, self.platform),
            environment: self.environment,
            assignments: self.assignments,
            platform: self.platform,
            root: self.layout.root(),
            layout: self.layout,
            manifest: self.manifest,
            walker: OnceLock::new(),
        }
    }

    fn tell_missing_version(&self, name: &Name, found: &mut Findings) {
        let is_written = self.manifest.versions.iter().any(|(key, _)| key.value == name.as_str());
        if self.is_listed && !is_written {
            let what = format!("{name} has a spec but no version");
            let help = format!(
                "add `{name}: v1.0.0` (with its version) under `versions` in {}",
                Layout::MANIFEST
            );
            found.add(0..0, what, "no version for it", help);
        }
    }

    /// Tells of versions that belong to no spec. `specs` are the names of all specs, sorted.
    pub fn check_versions(&self, specs: &[&str], found: &mut Findings) {
        let written = || self.manifest.versions.iter().map(|(key, _)| key);
        for key in written().filter(|key| Name::new(&key.value).is_ok()) {
            if specs.binary_search(&key.value.as_str()).is_ok() {
                continue;
            }
            let name = &key.value;
            let is_pinned = |spec: &&str| written().any(|key| key.value == **spec);
            let unpinned = specs.iter().copied().filter(|spec| !is_pinned(spec));
            let help = match nearest(name, unpinned) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {}/{name}.yml, or remove the line", Layout::SPECS),
            };
            let what = format!("{name} has a version but no spec");
            found.add(key.bytes.clone(), what, "no spec for it", help);
        }
    }
}

fn tell_missing_family_version(spec: &SpecFile, found: &mut Findings) {
    let what = format!("what {} discovers has no version", spec.path.display());
    let help = format!(
        "add `version: {{scheme: date}}` here, or `{}: {{scheme: date}}` under `versions` in {}",
        spec.name,
        Layout::MANIFEST
    );
    found.add(0..0, what, "no version for any of them", help);
}

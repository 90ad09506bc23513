//! All specs of a workspace, read and resolved; side by side where there are many.

use minijinja::Environment as Engine;
use rayon::prelude::*;

use super::{
    Environment, Task,
    files::{self, SpecFile},
    subsystem::{self, Draft, Surroundings},
    version::{Current, Versions},
};
use crate::{
    manifest::{File, Findings, ManifestDoc, Sp, read_spec},
    model::{Diagnostic, Fault, Layout, Name, Platform, Version, nearest},
};

/// Below this many specs, threads cost more than they save.
const MANY_SPECS: usize = 64;

/// What specs are loaded with.
pub struct Loader<'a> {
    /// Where the workspace is.
    pub layout: &'a Layout,
    /// The file of `versions.yml`.
    pub manifest_file: &'a File,
    /// What it says.
    pub manifest: &'a ManifestDoc,
    /// Its valid versions.
    pub versions: Versions<'a>,
    /// Whether its list of versions could be read at all.
    pub is_listed: bool,
    /// What renders templates.
    pub engine: &'a Engine<'static>,
    /// What the host says.
    pub environment: &'a Environment,
    /// What the workspace is resolved for.
    pub platform: Platform,
}

/// One spec, read and resolved as far as possible.
pub struct LoadedSpec {
    /// Its file.
    pub file: File,
    /// What came out, unless the file's name is no name of a subsystem.
    pub draft: Option<Draft>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A version to check a spec with that has none.
fn stand_in() -> Sp<Current> {
    let version = Version::Pin("v0.0.0".into());
    Sp { value: Current { version, scheme: None, is_chosen: false }, bytes: 0..0 }
}

impl Loader<'_> {
    /// Loads `specs`, in their order.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load(&self, specs: &[SpecFile]) -> Result<Vec<LoadedSpec>, Fault> {
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
        let draft = match Name::new(&spec.name) {
            Ok(name) => Some(self.draft(&name, spec, &file, &mut found, &mut in_manifest)),
            Err(why) => {
                let help = "rename the file to the subsystem's name";
                found.add(0..0, why, "this file's name", help);
                None
            }
        };
        let mut diagnostics = found.diagnostics;
        diagnostics.extend(in_manifest.diagnostics);
        Ok(LoadedSpec { file, draft, diagnostics })
    }

    fn draft(
        &self,
        name: &Name,
        spec: &SpecFile,
        file: &File,
        found: &mut Findings,
        in_manifest: &mut Findings,
    ) -> Draft {
        let doc = read_spec(file, found);
        let stated = self.versions.of(name, name);
        let is_stated = stated.is_some();
        // Without its version, the rest of a spec can still be checked.
        let current = stated.unwrap_or_else(stand_in);
        let around = self.surroundings();
        let mut draft =
            subsystem::resolve(name, &spec.path, &doc, &current, &around, found, in_manifest);
        if !is_stated {
            draft.subsystem = None;
            self.tell_missing_version(name, found);
        }
        draft
    }

    /// The tasks of the manifest.
    pub fn tasks(&self, found: &mut Findings) -> Vec<Task> {
        subsystem::workspace_tasks(&self.surroundings(), found)
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

    /// Tells of versions that belong to no spec. `specs` are the names of all specs.
    pub fn check_versions(&self, specs: &[&str], found: &mut Findings) {
        let written = || self.manifest.versions.iter().map(|(key, _)| key);
        for key in written().filter(|key| Name::new(&key.value).is_ok()) {
            if specs.contains(&key.value.as_str()) {
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

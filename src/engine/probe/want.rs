//! What an artifact should be: its release's name, its fingerprint, what is locked of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use rayon::prelude::*;

use crate::{
    cache::CacheKey,
    model::{
        ArtifactId, Binaries, BinaryName, Digest, Fault, Fingerprint, FingerprintBuilder, Inputs,
        Kind, LockedAsset, LockedUpstream, Name, Platform, Revision, Stamp, TagStem, TreeDigest,
        asset_name,
    },
    walk::{LargeFiles, Walker},
    workspace::{Build, Source, Subsystem, Upstream, UpstreamDigest, Workspace},
};

use super::{
    beyond::{Own, walk_sources_by},
    shared::{WorkspaceIdentity, holds_all_inputs, shared_key, upstream_key},
    tree::SourceTreeState,
};

/// A fingerprint with the digests of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipePrint {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The digest of each field.
    pub inputs: Inputs,
    /// Under which key the user's cache has what was made by it.
    pub cache_key: CacheKey,
}

/// What one artifact should be.
#[derive(Clone, Debug)]
pub struct ArtifactSpec {
    /// Which artifact.
    pub id: ArtifactId,
    /// The version label.
    pub version: String,
    /// What the tags of its releases begin with.
    pub stem: TagStem,
    /// The tag of its release: of the one that is locked, or else of the first.
    pub tag: String,
    /// The name of its asset there.
    pub asset: String,
    /// The commit, where it is known already.
    pub commit: Option<String>,
    /// The file names of its binaries.
    pub binaries: Vec<BinaryName>,
    /// The fingerprint of building it, if it can be built.
    pub build: Option<RecipePrint>,
    /// The fingerprint of taking it from the vendor, if the vendor has it.
    pub upstream: Option<RecipePrint>,
    /// Its in-repo source as it was read, if it has one.
    pub tree: Option<Arc<SourceTreeState>>,
    /// What `forge.lock` says of its asset, as far as that applies.
    pub locked: Option<LockedAsset>,
    /// What `forge.lock` says of the binaries in that.
    pub locked_binaries: Option<Binaries>,
    /// What `forge.lock` says of the vendor's asset: its digest at first use.
    pub locked_upstream: Option<Digest>,
    /// Whether it is made of code in the workspace, which changes under an unchanged version:
    /// there is one release of each version, and no revision of it.
    pub in_repo: bool,
    /// Whether another fingerprint at the same version makes a release stale: so for in-repo code,
    /// for this user's private store, and where exactly this recipe was asked for. Otherwise
    /// a pinned external source only gets a warning.
    pub strict: bool,
    /// Whether its code is that of another time than the workspace's: only a release has it, and
    /// whatever recipe that was made by is right.
    pub is_past: bool,
}

impl ArtifactSpec {
    /// The fingerprint that an artifact gets if nobody has it yet.
    ///
    /// # Panics
    /// Never: the workspace was checked to have a way to obtain every subsystem.
    pub fn print(&self) -> &RecipePrint {
        self.build.as_ref().or(self.upstream.as_ref()).expect("a subsystem is built or fetched")
    }

    /// What its owner should know of its source: sockets and the like are not part of it.
    pub(super) fn skipped(&self) -> Option<Fault> {
        let special = &self.tree.as_ref()?.special;
        let (first, others) = special.split_first()?;
        let more = match others.len() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let what =
            format!("{}{more} in the source of {} is skipped", first.display(), self.id.name);
        let why = "it is a socket, a pipe or a device, which git does not see either";
        Some(Fault::new(Kind::Failed, what).because(why))
    }

    /// The tag of a release of its version.
    pub fn tag_of(&self, revision: Revision) -> String {
        self.stem.revised(&self.version, revision)
    }

    /// The stamp of the locked artifact, if lock and recipe say all that is in it.
    pub fn locked_stamp(&self) -> Option<Stamp> {
        let (locked, binaries) = (self.locked?, self.locked_binaries.clone()?);
        let has = |print: &&RecipePrint| print.fingerprint == locked.fingerprint;
        let by_build = self.build.as_ref().filter(has);
        let print = by_build.or(self.upstream.as_ref().filter(has))?;
        Some(Stamp {
            name: self.id.name.clone(),
            version: self.version.clone(),
            // A vendor's asset is of no commit.
            commit: self.commit.clone().filter(|_| by_build.is_some()),
            platform: self.id.platform,
            fingerprint: print.fingerprint,
            inputs: print.inputs.clone(),
            binaries,
        })
    }

    /// The key of the cache for what was made here by the recipe with this `fingerprint`.
    pub fn cache_key(&self, fingerprint: Fingerprint) -> Option<CacheKey> {
        let mut prints = self.build.iter().chain(&self.upstream);
        prints.find(|print| print.fingerprint == fingerprint).map(|print| print.cache_key)
    }

    /// Whether `fingerprint` is one that this artifact may have.
    pub fn has(&self, fingerprint: Fingerprint) -> bool {
        let prints = self.build.iter().chain(&self.upstream);
        prints.into_iter().any(|print| print.fingerprint == fingerprint)
    }
}

/// Below this many fingerprints, threads cost more than they save.
const MANY_PRINTS: usize = 64;

/// Works out wants, each once.
pub struct Wants<'a> {
    workspace: &'a Workspace,
    identity: WorkspaceIdentity,
    commits: &'a BTreeMap<Name, String>,
    strict: bool,
    walker: Walker,
    builds: HashMap<Name, Result<Option<RecipePrint>, Fault>>,
    trees: HashMap<Name, Result<Arc<SourceTreeState>, Fault>>,
}

impl<'a> Wants<'a> {
    /// For the subsystems of `workspace`. With `strict`, a release counts only if it was made
    /// by exactly the recipe that the spec has now. What is known of files is taken from `large_files`, and
    /// what is learned goes there.
    pub fn new(
        workspace: &'a Workspace,
        commits: &'a BTreeMap<Name, String>,
        strict: bool,
        large_files: Arc<LargeFiles>,
    ) -> Self {
        let identity = WorkspaceIdentity::for_root(workspace.layout.root());
        let walker = Walker::new(&workspace.layout).with_large_files(large_files);
        let (builds, trees) = (HashMap::new(), HashMap::new());
        Self { workspace, identity, commits, strict, walker, builds, trees }
    }

    /// The files and folders of in-repo sources that were read, with whose they are if they are of one
    /// alone.
    pub fn source_inputs(&self) -> Vec<(PathBuf, Option<Name>)> {
        let mut inputs: Vec<(&PathBuf, Option<&Name>)> = Vec::new();
        for (name, tree) in &self.trees {
            let Ok(tree) = tree else { continue };
            let found = tree.inputs.iter().chain(&tree.deciding).map(|(path, _)| path);
            inputs.extend(found.chain(&tree.absent).map(|path| (path, Some(name))));
        }
        // Many share what they import. Paths compare faster as bytes than part by part.
        inputs.sort_unstable_by_key(|(path, _)| path.as_os_str());
        inputs.dedup_by(|(path, name), (kept, whose)| {
            let is_same = path.as_os_str() == kept.as_os_str();
            *whose = whose.filter(|whose| !is_same || *name == Some(*whose));
            is_same
        });
        inputs.into_iter().map(|(path, name)| (path.clone(), name.cloned())).collect()
    }

    /// What the artifacts called `names` should be. Their sources are read in one go.
    pub fn of_all<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n Name>,
    ) -> Vec<(Name, Result<ArtifactSpec, Fault>)> {
        let names: Vec<&Name> = names.into_iter().collect();
        self.read_trees(&names);
        self.find_prints(&names);
        names.into_iter().map(|name| (name.clone(), self.spec_of(name))).collect()
    }

    /// What the artifact called `name` should be.
    pub fn spec_of(&mut self, name: &Name) -> Result<ArtifactSpec, Fault> {
        let subsystem = &self.workspace.subsystems[name];
        let platform = self.workspace.platform;
        let commit = self.commit(subsystem);
        let moving = subsystem.version.is_moving();
        let version = subsystem.version.label(commit.as_deref().filter(|_| moving));
        let is_path = matches!(subsystem.source, Source::Path { .. });
        let is_past = is_path && subsystem.is_chosen;
        let in_repo = is_path && !is_past;
        let mut want = ArtifactSpec {
            id: ArtifactId { name: name.clone(), platform },
            stem: subsystem.tag.clone(),
            tag: subsystem.tag.first(&version),
            asset: asset_name(&subsystem.binaries[0], platform, subsystem.compression),
            version,
            commit,
            binaries: binaries(subsystem, platform)?,
            build: self.build_print(name)?,
            tree: self.trees.get(name).and_then(|tree| tree.as_ref().ok()).cloned(),
            upstream: None,
            locked: None,
            locked_binaries: None,
            locked_upstream: None,
            in_repo,
            strict: in_repo || (self.strict || !subsystem.shared.is_empty()) && !is_past,
            is_past,
        };
        let locked = self.workspace.lock.get(name, subsystem.version.as_str());
        if let Some(upstream) = &subsystem.upstream {
            let pinned = locked.and_then(|locked| locked.upstream.get(&platform));
            let print = self.upstream_print(subsystem, upstream, pinned);
            want.locked_upstream = pinned
                .filter(|pinned| pinned.fingerprint == print.fingerprint)
                .map(|pinned| pinned.digest);
            want.upstream = Some(print);
        }
        let asset = locked.and_then(|locked| locked.assets.get(&platform)).copied();
        // In-repo code moves under an unchanged version; what is locked of other code does not apply.
        want.locked = asset.filter(|asset| !want.strict || want.has(asset.fingerprint));
        if let Some(asset) = &want.locked {
            want.tag = want.tag_of(asset.revision);
            let binaries = locked.and_then(|locked| locked.binaries.get(&platform));
            want.locked_binaries = binaries.filter(|binaries| !binaries.is_empty()).cloned();
        }
        Ok(want)
    }

    /// The commit of a subsystem, where it is known: resolved just now, or locked.
    fn commit(&self, subsystem: &Subsystem) -> Option<String> {
        let locked = || {
            let locked = self.workspace.lock.get(&subsystem.name, subsystem.version.as_str())?;
            locked.commit.clone()
        };
        self.commits.get(&subsystem.name).cloned().or_else(locked)
    }

    /// The fingerprint of building `name`, which includes those of all it needs to be built.
    fn build_print(&mut self, name: &Name) -> Result<Option<RecipePrint>, Fault> {
        if let Some(known) = self.builds.get(name) {
            return known.clone();
        }
        let workspace = self.workspace;
        let subsystem = &workspace.subsystems[name];
        let print = match &subsystem.build {
            Some(build) => self.new_build_print(subsystem, build).map(Some),
            None => Ok(None),
        };
        self.builds.insert(name.clone(), print.clone());
        print
    }

    /// Works out side by side the fingerprints that hold those of no other, where there are many.
    fn find_prints(&mut self, names: &[&Name]) {
        if names.len() < MANY_PRINTS {
            return;
        }
        let print = |name: &&Name| {
            let subsystem = &self.workspace.subsystems[*name];
            let build = subsystem.build.as_ref().filter(|_| subsystem.build_needs.is_empty())?;
            let tree = self.trees.get(*name);
            if tree.is_none() && Own::for_subsystem(subsystem).is_some() {
                return None;
            }
            let tree = tree.map(|tree| tree.as_ref().map(|tree| tree.digest));
            let print = tree.transpose().map_err(Clone::clone);
            Some(((*name).clone(), print.map(|tree| Some(self.print(subsystem, build, tree, &[])))))
        };
        let found: Vec<_> = names.par_iter().filter_map(print).collect();
        self.builds.extend(found);
    }

    fn new_build_print(
        &mut self,
        subsystem: &Subsystem,
        build: &Build,
    ) -> Result<RecipePrint, Fault> {
        let tree =
            Own::for_subsystem(subsystem).map(|own| self.tree(&subsystem.name, own)).transpose()?;
        let mut needs = Vec::new();
        for need in &subsystem.build_needs {
            let print = match self.build_print(need)? {
                Some(print) => print,
                None => self.spec_of(need)?.print().clone(),
            };
            needs.push((need, print.fingerprint));
        }
        Ok(self.print(subsystem, build, tree, &needs))
    }

    /// The fingerprint of building `subsystem` with its source as it was read and all it needs to be built.
    fn print(
        &self,
        subsystem: &Subsystem,
        build: &Build,
        tree: Option<TreeDigest>,
        needs: &[(&Name, Fingerprint)],
    ) -> RecipePrint {
        let mut fields = self.common_fields(subsystem);
        self.add_source(&mut fields, subsystem);
        if let Some(tree) = tree {
            fields.add("source", tree.0);
        }
        for step in &build.steps {
            fields.add("steps", step.symbolic());
        }
        fields.add("steps", build.dir.as_ref().map(|dir| dir.symbolic()).unwrap_or_default());
        for (key, value) in &build.env {
            fields.add("env", key).add("env", value.symbolic());
        }
        for (name, value) in &build.pass_env {
            fields.add("pass_env", name);
            fields.add("pass_env", value.as_ref().map(|v| format!("={v}")).unwrap_or_default());
        }
        for (tool, version) in &build.tools {
            fields.add("tools", tool).add("tools", version.as_deref().unwrap_or_default());
        }
        for (need, fingerprint) in needs {
            fields.add("build_needs", need.as_str());
            fields.add("build_needs", fingerprint.to_string());
        }
        let (fingerprint, inputs) = fields.finish();
        let cache_key = match holds_all_inputs(subsystem, build) {
            true => shared_key(fingerprint),
            false => self.identity.key(fingerprint),
        };
        RecipePrint { fingerprint, inputs, cache_key }
    }

    fn common_fields(&self, subsystem: &Subsystem) -> FingerprintBuilder {
        let mut fields = FingerprintBuilder::new();
        fields.add("name", subsystem.name.as_str());
        fields.add("version", subsystem.version.as_str());
        fields.add("platform", self.workspace.platform.to_string());
        for binary in &subsystem.binaries {
            fields.add("binaries", binary);
        }
        fields
    }

    fn add_source(&self, fields: &mut FingerprintBuilder, subsystem: &Subsystem) {
        match &subsystem.source {
            Source::None => {
                fields.add("source", "none");
            }
            Source::Path { .. } => {
                fields.add("source", "path");
            }
            Source::Git { url, reference } => {
                fields.add("source", "git").add("source", url).add("source", reference);
                if subsystem.version.is_moving() {
                    let commit = self.commit(subsystem);
                    fields.add("commit", commit.as_deref().unwrap_or("not resolved yet"));
                }
            }
            Source::Archive { digest, strip, .. } => {
                // Where it comes from does not matter: the digest says what it is.
                fields.add("source", "archive").add("source", digest.to_string());
                fields.add("source", strip.to_string());
            }
        }
    }

    /// Reads the in-repo sources of `names`, and of all that goes into building them.
    fn read_trees(&mut self, names: &[&Name]) {
        let workspace = self.workspace;
        let mut seen: BTreeSet<&Name> = BTreeSet::new();
        let mut rest: Vec<&Name> = names.to_vec();
        let mut found = Vec::new();
        while let Some(name) = rest.pop() {
            let Some((name, subsystem)) = workspace.subsystems.get_key_value(name) else {
                continue;
            };
            if subsystem.build.is_none() || !seen.insert(name) {
                continue;
            }
            rest.extend(&subsystem.build_needs);
            if let Some(own) =
                Own::for_subsystem(subsystem).filter(|_| !self.trees.contains_key(name))
            {
                found.push((name, own));
            }
        }
        let (names, sources): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let trees = walk_sources_by(&self.walker, workspace.layout.root(), &sources);
        for (name, tree) in names.into_iter().zip(trees) {
            self.enter_tree(name, tree);
        }
    }

    fn enter_tree(&mut self, name: &Name, tree: Result<SourceTreeState, Fault>) {
        let within = |fault: Fault| fault.within(format!("cannot read the source of {name}"));
        self.trees.insert(name.clone(), tree.map(Arc::new).map_err(within));
    }

    fn tree(&mut self, name: &Name, own: Own) -> Result<TreeDigest, Fault> {
        if !self.trees.contains_key(name) {
            for tree in walk_sources_by(&self.walker, self.workspace.layout.root(), &[own]) {
                self.enter_tree(name, tree);
            }
        }
        self.trees[name].as_ref().map(|tree| tree.digest).map_err(Clone::clone)
    }

    fn upstream_print(
        &self,
        subsystem: &Subsystem,
        upstream: &Upstream,
        locked: Option<&LockedUpstream>,
    ) -> RecipePrint {
        let mut fields = self.common_fields(subsystem);
        fields.add("upstream", &upstream.url).add("upstream", upstream.strip.to_string());
        match &upstream.digest {
            UpstreamDigest::Pinned(digest) => fields.add("upstream", digest.to_string()),
            UpstreamDigest::Published(url) => fields.add("upstream", url),
        };
        for (binary, path) in &upstream.paths {
            fields.add("upstream", binary).add("upstream", path);
        }
        let (fingerprint, inputs) = fields.finish();
        let locked = locked.filter(|locked| locked.fingerprint == fingerprint);
        let digest = match &upstream.digest {
            UpstreamDigest::Pinned(digest) => Some(*digest),
            UpstreamDigest::Published(_) => locked.map(|locked| locked.digest),
        };
        let cache_key = match digest {
            Some(digest) => upstream_key(fingerprint, digest),
            None => self.identity.key(fingerprint),
        };
        RecipePrint { fingerprint, inputs, cache_key }
    }
}

/// The file names of the binaries on `platform`.
fn binaries(subsystem: &Subsystem, platform: Platform) -> Result<Vec<BinaryName>, Fault> {
    let name = |binary: &String| BinaryName::new(&platform.executable(binary));
    let names: Result<_, String> = subsystem.binaries.iter().map(name).collect();
    names.map_err(|why| Fault::new(Kind::Usage, why))
}

//! A workspace with every value resolved: defaults applied, presets expanded,
//! templates rendered, every check made. What comes out of here needs no further
//! look at what people wrote.

mod build;
mod cycles;
mod deploy;
mod discover;
mod documents;
mod doubts;
mod environment;
mod extends;
mod feed;
mod files;
mod graph;
mod image;
mod include;
mod keyring;
mod load;
mod names;
mod needs;
mod outside;
mod places;
mod platforms;
mod preset;
mod quotes;
mod reads;
mod remote;
mod requirement;
mod service;
mod settings;
mod shared;
mod source;
mod specs;
mod starter;
mod subsystem;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod upstream;
mod version;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    time::Duration,
};

pub use build::module_folder;
pub use deploy::{
    Deploy, DeployEnvironment, DeployIdentity, DeployRecipe, DeploySchedule, DeployWords,
    HealthGate, HealthProbe, LedgerHome, Notification, NotificationKind, PulumiProgram,
    ScheduledWork,
};
pub use documents::Documents;
pub use environment::SeenEnvironment;
pub use feed::{Index, TagFormat, VersionSource};
pub use files::{check_root, find_root, lock_text};
pub use image::{BINARIES, ContainerSettings, Dockerfile, Image, ImageFile};
pub use include::{Library, Pinned, SaidTaskfile, TaskfileReader};
pub use keyring::SecretTable;
pub use load::{LoadError, load, load_text};
pub use needs::{NeedKind, NeedMap};
pub use outside::{Assignments, LoadInputs};
pub use platforms::{WantedPlatforms, Workspaces};
pub use remote::{ExecutionSettings, RemoteSettings, RemoteUse, machine_properties};
pub use service::{Probe, Readiness, Restart, SUPERVISOR, Service};
pub use shared::{SharedInputs, is_meant};
pub use starter::starter;
pub use task::{
    Bindings, Data, Each, MatrixPart, Meaning, Names, Over, Parameter, Pool, Renderer, Secret,
    Task, TaskAction, TaskCommand, TaskNeed, TaskRef, TaskText, TaskVariable, TemplateValue, Var,
    render_fixed,
};
pub use template::{
    FunctionKind, TEMPLATE_FUNCTIONS, TEMPLATE_WORDS, TemplateFunction, TemplateWord,
    is_go_function, strftime,
};
pub use text::{Places, Text};

use crate::{
    manifest::SemanticDigest,
    model::{
        Compression, Digest, Environment, Layout, Lock, Name, Platform, Scheme, TagStem, Version,
        url_secrets,
    },
    provenance::Trust,
    store::Mode,
};

/// What is known of a text that people wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenText {
    /// Its BLAKE3 digest.
    pub digest: [u8; 32],
    /// The digest of what it says; none if only its digest tells whether that changed.
    pub meaning: Option<SemanticDigest>,
}

/// A resolved workspace, for one platform.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Where things are.
    pub layout: Layout,
    /// The platform that everything below is rendered for.
    pub platform: Platform,
    /// `project:`, or the name of the folder.
    pub project: String,
    /// `releases:` in order, as URLs that [`crate::store::StoreUrl`] parsed without
    /// complaint; empty if the manifest names none (the embedded default serves then).
    pub stores: Vec<String>,
    /// `platforms:`; what a complete release has. The host alone if none are named.
    pub platforms: Vec<Platform>,
    /// `ci: {runners}`: the labels of the runner that builds for a platform.
    pub runners: BTreeMap<Platform, Vec<String>>,
    /// `repository:`; where the project's source is, as a URL without a slash at its end.
    pub repository: Option<String>,
    /// `trust:`; whose assets are downloaded. Anybody's if the manifest names no store: what is in
    /// the embedded default was made by this user.
    pub trust: Trust,
    /// `remote:`; the cache that machines share.
    pub remote: Option<RemoteSettings>,
    /// `trust:`, of images: a registry is others' too, whatever stores there are.
    pub image_trust: Trust,
    /// `sealed:`, as what publishing is told.
    pub mode: Mode,
    /// `groups:`.
    pub groups: BTreeMap<String, Vec<Name>>,
    /// Whether it is only a part of what people wrote: what was asked of [`Documents::read_part`].
    pub is_part: bool,
    /// Every subsystem.
    pub subsystems: BTreeMap<Name, Subsystem>,
    /// `tasks:` of the manifest and of all specs, by their names.
    pub tasks: BTreeMap<String, Task>,
    /// `deploy:` of the specs, by their subsystems.
    pub deploys: BTreeMap<Name, Deploy>,
    /// `environments:`, in the order written.
    pub environments: Vec<DeployEnvironment>,
    /// `ledger:`.
    pub ledger: Option<LedgerHome>,
    /// `schedules:`, in the order written.
    pub schedules: Vec<DeploySchedule>,
    /// `notify:`.
    pub notify: Vec<Notification>,
    /// `env:` of the manifest, as far as it is known before anything runs.
    pub env: BTreeMap<String, Text>,
    /// `output:`: `prefixed`, `grouped`, `plain` or `quiet`.
    pub output: Option<String>,
    /// `forge.lock`; empty if there is none.
    pub lock: Lock,
    /// Every file that was read and every folder that was listed, absolute: if none
    /// of them changed, loading again gives the same.
    pub inputs: Vec<PathBuf>,
    /// What people wrote, as it was read, by the absolute paths of its files.
    pub contents: HashMap<PathBuf, WrittenText>,
    /// The environment variables that templates looked at, with what they held.
    pub seen_variables: BTreeMap<String, Option<String>>,
    /// All that forge was started with.
    pub environment: Environment,
}

impl Subsystem {
    /// The name of its spec: its own, or that of the family it was discovered with.
    pub fn family(&self) -> &str {
        let folder = self.spec.parent().filter(|folder| !folder.ends_with(Layout::SPECS));
        let own = folder.map_or(self.spec.file_stem(), std::path::Path::file_name);
        own.and_then(std::ffi::OsStr::to_str).unwrap_or_default()
    }

    /// Whether it yields binaries. What is made by a Dockerfile alone has none.
    pub fn has_binaries(&self) -> bool {
        self.build.is_some() || self.upstream.is_some()
    }

    /// Whether its binaries are released. Those of an image that has the project's own version are
    /// not, unless its spec asks for them: the image is the release.
    pub fn releases_binaries(&self) -> bool {
        let is_image = self.image.as_ref().is_some_and(|image| !image.with_binaries);
        self.has_binaries() && !(self.follows_tag && is_image)
    }
}

/// One subsystem, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Subsystem {
    /// Its name.
    pub name: Name,
    /// `desc:`.
    pub desc: Option<String>,
    /// The spec's path, relative to the workspace.
    pub spec: PathBuf,
    /// The files whose defaults it takes, relative to the workspace, the nearest first; and the
    /// keys that each of them says something of.
    pub extends: Vec<(PathBuf, Vec<String>)>,
    /// The version: pinned, or what its scheme came to.
    pub version: Version,
    /// How its versions come about, if they are not pinned.
    pub scheme: Option<Scheme>,
    /// Whether the project's own tag is its version: `scheme: tag`.
    pub follows_tag: bool,
    /// Whether this invocation chose the version over what the files say. Code in the workspace is
    /// that of now then, not that of the version: only a release has it.
    pub is_chosen: bool,
    /// What the tags of its releases begin with.
    pub tag: TagStem,
    /// `binary:`: names without `.exe`; at least one, the first names the asset.
    pub binaries: Vec<String>,
    /// How assets are packed.
    pub compression: Compression,
    /// `needs:`, sorted.
    pub needs: BTreeSet<Name>,
    /// `build_needs:`, sorted.
    pub build_needs: BTreeSet<Name>,
    /// Where the source is.
    pub source: Source,
    /// What else of the workspace goes into what is built.
    pub shared: SharedInputs,
    /// How it is built; absent if it only comes from upstream.
    pub build: Option<Build>,
    /// The vendor's own release.
    pub upstream: Option<Upstream>,
    /// Where upstream lists its versions, if that is known.
    pub feed: Option<VersionSource>,
    /// What of it runs all day.
    pub service: Option<Service>,
    /// The container image that it is released as.
    pub image: Option<Image>,
}

impl Workspace {
    /// The passwords, tokens and signatures in URLs that specs and `releases:` name.
    #[must_use]
    pub fn url_secrets(&self) -> Vec<String> {
        let of_subsystem = |subsystem: &Subsystem| {
            let mut texts = Vec::new();
            if let Source::Git { url, .. } | Source::Archive { url, .. } = &subsystem.source {
                texts.push(url.clone());
            }
            if let Some(upstream) = &subsystem.upstream {
                texts.push(upstream.url.clone());
                if let UpstreamDigest::Published(url) = &upstream.digest {
                    texts.push(url.clone());
                }
            }
            if let Some(build) = &subsystem.build {
                texts.extend(build.steps.iter().chain(build.env.values()).map(Text::symbolic));
            }
            texts
        };
        let mut texts: Vec<String> = self.subsystems.values().flat_map(of_subsystem).collect();
        texts.extend(self.stores.iter().cloned());
        texts.iter().flat_map(|text| url_secrets(text)).map(str::to_owned).collect()
    }
}

/// Where the source of a subsystem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The builder fetches by itself, or nothing is built.
    None,
    /// In the workspace.
    Path {
        /// Relative to the workspace; `.` for the workspace itself.
        dir: PathBuf,
        /// Only these files and folders below `dir` count; empty for all.
        only: Vec<String>,
    },
    /// A git repository.
    Git {
        /// What `git clone` takes.
        url: String,
        /// Tag, branch or commit; the pinned version unless the spec says otherwise.
        reference: String,
    },
    /// An archive with a digest.
    Archive {
        /// `https://…`, `http://…`, or a path relative to the workspace.
        url: String,
        /// The digest of the packed archive.
        digest: Digest,
        /// Leading path components to drop.
        strip: usize,
    },
}

/// How a subsystem is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// The commands, one after the other.
    pub steps: Vec<Text>,
    /// Where they run; [`Places::src`] if absent.
    pub dir: Option<Text>,
    /// Variables set for them, over what forge was started with.
    pub env: BTreeMap<String, Text>,
    /// Variables that they inherit besides those that every build does; with their values, but for
    /// secrets and what is not set.
    pub pass_env: BTreeMap<String, Option<String>>,
    /// `sandbox:`: whether they may write only to folders of their own.
    pub is_sandboxed: bool,
    /// Programs they need, with the version that is declared (a prefix such as `1.26`), if any.
    pub tools: BTreeMap<String, Option<String>>,
    /// The Rust target they build for, if they are cargo's.
    pub rust_target: Option<String>,
    /// Why they cannot build for another platform than the machine's, if that is known.
    pub native_only: Option<&'static str>,
    /// Which preset they are of; none if people wrote them.
    pub preset: Option<&'static str>,
    /// The Go module that they fetch and build, as `PATH@VERSION`; none if they build a source.
    pub module: Option<String>,
    /// How long all of them may take together.
    pub timeout: Duration,
    /// `remote:`; nothing if it runs here.
    pub remote: Option<RemoteUse>,
}

/// The vendor's own release of a subsystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The rendered URL.
    pub url: String,
    /// What the download must match.
    pub digest: UpstreamDigest,
    /// Leading path components to drop from the archive's entries.
    pub strip: usize,
    /// Binary to its path in the archive (after `strip`), where it is not the binary's own name.
    pub paths: BTreeMap<String, String>,
}

/// Where the digest of a vendor's asset comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamDigest {
    /// Pinned in the spec.
    Pinned(Digest),
    /// Published by the vendor in a checksums file at this URL.
    Published(String),
}

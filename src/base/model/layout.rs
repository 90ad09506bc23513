//! Where things are in a workspace, and of whoever works in it. Only names: nothing here touches the disk.

use std::path::{Path, PathBuf};

use super::{ArtifactId, UserFolders};

/// The paths of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    user: UserFolders,
}

impl Layout {
    /// The file name of the manifest.
    pub const MANIFEST: &'static str = "versions.yml";
    /// The folder with the specs.
    pub const SPECS: &'static str = "subsystems";
    /// The file name of the lock.
    pub const LOCK: &'static str = "forge.lock";

    /// What is where below the workspace, for people.
    pub const PLACES: &'static [(&'static str, &'static str)] = &[
        ("versions.yml", "The manifest. Commit it."),
        ("forge.lock", "Commits and digests that are pinned beyond it. Commit it."),
        (
            "subsystems/NAME.yml",
            "The spec of a subsystem; `subsystems/NAME/subsystem.yml` too. Commit it.",
        ),
        (
            ".forge/",
            "All that forge makes in the workspace. Safe to delete; a `.gitignore` in it keeps it out of git.",
        ),
        (
            ".forge/schema/",
            "Schemas of this forge for editors; the line `# yaml-language-server: $schema=…` of a file points here.",
        ),
        (".forge/bin/", "Links to all installed binaries. Goes on PATH."),
        (
            ".forge/installed/NAME/",
            "The binaries of a subsystem and its stamp, `.version`. Those for another platform are in `NAME@PLATFORM`.",
        ),
        (".forge/src/NAME/", "Sources that were fetched; `NAME.work` is `{{ work }}`."),
        (".forge/dist/", "Packed assets: `forge package`."),
        (
            ".forge/logs/",
            "A folder per run, with the output of each build and task; `services/` has that of services.",
        ),
        (
            ".forge/state/",
            "What forge remembers: records, locks between processes, half-made things, services.",
        ),
    ];

    /// The layout below `root`, which should be absolute, for a user with these folders.
    #[must_use]
    pub fn new(root: PathBuf, user: UserFolders) -> Self {
        Self { root, user }
    }

    /// The layout below `root` for a user who has no folders.
    #[cfg(any(test, feature = "testing"))]
    pub fn at(root: PathBuf) -> Self {
        Self::new(root, UserFolders::default())
    }

    /// The folders of the user.
    #[must_use]
    pub fn user(&self) -> &UserFolders {
        &self.user
    }

    /// The folder that holds `versions.yml`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `versions.yml`.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.root.join(Self::MANIFEST)
    }

    /// `subsystems/`.
    #[must_use]
    pub fn specs(&self) -> PathBuf {
        self.root.join(Self::SPECS)
    }

    /// `forge.lock`.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join(Self::LOCK)
    }

    /// `.forge/`: all that forge makes here; safe to delete.
    #[must_use]
    pub fn forge(&self) -> PathBuf {
        self.root.join(".forge")
    }

    /// `.forge/bin/`: goes on PATH.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.forge().join("bin")
    }

    /// `.forge/installed/`.
    #[must_use]
    pub fn installed(&self) -> PathBuf {
        self.forge().join("installed")
    }

    /// The folder of one installed artifact: binaries and stamp. Artifacts for other
    /// platforms than this machine's stand beside, as `<name>@<platform>`.
    #[must_use]
    pub fn installed_artifact(&self, id: &ArtifactId) -> PathBuf {
        self.installed().join(id.file_name())
    }

    /// Where forge remembers what it installed for `id`, and how long that took.
    #[must_use]
    pub fn record(&self, id: &ArtifactId) -> PathBuf {
        self.state().join("artifacts").join(id.file_name())
    }

    /// Which files the source of `id` had when it was installed.
    #[must_use]
    pub fn kept_sources(&self, id: &ArtifactId) -> PathBuf {
        self.state().join("sources").join(id.file_name())
    }

    /// The lock file that a forge holds while it works on `id`.
    #[must_use]
    pub fn artifact_lock(&self, id: &ArtifactId) -> PathBuf {
        self.state().join("locks").join(id.file_name())
    }

    /// The sources that an artifact is built from, where they do not live in the workspace
    /// itself. Each platform has its own: builds leave things in them.
    #[must_use]
    pub fn source(&self, id: &ArtifactId) -> PathBuf {
        self.sources().join(id.file_name())
    }

    /// The folder for intermediate results of building an artifact, kept from build to build.
    #[must_use]
    pub fn work(&self, id: &ArtifactId) -> PathBuf {
        self.sources().join(format!("{}.work", id.file_name()))
    }

    /// `.forge/src/`.
    #[must_use]
    pub fn sources(&self) -> PathBuf {
        self.forge().join("src")
    }

    /// `.forge/dist/`: packed assets.
    #[must_use]
    pub fn dist(&self) -> PathBuf {
        self.forge().join("dist")
    }

    /// `.forge/logs/`: a folder per run.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.forge().join("logs")
    }

    /// `.forge/state/`: what forge remembers.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.forge().join("state")
    }

    /// `.forge/state/staging/`: half-made things, each in a folder of its own.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.state().join("staging")
    }

    /// `path` relative to the workspace where it is inside, for messages.
    #[must_use]
    pub fn display(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

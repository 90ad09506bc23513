//! The stages of the pipeline.

use std::fmt;

/// A stage, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Makes the selected binaries present, and hashes each of them again.
    Build,
    /// Runs the tasks called `test`.
    Test,
    /// Packs the selected artifacts.
    Package,
    /// Publishes what was built here.
    Release,
    /// Publishes pages, by a task.
    Pages,
    /// Brings what is released into the environments of the branch.
    Deploy,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Build, Self::Test, Self::Package, Self::Release, Self::Pages, Self::Deploy];

    /// What it is called; a task of the workspace with this name replaces it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "ci:build",
            Self::Test => "ci:test",
            Self::Package => "ci:package",
            Self::Release => "ci:release",
            Self::Pages => "ci:pages",
            Self::Deploy => "ci:deploy",
        }
    }

    /// Whether others see what it does.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::Release | Self::Pages | Self::Deploy)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

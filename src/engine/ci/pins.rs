//! The actions that workflows use, each pinned by the commit of its release: a tag can be moved.

use std::fmt;

/// An action at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedAction {
    /// `OWNER/REPO`.
    pub name: &'static str,
    /// The commit that the tag of the version names.
    pub commit: &'static str,
    /// The version, for people and for what keeps pins current.
    pub version: &'static str,
}

/// Checks the repository out.
pub const CHECKOUT: PinnedAction = PinnedAction {
    name: "actions/checkout",
    commit: "3d3c42e5aac5ba805825da76410c181273ba90b1",
    version: "v7.0.1",
};

/// Keeps files from one run to the next.
pub const CACHE: PinnedAction = PinnedAction {
    name: "actions/cache",
    commit: "27d5ce7f107fe9357f9df03efb73ab90386fccae",
    version: "v5.0.5",
};

/// Lets GitHub sign who built what.
pub const ATTEST: PinnedAction = PinnedAction {
    name: "actions/attest-build-provenance",
    commit: "a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32",
    version: "v4.1.0",
};

impl fmt::Display for PinnedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} # {}", self.name, self.commit, self.version)
    }
}

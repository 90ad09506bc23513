//! What identifies an artifact within one workspace.

use std::fmt;

use super::{Name, Platform};

/// One subsystem for one platform. Its version follows from the manifest, so two
/// artifacts of one workspace never differ by version alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the fields are the words themselves")]
pub struct ArtifactId {
    pub name: Name,
    pub platform: Platform,
}

impl ArtifactId {
    /// How its files and folders are called: `nats`, or `nats@linux-arm64` for another
    /// platform than this machine's.
    #[must_use]
    pub fn file_name(&self) -> String {
        if self.platform == Platform::host() {
            self.name.file_name()
        } else {
            format!("{}@{}", self.name.file_name(), self.platform)
        }
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.platform == Platform::host() {
            self.name.fmt(f)
        } else {
            f.pad(&format!("{} ({})", self.name, self.platform))
        }
    }
}

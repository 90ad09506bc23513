//! What one invocation chooses over what the files say.

use std::collections::BTreeMap;

use crate::model::{Name, Version};

/// Versions that this invocation works with, whatever is pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `NAME@VERSION`, and what a scheme came to just now.
    pub versions: BTreeMap<Name, Version>,
}

//! Whether a run publishes.

/// Whether a run publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    /// Not at all.
    Never,
    /// Not to a store: what is made goes into images that others read.
    InImages,
    /// To a folder always, to a store that others share where the surroundings are trusted.
    AsUsual,
    /// Somebody asked for it: exactly the recipe that the spec has now.
    Asked,
    /// Somebody asked for it, of artifacts that are built again whether they are there or not.
    Again,
}

impl Publish {
    /// Whether somebody asked for it.
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::Again)
    }
}

//! What a fresh workspace begins with.

/// One file of a fresh workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StarterFile {
    /// Relative to the workspace, with `/` between parts.
    pub path: &'static str,
    /// Its contents.
    pub text: &'static str,
    /// Whether it can be executed.
    pub executable: bool,
}

/// The files of a fresh workspace. They load and build with nothing but `sh`.
pub fn starter() -> &'static [StarterFile] {
    &[]
}

//! Git: what a reference means, and a checkout of exactly that commit. Speaks through
//! the user's own `git`, so that their credentials and proxies work.

use std::path::Path;

use crate::{
    model::{Fault, Kind},
    process::CommandRunner,
};

/// What a reference means in a repository at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The full hash of the commit, in lower case.
    pub commit: String,
    /// What the reference is.
    pub kind: ReferenceKind,
}

/// What a reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// A tag; an annotated one stands for the commit it was put on.
    Tag,
    /// A branch: it moves.
    Branch,
    /// A full commit hash.
    Commit,
}

/// Asks the repository at `url` what `reference` means. A full hash is itself and asks
/// nobody; a tag goes before a branch of the same name.
///
/// # Errors
/// `Usage` if there is no such reference (naming similar ones), `Store` if the repository
/// does not answer or refuses, `Interrupted`.
pub async fn resolve(
    _runner: &dyn CommandRunner,
    _url: &str,
    _reference: &str,
) -> Result<Resolved, Fault> {
    Err(Fault::new(Kind::Failed, "to be written"))
}

/// Makes `dest` a checkout of `reference` of the repository at `url`, with its submodules and
/// nothing else in it, and returns the full hash of its commit. What `dest` holds already
/// is used; if it is unusable, it is made afresh. `commit` is what `reference` must mean.
///
/// # Errors
/// `Verification` if `reference` means another commit than `commit` by now, otherwise as
/// [`resolve`], `Failed` if this machine is at fault.
pub async fn checkout(
    _runner: &dyn CommandRunner,
    _url: &str,
    _reference: &str,
    _commit: Option<&str>,
    _dest: &Path,
) -> Result<String, Fault> {
    Err(Fault::new(Kind::Failed, "to be written"))
}

/// The full hash of the commit checked out in `dir`; `None` if that is no repository or
/// has no commit.
///
/// # Errors
/// `Failed` if git cannot be run, `Interrupted`.
pub async fn head(_runner: &dyn CommandRunner, _dir: &Path) -> Result<Option<String>, Fault> {
    Err(Fault::new(Kind::Failed, "to be written"))
}

//! What is checked out where the workspace is: for saying from what something was built.

use std::path::Path;

use super::{
    command::{Git, GitFailure},
    references::full_hash,
};
use crate::{model::Fault, process::CommandRunner};

/// A checkout as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The full hash of the commit.
    pub commit: String,
    /// Whether every file that git knows is as the commit has it.
    pub is_clean: bool,
    /// The URL of the remote `origin`, if there is one. May hold a login.
    pub origin: Option<String>,
}

/// What is checked out in `dir` or a folder above it; `None` without git, outside of a
/// repository, or before the first commit.
///
/// # Errors
/// `Interrupted`.
pub async fn state(runner: &dyn CommandRunner, dir: &Path) -> Result<Option<Checkout>, Fault> {
    let git = Git::new(runner, dir, "");
    let Some(head) = said(&git, &["rev-parse", "--verify", "HEAD^{commit}"]).await? else {
        return Ok(None);
    };
    let Some(commit) = head.iter().find_map(|line| full_hash(line)) else { return Ok(None) };
    let changes = said(&git, &["status", "--porcelain", "--untracked-files=no"]).await?;
    let origin = said(&git, &["config", "--get", "remote.origin.url"]).await?;
    Ok(Some(Checkout {
        commit,
        is_clean: changes.is_some_and(|lines| lines.is_empty()),
        origin: origin.and_then(|lines| lines.into_iter().next_back()),
    }))
}

/// What git says; `None` if it does not succeed or is not there.
async fn said(git: &Git<'_>, words: &[&str]) -> Result<Option<Vec<String>>, Fault> {
    match git.run(words).await {
        Ok(lines) => Ok(Some(lines)),
        Err(GitFailure::Mute(fault)) if fault.kind == crate::model::Kind::Interrupted => Err(fault),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};

    #[tokio::test]
    async fn outside_of_a_repository_there_is_no_state() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(state(&Sample::runner(), temp.path()).await, Ok(None));
    }
}

//! What has a say in the next version besides commits: flags, the labels of the pull request that
//! this run is about, and the branch.

use std::collections::BTreeSet;

use crate::{
    git::History,
    model::{Commits, Fault, Kind},
    versioning::{BumpRequest, Override, PullRequest},
};

use super::host::Host;

/// What the command line says of the next version.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct VersionArgs {
    /// How much the next version differs, whatever commits say: major, minor or patch; or skip, for none
    #[arg(long, value_name = "BUMP")]
    pub(super) bump: Option<BumpRequest>,
    /// The branch that the version is for [default: the one that is checked out]
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
}

impl VersionArgs {
    /// What somebody wants, whatever commits say: by the flag, or else by a label.
    ///
    /// # Errors
    /// `Usage` if labels contradict each other.
    pub(super) fn wish(&self, host: &Host) -> Result<Option<Override>, Fault> {
        match self.bump {
            Some(wish) => Ok(Some(Override::flag(wish))),
            None => of_event(host)?.map_or(Ok(None), |request| request.wish()),
        }
    }

    /// The branch, as far as it matters to `scheme`.
    ///
    /// # Errors
    /// `Usage` if nothing tells which it is.
    pub(super) async fn branch(
        &self,
        host: &Host,
        history: &History<'_>,
        scheme: &Commits,
    ) -> Result<Option<String>, Fault> {
        if scheme.channels.is_empty() {
            return Ok(None);
        }
        if let Some(branch) = &self.branch {
            return Ok(Some(branch.clone()));
        }
        if let Some(branch) = host.surroundings().branch() {
            return Ok(Some(branch.to_owned()));
        }
        let branches = history.branches().await?;
        let channels: BTreeSet<_> =
            branches.iter().map(|branch| scheme.channels.get(branch)).collect();
        if channels.len() == 1 {
            return Ok(branches.into_iter().next());
        }
        let known: Vec<_> = branches.iter().map(|branch| format!("`{branch}`")).collect();
        let why = match known.as_slice() {
            [] => "a commit is checked out that no branch of this clone has".to_owned(),
            known => format!("the commit that is checked out is of {}", known.join(" and ")),
        };
        let what = "cannot tell which branch the version is for";
        Err(Fault::new(Kind::Usage, what).because(why).hint("say it: `--branch main`"))
    }
}

/// The pull request that the event of the workflow is about.
///
/// # Errors
/// When the file of the event cannot be read.
pub(super) fn of_event(host: &Host) -> Result<Option<PullRequest>, Fault> {
    Ok(host.event()?.and_then(PullRequest::of_event))
}

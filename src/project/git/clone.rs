//! What a clone has of the history, all of it or only the last commits, and which branch of it is
//! checked out.

use std::collections::BTreeSet;

use super::{History, command::GitFailure};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{Fault, Kind},
};

impl History<'_> {
    /// Whether every commit that HEAD has and `after` has not is in this clone, with the one before
    /// it; without `after`, whether all are.
    ///
    /// # Errors
    /// As all of these: `Failed` if git cannot be run, `Store` if it cannot read the repository,
    /// `Interrupted`.
    pub async fn is_whole_since(&self, after: Option<&str>) -> Result<bool, Fault> {
        if let Some(after) = after
            && self.commit(after).await?.is_none()
        {
            return Ok(false);
        }
        if !self.is_shallow().await? {
            return Ok(true);
        }
        let path = self.ask(&["rev-parse", "--git-path", "shallow"], "look at the clone").await?;
        let path = self.root().join(path.first().map_or("", String::as_str));
        let text = read_text(&path, MOST_OF_TEXT)
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        // What comes before these is missing.
        let first: BTreeSet<&str> = text.lines().collect();
        let range = after.map_or_else(|| "HEAD".to_owned(), |after| format!("{after}..HEAD"));
        let commits =
            self.ask(&["rev-list", "--end-of-options", &range, "--"], "list commits").await?;
        Ok(commits.iter().all(|commit| !first.contains(commit.as_str())))
    }

    /// The branch that is checked out; of a commit that is checked out without one, the branches
    /// that end with it, or else those that have it.
    pub async fn branches(&self) -> Result<BTreeSet<String>, Fault> {
        match self.git().run(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await {
            Ok(lines) => return Ok(lines.into_iter().collect()),
            Err(GitFailure::Mute(fault)) if fault.kind == Kind::Interrupted => return Err(fault),
            Err(failure) if failure.is_foreign() => {
                return Err(failure.fault(self.cannot("tell the branch")));
            }
            Err(_) => {}
        }
        for which in ["--points-at=HEAD", "--contains=HEAD"] {
            let format = "--format=%(refname)";
            let words = ["for-each-ref", which, format, "refs/heads", "refs/remotes/origin"];
            let lines = self.ask(&words, "list the branches").await?;
            let name = |line: &String| {
                let local = line.strip_prefix("refs/heads/");
                let name = local.or_else(|| line.strip_prefix("refs/remotes/origin/"))?;
                (name != "HEAD").then(|| name.to_owned())
            };
            let names: BTreeSet<String> = lines.iter().filter_map(name).collect();
            if !names.is_empty() {
                return Ok(names);
            }
        }
        Ok(BTreeSet::new())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    #[tokio::test]
    async fn a_clone_knows_how_far_back_it_is_whole() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let commits: Vec<String> = ["1", "2", "3", "4"].map(|text| sample.commit("a", text)).into();
        let clone = sample.beside("clone");
        let source = format!("file://{}", sample.url());
        sample.git(&["clone", "--quiet", "--depth=2", &source, clone.to_str().unwrap()]);
        let runner = Sample::runner();
        let whole = History::around(&runner, Path::new(sample.url())).unwrap();
        let shallow = History::around(&runner, &clone).unwrap();
        assert!(whole.is_whole_since(None).await.unwrap());
        assert!(!shallow.is_whole_since(None).await.unwrap());
        for (commit, is_whole) in commits.iter().zip([false, false, true, true]) {
            assert!(whole.is_whole_since(Some(commit)).await.unwrap());
            assert_eq!(shallow.is_whole_since(Some(commit)).await.unwrap(), is_whole);
        }
    }

    #[tokio::test]
    async fn a_commit_without_a_branch_has_those_that_end_with_it() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        sample.commit("a", "1");
        sample.git(&["branch", "other"]);
        let first = sample.commit("a", "2");
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        let on: Vec<_> = history.branches().await.unwrap().into_iter().collect();
        assert_eq!(on.len(), 1, "{on:?}");
        sample.git(&["checkout", "--quiet", "--detach"]);
        assert_eq!(history.branches().await.unwrap().into_iter().collect::<Vec<_>>(), on);
        sample.commit("a", "3");
        assert!(history.branches().await.unwrap().is_empty());
        sample.git(&["branch", "third"]);
        sample.git(&["checkout", "--quiet", &first]);
        assert_eq!(history.branches().await.unwrap().into_iter().collect::<Vec<_>>(), on);
        sample.git(&["checkout", "--quiet", "other~0"]);
        assert_eq!(history.branches().await.unwrap().into_iter().collect::<Vec<_>>(), ["other"]);
    }
}

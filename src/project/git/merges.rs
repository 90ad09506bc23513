//! What a merge brought, for commits that take one back: `git revert -m 1`, and the button of GitHub for a
//! request that was merged with a merge commit.
//!
//! git writes into such a commit which merge it takes back and which commit came before that
//! (builtin/revert, sequencer.c: `reversing\nchanges made to`); GitHub's button names the request, whose
//! number stands in the title of the merge.

use std::collections::HashSet;

use super::{
    history::{Commit, History},
    references::full_hash,
};
use crate::model::Fault;

/// Commits that a merge brought and that one commit takes back together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The full hash of the merge.
    pub hash: String,
    /// The request that it merged, as its title says.
    pub request: Option<u64>,
    /// The full hashes of the commits that it brought, without merges.
    pub brought: Vec<String>,
}

impl History<'_> {
    /// Adds to each of `commits` that takes a merge back what that merge brought. Merges that `after`
    /// has count for none: what they brought was there before.
    pub(super) async fn add_merged(
        &self,
        commits: &mut [Commit],
        after: Option<&str>,
        until: &str,
    ) -> Result<(), Fault> {
        if !commits.iter().any(|commit| may_revert_merge(&commit.message)) {
            return Ok(());
        }
        let range = after.map_or_else(|| until.to_owned(), |after| format!("{after}..{until}"));
        let words = ["log", "--merges", "--no-show-signature", "--no-color"];
        let words =
            [&words[..], &["--format=%H %P%x09%s", "--end-of-options", &range, "--"]].concat();
        let lines = self.ask(&words, &format!("read the merges of {range}")).await?;
        let merges: Vec<Merge> = lines.iter().filter_map(|line| merge(line)).collect();
        for commit in commits.iter_mut().filter(|commit| may_revert_merge(&commit.message)) {
            for merge in merges.iter().filter(|merge| merge.is_named_by(&commit.message)) {
                let brought = self.brought(merge, after).await?;
                commit.merged.extend(brought.map(|brought| Merged {
                    hash: merge.hash.clone(),
                    request: merge.request,
                    brought,
                }));
            }
        }
        Ok(())
    }

    /// The commits that `merge` brought; `None` if `after` has some of them.
    async fn brought(
        &self,
        merge: &Merge,
        after: Option<&str>,
    ) -> Result<Option<Vec<String>>, Fault> {
        let range = format!("{}..{}", merge.before, merge.hash);
        let list = async |not: &[&str]| {
            let words = ["rev-list", "--no-merges", "--end-of-options", range.as_str()];
            self.ask(&[&words[..], not, &["--"]].concat(), &format!("list the commits of {range}"))
                .await
        };
        let brought = list(&[]).await?;
        if let Some(after) = after {
            let not = format!("^{after}");
            if list(&[&not]).await?.len() < brought.len() {
                return Ok(None);
            }
        }
        Ok(Some(brought))
    }
}

/// Whether `message` may be one of a commit that takes back a merge.
fn may_revert_merge(message: &str) -> bool {
    message.contains("reversing") || message.lines().any(|line| line.starts_with("Reverts "))
}

/// A merge in history.
struct Merge {
    hash: String,
    /// Its first parent.
    before: String,
    request: Option<u64>,
}

impl Merge {
    /// Whether `message` takes it back.
    fn is_named_by(&self, message: &str) -> bool {
        let words: HashSet<&str> = message.split(|c: char| !c.is_ascii_hexdigit()).collect();
        let is_own = |word: &&str| word.len() >= 7 && self.hash.starts_with(*word);
        let number = self.request.map(|number| format!("#{number}"));
        let is_request = |line: &str| {
            let line = line.trim_end().trim_end_matches('.');
            line.starts_with("Reverts ") && number.as_ref().is_some_and(|it| line.ends_with(it))
        };
        words.iter().any(is_own) || message.lines().any(is_request)
    }
}

/// Reads `<hash> <parents>\t<title>`.
fn merge(line: &str) -> Option<Merge> {
    let (hashes, title) = line.split_once('\t')?;
    let mut hashes = hashes.split(' ');
    let (hash, before) = (full_hash(hashes.next()?)?, full_hash(hashes.next()?)?);
    // As GitHub and Gitea call it, and GitLab's title ends otherwise.
    let number = title.strip_prefix("Merge pull request ").and_then(|rest| {
        let digits = rest[rest.find('#')? + 1..].split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    Some(Merge { hash, before, request: number })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    #[tokio::test]
    async fn a_merge_that_is_taken_back_says_what_it_brought() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let first = sample.commit("a", "feat: one");
        sample.git(&["checkout", "--quiet", "-b", "topic"]);
        let brought = [sample.commit("b", "feat: two"), sample.commit("c", "fix: three")];
        sample.git(&["checkout", "--quiet", "main"]);
        sample.commit("d", "docs: four");
        let title = "Merge pull request #7 from o/topic\n\nfeat: two";
        sample.git(&["merge", "--quiet", "--no-ff", "-m", title, "topic"]);
        let merge = sample.git(&["rev-parse", "HEAD"]);
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        let last = async |after: Option<&str>| {
            history.commits(after, "HEAD").await.unwrap()[0].merged.clone()
        };
        let mut expected = brought.to_vec();
        expected.sort();
        for words in [
            &["revert", "--no-edit", "-m", "1", merge.as_str()][..],
            &[
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "Revert \"feat: two\" (#8)\n\nReverts o/r#7",
            ],
        ] {
            sample.git(words);
            for after in [None, Some(first.as_str())] {
                let mut merged = last(after).await;
                merged[0].brought.sort();
                let expected =
                    Merged { hash: merge.clone(), request: Some(7), brought: expected.clone() };
                assert_eq!(merged, [expected], "{after:?}");
            }
            // What was released before, whole or in part, was not taken back in time.
            for after in [merge.as_str(), brought[0].as_str()] {
                assert_eq!(last(Some(after)).await, [], "{after}");
            }
        }
        sample.git(&["commit", "--quiet", "--allow-empty", "-m", "x\n\nReverts o/r#77"]);
        assert_eq!(last(None).await, []);
    }
}

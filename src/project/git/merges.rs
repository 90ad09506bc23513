//! What a merge brought, for commits that take one back: `git revert -m 1`, and the buttons of GitHub and
//! GitLab for a request that was merged with a merge commit.
//!
//! git writes into such a commit which merge it takes back and which commit came before that
//! (builtin/revert, sequencer.c: `reversing\nchanges made to`); the buttons name the request, whose
//! number stands in the title of GitHub's merge and at the end of GitLab's message (`See merge request`).

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
        let words = [&words[..], &[MERGE_FORMAT, "--end-of-options", &range, "--"]].concat();
        let lines = self.ask(&words, &format!("read the merges of {range}")).await?;
        let merges = read_merges(&lines);
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
    message.contains("reversing") || message.lines().any(|line| reverted_request(line).is_some())
}

/// The number of the request that a line says is taken back: `Reverts acme/app#150`, `Reverts
/// https://github.com/acme/app/pull/150`, `This reverts merge request !12`.
#[must_use]
pub fn reverted_request(line: &str) -> Option<u64> {
    const KINDS: [&str; 3] = ["merge request ", "pull request ", "PR "];
    const PAGES: [&str; 4] = ["/pull", "/pulls", "/merge_requests", "/pull-requests"];
    let line = line.trim().trim_end_matches('.');
    let rest = line.strip_prefix("Reverts ").or_else(|| line.strip_prefix("This reverts "))?;
    let rest = KINDS.iter().find_map(|kind| rest.strip_prefix(kind)).unwrap_or(rest);
    let at = rest.rfind(['#', '!', '/'])?;
    let (place, number) = (&rest[..at], &rest[at + 1..]);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_request = match rest[at..].starts_with('/') {
        true => place.contains("://") && PAGES.iter().any(|page| place.ends_with(page)),
        false => place.chars().all(is_name),
    };
    is_request.then(|| number.parse().ok()).flatten()
}

/// The number of the request that a line of GitLab says came with a commit: `See merge request g/p!12`.
#[must_use]
pub fn merged_request(line: &str) -> Option<u64> {
    line.trim().strip_prefix("See merge request ")?.rsplit_once('!')?.1.parse().ok()
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
        let is_request =
            |line: &str| self.request.is_some() && reverted_request(line) == self.request;
        words.iter().any(is_own) || message.lines().any(is_request)
    }
}

/// Asks `git log` for what [`read_merges`] reads. Lines of a message are indented: what is not was not
/// said by a merge.
const MERGE_FORMAT: &str = "--format=%H %P%x09%s%n%w(0,2,2)%b";

/// Reads the lines that [`merge`] reads, and below each its indented message.
fn read_merges(lines: &[String]) -> Vec<Merge> {
    let mut merges: Vec<Merge> = Vec::new();
    for line in lines {
        match (line.strip_prefix("  "), merges.last_mut()) {
            (Some(said), Some(last)) => last.request = last.request.or(merged_request(said)),
            _ => merges.extend(merge(line)),
        }
    }
    merges
}

/// Reads `<hash> <parents>\t<title>`.
fn merge(line: &str) -> Option<Merge> {
    let (hashes, title) = line.split_once('\t')?;
    let mut hashes = hashes.split(' ');
    let (hash, before) = (full_hash(hashes.next()?)?, full_hash(hashes.next()?)?);
    // As GitHub and Gitea call it; GitLab has it below.
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
        if is_here("git") {
            takes_back(false).await;
            takes_back(true).await;
        }
    }

    async fn takes_back(by_gitlab: bool) {
        let sample = Sample::new();
        let first = sample.commit("a", "feat: one");
        sample.git(&["checkout", "--quiet", "-b", "topic"]);
        let brought = [sample.commit("b", "feat: two"), sample.commit("c", "fix: three")];
        sample.git(&["checkout", "--quiet", "main"]);
        sample.commit("d", "docs: four");
        let title = "Merge pull request #7 from o/topic\n\nfeat: two";
        let title_of_gitlab =
            "Merge branch 'topic' into 'main'\n\nfeat: two\n\nSee merge request o/r!7";
        let title = if by_gitlab { title_of_gitlab } else { title };
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
            &[
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "Revert \"Merge branch 'topic' into 'main'\"\n\nThis reverts merge request !7",
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

    #[test]
    fn requests_are_named_in_several_ways() {
        for (line, number) in [
            ("Reverts acme/app#150", Some(150)),
            ("Reverts #12.", Some(12)),
            ("Reverts https://github.com/o/r/pull/1", Some(1)),
            ("Reverts https://git.example.org/o/r/pulls/1", Some(1)),
            ("Reverts https://gitlab.com/g/s/r/-/merge_requests/12", Some(12)),
            ("This reverts merge request !12", Some(12)),
            ("This reverts merge request g/s/r!12.", Some(12)),
            ("This reverts commit 0123456.", None),
            ("Reverts https://github.com/o/r/issues/1", None),
            ("Reverts a thing that #12 did", None),
            ("See Reverts o/r#99", None),
        ] {
            assert_eq!(reverted_request(line), number, "{line}");
        }
        assert_eq!(merged_request("See merge request g/s/r!12"), Some(12));
        assert_eq!(merged_request("See issue g/r#12"), None);
    }
}

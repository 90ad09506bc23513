//! The history of the repository that a folder is in: tags, commits, what files held, what
//! differs. Reads only.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    command::{Git, GitFailure},
    difference::unquoted,
    merges::Merged,
    references::full_hash,
    remote::Remote,
};
use crate::{
    model::{Fault, Kind, path_to_text},
    process::CommandRunner,
};

/// The repository that a folder is in.
pub struct History<'a> {
    runner: &'a dyn CommandRunner,
    root: PathBuf,
    /// Where the folder is in it: nothing, or `sub/folder/`.
    pub(super) prefix: String,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// The full hash of the commit that it means.
    pub commit: String,
}

/// A commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its full hash.
    pub hash: String,
    /// The day on which it was made, in UTC: `2026-01-07`.
    pub day: String,
    /// The name of who wrote it.
    pub author: String,
    /// Its message: subject, blank line, body.
    pub message: String,
    /// The merges that it takes back, if it does so with some.
    pub merged: Vec<Merged>,
}

/// What users may have set that would change what `git log` prints.
const SETTINGS: [&str; 6] =
    ["-c", "core.quotePath=true", "-c", "log.showRoot=true", "-c", "log.showSignature=false"];
/// Asks `git log` for the files of each commit.
const TELL_FILES: &str = "--raw";

impl<'a> History<'a> {
    /// Of the repository that `dir` is in; `None` if it is in none.
    pub fn around(runner: &'a dyn CommandRunner, dir: &Path) -> Option<Self> {
        let root = dir.ancestors().find(|folder| folder.join(".git").exists())?;
        let inside = dir.strip_prefix(root).ok()?;
        let prefix = inside.components().map(|part| path_to_text(part.as_ref()) + "/");
        Some(Self { runner, root: root.to_owned(), prefix: prefix.collect() })
    }

    /// The full hash of the commit that is checked out; `None` if there is no commit yet.
    ///
    /// # Errors
    /// As all of these: `Failed` if git cannot be run, `Store` if it cannot read the repository,
    /// `Interrupted`.
    pub async fn head(&self) -> Result<Option<String>, Fault> {
        match self.git().run(&["rev-parse", "--verify", "HEAD^{commit}"]).await {
            Ok(lines) => Ok(lines.iter().find_map(|line| full_hash(line))),
            Err(failure @ GitFailure::Said(_)) if !failure.is_foreign() => Ok(None),
            Err(failure) => Err(failure.fault(self.cannot("read HEAD"))),
        }
    }

    /// The URL of the remote `origin`, if there is one. May hold a login.
    pub async fn origin(&self) -> Result<Option<String>, Fault> {
        match self.git().run(&["config", "--get", "remote.origin.url"]).await {
            Ok(lines) => Ok(lines.into_iter().next_back()),
            Err(GitFailure::Mute(fault)) if fault.kind == Kind::Interrupted => Err(fault),
            Err(failure) if failure.is_foreign() => {
                Err(failure.fault(self.cannot("read the settings")))
            }
            // Without one, git says nothing and fails.
            Err(_) => Ok(None),
        }
    }

    /// Where tags are shared with others: `origin`, or this repository if there is none.
    pub async fn remote(&self) -> Result<Remote<'a>, Fault> {
        let origin = self.origin().await?;
        Ok(Remote::new(self.runner, self.root.clone(), origin.as_deref()))
    }

    /// Whether the clone holds only the last commits: tags and commits may be missing.
    pub async fn is_shallow(&self) -> Result<bool, Fault> {
        let lines =
            self.ask(&["rev-parse", "--is-shallow-repository"], "look at the clone").await?;
        Ok(lines.iter().any(|line| line == "true"))
    }

    /// The tags that are here, sorted by name.
    pub async fn tags(&self) -> Result<Vec<Tag>, Fault> {
        let format = "--format=%(refname:strip=2) %(objectname) %(*objectname)";
        let lines = self.ask(&["for-each-ref", format, "refs/tags"], "list the tags").await?;
        Ok(lines.iter().filter_map(|line| tag(line)).collect())
    }

    /// What differs from the commit that is checked out: changed and new files, relative to
    /// the folder. What git ignores does not count, nor does what lies outside of the folder.
    pub async fn changes(&self) -> Result<Vec<String>, Fault> {
        let scope = if self.prefix.is_empty() { "." } else { &self.prefix };
        let words = ["status", "--porcelain=v1", "--untracked-files=normal", "--", scope];
        let lines = self.ask(&words, "compare the files with their commit").await?;
        let path = |line: &String| {
            let path = line.get(3..)?;
            let path = path.rsplit_once(" -> ").map_or(path, |(_, new)| new).trim_matches('"');
            Some(path.strip_prefix(&self.prefix).unwrap_or(path).to_owned())
        };
        Ok(lines.iter().filter_map(path).collect())
    }

    /// The commits that `until` has and `after` has not, without merges, the newest first; of
    /// a folder within a repository, only those that touch it.
    pub async fn commits(&self, after: Option<&str>, until: &str) -> Result<Vec<Commit>, Fault> {
        let commits = self.log(&[], &[], after, until).await?;
        let mut commits: Vec<_> = commits.into_iter().map(|(commit, _)| commit).collect();
        self.add_merged(&mut commits, after, until).await?;
        Ok(commits)
    }

    /// [`Self::commits`], of which only those that touch a file below one of `paths`, files and
    /// folders relative to the folder (all of it if there are none), that `counts` as well.
    pub async fn commits_to(
        &self,
        paths: &[String],
        counts: &dyn Fn(&str) -> bool,
        after: Option<&str>,
        until: &str,
    ) -> Result<Vec<Commit>, Fault> {
        let commits = self.log(paths, &[TELL_FILES], after, until).await?;
        let is_own = |path: &String| self.own(path).is_some_and(|path| counts(&path));
        let own = commits.into_iter().filter(|(_, files)| files.iter().any(is_own));
        let mut own: Vec<_> = own.map(|(commit, _)| commit).collect();
        self.add_merged(&mut own, after, until).await?;
        Ok(own)
    }

    /// Commits below `paths`, each with the files that it touches there if `more` asks for them.
    async fn log(
        &self,
        paths: &[String],
        more: &[&str],
        after: Option<&str>,
        until: &str,
    ) -> Result<Vec<(Commit, Vec<String>)>, Fault> {
        let range = after.map_or_else(|| until.to_owned(), |after| format!("{after}..{until}"));
        // Lines of a message are indented: what is not was not said by a commit.
        let format = "--format=commit %H %ct %aN%n%w(0,2,2)%B";
        // Paths are names here, whatever characters they have.
        let mut words = SETTINGS.to_vec();
        words.extend(["--literal-pathspecs", "log", "--no-merges", "--no-color"]);
        words.extend(more);
        words.extend([
            "--no-renames",
            "--encoding=UTF-8",
            "--no-ext-diff",
            "--no-textconv",
            format,
        ]);
        words.extend(["--end-of-options", range.as_str(), "--"]);
        let paths: Vec<_> = paths.iter().map(|path| self.below(path)).collect();
        words.extend(paths.iter().map(String::as_str));
        if paths.is_empty() {
            // A path, be it the top, leaves out commits that change no file.
            words.extend(Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty()));
        }
        let lines = self.ask(&words, &format!("read the commits of {range}")).await?;
        Ok(commits(&lines))
    }

    /// What the file at `path`, relative to the folder, held at `revision`; `None` if it was not
    /// there.
    pub async fn file(&self, revision: &str, path: &str) -> Result<Option<String>, Fault> {
        let object = format!("{revision}:{}{path}", self.prefix);
        match self
            .git()
            .run(&["show", "--no-color", "--no-textconv", "--end-of-options", &object])
            .await
        {
            Ok(lines) => Ok(Some(lines.iter().map(|line| format!("{line}\n")).collect())),
            Err(failure @ GitFailure::Said(_)) if !failure.is_foreign() => Ok(None),
            Err(failure) => Err(failure.fault(self.cannot(&format!("read {object}")))),
        }
    }

    /// The commits that `until` has, by their full hashes, each with its day in UTC.
    pub async fn days(&self, until: &str) -> Result<HashMap<String, String>, Fault> {
        let format = "--format=%H %ct";
        let words = ["log", "--no-show-signature", format, "--end-of-options", until, "--"];
        let lines = self.ask(&words, &format!("list the commits of {until}")).await?;
        let dated = lines.iter().filter_map(|line| line.split_once(' '));
        Ok(dated.map(|(commit, seconds)| (commit.to_owned(), day(seconds))).collect())
    }

    /// The days in UTC on which the annotated tags of this clone were made, by their names. Of those
    /// that do not say so, as the tags by which forge claims versions, there is none.
    pub async fn days_of_tags(&self) -> Result<HashMap<String, String>, Fault> {
        const UNKNOWN: &str = "0";
        let format = "--format=%(taggerdate:unix) %(refname:strip=2)";
        let lines = self.ask(&["for-each-ref", format, "refs/tags"], "list the tags").await?;
        let dated = lines.iter().filter_map(|line| line.split_once(' '));
        let dated = dated.filter(|(seconds, _)| !seconds.is_empty() && *seconds != UNKNOWN);
        Ok(dated.map(|(seconds, tag)| (tag.to_owned(), day(seconds))).collect())
    }

    /// The path of what is at `path` in the folder, from the top of the repository.
    fn below(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, ".") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}{path}"),
        }
    }

    /// The folder of the repository.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn git(&self) -> Git<'_> {
        Git::new(self.runner, &self.root, "")
    }

    pub(super) async fn ask(&self, words: &[&str], what: &str) -> Result<Vec<String>, Fault> {
        self.git().run(words).await.map_err(|failure| failure.fault(self.cannot(what)))
    }

    pub(super) fn cannot(&self, what: &str) -> String {
        format!("cannot {what} of the repository {}", self.root.display())
    }
}

/// Reads `<name> <object> <commit of an annotated tag>`.
fn tag(line: &str) -> Option<Tag> {
    let mut words = line.split(' ');
    let name = words.next()?.to_owned();
    let object = full_hash(words.next()?)?;
    let commit = words.next().and_then(full_hash).unwrap_or(object);
    Some(Tag { name, commit })
}

/// Reads `commit <hash> <seconds> <author>`.
fn heading(line: &str) -> Option<Commit> {
    let mut words = line.strip_prefix("commit ")?.splitn(3, ' ');
    let hash = full_hash(words.next()?)?;
    let day = day(words.next().unwrap_or_default());
    let author = words.next().unwrap_or_default().to_owned();
    Some(Commit { hash, day, author, ..Commit::default() })
}

/// The day in UTC of a time that git tells in seconds since 1970; empty if it is none.
fn day(seconds: &str) -> String {
    let time = seconds.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Reads headings, and below each the indented message and the lines `:<modes and hashes>\t<path>`.
fn commits(lines: &[String]) -> Vec<(Commit, Vec<String>)> {
    let mut commits: Vec<(Commit, Vec<String>)> = Vec::new();
    for line in lines {
        if let Some(commit) = heading(line) {
            commits.push((commit, Vec::new()));
        } else if let Some((commit, files)) = commits.last_mut() {
            if let Some((_, path)) = line.strip_prefix(':').and_then(|rest| rest.split_once('\t')) {
                files.push(unquoted(path));
            } else if line.starts_with("  ") || line.is_empty() {
                // A carriage return ends a line, too: on a screen it would hide what is before it.
                let said = line.get(2..).unwrap_or_default().trim_end_matches('\r');
                commit.message.push_str(&said.replace('\r', "\n"));
                commit.message.push('\n');
            }
        }
    }
    for (commit, _) in &mut commits {
        commit.message.truncate(commit.message.trim_end().len());
    }
    commits
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::sample::Sample, *};
    use crate::process::testing::is_here;

    #[test]
    fn a_carriage_return_ends_a_title() {
        let hash = "a".repeat(40);
        let lines = [&format!("commit {hash} 0 Ann"), "  feat: one\rfix: two\r", "", "  body\r"];
        let lines = lines.map(|line: &str| line.to_owned());
        assert_eq!(commits(&lines)[0].0.message, "feat: one\nfix: two\n\nbody");
    }

    #[tokio::test]
    async fn tags_mean_commits_and_commits_have_messages() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let first = sample.commit("a", "feat: one");
        sample.git(&["tag", "-a", "-m", "note", "v1.0.0"]);
        let second =
            sample.commit("a", "fix: two\n\nbody\n\n  commit of nothing\nBREAKING CHANGE: x");
        sample.git(&["tag", "v1.1.0"]);
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        assert_eq!(history.head().await.unwrap(), Some(second.clone()));
        assert!(!history.is_shallow().await.unwrap());
        let tags = [("v1.0.0", &first), ("v1.1.0", &second)]
            .map(|(name, commit)| Tag { name: name.into(), commit: commit.clone() });
        assert_eq!(history.tags().await.unwrap(), tags);
        let message = "fix: two\n\nbody\n\n  commit of nothing\nBREAKING CHANGE: x".to_owned();
        let since = history.commits(Some("v1.0.0"), "v1.1.0").await.unwrap();
        let commit = Commit { author: "someone".into(), ..since[0].clone() };
        assert!(commit.day.len() == 10 && commit.day.starts_with("20"), "{commit:?}");
        let days = history.days("v1.0.0").await.unwrap();
        assert_eq!(days, HashMap::from([(first.clone(), commit.day.clone())]));
        let second = Commit { hash: second, message, ..commit.clone() };
        assert_eq!(since, std::slice::from_ref(&second));
        let first = Commit { hash: first, message: "feat: one".into(), ..commit };
        assert_eq!(history.commits(None, "HEAD").await.unwrap(), [second, first]);
        assert_eq!(history.file("v1.0.0", "a").await.unwrap().unwrap(), "feat: one\n");
        assert_eq!(history.file("v1.0.0", "b").await.unwrap(), None);
        assert!(history.commits(Some("v9"), "HEAD").await.is_err());
    }

    #[tokio::test]
    async fn a_folder_within_a_repository_sees_what_is_its_own() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let root = PathBuf::from(sample.url());
        let inner = root.join("a b/inner");
        fs::create_dir_all(&inner).unwrap();
        sample.commit("a b/inner/x", "1");
        sample.commit("outside", "2");
        let runner = Sample::runner();
        let history = History::around(&runner, &inner).unwrap();
        assert_eq!(history.commits(None, "HEAD").await.unwrap().len(), 1);
        for (path, count) in [("x", 1), (".", 1), ("y", 0), ("*", 0)] {
            let all = |_: &str| true;
            let commits = history.commits_to(&[path.into()], &all, None, "HEAD").await.unwrap();
            assert_eq!(commits.len(), count, "{path}");
        }
        let is_x = |path: &str| path == "x";
        assert_eq!(history.commits_to(&[], &is_x, None, "HEAD").await.unwrap().len(), 1);
        let is_y = |path: &str| path == "y";
        assert_eq!(history.commits_to(&[], &is_y, None, "HEAD").await.unwrap().len(), 0);
        assert_eq!(history.file("HEAD", "x").await.unwrap().unwrap(), "1\n");
        assert_eq!(history.changes().await.unwrap(), Vec::<String>::new());
        fs::write(inner.join("x"), "3").unwrap();
        fs::write(inner.join("new"), "3").unwrap();
        fs::write(root.join("outside"), "3").unwrap();
        assert_eq!(history.changes().await.unwrap(), ["x", "new"]);
    }

    #[tokio::test]
    async fn a_fresh_repository_has_no_head_and_a_bare_folder_no_history() {
        if !is_here("git") {
            return;
        }
        let sample = Sample::new();
        let runner = Sample::runner();
        let history = History::around(&runner, Path::new(sample.url())).unwrap();
        assert_eq!(history.head().await.unwrap(), None);
        assert_eq!(history.tags().await.unwrap(), []);
        assert_eq!(history.origin().await.unwrap(), None);
        sample.git(&["remote", "add", "origin", "https://127.0.0.1:9/x.git"]);
        assert_eq!(history.origin().await.unwrap().unwrap(), "https://127.0.0.1:9/x.git");
        assert!(History::around(&runner, &sample.beside("elsewhere")).is_none());
    }
}

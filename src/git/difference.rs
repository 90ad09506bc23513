//! Which files differ between commits; however many commits, in one process.

use super::{History, command::Failure, references::full_hash};
use crate::model::Fault;

/// Pairs of trees that one process is told: what fits into an environment variable.
const AT_ONCE: usize = 1000;
const LIST: &str = "-c core.quotePath=false diff-tree --stdin -r --name-only --no-renames";

impl History<'_> {
    /// The trees of `commits`; none for a commit that is not in this clone.
    ///
    /// # Errors
    /// As all of these: `Failed` if git cannot be run, `Store` if it cannot read the repository,
    /// `Interrupted`.
    pub async fn trees(&self, commits: &[String]) -> Result<Vec<Option<String>>, Fault> {
        let mut trees = Vec::new();
        for commits in commits.chunks(AT_ONCE) {
            let text: String =
                commits.iter().map(|commit| format!("{commit}^{{tree}}\n")).collect();
            let lines = self.tell(&["cat-file", "--batch-check"], &text, "look at commits").await?;
            let answers =
                lines.iter().filter(|line| line.ends_with(" missing") || tree(line).is_some());
            trees.extend(answers.map(|line| tree(line)));
        }
        Ok(trees)
    }

    /// The files of the folder that differ between each of `trees` and the tree `now`.
    pub async fn differences(
        &self,
        trees: &[String],
        now: &str,
    ) -> Result<Vec<Vec<String>>, Fault> {
        let words: Vec<&str> = LIST.split(' ').collect();
        let mut all = Vec::new();
        for trees in trees.chunks(AT_ONCE) {
            let text: String = trees.iter().map(|tree| format!("{tree} {now}\n")).collect();
            for line in self.tell(&words, &text, "compare commits").await? {
                if is_pair(&line) {
                    all.push(Vec::new());
                } else if let (Some(files), Some(path)) =
                    (all.last_mut(), self.own(&unquoted(&line)))
                {
                    files.push(path);
                }
            }
        }
        Ok(all)
    }

    /// The files that differ from the commit that is checked out, new ones each by itself.
    pub async fn uncommitted(&self) -> Result<Vec<String>, Fault> {
        let words = [
            "-c",
            "core.quotePath=false",
            "status",
            "--porcelain=v1",
            "--no-renames",
            "--untracked-files=all",
        ];
        let lines = self.ask(&words, "compare the files with their commit").await?;
        Ok(lines.iter().filter_map(|line| self.own(&unquoted(line.get(3..)?))).collect())
    }

    /// The commit that `reference` means here; a branch may be that of `origin`.
    pub async fn commit(&self, reference: &str) -> Result<Option<String>, Fault> {
        for name in [reference.to_owned(), format!("refs/remotes/origin/{reference}")] {
            let object = format!("{name}^{{commit}}");
            match self
                .git()
                .run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &object])
                .await
            {
                Ok(lines) => {
                    if let Some(commit) = lines.iter().find_map(|line| full_hash(line)) {
                        return Ok(Some(commit));
                    }
                }
                Err(Failure::Mute(fault)) if fault.kind == crate::model::Kind::Interrupted => {
                    return Err(fault);
                }
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Where `commit` and HEAD parted; none if that is not in this clone.
    pub async fn parting(&self, commit: &str) -> Result<Option<String>, Fault> {
        match self.git().run(&["merge-base", commit, "HEAD"]).await {
            Ok(lines) => Ok(lines.iter().find_map(|line| full_hash(line))),
            Err(Failure::Mute(fault)) if fault.kind == crate::model::Kind::Interrupted => {
                Err(fault)
            }
            Err(_) => Ok(None),
        }
    }

    /// Runs `git fetch` with `words`.
    ///
    /// # Errors
    /// `Store` if the remote does not answer or has it not.
    pub async fn fetch(&self, words: &[&str]) -> Result<(), Fault> {
        let words = [&["fetch", "--quiet"], words].concat();
        let failed = |failure: Failure| failure.fault(self.cannot("fetch what is missing"));
        self.git().ask(&words).await.map(drop).map_err(failed)
    }

    async fn tell(&self, words: &[&str], text: &str, what: &str) -> Result<Vec<String>, Fault> {
        self.git().say(words, text).await.map_err(|failure| failure.fault(self.cannot(what)))
    }

    pub(super) fn own(&self, path: &str) -> Option<String> {
        path.strip_prefix(self.prefix.as_str()).map(ToOwned::to_owned)
    }
}

/// Reads `<hash> tree <size>`.
fn tree(line: &str) -> Option<String> {
    let (hash, rest) = line.split_once(' ')?;
    rest.starts_with("tree ").then(|| full_hash(hash))?
}

/// Whether the line tells which two trees are compared.
fn is_pair(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(a, b)| full_hash(a).is_some() && full_hash(b).is_some())
}

/// A path as git writes it when it holds what cannot stand in a line.
pub(super) fn unquoted(path: &str) -> String {
    let Some(inner) = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')) else {
        return path.to_owned();
    };
    let mut text = String::new();
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '\\' { rest.next() } else { None }) {
            (_, Some('n')) => text.push('\n'),
            (_, Some('t')) => text.push('\t'),
            (_, Some(other)) => text.push(other),
            (c, None) => text.push(c),
        }
    }
    text
}

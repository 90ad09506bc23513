//! Which files differ between commits; however many commits, in one process.

use std::collections::BTreeMap;

use super::{History, command::GitFailure, references::full_hash};
use crate::model::{Fault, bytes_to_text};

/// Pairs of trees that one process is told: what fits into an environment variable.
const AT_ONCE: usize = 1000;
const LIST: &str = "-c core.quotePath=true diff-tree --stdin -r --name-only --no-renames";

impl History<'_> {
    /// The trees of `commits`; none for a commit that is not in this clone.
    ///
    /// # Errors
    /// As all of these: `Failed` if git cannot be run, `Store` if it cannot read the repository,
    /// `Interrupted`.
    pub async fn trees(&self, commits: &[String]) -> Result<Vec<Option<String>>, Fault> {
        let names = commits.iter().map(|commit| format!("{commit}^{{tree}}"));
        self.objects(&names.collect::<Vec<_>>(), "tree").await
    }

    /// What the file at `path` holds in each of `commits`; none where there is no such file.
    pub async fn files(
        &self,
        commits: &[String],
        path: &str,
    ) -> Result<Vec<Option<String>>, Fault> {
        let names = commits.iter().map(|commit| format!("{commit}:{}{path}", self.prefix));
        let blobs = self.objects(&names.collect::<Vec<_>>(), "blob").await?;
        // Of many commits, most hold the same.
        let mut texts: BTreeMap<&String, String> = BTreeMap::new();
        for blob in blobs.iter().flatten() {
            if !texts.contains_key(blob) {
                let lines = self.ask(&["cat-file", "blob", blob], "read a file").await?;
                texts.insert(blob, lines.iter().map(|line| format!("{line}\n")).collect());
            }
        }
        Ok(blobs.iter().map(|blob| texts.get(blob.as_ref()?).cloned()).collect())
    }

    /// The hashes of the objects called `names`; none for one that is no `kind` or not in this clone.
    async fn objects(&self, names: &[String], kind: &str) -> Result<Vec<Option<String>>, Fault> {
        let mut objects = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let text: String = names.iter().map(|name| format!("{name}\n")).collect();
            let lines =
                self.ask_git(&["cat-file", "--batch-check"], &text, "look at commits").await?;
            let is_answer = |line: &&String| line.ends_with(" missing") || object(line).is_some();
            let of_kind =
                |line: &String| object(line).filter(|(_, is)| *is == kind).map(|(hash, _)| hash);
            objects.extend(lines.iter().filter(is_answer).map(of_kind));
        }
        Ok(objects)
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
            for line in self.ask_git(&words, &text, "compare commits").await? {
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
            "core.quotePath=true",
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
                Err(GitFailure::Mute(fault)) if fault.kind == crate::model::Kind::Interrupted => {
                    return Err(fault);
                }
                Err(failure) if failure.is_foreign() => {
                    return Err(failure.fault(self.cannot("look up a commit")));
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
            Err(GitFailure::Mute(fault)) if fault.kind == crate::model::Kind::Interrupted => {
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
        let failed = |failure: GitFailure| failure.fault(self.cannot("fetch what is missing"));
        self.git().ask(&words).await.map(drop).map_err(failed)
    }

    async fn ask_git(&self, words: &[&str], text: &str, what: &str) -> Result<Vec<String>, Fault> {
        self.git().say(words, text).await.map_err(|failure| failure.fault(self.cannot(what)))
    }

    pub(super) fn own(&self, path: &str) -> Option<String> {
        path.strip_prefix(self.prefix.as_str()).map(ToOwned::to_owned)
    }
}

/// Reads `<hash> <kind> <size>`: the hash and the kind.
fn object(line: &str) -> Option<(String, &str)> {
    let mut words = line.split(' ');
    let (hash, kind, size) = (words.next()?, words.next()?, words.next()?);
    size.parse::<u64>().ok().and(Some((full_hash(hash)?, kind)))
}

/// Whether the line tells which two trees are compared.
fn is_pair(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(a, b)| full_hash(a).is_some() && full_hash(b).is_some())
}

/// The text for a path as git writes it when it holds what cannot stand in a line, or is not ASCII: in
/// quotes, with the escapes of C. Source: `git-config(1)`, `core.quotePath`.
pub(super) fn unquoted(path: &str) -> String {
    let Some(inner) = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')) else {
        return path.to_owned();
    };
    let mut bytes = Vec::new();
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(high @ b'0'..=b'3') => {
                let low = rest.by_ref().take(2).map(|digit| digit.wrapping_sub(b'0') & 7);
                low.fold(high - b'0', |number, digit| number << 3 | digit)
            }
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'v') => 11,
            Some(b'f') => 12,
            Some(b'r') => b'\r',
            Some(other) => other,
        });
    }
    bytes_to_text(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_git_writes_them() {
        assert_eq!(unquoted("a b"), "a b");
        assert_eq!(unquoted(r#""a\"\\\t\n""#), "a\"\\\\\t\n");
        assert_eq!(unquoted(r#""\303\244\001x""#), "ä\u{1}x");
        assert_eq!(unquoted(r#""ends\""#), r"ends\\");
        assert_eq!(unquoted(r#""l\351""#), r"l\xE9");
    }
}

//! The comments of a Taskfile, with what they stand at.
//!
//! A comment belongs to the key below it, without an empty line between, or to the one on its line.
//! Those between rulers (`# ---- build ----`) only part a long file, and are left out.

use std::ops::Range;

use crate::{manifest::Comment, taskfile::Taskfile};

/// The comments of one file.
pub(super) struct Comments<'t> {
    text: &'t str,
    all: Vec<&'t Comment>,
}

impl<'t> Comments<'t> {
    pub(super) fn in_file(file: &'t Taskfile) -> Self {
        let text = &*file.file.text;
        let mut all: Vec<&Comment> = Vec::new();
        for block in blocks(text, &file.comments) {
            if !block.iter().any(|comment| is_ruler(&comment.text)) {
                all.extend(block);
            }
        }
        Self { text, all }
    }

    /// Those above the key that begins at `key`.
    pub(super) fn above(&self, key: usize) -> Vec<String> {
        let mut line = start_of_line(self.text, key);
        let mut found = Vec::new();
        let before = line;
        for comment in self.all.iter().rev().filter(|one| one.bytes.start < before) {
            let next = start_of_line(self.text, comment.bytes.start);
            let is_next = comment.has_own_line
                && self.text[comment.bytes.end..line].trim_matches([' ', '\r']) == "\n";
            if !is_next {
                break;
            }
            found.push(comment.text.clone());
            line = next;
        }
        found.reverse();
        found
    }

    /// Those above `key`, and those within `range`, which it begins.
    pub(super) fn with(&self, range: Range<usize>) -> Vec<String> {
        let mut found = self.above(range.start);
        let within = self.all.iter().filter(|one| range.contains(&one.bytes.start));
        found.extend(within.map(|one| one.text.clone()));
        found
    }

    /// Those above and behind the key at `bytes`.
    pub(super) fn of_line(&self, bytes: Range<usize>) -> Vec<String> {
        let end = self.text[bytes.end..].find('\n').map_or(self.text.len(), |end| bytes.end + end);
        self.with(bytes.start..end)
    }

    /// Those of the task at `at` of `taskfile`: above it and in it.
    pub(super) fn of_task(&self, taskfile: &Taskfile, at: usize) -> Vec<String> {
        let start = taskfile.tasks[at].name.bytes.start;
        let next = taskfile.tasks.get(at + 1).map(|task| task.name.bytes.start);
        self.with(start..next.map_or(self.text.len(), |next| self.end(start, next)))
    }

    /// Where what begins at `start` ends, if the key after it begins at `next`: before that one's
    /// comments.
    pub(super) fn end(&self, start: usize, next: usize) -> usize {
        let above = self.above(next).len();
        let line = start_of_line(self.text, next);
        let own = self.all.iter().rev().filter(|one| one.bytes.start < line).take(above).last();
        own.map_or(line, |one| start_of_line(self.text, one.bytes.start)).max(start)
    }

    /// Those before the first key but `version`, which begins at `first`, by lines; an empty line
    /// between blocks is one.
    pub(super) fn head(&self, first: usize) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut last = None;
        for comment in self.all.iter().filter(|one| one.bytes.start < first && one.has_own_line) {
            let gap = last.is_some_and(|last: usize| {
                self.text[last..comment.bytes.start].matches('\n').count() > 1
            });
            if gap {
                found.push(String::new());
            }
            found.push(comment.text.clone());
            last = Some(comment.bytes.end);
        }
        found
    }

    /// Those before `end` that do not stand in `written`, each with where it begins.
    pub(super) fn lacking<'c>(
        &'c self,
        end: usize,
        written: &'c str,
    ) -> impl Iterator<Item = (usize, &'t str)> + 'c {
        let before = self.all.iter().filter(move |one| one.bytes.start < end);
        let lacks = before
            .filter(|one| !one.text.is_empty() && !written.contains(&format!("# {}", one.text)));
        lacks.map(|one| (one.bytes.start, one.text.as_str()))
    }
}

/// What a file says before its first key but `version`.
pub(super) fn head(taskfile: &Taskfile) -> Vec<String> {
    let keys = [
        "includes", "vars", "env", "dotenv", "tasks", "output", "silent", "set", "shopt", "run",
        "method",
    ];
    let first = keys.iter().filter_map(|key| start_of(&taskfile.file.text, key)).min();
    first.map(|first| Comments::in_file(taskfile).head(first)).unwrap_or_default()
}

/// Where the key `key` of a whole file begins.
pub(super) fn start_of(text: &str, key: &str) -> Option<usize> {
    let line = format!("{key}:");
    if text.starts_with(&line) { Some(0) } else { text.find(&format!("\n{line}")).map(|at| at + 1) }
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Comments that stand right below each other.
fn blocks<'t>(text: &str, comments: &'t [Comment]) -> Vec<Vec<&'t Comment>> {
    let mut blocks: Vec<Vec<&Comment>> = Vec::new();
    for comment in comments {
        let follows = blocks.last().and_then(|block| block.last()).is_some_and(|last| {
            last.has_own_line
                && comment.has_own_line
                && text[last.bytes.end..comment.bytes.start].trim() == ""
                && text[last.bytes.end..comment.bytes.start].matches('\n').count() == 1
        });
        match blocks.last_mut().filter(|_| follows) {
            Some(block) => block.push(comment),
            None => blocks.push(vec![comment]),
        }
    }
    blocks
}

/// Whether a comment is a line that parts the file.
fn is_ruler(text: &str) -> bool {
    ["---", "===", "***", "###", "~~~"].iter().any(|sign| text.starts_with(sign))
}

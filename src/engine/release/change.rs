//! What a commit changes, by its message, and the chapter that tells of it.

use crate::{git::Commit, versioning::Message};

/// A commit as notes tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteEntry {
    /// The chapter of its type.
    pub chapter: Chapter,
    /// Whether it breaks what worked before.
    pub is_breaking: bool,
    /// What it is about: `(scope)`.
    pub scope: Option<String>,
    /// The description.
    pub description: String,
    /// What breaks, if the commit says it.
    pub breaks: Option<String>,
    /// The full hash of the commit.
    pub hash: String,
}

/// A chapter of notes, in the words of Keep a Changelog and in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum Chapter {
    Breaking,
    Added,
    Changed,
    Deprecated,
    Removed,
    Fixed,
    Security,
    /// Work on the project itself, which its users do not notice: counted, not told.
    Upkeep,
}

impl Chapter {
    /// Every chapter, in the order in which they stand.
    pub const ALL: &[Self] = &[
        Self::Breaking,
        Self::Added,
        Self::Changed,
        Self::Deprecated,
        Self::Removed,
        Self::Fixed,
        Self::Security,
        Self::Upkeep,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Breaking => "Breaking changes",
            Self::Added => "Added",
            Self::Changed => "Changed",
            Self::Deprecated => "Deprecated",
            Self::Removed => "Removed",
            Self::Fixed => "Fixed",
            Self::Security => "Security",
            Self::Upkeep => "Upkeep",
        }
    }

    /// The chapter of commits of type `word`; what has no known type is a change.
    fn of_type(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "feat" | "feature" | "add" => Self::Added,
            "deprecate" | "deprecated" => Self::Deprecated,
            "remove" | "removed" => Self::Removed,
            "fix" | "bugfix" | "hotfix" => Self::Fixed,
            "security" | "sec" => Self::Security,
            "build" | "chore" | "ci" | "docs" | "style" | "test" | "tests" => Self::Upkeep,
            _ => Self::Changed,
        }
    }
}

impl NoteEntry {
    /// Reads a commit.
    pub fn from_commit(commit: &Commit) -> Self {
        let subject = commit.message.lines().next().unwrap_or_default().trim();
        let plain = Self {
            chapter: Chapter::Changed,
            is_breaking: false,
            scope: None,
            description: subject.to_owned(),
            breaks: None,
            hash: commit.hash.clone(),
        };
        let Ok(message) = Message::read(&commit.message) else { return plain };
        // What is taken back reads best in git's words.
        let is_quoted = subject.starts_with("Revert \"");
        Self {
            chapter: Chapter::of_type(message.kind),
            is_breaking: message.is_breaking(),
            scope: message.scope.map(str::to_owned),
            description: if is_quoted { subject } else { message.description }.to_owned(),
            breaks: message.breaks().map(paragraph),
            ..plain
        }
    }

    /// Its chapter where what breaks has one of its own.
    pub fn chapter_of_notes(&self) -> Chapter {
        if self.is_breaking { Chapter::Breaking } else { self.chapter }
    }

    /// Its chapter in the words of Keep a Changelog. What breaks is never upkeep.
    pub fn chapter_of_changelog(&self) -> Chapter {
        match self.chapter {
            Chapter::Upkeep if self.is_breaking => Chapter::Changed,
            chapter => chapter,
        }
    }

    /// What it tells: what breaks, if the commit says what, or else its description.
    pub fn text(&self) -> &str {
        self.breaks.as_deref().unwrap_or(&self.description)
    }

    /// The hash as people read it.
    pub fn short_hash(&self) -> &str {
        self.hash.get(..10).unwrap_or(&self.hash)
    }
}

/// The first paragraph of a text, on one line.
fn paragraph(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(message: &str) -> String {
        let change =
            NoteEntry::from_commit(&Commit { message: message.into(), ..Commit::default() });
        let scope = change.scope.as_ref().map(|scope| format!(" [{scope}]")).unwrap_or_default();
        format!("{:?}{scope} {}", change.chapter_of_notes(), change.text())
    }

    #[test]
    fn messages_tell_their_chapter() {
        for (message, chapter) in [
            ("feat: a thing", "Added a thing"),
            ("FEAT(ui): a thing\n\nbody", "Added [ui] a thing"),
            ("fix(parser)!: stricter", "Breaking [parser] stricter"),
            ("perf: faster", "Changed faster"),
            ("chore(deps): bump x", "Upkeep [deps] bump x"),
            ("chore!: drop x", "Breaking drop x"),
            ("docs: words", "Upkeep words"),
            ("security: close it", "Security close it"),
            ("Merge this: and that", "Changed Merge this: and that"),
            ("Plain words", "Changed Plain words"),
            ("feat : odd", "Changed feat : odd"),
            ("feat:odd", "Changed feat:odd"),
            ("feat(: odd", "Changed feat(: odd"),
            ("Revert \"feat: x\"", "Changed Revert \"feat: x\""),
            ("Reapply \"feat: x\"", "Added x"),
            ("", "Changed "),
            (
                "fix: x\n\nBREAKING CHANGE: the file\nis elsewhere\n\nmore",
                "Breaking the file is elsewhere",
            ),
            ("fix: x\n\nBREAKING-CHANGE: gone\nRefs: #1", "Breaking gone"),
            ("fix: x\n\nbreaking change: only capitals count", "Fixed x"),
        ] {
            assert_eq!(told(message), chapter, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_message_panics(message in "[a-z(]{0,4}[)!: ]{0,3}\\PC{0,10}(\n\\PC{0,10}){0,3}") {
            told(&message);
        }
    }
}

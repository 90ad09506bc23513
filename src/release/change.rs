//! What a commit changes, by its message. The format is that of Conventional Commits 1.0.0:
//! `type(scope)!: description`, and a footer `BREAKING CHANGE: description`.

use crate::git::Commit;

/// A commit as notes tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which chapter it belongs to.
    pub chapter: Chapter,
    /// What it is about: `(scope)`.
    pub scope: Option<String>,
    /// The description; of what breaks, if something does and the commit says what.
    pub text: String,
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

impl Change {
    /// Reads a commit.
    pub fn of(commit: &Commit) -> Self {
        let (subject, body) = commit.message.split_once('\n').unwrap_or((&commit.message, ""));
        let breaks = footer(body);
        let (chapter, scope, text, is_marked) = match header(subject) {
            Some(header) => (
                Chapter::of_type(header.kind),
                header.scope.map(str::to_owned),
                header.text,
                header.is_breaking,
            ),
            None => (Chapter::Changed, None, subject.trim(), false),
        };
        let is_breaking = is_marked || breaks.is_some();
        Self {
            chapter: if is_breaking { Chapter::Breaking } else { chapter },
            scope,
            text: breaks.unwrap_or_else(|| text.to_owned()),
            hash: commit.hash.clone(),
        }
    }
}

/// The first line of a message.
struct Header<'m> {
    kind: &'m str,
    scope: Option<&'m str>,
    is_breaking: bool,
    text: &'m str,
}

/// Reads `type(scope)!: description`; `None` if the line is written otherwise.
fn header(subject: &str) -> Option<Header<'_>> {
    let (before, text) = subject.split_once(": ")?;
    let (before, is_breaking) = match before.strip_suffix('!') {
        Some(before) => (before, true),
        None => (before, false),
    };
    let (kind, scope) = match before.strip_suffix(')') {
        Some(before) => before.split_once('(').map(|(kind, scope)| (kind, Some(scope)))?,
        None => (before, None),
    };
    let is_word = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let scope = scope.map(str::trim).filter(|scope| !scope.is_empty());
    is_word.then_some(Header { kind, scope, is_breaking, text: text.trim() })
}

/// What a `BREAKING CHANGE` footer says, on one line.
fn footer(body: &str) -> Option<String> {
    let mut lines = body.lines();
    let tokens = ["BREAKING CHANGE: ", "BREAKING-CHANGE: "];
    let first =
        lines.by_ref().find_map(|line| tokens.iter().find_map(|token| line.strip_prefix(token)))?;
    let goes_on = |line: &&str| !line.trim().is_empty() && !is_footer(line);
    let more = lines.take_while(goes_on).map(str::trim);
    Some(std::iter::once(first.trim()).chain(more).collect::<Vec<_>>().join(" "))
}

/// Whether a line begins another footer: `Token: value`, `Token #value`.
fn is_footer(line: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let ends = [": ", " #"].into_iter().filter_map(|end| line.split_once(end));
    ends.into_iter().any(|(token, _)| is_token(token))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(message: &str) -> String {
        let change = Change::of(&Commit { hash: "h".into(), message: message.into() });
        let scope = change.scope.map(|scope| format!(" [{scope}]")).unwrap_or_default();
        format!("{:?}{scope} {}", change.chapter, change.text)
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

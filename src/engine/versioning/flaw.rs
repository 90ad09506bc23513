//! What is wrong with the title of a change, and how it would be right.

use std::ops::Range;

use super::{Message, conventional::is_of_kind};
use crate::model::nearest;

/// What keeps a message from following the convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintError {
    /// What is wrong: one sentence without a full stop.
    pub what: String,
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    /// A few words for that place.
    pub label: String,
    /// A title that would be right, if one can be guessed.
    pub right: Option<String>,
}

/// Types that mean something to forge or that are usual.
const USUAL: &[&str] = &[
    "feat",
    "fix",
    "perf",
    "refactor",
    "revert",
    "deprecate",
    "remove",
    "security",
    "docs",
    "test",
    "build",
    "ci",
    "chore",
    "style",
];

/// Other names of usual types, and verbs that tell of one.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    (
        "feat",
        &[
            "feature",
            "features",
            "add",
            "adds",
            "added",
            "implement",
            "introduce",
            "support",
            "allow",
        ],
    ),
    ("fix", &["bugfix", "hotfix", "bug", "fixes", "fixed", "correct", "repair", "resolve"]),
    ("docs", &["doc", "document", "explain", "readme"]),
    ("test", &["tests", "testing"]),
    ("deprecate", &["deprecated", "deprecates"]),
    ("remove", &["removed", "removes", "drop", "delete"]),
    ("security", &["sec"]),
    ("refactor", &["rename", "move", "extract", "simplify", "clean", "rewrite"]),
    ("chore", &["bump", "update", "upgrade", "merge", "release"]),
];

impl LintError {
    /// A flaw of a title.
    pub(super) fn in_title(title: &str, at: Range<usize>, what: &str, label: &str) -> Self {
        let right = repaired(title).filter(|right| right != title);
        Self { what: what.to_owned(), at, label: label.to_owned(), right }
    }
}

/// Whether a message is as it should be: stricter than [`Message::read`], which takes what history
/// has. A type that nobody knows is fine (the convention allows any), unless it looks like a slip.
///
/// # Errors
/// The first thing that is wrong.
pub fn lint(text: &str) -> Result<(), LintError> {
    let message = Message::read(text)?;
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    // What git quotes has its type elsewhere.
    if title.starts_with(message.kind) {
        of_title(title, &message)?;
    }
    if rest.lines().next().is_some_and(|line| !line.trim().is_empty()) {
        let at = title.len() + 1..title.len() + 1 + rest.find('\n').unwrap_or(rest.len());
        let label = "belongs below a blank line".to_owned();
        let what = "no blank line stands between the title and the body".to_owned();
        return Err(LintError { what, at, label, right: None });
    }
    small_letters(rest, title.len() + 1)
}

/// What the title of a message may be and should not.
fn of_title(title: &str, message: &Message<'_>) -> Result<(), LintError> {
    let flaw = |at, what: &str, label: &str| Err(LintError::in_title(title, at, what, label));
    let kind = message.kind;
    if let Some(usual) = usual(kind) {
        let what = format!("`{kind}` is not a usual type");
        return flaw(0..kind.len(), &what, &format!("did you mean `{usual}`?"));
    }
    let mut end = kind.len();
    if title[end..].starts_with('(') {
        end = title.find(')').map_or(end, |close| close + 1);
        let at = kind.len()..end;
        match message.scope {
            None => return flaw(at, "the scope is empty", "name a part of the code, or remove it"),
            Some(scope) if title.get(at.start + 1..at.end - 1) != Some(scope) => {
                return flaw(at, "the scope has blanks around it", "remove them");
            }
            Some(_) => {}
        }
    }
    let at = end + usize::from(message.is_marked) + ": ".len();
    let blanks = title[at..].len() - title[at..].trim_start().len();
    match blanks {
        0 => Ok(()),
        _ => flaw(at..at + blanks, "more than one blank follows the colon", "one is enough"),
    }
}

/// A footer `breaking change:`, which would break nothing: it needs capitals.
fn small_letters(rest: &str, start: usize) -> Result<(), LintError> {
    let mut at = start;
    for line in rest.split_inclusive('\n') {
        let token = line.split(':').next().filter(|token| token.len() < line.trim_end().len());
        let token = token.unwrap_or_default();
        let is_meant = ["BREAKING CHANGE", "BREAKING-CHANGE", "BREAKING CHANGES"];
        let is_meant = is_meant.iter().any(|meant| token.eq_ignore_ascii_case(meant));
        if is_meant && token != "BREAKING CHANGE" && token != "BREAKING-CHANGE" {
            return Err(LintError {
                what: format!("`{token}:` does not count as a breaking change"),
                at: at..at + token.len(),
                label: "write `BREAKING CHANGE`".to_owned(),
                right: None,
            });
        }
        at += line.len();
    }
    Ok(())
}

/// The usual type that `kind` is another name or a slip of; `None` if it is usual or something
/// of its own.
fn usual(kind: &str) -> Option<&'static str> {
    let kind = kind.to_lowercase();
    if USUAL.contains(&kind.as_str()) {
        return None;
    }
    named(&kind).or_else(|| nearest(&kind, USUAL.iter().copied()))
}

fn named(word: &str) -> Option<&'static str> {
    OTHER_NAMES.iter().find(|(_, names)| names.contains(&word)).map(|(usual, _)| *usual)
}

/// A title that says the same and is right, if something is said.
fn repaired(title: &str) -> Option<String> {
    let title = title.trim();
    let (before, after) = title.split_once(':').unwrap_or(("", title));
    let is_marked = before.contains('!');
    let bare = before.replace('!', "");
    let (kind, scope) = bare.split_once('(').unwrap_or((&bare, ""));
    let kind = kind.trim();
    if !kind.chars().all(is_of_kind) {
        return Some(format!("{}: {title}", guessed(title)));
    }
    // A type whose colon was forgotten is not said twice.
    let first = after.split_whitespace().next().filter(|_| before.is_empty()).unwrap_or_default();
    let is_typed = USUAL.contains(&first) && first.len() < after.trim().len();
    let description = after.trim();
    let description = if is_typed { description[first.len()..].trim() } else { description };
    let kind = match (kind, usual(kind)) {
        ("", _) => guessed(after),
        (_, Some(usual)) => usual,
        (kind, None) => kind,
    };
    let scope = scope.split(['(', ')']).next().unwrap_or_default().trim();
    let scope = if scope.is_empty() { String::new() } else { format!("({scope})") };
    let mark = if is_marked { "!" } else { "" };
    (!description.is_empty()).then(|| format!("{kind}{scope}{mark}: {description}"))
}

/// The type that the first word of a description tells of.
fn guessed(description: &str) -> &'static str {
    let first = description.split_whitespace().next().unwrap_or_default();
    let first = first.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let own = USUAL.iter().copied().find(|usual| *usual == first);
    own.or_else(|| named(&first)).unwrap_or("feat")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        let Err(flaw) = lint(text) else { return "right".into() };
        let marked = text.get(flaw.at.clone()).expect("a place in the text");
        let right = flaw.right.map(|right| format!(" -> {right}")).unwrap_or_default();
        format!("{} [{marked}: {}]{right}", flaw.what, flaw.label)
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        let titles = [
            "",
            "   ",
            "Add a dark mode",
            "Fixed the crash on start",
            "feature: a dark mode",
            "faet(ui): a dark mode",
            "feat a dark mode",
            "feat:a dark mode",
            "feat : a dark mode",
            "feat: ",
            "feat:",
            "feat:  a dark mode",
            " feat: a dark mode",
            ": a dark mode",
            "(ui): a dark mode",
            "feat(ui: a dark mode",
            "feat(): a dark mode",
            "feat( ui ): a dark mode",
            "feat (ui): a dark mode",
            "feat!(ui): a dark mode",
            "feat(ui) !: a dark mode",
            "Update the docs: all of them",
            "Merge branch 'a'",
            "fix: x\nbody",
            "fix: x\n\nbreaking change: y",
        ];
        let told: String = titles.map(|title| format!("{title:?}\n  {}\n", told(title))).concat();
        insta::assert_snapshot!(told, @r#"
        ""
          the title is empty [: nothing is here]
        "   "
          the title is empty [   : nothing is here]
        "Add a dark mode"
          the title has no type: it does not begin with a word and a colon [Add: a type such as `feat:` or `fix:` belongs before it] -> feat: Add a dark mode
        "Fixed the crash on start"
          the title has no type: it does not begin with a word and a colon [Fixed: a type such as `feat:` or `fix:` belongs before it] -> fix: Fixed the crash on start
        "feature: a dark mode"
          `feature` is not a usual type [feature: did you mean `feat`?] -> feat: a dark mode
        "faet(ui): a dark mode"
          `faet` is not a usual type [faet: did you mean `feat`?] -> feat(ui): a dark mode
        "feat a dark mode"
          the title has no type: it does not begin with a word and a colon [feat: a type such as `feat:` or `fix:` belongs before it] -> feat: a dark mode
        "feat:a dark mode"
          no blank follows the colon [:: a blank belongs behind it] -> feat: a dark mode
        "feat : a dark mode"
          a blank stands before the colon [ : remove it] -> feat: a dark mode
        "feat: "
          nothing is described [: : what changes?]
        "feat:"
          nothing is described [:: what changes?]
        "feat:  a dark mode"
          more than one blank follows the colon [ : one is enough] -> feat: a dark mode
        " feat: a dark mode"
          the title begins with a blank [ : remove it] -> feat: a dark mode
        ": a dark mode"
          no type stands before the colon [:: such as `feat` or `fix`] -> feat: a dark mode
        "(ui): a dark mode"
          the title has no type: it does not begin with a word and a colon [(ui):: a type such as `feat:` or `fix:` belongs before it] -> feat(ui): a dark mode
        "feat(ui: a dark mode"
          the scope has no end [(ui: no `)` follows] -> feat(ui): a dark mode
        "feat(): a dark mode"
          the scope is empty [(): name a part of the code, or remove it] -> feat: a dark mode
        "feat( ui ): a dark mode"
          the scope has blanks around it [( ui ): remove them] -> feat(ui): a dark mode
        "feat (ui): a dark mode"
          a blank stands before the scope [ : remove it] -> feat(ui): a dark mode
        "feat!(ui): a dark mode"
          `!` stands before the scope [!: belongs before the colon] -> feat(ui)!: a dark mode
        "feat(ui) !: a dark mode"
          a blank stands before the colon [ : remove it] -> feat(ui)!: a dark mode
        "Update the docs: all of them"
          the title has no type: it does not begin with a word and a colon [Update: a type such as `feat:` or `fix:` belongs before it] -> chore: Update the docs: all of them
        "Merge branch 'a'"
          the title has no type: it does not begin with a word and a colon [Merge: a type such as `feat:` or `fix:` belongs before it] -> chore: Merge branch 'a'
        "fix: x\nbody"
          no blank line stands between the title and the body [body: belongs below a blank line]
        "fix: x\n\nbreaking change: y"
          `breaking change:` does not count as a breaking change [breaking change: write `BREAKING CHANGE`]
        "#);
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for text in [
            "feat: a dark mode",
            "FEAT(ui)!: a dark mode",
            "i18n: Dutch",
            "wip(x): y",
            "fix(parser-2): é: ü",
            "Revert \"feat: x\"",
            "Revert \"feat: x\" (#12)",
            "Reapply \"feat: x\"",
            "fix: x\n\nbody\n\nBREAKING CHANGE: y",
            "fix: x\n",
        ] {
            assert_eq!(told(text), "right", "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_proposed_is_right(
            text in "[ a-zA-Z]{0,8}[!(): ]{0,3}[a-zé ]{0,6}[!(): ]{0,4}\\PC{0,12}",
        ) {
            if let Err(flaw) = lint(&text) {
                prop_assert!(text.get(flaw.at.clone()).is_some(), "{flaw:?}");
                if let Some(right) = flaw.right {
                    prop_assert_eq!(lint(&right), Ok(()));
                }
            }
        }

        #[test]
        fn no_message_panics(text in "\\PC{0,12}(\n(BREAKING CHANGE|breaking change|a)?:?\\PC{0,6}){0,4}") {
            let _ = lint(&text);
        }
    }
}

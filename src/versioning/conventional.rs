//! Messages of commits as Conventional Commits 1.0.0 has them
//! (<https://www.conventionalcommits.org/en/v1.0.0/>): `type(scope)!: description`, a body, footers.
//!
//! What the specification leaves open is decided here: `Revert "…"` and `Reapply "…"` are read as
//! git writes them, and `BREAKING CHANGE: ` counts at the beginning of any line after the first,
//! since a breaking change that is missed costs more than a blank line.

use std::ops::Range;

use crate::model::nearest;

use super::Bump;

/// A message that follows the convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'m> {
    /// The type, as written; case does not matter ([`Self::is`]).
    pub kind: &'m str,
    /// The scope, if it is not empty.
    pub scope: Option<&'m str>,
    /// Whether `!` stands before the colon.
    pub is_marked: bool,
    /// What follows the colon and the blank.
    pub description: &'m str,
    /// The paragraphs between the description and the footers; empty if there are none.
    pub body: &'m str,
    /// The footers, in order.
    pub footers: Vec<Footer<'m>>,
}

/// A footer: `Reviewed-by: Z`, `Refs #133`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer<'m> {
    /// What stands before the separator, as written.
    pub token: &'m str,
    /// What follows it, up to the next footer; may hold line breaks.
    pub value: &'m str,
}

/// What keeps a title from following the convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong: one sentence without a full stop.
    pub what: String,
    /// Where, in bytes of the title.
    pub at: Range<usize>,
    /// A few words for that place.
    pub label: &'static str,
    /// A title that would be right, if one can be guessed.
    pub right: Option<String>,
}

/// Types that mean something to forge or that are usual.
const USUAL: &[&str] = &[
    "feat", "fix", "perf", "refactor", "revert", "deprecate", "remove", "security", "docs", "test",
    "build", "ci", "chore", "style",
];

/// Types that are usual under another name.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("feature", "feat"), ("features", "feat"), ("add", "feat"), ("bugfix", "fix"),
    ("hotfix", "fix"), ("bug", "fix"), ("fixes", "fix"), ("doc", "docs"), ("tests", "test"),
    ("deprecated", "deprecate"), ("removed", "remove"), ("sec", "security"),
];

impl<'m> Message<'m> {
    /// Reads the message of a commit, or a title alone.
    ///
    /// # Errors
    /// What is wrong with the first line.
    pub fn read(text: &'m str) -> Result<Self, Flaw> {
        let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
        let header = header(title)?;
        let (body, footers) = body_and_footers(rest);
        Ok(Self { body, footers, ..header })
    }

    /// Whether its type is `kind`, in whatever case it is written.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether it breaks what works now.
    pub fn is_breaking(&self) -> bool {
        self.is_marked || self.breaks().is_some()
    }

    /// What it says of what breaks, beside the description.
    pub fn breaks(&self) -> Option<&'m str> {
        self.footers.iter().find(|footer| is_breaking_token(footer.token)).map(|one| one.value)
    }

    /// How much the next version differs because of it; `None` if it is nothing to release.
    pub fn bump(&self) -> Option<Bump> {
        if self.is_breaking() {
            return Some(Bump::Major);
        }
        match self.kind.to_ascii_lowercase().as_str() {
            "feat" | "feature" | "add" | "deprecate" | "deprecated" | "remove" | "removed" => {
                Some(Bump::Minor)
            }
            "fix" | "bugfix" | "hotfix" | "perf" | "revert" | "security" | "sec" => {
                Some(Bump::Patch)
            }
            _ => None,
        }
    }

    /// The hashes of the commits that it takes back, whole or abbreviated: what git writes
    /// (`This reverts commit …`), and `Refs:` of a message of type `revert`.
    pub fn reverts(&self) -> Vec<&'m str> {
        let told = self.body.split("This reverts commit ").skip(1);
        let told = told.map(|rest| rest.trim_start().split(|c: char| !c.is_ascii_hexdigit()));
        let told = told.filter_map(|mut words| words.next());
        let is_reference = |footer: &&Footer<'m>| footer.token.eq_ignore_ascii_case("refs");
        let footers = self.footers.iter().filter(|_| self.is("revert")).filter(is_reference);
        let listed =
            footers.flat_map(|footer| footer.value.split(|c: char| !c.is_ascii_alphanumeric()));
        told.chain(listed).filter(|word| is_hash(word)).collect()
    }
}

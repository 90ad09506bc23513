//! Messages of commits as Conventional Commits 1.0.0 has them
//! (<https://www.conventionalcommits.org/en/v1.0.0/>): `type(scope)!: description`, a body, footers.
//!
//! What the specification leaves open is decided here: `Revert "…"` and `Reapply "…"` are read as
//! git writes them, and `BREAKING CHANGE:` counts at the beginning of any line after the first,
//! since a breaking change that is missed costs more than a blank line.

use super::{Bump, LintError};

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

impl<'m> Message<'m> {
    /// Reads the message of a commit, or a title alone.
    ///
    /// # Errors
    /// What is wrong with the first line.
    pub fn read(text: &'m str) -> Result<Self, LintError> {
        let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
        let header = quoted(title).map_or_else(|| header(title), Ok)?;
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

    /// What a footer says of what breaks.
    pub fn breaks(&self) -> Option<&'m str> {
        let is_breaking = |token| matches!(token, "BREAKING CHANGE" | "BREAKING-CHANGE");
        self.footers.iter().find(|footer| is_breaking(footer.token)).map(|footer| footer.value)
    }

    /// How much the next version differs because of it; `None` if it is nothing to release.
    ///
    /// The convention knows `feat` and `fix`. SemVer makes a deprecation a minor change, and
    /// whoever writes of speed, security or what was taken back wants that to reach people.
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
}

/// A character of a type.
pub(super) fn is_of_kind(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

/// Reads what git and its hosts write themselves: `Revert "feat: x"`, which is a `revert`, and
/// `Reapply "feat: x"`, which is a `feat` again.
fn quoted(title: &str) -> Option<Message<'_>> {
    let inner = |rest: &'_ str| rest.rfind('"').filter(|end| *end > 0);
    if let Some(rest) = title.strip_prefix("Revert \"") {
        let description = rest[..inner(rest)?].trim();
        return (!description.is_empty()).then(|| plain("revert", description));
    }
    let rest = title.strip_prefix("Reapply \"")?;
    header(&rest[..inner(rest)?]).ok()
}

fn plain<'m>(kind: &'m str, description: &'m str) -> Message<'m> {
    let (scope, is_marked, body, footers) = (None, false, "", Vec::new());
    Message { kind, scope, is_marked, description, body, footers }
}

/// Reads the first line, from the left to the right.
fn header(title: &str) -> Result<Message<'_>, LintError> {
    let flaw = |at, what: &str, label| Err(LintError::in_title(title, at, what, label));
    if title.trim().is_empty() {
        return flaw(0..title.len(), "the title is empty", "nothing is here");
    }
    let kind_end = title.find(|c: char| !is_of_kind(c)).unwrap_or(title.len());
    let kind = &title[..kind_end];
    let (mut at, mut scope) = (kind_end, None);
    if let Some(rest) = title[at..].strip_prefix('(').filter(|_| !kind.is_empty()) {
        let Some(length) = rest.find(')') else {
            let end = title.find(':').filter(|colon| *colon > at).unwrap_or(title.len());
            return flaw(at..end, "the scope has no end", "no `)` follows");
        };
        scope = Some(rest[..length].trim());
        at += length + 2;
    }
    let is_marked = title[at..].starts_with('!');
    at += usize::from(is_marked);
    let Some(rest) = title[at..].strip_prefix(':') else {
        return Err(no_colon(title, kind_end, at));
    };
    if kind.is_empty() {
        return flaw(0..1, "no type stands before the colon", "such as `feat` or `fix`");
    }
    let description = rest.trim();
    if description.is_empty() {
        return flaw(at..title.len(), "nothing is described", "what changes?");
    }
    if !rest.starts_with(' ') {
        return flaw(at..at + 1, "no blank follows the colon", "a blank belongs behind it");
    }
    let scope = scope.filter(|scope| !scope.is_empty());
    Ok(Message { scope, is_marked, ..plain(kind, description) })
}

/// Why there is no colon at `at`, where one has to be; the type ends at `kind_end`.
fn no_colon(title: &str, kind_end: usize, at: usize) -> LintError {
    let rest = &title[at..];
    let next = rest.trim_start();
    let blanks = rest.len() - next.len();
    let flaw = |at, what: &str, label| LintError::in_title(title, at, what, label);
    let has_colon = next.contains(':');
    if kind_end > 0 && has_colon && next.starts_with('(') {
        return match title[..at].ends_with('!') {
            true => flaw(at - 1..at, "`!` stands before the scope", "belongs before the colon"),
            false => flaw(at..at + blanks, "a blank stands before the scope", "remove it"),
        };
    }
    if kind_end > 0 && (next.starts_with(':') || next.starts_with("!:")) {
        return flaw(at..at + blanks, "a blank stands before the colon", "remove it");
    }
    if kind_end == 0 && title.trim_start().len() < title.len() {
        let blanks = title.len() - title.trim_start().len();
        return flaw(0..blanks, "the title begins with a blank", "remove it");
    }
    let word = title.find(char::is_whitespace).unwrap_or(title.len());
    let what = "the title has no type: it does not begin with a word and a colon";
    flaw(0..word, what, "a type such as `feat:` or `fix:` belongs before it")
}

/// Splits what follows the title.
fn body_and_footers(rest: &str) -> (&str, Vec<Footer<'_>>) {
    let mut starts: Vec<(usize, &str, usize)> = Vec::new();
    let (mut at, mut is_after_blank) = (0, false);
    for line in rest.split_inclusive('\n') {
        // Among footers each line may begin the next one.
        let may_begin = is_after_blank || !starts.is_empty();
        let token = breaking_token(line).or_else(|| token(line).filter(|_| may_begin));
        if let Some((token, value)) = token {
            starts.push((at, token, at + value));
        }
        is_after_blank = line.trim().is_empty();
        at += line.len();
    }
    let body = starts.first().map_or(rest, |(start, ..)| &rest[..*start]);
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([rest.len()]);
    let footers = starts.iter().zip(ends);
    let footers = footers.map(|((_, token, value), end)| {
        let value = rest[*value..end].trim();
        Footer { token, value }
    });
    (body.trim(), footers.collect())
}

/// The token with which a line announces what breaks, and where its value begins.
fn breaking_token(line: &str) -> Option<(&str, usize)> {
    let length = "BREAKING CHANGE".len();
    let is_token = line.starts_with("BREAKING CHANGE:") || line.starts_with("BREAKING-CHANGE:");
    let ends = line.get(length + 1..)?.starts_with(char::is_whitespace) || line.len() == length + 1;
    (is_token && ends).then(|| (&line[..length], length + 1))
}

/// The token with which a line begins a footer, and where its value begins: `Token: value`,
/// `Token #value`.
fn token(line: &str) -> Option<(&str, usize)> {
    let end = line.find(|c: char| !c.is_alphanumeric() && c != '-').filter(|end| *end > 0)?;
    let is_separated = line[end..].starts_with(": ") || line[end..].starts_with(" #");
    is_separated.then(|| (&line[..end], end + 2))
}

#[cfg(test)]
mod tests;

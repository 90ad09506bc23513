//! Text with `{{ … }}` in it, cut into text and the signs of actions.

use std::ops::Range;

use super::TemplateError;

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stretch {
    /// Text that stands for itself.
    Text(String),
    /// An action.
    Action(Vec<TemplateToken>, Range<usize>),
}

/// A sign of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TemplateToken {
    pub(super) kind: TokenKind,
    pub(super) bytes: Range<usize>,
    /// Whether blanks stand before it, which ends a chain of fields.
    pub(super) is_apart: bool,
}

/// What a sign is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A word: a function or a keyword.
    Word(String),
    /// `.name`.
    Field(String),
    /// `.` alone.
    Dot,
    /// `$name` or `$`.
    Variable(String),
    /// A text.
    Text(String),
    /// A number.
    Number(String),
    /// `|`, `(`, `)`, `,`, `:=` or `=`.
    Mark(&'static str),
}

/// Cuts `text`.
pub(super) fn cut(text: &str) -> Result<Vec<Stretch>, TemplateError> {
    let mut stretches = Vec::new();
    let mut at = 0;
    let mut trims = false;
    loop {
        let open = text[at..].find("{{").map(|open| at + open);
        let mut plain = &text[at..open.unwrap_or(text.len())];
        if trims {
            plain = plain.trim_start();
        }
        let Some(open) = open else {
            push_text(&mut stretches, plain);
            return Ok(stretches);
        };
        let mut from = open + 2;
        if text[from..].starts_with('-') && text[from + 1..].starts_with(char::is_whitespace) {
            plain = plain.trim_end();
            from += 1;
        }
        push_text(&mut stretches, plain);
        let (signs, end, trims_after) = action(text, open, from)?;
        if !signs.is_empty() {
            stretches.push(Stretch::Action(signs, open..end));
        }
        (at, trims) = (end, trims_after);
    }
}

fn push_text(stretches: &mut Vec<Stretch>, text: &str) {
    if !text.is_empty() {
        stretches.push(Stretch::Text(text.to_owned()));
    }
}

/// The signs of the action that begins at `open`, where it ends, and whether it eats the blanks
/// after it.
fn action(
    text: &str,
    open: usize,
    from: usize,
) -> Result<(Vec<TemplateToken>, usize, bool), TemplateError> {
    let mut signs = Vec::new();
    let mut at = from;
    let mut is_apart = true;
    loop {
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else {
            return Err(flaw("this `{{` is never closed", open..open + 2));
        };
        if let Some(inner) = rest.strip_prefix("/*") {
            let Some(end) = inner.find("*/") else {
                return Err(flaw("this comment is never closed", at..at + 2));
            };
            at += end + 4;
        } else if rest.starts_with("}}") {
            return Ok((signs, at + 2, false));
        } else if rest.starts_with("-}}") && is_apart {
            return Ok((signs, at + 3, true));
        } else if first.is_whitespace() {
            at += first.len_utf8();
            is_apart = true;
        } else {
            let (kind, length) = sign(rest, at)?;
            signs.push(TemplateToken { kind, bytes: at..at + length, is_apart });
            at += length;
            is_apart = false;
        }
    }
}

/// The sign that `rest`, which stands at `at`, begins with, and how long it is.
fn sign(rest: &str, at: usize) -> Result<(TokenKind, usize), TemplateError> {
    for mark in ["|", "(", ")", ",", ":=", "="] {
        if rest.starts_with(mark) {
            return Ok((TokenKind::Mark(mark), mark.len()));
        }
    }
    let first = rest.chars().next().unwrap_or(' ');
    let word = |from: usize| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        &rest[from..from + rest[from..].find(|c| !is_part(c)).unwrap_or(rest.len() - from)]
    };
    match first {
        '"' => quoted(rest, at),
        '`' => match rest[1..].find('`') {
            Some(end) => Ok((TokenKind::Text(rest[1..=end].to_owned()), end + 2)),
            None => Err(flaw("this text is never closed", at..at + 1)),
        },
        '\'' => match rest[1..].find('\'') {
            Some(end) => {
                let code = rest[1..=end].chars().next().map_or(0, u32::from);
                Ok((TokenKind::Number(code.to_string()), end + 2))
            }
            None => Err(flaw("this sign is never closed", at..at + 1)),
        },
        '$' => Ok((TokenKind::Variable(word(1).to_owned()), 1 + word(1).len())),
        '.' if word(1).is_empty() => Ok((TokenKind::Dot, 1)),
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            Ok((TokenKind::Field(word(1).to_owned()), 1 + word(1).len()))
        }
        c if c.is_ascii_digit() || "+-.".contains(c) => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            let end = rest[1..].find(|c| !is_part(c)).map_or(rest.len(), |end| end + 1);
            Ok((TokenKind::Number(rest[..end].replace('_', "")), end))
        }
        c if c.is_alphabetic() || c == '_' => {
            Ok((TokenKind::Word(word(0).to_owned()), word(0).len()))
        }
        other => Err(flaw(&format!("`{other}` has no meaning here"), at..at + other.len_utf8())),
    }
}

/// A text in double quotes.
fn quoted(rest: &str, at: usize) -> Result<(TokenKind, usize), TemplateError> {
    let never = || flaw("this text is never closed", at..at + 1);
    let mut text = String::new();
    let mut signs = rest.char_indices().skip(1);
    loop {
        match signs.next().ok_or_else(never)? {
            (end, '"') => return Ok((TokenKind::Text(text), end + 1)),
            (_, '\\') => text.push(match signs.next().ok_or_else(never)?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            (_, sign) => text.push(sign),
        }
    }
}

pub(super) fn flaw(what: &str, bytes: Range<usize>) -> TemplateError {
    TemplateError { what: what.to_owned(), bytes, is_error: true }
}

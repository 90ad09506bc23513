//! Which words a template looks at, found without rendering it.

use std::{collections::BTreeSet, ops::Range};

use super::MAX_EXPRESSION;

/// Where dotted names stand in `template`, inside `within`.
pub fn paths(template: &str, within: Range<usize>) -> Vec<Range<usize>> {
    const KEYWORDS: [&str; 12] =
        ["if", "else", "elif", "not", "and", "or", "in", "is", "for", "set", "true", "false"];
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut paths = Vec::new();
    let mut known = BTreeSet::new();
    let mut at = within.start;
    while at < within.end {
        let rest = &template[at..within.end];
        let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') else { break };
        let start = at + start;
        let rest = &template[start..within.end];
        let end = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let quoted = template[within.start..start].matches('\'').count() % 2 == 1
            || template[within.start..start].matches('"').count() % 2 == 1;
        let is_filter = template[..start].trim_end().ends_with('|');
        let word = &template[start..end];
        if !quoted && !is_filter && !KEYWORDS.contains(&word) && known.insert(word) {
            paths.push(start..end);
        }
        at = end;
    }
    paths
}

/// The dotted names within the expressions and statements of `template`.
pub fn words_of(template: &str) -> Vec<&str> {
    let words = |range| paths(template, range).into_iter().map(|path| &template[path]);
    expressions(template).into_iter().flat_map(words).collect()
}

/// Those within expressions and statements that do more than to write out a word.
pub fn words_of_work(template: &str) -> Vec<&str> {
    let is_work = |range: &Range<usize>| {
        let inner = template[range.clone()].trim_matches(['-', '+']).trim();
        template.as_bytes().get(range.start.wrapping_sub(1)) == Some(&b'%')
            || !is_written_out(inner)
    };
    let words = |range| paths(template, range).into_iter().map(|path| &template[path]);
    expressions(template).into_iter().filter(is_work).flat_map(words).collect()
}

/// Whether `expression` is a word, or words and quoted text one after the other, as they are or as Go
/// writes text.
fn is_written_out(expression: &str) -> bool {
    let bare = expression.strip_suffix("| as_go").unwrap_or(expression).trim();
    let within = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
    let is_word = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    let is_quoted = |part: &str| {
        let inner = part.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        inner.is_some_and(|inner| !inner.contains(['\'', '\\']))
    };
    within.split(" ~ ").all(|part| is_word(part) || is_quoted(part))
}

/// Where the insides of expressions and statements stand.
fn expressions(template: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(start) = template[at..].find('{').map(|start| at + start) {
        let close = match template.as_bytes().get(start + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let end = template[start + 2..].find(close).map_or(template.len(), |end| start + 2 + end);
        ranges.push(start + 2..end);
        at = end;
    }
    ranges
}

/// The dotted names within an expression.
pub fn words_of_expression(expression: &str) -> Vec<&str> {
    paths(expression, 0..expression.len()).into_iter().map(|path| &expression[path]).collect()
}

/// Whether one of `words` looks at `name`, also as `vars.NAME` or within all of `vars`.
pub fn mentions(words: &[&str], name: &str) -> bool {
    words.iter().any(|word| variable(word) == name || *word == "vars")
}

/// Whether `words` look at one of `names`.
pub fn look_at(words: &[&str], names: &BTreeSet<String>) -> bool {
    !names.is_empty() && words.iter().any(|word| names.contains(variable(word)) || *word == "vars")
}

/// What a dotted name begins with, after `vars.`.
pub fn variable(word: &str) -> &str {
    let word = word.strip_prefix("vars.").unwrap_or(word);
    word.split('.').next().unwrap_or(word)
}

/// Where an expression or statement begins that is too long, or does not end at all
/// within the bound.
pub fn long_expression(template: &str) -> Option<Range<usize>> {
    let mut at = 0;
    while let Some(start) = template[at..].find(['{']).map(|start| at + start) {
        let end = match template.as_bytes().get(start + 1) {
            Some(b'{') => template[start..].find("}}"),
            Some(b'%') => template[start..].find("%}"),
            _ => Some(0),
        };
        match end {
            Some(length) if length <= MAX_EXPRESSION => at = start + 1 + length,
            None if template.len() - start <= MAX_EXPRESSION => return None,
            _ => return Some(start..start + 2),
        }
    }
    None
}

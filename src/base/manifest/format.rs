//! The layout of YAML that people wrote: blanks and empty lines, and nothing that means something. What comes
//! out says exactly what went in, comments and all, or it is not taken.

use std::ops::Range;

use super::{
    comment::comments,
    edit::{NotEditable, meaning},
    node::{Node, Value},
    yaml,
};

/// `text`, laid out: no blanks at the ends of lines, one empty line at most, one blank behind `:` and `,` and
/// inside of `{ }`, none inside of `[ ]`, one before a comment at least, and a line end at the end.
///
/// # Errors
/// If it is not YAML, or would not mean the same.
pub fn formatted(text: &str) -> Result<String, NotEditable> {
    let root = yaml::parse(text).map_err(|_| NotEditable)?;
    let Some(root) = root else { return Ok(text.trim_start_matches('\u{feff}').to_owned()) };
    let mut edits = Edits { text, changes: Vec::new() };
    edits.node(&root);
    let spaced = edits.made();
    let lines = tidy_lines(&spaced)?;
    let is_same = meaning(&lines)? == meaning(text)? && said(&lines)? == said(text)?;
    is_same.then_some(lines).ok_or(NotEditable)
}

/// What the comments say, in order.
fn said(text: &str) -> Result<Vec<String>, NotEditable> {
    let root = yaml::parse(text).map_err(|_| NotEditable)?;
    let found = root.map(|root| comments(text, &root)).unwrap_or_default();
    Ok(found.into_iter().map(|comment| comment.text).collect())
}

/// Blanks that become others.
struct Edits<'t> {
    text: &'t str,
    changes: Vec<(Range<usize>, &'static str)>,
}

impl Edits<'_> {
    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Null | Value::Scalar(_) => {}
            Value::List(nodes) => {
                if self.is_flow(node) {
                    let starts = nodes.iter().map(|node| node.bytes.start);
                    self.between(node, &starts.collect::<Vec<_>>(), "");
                }
                for node in nodes {
                    self.node(node);
                }
            }
            Value::Map(pairs) => {
                if self.is_flow(node) {
                    let starts = pairs.iter().map(|pair| pair.key.bytes.start);
                    self.between(node, &starts.collect::<Vec<_>>(), " ");
                }
                for pair in pairs {
                    self.colon(pair.key.bytes.end, pair.value.bytes.start);
                    self.node(&pair.value);
                }
            }
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text[node.bytes.start..].starts_with(['{', '['])
    }

    /// One blank between the colon behind `key` and the value, if both are on one line.
    fn colon(&mut self, key: usize, value: usize) {
        let Some(between) = self.text.get(key..value) else { return };
        let Some(colon) = between.find(':') else { return };
        let blanks = &between[colon + 1..];
        if !blanks.is_empty() && blanks.bytes().all(|byte| byte == b' ') && blanks.len() > 1 {
            self.changes.push((key + colon + 1..value, " "));
        }
    }

    /// The blanks inside of the brackets of `node`, and behind its commas.
    fn between(&mut self, node: &Node, starts: &[usize], inside: &'static str) {
        let text = self.text;
        let Some(first) = starts.first() else { return };
        self.blanks(node.bytes.start + 1..*first, inside);
        for start in starts.iter().skip(1) {
            let before = text[..*start].trim_end_matches(' ').len();
            if text[..before].ends_with(',') {
                self.blanks(before..*start, " ");
            }
        }
        let close = node.bytes.end.saturating_sub(1);
        if text.get(close..node.bytes.end).is_some_and(|it| it == "}" || it == "]") {
            let before = text[..close].trim_end_matches(' ').len();
            if !text[..before].ends_with(['\n', ',']) {
                self.blanks(before..close, inside);
            }
        }
    }

    fn blanks(&mut self, range: Range<usize>, wanted: &'static str) {
        if let Some(blanks) = self.text.get(range.clone())
            && blanks != wanted
            && blanks.bytes().all(|byte| byte == b' ')
        {
            self.changes.push((range, wanted));
        }
    }

    fn made(mut self) -> String {
        self.changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.text.to_owned();
        let mut before = usize::MAX;
        for (range, wanted) in self.changes {
            // Aliases bring the same place twice.
            if range.end <= before {
                before = range.start;
                text.replace_range(range, wanted);
            }
        }
        text
    }
}

/// `text` without blanks at the ends of lines, without several empty lines in a row, and with a line end at
/// its end; inside of text that spans lines, nothing changes.
fn tidy_lines(text: &str) -> Result<String, NotEditable> {
    let root = yaml::parse(text).map_err(|_| NotEditable)?;
    let mut spans = Vec::new();
    if let Some(root) = &root {
        gather(root, text, &mut spans);
    }
    let is_inside = |at: usize| spans.iter().any(|span: &Range<usize>| span.contains(&at));
    let mut made = String::with_capacity(text.len() + 1);
    let mut at = 0;
    let mut empty = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let body = line.strip_suffix('\n').unwrap_or(line);
        if is_inside(start) || is_inside(end.saturating_sub(1)) {
            made.push_str(body);
            made.push('\n');
            empty = 0;
            continue;
        }
        let body = body.trim_end();
        empty = if body.is_empty() { empty + 1 } else { 0 };
        let is_kept = empty <= 1 && !(made.is_empty() && body.is_empty());
        if is_kept {
            made.push_str(body);
            made.push('\n');
        }
    }
    let end = made.trim_end_matches('\n').len();
    if !is_inside(text.len().saturating_sub(1)) {
        made.truncate(end);
        made.push('\n');
    }
    Ok(made)
}

/// The scalars that span lines.
fn gather(node: &Node, text: &str, spans: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => {
            let is_long =
                text.get(scalar.bytes.clone()).is_some_and(|it| it.trim_end().contains('\n'));
            if is_long || scalar.text.contains('\n') {
                spans.push(scalar.bytes.clone());
            }
        }
        Value::List(nodes) => nodes.iter().for_each(|node| gather(node, text, spans)),
        Value::Map(pairs) => pairs.iter().for_each(|pair| gather(&pair.value, text, spans)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_laid_out_and_nothing_else() {
        for (before, after) in [
            (
                "versions:\n  a:   v1   # x  \n\n\n\n  b: v2",
                "versions:\n  a: v1   # x\n\n  b: v2\n",
            ),
            ("groups: {ci: [ a,b ,  c ]}\n", "groups: { ci: [a, b , c] }\n"),
            ("groups: {  ci: [a,   b]  }\n\n\n", "groups: { ci: [a, b] }\n"),
            ("\n\n# top\na: 1\n", "# top\na: 1\n"),
            ("a: {}\nb: []\n", "a: {}\nb: []\n"),
            ("run: |\n  one  \n\n\n\n  two\nb:  1\n", "run: |\n  one  \n\n\n\n  two\nb: 1\n"),
            ("a: 'x  :  y'\n", "a: 'x  :  y'\n"),
            ("a: { b: '{x}', c:  \"[ ]\" }\n", "a: { b: '{x}', c: \"[ ]\" }\n"),
        ] {
            let made = formatted(before).unwrap();
            assert_eq!(made, after, "{before:?}");
            assert_eq!(formatted(&made).unwrap(), made, "twice: {before:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_refused() {
        assert_eq!(formatted("a: [1"), Err(NotEditable));
        assert_eq!(formatted("").unwrap(), "");
    }
}

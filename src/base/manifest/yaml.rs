//! YAML text to a [`Node`] tree. Aliases and merge keys (`<<`) are resolved here, and
//! everything that could grow without bound is bounded: size, depth, aliases.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_yaml::granit_parser::{
    Event, Parser, ScalarStyle, ScanError, Span as EventSpan, StrInput, options,
};

use super::node::{Node, Pair, Quoting, Scalar, Sp, Value};

/// How deep collections may be nested.
const MAX_DEPTH: usize = 64;
/// How much aliases may add to a file: values plus bytes of text.
const MAX_ALIASED: usize = 200_000;

/// Text that is no YAML document, or none that forge reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong: one sentence without a full stop.
    pub what: String,
    /// Where.
    pub bytes: Range<usize>,
    /// What to do.
    pub help: String,
}

impl YamlError {
    fn new(what: impl Into<String>, bytes: Range<usize>, help: &str) -> Self {
        Self { what: what.into(), bytes, help: help.to_owned() }
    }
}

/// Parses the one document in `text`. `None` if there is none: empty, or comments only.
///
/// # Errors
/// The first thing that is no YAML, or that goes beyond a bound.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let events = Parser::new_from_str_with_options(text, options);
    let mut tree = YamlTree { text, events, anchors: HashMap::new(), aliased: 0 };
    loop {
        match tree.next()? {
            (Event::StreamEnd, _) => return Ok(None),
            (Event::DocumentStart(..), _) => break,
            _ => {}
        }
    }
    let (event, bytes) = tree.next()?;
    let root = tree.node(event, bytes)?;
    loop {
        match tree.next()? {
            (Event::StreamEnd, _) => return Ok(Some(root)),
            (Event::DocumentStart(..), bytes) => {
                let what = "a second document begins here; forge reads one per file";
                return Err(YamlError::new(what, bytes, "remove the line `---` and what follows"));
            }
            _ => {}
        }
    }
}

struct YamlTree<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    /// Finished nodes with an anchor, and what an alias to each costs.
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
}

impl<'a> YamlTree<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), YamlError> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, byte_range(&span))),
            Some(Err(error)) => Err(syntax_error(self.text, &error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn node(&mut self, event: Event<'a>, bytes: Range<usize>) -> Result<Node, YamlError> {
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, bytes),
            Event::Scalar(text, style, anchor, _) => {
                (anchor, self.scalar(text.into_owned(), style, bytes)?)
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(bytes)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map(bytes)?),
            _ => return Err(YamlError::new("a value is missing here", bytes, "write a value")),
        };
        if anchor != 0 {
            let cost = cost(&node);
            self.anchors.insert(anchor, (node.clone(), cost));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, bytes: Range<usize>) -> Result<Node, YamlError> {
        let Some((node, cost)) = self.anchors.get(&anchor) else {
            let what = "this alias stands inside the value that it repeats";
            return Err(YamlError::new(what, bytes, "write the value out"));
        };
        self.aliased += cost;
        if self.aliased > MAX_ALIASED {
            let what = "the aliases in this file unfold into far more than a person would write";
            return Err(YamlError::new(what, bytes, "write the values out, without aliases"));
        }
        Ok(node.clone())
    }

    fn scalar(
        &self,
        text: String,
        style: ScalarStyle,
        bytes: Range<usize>,
    ) -> Result<Node, YamlError> {
        let is_plain = style == ScalarStyle::Plain;
        if is_plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
            return Ok(Node { value: Value::Null, bytes });
        }
        // The parser refuses control characters as such; only escapes can make them.
        if let Some(bad) = text.chars().find(|c| *c < ' ' && !"\t\r\n".contains(*c)) {
            let what = format!("this text holds the control character {bad:?}");
            return Err(YamlError::new(what, bytes, "remove its escape sequence"));
        }
        let style = match style {
            ScalarStyle::SingleQuoted => Quoting::Single,
            ScalarStyle::DoubleQuoted => Quoting::Double,
            _ => Quoting::Plain,
        };
        let bytes = self.trimmed(bytes);
        Ok(Node { value: Value::Scalar(Scalar { text, style, bytes: bytes.clone() }), bytes })
    }

    fn list(&mut self, start: Range<usize>) -> Result<Node, YamlError> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let bytes = self.first_line(start.start..end.end);
                    return Ok(Node { value: Value::List(nodes), bytes });
                }
                (event, bytes) => nodes.push(self.node(event, bytes)?),
            }
        }
    }

    fn map(&mut self, start: Range<usize>) -> Result<Node, YamlError> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, bytes) = self.next()?;
            if event == Event::MappingEnd {
                merge(&mut entries, merged);
                let bytes = self.first_line(start.start..bytes.end);
                return Ok(Node { value: Value::Map(entries), bytes });
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key(event, bytes)?;
            let (event, bytes) = self.next()?;
            let value = self.node(event, bytes)?;
            if is_merge {
                merged.push(value);
            } else {
                entries.push(Pair { key, value });
            }
        }
    }

    fn key(&mut self, event: Event<'a>, bytes: Range<usize>) -> Result<Sp<String>, YamlError> {
        if let Event::Scalar(text, ..) = event {
            if bytes.is_empty() || text.is_empty() {
                return Err(YamlError::new("this key is empty", bytes, "write a name"));
            }
            return Ok(Sp { value: text.into_owned(), bytes });
        }
        if self.text[..bytes.end].ends_with("{{") {
            return Err(unquoted_template(bytes.end - 2..bytes.end));
        }
        Err(YamlError::new("only a plain name can be a key", bytes, "write a name"))
    }

    fn trimmed(&self, bytes: Range<usize>) -> Range<usize> {
        let slice = self.text.get(bytes.clone()).unwrap_or_default();
        bytes.start..bytes.start + slice.trim_end().len()
    }

    fn first_line(&self, bytes: Range<usize>) -> Range<usize> {
        let slice = self.text.get(bytes.clone()).unwrap_or_default();
        let line = slice.lines().next().unwrap_or_default().trim_end();
        bytes.start..bytes.start + line.len()
    }
}

/// Adds the pairs of `merged` mappings, in which what is written out has precedence.
fn merge(entries: &mut Vec<Pair>, merged: Vec<Node>) {
    if merged.is_empty() {
        return;
    }
    let mut known: HashSet<String> = entries.iter().map(|own| own.key.value.clone()).collect();
    for node in merged {
        let maps = match node.value {
            Value::List(nodes) => nodes,
            _ => vec![node],
        };
        for entry in maps.iter().flat_map(Node::entries) {
            if known.insert(entry.key.value.clone()) {
                entries.push(entry.clone());
            }
        }
    }
}

fn cost(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null => 0,
        Value::Scalar(scalar) => scalar.text.len(),
        Value::List(nodes) => nodes.iter().map(cost).sum(),
        Value::Map(entries) => {
            entries.iter().map(|entry| entry.key.value.len() + cost(&entry.value)).sum()
        }
    }
}

fn byte_range(span: &EventSpan) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or(0);
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

fn unquoted_template(bytes: Range<usize>) -> YamlError {
    let what = "YAML takes `{{` at the beginning of a value for a mapping";
    YamlError::new(what, bytes, "put the whole value in quotes: \"{{ … }}\"")
}

fn syntax_error(text: &str, error: &ScanError) -> YamlError {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    if let Some(brace) = line.find(": {{").or_else(|| line.find("- {{")) {
        let brace = line_start + brace + 2;
        return unquoted_template(brace..brace + 2);
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    if let Some(tab) = indent.find('\t') {
        let what = "YAML is indented with spaces, and here is a tab";
        let tab = line_start + tab;
        return YamlError::new(what, tab..tab + 1, "replace the tab by spaces");
    }
    let is_at =
        error.to_string().contains("unclosed bracket") && text[at..].starts_with(['{', '[']);
    let here = is_at.then(|| (at, if text[at..].starts_with('{') { '}' } else { ']' }));
    if let Some((open, close)) = here.or_else(|| unclosed(&text[..at])) {
        let opened = &text[open..=open];
        let what = format!("this `{opened}` is not closed");
        return YamlError::new(
            what,
            open..open + 1,
            match close {
                '}' => "close it with `}`, or put the value in quotes",
                _ => "close it with `]`, or put the value in quotes",
            },
        );
    }
    let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    let before = &line[..(at - line_start).min(line.len())];
    let help = if error.to_string().contains("bracket") {
        "close every `[` with `]` and every `{` with `}`, or put the value in quotes"
    } else if line.matches(": ").count() > 1 {
        "put a value that holds `: ` in quotes"
    } else if line[before.len()..].starts_with(['@', '`', '%', '*', '&', '!']) {
        "put a value that begins with such a character in quotes"
    } else {
        "look at the indentation, the brackets and the quotes around here"
    };
    YamlError::new(format!("this is not valid YAML: {}", error.info()), at..at + width, help)
}

/// The last bracket that is open at the end of `text` though its line is over, and what closes it. A bracket
/// counts where a value begins with it, or inside of another.
fn unclosed(text: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote = None;
    let mut before = '\n';
    for (at, c) in text.char_indices() {
        if let Some(quoted) = quote {
            if quoted == c || (quoted == '#' && c == '\n') {
                quote = None;
            }
            before = c;
            continue;
        }
        match c {
            '#' if before.is_whitespace() => quote = Some('#'),
            '"' | '\'' if !before.is_alphanumeric() => quote = Some(c),
            '{' | '[' if before.is_whitespace() || !open.is_empty() => {
                open.push((at, if c == '{' { '}' } else { ']' }));
            }
            c if open.last().is_some_and(|(_, close)| *close == c) => {
                open.pop();
            }
            _ => {}
        }
        before = c;
    }
    let last = open.first().copied()?;
    text[last.0..].contains('\n').then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        parse(text).unwrap().unwrap()
    }

    fn text<'n>(node: &'n Node, key: &str) -> &'n str {
        &node.get(key).unwrap().scalar().unwrap().text
    }

    #[test]
    fn scalars_keep_their_text() {
        let root = root("a: 1.10\nb: 0x1F\nc: yes\nd: 1e3\ne: 007\nf: 'null'\n");
        for (key, expected) in
            [("a", "1.10"), ("b", "0x1F"), ("c", "yes"), ("d", "1e3"), ("e", "007"), ("f", "null")]
        {
            assert_eq!(text(&root, key), expected);
        }
    }

    #[test]
    fn nothing_is_nothing_however_it_is_written() {
        let root = root("a:\nb: ~\nc: null\nd: !!null\n");
        assert!(root.entries().iter().all(|entry| entry.value.value == Value::Null));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("# a comment\n"), Ok(None));
    }

    #[test]
    fn places_are_those_of_the_file() {
        let file = "\u{feff}é: 'x y'\r\nlist:\r\n  - one\r\n  - two: 2\r\n";
        let root = root(file);
        let at = |bytes: &Range<usize>| &file[bytes.clone()];
        assert_eq!(at(&root.entries()[0].key.bytes), "é");
        assert_eq!(at(&root.get("é").unwrap().bytes), "'x y'");
        assert_eq!(at(&root.get("list").unwrap().bytes), "- one");
        let Value::List(nodes) = &root.get("list").unwrap().value else { panic!() };
        assert_eq!(at(&nodes[1].bytes), "two: 2");
    }

    #[test]
    fn merged_keys_give_way_to_written_ones() {
        let root = root("base: &b {x: 1, y: 2}\nmore: &m {z: 3}\nuse: {<<: [*b, *m], y: 9}\n");
        let node = root.get("use").unwrap();
        assert_eq!((text(node, "x"), text(node, "y"), text(node, "z")), ("1", "9", "3"));
        assert_eq!(node.entries().len(), 3);
    }

    #[test]
    fn a_key_twice_stays_twice() {
        assert_eq!(root("a: 1\na: 2\n").entries().len(), 2);
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_told_where_it_opens() {
        for (text, opened) in [
            ("a: { b: [c]\nd:\n  e: f\n", 3..4),
            ("a: 1\nb: [x, y\nc: d\n", 8..9),
            ("{ a: b\nc: d\n", 0..1),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.bytes, opened, "{text}: {}", error.what);
            assert!(error.what.contains("is not closed"), "{}", error.what);
        }
        // What is in quotes, in comments or within a plain value opens nothing.
        assert_eq!(unclosed("a: \"{\" # [\nb: x{\nc: "), None);
        assert_eq!(unclosed("a: it's {\n"), Some((8, '}')));
    }

    #[test]
    fn what_is_no_document_says_why() {
        for (file, slice, part) in [
            ("a: &x [*x]\n", "*x", "inside the value"),
            ("a: *x\n", "*", "unknown anchor"),
            ("? [a]\n: b\n", "[", "only a plain name"),
            (": b\n", "", "key is empty"),
            ("a: b: c\n", ":", "not valid YAML"),
            ("a: @x\n", "@", "not valid YAML"),
            ("a: 1\n...\n---\nb: 1\n", "---", "second document"),
        ] {
            let error = parse(file).unwrap_err();
            assert_eq!(&file[error.bytes.clone()], slice, "{error:?}");
            assert!(error.what.contains(part) && !error.help.is_empty(), "{error:?}");
        }
    }
}

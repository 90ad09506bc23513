//! Edits of YAML that people wrote: an entry more or less, and not a byte besides. Each is read again,
//! and has to mean exactly what was meant, or it is not made.

use std::ops::Range;

use serde_json::{Map, Value as Json};

use super::{
    node::{Node, Quoting, Value},
    yaml,
};

/// Why an edit is not made: the file is written so that it would change something else too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEditable;

/// `text` with `key: value` in the mapping `mapping` at its top, which is made if it is not there. It comes
/// last, or where it belongs if the keys are sorted.
///
/// # Errors
/// If the file is not written so that a program can do that, or has the key already.
pub fn with_entry(
    text: &str,
    mapping: &str,
    key: &str,
    value: &str,
) -> Result<String, NotEditable> {
    let root = parsed(text)?;
    let mut wanted = plain(&root);
    let entries = wanted.as_object_mut().ok_or(NotEditable)?.entry(mapping);
    let entries = entries.or_insert_with(|| Json::Object(Map::new()));
    if entries.is_null() {
        *entries = Json::Object(Map::new());
    }
    let entries = entries.as_object_mut().ok_or(NotEditable)?;
    if entries.insert(key.to_owned(), Json::String(value.to_owned())).is_some() {
        return Err(NotEditable);
    }
    let written = [value.to_owned(), format!("'{}'", value.replace('\'', "''"))];
    let edits = written.iter().map(|value| {
        let line = format!("{}: {value}", quoted_key(key));
        inserted(text, &root, mapping, key, &line)
    });
    first_that_means(edits, &wanted)
}

/// `text` without `key` in the mapping at `path`, and without what it stands for.
///
/// # Errors
/// If it is not there, or the file is not written so that a program can do that.
pub fn without_entry(text: &str, path: &[&str], key: &str) -> Result<String, NotEditable> {
    without(
        text,
        path,
        |child| child.key == Some(key),
        |json| json.as_object_mut().is_some_and(|entries| entries.shift_remove(key).is_some()),
    )
}

/// `text` without the element `item` of the list at `path`.
///
/// # Errors
/// As [`without_entry`].
pub fn without_item(text: &str, path: &[&str], item: &str) -> Result<String, NotEditable> {
    let is_item = |json: &Json| json.as_str() == Some(item);
    without(
        text,
        path,
        |child| child.node.scalar().is_some_and(|it| it.text == item),
        |json| {
            let Some(list) = json.as_array_mut() else { return false };
            let count = list.len();
            list.retain(|one| !is_item(one));
            list.len() + 1 == count
        },
    )
}

/// One entry or element of a collection.
struct Child<'n> {
    key: Option<&'n str>,
    node: &'n Node,
    bytes: Range<usize>,
}

fn without(
    text: &str,
    path: &[&str],
    is_meant: impl Fn(&Child) -> bool,
    forget: impl Fn(&mut Json) -> bool,
) -> Result<String, NotEditable> {
    let root = parsed(text)?;
    let mut wanted = plain(&root);
    let mut target = &mut wanted;
    let mut parent = &root;
    for key in path {
        target = target.get_mut(*key).ok_or(NotEditable)?;
        parent = parent.get(key).ok_or(NotEditable)?;
    }
    if !forget(target) {
        return Err(NotEditable);
    }
    let children = children(parent);
    let at = children.iter().position(is_meant).ok_or(NotEditable)?;
    first_that_means([removed(text, parent, &children, at)].into_iter(), &wanted)
}

fn children(parent: &Node) -> Vec<Child<'_>> {
    match &parent.value {
        Value::Map(pairs) => pairs
            .iter()
            .map(|pair| Child {
                key: Some(&pair.key.value),
                node: &pair.value,
                bytes: pair.key.bytes.start..end_of(&pair.value).max(pair.key.bytes.end),
            })
            .collect(),
        Value::List(nodes) => nodes
            .iter()
            .map(|node| Child { key: None, node, bytes: node.bytes.start..end_of(node) })
            .collect(),
        _ => Vec::new(),
    }
}

/// Where the last sign of `node` is; of a block collection its `bytes` are only the first line.
fn end_of(node: &Node) -> usize {
    match &node.value {
        Value::Null => node.bytes.start,
        Value::Scalar(scalar) => scalar.bytes.end,
        Value::List(nodes) => nodes.iter().map(end_of).fold(node.bytes.start, usize::max),
        Value::Map(pairs) => {
            let ends = pairs.iter().map(|pair| end_of(&pair.value).max(pair.key.bytes.end));
            ends.fold(node.bytes.start, usize::max)
        }
    }
}

/// Whether `node` is written in brackets.
fn is_flow(text: &str, node: &Node) -> bool {
    text[node.bytes.start..].starts_with(['{', '['])
}

/// `text` without the child `at` of `parent`.
fn removed(text: &str, parent: &Node, children: &[Child], at: usize) -> String {
    let child = &children[at];
    let mut edited = text.to_owned();
    if is_flow(text, parent) {
        let close = |from: usize| text[from..].find([',', '}', ']']).map_or(from, |end| from + end);
        let range = match (children.get(at + 1), at.checked_sub(1).map(|before| &children[before]))
        {
            (Some(next), _) => child.bytes.start..next.bytes.start,
            (None, Some(before)) => close(before.bytes.end)..after_brackets(text, child),
            (None, None) => parent.bytes.start + 1..close(after_brackets(text, child)),
        };
        edited.replace_range(range, "");
        return edited;
    }
    let begin = text[..child.bytes.start].rfind('\n').map_or(0, |end| end + 1);
    let last = after_brackets(text, child);
    let end = text[last..].find('\n').map_or(text.len(), |end| last + end + 1);
    if children.len() > 1 {
        edited.replace_range(begin..end, "");
        return edited;
    }
    // The last one leaves an empty collection behind, which has to be written as such.
    let empty = if child.key.is_some() { " {}" } else { " []" };
    edited.replace_range(begin..end, "");
    edited.insert_str(end_of_key(&text[..begin]), empty);
    edited
}

/// Behind the colon of the last key in `above`, below which are only comments.
fn end_of_key(above: &str) -> usize {
    let mut at = above.len();
    for line in above.split_inclusive('\n').rev() {
        at -= line.len();
        let said = line.trim();
        if !said.is_empty() && !said.starts_with('#') {
            return at + line.find(": ").map_or(line.trim_end().len(), |colon| colon + 1);
        }
    }
    at
}

/// Behind the brackets that `child` ends with, if it is written in some.
fn after_brackets(text: &str, child: &Child) -> usize {
    let mut end = child.bytes.end;
    if is_flow(text, child.node) {
        let open = text[child.node.bytes.start..end].matches(['{', '[']).count();
        for _ in 0..open {
            end = text[end..].find(['}', ']']).map_or(end, |at| end + at + 1);
        }
    }
    end
}

/// `text` with `line` in `mapping`.
fn inserted(text: &str, root: &Node, mapping: &str, key: &str, line: &str) -> String {
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut edited = text.to_owned();
    let pair = root.entries().iter().find(|pair| pair.key.value == mapping);
    let Some(pair) = pair else {
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push_str(end_of_line);
        }
        edited.push_str(&format!("{mapping}:{end_of_line}  {line}{end_of_line}"));
        return edited;
    };
    let children = children(&pair.value);
    let Some(last) = children.last() else {
        // `{}`, or nothing: a block takes its place.
        let after =
            pair.key.bytes.end + text[pair.key.bytes.end..].find(':').map_or(0, |at| at + 1);
        let rest = text[after..].find('\n').map_or(text.len(), |end| after + end);
        let kept = text[after..rest].replacen("{}", "", 1);
        let kept = kept.trim();
        let gap = if kept.is_empty() { "" } else { " " };
        let block = format!("{gap}{kept}{end_of_line}  {line}");
        edited.replace_range(after..rest, &block);
        return edited;
    };
    let keys: Vec<&str> = children.iter().filter_map(|child| child.key).collect();
    let next = children.iter().find(|child| child.key > Some(key) && keys.is_sorted());
    if is_flow(text, &pair.value) {
        match next {
            Some(next) => edited.insert_str(next.bytes.start, &format!("{line}, ")),
            None => edited.insert_str(after_brackets(text, last), &format!(", {line}")),
        }
        return edited;
    }
    let start_of_line = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
    let indent = &text[start_of_line(children[0].bytes.start)..children[0].bytes.start];
    match next {
        Some(next) => {
            let line = format!("{indent}{line}{end_of_line}");
            edited.insert_str(start_of_line(next.bytes.start), &line);
        }
        None => {
            let from = after_brackets(text, last);
            let end = text[from..].find('\n').map(|end| from + end + 1);
            let before = if end.is_none() { end_of_line } else { "" };
            let line = format!("{before}{indent}{line}{end_of_line}");
            edited.insert_str(end.unwrap_or(text.len()), &line);
        }
    }
    edited
}

fn quoted_key(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match key.chars().all(is_plain) && key.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => key.to_owned(),
        false => format!("'{}'", key.replace('\'', "''")),
    }
}

fn first_that_means(
    edits: impl Iterator<Item = String>,
    wanted: &Json,
) -> Result<String, NotEditable> {
    // The order of keys does not count.
    let mut right = edits.filter(|text| parsed(text).is_ok_and(|root| plain(&root) == *wanted));
    right.next().ok_or(NotEditable)
}

/// What `text` says, without where and how.
///
/// # Errors
/// If it is not YAML.
pub fn meaning(text: &str) -> Result<Json, NotEditable> {
    Ok(plain(&parsed(text)?))
}

fn parsed(text: &str) -> Result<Node, NotEditable> {
    let nothing = Node { value: Value::Map(Vec::new()), bytes: 0..0 };
    yaml::parse(text).map(|root| root.unwrap_or(nothing)).map_err(|_| NotEditable)
}

/// What a tree says, without where. `null` in quotes is text, and another value than without.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar(scalar) => {
            let is_quoted = scalar.style != Quoting::Plain;
            let is_null = matches!(scalar.text.as_str(), "" | "~" | "null");
            if is_null && !is_quoted { Json::Null } else { Json::String(scalar.text.clone()) }
        }
        Value::List(nodes) => Json::Array(nodes.iter().map(plain).collect()),
        Value::Map(pairs) => {
            let entries = pairs.iter().map(|pair| (pair.key.value.clone(), plain(&pair.value)));
            Json::Object(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_where_it_belongs_and_nothing_else_changes() {
        for (before, after) in [
            ("versions:\n  a: v1 # one\n  c: v1\n", "versions:\n  a: v1 # one\n  b: v2\n  c: v1\n"),
            ("versions:\n    c: v1\n    a: v1", "versions:\n    c: v1\n    a: v1\n    b: v2\n"),
            ("versions: { a: v1, c: v1 } # x\n", "versions: { a: v1, b: v2, c: v1 } # x\n"),
            ("versions: {a: v1}\ntasks: {}\n", "versions: {a: v1, b: v2}\ntasks: {}\n"),
            ("versions: {} # none\n", "versions: # none\n  b: v2\n"),
            ("versions:\n", "versions:\n  b: v2\n"),
            ("project: x\n", "project: x\nversions:\n  b: v2\n"),
            ("", "versions:\n  b: v2\n"),
            (
                "versions:\n  a: { scheme: date }\n\n# tasks\ntasks: {}\n",
                "versions:\n  a: { scheme: date }\n  b: v2\n\n# tasks\ntasks: {}\n",
            ),
            ("versions:\r\n  a: v1\r\n", "versions:\r\n  a: v1\r\n  b: v2\r\n"),
        ] {
            assert_eq!(with_entry(before, "versions", "b", "v2").unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn values_are_quoted_where_they_have_to_be() {
        let edited = |value| with_entry("versions:\n  a: v1\n", "versions", "b", value).unwrap();
        assert_eq!(edited("1.10"), "versions:\n  a: v1\n  b: 1.10\n");
        assert_eq!(edited("null"), "versions:\n  a: v1\n  b: 'null'\n");
        assert_eq!(edited("a: b"), "versions:\n  a: v1\n  b: 'a: b'\n");
    }

    #[test]
    fn an_entry_goes_and_comments_stay() {
        for (before, after) in [
            (
                "versions:\n  a: v1\n  # of b\n  b: v2 # x\n  c: v3\n",
                "versions:\n  a: v1\n  # of b\n  c: v3\n",
            ),
            ("versions: { a: v1, b: v2, c: v3 }\n", "versions: { a: v1, c: v3 }\n"),
            ("versions: { a: v1, b: v2 }\n", "versions: { a: v1 }\n"),
            ("versions: { b: v2 }\n", "versions: {}\n"),
            (
                "versions:\n  # one: 1\n  b: v2\ntasks: {}\n",
                "versions: {}\n  # one: 1\ntasks: {}\n",
            ),
            ("versions:\n  b: v2\n", "versions: {}\n"),
            (
                "versions:\n  b:\n    scheme: commits\n    first: v1\n  c: v1\n",
                "versions:\n  c: v1\n",
            ),
            ("versions:\n  b: { scheme: date }\n  c: v1", "versions:\n  c: v1"),
        ] {
            let edited = without_entry(before, &["versions"], "b").unwrap();
            assert_eq!(edited, after, "{before:?}");
        }
    }

    #[test]
    fn an_item_goes() {
        for (before, after) in [
            ("groups: { ci: [a, b] }\n", "groups: { ci: [a] }\n"),
            ("groups: { ci: [b] }\n", "groups: { ci: [] }\n"),
            (
                "groups:\n  ci:\n    - a # x\n    - b\n  d: [b]\n",
                "groups:\n  ci:\n    - a # x\n  d: [b]\n",
            ),
            ("groups:\n  ci:\n  - b\n  - c\n", "groups:\n  ci:\n  - c\n"),
        ] {
            assert_eq!(without_item(before, &["groups", "ci"], "b").unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn what_would_change_something_else_is_refused() {
        let shared = "versions:\n  b: &v v1\n  c: *v\n";
        assert_eq!(without_entry(shared, &["versions"], "b"), Err(NotEditable));
        assert_eq!(with_entry(shared, "versions", "b", "v2"), Err(NotEditable));
        assert_eq!(without_entry(shared, &["versions"], "x"), Err(NotEditable));
    }
}

//! Compares a tree with a shape and tells all that differs.

use std::{collections::HashMap, ops::Range};

use super::{
    file::Findings,
    node::{Node, Pair, Quoting, Scalar, Value},
    shape::{Mapping, Presence, Shape},
};
use crate::model::{nearest, suggestion};

/// Tells `found` all in which `root` differs from `shape`.
pub fn check(root: &Node, shape: &Shape, found: &mut Findings) {
    Checker { found }.node(root, shape, "");
}

struct Checker<'a, 'f> {
    found: &'a mut Findings<'f>,
}

impl Checker<'_, '_> {
    fn node(&mut self, node: &Node, shape: &Shape, path: &str) {
        match (shape, &node.value) {
            (Shape::Free, _) | (Shape::Maybe(_), Value::Null) => {}
            (Shape::Maybe(inner), _) => self.node(node, inner, path),
            (_, Value::Null) => self.empty(node, shape, path),
            (Shape::Text(_), Value::Scalar(scalar)) if scalar.text.trim().is_empty() => {
                self.empty(node, shape, path);
            }
            (Shape::Value | Shape::Text(_), Value::Scalar(_)) => {}
            (Shape::Flag, Value::Scalar(Scalar { text, style: Quoting::Plain, .. }))
                if matches!(text.as_str(), "true" | "false") => {}
            (Shape::Count, Value::Scalar(Scalar { text, style: Quoting::Plain, .. }))
                if text.parse::<u16>().is_ok() => {}
            (Shape::Choice(words), Value::Scalar(scalar)) => {
                if !words.contains(&scalar.text.as_str()) {
                    let what = format!("`{path}` must be {}, not `{}`", shape.what(), scalar.text);
                    let help = suggestion(&scalar.text, words.iter().copied());
                    self.found.add(node.bytes.clone(), what, "not one of them", help);
                }
            }
            (Shape::List(inner), Value::List(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.node(node, inner, &format!("{path}[{index}]"));
                }
            }
            (Shape::Map(names, inner), Value::Map(entries)) => {
                self.duplicates(entries, names);
                for entry in entries {
                    self.node(&entry.value, inner, &join(path, &entry.key.value));
                }
            }
            (Shape::Record(record), Value::Map(entries)) => {
                self.record(node, entries, record, path);
            }
            (Shape::OneOf(shapes), _) => {
                match shapes.iter().find(|shape| has_kind(shape, &node.value)) {
                    Some(shape) => self.node(node, shape, path),
                    None => self.wrong_type(node, shape, path),
                }
            }
            _ => self.wrong_type(node, shape, path),
        }
    }

    fn record(&mut self, node: &Node, entries: &[Pair], record: &Mapping, path: &str) {
        self.duplicates(entries, record.what);
        for entry in entries {
            let key = &entry.key.value;
            if record.is_open_to(key) {
                // Task looks at no key that it does not know: these are where anchors are kept.
            } else if let Some(field) = record.field(key) {
                self.node(&entry.value, &field.shape, &join(path, key));
            } else {
                let what = format!("{} has no key `{key}`", record.what);
                let help = match record.home_of(key) {
                    Some(home) => format!("it belongs under `{home}`"),
                    None => suggestion(key, record.keys()),
                };
                self.found.add(entry.key.bytes.clone(), what, "not a known key", help);
            }
        }
        self.needs(node, entries, record, path);
        self.choice(node, entries, record);
    }

    fn needs(&mut self, node: &Node, entries: &[Pair], record: &Mapping, path: &str) {
        let entry = |key: &str| entries.iter().find(|entry| entry.key.value == key);
        for field in record.fields {
            match (field.need, entry(field.key)) {
                (Presence::Required, None) => self.missing(node, record, field.key, path),
                (Presence::RequiredWith(other), None) if entry(other).is_some() => {
                    self.missing(node, record, field.key, path);
                }
                (Presence::With(other) | Presence::RequiredWith(other), Some(own))
                    if entry(other).is_none() =>
                {
                    let what = format!("`{}` belongs to `{other}`, which is not there", field.key);
                    let help = format!("remove `{}`, or write `{other}` beside it", field.key);
                    self.found.add(own.key.bytes.clone(), what, "has nothing to belong to", help);
                }
                _ => {}
            }
        }
    }

    fn missing(&mut self, node: &Node, record: &Mapping, key: &str, path: &str) {
        // A near miss was already called an unknown key.
        let unknown = node.entries().iter().map(|entry| entry.key.value.as_str());
        let mut unknown = unknown.filter(|key| record.field(key).is_none());
        if unknown.any(|word| nearest(word, record.keys()) == Some(key)) {
            return;
        }
        let place = if path.is_empty() { record.what.to_owned() } else { format!("`{path}`") };
        let doc = record.field(key).map_or("", |field| field.doc);
        let what = format!("{place} has no `{key}`");
        let label = format!("`{key}` is missing");
        self.found.add(node.bytes.clone(), what, label, format!("add `{key}:`. {doc}"));
    }

    fn choice(&mut self, node: &Node, entries: &[Pair], record: &Mapping) {
        let is_choice = |entry: &&Pair| record.exactly_one.contains(&entry.key.value.as_str());
        let chosen: Vec<_> = entries.iter().filter(is_choice).collect();
        let words: Vec<_> = record.exactly_one.iter().map(|key| format!("`{key}`")).collect();
        let words = words.join(", ");
        let all_known = entries.iter().all(|entry| record.field(&entry.key.value).is_some());
        if chosen.is_empty() && !words.is_empty() && all_known {
            let what = format!("{} takes one of {words}, and none is here", record.what);
            let help = format!("write one of {words}");
            self.found.add(node.bytes.clone(), what, "none of them is here", help);
        }
        let others = chosen.iter().filter(|entry| entry.key.value != chosen[0].key.value);
        for other in others {
            let what = format!("{} takes only one of {words}", record.what);
            let related = self.found.span(chosen[0].key.bytes.clone());
            let bytes = other.key.bytes.clone();
            let diagnostic = self.found.add(bytes, what, "one too many", "keep the one you mean");
            diagnostic.related.push((related, "the first one".into()));
        }
    }

    fn duplicates(&mut self, entries: &[Pair], what: &str) {
        let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
        for Pair { key, .. } in entries {
            if let Some(first) = seen.get(key.value.as_str()) {
                let related = self.found.span(first.clone());
                let what = format!("`{}` stands twice in {what}", key.value);
                let bytes = key.bytes.clone();
                let diagnostic = self.found.add(bytes, what, "again here", "keep one of them");
                diagnostic.related.push((related, "first written here".into()));
            } else {
                seen.insert(&key.value, key.bytes.clone());
            }
        }
    }

    fn empty(&mut self, node: &Node, shape: &Shape, path: &str) {
        let what =
            if path.is_empty() { "the file is empty".into() } else { format!("`{path}` is empty") };
        let help = format!("write {}, or remove the key", shape.what());
        self.found.add(node.bytes.clone(), what, "no value here", help);
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape, path: &str) {
        let place = if path.is_empty() { "the file".into() } else { format!("`{path}`") };
        let is_template = self.found.slice(&node.bytes).starts_with("{{");
        let what = match &node.value {
            Value::Scalar(scalar) => {
                let text: String = scalar.text.chars().take(40).collect();
                format!("{place} must be {}, not `{text}`", shape.what())
            }
            _ => format!("{place} must be {}, not {}", shape.what(), node.kind()),
        };
        let label = match &node.value {
            Value::Scalar(_) => format!("not {}", shape.what()),
            _ => format!("this is {}", node.kind()),
        };
        let help = if is_template {
            "a value that begins with `{{` must stand in quotes: \"{{ … }}\"".to_owned()
        } else {
            format!("write {}", shape.what())
        };
        self.found.add(node.bytes.clone(), what, label, help);
    }
}

fn has_kind(shape: &Shape, value: &Value) -> bool {
    matches!(
        (shape, value),
        (Shape::Free, _)
            | (Shape::List(_), Value::List(_))
            | (Shape::Map(..) | Shape::Record(_), Value::Map(_))
            | (
                Shape::Text(_) | Shape::Value | Shape::Flag | Shape::Count | Shape::Choice(_),
                Value::Scalar(_)
            )
    )
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

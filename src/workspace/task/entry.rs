//! The entries of `run` and `finally`: commands, and calls of other tasks, with what is said
//! about each.

use minijinja::value::Value as Word;

use super::{Deed, Each, Entry, Template, read::Reader};
use crate::{
    manifest::{Findings, Node, Value, scalar, scalars},
    model::{Os, Platform},
};

/// The entries that `node` is or lists.
pub(super) fn entries(reader: &mut Reader, node: &Node) -> Vec<Entry> {
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes.iter().filter_map(|node| entry(reader, node)).collect()
}

fn entry(reader: &mut Reader, node: &Node) -> Option<Entry> {
    let each = node.get("for").and_then(|node| each_within(reader, node));
    let scope = reader.scope.clone();
    if let Some((_, item)) = &each {
        reader.scope.extend([("item".to_owned(), item.clone())]);
    }
    let flag = |key| scalar(node, key).is_some_and(|flag| flag.text == "true");
    let line = node.scalar().cloned().or_else(|| scalar(node, "run"));
    let what = match line {
        Some(line) => Some(Deed::Run(reader.tried_command(&line))),
        None => reader.call(node).map(Deed::Call),
    };
    let condition = scalar(node, "if").map(|line| reader.tried_command(&line));
    reader.scope = scope;
    Some(Entry {
        what: what?,
        condition,
        timeout: reader.duration(node),
        allow_failure: flag("allow_failure"),
        quiet: flag("quiet"),
        only: places(node, reader.found),
        each: each.map(|(each, _)| each),
    })
}

/// `for:` of a task; its `item` is known from here on.
pub(super) fn each(reader: &mut Reader, node: &Node) -> Option<Each> {
    let (each, item) = each_within(reader, node)?;
    reader.scope.extend([("item".to_owned(), item)]);
    Some(each)
}

/// `for:`, and a stand-in for `item`.
fn each_within(reader: &mut Reader, node: &Node) -> Option<(Each, Word)> {
    let mut list = |node: &Node| -> Vec<Template> {
        node.one_or_many().iter().filter_map(Node::scalar).map(|item| reader.tried(item)).collect()
    };
    let (each, item) = match &node.value {
        Value::List(_) => {
            let items = list(node);
            let first = items.first().map(|item| Word::from(item.source()));
            (Each::List(items), first)
        }
        _ => {
            let parts: Vec<(String, Vec<Template>)> = node
                .entries()
                .iter()
                .map(|entry| (entry.key.value.clone(), list(&entry.value)))
                .collect();
            let first = parts
                .iter()
                .map(|(name, items)| Some((name.clone(), Word::from(items.first()?.source()))));
            let first: Option<std::collections::BTreeMap<String, Word>> = first.collect();
            (Each::Matrix(parts), first.map(Word::from))
        }
    };
    if item.is_none() {
        let help = "write at least one value";
        reader.found.add(node.bytes.clone(), "`for` has nothing to run for", "empty", help);
    }
    item.map(|item| (each, item))
}

/// `only:`; each must be an operating system or a platform.
pub(super) fn places(node: &Node, found: &mut Findings) -> Vec<String> {
    let mut places = Vec::new();
    for place in scalars(node, "only") {
        if place.text.parse::<Platform>().is_err()
            && !Os::ALL.iter().any(|os| os.as_str() == place.text)
        {
            let what = format!("`{}` is no operating system and no platform", place.text);
            let help = "write one such as `linux`, `darwin`, `windows` or `linux-amd64`";
            found.add(place.bytes, what, "not known", help);
        } else {
            places.push(place.text);
        }
    }
    places
}

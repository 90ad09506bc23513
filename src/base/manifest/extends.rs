//! `extends`: a spec takes what others say where it says nothing itself. Mappings are put together key
//! by key; anything else is replaced; `key: ~` takes nothing. Every node keeps its place.

use super::{
    check,
    document::{self, Pairs},
    file::{Findings, ManifestFile},
    node::{Node, Pair, Scalar, Value},
    shape::{Mapping, Presence, Shape},
    task_language::TASKS,
    yaml,
};

/// What is never taken from another: what makes a spec that one, and tasks, which are read where
/// they stand.
const OWN: [&str; 5] = ["extends", "desc", "discover", "name", "tasks"];

/// What `file` extends: where it says that it does.
pub fn extended(file: &ManifestFile) -> Option<Scalar> {
    // Nearly no spec does, and those need not be read twice.
    if !file.text.contains("extends") {
        return None;
    }
    let root = yaml::parse(&file.text).ok()??;
    root.get("extends").and_then(Node::scalar).cloned()
}

/// Puts what the bases of `file` say under `own`, which is what it says itself.
pub(super) fn with_bases(
    own: Node,
    file: &ManifestFile,
    record: &'static Mapping,
    found: &mut Findings,
) -> Node {
    let mut whole = own;
    for (begin, base) in file.bases() {
        match yaml::parse(&base.text) {
            Ok(Some(mut node)) => {
                shift(&mut node, *begin);
                if let Value::Map(entries) = &mut node.value {
                    entries.retain(|entry| !OWN.contains(&entry.key.value.as_str()));
                }
                whole = over(whole, node, &Shape::Record(record));
            }
            Ok(None) => {}
            Err(error) => {
                let bytes = error.bytes.start + begin..error.bytes.end + begin;
                found.add(bytes, error.what, "here", error.help);
            }
        }
    }
    whole
}

/// The tasks of each base of `file`, the nearest first; not those of which one that is nearer has
/// the name.
pub(super) fn inherited_tasks(
    file: &ManifestFile,
    own: &Pairs<Node>,
    found: &mut Findings,
) -> Vec<Pairs<Node>> {
    let mut names: Vec<String> = own.iter().map(|(name, _)| name.value.clone()).collect();
    let mut all = Vec::new();
    for (_, base) in file.bases() {
        let mut in_base = Findings::new(base);
        let root = yaml::parse(&base.text).ok().flatten();
        if let Some(tasks) = root.as_ref().and_then(|root| root.get("tasks")) {
            check::check(tasks, &TASKS, &mut in_base);
        }
        found.diagnostics.extend(in_base.diagnostics);
        let mut tasks =
            root.as_ref().map(|root| document::nodes(root, "tasks")).unwrap_or_default();
        tasks.retain(|(name, _)| !names.contains(&name.value));
        names.extend(tasks.iter().map(|(name, _)| name.value.clone()));
        all.push(tasks);
    }
    all
}

/// The keys of `root` that the text from `begin` to `end` says something of.
pub(super) fn keys_from(root: &Node, begin: usize, end: usize) -> Vec<String> {
    let is_there = |entry: &&Pair| touches(&entry.value, begin, end);
    root.entries().iter().filter(is_there).map(|entry| entry.key.value.clone()).collect()
}

fn touches(node: &Node, begin: usize, end: usize) -> bool {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            entries.iter().any(|entry| touches(&entry.value, begin, end))
        }
        Value::List(nodes) if !nodes.is_empty() => {
            nodes.iter().any(|node| touches(node, begin, end))
        }
        _ => (begin..end).contains(&node.bytes.start),
    }
}

fn shift(node: &mut Node, by: usize) {
    let moved = |bytes: &std::ops::Range<usize>| bytes.start + by..bytes.end + by;
    node.bytes = moved(&node.bytes);
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(scalar) => scalar.bytes = moved(&scalar.bytes),
        Value::List(nodes) => nodes.iter_mut().for_each(|node| shift(node, by)),
        Value::Map(entries) => {
            for Pair { key, value } in entries {
                key.bytes = moved(&key.bytes);
                shift(value, by);
            }
        }
    }
}

/// `own`, with what `base` says and it does not. Both are of one shape, or were meant to be.
fn over(own: Node, base: Node, shape: &Shape) -> Node {
    let Node { value: Value::Map(own_entries), bytes } = own else { return own };
    let Value::Map(base_entries) = base.value else {
        return Node { value: Value::Map(own_entries), bytes };
    };
    let shape = mapping(shape);
    let base_entries = compatible(base_entries, &own_entries, shape);
    Node { value: Value::Map(together(own_entries, base_entries, shape)), bytes }
}

/// The shape of a mapping that stands where `shape` may.
fn mapping(shape: &Shape) -> &Shape {
    match shape {
        Shape::OneOf(shapes) => {
            shapes.iter().map(mapping).find(|shape| is_mapping(shape)).unwrap_or(shape)
        }
        Shape::Maybe(inner) => mapping(inner),
        _ => shape,
    }
}

fn is_mapping(shape: &Shape) -> bool {
    matches!(shape, Shape::Record(_) | Shape::Map(..))
}

/// What of `base` can stand beside `own`: where one of several keys is chosen, the choice is that
/// of `own`, and what belongs to another goes with it.
fn compatible(mut base: Vec<Pair>, own: &[Pair], shape: &Shape) -> Vec<Pair> {
    let Shape::Record(record) = shape else { return base };
    let is_choice = |key: &str| record.exactly_one.contains(&key);
    let Some(chosen) = own.iter().find(|entry| is_choice(&entry.key.value)) else { return base };
    let goes = |key: &str| is_choice(key) && key != chosen.key.value;
    base.retain(|entry| {
        let need = record.field(&entry.key.value).map(|field| field.need);
        let belongs = match need {
            Some(Presence::With(other) | Presence::RequiredWith(other)) => goes(other),
            _ => false,
        };
        !goes(&entry.key.value) && !belongs
    });
    base
}

/// All keys, in the order of `base`; what stands before a key in `own` stays before it, since
/// variables know those before them.
fn together(own: Vec<Pair>, base: Vec<Pair>, shape: &Shape) -> Vec<Pair> {
    let mut own = std::collections::VecDeque::from(own);
    let mut all: Vec<Pair> = Vec::new();
    for below in base {
        if all.iter().any(|entry| entry.key.value == below.key.value) {
            continue;
        }
        let Some(at) = own.iter().position(|entry| entry.key.value == below.key.value) else {
            all.push(below);
            continue;
        };
        let mut upto = own.split_off(at + 1);
        std::mem::swap(&mut own, &mut upto);
        if let Some(Pair { key, value }) = upto.pop_back() {
            all.extend(upto);
            // `key: ~` takes nothing.
            if !matches!(value.value, Value::Null) {
                let value = over(value, below.value, inner(shape, &key.value));
                all.push(Pair { key, value });
            }
        }
    }
    all.extend(own);
    all
}

/// The shape of what stands at `key`.
fn inner<'s>(shape: &'s Shape, key: &str) -> &'s Shape {
    match shape {
        Shape::Record(record) => record.field(key).map_or(&Shape::Free, |field| &field.shape),
        Shape::Map(_, inner) => inner,
        _ => &Shape::Free,
    }
}

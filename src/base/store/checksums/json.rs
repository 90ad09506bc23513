//! Checksums in JSON. There is no one form of these either: an object from names to digests, a list of
//! objects that have a name and a digest each, an object from names to such objects. So every digest is
//! looked for, and what may be its name: its key, what stands beside it, and what leads to it.

use std::rc::Rc;

use serde_json::{Deserializer, Map, Value};

use super::{Label, ListedDigest, clean, digest, head, label, line_entries, names_a_file, split};

/// As many names as are remembered of one digest.
const MOST_NAMES: usize = 16;

/// What may be the name of a digest, the nearest last, and how deep it stands: the keys of an object
/// deeper than what stands beside them.
type Names = Vec<(Rc<str>, usize)>;

/// The digests in `text`; `None` if it is not one or several documents of JSON.
pub(super) fn entries(text: &str) -> Option<Vec<ListedDigest>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut entries = Vec::new();
    for document in Deserializer::from_str(text).into_iter::<Value>() {
        collect(&document.ok()?, &Names::new(), 0, &mut entries);
    }
    Some(entries)
}

/// Adds the digests in `value`, to which `names` lead.
fn collect(value: &Value, names: &Names, depth: usize, entries: &mut Vec<ListedDigest>) {
    match value {
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(text) => entries.extend(text_entry(text, None, (names, depth))),
                    item => collect(item, names, depth + 1, entries),
                }
            }
        }
        Value::Object(object) => collect_object(object, names, depth, entries),
        _ => {}
    }
}

fn collect_object(
    object: &Map<String, Value>,
    names: &Names,
    depth: usize,
    entries: &mut Vec<ListedDigest>,
) {
    let beside = object.iter().filter_map(|(key, value)| {
        let name =
            value.as_str().filter(|text| names_a_file(key) && bare_digest(text).is_none())?;
        // What is a URL may have a query.
        Some(name.split(['?', '#']).next().unwrap_or(name))
    });
    let names = beside.fold(names.clone(), |names, name| with(&names, name, 2 * depth));
    for (key, value) in object {
        let algorithm = label(key);
        let names = match algorithm {
            Some(_) => names.clone(),
            None if is_plural(key) => names.clone(),
            None => with(&names, key, 2 * depth + 1),
        };
        match value {
            Value::String(text) => entries.extend(text_entry(text, algorithm, (&names, depth))),
            value => collect(value, &names, depth + 1, entries),
        }
    }
}

/// `names`, and one that is deeper.
fn with(names: &Names, name: &str, deep: usize) -> Names {
    let from = (names.len() + 1).saturating_sub(MOST_NAMES);
    names[from..].iter().cloned().chain([(name.into(), deep)]).collect()
}

/// Whether `key` is one of `digests`, `hashes` and the like, which name nothing.
fn is_plural(key: &str) -> bool {
    ["s", "es"].iter().any(|end| key.strip_suffix(end).is_some_and(|one| label(one).is_some()))
}

/// What is in a text: a digest alone, or those of a line of a checksums file.
fn text_entry(
    text: &str,
    algorithm: Option<Label>,
    (names, depth): (&Names, usize),
) -> Vec<ListedDigest> {
    let Some((own, digits)) = bare_digest(text) else {
        return line_entries(text);
    };
    // What leads to another digest further down is the name of both, and nearer to the upper one.
    let near = |deep: usize| usize::MAX - (2 * depth + 1).saturating_sub(deep);
    let names = names.iter().rev().map(|(name, deep)| (name.clone(), near(*deep))).collect();
    vec![ListedDigest { names, digest: digest(digits, own.or(algorithm)) }]
}

/// The digits of a text that is a digest and no more, and the algorithm that it says: `sha256:…`.
fn bare_digest(text: &str) -> Option<(Option<Label>, &str)> {
    let (before, digits, after) = split(text)?;
    let (algorithm, name) = head(before);
    (clean(name).is_none() && after.trim().is_empty()).then_some((algorithm, digits))
}

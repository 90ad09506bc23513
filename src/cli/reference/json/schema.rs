//! The JSON Schema of a document, made from the table of its keys.

use serde_json::{Map, Value, json};

use super::{JSON_DOCUMENTS, JsonDocument};

/// What stands for any key in the path of a key.
const ANY_KEY: &str = "NAME";

/// One place in a document: a value, or what holds others.
#[derive(Default)]
struct SchemaNode {
    kind: &'static str,
    meaning: &'static str,
    keys: Vec<(&'static str, SchemaNode)>,
    item: Option<Box<SchemaNode>>,
}

/// The schema of the document called `name`.
pub fn document_schema(name: &str) -> Option<Value> {
    let (name, _, about, keys) = document(name)?;
    let mut root = SchemaNode::default();
    for (path, kind, meaning) in *keys {
        let other = kind.trim_start_matches('-').strip_prefix('=').and_then(document);
        for (below, kind, meaning) in other.iter().flat_map(|(.., keys)| *keys) {
            if below.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')) {
                root.put(below, kind, meaning);
            }
        }
        if other.is_none() {
            root.put(path, kind, meaning);
        }
    }
    let mut schema = root.schema();
    schema["properties"]["schema"] = json!({ "const": 1 });
    if let Some(required) = schema["required"].as_array_mut() {
        required.insert(0, "schema".into());
    }
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:forge:schema:json:{name}:1"),
        "title": format!("what forge prints with --json: {name}"),
        "description": about,
    });
    Some(joined(head, schema))
}

fn document(name: &str) -> Option<&'static JsonDocument> {
    JSON_DOCUMENTS.iter().find(|(known, ..)| *known == name)
}

impl SchemaNode {
    /// Puts the key at `path`, such as `artifacts[].name`, to its place.
    fn put(&mut self, path: &'static str, kind: &'static str, meaning: &'static str) {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let key = first.trim_end_matches("[]");
        let at = self.keys.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.keys.push((key, Self::default()));
            self.keys.len() - 1
        });
        let mut node = &mut self.keys[at].1;
        if first.ends_with("[]") {
            node = node.item.get_or_insert_default();
        }
        match rest {
            "" => (node.kind, node.meaning) = (kind, meaning),
            rest => node.put(rest, kind, meaning),
        }
    }

    fn may_be_absent(&self) -> bool {
        let below = self.item.iter().map(|item| &**item).chain(self.keys.iter().map(|(_, it)| it));
        self.kind.starts_with('-')
            || (self.kind.is_empty() && below.into_iter().all(Self::may_be_absent))
    }

    fn schema(&self) -> Value {
        if let Some(item) = &self.item {
            let list = json!({ "type": "array", "items": item.schema() });
            // What may be `null` is the list, not what is in it.
            let is_null = item.kind.ends_with('?');
            return if is_null { json!({ "anyOf": [list, { "type": "null" }] }) } else { list };
        }
        match self.keys.as_slice() {
            [] => self.value(),
            [(ANY_KEY, any)] => json!({ "type": "object", "additionalProperties": any.schema() }),
            keys => {
                let required = keys.iter().filter(|(_, node)| !node.may_be_absent());
                let required: Vec<_> = required.map(|(key, _)| *key).collect();
                let properties: Map<_, _> =
                    keys.iter().map(|(key, node)| ((*key).to_owned(), node.schema())).collect();
                let object =
                    json!({ "type": "object", "properties": properties, "required": required });
                let is_null = self.kind.ends_with('?');
                if is_null { json!({ "anyOf": [object, { "type": "null" }] }) } else { object }
            }
        }
    }

    fn value(&self) -> Value {
        let kind = match self.kind.trim_start_matches('-').trim_end_matches('?') {
            "n" => "number",
            "b" => "boolean",
            _ => "string",
        };
        let kind = if self.kind.ends_with('?') { json!([kind, "null"]) } else { json!(kind) };
        json!({ "type": kind, "description": self.meaning })
    }
}

/// `head` with the keys of `rest` behind its own.
fn joined(head: Value, rest: Value) -> Value {
    match (head, rest) {
        (Value::Object(mut head), Value::Object(rest)) => {
            head.extend(rest);
            Value::Object(head)
        }
        (head, _) => head,
    }
}

//! JSON Schema (2020-12) out of the tables in `language.rs`, for editors.

use serde_json::{Map, Value as Json, json};

use super::{
    language,
    shape::{Need, Record, Shape},
};

/// The JSON Schema (2020-12) of `versions.yml`.
pub fn manifest_schema() -> Json {
    document("versions.yml", &language::MANIFEST)
}

/// The JSON Schema (2020-12) of a spec.
pub fn spec_schema() -> Json {
    document("a forge spec", &language::SPEC)
}

fn document(title: &str, record: &Record) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!(title));
    schema.append(&mut object(record));
    Json::Object(schema)
}

fn object(record: &Record) -> Map<String, Json> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut dependent: Map<String, Json> = Map::new();
    let mut depend = |key: &str, on: &str| {
        let list = dependent.entry(key).or_insert_with(|| json!([]));
        if let Json::Array(list) = list {
            list.push(json!(on));
        }
    };
    for field in record.fields {
        let mut property = shape(&field.shape);
        property.insert("description".into(), json!(field.doc));
        properties.insert(field.key.into(), Json::Object(property));
        match field.need {
            Need::Optional => {}
            Need::Required => required.push(field.key),
            Need::With(other) => depend(field.key, other),
            Need::RequiredWith(other) => {
                depend(field.key, other);
                depend(other, field.key);
            }
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("additionalProperties".into(), json!(false));
    schema.insert("properties".into(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if !dependent.is_empty() {
        schema.insert("dependentRequired".into(), Json::Object(dependent));
    }
    if !record.exactly_one.is_empty() {
        let choices: Vec<_> =
            record.exactly_one.iter().map(|key| json!({"required": [key]})).collect();
        schema.insert("oneOf".into(), json!(choices));
    }
    schema
}

fn shape(of: &Shape) -> Map<String, Json> {
    let schema = match of {
        Shape::Text(_) => json!({"type": ["string", "number", "boolean"], "minLength": 1}),
        Shape::Value => json!({"type": ["string", "number", "boolean"]}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Count => json!({"type": "integer", "minimum": 0, "maximum": u16::MAX}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::List(inner) => json!({"type": "array", "items": shape(inner)}),
        Shape::Map(_, inner) => json!({"type": "object", "additionalProperties": shape(inner)}),
        Shape::OneOf(shapes) => {
            json!({"anyOf": shapes.iter().map(shape).collect::<Vec<_>>()})
        }
        Shape::Free => json!({}),
        Shape::Record(record) => return object(record),
    };
    match schema {
        Json::Object(schema) => schema,
        _ => Map::new(),
    }
}

//! JSON Schema (2020-12) out of the tables in `language.rs`, for editors.

use serde_json::{Map, Value as Json, json};

use super::{
    language,
    shape::{Field, Mapping, Presence, Shape},
    spec_language::SPEC,
};

/// The JSON Schema (2020-12) of `versions.yml`.
pub fn manifest_schema() -> Json {
    document("versions", "versions.yml", &language::MANIFEST)
}

/// The JSON Schema (2020-12) of a spec.
pub fn spec_schema() -> Json {
    document("spec", "a forge spec", &SPEC)
}

fn document(name: &str, title: &str, record: &Mapping) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    // A name, not a place: a schema of this forge is what this forge prints.
    let version = env!("CARGO_PKG_VERSION");
    schema.insert("$id".into(), json!(format!("urn:forge:schema:{name}:{version}")));
    schema.insert("title".into(), json!(title));
    schema.append(&mut object(record));
    Json::Object(schema)
}

fn object(record: &Mapping) -> Map<String, Json> {
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
        properties.insert(field.key.into(), Json::Object(property(field)));
        match field.need {
            Presence::Optional => {}
            Presence::Required => required.push(field.key),
            Presence::With(other) => depend(field.key, other),
            Presence::RequiredWith(other) => {
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

/// What a key takes, and what an editor shows of it.
fn property(field: &Field) -> Map<String, Json> {
    let mut property = shape(&field.shape);
    let default = field.default.map(|default| format!(" Default: {default}."));
    let description = format!("{}{}", field.doc, default.unwrap_or_default());
    property.insert("description".into(), json!(description));
    if let Ok(example) = serde_yaml::from_str::<Json>(field.example)
        && !field.example.is_empty()
    {
        property.insert("examples".into(), json!([example]));
    }
    property
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
        Shape::Maybe(inner) => json!({"anyOf": [shape(inner), {"type": "null"}]}),
        Shape::Free => json!({}),
        Shape::Record(record) => return object(record),
    };
    match schema {
        Json::Object(schema) => schema,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jsonschema::Validator;

    use super::*;

    static MANIFEST: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&manifest_schema()).unwrap());
    static SPEC: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&spec_schema()).unwrap());

    #[test]
    fn both_are_schemas_of_their_draft() {
        for schema in [manifest_schema(), spec_schema()] {
            jsonschema::draft202012::meta::validate(&schema).unwrap();
        }
    }

    #[test]
    fn good_manifests_pass_and_bad_ones_do_not() {
        for good in [
            json!({"versions": {"nats": "v2.10.24", "arc": 1.1}}),
            json!({"versions": {}, "releases": ["dir:x", "github:a/b"], "groups": {"ci": ["nats"]}, "tasks": {}}),
            json!({"versions": {}, "trust": "ci"}),
        ] {
            assert!(MANIFEST.is_valid(&good), "{good}");
        }
        for bad in [
            json!({}),
            json!({"versions": []}),
            json!({"versions": {}, "version": 1}),
            json!({"versions": {"a": ""}}),
            json!({"versions": {}, "platforms": "linux-amd64"}),
            json!({"versions": {}, "releases": {"a": 1}}),
            json!({"versions": {}, "trust": "laptops"}),
        ] {
            assert!(!MANIFEST.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn good_specs_pass_and_bad_ones_do_not() {
        for good in [
            json!({"source": {"git": "https://x.y/z", "ref": "main"}, "build": {"go": "."}}),
            json!({"binary": ["a", "b"], "build": {"run": ["make", "make install"], "timeout": "5m", "tools": {"go": 1.26}}}),
            json!({"build": {"go": {"module": "m", "cgo": true}}, "upstream": {"url": "u", "sha256": {"linux-amd64": "d"}}}),
            json!({"source": {"archive": "a", "sha256": "d", "strip": 1}, "build": {"cargo": {"bin": "a"}}}),
        ] {
            assert!(SPEC.is_valid(&good), "{good}");
        }
        for bad in [
            json!({"source": {"git": "u", "path": "."}}),
            json!({"source": {}}),
            json!({"source": {"path": ".", "ref": "main"}}),
            json!({"source": {"archive": "a"}}),
            json!({"build": {"go": ".", "run": "make"}}),
            json!({"build": {"timeout": "5m"}}),
            json!({"upstream": {"url": "u"}}),
            json!({"package": "rar"}),
            json!({"biuld": {"run": "make"}}),
        ] {
            assert!(!SPEC.is_valid(&bad), "{bad}");
        }
    }

    /// Good documents with one thing in each changed: what the schema refuses, the
    /// checker refuses, and the other way round.
    mod agreement {
        use super::*;
        use crate::manifest::{Findings, MAX_BYTES, ManifestFile, read_manifest, read_spec};
        use proptest::prelude::*;

        fn documents() -> Vec<(bool, Json)> {
            vec![
                (
                    true,
                    json!({"versions": {"a": "v1", "b": 1.5}, "releases": ["dir:x"], "platforms": ["linux-amd64"],
                    "groups": {"ci": ["a"]}, "tasks": {"t": {"run": "x", "needs": ["u"], "with": {"a": {"required": true}}}}, "trust": "ci", "vars": {"x": ""}, "env": {"X": "y"}}),
                ),
                (
                    false,
                    json!({"source": {"git": "u", "ref": "main"}, "build": {"go": ".", "timeout": "5m"},
                    "needs": ["a"], "binary": "b", "package": "zip", "tasks": {"t": ["x"]}}),
                ),
                (
                    false,
                    json!({"source": {"archive": "a", "sha256": "d", "strip": 1},
                    "build": {"cargo": {"bin": ["a"], "features": "f"}, "tools": {"c": 1}, "env": {"K": ""}}}),
                ),
                (
                    false,
                    json!({"source": {"path": ".", "only": ["a"]},
                    "build": {"go": {"module": "m", "cgo": true, "tags": ["x"], "vars": {"v": "w"}, "ldflags": ""}}}),
                ),
                (
                    false,
                    json!({"upstream": {"url": "u", "sha256": {"linux-amd64": "d"}, "strip": 2, "paths": {"a": "b"},
                    "os": {"linux": "L"}, "arch": {"amd64": "x"}}, "desc": "d", "build": {"run": ["a", "b"]}}),
                ),
                (
                    true,
                    json!({"versions": {}, "dotenv": [".env"], "shell": "bash", "quiet": true, "output": "grouped", "pools": {"p": 2},
                    "vars": {"l": [1, "a", {"k": 2}], "v": {"value": {"a": [1]}}, "e": {"expr": "l"}, "s": {"secret": {"env": "X"}}},
                    "tasks": {"a": {"run": [{"finally": "x"}, {"finally": {"task": "b", "with": {"x": 1}}}, {"run": "y", "interactive": true}],
                    "retry": {"times": 2, "delay": "1s"}, "shell": ["x", "-c"], "pool": "p", "interactive": false, "gitignore": true, "dir": "d", "make_dir": true}}}),
                ),
                (
                    true,
                    json!({"versions": {}, "tasks": {"a": {"run": "x", "for": "inputs", "inputs": "x"},
                    "b": [{"run": "x", "for": {"matrix": {"os": ["l"], "arch": {"expr": "x"}}, "as": "y"}},
                    {"run": "x", "for": {"sh": "ls", "split": ","}}, {"run": "x", "for": {"glob": ["*"]}}],
                    "c": {"run": "x", "needs": [{"task": "b", "for": {"expr": "x"}}], "for": ["x", {"a": 1}]}}}),
                ),
            ]
        }

        /// Changes one thing, chosen by `path`, somewhere in `value`.
        fn change(value: &mut Json, path: &[usize], to: &Json, key: &str) {
            let Some((&turn, rest)) = path.split_first() else {
                *value = to.clone();
                return;
            };
            match value {
                Json::Object(map) if !map.is_empty() => {
                    let old = map.keys().nth(turn % map.len()).unwrap().clone();
                    match turn / 16 % 4 {
                        0 => drop(map.insert(key.to_owned(), to.clone())),
                        1 => drop(map.shift_remove(&old)),
                        _ => change(&mut map[&old], rest, to, key),
                    }
                }
                Json::Array(list) if !list.is_empty() => {
                    let at = turn % list.len();
                    change(&mut list[at], rest, to, key);
                }
                _ => *value = to.clone(),
            }
        }

        fn keys() -> Vec<&'static str> {
            vec![
                "git", "archive", "path", "ref", "sha256", "strip", "only", "go", "cargo", "run",
                "dir", "tools", "cgo", "url", "versions", "build", "source", "upstream", "needs",
                "binary", "project", "zzz", "expr", "split", "task", "secret", "finally", "matrix",
            ]
        }

        proptest! {
            #[test]
            fn schema_and_checker_refuse_the_same(
                which in 0usize..7, path in proptest::collection::vec(0usize..64, 1..8),
                to in proptest::sample::select(vec![
                    json!(null), json!(""), json!("x"), json!(7), json!(-1), json!(1.5), json!(true), json!("true"),
                    json!([]), json!(["x"]), json!([[]]), json!({}), json!({"x": "y"}), json!({"x": {}}), json!("zip"),
                ]),
                key in proptest::sample::select(keys()),
            ) {
                let (is_manifest, mut document) = documents().swap_remove(which);
                change(&mut document, &path, &to, key);
                let file = ManifestFile::new("x.yml".into(), document.to_string().into_bytes(), MAX_BYTES);
                let mut found = Findings::new(&file);
                let schema = if is_manifest {
                    read_manifest(&file, &mut found);
                    &MANIFEST
                } else {
                    read_spec(&file, &mut found);
                    &SPEC
                };
                prop_assert_eq!(
                    schema.is_valid(&document), found.is_empty(), "{} {:#?}", document, found.diagnostics
                );
            }
        }
    }

    #[test]
    fn every_key_is_explained() {
        fn walk(schema: &Json, keys: &mut usize) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                *keys += 1;
                let doc = property["description"].as_str().unwrap();
                assert!(doc.ends_with('.'), "{key}: {doc}");
                walk(property, keys);
                for choice in property["anyOf"].as_array().into_iter().flatten() {
                    walk(choice, keys);
                }
            }
        }
        let mut keys = 0;
        walk(&manifest_schema(), &mut keys);
        walk(&spec_schema(), &mut keys);
        assert!(keys > 50, "{keys}");
    }
}

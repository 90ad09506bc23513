//! GitHub's own description of its API, which every JSON answer has to keep to.
//!
//! `openapi.json` is an extract of it and names its origin; `trim_openapi.py` made it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body},
    call::Call,
    operation::Operation,
};

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("openapi.json")).expect("the extract is JSON")
});

/// Validators by the schema's own text, made when first needed.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What is wrong with an answer, in words.
pub fn violation(call: &Call, answer: &Answer) -> Option<String> {
    if call.operation() == Operation::GraphQl {
        return None;
    }
    let method = if call.method == "HEAD" { "GET" } else { call.method.as_str() };
    let operation = format!("{method} {}", call.matched.template);
    let status = answer.status.to_string();
    let described = &DESCRIPTION["answers"][&operation];
    let problem = match (&answer.body, described.get(&status)) {
        (_, None) if answer.status < 300 => Some("the description has no such answer".into()),
        (_, None) if call.matched.template.is_empty() && answer.status < 400 => {
            Some("the description has no such operation".into())
        }
        (Body::Json(_), Some(_)) if answer.status == 204 => Some("it has a body".into()),
        (Body::Json(value), schema) => check(value, schema.filter(|schema| !schema.is_null())),
        _ => None,
    };
    problem.map(|problem| format!("{operation}, {status}: {problem}"))
}

/// What is wrong with what was sent, in words; nothing where the extract does not describe it.
pub fn wrong_body(call: &Call, body: &Value) -> Option<String> {
    let operation = format!("{} {}", call.method, call.matched.template);
    let schema = DESCRIPTION["bodies"].get(&operation)?;
    check(body, Some(schema))
}

/// `known`, with what the description requires of a `kind` besides.
pub fn filled(kind: &str, known: Value) -> Value {
    let mut whole = sample(&json!({ "$ref": format!("#/$defs/{kind}") }));
    merge(&mut whole, known);
    whole
}

/// Puts `known` over `whole`.
fn merge(whole: &mut Value, known: Value) {
    match (whole, known) {
        (Value::Object(whole), Value::Object(known)) => {
            for (key, value) in known {
                merge(whole.entry(key).or_insert(Value::Null), value);
            }
        }
        (whole, known) => *whole = known,
    }
}

/// The least that keeps to `schema`.
fn sample(schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return sample(&DESCRIPTION["$defs"][name]);
    }
    let choices = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array());
    if let Some(choices) = choices {
        let is_null = |choice: &&Value| choice["type"] == "null";
        return choices.iter().find(is_null).or(choices.first()).map_or(Value::Null, sample);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(all) if all.iter().any(|kind| kind == "null") => return Value::Null,
        Value::Array(all) => all.first().and_then(Value::as_str).unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match kind {
        "string" => match schema["format"].as_str() {
            Some("date-time") => "2024-01-01T00:00:00Z".into(),
            Some("uri") => "https://example.org/".into(),
            Some("email") => "octo@example.org".into(),
            _ => "text".into(),
        },
        "integer" | "number" => 0.into(),
        "boolean" => false.into(),
        "array" => json!([]),
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let field = |key: &Value| {
                let key = key.as_str().unwrap_or_default();
                (key.to_owned(), sample(&schema["properties"][key]))
            };
            Value::Object(required.iter().map(field).collect())
        }
    }
}

/// Checks a document against its schema, or against that of errors when it has none.
fn check(value: &Value, schema: Option<&Value>) -> Option<String> {
    let kind = if value.get("errors").is_some() { "validation-error" } else { "basic-error" };
    let error = json!({ "$ref": format!("#/$defs/{kind}") });
    let validator = validator(schema.unwrap_or(&error));
    let problems: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut whole = schema.clone();
        whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        whole["$defs"] = DESCRIPTION["$defs"].clone();
        let options = jsonschema::options().should_validate_formats(true);
        Arc::new(options.build(&whole).expect("a schema"))
    };
    validators.entry(schema.to_string()).or_insert_with(make).clone()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{GitHub, call::Door};
    use super::*;

    fn call() -> Call {
        let request = axum::http::Request::get("/repos/acme/stack/releases/tags/v1").body(());
        let (parts, ()) = request.expect("a request").into_parts();
        let origins = super::super::origins::Origins::official();
        Call::parse(Door::Front, &parts, &origins, |_| None)
    }

    fn good() -> Value {
        let github = GitHub::new("acme/stack");
        github.add_release(super::super::NewRelease::tagged("v1").asset("nats", *b"bytes"));
        let release = github.release("v1").expect("the release");
        release.to_json(&super::super::origins::Origins::official(), "acme/stack")
    }

    #[test]
    fn what_breaks_the_description_is_noticed() {
        assert_eq!(violation(&call(), &Answer::json(200, good())), None);
        let breaks: [(&str, Value); 4] = [
            ("/id", json!("7")),
            ("/published_at", json!("yesterday")),
            ("/assets/0/state", json!("done")),
            ("/assets/0/uploader", json!({})),
        ];
        for (path, value) in breaks {
            let mut broken = good();
            *broken.pointer_mut(path).expect("a field") = value;
            let found = violation(&call(), &Answer::json(200, broken));
            assert!(found.as_ref().is_some_and(|text| text.contains(path)), "{path}: {found:?}");
        }
        let mut invented = good();
        invented["colour"] = json!("red");
        assert!(violation(&call(), &Answer::json(200, invented)).is_some());
        assert!(violation(&call(), &Answer::json(201, good())).is_some());
        assert!(violation(&call(), &Answer::json(404, json!({ "message": 7 }))).is_some());
    }

    #[test]
    #[should_panic(expected = "the stand-in broke its contract")]
    fn no_test_passes_with_a_violation() {
        let github = GitHub::new("acme/stack");
        github.world().violations.push("GET /, 200: a lie".into());
    }
}

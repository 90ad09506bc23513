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

//! Every document of `--json` that a test reads has to be as its schema says, and hold nothing more.

use forge::cli::reference::{JSON_DOCUMENTS, document_schema};
use serde_json::{Value, json};

/// What is wrong with `document`, which `forge WORDS` printed; nothing if one of the verb's schemas fits.
pub fn misfit(words: &str, document: &Value) -> Option<String> {
    let is_of = |verb: &str| JSON_DOCUMENTS.iter().any(|(_, verbs, ..)| verbs.contains(&verb));
    let verb = words.split_whitespace().find(|word| is_of(word))?;
    document.get("schema")?;
    let is_error = document.get("exit_code").is_some();
    let of_verb = JSON_DOCUMENTS
        .iter()
        .filter(|(name, verbs, ..)| verbs.contains(&verb) || is_error && *name == "error");
    let wrong: Vec<String> = of_verb
        .map(|(name, ..)| {
            let schema = strict(document_schema(name).expect("a schema"));
            let validator = jsonschema::draft202012::new(&schema).expect("a schema");
            let wrong = validator.iter_errors(document);
            let wrong: Vec<_> =
                wrong.map(|error| format!("{}: {error}", error.instance_path())).collect();
            if wrong.is_empty() { String::new() } else { format!("{name}: {}", wrong.join("\n  ")) }
        })
        .collect();
    (!wrong.iter().any(String::is_empty)).then(|| wrong.join("\n"))
}

/// A schema that allows no key that it does not name.
fn strict(schema: Value) -> Value {
    match schema {
        Value::Object(keys) => {
            let is_closed = keys.contains_key("required") && keys.contains_key("properties");
            let keys = keys.into_iter().map(|(key, value)| (key, strict(value)));
            let mut schema = Value::Object(keys.collect());
            if is_closed {
                schema["additionalProperties"] = json!(false);
            }
            schema
        }
        Value::Array(values) => values.into_iter().map(strict).collect(),
        other => other,
    }
}

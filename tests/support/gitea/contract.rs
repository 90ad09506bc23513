//! Gitea's own description of what it answers: `swagger.json`, which says where it is from.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("swagger.json")).expect("the extract is JSON")
});

static VALIDATORS: LazyLock<[(&str, Validator); 4]> = LazyLock::new(|| {
    ["Release", "Attachment", "Repository", "APIError"].map(|name| {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/$defs/{name}"),
            "$defs": DESCRIPTION["$defs"],
        });
        let options = jsonschema::options().should_validate_formats(true);
        (name, options.build(&schema).expect("a schema"))
    })
});

/// What is wrong with `value` as a `name`, or a list of them, in words.
pub fn violation(name: &str, value: &Value) -> Option<String> {
    let (_, validator) = VALIDATORS.iter().find(|(known, _)| *known == name).expect("a definition");
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let problems: Vec<_> = items
        .iter()
        .flat_map(|item| validator.iter_errors(item))
        .map(|error| format!("{name}{}: {error}", error.instance_path()))
        .collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_the_description_is_noticed() {
        let good = json!({ "id": 1, "name": "a", "created_at": "2026-01-01T00:00:00Z" });
        assert_eq!(violation("Attachment", &good), None);
        for (key, value) in
            [("id", json!("1")), ("created_at", json!("yesterday")), ("colour", json!("red"))]
        {
            let mut broken = good.clone();
            broken[key] = value;
            assert!(violation("Attachment", &json!([good, broken])).is_some(), "{key}");
        }
    }
}

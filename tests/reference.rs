//! The reference in `docs/reference` is what forge itself says. `FORGE_WRITE_REFERENCE=1 cargo test
//! reference` writes it.

use std::{collections::BTreeSet, env, fs, path::Path};

use forge::cli::reference::{JSON_DOCUMENTS, TOPICS};
use regex::Regex;
use serde_json::Value;

use crate::{architecture::sources, support::Sandbox};

/// What forge says to its own children, or only looks for.
const INTERNAL: &[&str] = &[
    "FORGE_TEXT",
    "FORGE_SURELY_UNSET",
    "FORGE_GITLAB_TOKEN",
    "PATH",
    "REQUEST_METHOD",
    "FORGE_BUILT_COMMIT",
    "FORGE_BUILT_DATE",
];

#[test]
fn the_reference_is_what_forge_says() {
    let mut stale = Vec::new();
    for topic in TOPICS {
        let path = Path::new("docs/reference").join(topic.name).with_extension("md");
        let page = topic.markdown();
        if env::var_os("FORGE_WRITE_REFERENCE").is_some() {
            fs::create_dir_all("docs/reference").expect("the folder");
            fs::write(&path, &page).expect("the page");
        }
        if fs::read_to_string(&path).unwrap_or_default() != page {
            stale.push(path.display().to_string());
        }
    }
    assert!(
        stale.is_empty(),
        "not what forge says: {}\nhelp: `FORGE_WRITE_REFERENCE=1 cargo test reference` writes them",
        stale.join(", ")
    );
}

#[test]
fn every_variable_that_forge_reads_is_in_the_reference() {
    let page = fs::read_to_string("docs/reference/environment.md").expect("the page");
    let read = Regex::new(r#"(?:environment|get|path|raw|given|set|variable)\((?:\w+, )?"([A-Z_]{4,})"\)|"(FORGE_[A-Z_]+)""#).unwrap();
    let mut missing = BTreeSet::new();
    for path in sources(Path::new("src")) {
        let place = path.display().to_string();
        // What hosts of CI say of a run is described by host.
        if place.contains("tests") || place.contains("provenance") || place.contains("taskfile") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for found in read.captures_iter(code) {
            let name = found.get(1).or(found.get(2)).expect("a name").as_str();
            let internal =
                INTERNAL.contains(&name) || name.starts_with("GIT_") || name.starts_with("SSH_");
            if !internal && !page.contains(&format!("`{name}`")) {
                missing.insert(format!("{name} ({place})"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The keys of a document with the kinds of their values, as the reference writes them.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<(String, &'static str)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = if path == "groups" { "NAME" } else { key };
                let dot = if path.is_empty() { "" } else { "." };
                keys(value, &format!("{path}{dot}{key}"), found);
            }
        }
        Value::Array(values) => {
            for value in values {
                keys(value, &format!("{path}[]"), found);
            }
        }
        Value::Null => drop(found.insert((path.to_owned(), "?"))),
        Value::Bool(_) => drop(found.insert((path.to_owned(), "b"))),
        Value::Number(_) => drop(found.insert((path.to_owned(), "n"))),
        Value::String(_) => drop(found.insert((path.to_owned(), "t"))),
    }
}

#[test]
fn the_documents_of_json_have_the_keys_that_the_reference_tells() {
    let head = "environments: { test: {} }\ngroups: { all: [tool, lib] }\ntasks: { test: { run: tool, needs: lib, with: { a: b } } }";
    let sandbox = Sandbox::with_store().head(head).script("lib", "v1").script("tool", "v1");
    let spec = sandbox.read("subsystems/tool.yml");
    sandbox.write("subsystems/tool.yml", &format!("{spec}deploy: 'true'\n"));
    sandbox.forge("release:binary tool").succeeds();
    let mut wrong = Vec::new();
    for (command, _, documented) in JSON_DOCUMENTS {
        let words = match *command {
            "history" => "history tool",
            "deploy" => "deploy test",
            "lint:title" => "lint:title nonsense",
            "plan" => "plan --force",
            "explain" => "explain all",
            "explain TASK" => "explain test",
            "why" => "why lib",
            "which" => "which tool",
            other => other,
        };
        let output = sandbox.forge(&format!("{words} --json")).run().stdout();
        let document: Value =
            serde_json::from_str(&output).unwrap_or_else(|e| panic!("{words}: {e}"));
        let mut found = BTreeSet::new();
        keys(&document, "", &mut found);
        for (key, kind) in found {
            // A list that is empty shows nothing of its elements, and one that is `null` not even that.
            let known = documented
                .iter()
                .find(|(path, ..)| path.trim_end_matches("[]") == key.trim_end_matches("[]"));
            let fits = known.is_some_and(|(path, told, _)| {
                told.starts_with(kind)
                    || (kind == "?" && (told.ends_with('?') || path.ends_with("[]")))
            });
            if !fits && key != "schema" {
                wrong.push(format!("{command}: {key} ({kind}), told as {known:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_fields_of_a_fingerprint_are_in_its_page() {
    let page = fs::read_to_string("docs/concepts/fingerprint.md").expect("the page");
    let code = fs::read_to_string("src/engine/probe/want.rs").expect("a source");
    let field = Regex::new(r#"\.add\("(\w+)""#).unwrap();
    let fields: BTreeSet<_> = field.captures_iter(&code).map(|it| it[1].to_owned()).collect();
    assert!(fields.len() > 8, "{fields:?}");
    for name in fields {
        assert!(page.contains(&format!("`{name}`")), "docs/concepts/fingerprint.md lacks {name}");
    }
}

//! The reference in `docs/reference` is what forge itself says. `FORGE_WRITE_REFERENCE=1 cargo test
//! reference` writes it.

use std::{collections::BTreeSet, env, fs, path::Path};

use forge::cli::reference::{JSON_DOCUMENTS, TOPICS};
use regex::Regex;

use crate::{
    architecture::sources,
    support::{Sandbox, documents, git},
};

/// What forge says to its own children, or only looks for.
const INTERNAL: &[&str] = &[
    "FORGE_TEXT",
    "FORGE_SURELY_UNSET",
    "FORGE_GITLAB_TOKEN",
    "PATH",
    "REQUEST_METHOD",
    "FORGE_BUILT_COMMIT",
    "FORGE_BUILT_DATE",
    "FORGE_SERVE_",
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

#[test]
fn the_documents_of_json_are_as_their_schemas_say() {
    let head = "environments: { test: {} }\ngroups: { all: [tool, lib] }\nenv: { A: b }\ntasks: { test: { run: tool, needs: lib, with: { a: b } } }";
    let sandbox = Sandbox::with_store().head(head).script("lib", "v1").script("tool", "v1");
    let spec = sandbox.read("subsystems/tool.yml");
    sandbox.write("subsystems/tool.yml", &format!("{spec}deploy: 'true'\n"));
    git(&sandbox.root(), &["init", "--quiet"]);
    git(&sandbox.root(), &["add", "."]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", "feat: begin"]);
    let mut wrong = Vec::new();
    for words in [
        "plan --force",
        "ensure",
        "status",
        "verify",
        "list",
        "check",
        "explain all",
        "explain test",
        "graph",
        "tree",
        "why lib",
        "which tool",
        "ps",
        "logs",
        "cache",
        "cache prune",
        "cache verify",
        "package",
        "outdated",
        "release:list",
        "release:wait",
        "release:audit",
        "release:prune --keep 1",
        "release:notes",
        "release:all",
        "history tool",
        "ci --plan",
        "ci",
        "doctor",
        "add pc --dry-run",
        "bump tool v2 --dry-run",
        "env",
        "fmt --dry-run",
        "affected",
        "matrix",
        "changelog",
        "lint:title nonsense",
        "deploy test",
        "deployments",
    ] {
        let output = sandbox.forge(&format!("{words} --json")).run().stdout();
        match serde_json::from_str(&output) {
            Ok(document) => wrong.extend(documents::misfit(words, &document)),
            Err(error) => wrong.push(format!("{words}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_document_has_a_schema_that_forge_prints() {
    let sandbox = Sandbox::new();
    for (name, ..) in JSON_DOCUMENTS {
        let schema = sandbox.forge("schema").arg(name).succeeds().json();
        jsonschema::draft202012::meta::validate(&schema).expect("a schema");
        assert_eq!(schema["properties"]["schema"]["const"], 1, "{name}");
    }
    sandbox.forge("schema nothing").exits(2).says("does not know `nothing`");
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

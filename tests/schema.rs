//! What `forge schema` prints fits what forge reads.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::Sandbox;

fn schema(of: &str) -> jsonschema::Validator {
    let sandbox = Sandbox::new();
    let schema = sandbox.forge("schema").arg(of).succeeds().json();
    jsonschema::draft202012::meta::validate(&schema).expect("a schema");
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn document(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every manifest and spec of a workspace of this repository.
fn files(root: &Path) -> (Vec<std::path::PathBuf>, Vec<std::path::PathBuf>) {
    let mut specs = Vec::new();
    for entry in fs::read_dir(root.join("subsystems")).expect("specs").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            specs.push(path);
        } else if path.join("subsystem.yml").exists() {
            specs.push(path.join("subsystem.yml"));
        }
    }
    (vec![root.join("versions.yml")], specs)
}

fn workspaces() -> Vec<std::path::PathBuf> {
    let examples = fs::read_dir("examples").expect("examples").flatten().map(|e| e.path());
    let mut roots: Vec<_> = examples.filter(|path| path.join("versions.yml").exists()).collect();
    roots.push(".".into());
    roots
}

#[test]
fn editors_find_the_schemas_where_the_files_of_init_say() {
    let sandbox = Sandbox::new();
    let root = sandbox.beside("new");
    sandbox.forge("init").arg(&root).succeeds();
    for (file, of) in [("versions.yml", "manifest"), ("subsystems/hello.yml", "spec")] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let line = text.lines().next().unwrap();
        let path = line.strip_prefix("# yaml-language-server: $schema=").expect(line);
        let schema = || fs::read_to_string(root.join(file).parent().unwrap().join(path)).unwrap();
        let printed = sandbox.forge("schema").arg(of).succeeds().stdout();
        assert_eq!(schema(), printed);
        assert!(printed.contains("\"$id\": \"urn:forge:schema:"), "{printed}");
        // In a clone, where `.forge` is missing, `ensure` makes them.
        fs::remove_dir_all(root.join(".forge")).unwrap();
        sandbox.forge("ensure").within(&root).succeeds();
        assert_eq!(schema(), printed);
    }
}

#[test]
fn every_file_of_the_examples_fits_the_schema() {
    let (manifest, spec) = (schema("manifest"), schema("spec"));
    let mut count = 0;
    for root in workspaces() {
        let (manifests, specs) = files(&root);
        for (schema, paths) in [(&manifest, manifests), (&spec, specs)] {
            for path in paths {
                count += 1;
                if let Err(error) = schema.validate(&document(&path)) {
                    panic!("{}: {error} at {}", path.display(), error.instance_path());
                }
            }
        }
    }
    assert!(count > 8, "only {count} files were found");
}

#[test]
fn every_workspace_of_this_repository_has_no_problems() {
    let sandbox = Sandbox::new();
    for root in workspaces() {
        let root = fs::canonicalize(root).expect("a folder");
        sandbox.forge("check").within(&root).succeeds();
    }
}

#[test]
fn what_forge_refuses_the_schema_refuses_too() {
    let spec = schema("spec");
    for text in [
        "bulid: { run: x }",
        "build: { run: x, go: . }",
        "build: {}",
        "source: { git: x, path: y }\nbuild: { run: x }",
        "source: { archive: x }\nbuild: { run: x }",
        "package: rar",
        "upstream: { url: x }",
        "needs: { a: b }",
    ] {
        let document: Value = serde_yaml::from_str(text).unwrap();
        assert!(!spec.is_valid(&document), "{text}");
        let sandbox = Sandbox::new().spec("hello", "v1", text);
        sandbox.forge("check").exits(2);
    }
    let manifest = schema("manifest");
    for text in ["project: x", "versions: [a]", "versions: {a: v1}\nextra: 1"] {
        assert!(!manifest.is_valid(&serde_yaml::from_str(text).unwrap()), "{text}");
    }
}

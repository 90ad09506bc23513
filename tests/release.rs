//! Releasing on request: idempotent, never over anything, with provenance; another recipe at the
//! same version is the next revision.

use std::fs;

use crate::support::Sandbox;

/// A subsystem of no source in the workspace, whose binary prints `text`.
fn recipe(text: &str) -> String {
    format!("build: {{ run: \"printf '#!/bin/sh\\\\necho {text}\\\\n' > {{{{ out }}}}/tool\" }}\n")
}

fn files(sandbox: &Sandbox, tag: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(sandbox.beside("store").join(tag))
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

const ASSET: &str = "tool-linux-amd64.tar.gz";

/// The variables of a push to the default branch in GitHub Actions.
pub fn on_main(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let event = sandbox.beside("event.json");
    fs::write(&event, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
    vec![
        ("CI", "true".into()),
        ("GITHUB_ACTIONS", "true".into()),
        ("GITHUB_EVENT_NAME", "push".into()),
        ("GITHUB_REF", "refs/heads/main".into()),
        ("GITHUB_REPOSITORY", "acme/stack".into()),
        ("GITHUB_WORKFLOW_REF", "acme/stack/.github/workflows/ci.yml@refs/heads/main".into()),
        ("GITHUB_RUN_ID", "7".into()),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567".into()),
        ("GITHUB_EVENT_PATH", event.display().to_string()),
    ]
}

fn statement(sandbox: &Sandbox, file: &str) -> serde_json::Value {
    let text = fs::read_to_string(sandbox.beside("store/tool-v1").join(file)).unwrap();
    serde_json::from_str(text.trim()).unwrap()
}

#[test]
fn a_release_holds_the_asset_its_checksum_and_its_provenance() {
    let sandbox = Sandbox::with_store().spec("tool", "v1", &recipe("one"));
    sandbox.forge("release:binary tool").succeeds().says("built and published").says("released");
    let names = [ASSET, &format!("{ASSET}.intoto.jsonl"), &format!("{ASSET}.sha256")];
    assert_eq!(files(&sandbox, "tool-v1"), names);
    let statement = statement(&sandbox, names[1]);
    let digest = crate::support::sha256(&fs::read(sandbox.asset("tool-v1")).unwrap());
    assert_eq!(statement["subject"][0]["name"], ASSET);
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.as_str());
    assert_eq!(statement["predicate"]["runDetails"]["builder"]["id"], "forge:laptop");
    let text = statement.to_string();
    assert!(!text.contains(&*sandbox.root().to_string_lossy()), "{text}");

    let before = sandbox.listing();
    sandbox.forge("release:binary tool").succeeds().says("1 fresh");
    sandbox.forge("release:all").succeeds();
    let store = |path: &&std::path::PathBuf| path.starts_with("store");
    let after = sandbox.listing();
    assert!(
        before
            .iter()
            .filter(|(path, _)| store(path))
            .eq(after.iter().filter(|(path, _)| store(path)))
    );
}

#[test]
fn another_recipe_at_the_same_version_is_the_next_revision() {
    let mut sandbox = Sandbox::with_store().spec("tool", "v1", &recipe("one"));
    sandbox.forge("release:binary tool").succeeds();
    let old = sandbox.clone_fresh();
    sandbox = sandbox.file("subsystems/tool.yml", &recipe("two"));
    // Whoever only wants the binary takes what is released, and is told.
    sandbox.forge("ensure").succeeds().says("built by another recipe").says("release:binary tool");
    sandbox.forge("release:binary tool").succeeds().says("built and published");
    assert_eq!(files(&sandbox, "tool-v1-r2")[0], ASSET);
    assert!(sandbox.read("forge.lock").contains("revision: 2"), "{}", sandbox.read("forge.lock"));
    assert_eq!(sandbox.run_binary("tool"), "two\n");
    sandbox.forge("release:binary tool").succeeds().says("1 fresh");

    // By the lock, or without one: the last revision.
    let new = sandbox.clone_fresh();
    new.forge("ensure").succeeds().says("1 downloaded");
    assert_eq!(new.run_binary("tool"), "two\n");
    let unlocked = sandbox.clone_fresh();
    fs::remove_file(unlocked.path("forge.lock")).unwrap();
    unlocked.forge("ensure").succeeds().says("1 downloaded");
    assert_eq!(unlocked.run_binary("tool"), "two\n");
    assert!(unlocked.read("forge.lock").contains("revision: 2"));

    // And whoever is still at the old commit gets what that commit locked.
    old.forge("ensure --locked").succeeds().says("1 downloaded");
    assert_eq!(old.run_binary("tool"), "one\n");
}

#[test]
fn code_in_the_workspace_needs_a_new_version() {
    let sandbox = Sandbox::with_store().script("tool", "v1");
    sandbox.forge("release:binary tool").succeeds();
    sandbox.write("code/tool/tool.sh", "#!/bin/sh\necho changed\n");
    let run = sandbox.forge("release:binary tool").exits(4);
    run.says("tool-v1 is released already, from other inputs").says("give tool a new version");
    assert!(files(&sandbox, "tool-v1-r2").is_empty());
}

#[test]
fn a_build_that_comes_out_differently_is_a_conflict_with_both_digests() {
    let spec = "build: { run: \"(echo '#!/bin/sh'; date +%N) > {{ out }}/tool\" }\n";
    let sandbox = Sandbox::with_store().spec("tool", "v1", spec);
    sandbox.forge("release:binary tool").succeeds();
    let theirs = crate::support::sha256(&fs::read(sandbox.asset("tool-v1")).unwrap());
    let run = sandbox.forge("release:binary tool --force").exits(4);
    run.says("holds another tool-v1/tool-linux-amd64.tar.gz").says(&theirs);
    let kept = crate::support::sha256(&fs::read(sandbox.asset("tool-v1")).unwrap());
    assert_eq!(kept, theirs);
    assert!(files(&sandbox, "tool-v1-r2").is_empty());
}

#[test]
fn ci_promotes_what_it_makes_bit_for_bit() {
    let sandbox = Sandbox::with_store().spec("tool", "v1", &recipe("one"));
    sandbox.forge("release:binary tool").succeeds();
    sandbox.forge("promote tool").exits(2).says("adds the word of CI");
    let ci = sandbox.clone_fresh();
    let mut forge = ci.forge("promote tool");
    for (key, value) in on_main(&sandbox) {
        forge = forge.env(key, value);
    }
    forge.succeeds().says("promoted");
    let first = statement(&sandbox, &format!("{ASSET}.intoto.jsonl"));
    assert_eq!(first["predicate"]["runDetails"]["builder"]["id"], "forge:laptop");
    let promotion = statement(&sandbox, &format!("{ASSET}.ci.intoto.jsonl"));
    assert_eq!(
        promotion["predicate"]["runDetails"]["builder"]["id"],
        "https://github.com/acme/stack/.github/workflows/ci.yml@refs/heads/main"
    );
    assert_eq!(promotion["subject"], first["subject"]);
}

#[test]
fn what_cannot_be_released_is_said_before_anything_is_built() {
    let mut sandbox = Sandbox::with_store().script("tool", "v1");
    sandbox.forge("release:binary tool --no-publish").exits(2).says("--no-publish forbids it");
    sandbox.forge("release:binary tool --locked").exits(2).says("a release changes it");
    sandbox.forge("release:binary").exits(2);
    sandbox.releases_from("http://127.0.0.1:9/releases");
    sandbox.forge("release:binary tool").exits(2).says("it is only read");
    assert_eq!(sandbox.builds(), 0);
}

#[test]
fn sealed_is_a_word_of_the_manifest() {
    let sandbox = Sandbox::with_store().head("sealed: maybe").script("tool", "v1");
    sandbox.forge("check").exits(2).says("versions.yml:2:9");
}

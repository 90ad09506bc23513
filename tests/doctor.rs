//! `forge doctor`: what would fail is told before it does, with what to do.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::support::{Run, Sandbox, Server};

/// The checks of a `--json` run about `topic`, and `subject` if that is not empty.
fn checks(run: &Run, topic: &str, subject: &str) -> Vec<Value> {
    let document = run.json();
    let all = document["checks"].as_array().expect("checks").clone();
    let is_it = |check: &Value| {
        check["topic"] == topic && (subject.is_empty() || check["subject"] == subject)
    };
    all.into_iter().filter(is_it).collect()
}

fn check(run: &Run, topic: &str, subject: &str) -> Value {
    let found = checks(run, topic, subject);
    assert_eq!(found.len(), 1, "{topic} {subject}: {found:#?}\n{run}");
    found.into_iter().next().expect("one")
}

/// A program for the sandbox's own folder of programs, which stands first on PATH.
fn program(sandbox: &Sandbox, name: &str, script: &str) {
    let folder = sandbox.beside("programs");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn doctor(sandbox: &Sandbox) -> crate::support::Invocation {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", sandbox.beside("programs").display());
    sandbox.forge("doctor --json").env("PATH", path)
}

#[test]
fn where_all_is_well_it_says_so_and_changes_nothing() {
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0");
    let before = sandbox.listing();
    let run = sandbox.forge("doctor").succeeds();
    run.says("all is well").says("1 subsystem in ").says(&sandbox.root().display().to_string());
    run.says("yes: the store is a folder on this machine");
    run.says("a laptop").says("assets of anybody who may publish are taken");
    run.says("your cache").says("writable, ");
    assert_eq!(sandbox.listing(), before, "it changed something");
    let run = doctor(&sandbox).succeeds();
    let document = run.json();
    assert_eq!(document["ok"], true);
    assert_eq!(document["forge"], env!("CARGO_PKG_VERSION"));
    assert!(document["platform"].as_str().is_some_and(|platform| platform.contains('-')));
    assert_eq!(check(&run, "workspace", "work")["state"], "good");
    let store = check(&run, "store", "");
    assert_eq!(
        store["found"],
        "may be read; whether it may be written shows when it is; the folder is not there yet; publishing makes it"
    );
    sandbox.forge("ensure").succeeds();
    assert_eq!(
        check(&doctor(&sandbox).succeeds(), "store", "")["found"],
        "may be read and written"
    );
}

#[test]
fn the_store_of_ones_own_is_examined_too() {
    let sandbox = Sandbox::new().script("hello", "v1.0.0");
    let run = doctor(&sandbox).succeeds();
    let store = check(&run, "store", "");
    assert!(store["subject"].as_str().unwrap().contains("/data/releases/"), "{store}");
}

const TOOLS: &str = "build:\n  run: cp a {{ out }}/a\n  tools: { frobnicate: '1.26', sh: '' }\n";

#[test]
fn tools_that_are_missing_or_of_another_version_are_told() {
    let spec = TOOLS.replace(", sh: ''", "");
    let sandbox = Sandbox::new().spec("a", "v1", &spec);
    let run = doctor(&sandbox).exits(1);
    let tool = check(&run, "tool", "frobnicate");
    assert_eq!(
        (&tool["state"], &tool["what"]),
        (&"bad".into(), &"frobnicate is not installed".into())
    );
    assert_eq!(tool["why"][0], "a is built with it");
    assert!(tool["help"].as_str().unwrap().contains("put it on PATH"));
    sandbox
        .forge("doctor")
        .exits(1)
        .says("error: frobnicate is not installed")
        .says("1 thing would fail");

    // Answers to `version` only, as go does.
    let answer =
        |version: &str| format!("test \"$1\" = version && echo frobnicate version {version}");
    program(&sandbox, "frobnicate", &answer("go1.25.3"));
    let run = doctor(&sandbox).exits(1);
    let tool = check(&run, "tool", "frobnicate");
    assert_eq!(tool["what"], "frobnicate is not the 1.26 that a is built with");
    assert_eq!(tool["found"], "frobnicate version go1.25.3");
    program(&sandbox, "frobnicate", &answer("go1.26.1"));
    let run = doctor(&sandbox).succeeds();
    assert_eq!(check(&run, "tool", "frobnicate")["found"], "frobnicate version go1.26.1");
}

#[test]
fn a_tool_that_forge_builds_itself_needs_no_installing() {
    let sandbox = Sandbox::new().script("frobnicate", "v1").spec(
        "a",
        "v1",
        "build_needs: [frobnicate]\nbuild: { run: frobnicate, tools: [frobnicate] }\n",
    );
    let run = doctor(&sandbox).succeeds();
    assert!(checks(&run, "tool", "").is_empty(), "{run}");
}

#[test]
fn git_is_looked_at_where_a_source_needs_it() {
    let spec = "source: { git: 'https://example.org/x.git' }\nbuild: { run: x }\n";
    let sandbox = Sandbox::new().spec("x", "v1", spec);
    program(&sandbox, "git", "echo git version 9.8.7");
    let run = doctor(&sandbox).succeeds();
    assert_eq!(check(&run, "tool", "git")["found"], "git version 9.8.7");
    let run = sandbox.forge("doctor --json").env("PATH", sandbox.beside("none")).exits(1);
    let git = check(&run, "tool", "git");
    assert_eq!(git["what"], "git is not installed");
    assert_eq!(git["why"][0], "the source of x is fetched with it");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let sandbox = Sandbox::new().script("hello", "v1.0.0");
    fs::write(sandbox.beside("cache"), "").unwrap();
    let run = doctor(&sandbox).exits(1);
    let cache = check(&run, "folder", "your cache");
    assert_eq!(cache["state"], "bad");
    assert!(cache["why"][0].as_str().unwrap().ends_with("/cache is not a folder"), "{cache}");
}

#[test]
fn without_a_workspace_that_can_be_read_the_machine_is_examined() {
    let sandbox = Sandbox::new();
    let run = doctor(&sandbox).exits(1);
    assert_eq!(check(&run, "workspace", "versions.yml")["state"], "bad");
    assert_eq!(check(&run, "folder", "your cache")["state"], "good");
    let sandbox = Sandbox::new().spec("x", "v1", "biuld: { run: x }\n").head("trust: all");
    let run = doctor(&sandbox).exits(1);
    let workspace = check(&run, "workspace", "versions.yml");
    assert_eq!(workspace["what"], "the workspace has 2 problems");
    assert_eq!(workspace["help"], "`forge check` shows each with its place");
}

#[test]
fn stores_are_examined_one_by_one() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.beside("served")).unwrap();
    let server = Server::serve(&sandbox.beside("served"));
    let (folder, url) = (sandbox.beside("store"), server.url());
    let head = format!("releases: ['dir:{}', '{url}']", folder.display());
    let sandbox = sandbox.head(&head).script("hello", "v1.0.0");
    let run = doctor(&sandbox).succeeds();
    assert_eq!(check(&run, "store", &url)["state"], "good");
    let asked = server.requests().len();
    let run = sandbox.forge("doctor --json --offline").succeeds();
    assert_eq!(check(&run, "store", &url)["found"], "not asked: --offline");
    assert_eq!(server.requests().len(), asked);
    assert_eq!(checks(&run, "publishing", "").len(), 1, "only the first store is published to");
}

#[test]
fn a_store_that_is_only_read_is_never_published_to() {
    let mut sandbox = Sandbox::new().script("hello", "v1.0.0");
    sandbox.releases_from("http://127.0.0.1:1/releases");
    let run = sandbox.forge("doctor --json --offline").succeeds();
    let publishing = check(&run, "publishing", "http://127.0.0.1:1/releases");
    assert_eq!(publishing["found"], "never: the store is only read");
}

#[test]
fn ci_is_told_apart_from_a_laptop() {
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0").head("trust: ci");
    let run = doctor(&sandbox)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "pull_request")
        .env("GITHUB_REF", "refs/pull/7/merge")
        .succeeds();
    let told = check(&run, "surroundings", "this run");
    assert_eq!(told["found"], "GitHub Actions, pull_request at refs/pull/7/merge");
    let trust = check(&run, "trust", "ci");
    assert_eq!(
        (&trust["state"], &trust["what"]),
        (&"note".into(), &"the CI of any repository is trusted".into())
    );
    sandbox.forge("doctor").succeeds().says("nothing would fail; 1 thing is worth knowing");
}

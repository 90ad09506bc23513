//! Several platforms: cross-built where that is possible, refused honestly where it is not,
//! together in one release.

use std::fs;

use crate::support::{Sandbox, is_here};

const FOUR: &str = "platforms: [linux-amd64, linux-arm64, darwin-arm64, windows-amd64]";

/// A Go program that needs no modules.
fn go_program(sandbox: Sandbox) -> Sandbox {
    sandbox
        .file("code/hi/go.mod", "module example.org/hi\n\ngo 1.21\n")
        .file("code/hi/main.go", "package main\n\nfunc main() { println(\"hi\") }\n")
        .spec("hi", "v1", "source: { path: code/hi }\nbuild: { go: . }\n")
}

#[test]
fn go_builds_for_every_platform_on_one_machine() {
    if !is_here("go") {
        return;
    }
    let sandbox = go_program(Sandbox::with_store().head(FOUR));
    let run = sandbox
        .forge("ensure --all-platforms --json")
        .env("GOCACHE", std::env::temp_dir().join("forge-test-go-cache"))
        .succeeds();
    let document = run.json();
    let platforms: Vec<&str> = document["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|artifact| artifact["platform"].as_str().unwrap())
        .collect();
    assert_eq!(platforms.len(), 4, "{run}");
    let mut names: Vec<_> = fs::read_dir(sandbox.beside("store/hi-v1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".sha256") && !name.ends_with(".jsonl"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "hi-darwin-arm64.tar.gz",
            "hi-linux-amd64.tar.gz",
            "hi-linux-arm64.tar.gz",
            "hi-windows-amd64.tar.gz"
        ]
    );
    sandbox.forge("verify --all-platforms").succeeds().says("4 verified");
    assert!(sandbox.path(".forge/installed/hi@windows-amd64/hi.exe").exists());
    // Only what runs here goes on PATH.
    assert_eq!(fs::read_dir(sandbox.path(".forge/bin")).unwrap().count(), 1);
    let lock = sandbox.read("forge.lock");
    assert!(lock.contains("darwin-arm64") && lock.contains("windows-amd64"), "{lock}");
    // Another machine downloads all of them.
    let clone = sandbox.clone_fresh();
    let run = clone.forge("ensure --all-platforms").succeeds();
    run.says("4 downloaded");
}

#[test]
fn a_script_is_for_every_platform() {
    let three = "platforms: [linux-amd64, linux-arm64, darwin-arm64]";
    let sandbox = Sandbox::with_store().head(three).script("hello", "v1");
    sandbox.forge("ensure --all-platforms").succeeds().says("hello (linux-arm64)");
    assert_eq!(sandbox.builds(), 3);
    sandbox.forge("ensure --all-platforms").succeeds().says("3 fresh");
}

#[test]
fn a_build_that_ignores_the_platform_is_refused_with_what_to_do() {
    let sandbox =
        Sandbox::with_store().spec("tool", "v1", "build: { run: 'cp /bin/sh {{ out }}/tool' }\n");
    let run = sandbox.forge("ensure --platform linux-arm64").exits(4);
    run.says("`tool` does not run on linux-arm64")
        .says("{{ os }} and {{ arch }}")
        .says("a machine that is linux-arm64");
    assert!(!sandbox.beside("store/tool-v1").exists());
}

#[test]
fn the_tools_of_a_build_are_those_of_this_machine() {
    let sandbox = Sandbox::with_store()
        .script("maker", "v1")
        .spec("made", "v1", "build_needs: [maker]\nbuild: { run: 'maker > {{ out }}/made' }\n")
        .head("platforms: [linux-arm64]");
    // What the tool prints is not a program, so it is given a first line.
    sandbox.write(
        "subsystems/made.yml",
        "build_needs: [maker]\nbuild: { run: \"printf '#!/bin/sh\\\\n' > {{ out }}/made; maker >> {{ out }}/made\" }\n",
    );
    let run = sandbox.forge("ensure made --all-platforms").succeeds();
    run.says("made (linux-arm64)").keeps_quiet_about("maker (linux-arm64)");
    assert!(sandbox.path(".forge/installed/maker/maker").exists());
    assert!(sandbox.path(".forge/installed/made@linux-arm64/made").exists());
}

#[test]
fn what_cannot_be_cross_built_is_refused_before_anything_is_fetched() {
    if !is_here("go") || !is_here("cargo") {
        return;
    }
    let sandbox = Sandbox::with_store()
        .spec("a", "v1.0.0", "build: { go: { install: example.invalid/a } }\n")
        .spec("b", "1.0.0", "build: { cargo: { install: b, target: s390x-unknown-none } }\n");
    let run = sandbox.forge("ensure --platform linux-s390x").exits(1);
    run.says("cannot build a (linux-s390x) on linux-amd64")
        .says("`go: {module: …}` builds them")
        .says("this machine's Rust has no standard library for s390x-unknown-none")
        .says("rustup target add s390x-unknown-none");
}

//! Nothing is published under a version that is not its own: no placeholder, nothing of a later commit,
//! nothing that is not committed, whatever command asks for it.

use std::{fs, path::Path};

use crate::release::on_main;
use crate::support::{
    Sandbox, git,
    github::{GitHub, Role},
    is_here,
};

const SPEC: &str = "\
source: { path: code }
build: { run: \"printf '#!/bin/sh\\necho {{ version }}\\n' > {{ out }}/api && chmod +x {{ out }}/api\" }
";

/// A component with code in a repository that has a remote; `version` stands in `versions.yml`.
fn api(version: &str) -> Sandbox {
    let sandbox = Sandbox::with_store()
        .file("subsystems/api.yml", SPEC)
        .file("code/text", "one\n")
        .file("words", "one\n")
        .file(".gitignore", ".forge/\nforge.lock\n");
    let manifest = sandbox.read("versions.yml");
    sandbox.write(
        "versions.yml",
        &manifest.replace("versions:\n", &format!("versions:\n  api: {version}\n")),
    );
    let above = sandbox.beside("");
    git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
    git(&above, &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
    let origin = sandbox.beside("origin.git");
    git(&sandbox.root(), &["remote", "add", "origin", origin.to_str().expect("a path")]);
    commit(&sandbox, "code/text", "feat: answers");
    sandbox
}

fn commit(sandbox: &Sandbox, path: &str, message: &str) {
    sandbox.write(path, message);
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD:main", "--tags"]);
}

/// The releases in the store.
fn released(sandbox: &Sandbox) -> Vec<String> {
    let Ok(entries) = fs::read_dir(sandbox.beside("store")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

fn checkout(root: &Path, reference: &str) {
    git(root, &["fetch", "--quiet", "--tags"]);
    git(root, &["checkout", "--quiet", reference]);
}

#[test]
fn what_a_scheme_versions_is_published_at_its_tag_alone() {
    if !is_here("git") {
        return;
    }
    let sandbox = api("{ scheme: commits, first: 1.0.0 }");
    // Nothing goes out under the placeholder.
    sandbox.forge("ensure api").succeeds().keeps_quiet_about("warning");
    assert_eq!(released(&sandbox), Vec::<String>::new());
    git(&sandbox.root(), &["tag", "-m", "x", "api-1.0.0"]);
    commit(&sandbox, "code/text", "fix: later");
    let not_this = |words: &str| {
        let run = sandbox.forge(words).env("CI", "true").succeeds();
        run.says("api is not published: it is not 1.0.0").says("the git tag `api-1.0.0` is of the");
        assert_eq!(released(&sandbox), Vec::<String>::new(), "{words}");
    };
    not_this("ensure api");
    not_this("ensure api --publish --force");
    // Said once; then there is nothing to do.
    sandbox.forge("ensure api").succeeds().keeps_quiet_about("not published");
    // A bundle that is called by a version holds what that version is.
    git(&sandbox.root(), &["tag", "v1.0.0"]);
    sandbox.write("forge.lock", "api:\n  version: 1.0.0\n");
    sandbox.forge("package:bundle api").exits(2).says("cannot bundle api: it is not 1.0.0");
    // Another file than the component's: still another commit.
    checkout(&sandbox.root(), "api-1.0.0");
    git(&sandbox.root(), &["commit", "--quiet", "--allow-empty", "-m", "docs: words"]);
    sandbox.forge("ensure api").succeeds().says("is checked out");
    checkout(&sandbox.root(), "api-1.0.0");
    sandbox.write("code/text", "not committed\n");
    sandbox.forge("ensure api").succeeds().says("code/text differs from the commit of the git tag");
    assert_eq!(released(&sandbox), Vec::<String>::new());
    // At its tag, as it is there.
    git(&sandbox.root(), &["checkout", "--quiet", "--", "."]);
    sandbox.forge("ensure api --force").succeeds().says("published");
    assert_eq!(released(&sandbox), ["api-1.0.0"]);
    // What was left unpublished is published when it gets its own version.
    checkout(&sandbox.root(), "main");
    sandbox.forge("release:binary api").succeeds().says("api 1.0.1: patch");
    assert_eq!(released(&sandbox), ["api-1.0.0", "api-1.0.1"]);
}

#[test]
fn a_clone_whose_tags_differ_from_the_remotes_publishes_nothing() {
    if !is_here("git") {
        return;
    }
    let sandbox = api("{ scheme: commits, first: 1.0.0 }");
    git(&sandbox.root(), &["tag", "-m", "x", "api-1.0.0"]);
    commit(&sandbox, "code/text", "fix: later");
    // Here somebody moved the tag, and nobody else knows.
    git(&sandbox.root(), &["tag", "--force", "-m", "y", "api-1.0.0"]);
    sandbox.forge("ensure api").succeeds().says("the git tag `api-1.0.0` is of the commit");
    assert_eq!(released(&sandbox), Vec::<String>::new());
    // A remote that does not answer says nothing; the next run asks again.
    let lock = "api:\n  version: 1.0.0\n";
    sandbox.write("forge.lock", lock);
    git(&sandbox.root(), &["remote", "set-url", "origin", "/no/such/remote"]);
    sandbox.forge("ensure api --force").succeeds().says("api-1.0.0 is not published");
    assert_eq!(released(&sandbox), Vec::<String>::new());
}

#[test]
fn what_is_pinned_is_published_as_its_tag_has_it_if_there_is_one() {
    if !is_here("git") {
        return;
    }
    let sandbox = api("v1");
    sandbox.forge("ensure api").succeeds().says("published");
    fs::remove_dir_all(sandbox.beside("store")).expect("a store");
    git(&sandbox.root(), &["tag", "api-v1"]);
    // Later commits that do not touch it change nothing of it.
    commit(&sandbox, "words", "docs: words");
    sandbox.forge("ensure api --force").succeeds().says("published");
    fs::remove_dir_all(sandbox.beside("store")).expect("a store");
    commit(&sandbox, "code/text", "fix: later");
    let run = sandbox.forge("ensure api").succeeds();
    run.says("api is not published: it is not v1").says("code/text is another");
    sandbox.forge("release:binary api").exits(2).says("api is not published: it is not v1");
    assert_eq!(released(&sandbox), Vec::<String>::new());
}

/// A component whose tag is of an earlier commit than the one that is checked out, and differs.
fn later_than_its_tag() -> Sandbox {
    let sandbox = api("v1");
    git(&sandbox.root(), &["tag", "api-v1"]);
    commit(&sandbox, "code/text", "fix: later");
    sandbox
}

#[test]
fn the_plan_says_what_will_not_be_published() {
    if !is_here("git") {
        return;
    }
    let sandbox = later_than_its_tag();
    for words in ["plan", "ensure --dry-run"] {
        let run = sandbox.forge(words).succeeds();
        run.says("api is not published: it is not v1").says("code/text is another").says("built");
        run.keeps_quiet_about("then published").keeps_quiet_about("publishing to");
    }
    let json = sandbox.forge("plan --json").succeeds().json();
    assert_eq!(json["actions"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["unpublished"][0]["name"], "api", "{json}");
    // Who asks for the release gets an error.
    let run = sandbox.forge("release:binary api --dry-run").exits(2);
    run.says("api is not published: it is not v1");
    checkout(&sandbox.root(), "api-v1");
    sandbox.forge("plan").succeeds().says("built, then published");
    sandbox.forge("release:binary api --dry-run").succeeds().says("built, then published");
    // What a scheme versions gets a version of its own first.
    let sandbox = api("{ scheme: commits, first: 1.0.0 }");
    git(&sandbox.root(), &["tag", "-m", "x", "api-1.0.0"]);
    commit(&sandbox, "code/text", "fix: later");
    sandbox.forge("plan").succeeds().says("it is not 1.0.0").keeps_quiet_about("then published");
    sandbox.forge("release:binary api --dry-run").succeeds();
}

#[test]
fn whatever_verb_publishes_it_is_refused() {
    if !is_here("git") {
        return;
    }
    for (words, code) in
        [("release:all", 2), ("promote api", 2), ("ci --publish", 0), ("release:binary api", 2)]
    {
        let sandbox = later_than_its_tag();
        let mut forge = sandbox.forge(words);
        for (key, value) in on_main(&sandbox) {
            forge = forge.env(key, value);
        }
        let run = forge.run();
        assert_eq!(run.code(), Some(code), "{words}\n{run}");
        run.says("api is not published: it is not v1");
        assert_eq!(released(&sandbox), Vec::<String>::new(), "{words}");
    }
}

#[test]
fn a_hosted_store_gets_nothing_that_is_not_its_version() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new("acme/stack");
    let sandbox = api("v1");
    let manifest = sandbox.read("versions.yml");
    let (head, rest) = manifest.split_once('\n').expect("the store");
    assert!(head.starts_with("releases:"), "{head}");
    sandbox.write("versions.yml", &format!("releases: github:acme/stack\n{rest}"));
    commit(&sandbox, "words", "chore: releases");
    let with = |words: &str| {
        sandbox
            .forge(words)
            .env("GITHUB_SERVER_URL", github.url())
            .env("GITHUB_API_URL", github.api_url())
            .env("FORGE_GITHUB_TOKEN", github.token(Role::Write))
    };
    git(&sandbox.root(), &["tag", "api-v1"]);
    commit(&sandbox, "code/text", "fix: later");
    for words in ["plan --publish", "ensure --publish"] {
        with(words).succeeds().says("api is not published: it is not v1");
    }
    for words in ["release:binary api", "release:all"] {
        with(words).exits(2).says("api is not published: it is not v1");
    }
    assert!(github.release("api-v1").is_none());
    // The remote's tag counts, not that of this clone.
    git(&sandbox.root(), &["tag", "--force", "api-v1"]);
    with("release:binary api").exits(2).says("api is not published: it is not v1");
    git(&sandbox.root(), &["tag", "--delete", "api-v1"]);
    checkout(&sandbox.root(), "api-v1");
    with("release:binary api").succeeds();
    assert!(github.release("api-v1").is_some());
}

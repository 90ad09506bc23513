//! `forge ci --affected` and `release:all --affected`: a proposed change takes what it affects, the tag
//! of the project takes all.

use std::fs;

use crate::support::{Invocation, Run, Sandbox, git, is_here};

fn push(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "--tags", "origin", "HEAD"]);
}

/// Makes the workspace a repository with a remote beside it.
fn in_git(sandbox: Sandbox) -> Sandbox {
    let sandbox = sandbox.file(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    let top = root.parent().unwrap();
    git(top, &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
    git(&root, &["remote", "add", "origin", sandbox.beside("origin.git").to_str().unwrap()]);
    sandbox
}

/// Two pinned scripts, released as they are; then one of them is changed.
fn changed() -> Sandbox {
    let sandbox = in_git(Sandbox::with_store().script("one", "v1").script("two", "v1"));
    sandbox.forge("release:all").succeeds();
    push(&sandbox, "one");
    for tag in ["one-v1", "two-v1"] {
        git(&sandbox.root(), &["tag", tag]);
    }
    sandbox.write("code/two/two.sh", "#!/bin/sh\necho changed\n");
    push(&sandbox, "two");
    sandbox
}

/// forge in GitHub Actions, as a machine that never built anything.
fn in_actions(sandbox: &Sandbox, words: &str, event: &str, reference: &str) -> Invocation {
    let file = sandbox.beside("event.json");
    fs::write(&file, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
    sandbox
        .forge(words)
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_REF", reference)
        .env("GITHUB_EVENT_PATH", file)
        .env("GITHUB_REPOSITORY", "o/r")
        .env("GITHUB_RUN_ID", "1")
        .env("GIT_COMMITTER_NAME", "a bot")
        .env("GIT_COMMITTER_EMAIL", "bot@example.org")
}

const PULL: &str = "refs/pull/7/merge";
const MAIN: &str = "refs/heads/main";

fn list(run: &Run, key: &str) -> Vec<String> {
    let all = run.json()[key].as_array().cloned().unwrap_or_default();
    all.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pull_request_builds_what_it_affects_and_a_tag_of_the_project_takes_all() {
    if !is_here("git") {
        return;
    }
    let sandbox = changed();
    let clone = sandbox.clone_fresh();
    let plan = in_actions(&clone, "ci --affected --plan", "pull_request", PULL).succeeds();
    plan.says("ci:build    yes   two");
    let run = in_actions(&clone, "ci --affected --json", "pull_request", PULL).succeeds();
    assert_eq!((list(&run, "built"), list(&run, "downloaded")), (vec!["two".into()], vec![]));
    assert!(!clone.path(".forge/bin/one").exists(), "{run}");

    let clone = sandbox.clone_fresh();
    let run = in_actions(&clone, "ci:build --json", "push", "refs/tags/v1.0.0").succeeds();
    assert_eq!(list(&run, "downloaded"), ["one"]);
    let plan = in_actions(&clone, "ci --affected --plan", "push", "refs/tags/v1.0.0").succeeds();
    plan.says("one, two");
    // The tag of a subsystem is none of the project.
    let plan = in_actions(&clone, "ci --affected --plan", "push", "refs/tags/two-v1").succeeds();
    plan.says("ci:build    yes   two").keeps_quiet_about("one, two");
}

#[test]
fn where_nothing_is_affected_nothing_is_done() {
    if !is_here("git") {
        return;
    }
    let sandbox = changed();
    git(&sandbox.root(), &["push", "--quiet", "--force", "origin", "HEAD:refs/tags/two-v1"]);
    let clone = sandbox.clone_fresh();
    in_actions(&clone, "ci --affected", "pull_request", PULL)
        .succeeds()
        .says("nothing is affected");
    clone.forge("release:all --affected").succeeds().says("nothing is affected");
    let run = clone.forge("ci --affected --json").succeeds();
    assert_eq!(run.json()["affected"], serde_json::json!([]));
    assert!(!clone.path(".forge/installed").exists());
}

#[test]
fn names_narrow_what_is_affected() {
    if !is_here("git") {
        return;
    }
    let sandbox = changed();
    in_actions(&sandbox, "ci one --affected", "pull_request", PULL)
        .succeeds()
        .says("nothing is affected");
    sandbox.forge("ci two --affected --plan").succeeds().says("ci:build    yes   two");
    // Without names, the group `ci` is looked at.
    let sandbox = sandbox.head("groups: { ci: [one] }");
    push(&sandbox, "three");
    git(&sandbox.root(), &["push", "--quiet", "--force", "origin", "HEAD:refs/tags/one-v1"]);
    sandbox.forge("ci --affected").succeeds().says("nothing is affected");
}

const SPEC: &str = "\
discover: modules/{component}
version: { scheme: date }
tag: 'module-{{ component }}-{{ version }}'
binary: '{{ component }}'
source: { path: '{{ folder }}' }
build:
  run: |
    printf '#!/bin/sh\\necho %s\\n' \"$(cat text)\" > '{{ out }}/{{ component }}'
    chmod +x '{{ out }}/{{ component }}'
tasks:
  test: test \"$(cat modules/{{ component }}/text)\" != bad
";

/// Two modules whose versions are dates.
fn modules() -> Sandbox {
    let sandbox = Sandbox::with_store()
        .file("subsystems/modules.yml", SPEC)
        .file("modules/ecs/text", "one\n")
        .file("modules/s3/text", "two\n");
    let manifest = sandbox.read("versions.yml").replace("versions:\n", "") + "versions: {}\n";
    sandbox.write("versions.yml", &manifest);
    let sandbox = in_git(sandbox);
    push(&sandbox, "one");
    sandbox
}

fn tags(sandbox: &Sandbox) -> Vec<String> {
    let tags = git(&sandbox.beside("origin.git"), &["tag"]);
    // Midnight may pass meanwhile: what counts is whose they are.
    let stem = |tag: &str| tag.rsplit_once('-').map_or(tag, |(stem, _)| stem).to_owned();
    tags.lines().map(stem).collect()
}

#[test]
fn release_all_takes_what_has_changed_and_on_a_tag_of_the_project_all() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let all = sandbox.forge("release:all --affected --json").succeeds();
    assert_eq!(all.json()["artifacts"].as_array().unwrap().len(), 2, "{all}");
    sandbox.forge("release:all --affected").succeeds().says("nothing is affected");
    sandbox.write("modules/s3/text", "changed\n");
    push(&sandbox, "two");
    sandbox.forge("release:all --affected").succeeds().says("1 built and published");
    assert_eq!(tags(&sandbox), ["module-ecs", "module-s3", "module-s3"]);
    sandbox.write("README.md", "nothing of theirs\n");
    push(&sandbox, "three");
    sandbox.forge("release:all --affected").succeeds().says("nothing is affected");
    let tagged = in_actions(&sandbox, "release:all --affected", "push", "refs/tags/v1.0.0");
    tagged.succeeds();
    assert_eq!(tags(&sandbox), ["module-ecs", "module-ecs", "module-s3", "module-s3", "module-s3"]);
}

#[test]
fn ci_gives_changed_code_its_next_version_after_tests_have_passed() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let run = in_actions(&sandbox, "ci --json", "push", MAIN).succeeds();
    assert_eq!(list(&run, "published"), ["ecs", "s3"], "{run}");
    assert_eq!(tags(&sandbox), ["module-ecs", "module-s3"]);

    // A fresh machine finds all of it released, without a lock too.
    let clone = sandbox.clone_fresh();
    let _ = fs::remove_file(clone.path("forge.lock"));
    let run = in_actions(&clone, "ci --json", "push", MAIN).succeeds();
    assert_eq!(list(&run, "downloaded"), ["ecs", "s3"], "{run}");
    assert!(list(&run, "built").is_empty());

    // What fails its test claims nothing.
    sandbox.write("modules/s3/text", "bad\n");
    push(&sandbox, "two");
    in_actions(&sandbox, "ci", "push", MAIN).exits(1).says("failed: s3:test");
    assert_eq!(tags(&sandbox).len(), 2);
    sandbox.write("modules/s3/text", "good\n");
    push(&sandbox, "three");
    // Nor does a pull request.
    in_actions(&sandbox, "ci", "pull_request", PULL).succeeds();
    assert_eq!(tags(&sandbox).len(), 2);
    let run = in_actions(&sandbox, "ci --affected --json", "push", MAIN).succeeds();
    assert_eq!(list(&run, "published"), ["s3"], "{run}");
    assert_eq!(tags(&sandbox), ["module-ecs", "module-s3", "module-s3"]);
}

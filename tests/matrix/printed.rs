//! What `forge matrix` and `ci:init --matrix` print, and whether those who read it take it.

use super::*;
use crate::ci::{assert_passes_review, is_taken};

/// Each job of `--format json`: its name, its seconds, what it builds.
fn jobs(run: &crate::support::Run) -> Vec<(String, f64, Vec<String>)> {
    let document = run.json();
    let job = |job: &serde_json::Value| {
        let artifacts = job["artifacts"].as_array().unwrap().iter();
        let word = |id: &serde_json::Value, key: &str| id[key].as_str().unwrap().to_owned();
        let artifacts =
            artifacts.map(|id| format!("{} {}", word(id, "name"), word(id, "platform")));
        (word(job, "name"), job["seconds"].as_f64().unwrap(), artifacts.collect())
    };
    document["jobs"].as_array().unwrap().iter().map(job).collect()
}

fn artifacts(run: &crate::support::Run) -> Vec<String> {
    let mut all: Vec<_> = jobs(run).into_iter().flat_map(|(_, _, artifacts)| artifacts).collect();
    all.sort();
    all
}

/// A store in a folder beside, and three subsystems for two platforms.
fn small() -> Sandbox {
    let sandbox = Sandbox::with_store().head("platforms: [linux-amd64, linux-arm64]");
    ["one", "three", "two"].into_iter().fold(sandbox, |sandbox, name| subsystem(sandbox, name, ""))
}

#[test]
fn the_line_is_ready_for_from_json() {
    let sandbox = small();
    let line = sandbox.forge("matrix one two --jobs 2").succeeds().stdout();
    insta::assert_snapshot!(line, @r#"{"include":[{"name":"linux-amd64","subsystems":"one two","platform":"linux-amd64","runner":"ubuntu-24.04","command":"forge ci one two --platform linux-amd64 --part --no-publish","publish":"forge ci:release one two --platform linux-amd64 --part"},{"name":"linux-arm64","subsystems":"one two","platform":"linux-arm64","runner":"ubuntu-24.04-arm","command":"forge ci one two --platform linux-arm64 --part --no-publish","publish":"forge ci:release one two --platform linux-arm64 --part"}]}"#);
    let one = sandbox.forge("matrix one --platform linux-arm64 --json").succeeds();
    assert_eq!(artifacts(&one), ["one linux-arm64"]);
    sandbox.forge("matrix nobody").exits(2).says("there is no subsystem or group `nobody`");
    assert!(!sandbox.path(".forge").exists(), "it only looks");
}

#[test]
fn in_actions_it_sets_the_outputs_that_the_workflow_asks_for() {
    let sandbox = small();
    sandbox.forge("release:all --all-platforms").succeeds();
    let clone = sandbox.clone_fresh();
    let outputs = sandbox.beside("outputs");
    let run = clone.forge("matrix --misses").env("GITHUB_ACTIONS", "true");
    run.env("GITHUB_OUTPUT", &outputs).succeeds().says(r#"{"include":[]}"#);
    assert_eq!(fs::read_to_string(outputs).unwrap(), "matrix={\"include\":[]}\njobs=0\n");
}

#[test]
fn only_misses_are_dealt_out_if_asked_and_an_error_is_none() {
    let mut sandbox = small();
    sandbox.forge("release:all --all-platforms").succeeds();
    sandbox.bump("two", "v2");
    fs::remove_dir_all(sandbox.beside("store/one-v1")).unwrap();
    let clone = sandbox.clone_fresh();
    fs::remove_file(clone.path("forge.lock")).unwrap();
    let run = clone.forge("matrix --misses --json").succeeds();
    let both = |name: &str| ["amd64", "arm64"].map(|arch| format!("{name} linux-{arch}"));
    assert_eq!(artifacts(&run), [both("one"), both("two")].concat());
    assert_eq!(artifacts(&clone.forge("matrix --json").succeeds()).len(), 6);

    clone.write("versions.yml", &clone.read("versions.yml").replace("dir:", "http://127.0.0.1:9/"));
    clone.forge("matrix --misses").exits(5).says("cannot tell whether");
}

#[test]
fn what_a_miss_is_built_with_comes_along_if_nobody_has_it() {
    let sandbox = Sandbox::with_store().head("platforms: [linux-amd64]");
    let sandbox = subsystem(subsystem(sandbox, "tool", ""), "app", "build_needs: tool\n");
    let wanted = |words: &str| artifacts(&sandbox.forge(words).succeeds());
    assert_eq!(wanted("matrix app --misses --json"), ["app linux-amd64", "tool linux-amd64"]);
    sandbox.forge("release:binary tool --platform linux-amd64").succeeds();
    let clone = sandbox.clone_fresh();
    let run = clone.forge("matrix app --misses --json").succeeds();
    assert_eq!(artifacts(&run), ["app linux-amd64"]);
}

#[test]
fn jobs_are_balanced_by_what_earlier_releases_took() {
    let mut sandbox = small();
    sandbox.forge("release:all --all-platforms").succeeds();
    // As if `three` had taken 90 seconds, and `one` 50.
    for (name, seconds) in [("three", 90), ("one", 50), ("two", 40)] {
        for platform in ["linux-amd64", "linux-arm64"] {
            let path = format!("store/{name}-v1/{name}-{platform}.tar.gz.intoto.jsonl");
            let path = sandbox.beside(&path);
            let mut said: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let metadata = &mut said["predicate"]["runDetails"]["metadata"];
            metadata["startedOn"] = "2026-01-01T00:00:00Z".into();
            metadata["finishedOn"] =
                format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60).into();
            crate::support::overwrite(&path, format!("{said}\n").as_bytes());
        }
        sandbox.bump(name, "v2");
    }
    let is_balanced = |clone: &Sandbox| {
        let run = clone.forge("matrix --misses --json --jobs 4").succeeds();
        let jobs = jobs(&run);
        let seconds: Vec<_> = jobs.iter().map(|(_, seconds, _)| *seconds).collect();
        assert_eq!(seconds, [90.0, 90.0, 90.0, 90.0], "{run}");
        assert_eq!(jobs[1].2, ["one linux-amd64", "two linux-amd64"]);
    };
    // By the release that the lock names, and without one by the last there is.
    let clone = sandbox.clone_fresh();
    is_balanced(&clone);
    fs::remove_file(clone.path("forge.lock")).unwrap();
    is_balanced(&clone);
}

#[test]
fn only_what_a_change_affects_is_dealt_out_if_asked() {
    if !is_here("git") {
        return;
    }
    let sandbox = in_git(small());
    push(&sandbox, "one");
    for name in ["one", "three", "two"] {
        git(&sandbox.root(), &["tag", &format!("{name}-v1")]);
    }
    git(&sandbox.root(), &["push", "--quiet", "--tags", "origin"]);
    sandbox.forge("matrix --affected").succeeds().says(r#"{"include":[]}"#);
    sandbox.write("code/two/two.sh", "#!/bin/sh\necho changed\n");
    push(&sandbox, "two");
    let two = ["two linux-amd64", "two linux-arm64"];
    assert_eq!(artifacts(&sandbox.forge("matrix --affected --json").succeeds()), two);
    assert_eq!(artifacts(&sandbox.forge("matrix --since HEAD~1 --json").succeeds()), two);
    sandbox.forge("matrix one --since HEAD~1").succeeds().says(r#"{"include":[]}"#);
    // A release of the project is of all there is.
    let tag = sandbox.forge("matrix --affected --json").env("GITHUB_ACTIONS", "true");
    let run = tag.env("GITHUB_REF", "refs/tags/v1.0.0").succeeds();
    assert_eq!(artifacts(&run).len(), 6);
}

#[test]
fn a_wrong_platform_of_a_runner_is_told() {
    let sandbox = small().head("ci: { runners: { linux-arm46: big } }");
    let run = sandbox.forge("matrix").exits(2);
    run.says("linux-arm46").says("did you mean `linux-arm64`?");
    let sandbox = small().head("ci: { runner: { linux-arm64: big } }");
    sandbox.forge("check").exits(2).says("did you mean `runners`?");
}

#[test]
fn the_workflow_of_many_jobs_passes_review() {
    let sandbox = in_git(small());
    sandbox.forge(INIT).succeeds().says("wrote .github/workflows/forge.yml");
    let path = sandbox.path(".github/workflows/forge.yml");
    assert_passes_review(&path);
    let sandbox = sandbox.head("tasks: { test: one, 'ci:pages': one }");
    let dated = sandbox.read("versions.yml").replace("one: v1", "one: { scheme: date }");
    sandbox.write("versions.yml", &dated);
    sandbox.forge(&format!("{INIT} --force")).succeeds();
    let text = sandbox.read(".github/workflows/forge.yml");
    assert!(text.contains("forge ci:test") && text.contains("forge ci:pages"), "{text}");
    assert_passes_review(&path);
    if is_here("actionlint") {
        let bad = text.replace("needs.plan.outputs.jobs", "needs.plan.outputs.job");
        sandbox.write("bad.yml", &bad);
        assert!(!is_taken("actionlint", &[], &sandbox.path("bad.yml")));
    }
}

#[test]
fn pipelines_of_gitlab_are_what_its_schema_allows() {
    if !is_here("check-jsonschema") {
        return;
    }
    let sandbox = in_git(small().head("tasks: { test: one }"));
    let run = sandbox.forge(&format!("{INIT} --host gitlab")).succeeds();
    run.says("wrote .gitlab-ci.yml");
    let words = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    let passes = |path: &Path| is_taken("check-jsonschema", &words, path);
    assert!(passes(&sandbox.path(".gitlab-ci.yml")));
    let simple = "ci:init --host gitlab --force --forge https://example.org/f.git";
    sandbox.forge(simple).succeeds().says("wrote .gitlab-ci.yml");
    assert!(sandbox.read(".gitlab-ci.yml").ends_with("    - forge ci\n"));
    assert!(passes(&sandbox.path(".gitlab-ci.yml")));
    let child = sandbox.forge("matrix --format gitlab --jobs 4").succeeds().stdout();
    assert_eq!(child.matches("\n  stage: build\n").count(), 4, "{child}");
    assert!(child.contains("tags:\n    - \"saas-linux-small-arm64\"\n"), "{child}");
    sandbox.write("child.yml", &child);
    assert!(passes(&sandbox.path("child.yml")));
    sandbox.write("bad.yml", &child.replace("script:", "scripts:"));
    assert!(!passes(&sandbox.path("bad.yml")));
    sandbox.forge("release:all --all-platforms").succeeds();
    let idle = sandbox.forge("matrix --misses --format gitlab").succeeds().stdout();
    assert_eq!(idle.matches("stage: build").count(), 1, "{idle}");
    sandbox.write("idle.yml", &idle);
    assert!(passes(&sandbox.path("idle.yml")));
}

#[test]
fn where_versions_are_claimed_git_gets_in() {
    let sandbox = in_git(small());
    let shown = |sandbox: &Sandbox| sandbox.forge(&format!("{INIT} --dry-run")).succeeds().stdout();
    assert!(!shown(&sandbox).contains("credential.helper"));
    let dated = sandbox.read("versions.yml").replace("one: v1", "one: { scheme: date }");
    sandbox.write("versions.yml", &dated);
    assert!(shown(&sandbox).contains("credential.helper"));
}

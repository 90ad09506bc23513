//! What verbs say of releases: only stores tell what is released, what was found out is told each time, and
//! a store that was not asked has not said that it lacks something.

use std::fs;

use crate::support::Sandbox;

fn one_platform() -> Sandbox {
    Sandbox::with_store().head("platforms: [linux-amd64]").script("tool", "v1")
}

/// Whether `ci:close` and `matrix --misses` call the artifact missing.
fn is_missing(sandbox: &Sandbox, is_missing: bool) {
    let close = sandbox.forge("ci:close --json").exits(if is_missing { 3 } else { 0 });
    assert_eq!(close.json()["complete"], !is_missing, "{close}");
    let jobs = sandbox.forge("matrix --misses --json").succeeds().json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), usize::from(is_missing), "{jobs:#}");
    if !is_missing {
        sandbox.forge("release:wait --timeout 1s").succeeds();
    }
}

#[test]
fn whether_something_is_released_only_a_store_tells() {
    let sandbox = one_platform();
    let others = sandbox.clone_fresh();
    sandbox.forge("ensure --no-publish").succeeds().says("built");
    is_missing(&sandbox, true);
    // Somebody else releases it: what is installed and cached here says nothing of that.
    others.forge("release:binary tool").succeeds();
    is_missing(&sandbox, false);
    fs::remove_dir_all(sandbox.path(".forge/installed")).unwrap();
    is_missing(&sandbox, false);
    // And what was released once is missing when it is gone, whoever has it.
    fs::remove_dir_all(sandbox.beside("store/tool-v1")).unwrap();
    is_missing(&sandbox, true);
    is_missing(&others, true);
}

#[test]
fn changed_code_of_a_released_version_is_told_by_all_each_time_until_it_has_a_new_one() {
    const TOLD: &str = "tool-v1 is released already, from other inputs";
    let mut sandbox = one_platform();
    let ci = |sandbox: &Sandbox, words: &str| sandbox.forge(words).env("CI", "true").succeeds();
    ci(&sandbox, "ensure").keeps_quiet_about(TOLD);
    sandbox.write("code/tool/tool.sh", "#!/bin/sh\necho changed\n");
    for verb in ["ci", "ensure", "plan", "ci:build", "ci:release", "status", "ci:close", "ci"] {
        for _ in 0..2 {
            ci(&sandbox, verb).says(TOLD).says("its `source` differs");
        }
    }
    // While somebody works on it, only those tell it that are asked what is released.
    sandbox.forge("ensure").succeeds().keeps_quiet_about(TOLD);
    sandbox.forge("status").succeeds().says(TOLD);
    assert_eq!(sandbox.forge("status --json").succeeds().json()["subsystems"][0]["state"], "other");
    let close = ci(&sandbox, "ci:close --json");
    assert_eq!(close.json()["changed"][0]["name"], "tool");
    ci(&sandbox, "ci:close").keeps_quiet_about("can be downloaded");
    sandbox.bump("tool", "v2");
    for verb in ["ci", "ensure", "plan", "ci:build", "ci:release", "status", "ci:close"] {
        ci(&sandbox, verb).keeps_quiet_about("from other inputs");
    }
}

#[test]
fn a_store_that_was_not_asked_has_not_said_that_something_is_missing() {
    const TOLD: &str = "not asked: --offline";
    let mut sandbox = one_platform();
    let state = |sandbox: &Sandbox| {
        let status = sandbox.forge("status --offline --json").succeeds().json();
        status["subsystems"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&sandbox), "miss");
    sandbox.forge("ci:close --offline").exits(3).says("no store has it");
    sandbox.forge("release:binary tool").succeeds();
    assert_eq!(state(&sandbox), "hit", "a folder needs no network");

    sandbox.releases_from("http://127.0.0.1:9/releases");
    let sandbox = sandbox.clone_fresh();
    assert_eq!(state(&sandbox), "unknown");
    sandbox.forge("status --offline").succeeds().says(TOLD);
    sandbox.forge("plan --offline").succeeds().says(TOLD).keeps_quiet_about("no store has it");
    for verb in ["ci:close --offline", "matrix --misses --offline"] {
        let run = sandbox.forge(verb).exits(5);
        run.says("cannot tell whether tool-v1 is released").says(TOLD).keeps_quiet_about("missing");
    }
    sandbox.forge("ensure --offline").succeeds().says("built");
}

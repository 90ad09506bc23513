//! `--json`: one document on standard output, for other programs.

use serde_json::Value;

use crate::support::{Run, Sandbox};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Names and hows of a document.
fn outcome(run: &Run) -> Vec<String> {
    let document = run.json();
    let artifacts = document["artifacts"].as_array().expect("a list").clone();
    artifacts
        .iter()
        .map(|a| format!("{} {}", a["name"].as_str().unwrap(), a["how"].as_str().unwrap()))
        .collect()
}

fn good_bad_and_waiting() -> Sandbox {
    Sandbox::new()
        .script("good", "v1.0.0")
        .spec("bad", "v2", "build: { run: echo what a pity; exit 3 }\n")
        .spec("waiting", "v3", "build_needs: [bad]\nbuild: { run: bad > x }\n")
}

#[test]
fn the_document_has_these_keys_in_this_order() {
    let sandbox = Sandbox::new().script("good", "v1.0.0");
    for _ in ["built", "fresh"] {
        let document = sandbox.forge("ensure --json").succeeds().json();
        assert_eq!(keys(&document), ["schema", "ok", "seconds", "artifacts", "warnings"]);
        let artifact = &document["artifacts"][0];
        let wanted = "name version platform how published bytes seconds reason log";
        assert_eq!(keys(artifact), wanted.split(' ').collect::<Vec<_>>());
        assert_eq!(document["schema"], 1);
        assert_eq!(artifact["name"], "good");
        assert_eq!(artifact["version"], "v1.0.0");
        assert!(artifact["platform"].as_str().unwrap().contains('-'));
        assert_eq!(artifact["bytes"], "#!/bin/sh\necho good v1.0.0\n".len());
        assert!(artifact["seconds"].is_f64(), "{artifact}");
        assert!(artifact["reason"].is_string(), "{artifact}");
    }
}

#[test]
fn a_failed_run_gives_a_document_too_with_the_log_and_the_reason() {
    let sandbox = good_bad_and_waiting();
    let run = sandbox.forge("ensure --json").exits(1);
    let document = run.json();
    assert_eq!(document["ok"], false);
    assert_eq!(outcome(&run), ["bad failed", "good built", "waiting skipped"]);
    let bad = &document["artifacts"][0];
    let log = std::fs::read_to_string(bad["log"].as_str().expect("a log")).unwrap();
    assert!(log.contains("what a pity"), "{log}");
    assert!(bad["reason"].as_str().unwrap().contains('3'), "{bad}");
    assert_eq!(document["artifacts"][2]["reason"], "needs bad, which failed");
    assert_eq!(document["artifacts"][2]["log"], Value::Null);
}

#[test]
fn every_verb_that_prints_a_document_prints_only_that() {
    let sandbox = Sandbox::new().script("good", "v1.0.0");
    for verb in
        ["plan", "ensure --dry-run", "ensure", "ensure -v", "status", "verify", "list", "package"]
    {
        let run = sandbox.forge(&format!("{verb} --json")).succeeds();
        assert_eq!(run.json()["schema"], 1, "{run}");
    }
}

#[test]
fn the_lines_of_a_build_stay_off_standard_output() {
    let sandbox = Sandbox::new().spec(
        "loud",
        "v1",
        "build: { run: 'echo OUT; echo ERR >&2; printf \"#!/bin/sh\\n\" > {{ out }}/loud' }\n",
    );
    let run = sandbox.forge("ensure --json -v").succeeds();
    assert!(!run.stdout().contains("OUT"), "{run}");
    assert!(run.stderr().contains("OUT") && run.stderr().contains("ERR"), "{run}");
    assert_eq!(run.json()["ok"], true);
}

#[test]
fn a_plan_as_a_document_says_what_waits_for_what() {
    let sandbox = good_bad_and_waiting();
    let document = sandbox.forge("plan --json").succeeds().json();
    let actions = document["actions"].as_array().unwrap();
    let find = |name: &str, step: &str| {
        let action = actions.iter().find(|a| a["name"] == name && a["step"] == step);
        action.unwrap_or_else(|| panic!("{name} {step} is missing in {document}"))
    };
    let bad = find("bad", "built");
    assert_eq!(find("waiting", "built")["after"], serde_json::json!([bad["id"]]));
    assert_eq!(bad["reason"], "no store has it");
}

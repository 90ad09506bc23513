//! Deployments that wait for their turn, what they are compared by, and what there is to go back to.

use std::fs;

use crate::{
    deployments::{GATED, last_states, ledger, next, released, states},
    support::{Invocation, Sandbox, wait_until},
};

/// As [`GATED`], and slow.
fn slow() -> String {
    GATED.replace("run: cp", "run: sleep 0.4; cp")
}

/// In the CI of the branch `dev`.
fn ci(sandbox: &Sandbox, words: &str) -> Invocation {
    sandbox
        .forge(words)
        .env("GITHUB_ACTIONS", "true")
        .env("CI", "true")
        .env("GITHUB_EVENT_NAME", "push")
        .env("GITHUB_REF", "refs/heads/dev")
}

fn wait_for(sandbox: &Sandbox, count: usize, state: &str) {
    wait_until("a deployment comes so far", || {
        let states = states(sandbox);
        states.len() == count && states.values().last().unwrap().iter().any(|it| it == state)
    });
}

fn output(child: std::process::Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_was_held_while_it_waited_is_not_deployed() {
    let mut sandbox = released(&slow()).file("bad", "v2\n");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    let first = sandbox.forge("deploy test").start();
    wait_for(&sandbox, 2, "deploying");
    let second = sandbox.forge("deploy test").start();
    wait_for(&sandbox, 3, "queued");
    let third = ci(&sandbox, "ci:deploy").start();
    wait_for(&sandbox, 4, "queued");
    assert_eq!(output(first).0, Some(1));
    let (code, told) = output(second);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("may not be deployed any more"), "{told}");
    assert!(told.contains("test is held against api v2: deployment 2"), "{told}");
    let (code, told) = output(third);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("left alone:"), "{told}");
    assert_eq!(sandbox.read("now"), "v1\n");
}

#[test]
fn what_was_left_where_it_should_have_succeeded_is_not_deployed() {
    let mut sandbox = released(
        "  run: echo {{ version }} > {{ environment }}; test {{ environment }} = test || sleep 0.7\n",
    );
    sandbox.forge("deploy test").succeeds();
    sandbox.forge("deploy production").succeeds();
    next(&mut sandbox, "v2");
    sandbox.forge("deploy test").succeeds();
    let first = sandbox.forge("deploy production").start();
    wait_for(&sandbox, 4, "deploying");
    let second = sandbox.forge("deploy production --force").start();
    wait_for(&sandbox, 5, "queued");
    sandbox.forge("rollback test").succeeds();
    assert_eq!(output(first).0, Some(0));
    let (code, told) = output(second);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("api v2 was left in test: deployment 6 went back from it"), "{told}");
    sandbox.forge("deploy production --force").exits(2).says("was left in test");
    // Another one lifts the hold, and proves nothing of the one that was left.
    next(&mut sandbox, "v3");
    sandbox.forge("deploy test").succeeds();
    sandbox.forge("deploy production api --version v2 --force").exits(2);
    sandbox.forge("deploy test api --version v2").succeeds();
    sandbox.forge("deploy production api --version v2 --force").succeeds();
}

#[test]
fn what_failed_since_it_succeeded_proves_nothing() {
    let sandbox = released("  run: test ! -e broken\n");
    sandbox.forge("deploy test").succeeds();
    sandbox.write("broken", "");
    sandbox.forge("deploy test --force").exits(1);
    fs::remove_file(sandbox.path("broken")).unwrap();
    sandbox
        .forge("deploy production")
        .exits(2)
        .says("api v1 has not succeeded in test: deployment 2 is failed");
}

#[test]
fn a_rollback_comes_before_what_waits() {
    let mut sandbox = released("  run: sleep 0.4; echo {{ version }} >> order\n");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    sandbox.forge("deploy test").succeeds();
    let first = sandbox.forge("deploy test --force").start();
    wait_for(&sandbox, 3, "deploying");
    next(&mut sandbox, "v3");
    let queued = sandbox.forge("deploy test").start();
    wait_for(&sandbox, 4, "queued");
    let back = sandbox.forge("rollback test").start();
    wait_for(&sandbox, 5, "queued");
    for child in [first, queued, back] {
        let (code, told) = output(child);
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!(sandbox.read("order"), "v1\nv2\nv2\nv1\nv3\n");
}

#[test]
fn a_rollback_from_what_is_not_there_any_more_is_refused() {
    let mut sandbox = released(&slow()).file("bad", "v2\n");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    let first = sandbox.forge("deploy test").start();
    wait_for(&sandbox, 2, "deploying");
    let back = sandbox.forge("rollback test").start();
    wait_for(&sandbox, 3, "queued");
    assert_eq!(output(first).0, Some(1));
    let (code, told) = output(back);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("from deployment 2, and deployment 4 (v1) came after it"), "{told}");
    assert_eq!(last_states(&sandbox), ["succeeded", "rolled back", "failed", "succeeded"]);
}

/// Deploys the mode of `config`, and is healthy unless it is bad.
const MODES: &str = "  config: { mode: good }\n  run: echo {{ config.mode }} > now\n  \
                     health: { run: '! grep bad now', for: 20ms, period: 20ms, timeout: 9s, retries: 0 }\n  \
                     rollback: auto\n";

#[test]
fn settings_are_gone_back_to_as_versions_are() {
    let sandbox = released(MODES);
    let edit = |from: &str, to: &str| {
        let spec = sandbox.read("subsystems/api.yml");
        assert!(spec.contains(from));
        sandbox.write("subsystems/api.yml", &spec.replace(from, to));
    };
    sandbox.forge("deploy test").succeeds();
    for (good, bad) in [("mode: good", "mode: bad"), ("echo {{ config.mode }}", "echo bad")] {
        edit(good, bad);
        let run = sandbox.forge("deploy test").exits(1);
        run.says("v1 runs there again").says("and said: bad");
        assert_eq!(sandbox.read("now"), "good\n");
        sandbox.forge("deploy test").exits(2).says("test is held against api v1");
        edit(bad, good);
        sandbox.forge("deploy test").succeeds().says("is there already");
    }
    // With another stack, and gone back by hand.
    edit("  rollback: auto\n", "  rollback: auto\n  stack: another\n");
    sandbox.forge("deploy test").succeeds();
    sandbox.forge("rollback test").succeeds();
    let document = sandbox.forge("deployments --json").succeeds().json();
    assert_eq!(document["deployments"][0]["stack"], "api-test");
    // Other gates change nothing of what is there.
    edit("  stack: another\n", "");
    edit("period: 20ms", "period: 25ms");
    sandbox.forge("deploy test").succeeds().says("is there already");
}

#[test]
fn a_failed_deployment_of_the_only_version_goes_back_to_nothing() {
    let sandbox = released(&MODES.replace("mode: good", "mode: bad"));
    let run = sandbox.forge("deploy test").exits(1);
    run.says("so there is nothing to go back to").keeps_quiet_about("goes back");
    assert_eq!(last_states(&sandbox), ["failed"]);
    sandbox.forge("rollback test").exits(2).says("no version but v1 passed its gates there");
}

#[test]
fn a_rollback_that_failed_can_be_asked_for_again() {
    let mut sandbox = released("  run: echo {{ version }} > now; test ! -e broken\n");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    sandbox.forge("deploy test").succeeds();
    sandbox.write("broken", "");
    sandbox.forge("rollback test").exits(1).says("`forge rollback test api` goes back");
    sandbox.forge("rollback test").exits(1);
    fs::remove_file(sandbox.path("broken")).unwrap();
    sandbox.forge("rollback test").succeeds().says("api v1 runs in test");
    assert_eq!(sandbox.read("now"), "v1\n");
    sandbox.forge("deploy test").exits(2).says("held against api v2");
}

#[test]
fn what_failed_since_is_not_there_for_those_that_need_it() {
    let head = "environments: { test: {} }";
    let mut sandbox = Sandbox::with_store().head(head).script("api", "v1").script("db", "v1");
    for (name, deploy) in [("api", "{ run: echo, needs: [db] }"), ("db", "test ! -e broken")] {
        let spec = format!("subsystems/{name}.yml");
        sandbox.write(&spec, &format!("{}deploy: {deploy}\n", sandbox.read(&spec)));
    }
    sandbox.forge("release:binary api").succeeds();
    sandbox.forge("release:binary db").succeeds();
    sandbox.forge("deploy test api").exits(2).says("needs db, which was never deployed to test");
    sandbox.forge("deploy test").succeeds();
    sandbox.write("broken", "");
    sandbox.forge("deploy test db --force").exits(1);
    next(&mut sandbox, "v2");
    let run = sandbox.forge("deploy test api").exits(2);
    run.says("needs db, whose last deployment to test is failed: deployment 3");
}

#[test]
fn secrets_in_settings_are_kept_nowhere_and_gone_back_with() {
    let head = "environments: { test: { url: 'https://ann:pass22word@example.org/' } }";
    let deploy = "  config: { password: '{{ env.KEY | default(1) }}', mode: '{{ version }}' }\n  secrets: [KEY]\n  \
                  run: echo {{ config.password }} {{ config.mode }} {{ url }} | tee now\n";
    let mut sandbox = Sandbox::with_store().head(head).script("api", "v1");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &format!("{spec}deploy:\n{deploy}"));
    let key = |sandbox: &Sandbox, words: &str| sandbox.forge(words).env("KEY", "hunter22hunter");
    sandbox.forge("release:binary api").succeeds();
    let mut told = vec![key(&sandbox, "deploy test").succeeds()];
    next(&mut sandbox, "v2");
    told.push(key(&sandbox, "deploy test --dry-run").succeeds());
    told.push(key(&sandbox, "deploy test").succeeds());
    told.push(key(&sandbox, "rollback test").succeeds());
    for words in ["deployments", "deployments --json", "deployments --log 1", "explain api"] {
        told.push(sandbox.forge(words).succeeds());
    }
    assert_eq!(sandbox.read("now"), "hunter22hunter v1 https://ann:pass22word@example.org/\n");
    for run in &told {
        run.keeps_quiet_about("hunter22").keeps_quiet_about("pass22");
    }
    let journal = fs::read_to_string(ledger(&sandbox).join("ledger.jsonl")).unwrap();
    assert!(!journal.contains("hunter22") && !journal.contains("pass22"), "{journal}");
}

#[test]
fn a_store_that_does_not_answer_is_not_a_mistake_of_whoever_asks() {
    let mut sandbox = released("  run: echo\n");
    sandbox.releases_from("http://127.0.0.1:9/releases");
    fs::remove_file(sandbox.path("forge.lock")).unwrap();
    sandbox.forge("deploy test").exits(5).says("127.0.0.1:9");
}

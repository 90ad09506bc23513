//! Deployments, from what is released to what runs where.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use crate::support::{Sandbox, copy_tree, wait_until};

/// The environments of the tests, of which production comes after test.
const ENVIRONMENTS: &str =
    "environments: { test: { branch: dev }, production: { branch: main, after: test } }";

/// A subsystem `api` that is deployed by `deploy`, released as v1 unless `deploy` is wrong.
pub fn shop(deploy: &str) -> Sandbox {
    let sandbox = Sandbox::with_store().head(ENVIRONMENTS).script("api", "v1");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &format!("{spec}deploy:\n{deploy}"));
    sandbox
}

/// [`shop`], with v1 released.
pub fn released(deploy: &str) -> Sandbox {
    let sandbox = shop(deploy);
    sandbox.forge("release:binary api").succeeds();
    sandbox
}

/// Releases `api` as `version`, which prints that.
pub fn next(sandbox: &mut Sandbox, version: &str) {
    sandbox.bump("api", version);
    sandbox.write("code/api/api.sh", &format!("#!/bin/sh\necho api {version}\n"));
    sandbox.forge("release:binary api").succeeds();
}

pub const PLAIN: &str = "  run: cp {{ files }}/api {{ environment }}.sh\n";
/// Deploys, and is healthy unless the file `bad` names the version.
pub const GATED: &str = "  run: cp {{ files }}/api {{ environment }}.sh && echo {{ version }} > now\n  \
                     health: { run: '! grep -xF \"$(cat now)\" bad', for: 50ms, period: 20ms, timeout: 9s, retries: 1 }\n  \
                     rollback: auto\n";

/// The states of each deployment, by its number.
pub fn states(sandbox: &Sandbox) -> BTreeMap<u64, Vec<String>> {
    let document = sandbox.forge("deployments --json").succeeds().json();
    let all = document["deployments"].as_array().unwrap().iter().map(|one| {
        let changes = one["changes"].as_array().unwrap().iter();
        let states = changes.map(|it| it["state"].as_str().unwrap().to_owned()).collect();
        (one["id"].as_u64().unwrap(), states)
    });
    all.collect()
}

pub fn last_states(sandbox: &Sandbox) -> Vec<String> {
    states(sandbox).into_values().map(|states| states.last().unwrap().clone()).collect()
}

/// The folder with the ledger.
pub fn ledger(sandbox: &Sandbox) -> PathBuf {
    let folders = fs::read_dir(sandbox.beside("data/deployments")).unwrap();
    folders.flatten().next().expect("a ledger").path()
}

#[test]
fn a_plan_says_what_would_be_deployed_where() {
    let mut sandbox = shop(PLAIN);
    let rows = |sandbox: &Sandbox| {
        let document = sandbox.forge("plan --json").succeeds().json();
        let rows = document["deployments"].as_array().unwrap().iter().map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            format!("{} {}: {}", text("environment"), text("would_be"), text("because"))
        });
        rows.collect::<Vec<_>>()
    };
    let nothing = [
        "test deployed: nothing runs there",
        "production refused: nothing runs there; api v1 has not succeeded in test",
    ];
    assert_eq!(rows(&sandbox), nothing);
    assert!(!sandbox.beside("data/deployments").exists(), "a plan writes nothing");
    sandbox.forge("release:binary api").succeeds();
    sandbox.forge("deploy test").succeeds();
    assert_eq!(
        rows(&sandbox),
        ["test unchanged: v1 runs there", "production deployed: nothing runs there"]
    );
    // Settings count as the digest does.
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &spec.replace("run: cp {{ files", "run: cp -f {{ files"));
    assert_eq!(rows(&sandbox)[0], "test deployed: v1 runs there");
    sandbox.write("subsystems/api.yml", &spec);
    // Whatever the shortcut of a run with nothing to do knows.
    sandbox.forge("ensure").succeeds();
    assert_eq!(rows(&sandbox).len(), 2);
    sandbox.bump("api", "v2");
    sandbox
        .forge("plan")
        .succeeds()
        .says("test         api        v2       deployed  v1 runs there");
}

#[test]
fn the_example_is_deployed_to_test_and_then_to_production() {
    let sandbox = Sandbox::new();
    let root = sandbox.root();
    copy_tree(std::path::Path::new("examples/deployments"), &root);
    sandbox.forge("release:all").succeeds();
    sandbox.forge("deploy production").exits(2).says("has not succeeded in test, by its digest");
    sandbox.forge("deploy test").succeeds().says("website v1.0.0 runs in test");
    sandbox.forge("deploy production").succeeds();
    assert!(sandbox.path("environments/production/website/index.html").exists());
    assert!(sandbox.path("environments/production/orders").exists());
    sandbox.forge("deployments").succeeds().says("production   website    v1.0.0");
    sandbox.forge("explain api").succeeds().says("it is rolled back");
}

#[test]
fn what_is_not_released_is_refused_with_the_words_that_release_it() {
    let sandbox = shop(PLAIN);
    sandbox.forge("deploy test").exits(2).says("`forge release:binary api` releases it");
    // What is installed is not released.
    sandbox.forge("ensure --no-publish").succeeds();
    sandbox.forge("deploy test").exits(2);
    assert!(!sandbox.path("test.sh").exists());
    sandbox.forge("release:binary api").succeeds();
    let builds = sandbox.builds();
    sandbox.write("code/api/api.sh", "#!/bin/sh\necho changed\n");
    sandbox.forge("deploy test").succeeds();
    assert_eq!(sandbox.builds(), builds);
    assert!(sandbox.read("test.sh").contains("echo api v1"));
}

#[test]
fn a_deployment_is_written_down_before_its_first_command() {
    let sandbox = released("  run: cp {{ root }}/../data/deployments/*/ledger.jsonl seen\n");
    sandbox.forge("deploy test").succeeds();
    let seen = sandbox.read("seen");
    assert!(seen.lines().last().unwrap().contains("\"deploying\""), "{seen}");
    assert_eq!(states(&sandbox)[&1], ["queued", "checking", "deploying", "verifying", "succeeded"]);
    sandbox.forge("deploy test").succeeds().says("is there already (deployment 1)");
    assert_eq!(states(&sandbox).len(), 1);
}

#[test]
fn a_failed_gate_rolls_back_once_and_the_environment_is_held() {
    let mut sandbox = released(GATED).file("bad", "v2\n");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    let run = sandbox.forge("deploy test").exits(1);
    run.says("api v2 is not healthy").says("v1 runs there again (deployment 3)");
    run.says("and said: v2");
    assert!(sandbox.read("test.sh").contains("api v1"));
    assert_eq!(last_states(&sandbox), ["succeeded", "rolled back", "succeeded"]);
    sandbox.forge("deploy test").exits(2).says("test is held against api v2: deployment 2");
    let ci = |words: &str| {
        sandbox
            .forge(words)
            .env("GITHUB_ACTIONS", "true")
            .env("CI", "true")
            .env("GITHUB_EVENT_NAME", "push")
            .env("GITHUB_REF", "refs/heads/dev")
    };
    ci("ci:deploy").succeeds().says("left alone: test is held against api v2");
    assert_eq!(states(&sandbox).len(), 3);
    // Somebody insists, and the environment is held again.
    sandbox.forge("deploy test --force").exits(1);
    sandbox.forge("deployments").succeeds().says("held against v2 (deployment 4)");
    next(&mut sandbox, "v3");
    sandbox.forge("deploy test").succeeds();
    sandbox.forge("deployments").succeeds().keeps_quiet_about("held");
    // Gone back by hand, to what is named.
    sandbox.forge("rollback test --to v9").exits(2).says("it can go back to v1 (deployment");
    sandbox.forge("rollback test").succeeds().says("api v1 runs in test");
    sandbox.forge("deploy test").exits(2).says("somebody went back from it");
}

#[test]
fn what_cannot_be_brought_back_is_stuck() {
    let mut sandbox = released(GATED).file("bad", "");
    sandbox.forge("deploy test").succeeds();
    next(&mut sandbox, "v2");
    sandbox.write("bad", "v1\nv2\n");
    sandbox.forge("deploy test").exits(1).says("could not be brought back either");
    assert_eq!(last_states(&sandbox), ["succeeded", "stuck", "failed"]);
}

#[test]
fn each_mistake_is_told_by_one_clear_error() {
    let fails = |deploy: &str, words: &str, code: i32, says: &[&str]| {
        let sandbox = released(deploy);
        let run = sandbox.forge(words).exits(code);
        for text in says {
            run.says(text);
        }
    };
    fails(PLAIN, "deploy tset", 2, &["there is no environment `tset`", "did you mean `test`?"]);
    fails(PLAIN, "deploy test api --version v7", 2, &["api v7 is not released"]);
    fails(PLAIN, "deploy test --version v7", 2, &["`--version` is that of one subsystem"]);
    fails(PLAIN, "deploy production", 2, &["`forge deploy test api` comes first"]);
    fails(PLAIN, "deploy production --from test", 2, &["api was never deployed to test"]);
    fails(PLAIN, "rollback test api", 2, &["it was never deployed there"]);
    fails(PLAIN, "deployments --log 7", 2, &["there is no deployment 7"]);
    let both = "  run: 'true'\n  secrets: [KEY_ONE, KEY_TWO]\n";
    fails(both, "deploy test", 2, &["`KEY_ONE` of api is not set", "`KEY_TWO` of api is not set"]);
    let slow = "  run: sleep 30\n  stop: { grace: 100ms }\n";
    fails(slow, "deploy test --timeout 300ms", 124, &["took longer than", "timed out"]);
    fails(
        "  run: exit 7\n",
        "deploy test",
        1,
        &["exited with code 7", "forge deployments --log 1"],
    );
    // A look finds it healthy, and the next does not.
    let flaps = "  run: 'true'\n  health: { run: 'test ! -e seen && touch seen', for: 1s, period: 20ms, timeout: 9s }\n";
    fails(flaps, "deploy test", 1, &["it was healthy for", "and then not, and must be for 1 s"]);
}

#[test]
fn a_pull_request_and_another_branch_deploy_nothing() {
    let sandbox = released(PLAIN);
    let ci = |words: &str, event: &str, reference: &str| {
        sandbox
            .forge(words)
            .env("GITHUB_ACTIONS", "true")
            .env("CI", "true")
            .env("GITHUB_EVENT_NAME", event)
            .env("GITHUB_REF", reference)
    };
    let pull = "refs/pull/7/merge";
    ci("ci:deploy", "pull_request", pull).succeeds().says("ci:deploy");
    ci("deploy test", "pull_request", pull).exits(2);
    ci("ci:deploy", "push", "refs/heads/feature")
        .succeeds()
        .says("the branch `dev` deploys to `test`, and this is `feature`");
    ci("deploy test", "push", "refs/heads/main").exits(2).says("and this is `main`");
    assert!(!sandbox.path("test.sh").exists());
    ci("ci --plan", "push", "refs/heads/dev").succeeds().says("test: this is the branch `dev`");
    ci("ci:deploy", "push", "refs/heads/dev").succeeds();
    assert!(sandbox.path("test.sh").exists());
}

#[test]
fn secrets_of_a_deployment_are_shown_nowhere() {
    let sandbox = released("  run: echo key $KEY; false\n  secrets: [KEY]\n");
    let run = sandbox.forge("deploy test").env("KEY", "hunter22hunter").exits(1);
    run.keeps_quiet_about("hunter22").says("key ***");
    sandbox.forge("deployments --log 1").succeeds().says("key ***");
    let mut held = String::new();
    for entry in fs::read_dir(ledger(&sandbox)).unwrap().flatten().filter(|it| it.path().is_file())
    {
        held += &fs::read_to_string(entry.path()).unwrap();
    }
    assert!(!held.contains("hunter22"));
}

#[test]
fn what_templates_make_of_a_secret_is_shown_nowhere_either() {
    let health = "http: 'http://127.0.0.1:1/{{ env.KEY | default(1) }}', for: 50ms, period: 20ms, retries: 0";
    let deploy = format!(
        "  run: 'true {{{{ env.KEY | default(1) }}}}'\n  secrets: [KEY]\n  health: {{ {health} }}\n"
    );
    let sandbox = released(&deploy);
    let key = |words: &str| sandbox.forge(words).env("KEY", "hunter22hunter");
    key("deploy test --dry-run").succeeds().says("$ true ***").keeps_quiet_about("hunter22");
    let run = key("deploy test").exits(1);
    run.says("http://127.0.0.1:1/***").keeps_quiet_about("hunter22");
    let journal = fs::read_to_string(ledger(&sandbox).join("ledger.jsonl")).unwrap();
    assert!(!journal.contains("hunter22"), "{journal}");
}

#[test]
fn a_rollback_looks_for_its_secrets_first() {
    let mut sandbox = released("  run: echo $KEY\n  secrets: [KEY]\n");
    sandbox.forge("deploy test").env("KEY", "hunter22hunter").succeeds();
    next(&mut sandbox, "v2");
    sandbox.forge("deploy test").env("KEY", "hunter22hunter").succeeds();
    sandbox.forge("rollback test api").exits(2).says("the secret `KEY` is not set");
    sandbox.forge("rollback test apii").exits(2).says("did you mean `api`?");
    assert_eq!(states(&sandbox).len(), 2);
}

#[test]
fn configuration_is_known_to_commands_by_its_keys() {
    let sandbox = released("  config: { replicas: 2 }\n  run: echo {{ config.replicas }} > seen\n");
    sandbox.forge("deploy test").succeeds();
    assert_eq!(sandbox.read("seen"), "2\n");
}

#[test]
fn of_one_stack_one_runs_at_a_time_in_order() {
    // Each adds a line when it begins and when it ends.
    let sandbox = released(
        "  run: echo begins $DEPLOY_ID >> order; sleep 0.15; echo ends $DEPLOY_ID >> order\n",
    );
    let mut children = Vec::new();
    for count in 1..=4 {
        children.push(sandbox.forge("deploy test --force").start());
        wait_until("it is queued", || states(&sandbox).len() >= count);
    }
    for (count, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert_eq!(told.contains("waiting: deployment"), count > 0, "{told}");
    }
    let order = sandbox.read("order");
    let expected: String = (1..=4).map(|id| format!("begins {id}\nends {id}\n")).collect();
    assert_eq!(order, expected);
}

#[test]
fn a_deployment_is_ended_with_care() {
    let line = "trap 'echo asked >> told; sleep 0.1; echo done >> told; exit 3' INT; \
                touch began; while :; do sleep 0.01; done";
    let deploy = format!("  run: \"{line}\"\n  stop: {{ grace: 20s }}\n");
    for signal in ["-INT", "-KILL"] {
        let sandbox = released(&deploy);
        let child = sandbox.forge("deploy test").start();
        wait_until("it began", || sandbox.path("began").exists());
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        wait_until("it ends", || {
            sandbox.path("told").exists() && sandbox.read("told").contains("done")
        });
        assert_eq!(sandbox.read("told"), "asked\ndone\n", "{signal}");
        drop(child.wait_with_output());
        let expected = if signal == "-INT" { "cancelled" } else { "interrupted" };
        wait_until("it is written down", || last_states(&sandbox) == [expected]);
    }
}

#[test]
fn what_a_shell_of_a_deployment_waits_for_is_ended_with_care_too() {
    let slow = "#!/bin/sh\ntrap 'sleep 0.1; echo done >> told; exit 3' INT\ntouch began\n\
                while :; do sleep 0.01; done\n";
    for signal in ["-INT", "-KILL"] {
        let sandbox = released("  run: cd . && sh slow.sh && true\n  stop: { grace: 20s }\n");
        sandbox.write("slow.sh", slow);
        let child = sandbox.forge("deploy test").start();
        wait_until("it began", || sandbox.path("began").exists());
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        wait_until("it ends", || sandbox.path("told").exists());
        drop(child.wait_with_output());
        wait_until("it is written down", || {
            ["cancelled", "interrupted"].contains(&last_states(&sandbox)[0].as_str())
        });
        assert_eq!(sandbox.read("told"), "done\n", "{signal}");
    }
}

#[test]
fn killed_at_any_moment_the_ledger_is_true() {
    // A command that finishes what it began, and cannot begin while another is at it.
    let sandbox = released(
        "  run: trap '' INT; mkdir alone && sleep 0.02 && echo {{ version }} > now && rmdir alone\n  \
         smoke: test \"$(cat now)\" = {{ version }}\n  stop: { grace: 5s }\n",
    );
    let mut ids = BTreeSet::new();
    for round in 0..50_u64 {
        let mut child = sandbox.forge("deploy test --force").start();
        std::thread::sleep(Duration::from_millis(round * 7 % 150));
        let _ = child.kill();
        drop(child.wait_with_output());
        if round % 5 == 0 {
            // What is known stays known.
            let now = states(&sandbox);
            assert!(ids.iter().all(|id| now.contains_key(id)), "{round}: {now:?}");
            ids.extend(now.keys().copied());
        }
    }
    sandbox.forge("deploy test --force").succeeds();
    assert!(!sandbox.path("alone").exists());
    for (id, states) in states(&sandbox) {
        let last = states.last().map(String::as_str);
        // Had two ever been at work at once, one would have failed.
        assert!(matches!(last, Some("succeeded" | "interrupted")), "{id}: {states:?}");
        let has = |state: &str| states.iter().any(|it| it == state);
        assert!(
            states[0] == "queued" && (!has("succeeded") || has("verifying")),
            "{id}: {states:?}"
        );
    }
}

#[test]
fn mistakes_in_files_are_told_at_their_places() {
    let check = |head: &str, deploy: &str, says: &str| {
        let sandbox = Sandbox::with_store().head(head).script("api", "v1").script("db", "v1");
        let spec = sandbox.read("subsystems/api.yml");
        sandbox.write("subsystems/api.yml", &format!("{spec}deploy: {deploy}\n"));
        sandbox.forge("check").exits(2).says(says);
    };
    let test = "environments: { test: {} }";
    check("environments: { a: { after: b } }", "'true'", "`b`, which is not an environment");
    check("environments: { a: { after: b }, b: { after: a } }", "'true'", "in a cycle: a → b → a");
    check("environments: { a: { max: 3 } }", "'true'", "`max` belongs to `pull_request`");
    check(
        "environments: { a: { pull_request: true, branch: b } }",
        "'true'",
        "so it has no `branch`",
    );
    check("project: x", "'true'", "versions.yml has no `environments`");
    check(test, "{ run: 'true', needs: [db] }", "needs `db`, which has no `deploy`");
    check(test, "{ run: 'true', needs: [api] }", "api needs itself");
    check(
        test,
        "{ run: 'true', health: { http: '{{ url }}/x' } }",
        "the environment `test` has none",
    );
    check(test, "{ run: 'echo {{ image }}' }", "templates know no `image`");
    check(test, "{ run: 'true', health: { for: 1s } }", "http");
    check(test, "{ run: 'true', timeout: soon }", "`soon` is not a duration");
}

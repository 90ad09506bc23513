//! What `forge serve` does by itself, and whether what runs drifted.

use serde_json::{Value, json};

use crate::{
    deployments::{PLAIN, last_states, released},
    support::{Sandbox, Serving, python_with, wait_until},
};

/// Writes `schedules:` into versions.yml.
fn with_schedules(sandbox: &Sandbox, schedules: &str) {
    let manifest = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &format!("{manifest}schedules:\n{schedules}"));
}

/// Has the queue believe that the turn of the schedule was over so many seconds ago.
fn last_turn(database: &std::path::Path, schedule: &str, seconds: u32) {
    let python = python_with("sqlite3").expect("a Python with sqlite3");
    let program = "import sqlite3, sys, time\nwith sqlite3.connect(sys.argv[1]) as d:\n \
                   d.execute('UPDATE schedules SET due = ? WHERE name = ?', (int((time.time() - float(sys.argv[3])) * 1000), sys.argv[2]))\n \
                   assert d.total_changes == 1\n";
    let output = std::process::Command::new(python)
        .args(["-c", program])
        .args([database.as_os_str(), schedule.as_ref(), seconds.to_string().as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_turn_is_taken_once_and_what_was_missed_is_said_once() {
    let sandbox = released(PLAIN);
    with_schedules(
        &sandbox,
        "  often: { cron: \"* * * * *\", zone: Europe/Berlin, deploy: test }\n  rarely: { cron: \"0 0 1 1 *\", drift: test }\n",
    );
    let state = sandbox.beside("state");
    let words = format!("--state {}", state.display());
    let mut server = Serving::begin(&sandbox, &words);
    wait_until("it says when", || server.said().matches("has its next turn at").count() == 2);
    let said = server.said();
    assert!(
        said.contains("[Europe/Berlin]") && said.contains("-01-01T00:00:00+00:00[UTC]"),
        "{said}"
    );
    server.signal("-KILL");
    // Nobody served for an hour: the last turn is made up for, those before it are not.
    last_turn(&state.join("jobs.db"), "often", 3600);
    let mut server = Serving::begin(&sandbox, &words);
    wait_until("its turn is taken", || {
        !server.get("/v1/deployments")["deployments"].as_array().unwrap().is_empty()
    });
    let list = server.get("/v1/deployments");
    let job = &list["deployments"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(job["requested_by"], "schedule often", "{list}");
    server.ends(job["id"].as_u64().unwrap(), "SUCCEEDED");
    wait_until("it says what was missed", || {
        server.said().contains("missed 59 of its turns")
            || server.said().contains("missed 60 of its turns")
    });
    sandbox
        .forge(&format!("deployments --server {}", server.address()))
        .succeeds()
        .says("schedule often");
    // Whoever serves next takes the same turn for taken.
    server.signal("-KILL");
    last_turn(&state.join("jobs.db"), "rarely", 3 * 366 * 24 * 3600);
    let server = Serving::begin(&sandbox, &words);
    wait_until("it says what was missed", || {
        server.said().contains("schedule rarely missed 3 of its turns")
    });
    assert!(!server.said().contains("schedule often missed"), "{}", server.said());
    let list = server.get("/v1/deployments");
    assert!(
        list["deployments"].as_array().unwrap().iter().all(|it| it["kind"] == "DEPLOY"),
        "{list}"
    );
}

#[test]
fn drift_is_told_and_not_mended() {
    let gated =
        "  run: cp {{ files }}/api {{ environment }}.sh\n  smoke: test -e {{ environment }}.sh\n";
    let sandbox = released(gated);
    sandbox.forge("drift test").succeeds().says("nothing drifted in test: 0 subsystems looked at");
    sandbox.forge("drift test api").exits(2).says("api does not run in test");
    sandbox.forge("drift tset").exits(2).says("did you mean `test`?");
    sandbox.forge("deploy test").succeeds();
    sandbox.forge("drift test").succeeds().says("api v1 in test is as deployment 1 left it");
    std::fs::remove_file(sandbox.path("test.sh")).unwrap();
    let run = sandbox.forge("drift test --json").exits(1);
    run.says("the smoke test of api v1 failed")
        .says("`forge deploy test api --force` deploys it again");
    let document: Value = run.json();
    assert_eq!((&document["ok"], &document["drift"][0]["drifted"]), (&json!(false), &json!(true)));
    assert!(!sandbox.path("test.sh").exists());
    assert_eq!(last_states(&sandbox), ["succeeded"]);
}

#[test]
fn what_is_wrong_with_schedules_is_told_all_at_once() {
    let sandbox = released(PLAIN);
    with_schedules(
        &sandbox,
        "  a: { cron: \"* * * *\", deploy: test }\n  b: { cron: \"0 0 * * *\", zone: Europe/Berlim, deploy: test }\n  \
         c: { cron: \"0 0 * * *\", drift: tset }\n  d: { cron: \"0 0 * * *\", sweep: test }\n  e: { cron: \"0 0 * * *\" }\n",
    );
    let run = sandbox.forge("check").exits(2);
    run.says("`* * * *` does not say when")
        .says("`Europe/Berlim` is not a time zone")
        .says("`tset` is not an environment")
        .says("`test` is not an environment with `pull_request`")
        .says("a schedule takes one of `deploy`, `drift`, `sweep`, and none is here");
}

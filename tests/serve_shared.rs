//! Several `forge serve` that share a queue in the real PostgreSQL.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    serve::SLOW,
    support::{Postgres, Sandbox, Serving, copy_tree, curl, wait_until},
};

/// A workspace whose `api` is deployed by `deploy`, with one ledger for all checkouts; and another checkout of it.
fn two_checkouts(deploy: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::with_store();
    let ledger = sandbox.beside("ledger");
    let head = format!(
        "environments: {{ a: {{}}, b: {{}}, c: {{}}, d: {{}} }}\nledger: {}",
        ledger.display()
    );
    let sandbox = sandbox.head(&head).script("api", "v1");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &format!("{spec}deploy:\n{deploy}"));
    sandbox.forge("release:binary api").succeeds();
    let second = sandbox.beside("second");
    copy_tree(&sandbox.root(), &second);
    (sandbox, second)
}

fn body(environment: &str) -> Value {
    json!({ "environment": environment, "name": "api", "force": true })
}

#[test]
fn two_servers_share_a_queue_and_each_job_runs_once() {
    let Some(postgres) = Postgres::shared() else { return };
    // Two at once would not both make the folder.
    let (sandbox, second) = two_checkouts(
        "  run: mkdir ../at-{{ environment }} && echo {{ environment }} >> ../done && sleep 0.05 && rmdir ../at-{{ environment }}\n",
    );
    let state = format!("--at-once 2 --state {}", postgres.database());
    let mut one = Serving::begin(&sandbox, &state);
    let two = Serving::within(&sandbox, &second, &state);
    let ids: Vec<u64> = (0..16)
        .map(|at| {
            let server = if at % 2 == 0 { &one } else { &two };
            server.ask(&body(["a", "b", "c", "d"][at % 4]))
        })
        .collect();
    // A server that is killed loses nothing: what it began ends by itself, and the other one does the rest.
    wait_until("both have begun", || {
        let list = two.get("/v1/deployments?page_size=100");
        let servers: BTreeSet<_> = list["deployments"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["server"].as_str())
            .collect();
        servers.len() == 2
    });
    one.signal("-KILL");
    for id in ids {
        let ended = two.ends(id, "SUCCEEDED");
        assert!(ended["log"].as_str().unwrap().contains("deploying api v1 to"), "{ended}");
        let document: Value = serde_json::from_str(ended["document"].as_str().unwrap()).unwrap();
        assert_eq!(document["deployments"][0]["state"], "succeeded", "{ended}");
        assert_eq!(document["deployments"][0]["id"], ended["deployment"]["ledger_ids"][0]);
    }
    let done = std::fs::read_to_string(sandbox.beside("done")).unwrap();
    assert_eq!(done.lines().count(), 16, "{done}");
}

#[test]
fn a_job_is_watched_and_cancelled_at_any_server() {
    let Some(postgres) = Postgres::shared() else { return };
    let line = "trap 'echo asked > told; exit 3' INT; echo it began; touch began; while :; do sleep 0.01; done";
    let (sandbox, second) =
        two_checkouts(&format!("  run: \"{line}\"\n  stop: {{ grace: 20s }}\n"));
    let state = format!("--state {}", postgres.database());
    let one = Serving::begin(&sandbox, &state);
    let id = one.ask(&body("a"));
    wait_until("it began", || sandbox.path("began").exists());
    let two = Serving::within(&sandbox, &second, &state);
    wait_until("the other server sees what it printed", || {
        let log = two.get(&format!("/v1/deployments/{id}/log"));
        log.as_str().is_some_and(|log| log.contains("it began"))
    });
    let watcher =
        sandbox.forge(&format!("deployments --server {} --watch {id}", two.address())).start();
    let (status, answer) = two.post(&format!("/v1/deployments/{id}/cancel"), &json!({}));
    assert_eq!((status, &answer["deployment"]["state"]), (200, &json!("CANCELLING")), "{answer}");
    two.ends(id, "CANCELLED");
    assert_eq!(sandbox.read("told"), "asked\n");
    let told = watcher.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(130), "{said}");
    assert!(said.contains("it began"), "{said}");
}

#[test]
fn a_job_whose_process_and_server_are_gone_is_found_by_its_lease() {
    let Some(postgres) = Postgres::shared() else { return };
    let (sandbox, second) = two_checkouts(SLOW);
    let url = postgres.database();
    let state = format!("--lease 2s --state {url}");
    let mut one = Serving::begin(&sandbox, &state);
    let gone = one.ask(&body("a"));
    wait_until("it began", || sandbox.path("began").exists());
    let name = url.split(['/', '?']).nth(3).unwrap();
    let process = postgres.ask(name, &format!("SELECT process FROM forge.jobs WHERE id = {gone}"));
    let process: Value = serde_json::from_str(&process.unwrap()).unwrap();
    one.signal("-KILL");
    let two = Serving::within(&sandbox, &second, &state);
    let next = two.ask(&body("a"));
    // While its process lives it is nobody else's, whatever happened to its server.
    let beaten = || postgres.ask(name, &format!("SELECT lease FROM forge.jobs WHERE id = {gone}"));
    let before = beaten();
    wait_until("it goes on", || beaten() != before);
    assert_eq!((two.state(gone).as_str(), two.state(next).as_str()), ("RUNNING", "QUEUED"));
    let pid = process["pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    sandbox.write("go", "");
    std::fs::write(second.join("go"), "").unwrap();
    let ended = two.ends(gone, "INTERRUPTED");
    let error = ended["deployment"]["error"].as_str().unwrap();
    assert!(error.contains("nothing was heard of it any more"), "{ended}");
    two.ends(next, "SUCCEEDED");
    assert!(two.said().contains("overdue"), "{}", two.said());
}

#[test]
fn a_database_that_is_away_for_a_while_ends_no_deployment() {
    let Some(postgres) = Postgres::start() else { return };
    let (sandbox, _) = two_checkouts(SLOW);
    let server = Serving::begin(&sandbox, &format!("--state {}", postgres.database()));
    let id = server.ask(&body("a"));
    wait_until("it began", || sandbox.path("began").exists());
    postgres.crash();
    sandbox.write("go", "");
    wait_until("the server has the database again", || {
        curl(&[&server.url(&format!("/v1/deployments/{id}"))]).0 == 200
    });
    server.ends(id, "SUCCEEDED");
    let next = server.ask(&body("a"));
    server.ends(next, "SUCCEEDED");
}

#[test]
fn a_database_that_is_not_there_is_told_without_its_password() {
    let (sandbox, _) = two_checkouts(SLOW);
    let url = "postgres://forge:verysecret@127.0.0.1:1/queue";
    let run = sandbox.forge("serve --listen 127.0.0.1:0").env("FORGE_SERVE_STATE", url).exits(5);
    run.says("the queue of jobs at postgres://").keeps_quiet_about("verysecret");
    sandbox.forge("serve --lease 10ms --listen 127.0.0.1:0").exits(2).says("at least one second");
}

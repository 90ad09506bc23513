//! A server and its deployments, killed at any moment. `FORGE_TEST_SERVE_JOBS` and `FORGE_TEST_SERVE_KILLS` say how
//! much of that; what came of it is printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Postgres, Sandbox, Serving};

/// The number that the variable `name` says.
fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// A workspace with so many environments, whose deployments write down when they begin and end.
fn workspace(stacks: usize) -> Sandbox {
    let environments: Vec<String> = (0..stacks).map(|at| format!("e{at}: {{}}")).collect();
    let sandbox = Sandbox::with_store();
    let sandbox = sandbox.head(&format!("environments: {{ {} }}", environments.join(", ")));
    let sandbox = sandbox.script("api", "v1");
    let spec = sandbox.read("subsystems/api.yml");
    let run = "echo \\\"b $DEPLOY_ID $DEPLOY_ENVIRONMENT\\\" >> ../seen; sleep 0.02; echo \\\"e $DEPLOY_ID $DEPLOY_ENVIRONMENT\\\" >> ../seen";
    sandbox.write("subsystems/api.yml", &format!("{spec}deploy:\n  run: \"{run}\"\n"));
    sandbox.forge("release:binary api").succeeds();
    sandbox
}

/// All jobs of the server.
fn all(server: &Serving) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/deployments?order=OLDEST_FIRST&page_size=1000&page_token={token}");
        let page = server.get(&path);
        found.extend(page["deployments"].as_array().cloned().unwrap_or_default());
        page["next_page_token"].as_str().unwrap_or_default().clone_into(&mut token);
        if token.is_empty() {
            return found;
        }
    }
}

/// How many of them have ended, and the processes of those that are at work.
fn progress(server: &Serving) -> usize {
    let metrics = server.get("/metrics");
    let over =
        ["SUCCEEDED", "FAILED", "INTERRUPTED", "CANCELLED", "TIMED_OUT", "STUCK", "ROLLED_BACK"];
    let count = |line: &str| {
        let state = over
            .iter()
            .find(|it| line.starts_with(&format!("forge_deployments{{state=\"{it}\"}} ")));
        state.and_then(|_| line.rsplit(' ').next()?.parse::<usize>().ok()).unwrap_or_default()
    };
    metrics.as_str().unwrap_or_default().lines().map(count).sum()
}

/// The processes of jobs below `root`.
fn runners(root: &str) -> Vec<String> {
    let output = Command::new("pgrep").args(["-f", &format!("serve:job {root}")]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn whoever_is_killed_when_each_job_ends_once_and_in_its_order() {
    let (count, kills) =
        (number("FORGE_TEST_SERVE_JOBS", 60), number("FORGE_TEST_SERVE_KILLS", 10));
    let stacks = (count / 6).clamp(10, 100);
    let sandbox = workspace(stacks);
    let state = sandbox.beside("state");
    chaos(&sandbox, (count, kills, stacks), &format!("--state {}", state.display()));
}

#[test]
fn the_same_holds_where_the_queue_is_in_a_database() {
    let Some(postgres) = Postgres::shared() else { return };
    let (count, kills) = (number("FORGE_TEST_SERVE_JOBS", 30), number("FORGE_TEST_SERVE_KILLS", 6));
    let stacks = (count / 6).clamp(5, 100);
    let sandbox = workspace(stacks);
    chaos(&sandbox, (count, kills, stacks), &format!("--lease 5s --state {}", postgres.database()));
}

fn chaos(sandbox: &Sandbox, (count, kills, stacks): (usize, usize, usize), state: &str) {
    let words = format!("--queue 1000000 --at-once 8 {state}");
    let mut server = Serving::begin(sandbox, &words);
    let began = Instant::now();
    let asked: Vec<u64> = (0..count)
        .map(|at| {
            let environment = format!("e{}", at % stacks);
            server.ask(&json!({ "environment": environment, "name": "api", "force": true }))
        })
        .collect();
    eprintln!("{count} jobs were asked for in {:.1} s", began.elapsed().as_secs_f64());
    let root = sandbox.beside("").display().to_string();
    let (mut killed, mut last) = ([0, 0], (0, Instant::now()));
    loop {
        let over = progress(&server);
        if over > last.0 {
            last = (over, Instant::now());
        }
        assert!(last.1.elapsed() < Duration::from_secs(120), "nothing goes on: {}", server.said());
        if over == count {
            break;
        }
        // Evenly, while there is something to do.
        if killed[0] + killed[1] < kills && over * kills >= (killed[0] + killed[1]) * count {
            if (killed[0] + killed[1]) % 2 == 0 {
                server.signal("-KILL");
                server = Serving::begin(sandbox, &words);
                killed[0] += 1;
            } else if let Some(pid) = runners(&root).first() {
                drop(Command::new("kill").args(["-KILL", pid]).status());
                killed[1] += 1;
            }
        } else {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let took = began.elapsed().as_secs_f64();
    check(sandbox, &server, &asked, killed[1]);
    eprintln!(
        "{count} jobs over {stacks} stacks on 8 runners, {} kills of the server and {} of runners: none lost, none \
         twice, in order; {took:.0} s",
        killed[0], killed[1]
    );
}

/// None is lost, none ran twice, those of a stack ran one after the other in the order in which they were asked for.
fn check(sandbox: &Sandbox, server: &Serving, asked: &[u64], killed: usize) {
    let jobs = all(server);
    let ids: Vec<u64> = jobs.iter().map(|job| job["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, asked, "some are lost");
    let mut last = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut interrupted = 0;
    for job in &jobs {
        let ledger = job["ledger_ids"].as_array().cloned().unwrap_or_default();
        match job["state"].as_str().unwrap() {
            "SUCCEEDED" => assert_eq!(ledger.len(), 1, "{job}"),
            "INTERRUPTED" => interrupted += 1,
            _ => panic!("{job}"),
        }
        for id in ledger.iter().map(|id| id.as_u64().unwrap()) {
            assert!(used.insert(id), "{job} has what another one did");
            let before = last.insert(job["environment"].to_string(), id);
            assert!(before.is_none_or(|before| before < id), "{job} ran before {before:?}");
        }
    }
    assert!(interrupted <= killed, "{interrupted} were interrupted, {killed} killed");
    let seen = std::fs::read_to_string(sandbox.beside("seen")).unwrap();
    let (mut at_work, mut begun) = (BTreeMap::new(), BTreeSet::new());
    for line in seen.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, id, place] = words[..] else { panic!("{line}") };
        match what {
            "b" => {
                assert!(begun.insert(id), "{id} began twice");
                // One that was killed has no end.
                at_work.insert(place, id);
            }
            _ => assert_eq!(at_work.remove(place), Some(id), "{line}: two met"),
        }
    }
}

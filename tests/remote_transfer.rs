//! How bytes go to a server and come from it: few calls, messages that every server takes, compressed where it can,
//! and not faster than it asks.

use std::{
    fs,
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use crate::{
    remote_cache::on_github,
    remote_execution::workspace as with_workers,
    support::{
        Run, Sandbox,
        reapi::{MADE, Misconduct, Reapi},
    },
};

fn workspace(server: &Reapi, task: &str) -> Sandbox {
    Sandbox::new()
        .head("project: demo")
        .head(&format!("remote: {{ cache: \"{}\", timeout: 3s }}", server.url()))
        .head(&format!("tasks:\n  make:\n    inputs: [in.txt]\n    outputs: ['out/**']\n    remote: true\n    run: {task}"))
        .script("hello", "v1")
        .file("in.txt", "what goes in\n")
}

/// What the default branch's CI puts in.
fn fill(sandbox: &Sandbox) -> Run {
    on_github(sandbox.forge("run make"), sandbox, "push", "refs/heads/main").succeeds()
}

/// Another machine, on which the task never ran.
fn another(sandbox: &Sandbox) -> Sandbox {
    let other = sandbox.clone_fresh();
    fs::remove_dir_all(other.path("out")).unwrap();
    other
}

fn counts(server: &Reapi) -> Vec<(String, usize)> {
    server.counts().into_iter().collect()
}

fn expected(calls: &[(&str, usize)]) -> Vec<(String, usize)> {
    calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Files of some size, each with other bytes.
const MANY: &str = "'i=0; while [ $i -lt COUNT ]; do mkdir -p out; head -c SIZE /dev/zero > out/$i; echo $i >> out/$i; i=$((i+1)); done'";

fn many(count: usize, size: usize) -> String {
    MANY.replace("COUNT", &count.to_string()).replace("SIZE", &size.to_string())
}

#[test]
fn many_small_files_go_and_come_in_one_message() {
    let server = Reapi::start();
    let first = workspace(&server, &many(50, 10));
    fill(&first).says("1 written");
    let calls = [
        ("BatchUpdateBlobs", 1),
        ("FindMissingBlobs", 1),
        ("GetCapabilities", 1),
        ("UpdateActionResult", 1),
    ];
    assert_eq!(counts(&server), expected(&calls));
    server.forget_calls();
    let second = another(&first);
    second.forge("run make").succeeds().says("1 fetched");
    let calls =
        [("BatchReadBlobs", 1), ("GetActionResult", 1), ("GetCapabilities", 1), ("Read", 1)];
    assert_eq!(counts(&server), expected(&calls));
    assert_eq!(second.read("out/49"), format!("{}49\n", "\0".repeat(10)));
}

#[test]
fn no_message_is_larger_than_every_server_takes() {
    let server = Reapi::start();
    let first = workspace(&server, &many(90, 100_000));
    // The server refuses larger messages, as gRPC does by itself.
    fill(&first).says("1 written");
    assert_eq!(server.count("BatchUpdateBlobs"), 3);
    server.forget_calls();
    let second = another(&first);
    second.forge("run make").succeeds().says("1 fetched");
    assert_eq!(server.count("BatchReadBlobs"), 3);
    assert_eq!(fs::metadata(second.path("out/89")).unwrap().len(), 100_003);
}

#[test]
fn a_server_without_the_call_for_many_is_asked_for_each() {
    let server = Reapi::start();
    let first = workspace(&server, &many(5, 10));
    fill(&first);
    server.misbehaves(Misconduct::NoBatches);
    let second = another(&first);
    second.forge("run make").succeeds().says("1 fetched");
    assert_eq!(second.read("out/4"), format!("{}4\n", "\0".repeat(10)));
}

#[test]
fn small_files_that_came_together_are_compared_too() {
    for misconduct in [Misconduct::Corrupt, Misconduct::Short, Misconduct::Evicted] {
        let server = Reapi::start();
        let first = workspace(&server, &many(5, 10));
        fill(&first);
        server.misbehaves(misconduct);
        let second = another(&first);
        second.forge("run make").succeeds().keeps_quiet_about("1 fetched");
        assert_eq!(second.read("out/4"), format!("{}4\n", "\0".repeat(10)), "{misconduct:?}");
    }
}

#[test]
fn large_files_are_compressed_where_the_server_can() {
    let server = Reapi::start();
    server.world().compresses = true;
    let task = "'mkdir -p out; head -c 9000000 /dev/zero > out/large; echo end >> out/large'";
    let first = workspace(&server, task);
    fill(&first).says("1 written");
    let received = server.world().received;
    assert!(received < 100_000, "{received} bytes came");
    // It goes on where it broke: the second stream begins in the middle of the plain bytes.
    server.misbehaves(Misconduct::Breaking);
    let second = another(&first);
    second.forge("run make").succeeds().says("1 fetched");
    let made = fs::read(second.path("out/large")).unwrap();
    assert_eq!((made.len(), &made[8_999_999..]), (9_000_004, &b"\0end\n"[..]));
    second.forge("doctor").succeeds().says("SHA256, zstd");
    // What is damaged within is as wrong as elsewhere.
    server.misbehaves(Misconduct::Corrupt);
    another(&first).forge("run make").succeeds().says("for the blob");
}

#[test]
fn a_task_on_a_worker_costs_three_calls_and_its_result() {
    let server = Reapi::start();
    let mut tasks = String::from("  all: { needs: [t0, t1, t2, t3, t4], run: 'true' }\n");
    for number in 0..5 {
        tasks.push_str(&format!("  t{number}: {{ inputs: [a.txt], outputs: [out{number}], remote: true, run: 'cp a.txt out{number}' }}\n"));
    }
    let sandbox = with_workers(server.port(), "", &tasks).file("a.txt", &"a".repeat(5000));
    sandbox.forge("run all").succeeds().says("5 executed");
    let mut calls = server.counts();
    // The result of each was asked for first; the first to come asks what the server can, once as a cache and once as
    // a worker.
    assert_eq!(calls.remove("GetCapabilities"), Some(2));
    assert_eq!(calls.remove("GetActionResult"), Some(5));
    // All make the same bytes, which come once.
    assert_eq!(calls.remove("Read"), Some(1));
    // Whoever waits for another one that sends the same asks once more.
    let asked = calls.remove("FindMissingBlobs").expect("some");
    assert!((5..=9).contains(&asked), "{asked}");
    let calls: Vec<_> = calls.into_iter().collect();
    assert_eq!(calls, ["BatchUpdateBlobs", "Execute"].map(|call| (call.to_owned(), 5)));
    // The input is sent once, each command and action for itself.
    let received = server.world().received;
    assert!((5000..10_000).contains(&received), "{received} bytes");
    assert_eq!(sandbox.read("out4"), MADE);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let server = Reapi::start();
    server.misbehaves(Misconduct::BusyForASecond);
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = with_workers(server.port(), "", tasks).file("a.txt", "a\n");
    let began = Instant::now();
    sandbox.forge("run make").succeeds();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(server.count("Execute"), 1);
    // Nobody waits for an hour: what the cache could have had is made here.
    let server = Reapi::start();
    server.misbehaves(Misconduct::BusyForAnHour);
    let sandbox = workspace(&server, &many(1, 1));
    let run = sandbox.forge("run make").succeeds();
    assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    assert_eq!(server.count("GetActionResult"), 1);
}

#[test]
fn a_full_server_costs_nothing_but_what_it_would_have_kept() {
    let server = Reapi::start();
    server.misbehaves(Misconduct::Full);
    let first = workspace(&server, &many(3, 10));
    let run = fill(&first);
    run.says("no space left on device").says("nothing more is written");
    assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    // Where workers need the room, it is an error with the same words.
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = with_workers(server.port(), "", tasks).file("a.txt", "a\n");
    sandbox.forge("run make").exits(5).says("no space left on device");
}

#[test]
fn what_a_worker_prints_is_there_before_it_ends() {
    let server = Reapi::start();
    server.misbehaves(Misconduct::Prints);
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = with_workers(server.port(), "", tasks).file("a.txt", "a\n");
    let mut child = sandbox.forge("run make").start();
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "it goes on");
    assert_eq!(child.try_wait().expect("its state"), None);
    server.world().may_end = true;
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(rest, ["and ends"]);
    assert!(child.wait().expect("its end").success());
}

/// The most memory that `child` ever held, in KiB, as far as that was seen before it ended.
fn peak_of(child: &mut std::process::Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("its state").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        peak = peak.max(found.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}

#[test]
fn the_size_of_a_file_is_no_matter_for_memory() {
    if cfg!(not(target_os = "linux")) || !crate::conformance::servers::is_here("buildbox-casd") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mib = std::env::var("FORGE_TEST_LARGE_MIB").ok().and_then(|text| text.parse().ok());
    let mib: u64 = mib.unwrap_or(150);
    let cache = folder.path().join("cas").display().to_string();
    let server =
        crate::conformance::servers::Running::start("buildbox-casd", folder.path(), |port| {
            vec!["--bind".into(), format!("127.0.0.1:{port}"), cache.clone()]
        });
    let spec = format!(
        "source: {{ path: code }}\nbuild:\n  run:\n    - cp large.sh {{{{ out }}}}/large\n    - head -c {mib}M /dev/urandom >> {{{{ out }}}}/large\n"
    );
    let first = Sandbox::new()
        .head("project: demo")
        .head(&format!("remote: {{ cache: \"grpc://127.0.0.1:{}\", timeout: 30s }}", server.port))
        .file("code/large.sh", "#!/bin/sh\necho large\nexit\n")
        .spec("large", "v1", &spec);
    let mut up = on_github(first.forge("ensure"), &first, "push", "refs/heads/main").start();
    let sent = peak_of(&mut up);
    assert!(up.wait().expect("its end").success());
    let second = first.clone_fresh();
    let mut down = second.forge("ensure").start();
    let taken = peak_of(&mut down);
    assert!(down.wait().expect("its end").success());
    second.forge("ensure large").succeeds();
    assert_eq!(second.run_binary("large"), "large\n");
    let size = fs::metadata(second.path(".forge/bin/large")).unwrap().len();
    assert_eq!(size >> 20, mib);
    eprintln!("{mib} MiB: at most {sent} KiB to send them, {taken} KiB to take them");
    for peak in [sent, taken] {
        assert!(peak > 0 && peak < 120 << 10, "{peak} KiB for {mib} MiB");
    }
}

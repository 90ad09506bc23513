//! Tasks that run on workers: as if they had run here, whatever the server, the network and the worker do.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{
    conformance::servers::{Running, is_here},
    remote_cache::on_github,
    support::{
        Invocation, Sandbox, is_alive,
        reapi::{MADE, Misconduct, Reapi},
        wait_until,
    },
};

/// buildbox-casd with workers of its own in `folder`: each action in a sandbox without a network.
pub fn start_engine(folder: &Path, jobs: usize) -> Running {
    start_engine_with(folder, jobs, &[])
}

/// The same, whose workers have `more` folders of this machine, each at a place of its own.
pub fn start_engine_with(folder: &Path, jobs: usize, more: &[(&str, &str)]) -> Running {
    let cache = folder.join("engine").display().to_string();
    let run = which("buildbox-run");
    Running::start("buildbox-casd", folder, |port| {
        let mut arguments = engine_arguments(port, &run, jobs);
        arguments.extend(more.iter().map(|(from, to)| mount(from, to)));
        arguments.push(cache.clone());
        arguments
    })
}

fn mount(from: &str, to: &str) -> String {
    format!("--runner-arg=--ro-bind-mount={from}:{to}")
}

fn engine_arguments(port: u16, run: &str, jobs: usize) -> Vec<String> {
    let mut arguments = vec![
        "--bind".into(),
        format!("127.0.0.1:{port}"),
        "--buildbox-run".into(),
        run.to_owned(),
        "--jobs".into(),
        jobs.to_string(),
        "--cache-failures=false".into(),
    ];
    for (from, to) in [
        ("/usr", "/usr"),
        ("/usr/bin", "/bin"),
        ("/usr/lib", "/lib"),
        ("/usr/lib64", "/lib64"),
        ("/etc", "/etc"),
    ] {
        if Path::new(from).is_dir() {
            arguments.push(mount(from, to));
        }
    }
    arguments
}

fn which(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.filter(|file| file.is_file()).map(|file| file.display().to_string()).next().expect("it")
}

/// Whether a server with workers can be started here.
pub fn has_engine() -> bool {
    let is_here = is_here("buildbox-casd") && is_here("buildbox-run") && is_here("bwrap");
    let sandboxes = || {
        let try_one =
            Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "true"]).status();
        let can = try_one.is_ok_and(|status| status.success());
        if !can {
            eprintln!("skipped: this system allows no sandbox of bwrap's");
        }
        can
    };
    is_here && sandboxes()
}

/// A workspace with tasks that run on workers of the server at `port`.
pub fn workspace(port: u16, more: &str, tasks: &str) -> Sandbox {
    let head = format!(
        "project: demo\nremote: {{ cache: \"grpc://127.0.0.1:{port}\", execution: true, timeout: 3s{more} }}\ntasks:\n{tasks}"
    );
    Sandbox::new().head(&head).script("hello", "v1")
}

fn ci(invocation: Invocation, sandbox: &Sandbox) -> Invocation {
    on_github(invocation, sandbox, "push", "refs/heads/main")
}

/// Says where it ran: on a worker nothing but the inputs is there, and no variable of this machine.
const TASK: &str = "  make:
    dir: code
    inputs: ['*.txt', 'sub/**']
    outputs: ['out/**', bin/tool]
    env: { GREETING: 'hello from {{ root }}' }
    remote: true
    run:
      - 'echo \"here: $(ls | tr \"\\n\" \" \")${ONLY_HERE-}\"; echo oops >&2'
      - 'cat a.txt sub/b.txt > out/both; cp sub/run.sh bin/tool; ln -s both out/link; mkdir out/empty'
      - 'printf %s \"$GREETING\" > out/greeting; test -d {{ root }}/code'
";

fn with_files(sandbox: Sandbox) -> Sandbox {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox
        .file("code/a.txt", "a\n")
        .file("code/ignored.md", "not an input\n")
        .file("code/sub/b.txt", "b\n")
        .file("code/sub/run.sh", "#!/bin/sh\necho tool\n");
    fs::set_permissions(sandbox.path("code/sub/run.sh"), fs::Permissions::from_mode(0o755))
        .unwrap();
    sandbox
}

#[test]
fn a_task_runs_on_a_worker_as_if_it_ran_here() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 2);
    let sandbox = with_files(workspace(engine.port, "", TASK));
    let run = sandbox.forge("run make").env("ONLY_HERE", "leaked").succeeds();
    assert_eq!(run.stdout(), "here: a.txt bin out sub \n");
    run.says("oops").says("1 executed");
    assert_eq!(sandbox.read("code/out/both"), "a\nb\n");
    assert_eq!(sandbox.read("code/out/greeting"), "hello from /");
    assert_eq!(fs::read_link(sandbox.path("code/out/link")).unwrap(), Path::new("both"));
    assert!(sandbox.path("code/out/empty").is_dir());
    assert_eq!(sandbox.forge("exec -- code/bin/tool").run().code(), Some(0));
    sandbox.forge("run make").succeeds().says("is up to date");
    // Another machine gets what is known, and nothing runs.
    let second = sandbox.clone_fresh();
    fs::remove_dir_all(second.path("code/out")).unwrap();
    let run = second.forge("run make").succeeds();
    run.says("1 fetched").keeps_quiet_about("executed");
    assert_eq!(second.read("code/out/both"), "a\nb\n");
    // A run that may publish has it run again.
    let third = sandbox.clone_fresh();
    fs::remove_dir_all(third.path("code/out")).unwrap();
    ci(third.forge("run make"), &third).succeeds().says("1 executed").says("1 written");
}

#[test]
fn what_fails_on_a_worker_fails_here_with_its_code_and_its_words() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 2);
    let tasks = "  bad: { inputs: [a.txt], outputs: [out], remote: true, run: ['echo before; exit 9', 'echo after'] }
  short: { inputs: [a.txt], outputs: [out], remote: true, run: 'true' }
  may: { inputs: [a.txt], outputs: [out], remote: true, run: [{ run: 'exit 3', allow_failure: true }, 'echo x > out'] }
  slow: { inputs: [a.txt], outputs: [out], remote: true, timeout: 2s, run: 'sleep 600' }
";
    let sandbox = workspace(engine.port, "", tasks).file("a.txt", "a\n");
    let run = sandbox.forge("run bad --exit-code").exits(9);
    assert_eq!(run.stdout(), "before\n");
    run.says("task bad failed").says("a command exited with code 9");
    sandbox.forge("run short").succeeds().says("did not make out");
    sandbox.forge("run may").succeeds();
    assert_eq!(sandbox.read("out"), "x\n");
    let began = std::time::Instant::now();
    sandbox.forge("run slow").exits(124);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn without_a_worker_it_fails_or_runs_here_if_that_was_said() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("its address").port()
    };
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = workspace(port, "", tasks).file("a.txt", "a\n");
    sandbox.forge("run make").exits(5).says("cannot be used").says("fallback: local");
    assert!(!sandbox.path("out").exists());
    let sandbox = workspace(port, ", fallback: local", tasks).file("a.txt", "a\n");
    sandbox.forge("run make").succeeds().says("runs here");
    assert_eq!(sandbox.read("out"), "a\n");
    // Nobody is asked where nobody may be.
    let sandbox = workspace(port, "", tasks).file("a.txt", "a\n");
    sandbox.forge("run make --offline").succeeds();
    assert_eq!(sandbox.read("out"), "a\n");
}

#[test]
fn a_server_that_only_caches_says_so() {
    if !is_here("buildbox-casd") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = crate::remote_cache::start_casd(folder.path());
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = workspace(server.port, "", tasks).file("a.txt", "a\n");
    sandbox.forge("run make").exits(5).says("executes nothing");
}

#[test]
fn what_is_stopped_here_is_stopped_there() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 2);
    let tasks = "  slow: { inputs: [a.txt], outputs: [out], remote: true, run: 'sleep 4242' }\n";
    let sandbox = workspace(engine.port, "", tasks).file("a.txt", "a\n");
    let mut child = sandbox.forge("run slow").start();
    let sleeping = || {
        let listed = Command::new("pgrep").args(["-x", "-f", "sleep 4242"]).output();
        let text = String::from_utf8(listed.expect("pgrep").stdout).expect("numbers");
        text.lines().filter_map(|line| line.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    wait_until("the worker runs it", || !sleeping().is_empty());
    let there = sleeping();
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    wait_until("the worker stopped it", || there.iter().all(|id| !is_alive(*id)));
}

#[test]
fn what_cannot_run_on_a_worker_runs_here_and_says_why() {
    let tasks = "  calls: { inputs: [a.txt], outputs: [out], remote: true, run: [{ task: other }, 'cp a.txt out'] }
  other: 'true'
  top: { inputs: [a.txt], outputs: ['*.out'], remote: true, run: 'cp a.txt x.out' }
  from_file: { inputs: [a.txt], outputs: [out], dotenv: .env, remote: true, run: 'cp a.txt out' }
  needs_tool: { inputs: [a.txt], outputs: [out], needs: [hello], remote: true, run: 'cp a.txt out' }
  cached: { inputs: [a.txt], outputs: [out], remote: { execute: false }, run: 'cp a.txt out' }
";
    let sandbox = workspace(1, "", tasks).file("a.txt", "a\n").file(".env", "A=b\n");
    sandbox.forge("explain top").succeeds().says("then it would run on a worker");
    sandbox.forge("explain cached").succeeds().keeps_quiet_about("worker");
    for (task, why) in [
        ("calls", "runs here: it calls other tasks"),
        ("top", "runs here: its outputs are patterns at the top"),
        ("from_file", "runs here: some of its variables come from files"),
        ("needs_tool", "runs here: it needs a subsystem"),
    ] {
        sandbox.forge(&format!("run {task}")).succeeds().says(why);
    }
    sandbox.forge("run cached --force").succeeds().keeps_quiet_about("runs here");
}

#[test]
fn workers_have_slots_of_their_own() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 4);
    let mut tasks = String::from("  all: { needs: [t0, t1, t2, t3], run: 'true' }\n");
    for number in 0..4 {
        tasks.push_str(&format!(
            "  t{number}: {{ inputs: [a.txt], outputs: [out{number}], remote: true, run: 'date +%s.%N > out{number}; sleep 2; date +%s.%N >> out{number}' }}\n"
        ));
    }
    // One of ours at a time; four of theirs, or two.
    for (jobs, most) in [(4, 4), (2, 2)] {
        let sandbox = workspace(engine.port, &format!(", jobs: {jobs}, salt: s{jobs}"), &tasks)
            .file("a.txt", "a\n");
        sandbox.forge("run all -j 1").succeeds().says("4 executed");
        let mut events = Vec::new();
        for number in 0..4 {
            let text = sandbox.read(&format!("out{number}"));
            let times: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
            events.push((times[0], 1));
            events.push((times[1], -1));
        }
        events.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut now = 0;
        let at_once = events
            .iter()
            .map(|(_, change)| {
                now += change;
                now
            })
            .max()
            .unwrap();
        assert!(at_once <= most && at_once > 1, "{at_once} at once of {jobs}");
    }
}

/// A build that is remote, with files beside its source that do not go there.
fn with_build(sandbox: Sandbox) -> Sandbox {
    sandbox
        .file("code/far/far.sh", "#!/bin/sh\necho far\n")
        .file("code/near.txt", "not of it\n")
        .spec(
            "far",
            "v1",
            "source: { path: code/far }\nbuild:\n  remote: true\n  env: { WHERE: '{{ src }}' }\n  run:\n    - 'ls; echo \"src $WHERE\"'\n    - cp far.sh {{ out }}/far\n",
        )
}

#[test]
fn a_build_runs_on_a_worker_and_is_installed_as_if_it_ran_here() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 2);
    let sandbox = with_build(workspace(engine.port, "", "  x: 'true'\n"));
    sandbox.forge("plan far").succeeds().says("built on a worker");
    sandbox.forge("plan far --offline").succeeds().keeps_quiet_about("worker");
    let run = sandbox.forge("ensure far --json").succeeds();
    let document = run.json();
    assert_eq!(document["artifacts"][0]["how"], "built", "{run}");
    assert_eq!(document["remote"]["executed"], 1, "{run}");
    assert_eq!(sandbox.run_binary("far"), "far\n");
    let log = document["artifacts"][0]["log"].as_str().expect("a log").to_owned();
    let log = fs::read_to_string(sandbox.path(&log)).expect("the log");
    assert_eq!(log.replace("//", "/"), "far.sh\nsrc /code/far\n");
    sandbox.forge("verify far").succeeds();
    // A run that may publish has it built again, and keeps it for others.
    let second = sandbox.clone_fresh();
    let run = ci(second.forge("ensure far --json"), &second).succeeds();
    assert_eq!(
        (&run.json()["remote"]["executed"], &run.json()["remote"]["written"]),
        (&1.into(), &1.into()),
        "{run}"
    );
    let third = sandbox.clone_fresh();
    assert_eq!(third.hows("ensure far"), [("far".to_owned(), "remote".to_owned())]);
}

#[test]
fn a_build_that_fails_on_a_worker_or_finds_none_says_so() {
    if !has_engine() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), 2);
    let spec = "source: { path: code/bad }\nbuild: { remote: true, run: ['echo words; exit 3'] }\n";
    let sandbox =
        workspace(engine.port, "", "  x: 'true'\n").file("code/bad/x", "x").spec("bad", "v1", spec);
    let run = sandbox.forge("ensure bad").exits(1);
    run.says("a command exited with code 3").says("words");
    let nothing = "source: { path: code/bad }\nbuild: { remote: true, run: ['true'] }\n";
    sandbox.write("subsystems/bad.yml", nothing);
    sandbox.forge("ensure bad").exits(1).says("the build made no `bad`");
    drop(engine);
    let lonely = with_build(sandbox);
    lonely.forge("ensure far").exits(5).says("cannot be used");
    let text = lonely.read("versions.yml");
    lonely.write("versions.yml", &text.replace("timeout: 3s", "timeout: 3s, fallback: local"));
    lonely.forge("ensure far").succeeds();
    assert_eq!(lonely.run_binary("far"), "far\n");
}

#[test]
fn a_lost_stream_is_waited_for_and_nothing_runs_twice() {
    let server = Reapi::start();
    server.misbehaves(Misconduct::LosesStreams);
    let tasks = "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
    let sandbox = workspace(server.port(), "", tasks).file("a.txt", "a\n");
    let run = sandbox.forge("run make").succeeds();
    assert_eq!(run.stdout(), "on a worker\n");
    assert_eq!(sandbox.read("out"), MADE);
    assert_eq!((server.count("Execute"), server.count("WaitExecution")), (1, 2));
}

#[test]
fn what_the_server_lost_is_sent_or_made_again() {
    for (misconduct, executions) in [
        (Misconduct::LosesInputs, 2),
        (Misconduct::LosesInputsSilently, 2),
        (Misconduct::LosesOutputs, 2),
    ] {
        let server = Reapi::start();
        server.misbehaves(misconduct);
        let tasks =
            "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
        let sandbox = workspace(server.port(), "", tasks).file("a.txt", "a\n");
        sandbox.forge("run make").succeeds();
        assert_eq!(sandbox.read("out"), MADE, "{misconduct:?}");
        assert_eq!(server.count("Execute"), executions, "{misconduct:?}");
    }
}

#[test]
fn what_a_worker_made_counts_only_with_its_digest() {
    for misconduct in [Misconduct::Corrupt, Misconduct::Short] {
        let server = Reapi::start();
        server.misbehaves(misconduct);
        let tasks =
            "  make: { inputs: [a.txt], outputs: [out], remote: true, run: 'cp a.txt out' }\n";
        let sandbox = workspace(server.port(), "", tasks).file("a.txt", "a\n");
        sandbox.forge("run make").exits(5).says("cannot be fetched").says("for the blob");
        assert!(!sandbox.path("out").exists());
    }
}

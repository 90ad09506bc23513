//! What tasks make, shared between machines: by the same rules as builds.

use std::{fs, path::Path};

use bytes::Bytes;
use reapi_protocol::reapi::{Digest, OutputFile};

use crate::{
    conformance::servers::is_here,
    remote_cache::{on_github, start_casd},
    support::{
        Invocation, Run, Sandbox,
        reapi::{Misconduct, Reapi},
        sha256,
    },
};

/// A task with files, a link and an empty folder. It counts its runs beside the workspace.
const TASK: &str = "tasks:
  make:
    inputs: [in.txt]
    outputs: ['out/**']
    remote: true
    run:
      - echo ran >> \"$RUNS\"
      - rm -rf out; mkdir -p out/sub out/empty; cp in.txt out/a; cp in.txt out/sub/b; echo more > out/sub/c
      - chmod 755 out/a; ln -s a out/link";

fn workspace(url: &str) -> Sandbox {
    Sandbox::new()
        .head("project: demo")
        .head(&format!("remote: {{ cache: \"{url}\", timeout: 2s }}"))
        .head(TASK)
        .script("hello", "v1")
        .file("in.txt", "what goes in\n")
}

/// Runs of the task on the machine of `sandbox`.
fn runs(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.beside("runs")).unwrap_or_default().lines().count()
}

fn make(sandbox: &Sandbox) -> Invocation {
    sandbox.forge("run make").env("RUNS", sandbox.beside("runs"))
}

/// What the default branch's CI puts in.
fn fill(sandbox: &Sandbox) -> Run {
    on_github(make(sandbox), sandbox, "push", "refs/heads/main").succeeds()
}

/// Another machine, on which the task never ran.
fn another(sandbox: &Sandbox) -> Sandbox {
    let other = sandbox.clone_fresh();
    let _ = fs::remove_dir_all(other.path("out"));
    other
}

/// Everything is there as the task makes it.
fn is_whole(sandbox: &Sandbox) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(sandbox.read("out/sub/b"), "what goes in\n");
    assert_eq!(sandbox.read("out/sub/c"), "more\n");
    assert_eq!(fs::read_link(sandbox.path("out/link")).unwrap(), Path::new("a"));
    assert!(sandbox.path("out/empty").is_dir());
    let mode = fs::metadata(sandbox.path("out/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// A filled server, and a machine that has nothing yet.
fn filled() -> (Reapi, Sandbox) {
    let server = Reapi::start();
    let first = workspace(&server.url());
    fill(&first).says("1 written");
    server.forget_calls();
    (server, another(&first))
}

#[test]
fn what_a_task_made_in_ci_another_machine_takes_and_does_not_run() {
    let (server, second) = filled();
    make(&second).succeeds().says("is taken from the remote cache").says("1 fetched");
    is_whole(&second);
    assert_eq!((runs(&second), server.count("UpdateActionResult")), (0, 0));
    // From here on it is up to date, and asks nobody.
    server.forget_calls();
    make(&second).succeeds().says("is up to date");
    assert_eq!(server.count("GetActionResult"), 0);
    // What it makes is here now, whatever becomes of the server.
    fs::remove_dir_all(second.path("out")).unwrap();
    drop(server);
    make(&second).succeeds();
    is_whole(&second);
    assert_eq!(runs(&second), 0);
}

#[test]
fn two_machines_share_a_real_server() {
    if !is_here("buildbox-casd") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = start_casd(folder.path());
    let first = workspace(&format!("grpc://127.0.0.1:{}", server.port));
    fill(&first).says("1 written");
    let second = another(&first);
    make(&second).succeeds().says("1 fetched");
    is_whole(&second);
    assert_eq!((runs(&first), runs(&second)), (1, 0));
    // Killed, it costs a run, and is said once.
    drop(server);
    let third = another(&first);
    let run = make(&third).succeeds();
    assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    is_whole(&third);
    assert_eq!(runs(&third), 1);
}

#[test]
fn a_server_that_lies_costs_a_run_and_is_said() {
    for (misconduct, told) in [
        (Misconduct::Corrupt, "for the blob"),
        (Misconduct::Short, "for the blob"),
        (Misconduct::Incomplete, "a file that it does not have"),
    ] {
        let (server, second) = filled();
        server.misbehaves(misconduct);
        make(&second).succeeds().says("is not used").says(told).says("salt");
        is_whole(&second);
        assert_eq!(runs(&second), 1, "{misconduct:?}");
    }
}

#[test]
fn a_list_of_other_outputs_is_refused() {
    let file = |path: &str| {
        let digest = sha256(b"evil");
        format!(
            r#"{{"outputs":[{{"path":"{path}","mark":"m","kind":{{"File":["{digest}",493]}}}}],"folders":{{}}}}"#
        )
    };
    let link =
        r#"{"outputs":[{"path":"out/l","mark":"m","kind":{"Link":"../../../etc"}}],"folders":{}}"#;
    for (list, told) in [
        (file("../evil"), "lies outside"),
        (file("in.txt"), "the task does not make"),
        (file("out/.git/hooks/x"), "lies outside"),
        (link.to_owned(), "leads out"),
        ("nothing".to_owned(), "not one of this task"),
    ] {
        let (server, second) = filled();
        {
            let mut world = server.world();
            let (bytes, evil) = (Bytes::from(list), Bytes::from_static(b"evil"));
            let digest_of = |bytes: &Bytes| Digest {
                hash: sha256(bytes),
                size_bytes: i64::try_from(bytes.len()).unwrap(),
            };
            let (list, other) = (digest_of(&bytes), digest_of(&evil));
            world.blobs.insert(list.hash.clone(), bytes);
            world.blobs.insert(other.hash.clone(), evil);
            let result = world.results.values_mut().next().expect("a result");
            result.output_files[0].digest = Some(list);
            result.output_files.push(OutputFile {
                path: "out/evil".into(),
                digest: Some(other),
                ..OutputFile::default()
            });
        }
        make(&second).succeeds().says("is not used").says(told);
        is_whole(&second);
        assert_eq!(runs(&second), 1, "{told}");
        assert!(!second.beside("evil").exists() && !second.path("out/evil").exists());
        assert_eq!(second.read("in.txt"), "what goes in\n");
    }
}

#[test]
fn forgotten_files_cost_a_run_and_nothing_is_said() {
    let (server, second) = filled();
    server.misbehaves(Misconduct::Evicted);
    make(&second).succeeds().says("1 missed").keeps_quiet_about("warning");
    is_whole(&second);
    assert_eq!(runs(&second), 1);
}

#[test]
fn a_server_in_trouble_is_given_up_once_for_builds_and_tasks() {
    for misconduct in [Misconduct::Internal, Misconduct::Silent] {
        let (server, second) = filled();
        let second = second.script("tool", "v1");
        let text = second
            .read("versions.yml")
            .replace("    remote: true", "    remote: true\n    needs: [tool]");
        second.write("versions.yml", &text);
        server.misbehaves(misconduct);
        let began = std::time::Instant::now();
        let run = make(&second).succeeds();
        assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
        assert_eq!(runs(&second), 1);
        assert!(began.elapsed().as_secs() < 10, "{misconduct:?}: {:?}", began.elapsed());
        let calls = server.world().calls.len();
        assert!(calls <= 3, "{calls} calls");
    }
}

#[test]
fn only_ci_that_may_publish_writes_and_it_reads_nothing() {
    let server = Reapi::start();
    let sandbox = workspace(&server.url());
    make(&another(&sandbox)).succeeds();
    let request = another(&sandbox);
    on_github(make(&request), &request, "pull_request", "refs/pull/7/merge").succeeds();
    assert_eq!(server.count("UpdateActionResult"), 0);
    fill(&sandbox);
    server.forget_calls();
    let again = another(&sandbox);
    fill(&again);
    assert_eq!((server.count("GetActionResult"), runs(&again)), (0, 1));
    // A run for a proposal takes it; what it took is nothing for a run that publishes.
    let request = another(&sandbox);
    on_github(make(&request), &request, "pull_request", "refs/pull/7/merge").succeeds();
    assert_eq!(runs(&request), 0);
    fill(&request);
    assert_eq!(runs(&request), 1);
}

#[test]
fn another_input_tool_or_variable_is_another_key() {
    use std::os::unix::fs::PermissionsExt;
    let server = Reapi::start();
    let with_tool = |sandbox: &Sandbox, version: &str| {
        let tool = sandbox.beside("bin/pretend");
        fs::create_dir_all(tool.parent().unwrap()).unwrap();
        fs::write(&tool, format!("#!/bin/sh\necho pretend {version}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let first = workspace(&server.url());
    let text = first.read("versions.yml").replace("remote: true", "remote: { tools: [pretend] }");
    first.write("versions.yml", &text);
    with_tool(&first, "1.0");
    let on_path = |sandbox: &Sandbox| {
        let path = std::env::var("PATH").unwrap_or_default();
        make(sandbox).env("PATH", format!("{}:{path}", sandbox.beside("bin").display()))
    };
    on_github(on_path(&first), &first, "push", "refs/heads/main").succeeds().says("1 written");
    for (version, input, flags, is_run) in [
        ("1.0", "what goes in\n", "", 0),
        ("1.1", "what goes in\n", "", 1),
        ("1.0", "something else\n", "", 1),
        ("1.0", "what goes in\n", "-O3", 1),
    ] {
        let other = another(&first);
        with_tool(&other, version);
        other.write("in.txt", input);
        let mut invocation = on_path(&other);
        if !flags.is_empty() {
            invocation = invocation.env("CFLAGS", flags);
        }
        invocation.succeeds();
        assert_eq!(runs(&other), is_run, "{version} {input} {flags}");
    }
    // Without an answer there is no key.
    let other = another(&first);
    make(&other).succeeds();
    assert_eq!(runs(&other), 1);
}

#[test]
fn what_came_from_a_cache_that_is_disowned_is_made_again() {
    let (server, second) = filled();
    make(&second).succeeds();
    assert_eq!(runs(&second), 0);
    let text = second.read("versions.yml");
    second.write("versions.yml", &text.replace("timeout: 2s", "timeout: 2s, salt: \"2\""));
    make(&second).succeeds();
    assert_eq!(runs(&second), 1);
    drop(server);
}

#[test]
fn what_cannot_be_shared_is_said_with_its_place() {
    for (task, why) in [
        ("{ remote: true, outputs: [x], run: y }", "does not say what goes in"),
        ("{ remote: true, inputs: [x], run: y }", "does not say what it makes"),
        ("{ remote: true, inputs: [x], outputs: [z], interactive: true, run: y }", "terminal"),
    ] {
        let sandbox = Sandbox::new().head(&format!("tasks:\n  a: {task}")).script("hello", "v1");
        sandbox.forge("check").exits(2).says(why).says("versions.yml:2:16");
    }
    let (_server, second) = filled();
    second.forge("explain make").succeeds().says("would be asked first");
}

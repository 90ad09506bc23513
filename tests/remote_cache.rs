//! The cache that machines share: what goes in, what comes out, and what is not believed.

use std::{fs, path::Path, process::Command};

use reapi_protocol::reapi;

use crate::{
    conformance::servers::{Running, is_here},
    support::{
        Invocation, Run, Sandbox, python_with,
        reapi::{Misconduct, Reapi},
    },
};

/// The binary has more than a message of gRPC carries.
const LARGE: &str = "source: { path: code }\nbuild:\n  run:\n    - cp large.sh {{ out }}/large\n    - head -c 5000000 /dev/zero >> {{ out }}/large\n";

/// A workspace with two scripts and the cache at `url`.
fn workspace(url: &str) -> Sandbox {
    Sandbox::new()
        .head("project: demo")
        .head(&format!("remote: {{ cache: \"{url}\", timeout: 2s }}"))
        .script("hello", "v1.0.0")
        .script("bye", "v2.0.0")
}

/// With what GitHub says of a run for `event` at `reference`.
pub fn on_github(
    invocation: Invocation,
    sandbox: &Sandbox,
    event: &str,
    reference: &str,
) -> Invocation {
    let file = sandbox.beside("event.json");
    fs::write(&file, r#"{"repository":{"default_branch":"main"}}"#).expect("the event");
    invocation
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", "o/r")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_REF", reference)
        .env("GITHUB_WORKFLOW_REF", format!("o/r/.github/workflows/ci.yml@{reference}"))
        .env("GITHUB_EVENT_PATH", file)
}

/// What the default branch's CI puts in.
fn fill(sandbox: &Sandbox) -> Run {
    on_github(sandbox.forge("ensure --json"), sandbox, "push", "refs/heads/main").succeeds()
}

/// A filled server, the machine that filled it, which counts all builds, and one that has nothing yet.
fn filled() -> (Reapi, Sandbox, Sandbox) {
    let server = Reapi::start();
    let first = workspace(&server.url());
    let run = fill(&first);
    assert_eq!(run.json()["remote"]["written"], 2, "{run}");
    server.forget_calls();
    let second = first.clone_fresh();
    (server, first, second)
}

#[test]
fn what_ci_built_another_machine_takes_and_builds_nothing() {
    let (server, first, second) = filled();
    let run = second.forge("ensure --json").succeeds();
    let document = run.json();
    for artifact in document["artifacts"].as_array().unwrap() {
        assert_eq!(
            (&artifact["how"], &artifact["published"]),
            (&"remote".into(), &false.into()),
            "{run}"
        );
    }
    assert_eq!(document["remote"]["fetched"], 2);
    assert_eq!(first.builds(), 2);
    assert_eq!(second.run_binary("hello"), "hello v1.0.0\n");
    assert_eq!((server.count("UpdateActionResult"), server.count("GetActionResult")), (0, 2));
    second.all_are("fresh");
}

#[test]
fn what_a_hit_is_built_with_is_not_looked_for() {
    let server = Reapi::start();
    let spec = "source: { path: code/tool }\nbuild_needs: [hello]\nbuild:\n  run: [\"hello; cp tool.sh {{ out }}/tool\"]\n";
    let first = workspace(&server.url())
        .file("code/tool/tool.sh", "#!/bin/sh\necho tool\n")
        .spec("tool", "v1", spec);
    fill(&first);
    let second = first.clone_fresh();
    assert_eq!(second.hows("ensure tool"), [("tool".to_owned(), "remote".to_owned())]);
}

#[test]
fn large_files_go_and_come_as_streams_that_may_break() {
    let server = Reapi::start();
    let first = workspace(&server.url())
        .file("code/large.sh", "#!/bin/sh\necho large\nexit\n")
        .spec("large", "v1", LARGE);
    fill(&first);
    assert_eq!(server.count("Write"), 1);
    server.misbehaves(Misconduct::Breaking);
    let second = first.clone_fresh();
    second.all_are("remote");
    assert_eq!(second.run_binary("large"), "large\n");
}

#[test]
fn only_ci_that_may_publish_writes() {
    let server = Reapi::start();
    for (event, reference) in [
        ("pull_request", "refs/pull/7/merge"),
        ("pull_request_target", "refs/heads/main"),
        ("push", "refs/heads/feature"),
    ] {
        let sandbox = workspace(&server.url());
        on_github(sandbox.forge("ensure"), &sandbox, event, reference).succeeds();
    }
    let laptop = workspace(&server.url());
    laptop.forge("ensure --publish").succeeds();
    workspace(&server.url()).forge("ensure").succeeds();
    for write in ["UpdateActionResult", "BatchUpdateBlobs", "Write"] {
        assert_eq!(server.count(write), 0, "{write}");
    }
    let told = workspace(&server.url());
    let invocation = told.forge("ensure --no-publish");
    on_github(invocation, &told, "push", "refs/heads/main").succeeds();
    assert_eq!(server.count("UpdateActionResult"), 0);
}

#[test]
fn a_run_that_publishes_asks_nothing_and_a_run_for_a_proposal_takes() {
    let (server, first, second) = filled();
    let request = on_github(second.forge("ensure"), &second, "pull_request", "refs/pull/7/merge");
    request.succeeds().says("2 remote");
    let third = second.clone_fresh();
    server.forget_calls();
    fill(&third);
    assert_eq!((server.count("GetActionResult"), server.count("Read")), (0, 0));
    assert_eq!(first.builds(), 4);
}

#[test]
fn what_came_from_a_remote_cache_is_never_released() {
    let (server, first, mut second) = filled();
    second.all_are("remote");
    second.forge("ensure --publish").succeeds();
    assert!(!second.beside("data/releases").exists(), "it was published");
    // The same workspace, now with a store: whoever publishes builds.
    second.releases_from(&format!("dir:{}", second.beside("store").display()));
    let run =
        on_github(second.forge("ensure --json"), &second, "push", "refs/heads/main").succeeds();
    for artifact in run.json()["artifacts"].as_array().unwrap() {
        assert_eq!(
            (&artifact["how"], &artifact["published"]),
            (&"built".into(), &true.into()),
            "{run}"
        );
    }
    assert_eq!(first.builds(), 4);
    drop(server);
}

#[test]
fn what_came_from_a_cache_that_is_no_longer_named_is_made_again() {
    let (server, _first, second) = filled();
    second.all_are("remote");
    let text = second.read("versions.yml");
    second.write("versions.yml", &text.replace("timeout: 2s", "timeout: 2s, salt: \"2\""));
    second.all_are("built");
    drop(server);
}

#[test]
fn what_is_not_what_it_should_be_costs_a_build_and_is_said() {
    for (misconduct, told) in [
        (Misconduct::Corrupt, "for the blob"),
        (Misconduct::Short, "for the blob"),
        (Misconduct::OutsidePath, "its files are not those that the spec names"),
        (Misconduct::Incomplete, "its files are not those that the spec names"),
    ] {
        let (server, _first, second) = filled();
        server.misbehaves(misconduct);
        let run = second.forge("ensure").succeeds();
        run.says("2 built").says("is not used").says(told).says("salt");
        assert_eq!(second.run_binary("hello"), "hello v1.0.0\n", "{misconduct:?}");
        assert!(!second.path("outside").exists() && !second.path(".forge/outside").exists());
    }
}

#[test]
fn results_without_a_stamp_that_fits_are_not_believed() {
    let (server, _first, second) = filled();
    {
        let mut world = server.world();
        let keys: Vec<String> = world.results.keys().cloned().collect();
        let (first, last) = (world.results[&keys[0]].clone(), world.results[&keys[1]].clone());
        world.results.insert(keys[0].clone(), last);
        world.results.insert(keys[1].clone(), first);
    }
    second.forge("ensure").succeeds().says("2 built").says("its files are not those");
}

#[test]
fn evicted_files_cost_a_build_and_nothing_is_said() {
    let (server, _first, second) = filled();
    server.misbehaves(Misconduct::Evicted);
    let run = second.forge("ensure").succeeds();
    run.says("2 built").keeps_quiet_about("warning");
}

#[test]
fn a_server_in_trouble_is_given_up_once_and_said_once() {
    for misconduct in [Misconduct::Internal, Misconduct::Silent] {
        let (server, _first, second) = filled();
        server.misbehaves(misconduct);
        let began = std::time::Instant::now();
        let run = second.forge("ensure").succeeds();
        run.says("2 built").says("is not used in this run");
        assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
        assert!(began.elapsed().as_secs() < 10, "{misconduct:?}: {:?}", began.elapsed());
    }
    let (server, _first, second) = filled();
    drop(server);
    let run = second.forge("ensure").succeeds();
    assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    second.forge("clean:all").succeeds();
    second.forge("ensure --offline").succeeds().keeps_quiet_about("remote");
}

#[test]
fn who_may_not_write_is_told_once_and_what_was_built_is_good() {
    let server = Reapi::start();
    server.misbehaves(Misconduct::ReadOnly);
    let run = fill(&workspace(&server.url()));
    assert_eq!(run.json()["remote"]["written"], 0);
    assert_eq!(run.json()["warnings"].as_array().unwrap().len(), 1, "{run}");
    run.says("you may not write").says("write: never");
}

#[test]
fn another_tool_is_another_key() {
    let server = Reapi::start();
    let spec = "source: { path: code/hello }\nbuild:\n  tools: [pretend]\n  run: [\"cp hello.sh {{ out }}/hello\"]\n";
    let sandbox = |version: &str| {
        let sandbox = Sandbox::new()
            .head("project: demo")
            .head(&format!("remote: {{ cache: \"{}\" }}", server.url()))
            .file("code/hello/hello.sh", "#!/bin/sh\necho hello\n")
            .spec("hello", "v1", spec);
        let tool = sandbox.beside("bin/pretend");
        fs::create_dir_all(tool.parent().unwrap()).unwrap();
        fs::write(&tool, format!("#!/bin/sh\necho pretend {version}\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&tool).status().unwrap();
        sandbox
    };
    let with = |sandbox: &Sandbox, words: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = sandbox.beside("bin");
        sandbox.forge(words).env("PATH", format!("{}:{path}", bin.display()))
    };
    let first = sandbox("1.0");
    on_github(with(&first, "ensure"), &first, "push", "refs/heads/main").succeeds();
    let (same, other) = (sandbox("1.0"), sandbox("1.1"));
    with(&same, "ensure").succeeds().says("1 remote");
    with(&other, "ensure").succeeds().says("1 built");
    // So do variables that compilers listen to.
    let flags = sandbox("1.0");
    with(&flags, "ensure").env("CFLAGS", "-O3").succeeds().says("1 built");
}

#[test]
fn a_login_comes_from_the_environment_and_is_shown_nowhere() {
    let server = Reapi::start();
    let head = format!(
        "remote: {{ cache: \"{}\", headers: {{ authorization: CACHE_LOGIN }} }}",
        server.url()
    );
    let task = "tasks: { look: 'echo login=$CACHE_LOGIN' }";
    let sandbox = Sandbox::new().head(&head).head(task).script("hello", "v1");
    let run = sandbox.forge("ensure -v").env("CACHE_LOGIN", "Bearer hush").succeeds();
    run.keeps_quiet_about("hush");
    let logins: Vec<_> = server.world().calls.iter().map(|(_, login)| login.clone()).collect();
    assert!(!logins.is_empty() && logins.iter().all(|it| it.as_deref() == Some("Bearer hush")));
    // Tasks do not inherit it.
    let task = sandbox.forge("run look").env("CACHE_LOGIN", "Bearer hush").exits(1);
    task.says("tasks do not inherit what forge logs in with").keeps_quiet_about("hush");
    sandbox.forge("doctor").succeeds().says("CACHE_LOGIN").says("not set");
}

#[test]
fn what_is_wrong_with_the_manifest_has_its_place_and_shows_no_secret() {
    for (settings, told) in [
        ("{ cache: \"grpc://cache.example.com:1\" }", "unprotected"),
        ("{ cache: \"https://cache.example.com\" }", "grpcs://HOST:PORT"),
        ("{ cache: \"grpcs://c:1\", tls: { cert: X } }", "go together"),
        ("{ cache: \"grpcs://c:65536\" }", "`65536` is not a port"),
        ("{ cache: \"grpcs://c:1\", tls: { ca: gone.pem } }", "there is no file `gone.pem`"),
        ("{ cache: \"grpcs://c:1\", timeout: soon }", "not a time"),
        ("{ cache: \"grpcs://c:1\", write: all }", "never"),
        ("{ instance: main }", "cache"),
    ] {
        let sandbox = Sandbox::new().head(&format!("remote: {settings}")).script("hello", "v1");
        sandbox.forge("check").exits(2).says(told).says("versions.yml:1");
    }
}

#[test]
fn verbs_that_look_speak_of_it_and_ask_nothing() {
    let (server, _first, second) = filled();
    second.forge("plan").succeeds().says("built");
    second
        .forge("explain hello")
        .succeeds()
        .says("remote cache grpc://")
        .says("asked before it is built");
    assert!(server.world().calls.is_empty());
    let run = second.forge("doctor").succeeds();
    run.says("answers").says("SHA256").says("read: yes; written: no, only runs of CI write it");
}

#[test]
fn an_action_is_byte_for_byte_what_googles_library_writes() {
    let Some(python) = python_with("google.protobuf, grpc_tools") else { return };
    let (server, _first, _second) = filled();
    let folder = tempfile::tempdir().expect("a folder");
    let world = server.world();
    for (action, result) in &world.results {
        let bytes = &world.blobs[action];
        fs::write(folder.path().join("Action"), bytes).expect("the action");
        let decoded: reapi::Action = prost::Message::decode(&bytes[..]).expect("an action");
        let command = decoded.command_digest.expect("a command").hash;
        fs::write(folder.path().join("Command"), &world.blobs[&command]).expect("the command");
        let result = prost::Message::encode_to_vec(result);
        fs::write(folder.path().join("ActionResult"), result).expect("the result");
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/reapi/third_opinion.py");
        let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol/protos");
        let said = Command::new(&python).arg(script).arg(protos).arg(folder.path()).output();
        let said = said.expect("Python");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

/// buildbox-casd as a cache in `folder`.
pub fn start_casd(folder: &Path) -> Running {
    let cache = folder.join("cas").display().to_string();
    Running::start("buildbox-casd", folder, |port| {
        let limits = ["--quota-high", "200M", "--quota-low", "100M", "--reserved", "1M"];
        let own = ["--bind".into(), format!("127.0.0.1:{port}"), cache.clone()];
        limits.map(String::from).into_iter().chain(own).collect()
    })
}

#[test]
fn a_real_server_keeps_and_gives() {
    if !is_here("buildbox-casd") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = start_casd(folder.path());
    let url = format!("grpc://127.0.0.1:{}", server.port);
    let first = workspace(&url)
        .file("code/large.sh", "#!/bin/sh\necho large\nexit\n")
        .spec("large", "v1", LARGE);
    let run = fill(&first);
    assert_eq!(run.json()["remote"]["written"], 3, "{run}");
    let second = first.clone_fresh();
    second.all_are("remote");
    assert_eq!(second.run_binary("large"), "large\n");
    second.forge("doctor").succeeds().says("answers: version 2.");
    // It serves a file that was changed on its disk, at the same length.
    let objects = folder.path().join("cas/cas/objects");
    let mut changed = 0;
    for path in files(&objects) {
        let mut bytes = fs::read(&path).expect("an object");
        if bytes.starts_with(b"#!/bin/sh") {
            *bytes.last_mut().expect("a byte") ^= 1;
            crate::support::overwrite(&path, &bytes);
            changed += 1;
        }
    }
    assert!(changed >= 3, "no objects in {}", objects.display());
    let third = first.clone_fresh();
    third.forge("ensure").succeeds().says("3 built").says("for the blob");
    assert_eq!(third.run_binary("large"), "large\n");
    // Killed, it is given up.
    drop(server);
    first.clone_fresh().forge("ensure").succeeds().says("3 built").says("is not used in this run");
}

/// An authority, and certificates of it: for 127.0.0.1, and for a client. Made by openssl.
pub fn certificates(folder: &Path) {
    let openssl = |words: &str| {
        let run = Command::new("openssl").args(words.split(' ')).current_dir(folder).output();
        let run = run.expect("openssl");
        assert!(run.status.success(), "{words}: {}", String::from_utf8_lossy(&run.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -subj /CN=authority -days 2 -keyout ca.key -out ca.pem"));
    fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    fs::write(folder.join("client.ext"), "extendedKeyUsage=clientAuth\n").expect("a file");
    for who in ["server", "client"] {
        openssl(&format!("req {key} -subj /CN={who} -keyout {who}.key -out {who}.csr"));
        openssl(&format!(
            "x509 -req -in {who}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {who}.ext -out {who}.pem"
        ));
    }
}

#[test]
fn certificates_prove_the_server_and_forge_to_each_other() {
    if !is_here("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).expect("PEM");
    let server = Reapi::start_secure(&text("server.pem"), &text("server.key"), &text("ca.pem"));
    let url = format!("grpcs://127.0.0.1:{}", server.port());
    let sandbox = |tls: &str| {
        Sandbox::new()
            .head("project: demo")
            .head(&format!("remote: {{ cache: \"{url}\", timeout: 2s, tls: {tls} }}"))
            .script("hello", "v1")
            .file("ca.pem", &text("ca.pem"))
    };
    let file = |name: &str| folder.path().join(name);
    let whole = sandbox("{ ca: ca.pem, cert: CACHE_CERT, key: CACHE_KEY }");
    let with = |invocation: Invocation| {
        invocation.env("CACHE_CERT", file("client.pem")).env("CACHE_KEY", file("client.key"))
    };
    with(whole.forge("doctor")).succeeds().says("answers: version");
    let filled = on_github(with(whole.forge("ensure --json")), &whole, "push", "refs/heads/main");
    assert_eq!(filled.succeeds().json()["remote"]["written"], 1);
    let second = whole.clone_fresh();
    with(second.forge("ensure")).succeeds().says("1 remote");
    // Without forge's own certificate, with that of nobody, or with an authority that nobody knows, it is given up.
    for sandbox in [sandbox("{ ca: ca.pem }"), sandbox("{ cert: CACHE_CERT, key: CACHE_KEY }")] {
        let run = with(sandbox.forge("ensure")).succeeds();
        run.says("1 built").says("is not used in this run");
        assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    }
    whole.clone_fresh().forge("ensure").succeeds().says("CACHE_CERT is not set");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

//! `forge serve`: deployments that are asked for from elsewhere, whatever happens to the server meanwhile.

use serde_json::{Value, json};

use crate::{
    deployments::{GATED, PLAIN, last_states, ledger, next, released},
    support::{Sandbox, Serving, curl, is_here, python_with, wait_until},
};

/// Deploys when the file `go` is there, and finishes what it began.
pub const SLOW: &str = "  run: trap '' INT; touch began; while ! test -e go; do sleep 0.01; done; \
                    echo {{ version }} >> done\n  stop: { grace: 20s }\n";

#[test]
fn what_is_asked_for_is_deployed_and_told() {
    let sandbox = released(PLAIN);
    let server = Serving::begin(&sandbox, "");
    let id = server.ask(&json!({ "environment": "test", "name": "api" }));
    let ended = server.ends(id, "SUCCEEDED");
    assert!(sandbox.read("test.sh").contains("api v1"));
    assert_eq!(ended["deployment"]["ledger_ids"], json!([1]), "{ended}");
    assert_eq!(ended["deployment"]["exit_code"], 0, "{ended}");
    assert!(ended["log"].as_str().unwrap().contains("deploying api v1 to test"), "{ended}");
    sandbox.forge("deployments --log 1").succeeds().says("asked for by forge serve, deployment 1");
    let list = server.get("/v1/deployments?environment=test&state=succeeded");
    assert_eq!(list["deployments"].as_array().unwrap().len(), 1, "{list}");
    let environments = server.get("/v1/environments");
    assert_eq!(environments["environments"][0]["placements"][0]["version"], "v1", "{environments}");
    let (_, wrong) = server.post("/v1/deployments", &json!({}));
    let api = sandbox.forge("schema api").succeeds().json();
    let asked = json!({ "environment": "test", "name": "api" });
    for (of, value) in [
        ("Full", &ended),
        ("Page", &list),
        ("Environments", &environments),
        ("Error", &wrong),
        ("Deploy", &asked),
    ] {
        let place = format!("#/components/schemas/{of}");
        let schema = json!({ "$ref": place, "components": api["components"] });
        let schema = jsonschema::draft202012::new(&schema).expect("a schema");
        let errors: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{of}: {errors:?}\n{value}");
    }
}

#[test]
fn forge_is_a_client_of_it() {
    let mut sandbox = released(GATED).file("bad", "v2\n");
    let server = Serving::begin(&sandbox, "");
    // A client needs no workspace.
    let nowhere = sandbox.beside("nowhere");
    std::fs::create_dir_all(&nowhere).unwrap();
    let address = server.address();
    let forge =
        |words: &str| sandbox.forge(&format!("{words} --server {address}")).within(&nowhere);
    let run = forge("deploy test api").succeeds();
    run.says("deploying api v1 to test").says("deployment 1 at grpc://127.0.0.1");
    let document = forge("deploy test api --force --json").succeeds().json();
    assert_eq!(document["deployments"][0]["state"], "succeeded", "{document}");
    forge("deploy tset").exits(2).says("there is no environment `tset`; did you mean `test`?");
    forge("deploy test apy").exits(2).says("did you mean `api`?");
    forge("deployments").succeeds().says("succeeded");
    forge("deployments --log 1").succeeds().says("$ cp");
    next(&mut sandbox, "v2");
    let forge =
        |words: &str| sandbox.forge(&format!("{words} --server {address}")).within(&nowhere);
    forge("deploy test api").exits(1).says("is rolled back").says("api v2 is not healthy");
    forge("deployments").succeeds().says("rolled back");
    // Refused before anything runs.
    forge("deploy test api").exits(2).says("test is held against api v2");
    forge("rollback test api").exits(2).says("cannot go back");
    let id = forge("deploy test --no-wait --force").succeeds().stdout();
    server.ends(id.trim().parse().unwrap(), "ROLLED_BACK");
    forge(&format!("deployments --retry {}", id.trim())).exits(1).says("is rolled back");
}

#[test]
fn a_server_that_is_killed_finds_its_deployments_again_and_each_ends_once() {
    let sandbox = released(SLOW);
    let mut server = Serving::begin(&sandbox, "");
    let first = server.ask(&json!({ "environment": "test", "name": "api" }));
    let second = server.ask(&json!({ "environment": "test", "name": "api", "force": true }));
    wait_until("it began", || sandbox.path("began").exists());
    server.signal("-KILL");
    assert_eq!(last_states(&sandbox), ["deploying"]);
    // It goes on while nobody serves, and while another one does.
    let mut server = Serving::begin(&sandbox, "");
    assert_eq!(
        (server.state(first).as_str(), server.state(second).as_str()),
        ("RUNNING", "QUEUED")
    );
    server.signal("-KILL");
    sandbox.write("go", "");
    wait_until("it ends by itself", || last_states(&sandbox) == ["succeeded"]);
    let server = Serving::begin(&sandbox, "");
    let ended = server.ends(first, "SUCCEEDED");
    assert_eq!(ended["deployment"]["ledger_ids"], json!([1]), "{ended}");
    server.ends(second, "SUCCEEDED");
    assert_eq!(sandbox.read("done"), "v1\nv1\n");
    assert_eq!(last_states(&sandbox), ["succeeded", "succeeded"]);
}

#[test]
fn a_job_that_is_killed_is_interrupted_and_told_truly() {
    let sandbox = released(SLOW);
    let server = Serving::begin(&sandbox, "");
    let id = server.ask(&json!({ "environment": "test", "name": "api" }));
    wait_until("it began", || sandbox.path("began").exists());
    let state = serve_folder(&sandbox);
    let began: Value =
        serde_json::from_slice(&std::fs::read(state.join("jobs/1-1/began")).unwrap()).unwrap();
    let pid = began["pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    sandbox.write("go", "");
    let ended = server.ends(id, "INTERRUPTED");
    let error = ended["deployment"]["error"].as_str().unwrap();
    assert!(error.contains(&format!("process {pid} is gone without a word")), "{ended}");
    assert!(
        error.contains("deployment 1 of the ledger, api v1 in test, is interrupted"),
        "{ended}"
    );
    assert_eq!(last_states(&sandbox), ["interrupted"]);
    // It is tried again only if somebody says so.
    let (status, again) = server.post(&format!("/v1/deployments/{id}/retry"), &json!({}));
    assert_eq!((status, &again["deployment"]["retry_of"]), (200, &json!(id)), "{again}");
    server.ends(again["deployment"]["id"].as_u64().unwrap(), "SUCCEEDED");
}

/// The folder of the server.
fn serve_folder(sandbox: &Sandbox) -> std::path::PathBuf {
    let name = ledger(sandbox).file_name().unwrap().to_owned();
    sandbox.beside("data/serve").join(name)
}

#[test]
fn what_waits_and_what_runs_is_cancelled() {
    let line = "trap 'echo asked > told; exit 3' INT; touch began; while :; do sleep 0.01; done";
    let sandbox = released(&format!("  run: \"{line}\"\n  stop: {{ grace: 20s }}\n"));
    let server = Serving::begin(&sandbox, "");
    let first = server.ask(&json!({ "environment": "test", "name": "api" }));
    let second = server.ask(&json!({ "environment": "test", "name": "api" }));
    wait_until("it began", || sandbox.path("began").exists());
    let cancel = |id: u64| server.post(&format!("/v1/deployments/{id}/cancel"), &json!({}));
    assert_eq!(cancel(second).1["deployment"]["state"], "CANCELLED");
    assert_eq!(cancel(first).1["deployment"]["state"], "CANCELLING");
    server.ends(first, "CANCELLED");
    assert_eq!(sandbox.read("told"), "asked\n");
    // Once more changes nothing.
    assert_eq!(cancel(first).1["deployment"]["state"], "CANCELLED");
    assert_eq!(last_states(&sandbox), ["cancelled"]);
    assert_eq!(cancel(99).0, 404);
}

#[test]
fn a_key_is_one_deployment_and_a_full_queue_says_so() {
    let sandbox = released(SLOW);
    let server = Serving::begin(&sandbox, "--queue 1");
    let body = |key: &str| json!({ "environment": "test", "name": "api", "idempotency_key": key });
    let first = server.ask(&body("a"));
    assert_eq!(server.ask(&body("a")), first);
    wait_until("it began", || server.state(first) == "RUNNING");
    let second = server.ask(&body("b"));
    assert_ne!(second, first);
    let (status, answer) = server.post("/v1/deployments", &body("c"));
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("RESOURCE_EXHAUSTED")), "{answer}");
    let other = json!({ "environment": "production", "name": "api", "idempotency_key": "a" });
    assert_eq!(server.post("/v1/deployments", &other).0, 409);
    for (wrong, says) in [
        (json!({ "environment": "test", "nam": "api" }), "unknown field `nam`"),
        (json!({ "environment": "nowhere" }), "there is no environment `nowhere`"),
        (json!({ "environment": "test", "name": "--force" }), "called `--force`"),
        (json!({ "environment": "test", "version": "v1" }), "`name` is missing"),
        (json!({ "environment": "test", "timeout": "soon" }), "`soon` is not a duration"),
    ] {
        let (status, answer) = server.post("/v1/deployments", &wrong);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{answer}");
    }
    sandbox.write("go", "");
    server.ends(second, "SUCCEEDED");
    assert_eq!(server.post(&format!("/v1/deployments/{second}/cancel"), &json!({})).0, 412);
    assert_eq!(server.post(&format!("/v1/deployments/{second}/retry"), &json!({})).0, 412);
}

#[test]
fn only_those_with_a_token_may_ask_and_nobody_sees_one() {
    let sandbox = released(PLAIN);
    let token = "0123456789abcdefsecret";
    let variables = [("FORGE_SERVE_TOKENS", "ci=0123456789abcdefsecret")];
    let server = Serving::with(&sandbox, "", &variables);
    let (status, answer) = curl(&[&server.url("/v1/deployments")]);
    assert_eq!((status, &answer["error"]["code"]), (401, &json!("UNAUTHENTICATED")));
    assert_eq!(curl(&[&server.url("/metrics")]).0, 401);
    assert_eq!(curl(&[&server.url("/healthz")]), (200, json!("ok\n")));
    let deploy = format!("deploy test api --server {}", server.address());
    sandbox.forge(&deploy).exits(2).says("set FORGE_SERVER_TOKEN");
    let wrong = sandbox.forge(&deploy).env("FORGE_SERVER_TOKEN", "fedcba9876543210").exits(2);
    wrong.keeps_quiet_about("fedcba98");
    sandbox.forge(&deploy).env("FORGE_SERVER_TOKEN", token).succeeds();
    let header = format!("authorization: Bearer {token}");
    let (_, list) = curl(&["-H", &header, &server.url("/v1/deployments")]);
    assert_eq!(list["deployments"][0]["requested_by"], "ci", "{list}");
    // The process of a job does not know it.
    sandbox.forge("deployments --log 1").succeeds().keeps_quiet_about(token);
    let (_, metrics) = curl(&["-H", &header, &server.url("/metrics")]);
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("forge_deployments{state=\"SUCCEEDED\"} 1"), "{metrics}");
    assert!(
        metrics.contains("forge_call_seconds_count{call=\"Deploy\",status=\"200\"}"),
        "{metrics}"
    );
}

#[test]
fn a_server_that_anybody_reaches_does_not_begin() {
    let sandbox =
        released(PLAIN).file("tokens", "ci 0123456789abcdef\n").file("short", "ci 0123\n");
    sandbox.forge("serve --listen 0.0.0.0:0").exits(2).says("anybody could deploy");
    sandbox
        .forge("serve --listen 0.0.0.0:0 --tokens tokens")
        .exits(2)
        .says("tokens would go over the network in the open");
    sandbox
        .forge("serve --tokens short")
        .exits(2)
        .says("short:1:1: the token of `ci` has less than");
    let _server = Serving::begin(&sandbox, "");
    sandbox.forge("serve --listen 127.0.0.1:0").exits(2).says("serves from");
    Sandbox::new()
        .script("api", "v1")
        .forge("serve")
        .exits(2)
        .says("there is nothing here to deploy");
}

#[test]
fn a_server_that_is_asked_to_end_leaves_its_deployments_alone() {
    let sandbox = released(SLOW);
    let mut server = Serving::begin(&sandbox, "");
    let address = server.address();
    let id = server.ask(&json!({ "environment": "test", "name": "api" }));
    wait_until("it began", || sandbox.path("began").exists());
    let watcher = sandbox.forge(&format!("deployments --server {address} --watch {id}")).start();
    assert_eq!(server.signal("-TERM"), Some(0));
    let port = server.port;
    // The watcher comes back to the server that follows.
    let server = Serving::begin(&sandbox, &format!("--listen 127.0.0.1:{port}"));
    sandbox.write("go", "");
    let told = watcher.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("succeeded"), "{told}");
    server.ends(id, "SUCCEEDED");
}

#[test]
fn grpcurl_and_python_speak_with_it() {
    let sandbox = released(PLAIN);
    let server = Serving::begin(&sandbox, "");
    let place = format!("127.0.0.1:{}", server.port);
    if is_here("grpcurl") {
        let ask = |arguments: &[&str]| {
            let mut grpcurl = std::process::Command::new("grpcurl");
            let output = grpcurl.arg("-plaintext").args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(ask(&[&place, "list"]).contains("forge.deploy.v1.DeploymentService"));
        let asked = r#"{"environment": "test", "name": "api"}"#;
        let service = "forge.deploy.v1.DeploymentService";
        let answer = ask(&["-d", asked, &place, &format!("{service}/Deploy")]);
        assert!(answer.contains("\"state\": \"QUEUED\""), "{answer}");
        let watched = ask(&["-d", r#"{"id": 1}"#, &place, &format!("{service}/Watch")]);
        assert!(watched.contains("deploying api v1 to test"), "{watched}");
        assert!(watched.contains("\"state\": \"SUCCEEDED\""), "{watched}");
        let health = ask(&[&place, "grpc.health.v1.Health/Check"]);
        assert!(health.contains("SERVING"), "{health}");
        // The JSON of HTTP is that of the messages, with the names that the proto has.
        let same =
            ask(&["-emit-defaults=false", "-d", r#"{"id": 1}"#, &place, &format!("{service}/Get")]);
        let message: Value = serde_json::from_str(&same).unwrap();
        let http = server.get("/v1/deployments/1");
        for (theirs, ours) in
            [("state", "state"), ("ledgerIds", "ledger_ids"), ("createdAt", "created_at")]
        {
            assert_eq!(message["deployment"][theirs], http["deployment"][ours], "{theirs}");
        }
    }
    let Some(python) = python_with("grpc_tools") else { return };
    let program = "import sys, tempfile, os\nfrom grpc_tools import protoc\nimport grpc\nout = tempfile.mkdtemp()\n\
        protos, place = sys.argv[1:]\nimport grpc_tools\n\
        include = os.path.join(os.path.dirname(grpc_tools.__file__), '_proto')\n\
        assert protoc.main(['', '-I' + protos, '-I' + include, '--python_out=' + out, '--grpc_python_out=' + out,\n\
        os.path.join(protos, 'forge/deploy/v1/deploy.proto')]) == 0\nsys.path.insert(0, out)\n\
        from forge.deploy.v1 import deploy_pb2 as m, deploy_pb2_grpc as s\n\
        stub = s.DeploymentServiceStub(grpc.insecure_channel(place))\n\
        asked = stub.Deploy(m.DeployRequest(environment='test', name='api', force=True))\n\
        last = [e for e in stub.Watch(m.WatchRequest(id=asked.deployment.id))][-1]\n\
        print(m.Deployment.State.Name(last.deployment.state))\n";
    let ran = std::process::Command::new(python)
        .args(["-c", program, "src/protocol/protos", &place])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), "SUCCEEDED", "{said}");
}

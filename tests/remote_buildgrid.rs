//! BuildGrid, a server that knows who asks: tokens with rights, certificates of clients, and restarts.

use std::{fs, path::Path, time::SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    conformance::servers::Running,
    remote_cache::{certificates, on_github},
    support::{Invocation, Run, Sandbox},
};

const SECRET: &str = "a secret of this test that is long enough";
/// Whoever builds may do everything, anybody with a token may read.
const RIGHTS: &str = "main:
  allow:
    - subject: trusted-ci
    - requests: [GetCapabilities, GetActionResult, FindMissingBlobs, BatchReadBlobs, GetTree, Read]
";

/// Whether BuildGrid is here. It wants a newer Python than many machines have, so CI may lack it.
fn has_buildgrid() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("bgd").is_file());
    if !found {
        eprintln!("skipped: no bgd here (pip install buildgrid)");
    }
    found
}

/// BuildGrid in `folder`, with `channel` and `rights` in its configuration.
fn start(folder: &Path, channel: &str, rights: &str) -> Running {
    Running::start("bgd", folder, |port| {
        let text = format!(
            "server:\n  - !channel\n    address: \"127.0.0.1:{port}\"\n{channel}\
             thread-pool-size: 50\n{rights}\
             storages: [!disk-storage &cas {{path: {0}/blobs}}]\n\
             caches: [!lru-action-cache &results {{storage: *cas, max-cached-refs: 1000, allow-updates: true}}]\n\
             instances: [{{name: main, services: [!action-cache {{cache: *results}}, !cas {{storage: *cas}}, !bytestream {{storage: *cas}}]}}]\n",
            folder.display()
        );
        fs::write(folder.join("bgd.yml"), text).expect("a configuration");
        ["server", "start", "bgd.yml"].map(String::from).into()
    })
}

/// A token for `subject`, as a header has it.
fn bearer(subject: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let claims = format!("{{\"sub\":\"{subject}\",\"exp\":{}}}", now.as_secs() + 3600);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), part(&claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

fn workspace(settings: &str) -> Sandbox {
    let large = "source: { path: code, only: [large.sh] }\nbuild:\n  run:\n    - cp large.sh {{ out }}/large\n    - head -c 5000000 /dev/zero >> {{ out }}/large\n";
    Sandbox::new()
        .head("project: demo")
        .head(&format!("remote: {{ {settings}, instance: main, timeout: 10s }}"))
        .script("hello", "v1")
        .file("code/large.sh", "#!/bin/sh\necho large\nexit\n")
        .spec("large", "v1", large)
}

fn main_branch(invocation: Invocation, sandbox: &Sandbox) -> Run {
    on_github(invocation, sandbox, "push", "refs/heads/main").succeeds()
}

#[test]
fn a_server_with_tokens_lets_those_write_who_may() {
    if !has_buildgrid() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), SECRET).expect("a secret");
    fs::write(folder.path().join("rights.yml"), RIGHTS).expect("rights");
    let rights = format!(
        "authorization: {{method: jwt, secret: {0}/secret, algorithm: hs256, acl-config: {0}/rights.yml}}\n",
        folder.path().display()
    );
    let server = start(folder.path(), "    insecure-mode: true\n", &rights);
    let settings = |port| {
        format!("cache: \"grpc://127.0.0.1:{port}\", headers: {{ authorization: CACHE_LOGIN }}")
    };
    let first = workspace(&settings(server.port));
    let (trusted, other) = (bearer("trusted-ci"), bearer("a-proposal"));
    let with = |invocation: Invocation, login: &str| invocation.env("CACHE_LOGIN", login);
    // CI that only has a token to read with, builds, and says it once.
    let reader = first.clone_fresh();
    let run = main_branch(with(reader.forge("ensure --json"), &other), &reader);
    assert_eq!(run.json()["remote"]["written"], 0, "{run}");
    assert_eq!(run.json()["warnings"].as_array().map(Vec::len), Some(1), "{run}");
    run.says("write: never");
    let run = main_branch(with(first.forge("ensure --json"), &trusted), &first);
    assert_eq!(run.json()["remote"]["written"], 2, "{run}");
    // Anybody with a token reads.
    let second = first.clone_fresh();
    let run = on_github(
        with(second.forge("ensure"), &other),
        &second,
        "pull_request",
        "refs/pull/7/merge",
    );
    run.succeeds().says("2 remote");
    assert_eq!(second.run_binary("large"), "large\n");
    // Nobody without.
    let stranger = first.clone_fresh();
    let run = stranger.forge("ensure").env("CACHE_LOGIN", "Bearer nonsense").succeeds();
    run.says("2 built").says("is not used in this run").keeps_quiet_about("nonsense");
    assert_eq!(run.stderr().matches("warning: ").count(), 1, "{run}");
    // Its results are in memory: after a restart they are gone, and what was a hit is built.
    drop(server);
    let server = start(folder.path(), "    insecure-mode: true\n", &rights);
    let third = workspace(&settings(server.port));
    with(third.forge("ensure"), &other).succeeds().says("2 built").keeps_quiet_about("warning");
    let run = main_branch(with(third.clone_fresh().forge("ensure --json"), &trusted), &third);
    assert_eq!(run.json()["remote"]["written"], 2, "{run}");
}

#[test]
fn a_server_that_asks_for_certificates_is_used_with_them_alone() {
    if !has_buildgrid() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name);
    let channel = format!(
        "    insecure-mode: false\n    credentials: {{tls-server-key: {0}/server.key, tls-server-cert: {0}/server.pem, tls-client-certs: {0}/ca.pem}}\n",
        folder.path().display()
    );
    let server = start(folder.path(), &channel, "");
    let with = |invocation: Invocation| {
        invocation.env("CACHE_CERT", at("client.pem")).env("CACHE_KEY", at("client.key"))
    };
    let authority = fs::read_to_string(at("ca.pem")).expect("PEM");
    let sandbox = |tls: &str| {
        workspace(&format!("cache: \"grpcs://127.0.0.1:{}\", tls: {tls}", server.port))
            .file("ca.pem", &authority)
    };
    let first = sandbox("{ ca: ca.pem, cert: CACHE_CERT, key: CACHE_KEY }");
    let run = main_branch(with(first.forge("ensure --json")), &first);
    assert_eq!(run.json()["remote"]["written"], 2, "{run}");
    let second = first.clone_fresh();
    with(second.forge("ensure")).succeeds().says("2 remote");
    let stranger = sandbox("{ ca: ca.pem }");
    let run = stranger.forge("ensure").succeeds();
    run.says("2 built").says("is not used in this run");
}

//! What builds, tasks and services see of the environment, and that no secret of it is shown.

use std::fs;

use crate::support::{Invocation, Sandbox};

/// A build that keeps what it sees in its binary, and prints it.
const SEES: &str = "
build:
  run:
    - env
    - (echo '#!/bin/sh'; echo 'cat <<END'; env; echo END) > {{ out }}/tool
";

const SECRETS: &[(&str, &str)] = &[
    ("GH_TOKEN", "ghp_aaaaaaaa"),
    ("FORGE_GITHUB_TOKEN", "ghp_bbbbbbbb"),
    ("AWS_SECRET_ACCESS_KEY", "cccccccccc"),
    ("ACTIONS_RUNTIME_TOKEN", "dddddddddd"),
    ("CI_JOB_JWT", "eeeeeeeeee"),
    ("CARGO_REGISTRIES_MY_TOKEN", "ffffffffff"),
    ("NODE_AUTH_TOKEN", "gggggggggg"),
    ("DB_PASSWORD", "hhhhhhhhhh"),
];

fn with_secrets(invocation: Invocation) -> Invocation {
    SECRETS.iter().fold(invocation, |run, (name, value)| run.env(name, value))
}

/// Whether a file below the workspace, its store or its cache holds `text`.
fn is_written_anywhere(sandbox: &Sandbox, text: &str) -> bool {
    let found = sandbox.listing().into_keys().find(|path| {
        let bytes = fs::read(sandbox.beside("").join(path)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    });
    found.inspect(|path| eprintln!("{} holds {text}", path.display())).is_some()
}

#[test]
fn builds_see_what_is_listed_and_no_secret() {
    let sandbox = Sandbox::with_store().spec("tool", "v1", SEES);
    let run = with_secrets(sandbox.forge("ensure -v"))
        .env("GOFLAGS", "-mod=mod")
        .env("LC_ALL", "C.UTF-8")
        .env("SSL_CERT_FILE", "/certificates")
        .env("SOMETHING", "else")
        .succeeds();
    let seen = sandbox.run_binary("tool");
    for line in ["GOFLAGS=-mod=mod", "LC_ALL=C.UTF-8", "SSL_CERT_FILE=/certificates", "MAKEFLAGS="]
    {
        assert!(seen.contains(line), "{line} is not in\n{seen}");
    }
    assert!(!seen.contains("SOMETHING"), "{seen}");
    for (name, value) in SECRETS {
        assert!(!seen.contains(name), "{name}");
        run.keeps_quiet_about(value);
        assert!(!is_written_anywhere(&sandbox, value), "{name}");
    }
}

#[test]
fn what_is_named_is_passed_on_and_masked_wherever_it_is_shown() {
    for named in [
        "pass_env: [GH_TOKEN]\nbuild: { run: RUN }",
        "build: { pass_env: GH_TOKEN, run: RUN }",
        "env: { GH_TOKEN: '{{ env.GH_TOKEN }}' }\nbuild: { run: RUN }",
    ] {
        let line = "'echo \"it is $GH_TOKEN\"; test ${#GH_TOKEN} = 12; exit 3'";
        let sandbox = Sandbox::with_store().spec("tool", "v1", &named.replace("RUN", line));
        let run = with_secrets(sandbox.forge("ensure --trace trace.json")).exits(1);
        run.says("exited with code 3").says("it is ***").keeps_quiet_about("ghp_aaaaaaaa");
        with_secrets(sandbox.forge("explain tool")).run().keeps_quiet_about("ghp_aaaaaaaa");
        assert!(!is_written_anywhere(&sandbox, "ghp_aaaaaaaa"), "{named}");
    }
}

#[test]
fn a_value_that_is_passed_on_is_an_input_unless_it_is_a_secret() {
    let spec = "pass_env: [MODE, MY_TOKEN]\nsource: { path: code }\n".to_owned() + SEES;
    let sandbox = Sandbox::with_store().file("code/a", "a").spec("tool", "v1", &spec);
    let builds = |mode: &str, token: &str| {
        let run = sandbox.forge("ensure --json").env("MODE", mode).env("MY_TOKEN", token);
        run.succeeds().json()["artifacts"][0]["how"].as_str().unwrap().to_owned()
    };
    assert_eq!(builds("fast", "tttttt1"), "built");
    assert!(sandbox.run_binary("tool").contains("MODE=fast"));
    assert_eq!(builds("fast", "tttttt2"), "fresh");
    assert_eq!(builds("slow", "tttttt2"), "built");
    let explained = sandbox.forge("explain tool").env("MODE", "x").succeeds();
    explained.says("MODE, MY_TOKEN");
}

#[test]
fn a_build_that_wanted_a_variable_is_told_how_to_get_it() {
    let sandbox = Sandbox::with_store().spec(
        "tool",
        "v1",
        "build: { run: sh ./make.sh }\nsource: { path: src }\n",
    );
    sandbox.write("src/make.sh", "#!/bin/sh\nset -u\necho \"$NPM_TOKEN\"\n");
    let run = sandbox.forge("ensure").env("NPM_TOKEN", "npm_aaaaaaa").exits(1);
    run.says("builds do not inherit NPM_TOKEN").says("`pass_env: [NPM_TOKEN]`");
    // A variable that is not there either is no reason.
    sandbox.forge("ensure").exits(1).keeps_quiet_about("pass_env");
}

#[test]
fn a_proxy_is_passed_on_and_its_password_is_not_shown() {
    let sandbox = Sandbox::with_store().spec("tool", "v1", SEES);
    let proxy = "http://me:pass-of-proxy@127.0.0.1:9";
    let run = sandbox.forge("ensure -v").env("https_proxy", proxy).succeeds();
    run.keeps_quiet_about("pass-of-proxy");
    assert!(sandbox.run_binary("tool").contains(proxy));
}

#[test]
fn tasks_see_the_environment_less_the_logins_that_they_do_not_name() {
    let tasks = "
tasks:
  plain: 'echo \"[${GH_TOKEN:-none}] [$MY_WORD] [${DB_PASSWORD:-none}]\"'
  named: { pass_env: GH_TOKEN, run: 'test \"$GH_TOKEN\" = ghp_aaaaaaaa; echo \"[$GH_TOKEN]\"' }
  fails: 'echo $GH_TOKEN'
";
    let sandbox = Sandbox::with_store().head(tasks).script("tool", "v1");
    let run = |task: &str| with_secrets(sandbox.forge(task)).env("MY_WORD", "word");
    run("plain").succeeds().says("[none] [word] [***]");
    run("named").succeeds().says("[***]");
    run("fails").exits(1).says("tasks do not inherit what forge logs in with, as GH_TOKEN");
}

#[test]
fn logins_to_s3_are_kept_from_tasks_where_a_store_is_there() {
    let line = "tasks: { show: 'echo \"[${AWS_SECRET_ACCESS_KEY:-none}]\"' }\n";
    let mut sandbox = Sandbox::with_store().head(line).script("tool", "v1");
    with_secrets(sandbox.forge("show")).succeeds().says("[***]");
    sandbox.releases_from("s3://bucket/releases");
    with_secrets(sandbox.forge("show")).succeeds().says("[none]");
}

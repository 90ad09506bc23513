//! Logins, from where they are kept to the host they belong to; and what a run may do with them.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::release::on_main;
use crate::support::{
    Invocation, Run, Sandbox,
    github::{GitHub, Host, Role},
};

const REPOSITORY: &str = "acme/stack";

/// A workspace whose releases are at a stand-in GitHub, with programs of its own on PATH.
struct Desk {
    github: GitHub,
    sandbox: Sandbox,
}

impl Desk {
    fn new() -> Self {
        let head = format!("releases: github:{REPOSITORY}");
        let sandbox = Sandbox::new().head(&head).script("hello", "v1.0.0");
        let desk = Self { github: GitHub::new(REPOSITORY), sandbox };
        desk.program("gh", "exit 1");
        desk.program("git", "exit 1");
        desk
    }

    /// A program that stands before all others.
    fn program(&self, name: &str, script: &str) {
        let folder = self.sandbox.beside("programs");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// forge in `sandbox`, a clone or the desk's own.
    fn forge(&self, sandbox: &Sandbox, words: &str) -> Invocation {
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = self.sandbox.beside("programs");
        sandbox
            .forge(words)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("GITHUB_SERVER_URL", self.github.url())
            .env("GITHUB_API_URL", self.github.api_url())
    }

    /// What the doctor finds of the store, with these variables.
    fn store(&self, variables: &[(&str, &str)]) -> String {
        let run = with(self.forge(&self.sandbox, "doctor --json"), variables).run();
        self.shows_no_token(&run);
        let document = run.json();
        let checks = document["checks"].as_array().expect("checks");
        let store = checks.iter().find(|check| check["topic"] == "store").expect("the store");
        let found = store["found"].as_str().expect("text").to_owned();
        found.split(';').next().expect("a part").to_owned()
    }

    fn shows_no_token(&self, run: &Run) {
        for role in [Role::Admin, Role::Write, Role::Read, Role::Outsider] {
            run.keeps_quiet_about(self.github.token(role));
        }
    }
}

fn with(mut forge: Invocation, variables: &[(&str, &str)]) -> Invocation {
    for (name, value) in variables {
        forge = forge.env(name, value);
    }
    forge
}

/// A step of a workflow that runs for `event`.
fn step(desk: &Desk, event: &str, words: &str) -> Invocation {
    let mut forge = desk.forge(&desk.sandbox, words);
    for (name, value) in on_main(&desk.sandbox) {
        forge = forge.env(name, value);
    }
    let reference = if event == "pull_request" { "refs/pull/7/merge" } else { "refs/heads/main" };
    forge.env("GITHUB_EVENT_NAME", event).env("GITHUB_REF", reference)
}

#[test]
fn the_first_login_that_is_there_wins() {
    let desk = Desk::new();
    let (write, read) = (desk.github.token(Role::Write), desk.github.token(Role::Read));
    let (can, cannot) = ("may be read and written", "may be read, not written");
    assert_eq!(desk.store(&[]), format!("{cannot}, without a login"));
    desk.program("git", &format!("cat >/dev/null; echo username=me; echo password={read}"));
    assert_eq!(desk.store(&[]), format!("{cannot}, with the login from git credential fill"));
    desk.program("gh", &format!("echo {write}"));
    assert_eq!(desk.store(&[]), format!("{can}, with the login from gh auth token"));
    let mut variables = vec![("GITHUB_TOKEN", read)];
    assert_eq!(desk.store(&variables), format!("{cannot}, with the login from GITHUB_TOKEN"));
    variables.push(("GH_TOKEN", write));
    assert_eq!(desk.store(&variables), format!("{can}, with the login from GH_TOKEN"));
    variables.push(("FORGE_GITHUB_TOKEN", read));
    assert_eq!(desk.store(&variables), format!("{cannot}, with the login from FORGE_GITHUB_TOKEN"));
    // What is blank is as good as unset, and what is for others is not for this one.
    let others = [("FORGE_GITHUB_TOKEN", " "), ("GITEA_TOKEN", read)];
    assert_eq!(desk.store(&others), format!("{can}, with the login from gh auth token"));
}

#[test]
fn a_program_that_hangs_or_wants_to_ask_is_no_login() {
    let desk = Desk::new();
    desk.program("gh", "sleep 60");
    desk.program("git", "test \"$GIT_TERMINAL_PROMPT\" = 0 || sleep 60; exit 128");
    let began = std::time::Instant::now();
    assert_eq!(desk.store(&[]), "may be read, not written, without a login");
    assert!(began.elapsed().as_secs() < 30, "it took {:?}", began.elapsed());
}

#[test]
fn what_is_private_cannot_be_read_without_a_login() {
    let desk = Desk::new();
    desk.github.make_private();
    let run = desk.forge(&desk.sandbox, "doctor").exits(1);
    run.says(&format!("error: github:{REPOSITORY} may not be read")).says("there is no login");
    run.says("`gh auth login`");
    let read = [("GH_TOKEN", desk.github.token(Role::Read))];
    with(desk.forge(&desk.sandbox, "doctor"), &read).succeeds().says("may be read, not written");
    let outsider = [("GH_TOKEN", desk.github.token(Role::Outsider))];
    let run = with(desk.forge(&desk.sandbox, "doctor"), &outsider).exits(1);
    run.says("the login from GH_TOKEN is not allowed to");
    desk.shows_no_token(&run);
}

#[test]
fn a_push_whose_token_may_not_write_is_told_what_to_give_it() {
    let desk = Desk::new();
    let read = [("GITHUB_TOKEN", desk.github.token(Role::Read))];
    let run = with(step(&desk, "push", "doctor"), &read).exits(1);
    run.says(&format!("publishing to github:{REPOSITORY} would fail"));
    run.says("`permissions: { contents: write }`").says("yes: `push` at the default branch, main");
    let write = [("GITHUB_TOKEN", desk.github.token(Role::Write))];
    with(step(&desk, "push", "doctor"), &write).succeeds().says("all is well");
}

#[test]
fn a_pull_request_publishes_nothing_whatever_its_token_may() {
    let desk = Desk::new();
    let admin = [("GITHUB_TOKEN", desk.github.token(Role::Admin))];
    let run = with(step(&desk, "pull_request", "doctor"), &admin).succeeds();
    run.says("may be read and written").says("never: a `pull_request` run never publishes");
    with(step(&desk, "pull_request", "ensure"), &admin).succeeds().says("built");
    let run = with(step(&desk, "pull_request", "ensure --publish"), &admin).exits(2);
    run.says("it runs code that nobody accepted yet");
    with(step(&desk, "pull_request", "release:binary hello"), &admin).exits(2);
    with(step(&desk, "pull_request", "promote hello"), &admin).exits(2);
    assert_eq!((desk.github.creates(), desk.github.uploads()), (0, 0));
    // The same token, for the branch that the change went into.
    with(step(&desk, "push", "ensure"), &admin).succeeds().says("published");
    assert_eq!(desk.github.creates(), 1);
}

#[test]
fn a_laptop_publishes_when_asked_and_ci_vouches_for_it() {
    let desk = Desk::new();
    desk.program("gh", &format!("echo {}", desk.github.token(Role::Write)));
    desk.forge(&desk.sandbox, "ensure").succeeds().says("built");
    assert_eq!(desk.github.creates(), 0, "nobody asked for it");
    desk.forge(&desk.sandbox, "release:binary hello").succeeds().says("published");
    let colleague = desk.sandbox.clone_fresh().head("trust: ci");
    let run = desk.forge(&colleague, "ensure").exits(4);
    run.says("a laptop built it").says("`forge promote hello`");
    let write = [("GITHUB_TOKEN", desk.github.token(Role::Write))];
    let ci = Desk { github: desk.github.clone(), sandbox: desk.sandbox.clone_fresh() };
    ci.program("gh", "exit 1");
    with(step(&ci, "push", "promote hello"), &write).succeeds().says("promoted");
    desk.forge(&colleague, "ensure").succeeds().says("downloaded");
    assert_eq!(colleague.run_binary("hello"), "hello v1.0.0\n");
    assert!(desk.github.violations().is_empty(), "{:#?}", desk.github.violations());
    // The objects' host, where downloads lead, saw no token.
    assert!(desk.github.tokens_seen_at(Host::Object).is_empty());
}

//! Versions by date: claimed at the remote, one for each release; taken back to; raced for.

use std::{collections::BTreeSet, fs, process::Command};

use crate::support::{Sandbox, git, is_here};

const SPEC: &str = "\
discover: modules/{provider}/{component}
group: '{{ provider }}'
version: { scheme: date }
tag: 'module-{{ component }}-{{ version }}'
binary: '{{ component }}'
source: { path: '{{ folder }}' }
build:
  run: |
    printf '#!/bin/sh\\necho %s %s\\n' '{{ version }}' \"$(cat text)\" > '{{ out }}/{{ component }}'
    chmod +x '{{ out }}/{{ component }}'
";

/// Two modules in a repository with a remote beside it.
fn modules() -> Sandbox {
    let sandbox = Sandbox::with_store()
        .file("subsystems/modules.yml", SPEC)
        .file("modules/aws/ecs/text", "one\n")
        .file("modules/aws/s3/text", "two\n")
        .file(".gitignore", ".forge/\n");
    let manifest = sandbox.read("versions.yml").replace("versions:\n", "") + "versions: {}\n";
    sandbox.write("versions.yml", &manifest);
    git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
    git(sandbox.root().parent().unwrap(), &["init", "--quiet", "--bare", "origin.git"]);
    git(
        &sandbox.root(),
        &["remote", "add", "origin", sandbox.beside("origin.git").to_str().unwrap()],
    );
    commit(&sandbox, "one");
    sandbox
}

fn commit(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "main"]);
}

fn tags(sandbox: &Sandbox) -> Vec<String> {
    let tags = git(&sandbox.beside("origin.git"), &["tag"]);
    tags.lines().map(str::to_owned).collect()
}

fn today() -> String {
    String::from_utf8(Command::new("date").args(["-u", "+%Y%m%d"]).output().unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn each_release_gets_the_next_number_and_old_ones_can_be_had_again() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let before = today();
    sandbox.forge("release:binary aws/ecs").succeeds();
    // Asked again, what is released is released.
    sandbox.forge("aws/ecs:release:binary").succeeds();
    sandbox.write("modules/aws/ecs/text", "changed\n");
    let run = sandbox.forge("release:binary aws/ecs").exits(2);
    run.says("its code is not committed").says("modules/aws/ecs/text");
    commit(&sandbox, "two");
    sandbox.forge("release:binary aws").succeeds();
    if before != today() {
        return; // Midnight passed; the numbers are those of two days.
    }
    let ours = |name: &str, count: u32| format!("module-{name}-{before}.{count}");
    assert_eq!(tags(&sandbox), [ours("ecs", 0), ours("ecs", 1), ours("s3", 0)]);
    assert!(sandbox.beside(&format!("store/{}", ours("ecs", 1))).is_dir());
    assert_eq!(sandbox.run_binary("ecs"), format!("{before}.1 changed\n"));
    let next = sandbox.forge("version:next aws/ecs").succeeds().stdout();
    assert_eq!(next, format!("{before}.2\n"));
    // Somebody else has them, without building: the versions of now, and those before.
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").succeeds();
    clone.all_are("fresh");
    clone.forge(&format!("ensure aws/ecs@{before}.0")).succeeds().says("downloaded");
    assert_eq!(clone.run_binary("ecs"), format!("{before}.0 one\n"));
    let run = clone.forge("ensure aws/ecs@20200101.0").exits(2);
    run.says("there is no release module-ecs-20200101.0 to take");
    clone.forge("ensure aws/ecs").succeeds();
    assert_eq!(clone.run_binary("ecs"), format!("{before}.1 changed\n"));
}

#[test]
fn the_next_version_costs_one_question_to_the_remote() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let trace = sandbox.beside("trace");
    sandbox.forge("version:next aws/ecs").env("GIT_TRACE", &trace).succeeds();
    let trace = fs::read_to_string(trace).unwrap();
    let asked = |word: &str| trace.matches(&format!("built-in: git {word}")).count();
    assert_eq!((asked("ls-remote"), asked("fetch")), (1, 0), "{trace}");
}

#[test]
fn who_has_no_lock_asks_the_remote_once_for_the_last_versions() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    sandbox.forge("ensure").succeeds();
    assert_eq!(sandbox.run_binary("s3"), "0.0.0-unreleased two\n");
    sandbox.forge("release:binary modules").succeeds();
    let last = tags(&sandbox)[1].strip_prefix("module-s3-").unwrap().to_owned();
    let clone = sandbox.clone_fresh();
    fs::remove_file(clone.path("forge.lock")).unwrap();
    clone.forge("ensure --no-publish").succeeds().says("2 downloaded");
    assert_eq!(clone.run_binary("s3"), format!("{last} two\n"));
}

/// `FORGE_TEST_ROUNDS=100` runs as many rounds, of which one takes some seconds.
#[test]
fn of_all_who_claim_at_once_each_gets_another_number() {
    if !is_here("git") {
        return;
    }
    let rounds: usize =
        std::env::var("FORGE_TEST_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let sandbox = modules();
    let mut all: BTreeSet<(String, u32)> = BTreeSet::new();
    for _ in 0..rounds {
        let claim = || {
            let mut forge = sandbox.forge("version:next aws/ecs --claim");
            forge.command().stdout(std::process::Stdio::piped());
            forge.start()
        };
        let runs: Vec<_> = (0..16).map(|_| claim()).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let version = String::from_utf8(output.stdout).unwrap();
            let (day, count) = version.trim().split_once('.').unwrap();
            assert!(all.insert((day.to_owned(), count.parse().unwrap())), "{version} twice");
        }
        // A host keeps many tags in one file as well.
        git(&sandbox.beside("origin.git"), &["pack-refs", "--all"]);
    }
    // Without gaps, on each day.
    let mut expected = BTreeSet::new();
    for (day, _) in &all {
        let count = all.iter().filter(|(other, _)| other == day).count();
        expected.extend((0..count as u32).map(|count| (day.clone(), count)));
    }
    assert_eq!(all, expected);
}

#[test]
fn a_run_that_is_tried_again_goes_on_with_its_own_claim() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let claim = |run: &str, attempt: &str| {
        let forge = sandbox.forge("version:next aws/s3 --claim");
        let forge =
            forge.env("GITHUB_ACTIONS", "true").env("GITHUB_SERVER_URL", "https://github.com");
        let forge = forge.env("GITHUB_EVENT_NAME", "push").env("GITHUB_REF", "refs/heads/main");
        let forge = forge.env("GITHUB_REPOSITORY", "o/r").env("GITHUB_RUN_ID", run);
        forge.env("GITHUB_RUN_ATTEMPT", attempt).succeeds().stdout()
    };
    let first = claim("1", "1");
    assert_eq!(claim("1", "2"), first);
    let other = claim("2", "1");
    assert_ne!(other, first);
    assert_eq!(claim("1", "3"), first);
    assert_eq!(tags(&sandbox).len(), 2);
}

#[test]
fn what_stands_in_the_way_is_told() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    git(&sandbox.beside("origin.git"), &["tag", "module-ecs-20990101.0", "main"]);
    let run = sandbox.forge("version:next aws/ecs").exits(2);
    run.says("was released as 20990101.0, on a day to come").says("delete that tag");
    // A clock that is ahead by some hours makes tomorrow of today, for everybody.
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let tomorrow = tomorrow.strftime("%Y%m%d").to_string();
    git(&sandbox.beside("origin.git"), &["tag", &format!("module-s3-{tomorrow}.0"), "main"]);
    let next = sandbox.forge("version:next aws/s3").succeeds().stdout();
    assert!(next == format!("{tomorrow}.1\n") || today() == tomorrow, "{next}");
    git(&sandbox.root(), &["remote", "set-url", "origin", "/no/such/remote"]);
    let run = sandbox.forge("version:next aws/s3").exits(5);
    run.says("cannot read the tags of /no/such/remote");
    let bare = Sandbox::with_store().script("hello", "v1.0.0");
    bare.forge("version:next hello").exits(2).says("`scheme:` needs a git repository");
    git(&bare.root(), &["init", "--quiet"]);
    let run = bare.forge("version:next hello").exits(2);
    run.says("hello has no next version").says("pins it to v1.0.0");
}

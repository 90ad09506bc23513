//! Work dealt out to jobs: what `forge matrix` prints, and the workflow that takes it, played.

mod expression;
mod gitlab;
mod images;
mod player;
mod printed;

use std::{fs, path::Path, process::Command};

use crate::support::{Sandbox, git, github::GitHub, is_here};
use player::{Event, Played, Player};

const REPOSITORY: &str = "acme/stack";
const INIT: &str = "ci:init --matrix --forge https://example.org/forge.git";

fn push(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD"]);
}

/// Makes the workspace a repository with a remote beside it.
fn in_git(sandbox: Sandbox) -> Sandbox {
    let sandbox = sandbox.file(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    let top = root.parent().unwrap();
    git(top, &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
    git(&root, &["remote", "add", "origin", sandbox.beside("origin.git").to_str().unwrap()]);
    sandbox
}

/// Adds a subsystem whose builds are told, by platform, to the file `builds`; it cannot be built
/// while there is a file `broken-NAME-PLATFORM` beside the workspace.
fn subsystem(sandbox: Sandbox, name: &str, more: &str) -> Sandbox {
    let beside = sandbox.beside("");
    let beside = beside.display();
    let spec = format!(
        "{more}source: {{ path: code/{name} }}\nbuild:\n  run:\n    - test ! -e {beside}broken-{name}-{{{{ platform }}}}\n    - echo {name} {{{{ platform }}}} >> {beside}builds\n    - cp {name}.sh {{{{ out }}}}/{name}\n"
    );
    let script = format!("#!/bin/sh\necho {name}\n");
    sandbox.file(&format!("code/{name}/{name}.sh"), &script).spec(name, "v1", &spec)
}

/// What is built here for three platforms, all of it on machines such as this one is.
fn stack(store: &str) -> Sandbox {
    let runners = "ci: { runners: { linux-arm64: ubuntu-24.04, darwin-arm64: ubuntu-24.04 } }";
    let head = format!(
        "project: stack\nreleases: {store}\nplatforms: [linux-amd64, linux-arm64, darwin-arm64]\n{runners}"
    );
    let sandbox = Sandbox::new().head(&head);
    let sandbox = subsystem(sandbox, "tool", "");
    let sandbox = subsystem(sandbox, "app", "build_needs: tool\n");
    let sandbox = subsystem(sandbox, "site", "");
    in_git(subsystem(sandbox, "lone", ""))
}

fn builds(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.beside("builds")).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn every_artifact() -> Vec<String> {
    let names = ["app", "lone", "site", "tool"];
    let platforms = ["darwin-arm64", "linux-amd64", "linux-arm64"];
    names.iter().flat_map(|n| platforms.iter().map(move |p| format!("{n} {p}"))).collect()
}

const PUSH: Event = Event { name: "push", reference: "refs/heads/main", run: 1 };

fn assert_green(played: &Played) {
    assert_eq!(played.result("done"), "success", "{}", played.told());
}

#[test]
fn a_run_of_many_jobs_releases_everything_once() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    sandbox.forge(&format!("{INIT} --jobs 4")).succeeds();
    push(&sandbox, "feat: all of it");
    let player = Player::new(&sandbox, &github);
    let played = player.play(PUSH);
    assert_green(&played);
    assert_eq!(played.0["publish"].len(), 4, "{}", played.told());
    assert_eq!(played.job("check").result, "skipped");
    assert_eq!(builds(&sandbox), every_artifact(), "{}", played.told());
    for name in ["app", "lone", "site", "tool"] {
        let release = github.release(&format!("{name}-v1")).unwrap();
        assert_eq!(release.asset_names().len(), 9, "{:?}", release.asset_names());
    }
    let close = played.job("close");
    assert!(close.output.contains("all 12 artifacts can be downloaded"), "{}", close.output);
    assert!(close.summary.contains("all of it"), "{}", close.summary);
    assert!(github.violations().is_empty(), "{:?}", github.violations());

    // Nothing is left to do: no job starts, and the run is green.
    let again = player.play(Event { run: 2, ..PUSH });
    assert_green(&again);
    assert_eq!(again.job("publish").result, "skipped");
    assert_eq!(builds(&sandbox).len(), 12);
}

#[test]
fn a_job_that_fails_leaves_the_rest_and_the_next_run_makes_only_that() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    sandbox.forge(&format!("{INIT} --jobs 20")).succeeds();
    push(&sandbox, "feat: all of it");
    fs::write(sandbox.beside("broken-lone-linux-arm64"), "").unwrap();
    let player = Player::new(&sandbox, &github);
    let played = player.play(PUSH);
    let failed: Vec<_> = played.0["publish"].iter().filter(|job| job.result != "success").collect();
    assert_eq!(failed.len(), 1, "{}", played.told());
    assert_eq!(played.result("done"), "failure");
    assert!(played.job("done").output.contains("plan=success check=skipped publish=failure"));
    let done = played.job("close");
    for told in ["publish: failure", "1 missing", "lone (linux-arm64): no store has it"] {
        assert!(done.output.contains(told), "it does not say {told}:\n{}", done.output);
    }
    assert!(done.summary.contains("lone (linux-arm64)"), "{}", done.summary);
    assert_eq!(builds(&sandbox).len(), 11);

    fs::remove_file(sandbox.beside("broken-lone-linux-arm64")).unwrap();
    let again = player.play(Event { run: 2, ..PUSH });
    assert_green(&again);
    assert_eq!(again.0["publish"].len(), 1);
    assert_eq!(builds(&sandbox), every_artifact(), "{}", again.told());
}

#[test]
fn a_pull_request_is_checked_by_jobs_that_can_only_read() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    sandbox.forge(INIT).succeeds();
    push(&sandbox, "feat: all of it");
    let player = Player::new(&sandbox, &github);
    let pull = Event { name: "pull_request", reference: "refs/pull/7/merge", run: 1 };
    let played = player.play(pull);
    assert_green(&played);
    assert_eq!(played.job("publish").result, "skipped");
    assert_eq!(builds(&sandbox), every_artifact());
    assert!(github.releases().is_empty());
    assert_eq!(played.job("close").result, "skipped");
    let done = &played.job("done").output;
    assert_eq!(done, "$ true\n", "nothing of the proposal runs there");
    fs::write(sandbox.beside("broken-app-linux-amd64"), "").unwrap();
    let played = player.play(pull);
    assert_eq!(played.result("done"), "failure");
    assert!(played.job("done").output.contains("check=failure"), "{}", played.told());
}

#[test]
fn the_test_of_the_whole_runs_once_where_everything_is() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    let test = format!("app && lone && site && echo x >> {}", sandbox.beside("tested").display());
    let sandbox = sandbox.head(&format!("tasks: {{ test: '{test}' }}"));
    sandbox.forge(INIT).succeeds();
    push(&sandbox, "feat: all of it");
    let times = || fs::read_to_string(sandbox.beside("tested")).unwrap_or_default().lines().count();
    let player = Player::new(&sandbox, &github);
    let played = player.play(PUSH);
    assert_green(&played);
    assert_eq!((times(), builds(&sandbox).len()), (1, 12), "{}", played.told());
    assert!(played.job("test").output.contains("4 downloaded"), "{}", played.told());
    let pull = Event { name: "pull_request", reference: "refs/pull/7/merge", run: 2 };
    assert_green(&player.play(pull));
    assert_eq!(times(), 2);
    // What fails there is no green run.
    sandbox.write("versions.yml", &sandbox.read("versions.yml").replace("app &&", "false &&"));
    push(&sandbox, "fix: nothing");
    let played = Player::new(&sandbox, &github).play(Event { run: 3, ..PUSH });
    assert_eq!((played.result("test"), played.result("done")), ("failure", "failure"));
    assert!(played.job("close").output.contains("test: failure"), "{}", played.told());
}

#[test]
fn a_plan_that_cannot_be_made_is_no_green_run() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    sandbox.forge(INIT).succeeds();
    sandbox.write("versions.yml", "versions: [");
    push(&sandbox, "fix: nothing");
    let played = Player::new(&sandbox, &github).play(PUSH);
    assert_eq!(played.result("done"), "failure");
    assert!(played.job("done").output.contains("plan=failure"), "{}", played.told());
}

const DATED: &str = "\
discover: modules/{component}
version: { scheme: date }
tag: 'module-{{ component }}-{{ version }}'
binary: '{{ component }}'
source: { path: '{{ folder }}' }
build:
  run: |
    printf '#!/bin/sh\\necho %s\\n' \"$(cat text)\" > '{{ out }}/{{ component }}'
    chmod +x '{{ out }}/{{ component }}'
";

/// The tags of modules, without the numbers: midnight may pass meanwhile.
fn released(github: &GitHub) -> Vec<String> {
    let stem = |tag: &str| tag.rsplit_once('-').map_or(tag, |(stem, _)| stem).to_owned();
    let mut stems: Vec<_> = github.releases().iter().map(|release| stem(&release.tag)).collect();
    stems.sort();
    stems
}

#[test]
fn the_jobs_of_a_run_agree_on_versions_that_nobody_pins() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let runners = "ci: { runners: { linux-arm64: ubuntu-24.04 } }";
    let head = format!(
        "releases: github:{REPOSITORY}\nplatforms: [linux-amd64, linux-arm64]\n{runners}\nversions: {{}}\n"
    );
    let sandbox = Sandbox::new().file("subsystems/modules.yml", DATED);
    let sandbox = sandbox.file("modules/ecs/text", "one\n").file("modules/s3/text", "two\n");
    let sandbox = in_git(sandbox.file("versions.yml", &head));
    sandbox.forge(&format!("{INIT} --jobs 9")).succeeds();
    push(&sandbox, "feat: one");
    let player = Player::new(&sandbox, &github);
    let played = player.play(PUSH);
    assert_green(&played);
    assert_eq!(played.0["publish"].len(), 4, "each platform of each module is a job");
    assert_eq!(released(&github), ["module-ecs", "module-s3"], "{}", played.told());
    for release in github.releases() {
        assert_eq!(release.asset_names().len(), 6, "{:?}", release.asset_names());
        // The first job could only tell of its own; the last one corrected that.
        let notes = release.body.unwrap_or_default();
        assert!(notes.contains("one") && notes.contains("Contributors"), "{notes}");
        assert!(notes.contains("linux-amd64") && notes.contains("linux-arm64"), "{notes}");
        assert!(!notes.contains("Not complete"), "{notes}");
    }

    // One module changes: it alone gets its next version.
    sandbox.write("modules/s3/text", "changed\n");
    push(&sandbox, "feat: two");
    let played = player.play(Event { run: 2, ..PUSH });
    assert_green(&played);
    assert_eq!(played.0["publish"].len(), 2, "{}", played.told());
    assert_eq!(released(&github), ["module-ecs", "module-s3", "module-s3"]);
    let played = player.play(Event { run: 3, ..PUSH });
    assert_green(&played);
    assert_eq!(played.job("publish").result, "skipped");
}

#[test]
fn on_the_tag_of_the_project_the_last_job_alone_releases_it() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = stack(&format!("github:{REPOSITORY}"));
    sandbox.forge(&format!("{INIT} --jobs 2")).succeeds();
    push(&sandbox, "feat: all of it");
    let player = Player::new(&sandbox, &github);
    assert_green(&player.play(PUSH));
    // Whoever tags has the lock of all platforms.
    let lock = sandbox.forge("ensure --all-platforms");
    let lock = lock.env("GITHUB_SERVER_URL", github.url());
    lock.env("GITHUB_API_URL", github.api_url()).succeeds();
    push(&sandbox, "chore: lock");
    git(&sandbox.root(), &["tag", "v1.0.0"]);
    git(&sandbox.root(), &["push", "--quiet", "--tags", "origin"]);
    let tag = Event { name: "push", reference: "refs/tags/v1.0.0", run: 2 };
    let played = player.play(tag);
    assert_green(&played);
    assert_eq!(played.job("publish").result, "skipped");
    let release = github.release("v1.0.0").unwrap();
    let bundles = ["darwin-arm64", "linux-amd64", "linux-arm64"];
    for platform in bundles {
        let bundle = format!("stack-v1.0.0-{platform}.tar.gz");
        assert!(release.asset(&bundle).is_some(), "{:?}", release.asset_names());
    }
    let notes = release.body.unwrap_or_default();
    assert!(notes.contains("all of it"), "{notes}");
    assert_eq!(github.latest().unwrap().tag, "v1.0.0");
    assert_eq!(builds(&sandbox).len(), 12);
}

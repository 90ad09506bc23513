//! The pipeline: `forge ci`, its stages, where it publishes, what it tells GitHub Actions.

use std::{fs, path::Path, process::Command};

use crate::support::{Invocation, Sandbox, is_here, sha256};

/// Two scripts with a store beside them, and a test of each kind.
fn project() -> Sandbox {
    Sandbox::with_store()
        .head("tasks: { test: 'one && echo the project is fine' }")
        .script("one", "v1.0.0")
        .script("two", "v2.0.0")
}

/// forge as GitHub Actions runs it for `event` at `reference`.
fn in_actions(sandbox: &Sandbox, words: &str, event: &str, reference: &str) -> Invocation {
    let file = sandbox.beside("event.json");
    fs::write(&file, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
    sandbox
        .forge(words)
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_REF", reference)
        .env("GITHUB_EVENT_PATH", file)
        .env("GITHUB_REPOSITORY", "o/r")
        .env("GITHUB_OUTPUT", sandbox.beside("outputs"))
        .env("GITHUB_STEP_SUMMARY", sandbox.beside("summary"))
}

fn outputs(sandbox: &Sandbox) -> String {
    let path = sandbox.beside("outputs");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    text
}

/// Each stage with its result, from the `--json` document.
fn results(invocation: Invocation, code: i32) -> Vec<(String, String)> {
    let document = invocation.arg("--json").exits(code).json();
    let stages = document["stages"].as_array().unwrap().iter();
    let word = |stage: &serde_json::Value, key: &str| stage[key].as_str().unwrap().to_owned();
    stages.map(|stage| (word(stage, "stage"), word(stage, "result"))).collect()
}

fn words(results: &[(String, String)]) -> String {
    results.iter().map(|(_, result)| result.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_plan_says_which_stages_run_and_why() {
    let sandbox = project();
    let before = sandbox.listing();
    insta::assert_snapshot!(sandbox.forge("ci --plan").succeeds().stdout(), @r"
    stage       runs  because
    ci:build    yes   all 2 subsystems
    ci:test     yes   test
    ci:package  yes   all 2 subsystems
    ci:release  yes   the store is a folder on this machine
    ci:pages    no    there is no task `ci:pages`
    ");
    assert_eq!(sandbox.listing(), before, "planning writes nothing");
    let pull = in_actions(&sandbox, "ci --plan", "pull_request", "refs/pull/7/merge");
    insta::assert_snapshot!(pull.succeeds().stdout(), @r"
    stage       runs  because
    ci:build    yes   all 2 subsystems
    ci:test     yes   test
    ci:package  yes   all 2 subsystems
    ci:release  no    a `pull_request` run never publishes: it runs code that nobody accepted yet
    ci:pages    no    there is no task `ci:pages`
    ");
    let main = in_actions(&sandbox, "ci two --dry-run", "push", "refs/heads/main");
    insta::assert_snapshot!(main.succeeds().stdout(), @r"
    stage       runs  because
    ci:build    yes   two
    ci:test     yes   test
    ci:package  yes   two
    ci:release  yes   `push` at the default branch, main
    ci:pages    no    there is no task `ci:pages`
    ");
    let document = sandbox.forge("ci --plan --json").succeeds().json();
    assert_eq!(document["stages"][4]["stage"], "ci:pages");
    assert_eq!(document["stages"][4]["runs"], false);
}

#[test]
fn without_names_the_group_ci_is_worked_on() {
    let sandbox = project().head("groups: { ci: [two] }");
    sandbox.forge("ci --plan").succeeds().says("the group `ci`: 1 subsystem");
    sandbox.forge("ci:build").succeeds();
    assert_eq!(sandbox.builds(), 1);
    sandbox.forge("ci:build one").succeeds();
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn on_a_laptop_everything_is_done_and_a_folder_is_published_to_unless_forbidden() {
    let sandbox = project();
    let run = sandbox.forge("ci --no-publish").succeeds();
    run.says("the project is fine").says("2 verified").says("--no-publish forbids it");
    run.says("there is no task `ci:pages`");
    assert!(sandbox.path(".forge/dist").is_dir());
    assert!(!sandbox.beside("store").exists(), "{run}");
    let quiet = sandbox.forge("ci --no-publish");
    assert_eq!(words(&results(quiet, 0)), "done done done skipped skipped");
    // What was built before is published.
    assert_eq!(words(&results(sandbox.forge("ci:release"), 0)), "done");
    assert!(sandbox.asset("one-v1.0.0").exists() && sandbox.asset("two-v2.0.0").exists());
    sandbox.forge("ci:release").succeeds().says("nothing was built here");
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn who_may_publish_is_answered_by_all_alike() {
    let sandbox = project();
    sandbox.forge("doctor").run().says("yes: the store is a folder on this machine");
    sandbox.forge("ci --plan").succeeds().says("the store is a folder on this machine");
    sandbox.forge("ensure one").succeeds().says("built and published");
    let pull = |words: &str| in_actions(&sandbox, words, "pull_request", "refs/pull/7/merge");
    pull("doctor").run().says("never: a `pull_request` run never publishes");
    pull("ci --plan").succeeds().says("a `pull_request` run never publishes");
    pull("ensure two").succeeds().keeps_quiet_about("published");
}

#[test]
fn who_asks_to_publish_without_a_place_for_it_is_told() {
    let sandbox = Sandbox::new().script("one", "v1");
    sandbox.forge("ci:release").succeeds().says("names no `releases` to publish to");
    let run = sandbox.forge("ci:release --publish").exits(2);
    run.says("nothing can be published").says("name a store under `releases`");
}

#[test]
fn a_pipeline_that_does_nothing_is_not_green() {
    let sandbox = Sandbox::new()
        .file("versions.yml", "tasks: { ci: 'echo mine', lint: 'echo fine' }\nversions: {}\n");
    let run = sandbox.forge("ci").exits(2);
    run.says("no stage of the pipeline has anything to do")
        .says("ci:build: there are no subsystems");
    run.says("`forge run ci` runs it").keeps_quiet_about("mine\n");
    sandbox.forge("ci --plan").succeeds().says("there are no subsystems");
    let sandbox =
        Sandbox::new().file("versions.yml", "tasks: { lint: 'echo fine' }\nversions: {}\n");
    sandbox.forge("ci").exits(2).says("a task called `test`");
    let sandbox =
        Sandbox::new().file("versions.yml", "tasks: { test: 'echo fine' }\nversions: {}\n");
    sandbox.forge("ci").succeeds().says("fine");
}

#[test]
fn a_push_to_the_default_branch_publishes_and_the_next_run_downloads() {
    let sandbox = project();
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main").succeeds();
    assert_eq!(run.stdout(), "", "all is on one stream:\n{run}");
    assert!(sandbox.asset("one-v1.0.0").exists(), "{run}");
    assert_eq!(
        outputs(&sandbox),
        "built=one,two\npublished=one,two\ndownloaded=\nremote=\nhit=false\nimages={}\n"
    );
    let summary = fs::read_to_string(sandbox.beside("summary")).unwrap();
    assert!(summary.contains("| ci:release | done |"), "{summary}");
    let groups: Vec<_> = run.stderr().lines().map(str::to_owned).collect();
    let at = |line: &str| groups.iter().position(|l| l == line).unwrap_or_else(|| panic!("{run}"));
    assert!(at("::group::ci:build") < at("::group::ci:test"));
    assert_eq!(groups.iter().filter(|line| *line == "::endgroup::").count(), 4, "{run}");

    let clone = sandbox.clone_fresh();
    in_actions(&clone, "ci", "push", "refs/heads/main").succeeds();
    assert_eq!(
        outputs(&clone),
        "built=\npublished=\ndownloaded=one,two\nremote=\nhit=true\nimages={}\n"
    );
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn what_a_run_published_is_listed_for_who_attests_it_and_nothing_else() {
    let sandbox = project();
    let list = sandbox.beside("published");
    let release = format!("ci:release --subjects {}", list.display());
    in_actions(&sandbox, "ci --no-publish", "push", "refs/heads/main").succeeds();
    outputs(&sandbox);
    in_actions(&sandbox, &release, "push", "refs/heads/main").succeeds();
    assert!(outputs(&sandbox).ends_with(&format!("subjects={}\n", list.display())));
    let lines = fs::read_to_string(&list).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for tag in ["one-v1.0.0", "two-v2.0.0"] {
        let asset = sandbox.asset(tag);
        let name = asset.file_name().unwrap().to_str().unwrap();
        let line = format!("{}  {name}", sha256(&fs::read(&asset).unwrap()));
        assert!(lines.contains(&line), "{lines} lacks {line}");
    }
    // What others released is not this run's to attest.
    let clone = sandbox.clone_fresh();
    in_actions(&clone, &release, "push", "refs/heads/main").succeeds();
    assert_eq!(fs::read_to_string(&list).unwrap(), "");
    assert!(!outputs(&clone).contains("subjects"));
}

#[test]
fn a_pull_request_publishes_nothing_even_if_asked() {
    let sandbox = project().head("");
    for words in ["ci", "ci --publish", "ci:release --publish"] {
        let run = in_actions(&sandbox, words, "pull_request", "refs/pull/7/merge").succeeds();
        run.says("a `pull_request` run never publishes");
        assert!(!sandbox.beside("store").exists(), "{run}");
    }
    let outputs = outputs(&sandbox);
    assert!(outputs.starts_with("built=one,two\npublished=\n"), "{outputs}");
}

#[test]
fn a_task_that_replaces_release_or_pages_keeps_to_the_same_rule() {
    let sandbox = Sandbox::with_store()
        .script("one", "v1")
        .head("tasks: { 'ci:release': 'echo x >> ../released', 'ci:pages': 'echo x >> ../pages' }");
    let done = |name: &str| sandbox.beside(name).exists();
    in_actions(&sandbox, "ci", "pull_request", "refs/pull/7/merge").succeeds();
    sandbox.forge("ci").succeeds();
    sandbox.forge("ci --no-publish --publish").exits(2);
    assert!(!done("released") && !done("pages"));
    // Typed by its name, pages are what somebody asks for; but not where it is never allowed.
    in_actions(&sandbox, "ci:pages", "pull_request", "refs/pull/7/merge").succeeds();
    assert!(!done("pages"));
    sandbox.forge("ci:pages").succeeds();
    assert!(done("pages") && !done("released"));
    in_actions(&sandbox, "ci", "push", "refs/heads/main").succeeds();
    assert!(done("released") && !sandbox.beside("store").exists());
}

fn git(sandbox: &Sandbox, words: &str) {
    crate::support::git(&sandbox.root(), &words.split(' ').collect::<Vec<_>>());
}

#[test]
fn a_tag_of_the_project_releases_the_project() {
    let sandbox = project().head("groups: { ci: [one] }\nproject: stack");
    let sandbox = sandbox.file(".gitignore", ".forge/\n");
    git(&sandbox, "init --quiet --initial-branch=main");
    in_actions(&sandbox, "ci one two", "push", "refs/heads/main").succeeds();
    git(&sandbox, "add -A");
    git(&sandbox, "commit --quiet -m first");
    git(&sandbox, "tag v1.2.0");
    // A fresh machine: nothing is built, and all that is pinned goes into the bundle.
    let clone = sandbox.clone_fresh();
    let run = in_actions(&clone, "ci", "push", "refs/tags/v1.2.0").succeeds();
    run.says("nothing was built here").says("v1.2.0 is released").says("published stack-v1.2.0");
    assert!(sandbox.beside("store/v1.2.0").is_dir(), "{run}");
    assert_eq!(
        outputs(&clone),
        "built=\npublished=\ndownloaded=one,two\nremote=\nhit=true\nimages={}\n"
    );
    // Again, and on the tag of a subsystem: nothing new.
    in_actions(&clone, "ci", "push", "refs/tags/v1.2.0").succeeds().says("is there already");
    let other = in_actions(&clone, "ci", "push", "refs/tags/one-v1.0.0").succeeds();
    other.keeps_quiet_about("is released");
}

#[test]
fn a_tag_whose_binaries_were_never_released_is_refused() {
    let sandbox = project().file(".gitignore", ".forge/\n");
    git(&sandbox, "init --quiet --initial-branch=main");
    git(&sandbox, "add -A");
    git(&sandbox, "commit --quiet -m first");
    git(&sandbox, "tag v1.2.0");
    let run = in_actions(&sandbox, "ci", "push", "refs/tags/v1.2.0").exits(2);
    run.says("cannot release v1.2.0").says("forge.lock");
    assert!(!sandbox.beside("store/v1.2.0").exists());
}

#[test]
fn a_branch_publishes_nothing_that_others_see() {
    let mut sandbox = project();
    sandbox.releases_from("github:acme/stack");
    let run = in_actions(&sandbox, "ci:release", "push", "refs/heads/topic").succeeds();
    run.says("topic is not the default branch (main)");
}

#[test]
fn a_stage_is_replaced_by_the_task_of_its_name() {
    let sandbox = project().script("three", "v1");
    let manifest = sandbox.read("versions.yml");
    let replaced = manifest.replace("tasks: {", "tasks: { 'ci:build': 'echo my own build',");
    sandbox.write("versions.yml", &replaced.replace("one && echo", "echo"));
    let run = sandbox.forge("ci").succeeds();
    run.says("my own build").says("by the task of this name");
    run.keeps_quiet_about("verified");
    sandbox.forge("ci --plan").succeeds().says("by a task").says("there is a task `ci:build`");
    sandbox.forge("ci:build").succeeds().says("my own build");
}

#[test]
fn a_test_that_fails_stops_what_comes_after_it() {
    let sandbox =
        Sandbox::with_store().script("one", "v1").head("tasks: { test: 'echo oh; exit 7' }");
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main").exits(1);
    run.says("task test failed").says("exited with code 7").says("::error::task test failed");
    run.says("ci:test failed");
    assert!(!sandbox.beside("store").exists(), "{run}");
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main");
    assert_eq!(words(&results(run, 1)), "done failed skipped skipped skipped");
}

/// Where `code/bad/bad.sh` lies while the build of `bad` fails for the lack of it.
const AWAY: &str = "code/bad/away.sh";

/// Four subsystems in git, of which `bad` cannot be built, and `dependent` needs it.
fn one_of_four_is_broken() -> Sandbox {
    let sandbox = Sandbox::with_store()
        .head("project: acme\ntasks: { 'good:test': 'echo good is tested', 'late:test': 'test ! -e broken-test' }")
        .file(".gitignore", ".forge/\n")
        .script("bad", "v1")
        .script("dependent", "v1")
        .script("good", "v1")
        .script("late", "v1");
    let spec = sandbox.read("subsystems/dependent.yml");
    sandbox.write("subsystems/dependent.yml", &format!("needs: [bad]\n{spec}"));
    fs::rename(sandbox.path("code/bad/bad.sh"), sandbox.path(AWAY)).unwrap();
    sandbox
}

/// Which releases are in the store.
fn released(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.beside("store")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[test]
fn one_that_cannot_be_built_keeps_no_other_from_its_release() {
    let sandbox = one_of_four_is_broken();
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main").exits(1);
    run.says("good is tested").says("in .forge/dist, without bad, dependent");
    run.says("2 released").says("::error");
    assert_eq!(released(&sandbox), ["good-v1", "late-v1"], "{run}");
    assert_eq!(outputs(&sandbox).lines().nth(1), Some("published=good,late"));

    // Mended, only what was left out is made.
    fs::rename(sandbox.path(AWAY), sandbox.path("code/bad/bad.sh")).unwrap();
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main").succeeds();
    run.keeps_quiet_about("without");
    assert_eq!(outputs(&sandbox).lines().nth(1), Some("published=bad,dependent"));
    assert_eq!(released(&sandbox), ["bad-v1", "dependent-v1", "good-v1", "late-v1"], "{run}");
}

#[test]
fn one_whose_test_fails_keeps_no_other_from_its_release_but_a_test_of_all_does() {
    let sandbox = project_of_two_tests("'late:test'");
    let run = in_actions(&sandbox, "ci --json", "push", "refs/heads/main").exits(1);
    let stages = run.json()["stages"].clone();
    assert_eq!(stages[1]["because"], "failed: late:test; passed: one:test", "{run}");
    assert_eq!(stages[3]["because"].as_str().unwrap().split(", ").last(), Some("without late"));
    assert_eq!(released(&sandbox), ["one-v1"], "{run}");

    let sandbox = project_of_two_tests("test");
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main");
    assert_eq!(words(&results(run, 1)), "done failed skipped skipped skipped");
    assert!(released(&sandbox).is_empty());
}

/// Two subsystems, of which `one` passes its test and the test called `failing` fails.
fn project_of_two_tests(failing: &str) -> Sandbox {
    Sandbox::with_store()
        .head(&format!("tasks: {{ 'one:test': 'true', {failing}: 'exit 7' }}"))
        .script("late", "v1")
        .script("one", "v1")
}

#[test]
fn a_stage_that_is_about_all_is_skipped_after_a_failure_and_so_is_what_follows() {
    let sandbox = one_of_four_is_broken();
    let manifest = sandbox.read("versions.yml");
    let with_pages = manifest.replace("tasks: {", "tasks: { 'ci:pages': 'echo > pages',");
    sandbox.write("versions.yml", &with_pages);
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main");
    assert_eq!(words(&results(run, 1)), "failed done done done skipped");
    // What a task packs or publishes nobody knows.
    let by_task = manifest.replace("tasks: {", "tasks: { 'ci:package': 'echo > packed',");
    sandbox.write("versions.yml", &by_task);
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main");
    assert_eq!(words(&results(run, 1)), "failed done skipped skipped skipped");
    assert!(!sandbox.path("pages").exists() && !sandbox.path("packed").exists());
}

#[test]
fn a_project_of_which_something_failed_is_not_released_on_its_tag() {
    let sandbox = one_of_four_is_broken();
    let commit = |sandbox: &Sandbox| {
        git(sandbox, "add -A");
        git(sandbox, "commit --quiet -m state");
    };
    git(&sandbox, "init --quiet --initial-branch=main");
    commit(&sandbox);
    git(&sandbox, "tag v1.2.0");
    let run = in_actions(&sandbox, "ci", "push", "refs/tags/v1.2.0").exits(1);
    run.says("v1.2.0 is not released, without bad, dependent");
    assert_eq!(released(&sandbox), ["good-v1", "late-v1"], "{run}");
}

#[test]
fn errors_of_compilers_and_tests_are_annotated_where_they_are() {
    let sandbox = Sandbox::new()
        .head("tasks: { test: { dir: code/cli, run: ['echo \"    main_test.go:3: no\" | cat why -; exit 1'] } }")
        .file("code/cli/main.go", "package main\n")
        .file("code/cli/main_test.go", "package main\n")
        .file("code/cli/why", "--- FAIL: TestHello (0.00s)\n")
        .spec(
            "cli",
            "v1",
            "source: { path: code/cli }\nbuild:\n  run:\n    - 'echo \"./main.go:1:14: syntax error: <x>\"'\n    - exit 1\n",
        );
    let run = in_actions(&sandbox, "ci", "pull_request", "refs/pull/7/merge");
    let run = run.env("GITHUB_WORKSPACE", sandbox.root()).exits(1);
    run.says("::error file=code/cli/main.go,line=1,col=14,title=cli v1::syntax error: <x>\n");
    let summary = fs::read_to_string(sandbox.beside("summary")).unwrap();
    assert!(summary.contains("<details><summary>The last lines of cli v1</summary>"), "{summary}");
    assert!(summary.contains("./main.go:1:14: syntax error: &lt;x&gt;\n"), "{summary}");
    assert!(summary.contains("All of it: .forge/logs/"), "{summary}");
    let run = in_actions(&sandbox, "ci:test", "pull_request", "refs/pull/7/merge");
    let run = run.env("GITHUB_WORKSPACE", sandbox.root()).exits(1);
    run.says("::error file=code/cli/main_test.go,line=3,title=task test failed::no\n");
}

#[test]
fn a_build_that_fails_gives_its_exit_code() {
    let sandbox = Sandbox::new().spec("bad", "v1", "build: { run: 'echo no; exit 3' }\n");
    assert_eq!(words(&results(sandbox.forge("ci"), 1)), "failed skipped skipped skipped skipped");
    let sandbox = project();
    sandbox.forge("ci:build").succeeds();
    let binary = sandbox.path(".forge/installed/one/one");
    let (time, bytes) = (fs::metadata(&binary).unwrap().modified().unwrap(), fs::read(&binary));
    let mut bytes = bytes.unwrap();
    bytes[3] ^= 1;
    crate::support::overwrite(&binary, &bytes);
    fs::File::options().append(true).open(&binary).unwrap().set_modified(time).unwrap();
    // Same size, same time: ctime gives the edit away, and the binary is fetched again.
    sandbox.forge("ci").succeeds().says("the installed one is damaged");
}

#[test]
fn each_stage_runs_alone() {
    let sandbox = project();
    sandbox.forge("ci:package").succeeds();
    assert!(sandbox.path(".forge/dist").is_dir());
    sandbox.forge("ci:test").succeeds().says("the project is fine");
    sandbox.forge("ci:pages").succeeds().says("there is no task `ci:pages`");
    let quiet = sandbox.forge("ci -q").succeeds();
    assert_eq!(quiet.stdout(), "one v1.0.0\nthe project is fine\n", "{quiet}");
}

#[test]
fn tests_without_their_source_are_left_out_and_told() {
    let sandbox = Sandbox::with_store().spec(
        "tool",
        "v1",
        "build: { run: '(echo \"#!/bin/sh\") > {{ out }}/tool' }\ntasks: { test: { dir: '{{ src }}', run: echo tested } }\n",
    );
    in_actions(&sandbox, "ci", "push", "refs/heads/main").succeeds().says("tested");
    // The next machine downloads it: it was tested where it was built.
    let clone = sandbox.clone_fresh();
    let run = in_actions(&clone, "ci", "push", "refs/heads/main").succeeds();
    run.says("tool:test is left out").keeps_quiet_about("tested\n");
    clone.forge("tool:test").exits(1).says("works on the source of tool");
}

#[test]
fn nothing_that_a_task_prints_is_obeyed() {
    let sandbox = Sandbox::new().script("one", "v1").head(
        "tasks: { test: 'printf \"::set-output name=a::b\\n  ::endgroup::\\nx ##[error]y\\n\"' }",
    );
    let run = in_actions(&sandbox, "ci", "push", "refs/heads/main").succeeds();
    run.says("| ::set-output").says("## [error]y");
    for line in run.stderr().lines().chain(run.stdout().lines()) {
        let command = line.trim_start().starts_with("::") || line.contains("##[");
        let ours = line.starts_with("::group::ci:") || line == "::endgroup::";
        assert!(!command || ours, "{line}");
    }
}

/// A workspace in a repository of its own.
fn repository() -> Sandbox {
    let sandbox = project();
    fs::create_dir_all(sandbox.path(".git/refs/remotes/origin")).unwrap();
    sandbox.file(".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/trunk\n")
}

const INIT: &str = "ci:init --forge https://example.org/forge.git";

#[test]
fn init_writes_a_workflow_once() {
    let sandbox = repository();
    sandbox.forge("ci:init").exits(2).says("--from github:OWNER/REPO").says("--forge URL");
    let shown = sandbox.forge(&format!("{INIT} --dry-run")).succeeds().stdout();
    assert!(!sandbox.path(".github").exists());
    sandbox
        .forge(INIT)
        .succeeds()
        .says("wrote .github/workflows/forge.yml")
        .says("pushes to trunk");
    let text = sandbox.read(".github/workflows/forge.yml");
    assert_eq!(text, shown);
    sandbox.write(".github/workflows/forge.yml", "mine");
    sandbox.forge(INIT).exits(2).says("is there already").says("--force");
    assert_eq!(sandbox.read(".github/workflows/forge.yml"), "mine");
    sandbox.forge(&format!("{INIT} --force")).succeeds();
    assert_eq!(sandbox.read(".github/workflows/forge.yml"), text);
}

#[test]
fn a_workspace_in_a_folder_of_the_repository_is_named_in_the_workflow() {
    let sandbox = repository();
    fs::create_dir_all(sandbox.path("my stack")).unwrap();
    fs::write(sandbox.path("my stack/versions.yml"), "versions: {}\n").unwrap();
    sandbox.forge(INIT).within(&sandbox.path("my stack")).succeeds();
    assert!(sandbox.read(".github/workflows/forge.yml").contains("forge ci -C 'my stack'"));
}

/// Whether `program` takes the file at `path`.
pub fn is_taken(program: &str, words: &[&str], path: &Path) -> bool {
    let output = Command::new(program).args(words).arg(path).output().unwrap();
    if !output.status.success() {
        eprintln!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    output.status.success()
}

/// Checks that those who look for mistakes in workflows find none: actionlint, an older one too, and
/// zizmor. Each action is pinned by a commit, and there are no anchors.
pub fn assert_passes_review(path: &Path) {
    assert_passes_review_of_today(path);
    let program = "actionlint-1.7.7";
    assert!(!is_here(program) || is_taken(program, &[], path), "{program}");
}

/// The same, without older ones.
pub fn assert_passes_review_of_today(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    for line in text.lines() {
        let used = line.trim_start().trim_start_matches("- ").strip_prefix("uses: ");
        let is_pinned = |used: &str| {
            let (action, version) = used.split_once(" # v").unwrap_or_default();
            action.split_once('@').is_some_and(|(_, commit)| commit.len() == 40)
                && !version.is_empty()
        };
        assert!(used.is_none_or(is_pinned), "{line}");
        let value = line.split_once(": ").map_or("", |(_, value)| value);
        assert!(!value.starts_with(['&', '*', '{', '[']) || value == "{}", "{line}");
    }
    for (program, words) in [
        ("actionlint", &[][..]),
        ("zizmor", &["--offline", "--no-config", "--persona", "pedantic"]),
    ] {
        assert!(!is_here(program) || is_taken(program, words, path), "{program}:\n{text}");
    }
}

#[test]
fn the_workflow_passes_review() {
    let sandbox = repository();
    let workflow = sandbox.path(".github/workflows/forge.yml");
    sandbox.forge(INIT).succeeds();
    assert_passes_review(&workflow);
    let manifest = sandbox.read("versions.yml");
    let dated = manifest.replace("one: v1.0.0", "one: { scheme: date }");
    sandbox.write("versions.yml", &dated.replace("tasks: {", "tasks: { 'ci:pages': one,"));
    sandbox.forge(&format!("{INIT} --force")).succeeds();
    assert!(sandbox.read(".github/workflows/forge.yml").contains("forge ci:pages"));
    assert_passes_review(&workflow);
    sandbox.forge(&format!("{INIT} --force --attest")).succeeds();
    assert!(sandbox.read(".github/workflows/forge.yml").contains("attest-build-provenance@"));
    assert_passes_review(&workflow);
    sandbox.forge(&format!("{INIT} --attest --host gitlab")).exits(2);
    if is_here("actionlint") {
        // It does find something where something is wrong.
        let bad = sandbox.read(".github/workflows/forge.yml").replace("runs-on", "run-on");
        sandbox.write("bad.yml", &bad);
        assert!(!is_taken("actionlint", &[], &sandbox.path("bad.yml")));
    }
}

#[test]
fn where_versions_are_claimed_the_step_that_builds_asks_the_clone_for_tags() {
    let sandbox = project().file(".gitignore", ".forge/\n");
    let manifest = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &manifest.replace("one: v1.0.0", "one: { scheme: date }"));
    git(&sandbox, "init --quiet --initial-branch=main");
    git(&sandbox, "add -A");
    git(&sandbox, "commit --quiet -m first");
    git(&sandbox, "tag one-20260101.0");
    git(&sandbox, "remote add origin http://127.0.0.1:9/acme/stack");
    sandbox.forge("ci:build one").exits(5).says("cannot read the tags of");
    sandbox.forge(INIT).succeeds();
    let text = sandbox.read(".github/workflows/forge.yml");
    let workflow: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let env = workflow["jobs"]["publish"]["steps"][2]["env"].as_object().unwrap();
    let run = env.iter().fold(sandbox.forge("ci:build one"), |run, (name, value)| {
        let value = value.as_str().unwrap();
        let value = value.replace("${{ github.workspace }}", sandbox.root().to_str().unwrap());
        let value = value.replace("${{ github.server_url }}", "http://127.0.0.1:9");
        run.env(name, value.replace("${{ github.repository }}", "acme/stack"))
    });
    run.succeeds().says("1 verified");
}

//! How what tasks print is shown.

use crate::support::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new().script("tool", "v1").head(
        "tasks:
  both: { run: 'echo out; echo err >&2; printf \"half \\033[1m\"' }
  one: echo 1
  two: { needs: one, run: echo 2 }
  fresh: { inputs: versions.yml, run: 'true' }
  all: { needs: [two, fresh] }
  bad: { run: 'echo the cause; exit 3' }
  flood: { run: 'seq 300; exit 3' }
  fails: { needs: [one, bad] }
  floods: { needs: [flood] }
",
    )
}

#[test]
fn one_task_prints_as_if_it_ran_alone() {
    let sandbox = sandbox();
    for words in ["both", "both --output grouped", "run both one --output plain"] {
        let run = sandbox.forge(words).succeeds();
        assert!(run.stdout().starts_with("out\nhalf \u{1b}[1m"), "{run}");
        assert!(run.stderr().starts_with("err\n"), "{run}");
    }
    let run = sandbox.forge("both").succeeds();
    assert_eq!(run.stdout(), "out\nhalf \u{1b}[1m");
    assert_eq!(run.stderr(), "err\n", "no sum for one");
}

#[test]
fn several_are_marked_with_their_names_and_summed_up() {
    let sandbox = sandbox();
    let run = sandbox.forge("all -j 1").succeeds();
    assert_eq!(run.stdout(), "one | 1\ntwo | 2\n");
    run.says("4 tasks in ").says(": 4 ran");
    sandbox.forge("all").succeeds().says(": 3 ran, 1 fresh");
    sandbox.forge("one --output prefixed").succeeds().says("one | 1");
    let run = sandbox.forge("all --color always").succeeds();
    assert!(run.stdout().contains("one\u{1b}[0m | 1"), "{run}");
}

#[test]
fn groups_are_whole_and_fold_in_github_actions() {
    let sandbox = sandbox();
    let run = sandbox.forge("all -j 1 --output grouped").succeeds();
    assert_eq!(run.stdout(), "--- one\n1\n--- two\n2\n");
    let run = sandbox.forge("all -j 1").env("GITHUB_ACTIONS", "true").succeeds();
    assert_eq!(run.stdout(), "::group::one\n1\n::endgroup::\n::group::two\n2\n::endgroup::\n");
}

#[test]
fn versions_yml_says_how_and_the_command_line_says_otherwise() {
    let sandbox = sandbox().head("output: quiet");
    let run = sandbox.forge("all").succeeds();
    assert_eq!((run.stdout(), run.stderr()), (String::new(), String::new()));
    let run = sandbox.forge("fails -j 1").exits(1);
    run.says("bad printed:\n  the cause\n").keeps_quiet_about("one");
    sandbox.forge("all --output prefixed").succeeds().says("one | 1");
    sandbox.head("output: loud").forge("check").exits(2).says("loud");
}

#[test]
fn the_cause_is_shown_last_and_all_of_it_is_kept() {
    let sandbox = sandbox();
    let run = sandbox.forge("run fails two -j 1").exits(1);
    let told = run.stderr();
    assert!(told.find("bad printed:\n  the cause") < told.find("task bad failed"), "{told}");
    let run = sandbox.forge("floods --output quiet").exits(1);
    run.says("the last 200 lines of flood (all of them are in .forge/logs/").says("  101\n");
    run.keeps_quiet_about("  100\n");
    let told = run.stderr();
    let path = told.split("are in ").nth(1).unwrap().split(')').next().unwrap();
    assert_eq!(sandbox.read(path).lines().count(), 300);
}

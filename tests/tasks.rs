//! Tasks in their short forms: found by name, run with what is installed, checked before.

use crate::support::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new()
        .head(
            "vars: { who: world }\nenv: { GREETING: hello }\npools: { one: 1 }\ntasks:\n  hello: echo \"$GREETING {{ who }}\"\n  two: [tool, 'pwd']\n  long:\n    desc: does more\n    run: 'echo \"$A $GREETING\"; pwd'\n    dir: '{{ root }}/code'\n    env: { A: '{{ os }}' }\n  fails: 'echo before; exit 9'\n",
        )
        .script("tool", "v1")
        .spec(
            "lib",
            "v2.0.0",
            "source: { path: code }\nbuild: { run: 'cp tool/tool.sh {{ out }}/lib' }\ntasks: { test: 'echo {{ name }} {{ version }}; ls {{ src }}', where: { run: pwd, dir: '{{ src }}' } }\n",
        )
}

#[test]
fn a_task_runs_by_its_name() {
    let sandbox = sandbox();
    sandbox.forge("ensure").succeeds();
    for words in ["hello", "run hello", "-q hello"] {
        assert_eq!(sandbox.forge(words).succeeds().stdout(), "hello world\n", "{words}");
    }
    let root = sandbox.root().canonicalize().unwrap().display().to_string();
    // What is installed stands first on PATH; without `dir` a task runs at the top.
    assert_eq!(sandbox.forge("two").succeeds().stdout(), format!("tool v1\n{root}\n"));
    let os = std::env::consts::OS.replace("macos", "darwin");
    assert_eq!(sandbox.forge("long").succeeds().stdout(), format!("{os} hello\n{root}/code\n"));
    assert_eq!(sandbox.forge("lib:test").succeeds().stdout(), "lib v2.0.0\ntool\n");
    assert_eq!(sandbox.forge("lib:where").succeeds().stdout(), format!("{root}/code\n"));
    // Also from a folder below.
    let below = sandbox.path("code");
    assert_eq!(sandbox.forge("hello").within(&below).succeeds().stdout(), "hello world\n");
}

#[test]
fn a_task_that_fails_says_so_and_passes_on_what_it_printed() {
    let run = sandbox().forge("fails").exits(1);
    assert_eq!(run.stdout(), "before\n");
    run.says("task fails failed").says("exited with code 9");
}

#[test]
fn a_dry_run_shows_the_commands() {
    let sandbox = sandbox();
    let run = sandbox.forge("run lib:test --dry-run").succeeds();
    assert_eq!(run.stdout(), "would run echo lib v2.0.0; ls {{ src }}\n");
}

#[test]
fn names_that_mean_nothing_are_answered_with_what_was_meant() {
    let sandbox = sandbox();
    sandbox.forge("helo").exits(2).says("`hello`?");
    sandbox.forge("lib:tset").exits(2).says("did you mean `lib:test`?");
    sandbox.forge("verfy").exits(2).says("did you mean `verify`?");
    sandbox.forge("list").succeeds().says("does more").says("lib:test");
}

#[test]
fn a_name_may_be_several_words() {
    let sandbox = Sandbox::new()
        .head("tasks: { build all: { desc: all of it, run: echo built }, go: { needs: build all, run: [{ task: build all }] } }")
        .script("tool", "v1");
    sandbox.forge("check").succeeds();
    let run = || sandbox.forge("").arg("build all");
    assert_eq!(run().succeeds().stdout(), "built\n");
    assert_eq!(sandbox.forge("run").arg("build all").succeeds().stdout(), "built\n");
    sandbox.forge("go").succeeds().says("built");
    sandbox.forge("list").succeeds().says("build all").says("all of it");
    sandbox.forge("").arg("build al").exits(2).says("did you mean `build all`?");
}

#[test]
fn what_is_wrong_with_a_task_is_found_before_anything_runs() {
    for (tasks, told) in [
        ("a: 'if x'", "the shell cannot read this command"),
        ("a: 'echo {{ nam }}'", "templates know no `nam` here"),
        ("a: 'echo {{ src }}'", "templates know no `src` here"),
        ("a: { run: x, dri: y }", "has no key `dri`"),
        ("a: { desc: x }", "the task `a` has no command"),
        ("a: []", "the task `a` has no command"),
        ("'a  b': x", "can be no task's name"),
        ("'a;b': x", "can be no task's name"),
        ("'lib:test': x", "two tasks are called `lib:test`"),
    ] {
        let sandbox = Sandbox::new().head(&format!("tasks:\n  {tasks}")).spec(
            "lib",
            "v1",
            "build: { run: make }\ntasks: { test: x }\n",
        );
        sandbox.forge("check").exits(2).says(told);
    }
}

#[test]
fn ctrl_c_ends_a_task_with_all_it_started() {
    let sandbox = Sandbox::new()
        .head("tasks: { wait: 'sleep 100 & echo $! > pid; wait' }")
        .script("one", "v1");
    let mut child = sandbox.forge("wait").start();
    let pid = sandbox.path("pid");
    let written = || std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'));
    crate::support::wait_until("the task has begun", written);
    let forge = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &forge]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let sleeper = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    assert!(!crate::support::is_alive(sleeper));
}

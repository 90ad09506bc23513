//! The language of tasks: what each key does when the task runs.

use std::{fs, process::Command};

use crate::support::{Sandbox, is_alive, wait_until};

/// A workspace with these tasks, each line of which is one.
fn tasks(lines: &str) -> Sandbox {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    Sandbox::new().head(&format!("tasks:\n{indented}")).script("tool", "v1")
}

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("log")).unwrap_or_default().replace('\n', " ")
}

#[test]
fn needs_run_first_and_once_and_subsystems_are_ensured() {
    let sandbox = tasks(
        "base: echo base >> log\na: { needs: base, run: echo a >> log }\nb: { needs: [base], run: echo b >> log }\nall: { needs: [a, b, tool], run: 'tool >> log' }",
    );
    sandbox.forge("all -j 1").succeeds();
    assert_eq!(log(&sandbox), "base a b tool v1 ");
}

#[test]
fn what_needs_a_failure_is_left_out_and_the_rest_goes_on() {
    let sandbox = tasks(
        "bad: 'echo the cause; exit 7'\nmiddle: { needs: bad, run: echo middle >> log }\ngood: echo good >> log\nall: { needs: [middle, good], run: echo all >> log }\nfast: { needs: [bad, good], fail_fast: true }",
    );
    let run = sandbox.forge("all -j 1").exits(1);
    run.says("middle is left out: it needs bad").says("task bad failed").says("bad | the cause");
    assert_eq!(log(&sandbox), "good ");
    sandbox.forge("all -x").exits(7);
    fs::remove_file(sandbox.path("log")).unwrap();
    sandbox.forge("fast -j 1").exits(1);
    assert_eq!(log(&sandbox), "");
    sandbox.forge("run all --fail-fast -j 1").exits(1);
    assert_eq!(log(&sandbox), "");
}

#[test]
fn cycles_and_unknown_names_are_told_with_their_places() {
    for (lines, told) in [
        ("a: { needs: b }\nb: { needs: c }\nc: [{ task: a }]", "a → b → c → a"),
        ("a: { needs: a }", "the task `a` needs itself"),
        ("a: { needs: bb }\nbbb: x", "neither a task nor a subsystem"),
        ("a: [{ task: tool }]", "only a task can be run"),
        (
            "a: [{ task: b, with: { x: 1 } }]\nb: { run: y, with: { xx: 1 } }",
            "has no parameter `x`",
        ),
        ("a: [{ task: b }]\nb: { run: y, with: [x] }", "must be given `x`"),
        ("a: { run: x, alias: b }\nb: y", "is a name of the task `b` already"),
        ("a: { run: x, only: lunix }", "neither an operating system"),
        ("a: { run: x, timeout: fast }", "`fast` is not a duration"),
        ("a: { run: x, with: { os: 1 } }", "a word of forge's own"),
        ("a: { run: x, with: { m: { enum: [p], default: q } } }", "`q` is none of p"),
        ("a: [{ run: x, for: [] }]", "nothing to run for"),
        ("a: { run: x, finally: 'if y' }", "the shell cannot read"),
        ("a: { run: x, status: '{{ nope }}' }", "templates know no `nope`"),
    ] {
        tasks(lines).forge("check").exits(2).says(told).says("versions.yml:");
    }
}

#[test]
fn parameters_and_arguments_reach_the_commands() {
    let sandbox = tasks(
        "to:\n  with:\n    where: { enum: [dev, prod], required: true, desc: the place }\n    tag: latest\n  run: 'echo {{ where }} {{ tag }} {{ args }}'\nboth: [{ task: to, with: { where: dev } }, { task: to, with: { where: prod, tag: '{{ os }}' } }]",
    );
    let run = sandbox.forge("to where=dev tag=v1 -- -a").arg("two words").succeeds();
    assert_eq!(run.stdout(), "dev v1 -a two words\n");
    sandbox.forge("to").exits(2).says("must be given `where`").says("the place");
    sandbox.forge("to where=here").exits(2).says("cannot be `here`").says("dev, prod");
    sandbox.forge("to where=dev tga=1").exits(2).says("has no parameter `tga`").says("`tag`");
    sandbox.forge("to where=dev x").exits(2).says("no task `x`").says("written `NAME=value`");
    let run = sandbox.forge("both").succeeds();
    assert!(run.stdout().starts_with("to | dev latest\nto | prod "), "{run}");
}

#[test]
fn entries_have_conditions_limits_and_loops() {
    let sandbox = tasks(
        "a:\n  with: { mode: slow }\n  run:\n    - { run: echo never, if: \"{{ mode == 'fast' }}\" }\n    - { run: echo by command, if: test -d subsystems }\n    - { run: echo not here, only: windows }\n    - { run: exit 3, allow_failure: true }\n    - { run: 'echo {{ item }}', for: [x, y] }\n    - { run: 'echo {{ item.os }}-{{ item.arch }}', for: { matrix: { os: [l, d], arch: [a, b] } } }\nslow: [{ run: sleep 30, timeout: 1s }]\nlimit: { run: sleep 30, timeout: 1s }\neach: { for: [1, 2], run: ['echo a{{ item }}', 'echo b{{ item }}'] }\nnot: { if: 'false', run: echo x }\nelsewhere: { only: [windows], run: echo x }",
    );
    let run = sandbox.forge("a").succeeds();
    assert_eq!(run.stdout(), "by command\nx\ny\nl-a\nl-b\nd-a\nd-b\n");
    run.says("goes on after a failure");
    sandbox.forge("slow").exits(124).says("longer than");
    sandbox.forge("limit").exits(124);
    assert_eq!(sandbox.forge("each").succeeds().stdout(), "a1\nb1\na2\nb2\n");
    assert_eq!(sandbox.forge("not").succeeds().stdout(), "");
    sandbox.forge("elsewhere").succeeds().says("does not run on this platform");
}

#[test]
fn variables_come_from_text_lists_commands_and_files() {
    let sandbox = tasks(
        "a:\n  vars:\n    who: { sh: 'echo once >> log; echo warning >&2; echo world' }\n    unused: { sh: 'echo never >> log; exit 1' }\n    greeting: 'hello {{ who }}'\n    list: [p, q]\n  dotenv: [local.env?, .env]\n  env: { C: task }\n  run: ['echo {{ greeting }} {{ who }}', \"echo {{ list | join('+') }} $A $B $C\"]\nbad: { vars: { x: { sh: 'echo why >&2; exit 2' } }, run: 'echo {{ x }}' }\nmissing: { dotenv: none.env, run: echo }",
    )
    .file(".env", "A=1\nB='2 2'\nC=3\n");
    let run = sandbox.forge("a").succeeds();
    assert_eq!(run.stdout(), "hello world world\np+q 1 2 2 task\n");
    assert_eq!(log(&sandbox), "once ");
    sandbox.write("local.env", "A=local\n");
    assert!(sandbox.forge("a").succeeds().stdout().contains("p+q local 2 2 task"));
    sandbox.forge("a --dry-run").succeeds().says("would run echo hello $(echo once");
    sandbox.forge("bad").exits(1).says("cannot tell `x` of the task bad").says("why");
    sandbox.forge("missing").exits(2).says("none.env");
    sandbox.write(".env", "A=1\nnonsense\n");
    sandbox.forge("a").exits(2).says("line 2 is not a variable");
}

#[test]
fn a_dotenv_is_read_as_people_write_it() {
    let sandbox = tasks(
        "a:\n  dotenv: [local.env?, .env]\n  run: 'printf \"%s\\n\" \"$URL\" \"$KEY\" \"$RAW\" \"$ALL\"'\nb: { dotenv: .env, inputs: .env, run: 'echo $WHO' }",
    )
    .file("local.env", "HOST=sea\n")
    .file(
        ".env",
        "export PORT=5432 # c\r\nURL=\"db://${HOST}:$PORT/${NAME:-x}\"\r\nKEY=\"one\n two\"\nRAW='${HOST}'\nALL=$URL/\nWHO=${OUTSIDE}\n",
    );
    let run = sandbox.forge("a").succeeds();
    assert_eq!(run.stdout(), "db://sea:5432/x\none\n two\n${HOST}\ndb://sea:5432/x/\n");
    // Values from outside count as those in the file do, also for the shortcut of a run with nothing to do.
    let run = |value: &str| sandbox.forge("b").env("OUTSIDE", value).succeeds().stdout();
    assert_eq!(
        (run("ann"), run("ann"), run("bob")),
        ("ann\n".into(), String::new(), "bob\n".into())
    );
    sandbox.write(".env", "A=1\nB='x\n");
    sandbox.forge("a").exits(2).says("line 2 opens a quote that no line closes");
}

#[test]
fn what_is_private_labelled_confirmed_asserted_or_retried() {
    let sandbox = tasks(
        "helper: { private: true, run: echo helped }\nuser: { needs: helper, alias: [u, use], label: me, run: echo done }\nsure: { confirm: Really?, run: echo yes }\nasks: { run: [{ task: sure }] }\nholds: { assert: [{ run: test -f here, message: 'here must exist' }], run: echo ok }\nflaky: { retry: 2, run: 'echo x >> log; test $(wc -l < log) -ge 3' }\nmay: { allow_failure: true, run: exit 1 }\nafter: { needs: may, run: echo after }",
    );
    sandbox.forge("helper").exits(2).says("is private");
    let run = sandbox.forge("use").succeeds();
    assert_eq!(run.stdout(), "helper | helped\nme | done\n");
    for words in ["sure", "asks"] {
        sandbox.forge(words).exits(1).says("no terminal").says("--yes");
        sandbox.forge(words).arg("--yes").succeeds().says("yes");
    }
    sandbox.forge("holds").exits(1).says("here must exist");
    sandbox.forge("flaky").succeeds().says("try 2 of 2");
    sandbox.forge("after").succeeds().says("after | after").says("which it may");
    sandbox.forge("list").succeeds().says("user").keeps_quiet_about("helper");
    let listed = sandbox.forge("list --json").succeeds().json();
    let aliases = listed["tasks"].as_array().unwrap().iter().find(|task| task["name"] == "user");
    assert_eq!(aliases.unwrap()["aliases"], serde_json::json!(["u", "use"]));
}

#[test]
fn what_cleans_up_runs_whatever_happened() {
    let sandbox = tasks(
        "bad: { run: [exit 4, echo never >> log], finally: [echo one >> log, echo two >> log] }\nwait: { run: 'echo $$ > pid; sleep 100', finally: echo cleaned >> log }\nlate: { run: sleep 30, timeout: 1s, finally: echo late >> log }",
    );
    sandbox.forge("bad -x").exits(4);
    assert_eq!(log(&sandbox), "one two ");
    sandbox.forge("late").exits(124);
    assert_eq!(log(&sandbox), "one two late ");
    let mut child = sandbox.forge("wait").start();
    let pid = sandbox.path("pid");
    wait_until("the task has begun", || {
        fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))
    });
    let forge = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &forge]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(log(&sandbox), "one two late cleaned ");
    assert!(!is_alive(fs::read_to_string(&pid).unwrap().trim().parse().unwrap()));
}

#[test]
fn what_is_up_to_date_does_not_run_and_explain_says_why_it_would() {
    let mut sandbox = tasks(
        "gen:\n  with: { mode: a }\n  needs: tool\n  inputs: ['src/**/*.txt', '!src/skip/**']\n  outputs: out.txt\n  run: ['cat src/*.txt > out.txt', 'echo {{ mode }} >> log']\nlazy: { outputs: none, inputs: src, run: echo ran }\nfails: { inputs: src, run: exit 1 }\nstat: { status: test -f out.txt, run: echo ran }",
    )
    .file("src/a.txt", "1\n")
    .file("src/skip/b.txt", "1\n");
    let runs = |sandbox: &Sandbox, words: &str| {
        let before = log(sandbox).len();
        sandbox.forge(words).succeeds();
        log(sandbox).len() > before
    };
    let why = |sandbox: &Sandbox, text: &str| {
        let before = sandbox.listing();
        sandbox.forge("explain gen").succeeds().says(text);
        assert_eq!(sandbox.listing(), before, "explaining changes nothing");
    };
    sandbox.forge("stat").succeeds().says("ran");
    why(&sandbox, "no run of it that went well is recorded");
    assert!(runs(&sandbox, "gen"));
    why(&sandbox, "nothing changed since");
    assert!(!runs(&sandbox, "gen"));
    assert!(!runs(&sandbox, "gen --dry-run"));
    assert!(runs(&sandbox, "gen --force"));
    assert!(runs(&sandbox, "gen mode=b"), "another parameter is another run");
    sandbox.write("src/skip/b.txt", "2\n");
    assert!(!runs(&sandbox, "gen"));
    sandbox.write("src/a.txt", "2\n");
    why(&sandbox, "the input src/a.txt changed");
    assert!(runs(&sandbox, "gen"));
    sandbox.write("src/c.txt", "3\n");
    why(&sandbox, "the input src/c.txt is new");
    assert!(runs(&sandbox, "gen"));
    sandbox.write("out.txt", "tampered\n");
    why(&sandbox, "the output out.txt changed; what it makes would be restored");
    sandbox.forge("gen").succeeds().says("gen is restored from the cache");
    fs::remove_file(sandbox.path("out.txt")).unwrap();
    why(&sandbox, "the output out.txt is gone; what it makes would be restored");
    assert!(!runs(&sandbox, "gen"));
    assert_eq!(sandbox.read("out.txt"), "2\n3\n");
    let text = sandbox.read("versions.yml").replace(">> log'", ">> log ; true'");
    sandbox.write("versions.yml", &text);
    why(&sandbox, "`run` changed: was `echo a >> log`, is `echo a >> log ; true`");
    assert!(runs(&sandbox, "gen"));
    sandbox.forge("stat").succeeds().says("stat is up to date");
    for _ in 0..2 {
        sandbox.forge("lazy").succeeds().says("ran").says("did not make none");
        sandbox.forge("fails").exits(1);
    }
    sandbox.bump("tool", "v2");
    sandbox.write("code/tool/tool.sh", "#!/bin/sh\necho new\n");
    assert!(runs(&sandbox, "gen"), "a needed subsystem is another now");
}

#[test]
fn a_deep_chain_of_needs_runs_without_a_deep_stack() {
    let mut lines = "t0: echo end >> log\n".to_owned();
    for at in 1..500 {
        lines.push_str(&format!("t{at}: {{ needs: t{} }}\n", at - 1));
    }
    let sandbox = tasks(&lines);
    sandbox.forge("t499").succeeds();
    assert_eq!(log(&sandbox), "end ");
}

#[test]
fn in_github_actions_each_task_is_a_group() {
    let sandbox = tasks("a: echo from a\nb: { needs: a, run: ['echo ::error::x', echo b] }");
    let run = sandbox.forge("b").env("GITHUB_ACTIONS", "true").succeeds();
    assert!(run.stdout().contains("::group::a\nfrom a\n::endgroup::\n"), "{run}");
    run.says("| ::error::x");
}

#[test]
fn calls_repeat_unless_once_and_what_is_quiet_is_not_shown() {
    let sandbox = tasks(
        "again: { run: echo again >> log, help: 'told at length' }\nonly: { once: true, run: echo once >> log }\nall: [{ task: again }, { task: again }, { task: only }, { task: only }, { run: echo hush, quiet: true }]\nasks: { with: [x], confirm: 'really {{ x }}?', run: echo }",
    );
    let run = sandbox.forge("-v all").succeeds();
    assert_eq!(log(&sandbox), "again again once ");
    run.says("again: echo again >> log").says("all | hush").keeps_quiet_about("all: echo hush");
    sandbox.forge("explain again").succeeds().says("told at length").says("always runs");
}

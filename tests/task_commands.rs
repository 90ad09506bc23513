//! What runs the commands of tasks: shells, what cleans up, what is stopped, pools, the terminal,
//! secrets.

use std::{fs, process::Command};

use crate::support::{Sandbox, at_a_terminal, is_alive, wait_until};

/// A workspace with this head.
fn workspace(head: &str) -> Sandbox {
    Sandbox::new().head(head).script("tool", "v1")
}

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("log")).unwrap_or_default().replace('\n', " ")
}

fn has_line(sandbox: &Sandbox, name: &str) {
    let path = sandbox.path(name);
    wait_until("the task has begun", || {
        fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))
    });
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn what_cleans_up_knows_the_exit_code_and_runs_last_first() {
    let sandbox = workspace(
        "tasks:
  well: { run: 'true', finally: 'echo {{ exit_code }} >> log' }
  bad: { run: exit 7, finally: 'echo {{ exit_code }} >> log' }
  late: { run: sleep 30, timeout: 1s, finally: 'echo {{ exit_code }} >> log' }
  help: { with: [x], run: 'echo help{{ x }} >> log' }
  many:
    run:
      - echo begin >> log
      - { finally: 'echo a{{ exit_code }} >> log' }
      - { finally: { task: help, with: { x: '{{ exit_code }}' } } }
      - exit 3
      - { finally: echo never >> log }
    finally: [echo z >> log]
  dirty: { run: echo ran >> log, finally: [exit 5, echo on >> log] }
  both: { run: exit 3, finally: exit 5 }
  need: exit 2
  unmet: { needs: need, run: x, finally: echo never >> log }
  again: { retry: 1, run: [{ finally: echo undo >> log }, echo try >> log; exit 1] }
",
    );
    let after = |words: &str, code: i32| {
        let _ = fs::remove_file(sandbox.path("log"));
        sandbox.forge(words).exits(code);
        log(&sandbox)
    };
    assert_eq!(after("well", 0), "0 ");
    assert_eq!(after("bad", 1), "7 ");
    assert_eq!(after("late", 124), "124 ");
    assert_eq!(after("many -x", 3), "begin help3 a3 z ");
    assert_eq!(after("dirty -x", 5), "ran on ", "what cleans up runs to its end, and counts");
    sandbox.forge("both -x").exits(3).says("could not clean up");
    assert_eq!(after("unmet", 1), "", "what did not begin leaves nothing to clean up");
    assert_eq!(after("again", 1), "try undo try undo ");
}

#[test]
fn a_signal_lets_what_cleans_up_finish_and_leaves_no_process() {
    let head = "tasks:\n  wait: { run: ['echo $$ > pid; sleep 100 & wait'], finally: 'sleep 0.3; echo {{ exit_code }} >> log' }";
    for name in ["-INT", "-TERM"] {
        let sandbox = workspace(head);
        let mut child = sandbox.forge("wait").start();
        has_line(&sandbox, "pid");
        signal(name, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        assert_eq!(log(&sandbox), "130 ", "{name}");
        assert!(!is_alive(sandbox.read("pid").trim().parse().unwrap()));
    }
}

#[test]
fn failing_fast_stops_what_runs_with_grace() {
    let sandbox = workspace(
        "tasks:
  slow: { run: 'trap \"echo told >> log; exit 0\" TERM; echo $$ > pid; sleep 100 & wait', finally: 'echo undone {{ exit_code }} >> log' }
  bad: 'until test -s pid; do sleep 0.01; done; exit 7'
  fast: { needs: [slow, bad], fail_fast: true, run: echo never >> log }
",
    );
    let run = sandbox.forge("fast -j 2 -x").exits(7);
    run.says("task bad failed").keeps_quiet_about("task slow failed");
    assert_eq!(log(&sandbox), "told undone 130 ");
    assert!(!is_alive(sandbox.read("pid").trim().parse().unwrap()));
}

#[test]
fn the_shell_is_selected_for_a_file_or_a_task() {
    let sandbox = workspace(
        "shell: bash
tasks:
  bash: { vars: { v: { sh: 'a=(x y); echo ${a[1]}' } }, run: 'b=(1 2); echo ${#b[@]} {{ v }}', if: '[[ a == a ]]' }
  pipe: { run: 'false | true' }
  plain: { shell: sh, run: 'false | true' }
  words: { shell: [env, A=b, sh, -c], run: 'echo $A' }
  python: { shell: [python3, -c], vars: { n: { sh: 'import sys; print(6 * 7); print(0, file=sys.stderr)' } }, run: 'print({{ n }})' }
  none: { shell: [no-such-shell], run: x }
",
    );
    sandbox.forge("check").succeeds();
    assert_eq!(sandbox.forge("bash").succeeds().stdout(), "2 y\n");
    sandbox.forge("pipe").exits(1);
    sandbox.forge("plain").succeeds();
    assert_eq!(sandbox.forge("words").succeeds().stdout(), "b\n");
    assert_eq!(sandbox.forge("python").succeeds().stdout(), "42\n");
    sandbox.forge("none").exits(1).says("the shell of `x` cannot be started").says("no-such-shell");
    for (shell, line, is_good) in [
        ("bash", "a=(1 2)", true),
        ("sh", "if x", false),
        ("bash", "if x", false),
        ("[bash, -c]", "if x", false),
        ("[python3, -c]", "if x", true),
    ] {
        let sandbox = workspace(&format!("tasks:\n  t: {{ shell: {shell}, run: '{line}' }}"));
        match is_good {
            true => drop(sandbox.forge("check").succeeds()),
            false => drop(sandbox.forge("check").exits(2).says("the shell cannot read")),
        }
    }
}

#[test]
fn a_pool_limits_how_many_run_and_nobody_waits_in_a_cycle() {
    let one = |name: &str| {
        format!("  {name}: {{ pool: db, run: 'mkdir busy; sleep 0.05; rmdir busy' }}\n")
    };
    let tasks: String = ["a", "b", "c", "d"].map(one).concat();
    let sandbox = workspace(&format!(
        "pools: {{ db: 1, other: 1 }}\ntasks:\n{tasks}  all: {{ needs: [a, b, c, d] }}
  x: {{ pool: db, run: [sleep 0.05, {{ task: y }}] }}
  y: {{ pool: other, once: true, run: sleep 0.01 }}
  v: {{ pool: other, run: [sleep 0.05, {{ task: w }}] }}
  w: {{ pool: db, run: sleep 0.01 }}
  u: {{ pool: db, run: [{{ task: w }}, 'true'] }}
  cycle: {{ needs: [x, v, u] }}
"
    ));
    sandbox.forge("all -j 4").succeeds();
    sandbox.forge("cycle -j 4").succeeds();
}

#[test]
fn a_retry_waits_and_a_limit_ends_waiting() {
    let sandbox = workspace(
        "tasks:
  flaky: { retry: { times: 2, delay: 1s }, run: 'echo x >> log; test $(wc -l < log) -ge 2' }
  never: { retry: { times: 3, delay: 1h }, timeout: 5s, run: exit 3 }
  entry: [{ run: sleep 30, timeout: 1s }]
  call: [{ task: long, timeout: 1s }]
  long: { run: 'sleep 30' }
  cond: { if: sleep 30, timeout: 1s, run: x }
",
    );
    let begin = std::time::Instant::now();
    sandbox.forge("flaky").succeeds().says("try 1 of 2");
    assert!(begin.elapsed().as_millis() >= 1000);
    sandbox.forge("never -x").exits(3);
    for name in ["entry", "call", "cond"] {
        sandbox.forge(name).exits(124).says("longer than the 1 s");
    }
}

#[test]
fn a_secret_is_shown_nowhere() {
    let sandbox = workspace(
        "vars: { shared: { secret: { env: SHARED_SECRET } } }
tasks:
  say:
    vars:
      plain: { secret: hunter2 }
      printed: { secret: { sh: \"echo sesame; echo 'second line'\" } }
      both: 'user:{{ plain }}'
    inputs: versions.yml
    env: { TOKEN: '{{ plain }}' }
    label: 'label {{ plain }}'
    run:
      - echo \"{{ both }}\" {{ printed }} '{{ shared }}' $TOKEN
      - tr '\\0' ' ' < /proc/$$/cmdline > seen
      - \"printf %s {{ plain }} > file; printf '%s' '{{ printed }}' > lines\"
      - { task: given, with: { x: '{{ plain }}' } }
      - { run: 'echo last {{ plain }}; cat <<E\\n{{ shared }}\\nE\\nexit 3' , allow_failure: true }
      - cat file
      - exit $(printf %s {{ plain }} | wc -c)
  given: { with: [x], run: 'echo got {{ x }}; echo {{ x }} > given' }
  cut: { vars: { plain: { secret: hunter2 } }, run: 'echo {{ plain | upper }}' }
  other: { shell: [python3, -c], vars: { plain: { secret: hunter2 } }, run: 'print({{ plain }})' }
  unset: { vars: { no: { secret: { env: NOT_SET_AT_ALL } } }, run: 'echo {{ no }}' }
  fails: { vars: { no: { secret: { sh: 'echo hunter2 >&2; exit 2' } }, plain: { secret: hunter2 } }, run: 'echo {{ plain }} {{ no }}' }
",
    );
    sandbox.forge("check").env("SHARED_SECRET", "open it").succeeds();
    for actions in ["", "true"] {
        let run = sandbox
            .forge("-v say -x")
            .env("SHARED_SECRET", "open it")
            .env("GITHUB_ACTIONS", actions)
            .exits(7);
        for secret in ["hunter2", "sesame", "second line", "open it"] {
            run.keeps_quiet_about(secret);
        }
        run.says("user:*** *** *** ***").says("got ***").says("last ***");
    }
    assert_eq!(sandbox.read("file"), "hunter2");
    assert_eq!(sandbox.read("given"), "hunter2\n");
    assert_eq!(sandbox.read("lines"), "sesame\nsecond line");
    assert!(!sandbox.read("seen").contains("hunter2"));
    sandbox.forge("say --dry-run").succeeds().says("***").keeps_quiet_about("hunter2");
    sandbox.forge("explain say").succeeds().says("***").keeps_quiet_about("hunter2");
    sandbox.forge("cut").exits(2).says("cannot be cut or changed");
    sandbox.forge("other").exits(2).says("`env: { NAME").keeps_quiet_about("hunter2");
    sandbox.forge("unset").exits(2).says("NOT_SET_AT_ALL");
    let kept = Command::new("grep")
        .args(["-rlE", "hunter2|sesame|open it"])
        .arg(sandbox.path(".forge"))
        .output();
    assert_eq!(String::from_utf8_lossy(&kept.unwrap().stdout), "", "nothing keeps a secret");
}

#[test]
fn what_is_interactive_gets_the_terminal_and_gives_it_back() {
    let sandbox = workspace(
        "tasks:
  ask: { interactive: true, run: 'printf \"name? \"; read n; test -t 0; test -t 1; echo \"hi $n\"' }
  raw: { run: [{ run: 'stty -echo -icanon; echo ready; kill -9 $$', interactive: true, allow_failure: true }, { run: 'stty -a | tr \";\" \" \"', interactive: true }] }
  hears: { interactive: true, run: 'trap \"echo heard; exit 0\" INT; echo ready; while :; do sleep 0.01; done' }
  dies: { interactive: true, run: 'echo ready; exec sleep 100', finally: 'echo {{ exit_code }} >> log' }
",
    );
    let (shown, code) = at_a_terminal(sandbox.forge("ask"), 80, "name? ", "Ann\n");
    assert!(shown.contains("hi Ann") && code == 0, "{code} {shown}");
    let (shown, code) = at_a_terminal(sandbox.forge("raw"), 80, "never", "");
    assert!(shown.contains(" echo ") && shown.contains(" icanon") && code == 0, "{code} {shown}");
    let (shown, code) = at_a_terminal(sandbox.forge("hears"), 80, "ready", "\u{3}");
    assert!(shown.contains("heard") && code == 0, "{code} {shown}");
    let (shown, code) = at_a_terminal(sandbox.forge("dies"), 80, "ready", "\u{3}");
    assert!(code == 130, "{code} {shown}");
    assert_eq!(log(&sandbox), "130 ");
}

//! Everything that people get wrong with tasks, and what they are told: one clear error each.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::Sandbox;

/// A workspace with these lines at the top of `versions.yml`.
fn workspace(head: &str) -> Sandbox {
    Sandbox::new().head(head).script("tool", "v1")
}

/// What `forge` says to `words` on standard error, and how it ends.
fn told(sandbox: &Sandbox, words: &str) -> String {
    let run = sandbox.forge(words).run();
    let code = run.code().expect("an exit code");
    let root = sandbox.root().canonicalize().unwrap().display().to_string();
    let text = run.stderr().replace(&root, "[root]");
    let text = text.replace(&sandbox.root().display().to_string(), "[root]");
    // The words that templates know are listed elsewhere.
    let short = |line: &str| match line.split_once("known are ") {
        Some((before, _)) => format!("{before}known are […]\n"),
        None => format!("{line}\n"),
    };
    let text: String = text.lines().map(short).collect();
    format!("exit code {code}\n{}", text.trim_end())
}

macro_rules! faults {
    ($($name:ident: $head:expr, $words:expr, @$told:literal;)*) => {$(
        #[test]
        fn $name() {
            let sandbox = workspace($head).file("inc/x", "");
            insta::assert_snapshot!(told(&sandbox, $words), @$told);
        }
    )*};
}

faults! {
    a_task_that_needs_itself: "tasks: { a: { needs: a } }", "a", @r#"
    exit code 2
    error: the task `a` needs itself
     --> versions.yml:1:22
      |
    1 | tasks: { a: { needs: a } }
      |                      ^ a needs a
      |
      = help: remove one of them

    1 problem in 1 file
    "#;
    a_longer_cycle: "tasks:\n  a: { needs: b }\n  b: [{ task: c }]\n  c: { needs: [a] }", "a", @r#"
    exit code 2
    error: these tasks need each other in a cycle: a → b → c → a
     --> versions.yml:2:15
      |
    2 |   a: { needs: b }
      |               ^ a needs b
    3 |   b: [{ task: c }]
      |               - b needs c
    4 |   c: { needs: [a] }
      |                - c needs a
      |
      = help: remove one of them

    1 problem in 1 file
    "#;
    an_unknown_task: "tasks: { build: x }", "biuld", @r#"
    exit code 2
    error: there is no verb and no task `biuld`
      help: did you mean `build`?
    "#;
    an_unknown_parameter: "tasks: { a: { with: { where: x }, run: y } }", "a wehre=z", @r#"
    exit code 2
    error: the task a has no parameter `wehre`
      because: its file has no variable of that name at its top either
      help: did you mean `where`?
    "#;
    an_unknown_parameter_of_a_call: "tasks: { a: { with: { where: x }, run: y }, b: [{ task: a, with: { wher: z } }] }", "b", @r#"
    exit code 2
    error: the task `a` has no parameter `wher`
     --> versions.yml:1:57
      |
    1 | tasks: { a: { with: { where: x }, run: y }, b: [{ task: a, with: { wher: z } }] }
      |                                                         ^ not a parameter of it
      |
      = help: did you mean `where`?

    1 problem in 1 file
    "#;
    a_missing_parameter: "tasks: { a: { with: { to: { required: true, desc: where it goes } }, run: y } }", "a", @r#"
    exit code 2
    error: the task a must be given `to`
      because: where it goes
      help: write `forge a to=…`
    "#;
    a_value_that_is_not_allowed: "tasks: { a: { with: { to: { enum: [dev, prod] } }, run: y } }", "a to=here", @r#"
    exit code 2
    error: `to` of the task a cannot be `here`
      help: it is one of dev, prod
    "#;
    a_command_that_is_not_there: "tasks: { a: no-such-command --flag }", "a", @r#"
    exit code 1
    error: task a failed
    error: `no-such-command` was not found
     --> versions.yml:1:13
      |
    1 | tasks: { a: no-such-command --flag }
      |             ^^^^^^^^^^^^^^^ here

      help: install `no-such-command`, or put the folder it is in on PATH
    "#;
    a_program_that_is_not_there_in_a_longer_command: "tasks:\n  a:\n    - echo fine\n    - |\n      echo also > /dev/null\n      no-such-command --flag | cat; no-such-command", "a", @r#"
    exit code 1
    sh: 2: no-such-command: not found
    sh: 2: no-such-command: not found
    error: task a failed
      because: `echo also > /dev/null…` exited with code 127
    error: a program it calls was not found
     --> versions.yml:5:7
      |
    5 |       echo also > /dev/null
      |       ^^^^^^^^^^^^^^^^^^^^^ here

      help: its last lines name the program; install it, or put the folder it is in on PATH
    "#;
    a_folder_that_is_not_there: "tasks: { a: { dir: nowhere, run: echo } }", "a", @r#"
    exit code 1
    error: task a failed
      because: cannot run `echo`
      because: its folder `[root]/nowhere` does not exist
      help: make the folder first, or correct `dir`
    "#;
    a_dotenv_that_is_not_there: "tasks: { a: { dotenv: local.env, run: echo } }", "a", @r#"
    exit code 2
    error: task a cannot begin
      because: cannot read the variables in [root]/local.env
      because: No such file or directory (os error 2)
      help: `dotenv: FILE?` lets it be missing; a line is `NAME=value`
    "#;
    a_dotenv_that_is_a_folder: "tasks: { a: { dotenv: inc, run: echo } }", "a", @r#"
    exit code 2
    error: task a cannot begin
      because: cannot read the variables in [root]/inc
      because: it is a folder, not a file
      help: `dotenv: FILE?` lets it be missing; a line is `NAME=value`
    "#;
    a_name_that_no_variable_has: "tasks: { a: { env: { 'A B': x }, run: echo } }", "a", @r#"
    exit code 2
    error: `A B` can be no environment variable
     --> versions.yml:1:22
      |
    1 | tasks: { a: { env: { 'A B': x }, run: echo } }
      |                      ^^^^^ not a name
      |
      = help: write `NAME: value`

    1 problem in 1 file
    "#;
    a_variable_that_looks_at_itself: "vars: { a: 'x{{ a }}' }\ntasks: { b: 'echo {{ a }}' }", "b", @r#"
    exit code 2
    error: the variable `a` refers to itself
     --> versions.yml:1:12
      |
    1 | vars: { a: 'x{{ a }}' }
      |            ^^^^^^^^^^ not known yet
      |
      = help: a variable knows those that stand above it

    1 problem in 1 file
    "#;
    a_variable_of_a_task_that_looks_at_itself: "tasks: { b: { vars: { a: { expr: 'a + 1' } }, run: 'echo {{ a }}' } }", "b", @r#"
    exit code 2
    error: the variable `a` refers to itself
     --> versions.yml:1:26
      |
    1 | tasks: { b: { vars: { a: { expr: 'a + 1' } }, run: 'echo {{ a }}' } }
      |                          ^^^^^^^^^^^^^^^^^ not known yet
      |
      = help: a variable knows those that stand above it

    1 problem in 1 file
    "#;
    variables_that_look_at_each_other: "vars:\n  a: 'x{{ b }}'\n  b: { sh: 'echo {{ a }}' }\ntasks: { c: 'echo {{ a }}' }", "c", @r#"
    exit code 2
    error: the variable `a` refers to `b`, which stands below it
     --> versions.yml:2:6
      |
    2 |   a: 'x{{ b }}'
      |      ^^^^^^^^^^ not known yet
      |
      = help: a variable knows those that stand above it

    1 problem in 1 file
    "#;
    a_wildcard_that_fits_twice: "tasks:\n  'deploy-*': echo {{ match[0] }}\n  '*-server': echo {{ match[0] }}", "deploy-server", @r#"
    exit code 2
    error: `deploy-server` may be `*-server` as well as `deploy-*`
      because: the patterns at versions.yml:3 and versions.yml:2 fit it equally well
    "#;
    a_call_that_fits_twice: "tasks:\n  'deploy-*': echo {{ match[0] }}\n  '*-server': echo {{ match[0] }}\n  all: { needs: deploy-server }", "all", @r#"
    exit code 2
    error: `deploy-server` may be `deploy-*` as well as `*-server`
     --> versions.yml:4:17
      |
    2 |   'deploy-*': echo {{ match[0] }}
      |   ---------- one of them
    3 |   '*-server': echo {{ match[0] }}
      |   ---------- the other
    4 |   all: { needs: deploy-server }
      |                 ^^^^^^^^^^^^^ fits both
      |
      = help: write a task `deploy-server`, or another pattern

    1 problem in 1 file
    "#;
    an_interactive_command_without_a_terminal: "tasks: { a: { interactive: true, run: 'read answer; echo $answer' } }", "a", @r#"
    exit code 1
    error: task a failed
      because: `read answer; echo $answer` exited with code 1
      help: it is `interactive`, and there is no terminal to ask at
    "#;
    a_missing_parameter_of_a_call: "tasks: { a: { with: [to], run: y }, b: [{ task: a }] }", "b", @r#"
    exit code 2
    error: the task `a` must be given `to`
     --> versions.yml:1:49
      |
    1 | tasks: { a: { with: [to], run: y }, b: [{ task: a }] }
      |                                                 ^ not given here
      |
      = help: write `with: { to: … }`

    1 problem in 1 file
    "#;
    a_template_that_is_wrong_before_the_run: "tasks: { a: [echo, 'echo {{ nmae }}'] }", "a", @r#"
    exit code 2
    error: templates know no `nmae` here
     --> versions.yml:1:29
      |
    1 | tasks: { a: [echo, 'echo {{ nmae }}'] }
      |                             ^^^^ not known
      |
      = help: known are […]

    1 problem in 1 file
    "#;
    a_template_that_is_wrong_in_the_run: "tasks:\n  a:\n    with: { list: x }\n    run: |\n      echo fine\n      echo {{ list | map('upper') | first | nope_is_none }}", "a", @r#"
    exit code 2
    error: templates know no filter `nope_is_none`
     --> versions.yml:6:45
      |
    6 |       echo {{ list | map('upper') | first | nope_is_none }}
      |                                             ^^^^^^^^^^^^ here
      |
      = help: they know the filters, tests and functions of minijinja

    1 problem in 1 file
    "#;
    a_template_that_fails_in_the_run: "vars: { v: { sh: echo text } }\ntasks:\n  a:\n    run: |\n      echo fine\n      echo {{ (v | int) + 1 }}", "a", @r#"
    exit code 2
    error: a template of the task a cannot be rendered
    error: this template cannot be rendered: invalid operation: invalid float literal
     --> versions.yml:6:20
      |
    6 |       echo {{ (v | int) + 1 }}
      |                    ^^^ here
      |
      = help: change the expression
    "#;
    a_variable_whose_command_fails: "tasks: { a: { vars: { v: { sh: 'echo why >&2; exit 3' } }, run: 'echo {{ v }}' } }", "a", @r#"
    exit code 1
    error: cannot tell `v` of the task a
      because: `echo why >&2; exit 3` failed
      because: why
    "#;
    a_question_without_a_terminal: "tasks: { a: { confirm: sure?, run: echo } }", "a", @r#"
    exit code 1
    error: the task a was not confirmed
      because: it asks a question, and there is no terminal to ask at
      help: `--yes` answers every question with yes
    "#;
    a_folder_without_tasks: "include: { i: inc }", "i:x", @r#"
    exit code 2
    error: `i` includes a folder without a `tasks.yml`
     --> versions.yml:1:15
      |
    1 | include: { i: inc }
      |               ^^^ no `tasks.yml` in it
      |
      = help: a path is relative to the file that names it; `{ file: PATH, optional: true }` lets it be missing

    1 problem in 1 file
    "#;
    an_include_that_is_not_there: "include: { i: inc/tasks.yml }", "i:x", @r#"
    exit code 2
    error: `i` includes inc/tasks.yml, which is not there
     --> versions.yml:1:15
      |
    1 | include: { i: inc/tasks.yml }
      |               ^^^^^^^^^^^^^ no such file
      |
      = help: a path is relative to the file that names it; `{ file: PATH, optional: true }` lets it be missing

    1 problem in 1 file
    "#;
    an_include_that_is_not_pinned: "include: { i: { url: 'https://example.org/t.yml' } }", "i:x", @r#"
    exit code 2
    error: `i` includes a URL without saying which `sha256` it must have
     --> versions.yml:1:22
      |
    1 | include: { i: { url: 'https://example.org/t.yml' } }
      |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^ not pinned
      |
      = help: read what is there, then write `sha256: …` beside it; `curl -sSfL https://example.org/t.yml | sha256sum` prints it

    1 problem in 1 file
    "#;
    a_task_without_a_command: "tasks: { a: { desc: x } }", "a", @r#"
    exit code 2
    error: the task `a` has no command
     --> versions.yml:1:13
      |
    1 | tasks: { a: { desc: x } }
      |             ^^^^^^^^^^^ nothing to run
      |
      = help: write a command, a list of commands, or a mapping with `run`

    1 problem in 1 file
    "#;
    two_names_for_one_task: "tasks: { a: x, b: { run: y, alias: a } }", "b", @r#"
    exit code 2
    error: `a` is a name of the task `a` already
     --> versions.yml:1:16
      |
    1 | tasks: { a: x, b: { run: y, alias: a } }
      |                ^ calls itself so too
      |
      = help: remove it from `alias` of one of them

    1 problem in 1 file
    "#;
    a_pool_that_is_none: "pools: { net: 1 }\ntasks: { a: { pool: ned, run: x } }", "a", @r#"
    exit code 2
    error: there is no pool `ned`
     --> versions.yml:2:21
      |
    2 | tasks: { a: { pool: ned, run: x } }
      |                     ^^^ not under `pools`
      |
      = help: did you mean `net`?

    1 problem in 1 file
    "#;
}

/// Another user than root is refused; root reads all there is.
#[test]
fn a_dotenv_that_may_not_be_read() {
    let sandbox = workspace("tasks: { a: { dotenv: .env, run: echo } }").file(".env", "A=1\n");
    fs::set_permissions(sandbox.path(".env"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(sandbox.path(".env")).is_ok() {
        sandbox.forge("a").succeeds();
        return;
    }
    let run = sandbox.forge("a").exits(2);
    run.says("task a cannot begin").says("cannot read the variables in").says("ermission denied");
}

#[test]
fn a_line_of_a_dotenv_that_is_no_variable() {
    let sandbox =
        workspace("tasks: { a: { dotenv: .env, run: echo } }").file(".env", "A=1\nwhat\n");
    sandbox.forge("a").exits(2).says("line 2 is not a variable").says("task a cannot begin");
}

#[test]
fn a_command_that_the_shell_cannot_read() {
    let run = workspace("tasks: { a: [echo, 'if true'] }").forge("a").exits(2);
    assert_eq!(run.stdout(), "");
    run.says("the shell cannot read this command").says("versions.yml:1:20");
}

/// Ten million bytes come out whole, and are never all in memory.
#[test]
fn a_line_of_ten_megabytes() {
    // What forge takes without them is mostly its own program.
    let peak = "grep -s VmHWM /proc/$PPID/status; echo end";
    let line = format!("head -c 10000000 /dev/zero | tr '\\\\0' x; echo; {peak}");
    let sandbox = workspace(&format!("tasks: {{ a: \"{line}\", b: \"{peak}\" }}"));
    let most = |out: &str| {
        let most = out.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        most.trim().trim_end_matches(" kB").parse::<u32>().ok()
    };
    let out = sandbox.forge("a").succeeds().stdout();
    assert_eq!(out.matches('x').count(), 10_000_000);
    assert!(out.ends_with("end\n"));
    assert_eq!(out.lines().next().map(str::len), Some(10_000_000), "not a byte is added");
    let few = most(&sandbox.forge("b").succeeds().stdout());
    let added = most(&out).zip(few).map(|(most, few)| most.saturating_sub(few));
    assert!(added.is_none_or(|kib| kib < 5_000), "{added:?} KiB");
}

#[test]
fn bytes_that_are_no_text_come_at_once_as_they_are() {
    let sandbox = workspace("tasks: { a: \"printf 'a\\\\377b\\\\n'; sleep 60\" }");
    let mut invocation = sandbox.forge("a");
    invocation.command().stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = invocation.start();
    let mut line = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"a\xffb\n");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_command_that_asks_without_a_terminal_ends() {
    let sandbox = workspace("tasks: { a: 'read answer' }");
    sandbox.forge("a").exits(1).says("task a failed");
}

#[test]
fn no_picture_of_a_file_shows_a_secret_that_stands_in_it() {
    let sandbox = workspace(
        "tasks: { a: { vars: { token: { secret: hush-hush } }, run: 'no-such-command {{ token }}' } }",
    );
    let run = sandbox.forge("a").exits(1);
    run.says("not found").keeps_quiet_about("hush-hush");
}

/// Each command of each place is read before anything runs, and told at its line.
#[test]
fn no_command_anywhere_may_be_unreadable() {
    let bad = "'echo $('";
    let head = format!(
        "vars: {{ late: {{ sh: {bad} }}, hush: {{ secret: {{ sh: {bad} }} }} }}\ntasks:\n  a:\n    if: {bad}\n    vars: {{ own: {{ sh: {bad} }} }}\n    for: {{ sh: {bad} }}\n    status: {bad}\n    assert: [{bad}, {{ run: {bad}, message: no }}]\n    finally: {bad}\n    run:\n      - {{ run: echo, if: {bad} }}\n      - {{ run: echo, for: {{ sh: {bad} }} }}\n      - finally: {bad}\n      - |\n\n        echo fine\n        fi\n        echo\n"
    );
    let sandbox = Sandbox::new().script("tool", "v1").head(&head);
    let spec = "upstream: { url: 'https://x.test/{{ version }}', sha256: 'https://x.test/sums' }\nservice: { run: 'echo $(', ready: { run: 'echo $(' } }\n";
    let sandbox = sandbox.spec("all-day", "v1", spec);
    let told = sandbox.forge("check").exits(2).stderr();
    let places = told.lines().filter_map(|line| line.split_once("--> versions.yml:"));
    let places: Vec<&str> = places.map(|(_, place)| place).collect();
    let expected = [
        "1:21", "1:56", "4:9", "5:24", "6:16", "7:13", "8:14", "8:32", "9:14", "11:26", "12:33",
        "13:18", "17:9",
    ];
    assert_eq!(places, expected, "{told}");
    for place in ["2:17", "2:42"] {
        assert!(told.contains(&format!("--> subsystems/all-day.yml:{place}\n")), "{told}");
    }
}

#[test]
fn a_taskfile_is_blamed_at_its_own_places() {
    let taskfile = "version: '3'\ntasks:\n  all:\n    deps: [{task: two, if: 'true'}]\n    cmds: [echo out]\n  'x:two':\n    cmds:\n      - echo fine\n      - |\n        if true\n  two: echo two\n";
    let sandbox = Sandbox::new().file("Taskfile.yml", taskfile);
    // Task does not look at `if` of what a task needs.
    sandbox.forge("run --taskfile . all").succeeds().says("two").keeps_quiet_about("warning");
    // As in Task, a command that no shell can read fails when its turn comes.
    let run = sandbox.forge("run --taskfile . x:two").exits(1);
    run.says("fine").says("syntax error").keeps_quiet_about("versions.yml");
    let run = sandbox.forge("run --taskfile . twoo").exits(2);
    run.says("there is no task `twoo` in Taskfile.yml").says("did you mean `two`?");
}

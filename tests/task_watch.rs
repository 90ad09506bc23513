//! Somebody edits files while `forge run --watch` runs tasks.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command},
};

use crate::support::{Marker, Sandbox, is_alive, wait_until};

/// `forge` that watches, and what it has said up to now.
struct Watching {
    child: Child,
    said: PathBuf,
}

impl Watching {
    fn begin(sandbox: &Sandbox, words: &str) -> Self {
        let said = sandbox.beside("said");
        let file = File::create(&said).unwrap();
        let mut forge = sandbox.forge(words);
        forge.command().stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: forge.command().spawn().unwrap(), said }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Waits until it has said `text` so many `times`.
    fn says(&self, text: &str, times: usize) -> &Self {
        let said = || self.said().matches(text).count() >= times;
        // What it said instead is in the way of nobody who looks why.
        wait_until(&format!("it says {text:?}: {}", self.said.display()), said);
        self
    }

    fn ends(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it said:\n{}", self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const IDLE: &str = "Ctrl-C ends it";

#[test]
fn a_change_runs_the_task_again_and_ctrl_c_ends_it() {
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head("tasks:\n  test: { needs: gen, inputs: 'web/*.ts', run: 'echo test of $(cat web/app.ts)' }\n  gen: { inputs: data, outputs: web/gen.ts, run: 'cp data web/gen.ts' }")
        .file("web/app.ts", "one")
        .file("data", "1");
    let mut forge = Watching::begin(&sandbox, "test -w --output plain");
    forge.says("test of one", 1).says("watching 4 files; Ctrl-C ends it", 1);
    sandbox.write("web/app.ts", "two");
    forge.says("web/app.ts changed: running test again", 1).says("test of two", 1).says(IDLE, 2);
    // What a need goes by counts too; what it makes is not a change of its own.
    sandbox.write("data", "2");
    forge.says("data changed: running test again", 1).says("test of two", 2).says(IDLE, 3);
    // Files that are new, and several at once.
    sandbox.write("web/b.ts", "");
    sandbox.write("web/c.ts", "");
    forge.says("web/b.ts, web/c.ts changed", 1).says(IDLE, 4);
    assert_eq!(sandbox.read("web/gen.ts"), "2");
    assert_eq!(forge.said().matches(" changed: ").count(), 3, "{}", forge.said());
    assert_eq!(forge.ends("-INT"), Some(0), "that is how watching ends");
}

#[test]
fn what_still_runs_is_ended_with_grace_before_it_runs_again() {
    let marker = Marker::new();
    let serve = format!(
        "echo up $(cat prog) >> log; trap 'echo bye >> log; exit 1' TERM; {} & wait",
        marker.sleep()
    );
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head(&format!(
            "tasks:\n  serve: {{ inputs: prog, run: \"{serve}\", finally: echo clean >> log }}"
        ))
        .file("prog", "v1");
    let mut forge = Watching::begin(&sandbox, "run --watch serve");
    let log = || fs::read_to_string(sandbox.path("log")).unwrap_or_default();
    wait_until("it serves", || log().contains("up v1") && marker.alive() == 1);
    sandbox.write("prog", "v2");
    forge.says("prog changed: running serve again", 1);
    wait_until("it serves again", || log().contains("up v2") && marker.alive() == 1);
    assert_eq!(log(), "up v1\nbye\nclean\nup v2\n");
    assert_eq!(forge.ends("-INT"), Some(0));
    assert_eq!((log().as_str(), marker.alive()), ("up v1\nbye\nclean\nup v2\nbye\nclean\n", 0));
}

#[test]
fn who_does_not_hear_is_killed() {
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head("tasks: { deaf: { inputs: prog, run: \"trap '' TERM; echo $$ >> pids; while true; do sleep 0.05; done\" } }")
        .file("prog", "v1");
    let mut forge = Watching::begin(&sandbox, "deaf -w");
    let pids = || -> Vec<u32> {
        let text = fs::read_to_string(sandbox.path("pids")).unwrap_or_default();
        text.lines().map(|pid| pid.parse().unwrap()).collect()
    };
    wait_until("it runs", || pids().len() == 1);
    sandbox.write("prog", "v2");
    wait_until("it runs again", || pids().len() == 2);
    assert!(!is_alive(pids()[0]));
    assert_eq!(forge.ends("-TERM"), Some(0));
    assert!(!is_alive(pids()[1]));
}

#[test]
fn a_failure_and_a_mistake_in_a_file_are_told_and_waited_out() {
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head("include: { web: web.yml }")
        .file("web.yml", "tasks: { test: { inputs: prog, run: sh prog } }")
        .file("prog", "exit 3");
    let mut forge = Watching::begin(&sandbox, "web:test -w");
    forge.says("task web:test failed", 1).says(IDLE, 1);
    sandbox.write("prog", "echo fine");
    forge.says("fine", 1).says(IDLE, 2);
    sandbox.write("web.yml", "tasks: { test: { inputs: prog, rnu: sh prog } }");
    forge.says("web.yml changed: loading it again", 1);
    forge.says("did you mean `run`?", 1).says("waiting until that is put right", 1);
    sandbox.write("web.yml", "tasks: { other: { inputs: prog, run: sh prog } }");
    forge.says("there is no verb and no task `web:test`", 1);
    forge.says("waiting until that is put right", 2);
    sandbox.write("web.yml", "tasks: { test: { inputs: more, run: 'echo more: $(cat more)' } }");
    forge.says("more: ", 1).says(IDLE, 3);
    // What it goes by now is watched.
    sandbox.write("more", "x");
    forge.says("more changed: running web:test again", 1).says("more: x", 1).says(IDLE, 4);
    sandbox.write("web.yml", "- no\n");
    forge.says("waiting until that is put right", 3);
    assert_eq!(forge.ends("-INT"), Some(0));
}

#[test]
fn tasks_that_change_what_they_go_by_do_not_go_round_in_circles() {
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head("tasks: { all: { inputs: ['*.txt'], run: 'cat a.txt; date +%N >> log.txt' } }")
        .file("a.txt", "one\n");
    let mut forge = Watching::begin(&sandbox, "all -w");
    forge.says("log.txt changes whenever this runs", 1).says("one\n", 3);
    sandbox.write("a.txt", "two\n");
    forge.says("two\n", 1).says(IDLE, 5);
    assert!(!forge.said().contains("one\none\none\none\n"));
    assert_eq!(forge.ends("-INT"), Some(0));
}

#[test]
fn sources_of_what_a_task_needs_are_watched() {
    let sandbox = Sandbox::with_store()
        .head("tasks: { say: { needs: tool, run: tool } }")
        .script("tool", "v1");
    let mut forge = Watching::begin(&sandbox, "say -w");
    forge.says("tool v1", 1).says(IDLE, 1);
    sandbox.write("code/tool/tool.sh", "#!/bin/sh\necho better tool\n");
    forge.says("code/tool/tool.sh changed: running say again", 1).says("better tool", 1);
    forge.says(IDLE, 2);
    assert_eq!(forge.ends("-INT"), Some(0));
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn there_must_be_something_to_watch() {
    let sandbox = Sandbox::new()
        .script("tool", "v1")
        .head("tasks:\n  none: echo\n  late: { vars: { files: { sh: ls } }, inputs: '{{ files }}', run: echo }");
    let run = sandbox.forge("none -w").exits(2);
    run.says("there is nothing to watch for none").says("inputs: [\"src/**\"]");
    sandbox.forge("late -w").exits(2).says("which `inputs` late has is only known once it runs");
    sandbox.forge("none -w --dry-run").succeeds().says("would run echo");
}

#[test]
fn a_taskfile_is_watched_too() {
    let taskfile = |word: &str| {
        format!(
            "version: '3'\ntasks:\n  all:\n    sources: [in]\n    cmds: ['echo {word} $(cat in)']\n"
        )
    };
    let sandbox = Sandbox::new().file("Taskfile.yml", &taskfile("old")).file("in", "1");
    let mut forge = Watching::begin(&sandbox, "run --taskfile . all -w");
    forge.says("old 1", 1).says(IDLE, 1);
    sandbox.write("in", "2");
    forge.says("old 2", 1).says(IDLE, 2);
    sandbox.write("Taskfile.yml", &taskfile("new"));
    forge.says("Taskfile.yml changed", 1).says("new 2", 1).says(IDLE, 3);
    assert_eq!(forge.ends("-INT"), Some(0));
}

//! The gate of `forge migrate`, over the corpus of Taskfiles: each task does the same before and after,
//! or is marked. Cases that are marked are those listed here, and no others.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support::{Sandbox, copy_tree};

const CORPUS: &str = "tests/taskfile/corpus";

/// Cases that have something to mark, and why; all others do the same.
const MARKED: &[(&str, &[&str])] = &[
    ("versions of Task that forge does not read", &["006", "008"]),
    (
        "commands, templates, functions and durations that are broken: they failed, and are told now",
        &["023", "184", "195", "196", "227", "274", "394", "422"],
    ),
    ("tasks that are not there, twice there, or need themselves", MISTAKEN),
    (
        "files of variables that are broken, or named by what only a run knows",
        &["045", "048", "219"],
    ),
    ("dotenv of an included file, which Task refuses", &["082", "330"]),
    (
        "variables of several files, or of a task and what it calls, under one name, where a command line \
         gives it",
        &["066", "223", "225", "235", "253", "405"],
    ),
    (
        "output in groups with a beginning and an end, or of failures only: forge groups by task",
        &["143", "144", "240", "241", "352", "353"],
    ),
    (
        "lists and mappings that a call gives, and names of tasks that only a run knows",
        &["055", "232", "233", "254", "256"],
    ),
    ("what a call must give, and what it gives on", &["155", "165"]),
    (
        "fields and values that are not there: `forge check` finds them before anything runs",
        &["246", "343", "390", "395", "411", "417", "418", "419"],
    ),
    ("words of the command line as a list", &["185", "258"]),
    ("comparing what nothing sets, which only a run finds out", &["300"]),
    ("folders that begin with `~` or a variable of the shell", &["289", "291"]),
    ("what git ignores where there is no repository", &["121", "320", "321"]),
    ("variables of Task that the command of a variable looks at as a shell does", &["373"]),
];
/// The first of the cases that are newer than this list: each of them does the same, or all that differs is
/// listed and marked.
const NEWER: &str = "424";
const MISTAKEN: &[&str] =
    &["074", "089", "090", "091", "098", "099", "166", "220", "221", "229", "280", "328"];

fn marked() -> BTreeSet<String> {
    MARKED.iter().flat_map(|(_, numbers)| *numbers).map(|number| (*number).to_owned()).collect()
}

/// What `forge migrate` ends with for a case, and what it says; none if there is no Taskfile to read.
fn gate(case: &Path) -> Option<(i32, String)> {
    let sandbox = Sandbox::new();
    copy_tree(case, &sandbox.path("case"));
    let run = sandbox.forge("migrate case --into new").run();
    match run.code() {
        Some(2) => None,
        code => Some((code.unwrap_or(-1), run.to_string())),
    }
}

/// The tasks that are told to differ and that no mark stands at.
fn unmarked(said: &str) -> Vec<&str> {
    let Some((before, listed)) = said.split_once("not the same, or not to be compared:\n") else {
        return Vec::new();
    };
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.trim_start().split_once(": ").map(|(name, _)| name));
    let marks = before.split_once("each marked").or_else(|| before.split_once(", marked"));
    let marks = marks.map_or("", |(_, marks)| marks);
    // Whatever stands at a task is its mark.
    names.filter(|_| marks.lines().all(|line| !line.starts_with("  "))).collect()
}

#[test]
fn each_task_of_the_corpus_does_the_same_or_is_marked() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(CORPUS).expect("the corpus").flatten().map(|entry| entry.path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let marked = marked();
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((code, said)) = gate(case) else { continue };
            let is_told = (code == 3) == marked.contains(&name[..3]) || &name[..3] >= NEWER;
            if !is_told || !matches!(code, 0 | 3) || !unmarked(&said).is_empty() {
                wrong.lock().expect("no panic").push(format!("{name} ends with {code}:\n{said}"));
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// What new users stumbled over, each in one task.
const SMALL: &str = r#"version: '3'
vars:
  FLAGS: '-v'
tasks:
  a:
    cmds:
      - for: [x/1, y/2]
        task: b
        vars: { N: '{{.ITEM}}', M: 'pre-{{replace "/" "_" .ITEM}}' }
  b:
    requires: { vars: [N] }
    cmds: ['echo {{.N}} {{.M}}']
  c:
    deps:
      - task: b
        vars: { N: 1 }
    cmds: [echo c]
  d:
    vars: { NEXT: { sh: echo v2 } }
    prompt: "release {{.NEXT}}?"
    cmds: ['echo {{.NEXT}}']
  e:
    vars:
      RACE: '{{if eq (default "true" .RACE) "true"}}-race{{end}}'
    cmds:
      - echo go test {{.RACE}} {{default "./..." .PKGS}}
  ci: { cmds: [echo my ci] }
  default: { cmds: [echo my default] }
  folded:
    cmds:
      - >
        echo one
        two
        # three
        four
      - echo {{.GREETING | default "hi"}}
  uses-task:
    cmds: [task b N=1, 'cd sub && task x', ./bin/task c]
"#;

#[test]
fn what_new_users_stumbled_over_does_the_same() {
    let sandbox = Sandbox::new();
    sandbox.write("Taskfile.yml", SMALL);
    sandbox.forge("migrate").succeeds().says("compared 9 tasks, as they would run: 9 do the same");
    sandbox.forge("check").succeeds();
    let written = sandbox.read("versions.yml");
    for text in [
        "with: {PKGS: ./..., RACE: 'true'}",
        "echo go test {{ race }} {{ PKGS }}",
        "- >-\n        echo one\n        two\n        # three\n        four\n",
        "for: [x/1, y/2]",
        "cd sub && forge run x",
    ] {
        assert!(written.contains(text), "{text}\n{written}");
    }
    assert!(!written.contains("RACE_2") && !written.contains("default('"), "{written}");
    let run = sandbox.forge("run e RACE=false").succeeds();
    assert!(run.stdout().contains("go test ./..."), "{run}");
}

#[test]
fn what_differs_is_listed_and_marked() {
    let sandbox = Sandbox::new();
    let text = "version: '3'\noutput: {group: {begin: '<', end: '>'}}\ntasks:\n  a: echo a\n  b: [task: a]\n";
    sandbox.write("Taskfile.yml", text);
    let run = sandbox.forge("migrate").exits(3);
    run.says("compared 2 tasks, as they would run: 0 do the same");
    run.says("not the same, or not to be compared").says("  b: in a call, command 1 was");
    assert!(sandbox.read("versions.yml").contains("  # migrate: `a` is not the same: command 1"));
}

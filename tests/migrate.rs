//! `forge migrate`: Taskfiles written down in forge's language.

use crate::support::Sandbox;

const ROOT: &str = "\
version: '3'
includes: { lib: { taskfile: ./lib, dir: ./lib } }
vars: { WHO: world }
tasks:
  default: { deps: [lib:make], cmds: ['echo hello {{.WHO}}'] }
";
const LIB: &str = "\
version: '3'
tasks:
  make: { sources: [in.txt], generates: [out.txt], cmds: ['tr a-z A-Z < in.txt > out.txt'] }
";

fn taskfiles() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("Taskfile.yml", ROOT);
    sandbox.write("lib/Taskfile.yml", LIB);
    sandbox.write("lib/in.txt", "text\n");
    sandbox
}

#[test]
fn what_is_written_does_the_same_and_the_originals_stay() {
    let sandbox = taskfiles();
    let before = sandbox.forge("run --taskfile . default").succeeds().stdout();
    let run = sandbox.forge("migrate").succeeds();
    run.says("wrote").says("versions.yml");
    assert_eq!(
        (sandbox.read("Taskfile.yml"), sandbox.read("lib/Taskfile.yml")),
        (ROOT.into(), LIB.into())
    );
    sandbox.forge("check").succeeds();
    sandbox.write("lib/out.txt", "");
    let after = sandbox.forge("run default").succeeds();
    assert!(before.contains("hello world") && after.stdout().contains("hello world"), "{after}");
    assert_eq!(sandbox.read("lib/out.txt"), "TEXT\n");
}

#[test]
fn nothing_is_overwritten_and_a_dry_run_writes_nothing() {
    let sandbox = taskfiles();
    let run = sandbox.forge("migrate --dry-run --into new").succeeds();
    assert!(run.stdout().contains("lib:make"), "{run}");
    assert!(!sandbox.path("new").exists());
    sandbox.forge("migrate --into new").succeeds();
    let written = sandbox.read("new/versions.yml");
    let run = sandbox.forge("migrate --into new").exits(2);
    run.says("new/versions.yml is there already").says("overwrites nothing");
    assert_eq!(sandbox.read("new/versions.yml"), written);
    sandbox.forge("migrate nowhere").exits(2).says("there is no Taskfile");
}

#[test]
fn what_is_left_to_mend_is_counted() {
    let sandbox = taskfiles();
    let late =
        "version: '3'\nvars: { D: { sh: pwd } }\ntasks: { a: { dir: '{{.D}}', cmds: [ls] } }\n";
    sandbox.write("Taskfile.yml", late);
    let run = sandbox.forge("migrate").exits(3);
    run.says("`forge check` shows 1 places in it that are left to mend");
    sandbox.forge("check").exits(2).says("known only when a task runs");
}

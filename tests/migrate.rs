//! `forge migrate`: Taskfiles written down in forge's language.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Sandbox, copy_tree, is_here};

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
    run.says("`forge check` shows 1 error that is left to mend");
    run.says("1 place needs a person").says("versions.yml:6: `D` is known only when a task runs");
    let mark = "  # migrate: `D` is known only when a task runs\n  a: {";
    assert!(sandbox.read("versions.yml").contains(mark), "{}", sandbox.read("versions.yml"));
    sandbox.forge("check").exits(2).says("known only when a task runs");
}

const LEGACY: &str = "version: '3'\nvars: {A: '{{.ROOT_DIR}}/x', S: {sh: pwd}}\n\
    includes: {sub: {taskfile: sub/Taskfile.yml, dir: sub}}\ntasks:\n  \
    a: {cmds: ['echo {{.A}} {{.S}} {{.N | default \"n\"}}', {task: 'sub:b', vars: {V: 3}}]}\n  \
    list: {vars: {L: [1, two]}, cmds: ['echo {{.L}} {{.CLI_ARGS}}']}\n  bad: 'echo {{.X | nope}}'\n";

fn legacy(sandbox: &Sandbox) {
    sandbox.write("legacy/Taskfile.yml", LEGACY);
    sandbox.write(
        "legacy/sub/Taskfile.yml",
        "version: '3'\ntasks: {b: 'echo b {{.V}} $(pwd) {{.TASKFILE_DIR}}'}\n",
    );
}

#[test]
fn tasks_of_an_included_taskfile_do_what_they_did() {
    let sandbox = Sandbox::new();
    legacy(&sandbox);
    sandbox.write(
        "versions.yml",
        "versions: {}\ninclude: {old: {taskfile: legacy/Taskfile.yml}}\ntasks:\n  \
         mine: {needs: [old:a], run: [{task: old:list}]}\n",
    );
    sandbox.forge("check").succeeds();
    let legacy = sandbox.path("legacy").display().to_string();
    let run = sandbox.forge("mine").succeeds();
    run.says(&format!("{legacy}/x {legacy} n"));
    run.says(&format!("b 3 {legacy}/sub {legacy}/sub")).says("[1 two]");
    sandbox.forge("run old:a N=5").succeeds().says(&format!("{legacy} 5"));
    sandbox.forge("run old:list -- x y").succeeds().says("[1 two] x y");
    // What cannot be said fails when its turn comes, and keeps nothing else from running.
    sandbox.forge("run old:bad").exits(1).says("Taskfile.yml:7: there is no function `nope`");
    sandbox.write("versions.yml", "versions: {}\ninclude: {old: {taskfile: nowhere.yml}}\n");
    sandbox.forge("check").exits(2).says("`old` includes nowhere.yml, which is not there");
}

#[test]
fn a_team_moves_one_task_at_a_time() {
    let sandbox = Sandbox::new();
    legacy(&sandbox);
    let run = sandbox.forge("migrate legacy --keep --into .").exits(3);
    run.says("compared 4 tasks, as they would run: 3 do the same").says("no function `nope`");
    sandbox.forge("run a").succeeds().says("b 3");
    let written = sandbox.read("versions.yml");
    let moved = written.replace("true}", "true, except: ['sub:*', bad]}");
    sandbox.write(
        "versions.yml",
        &format!("{moved}tasks:\n  sub:b: {{with: {{V: ''}}, run: echo moved}}\n"),
    );
    sandbox.forge("check").succeeds();
    let run = sandbox.forge("run a").succeeds();
    run.says("moved");
    assert!(!run.stdout().contains("b 3"), "{run}");
}

const EXAMPLE: &str = "examples/from-taskfile";

/// The files below a folder, by their paths from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let text = fs::read_to_string(&path).expect("text");
                    found.insert(path.strip_prefix(folder).expect("it is below").to_owned(), text);
                }
            }
        }
    }
    found
}

fn lines<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    texts.map(|text| text.lines().count()).sum()
}

#[test]
fn a_stack_of_eight_subsystems_comes_to_under_a_sixth_of_its_lines() {
    let sandbox = Sandbox::new();
    let before = Path::new(EXAMPLE).join("before");
    copy_tree(&before, &sandbox.path("before"));
    let run = sandbox.forge("migrate before --into after").exits(3);
    run.says("nats/Taskfile.yml -> subsystems/nats.yml: 301 lines became");
    run.says("*:bin:build (8)").says("next: forge check");
    let (written, expected) =
        (files(&sandbox.path("after")), files(&Path::new(EXAMPLE).join("after")));
    for (path, text) in &expected {
        assert_eq!(written.get(path), Some(text), "{}", path.display());
    }
    assert_eq!(written.len(), expected.len());
    assert_eq!(files(&sandbox.path("before")), files(&before), "the originals stay");
    let taskfiles = files(&before);
    let taskfiles = taskfiles.iter().filter(|(path, _)| path.ends_with("Taskfile.yml"));
    let (old, new) = (lines(taskfiles.map(|(_, text)| text)), lines(written.values()));
    assert!(new * 6 < old, "{new} lines of {old}");
    // What is marked first is where our own code is to lie; that is all that keeps it from working.
    for name in ["arc", "sync"] {
        let code = sandbox.path("after/code").join(name);
        copy_tree(&Path::new("subsystems").join(name), &code);
    }
    sandbox.forge("-C after check").succeeds().says("8 subsystems");
    let listed = sandbox.forge("-C after list").succeeds();
    listed.says("arc:test").says("nats:config:write");
}

/// What `walk.sh` prints.
fn walked(way: &str, tool: &Path) -> String {
    let mut walk = Command::new("sh");
    walk.arg(Path::new(EXAMPLE).join("walk.sh")).arg(way).arg(tool);
    // Nothing is fetched: modules and toolchains are those that are here.
    walk.envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=readonly")]);
    let output = walk.output().expect("sh");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_migrated_stack_passes_the_same_walk_through() {
    if !is_here("go") {
        return;
    }
    let recorded =
        |name: &str| fs::read_to_string(Path::new(EXAMPLE).join(name)).expect("it is here");
    let after = walked("forge", Path::new(env!("CARGO_BIN_EXE_forge")));
    assert_eq!(after, recorded("walk.after"));
    let before = match std::env::var_os("FORGE_TASK") {
        Some(task) => walked("task", Path::new(&task)),
        None => recorded("walk.before"),
    };
    assert_eq!(before, recorded("walk.before"));
    // Two steps of Task's fail: its commands do not find the Go module. None goes well only there.
    let worse = before.lines().zip(after.lines()).filter(|(before, after)| {
        before.contains(": ok") && !after.contains(": ok")
            || before.ends_with("yes") && !after.ends_with("yes")
    });
    assert_eq!(worse.collect::<Vec<_>>(), []);
}

/// A stack of one subsystem, whose Taskfile is `more` than the pattern.
fn one_subsystem(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let root = "version: '3'\nincludes: { tool: { taskfile: ./tool, dir: ./tool } }\ntasks: { all: { deps: [tool:ensure] } }\n";
    sandbox.write("Taskfile.yml", root);
    let text = format!("{TOOL}{more}");
    sandbox.write("tool/Taskfile.yml", &text);
    sandbox
}

const TOOL: &str = r#"version: '3'
# tool: does it all.
# Ask Ann before you raise it.
vars:
  # 2.x has another format
  TOOL_VERSION: '{{.TOOL_VERSION | default "v1.2.3"}}'
  TOOL_DIR: '{{.ROOT_DIR}}/tool'
  TOOL_BIN: '{{.TOOL_DIR}}/.bin/tool'
  TOOL_PORT: 80   # the proxy knows it
tasks:
  src:clone:
    cmds: ['git clone --branch {{.TOOL_VERSION}} https://example.com/tool {{.TOOL_DIR}}/.src']
  bin:build:
    cmds: ['cd {{.TOOL_DIR}}/.src && go build -ldflags "-X main.v={{.TOOL_VERSION}}" -o {{.TOOL_BIN}} ./cmd/tool']
  ensure:
    cmds: [{ task: bin:build }]
  # Whoever serves it has to be quick.
  serve:
    deps: [ensure]
    cmds:
      # twice is enough
      - '{{.TOOL_BIN}} --port {{.TOOL_PORT}}'
"#;

#[test]
fn comments_stay_with_what_they_stand_at() {
    let sandbox = one_subsystem("");
    sandbox.forge("migrate").succeeds().says("forge ensure NAME    all, tool:bin:build");
    let spec = "# Ask Ann before you raise it.\ndesc: does it all\n\
                source: {git: https://example.com/tool}\n\
                build: {go: {package: ./cmd/tool, ldflags: '', vars: {main.v: \"{{ version }}\"}}}\n\
                # the proxy knows it\nvars: {port: 80}\n\
                tasks:\n  # Whoever serves it has to be quick.\n  # twice is enough\n  \
                serve: {needs: tool, run: \"tool --port {{ port }}\"}\n";
    assert_eq!(sandbox.read("subsystems/tool.yml"), spec);
    let manifest = sandbox.read("versions.yml");
    assert!(manifest.contains("  # 2.x has another format\n  tool: v1.2.3\n"), "{manifest}");
}

#[test]
fn what_does_more_than_the_pattern_stays_and_is_marked() {
    let more = "  package:\n    cmds: ['tar czf x.tar.gz -C {{.TOOL_DIR}}/.bin tool', 'scp x.tar.gz host:']\n  \
                clean:\n    cmds: ['rm -rf {{.TOOL_DIR}}/.bin /srv/tool']\n  \
                dev:\n    dir: '{{.TOOL_DIR}}/.src'\n    cmds: [go run ./cmd/tool]\n  last: echo {{.X | frob}}\n";
    let sandbox = one_subsystem(more);
    // A template that nothing stands for is a problem until somebody mends it.
    let run = sandbox.forge("migrate").exits(3);
    let spec = sandbox.read("subsystems/tool.yml");
    let marks = [
        "  # migrate: `forge package NAME` does this, but not `scp`: keep what is needed\n  package:",
        "  # migrate: `forge clean` does this, but not `/srv/tool`: keep what is needed\n  clean:",
        "  # migrate: there is no function `frob`: `last: echo {{.X | frob}}`, tool/Taskfile.yml:30\n  last:",
    ];
    for mark in marks {
        assert!(spec.contains(mark), "{mark}\n{spec}");
    }
    // What ran in the clone of the source runs where forge keeps that.
    assert!(
        spec.contains("dev: {dir: \"{{ src }}\", needs: tool, run: go run ./cmd/tool}"),
        "{spec}"
    );
    assert!(
        spec.contains("rm -rf {{ root }}/tool/.bin /srv/tool")
            && spec.contains("-C {{ root }}/.forge/bin tool"),
        "{spec}"
    );
    let line = spec.lines().position(|line| line.contains("`scp`")).expect("it is there") + 1;
    run.says("3 places need a person")
        .says(&format!("subsystems/tool.yml:{line}: `forge package NAME`"));
}

#[test]
fn a_file_that_is_there_is_not_overwritten_and_then_none_is_written() {
    let sandbox = one_subsystem("");
    sandbox.write("subsystems/tool.yml", "desc: mine\n");
    let run = sandbox.forge("migrate").exits(2);
    run.says("subsystems/tool.yml is there already").says("overwrites nothing");
    assert_eq!(sandbox.read("subsystems/tool.yml"), "desc: mine\n");
    assert!(!sandbox.path("versions.yml").exists());
}

#[test]
fn trees_that_cannot_be_read_are_told_and_nothing_is_written() {
    for (includes, said) in [
        ("{ a: ./none }", "there is no Taskfile at"),
        ("{ a: 'https://example.com/Taskfile.yml' }", "is not pinned"),
        ("{ a: ./a.yml }", "in a cycle"),
        ("{ a: ./b.yml }", "no key `comands`"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("Taskfile.yml", &format!("version: '3'\nincludes: {includes}\n"));
        sandbox.write("a.yml", "version: '3'\nincludes: { r: ./Taskfile.yml }\n");
        sandbox.write("b.yml", "version: '3'\ntasks: { x: { comands: [ls] } }\n");
        sandbox.forge("migrate").exits(2).says(said);
        assert!(!sandbox.path("versions.yml").exists());
    }
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink("gone.yml", sandbox.path("Taskfile.yml")).expect("a link");
    sandbox.forge("migrate").exits(2).says("is a link to a file that is not there");
    sandbox.write("gone.yml", "version: '3'\ntasks: { a: echo hello }\n");
    sandbox.forge("migrate").succeeds();
    assert!(sandbox.read("versions.yml").contains("a: echo hello"));
}

#[test]
fn files_side_by_side_with_plain_names_are_subsystems_too() {
    let sandbox = Sandbox::new();
    let root = "version: '3'\nincludes: { nats: Taskfile.nats.yml, web: Taskfile.web.yml }\ntasks:\n  \
                ensure:all: { cmds: [{ task: nats:ensure }, { task: web:ensure }] }\n  \
                up: { deps: [ensure:all], cmds: [docker compose up] }\n";
    let nats = "version: '3'\nvars:\n  VERSION: v2.10.24\n  SRC: nats/src\n  BIN: nats/bin/nats-server\ntasks:\n  \
                src:clone: 'git clone --branch {{.VERSION}} https://example.com/nats.git {{.SRC}}'\n  \
                bin:build: { deps: [src:clone], dir: '{{.SRC}}', cmds: ['go build -o ../../{{.BIN}} .'] }\n  \
                ensure: { status: ['test -f {{.BIN}}'], cmds: [{ task: bin:build }] }\n  \
                run: { deps: [ensure], cmds: ['{{.BIN}} -p 4222'] }\n";
    let web = "version: '3'\nvars: { VERSION: '1.10', BIN: web/bin/web }\ntasks:\n  \
               bin:build: [npm ci, 'npm run build -- --out {{.BIN}}']\n  ensure: [{ task: bin:build }]\n  test: npm test\n";
    sandbox.write("Taskfile.yml", root);
    sandbox.write("Taskfile.nats.yml", nats);
    sandbox.write("Taskfile.web.yml", web);
    sandbox.forge("migrate").succeeds().says("1 place needs a person");
    let versions = "versions:\n  nats: v2.10.24\n  web: '1.10'\n\
                    shell: [bash, -e, -c]\noutput: plain\ntasks:\n  up: {needs: [nats, web], run: docker compose up}\n";
    assert_eq!(sandbox.read("versions.yml"), versions);
    let spec = "binary: nats-server\nsource: {git: https://example.com/nats.git}\nbuild: {go: {ldflags: ''}}\n\
                tasks:\n  run: {needs: nats, run: nats-server -p 4222}\n";
    assert_eq!(sandbox.read("subsystems/nats.yml"), spec);
    assert!(sandbox.read("subsystems/web.yml").contains("npm run build -- --out {{ out }}/web"));
}

#[test]
fn names_with_blanks_and_descriptions_come_over() {
    let text = "version: '3'\ntasks:\n  build all: {desc: 'Builds x{{exeExt}}', cmds: [echo all]}\n  calls:\n    deps: [build all]\n    cmds: ['', {task: build all}, echo done]\n";
    for how in ["", " --keep"] {
        let sandbox = Sandbox::new();
        sandbox.write("legacy/Taskfile.yml", text);
        let run = sandbox.forge(&format!("migrate legacy{how} --into .")).succeeds();
        run.says("compared 2 tasks, as they would run: 2 do the same");
        sandbox.forge("check").succeeds();
        let listed = sandbox.forge("list").succeeds();
        listed.says("build all").says("Builds x").keeps_quiet_about("exeExt");
        sandbox.forge("calls").succeeds().says("all").says("done");
    }
}

#[test]
fn a_comparison_takes_no_longer_for_each_task_where_there_are_more() {
    let sandbox = Sandbox::new();
    let took = |count: usize| {
        let task = |at: usize| format!("  t{at}: {{cmds: ['echo {{{{.A}}}} {at}']}}\n");
        let tasks: String = (0..count).map(task).collect();
        let text = format!("version: '3'\nvars: {{A: a}}\ntasks:\n{tasks}");
        sandbox.write("legacy/Taskfile.yml", &text);
        let began = std::time::Instant::now();
        let run = sandbox.forge("migrate legacy --keep --dry-run").succeeds();
        run.says(&format!("compared {count} tasks, as they would run: {count} do the same"));
        began.elapsed()
    };
    let (few, many) = (took(30), took(240));
    // Eight times as many; each against all others would be sixty-four times.
    assert!(many < few * 24, "{few:?} and {many:?}");
}

//! What a task made is there again when what goes into it is known again; and two forges do one
//! thing once.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::support::{Sandbox, wait_until};

/// A workspace whose task `gen` makes `out/a.txt` of `in.txt` and notes in `log` that it ran.
fn sandbox(rest: &str) -> Sandbox {
    let tasks = "tasks:\n  gen:\n    inputs: in.txt\n    outputs: ['out/*.txt', tool]\n    run: ['mkdir -p out', 'cat in.txt > out/a.txt', 'echo \"{{ root }}\" > /dev/null; cp in.txt tool; chmod 755 tool', 'echo ran >> log']\n";
    Sandbox::new().head(&format!("{tasks}{rest}")).script("one", "v1").file("in.txt", "1\n")
}

/// Something that somebody does to a workspace.
type Change = Box<dyn Fn(&Sandbox)>;

fn runs(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.path("log")).unwrap_or_default().lines().count()
}

#[test]
fn outputs_come_back_when_their_inputs_do() {
    let sandbox = sandbox("");
    sandbox.forge("gen").succeeds();
    sandbox.write("in.txt", "2\n");
    sandbox.forge("gen").succeeds();
    // As when a branch is switched back.
    sandbox.write("in.txt", "1\n");
    sandbox.forge("gen").succeeds().says("gen is restored from the cache");
    assert_eq!((sandbox.read("out/a.txt").as_str(), runs(&sandbox)), ("1\n", 2));
    sandbox.forge("gen").succeeds().says("gen is up to date");
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    fs::remove_file(sandbox.path("tool")).unwrap();
    sandbox.forge("gen").succeeds().says("restored");
    let mode = fs::metadata(sandbox.path("tool")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o755);
    // Whoever writes to an output does not write into the cache.
    sandbox.write("out/a.txt", "tampered\n");
    sandbox.forge("gen").succeeds().says("restored");
    assert_eq!((sandbox.read("out/a.txt").as_str(), runs(&sandbox)), ("1\n", 2));
    sandbox.forge("gen --force").succeeds();
    assert_eq!(runs(&sandbox), 3);
}

#[test]
fn an_input_that_becomes_executable_makes_the_task_run_again() {
    let sandbox = sandbox("");
    let set = |mode| {
        let path = sandbox.path("in.txt");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o644);
    sandbox.forge("gen").succeeds();
    set(0o755);
    sandbox.forge("explain gen").succeeds().says("the input in.txt changed");
    sandbox.forge("gen").succeeds();
    assert_eq!(runs(&sandbox), 2);
    sandbox.forge("gen").succeeds().says("gen is up to date");
    // Who else may read it does not count.
    set(0o700);
    sandbox.forge("gen").succeeds().says("gen is up to date");
    set(0o644);
    sandbox.forge("gen").succeeds().says("gen is restored from the cache");
    assert_eq!(runs(&sandbox), 2);
}

/// Commands may use more than what is said to go in, and the other workspace may be a stranger's.
#[test]
fn what_was_made_in_another_workspace_is_not_taken_here() {
    let sandbox = sandbox("");
    sandbox.forge("gen").succeeds();
    let clone = sandbox.clone_fresh();
    for path in [".forge", "out"] {
        let _ = fs::remove_dir_all(clone.path(path));
    }
    let _ = fs::remove_file(clone.path("tool"));
    let run = |of: &Sandbox| {
        let mut run = of.forge("gen");
        for (name, path) in [("FORGE_CACHE_DIR", "cache"), ("FORGE_DATA_DIR", "data")] {
            run = run.env(name, sandbox.beside(path));
        }
        run.succeeds()
    };
    run(&clone);
    assert_eq!((clone.read("out/a.txt").as_str(), runs(&clone)), ("1\n", 2));
    // Here it is, also without what is recorded of the workspace.
    fs::remove_dir_all(sandbox.path(".forge")).unwrap();
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    run(&sandbox).says("gen is restored from the cache");
}

/// Whoever may write to the workspace's state or to the cache cannot say what was done.
#[test]
fn records_that_somebody_else_wrote_are_not_believed() {
    let sandbox = sandbox("");
    sandbox.forge("gen").succeeds();
    sandbox.forge("gen").succeeds().says("gen is up to date");
    let ledger = ".forge/state/tasks.jsonl";
    let text = sandbox.read(ledger);
    sandbox.write(ledger, &text.replace("\"run\"", "\"run\" "));
    for entry in fs::read_dir(sandbox.path(".forge/state")).unwrap().flatten() {
        // The shortcut for tasks without anything to do.
        if entry.file_name().to_string_lossy().starts_with("snapshot") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in fs::read_dir(sandbox.beside("cache/tasks")).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap();
        fs::write(entry.path(), text.replace("out/a.txt", "out/b.txt")).unwrap();
    }
    sandbox.forge("gen").succeeds();
    assert_eq!(runs(&sandbox), 2, "it ran again");
    assert!(!sandbox.path("out/b.txt").exists());
}

/// A stub left a link to a source folder where the task makes a folder of its own.
#[test]
fn a_restore_goes_through_no_link_and_brings_links_and_empty_folders_back() {
    let sandbox = Sandbox::new()
        .head("tasks:\n  build: { inputs: in, outputs: dist, run: 'rm -rf dist; mkdir -p dist/v2 dist/empty; echo page > dist/v2/o.txt; ln -s v2 dist/current; ln -s ../missing dist/todo' }\n  stub: 'rm -rf dist; mkdir dist; ln -s ../src dist/v2'\n")
        .script("one", "v1")
        .file("in", "1")
        .file("src/o.txt", "MY SOURCE");
    sandbox.forge("build").succeeds();
    sandbox.forge("stub").succeeds();
    sandbox.forge("build").succeeds().says("build is restored from the cache");
    assert_eq!(sandbox.read("src/o.txt"), "MY SOURCE");
    assert_eq!(sandbox.read("dist/v2/o.txt"), "page\n");
    let link = |path: &str| fs::read_link(sandbox.path(path)).unwrap();
    assert_eq!((link("dist/current"), link("dist/todo")), ("v2".into(), "../missing".into()));
    assert_eq!(fs::read_dir(sandbox.path("dist/empty")).unwrap().count(), 0);
    sandbox.forge("build").succeeds().says("build is up to date");
    // A link that was moved is another output.
    fs::remove_file(sandbox.path("dist/current")).unwrap();
    std::os::unix::fs::symlink("empty", sandbox.path("dist/current")).unwrap();
    sandbox.forge("build").succeeds().says("build is restored from the cache");
    assert_eq!(link("dist/current"), Path::new("v2"));
}

#[test]
fn what_is_behind_links_goes_in_and_odd_names_are_told_apart() {
    let sandbox = Sandbox::new()
        .head("tasks:\n  all: { inputs: src, run: echo ran >> log }\n  some: { inputs: 'src/**/*.h', run: echo ran >> log }\n")
        .script("one", "v1")
        .file("src/a.c", "1")
        .file("real/b.h", "1");
    std::os::unix::fs::symlink("../real", sandbox.path("src/shared")).unwrap();
    std::os::unix::fs::symlink("..", sandbox.path("src/up")).unwrap();
    let mut ran = 0;
    let mut each_runs = |what: &str, times: usize| {
        sandbox.forge("all some").succeeds();
        sandbox.forge("all some").succeeds();
        ran += times;
        assert_eq!(runs(&sandbox), ran, "{what}");
    };
    each_runs("at first", 2);
    sandbox.write("real/b.h", "2");
    each_runs("a change behind a link", 2);
    fs::create_dir(sandbox.path("src/none")).unwrap();
    each_runs("an empty folder", 1);
    std::os::unix::fs::symlink("nowhere", sandbox.path("src/gone")).unwrap();
    each_runs("a link to nothing", 1);
    for name in [&b"l\xe9"[..], b"l\xe8"] {
        use std::os::unix::ffi::OsStrExt;
        fs::write(sandbox.path("src").join(std::ffi::OsStr::from_bytes(name)), "1").unwrap();
        each_runs("a name that is not UTF-8", 1);
    }
}

#[test]
fn a_cache_that_lies_or_cannot_be_written_ruins_nothing() {
    let sandbox = sandbox("");
    sandbox.forge("gen").succeeds();
    let mut found = Vec::new();
    files(&sandbox.beside("cache/outputs"), &mut found);
    assert!(!found.is_empty());
    for file in found {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(file, "lie").unwrap();
    }
    sandbox.write("out/a.txt", "tampered\n");
    sandbox.forge("gen").succeeds().says("a file in your cache was changed");
    assert_eq!((sandbox.read("out/a.txt").as_str(), runs(&sandbox)), ("1\n", 2));
    let nowhere = sandbox.path("in.txt");
    sandbox.forge("gen --force").env("FORGE_CACHE_DIR", nowhere).succeeds().says("is done; but");
    sandbox.forge("gen").succeeds().says("up to date");
}

fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path().is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

#[test]
fn inputs_that_change_while_it_runs_are_told_and_looked_at_again() {
    let sandbox = sandbox(
        "  moves: { inputs: in.txt, outputs: o, run: 'cat in.txt > o; echo more >> in.txt' }\n",
    );
    sandbox.forge("moves").succeeds().says("the input in.txt changed while it ran");
    sandbox.forge("explain moves").succeeds().says("would run: the input in.txt changed");
}

#[test]
fn what_is_made_anew_makes_those_who_need_it_look_again() {
    let sandbox = sandbox(
        "  use: { needs: gen, inputs: out/a.txt, run: echo used >> log }\n  deaf: { needs: gen, inputs: versions.yml, run: echo heard >> log }\n",
    );
    for _ in 0..2 {
        sandbox.forge("use").succeeds();
        sandbox.forge("deaf").succeeds();
        assert_eq!(sandbox.read("log"), "ran\nused\nheard\n");
    }
    sandbox.write("in.txt", "2\n");
    sandbox.forge("use").succeeds();
    sandbox.forge("deaf").succeeds();
    assert_eq!(sandbox.read("log"), "ran\nused\nheard\nran\nused\nheard\n");
}

#[test]
fn explain_names_what_changed_then_and_now() {
    let sandbox = Sandbox::new()
        .head("tasks:\n  a:\n    inputs: in.txt\n    vars: { who: { sh: cat who } }\n    env: { LEVEL: low }\n    run: 'echo {{ who }} >> log'\n")
        .script("one", "v1")
        .file("in.txt", "1\n")
        .file("who", "world\n");
    sandbox.forge("a").succeeds();
    let explained = |text: &str| {
        let before = sandbox.listing();
        sandbox.forge("explain a").succeeds().says(text);
        for words in ["a --dry-run", "list", "status"] {
            sandbox.forge(words).run();
        }
        assert_eq!(sandbox.listing(), before, "looking changes nothing and runs nothing");
    };
    explained("who was 'world'");
    let text = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &text.replace("LEVEL: low", "LEVEL: high"));
    explained("`env` changed: LEVEL was `low`, is `high`");
    sandbox.write("versions.yml", &text.replace(">> log", ">> log2"));
    explained("`run` changed: was `echo world >> log`");
}

#[test]
fn commands_know_the_digest_of_what_goes_in() {
    let sandbox = Sandbox::new()
        .head("tasks:\n  tag:\n    inputs: '*.txt'\n    env: { TAG: '{{ inputs.digest[:12] }}' }\n    run: 'echo \"{{ inputs.digest }} $TAG\" >> log'\n    finally: 'echo {{ inputs.digest }} >> log'")
        .script("one", "v1")
        .file("in.txt", "1\n");
    let last = || {
        let log = sandbox.read("log");
        let line = log.lines().last().unwrap().to_owned();
        assert!(log.contains(&format!("{line} {}\n", &line[..12])), "{log}");
        line
    };
    sandbox.forge("tag").succeeds();
    let first = last();
    assert_eq!(first.len(), 64);
    sandbox.forge("explain tag").succeeds().says("nothing changed").says(&first);
    sandbox.write("in.txt", "2\n");
    sandbox.forge("explain tag").succeeds().says("the input in.txt changed");
    sandbox.forge("tag").succeeds();
    assert_ne!(last(), first);
    sandbox.write("in.txt", "1\n");
    sandbox.forge("tag").succeeds();
    assert_eq!(last(), first);
    let sandbox = sandbox.head("  none: 'echo {{ inputs.digest }}'");
    sandbox.forge("check").exits(2).says("templates know no `inputs` here");
}

#[test]
fn values_from_outside_are_written_down_nowhere() {
    let sandbox = Sandbox::new()
        .head("dotenv: .env\ntasks:\n  a: { inputs: in.txt, env: { T: 'x{{ env.OUTSIDE }}' }, vars: { v: '{{ env.OUTSIDE }}' }, run: 'echo {{ env.OUTSIDE }} {{ v }} >> log' }\n")
        .script("one", "v1")
        .file("in.txt", "1\n")
        .file(".env", "INSIDE=hush-1\n");
    let forge = |words: &str, value: &str| {
        let mut forge = sandbox.forge(words);
        forge.command().env("OUTSIDE", value);
        forge
    };
    forge("a", "quiet-1").succeeds();
    forge("a", "quiet-1").succeeds();
    assert_eq!(sandbox.read("log"), "quiet-1 quiet-1\n");
    let written = sandbox.read(".forge/state/tasks.jsonl");
    assert!(!written.contains("quiet-1") && !written.contains("hush-1"), "{written}");
    let told = forge("explain a", "quiet-2").succeeds();
    told.says("has another value");
    assert!(!told.stdout().contains("quiet-1"));
    sandbox.write(".env", "INSIDE=hush-2\n");
    forge("explain a", "quiet-1").succeeds().says("`env` changed: INSIDE has another value");
}

#[test]
fn two_forges_at_once_run_a_task_once_and_a_killed_one_is_no_obstacle() {
    let sandbox = sandbox(
        "  slow: { inputs: in.txt, outputs: done, run: 'echo ran >> log; touch begun; while [ ! -e go ]; do sleep 0.02; done; touch done' }\n",
    );
    let begun = sandbox.path("begun");
    let mut killed = sandbox.forge("slow").start();
    wait_until("the first has begun", || begun.exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    fs::remove_file(&begun).unwrap();
    let mut first = sandbox.forge("slow").start();
    wait_until("the next has begun", || begun.exists());
    let second = std::thread::scope(|scope| {
        let second = scope.spawn(|| sandbox.forge("slow").succeeds());
        // It waits whether or not it has come so far by now.
        sandbox.write("go", "");
        second.join().unwrap()
    });
    assert!(first.wait().unwrap().success());
    second.says("slow is up to date");
    assert_eq!(runs(&sandbox), 2);
}

#[test]
fn what_had_nothing_to_do_is_said_again_until_something_it_rests_on_changes() {
    let all = "  all: { needs: [gen, list] }\n  list: { inputs: 'src/**/*.txt', outputs: list, dotenv: 'vars?', run: ['ls -R src > list', 'echo ran >> log'] }\n  asks: { inputs: in.txt, status: test -f in.txt, run: echo ran }\n";
    let sandbox = sandbox(all).file("src/a.txt", "").file("src/deep/b.txt", "");
    let kept = || {
        let files = fs::read_dir(sandbox.path(".forge/state")).unwrap().flatten();
        let names = files.map(|file| file.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("snapshot-run")).count()
    };
    // An answer is only kept that rests on what is older than a clock tick.
    let settle = || {
        std::thread::sleep(std::time::Duration::from_millis(120));
        let before = runs(&sandbox);
        for _ in 0..2 {
            let run = sandbox.forge("all").succeeds();
            run.says("gen is up to date").says("list is up to date");
        }
        assert_eq!((runs(&sandbox), kept()), (before, 1));
        before
    };
    sandbox.forge("all").succeeds();
    let write = |path: &str| {
        let path = path.to_owned();
        move |sandbox: &Sandbox| sandbox.write(&path, "NEW=new\n")
    };
    let changes: [(&str, Change); 6] = [
        ("a file that goes in", Box::new(write("in.txt"))),
        ("a new file in a folder", Box::new(write("src/deep/c.txt"))),
        ("a new folder", Box::new(write("src/new/c.txt"))),
        ("a variable", Box::new(write("vars"))),
        ("a file is gone", Box::new(|it| fs::remove_file(it.path("src/a.txt")).unwrap())),
        (
            "the records",
            Box::new(|it| {
                fs::remove_file(it.path(".forge/state/tasks.jsonl")).unwrap();
                fs::remove_dir_all(it.beside("cache")).unwrap();
            }),
        ),
    ];
    for (what, change) in changes {
        let before = settle();
        change(&sandbox);
        sandbox.forge("all").succeeds();
        assert!(runs(&sandbox) > before, "{what}");
    }
    settle();
    fs::remove_file(sandbox.path("list")).unwrap();
    sandbox.forge("all").succeeds().says("list is restored");
    sandbox.forge("all --force").succeeds().keeps_quiet_about("up to date");
    // What a command finds out shows in no file.
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(120));
        sandbox.forge("asks").succeeds();
    }
    assert_eq!(kept(), 1);
}

#[test]
fn modes_of_folders_come_back_and_what_is_no_file_is_told() {
    let tasks = "tasks:\n  gen:\n    inputs: in.txt\n    outputs: dist\n    run: ['rm -rf dist; mkdir -p dist/private; cat in.txt > dist/private/key; chmod 700 dist/private; mkfifo dist/pipe']\n  site:\n    inputs: in.txt\n    outputs: site\n    run: ['mkdir -p site/.git; echo 1 > site/.git/HEAD']\n";
    let sandbox = Sandbox::new().head(tasks).script("one", "v1").file("in.txt", "1\n");
    let run = sandbox.forge("gen").succeeds();
    run.says("made dist/pipe, which is not kept: only files, folders and links are, and no `.git`");
    // A repository is not restored in parts: its task runs again.
    sandbox.forge("site").succeeds().says("made site/.git, which is not kept");
    fs::remove_dir_all(sandbox.path("site")).unwrap();
    sandbox.forge("site").succeeds();
    assert!(sandbox.path("site/.git/HEAD").exists());
    fs::remove_dir_all(sandbox.path("dist")).unwrap();
    sandbox.forge("gen").succeeds().says("restored");
    let mode = fs::metadata(sandbox.path("dist/private")).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode, sandbox.read("dist/private/key").as_str()), (0o700, "1\n"));
}

//! Planning looks, says why, and leaves everything as it is.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Sandbox, Server};

/// What only looks, in every way there is.
const LOOKS: &[&str] = &[
    "plan",
    "plan --json",
    "plan --force",
    "plan --locked",
    "plan --offline",
    "plan --platform linux-riscv64",
    "ensure --dry-run",
    "ensure:all --dry-run --force",
    "hello:ensure --dry-run",
    "status",
    "status --json",
    "explain hello",
    "verify",
    "list",
    "graph",
    "graph --format dot",
    "check",
    "schema",
    "env",
    "completions bash",
    "clean --dry-run",
    "clean:all --dry-run",
    "package --dry-run",
    "lock --dry-run",
    "init new --dry-run",
    "ci --plan",
    "ci --plan --json",
    "ci --dry-run",
    "ci:release --publish --dry-run",
    "ci:init --forge https://example.org/forge.git --dry-run",
    "",
];

/// One subsystem of each state: fresh, changed, never built, damaged, not linked.
fn mixed() -> Sandbox {
    let mut sandbox = Sandbox::with_store();
    for name in ["hello", "changed", "damaged", "unlinked", "old"] {
        sandbox = sandbox.script(name, "v1");
    }
    sandbox.forge("ensure").succeeds();
    sandbox.write("code/changed/changed.sh", "#!/bin/sh\necho changed\n");
    crate::support::overwrite(&sandbox.path(".forge/installed/damaged/damaged"), b"#!/bin/no\n");
    std::fs::remove_file(sandbox.path(".forge/bin/unlinked")).unwrap();
    sandbox.bump("old", "v2");
    sandbox.script("new", "v1")
}

#[test]
fn planning_writes_nothing_and_runs_nothing() {
    for sandbox in [Sandbox::with_store().script("hello", "v1"), mixed()] {
        let builds = sandbox.builds();
        let before = sandbox.listing();
        for look in LOOKS {
            let run = sandbox.forge(look).run();
            assert!(matches!(run.code(), Some(0 | 4)), "{run}");
            let after = sandbox.listing();
            for (path, what) in &after {
                assert_eq!(before.get(path), Some(what), "{}\n{run}", path.display());
            }
            assert_eq!(before.len(), after.len(), "something went\n{run}");
        }
        assert_eq!(sandbox.builds(), builds);
    }
}

/// The commands of this workspace are none of those that are plain, so `check` has a shell read them.
#[test]
fn a_planted_shell_is_not_started_to_read_commands() {
    let head = "vars: { late: { sh: 'echo $(date)' } }\ntasks:\n  a: { run: 'echo $(date)' }\n  b: { shell: [bin/bash, -c], run: 'echo $(date)' }\n";
    let sandbox = Sandbox::new().script("tool", "v1").head(head);
    for shell in ["sh", "bash", "dash"] {
        let started = sandbox.beside("started");
        let trap =
            format!("#!/bin/sh\necho {shell} >> {}\nexec /bin/sh \"$@\"\n", started.display());
        sandbox.write(&format!("bin/{shell}"), &trap);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(sandbox.path(&format!("bin/{shell}")), mode).unwrap();
    }
    let paths = std::env::var("PATH").unwrap();
    let path = format!("{}:{paths}", sandbox.path("bin").display());
    for look in ["list", "plan", "status", "explain tool", "graph", "check", "run a --dry-run"] {
        let run = sandbox.forge(look).env("PATH", &path).run();
        assert!(matches!(run.code(), Some(0 | 4)), "{run}");
        assert!(!sandbox.beside("started").exists(), "{look} started a shell\n{run}");
    }
    let planted = std::process::Command::new(sandbox.path("bin/sh")).args(["-c", ":"]).status();
    assert!(planted.unwrap().success());
    assert!(sandbox.beside("started").exists(), "the planted shell would have left a trace");
}

/// Whoever asks a shell writes down what it can read.
#[test]
fn an_unchanged_workspace_starts_no_shell_to_read_commands() {
    let tasks = |more: &str| format!("versions: {{}}\ntasks: {{ a: 'echo $(date)'{more} }}\n");
    let sandbox = Sandbox::new().file("versions.yml", &tasks(""));
    let written = || {
        let path = sandbox.beside("cache/sound-commands");
        std::fs::metadata(path).map(|found| std::os::unix::fs::MetadataExt::ino(&found)).ok()
    };
    for look in ["list", "completions:words -- run", "run a --dry-run"] {
        sandbox.forge(look).succeeds();
        assert_eq!(written(), None, "{look}");
    }
    sandbox.forge("check").succeeds();
    let first = written();
    assert!(first.is_some());
    for again in ["check", "run a", "check --all-platforms"] {
        sandbox.forge(again).succeeds();
        assert_eq!(written(), first, "{again}");
    }
    sandbox.write("versions.yml", &tasks(", b: '(echo)'"));
    sandbox.forge("check").succeeds();
    assert_ne!(written(), first, "another command");
    sandbox.write("versions.yml", &tasks(", b: '(echo'"));
    sandbox.forge("check").exits(2).says("the shell cannot read this command");
    sandbox.forge("check").exits(2).says("the shell cannot read this command");
}

/// What only looks asks no shell: a mistake that only a shell can find stays unfound until `check`.
#[test]
fn what_only_looks_asks_no_shell() {
    let sandbox = Sandbox::new().script("tool", "v1").head("tasks: { a: { run: 'echo $(' } }\n");
    for look in ["list", "plan", "status", "explain tool", "graph"] {
        let run = sandbox.forge(look).run();
        assert!(matches!(run.code(), Some(0 | 4)), "{run}");
    }
    for reader in ["check", "run a", "ensure"] {
        sandbox.forge(reader).exits(2).says("the shell cannot read this command");
    }
}

#[test]
fn what_was_planned_is_what_is_done() {
    let sandbox = mixed();
    let plan = sandbox.forge("plan --json").succeeds().json();
    let mut planned: Vec<(String, String)> = Vec::new();
    for action in plan["actions"].as_array().unwrap() {
        let how = match action["step"].as_str().unwrap() {
            "linked from the cache" => "cached",
            how @ ("built" | "downloaded") => how,
            _ => continue,
        };
        planned.push((action["name"].as_str().unwrap().into(), how.into()));
    }
    for settled in plan["settled"].as_array().unwrap() {
        planned.push((settled["name"].as_str().unwrap().into(), "fresh".into()));
    }
    planned.sort();
    assert_eq!(planned, sandbox.hows("ensure"));
}

#[test]
fn a_plan_says_why() {
    let sandbox = mixed();
    let run = sandbox.forge("plan").succeeds();
    for (name, why) in [
        ("hello", "installed and verified"),
        ("changed", "source"),
        ("damaged", "in your cache"),
        ("old", "its version is v1, pinned is v2"),
        ("new", "no store has it"),
    ] {
        let text = run.stdout();
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is missing\n{run}"));
        assert!(line.contains(why), "{line:?} does not say {why:?}");
    }
    run.says("the installed damaged is damaged").says("`damaged` was changed");
    run.says("unchanged").says("built, then published").says("publishing to dir:");
}

#[test]
fn a_dry_run_asks_a_store_no_more_than_whether_it_has_it() {
    let sandbox = Sandbox::with_store().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    let server = Server::serve(&sandbox.beside("store"));
    let mut clone = sandbox.clone_fresh();
    std::fs::remove_file(clone.path("forge.lock")).unwrap();
    clone.releases_from(&server.url());
    let before = clone.listing();
    clone.forge("plan").succeeds().says("downloaded");
    assert!(clone.listing() == before);
    assert!(!server.requests().is_empty());
}

#[test]
fn a_plan_that_cannot_work_has_the_exit_code_of_its_cause() {
    let sandbox = Sandbox::new();
    let server = Server::serve(&sandbox.beside("work"));
    server.always_fail("hello", crate::support::Fault::Status(403));
    let sandbox = sandbox.head(&format!("releases: {}", server.url())).script("hello", "v1");
    sandbox.forge("plan").exits(5).says("cannot tell whether hello-v1 is released");
}

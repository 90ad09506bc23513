//! Sources in git: pinned tags, moving refs, and tags that moved.

use std::{fs, process::Command};

use crate::support::{Sandbox, is_here};

/// A repository beside the workspace that serves as the remote, and its working copy.
struct Remote<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Remote<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let remote = Self { sandbox };
        fs::create_dir_all(sandbox.beside("upstream")).unwrap();
        remote.git(&["init", "-q", "-b", "main"]);
        remote
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(self.sandbox.beside("upstream"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@example.org"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@example.org"),
                ("HOME", "/nonexistent"),
            ])
            .output()
            .expect("git");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a script that says `word`, and returns the commit.
    fn says(&self, word: &str) -> String {
        let script = format!("#!/bin/sh\necho {word}\n");
        fs::write(self.sandbox.beside("upstream/tool.sh"), script).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", word]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn workspace(version: &str) -> Sandbox {
    let sandbox = Sandbox::with_store();
    let spec = format!(
        "source: {{ git: {} }}\nbuild:\n  run:\n    - echo tool >> {}\n    - cp tool.sh {{{{ out }}}}/tool\n",
        sandbox.beside("upstream").display(),
        sandbox.beside("builds").display()
    );
    sandbox.spec("tool", version, &spec)
}

fn locked_commit(sandbox: &Sandbox) -> Option<String> {
    let lock = fs::read_to_string(sandbox.path("forge.lock")).ok()?;
    let line = lock.lines().find_map(|line| line.trim().strip_prefix("commit: "))?;
    Some(line.trim_matches('"').to_owned())
}

#[test]
fn a_pinned_tag_is_built_and_its_commit_locked_and_stamped() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.0");
    let remote = Remote::new(&sandbox);
    let commit = remote.says("one");
    remote.git(&["tag", "v1.0.0"]);
    remote.says("two");
    sandbox.all_are("built");
    assert_eq!(sandbox.run_binary("tool"), "one\n");
    assert_eq!(locked_commit(&sandbox).as_deref(), Some(&*commit));
    assert!(sandbox.read(".forge/installed/tool/.version").contains(&commit));
    sandbox.all_are("fresh");
    let clone = sandbox.clone_fresh();
    clone.all_are("downloaded");
    assert!(!clone.path(".forge/src/tool").exists(), "nothing was checked out");
}

#[test]
fn a_tag_that_moved_is_refused() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.0");
    let remote = Remote::new(&sandbox);
    remote.says("one");
    remote.git(&["tag", "v1.0.0"]);
    sandbox.forge("ensure").succeeds();
    let moved = remote.says("evil");
    remote.git(&["tag", "-f", "v1.0.0"]);
    // What is there serves on; who would have to build is told.
    sandbox.all_are("fresh");
    let clone = sandbox.clone_fresh();
    fs::remove_dir_all(sandbox.beside("store")).unwrap();
    let run = clone.forge("ensure").exits(4);
    run.says("v1.0.0").says(&moved[..7]);
    assert_eq!(sandbox.builds(), 1);
    assert!(!clone.path(".forge/bin/tool").exists());
}

#[test]
fn a_moving_ref_is_resolved_locked_and_stays() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("main");
    let remote = Remote::new(&sandbox);
    let one = remote.says("one");
    sandbox.all_are("built");
    assert_eq!(locked_commit(&sandbox).as_deref(), Some(&*one));
    let two = remote.says("two");
    sandbox.all_are("fresh");
    sandbox.forge("clean:all").succeeds();
    fs::remove_dir_all(sandbox.beside("cache")).unwrap();
    sandbox.forge("ensure").succeeds();
    assert_eq!(sandbox.run_binary("tool"), "one\n", "the lock holds");
    // Until somebody asks for the new one.
    sandbox.forge("lock").succeeds().says("every moving ref is locked");
    sandbox.forge("lock --update --dry-run").succeeds().says(&two);
    assert_eq!(locked_commit(&sandbox).as_deref(), Some(&*one));
    sandbox.forge("lock --update").succeeds().says(&two);
    assert_eq!(locked_commit(&sandbox).as_deref(), Some(&*two));
    sandbox.all_are("built");
    assert_eq!(sandbox.run_binary("tool"), "two\n");
    let releases = fs::read_dir(sandbox.beside("store")).unwrap().flatten();
    let tags: Vec<_> = releases
        .map(|e| e.file_name().into_string().unwrap())
        .filter(|n| n.starts_with("tool-"))
        .collect();
    assert_eq!(tags.len(), 2, "each commit is a release of its own: {tags:?}");
}

#[test]
fn a_moving_ref_that_is_not_locked_needs_the_network() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("main");
    Remote::new(&sandbox).says("one");
    for flag in ["--locked", "--offline"] {
        let run = sandbox.forge(&format!("ensure {flag}")).exits(2);
        run.says("`main` of tool is a moving ref that forge.lock does not pin").says("forge lock");
    }
    assert_eq!(sandbox.builds(), 0);
    sandbox.forge("lock").succeeds();
    sandbox.forge("ensure --locked").succeeds();
}

#[test]
fn planning_a_moving_ref_that_is_not_locked_says_so_and_writes_nothing() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("main");
    Remote::new(&sandbox).says("one");
    let before = sandbox.listing();
    for look in ["plan", "status", "explain tool", "verify", "list", "check", "graph"] {
        let run = sandbox.forge(look).run();
        assert!(matches!(run.code(), Some(0 | 2 | 4)), "{run}");
        assert!(sandbox.listing() == before, "{run}");
    }
}

#[test]
fn a_tag_that_is_not_there_is_told_with_what_there_is() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.1");
    let remote = Remote::new(&sandbox);
    remote.says("one");
    remote.git(&["tag", "v1.0.0"]);
    let run = sandbox.forge("ensure").run();
    assert!(matches!(run.code(), Some(2)), "{run}");
    run.says("v1.0.1").says("v1.0.0");
    assert_eq!(sandbox.builds(), 0);
}

#[test]
fn a_repository_that_is_not_there_is_told() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.0");
    let run = sandbox.forge("ensure").run();
    assert!(matches!(run.code(), Some(1 | 2 | 5)), "{run}");
    run.says("upstream");
}

#[test]
fn what_an_earlier_build_left_in_the_checkout_is_gone_in_the_next() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.0");
    let remote = Remote::new(&sandbox);
    remote.says("one");
    remote.git(&["tag", "v1.0.0"]);
    sandbox.forge("ensure").succeeds();
    fs::write(sandbox.path(".forge/src/tool/tool.sh"), "#!/bin/sh\necho tampered\n").unwrap();
    fs::write(sandbox.path(".forge/src/tool/extra"), "x").unwrap();
    sandbox.forge("ensure --force").succeeds();
    assert_eq!(sandbox.run_binary("tool"), "one\n");
    assert!(!sandbox.path(".forge/src/tool/extra").exists());
}

#[test]
fn a_checkout_that_was_broken_off_is_made_afresh() {
    if !is_here("git") {
        return;
    }
    let sandbox = workspace("v1.0.0");
    let remote = Remote::new(&sandbox);
    remote.says("one");
    remote.git(&["tag", "v1.0.0"]);
    for what in ["a file", "an empty folder", "a broken repository"] {
        let folder = sandbox.path(".forge/src/tool");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.parent().unwrap()).unwrap();
        match what {
            "a file" => fs::write(&folder, "x").unwrap(),
            "an empty folder" => fs::create_dir(&folder).unwrap(),
            _ => {
                fs::create_dir_all(folder.join(".git/objects")).unwrap();
                fs::write(folder.join(".git/HEAD"), "garbage").unwrap();
            }
        }
        let run = sandbox.forge("ensure --force").run();
        assert_eq!(run.code(), Some(0), "{what}: {run}");
        assert!(folder.is_dir(), "{what} is still there");
    }
    assert_eq!(sandbox.run_binary("tool"), "one\n");
}

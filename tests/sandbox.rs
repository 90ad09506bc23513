//! What a build may write to, where the kernel can see to that.

use std::fs;

use crate::support::Sandbox;

/// Whether this system can do it; tests are skipped otherwise, also in continuous integration.
fn is_here() -> bool {
    let is_here = forge::process::can_sandbox();
    if !is_here {
        eprintln!("skipped: there is no Landlock");
    }
    is_here
}

/// What the build of `name` printed.
fn log(sandbox: &Sandbox, name: &str) -> String {
    let runs = fs::read_dir(sandbox.path(".forge/logs")).unwrap().flatten();
    let logs =
        runs.filter_map(|run| fs::read_to_string(run.path().join(format!("{name}.log"))).ok());
    logs.collect()
}

/// A build that tries to write each of `places`, says which it could, and yields a program.
fn writing(places: &[&str], more: &str) -> String {
    let tries: Vec<String> = places
        .iter()
        .map(|place| {
            format!("    - if echo x 2>/dev/null > {place}; then echo wrote {place}; fi\n")
        })
        .collect();
    let make = "    - (echo '#!/bin/sh'; echo echo made) > {{ out }}/tool\n";
    format!("{more}build:\n  run:\n{}{make}", tries.concat())
}

#[test]
fn a_build_writes_only_to_its_own_folders_and_to_caches() {
    if !is_here() {
        return;
    }
    let own =
        ["{{ out }}/x", "{{ work }}/x", "{{ src }}/x", "$TMPDIR/x", "/dev/null", "$HOME/.npm/x"];
    let other = [
        "{{ root }}/x",
        "{{ root }}/versions.yml",
        "{{ root }}/.git/x",
        "{{ root }}/.forge/x",
        "{{ root }}/.forge/installed/x",
        "{{ root }}/.forge/state/x",
        "{{ root }}/code/x",
        "$CACHE/x",
        "$DATA/x",
        "$HOME/.bashrc",
    ];
    let spec = writing(&[&own[..], &other[..]].concat(), "env: { CACHE: CACHED, DATA: KEPT }\n");
    let sandbox = Sandbox::with_store().file(".git/config", "").file("code/a", "a");
    let spec = spec.replace("CACHED", &sandbox.beside("cache").display().to_string());
    let spec = spec.replace("KEPT", &sandbox.beside("data").display().to_string());
    let sandbox = sandbox.spec("tool", "v1", &spec);
    fs::create_dir_all(sandbox.beside("home/.npm")).unwrap();
    fs::create_dir_all(sandbox.beside("data")).unwrap();
    sandbox.forge("ensure").succeeds();
    let log = log(&sandbox, "tool");
    assert_eq!(log.matches("wrote ").count(), own.len(), "{log}");
    sandbox.forge("explain tool").succeeds().says("its build writes only to its own folders");

    let off =
        Sandbox::with_store().spec("tool", "v1", &writing(&["{{ root }}/x"], "sandbox: off\n"));
    off.forge("ensure").succeeds();
    assert_eq!(off.read("x"), "x\n");
    off.forge("explain tool").succeeds().says("off: its build may write everywhere");
}

#[test]
fn a_build_of_the_workspaces_own_code_writes_there_and_not_to_what_forge_keeps() {
    if !is_here() {
        return;
    }
    let places = ["{{ src }}/new", "{{ root }}/.forge/installed/x"];
    let below = Sandbox::with_store().file("code/a", "a").file("code/.gitignore", "new\n").spec(
        "tool",
        "v1",
        &writing(&places, "source: { path: code }\n"),
    );
    below.forge("ensure").succeeds();
    assert_eq!(log(&below, "tool").matches("wrote ").count(), 1, "{}", log(&below, "tool"));

    // What is there may be changed, but for what forge keeps and git's own.
    let places = ["build/new", ".git/config", ".forge/bin/x", "new"];
    let whole = Sandbox::with_store()
        .file("build/old", "")
        .file(".git/config", "")
        .file(".gitignore", "build\n.forge\n")
        .spec("tool", "v1", &writing(&places, "source: { path: . }\n"));
    whole.forge("ensure").succeeds();
    assert_eq!(log(&whole, "tool").matches("wrote ").count(), 1, "{}", log(&whole, "tool"));
}

#[test]
fn a_build_that_is_kept_from_writing_says_what_it_may() {
    if !is_here() {
        return;
    }
    let spec = "build: { run: 'mkdir {{ root }}/dist' }\n";
    let sandbox = Sandbox::with_store().spec("tool", "v1", spec);
    sandbox.forge("ensure").exits(1).says("`sandbox: off` in the spec");
}

#[test]
fn a_build_cannot_change_what_another_one_makes() {
    if !is_here() {
        return;
    }
    let evil = "
build:
  run:
    - |
      for i in $(seq 50); do
        for f in {{ root }}/.forge/state/staging/*/good; do [ -f \"$f\" ] && echo evil > \"$f\" || true; done
        sleep 0.01
      done
    - (echo '#!/bin/sh') > {{ out }}/evil
";
    let good = "
build:
  run: (echo '#!/bin/sh'; echo echo good) > {{ out }}/good; chmod +x {{ out }}/good; sleep 0.3
";
    let sandbox = Sandbox::with_store().spec("evil", "v1", evil).spec("good", "v1", good);
    sandbox.forge("ensure -j 2").succeeds();
    assert_eq!(sandbox.run_binary("good"), "good\n");
}

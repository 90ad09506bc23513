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

#[test]
fn programs_settings_and_logins_of_toolchains_are_no_caches() {
    if !is_here() {
        return;
    }
    let kept = [
        ".cargo/bin/tool",
        ".cargo/config.toml",
        ".cargo/credentials.toml",
        ".docker/config.json",
        ".npmrc",
        "go/bin/tool",
        ".m2/settings.xml",
        ".gradle/init.d/x.gradle",
        ".pyenv/shims/python",
        ".local/share/pnpm/tool",
    ];
    let shared = [
        ".cargo/registry/x",
        ".cargo/git/x",
        ".cargo/.package-cache",
        "go/pkg/mod/x",
        ".m2/repository/x",
    ];
    let places: Vec<String> =
        kept.iter().chain(&shared).map(|path| format!("$HOME/{path}")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let sandbox = Sandbox::with_store().spec("tool", "v1", &writing(&places, ""));
    for path in kept.iter().chain(&shared) {
        let path = sandbox.beside("home").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    sandbox.forge("ensure").succeeds();
    let log = log(&sandbox, "tool");
    for path in kept {
        assert!(
            !log.contains(&format!("wrote {}", sandbox.beside("home").join(path).display())),
            "{log}"
        );
    }
    assert_eq!(log.matches("wrote ").count(), shared.len(), "{log}");
}

#[test]
fn cargo_builds_in_the_sandbox_with_what_it_shares() {
    if !is_here() || !crate::support::is_here("cargo") {
        return;
    }
    let crate_of = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n{more}")
    };
    let lock = "version = 4\n\n[[package]]\nname = \"other\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"SUM\"\n\n[[package]]\nname = \"tool\"\nversion = \"1.0.0\"\ndependencies = [\n \"other\",\n]\n";
    let sum = "0".repeat(64);
    let sandbox = Sandbox::with_store()
        .file("code/Cargo.toml", &crate_of("tool", "[dependencies]\nother = \"1.0.0\"\n"))
        .file("code/Cargo.lock", &lock.replace("SUM", &sum))
        .file("code/src/main.rs", "fn main() { println!(\"{}\", other::word()) }\n")
        .file("code/.cargo/config.toml", "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n")
        .file("code/vendor/other/Cargo.toml", &crate_of("other", ""))
        .file("code/vendor/other/src/lib.rs", "pub fn word() -> &'static str { \"vendored\" }\n")
        .file("code/vendor/other/.cargo-checksum.json", &format!("{{\"files\":{{}},\"package\":\"{sum}\"}}"))
        .spec("tool", "v1", "source: { path: code }\nbuild: { cargo: . }\n");
    let toolchains = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from).unwrap_or_default();
    let toolchains = toolchains.unwrap_or_else(|| home.join(".rustup"));
    let run = sandbox.forge("ensure").env("RUSTUP_HOME", toolchains).succeeds();
    run.keeps_quiet_about("Permission denied");
    assert!(!log(&sandbox, "tool").contains("Permission denied"), "{}", log(&sandbox, "tool"));
    assert_eq!(sandbox.run_binary("tool"), "vendored\n");
}

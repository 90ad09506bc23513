//! `forge init` where something is already: the pins and builds of other tools become a workspace, and
//! nobody is asked.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{Sandbox, git, is_here};

const MISE: &str = "[tools]\njq = \"1.7.1\"\nnode = \"22\"\nfd = \"10.2.0\"\n\"go:example.com/m/cmd/gen\" = \"v0.3.0\"\n";

fn shop() -> Sandbox {
    let main = "package main\n\nfunc main() { println(\"served\") }\n";
    Sandbox::new()
        .file("mise.toml", MISE)
        .file("go.mod", "module example.com/shop\n\ngo 1.21\n")
        .file("cmd/api/main.go", main)
        .file("cmd/cli/main.go", main)
}

#[test]
fn what_is_there_becomes_a_workspace() {
    let sandbox = shop();
    let dry = sandbox.forge("init --dry-run").succeeds();
    dry.says("would write subsystems/jq.yml").says("    jq: 1.7.1");
    assert!(!sandbox.path("versions.yml").exists());
    let run = sandbox.forge("init").succeeds();
    run.says("  2  jq = \"1.7.1\"").says("->  jq: 1.7.1, subsystems/jq.yml");
    run.says("left: a toolchain: builds take the one on PATH");
    run.says("`forge add github:sharkdp/fd@10.2.0`");
    run.says("digests are locked in forge.lock when a tool is installed first");
    let manifest = sandbox.read("versions.yml");
    let pins = "versions:\n  jq: 1.7.1\n  gen: v0.3.0\n  api: v0.1.0\n  cli: v0.1.0\n";
    assert!(manifest.contains(pins), "{manifest}");
    sandbox.forge("check").succeeds().says("4 subsystems");
    sandbox.forge("init").exits(2).says("versions.yml is there already");
    if is_here("go") {
        sandbox.forge("ensure api cli").succeeds();
        // An edit of one program, or of anything else, is no new source of the other.
        sandbox.write("cmd/cli/main.go", "package main\n\nfunc main() { println(\"new\") }\n");
        sandbox.write("README.md", "shop\n");
        let run = sandbox.forge("ensure api cli --json").succeeds();
        let how = |name: &str| {
            let all = run.json()["artifacts"].as_array().unwrap().clone();
            let one = all.into_iter().find(|one| one["name"] == name).unwrap();
            one["how"].as_str().unwrap().to_owned()
        };
        assert_eq!((how("api"), how("cli")), ("fresh".into(), "built".into()));
    }
}

#[test]
fn a_program_at_the_root_of_its_module_is_told_what_that_means() {
    let sandbox = Sandbox::new()
        .file("go.mod", "module example.com/shop\n\ngo 1.21\n")
        .file("main.go", "package main\n\nfunc main() {}\n");
    sandbox.forge("init").succeeds().says("every edit of the workspace is a new source of it");
    sandbox.forge("check").succeeds();
}

#[test]
fn nothing_is_half_written() {
    let sandbox = shop();
    let folder = sandbox.path("subsystems");
    fs::write(folder.join("jq.yml"), "desc: ours\n").unwrap();
    sandbox.forge("init").exits(2).says("jq.yml is there already");
    assert_eq!(sandbox.read("subsystems/jq.yml"), "desc: ours\n");
    assert!(!sandbox.path("versions.yml").exists() && !folder.join("api.yml").exists());
    fs::remove_file(folder.join("jq.yml")).unwrap();
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o555)).unwrap();
    // Who may write everywhere is not stopped by that.
    if fs::write(sandbox.path("probe"), "").is_err() {
        sandbox.forge("init").exits(1).says("cannot write");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_taskfile_alone_is_for_migrate_and_the_example_is_there_for_who_asks() {
    let sandbox = Sandbox::new().file("Taskfile.yml", "version: '3'\n");
    sandbox.forge("init").exits(2).says("`forge migrate` writes a workspace of it");
    sandbox.forge("init --example").succeeds().says("wrote subsystems/hello.yml");
}

#[test]
fn git_sees_nothing_of_what_forge_makes_whatever_a_gitignore_says() {
    let sandbox = Sandbox::new().file(".gitignore", "*.o\n").script("tool", "v1");
    git(&sandbox.root(), &["init", "--quiet"]);
    // The folder of the first store is none of forge's.
    sandbox.forge("ensure").succeeds().says("published to your own store, which nobody else sees");
    let seen = git(&sandbox.root(), &["status", "--porcelain", "--untracked-files=all"]);
    assert!(!seen.contains(".forge"), "{seen}");
    assert_eq!(sandbox.read(".gitignore"), "*.o\n");
    assert!(
        sandbox
            .read(".forge/CACHEDIR.TAG")
            .starts_with("Signature: 8a477f597d28d172789f06886806bc55")
    );
}

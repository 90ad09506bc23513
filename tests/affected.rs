//! What a change affects: own code, shared code, specs; in clones of every kind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Run, Sandbox, git, is_here};

const FOLDER: &str = "apis/org/project_planton/provider";

/// The 129 modules of the example, each released as `20260101.0`; pushed to a remote.
fn modules() -> Sandbox {
    let sandbox = Sandbox::new();
    let generate = Path::new("examples/pulumi-modules/generate");
    let status = Command::new(generate).arg(sandbox.root()).status().unwrap();
    assert!(status.success());
    sandbox.write(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    git(
        root.parent().unwrap(),
        &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"],
    );
    git(&root, &["remote", "add", "origin", sandbox.beside("origin.git").to_str().unwrap()]);
    commit(&sandbox, "one");
    let mut refs = String::new();
    for provider in fs::read_dir(root.join(FOLDER)).unwrap().flatten() {
        for module in fs::read_dir(provider.path()).unwrap().flatten() {
            let name = module.file_name().into_string().unwrap();
            refs.push_str(&format!("refs/tags/pulumi-module-{name}-20260101.0 "));
        }
    }
    let script =
        format!("for tag in {refs}; do echo create $tag HEAD; done | git update-ref --stdin");
    assert!(
        Command::new("sh").args(["-c", &script]).current_dir(&root).status().unwrap().success()
    );
    git(&root, &["push", "--quiet", "--tags", "origin"]);
    sandbox
}

fn commit(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD"]);
}

fn main_of(provider: &str, n: u32) -> String {
    format!("{FOLDER}/{provider}/{provider}component{n}/v1/iac/pulumi/main.go")
}

fn touch(sandbox: &Sandbox, path: &str) {
    let text = sandbox.read(path);
    sandbox.write(path, &format!("{text}// changed\n"));
}

fn names(run: &Run) -> Vec<String> {
    let document = run.json();
    let affected = document["affected"].as_array().unwrap();
    affected.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_touched_module_is_affected_alone_and_a_touched_library_with_all_that_import_it() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    sandbox.forge("affected").succeeds().says("nothing is affected, of 129 looked at");
    touch(&sandbox, &main_of("gcp", 2));
    // Not committed yet, and affected all the same.
    assert_eq!(names(&sandbox.forge("affected --json").succeeds()), ["gcp/gcpcomponent2"]);
    commit(&sandbox, "two");
    let run = sandbox.forge("affected").succeeds();
    run.says(&main_of("gcp", 2)).says("pulumi-module-gcpcomponent2-20260101.0");
    run.says("1 of 129 affected");
    assert!(names(&sandbox.forge("affected aws --json").succeeds()).is_empty());
    touch(&sandbox, "libs/unused/unused.go");
    assert_eq!(names(&sandbox.forge("affected --json").succeeds()).len(), 1);
    touch(&sandbox, "libs/labels/labels.go");
    let run = sandbox.forge("affected aws --json").succeeds();
    assert_eq!(names(&run).len(), 22 / 3);
    let reason = &run.json()["affected"][0]["reasons"][0];
    assert_eq!(
        (&reason["kind"], &reason["file"]),
        (&"imported".into(), &"libs/labels/labels.go".into())
    );
    touch(&sandbox, "libs/naming/naming.go");
    assert_eq!(names(&sandbox.forge("affected --json").succeeds()).len(), 129);
}

#[test]
fn of_versions_yml_each_component_goes_by_what_is_its_own() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    let before = sandbox.read("versions.yml");
    // What stands there for tasks, groups or other subsystems goes into no module.
    sandbox.write("versions.yml", &format!("{before}tasks: {{ hello: echo hello }}\n"));
    assert!(names(&sandbox.forge("affected --json").succeeds()).is_empty());
    let with = |line: &str| {
        let pinned = match before.contains("versions: {}") {
            true => before.replace("versions: {}", &format!("versions:\n  {line}")),
            false => before.replace("versions:\n", &format!("versions:\n  {line}\n")),
        };
        assert_ne!(pinned, before);
        sandbox.write("versions.yml", &pinned);
    };
    with("aws/awscomponent1: 20260101.0");
    let run = sandbox.forge("affected").succeeds();
    run.says("versions.yml, the line of aws/awscomponent1").says("1 of 129 affected");
    sandbox.write("versions.yml", &format!("{before}env: {{ GOAMD64: v3 }}\n"));
    let run = sandbox.forge("affected").succeeds();
    run.says("versions.yml, whose `env` holds for all").says("129 of 129 affected");
}

/// A clone of the repository's remote.
fn clone(sandbox: &Sandbox, name: &str, words: &[&str]) -> PathBuf {
    let url = format!("file://{}", sandbox.beside("origin.git").display());
    let into = sandbox.beside(name);
    let words = [&["clone", "--quiet"], words, &[&url, into.to_str().unwrap()]].concat();
    git(&sandbox.root(), &words);
    into
}

#[test]
fn clones_of_every_kind_answer_the_same_or_say_what_to_fetch() {
    if !is_here("git") {
        return;
    }
    let sandbox = modules();
    touch(&sandbox, &main_of("aws", 1));
    commit(&sandbox, "two");
    let expected = names(&sandbox.forge("affected --json").succeeds());
    assert_eq!(expected, ["aws/awscomponent1"]);
    let ask = |folder: &Path, more: &str| {
        sandbox.forge(&format!("-C {} affected --json{more}", folder.display()))
    };

    let tagless = clone(&sandbox, "tagless", &["--no-tags"]);
    assert_eq!(names(&ask(&tagless, "").succeeds()), expected);
    git(&tagless, &["checkout", "--quiet", "--detach"]);
    assert_eq!(names(&ask(&tagless, "").succeeds()), expected);
    let tree = sandbox.beside("tree");
    git(&sandbox.root(), &["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    assert_eq!(names(&ask(&tree, "").succeeds()), expected);

    let shallow = clone(&sandbox, "shallow", &["--depth=1", "--no-tags"]);
    ask(&shallow, "").exits(2).says("git fetch --no-tags --depth=1 origin").says("--fetch");
    assert_eq!(names(&ask(&shallow, " --fetch").succeeds()), expected);
    assert_eq!(names(&ask(&shallow, "").succeeds()), expected);

    // What a pull request is checked out as: main and the proposal, merged, of depth one.
    git(&sandbox.root(), &["checkout", "--quiet", "-b", "proposal"]);
    touch(&sandbox, &main_of("civo", 1));
    commit(&sandbox, "three");
    git(&sandbox.root(), &["checkout", "--quiet", "main"]);
    git(&sandbox.root(), &["merge", "--quiet", "--no-ff", "-m", "merge", "proposal"]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD:refs/pull/1/merge"]);
    let pull = clone(&sandbox, "pull", &["--depth=1", "--no-tags", "--no-checkout"]);
    git(&pull, &["fetch", "--quiet", "--depth=1", "origin", "refs/pull/1/merge"]);
    git(&pull, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    ask(&pull, " --since main").exits(2).says("git fetch --unshallow");
    assert_eq!(names(&ask(&pull, " --since main --fetch").succeeds()), ["civo/civocomponent1"]);
    let both = ["aws/awscomponent1", "civo/civocomponent1"];
    assert_eq!(names(&ask(&pull, " --fetch").succeeds()), both);
}

#[test]
fn a_pinned_version_that_is_not_out_yet_is_compared_with_the_last_release() {
    if !is_here("git") {
        return;
    }
    let sandbox = Sandbox::new().file(".gitignore", ".forge/\n");
    let mut sandbox = sandbox.script("api", "v0.1.0").script("new", "v0.1.0");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "--quiet", "-m", "one"]);
    for tag in ["api-v0.1.0", "api-v0.0.9", "api-v9.0.0", "api-web-v0.3.0"] {
        git(&root, &["tag", tag]);
    }
    let run = sandbox.forge("affected").succeeds();
    run.says("new").says("no release of it is tagged in git").says("1 of 2 affected");
    sandbox.bump("api", "v0.2.0");
    sandbox.write("code/api/api.sh", "#!/bin/sh\necho changed\n");
    let run = sandbox.forge("affected api").succeeds();
    run.says(
        "api-v0.1.0  v0.2.0 is not released yet; versions.yml, the line of api; code/api/api.sh",
    );
}

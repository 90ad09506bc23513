//! `forge check`: every problem of every file at once, each with its place.

use crate::support::Sandbox;

#[test]
fn every_kind_of_problem_is_told_at_once_with_its_place() {
    let sandbox = Sandbox::new()
        .file(
            "versions.yml",
            "project: p\nversions:\n  good: v1\n  nospec: v1\n  typo: v1\n  syntax: v1\n  cyclea: v1\n  cycleb: v1\n  needsnone: v1\n  twin: v1\n  template: v1\n  shell: v1\n  nothing: v1\n  both: v1\ngroups: { g: [good, goood] }\nplatfroms: [linux-amd64]\n",
        )
        .file("subsystems/good.yml", "build: { run: x }\n")
        .file("subsystems/typo.yml", "bulid: { run: x }\n")
        .file("subsystems/syntax.yml", "build: { run: [x }\n")
        .file("subsystems/cyclea.yml", "build_needs: [cycleb]\nbuild: { run: x }\n")
        .file("subsystems/cycleb.yml", "build_needs: [cyclea]\nbuild: { run: x }\n")
        .file("subsystems/needsnone.yml", "needs: [god]\nbuild: { run: x }\n")
        .file("subsystems/twin.yml", "binary: good\nbuild: { run: x }\n")
        .file("subsystems/template.yml", "build: { run: 'cp {{ versoin }} {{ out }}' }\n")
        .file("subsystems/shell.yml", "build: { run: 'if true; then x' }\n")
        .file("subsystems/nothing.yml", "desc: yields nothing\n")
        .file("subsystems/both.yml", "build: { run: x, go: . }\n")
        .file("subsystems/unpinned.yml", "build: { run: x }\n");
    let run = sandbox.forge("check").exits(2);
    assert_eq!(run.stdout(), "", "problems go to standard error");
    insta::assert_snapshot!(run.stderr(), @"");
    // Every verb that needs the workspace tells the same, before anything runs.
    for verb in ["ensure", "plan", "list", "status", "verify", "graph", "ensure good"] {
        assert_eq!(sandbox.forge(verb).exits(2).stderr(), run.stderr(), "{verb}");
    }
    assert!(!sandbox.path(".forge").exists());
}

#[test]
fn a_good_workspace_has_no_problems() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("check").succeeds().says("1 subsystem").says("no problems");
}

#[test]
fn both_places_of_a_spec_cannot_be_used_at_once() {
    let sandbox = Sandbox::new()
        .file("subsystems/hello/subsystem.yml", "build: { run: x }\n")
        .script("hello", "v1");
    let run = sandbox.forge("check").exits(2);
    run.says("subsystems/hello.yml").says("subsystems/hello/subsystem.yml");
}

#[test]
fn keys_that_come_twice_are_no_matter_of_taste() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.write("versions.yml", "versions:\n  hello: v1\n  hello: v2\n");
    sandbox.forge("check").exits(2).says("hello").says("versions.yml:3");
}

#[test]
fn strange_files_are_told_and_never_a_crash() {
    let huge = format!("versions:\n{}", "  a: v1 #\n".repeat(400_000));
    for (text, what) in [
        (&b""[..], "empty"),
        (b"\0\0\0", "zeroes"),
        (b"\xff\xfev\0e\0r\0", "UTF-16"),
        (b"versions: \xff\n", "no UTF-8"),
        (b"- a\n- b\n", "a list"),
        (b"versions: 7\n", "a number"),
        (b"versions: {a: &x [*x]}\n", "an alias of itself"),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n", "laughs"),
        (b"versions: !!python/object:os.system {}\n", "a tag"),
        (b"---\nversions: {}\n---\nversions: {}\n", "two documents"),
        (&b"[".repeat(100_000), "depth"),
        (huge.as_bytes(), "size"),
    ] {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path("versions.yml"), text).unwrap();
        let run = sandbox.forge("check").run();
        assert_eq!(run.code(), Some(2), "{what}: {run}");
        assert!(run.stderr().contains("versions.yml"), "{what}: {run}");
        assert!(run.stderr().len() < 20_000, "{what}: {} bytes", run.stderr().len());
    }
}

#[test]
fn a_path_that_leaves_the_workspace_is_refused() {
    for spec in [
        "source: { path: ../elsewhere }\nbuild: { run: x }\n",
        "source: { path: /etc }\nbuild: { run: x }\n",
        "binary: ../../evil\nbuild: { run: x }\n",
        "binary: a/b\nbuild: { run: x }\n",
    ] {
        let sandbox = Sandbox::new().spec("hello", "v1", spec);
        sandbox.forge("check").exits(2).says("subsystems/hello.yml:1");
    }
}

//! `forge check`: every problem of every file at once, each with its place.

use crate::support::Sandbox;

#[test]
#[allow(clippy::too_many_lines, reason = "it is one picture")]
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
    // Each shell has words of its own.
    let text = run.stderr();
    let shells = text.split("this command: ").nth(1).and_then(|rest| rest.lines().next());
    let text = text.replace(shells.expect("the shell is asked"), "[its words]");
    insta::assert_snapshot!(text, @r#"
    error: nospec has a version but no spec
     --> versions.yml:4:3
      |
    4 |   nospec: v1
      |   ^^^^^^ no spec for it
      |
      = help: write subsystems/nospec.yml, or remove the line

    error: group `g` names `goood`, which is not a subsystem
      --> versions.yml:15:21
       |
    15 | groups: { g: [good, goood] }
       |                     ^^^^^ not known
       |
       = help: did you mean `good`?

    error: the manifest has no key `platfroms`
      --> versions.yml:16:1
       |
    16 | platfroms: [linux-amd64]
       | ^^^^^^^^^ not a known key
       |
       = help: did you mean `platforms`?

    error: a build takes only one of `go`, `cargo`, `run`
     --> subsystems/both.yml:1:18
      |
    1 | build: { run: x, go: . }
      |          ---     ^^ one too many
      |          |
      |          the first one
      |
      = help: keep the one you mean

    error: these subsystems need each other in a cycle: cyclea → cycleb → cyclea
     --> subsystems/cyclea.yml:1:15
      |
    1 | build_needs: [cycleb]
      |               ^^^^^^ cyclea needs cycleb
      |
     ::: subsystems/cycleb.yml:1:15
      |
    1 | build_needs: [cyclea]
      |               ------ cycleb needs cyclea
      |
      = help: remove one of these needs

    error: needsnone needs `god`, which is not a subsystem
     --> subsystems/needsnone.yml:1:9
      |
    1 | needs: [god]
      |         ^^^ not known
      |
      = help: did you mean `good`?

    error: nothing can neither be built nor downloaded: its spec has no `build` and no `upstream`
     --> subsystems/nothing.yml:1:1
      |
    1 | desc: yields nothing
      | ^ no way to obtain it
      |
      = help: write `build:` (how to build it) or `upstream:` (the vendor's own release)

    error: the shell cannot read this command: [its words]
     --> subsystems/shell.yml:1:15
      |
    1 | build: { run: 'if true; then x' }
      |               ^^^^^^^^^^^^^^^^^ no shell syntax
      |
      = help: look for quotes, brackets and keywords that are not closed

    error: this is not valid YAML: mismatched bracket '[' closed by '}'
     --> subsystems/syntax.yml:1:15
      |
    1 | build: { run: [x }
      |               ^ here
      |
      = help: close every `[` with `]` and every `{` with `}`, or put the value in quotes

    error: templates know no `versoin` here
     --> subsystems/template.yml:1:22
      |
    1 | build: { run: 'cp {{ versoin }} {{ out }}' }
      |                      ^^^^^^^ not known
      |
      = help: did you mean `version`?

    error: good and twin both yield a binary `good`
     --> subsystems/twin.yml:1:9
      |
    1 | binary: good
      |         ^^^^ taken
      |
     ::: subsystems/good.yml:1:1
      |
    1 | build: { run: x }
      | - good yields it here
      |
      = help: give one of them another name with `binary:`

    error: a spec has no key `bulid`
     --> subsystems/typo.yml:1:1
      |
    1 | bulid: { run: x }
      | ^^^^^ not a known key
      |
      = help: did you mean `build`?

    error: unpinned has a spec but no version
     --> subsystems/unpinned.yml:1:1
      |
    1 | build: { run: x }
      | ^ no version for it
      |
      = help: add `unpinned: v1.0.0` (with its version) under `versions` in versions.yml

    13 problems in 11 files
    "#);
    // Every verb that may run commands tells the same, before anything runs.
    for verb in ["ensure", "verify", "ensure good"] {
        assert_eq!(sandbox.forge(verb).exits(2).stderr(), run.stderr(), "{verb}");
    }
    // Those that only look tell all but what a shell alone can find.
    for verb in ["plan", "list", "status", "graph"] {
        let looked = sandbox.forge(verb).exits(2);
        looked.says("12 problems in 10 files").keeps_quiet_about("the shell cannot read");
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

#[test]
fn two_subsystems_with_the_same_tags_are_told_with_both_places() {
    let spec = |tag: &str| format!("tag: '{tag}'\nbuild: {{ run: x }}\n");
    let sandbox = Sandbox::new()
        .spec("api", "v1", &spec("v{{ version }}"))
        .spec("web", "v1", &spec("v{{ version }}"))
        .spec("cli", "v1", &spec("lib-{{ version }}"))
        .spec("lib", "v1", "build: { run: x }\n");
    insta::assert_snapshot!(sandbox.forge("check").exits(2).stderr(), @r"
    error: the releases of cli and lib have the same tags: `lib-VERSION`
     --> subsystems/cli.yml:1:6
      |
    1 | tag: 'lib-{{ version }}'
      |      ^^^^^^^^^^^^^^^^^^^ the tag of cli
      |
     ::: subsystems/lib.yml:1:1
      |
    1 | build: { run: x }
      | - lib has it too
      |
      = help: write another `tag:`, such as `{{ name }}-{{ version }}`

    error: the releases of api and web have the same tags: `vVERSION`
     --> subsystems/web.yml:1:6
      |
    1 | tag: 'v{{ version }}'
      |      ^^^^^^^^^^^^^^^^ the tag of web
      |
     ::: subsystems/api.yml:1:6
      |
    1 | tag: 'v{{ version }}'
      |      ---------------- api has it too
      |
      = help: write another `tag:`, such as `{{ name }}-{{ version }}`

    2 problems in 2 files
    ");
}

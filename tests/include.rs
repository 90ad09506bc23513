//! `include`: files of tasks, of the workspace and of the web.

use std::fs;

use crate::support::{Fault, Sandbox, Server, sha256};

/// A workspace with these lines at the top of `versions.yml`.
fn workspace(head: &str) -> Sandbox {
    Sandbox::new().head(head).script("tool", "v1")
}

/// What the commands of a task and of those around it print.
fn lines(sandbox: &Sandbox, words: &str) -> Vec<String> {
    let printed = sandbox.forge(words).succeeds().stdout();
    let bare = |line: &str| line.split_once(" | ").map_or(line, |(_, text)| text).to_owned();
    printed.lines().map(bare).collect()
}

#[test]
fn tasks_of_a_file_stand_under_its_name() {
    let sandbox = workspace(
        "include:\n  docs: tasks/docs.yml\n  api: { file: api, dir: api, alias: [a, web] }\ntasks:\n  build: echo the workspace\n  all: { needs: ['docs:build', 'api'] }",
    )
    .file(
        "tasks/docs.yml",
        "desc: all about docs\nvars: { what: docs }\nenv: { WHO: me }\ntasks:\n  default: { needs: [build, ':build'], run: echo done }\n  build: { alias: b, run: 'echo {{ what }} of $WHO' }\n  where: pwd\n  use: { needs: tool, run: tool }\n",
    )
    .file("api/tasks.yml", "tasks: { default: 'pwd; ls', here: { dir: sub, run: pwd } }\n")
    .file("api/sub/x", "");
    let prints = |words: &str| sandbox.forge(words).succeeds().stdout();
    assert_eq!(prints("docs:build"), "docs of me\n");
    assert_eq!(prints("docs:b"), "docs of me\n");
    let root = sandbox.root().canonicalize().unwrap().display().to_string();
    assert_eq!(prints("docs:where"), format!("{root}\n"));
    for name in ["api", "api:default", "a", "a:default", "web"] {
        assert_eq!(prints(name), format!("{root}/api\nsub\ntasks.yml\n"), "{name}");
    }
    assert_eq!(prints("api:here"), format!("{root}/api/sub\n"));
    assert_eq!(prints("docs:use"), "tool v1\n");
    // Its own `build` and the workspace's.
    let both = prints("docs -j 1");
    assert!(both.contains("docs of me") && both.contains("the workspace"), "{both}");
    sandbox.forge("list").succeeds().says("docs:build").says("api");
}

#[test]
fn variables_are_given_and_do_not_leak() {
    let sandbox = workspace(
        "vars: { port: '80', folder: tasks }\ninclude:\n  one: { file: '{{ vars.folder }}-{{ os }}/one.yml', with: { port: '1{{ port }}', more: [a, b], n: 3 } }\n  two: tasks.yml",
    );
    let os = std::env::consts::OS.replace("macos", "darwin");
    let sandbox = sandbox
        .file(
            &format!("{}-{os}/one.yml", "tasks"),
            "vars: { port: '1', url: 'http://x:{{ port }}' }\ntasks: { show: 'echo {{ url }} {{ more | join }} {{ n + 1 }}' }\n",
        )
        .file("tasks.yml", "tasks: { show: 'echo fine' }\n");
    assert_eq!(sandbox.forge("one:show").succeeds().stdout(), "http://x:180 ab 4\n");
    sandbox.write("tasks.yml", "tasks: { show: 'echo {{ port }}' }\n");
    let run = sandbox.forge("check").exits(2);
    run.says("templates know no `port` here").says("tasks.yml:1:25");
}

#[test]
fn files_include_files() {
    let sandbox = workspace("include: { a: a/tasks.yml }")
        .file("a/tasks.yml", "include: { b: { file: ../b, alias: c } }\ntasks: { x: { needs: 'b:x', run: echo a } }\n")
        .file("b/tasks.yml", "tasks: { x: { needs: y, run: echo b }, y: echo y }\n");
    assert_eq!(lines(&sandbox, "a:x"), ["y", "b", "a"]);
    assert_eq!(lines(&sandbox, "a:c:y"), ["y"]);
}

#[test]
fn flattened_tasks_stand_beside_the_others() {
    let sandbox = workspace(
        "include: { more: { file: more.yml, flatten: true, except: build } }\ntasks: { build: echo ours, all: { needs: test } }",
    )
    .file("more.yml", "tasks: { build: echo theirs, test: { needs: build, run: echo test } }\n");
    assert_eq!(lines(&sandbox, "all"), ["ours", "test"]);
    sandbox.write("more.yml", "tasks: { build: x, test: x, all: x }\n");
    let run = sandbox.forge("check").exits(2);
    run.says("two tasks are called `all`").says("more.yml:1:29").says("versions.yml:2:28");
    sandbox.write("more.yml", "tasks: { biuld: x, test: x }\n");
    sandbox.forge("check").exits(2).says("`except` names `build`").says("`biuld`");
}

#[test]
fn what_is_private_is_used_by_tasks_only() {
    let sandbox =
        workspace("include: { p: { file: p.yml, private: true } }\ntasks: { x: { needs: 'p:y' } }")
            .file("p.yml", "include: { q: q.yml }\ntasks: { y: { needs: 'q:z' } }\n")
            .file("q.yml", "tasks: { z: echo z }\n");
    assert_eq!(lines(&sandbox, "x"), ["z"]);
    for name in ["p:y", "p:q:z"] {
        sandbox.forge(name).exits(2).says(&format!("the task {name} is private"));
    }
}

#[test]
fn a_file_may_be_missing_if_it_says_so() {
    let sandbox =
        workspace("include: { local: { file: local.yml, optional: true } }\ntasks: { x: echo x }");
    sandbox.forge("x").succeeds();
    sandbox.forge("local:y").exits(2).says("there is no verb and no task `local:y`");
    sandbox.write("local.yml", "tasks: { y: echo y }\n");
    assert_eq!(sandbox.forge("local:y").succeeds().stdout(), "y\n");
}

#[test]
fn every_problem_of_every_file_is_told_at_once() {
    let sandbox = workspace(
        "include:\n  a: a.yml\n  gone: gone.yml\n  empty: folder\n  self: { file: me.yml, optinal: true }\ntasks: { x: 'echo {{ nope }}' }",
    )
    .file("a.yml", "tasks:\n  y: 'echo {{ nope }}'\n  z: { need: x }\ninclude: { b: b.yml }\n")
    .file("b.yml", "include: { c: ./a.yml }\nversions: {}\n")
    .file("folder/x", "")
    .file("me.yml", "include: { me: me.yml }\n");
    let run = sandbox.forge("check").exits(2);
    for (told, place) in [
        ("templates know no `nope` here", "versions.yml:6:22"),
        ("templates know no `nope` here", "a.yml:2:15"),
        ("a task has no key `need`", "a.yml:3:8"),
        ("these files include each other in a cycle: a.yml → b.yml → a.yml", "b.yml:1:15"),
        ("a file of tasks has no key `versions`", "b.yml:2:1"),
        ("`gone` includes gone.yml, which is not there", "versions.yml:3:9"),
        ("`empty` includes a folder without a `tasks.yml`", "versions.yml:4:10"),
        ("an include has no key `optinal`", "versions.yml:5:25"),
        ("me.yml includes itself", "me.yml:1:16"),
    ] {
        run.says(told).says(place);
    }
}

#[test]
fn names_of_the_workspace_begin_with_a_colon() {
    let sandbox = workspace("include: { a: a.yml }\ntasks: { x: echo x }")
        .file("a.yml", "tasks: { yyy: { needs: x }, z: [{ task: yyyy }] }\n");
    let run = sandbox.forge("check").exits(2);
    run.says("the task `a:yyy` names `x`")
        .says("`:x` means the workspace's")
        .says("did you mean `yyy`?");
}

/// A folder with this file, served.
fn served(text: &str) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lint.yml"), text).unwrap();
    let server = Server::serve(folder.path());
    (folder, server)
}

const LINT: &str = "tasks: { all: echo linted }\n";

#[test]
fn a_pinned_url_is_fetched_once_and_then_needs_no_network() {
    let (_folder, server) = served(LINT);
    let head = format!(
        "include: {{ lint: {{ url: '{}/lint.yml', sha256: {} }} }}",
        server.url(),
        sha256(LINT.as_bytes())
    );
    let sandbox = workspace(&head);
    let run = sandbox.forge("lint:all --offline").exits(5);
    run.says("cannot include http://127.0.0.1:").says("versions.yml:1:").says("--offline forbids");
    assert_eq!(sandbox.forge("lint:all").succeeds().stdout(), "linted\n");
    assert_eq!(server.requests(), ["GET /lint.yml"]);
    for words in ["lint:all", "lint:all --offline", "list", "plan"] {
        sandbox.forge(words).succeeds();
    }
    assert_eq!(server.requests().len(), 1);
    // Nothing of it is in the workspace, and one that was changed in the cache is fetched anew.
    let kept = sandbox.beside("cache/pinned").join(sha256(LINT.as_bytes()));
    crate::support::overwrite(&kept, b"tasks: { all: echo evil }\n");
    assert_eq!(sandbox.forge("lint:all").succeeds().stdout(), "linted\n");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_url_that_gives_something_else_stops_everything() {
    let (_folder, server) = served("tasks: { all: echo evil }\n");
    let digest = sha256(LINT.as_bytes());
    let head = format!(
        "include: {{ lint: {{ url: '{}/lint.yml', sha256: {digest} }} }}\ntasks: {{ x: echo ran }}",
        server.url()
    );
    let sandbox = workspace(&head);
    let run = sandbox.forge("x").exits(4);
    run.says("is not the file that versions.yml:1:25 pins");
    run.says(&digest).says(&sha256(b"tasks: { all: echo evil }\n"));
    assert_eq!(run.stdout(), "");
    assert!(!sandbox.beside("cache/pinned").exists());
    server.always_fail("lint.yml", Fault::Status(404));
    sandbox.forge("x").exits(5).says("there is no such file");
}

#[test]
fn a_file_of_the_web_includes_only_what_is_pinned() {
    let (folder, server) = served("tasks: { deep: echo deep }\n");
    let deep = sha256(&fs::read(folder.path().join("lint.yml")).unwrap());
    let outer = format!(
        "include: {{ in: {{ url: '{}/lint.yml', sha256: {deep} }} }}\ntasks: {{ x: {{ needs: 'in:deep' }} }}\n",
        server.url()
    );
    fs::write(folder.path().join("outer.yml"), &outer).unwrap();
    fs::write(folder.path().join("bad.yml"), "include: { in: lint.yml }\n").unwrap();
    let include = |file: &str, text: &[u8]| {
        format!("include: {{ w: {{ url: '{}/{file}', sha256: {} }} }}", server.url(), sha256(text))
    };
    let sandbox = workspace(&include("outer.yml", outer.as_bytes()));
    assert_eq!(lines(&sandbox, "w:x"), ["deep"]);
    let sandbox = workspace(&include("bad.yml", b"include: { in: lint.yml }\n"));
    let run = sandbox.forge("check").exits(2);
    run.says("a file from a URL can only include other URLs").says("/bad.yml:1:16");
}

#[test]
fn urls_that_cannot_be_pinned_are_refused() {
    for (url, told) in [
        ("url: https://example.org/x.yml", "without saying which `sha256` it must have"),
        ("url: https://example.org/x.yml", "curl -sSfL https://example.org/x.yml | sha256sum"),
        ("url: https://example.org/x.yml, sha256: abc", "`abc` is not a SHA-256 digest"),
        ("url: http://example.org/x.yml, sha256: 00", "unprotected http to this machine only"),
        ("url: ftp://example.org/x.yml, sha256: 00", "`ftp:` is not https"),
        ("url: x.yml, sha256: 00", "`x.yml` is not a URL"),
        ("url: https://example.org/x.yml, file: x.yml", "takes only one of `file`, `url`"),
        ("file: x.yml, sha256: 00", "`sha256` belongs to `url`"),
    ] {
        let sandbox = workspace(&format!("include: {{ x: {{ {url} }} }}"));
        sandbox.forge("check").exits(2).says(told).says("versions.yml:1:");
    }
}

#[test]
fn includes_that_multiply_come_to_an_end() {
    let mut sandbox = workspace("include: { f0: f0.yml }");
    for at in 0..14 {
        let next = at + 1;
        sandbox = sandbox.file(
            &format!("f{at}.yml"),
            &format!("include: {{ a: f{next}.yml, b: f{next}.yml }}\n"),
        );
    }
    sandbox = sandbox.file("f14.yml", "tasks: { x: echo x }\n");
    sandbox.forge("check").exits(2).says("more than 1000 files are included");
}

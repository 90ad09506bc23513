//! What upstream has, and pinning it: `outdated` and `bump`, as somebody uses them. Upstream is a git
//! repository beside the workspace, and servers at 127.0.0.1 whose answers have the published formats:
//! the Go module proxy (<https://go.dev/ref/mod#goproxy-protocol>), the sparse index of crates
//! (<https://doc.rust-lang.org/cargo/reference/registry-index.html>), GitHub's releases.

use std::{fs, path::Path, process::Command};

use crate::support::{
    Fault, Sandbox, Server, git,
    github::{GitHub, NewRelease},
    is_here, wait_until,
};

const SPEC_OF_PAGE: &str =
    "newer: { url: URL/downloads, pattern: 'tool-(v[0-9.]+)\\.tar' }\nbuild: { run: \"true\" }\n";

/// A repository beside the workspace with an annotated tag per commit; returns the commits.
fn upstream(sandbox: &Sandbox, name: &str, tags: &[&str]) -> Vec<String> {
    let folder = sandbox.beside(name);
    fs::create_dir_all(&folder).unwrap();
    git(&folder, &["init", "-q", "-b", "main"]);
    let mut commits = Vec::new();
    for tag in tags {
        fs::write(folder.join("tool.sh"), format!("#!/bin/sh\necho {tag}\n")).unwrap();
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "-m", tag]);
        git(&folder, &["tag", "-a", "-m", tag, tag]);
        commits.push(git(&folder, &["rev-parse", "HEAD"]));
    }
    commits
}

fn spec_of_git(sandbox: &Sandbox, name: &str, more: &str) -> String {
    format!(
        "source: {{ git: {}{more} }}\nbuild: {{ run: \"cp tool.sh {{{{ out }}}}/tool\" }}\nbinary: tool\n",
        sandbox.beside(name).display()
    )
}

/// Writes `text` at `path` below the folder that a server serves.
fn serve(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.beside("web").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A manifest that nobody would print like that.
const MANIFEST: &str = "# What we run on.\r\nversions:\r\n  tool:   'v1.0.0'   # keep an eye on it\r\n  other: &other v0.1.0\r\nvars: { of_other: *other }\r\n";

/// A workspace in git that pins one tool of a repository with `tags`.
fn pinned(tags: &[&str]) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::with_store();
    let commits = upstream(&sandbox, "tool", tags);
    let spec = spec_of_git(&sandbox, "tool", "");
    let other = "source: { path: code }\nbuild: { run: \"cp x {{ out }}/other\" }\n";
    let sandbox = sandbox
        .file("code/x", "#!/bin/sh\n")
        .file(".gitignore", ".forge/\n")
        .spec("tool", "v1.0.0", &spec)
        .spec("other", "v0.1.0", other);
    let store = format!("releases: dir:{}\r\n", sandbox.beside("store").display());
    sandbox.write("versions.yml", &format!("{MANIFEST}{store}"));
    git(&sandbox.root(), &["init", "-q", "-b", "main"]);
    commit(&sandbox, "one");
    (sandbox, commits)
}

fn commit(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "-q", "-m", message]);
}

#[test]
fn a_day_with_a_new_version_and_the_way_back() {
    if !is_here("git") {
        return;
    }
    let tags = ["v1.0.0", "v1.2.0", "v1.10.0", "v2.0.0", "v3.0.0-rc.1", "nightly"];
    let (sandbox, commits) = pinned(&tags);
    let before = sandbox.read("versions.yml");
    sandbox.forge("ensure").succeeds();
    commit(&sandbox, "locked");
    let locked = sandbox.read("forge.lock");

    let run = sandbox.forge("outdated").succeeds();
    run.says("tool       v1.0.0  v1.10.0     v2.0.0  tags of").says("1 of 2 is outdated");
    run.says("nobody to ask for: other").keeps_quiet_about("rc.1");
    sandbox.forge("outdated --exit-code").exits(1);
    sandbox.forge("outdated other --exit-code").succeeds().says("its code is in this workspace");

    // Looking changes nothing.
    let listing = sandbox.listing();
    sandbox.forge("bump tool --dry-run").succeeds().says("v2.0.0").says("nothing was written");
    let only_locks = |path: &Path| path.starts_with("work/.forge") || path.starts_with("cache");
    let after = sandbox.listing();
    let changed = after.iter().filter(|(path, was)| listing.get(*path) != Some(was));
    let changed: Vec<_> = changed.filter(|(path, _)| !only_locks(path)).collect();
    assert!(changed.is_empty(), "{changed:?}");

    // Within the major version; only the version's bytes change, and the lock knows its commit.
    let run = sandbox.forge("bump tool --major no").succeeds();
    run.says("v1.0.0").says("v1.10.0");
    assert_eq!(sandbox.read("versions.yml"), before.replace("v1.0.0", "v1.10.0"));
    let lock = sandbox.read("forge.lock");
    assert!(
        lock.contains(&format!("tool:\n  version: v1.10.0\n  commit: {}\n", commits[2])),
        "{lock}"
    );
    sandbox.forge("bump tool --major no").succeeds().says("there is v2.0.0");
    sandbox.forge("ensure tool").succeeds();
    assert_eq!(sandbox.run_binary("tool"), "v1.10.0\n");
    commit(&sandbox, "bumped");

    // Forth and back: the lock says what it said of the old version, digests too.
    sandbox.forge("bump tool").succeeds().says("v2.0.0");
    sandbox.forge("bump tool").succeeds().says("tool v2.0.0 is the newest");
    sandbox.forge("bump --revert tool").succeeds().says("v1.10.0");
    assert_eq!(git(&sandbox.root(), &["status", "--porcelain"]), "");
    sandbox.forge("bump --revert").succeeds().says("v1.0.0");
    assert_eq!(sandbox.read("versions.yml"), before);
    let of_tool = |lock: &str| lock.split("tool:").nth(1).unwrap().to_owned();
    assert_eq!(of_tool(&sandbox.read("forge.lock")), of_tool(&locked));
    sandbox.forge("ensure --locked").succeeds();
    assert_eq!(sandbox.run_binary("tool"), "v1.0.0\n");
}

#[test]
fn a_version_that_is_named_has_to_be_there() {
    if !is_here("git") {
        return;
    }
    let (sandbox, commits) = pinned(&["v1.0.0", "v1.2.0", "v2.0.0-rc.1"]);
    let before = sandbox.read("versions.yml");
    for (words, code, says) in [
        ("bump tool v1.2.1", 2, "did you mean `v1.2.0`?"),
        ("bump tool 1.2.0", 2, "did you mean `v1.2.0`?"),
        ("bump tool v1..2", 2, "is not a valid tag"),
        ("bump tol", 2, "did you mean `tool`?"),
        ("bump other", 2, "`forge bump other VERSION` says which one"),
        ("bump", 2, "--all"),
        ("bump tool v1.2.0 --locked", 2, "--locked forbids it"),
        ("bump tool --offline", 2, "--offline forbids it"),
        ("outdated --offline", 2, "--offline forbids it"),
        ("bump tool v1.0.0", 0, "tool is at v1.0.0 already"),
        ("bump --revert", 2, "no commit pins another version"),
    ] {
        sandbox.forge(words).exits(code).says(says);
        assert_eq!(sandbox.read("versions.yml"), before, "{words}");
        assert!(!sandbox.path("forge.lock").exists(), "{words}");
    }
    // A pre-release by its name, a branch too; our own code has the version that we say.
    sandbox.forge("bump tool@v2.0.0-rc.1").succeeds();
    sandbox.forge("bump tool main").succeeds();
    assert!(sandbox.read("forge.lock").contains(&format!("main\n  commit: {}", commits[2])));
    sandbox.forge("bump tool").exits(2).says("it is a branch").says("forge lock --update tool");
    sandbox.forge("bump tool v1.2.0").succeeds();
    let run = sandbox.forge("bump other v0.2.0 --json").succeeds();
    assert_eq!(run.json()["bumped"][0]["to"], "v0.2.0");
    assert_eq!(
        sandbox.read("versions.yml"),
        before.replace("v1.0.0", "v1.2.0").replace("v0.1.0", "v0.2.0")
    );
}

#[test]
fn where_the_lock_cannot_be_made_nothing_is_written() {
    if !is_here("git") {
        return;
    }
    let (sandbox, _) = pinned(&["v1.0.0", "v1.2.0"]);
    // The list is elsewhere, and the source does not have what it names.
    serve(&sandbox, "downloads", "tool-v1.0.0.tar tool-v1.5.0.tar");
    let server = Server::serve(&sandbox.beside("web"));
    let spec = sandbox.read("subsystems/tool.yml");
    let newer = SPEC_OF_PAGE.lines().next().unwrap().replace("URL", &server.url());
    sandbox.write("subsystems/tool.yml", &format!("{spec}{newer}\n"));
    let before = sandbox.read("versions.yml");
    for words in ["bump tool", "bump --all", "bump tool v1.5.0"] {
        sandbox
            .forge(words)
            .exits(2)
            .says("cannot lock tool v1.5.0")
            .says("neither a tag nor a branch");
        assert_eq!(sandbox.read("versions.yml"), before);
        assert!(!sandbox.path("forge.lock").exists());
    }
}

/// A workspace that has each kind of upstream.
fn of_all_kinds(server: &Server, github: &GitHub) -> Sandbox {
    let sandbox = Sandbox::with_store();
    upstream(&sandbox, "mono", &["server/v2.9.0", "server/v2.10.0", "client/v9.0.0"]);
    let tags = format!(
        "newer: {{ tags: {}, tag: 'server/{{{{ version }}}}' }}\n",
        sandbox.beside("mono").display()
    );
    let build = "build: { run: \"true\" }\n";
    sandbox
        .spec("by-crate", "v1.0.0", "build: { cargo: { install: by-crate } }\n")
        .spec(
            "by-github",
            "v1.0.0",
            &format!("newer: {{ github: {}/acme/tool }}\n{build}", github.url()),
        )
        .spec("by-module", "v1.0.0", "build: { go: { module: example.org/Mod } }\n")
        .spec("by-package", "v0.1.0", "build: { go: { install: example.org/Mod/cmd/x } }\n")
        .spec("by-page", "v1.0.0", &SPEC_OF_PAGE.replace("URL", &server.url()))
        .spec("by-tag", "v2.9.0", &format!("{tags}{build}"))
        .spec(
            "date",
            "20260101.9",
            &SPEC_OF_PAGE
                .replace("URL/downloads", &format!("{}/days", server.url()))
                .replace("tool-(v[0-9.]+)\\.tar", "[0-9]{8}\\.[0-9]+"),
        )
}

fn web() -> (tempfile::TempDir, Server) {
    let web = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = web.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("go/example.org/!mod/@v/list", "v1.0.0\nv1.9.0\nv1.10.0\nv1.11.0-beta.1\nv1.10.1\n");
    let go_mod = "module example.org/Mod\n\nretract v1.10.1 // only says so\n";
    write("go/example.org/!mod/@v/v1.10.1.mod", go_mod);
    let line = |vers: &str, yanked: bool| {
        format!(
            r#"{{"name":"by-crate","vers":"{vers}","deps":[],"cksum":"{}","features":{{}},"yanked":{yanked}}}"#,
            "0".repeat(64)
        ) + "\n"
    };
    let lines = [line("1.0.0", false), line("1.1.0", false), line("1.2.0", true)].concat();
    write(
        "go/example.org/!mod/@v/v0.0.0-20240102030405-0123456789ab.info",
        "{\"Version\":\"v0.0.0-20240102030405-0123456789ab\",\"Time\":\"2024-01-02T03:04:05Z\"}",
    );
    write("index/by/-c/by-crate", &lines);
    write(
        "downloads",
        "<a href=tool-v1.0.0.tar> <a href='tool-v1.3.0.tar'> <a href=tool-v1.4.0.zip>",
    );
    write("days", "20260101.9 20260101.10 20251231.7");
    let server = Server::serve(web.path());
    (web, server)
}

fn json_of(sandbox: &Sandbox, server: &Server, words: &str, code: i32) -> serde_json::Value {
    let run = sandbox
        .forge(&format!("{words} --json"))
        .env("GOPROXY", format!("{}/go", server.url()))
        .env("FORGE_CRATES_INDEX", format!("{}/index", server.url()));
    run.exits(code).json()
}

#[test]
fn every_kind_of_upstream_is_asked_at_once_and_in_its_own_way() {
    if !is_here("git") {
        return;
    }
    let (_web, server) = web();
    let github = GitHub::new("acme/tool");
    github.add_release("v1.0.0").add_release("v1.1.0");
    github.add_release(NewRelease::tagged("v1.2.0").prerelease());
    github.add_release(NewRelease::tagged("v1.3.0").draft());
    let sandbox = of_all_kinds(&server, &github);
    let newest = |words: &str| -> Vec<String> {
        let document = json_of(&sandbox, &server, words, 0);
        let lines = document["subsystems"].as_array().unwrap().clone();
        let line = |line: &serde_json::Value| {
            format!("{} {}", line["name"].as_str().unwrap(), line["newest"].as_str().unwrap())
        };
        lines.iter().map(line).collect()
    };
    assert_eq!(
        newest("outdated"),
        [
            "by-crate v1.1.0",
            "by-github v1.1.0",
            "by-module v1.10.0",
            "by-package v1.10.0",
            "by-page v1.3.0",
            "by-tag v2.10.0",
            "date 20260101.10"
        ]
    );
    let with_pre = newest("outdated --pre");
    assert!(with_pre.contains(&"by-github v1.2.0".to_owned()), "{with_pre:?}");
    assert!(with_pre.contains(&"by-module v1.11.0-beta.1".to_owned()), "{with_pre:?}");
    assert_eq!(github.violations(), Vec::<String>::new());

    // A proxy may have what it does not list.
    let proxy = format!("{}/go", server.url());
    let commit = "v0.0.0-20240102030405-0123456789ab";
    let run = sandbox.forge(&format!("bump by-module {commit} --dry-run")).env("GOPROXY", &proxy);
    run.succeeds().says(commit);
    sandbox.forge("bump by-module v1.5.0").env("GOPROXY", &proxy).exits(2).says("no such version");
    // What was taken back is refused by name, too.
    let run = sandbox
        .forge("bump by-crate v1.2.0")
        .env("FORGE_CRATES_INDEX", format!("{}/index", server.url()));
    run.exits(2).says("taken back");
    let bumped = json_of(&sandbox, &server, "bump --all", 0);
    assert_eq!(bumped["bumped"].as_array().unwrap().len(), 7);
    assert_eq!(bumped["written"], true);
    let manifest = sandbox.read("versions.yml");
    for line in ["by-crate: v1.1.0", "by-package: v1.10.0", "by-tag: v2.10.0", "date: 20260101.10"]
    {
        assert!(manifest.contains(line), "{manifest}");
    }
    assert!(json_of(&sandbox, &server, "bump --all", 0)["bumped"].as_array().unwrap().is_empty());
    sandbox.forge("check").succeeds();
}

#[test]
fn who_cannot_be_asked_is_one_line_and_the_others_answer() {
    if !is_here("git") {
        return;
    }
    let (_web, server) = web();
    let github = GitHub::new("acme/tool");
    github.add_release("v1.1.0");
    let sandbox = of_all_kinds(&server, &github);
    server.always_fail("/downloads", Fault::Status(403));
    fs::remove_dir_all(sandbox.beside("mono")).unwrap();
    let document = json_of(&sandbox, &server, "outdated", 5);
    let state = |name: &str| {
        let lines = document["subsystems"].as_array().unwrap();
        let line = lines.iter().find(|line| line["name"] == name).unwrap();
        (line["state"].as_str().unwrap().to_owned(), line["why"].clone())
    };
    assert_eq!(state("by-module").0, "outdated");
    let (failed, why) = state("by-page");
    assert_eq!(failed, "failed");
    assert!(why.as_str().unwrap().contains("403"), "{why}");
    assert_eq!(state("by-tag").0, "failed");
    // The others are bumped, and the exit code tells.
    let run = sandbox
        .forge("bump --all")
        .env("GOPROXY", format!("{}/go", server.url()))
        .env("FORGE_CRATES_INDEX", format!("{}/index", server.url()))
        .exits(5);
    assert_eq!(run.stderr().lines().count(), 2, "{run}");
    run.says("warning: cannot ask for").says("403");
    let manifest = sandbox.read("versions.yml");
    assert!(
        manifest.contains("by-module: v1.10.0") && manifest.contains("by-page: v1.0.0"),
        "{manifest}"
    );
    // Alone, it is an error.
    sandbox.forge("bump by-page").exits(5).says("403");
    // A list that has come to call them otherwise is told too, and a version can be named.
    let page = SPEC_OF_PAGE.replace("URL/downloads", &format!("{}/days", server.url()));
    let page = page.replace("tool-(v[0-9.]+)\\.tar", "[0-9]{8}\\.[0-9]+");
    sandbox.write("subsystems/by-page.yml", &page);
    let words = "cannot tell what is newer than by-page v1.0.0";
    sandbox
        .forge("outdated by-page")
        .exits(5)
        .says(words)
        .says("lists nothing that is called like it");
    sandbox.forge("bump by-page").exits(5).says(words);
    sandbox.forge("bump by-page v20260101.10").succeeds();
}

#[test]
fn a_private_module_is_named_to_no_proxy() {
    let (_web, server) = web();
    let sandbox = Sandbox::with_store().spec(
        "secret",
        "v1.0.0",
        "build: { go: { module: git.corp.example/secret } }\n",
    );
    let asked = |name: &str, value: &str| {
        sandbox
            .forge("outdated")
            .env("GOPROXY", format!("{}/go", server.url()))
            .env(name, value)
            .exits(5)
    };
    asked("GOPRIVATE", "*.corp.example").says("newer: {tags: URL}");
    let settings = sandbox.beside("go-env");
    fs::write(&settings, "GOPRIVATE=git.corp.example/secret\n").unwrap();
    asked("GOENV", settings.to_str().unwrap()).says("keeps it from proxies");
    assert_eq!(server.requests(), Vec::<String>::new());
    // Without such a word the proxy is asked, as go does.
    asked("GOFLAGS", "").says("nobody whom GOPROXY names knows it");
    assert_eq!(server.requests(), ["GET /go/git.corp.example/secret/@v/list"]);
}

#[test]
fn a_pin_that_several_share_changes_for_all_to_what_all_have() {
    if !is_here("git") {
        return;
    }
    let sandbox = Sandbox::with_store();
    upstream(&sandbox, "a", &["v1.0.0", "v1.1.0", "v1.2.0"]);
    upstream(&sandbox, "b", &["v1.0.0", "v1.1.0"]);
    let (a, b) = (spec_of_git(&sandbox, "a", ""), spec_of_git(&sandbox, "b", ""));
    let b = b.replace("binary: tool", "binary: b").replace("/tool\"", "/b\"");
    let sandbox = sandbox.spec("a", "v1.0.0", &a).spec("b", "v1.0.0", &b);
    let text = sandbox.read("versions.yml").replace("a: v1.0.0", "a: &both v1.0.0");
    sandbox.write("versions.yml", &text.replace("b: v1.0.0", "b: *both"));
    sandbox.forge("bump b v1.2.0").exits(2).says("cannot bump b to v1.2.0");
    let run = sandbox.forge("bump b --json").succeeds().json();
    let names: Vec<_> =
        run["bumped"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(sandbox.read("versions.yml").contains("a: &both v1.1.0\n  b: *both\n"));
    assert_eq!(sandbox.read("forge.lock").matches("version: v1.1.0").count(), 2);
}

#[test]
fn a_scheme_and_a_stale_digest_are_told() {
    let sandbox = Sandbox::with_store();
    serve(&sandbox, "downloads", "tool-v1.0.0.tar tool-v1.3.0.tar");
    let server = Server::serve(&sandbox.beside("web"));
    let spec = format!(
        "{}upstream: {{ url: '{}/tool-{{{{ version }}}}.tar', sha256: {} }}\n",
        SPEC_OF_PAGE.replace("URL", &server.url()),
        server.url(),
        "ab".repeat(32)
    );
    let own = "version: { scheme: date }\nsource: { path: code }\nbuild: { run: \"true\" }\n";
    let sandbox =
        sandbox.file("code/x", "x").spec("tool", "v1.0.0", &spec).file("subsystems/own.yml", own);
    sandbox.forge("bump own").exits(2).says("a scheme makes its versions").says("version:next own");
    sandbox.forge("bump own v1").exits(2).says("a scheme makes its versions");
    sandbox.forge("outdated").succeeds().says("1 of 1 is outdated").keeps_quiet_about("nobody");
    sandbox.forge("outdated own").succeeds().says("a scheme makes its versions");
    let run = sandbox.forge("bump --all").succeeds();
    run.says("subsystems/tool.yml pins the digest of tool v1.0.0").says("write that of v1.3.0");
    sandbox.forge("bump --revert").exits(2).says("in no git repository");
}

#[test]
fn what_newer_says_is_checked() {
    for (newer, says) in [
        ("{ url: 'http://127.0.0.1:9/x', pattern: '(' }", "not a regular expression"),
        ("{ url: 'ftp://x', pattern: x }", "not a URL that forge can ask"),
        ("{ url: 'http://127.0.0.1:9/x' }", "pattern"),
        ("{ github: nowhere }", "OWNER/REPO"),
        ("{ tags: x, tag: fixed }", "does not say its version"),
        ("{ go: x, crate: y }", "go"),
        ("{ gitub: o/r }", "did you mean `github`?"),
    ] {
        let spec = format!("newer: {newer}\nbuild: {{ run: \"true\" }}\n");
        let sandbox = Sandbox::with_store().spec("tool", "v1.0.0", &spec);
        sandbox.forge("check").exits(2).says(says).says("--> subsystems/tool.yml:1:");
    }
}

#[test]
fn a_workspace_in_a_folder_of_a_shallow_clone_says_what_to_fetch() {
    if !is_here("git") {
        return;
    }
    let sandbox = Sandbox::new();
    let origin = sandbox.beside("origin");
    fs::create_dir_all(origin.join("a b/subsystems")).unwrap();
    fs::create_dir_all(origin.join("a b/code")).unwrap();
    git(&origin, &["init", "-q", "-b", "main"]);
    let spec = "source: { path: code }\nbuild: { run: \"true\" }\n";
    fs::write(origin.join("a b/subsystems/tool.yml"), spec).unwrap();
    fs::write(origin.join("a b/subsystems/more.yml"), spec).unwrap();
    fs::write(origin.join("a b/code/x"), "x").unwrap();
    for (tool, more) in [("v1", "v1"), ("v2", "v2"), ("v2", "v3")] {
        let text = format!("versions: {{ tool: {tool}, more: {more} }}\n");
        fs::write(origin.join("a b/versions.yml"), text).unwrap();
        git(&origin, &["add", "-A"]);
        git(&origin, &["commit", "-q", "-m", more]);
    }
    let url = format!("file://{}", origin.display());
    let clone = sandbox.beside("clone");
    git(&sandbox.root(), &["clone", "-q", "--depth=1", &url, clone.to_str().unwrap()]);
    let forge = |words: &str| sandbox.forge(words).within(&clone.join("a b"));
    let run = forge("bump --revert tool").exits(2);
    run.says("holds only the last commits").says("git fetch --unshallow");
    git(&clone, &["fetch", "-q", "--unshallow"]);
    // What changed last, as a whole; a subsystem by its name; and what is not committed first.
    let pinned = || fs::read_to_string(clone.join("a b/versions.yml")).unwrap();
    forge("bump --revert").succeeds();
    assert_eq!(pinned(), "versions: { tool: v2, more: v2 }\n");
    forge("bump --revert tool").succeeds();
    assert_eq!(pinned(), "versions: { tool: v1, more: v2 }\n");
    forge("bump --revert").succeeds();
    assert_eq!(pinned(), "versions: { tool: v2, more: v3 }\n");
}

#[test]
fn a_tag_that_begins_with_a_word_is_compared_and_a_branch_is_not() {
    if !is_here("git") {
        return;
    }
    let (old, new) = ("RELEASE.2025-04-22T22-12-26Z", "RELEASE.2025-05-24T17-08-30Z");
    let sandbox = Sandbox::with_store();
    upstream(&sandbox, "tool", &[old, new, "release-1.0"]);
    git(&sandbox.beside("tool"), &["branch", "release-1.x"]);
    let spec = spec_of_git(&sandbox, "tool", "");
    let moving = spec.replace("binary: tool", "binary: moving").replace("}}/tool", "}}/moving");
    let sandbox = sandbox.spec("tool", old, &spec).spec("moving", "release-1.x", &moving);
    let run = sandbox.forge("outdated").succeeds();
    run.says(new).says("1 of 2 is outdated; branches and commits: moving");
    sandbox.forge("outdated --exit-code").exits(1);
    sandbox.forge("bump moving").exits(2).says("it is a branch: it moves by itself");
    sandbox.forge("bump tool").succeeds().says(new);
    sandbox.forge("outdated --exit-code").succeeds().says("nothing is outdated; branches");
}

#[test]
fn the_habits_of_taskfiles_work() {
    let sandbox = Sandbox::with_store();
    serve(&sandbox, "downloads", "tool-v1.0.0.tar tool-v1.3.0.tar tool-v2.0.0.tar");
    let server = Server::serve(&sandbox.beside("web"));
    let sandbox = sandbox.spec("tool", "v1.0.0", &SPEC_OF_PAGE.replace("URL", &server.url()));
    sandbox.forge("bump:all --major no").succeeds();
    assert!(sandbox.read("versions.yml").contains("tool: v1.3.0"));
    sandbox.forge("tool:bump v2.0.0 --quiet").succeeds();
    assert!(sandbox.read("versions.yml").contains("tool: v2.0.0"));
    sandbox.forge("explain tool").succeeds().says(&format!("newer from     {}", server.url()));
}

#[test]
fn asking_a_server_that_falls_silent_can_be_stopped() {
    let sandbox = Sandbox::with_store();
    serve(&sandbox, "downloads", "tool-v1.0.0.tar tool-v1.3.0.tar");
    let server = Server::serve(&sandbox.beside("web"));
    server.always_fail("/downloads", Fault::StallAfter(3));
    let sandbox = sandbox.spec("tool", "v1.0.0", &SPEC_OF_PAGE.replace("URL", &server.url()));
    let child = sandbox.forge("bump tool").start();
    wait_until("it asks", || !server.requests().is_empty());
    let asked = std::time::Instant::now();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(asked.elapsed().as_secs() < 10);
    assert!(String::from_utf8_lossy(&output.stderr).contains("asking upstream was stopped"));
    assert!(sandbox.read("versions.yml").contains("v1.0.0"));
}

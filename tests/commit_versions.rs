//! Releases whose versions follow from commits: claimed at the remote, in clones of every kind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    Invocation, Sandbox, git,
    github::{GitHub, Role},
    is_here,
};

const SPEC: &str = "\
source: { path: code/api, also: [shared/proto] }
build:
  run: |
    printf '#!/bin/sh\\necho %s\\n' '{{ version }}' > '{{ out }}/api'
    chmod +x '{{ out }}/api'
";

/// A component that shares code with others, in a repository with a remote beside it.
fn api() -> Sandbox {
    let sandbox = Sandbox::with_store()
        .file("subsystems/api.yml", SPEC)
        .file("code/api/text", "one\n")
        .file("shared/proto/api.proto", "one\n")
        .file("shared/docs/words", "one\n")
        .file(".gitignore", ".forge/\n");
    let scheme = "versions:\n  api: { scheme: commits, first: 0.1.0, channels: { dev: dev } }\n";
    let manifest = sandbox.read("versions.yml").replace("versions:\n", scheme);
    sandbox.write("versions.yml", &manifest);
    let origin = sandbox.beside("origin.git");
    git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
    git(
        sandbox.root().parent().expect("a parent"),
        &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"],
    );
    git(&sandbox.root(), &["remote", "add", "origin", origin.to_str().expect("a path")]);
    commit(&sandbox, "code/api/text", "feat(api): answers");
    sandbox
}

/// A commit that touches `path`, pushed.
fn commit(sandbox: &Sandbox, path: &str, message: &str) {
    sandbox.write(path, message);
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", message]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD"]);
}

fn tags(sandbox: &Sandbox) -> String {
    git(&sandbox.beside("origin.git"), &["tag"]).replace('\n', " ")
}

/// In the workflow of a pull request to `base` with these labels, or a push to it without.
fn in_actions(sandbox: &Sandbox, forge: Invocation, event: &str, labels: &[&str]) -> Invocation {
    let labels: Vec<_> = labels.iter().map(|name| serde_json::json!({ "name": name })).collect();
    let document = match event {
        "push" => serde_json::json!({"repository": {"default_branch": "main"}}),
        _ => serde_json::json!({"pull_request": {"number": 7, "labels": labels}}),
    };
    let file = sandbox.beside("event.json");
    fs::write(&file, document.to_string()).expect("the event");
    let forge = forge.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", event);
    let forge = forge.env("GITHUB_EVENT_PATH", file).env("GITHUB_RUN_ID", "1");
    match event {
        "push" => forge.env("GITHUB_REF", "refs/heads/main"),
        _ => forge.env("GITHUB_REF", "refs/pull/7/merge").env("GITHUB_BASE_REF", "main"),
    }
}

#[test]
fn a_release_gets_the_version_that_its_commits_ask_for() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    let run = sandbox.forge("version:next api").succeeds();
    assert_eq!(run.stdout(), "0.1.0\n");
    run.says("api 0.1.0: minor: `feat(api): answers`");
    sandbox.forge("release:binary api").succeeds().says("api 0.1.0: minor");
    assert_eq!((sandbox.run_binary("api"), tags(&sandbox)), ("0.1.0\n".into(), "api-0.1.0".into()));
    // Asked again, what is released is released.
    sandbox.forge("release:binary api").succeeds().says("this commit is it already");
    commit(&sandbox, "shared/docs/words", "feat: words of nobody");
    let run = sandbox.forge("release:binary api").succeeds();
    run.says("api is not released: no commit touches it since 0.1.0");
    let json = sandbox.forge("release:binary api --json").succeeds().json();
    assert_eq!(json["nothing_to_release"][0]["name"], "api");
    // Shared code counts as its own does.
    commit(&sandbox, "shared/proto/api.proto", "fix(proto): a field");
    sandbox.write("shared/proto/api.proto", "not committed");
    let run = sandbox.forge("release:binary api").exits(2);
    run.says("its code is not committed").says("shared/proto/api.proto");
    git(&sandbox.root(), &["checkout", "--quiet", "--", "."]);
    sandbox.forge("release:binary api --bump skip").succeeds().says("`--bump skip` forbids");
    sandbox.forge("release:binary api").succeeds().says("patch: `fix(proto): a field`");
    sandbox.forge("release:binary api --bump major").succeeds();
    assert_eq!(tags(&sandbox), "api-0.1.0 api-0.1.1 api-1.0.0");
    assert_eq!(sandbox.run_binary("api"), "1.0.0\n");
    // Its spec says how it is built.
    commit(&sandbox, "subsystems/api.yml", &format!("# Words\n{SPEC}"));
    sandbox.forge("version:next api").succeeds().says("none of which is to be released");
    sandbox.forge("version:next api --bump mjor").exits(2).says("did you mean `major`?");
}

#[test]
fn labels_of_the_pull_request_have_a_say_and_proposals_claim_nothing() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    sandbox.forge("version:next api --claim").succeeds();
    commit(&sandbox, "code/api/text", "fix(api): answers");
    let ask = |words: &str, event: &str, labels: &[&str]| {
        in_actions(&sandbox, sandbox.forge(words), event, labels)
    };
    let next = |labels: &[&str]| ask("version:next api", "pull_request", labels).run();
    assert_eq!(next(&[]).stdout(), "0.1.1\n");
    assert_eq!(next(&["bug", "release:minor"]).stdout(), "0.2.0\n");
    next(&["release:minor"]).says("the label `release:minor` asks for a minor release");
    let run = next(&["release:skip"]);
    run.says("api nothing to release: the label `release:skip` forbids a release");
    assert_eq!((run.stdout().as_str(), run.code()), ("", Some(0)));
    next(&["release:skip", "release:major"]).says("has the labels `release:major` and");
    // The flag is heard first.
    let run = ask("version:next api --bump patch", "pull_request", &["release:skip"]).succeeds();
    assert_eq!(run.stdout(), "0.1.1\n");
    for words in ["version:next api --claim", "release:binary api"] {
        let run = ask(words, "pull_request", &[]).exits(2);
        run.says("cannot claim a version").says("a `pull_request` run never publishes");
    }
    assert_eq!(tags(&sandbox), "api-0.1.0");
    let json = ask("version:next api --claim --json", "push", &[]).succeeds().json();
    let version = &json["versions"][0];
    assert_eq!((&version["tag"], &version["claimed"]), (&"api-0.1.1".into(), &true.into()));
}

/// A clone of the remote, of some kind.
fn clone(sandbox: &Sandbox, name: &str, words: &[&str]) -> PathBuf {
    let url = format!("file://{}", sandbox.beside("origin.git").display());
    let into = sandbox.beside(name);
    let words = [&["clone", "--quiet"], words, &[&url, into.to_str().expect("a path")]].concat();
    git(&sandbox.root(), &words);
    into
}

#[test]
fn clones_of_every_kind_give_the_same_version_or_say_what_to_fetch() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    sandbox.forge("version:next api --claim").succeeds();
    for n in 0..3 {
        commit(&sandbox, "code/api/text", &format!("fix(api): answer {n}"));
    }
    commit(&sandbox, "code/api/text", "feat(api): answer more");
    commit(&sandbox, "shared/docs/words", "docs: words");
    let ask = |folder: &Path, more: &str| {
        sandbox.forge(&format!("-C {} version:next api{more}", folder.display()))
    };
    let expected = sandbox.forge("version:next api").succeeds().stdout();
    assert_eq!(expected, "0.2.0\n");

    let tagless = clone(&sandbox, "tagless", &["--no-tags"]);
    assert_eq!(ask(&tagless, "").succeeds().stdout(), expected);
    git(&tagless, &["checkout", "--quiet", "--detach"]);
    assert_eq!(ask(&tagless, "").succeeds().stdout(), expected);
    let tree = sandbox.beside("tree");
    git(&sandbox.root(), &["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    assert_eq!(ask(&tree, "").succeeds().stdout(), expected);

    let shallow = clone(&sandbox, "shallow", &["--depth=2", "--no-tags"]);
    let run = ask(&shallow, "").exits(2);
    run.says("this clone does not have all commits since 0.1.0");
    run.says("git fetch --no-tags --unshallow origin +refs/tags/api-0.1.0:refs/tags/api-0.1.0");
    run.says("forge version:next api --fetch");
    assert_eq!(ask(&shallow, " --fetch").succeeds().stdout(), expected);
    assert_eq!(ask(&shallow, "").succeeds().stdout(), expected);
    // Deep enough is enough.
    let deep = clone(&sandbox, "deep", &["--depth=6", "--no-tags"]);
    assert_eq!(ask(&deep, "").succeeds().stdout(), expected);

    // What a pull request is checked out as: main and the proposal, merged, of depth one.
    git(&sandbox.root(), &["checkout", "--quiet", "-b", "proposal"]);
    commit(&sandbox, "code/api/text", "feat(api)!: answer otherwise");
    git(&sandbox.root(), &["checkout", "--quiet", "main"]);
    git(&sandbox.root(), &["merge", "--quiet", "--no-ff", "-m", "merge", "proposal"]);
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD:refs/pull/7/merge"]);
    let pull = clone(&sandbox, "pull", &["--depth=1", "--no-tags", "--no-checkout"]);
    git(&pull, &["fetch", "--quiet", "--depth=1", "origin", "refs/pull/7/merge"]);
    git(&pull, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    let proposed = |more: &str| in_actions(&sandbox, ask(&pull, more), "pull_request", &[]);
    proposed("").exits(2).says("--unshallow");
    assert_eq!(proposed(" --fetch").succeeds().stdout(), "1.0.0\n");
    // Without Actions, nothing says where it is going.
    ask(&pull, "").exits(2).says("cannot tell which branch").says("`--branch main`");
    assert_eq!(ask(&pull, " --branch main").succeeds().stdout(), "1.0.0\n");
    assert_eq!(ask(&pull, " --branch dev").succeeds().stdout(), "1.0.0-dev.1\n");
}

#[test]
fn what_stands_in_the_way_of_a_version_is_told() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    // Tags that look alike are of somebody else.
    let alike = ["api-9", "api-v9.0.0", "api-9.0", "api-x-9.0.0", "apis-9.0.0", "api-9.0.0-r2"];
    for tag in alike {
        git(&sandbox.beside("origin.git"), &["tag", tag, "main"]);
    }
    assert_eq!(sandbox.forge("version:next api").succeeds().stdout(), "0.1.0\n");
    // What a title holds is not obeyed.
    sandbox.write("code/api/text", "shown");
    fs::write(
        sandbox.beside("message"),
        b"feat(api): a\x1b[2J\x1b]0;t\x07\xe2\x80\xae\xc2\x9b2J\n",
    )
    .expect("a message");
    git(&sandbox.root(), &["commit", "--quiet", "-a", "-F", "../message"]);
    for words in ["version:next api", "version:next api --json"] {
        let run = sandbox.forge(words).succeeds();
        let printed = run.stdout() + &run.stderr();
        let is_obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!printed.contains(is_obeyed), "{printed:?}");
        assert!(printed.contains("feat(api): a"), "{printed:?}");
    }
    // A message in whatever encoding.
    fs::write(sandbox.path("code/api/text"), "new").expect("a file");
    fs::write(sandbox.beside("message"), b"feat(api)!: caf\xe9 \xff\n").expect("a message");
    git(&sandbox.root(), &["commit", "--quiet", "-a", "-F", "../message"]);
    sandbox.forge("version:next api").succeeds().says("major: `feat(api)!: caf");
    git(&sandbox.root(), &["remote", "set-url", "origin", "/no/such/remote"]);
    sandbox.forge("version:next api").exits(5).says("cannot read the tags of /no/such/remote");
    assert_eq!(sandbox.forge("version:next api --offline").succeeds().stdout(), "0.1.0\n");
    sandbox.forge("version:next api --offline --claim").exits(2).says("--offline forbids");
    // Without a remote, the repository keeps its tags itself.
    git(&sandbox.root(), &["remote", "remove", "origin"]);
    assert_eq!(sandbox.forge("version:next api --claim").succeeds().stdout(), "0.1.0\n");
    assert_eq!(git(&sandbox.root(), &["tag"]), "api-0.1.0");
    fs::remove_dir_all(sandbox.path(".git")).expect("a repository");
    sandbox.forge("version:next api").exits(2).says("`scheme:` needs a git repository");
}

#[test]
fn tags_that_only_look_like_versions_are_named() {
    if !is_here("git") {
        return;
    }
    for (tag, help) in [
        ("api-v1.2.0", "write `tag: 'api-v{{ version }}'` in subsystems/api.yml"),
        ("api_1.2.0", "write `tag: 'api_{{ version }}'`"),
        ("api/v1.2.0", "tag its commit as `api-1.2.0` too"),
    ] {
        let sandbox = api();
        git(&sandbox.root(), &["tag", "-m", "x", tag]);
        git(&sandbox.root(), &["push", "--quiet", "origin", tag]);
        let told = format!("the tag {tag} looks like a version of api, and counts as none");
        let words =
            ["version:next api", "version:next api --offline", "check", "release:binary api"];
        for words in words {
            let run = sandbox.forge(words).succeeds();
            run.says(&told).says("they are looked for as `api-1.2.0`").says(help);
        }
        // Now there is a version.
        assert!(!sandbox.forge("version:next api").succeeds().stderr().contains("looks like"));
    }
    let sandbox = api();
    let manifest = sandbox.read("versions.yml").replace("first: 0.1.0", "first: v0.1.0");
    sandbox.write("versions.yml", &manifest);
    git(&sandbox.root(), &["tag", "api-1.2.0"]);
    sandbox.forge("check").succeeds().says("write `first: 0.1.0` in its scheme, without the `v`");
    git(&sandbox.root(), &["tag", "api-v1.2.0"]);
    assert!(!sandbox.forge("check").succeeds().stderr().contains("looks like"));
}

#[test]
fn a_tag_that_no_store_takes_is_refused_before_it_is_pushed() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    sandbox.write("subsystems/api.yml", &format!("tag: 'api/v{{{{ version }}}}'\n{SPEC}"));
    for words in ["check", "version:next api --claim", "release:binary api"] {
        let run = sandbox.forge(words).exits(2);
        run.says("`api/v` cannot begin the name of a release: it holds `/`");
        run.says("subsystems/api.yml:1:6").says("write `api-v{{ version }}`");
    }
    assert_eq!(tags(&sandbox), "");
}

#[test]
fn of_100_000_tags_only_the_own_ones_cost_something() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    let commit = git(&sandbox.root(), &["rev-parse", "HEAD"]);
    let line = |n: usize| format!("{commit} refs/tags/other-{}.{}.0\n", n / 1000, n % 1000);
    let own = format!("{commit} refs/tags/api-0.1.0\n{commit} refs/tags/api-0.10.0\n");
    // Sorted, as git writes them.
    let mut lines: Vec<String> = (0..100_000).map(line).collect();
    lines.sort_by(|a, b| a[41..].cmp(&b[41..]));
    let text = format!("# pack-refs with: peeled fully-peeled sorted \n{own}{}", lines.concat());
    let origin = sandbox.beside("origin.git");
    git(&origin, &["update-ref", "refs/heads/kept", &commit]);
    git(&origin, &["pack-refs", "--all"]);
    let packed = fs::read_to_string(origin.join("packed-refs")).expect("the heads");
    let heads: String = packed
        .lines()
        .filter(|line| line.contains("refs/heads"))
        .map(|l| format!("{l}\n"))
        .collect();
    let (head, rest) = text.split_once('\n').expect("lines");
    fs::write(origin.join("packed-refs"), format!("{head}\n{heads}{rest}")).expect("the tags");
    let began = std::time::Instant::now();
    let run = sandbox.forge("version:next api --bump minor").succeeds();
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(run.stdout(), "0.11.0\n");
    eprintln!("version:next among 100,000 tags: {seconds:.2} s");
    assert!(seconds < 20.0, "{seconds}");
}

/// Three releases of `api`: 0.1.0, 0.1.1 and 0.2.0.
fn released() -> Sandbox {
    let sandbox = api();
    sandbox.forge("release:binary api").succeeds();
    commit(&sandbox, "code/api/text", "fix(api): answers\n\nCo-authored-by: Cem <c@d.e>");
    sandbox.forge("release:binary api").succeeds();
    commit(&sandbox, "code/api/text", "feat(api): more answers");
    sandbox.forge("release:binary api").succeeds();
    sandbox
}

#[test]
fn the_history_of_a_subsystem_says_what_was_made_from_what_and_by_whom() {
    if !is_here("git") {
        return;
    }
    let sandbox = released();
    let head = git(&sandbox.root(), &["rev-parse", "HEAD"]);
    let run = sandbox.forge("history api").succeeds();
    run.says("0.2.0").says("0.1.1").says("0.1.0").says(&head[..10]).says("forge:laptop");
    run.says("3 releases in dir:");
    let json = sandbox.forge("api:history --limit 2 --json").succeeds().json();
    let versions = json["versions"].as_array().expect("versions");
    assert_eq!(versions.len(), 2);
    let newest = &versions[0];
    assert_eq!((&newest["version"], &newest["commit"]), (&"0.2.0".into(), &head.as_str().into()));
    let asset = &newest["assets"][0];
    assert_eq!((&asset["commit"], &asset["builder"]), (&head.into(), &"forge:laptop".into()));
    assert_eq!(asset["sha256"].as_str().expect("a digest").len(), 64);
    sandbox.forge("history api --limit 1").succeeds().says("and 2 before them: `--limit 3`");
    sandbox.forge("history apii").exits(2).says("did you mean `api`?");
}

#[test]
fn releases_and_their_tags_are_audited_against_each_other() {
    if !is_here("git") {
        return;
    }
    let sandbox = released();
    let origin = sandbox.beside("origin.git");
    sandbox.forge("release:audit").succeeds().says("all is as it should be");
    git(&origin, &["tag", "-d", "api-0.1.0"]);
    git(&origin, &["tag", "api-0.1.2", "main"]);
    let run = sandbox.forge("release:audit").exits(3);
    run.says("api-0.1.0").says("the remote has no such tag");
    run.says("api-0.1.2").says("the remote has the tag, and there is no release");
    git(&origin, &["tag", "-f", "api-0.1.1", "main"]);
    let run = sandbox.forge("release:audit").exits(4);
    run.says("it was built from").says("the tag is");
    // A remote that nobody may ask says nothing.
    sandbox.forge("release:audit --offline").succeeds();
}

#[test]
fn pre_releases_of_what_is_out_are_the_first_to_go() {
    if !is_here("git") {
        return;
    }
    let sandbox = released();
    git(&sandbox.root(), &["checkout", "--quiet", "-b", "dev"]);
    commit(&sandbox, "code/api/text", "feat(api): even more answers");
    sandbox.forge("release:binary api").succeeds().says("api 0.3.0-dev.1: minor");
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "-m", "chore: the lock"]);
    git(&sandbox.root(), &["checkout", "--quiet", "main"]);
    git(&sandbox.root(), &["reset", "--quiet", "--hard", "dev"]);
    // The same code on main is the release.
    sandbox.forge("release:binary api").succeeds().says("api 0.3.0: minor");
    let run = sandbox.forge("release:prune --keep 3").succeeds();
    run.says("api-0.3.0-dev.1").says("api-0.1.0").says("2 releases in");
    assert!(!run.stdout().contains("api-0.1.1"), "{}", run.stdout());
    // What is young stays.
    let run = sandbox.forge("release:prune --days 30").succeeds();
    run.says("nothing to delete");
    sandbox.forge("release:prune").exits(2).says("--keep");
}

#[test]
fn notes_of_a_component_tell_what_changed_and_what_is_missing_yet() {
    if !is_here("git") {
        return;
    }
    let sandbox = released();
    let head = "repository: https://git.example/o/r\nplatforms: [linux-amd64, windows-arm64]\n";
    sandbox.write("versions.yml", &(head.to_owned() + &sandbox.read("versions.yml")));
    let run = sandbox.forge("release:notes api").succeeds();
    run.says("### Added").says("**api:** more answers").says("Contributors: someone");
    run.says("https://git.example/o/r/compare/api-0.1.1...api-0.2.0").says("| asset | sha256 |");
    run.says("**Not complete yet:** nothing for windows-arm64.");
    let run = sandbox.forge("release:notes api@0.1.1").succeeds();
    run.says("### Fixed").says("Contributors: Cem, someone");
    let json = sandbox.forge("release:notes api@0.1.1 --json").succeeds().json();
    assert_eq!(json["missing"], serde_json::json!(["windows-arm64"]));
    sandbox.forge("release:notes api@9.0.0").exits(2).says("there is no version 9.0.0 of api");
    sandbox.forge("release:notes api --write").exits(2).says("has no pages for notes");
}

#[test]
fn a_release_on_github_gets_its_notes_and_they_are_corrected() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    let github = GitHub::new("acme/stack");
    let manifest = sandbox.read("versions.yml");
    let at = manifest.find("releases:").expect("a store");
    let line = manifest[at..].lines().next().expect("a line").to_owned();
    let platforms = format!(
        "releases: github:acme/stack\nplatforms: [{}, windows-arm64]",
        forge::model::Platform::host()
    );
    sandbox.write("versions.yml", &manifest.replace(&line, &platforms));
    commit(&sandbox, "code/api/text", "feat(api): answers from afar");
    let forge = |words: &str| {
        sandbox
            .forge(words)
            .env("GITHUB_SERVER_URL", github.url())
            .env("GITHUB_API_URL", github.api_url())
            .env("FORGE_GITHUB_TOKEN", github.token(Role::Write))
    };
    forge("release:binary api").succeeds();
    let body = || github.release("api-0.1.0").expect("a release").body.expect("a body");
    assert!(body().contains("answers from afar"), "{}", body());
    assert!(body().contains("**Not complete yet:** nothing for windows-arm64."), "{}", body());
    forge("release:notes api --write").exits(3).says("has nothing for windows-arm64 yet");
    // Then somebody adds what is missing.
    sandbox.write("versions.yml", &sandbox.read("versions.yml").replace(", windows-arm64", ""));
    forge("release:notes api --write").succeeds().says("wrote the notes of api-0.1.0");
    assert!(!body().contains("Not complete"), "{}", body());
}

/// `git` at a time, as the committer's clock and zone have it.
fn git_at(sandbox: &Sandbox, time: &str, words: &[&str]) {
    let words = [&["-c", "user.name=a", "-c", "user.email=a@b.c"], words].concat();
    let mut git = std::process::Command::new("git");
    git.args(words).current_dir(sandbox.root()).env("GIT_COMMITTER_DATE", time);
    assert!(git.env("GIT_AUTHOR_DATE", time).status().expect("git").success());
}

#[test]
fn the_day_of_a_release_is_that_of_its_tag_in_utc() {
    if !is_here("git") {
        return;
    }
    let sandbox = api();
    let times = ["2026-09-16T20:00:00 +0000", "2026-10-01T01:00:00 +1400"];
    for (at, time) in times.into_iter().enumerate() {
        sandbox.write("code/api/text", time);
        git_at(&sandbox, time, &["commit", "--quiet", "-a", "-m", "fix: x"]);
        let tag = format!("api-0.1.{at}");
        match at {
            // Made later than its commit.
            0 => git_at(&sandbox, "2026-09-17T05:22:48 +0000", &["tag", "-m", "x", &tag]),
            // One that does not say when it was made: it is its commit's day, in UTC.
            _ => git_at(&sandbox, time, &["tag", &tag]),
        }
    }
    git(&sandbox.root(), &["push", "--quiet", "origin", "HEAD", "--tags"]);
    let run = sandbox.forge("changelog api").succeeds();
    run.says("## 0.1.0 - 2026-09-17\n").says("## 0.1.1 - 2026-09-30\n");
    // The tags that forge puts do not say either.
    sandbox.write("code/api/text", "new");
    git_at(&sandbox, "2026-10-05T23:59:59 -0100", &["commit", "--quiet", "-a", "-m", "fix: y"]);
    sandbox.forge("release:binary api").succeeds();
    git(&sandbox.root(), &["fetch", "--quiet", "--tags"]);
    sandbox.forge("changelog api").succeeds().says("## 0.1.2 - 2026-10-06\n");
}

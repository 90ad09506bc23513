//! Bundles and releases of the whole project: package:bundle, release:bundle, release:notes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    Invocation, Sandbox, git,
    github::{GitHub, Role},
    is_here, overwrite, sha256,
};

fn commit(sandbox: &Sandbox, message: &str) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "--allow-empty", "-m", message]);
}

fn tag(sandbox: &Sandbox, tag: &str) {
    git(&sandbox.root(), &["tag", tag]);
}

/// Two subsystems, released and locked; committed, without a tag yet.
fn committed(sandbox: Sandbox) -> Sandbox {
    let sandbox = sandbox.head("project: stack").script("hello", "v1.0.0").script("bye", "v2.0.0");
    let sandbox = sandbox.file(".gitignore", ".forge/\n");
    git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
    sandbox.forge("ensure").succeeds();
    commit(&sandbox, "feat: hello and bye");
    sandbox
}

fn here() -> String {
    forge::model::Platform::host().to_string()
}

fn bundle(version: &str) -> String {
    format!("stack-{version}-{}.tar.gz", here())
}

/// Unpacks an archive into a fresh folder, and returns the one folder that was in it.
fn unpacked(sandbox: &Sandbox, archive: &Path) -> PathBuf {
    let into = sandbox.beside("unpacked");
    let _ = fs::remove_dir_all(&into);
    fs::create_dir_all(&into).unwrap();
    let status = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&into).status();
    assert!(status.unwrap().success());
    let entries: Vec<_> = fs::read_dir(&into).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap()
}

#[test]
fn a_bundle_has_every_binary_their_digests_and_the_lock() {
    let sandbox = committed(Sandbox::with_store());
    tag(&sandbox, "v1.0.0");
    let run = sandbox.forge("package:bundle").succeeds();
    let path = sandbox.path(".forge/dist").join(bundle("v1.0.0"));
    let bytes = fs::read(&path).unwrap();
    run.says(&sha256(&bytes)).says(&format!(".forge/dist/{}", bundle("v1.0.0")));
    let sidecar = fs::read_to_string(format!("{}.sha256", path.display())).unwrap();
    assert_eq!(sidecar, format!("{}  {}\n", sha256(&bytes), bundle("v1.0.0")));

    let folder = unpacked(&sandbox, &path);
    assert_eq!(
        folder.file_name().unwrap().to_str().unwrap(),
        &bundle("v1.0.0")[..folder.file_name().unwrap().len()]
    );
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["SHA256SUMS", "bye", "forge.lock", "hello"]);
    if is_here("sha256sum") {
        let mut check = Command::new("sha256sum");
        check.args(["--check", "--strict", "SHA256SUMS"]).current_dir(&folder);
        assert!(check.status().unwrap().success());
    }
    assert_eq!(fs::read_to_string(folder.join("forge.lock")).unwrap(), sandbox.read("forge.lock"));
    let said = Command::new(folder.join("hello")).output().unwrap().stdout;
    assert_eq!(String::from_utf8(said).unwrap(), "hello v1.0.0\n");

    // The same bytes elsewhere, and nothing is built for it.
    let clone = sandbox.clone_fresh();
    clone.forge("package:bundle").exits(4).says("it is not installed").says("forge ensure");
    clone.forge("ensure").succeeds();
    let json = clone.forge("package:bundle --into out --json").succeeds().json();
    assert_eq!(json["bundles"][0]["sha256"], sha256(&bytes).as_str());
    assert_eq!(fs::read(clone.path("out").join(bundle("v1.0.0"))).unwrap(), bytes);
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn a_bundle_is_called_after_what_is_checked_out() {
    let sandbox = committed(Sandbox::with_store());
    let version = |sandbox: &Sandbox| {
        let json = sandbox.forge("package:bundle hello --json").succeeds().json();
        json["version"].as_str().unwrap().to_owned()
    };
    let head = git(&sandbox.root(), &["rev-parse", "HEAD"]);
    assert_eq!(version(&sandbox), head[..12]);
    tag(&sandbox, "v0.9.0");
    tag(&sandbox, "v0.10.0");
    tag(&sandbox, "hello-v1.0.0");
    assert_eq!(version(&sandbox), "v0.10.0");
    sandbox.write("new", "x");
    assert_eq!(version(&sandbox), "v0.10.0-changed");
    fs::remove_dir_all(sandbox.path(".git")).unwrap();
    assert_eq!(version(&sandbox), "untracked");
}

#[test]
fn what_was_tampered_with_is_in_no_bundle() {
    let sandbox = committed(Sandbox::with_store());
    overwrite(&sandbox.path(".forge/installed/hello/hello"), b"#!/bin/sh\necho no\n");
    let run = sandbox.forge("package:bundle").exits(4);
    run.says("cannot bundle").says("hello: `hello` was changed");
    assert!(!sandbox.path(".forge/dist").join(bundle("x")).exists());
}

#[test]
fn a_release_of_the_project_is_published_once() {
    let sandbox = committed(Sandbox::with_store());
    tag(&sandbox, "v1.0.0");
    let before = sandbox.listing();
    let run = sandbox.forge("release:bundle v1.0.0 --dry-run").succeeds();
    run.says(&format!("would publish {} as v1.0.0", bundle("v1.0.0")));
    assert_eq!(sandbox.listing(), before);
    let run = sandbox.forge("release:bundle v1.0.0").succeeds();
    run.says(&format!("published {}", bundle("v1.0.0")));
    let published = sandbox.beside("store/v1.0.0").join(bundle("v1.0.0"));
    let bytes = fs::read(&published).unwrap();
    assert!(fs::exists(format!("{}.sha256", published.display())).unwrap());
    assert_eq!(sandbox.builds(), 2);
    let before = sandbox.listing();
    sandbox.forge("release:bundle v1.0.0").succeeds().says("is there already");
    let json = sandbox.forge("release:bundle v1.0.0 --json").succeeds().json();
    assert_eq!((&json["latest"], &json["bundles"][0]["published"]), (&true.into(), &false.into()));
    let store = |listing: &std::collections::BTreeMap<PathBuf, String>| {
        let of_store = listing.iter().filter(|(path, _)| path.starts_with("store/v1.0.0"));
        of_store.map(|(path, what)| (path.clone(), what.clone())).collect::<Vec<_>>()
    };
    assert_eq!(store(&before), store(&sandbox.listing()));

    // Other bytes stay as they are.
    overwrite(&published, b"others");
    let sum = format!("{}  {}\n", sha256(b"others"), bundle("v1.0.0"));
    overwrite(Path::new(&format!("{}.sha256", published.display())), sum.as_bytes());
    let run = sandbox.forge("release:bundle v1.0.0").exits(4);
    run.says("holds another v1.0.0/").says(&sha256(&bytes)).says(&sha256(b"others"));
    assert_eq!(fs::read(&published).unwrap(), b"others");
}

#[test]
fn only_what_is_tagged_committed_and_locked_is_released() {
    let sandbox = committed(Sandbox::with_store());
    let refused = |words: &str, says: &[&str]| {
        let run = sandbox.forge(&format!("release:bundle {words}")).exits(2);
        for text in says {
            run.says(text);
        }
    };
    refused("hello-v1", &["`hello-v1` is not a version of a project", "v1.2.0"]);
    refused("v1.0.0", &["there is no tag `v1.0.0` in this clone", "git fetch --tags"]);
    tag(&sandbox, "v1.0.0");
    refused("v1.0.1", &["did you mean `v1.0.0`?"]);
    refused("v1.0.0 --no-publish", &["--no-publish forbids it"]);
    sandbox.write("new", "x");
    refused("v1.0.0", &["what is here is not what was tagged: new changed", "git stash -u"]);
    commit(&sandbox, "fix: new");
    refused("v1.0.0", &["v1.0.0 is ", "git switch --detach v1.0.0"]);
    tag(&sandbox, "v1.0.1");
    // The lock forgets one.
    let lock = sandbox.read("forge.lock");
    let kept = lock.split("hello:").next().unwrap();
    sandbox.write("forge.lock", kept);
    commit(&sandbox, "fix: forget");
    tag(&sandbox, "v1.0.2");
    refused("v1.0.2", &["cannot release what is not locked", "no hello v1.0.0", "release:all"]);
    assert!(!sandbox.beside("store/v1.0.2").exists());
    let mut private = sandbox.clone_fresh();
    private.without_store();
    private.forge("ensure").succeeds();
    commit(&private, "chore: no store");
    tag(&private, "v1.0.3");
    private.forge("release:bundle v1.0.3").exits(2).says("not locked");
}

#[test]
fn notes_tell_commits_by_kind_and_components_that_changed() {
    let mut sandbox = committed(Sandbox::with_store());
    let first = sandbox.forge("release:notes").succeeds().stdout();
    assert!(first.contains("## Added") && first.contains("The first release."), "{first}");
    tag(&sandbox, "v1.9.0");
    commit(&sandbox, "fix(cli): say less");
    sandbox.bump("hello", "v1.1.0");
    commit(&sandbox, "feat!: a new hello\n\nBREAKING CHANGE: hello greets\ndifferently");
    commit(&sandbox, "ci: faster");
    tag(&sandbox, "v1.10.0-rc.1");
    commit(&sandbox, "Plain words");
    tag(&sandbox, "v1.10.0");
    tag(&sandbox, "hello-v9.0.0");
    let hide = |text: &str| {
        let mut shown = String::new();
        for (at, piece) in text.split(" (").enumerate() {
            let hash = piece.split(')').next().unwrap_or_default();
            let is_hash = hash.len() == 10 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            shown.push_str(if at > 0 { " (" } else { "" });
            shown.push_str(&if is_hash { piece.replacen(hash, "HASH", 1) } else { piece.into() });
        }
        shown
    };
    let text = sandbox.forge("release:notes").succeeds().stdout();
    insta::assert_snapshot!(hide(&text), @r"
    ## Breaking changes

    - hello greets differently (HASH)

    ## Changed

    - Plain words (HASH)

    ## Fixed

    - **cli:** say less (HASH)

    And 1 commit of upkeep.

    ## Components

    | component | before | now |
    |---|---|---|
    | hello | v1.0.0 | v1.1.0 |

    Contributors: someone

    All changes since v1.9.0.
    ");
    assert_eq!(sandbox.forge("release:notes v1.10.0").succeeds().stdout(), text);
    let candidate = sandbox.forge("release:notes v1.10.0-rc.1 --json").succeeds().json();
    assert_eq!(candidate["since"], "v1.9.0");
    commit(&sandbox, "feat: later");
    let unreleased = sandbox.forge("release:notes").succeeds().stdout();
    assert!(unreleased.contains("later") && !unreleased.contains("Plain"), "{unreleased}");
    sandbox.forge("release:notes v3").exits(2).says("there is no tag `v3`");

    let shallow = sandbox.beside("shallow");
    let url = format!("file://{}", sandbox.root().display());
    git(&sandbox.beside("."), &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let run = sandbox.forge("release:notes").within(&shallow).exits(2);
    run.says("only the last commits").says("fetch-depth: 0");
}

/// forge that speaks to the stand-in.
fn with(github: &GitHub, invocation: Invocation) -> Invocation {
    invocation
        .env("GITHUB_SERVER_URL", github.url())
        .env("GITHUB_API_URL", github.api_url())
        .env("FORGE_GITHUB_TOKEN", github.token(Role::Write))
}

#[test]
fn on_github_the_highest_stable_version_is_the_latest_and_has_notes() {
    let github = GitHub::new("acme/stack");
    let sandbox = Sandbox::new().head("project: stack\nreleases: github:acme/stack");
    let sandbox = sandbox.script("hello", "v1.0.0").file(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    with(&github, sandbox.forge("release:all")).succeeds();
    commit(&sandbox, "feat: hello");
    tag(&sandbox, "v1.0.0");
    git(&sandbox.beside("."), &["init", "--quiet", "--bare", "origin"]);
    git(&root, &["remote", "add", "origin", &sandbox.beside("origin").display().to_string()]);
    let run = with(&github, sandbox.forge("release:bundle v1.0.0")).exits(2);
    run.says("the remote `origin` does not have that tag").says("git push origin v1.0.0");
    assert!(github.release("v1.0.0").is_none());

    let release = |version: &str, message: &str| {
        commit(&sandbox, message);
        git(&root, &["tag", "--force", version]);
        git(&root, &["push", "--quiet", "--force", "origin", "main", version]);
        let run = with(&github, sandbox.forge(&format!("release:bundle {version}"))).succeeds();
        run.says(&format!("published {}", bundle(version)));
        github.release(version).unwrap()
    };
    let made = release("v1.10.0", "fix: it");
    assert!(!made.draft && made.body.unwrap().contains("## Fixed\n\n- it ("));
    assert_eq!(github.latest().unwrap().tag, "v1.10.0");
    release("v1.9.1", "fix: the old line too");
    assert_eq!(github.latest().unwrap().tag, "v1.10.0");
    release("v2.0.0-rc.1", "feat: soon");
    assert_eq!(github.latest().unwrap().tag, "v1.10.0");
    release("v2.0.0", "feat: now");
    assert_eq!(github.latest().unwrap().tag, "v2.0.0");
    let (uploads, creates) = (github.uploads(), github.creates());
    let run = with(&github, sandbox.forge("release:bundle v2.0.0")).succeeds();
    run.says("is there already");
    assert_eq!((github.uploads(), github.creates() - creates <= 1), (uploads, true));
    assert_eq!(github.releases().iter().filter(|release| release.tag == "v2.0.0").count(), 1);

    // A pull request never publishes.
    let run = with(&github, sandbox.forge("release:bundle v2.0.0"))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "pull_request")
        .exits(2);
    run.says("cannot change the releases").says("pull_request");
}

const TWO: &str = "platforms: [linux-amd64, linux-arm64]";

#[test]
fn bundles_of_several_platforms_are_one_release_and_partial_success_is_a_state() {
    let sandbox = committed(Sandbox::with_store().head(TWO));
    sandbox.forge("ensure --all-platforms").succeeds();
    commit(&sandbox, "chore: lock all platforms");
    tag(&sandbox, "v1.0.0");
    let folder = sandbox.beside("store/v1.0.0");
    let arm = folder.join("stack-v1.0.0-linux-arm64.tar.gz");
    sandbox.forge("release:bundle v1.0.0 --platform linux-arm64").succeeds();
    overwrite(&arm, b"others");
    let sum = format!("{}  stack-v1.0.0-linux-arm64.tar.gz\n", sha256(b"others"));
    overwrite(&folder.join("stack-v1.0.0-linux-arm64.tar.gz.sha256"), sum.as_bytes());
    let run = sandbox.forge("release:bundle v1.0.0 --all-platforms").exits(3);
    run.says("published stack-v1.0.0-linux-amd64.tar.gz").says("holds another v1.0.0/");
    run.says("stack-v1.0.0-linux-arm64.tar.gz is not published");
    fs::remove_dir_all(&folder).unwrap();
    sandbox.forge("release:bundle v1.0.0 --all-platforms").succeeds();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
}

#[test]
fn where_releases_are_immutable_the_last_bundle_publishes_it() {
    let github = GitHub::new("acme/stack");
    github.make_immutable();
    let head = format!("project: stack\nreleases: github:acme/stack\n{TWO}");
    let sandbox = Sandbox::new().head(&head).script("hello", "v1.0.0");
    let sandbox = sandbox.file(".gitignore", ".forge/\n");
    git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
    // Whether releases are immutable, only an administrator may ask.
    let with = |forge| with(&github, forge).env("FORGE_GITHUB_TOKEN", github.token(Role::Admin));
    with(sandbox.forge("release:all --all-platforms")).succeeds();
    commit(&sandbox, "feat: hello");
    tag(&sandbox, "v1.0.0");
    let release = |platform: &str| {
        let words = format!("release:bundle v1.0.0 --platform {platform}");
        with(sandbox.forge(&words)).succeeds()
    };
    release("linux-arm64").says("stays a draft until it has stack-v1.0.0-linux-amd64.tar.gz");
    assert!(github.release("v1.0.0").unwrap().draft);
    release("linux-amd64").keeps_quiet_about("draft");
    let made = github.release("v1.0.0").unwrap();
    assert!(!made.draft && made.immutable);
    assert_eq!(made.asset_names().len(), 4);
    assert_eq!(github.latest().unwrap().tag, "v1.0.0");
}

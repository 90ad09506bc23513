//! The verbs about releases as a whole: release:list, release:wait, release:prune.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use crate::support::{
    Invocation, Mount, Sandbox,
    github::{Fault, GitHub, NewRelease, Operation, Role},
    overwrite, sha256,
};

/// A release in the folder `store`: assets with their checksums.
fn release(sandbox: &Sandbox, tag: &str, assets: &[&str]) {
    let folder = sandbox.beside("store").join(tag);
    fs::create_dir_all(&folder).unwrap();
    for asset in assets {
        // The checksum first, so that who looks meanwhile sees no asset without one.
        let line = format!("{}  {asset}\n", sha256(tag.as_bytes()));
        fs::write(folder.join(format!("{asset}.sha256")), line).unwrap();
        fs::write(folder.join(asset), tag).unwrap();
    }
}

fn here() -> String {
    forge::model::Platform::host().to_string()
}

/// Two platforms, this machine's and another one, and two subsystems.
fn workspace() -> Sandbox {
    let platforms = format!("platforms: [{}, windows-arm64]", here());
    Sandbox::with_store().head(&platforms).script("hello", "v1.10.0").script("bye", "v2.0.0")
}

/// Text without what differs from day to day and machine to machine.
fn plain(sandbox: &Sandbox, text: &str) -> String {
    let text = text.replace(&sandbox.beside("store").display().to_string(), "STORE");
    let text = text.replace(&here(), "linux-amd64");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    text.replace(&today, "TODAY")
}

fn tags(store: &Path) -> Vec<String> {
    let entries = fs::read_dir(store).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut tags: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    tags.sort();
    tags
}

#[test]
fn the_list_shows_each_subsystems_releases_the_newest_first() {
    let sandbox = workspace();
    let asset = format!("hello-{}.tar.gz", here());
    for tag in ["hello-v1.10.0", "hello-v1.9.0", "hello-v1.10.0-r2", "v1.0.0", "other-v1"] {
        release(&sandbox, tag, &[&asset]);
    }
    release(&sandbox, "hello-v1.2.0", &[&asset, "hello-windows-arm64.tar.gz"]);
    let run = sandbox.forge("release:list").succeeds();
    insta::assert_snapshot!(plain(&sandbox, &run.stdout()), @r"
    subsystem  version     platforms                   size  published
    bye        v2.0.0      not released
    hello      v1.10.0 r2  1 of 2, not windows-arm64  107 B  TODAY  pinned
    hello      v1.10.0     1 of 2, not windows-arm64  104 B  TODAY  pinned
    hello      v1.9.0      1 of 2, not windows-arm64  103 B  TODAY
    hello      v1.2.0      2 of 2                     208 B  TODAY

    4 releases in dir:STORE, 522 B
    ");
    let json = sandbox.forge("release:list hello --json").succeeds().json();
    assert_eq!(json["subsystems"].as_array().unwrap().len(), 1);
    let first = &json["subsystems"][0]["releases"][0];
    assert_eq!(first["tag"], "hello-v1.10.0-r2");
    assert_eq!((&first["version"], &first["revision"]), (&"v1.10.0".into(), &2.into()));
    assert_eq!(first["missing"], serde_json::json!(["windows-arm64"]));
    assert_eq!(first["pinned"], true);
    assert_eq!(json["other_tags"], serde_json::json!(["other-v1", "v1.0.0"]));
    // As Taskfile users type it.
    let habit = sandbox.forge("hello:release:list --json").succeeds().json();
    assert_eq!(habit, json);
}

#[test]
fn waiting_ends_when_every_platform_is_there_with_its_checksum() {
    let sandbox = workspace();
    let mut waiting = sandbox.forge("release:wait hello --timeout 60s --json").start();
    let mut told = BufReader::new(waiting.stderr.take().unwrap()).lines().map(Result::unwrap);
    let (ours, other) = (format!("hello-{}.tar.gz", here()), "hello-windows-arm64.tar.gz");
    assert_eq!(told.next().unwrap(), "waiting: there is no release hello-v1.10.0");
    release(&sandbox, "hello-v1.10.0", &[&ours]);
    let lacks = |line: &String| line.contains("hello-v1.10.0 has no hello-windows-arm64.tar.gz");
    // The folder may be seen before the files in it.
    assert!(told.by_ref().take(2).any(|line| lacks(&line)));
    release(&sandbox, "hello-v1.10.0", &[&ours, other]);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(told.all(|line| lacks(&line)));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["complete"], &json["missing"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn waiting_in_vain_names_what_is_missing() {
    let sandbox = workspace();
    let asset = format!("hello-{}.tar.gz", here());
    release(&sandbox, "hello-v1.10.0", &[&asset, "hello-windows-arm64.tar.gz"]);
    sandbox.forge("release:wait hello").succeeds().says("1 release is complete");
    let sum = sandbox.beside("store/hello-v1.10.0/hello-windows-arm64.tar.gz.sha256");
    fs::remove_file(sum).unwrap();
    let began = Instant::now();
    let run = sandbox.forge("release:wait hello bye --timeout 1s").exits(124);
    assert!(began.elapsed() < Duration::from_secs(10));
    let text = run.stderr();
    let number = text.find(" after ").map(|at| &text[at..at + " after 1.0 s".len()]).unwrap();
    insta::assert_snapshot!(text.replace(number, " after TIME"), @r"
    waiting: there is no release bye-v2.0.0; hello-v1.10.0 has no hello-windows-arm64.tar.gz.sha256
    error: bye-v2.0.0 and hello-v1.10.0 are not complete after TIME
      because: there is no release bye-v2.0.0
      because: hello-v1.10.0 has no hello-windows-arm64.tar.gz.sha256
      help: look at the runs that publish them; `forge release:list` shows what is there
    ");
    let run = sandbox.forge("release:wait --timeout 1s --json").exits(124);
    let files: Vec<_> = run.json()["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| (gap["tag"].clone(), gap["file"].clone()))
        .collect();
    assert_eq!(
        files,
        [
            ("bye-v2.0.0".into(), serde_json::Value::Null),
            ("hello-v1.10.0".into(), "hello-windows-arm64.tar.gz.sha256".into()),
        ]
    );
    sandbox.forge("release:wait --timeout soon").exits(2).says("such as `90s`");
}

#[test]
fn a_moving_ref_has_to_be_locked_to_be_waited_for() {
    let spec = "source: { git: https://127.0.0.1:9/x.git }\nbuild: { run: 'true' }\n";
    let sandbox = Sandbox::with_store().spec("tool", "main", spec);
    let run = sandbox.forge("release:wait").exits(2);
    run.says("`main` of tool is a moving ref").says("forge lock");
}

#[test]
fn pruning_lists_first_and_deletes_only_when_told() {
    let sandbox = workspace();
    let store = sandbox.beside("store");
    let all = [
        "bye-v1.0.0",
        "bye-v2.0.0",
        "hello-v1.10.0",
        "hello-v1.2.0",
        "hello-v1.9.0",
        "hello-v2.0.0-rc.1",
        "other-v1.0.0",
        "v1.0.0",
    ];
    for tag in all {
        release(&sandbox, tag, &["hello-linux-amd64.tar.gz"]);
    }
    let run = sandbox.forge("release:prune --keep 1").succeeds();
    insta::assert_snapshot!(plain(&sandbox, &run.stdout()), @r"
    would go       size  published
    bye-v1.0.0    101 B  TODAY
    hello-v1.2.0  103 B  TODAY
    hello-v1.9.0  103 B  TODAY

    3 releases in dir:STORE, 307 B; with --yes they are deleted, for good
    ");
    sandbox.forge("release:prune --keep 1 --yes --dry-run").succeeds();
    sandbox.forge("release:prune --keep 9 --yes").succeeds().says("nothing to delete");
    sandbox.forge("release:prune --keep 0").exits(2);
    sandbox.forge("release:prune").exits(2).says("--keep");
    assert_eq!(tags(&store), all);

    let run = sandbox.forge("release:prune --keep 1 --yes hello").succeeds();
    insta::assert_snapshot!(plain(&sandbox, &run.stdout()), @r"
    deleted hello-v1.2.0
    deleted hello-v1.9.0
    2 deleted from dir:STORE, 206 B
    ");
    let left = [
        "bye-v1.0.0",
        "bye-v2.0.0",
        "hello-v1.10.0",
        "hello-v2.0.0-rc.1",
        "other-v1.0.0",
        "v1.0.0",
    ];
    assert_eq!(tags(&store), left);
    let json = sandbox.forge("release:prune --keep 1 --yes --json").succeeds().json();
    assert_eq!(json["releases"][0]["tag"], "bye-v1.0.0");
    assert_eq!(json["releases"][0]["deleted"], true);
}

#[test]
fn what_is_locked_stays_after_the_pin_moved_on() {
    let mut sandbox = Sandbox::with_store().script("hello", "v1.0.0");
    sandbox.forge("ensure").succeeds();
    sandbox.bump("hello", "v3.0.0");
    for tag in ["hello-v0.9.0", "hello-v2.0.0", "hello-v3.0.0"] {
        release(&sandbox, tag, &["hello-linux-amd64.tar.gz"]);
    }
    sandbox.forge("release:prune --keep 1 --yes").succeeds();
    assert_eq!(tags(&sandbox.beside("store")), ["hello-v1.0.0", "hello-v3.0.0"]);
}

#[test]
fn what_cannot_be_deleted_is_told_and_running_again_goes_on() {
    let sandbox = workspace();
    let store = sandbox.beside("store");
    for tag in ["bye-v1.0.0", "bye-v2.0.0", "hello-v1.0.0", "hello-v1.10.0"] {
        release(&sandbox, tag, &["hello-linux-amd64.tar.gz"]);
    }
    // What is mounted cannot be moved away.
    let Some(mount) = Mount::small(&store.join("bye-v1.0.0"), 64) else { return };
    let run = sandbox.forge("release:prune --keep 1 --yes").exits(3);
    run.says("cannot remove bye-v1.0.0").says("deleted hello-v1.0.0");
    run.says("1 could not be: run it again to go on");
    assert_eq!(tags(&store), ["bye-v1.0.0", "bye-v2.0.0", "hello-v1.10.0"]);
    let json = sandbox.forge("release:prune --keep 1 --yes --json").exits(3).json();
    assert_eq!(json["releases"][0]["deleted"], false);
    assert!(json["releases"][0]["fault"].as_str().unwrap().contains("bye-v1.0.0"));
    drop(mount);
    sandbox.forge("release:prune --keep 1 --yes").succeeds().says("deleted bye-v1.0.0");
    assert_eq!(tags(&store), ["bye-v2.0.0", "hello-v1.10.0"]);
}

#[test]
fn what_was_published_is_clean_and_what_was_changed_is_found() {
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0");
    sandbox.forge("ensure").succeeds();
    sandbox.forge("release:audit").succeeds().says("1 release in").says("all is as it should be");
    sandbox.forge("release:audit --deep").succeeds();

    let asset = sandbox.asset("hello-v1.0.0");
    let sum = asset.with_file_name(format!("{}.sha256", asset.file_name().unwrap().display()));
    let (good, good_sum) = (fs::read(&asset).unwrap(), fs::read_to_string(&sum).unwrap());
    // A byte differs: only who reads the bytes can know.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    overwrite(&asset, &bad);
    sandbox.forge("release:audit").succeeds();
    let run = sandbox.forge("release:audit --deep").exits(4);
    run.says(&sha256(&bad)).says(&sha256(&good)).says("forge.lock says").says("2 wrong");
    overwrite(&asset, &good[..10]);
    sandbox.forge("release:audit").exits(4).says("it has 10 bytes");
    overwrite(&asset, &good);

    overwrite(&sum, good_sum.replace(&sha256(&good), &sha256(b"x")).as_bytes());
    let json = sandbox.forge("release:audit --json").exits(4).json();
    assert_eq!((&json["ok"], &json["findings"][0]["weight"]), (&false.into(), &"wrong".into()));
    overwrite(&sum, b"garbage\n");
    sandbox.forge("release:audit").exits(3).says("its checksum cannot be used");
    fs::remove_file(&sum).unwrap();
    sandbox.forge("release:audit").exits(3).says("no checksum stands beside it");
    fs::remove_dir_all(asset.parent().unwrap()).unwrap();
    sandbox.forge("release:audit").exits(3).says("forge.lock has it, the store has not");
}

#[test]
fn an_audit_tells_all_at_once() {
    let sandbox = workspace();
    let asset = format!("hello-{}.tar.gz", here());
    release(&sandbox, "hello-v1.10.0", &[&asset]);
    release(&sandbox, "hello-v1.9.0", &[&asset, "hello-windows-arm64.tar.gz"]);
    let old = sandbox.beside("store/hello-v1.9.0");
    fs::write(old.join("notes.txt"), "x").unwrap();
    fs::remove_file(old.join("hello-windows-arm64.tar.gz.sha256")).unwrap();
    let run = sandbox.forge("release:audit").exits(3);
    insta::assert_snapshot!(plain(&sandbox, &run.stdout()), @r"
             release        file                        what
    missing  hello-v1.10.0                              nothing for windows-arm64
    missing  hello-v1.10.0                              forge.lock has nothing of it
    missing  hello-v1.9.0   hello-windows-arm64.tar.gz  no checksum stands beside it
    note     hello-v1.9.0   notes.txt                   neither an asset nor beside one

    2 releases in dir:STORE audited: 3 missing, 1 noted
    ");
    sandbox.forge("release:audit bye").succeeds();
}

#[test]
fn of_several_revisions_the_latest_is_waited_for_unless_one_is_locked() {
    let sandbox = workspace();
    let (ours, other) = (format!("hello-{}.tar.gz", here()), "hello-windows-arm64.tar.gz");
    release(&sandbox, "hello-v1.10.0", &[&ours]);
    release(&sandbox, "hello-v1.10.0-r2", &[&ours, other]);
    sandbox.forge("release:wait hello --timeout 1s").succeeds();
    release(&sandbox, "hello-v1.10.0-r3", &[other]);
    let run = sandbox.forge("release:wait hello --timeout 1s").exits(124);
    run.says(&format!("hello-v1.10.0-r3 has no {ours}"));
    let digest = "1".repeat(64);
    let asset = format!("{{ sha256: {digest}, size: 1, fingerprint: {digest}, revision: 2 }}");
    let lock = format!("hello:\n  version: v1.10.0\n  assets:\n    {}: {asset}\n", here());
    sandbox.write("forge.lock", &lock);
    sandbox.forge("release:wait hello --timeout 1s").succeeds();
}

/// Releases of two platforms at a GitHub.
fn on_github() -> (GitHub, Sandbox) {
    let github = GitHub::new("acme/stack");
    let head = format!("releases: github:acme/stack\nplatforms: [{}, windows-arm64]", here());
    (github, Sandbox::new().head(&head).script("hello", "v1.10.0"))
}

/// forge that speaks to the stand-in.
fn with(github: &GitHub, invocation: Invocation) -> Invocation {
    invocation
        .env("GITHUB_SERVER_URL", github.url())
        .env("GITHUB_API_URL", github.api_url())
        .env("FORGE_GITHUB_TOKEN", github.token(Role::Write))
}

/// A whole asset with its checksum.
fn whole(release: NewRelease, asset: &str) -> NewRelease {
    let sum = format!("{}  {asset}\n", sha256(asset.as_bytes()));
    release.asset(asset, asset).asset(&format!("{asset}.sha256"), sum)
}

#[test]
fn on_github_releases_are_waited_for_by_their_tag() {
    let (github, sandbox) = on_github();
    for number in 0..250 {
        github.add_release(format!("other-v1.{number}.0").as_str());
    }
    let ours = format!("hello-{}.tar.gz", here());
    let release = whole(NewRelease::tagged("hello-v1.10.0"), &ours);
    github.add_release(whole(release, "hello-windows-arm64.tar.gz"));
    with(&github, sandbox.forge("release:wait")).succeeds().says("1 release is complete");
    let asked = github.requests();
    assert_eq!(github.api_requests(), 0, "{asked:?}");
    assert!(asked.len() <= 11, "{asked:?}");
    let json = with(&github, sandbox.forge("release:list --json")).succeeds().json();
    assert_eq!(json["other_tags"].as_array().unwrap().len(), 250);
    let release = &json["subsystems"][0]["releases"][0];
    assert_eq!((&release["missing"], &release["draft"]), (&serde_json::json!([]), &false.into()));
}

#[test]
fn on_github_a_draft_is_not_there_yet_and_found_by_the_audit() {
    let (github, sandbox) = on_github();
    let ours = format!("hello-{}.tar.gz", here());
    github.add_release(whole(NewRelease::tagged("hello-v1.10.0"), &ours).draft());
    let run = with(&github, sandbox.forge("release:wait --timeout 1s")).exits(124);
    run.says("there is no release hello-v1.10.0").says("because: hello-v1.10.0 is a draft");
    let run = with(&github, sandbox.forge("release:audit")).exits(3);
    run.says("a draft, not published yet").says("nothing for windows-arm64");
    let run = with(&github, sandbox.forge("release:list")).succeeds();
    run.says("pinned, draft");
}

#[test]
fn on_github_pruning_goes_on_where_it_stopped() {
    let (github, sandbox) = on_github();
    for tag in ["hello-v1.8.0", "hello-v1.9.0", "hello-v1.10.0", "hello-v1.11.0", "v1.0.0"] {
        github.add_release(tag);
    }
    let tags = || {
        let mut tags: Vec<_> = github.releases().into_iter().map(|release| release.tag).collect();
        tags.sort();
        tags
    };
    let prune = "release:prune --keep 1 --yes";
    let on_pull_request = with(&github, sandbox.forge(prune))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "pull_request");
    on_pull_request.exits(2).says("cannot change the releases").says("pull_request");
    github.next(Operation::DeleteRelease, Fault::NotAccessible);
    let run = with(&github, sandbox.forge(prune)).exits(3);
    run.says("deleted hello-v1.9.0").says("1 could not be: run it again");
    assert_eq!(tags(), ["hello-v1.10.0", "hello-v1.11.0", "hello-v1.8.0", "v1.0.0"]);
    with(&github, sandbox.forge(prune)).succeeds().says("deleted hello-v1.8.0");
    assert_eq!(tags(), ["hello-v1.10.0", "hello-v1.11.0", "v1.0.0"]);
    assert!(!github.refs().iter().any(|(name, _)| name.ends_with("hello-v1.8.0")));
}

#[test]
fn what_is_no_file_in_a_release_is_passed_over_and_audited() {
    let sandbox = workspace();
    let asset = format!("hello-{}.tar.gz", here());
    release(&sandbox, "hello-v1.10.0", &[&asset]);
    release(&sandbox, "hello-v1.9.0", &[&asset]);
    let folder = sandbox.beside("store/hello-v1.9.0");
    fs::create_dir(folder.join("notes")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status();
    assert!(made.expect("mkfifo").success());
    sandbox.forge("release:list").succeeds().says("v1.9.0").says("2 releases in");
    let audit = sandbox.forge("release:audit").run();
    audit.says("notes/").says("neither an asset nor");
    sandbox.forge("release:prune --keep 1 --yes").succeeds();
    assert!(!folder.exists());
}

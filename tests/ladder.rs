//! How an artifact resolves: fresh, cached, downloaded, upstream, built.

use std::fs;

use crate::support::{Fault, Sandbox, Server, overwrite};

fn two_scripts() -> Sandbox {
    Sandbox::new().script("hello", "v1.0.0").script("bye", "v2.0.0")
}

fn with_store() -> Sandbox {
    Sandbox::with_store().script("hello", "v1.0.0")
}

#[test]
fn a_miss_is_built_installed_and_published() {
    let sandbox = two_scripts();
    let run = sandbox.forge("ensure:all --json").succeeds();
    let document = run.json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["ok"], true);
    for artifact in document["artifacts"].as_array().unwrap() {
        assert_eq!(artifact["how"], "built", "{run}");
        assert_eq!(artifact["published"], true, "{run}");
    }
    assert_eq!(sandbox.run_binary("hello"), "hello v1.0.0\n");
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn what_is_there_is_fresh_and_nothing_runs() {
    let sandbox = two_scripts();
    sandbox.forge("ensure").succeeds();
    for _ in 0..3 {
        sandbox.all_are("fresh");
    }
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn what_was_cleaned_away_is_linked_from_the_cache() {
    let sandbox = two_scripts();
    sandbox.forge("ensure").succeeds();
    sandbox.forge("clean:all").succeeds();
    sandbox.all_are("cached");
    assert_eq!(sandbox.run_binary("bye"), "bye v2.0.0\n");
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn a_fresh_clone_downloads_from_the_store() {
    let sandbox = with_store();
    sandbox.forge("ensure").succeeds();
    let clone = sandbox.clone_fresh();
    clone.all_are("downloaded");
    assert_eq!(clone.run_binary("hello"), "hello v1.0.0\n");
    assert_eq!(sandbox.builds(), 1);
}

#[test]
fn a_plain_http_server_serves_as_a_read_only_store() {
    let sandbox = with_store();
    sandbox.forge("ensure").succeeds();
    let server = Server::serve(&sandbox.beside("store"));
    let mut clone = sandbox.clone_fresh();
    let text = clone.read("versions.yml");
    let first = text.lines().next().unwrap().to_owned();
    clone.write("versions.yml", &text.replace(&first, &format!("releases: {}", server.url())));
    clone.all_are("downloaded");
    assert_eq!(clone.run_binary("hello"), "hello v1.0.0\n");
    clone.bump("hello", "v1.0.0");
    assert!(server.requests().iter().any(|r| r.starts_with("GET /hello-v1.0.0/")));
}

#[test]
fn a_store_in_doubt_is_an_error_and_never_a_miss() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.beside("store")).unwrap();
    let server = Server::serve(&sandbox.beside("store"));
    let sandbox = sandbox.head(&format!("releases: {}", server.url())).script("hello", "v1.0.0");
    server.fail("hello", Fault::Status(403));
    sandbox.forge("ensure").exits(5).says("cannot tell whether hello-v1.0.0 is released");
    assert_eq!(sandbox.builds(), 0);
    sandbox.forge("ensure --offline").succeeds();
    assert_eq!(sandbox.builds(), 1);
}

#[test]
fn another_version_is_another_artifact() {
    let mut sandbox = two_scripts();
    sandbox.forge("ensure").succeeds();
    sandbox.bump("hello", "v1.1.0");
    let hows = sandbox.hows("ensure");
    assert_eq!(hows, [("bye".into(), "fresh".into()), ("hello".into(), "built".into())]);
}

#[test]
fn in_repo_code_that_changed_is_built_again_and_never_published_over() {
    let sandbox = with_store();
    sandbox.forge("ensure").succeeds();
    let asset =
        fs::read_dir(sandbox.beside("store/hello-v1.0.0")).unwrap().next().unwrap().unwrap();
    let before = fs::read(asset.path()).unwrap();
    sandbox.write("code/hello/hello.sh", "#!/bin/sh\necho changed\n");
    let run = sandbox.forge("ensure --json").succeeds();
    assert_eq!(run.json()["artifacts"][0]["how"], "built", "{run}");
    assert_eq!(run.json()["artifacts"][0]["published"], false, "{run}");
    run.says("not released");
    assert_eq!(sandbox.run_binary("hello"), "changed\n");
    assert_eq!(fs::read(asset.path()).unwrap(), before);
    sandbox.all_are("fresh");
}

#[test]
fn build_needs_are_built_first_and_pruned_by_a_hit() {
    let sandbox = Sandbox::new().script("tool", "v1").spec(
        "user",
        "v1",
        "build_needs: [tool]\nbuild:\n  run:\n    - tool > {{ out }}/made\n    - (echo '#!/bin/sh'; sed 's/^/echo /' {{ out }}/made) > {{ out }}/user\n",
    );
    sandbox.forge("ensure user").succeeds();
    assert_eq!(sandbox.run_binary("user"), "tool v1\n");
    sandbox.forge("clean:all").succeeds();
    assert_eq!(sandbox.hows("ensure user"), [("user".into(), "cached".into())]);
    assert!(!sandbox.path(".forge/installed/tool").exists());
}

#[test]
fn a_tampered_binary_is_noticed_named_and_obtained_anew() {
    let sandbox = two_scripts();
    sandbox.forge("ensure").succeeds();
    sandbox.forge("verify").succeeds();
    // A restored hard link shares its bytes with the cache: tampering reaches both.
    overwrite(&sandbox.path(".forge/installed/hello/hello"), b"#!/bin/sh\necho evil\n");
    sandbox.forge("verify").exits(4).says("hello").says("was changed");
    sandbox.forge("ensure").succeeds().says("damaged");
    assert_eq!(sandbox.run_binary("hello"), "hello v1.0.0\n");
    sandbox.forge("verify").succeeds();
}

#[test]
fn what_the_manifest_names_no_longer_is_removed() {
    let sandbox = two_scripts().script("third", "v1");
    sandbox.forge("ensure").succeeds();
    std::fs::remove_file(sandbox.path("subsystems/bye.yml")).unwrap();
    let text = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &text.replace("  bye: v2.0.0\n", ""));
    sandbox.forge("ensure hello").succeeds().keeps_quiet_about("bye");
    assert_eq!(sandbox.run_binary("bye"), "bye v2.0.0\n");
    sandbox.forge("plan").succeeds().says("bye would be removed");
    assert_eq!(sandbox.run_binary("bye"), "bye v2.0.0\n");
    sandbox.forge("ensure").succeeds().says("bye was removed");
    assert!(!sandbox.path(".forge/bin/bye").exists());
    assert!(!sandbox.path(".forge/installed/bye").exists());
    sandbox.forge("ensure").succeeds().keeps_quiet_about("bye");
}

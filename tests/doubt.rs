//! A store in doubt: asked again, resumed, then an error. Never a miss.

use std::{fs, time::Instant};

use crate::support::{Fault, Sandbox, Server, wait_until};

/// A fresh clone whose releases come from an HTTP server.
fn served() -> (Sandbox, Sandbox, Server) {
    let origin = Sandbox::with_store().spec(
        "big",
        "v1",
        "build:\n  run: (echo '#!/bin/sh'; echo 'echo big; exit'; head -c 300000 /dev/urandom) > {{ out }}/big\n",
    );
    origin.forge("ensure").succeeds();
    let server = Server::serve(&origin.beside("store"));
    let mut clone = origin.clone_fresh();
    clone.releases_from(&server.url());
    (origin, clone, server)
}

#[test]
fn what_passes_by_itself_is_asked_again() {
    for fault in [Fault::Status(503), Fault::Status(429), Fault::Status(500), Fault::CutAfter(0)] {
        let (_origin, clone, server) = served();
        server.fail("/big-v1/big-", fault);
        let began = Instant::now();
        clone.all_are("downloaded");
        assert!(began.elapsed().as_secs() < 15, "{fault:?} took {:?}", began.elapsed());
        assert_eq!(clone.run_binary("big"), "big\n");
    }
}

#[test]
fn a_cut_transfer_is_resumed() {
    let (_origin, clone, server) = served();
    // Whatever asks first (the look or the transfer), each is cut once.
    for bytes in [100_000, 50_000, 10] {
        server.fail("tar.gz", Fault::CutAfter(bytes));
    }
    clone.all_are("downloaded");
    assert_eq!(clone.run_binary("big"), "big\n");
    clone.forge("verify").succeeds();
}

#[test]
fn what_does_not_pass_is_an_error_with_its_reason_and_nothing_is_built() {
    for (fault, says) in [
        (Fault::Status(403), "403"),
        (Fault::Status(401), "401"),
        (Fault::Status(429), "429"),
        (Fault::Status(503), "503"),
        (Fault::Html, "a web page instead of the file"),
    ] {
        let (_origin, clone, server) = served();
        fs::remove_file(clone.path("forge.lock")).unwrap();
        server.always_fail("/big-v1/", fault);
        let run = clone.forge("ensure").exits(5);
        run.says(says).says("big-v1");
        assert!(!clone.path(".forge/installed/big").exists(), "{run}");
        assert!(!run.stdout().contains("built"), "{run}");
    }
}

#[test]
fn a_confirmed_absence_is_a_miss() {
    let (_origin, clone, server) = served();
    server.always_fail("/big-v1/", Fault::Status(404));
    fs::remove_file(clone.path("forge.lock")).unwrap();
    clone.all_are("built");
}

#[test]
fn a_second_store_may_help_where_the_first_is_in_doubt() {
    let (origin, mut clone, server) = served();
    server.always_fail("/big-v1/", Fault::Status(503));
    clone.releases_from(&format!("[{}, dir:{}]", server.url(), origin.beside("store").display()));
    let run = clone.forge("ensure --json").succeeds();
    assert_eq!(run.json()["artifacts"][0]["how"], "downloaded", "{run}");
    run.says("503");
}

#[test]
fn a_server_that_nobody_runs_is_named() {
    let sandbox = Sandbox::new().head("releases: http://127.0.0.1:9/x").script("hello", "v1");
    let run = sandbox.forge("ensure").exits(5);
    run.says("127.0.0.1:9").says("cannot tell whether hello-v1 is released");
    assert_eq!(sandbox.builds(), 0);
    sandbox.forge("ensure --offline").succeeds();
}

#[test]
fn a_stopped_run_does_not_wait_for_a_server_that_fell_silent() {
    let (_origin, clone, server) = served();
    server.always_fail("tar.gz", Fault::StallAfter(1000));
    let child = clone.forge("ensure").start();
    wait_until("the transfer began", || {
        server.requests().iter().any(|request| request.ends_with("tar.gz"))
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    let began = Instant::now();
    let status =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(began.elapsed().as_secs() < 5, "it took {:?}", began.elapsed());
    assert!(!clone.path(".forge/installed/big").exists());
    let left = fs::read_dir(clone.path(".forge/state/staging"));
    assert_eq!(left.map_or(0, |entries| entries.flatten().count()), 0);
}

#[test]
fn a_password_in_a_store_url_is_used_and_never_told() {
    const SECRET: &str = "hunter2hunter2";
    let (_origin, mut clone, server) = served();
    let with_password = server.url().replace("http://", &format!("http://me:{SECRET}@"));
    clone.releases_from(&with_password);
    for words in
        ["plan", "explain big", "status", "ensure -v", "ensure --json", "verify --json", "list"]
    {
        clone.forge(words).succeeds().keeps_quiet_about(SECRET);
    }
    assert!(server.authorizations().iter().all(|header| header.starts_with("Basic ")));
    assert!(!server.authorizations().is_empty(), "the password was not used");
    server.always_fail("/new-v1/", Fault::Status(403));
    let clone = clone.script("new", "v1");
    clone.forge("ensure").exits(5).keeps_quiet_about(SECRET);
    for path in clone.listing().into_keys().filter(|path| !path.ends_with("versions.yml")) {
        let bytes = fs::read(clone.beside("").join(&path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET), "{} holds it", path.display());
    }
}

#[test]
fn a_mirror_that_sends_elsewhere_is_followed_without_the_password() {
    let (_origin, mut clone, elsewhere) = served();
    let to: &'static str = elsewhere.url().leak();
    let mirror = Server::serve(&clone.beside("empty"));
    mirror.always_fail("/big-v1/", Fault::MovedTo(to));
    clone.releases_from(&mirror.url().replace("http://", "http://me:hunter2hunter2@"));
    clone.all_are("downloaded");
    assert!(!mirror.authorizations().is_empty());
    assert!(elsewhere.authorizations().is_empty(), "another host got the password");
}

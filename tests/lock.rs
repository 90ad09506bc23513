//! forge.lock: what it pins, and what happens to those who differ.

use std::fs;

use crate::support::{Asset, Sandbox, sha256};

fn published() -> Sandbox {
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0").script("bye", "v2.0.0");
    sandbox.forge("ensure").succeeds();
    sandbox
}

#[test]
fn what_was_published_is_locked_with_its_digest_size_and_fingerprint() {
    let sandbox = published();
    let bytes = fs::read(sandbox.asset("hello-v1.0.0")).unwrap();
    let stamp = Asset::stamp_of(&sandbox.asset("hello-v1.0.0"));
    let fingerprint = stamp.lines().find_map(|line| line.strip_prefix("fingerprint: ")).unwrap();
    let lock = sandbox.read("forge.lock");
    let entry = lock.split("hello:").nth(1).expect("an entry");
    assert!(entry.starts_with("\n  version: v1.0.0\n  assets:\n"), "{lock}");
    assert!(entry.contains(&format!("sha256: {}", sha256(&bytes))), "{lock}");
    assert!(entry.contains(&format!("size: {}", bytes.len())), "{lock}");
    assert!(entry.contains(fingerprint), "{lock}");
    assert!(lock.find("bye:").unwrap() < lock.find("hello:").unwrap(), "it is sorted\n{lock}");
}

#[test]
fn the_private_store_is_not_locked() {
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    assert!(!sandbox.path("forge.lock").exists());
}

#[test]
fn a_lock_that_says_another_digest_stops_the_download_and_builds_nothing() {
    let sandbox = published();
    let clone = sandbox.clone_fresh();
    let good = sandbox.read("forge.lock");
    let bytes = fs::read(sandbox.asset("hello-v1.0.0")).unwrap();
    clone.write("forge.lock", &good.replace(&sha256(&bytes), &"0".repeat(64)));
    let run = clone.forge("ensure").exits(4);
    run.says("hello-v1.0.0").says("forge.lock").says(&sha256(&bytes));
    assert_eq!(sandbox.builds(), 2);
    assert!(!clone.path(".forge/installed/hello").exists());
    assert_eq!(clone.run_binary("bye"), "bye v2.0.0\n");
    // And so does what is installed already, under --locked too.
    sandbox.write("forge.lock", &good.replace(&sha256(&bytes), &"0".repeat(64)));
    sandbox.forge("ensure").exits(4);
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn a_lock_with_garbage_is_a_problem_with_its_place() {
    let sandbox = published();
    let good = sandbox.read("forge.lock");
    for (garbage, says) in [
        (good.replace("sha256: ", "sha257: "), "sha257"),
        (good.replace("version: v1.0.0", "version: [v1.0.0]"), "version"),
        (good.replace("linux-amd64", "linux-amd65"), "linux-amd65"),
        (format!("<<<<<<< ours\n{good}=======\n>>>>>>> theirs\n"), "conflict"),
        (good.replace("hello:", "Hello World:"), "Hello World"),
        ("\0\0\0".to_owned(), "forge.lock"),
        ("just text".to_owned(), "forge.lock"),
        (good[..good.len() - 70].to_owned(), "forge.lock"),
    ] {
        if garbage == good {
            continue; // on another machine than linux-amd64
        }
        sandbox.write("forge.lock", &garbage);
        for verb in ["ensure", "plan", "status", "check", "verify"] {
            let run = sandbox.forge(verb).exits(2);
            run.says(says).says("--> forge.lock:").says("forge.lock is not as forge wrote it");
        }
        assert_eq!(sandbox.read("forge.lock"), garbage, "forge left it as it was");
    }
    assert_eq!(sandbox.builds(), 2);
    fs::remove_file(sandbox.path("forge.lock")).unwrap();
    sandbox.forge("clean:all").succeeds();
    sandbox.forge("ensure").succeeds();
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn locked_takes_nothing_that_is_not_pinned_and_changes_nothing() {
    let sandbox = published();
    let clone = sandbox.clone_fresh();
    clone.forge("ensure --locked").succeeds();
    // Not in the lock: neither downloaded nor written down.
    let clone = sandbox.clone_fresh();
    clone.write("forge.lock", "");
    clone.forge("ensure --locked").exits(4).says("forge.lock has no digest of hello-v1.0.0");
    assert_eq!(clone.read("forge.lock"), "");
    assert!(!clone.path(".forge/bin/hello").exists());
    clone.forge("ensure").succeeds();
    assert_eq!(clone.read("forge.lock"), sandbox.read("forge.lock"));
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn locked_takes_nothing_that_the_lock_does_not_pin_though_it_is_installed_or_cached() {
    let sandbox = published();
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").succeeds();
    clone.forge("ensure --locked").succeeds();
    // The lock is there, and has lost what it said of one.
    let lock = clone.read("forge.lock");
    let (hello, bye) = (lock.find("hello:").unwrap(), lock.find("bye:").unwrap());
    assert!(bye < hello);
    let without = &lock[..hello];
    clone.write("forge.lock", without);
    for lost in ["", ".forge"] {
        if !lost.is_empty() {
            fs::remove_dir_all(clone.path(lost)).unwrap();
        }
        let run = clone.forge("ensure --locked").exits(4);
        run.says("forge.lock has no digest of hello-v1.0.0").says("without --locked");
        assert_eq!(clone.read("forge.lock"), without);
    }
    assert!(!clone.path(".forge/bin/hello").exists());
    // What this machine built from the workspace's own code is pinned by that code.
    assert_eq!(sandbox.builds(), 2);
}

#[test]
fn offline_neither_asks_a_remote_store_nor_fails_for_what_is_at_hand() {
    let mut sandbox = published();
    let lock = sandbox.read("forge.lock");
    // Nobody listens there: to ask would be an error.
    sandbox.releases_from("http://127.0.0.1:9");
    sandbox.forge("clean:all").succeeds();
    sandbox.forge("ensure").exits(0);
    sandbox.forge("clean:all").succeeds();
    fs::remove_dir_all(sandbox.beside("cache")).unwrap();
    sandbox.forge("ensure").exits(5).says("127.0.0.1:9");
    assert_eq!(sandbox.builds(), 2);
    sandbox.forge("ensure --offline").succeeds();
    assert_eq!(sandbox.builds(), 4);
    assert_eq!(sandbox.read("forge.lock"), lock);
}

#[test]
fn force_builds_what_was_named_and_publishes_over_nothing() {
    let sandbox = published();
    let before = fs::read(sandbox.asset("hello-v1.0.0")).unwrap();
    let hows = sandbox.hows("ensure hello --force");
    assert_eq!(hows, [("hello".into(), "built".into())]);
    assert_eq!(sandbox.builds(), 3);
    assert_eq!(fs::read(sandbox.asset("hello-v1.0.0")).unwrap(), before);
    sandbox.all_are("fresh");
}

#[test]
fn a_new_version_replaces_what_was_locked_of_the_old_one() {
    let mut sandbox = published();
    sandbox.bump("hello", "v1.1.0");
    sandbox.forge("ensure").succeeds();
    let lock = sandbox.read("forge.lock");
    assert!(lock.contains("v1.1.0") && !lock.contains("v1.0.0"), "{lock}");
    // The old release is still there, untouched.
    sandbox.asset("hello-v1.0.0");
    sandbox.bump("hello", "v1.0.0");
    let hows = sandbox.hows("ensure");
    assert!(hows[1].1 == "cached" || hows[1].1 == "downloaded", "{hows:?}");
}

#[test]
fn two_stores_are_asked_in_order_and_the_first_is_published_to() {
    let first = published();
    let mut clone = first.clone_fresh();
    let second = clone.beside("second");
    clone.releases_from(&format!(
        "[dir:{}, dir:{}]",
        second.display(),
        first.beside("store").display()
    ));
    clone.all_are("downloaded");
    let clone = clone.script("new", "v1");
    clone.forge("ensure").succeeds();
    assert!(second.join("new-v1").exists());
    assert!(!first.beside("store/new-v1").exists());
}

#[test]
fn locked_without_a_lock_takes_nothing_wherever_it_lies() {
    let sandbox = published();
    sandbox.forge("ensure --locked").succeeds();
    fs::remove_file(sandbox.path("forge.lock")).unwrap();
    // Installed, in the cache, and released.
    for lost in ["", ".forge", "../cache"] {
        if !lost.is_empty() {
            fs::remove_dir_all(sandbox.path(lost)).unwrap();
        }
        for words in ["ensure --locked", "plan --locked"] {
            let run = sandbox.forge(words).exits(4);
            run.says("there is no forge.lock").says("run `forge ensure` without --locked");
        }
    }
    assert!(!sandbox.path(".forge/installed").exists());
    sandbox.forge("ensure").succeeds();
    sandbox.forge("ensure --locked").succeeds();
    // Where nothing is ever locked there is nothing to ask for.
    let own = Sandbox::new().script("hello", "v1");
    own.forge("ensure").succeeds();
    assert!(!own.path("forge.lock").exists());
    own.forge("ensure --locked").succeeds();
}

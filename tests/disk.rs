//! Disks that are full, read-only, or not there.

use std::fs;

use crate::support::{Mount, Sandbox};

/// Builds a binary of a megabyte that does not compress.
const BIG: &str = "build:\n  run: (echo '#!/bin/sh'; echo 'echo big; exit'; head -c 1000000 /dev/urandom) > {{ out }}/big\n";

fn free(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Leaves this many KiB free on a small file system.
fn fill(folder: &std::path::Path, kib: usize, total: usize) {
    fs::write(folder.join("filler"), vec![0u8; (total - kib) << 10]).unwrap();
}

#[test]
fn a_full_workspace_is_one_clear_error_and_loses_nothing() {
    let sandbox = Sandbox::new().script("good", "v1");
    let Some(mount) = Mount::small(&sandbox.path(".forge"), 512) else { return };
    sandbox.forge("ensure").succeeds();
    let sandbox = sandbox.spec("big", "v1", BIG);
    let run = sandbox.forge("ensure").exits(1);
    run.says("cannot build big").says("the disk that holds").says("free some space");
    assert!(!sandbox.path(".forge/installed/big").exists(), "{run}");
    assert_eq!(sandbox.run_binary("good"), "good v1\n");
    sandbox.forge("verify good").succeeds();
    // Once there is room it goes on.
    drop(mount);
    sandbox.forge("ensure").succeeds();
    sandbox.forge("verify").succeeds();
}

#[test]
fn a_full_workspace_also_stops_a_download_without_a_trace() {
    let origin = Sandbox::with_store().spec("big", "v1", BIG);
    origin.forge("ensure").succeeds();
    let clone = origin.clone_fresh();
    {
        let Some(_mount) = Mount::small(&clone.path(".forge"), 512) else { return };
        let run = clone.forge("ensure").exits(1);
        run.says("No space left").says("free some space");
        assert!(!clone.path(".forge/installed/big").exists(), "{run}");
        let staging = clone.path(".forge/state/staging");
        assert_eq!(
            fs::read_dir(staging).map_or(0, |entries| entries.flatten().count()),
            0,
            "{run}"
        );
    }
    clone.all_are("downloaded");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    // Something in its way, nothing there to make, a full one, a read-only one.
    let sandbox = Sandbox::new().script("hello", "v1");
    fs::write(sandbox.beside("cache"), "in the way").unwrap();
    let run = sandbox.forge("ensure").succeeds();
    run.says("warning").says("cache");
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
    sandbox.forge("ensure --json").succeeds();
    sandbox.forge("verify").succeeds();
    fs::remove_file(sandbox.beside("cache")).unwrap();

    let sandbox = Sandbox::new().spec("big", "v1", BIG).script("hello", "v1");
    {
        let Some(_mount) = Mount::small(&sandbox.beside("cache"), 256) else { return };
        let run = sandbox.forge("ensure").succeeds();
        run.says("warning").says("No space left");
        assert_eq!(sandbox.run_binary("big"), "big\n");
        sandbox.forge("verify").succeeds();
        sandbox.forge("ensure").succeeds();
    }
    let sandbox = Sandbox::new().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    sandbox.forge("clean:all").succeeds();
    let sandbox = sandbox.script("more", "v1");
    let Some(_mount) = Mount::read_only(&sandbox.beside("cache")) else { return };
    let run = sandbox.forge("ensure").succeeds();
    run.says("warning").says("Read-only");
    assert_eq!(sandbox.run_binary("more"), "more v1\n");
}

#[test]
fn a_full_store_is_an_error_of_publishing_and_the_binary_is_there() {
    let sandbox = Sandbox::with_store().spec("big", "v1", BIG).script("hello", "v1");
    let mount = Mount::small(&sandbox.beside("store"), 256);
    let Some(mount) = mount else { return };
    fill(&sandbox.beside("store"), 100, 256);
    let run = sandbox.forge("ensure").run();
    assert!(matches!(run.code(), Some(3 | 5)), "{run}");
    run.says("No space left").says("cannot publish");
    assert_eq!(sandbox.run_binary("big"), "big\n");
    assert!(
        !sandbox.beside("store/big-v1/big-linux-amd64.tar.gz").exists(),
        "half an asset\n{run}"
    );
    sandbox.forge("verify").succeeds();
    free(&sandbox.beside("store"));
    drop(mount);
    // What was not published is published by the next run, without building again.
    let document = sandbox.forge("ensure --json").succeeds().json();
    assert_eq!(document["artifacts"][0]["published"], true, "{document}");
    assert_eq!(document["artifacts"][0]["how"], "fresh", "{document}");
}

#[test]
fn a_read_only_store_is_an_error_of_publishing_with_a_way_out() {
    let sandbox = Sandbox::with_store().script("hello", "v1");
    fs::create_dir_all(sandbox.beside("store")).unwrap();
    let Some(_mount) = Mount::read_only(&sandbox.beside("store")) else { return };
    let run = sandbox.forge("ensure").run();
    assert!(matches!(run.code(), Some(3 | 5)), "{run}");
    run.says("Read-only").says("--no-publish");
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
    sandbox.forge("ensure --no-publish").succeeds();
}

#[test]
fn a_read_only_workspace_is_told_and_what_is_there_still_serves() {
    let sandbox = Sandbox::new().script("hello", "v1");
    {
        let Some(_mount) = Mount::read_only(&sandbox.root()) else { return };
        let run = sandbox.forge("ensure").exits(1);
        run.says("Read-only").says(".forge");
        sandbox.forge("plan").succeeds();
        sandbox.forge("clean:all").succeeds();
    }
    sandbox.forge("ensure").succeeds();
    std::thread::sleep(std::time::Duration::from_millis(120));
    let Some(_mount) = Mount::read_only(&sandbox.root()) else { return };
    sandbox.all_are("fresh");
    sandbox.forge("verify").succeeds();
    sandbox.forge("clean:all").exits(1).says("Read-only");
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
}

#[test]
fn a_lock_that_cannot_be_written_is_told() {
    let sandbox = Sandbox::with_store().script("hello", "v1");
    fs::create_dir(sandbox.path("forge.lock")).unwrap();
    let run = sandbox.forge("ensure").run();
    assert_ne!(run.code(), Some(101), "{run}");
    run.says("forge.lock");
}

//! Assets that are not what they should be: refused, with everything left as it was.

use std::{fs, path::Path};

use tar::EntryType;

use crate::support::{Asset, Run, Sandbox, Server, elf_for_arm64, sha256};

/// A fresh clone of a workspace whose only artifact is released in a folder `store`.
struct Released {
    origin: Sandbox,
    clone: Sandbox,
}

fn released() -> Released {
    let origin = Sandbox::with_store().script("hello", "v1.0.0");
    origin.forge("ensure").succeeds();
    let clone = origin.clone_fresh();
    Released { origin, clone }
}

impl Released {
    fn asset(&self) -> std::path::PathBuf {
        self.origin.asset("hello-v1.0.0")
    }

    fn lock(&self) -> String {
        self.clone.read("forge.lock")
    }

    /// Replaces the bytes of the asset, and nothing that vouches for them.
    fn put(&self, bytes: &[u8]) {
        let path = self.asset();
        // A new file: the old one may be linked elsewhere.
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    /// Replaces the asset, and everything that vouches for it except its stamp: its
    /// published digest, and what the lock says.
    fn replace(&self, bytes: &[u8]) {
        let (path, old) = (self.asset(), fs::read(self.asset()).unwrap());
        let sidecar = Path::new(&format!("{}.sha256", path.display())).to_owned();
        self.put(bytes);
        if sidecar.exists() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            fs::remove_file(&sidecar).unwrap();
            fs::write(&sidecar, format!("{}  {name}\n", sha256(bytes))).unwrap();
        }
        let lock = self.lock().replace(&sha256(&old), &sha256(bytes));
        let lock = lock.replace(&format!("size: {}", old.len()), &format!("size: {}", bytes.len()));
        self.clone.write("forge.lock", &lock);
    }

    /// The clone refuses what is there: the exit code says verification, nothing is
    /// installed, built or changed, and nothing half-made stays.
    fn is_refused(&self) -> Run {
        let lock = self.lock();
        let run = self.clone.forge("ensure").exits(4);
        assert_eq!(self.origin.builds(), 1, "it was built\n{run}");
        assert!(!self.clone.path(".forge/bin/hello").exists(), "it is on PATH\n{run}");
        assert!(!self.clone.path(".forge/installed/hello").exists(), "it is installed\n{run}");
        assert_eq!(self.lock(), lock, "the lock changed\n{run}");
        let staging = self.clone.path(".forge/state/staging");
        let left = fs::read_dir(&staging).map_or(0, |entries| entries.flatten().count());
        assert_eq!(left, 0, "something half-made stays\n{run}");
        run
    }
}

#[test]
fn a_corrupt_asset_is_refused_and_nothing_is_built() {
    let released = released();
    let good = fs::read(released.asset()).unwrap();
    // Every part of it: the header, the stamp, the binary, the trailer.
    for at in [0, 3, 40, good.len() / 2, good.len() - 6, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        released.put(&bad);
        released.is_refused().says("hello-v1.0.0");
        // Without a lock the digest beside it still vouches for it.
        let lock = released.lock();
        fs::remove_file(released.clone.path("forge.lock")).unwrap();
        released.clone.forge("ensure").exits(4);
        assert_eq!(released.origin.builds(), 1);
        released.clone.write("forge.lock", &lock);
        released.put(&good);
    }
    released.clone.all_are("downloaded");
}

#[test]
fn an_asset_that_was_packed_again_is_refused_for_its_digest_alone() {
    let released = released();
    // The same files, each as its stamp says, in other bytes.
    let again = Asset::read(&released.asset()).gz();
    released.put(&again);
    let lock = released.lock();
    released.is_refused().says("forge.lock");
    fs::remove_file(released.clone.path("forge.lock")).unwrap();
    let run = released.clone.forge("ensure").exits(4);
    run.says(&sha256(&again)).says("is corrupt or was replaced");
    assert_eq!(released.origin.builds(), 1);
    released.clone.write("forge.lock", &lock);
}

#[test]
fn a_truncated_asset_is_refused_even_if_its_digest_is_published() {
    let released = released();
    let good = fs::read(released.asset()).unwrap();
    for length in [0, 1, 10, good.len() / 2, good.len() - 1] {
        released.replace(&good[..length]);
        released.is_refused();
        released.replace(&good);
    }
}

#[test]
fn an_asset_of_another_version_platform_or_subsystem_is_refused() {
    let released = released();
    let stamp = Asset::stamp_of(&released.asset());
    let binary = fs::read(released.origin.path(".forge/installed/hello/hello")).unwrap();
    for (from, to, says) in [
        ("version: v1.0.0", "version: v9.9.9", "v9.9.9"),
        ("platform: linux-amd64", "platform: linux-riscv64", "linux-riscv64"),
        ("name: hello", "name: other", "other"),
    ] {
        let other = stamp.replace(from, to);
        if other == stamp {
            continue; // tests also run on other machines than linux-amd64
        }
        let asset = Asset::new().file(".version", other.as_bytes()).file("hello", &binary);
        released.replace(&asset.gz());
        released.is_refused().says(says);
    }
}

#[test]
fn an_asset_that_does_not_hold_what_its_stamp_says_is_refused() {
    let released = released();
    let stamp = Asset::stamp_of(&released.asset());
    let binary = fs::read(released.origin.path(".forge/installed/hello/hello")).unwrap();
    let with_stamp = || Asset::new().file(".version", stamp.as_bytes());
    for (what, asset) in [
        ("the binary is another", with_stamp().file("hello", b"#!/bin/sh\necho evil\n")),
        ("the binary is missing", with_stamp()),
        ("a file is too many", with_stamp().file("hello", &binary).file("extra", b"#!/bin/sh\n")),
        ("there is no stamp", Asset::new().file("hello", &binary)),
        ("the stamp is garbage", Asset::new().file(".version", b"\0: [").file("hello", &binary)),
        ("it is empty", Asset::new()),
        ("the binary comes twice", with_stamp().file("hello", &binary).file("hello", b"#!/bin/no")),
    ] {
        released.replace(&asset.gz());
        let run = released.is_refused();
        assert!(run.stderr().contains("hello"), "{what}\n{run}");
    }
}

#[test]
fn a_program_for_another_processor_is_refused_wherever_it_comes_from() {
    let elf = elf_for_arm64();
    let released = released();
    let stamp = Asset::stamp_of(&released.asset());
    let binary = fs::read(released.origin.path(".forge/installed/hello/hello")).unwrap();
    let stamp = stamp.replace(&sha256(&binary), &sha256(&elf));
    let asset = Asset::new().file(".version", stamp.as_bytes()).file("hello", &elf);
    released.replace(&asset.gz());
    released.is_refused().says("forge.lock pins");
    fs::remove_file(released.clone.path("forge.lock")).unwrap();
    released.clone.forge("ensure").exits(4).says("arm64");
    // And so when it was built here.
    let sandbox = Sandbox::new().script("hello", "v1.0.0");
    fs::write(sandbox.path("code/hello/hello.sh"), &elf).unwrap();
    sandbox.forge("ensure").exits(4).says("does not run on").says("arm64");
    assert!(!sandbox.path(".forge/bin/hello").exists());
    // But for that platform it is right.
    sandbox.forge("ensure --platform linux-arm64").succeeds();
    sandbox.forge("verify --platform linux-arm64").succeeds();
    assert!(!sandbox.path(".forge/bin/hello").exists(), "PATH is for this machine");
}

#[test]
fn a_hostile_asset_writes_nothing_outside() {
    let released = released();
    let stamp = Asset::stamp_of(&released.asset());
    let binary = fs::read(released.origin.path(".forge/installed/hello/hello")).unwrap();
    let outside = released.clone.beside("outside");
    let absolute = outside.display().to_string();
    let evil = b"#!/bin/sh\necho evil\n";
    let hello = || Asset::new().file(".version", stamp.as_bytes()).file("hello", &binary);
    let link = |kind, to: &str| hello().entry("link", kind, to, b"");
    let mut cases = vec![
        ("a path that leaves", hello().file("../../../../../outside", evil)),
        ("a path that leaves in the middle", hello().file("a/../../../../../../outside", evil)),
        ("an absolute path", hello().file(&absolute, evil)),
        ("a symlink that leaves", link(EntryType::Symlink, "../../../../../outside")),
        ("an absolute symlink", link(EntryType::Symlink, &absolute)),
        ("a hard link that leaves", link(EntryType::Link, "../../../../../outside")),
        ("a hard link to a file of the system", link(EntryType::Link, "/etc/passwd")),
        ("a device", hello().entry("null", EntryType::Char, "", b"")),
        ("a pipe", hello().entry("pipe", EntryType::Fifo, "", b"")),
    ];
    let through = link(EntryType::Symlink, "../../../../..").file("link/outside", evil);
    cases.push(("a file written through a symlink", through));
    let over = Asset::new().entry("hello", EntryType::Symlink, &absolute, b"").file("hello", evil);
    cases.push(("a file written over a symlink", over));
    let before: Vec<_> = released.clone.listing().into_keys().collect();
    for (what, asset) in cases {
        released.replace(&asset.gz());
        let run = released.is_refused();
        assert!(!outside.exists() && fs::symlink_metadata(&outside).is_err(), "{what}\n{run}");
        let is_forges = |path: &Path| path.starts_with("work/.forge") || path.starts_with("cache");
        for path in released.clone.listing().into_keys() {
            assert!(is_forges(&path) || before.contains(&path), "{what}: {}", path.display());
        }
    }
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_disk() {
    let released = released();
    let stamp = Asset::stamp_of(&released.asset());
    let bomb = || Asset::new().file(".version", stamp.as_bytes());
    released.replace(&bomb().gz_with_zeroes("hello", 10 << 30));
    let began = std::time::Instant::now();
    released.is_refused();
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
}

#[test]
fn over_http_the_same_is_refused() {
    let mut released = released();
    let server = Server::serve(&released.origin.beside("store"));
    released.clone.releases_from(&server.url());
    let good = fs::read(released.asset()).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    released.put(&bad);
    released.is_refused().says("hello-v1.0.0");
    released.put(&good);
    released.clone.all_are("downloaded");
}

#[test]
fn an_asset_that_never_was_packed_by_forge_is_refused() {
    let released = released();
    for bytes in
        [&b"<!DOCTYPE html><h1>Sign in</h1>"[..], b"\x1f\x8bgarbage", b"PK\x03\x04", &[0; 4096]]
    {
        released.replace(bytes);
        released.is_refused();
    }
}

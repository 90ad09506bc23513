//! What is wanted of an archive: found by its name, through the archive's own links, or refused.

use std::{collections::BTreeSet, fs};

use tar::EntryType as T;

use super::{foreign::xz, *};
use crate::archive::samples::{Tar, gzip, refusal, unpack_into};

pub(super) const PROGRAM: &[u8] = b"#!/bin/sh\necho hello\n";

pub(super) fn wanting(strip: usize, wanted: &[&str]) -> Unpacker {
    let keep = EntryPolicy::Only(wanted.iter().map(|name| (*name).to_owned()).collect());
    Unpacker { strip, keep, program: Some("e".into()), ..Unpacker::new("e.tar.gz") }
}

/// What the wanted file `e` holds after `bytes` were unpacked.
pub(super) fn taken(strip: usize, bytes: &[u8]) -> Vec<u8> {
    let parent = tempfile::tempdir().unwrap();
    let unpacked = unpack_into(&wanting(strip, &["e"]), bytes, parent.path()).unwrap();
    assert_eq!(unpacked.files.keys().collect::<Vec<_>>(), ["e"]);
    let out = parent.path().join("out");
    let names: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["e"]);
    assert!(fs::symlink_metadata(out.join("e")).unwrap().is_file());
    let bytes = fs::read(out.join("e")).unwrap();
    let mut hasher = crate::archive::Hasher::new();
    hasher.update(&bytes);
    assert_eq!(unpacked.files["e"].sha256, hasher.finish());
    assert_eq!(unpacked.files["e"].size, bytes.len() as u64);
    bytes
}

#[test]
fn of_entries_with_the_same_name_the_last_one_is_taken() {
    let tar = Tar::default()
        .file("LICENSE", b"1")
        .file("e", b"old")
        .file("LICENSE", b"1")
        .file("./e", PROGRAM)
        .end();
    assert_eq!(taken(0, &tar), PROGRAM);
    let parent = tempfile::tempdir().unwrap();
    let unpacker = Unpacker { keep: EntryPolicy::Possible, ..Unpacker::new("source") };
    let tar = Tar::default().link(T::Symlink, "a", "b").file("a", b"2").file("a", b"3").end();
    let unpacked = unpack_into(&unpacker, &tar, parent.path()).unwrap();
    assert!(unpacked.links.is_empty() && unpacked.left_out.is_empty());
    assert_eq!(fs::read(parent.path().join("out/a")).unwrap(), b"3");
}

#[test]
fn a_wanted_program_may_be_a_link() {
    let base = || Tar::default().file("top/mint", PROGRAM);
    for tar in [
        base().link(T::Symlink, "top/e", "mint"),
        base().link(T::Link, "top/e", "top/mint"),
        base().link(T::Link, "top/e", "/top/mint"),
        base().link(T::Symlink, "top/e", "/mint"),
        base().link(T::Symlink, "top/e", "/top/mint"),
        base().link(T::Symlink, "top/e", "../top/mint"),
        base().link(T::Symlink, "top/x", "mint").link(T::Symlink, "top/e", "x"),
        base().link(T::Symlink, "top/x", "mint").link(T::Link, "top/e", "top/x"),
        Tar::default().link(T::Symlink, "top/e", "mint").file("top/mint", PROGRAM),
        Tar::default()
            .link(T::Symlink, "top/e", "cur/e")
            .link(T::Symlink, "top/cur", "v1")
            .file("top/v1/e", PROGRAM),
        base().file("top/e", b"old").link(T::Symlink, "top/e", "mint"),
        // A second name of what was there then, not of what came later.
        base().link(T::Link, "top/e", "top/mint").file("top/mint", b"later"),
    ] {
        for bytes in [tar.clone().end(), gzip(&tar.clone().end()), xz(&tar.end())] {
            assert_eq!(taken(1, &bytes), PROGRAM);
        }
    }
    // Two wanted names of one program.
    let tar = base().link(T::Symlink, "top/bin/e", "../mint").end();
    let parent = tempfile::tempdir().unwrap();
    let unpacker = wanting(1, &["mint", "bin/e", "e"]);
    let unpacked = unpack_into(&unpacker, &tar, parent.path()).unwrap();
    assert_eq!(unpacked.files["mint"], unpacked.files["bin/e"]);
    assert_eq!(fs::read(parent.path().join("out/bin/e")).unwrap(), PROGRAM);
}

/// Tarballs of whole systems have `bin -> usr/bin`, and entries that are called as if `bin` were a folder.
#[test]
fn what_lies_behind_a_link_to_a_folder_is_found_within_the_archive() {
    let system = || {
        Tar::default()
            .link(T::Symlink, "bin", "usr/bin")
            .link(T::Symlink, "sbin", "/bin")
            .entry(T::Directory, b"usr/bin/", b"", b"")
            .file("usr/bin/other", b"x")
    };
    for (tar, wanted) in [
        (system().file("bin/e", PROGRAM), "bin/e"),
        (system().file("bin/e", PROGRAM), "usr/bin/e"),
        (system().file("usr/bin/e", PROGRAM), "sbin/e"),
        (system().file("bin/e", b"old").file("usr/bin/e", PROGRAM), "bin/e"),
        (system().file("usr/bin/e", b"old").file("sbin/e", PROGRAM), "usr/bin/e"),
        (system().file("bin/x", PROGRAM).link(T::Link, "bin/e", "sbin/x"), "bin/e"),
        (system().file("bin/x", PROGRAM).link(T::Symlink, "sbin/e", "x"), "bin/e"),
        (system().file("lib", b"").file("lib/no", b"").file("bin/e", PROGRAM), "bin/e"),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let unpacked = unpack_into(&wanting(0, &[wanted]), &tar.end(), parent.path()).unwrap();
        assert_eq!(unpacked.files.keys().collect::<Vec<_>>(), [wanted]);
        assert_eq!(fs::read(parent.path().join("out").join(wanted)).unwrap(), PROGRAM);
    }
}

#[test]
fn each_refusal_has_the_help_that_fits_it() {
    let stays = "stay within their own folder";
    for (keep, tar, help) in [
        (0, Tar::default().file("../e", b"x"), Some(stays)),
        (0, Tar::default().link(T::Symlink, "e", "/etc/passwd"), Some(stays)),
        (1, Tar::default().link(T::Symlink, "e", "../x"), Some(stays)),
        (0, Tar::default().entry(T::Fifo, b"e", b"", b""), None),
        (1, Tar::default().entry(T::Fifo, b"e", b"", b""), Some("a regular file")),
        (1, Tar::default().link(T::Symlink, "e", "e"), Some("a regular file")),
        (0, Tar::default().file("e", b"x").file("e", b"x"), Some("must pack it again")),
        (0, Tar::default().entry(T::XHeader, b"e", b"", b"x"), Some("fetch it again")),
    ] {
        let unpacker = if keep == 0 { Unpacker::new("x") } else { wanting(0, &["e"]) };
        let hint = refusal(&unpacker, &tar.end()).hint;
        assert_eq!(hint.is_some(), help.is_some(), "{hint:?}");
        assert!(hint.unwrap_or_default().contains(help.unwrap_or_default()));
    }
}

#[test]
fn a_wanted_program_that_leads_nowhere_good_is_refused() {
    let link = |target| Tar::default().file("x", b"").link(T::Symlink, "e", target).end();
    for (tar, why) in [
        (link("../../etc/passwd"), "leaves the archive"),
        (link("e"), "in a cycle"),
        (Tar::default().entry(T::Char, b"e", b"", b"").end(), "is a device"),
        (Tar::default().entry(T::Fifo, b"e", b"", b"").end(), "is a named pipe"),
        (Tar::default().link(T::Link, "e", "gone").end(), "not a file unpacked before it"),
    ] {
        let fault = refusal(&wanting(0, &["e"]), &tar);
        assert!(fault.to_string().contains(why), "{fault}");
    }
    let replaced = Tar::default().file("d/e", b"x").link(T::Symlink, "d", "/tmp").end();
    let fault = refusal(&wanting(0, &["d/e"]), &replaced);
    assert!(fault.to_string().contains("a link of the same name replaces"), "{fault}");
    // A link to what is on this machine leads to nothing in the archive.
    let parent = tempfile::tempdir().unwrap();
    let unpacked = unpack_into(&wanting(0, &["e"]), &link("/etc/passwd"), parent.path()).unwrap();
    assert!(unpacked.files.is_empty());
}

#[test]
fn an_entry_that_nobody_wants_does_no_harm() {
    let odd = || {
        Tar::default()
            .link(T::Symlink, "abs", "/etc/passwd")
            .link(T::Symlink, "out", "../../evil")
            .link(T::Symlink, "self", "self")
            .link(T::Link, "hard", "../../../etc/passwd")
            .link(T::Link, "same", "same")
            .entry(T::Char, b"null", b"", b"")
            .entry(T::Fifo, b"pipe", b"", b"")
            .file("../climbs", b"x")
            .file("/tmp/forge-evil", b"x")
            .file("C:\\evil", b"x")
            .file("a\x1b[31m", b"x")
            .entry(T::Regular, b"\xff\xfe", b"", b"x")
            .file("abs/through", b"x")
    };
    assert_eq!(taken(0, &odd().file("e", PROGRAM).end()), PROGRAM);
    // Unpacked whole, they are left out and named; what is sound is there.
    let parent = tempfile::tempdir().unwrap();
    let unpacker = Unpacker { keep: EntryPolicy::Possible, ..Unpacker::new("source") };
    let tar = odd().file("e", PROGRAM).link(T::Symlink, "good", "e").end();
    let unpacked = unpack_into(&unpacker, &tar, parent.path()).unwrap();
    let names: BTreeSet<_> = unpacked.left_out.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["abs", "out", "hard", "null", "pipe", "../climbs", "abs/through"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    assert_eq!(unpacked.files.keys().collect::<Vec<_>>(), ["e", "tmp/forge-evil"]);
    assert_eq!(unpacked.links.keys().collect::<Vec<_>>(), ["good", "self"]);
    let outside: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside, ["out"]);
}

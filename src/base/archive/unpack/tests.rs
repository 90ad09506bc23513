//! What comes out of archives, honest and hostile.

use std::{fs, io, path::Path};

use proptest::prelude::*;
use tar::EntryType;

use super::*;
use crate::{
    archive::{
        Contents, FileToPack, Hasher,
        gzip::BLOCK,
        samples::{Dribble, Tar, entry, gzip, noise, packed, refusal, unpack_into},
        tar_writer::pax_record,
    },
    model::{Compression, Kind},
};

fn unpacker() -> Unpacker {
    Unpacker::new("nats.tar.gz")
}

fn digest(bytes: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn bytes_of(entry: &FileToPack) -> &[u8] {
    match &entry.contents {
        Contents::Bytes(bytes) => bytes,
        Contents::File(_) | Contents::Proven(..) => unreachable!("samples are in memory"),
    }
}

/// Checks that `folder` and `unpacked` hold `entries` and nothing else.
fn assert_holds(entries: &[FileToPack], unpacked: &Unpacked, folder: &Path) {
    assert_eq!(unpacked.files.len(), entries.len());
    for entry in entries {
        let (file, bytes) = (&unpacked.files[&entry.name], bytes_of(entry));
        let path = folder.join(&entry.name);
        assert!(fs::read(&path).unwrap() == bytes, "{}", entry.name);
        assert_eq!(file.sha256, digest(bytes));
        assert_eq!((file.size, file.executable), (bytes.len() as u64, entry.executable));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o100 != 0, entry.executable);
            assert_eq!(mode & 0o7022, 0, "neither setuid nor writable by others");
        }
    }
}

#[test]
fn what_was_packed_comes_out_whatever_the_boundaries() {
    // Header and end mark take 1536 bytes, so some of these end at a block's very end.
    for size in [0, 1, 511, 512, 513, BLOCK - 1536, BLOCK - 512, BLOCK, 3 * BLOCK + 5] {
        let entries = [
            entry(".version", "v1", false),
            entry("bin/a", noise(size), true),
            entry("z", "", false),
        ];
        for compression in Compression::ALL {
            let bytes = packed(&entries, *compression);
            let parent = tempfile::tempdir().unwrap();
            let unpacked = unpack_into(&unpacker(), &bytes, parent.path()).unwrap();
            assert_eq!((unpacked.sha256, unpacked.size), (digest(&bytes), bytes.len() as u64));
            assert_holds(&entries, &unpacked, &parent.path().join("out"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_was_packed_comes_out(
        files in prop::collection::btree_map("([a-zé._-]{1,4}d/){0,3}[a-z]{1,180}f", (0usize..3000, any::<bool>()), 0..6),
        step in prop::sample::select(vec![1usize, 7, 512, 100_000]),
        compression in prop::sample::select(Compression::ALL.to_vec()),
    ) {
        let entries: Vec<_> = files.into_iter().map(|(name, (size, x))| entry(&name, noise(size), x)).collect();
        let bytes = packed(&entries, compression);
        let parent = tempfile::tempdir().unwrap();
        let unpacked = unpacker().unpack(Dribble(&bytes, step), parent.path()).unwrap();
        prop_assert_eq!(unpacked.sha256, digest(&bytes));
        assert_holds(&entries, &unpacked, parent.path());
    }

    #[test]
    fn damage_never_panics_nor_gets_out(
        compression in prop::sample::select(Compression::ALL.to_vec()),
        plain: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let tar = Tar::default().file("a/b", b"1").link(EntryType::Symlink, "c", "a/b").end();
        let mut bytes = if plain { tar } else { packed(&[entry("a/b", "1", true)], compression) };
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let parent = tempfile::tempdir().unwrap();
        let result = unpack_into(&unpacker(), &bytes, parent.path());
        prop_assert!(fs::read_dir(parent.path()).unwrap().all(|e| e.unwrap().file_name() == "out"));
        if let Ok(unpacked) = result {
            prop_assert_eq!(unpacked.sha256, digest(&bytes));
        }
    }
}

#[test]
fn hostile_entries_are_refused_and_named() {
    use EntryType as T;
    let link = |name, target| Tar::default().link(T::Symlink, name, target);
    let hard = |name, target| Tar::default().file("ok", b"1").link(T::Link, name, target);
    let kind = |kind| Tar::default().entry(kind, b"thing", b"", b"");
    let named = |name: &[u8]| Tar::default().entry(T::Regular, name, b"", b"x");
    for (tar, name, why) in [
        (named(b"../evil"), "../evil", "climbs out"),
        (named(b"a/../../evil"), "a/../../evil", "climbs out"),
        (named(b"/tmp/evil"), "/tmp/evil", "absolute path"),
        (named(b"a\\..\\evil"), "a\\\\..\\\\evil", "backslash"),
        (named(b"C:/evil"), "C:/evil", "drive"),
        (named(b"\xff\xfe"), "\u{fffd}\u{fffd}", "not UTF-8"),
        (named(b"a\x1b[31m"), "a\\u{1b}[31m", "control character"),
        (link("out", "../evil"), "out", "leaves its folder"),
        (link("out", "/etc/passwd"), "out", "absolute path"),
        (link("a/b/out", "../../../evil"), "a/b/out", "leaves its folder"),
        (link("out", "a/../../evil"), "out", "leaves its folder"),
        (link("d", "x").file("d/evil", b"x"), "d/evil", "goes through a file or a link"),
        (link("d", "x").file("d", b"x"), "d", "is there twice"),
        (Tar::default().file("d", b"").file("d/evil", b"x"), "d/evil", "goes through"),
        (Tar::default().file("a/b", b"").file("a", b"x"), "a", "is there twice"),
        (Tar::default().file("a", b"").file("./a", b"x"), "a", "is there twice"),
        (hard("out", "../evil"), "out", "leaves its folder"),
        (hard("out", "/etc/passwd"), "out", "leaves its folder"),
        (hard("out", "later"), "out", "not a file unpacked before it"),
        (link("l", "x").link(T::Link, "out", "l"), "out", "not a file unpacked before it"),
        (kind(T::Char), "thing", "is a device"),
        (kind(T::Block), "thing", "is a device"),
        (kind(T::Fifo), "thing", "named pipe"),
        (kind(T::GNUSparse), "thing", "sparse"),
        (kind(T::new(b'V')), "thing", "of a kind that forge does not know"),
        (Tar::default().entry(T::Directory, b"d", b"", b"x"), "d", "has contents"),
        (Tar::default().entry(T::Symlink, b"l", b"x", b"x"), "l", "has contents"),
    ] {
        for bytes in [tar.clone().end(), gzip(&tar.clone().end())] {
            let fault = refusal(&unpacker(), &bytes);
            assert_eq!(fault.kind, Kind::Verification, "{fault}");
            assert!(fault.what.contains("nats.tar.gz"), "{fault}");
            let entry = format!("its entry `{name}` ");
            assert!(fault.why[0].starts_with(&entry) && fault.why[0].contains(why), "{fault}");
        }
    }
}

#[test]
fn extended_headers_are_no_way_around() {
    use EntryType as T;
    let extended = |kind, contents: &[u8]| Tar::default().entry(kind, b"ext", b"", contents);
    let pax = |kind, key, value| extended(kind, pax_record(key, value).as_bytes());
    for (tar, why) in [
        (pax(T::XHeader, "path", "../evil").file("ok", b"x"), "climbs out"),
        (extended(T::GNULongName, b"../evil\0").file("ok", b"x"), "climbs out"),
        (pax(T::XHeader, "linkpath", "../ev").link(T::Symlink, "l", "ok"), "leaves its folder"),
        (extended(T::GNULongLink, b"../evil\0").link(T::Symlink, "l", "ok"), "leaves its folder"),
        (extended(T::XHeader, b"xx broken").file("ok", b"x"), "cannot be read"),
        (pax(T::XHeader, "size", "99").file("ok", b"x"), "has two sizes"),
        (pax(T::XHeader, "GNU.sparse.major", "1").file("ok", b"x"), "sparse"),
        (pax(T::XGlobalHeader, "path", "a").file("ok", b"x"), "every entry"),
        (pax(T::XHeader, "path", "a"), "its last entry is missing"),
    ] {
        let fault = refusal(&unpacker(), &tar.end());
        assert!(fault.to_string().contains(why), "{fault}");
    }
}

#[test]
fn an_extended_header_of_absurd_size_is_not_read() {
    for size in [(1 << 20) + 1, 7 << 30] {
        let tar = Tar::default().sized(EntryType::XHeader, b"x", b"", size, b"").end();
        let fault = refusal(&unpacker(), &tar);
        assert!(fault.to_string().contains("absurd size"), "{fault}");
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut small = unpacker();
    small.limits = UnpackLimits { bytes: 1 << 20, entries: 3 };
    let long = |bytes: &[u8]| refusal(&small, bytes).to_string();
    let zeros = vec![0; 8 << 20];
    let many = (0..4).fold(Tar::default(), |tar, i| tar.file(&format!("f{i}"), b""));
    for compression in Compression::ALL {
        let bytes = packed(&[entry("a", zeros.clone(), false)], *compression);
        assert!(bytes.len() < 1 << 16);
        assert!(long(&bytes).contains("more than 1 MiB"));
    }
    // After the archive's end, and in an entry that nobody wants.
    let mut padded = Tar::default().end();
    padded.extend(&zeros);
    assert!(long(&gzip(&padded)).contains("more than 1 MiB"));
    small.keep = EntryPolicy::Only(BTreeSet::new());
    let bytes = gzip(&Tar::default().file("a", &zeros).end());
    assert!(refusal(&small, &bytes).to_string().contains("more than 1 MiB"));
    assert!(refusal(&small, &many.end()).to_string().contains("more than 3 entries"));
    // A size that is merely claimed.
    let claim = Tar::default().sized(EntryType::Regular, b"a", b"", 1 << 40, b"").end();
    assert!(refusal(&small, &claim).to_string().contains("more than 1 MiB"));
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let entries = [entry(".version", "v1", false), entry("tool", noise(2000), true)];
    let tar = Tar::default().file("a", b"1").file("b", &noise(700)).end();
    let mut archives: Vec<_> = Compression::ALL.iter().map(|c| packed(&entries, *c)).collect();
    archives.push(gzip(&tar));
    for bytes in archives {
        for cut in (0..bytes.len()).step_by(29).chain(bytes.len() - 12..bytes.len()) {
            let fault = refusal(&unpacker(), &bytes[..cut]);
            assert_eq!(fault.kind, Kind::Verification, "{cut}: {fault}");
        }
    }
    for cut in (0..tar.len()).step_by(128) {
        let fault = refusal(&unpacker(), &tar[..cut]);
        assert_eq!(fault.kind, Kind::Verification, "{cut}: {fault}");
        // Compressed whole, so only the tar within is cut.
        assert_eq!(refusal(&unpacker(), &gzip(&tar[..cut])).kind, Kind::Verification, "{cut}");
    }
}

#[test]
fn nothing_may_follow_the_end() {
    let entries = [entry("tool", noise(2000), true)];
    for compression in Compression::ALL {
        let mut bytes = packed(&entries, *compression);
        bytes.extend(b"tail");
        let fault = refusal(&unpacker(), &bytes);
        assert!(fault.to_string().contains("damaged"), "{compression}: {fault}");
    }
    let mut tar = Tar::default().file("a", b"1").end();
    tar.extend(Tar::default().file("hidden", b"1").end());
    assert!(refusal(&unpacker(), &tar).to_string().contains("after the mark at its end"));
}

#[test]
fn the_archives_of_other_programs_unpack() {
    let tar = Tar::default()
        .entry(
            EntryType::XGlobalHeader,
            b"pax_global_header",
            b"",
            pax_record("comment", "1234567").as_bytes(),
        )
        .entry(EntryType::Directory, b"top/", b"", b"")
        .entry(EntryType::Regular, b"top/old-style/", b"", b"")
        .file("top/tool", &noise(5000))
        .link(EntryType::Link, "top/same", "top/tool")
        .link(EntryType::Symlink, "top/bin/tool", "../tool")
        .entry(EntryType::GNULongName, b"././@LongLink", b"", b"top/long\0")
        .file("cut", b"long")
        .entry(EntryType::XHeader, b"pax", b"", pax_record("path", "top/pax").as_bytes())
        .file("cut", b"pax");
    // GNU tar fills up to 10 KiB.
    let mut tar = tar.end();
    tar.resize(tar.len().next_multiple_of(10240), 0);
    let (head, tail) = tar.split_at(1000);
    let members = [gzip(head), gzip(b""), gzip(tail)].concat();
    let ours = packed(&[entry("a", noise(BLOCK), false)], Compression::TarGz);
    for bytes in [&tar, &gzip(&tar), &members, &zstd::encode_all(&tar[..], 1).unwrap()] {
        let parent = tempfile::tempdir().unwrap();
        let unpacker = Unpacker { strip: 1, keep_times: true, ..unpacker() };
        let unpacked = unpack_into(&unpacker, bytes, parent.path()).unwrap();
        let names: Vec<_> = unpacked.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["long", "pax", "same", "tool"]);
        assert_eq!(unpacked.files["same"], unpacked.files["tool"]);
        assert_eq!(unpacked.links["bin/tool"], "../tool");
        let out = parent.path().join("out");
        assert!(fs::read(out.join("bin/tool")).unwrap() == noise(5000));
        assert!(out.join("old-style").is_dir());
        let modified = fs::metadata(out.join("tool")).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 1_000_000_000);
    }
    // One of our members, then members without sizes.
    let mut plain = Vec::new();
    io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&ours[..]), &mut plain).unwrap();
    let first = crate::archive::gzip::member_size(&ours).unwrap();
    let mixed = [&ours[..first], &gzip(&plain[BLOCK..])].concat();
    let parent = tempfile::tempdir().unwrap();
    let unpacked = unpack_into(&unpacker(), &mixed, parent.path()).unwrap();
    assert_eq!(unpacked.files["a"].sha256, digest(&noise(BLOCK)));
    assert_eq!(unpacked.sha256, digest(&mixed));
}

#[test]
fn a_member_that_lies_about_its_size_is_damage() {
    let honest = packed(&[entry("a", noise(3000), false)], Compression::TarGz);
    let lie = |at: usize, value: u32| {
        let mut bytes = honest.clone();
        let at = if at == 0 { bytes.len() - 4 } else { at };
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        refusal(&unpacker(), &bytes)
    };
    let size = u32::try_from(honest.len()).unwrap();
    for fault in [
        lie(16, size - 1),
        lie(16, size + 1),
        lie(16, 28),
        lie(0, 100),
        lie(0, 4 << 20),
        lie(0, u32::MAX),
    ] {
        assert!(fault.what.contains("damaged"), "{fault}");
    }
    // Too large or too small to be one of ours: read as any other gzip.
    let mut foreign = honest.clone();
    foreign[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    let parent = tempfile::tempdir().unwrap();
    unpack_into(&unpacker(), &foreign, parent.path()).unwrap();
}

#[test]
fn only_what_is_wanted_is_written() {
    let tar = Tar::default()
        .file("LICENSE", b"...")
        .entry(EntryType::Directory, b"nats-v2/docs/", b"", b"")
        .file("nats-v2/docs/page", b"...")
        .file("nats-v2/bin/nats-server", b"#!/bin/sh\n")
        .end();
    let keep = EntryPolicy::Only(BTreeSet::from(["bin/nats-server".to_owned()]));
    let unpacker = Unpacker { strip: 1, keep, ..unpacker() };
    let parent = tempfile::tempdir().unwrap();
    let unpacked = unpack_into(&unpacker, &tar, parent.path()).unwrap();
    assert_eq!(unpacked.files.keys().collect::<Vec<_>>(), ["bin/nats-server"]);
    assert_eq!(unpacked.skipped, ["docs/page"]);
    let out = fs::read_dir(parent.path().join("out")).unwrap();
    assert_eq!(out.map(|e| e.unwrap().file_name()).collect::<Vec<_>>(), ["bin"]);
}

#[test]
fn a_bare_program_is_stored_under_the_given_name() {
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &noise(400_000)].concat();
    let unpacker = Unpacker { program: Some("gh".into()), strip: 1, ..unpacker() };
    for bytes in [program.clone(), gzip(&program)] {
        let parent = tempfile::tempdir().unwrap();
        let unpacked = unpack_into(&unpacker, &bytes, parent.path()).unwrap();
        assert_eq!(unpacked.sha256, digest(&bytes));
        assert_holds(&[entry("gh", program.clone(), true)], &unpacked, &parent.path().join("out"));
    }
    let nameless = refusal(&Unpacker::new("gh"), &program).to_string();
    assert_eq!(
        nameless,
        "gh is nothing that forge can unpack: it is a program, not an archive of one"
    );
}

#[test]
fn what_is_no_archive_is_called_what_it_is() {
    for (bytes, what) in [
        (&b""[..], "it is empty"),
        (b"<!DOCTYPE html><html>", "it is an HTML page"),
        (b"{\"message\":\"Not Found\"}", "neither a program"),
        (b"Rar!\x1a\x07\x00", "it is a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "it is a 7-Zip archive"),
        (&gzip(b"<html>"), "it is an HTML page"),
        (&gzip(b""), "it is an empty file"),
    ] {
        let fault = refusal(&unpacker(), bytes);
        assert_eq!(fault.kind, Kind::Verification);
        assert!(fault.why[0].contains(what), "{fault}");
    }
}

/// A reader that fails in the middle of an archive, small or large, as itself or with a fault.
struct Failing<'a>(&'a [u8], Option<io::Error>);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(self.1.take().expect("nobody reads on after an error")),
            read => Ok(read),
        }
    }
}

#[test]
fn what_the_reader_says_comes_out_as_it_was() {
    let fault = || Fault::new(Kind::Store, "the connection to github.com broke").hint("again");
    for size in [0, 100, 3 << 20] {
        for compression in Compression::ALL {
            let bytes = packed(&[entry("a", noise(size), false)], *compression);
            for cut in [0, 10, bytes.len() / 2, bytes.len()] {
                let parent = tempfile::tempdir().unwrap();
                let out = parent.path().join("out");
                let reader = Failing(&bytes[..cut], Some(io::Error::other(fault())));
                assert_eq!(unpacker().unpack(reader, &out).unwrap_err(), fault());
            }
        }
    }
    let reader = Failing(b"", Some(io::ErrorKind::PermissionDenied.into()));
    let said = unpacker().unpack(reader, Path::new("unused")).unwrap_err();
    assert_eq!((said.kind, said.what.as_str()), (Kind::Failed, "cannot read nats.tar.gz"));
}

#[test]
fn hostile_zip_entries_are_refused_too() {
    use zip::{ZipWriter, write::SimpleFileOptions};
    type Zip = ZipWriter<io::Cursor<Vec<u8>>>;
    let zip = |fill: &dyn Fn(&mut Zip)| {
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    };
    let options = SimpleFileOptions::default();
    let named = |name: &str| zip(&|writer| writer.start_file(name, options).unwrap());
    let patch = |mut bytes: Vec<u8>, old: &[u8], new: &[u8]| {
        for at in 0..=bytes.len() - old.len() {
            if &bytes[at..at + old.len()] == old {
                bytes[at..at + old.len()].copy_from_slice(new);
            }
        }
        bytes
    };
    let twice = zip(&|writer| {
        writer.start_file("same", options).unwrap();
        writer.start_file("samf", options).unwrap();
    });
    let link = zip(&|writer| writer.add_symlink("out", "../evil", options).unwrap());
    let pipe = zip(&|writer| {
        writer.start_file("pipe", options.unix_permissions(0o644)).unwrap();
    });
    for (bytes, why) in [
        (patch(named("xx/evil"), b"xx/", b"../"), "climbs out"),
        (patch(named("xx/evil"), b"xx/", b"/x/"), "absolute path"),
        (patch(twice, b"samf", b"same"), "lists an entry twice"),
        (link, "leaves its folder"),
        (
            patch(pipe, &(0o100_644_u32 << 16).to_le_bytes(), &(0o010_644_u32 << 16).to_le_bytes()),
            "neither a file",
        ),
    ] {
        let fault = refusal(&unpacker(), &bytes);
        assert_eq!(fault.kind, Kind::Verification);
        assert!(fault.to_string().contains(why), "{fault}");
    }
    assert!(unpack_into(&unpacker(), &zip(&|_| ()), tempfile::tempdir().unwrap().path()).is_ok());
}

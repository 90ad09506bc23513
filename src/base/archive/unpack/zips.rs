//! Zip archives: those of other systems, and those whose two descriptions of an entry differ.

use std::{
    fs,
    io::{Cursor, Write},
};

use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::archive::samples::{refusal, unpack_into};

const PROGRAM: &[u8] = b"#!/bin/sh\necho hello\n";

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        writer.start_file(*name, stored()).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn wanting(strip: usize, wanted: &str) -> Unpacker {
    let keep = EntryPolicy::Only(BTreeSet::from([wanted.to_owned()]));
    Unpacker { strip, keep, ..Unpacker::new("e.zip") }
}

fn taken(unpacker: &Unpacker, bytes: &[u8]) -> (Vec<u8>, bool) {
    let parent = tempfile::tempdir().unwrap();
    let unpacked = unpack_into(unpacker, bytes, parent.path()).unwrap();
    let (path, file) = unpacked.files.first_key_value().unwrap();
    (fs::read(parent.path().join("out").join(path)).unwrap(), file.executable)
}

/// Puts `new` in the place of each `old`.
fn patch(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
    bytes
}

/// The places of records that begin with `mark`.
fn places(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(mark)).collect()
}

#[test]
fn backslashes_are_slashes() {
    let bytes =
        patch(&zip(&[("top/bin/e", PROGRAM), ("top/doc/x", b"")]), b"top/bin/e", b"top\\bin\\e");
    assert_eq!(taken(&wanting(1, "bin/e"), &bytes).0, PROGRAM);
    let up = patch(&zip(&[("xx/../evil", b"x")]), b"xx/../evil", b"..\\..\\evil");
    let fault = refusal(&Unpacker::new("x"), &up);
    assert!(fault.to_string().contains("climbs out"), "{fault}");
}

#[test]
fn links_and_permissions_of_unix_count() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("e", "lib/mint", stored()).unwrap();
    writer.add_symlink("abs", "/etc/passwd", stored()).unwrap();
    writer.start_file("lib/mint", stored().unix_permissions(0o755)).unwrap();
    writer.write_all(PROGRAM).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(taken(&wanting(0, "e"), &bytes), (PROGRAM.to_vec(), true));
    // Made on Windows, whatever stands where Unix has its permissions.
    let mut windows = zip(&[("e", PROGRAM), ("readme", b"x")]);
    for at in places(&windows, b"PK\x01\x02") {
        windows[at + 5] = 0;
    }
    assert_eq!(taken(&wanting(0, "e"), &windows), (PROGRAM.to_vec(), true));
    assert_eq!(taken(&wanting(0, "readme"), &windows), (b"x".to_vec(), false));
}

#[test]
fn every_usual_compression_is_read() {
    let method = |bytes: &[u8], method: u16, packed: &[u8]| {
        // An entry that is stored, whose contents and method are exchanged.
        let mut zip = zip(&[("e", packed)]);
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        for (mark, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
            let place = places(&zip, mark)[0] + at;
            zip[place..place + 2].copy_from_slice(&method.to_le_bytes());
            zip[place + 6..place + 10].copy_from_slice(&crc.sum().to_le_bytes());
            let size = u32::try_from(bytes.len()).unwrap();
            zip[place + 14..place + 18].copy_from_slice(&size.to_le_bytes());
        }
        zip
    };
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(PROGRAM).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(PROGRAM).unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(PROGRAM).unwrap();
    let deflate = deflate.finish().unwrap();
    for (number, packed) in [
        (0, PROGRAM.to_vec()),
        (8, deflate.clone()),
        // Short matches are the same in both.
        (9, deflate),
        (12, bz.finish().unwrap()),
        (93, zstd::encode_all(PROGRAM, 1).unwrap()),
        (95, xz.finish().unwrap()),
    ] {
        let bytes = method(PROGRAM, number, &packed);
        assert_eq!(taken(&wanting(0, "e"), &bytes).0, PROGRAM, "{number}");
    }
    for (number, name) in [(14, "LZMA"), (98, "PPMd"), (77, "method 77")] {
        let bytes = method(PROGRAM, number, PROGRAM);
        let fault = refusal(&wanting(0, "e"), &bytes);
        assert!(fault.to_string().contains(name), "{fault}");
        // It matters only to who wants it.
        let parent = tempfile::tempdir().unwrap();
        assert!(unpack_into(&wanting(0, "other"), &bytes, parent.path()).is_ok());
    }
}

#[test]
fn sizes_after_the_contents_and_in_64_bits_are_read() {
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file("e", stored().large_file(true)).unwrap();
    writer.write_all(PROGRAM).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert!(bytes[6] & 8 != 0, "sizes come after the contents");
    assert_eq!(taken(&wanting(0, "e"), &bytes).0, PROGRAM);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("e", stored().large_file(true)).unwrap();
    writer.write_all(PROGRAM).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(taken(&wanting(0, "e"), &bytes).0, PROGRAM);
}

#[test]
fn a_table_that_lies_is_refused_before_anything_is_written() {
    let honest = zip(&[("a", b"first"), ("b", b"second")]);
    let table = places(&honest, b"PK\x01\x02");
    let local = places(&honest, b"PK\x03\x04");
    let end = places(&honest, b"PK\x05\x06")[0];
    let lie = |at: usize, bytes: &[u8]| {
        let mut lying = honest.clone();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        lying
    };
    let first_at = u32::try_from(local[0]).unwrap().to_le_bytes();
    for (bytes, why) in [
        (lie(table[1] + 42, &first_at), "overlap"),
        (lie(table[0] + 20, &[200]), "says something else of `a`"),
        (lie(table[0] + 24, &[200]), "says something else of `a`"),
        (lie(table[0] + 16, &[0; 4]), "says something else of `a`"),
        (lie(table[0] + 46, b"c"), "says something else of `c`"),
        (lie(local[0] + 8, &[8]), "says something else of `a`"),
        (lie(table[0] + 42, &[0xff, 0xff, 0xff, 0x7f]), "points past its end"),
        (lie(end + 10, &[3, 0]), "one part of several"),
        (lie(end + 8, &[3, 0, 3, 0]), "fewer entries than it says"),
        (lie(end + 8, &[1, 0, 1, 0]), "more entries than it says"),
        (lie(end + 12, &[0xff, 0xff, 0xff, 0x7f]), "not where it says"),
        (lie(end + 16, &[0, 0, 0, 0]), "not where it says"),
    ] {
        for unpacker in [Unpacker::new("x"), wanting(0, "a")] {
            let parent = tempfile::tempdir().unwrap();
            let fault = unpack_into(&unpacker, &bytes, parent.path()).unwrap_err();
            assert!(fault.to_string().contains(why), "{why}: {fault}");
            assert_eq!(fs::read_dir(parent.path().join("out")).unwrap().count(), 0, "{why}");
        }
    }
}

#[test]
fn an_entry_that_is_there_twice_is_taken_if_both_are_the_same() {
    // As some release tools list a file twice.
    let twice =
        patch(&zip(&[("a.md", b"same"), ("b.md", b"same"), ("e", PROGRAM)]), b"b.md", b"a.md");
    assert_eq!(taken(&wanting(0, "e"), &twice).0, PROGRAM);
    assert_eq!(taken(&wanting(0, "a.md"), &twice).0, b"same");
    assert!(refusal(&Unpacker::new("x"), &twice).to_string().contains("lists an entry twice"));
    for (first, second) in [(&b"1"[..], &b"22"[..]), (b"1", b"2")] {
        let bytes = zip(&[("a.md", first), ("b.md", second), ("e", PROGRAM)]);
        let bytes = patch(&bytes, b"b.md", b"a.md");
        // It sinks nothing for whom it is nothing.
        assert_eq!(taken(&wanting(0, "e"), &bytes).0, PROGRAM);
        let fault = refusal(&wanting(0, "a.md"), &bytes);
        let why = "e.zip is refused: its entry `a.md` is there twice, with different contents";
        assert_eq!(fault.to_string(), why);
        assert!(fault.hint.unwrap().contains("pack it again"));
        let possible = Unpacker { keep: EntryPolicy::Possible, ..Unpacker::new("x") };
        for unpacker in [possible, Unpacker::new("x")] {
            let fault = refusal(&unpacker, &bytes);
            assert_eq!(fault.to_string(), "x is refused: it lists an entry twice: `a.md`");
        }
    }
}

#[test]
fn what_follows_the_end_does_no_harm_while_there_is_one_table() {
    let honest = zip(&[("e", PROGRAM), ("readme", b"x")]);
    let inner = zip(&[("e", b"inner"), ("readme", b"y")]);
    let nested = zip(&[("e", PROGRAM), ("inner.zip", &inner), ("empty.zip", &zip(&[]))]);
    let end = honest.len() - 22;
    let commented = |length: u16, comment: &[u8]| {
        let mut bytes = [honest.as_slice(), comment].concat();
        bytes[end + 20..end + 22].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let after = |bytes: &[u8]| [honest.as_slice(), bytes].concat();
    let harmless = [
        after(b"a signature, as some tools put it after what they sign"),
        after(&vec![0; 60_000]),
        after(b"PK\x05\x06 and no more"),
        commented(7, b"comment"),
        commented(100, b"shorter than it says"),
        commented(3, b"longer than it says"),
        nested.clone(),
        [&nested[..], b"signature"].concat(),
    ];
    for (at, bytes) in harmless.iter().enumerate() {
        assert_eq!(taken(&wanting(0, "e"), bytes).0, PROGRAM, "{at}");
        let is_exact = matches!(at, 3 | 6);
        // What forge packed has nothing after it.
        let parent = tempfile::tempdir().unwrap();
        let strict = unpack_into(&Unpacker::new("x"), bytes, parent.path());
        assert_eq!(strict.is_ok(), is_exact, "{at}: {strict:?}");
    }
    // Programs that read the last record, or the last that fits, see another archive.
    for bytes in [after(&inner), after(&zip(&[])), commented(inner.len() as u16, &inner)] {
        let fault = refusal(&wanting(0, "e"), &bytes);
        let why = "e.zip is refused: programs find different tables of contents at its end";
        assert_eq!(fault.to_string(), why);
    }
    let far = after(&vec![0; 70_000]);
    assert!(refusal(&wanting(0, "e"), &far).to_string().contains("before its table of contents"));
}

#[test]
fn a_table_that_claims_to_be_huge_takes_no_memory() {
    // Zip64: four thousand million entries in a table of four gigabytes.
    let record = |entries: u64, size: u64, offset: u64| {
        let mut bytes = zip(&[("a", b"x")]);
        let at = bytes.len() - 22;
        let mut wide = b"PK\x06\x06".to_vec();
        wide.extend(44_u64.to_le_bytes());
        wide.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [entries, entries, size, offset] {
            wide.extend(number.to_le_bytes());
        }
        wide.extend(b"PK\x06\x07\0\0\0\0");
        wide.extend((at as u64).to_le_bytes());
        wide.extend([1, 0, 0, 0]);
        let mut end = bytes.split_off(at);
        end[8..20].fill(0xff);
        [bytes, wide, end].concat()
    };
    let fault = refusal(&Unpacker::new("x"), &record(4 << 30, 10, 0));
    assert!(fault.to_string().contains("more than 250000 entries"), "{fault}");
    let fault = refusal(&Unpacker::new("x"), &record(1, 4 << 30, 0));
    assert!(fault.to_string().contains("not where it says"), "{fault}");
    // Sizes that do not fit are told before anything is written, and a lie about them as one.
    let mut bomb = ZipWriter::new(Cursor::new(Vec::new()));
    bomb.start_file("e", SimpleFileOptions::default()).unwrap();
    bomb.write_all(&vec![0; 4 << 20]).unwrap();
    let bomb = bomb.finish().unwrap().into_inner();
    for mut small in [Unpacker::new("x"), wanting(0, "e")] {
        small.limits.bytes = 1 << 20;
        let fault = refusal(&small, &bomb);
        assert!(fault.to_string().contains("more than 1 MiB"), "{fault}");
    }
    let mut lying = bomb.clone();
    for (mark, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let place = places(&lying, mark)[0] + at;
        lying[place..place + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let fault = refusal(&wanting(0, "e"), &lying);
    assert!(fault.to_string().contains("larger than it says"), "{fault}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn damage_never_panics_nor_gets_out(
        keep in 0usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = zip(&[("top/e", PROGRAM), ("top/x", b"x")]);
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let mut unpacker = wanting(1, "e");
        match keep {
            0 => unpacker.keep = EntryPolicy::Everything,
            1 => unpacker.keep = EntryPolicy::Possible,
            _ => {}
        }
        let parent = tempfile::tempdir().unwrap();
        let _ = unpack_into(&unpacker, &bytes, parent.path());
        let outside = fs::read_dir(parent.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != *"out");
        prop_assert_eq!(outside.count(), 0);
    }
}

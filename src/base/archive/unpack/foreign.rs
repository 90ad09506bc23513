//! Archives as vendors ship them: what GNU tar takes is taken, where nothing is at risk.

use std::{fs, io::Write, path::Path};

use proptest::prelude::*;
use tar::EntryType as T;

use super::{
    wanted::{PROGRAM, taken, wanting},
    *,
};
use crate::archive::{
    samples::{Tar, gzip, noise, refusal, unpack_into},
    tar_writer::pax_record,
};

pub(super) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;
const CODECS: [(&str, Pack); 4] = [("gz", gzip), ("xz", xz), ("bz2", bzip2), ("zst", zst)];

#[test]
fn every_compression_is_read_with_several_streams_and_zeros_after_them() {
    let program = [PROGRAM, &noise(300_000)].concat();
    let tar = Tar::default().file("e", &program).file("doc", b"x").end();
    for (name, pack) in CODECS.into_iter().chain([("lzma", lzma as Pack)]) {
        // The program itself, and an archive of it.
        for plain in [&program, &tar] {
            assert!(taken(0, &pack(plain)) == program, "{name}");
        }
        let (head, tail) = tar.split_at(1000);
        let several = [pack(head), pack(b""), pack(tail)].concat();
        // Without a magic number the next stream cannot be told from garbage.
        if name != "lzma" {
            assert!(taken(0, &several) == program, "{name}");
            assert!(taken(0, &[several, vec![0; 1234]].concat()) == program, "{name}");
        }
        let garbage = [pack(&tar), b"garbage".to_vec()].concat();
        let fault = refusal(&wanting(0, &["e"]), &garbage);
        assert!(fault.to_string().contains("damaged"), "{name}: {fault}");
    }
}

#[test]
fn a_cut_or_changed_stream_is_refused_whatever_the_compression() {
    let tar = Tar::default().file("e", &noise(3000)).end();
    for (name, pack) in CODECS {
        let bytes = pack(&tar);
        for cut in (8..bytes.len()).step_by(bytes.len() / 19).chain([bytes.len() - 1]) {
            let fault = refusal(&wanting(0, &["e"]), &bytes[..cut]);
            assert_eq!(fault.kind, Kind::Verification, "{name} {cut}: {fault}");
        }
        if name != "zst" {
            let mut changed = bytes.clone();
            changed[bytes.len() / 2] ^= 1;
            assert_eq!(refusal(&wanting(0, &["e"]), &changed).kind, Kind::Verification, "{name}");
        }
    }
}

#[test]
fn bombs_of_every_compression_stop_at_the_limit() {
    let tar = Tar::default().file("a", &vec![0; 8 << 20]).end();
    for (name, pack) in CODECS {
        let mut small = wanting(0, &["e"]);
        small.limits = UnpackLimits { bytes: 1 << 20, entries: 3 };
        let fault = refusal(&small, &pack(&tar));
        assert!(fault.to_string().contains("more than 1 MiB"), "{name}: {fault}");
    }
}

#[test]
fn a_window_that_is_too_large_is_a_limit_and_no_damage() {
    let tar = Tar::default().file("e", PROGRAM).end();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    encoder.write_all(&tar).unwrap();
    let zst = encoder.finish().unwrap();
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    // Only the header says so: packing with it would take as much memory.
    options.dict_size(1 << 20);
    let mut xz = xz(&tar);
    // Block header: size, flags, filter 0x21, one byte of properties, which is the dictionary.
    assert_eq!(&xz[14..16], [0x21, 1]);
    xz[16] = 38;
    let mut crc = flate2::Crc::new();
    crc.update(&xz[12..20]);
    xz[20..24].copy_from_slice(&crc.sum().to_le_bytes());
    for bytes in [zst, xz] {
        let fault = refusal(&wanting(0, &["e"]), &bytes);
        let told = fault.to_string();
        assert!(told.contains("further than 512 MiB"), "{told}");
        assert!(!told.contains("damaged") && fault.hint.unwrap().contains("--long=29"), "{told}");
    }
}

#[test]
fn the_end_may_be_as_tar_programs_leave_it_but_not_cut() {
    let tar = Tar::default().file("e", PROGRAM);
    let whole = tar.0.len();
    let mut lone = tar.clone().0;
    lone.resize(whole + 512, 0);
    assert_eq!(taken(0, &lone), PROGRAM);
    assert_eq!(taken(0, &gzip(&lone)), PROGRAM);
    let padded = [tar.clone().end(), b"what was left in a buffer".repeat(100)].concat();
    assert_eq!(taken(0, &padded), PROGRAM);
    for cut in (512..whole + 512).step_by(64) {
        let fault = refusal(&wanting(0, &["e"]), &lone[..cut]);
        assert_eq!(fault.kind, Kind::Verification, "{cut}");
    }
    let two = [tar.clone().end(), tar.end()].concat();
    assert!(refusal(&wanting(0, &["e"]), &two).to_string().contains("after the mark at its end"));
}

/// A file of 10,000 bytes with data at 1000 and at 9000, and the three pax forms of it.
fn sparse() -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut plain = vec![0; 10_000];
    plain[..10].copy_from_slice(b"#!/bin/sh\n");
    plain[1000..1300].copy_from_slice(&noise(300));
    plain[9000..9700].copy_from_slice(&noise(700));
    let chunks = [(0, 10), (1000, 300), (9000, 700)];
    let stored: Vec<u8> =
        chunks.iter().flat_map(|(at, length)| plain[*at..at + length].to_vec()).collect();
    let pax = |records: String, contents: &[u8]| {
        let header = Tar::default().entry(T::XHeader, b"pax", b"", records.as_bytes());
        header.file("GNUSparseFile.0/e", contents).file("later", b"x").end()
    };
    let (name, size) = (pax_record("GNU.sparse.name", "e"), pax_record("GNU.sparse.size", "10000"));
    let pieces: String = chunks
        .iter()
        .map(|(at, length)| {
            pax_record("GNU.sparse.offset", &at.to_string())
                + &pax_record("GNU.sparse.numbytes", &length.to_string())
        })
        .collect();
    let map: Vec<String> = chunks.iter().map(|(at, length)| format!("{at},{length}")).collect();
    let mut first = String::from("3\n");
    for (at, length) in &chunks {
        first += &format!("{at}\n{length}\n");
    }
    let mut in_data = first.into_bytes();
    in_data.resize(512, 0);
    in_data.extend(&stored);
    let one = pax_record("GNU.sparse.major", "1")
        + &pax_record("GNU.sparse.minor", "0")
        + &name
        + &pax_record("GNU.sparse.realsize", "10000");
    let forms = vec![
        pax(pax_record("path", "e") + &size + &pieces, &stored),
        pax(name + &size + &pax_record("GNU.sparse.map", &map.join(",")), &stored),
        pax(one, &in_data),
    ];
    (plain, forms)
}

#[test]
fn files_with_holes_are_filled_up() {
    let (plain, forms) = sparse();
    for bytes in &forms {
        assert!(taken(0, bytes) == plain);
    }
    // The old GNU form: four pieces in the header, more in records after it.
    let mut tar = Tar::default().entry(T::GNUSparse, b"e", b"", &noise(600));
    let mut record = tar.0[..512].to_vec();
    let put = |record: &mut [u8], at: usize, number: u64| {
        record[at..at + 12].copy_from_slice(format!("{number:011o}\0").as_bytes());
    };
    let mut more = vec![0; 512];
    let piece = |n: u64| (n * 1000, 100);
    for n in 0..4 {
        put(&mut record, 386 + 24 * n as usize, piece(n).0);
        put(&mut record, 398 + 24 * n as usize, piece(n).1);
    }
    for n in 4..6 {
        put(&mut more, 24 * (n as usize - 4), piece(n).0);
        put(&mut more, 24 * (n as usize - 4) + 12, piece(n).1);
    }
    record[482] = 1;
    put(&mut record, 483, 7000);
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&record);
    header.set_cksum();
    tar.0.splice(..512, [&header.as_bytes()[..], &more].concat());
    let mut plain = vec![0; 7000];
    for n in 0..6 {
        let (from, to) = (n * 1000, n * 100);
        plain[from..from + 100].copy_from_slice(&noise(600)[to..to + 100]);
    }
    assert!(taken(0, &tar.file("later", b"x").end()) == plain);
}

#[test]
fn a_map_that_lies_is_damage_and_holes_count() {
    let form = |map: &str, size: &str| {
        let records = pax_record("path", "e")
            + &pax_record("GNU.sparse.size", size)
            + &pax_record("GNU.sparse.map", map);
        Tar::default().entry(T::XHeader, b"pax", b"", records.as_bytes()).file("e", b"0123").end()
    };
    let mut unpacker = wanting(0, &["e"]);
    unpacker.limits.bytes = 1 << 20;
    for (map, size, why) in [
        ("0,4,2,0", "10", "not in order"),
        ("8,4", "10", "does not fit"),
        ("0,3", "10", "does not fit"),
        ("18446744073709551615,4", "10", "not in order"),
        ("0,4", "99999999999", "more than 1 MiB"),
        ("0,x", "10", "cannot be read"),
    ] {
        let fault = refusal(&unpacker, &form(map, size));
        assert!(fault.to_string().contains(why), "{map} {size}: {fault}");
    }
    assert_eq!(taken(0, &form("2,4", "8")), b"\0\x000123\0\0");
}

#[test]
fn headers_of_all_ages_are_read() {
    let patched = |change: &dyn Fn(&mut tar::Header)| {
        let mut tar = Tar::default().file("e", PROGRAM).end();
        let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
        change(&mut header);
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        tar
    };
    let size = PROGRAM.len() as u64;
    for tar in [
        // v7: no magic number, NUL for a file.
        patched(&|header| {
            header.as_mut_bytes()[257..].fill(0);
            header.as_mut_bytes()[156] = 0;
        }),
        patched(&|header| header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000")),
        // star: times and a mark behind a shorter prefix.
        patched(&|header| {
            header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
            header.as_mut_bytes()[345..].fill(0);
            header.as_mut_bytes()[476..500].copy_from_slice(b"07012345670 07012345670 ");
            header.as_mut_bytes()[508..].copy_from_slice(b"tar\0");
        }),
        // Numbers in binary, with spaces before them, and a time before 1970.
        patched(&|header| {
            let field = &mut header.as_old_mut().size;
            field.fill(0);
            field[0] = 0x80;
            field[4..].copy_from_slice(&size.to_be_bytes());
        }),
        patched(&|header| {
            header.as_old_mut().size.copy_from_slice(format!("{size:>11o} ").as_bytes());
        }),
        patched(&|header| header.as_old_mut().mtime.fill(0xff)),
        // A kind that nobody knows is a file (POSIX).
        patched(&|header| header.as_old_mut().linkflag = [b'Z']),
        patched(&|header| header.as_old_mut().linkflag = [b'7']),
    ] {
        assert_eq!(taken(0, &tar), PROGRAM);
    }
    let wrong = patched(&|header| {
        header.as_old_mut().size.copy_from_slice(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    });
    assert!(refusal(&wanting(0, &["e"]), &wrong).to_string().contains("no valid size"));

    let before = Tar::default()
        .entry(T::new(b'V'), b"a volume", b"", b"")
        .entry(T::XGlobalHeader, b"g", b"", pax_record("comment", "x").as_bytes())
        .entry(T::XGlobalHeader, b"g", b"", pax_record("path", "all").as_bytes())
        .entry(T::new(b'X'), b"solaris", b"", pax_record("mtime", "-1.5").as_bytes())
        .file("first", b"1")
        .entry(T::new(b'D'), b"dump/", b"", b"Ya\0\0")
        .sized(T::Directory, b"d/", b"", 4096, b"")
        .sized(T::Link, b"same", b"first", 1, b"")
        .entry(
            T::XHeader,
            b"p",
            b"",
            (pax_record("path", "x") + &pax_record("path", "./e")).as_bytes(),
        )
        .file("cut", PROGRAM);
    assert_eq!(taken(0, &before.end()), PROGRAM);
}

/// `tar --label` of GNU leaves the size of the volume's name blank.
#[test]
fn a_size_that_is_blank_or_of_something_without_contents_is_none() {
    for (kind, size) in [
        (T::new(b'V'), [0; 12]),
        (T::new(b'V'), *b"           \0"),
        (T::Regular, [b' '; 12]),
        (T::Directory, *b"not a size!!"),
        (T::Link, [0xff; 12]),
        (T::Symlink, *b"99999999999\0"),
    ] {
        let mut tar = Tar::default().entry(kind, b"vol", b"e", b"").file("e", PROGRAM).end();
        let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
        header.as_old_mut().size = size;
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        assert_eq!(taken(0, &tar), PROGRAM, "{kind:?} {size:?}");
    }
}

#[test]
fn what_claims_to_be_huge_takes_no_memory() {
    for (kind, size) in
        [(T::XHeader, 4 << 30), (T::GNULongName, 1 << 30), (T::XGlobalHeader, 2 << 20)]
    {
        let tar = Tar::default().sized(kind, b"x", b"", size, b"").end();
        let fault = refusal(&wanting(0, &["e"]), &tar);
        assert!(fault.to_string().contains("absurd size"), "{fault}");
    }
    // Many long names: each is allowed, all together are not.
    let mut tar = Tar::default();
    for n in 0..60 {
        let name = format!("{n}/{}", "a/".repeat(2000));
        tar = tar.entry(T::GNULongName, b"l", b"", name.as_bytes()).file("x", b"");
    }
    let unpacker = Unpacker { keep: EntryPolicy::Possible, ..Unpacker::new("deep") };
    let fault = refusal(&unpacker, &tar.end());
    assert!(fault.to_string().contains("names in it take more than 64 MiB"), "{fault}");
    // Many empty members are one after the other, not one within the other.
    let member = crate::archive::samples::packed(&[], crate::model::Compression::TarGz);
    let empty = {
        let mut block = crate::archive::gzip::Block::new(8);
        block.seal();
        block.member().to_vec()
    };
    let parent = tempfile::tempdir().unwrap();
    let many = [empty.repeat(20_000), member].concat();
    unpack_into(&Unpacker::new("members"), &many, parent.path()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_never_panics_nor_gets_out_whatever_is_kept(
        codec in 0usize..5,
        keep in 0usize..2,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (_, forms) = sparse();
        let tar = [
            Tar::default().file("top/e", PROGRAM).link(T::Symlink, "top/l", "e").0,
            forms[damage.len() % 3].clone(),
        ].concat();
        let mut bytes = if codec == 4 { tar } else { CODECS[codec].1(&tar) };
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let mut unpacker = wanting(keep, &["e", "l"]);
        if keep == 0 {
            unpacker.keep = EntryPolicy::Possible;
        }
        unpacker.limits.bytes = 1 << 20;
        let parent = tempfile::tempdir().unwrap();
        let _ = unpack_into(&unpacker, &bytes, parent.path());
        let outside = fs::read_dir(parent.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != *"out");
        prop_assert_eq!(outside.count(), 0);
        prop_assert!(!Path::new("/tmp/forge-evil").exists());
    }
}

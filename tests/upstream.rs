//! The vendor's own release: only with a digest, then like any other artifact.

use std::{fs, io::Write};

use tar::EntryType;

use crate::support::{Asset, Fault, Sandbox, Server, elf_for_arm64, sha256};

const BINARY: &[u8] = b"#!/bin/sh\necho vendor\n";

/// A vendor that serves these files.
fn vendor(sandbox: &Sandbox, files: &[(&str, &[u8])]) -> Server {
    for (path, bytes) in files {
        let path = sandbox.beside("vendor").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    Server::serve(&sandbox.beside("vendor"))
}

fn spec(url: &str, rest: &str) -> String {
    format!("upstream:\n  url: {url}\n{rest}")
}

#[test]
fn an_archive_with_a_pinned_digest_is_taken_stamped_and_released() {
    let sandbox = Sandbox::with_store();
    let archive = Asset::new().file("tool", BINARY).file("README", b"hello").gz();
    let server = vendor(&sandbox, &[("v1.0.0/tool.tar.gz", &archive)]);
    let url = format!("{}/{{{{ version }}}}/tool.tar.gz", server.url());
    let sandbox =
        sandbox.spec("tool", "v1.0.0", &spec(&url, &format!("  sha256: {}\n", sha256(&archive))));
    sandbox.all_are("upstream");
    assert_eq!(sandbox.run_binary("tool"), "vendor\n");
    assert!(!sandbox.path(".forge/installed/tool/README").exists());
    sandbox.all_are("fresh");
    sandbox.forge("verify").succeeds();
    // It was repacked and published: the next one does not ask the vendor.
    let asked = server.requests().len();
    let clone = sandbox.clone_fresh();
    clone.all_are("downloaded");
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_damaged_archive_is_told_by_its_digest_first() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("tool", BINARY).gz();
    let more = [archive.as_slice(), b"aaaaa"].concat();
    let server = vendor(&sandbox, &[("more.tar.gz", &more), ("cut.tar.gz", &archive[..60])]);
    let url = server.url();
    let mut sandbox = sandbox;
    for name in ["more", "cut"] {
        let rest = format!("  sha256: {}\n", sha256(&archive));
        sandbox = sandbox.spec(name, "v1", &spec(&format!("{url}/{name}.tar.gz"), &rest));
        let run = sandbox.forge(&format!("ensure {name}")).exits(4);
        run.says(&format!("{name}.tar.gz is not what was published"));
        run.says(&format!("expected is {}", sha256(&archive)));
    }
    let run = sandbox.forge("ensure more").exits(4);
    run.says(&sha256(&more)).says("it cannot be unpacked: something comes after its end");
    // One that was published damaged is told as that.
    let rest = format!("  sha256: {}\n", sha256(&more));
    sandbox.write("subsystems/more.yml", &spec(&format!("{url}/more.tar.gz"), &rest));
    sandbox.forge("ensure more").exits(4).says("its digest is the expected one");
}

#[test]
fn a_published_checksums_file_vouches_for_it() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("tool", BINARY).gz();
    let sums = format!("{}  other.tar.gz\n{} *tool.tar.gz\n", "0".repeat(64), sha256(&archive));
    let server = vendor(&sandbox, &[("tool.tar.gz", &archive), ("SHA256SUMS", sums.as_bytes())]);
    let url = server.url();
    let rest = format!("  sha256: {url}/SHA256SUMS\n");
    let sandbox = sandbox.spec("tool", "v1", &spec(&format!("{url}/tool.tar.gz"), &rest));
    sandbox.all_are("upstream");
    // A file that does not name it is not a voucher.
    let rest = format!("  sha256: {url}/OTHER\n");
    fs::write(sandbox.beside("vendor/OTHER"), format!("{}  x.tar.gz\n", "0".repeat(64))).unwrap();
    let sandbox = sandbox.spec(
        "unknown",
        "v1",
        &spec(&format!("{url}/tool.tar.gz"), &format!("{rest}  paths: {{ unknown: tool }}\n")),
    );
    sandbox.forge("ensure").exits(4).says("has no digest of `tool.tar.gz`");
}

#[test]
fn a_checksums_file_may_be_of_any_usual_form() {
    let archive = Asset::new().file("tool", BINARY).gz();
    let of = |algorithm: &'static ring::digest::Algorithm| -> String {
        let digest = ring::digest::digest(algorithm, &archive);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (sha256, sha512) = (of(&ring::digest::SHA256), of(&ring::digest::SHA512));
    for sums in [
        format!("{sha512} tool.tar.gz\r\n"),
        format!("SHA2-512(tool.tar.gz)= {sha512}\n"),
        format!("{}  tool.tar.gz\n", of(&ring::digest::SHA384)),
        format!("tool.tar.gz {sha256}\n"),
        format!(r#"{{"files":[{{"name":"x","sha256":"{0}"}},{{"name":"tool.tar.gz","sha256":"{sha256}"}}]}}"#, "0".repeat(64)),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([
        // As `Out-File` of PowerShell writes it.
        format!("\u{feff}{sha256}  tool.tar.gz\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ]) {
        let sandbox = Sandbox::new();
        let server = vendor(&sandbox, &[("tool.tar.gz", &archive), ("SUMS", &sums)]);
        let url = server.url();
        let rest = format!("  sha256: {url}/SUMS\n");
        let sandbox = sandbox.spec("tool", "v1", &spec(&format!("{url}/tool.tar.gz"), &rest));
        sandbox.all_are("upstream");
    }
    // What is too weak, or for other bytes, is refused.
    let md5 = "d41d8cd98f00b204e9800998ecf8427e  tool.tar.gz\n".to_owned();
    for (sums, why) in [
        (md5, "proves nothing any more"),
        (format!("{}  tool.tar.gz\n", "a".repeat(128)), "its digest is sha512:"),
    ] {
        let sandbox = Sandbox::new();
        let server = vendor(&sandbox, &[("tool.tar.gz", &archive), ("SUMS", sums.as_bytes())]);
        let url = server.url();
        let rest = format!("  sha256: {url}/SUMS\n");
        let sandbox = sandbox.spec("tool", "v1", &spec(&format!("{url}/tool.tar.gz"), &rest));
        sandbox.forge("ensure").exits(4).says(why);
    }
}

#[test]
fn a_digest_of_128_digits_is_sha512() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("tool", BINARY).gz();
    let digest = ring::digest::digest(&ring::digest::SHA512, &archive);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let server = vendor(&sandbox, &[("tool.tar.gz", &archive)]);
    let rest = format!("  sha256: {digits}\n");
    let url = format!("{}/tool.tar.gz", server.url());
    sandbox.spec("tool", "v1", &spec(&url, &rest)).all_are("upstream");
}

#[test]
fn other_shapes_are_told_by_strip_paths_and_the_vendors_words() {
    let sandbox = Sandbox::new();
    let archive = Asset::new()
        .file("tool-v1/bin/the-tool", BINARY)
        .file("tool-v1/second", b"#!/bin/sh\necho second\n")
        .file("tool-v1/doc/README", b"x")
        .gz();
    let server = vendor(
        &sandbox,
        &[("tool-tux-x64.tar.gz", &archive), ("tool-tux-aarch64.tar.gz", &archive)],
    );
    let url = format!("{}/tool-{{{{ os }}}}-{{{{ arch }}}}.tar.gz", server.url());
    let rest = format!(
        "  sha256: {{ linux-amd64: {0}, linux-arm64: {0} }}\n  strip: 1\n  paths: {{ first: bin/the-tool }}\n  os: {{ linux: tux }}\n  arch: {{ amd64: x64, arm64: aarch64 }}\n",
        sha256(&archive)
    );
    let sandbox =
        sandbox.spec("tool", "v1", &format!("binary: [first, second]\n{}", spec(&url, &rest)));
    sandbox.all_are("upstream");
    assert_eq!(sandbox.run_binary("first"), "vendor\n");
    assert_eq!(sandbox.run_binary("second"), "second\n");
    assert!(server.requests().iter().any(|request| request.contains("/tool-tux-")));
}

#[test]
fn a_bare_binary_needs_no_archive() {
    let sandbox = Sandbox::new();
    let server = vendor(&sandbox, &[("tool-v1", BINARY)]);
    let url = format!("{}/tool-{{{{ version }}}}", server.url());
    let sandbox =
        sandbox.spec("tool", "v1", &spec(&url, &format!("  sha256: {}\n", sha256(BINARY))));
    sandbox.all_are("upstream");
    assert_eq!(sandbox.run_binary("tool"), "vendor\n");
}

#[test]
fn another_digest_is_refused_and_not_built_past() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("tool", BINARY).gz();
    let server = vendor(&sandbox, &[("tool.tar.gz", &archive)]);
    let url = format!("{}/tool.tar.gz", server.url());
    let rest = format!(
        "  sha256: {}\nbuild: {{ run: 'echo x >> {}; cp /bin/true {{{{ out }}}}/tool' }}\n",
        "1".repeat(64),
        sandbox.beside("builds").display()
    );
    let sandbox = sandbox.spec("tool", "v1", &spec(&url, &rest));
    let run = sandbox.forge("ensure").exits(4);
    run.says(&sha256(&archive)).says(&"1".repeat(64)).says("tool.tar.gz");
    assert_eq!(sandbox.builds(), 0);
    assert!(!sandbox.path(".forge/installed/tool").exists());
    // Who wants to build it says so.
    sandbox.forge("ensure --force").succeeds();
    assert_eq!(sandbox.builds(), 1);
}

#[test]
fn a_vendor_in_doubt_is_asked_again_and_is_an_error_after_that() {
    let sandbox = Sandbox::new();
    let server = vendor(&sandbox, &[("tool", BINARY)]);
    let url = format!("{}/tool", server.url());
    let sandbox =
        sandbox.spec("tool", "v1", &spec(&url, &format!("  sha256: {}\n", sha256(BINARY))));
    server.always_fail("/tool", Fault::Status(403));
    sandbox.forge("ensure").exits(5).says("403");
    let server = vendor(&sandbox, &[]);
    server.fail("/tool", Fault::Status(503));
    let url = format!("{}/tool", server.url());
    sandbox.write("subsystems/tool.yml", &spec(&url, &format!("  sha256: {}\n", sha256(BINARY))));
    sandbox.all_are("upstream");
}

#[test]
fn what_the_vendor_no_longer_has_is_told() {
    let sandbox = Sandbox::new();
    let server = vendor(&sandbox, &[]);
    fs::create_dir_all(sandbox.beside("vendor")).unwrap();
    let url = format!("{}/gone", server.url());
    let sandbox =
        sandbox.spec("tool", "v1", &spec(&url, &format!("  sha256: {}\n", "1".repeat(64))));
    let run = sandbox.forge("ensure").run();
    assert!(matches!(run.code(), Some(5)), "{run}");
    run.says("there is nothing at").says("/gone");
}

#[test]
fn a_vendors_archive_without_the_binary_says_what_it_holds() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("pkg/bin/tool", BINARY).gz();
    let server = vendor(&sandbox, &[("tool.tar.gz", &archive)]);
    let url = format!("{}/tool.tar.gz", server.url());
    let sandbox =
        sandbox.spec("tool", "v1", &spec(&url, &format!("  sha256: {}\n", sha256(&archive))));
    let run = sandbox.forge("ensure").exits(1);
    run.says("holds no `tool`").says("pkg/bin/tool").says("upstream.strip");
}

#[test]
fn a_vendors_program_for_another_processor_is_refused() {
    let sandbox = Sandbox::new();
    let elf = elf_for_arm64();
    let server = vendor(&sandbox, &[("tool", &elf)]);
    let url = format!("{}/tool", server.url());
    let sandbox = sandbox.spec("tool", "v1", &spec(&url, &format!("  sha256: {}\n", sha256(&elf))));
    if cfg!(target_arch = "aarch64") {
        return;
    }
    sandbox.forge("ensure").exits(4).says("arm64");
    assert!(!sandbox.path(".forge/bin/tool").exists());
    sandbox.forge("ensure --platform linux-arm64").succeeds();
}

#[test]
fn an_archive_as_source_is_unpacked_by_its_digest() {
    let sandbox = Sandbox::new();
    let archive = Asset::new().file("src-1.0/tool.sh", BINARY).gz();
    let server = vendor(&sandbox, &[("src.tar.gz", &archive)]);
    let good = format!(
        "source: {{ archive: {}/src.tar.gz, sha256: {}, strip: 1 }}\nbuild: {{ run: 'cp tool.sh {{{{ out }}}}/tool' }}\n",
        server.url(),
        sha256(&archive)
    );
    let sandbox = sandbox.spec("tool", "v1", &good);
    sandbox.all_are("built");
    assert_eq!(sandbox.run_binary("tool"), "vendor\n");
    sandbox.write("subsystems/tool.yml", &good.replace(&sha256(&archive), &"2".repeat(64)));
    let run = sandbox.forge("ensure").exits(4);
    run.says("is not the archive that subsystems/tool.yml pins");
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_usual_compressions_are_told_by_the_bytes() {
    let tar = || Asset::new().file("tool", BINARY).file("README", b"hello").plain();
    for (name, bytes) in [
        ("tool.tar.xz", xz(&tar())),
        ("tool.tar.bz2", bz2(&tar())),
        ("tool.xz", xz(BINARY)),
        ("tool.bz2", bz2(BINARY)),
    ] {
        let sandbox = Sandbox::new();
        let server = vendor(&sandbox, &[(name, &bytes)]);
        let url = format!("{}/{name}", server.url());
        let rest = format!("  sha256: {}\n", sha256(&bytes));
        let sandbox = sandbox.spec("tool", "v1", &spec(&url, &rest));
        sandbox.all_are("upstream");
        assert_eq!(sandbox.run_binary("tool"), "vendor\n", "{name}");
    }
}

#[test]
fn a_wanted_program_may_be_a_link_to_another_entry_and_lie_behind_one() {
    for (archive, path) in [
        (
            Asset::new()
                .entry("pkg/bin/tool", EntryType::Symlink, "../lib/tool-1.0", b"")
                .file("pkg/lib/tool-1.0", BINARY),
            "bin/tool",
        ),
        (
            // The tarball of a whole system.
            Asset::new()
                .entry("pkg/bin", EntryType::Symlink, "usr/bin", b"")
                .entry("pkg/dev/null", EntryType::Char, "", b"")
                .entry("pkg/etc/mtab", EntryType::Symlink, "/proc/mounts", b"")
                .file("pkg/bin/tool", BINARY),
            "usr/bin/tool",
        ),
    ] {
        let archive = archive.gz();
        let sandbox = Sandbox::new();
        let server = vendor(&sandbox, &[("tool.tar.gz", &archive)]);
        let rest =
            format!("  sha256: {}\n  strip: 1\n  paths: {{ tool: {path} }}\n", sha256(&archive));
        let url = format!("{}/tool.tar.gz", server.url());
        let sandbox = sandbox.spec("tool", "v1", &spec(&url, &rest));
        sandbox.all_are("upstream");
        assert_eq!(sandbox.run_binary("tool"), "vendor\n");
    }
}

#[test]
fn what_is_left_out_of_a_source_is_told() {
    let sandbox = Sandbox::new();
    let archive = Asset::new()
        .entry("src/out", EntryType::Symlink, "/etc/passwd", b"")
        .entry("src/pipe", EntryType::Fifo, "", b"")
        .file("src/tool.sh", BINARY)
        .gz();
    let server = vendor(&sandbox, &[("src.tar.gz", &archive)]);
    let sandbox = sandbox.spec(
        "tool",
        "v1",
        &format!(
            "source: {{ archive: {}/src.tar.gz, sha256: {}, strip: 1 }}\nbuild: {{ run: 'test ! -e out; cp tool.sh {{{{ out }}}}/tool' }}\n",
            server.url(),
            sha256(&archive)
        ),
    );
    let run = sandbox.forge("ensure").succeeds();
    run.says("`src/out` and 1 more").says("is a link to an absolute path").says("is a named pipe");
    assert_eq!(sandbox.run_binary("tool"), "vendor\n");
}

#[test]
fn a_transfer_that_breaks_whenever_it_begins_again_ends() {
    let program = [BINARY, b"exit\n", &vec![b'#'; 300_000]].concat();
    let sandbox = Sandbox::new();
    let server = vendor(&sandbox, &[("tool", &program)]);
    let url = format!("{}/tool", server.url());
    let rest = format!("  sha256: {}\n", sha256(&program));
    let sandbox = sandbox.spec("tool", "v1", &spec(&url, &rest));
    server.always_fail("/tool", Fault::CutForGood(100_000));
    sandbox.forge("ensure").exits(5).says("it broke 5 times");
    // A connection that breaks before its answer came is asked again without beginning again.
    let begun = server.requests().len();
    assert!((5..=20).contains(&begun), "{:?}", server.requests());
    assert!(!sandbox.path(".forge/bin/tool").exists());
    // What breaks less often is there in the end.
    let server = vendor(&sandbox, &[]);
    server.fail("/tool", Fault::CutForGood(100_000));
    server.fail("/tool", Fault::CutForGood(200_000));
    sandbox.write("subsystems/tool.yml", &spec(&format!("{}/tool", server.url()), &rest));
    sandbox.all_are("upstream");
    assert!(server.requests().len() >= 3);
}

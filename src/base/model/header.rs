//! What a file says it runs on: the first bytes of ELF, Mach-O, PE and scripts.
//!
//! Sources: System V ABI (ELF header, `e_machine`), `mach-o/loader.h` and
//! `mach-o/fat.h`, Microsoft PE Format (`Machine` in the COFF header).

use super::{Arch, Os, Platform};

/// How many bytes of a file [`read_header`] wants to see. A PE header may begin
/// anywhere; linkers put it within the first kilobyte.
pub const HEADER_BYTES: usize = 4096;

/// The kind of file that some first bytes announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// A script with `#!`: runs wherever its interpreter does.
    Script,
    /// A program for these platforms. Several for a Mach-O universal binary; the
    /// operating system is absent where the format leaves it open (ELF).
    Program(Vec<(Option<Os>, Option<Arch>)>),
    /// Nothing that can be executed, with a guess at what it is instead.
    Other(&'static str),
}

impl Header {
    /// Checks that the file can run on `platform`.
    ///
    /// # Errors
    /// Says what the file is instead.
    pub fn check(&self, platform: Platform) -> Result<(), String> {
        let programs = match self {
            Self::Script if platform.os == Os::Windows => {
                return Err("a `#!` script, which Windows does not run".into());
            }
            Self::Script => return Ok(()),
            Self::Other(what) => return Err((*what).to_owned()),
            Self::Program(programs) => programs,
        };
        let fits = |(os, arch): &(Option<Os>, Option<Arch>)| {
            let same_os = match os {
                Some(os) => *os == platform.os,
                None => matches!(platform.os, Os::Linux | Os::Freebsd),
            };
            same_os && *arch == Some(platform.arch)
        };
        if programs.iter().any(fits) {
            return Ok(());
        }
        let name = |(os, arch): &(Option<Os>, Option<Arch>)| {
            let os = os.map_or("an ELF system", Os::as_str);
            let arch = arch.map_or("a processor forge does not know", Arch::as_str);
            format!("{os} on {arch}")
        };
        let programs: Vec<_> = programs.iter().map(name).collect();
        Err(format!("a program for {}", programs.join(" and ")))
    }
}

/// Reads the header of a file from its first [`HEADER_BYTES`] bytes (or all, if it is shorter).
#[must_use]
pub fn read_header(bytes: &[u8]) -> Header {
    match bytes {
        [] => Header::Other("an empty file"),
        [b'#', b'!', ..] => Header::Script,
        [0x7f, b'E', b'L', b'F', ..] => elf(bytes),
        [b'M', b'Z', ..] => pe(bytes),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, rest @ ..] => {
            Header::Program(vec![(Some(Os::Darwin), le32(rest, 0).and_then(mach_arch))])
        }
        [0xca, 0xfe, 0xba, 0xbe, ..] => mach_fat(bytes),
        [0x1f, 0x8b, ..] => Header::Other("a gzip archive"),
        [b'P', b'K', 3, 4, ..] => Header::Other("a zip archive"),
        _ if looks_like_html(bytes) => Header::Other("an HTML page"),
        _ => Header::Other("neither a program nor a `#!` script"),
    }
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).to_ascii_lowercase();
    let start = start.trim_start();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

fn elf(bytes: &[u8]) -> Header {
    let big_endian = bytes.get(5) == Some(&2);
    let half = |at: usize| {
        let pair = [*bytes.get(at)?, *bytes.get(at + 1)?];
        Some(if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let wide = bytes.get(4) == Some(&2);
    let arch = match (half(18), wide, big_endian) {
        (Some(62), true, false) => Some(Arch::Amd64),
        (Some(183), true, false) => Some(Arch::Arm64),
        (Some(40), false, false) => Some(Arch::Arm),
        (Some(3), false, false) => Some(Arch::I386),
        (Some(243), true, false) => Some(Arch::Riscv64),
        (Some(21), true, false) => Some(Arch::Ppc64le),
        (Some(22), true, true) => Some(Arch::S390x),
        (Some(258), true, false) => Some(Arch::Loong64),
        _ => None,
    };
    let os = match bytes.get(7) {
        Some(3) => Some(Os::Linux),
        Some(9) => Some(Os::Freebsd),
        _ => None,
    };
    Header::Program(vec![(os, arch)])
}

fn pe(bytes: &[u8]) -> Header {
    let arch = le32(bytes, 0x3c).and_then(|offset| {
        let at = usize::try_from(offset).ok()?;
        let header = bytes.get(at..at.checked_add(6)?)?;
        match (&header[..4], u16::from_le_bytes([header[4], header[5]])) {
            (b"PE\0\0", 0x8664) => Some(Arch::Amd64),
            (b"PE\0\0", 0xaa64) => Some(Arch::Arm64),
            (b"PE\0\0", 0x014c) => Some(Arch::I386),
            _ => None,
        }
    });
    Header::Program(vec![(Some(Os::Windows), arch)])
}

fn mach_fat(bytes: &[u8]) -> Header {
    let be32 = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // Java class files share the magic; there the next word is a version above 40.
    let count = match be32(4) {
        Some(count @ 1..=20) => count as usize,
        _ => return Header::Other("a Java class file"),
    };
    let arch = |i: usize| (Some(Os::Darwin), be32(8 + i * 20).and_then(mach_arch));
    Header::Program((0..count).map(arch).collect())
}

fn mach_arch(cpu_type: u32) -> Option<Arch> {
    match cpu_type {
        0x0100_0007 => Some(Arch::Amd64),
        0x0100_000c => Some(Arch::Arm64),
        _ => None,
    }
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elf_bytes(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes
    }

    fn on(platform: &str) -> Platform {
        platform.parse().unwrap()
    }

    #[test]
    fn this_very_program_runs_here() {
        let me = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        read_header(&me[..HEADER_BYTES]).check(Platform::host()).unwrap();
    }

    #[test]
    fn an_elf_for_arm_is_refused_on_amd64() {
        let why = read_header(&elf_bytes(183)).check(on("linux-amd64")).unwrap_err();
        assert_eq!(why, "a program for an ELF system on arm64");
        read_header(&elf_bytes(183)).check(on("linux-arm64")).unwrap();
    }

    #[test]
    fn mach_o_thin_and_universal() {
        let thin = [0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0];
        read_header(&thin).check(on("darwin-arm64")).unwrap();
        assert!(read_header(&thin).check(on("linux-arm64")).is_err());
        let mut fat = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2];
        for cpu in [0x0100_0007u32, 0x0100_000c] {
            fat.extend(cpu.to_be_bytes());
            fat.extend([0; 16]);
        }
        read_header(&fat).check(on("darwin-amd64")).unwrap();
        read_header(&fat).check(on("darwin-arm64")).unwrap();
    }

    #[test]
    fn pe_by_its_machine_word() {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(0x3c, 0);
        bytes.extend(0x80u32.to_le_bytes());
        bytes.resize(0x80, 0);
        bytes.extend(b"PE\0\0\x64\x86");
        read_header(&bytes).check(on("windows-amd64")).unwrap();
        assert!(read_header(&bytes).check(on("windows-arm64")).is_err());
    }

    #[test]
    fn scripts_run_where_there_are_interpreters() {
        read_header(b"#!/bin/sh\n").check(on("linux-arm64")).unwrap();
        assert!(read_header(b"#!/bin/sh\n").check(on("windows-amd64")).is_err());
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, what) in [
            (&b""[..], "an empty file"),
            (b"\x1f\x8b\x08", "a gzip archive"),
            (b"  <!DOCTYPE html>", "an HTML page"),
            (b"hello", "neither a program nor a `#!` script"),
        ] {
            assert_eq!(read_header(bytes).check(on("linux-amd64")).unwrap_err(), what);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, magic in 0usize..5) {
            let magics: [&[u8]; 5] = [b"", b"\x7fELF", b"MZ", &[0xca, 0xfe, 0xba, 0xbe], &[0xcf, 0xfa, 0xed, 0xfe]];
            bytes.splice(0..0, magics[magic].iter().copied());
            let _ = read_header(&bytes).check(on("linux-amd64"));
        }
    }
}

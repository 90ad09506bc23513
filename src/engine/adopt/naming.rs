//! What the assets of others are for, told by their names: which platform, and whether they hold a
//! program at all. Pure.
//!
//! A name is cut at `-`, `_` and `.` into words; tables say what each word means. A name that says no
//! architecture is for amd64, but on macOS, where it is for both. Of several assets for one platform that is
//! taken which works on more machines (musl), has fewer words besides, and is packed in the more usual way.

use crate::model::{Arch, Os, Platform};

/// What programs are packed in, the most usual first.
const PACKED: [&str; 16] = [
    ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tar.bz2", ".tbz", ".tar.lz", ".zip", ".gz",
    ".xz", ".zst", ".bz2", ".exe", ".tar", ".tbz2",
];

/// What is no program for people who unpack: packages, checksums, signatures, statements.
const OTHERS: [&str; 45] = [
    "apk",
    "appimage",
    "asc",
    "attestation",
    "aab",
    "bundle",
    "cert",
    "crt",
    "cyclonedx",
    "deb",
    "dmg",
    "flatpak",
    "ipk",
    "intoto",
    "jar",
    "json",
    "jsonl",
    "key",
    "kbx",
    "md",
    "md5",
    "minisig",
    "msi",
    "msix",
    "patch",
    "pem",
    "pkg",
    "pom",
    "proof",
    "provenance",
    "pub",
    "rpm",
    "sbom",
    "sh",
    "sha1",
    "sha256",
    "sha256sum",
    "sha512",
    "sha512sum",
    "sig",
    "sigstore",
    "snap",
    "spdx",
    "txt",
    "yml",
];

/// Words by which a file is no program, wherever they are in its name.
const OTHER_WORDS: [&str; 16] = [
    "checksum",
    "checksums",
    "sha256sums",
    "sha512sums",
    "shasums",
    "shasums256",
    "shasums512",
    "sums",
    "src",
    "source",
    "vendor",
    "completions",
    "manpages",
    "docs",
    "symbols",
    "debuginfo",
];

/// Words of operating systems, some with an architecture.
const SYSTEMS: [(&str, Os, Option<Arch>); 17] = [
    ("linux", Os::Linux, None),
    ("linux64", Os::Linux, Some(Arch::Amd64)),
    ("linux32", Os::Linux, Some(Arch::I386)),
    ("linuxmusl", Os::Linux, None),
    ("linuxstatic", Os::Linux, None),
    ("darwin", Os::Darwin, None),
    ("macos", Os::Darwin, None),
    ("macosx", Os::Darwin, None),
    ("mac", Os::Darwin, None),
    ("osx", Os::Darwin, None),
    ("apple", Os::Darwin, None),
    ("windows", Os::Windows, None),
    ("windows64", Os::Windows, Some(Arch::Amd64)),
    ("win", Os::Windows, None),
    ("win64", Os::Windows, Some(Arch::Amd64)),
    ("win32", Os::Windows, Some(Arch::I386)),
    ("freebsd", Os::Freebsd, None),
];

/// Words of architectures. What is none of forge's is named so that it is not taken for another.
const PROCESSORS: [(&str, Option<Arch>); 32] = [
    ("amd64", Some(Arch::Amd64)),
    ("amd64v1", Some(Arch::Amd64)),
    ("x64", Some(Arch::Amd64)),
    ("64bit", Some(Arch::Amd64)),
    ("arm64", Some(Arch::Arm64)),
    ("aarch64", Some(Arch::Arm64)),
    ("arm64v8", Some(Arch::Arm64)),
    ("armv8", Some(Arch::Arm64)),
    ("arm", Some(Arch::Arm)),
    ("armv6", Some(Arch::Arm)),
    ("armv6hf", Some(Arch::Arm)),
    ("armv7", Some(Arch::Arm)),
    ("armv7l", Some(Arch::Arm)),
    ("armhf", Some(Arch::Arm)),
    ("armv5", Some(Arch::Arm)),
    ("armel", Some(Arch::Arm)),
    ("386", Some(Arch::I386)),
    ("i386", Some(Arch::I386)),
    ("i586", Some(Arch::I386)),
    ("i686", Some(Arch::I386)),
    ("x86", Some(Arch::I386)),
    ("32bit", Some(Arch::I386)),
    ("riscv64", Some(Arch::Riscv64)),
    ("riscv64gc", Some(Arch::Riscv64)),
    ("ppc64le", Some(Arch::Ppc64le)),
    ("powerpc64le", Some(Arch::Ppc64le)),
    ("s390x", Some(Arch::S390x)),
    ("loong64", Some(Arch::Loong64)),
    ("loongarch64", Some(Arch::Loong64)),
    ("ppc64", None),
    ("mips", None),
    ("mips64le", None),
];

/// Systems that forge has no platform for.
const FOREIGN: [&str; 12] = [
    "openbsd",
    "netbsd",
    "dragonfly",
    "solaris",
    "illumos",
    "android",
    "aix",
    "plan9",
    "js",
    "wasm",
    "wasm32",
    "wasi",
];

/// Spellings that a cut would tear.
const SPELLINGS: [(&str, &str); 9] = [
    ("x86_64h", "amd64"),
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("x64_64", "amd64"),
    ("64-bit", "amd64"),
    ("32-bit", "386"),
    ("aarch_64", "arm64"),
    ("ppcle_64", "ppc64le"),
    ("s390_64", "s390x"),
];

/// Words that stand for both architectures of macOS.
const UNIVERSAL: [&str; 4] = ["universal", "universal2", "all", "fat"];

/// Words of variants that nobody means who does not say so.
const VARIANTS: [&str; 23] = [
    "full",
    "baseline",
    "debug",
    "profile",
    "extended",
    "withdeploy",
    "fips",
    "slim",
    "lite",
    "minimal",
    "nightly",
    "dynamic",
    "no",
    "test",
    "tests",
    "gui",
    "server",
    "installer",
    "setup",
    "unstripped",
    "cgo",
    "systemd",
    "desktop",
];

/// What the name of an asset says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetReading {
    /// What it runs on; several if it is for all architectures.
    pub platforms: Vec<Platform>,
    /// How far it is from what is usual: of two for the same platform, the smaller is taken.
    pub oddness: u32,
}

/// What `name` says; nothing if it is no program, or for no platform of forge's.
pub fn read_asset(name: &str) -> Option<AssetReading> {
    let lower = name.to_ascii_lowercase();
    let (stem, packing) = unpacked(&lower);
    let ending = stem.rsplit('.').next().filter(|_| stem.contains('.')).unwrap_or_default();
    if OTHERS.contains(&ending) {
        return None;
    }
    let spelled =
        SPELLINGS.iter().fold(stem.to_owned(), |text, (torn, whole)| text.replace(torn, whole));
    let words: Vec<&str> =
        spelled.split(['-', '_', '.', '+', ' ']).filter(|it| !it.is_empty()).collect();
    if words.iter().any(|word| OTHER_WORDS.contains(word) || FOREIGN.contains(word)) {
        return None;
    }
    let os = system(&words, &lower)?;
    let platforms = processors(&words, os)?;
    let platforms = platforms.into_iter().map(|arch| Platform { os, arch }).collect();
    Some(AssetReading { platforms, oddness: oddness(&words, os, packing) })
}

/// `name` without what it is packed in, and how usual that is.
fn unpacked(name: &str) -> (&str, u32) {
    for (index, ending) in PACKED.iter().enumerate() {
        if let Some(stem) = name.strip_suffix(ending) {
            return (stem, u32::try_from(index).unwrap_or(0) + 1);
        }
    }
    (name, 4)
}

fn system(words: &[&str], lower: &str) -> Option<Os> {
    let known = |word: &&str| SYSTEMS.iter().find(|(name, ..)| name == word).map(|(_, os, _)| *os);
    // `apple-darwin` names one system twice.
    let os = words.iter().rev().find_map(known).or_else(|| words.iter().find_map(joined_system));
    os.or_else(|| lower.ends_with(".exe").then_some(Os::Windows))
}

/// `macosarm64`, `darwin10`, `linuxamd64`: the system, and more in the same word.
fn joined_system(word: &&str) -> Option<Os> {
    let mut long = SYSTEMS.iter().filter(|(name, ..)| name.len() > 3);
    long.find(|(name, ..)| word.starts_with(name)).map(|(_, os, _)| *os)
}

/// The architectures; none if it is one that forge does not know.
fn processors(words: &[&str], os: Os) -> Option<Vec<Arch>> {
    if os == Os::Darwin && words.iter().any(|word| UNIVERSAL.contains(word)) {
        return Some(vec![Arch::Amd64, Arch::Arm64]);
    }
    let known =
        |word: &&str| PROCESSORS.iter().find(|(name, _)| name == word).map(|(_, arch)| *arch);
    let joined = |word: &&str| {
        let mut long = PROCESSORS.iter().filter(|(name, _)| name.len() > 4);
        let found = long.find(|(name, _)| joined_system(word).is_some() && word.ends_with(name));
        found.map(|(_, arch)| *arch)
    };
    let of_system = |word: &&str| {
        let (.., arch) = SYSTEMS.iter().find(|(name, ..)| name == word)?;
        arch.map(Some)
    };
    let words = || words.iter().rev();
    let found = words().find_map(known).or_else(|| words().find_map(joined));
    match found.or_else(|| words().find_map(of_system)) {
        Some(arch) => arch.map(|arch| vec![arch]),
        None if os == Os::Darwin => Some(vec![Arch::Amd64, Arch::Arm64]),
        None => Some(vec![Arch::Amd64]),
    }
}

fn oddness(words: &[&str], os: Os, packing: u32) -> u32 {
    let variants = words.iter().filter(|word| VARIANTS.contains(word)).count();
    let libc = match os {
        Os::Linux if words.iter().any(|it| matches!(*it, "musl" | "linuxmusl" | "static")) => 0,
        Os::Linux if words.iter().any(|it| it.starts_with("gnu") || *it == "glibc") => 2,
        Os::Windows if words.contains(&"msvc") => 0,
        Os::Windows if words.iter().any(|it| it.starts_with("gnu")) => 2,
        _ => 1,
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX / 2);
    count(variants) * 1000 + libc * 100 + count(words.len()) * 20 + packing
}

/// Of `names`, the one for each of `platforms` that has one.
pub fn assets_by_platform<'n>(
    names: impl IntoIterator<Item = &'n str>,
    platforms: &[Platform],
) -> Vec<(Platform, &'n str)> {
    let read = |name: &'n str| read_asset(name).map(|reading| (name, reading));
    let known: Vec<_> = names.into_iter().filter_map(read).collect();
    let best = |platform: &Platform| {
        let fits = known.iter().filter(|(_, reading)| reading.platforms.contains(platform));
        // One that names the architecture is for it more than one for all.
        let odd = |reading: &AssetReading| (reading.platforms.len(), reading.oddness);
        let (name, _) = fits.min_by_key(|(name, reading)| (odd(reading), name.len(), *name))?;
        Some((*platform, *name))
    };
    platforms.iter().filter_map(best).collect()
}

/// The file with checksums for `asset` among `names`: one for all assets, or its own.
pub fn checksums_of<'n>(names: &[&'n str], asset: &str) -> Option<&'n str> {
    let own = |name: &&&str| {
        let rest = name.strip_prefix(asset).unwrap_or_default().to_ascii_lowercase();
        matches!(rest.as_str(), ".sha256" | ".sha256sum" | ".sha256.txt" | ".sha512" | ".digest")
    };
    let shared = |name: &&&str| {
        let lower = name.to_ascii_lowercase();
        let words: Vec<&str> = lower.split(['-', '_', '.']).collect();
        let is_list = words.iter().any(|word| {
            word.ends_with("checksums") || word.ends_with("sums") || word.starts_with("shasums")
        }) || matches!(lower.as_str(), "sha256.txt" | "sha256sum.txt" | "sha256.sum");
        let ends = ["sig", "pem", "asc", "minisig", "json", "bundle", "sigstore", "cert", "jsonl"];
        is_list && !ends.contains(words.last().unwrap_or(&"")) && !lower.contains("md5")
    };
    names.iter().find(own).or_else(|| names.iter().find(shared)).copied()
}

#[cfg(test)]
mod tests;

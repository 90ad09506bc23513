//! What a program says of the libraries in it: Go writes its modules into every binary (package
//! `debug/buildinfo`, "inlined strings", Go 1.18 and later), `cargo auditable` its crates
//! (rust-secure-code/cargo-auditable, `PARSING.md`). Of other programs of cargo a `Cargo.lock` tells
//! what may be in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use serde::Deserialize;

use super::elf::section;
use crate::{archive::inflate_zlib, disk::open_file};

/// The most that a program says of its libraries, in bytes.
const MOST: u64 = 16 << 20;

/// A library that is in a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// Whose it is, as package URLs call the type: `golang`, `cargo`.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// Its version, where one is told.
    pub version: Option<String>,
    /// What is known of its source: a digest, as the language writes it.
    pub sum: Option<String>,
}

impl Library {
    /// What inventories call it by (purl-spec).
    pub fn package_url(&self) -> String {
        let escaped = |text: &str| text.replace('%', "%25").replace('+', "%2B");
        let name = match self.kind {
            "golang" => self.name.to_lowercase(),
            _ => self.name.clone(),
        };
        let version = self.version.as_deref().map(|it| format!("@{}", escaped(it)));
        format!("pkg:{}/{}{}", self.kind, escaped(&name), version.unwrap_or_default())
    }
}

/// The libraries that the program at `path` says it has; none if it says nothing.
///
/// # Errors
/// If it cannot be read.
pub fn libraries_in(path: &Path) -> io::Result<BTreeSet<Library>> {
    let mut file = open_file(path)?;
    if let Some(bytes) = section(&mut file, ".go.buildinfo", MOST)? {
        return Ok(go_modules(&bytes).unwrap_or_default());
    }
    let told = section(&mut file, ".dep-v0", MOST)?;
    Ok(told.and_then(|bytes| crates(&inflate_zlib(&bytes, MOST).ok()?)).unwrap_or_default())
}

/// The modules that `bytes`, the build info of a Go program, tell of.
fn go_modules(bytes: &[u8]) -> Option<BTreeSet<Library>> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    const STRINGS: usize = 32;
    // The modules are between two marks of this length.
    const MARK: usize = 16;
    let has_strings = bytes.starts_with(MAGIC) && bytes.get(15)? & 2 != 0;
    let (toolchain, rest) = counted(bytes.get(STRINGS..).filter(|_| has_strings)?)?;
    let (modules, _) = counted(rest)?;
    let modules = modules.get(MARK..modules.len().checked_sub(MARK)?)?;
    let text = std::str::from_utf8(modules).ok()?;
    let library = |name: &str, version: &str, sum: Option<&str>| Library {
        kind: "golang",
        name: name.to_owned(),
        version: Some(version.to_owned()).filter(|it| !it.is_empty() && it != "(devel)"),
        sum: sum.filter(|it| !it.is_empty()).map(str::to_owned),
    };
    let toolchain = std::str::from_utf8(toolchain).ok()?;
    let toolchain = toolchain.split(' ').next().unwrap_or_default().trim_start_matches("go");
    let (mut found, mut last) = (BTreeSet::from([library("stdlib", toolchain, None)]), None);
    for line in text.lines() {
        let mut words = line.split('\t');
        let (word, name, version) = (words.next()?, words.next(), words.next());
        let module = || Some(library(name?, version.unwrap_or_default(), words.clone().next()));
        match word {
            "mod" | "dep" => {
                found.extend(last.take());
                last = module();
            }
            // It is built from another one.
            "=>" => last = module(),
            _ => {}
        }
    }
    found.extend(last);
    Some(found)
}

/// The first bytes of `bytes`, as many as the number before them says (an unsigned varint), and what
/// follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut count, mut at) = (0_usize, 0);
    loop {
        let byte = *bytes.get(at)?;
        count |= usize::from(byte & 0x7f).checked_shl(u32::try_from(at).ok()? * 7)?;
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at.checked_add(count)?;
    Some((bytes.get(at..end)?, bytes.get(end..)?))
}

/// The crates that `json`, written by `cargo auditable`, tells of; less those that only built it.
fn crates(json: &[u8]) -> Option<BTreeSet<Library>> {
    #[derive(Deserialize)]
    struct AuditableCrates {
        packages: Vec<AuditableCrate>,
    }
    #[derive(Deserialize)]
    struct AuditableCrate {
        name: String,
        version: String,
        #[serde(default)]
        kind: String,
    }
    let audited: AuditableCrates = serde_json::from_slice(json).ok()?;
    let packages = audited.packages.into_iter().filter(|package| package.kind != "build");
    Some(packages.map(|it| cargo(it.name, it.version, None)).collect())
}

/// The crates that the text of a `Cargo.lock` names.
pub fn locked_crates(text: &str) -> BTreeSet<Library> {
    let packages = text.split("[[package]]").skip(1).filter_map(|package| {
        let lines = package.lines().filter_map(|line| line.split_once(" = "));
        let fields: BTreeMap<&str, &str> =
            lines.map(|(key, value)| (key.trim(), value.trim().trim_matches('"'))).collect();
        let sum = fields.get("checksum").map(|sum| (*sum).to_owned());
        Some(cargo((*fields.get("name")?).to_owned(), (*fields.get("version")?).to_owned(), sum))
    });
    packages.collect()
}

fn cargo(name: String, version: String, sum: Option<String>) -> Library {
    Library { kind: "cargo", name, version: Some(version), sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build_info(modules: &str) -> Vec<u8> {
        let mut bytes = b"\xff Go buildinf:".to_vec();
        bytes.extend([8, 2]);
        bytes.resize(32, 0);
        let mark = "0123456789abcdef";
        for text in ["go1.26.1 X:nodwarf5".to_owned(), format!("{mark}{modules}{mark}")] {
            let mut count = text.len();
            while count >= 0x80 {
                bytes.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
                count >>= 7;
            }
            bytes.push(u8::try_from(count).unwrap());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    fn names(found: &BTreeSet<Library>) -> Vec<String> {
        found.iter().map(Library::package_url).collect()
    }

    #[test]
    fn a_go_program_tells_its_modules() {
        let modules = "path\texample.org/api\nmod\texample.org/api\t(devel)\t\n\
                       dep\tgithub.com/A/b\tv1.2.0+incompatible\th1:abc=\n\
                       dep\tgithub.com/c/d\tv2.0.0\n=>\tgithub.com/e/f\tv2.0.1\th1:x=\n\
                       build\tGOOS=linux\n";
        let bytes = build_info(modules);
        let found = go_modules(&bytes).unwrap();
        let expected = [
            "pkg:golang/example.org/api",
            "pkg:golang/github.com/a/b@v1.2.0%2Bincompatible",
            "pkg:golang/github.com/e/f@v2.0.1",
            "pkg:golang/stdlib@1.26.1",
        ];
        assert_eq!(names(&found), expected);
        assert!(found.iter().any(|it| it.sum.as_deref() == Some("h1:abc=")));
        for end in 0..bytes.len() {
            let _ = go_modules(&bytes[..end]);
        }
    }

    #[test]
    fn crates_are_told_by_the_program_or_by_the_lock() {
        let json = br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io"},
            {"name":"cc","version":"1.2.0","source":"crates.io","kind":"build"}]}"#;
        assert_eq!(names(&crates(json).unwrap()), ["pkg:cargo/a@1.0.0"]);
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0+x\"\nchecksum = \"00\"\n\
                    dependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        let found = locked_crates(lock);
        assert_eq!(names(&found), ["pkg:cargo/a@1.0.0%2Bx", "pkg:cargo/b@2.0.0"]);
    }

    #[test]
    fn this_program_is_read_and_is_not_gos() {
        let found = libraries_in(&std::env::current_exe().unwrap()).unwrap();
        assert!(found.iter().all(|it| it.kind == "cargo"));
    }
}

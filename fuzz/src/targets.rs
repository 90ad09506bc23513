//! What is done with bytes that others wrote: each must end without a panic, and what is read and
//! written again must stay the same. cargo-fuzz runs these for as long as one likes; `tests/fuzz.rs` runs them
//! for some seconds.

#![allow(dead_code, reason = "each target of cargo-fuzz takes one of them")]

use std::{collections::BTreeMap, fs, path::Path};

use forge::{
    archive::{UnpackLimits, Unpacker, peek_stamp},
    imports, manifest,
    model::{Environment, Platform, Precedence, UserFolders, Version},
    store, task, taskfile, versioning, workspace,
};

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 11] = [
    ("manifest", manifest),
    ("spec", spec),
    ("archive", archive),
    ("checksums", checksums),
    ("dotenv", dotenv),
    ("versions", versions),
    ("commits", commits),
    ("taskfile", taskfile),
    ("records", records),
    ("imports", imports),
    ("template", template),
];

/// `versions.yml`, with every check.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    load(Path::new("/nowhere"), text);
}

/// `versions.yml` at `root`, loaded with nothing outside of it.
fn load(root: &Path, text: &str) {
    let (environment, user) = (Environment::default(), UserFolders::default());
    let outside = workspace::LoadInputs::new(&environment, &user, &|_| None);
    let _ = workspace::load_text(root, text, Platform::host(), &outside);
}

/// A spec.
pub fn spec(data: &[u8]) {
    let file = manifest::ManifestFile::new("spec.yml".into(), data.to_vec(), manifest::MAX_BYTES);
    let mut found = manifest::Findings::new(&file);
    manifest::read_spec(&file, &mut found);
    for diagnostic in &found.diagnostics {
        let bytes = diagnostic.span.bytes.clone();
        assert!(file.text.get(bytes.clone()).is_some(), "{bytes:?} is no place of the file");
    }
}

/// An archive of any format, or a program.
pub fn archive(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut unpacker = Unpacker::new("fuzz");
    unpacker.limits = UnpackLimits { bytes: 1 << 20, entries: 100 };
    unpacker.program = Some("program".to_owned());
    let _ = unpacker.unpack(data, &folder.path().join("inner"));
    let others: Vec<_> = fs::read_dir(folder.path()).into_iter().flatten().flatten().collect();
    assert!(others.iter().all(|one| one.file_name() == "inner"), "written outside: {others:?}");
    let _ = peek_stamp(data);
}

/// A file of checksums.
pub fn checksums(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for path in ["tool.tar.gz", "dist/tool", ""] {
        let _ = store::find_digest(&text, path);
    }
}

/// A file of environment variables.
pub fn dotenv(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = task::parse_dotenv(&text, &|name| (name == "HOME").then(|| "/home".to_owned()));
}

/// Versions, one a line: their order holds both ways.
pub fn versions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let versions: Vec<Precedence> = text.lines().take(20).filter_map(Precedence::parse).collect();
    for one in &versions {
        for other in &versions {
            assert_eq!(one.cmp(other), other.cmp(one).reverse());
        }
    }
    for line in text.lines() {
        let _ = Version::new(line);
    }
}

/// A message of a commit.
pub fn commits(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(message) = versioning::Message::read(&text) {
        let _ = (message.bump(), message.breaks());
    }
    let _ = versioning::lint(&text);
}

/// A Taskfile, in forge's language.
pub fn taskfile(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let file = folder.path().join("Taskfile.yml");
    if fs::write(&file, data).is_err() {
        return;
    }
    let (given, words) = (taskfile::Given::default(), BTreeMap::new());
    if let Ok(tree) = taskfile::read(&file, &given, &|_| None) {
        let wish = taskfile::TranslationRequest {
            tasks: None,
            given: &given,
            args: &[],
            flags: &[],
            words: &words,
        };
        let translation = taskfile::translate(&tree, &wish);
        load(folder.path(), &translation.text);
    }
}

/// Stamps and locks: what is written again is read as the same.
pub fn records(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(stamp) = manifest::parse_stamp(&text) {
        let again = manifest::parse_stamp(&manifest::render_stamp(&stamp));
        assert_eq!(again.as_ref(), Ok(&stamp));
    }
    if let Ok(lock) = manifest::parse_lock(&text) {
        let again = manifest::parse_lock(&manifest::render_lock(&lock));
        assert_eq!(again.ok(), Some(lock));
    }
}

/// The head of a Go file.
pub fn imports(data: &[u8]) {
    let _ = imports::Clauses::read(&String::from_utf8_lossy(data));
}

/// A template.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = workspace::render_fixed(text, Platform::host());
}

//! What ARCHITECTURE.md says of the rooms holds in the code.

use crate::{paths::Paths, support::Sandbox};

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn ranks() -> BTreeMap<String, u32> {
    let text = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let rank = cells.next()?.parse().ok()?;
        let room = cells.next()?.trim_matches('`').to_owned();
        Some((room, rank))
    };
    text.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

/// What only one room may import, by the last column of the table.
fn sole_homes() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() < 4 || cells[0].parse::<u32>().is_err() {
            continue;
        }
        for home in cells[3].split(',').map(|cell| cell.trim().trim_matches('`')) {
            if !home.is_empty() {
                homes
                    .entry(home.to_owned())
                    .or_default()
                    .push(cells[1].trim_matches('`').to_owned());
            }
        }
    }
    homes
}

/// All sources below `folder`.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        // What is generated from a protocol is written by nobody.
        if path == Path::new("src/protocol") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The path of a source from its room on: rooms are folders of `src`, or of a member of the Cargo
/// workspace there.
fn from_room(path: &Path) -> Option<&Path> {
    let below = path.strip_prefix("src").ok()?;
    let first = below.iter().next()?;
    let is_member = Path::new("src").join(first).join("Cargo.toml").exists();
    if is_member { below.strip_prefix(first).ok() } else { Some(below) }
}

fn room_of(path: &Path) -> Option<String> {
    let relative = from_room(path)?;
    (relative.components().count() > 1)
        .then(|| relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned())
}

fn paths_of(file: &Path) -> Paths {
    let text = fs::read_to_string(file).expect("a source");
    let mut module: Vec<String> = from_room(&file.with_extension(""))
        .into_iter()
        .flatten()
        .map(|part| part.to_string_lossy().into())
        .collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    Paths::parse(&text, &module)
}

#[test]
fn no_import_climbs_the_ranks() {
    let ranks = ranks();
    assert!(ranks.len() > 10, "the rank table is missing: {ranks:?}");
    let mut wrong = Vec::new();
    for path in sources(Path::new("src")) {
        let Some(room) = room_of(&path) else { continue };
        let Some(rank) = ranks.get(&room) else {
            wrong.push(format!("{room} is not in the table"));
            continue;
        };
        for other in paths_of(&path).own {
            match other.first() {
                Some(other) if other == &room => {}
                Some(other) if ranks.get(other).is_some_and(|other| other < rank) => {}
                Some(other) => wrong.push(format!("{}: {room} imports {other}", path.display())),
                None => wrong.push(format!("{}: {room} imports all rooms", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_a_sole_home_is_used_nowhere_else() {
    let mut wrong = Vec::new();
    let homes = sole_homes();
    assert!(homes.contains_key("blake3"), "the table names no sole homes: {homes:?}");
    for path in sources(Path::new("src")) {
        let Some(room) = room_of(&path) else { continue };
        let others = paths_of(&path).others;
        for (name, rooms) in &homes {
            let name: Vec<&str> = name.split("::").collect();
            let used = others.iter().any(|path| path.iter().take(name.len()).eq(&name));
            if used && !rooms.contains(&room) {
                let (name, rooms) = (name.join("::"), rooms.join(", "));
                wrong.push(format!("{}: only {rooms} may use {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_console_prints() {
    for path in sources(Path::new("src")) {
        if room_of(&path).as_deref() == Some("console") || path.ends_with("testing.rs") {
            continue;
        }
        let code: String = code_of(&path).split_whitespace().collect();
        for printing in [
            "println!(",
            "print!(",
            "eprintln!(",
            "eprint!(",
            "stdout().lock",
            "stderr().lock",
            "stdout().write",
            "stderr().write",
        ] {
            assert!(!code.contains(printing), "{}: {printing}", path.display());
        }
    }
}

/// The files that may open files by the standard library, and what those are. All others meet files that
/// somebody else may have made: a FIFO would block, a device would not end, a link would lead elsewhere.
const OPENS: &[(&str, &str)] = &[
    ("src/base/archive/destination.rs", "new files in a folder of its own"),
    ("src/project/cache/seal.rs", "a folder, to sync it"),
    ("src/cli/actions.rs", "files that GitHub Actions names in the environment"),
    ("src/cli/limits.rs", "/dev/null"),
    ("src/engine/probe/snapshot.rs", "a folder"),
    ("src/base/process/cancel.rs", "/proc"),
    ("src/base/process/census.rs", "/proc"),
    ("src/base/process/job_server.rs", "a FIFO that it made"),
    ("src/base/process/strays.rs", "/proc"),
];

#[test]
fn only_the_disk_opens_what_others_may_have_made() {
    let mut opening = BTreeSet::new();
    for path in sources(Path::new("src")) {
        let name = path.display().to_string();
        let is_test = [
            "/tests",
            "/sample",
            "/testing.rs",
            "/unpack/zips.rs",
            "/unpack/foreign.rs",
            "/unpack/wanted.rs",
        ];
        if room_of(&path).as_deref() == Some("disk") || is_test.iter().any(|it| name.contains(it)) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("mod tests {").next().unwrap_or_default();
        let ways =
            ["fs::read(", "fs::read_to_string(", "fs::write(", "File::open(", "File::create("];
        if ways.iter().chain(&["OpenOptions::new("]).any(|way| code.contains(way)) {
            opening.insert(name);
        }
    }
    let listed: BTreeSet<String> = OPENS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(opening, listed, "use `disk::read_file`, `disk::read_text` or `disk::Folder`");
}

/// The code of a source without its tests.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source");
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

#[test]
fn the_environment_is_read_once_where_the_host_is_made() {
    let is_of_tests = |path: &Path| path.ends_with("tests.rs") || path.ends_with("testing.rs");
    let mut readers = Vec::new();
    for path in sources(Path::new("src")).into_iter().filter(|path| !is_of_tests(path)) {
        let code = code_of(&path);
        let reads = ["env::var", "env::home_dir", "env::temp_dir", "etcetera"];
        if reads.iter().any(|reading| code.contains(reading)) {
            readers.push(path.display().to_string());
        }
    }
    assert_eq!(readers, ["src/cli/host.rs"]);
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    for code in [
        "use crate::b;",
        "use crate::{b, c::D};",
        "use crate::{c::{D, E}, b::{self}};",
        "pub use crate::{c, b::X as Y};",
        "pub(in crate::a) use crate::b::*;",
        "use super::super::b::X;",
        "use super::{super::b, z};",
        "fn f() { crate::b::g(); }",
        "fn f(x: &crate :: b :: X) {}",
        "mod tests { use super::super::super::b; }",
        "mod tests { fn f() { use crate::{c, b as d}; } }",
        "macro_rules! m { () => { $crate::b::X }; }",
        "fn f() { m!(x, crate::b::X) }",
        "#[m(crate::b::X)] struct S;",
        "use crate::r#b::X;",
        "use ::forge::b::X;",
        "use forge_base::b::X;",
    ] {
        let own = Paths::parse(code, &["a".into(), "file".into()]).own;
        assert!(
            own.iter().any(|path| path.first().is_some_and(|room| room == "b")),
            "{code}: {own:?}"
        );
    }
    for code in
        ["use crate as all;", "use crate::{self as all};", "use crate::*;", "use super::super::*;"]
    {
        let own = Paths::parse(code, &["a".into(), "file".into()]).own;
        assert!(own.iter().any(Vec::is_empty), "{code}: {own:?}");
    }
    let none =
        "// use crate::b;\n/* crate::b */ const S: &str = \"crate::b\"; use self::b; use super::b;";
    let own = Paths::parse(none, &["a".into(), "file".into()]).own;
    assert!(own.iter().all(|path| path[0] == "a"), "{own:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        assert!(text.starts_with("//! "), "{} does not", path.display());
    }
}

/// All names of tests in the source.
fn tests() -> BTreeSet<String> {
    let mut files = sources(Path::new("src"));
    files.extend(sources(Path::new("tests")));
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source");
        // Those of the table in `problems!` stand at the beginning of a line, with a colon.
        let rows = text.lines().filter_map(|line| line.trim_start().split_once(": spec_problem("));
        names.extend(rows.map(|(name, _)| name.to_owned()));
        for (at, _) in text.match_indices("fn ") {
            names.insert(
                text[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
            );
        }
    }
    names
}

#[test]
fn every_test_that_an_invariant_names_exists() {
    let architecture = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let invariants = architecture.split("## Invariants").nth(1).expect("a chapter on invariants");
    let invariants = invariants.split("\n## ").next().unwrap_or_default();
    let (mut named, known) = (0, tests());
    for name in invariants.split('`').skip(1).step_by(2) {
        named += 1;
        assert!(known.contains(name), "no test is called {name}");
    }
    assert!(named >= 11, "each invariant names its test");
}

#[test]
fn every_claim_of_security_names_a_test_that_exists() {
    let security = fs::read_to_string("SECURITY.md").expect("SECURITY.md");
    let held = security.split("## What forge holds").nth(1).expect("a chapter on what is held");
    let held = held.split("\n## ").next().unwrap_or_default();
    let known = tests();
    let mut claims = 0;
    for claim in held.split("\n- ").skip(1) {
        // The names stand in brackets at the end of a claim; other words in backquotes do not.
        let claim = claim.split("\n\n").next().unwrap_or_default();
        let names = claim.rsplit_once('[').and_then(|(_, names)| names.split_once(']'));
        let (names, _) = names.unwrap_or_else(|| panic!("this claim names no test: {claim}"));
        for name in names.split(',').map(|name| name.trim().trim_matches('`')) {
            assert!(known.contains(name), "no test is called {name}: {claim}");
        }
        claims += 1;
    }
    assert!(claims >= 20, "{claims} claims");
}

#[test]
fn main_only_starts() {
    let main = fs::read_to_string("src/main.rs").expect("main.rs");
    assert!(main.lines().count() < 15);
}

#[test]
fn the_specs_of_the_stack_are_short() {
    let mut lines = 0;
    let mut specs = 0;
    for entry in fs::read_dir("subsystems").expect("the specs").flatten() {
        let path = entry.path();
        let spec = if path.is_dir() { path.join("subsystem.yml") } else { path };
        lines += fs::read_to_string(&spec).expect("a spec").lines().count();
        specs += 1;
    }
    assert_eq!(specs, 9);
    assert!(lines < 220, "{lines} lines");
}

#[test]
fn every_verb_stands_in_the_reference_and_the_changelog() {
    let help = Sandbox::new().forge("help verbs").succeeds().stdout();
    let verbs = help.lines().filter_map(|line| line.strip_prefix("  "));
    let verbs: Vec<&str> = verbs
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 40, "{help}");
    let reference = fs::read_to_string("docs/reference/commands.md").expect("the reference");
    let changelog = fs::read_to_string("CHANGELOG.md").expect("CHANGELOG.md");
    for verb in verbs {
        assert!(reference.contains(&format!("## forge {verb}")), "the reference lacks {verb}");
        let told = changelog.contains(&format!("`{verb}`"))
            || changelog.contains(&format!("`forge {verb}"));
        assert!(told, "CHANGELOG.md does not tell of {verb}");
    }
}

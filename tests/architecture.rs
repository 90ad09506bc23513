//! What ARCHITECTURE.md says of the rooms holds in the code.

use crate::support::Sandbox;

use std::{
    collections::BTreeMap,
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

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn room_of(path: &Path) -> Option<String> {
    let relative = path.strip_prefix("src").ok()?;
    (relative.components().count() > 1)
        .then(|| relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned())
}

/// The rooms that a text imports: every `crate::room`, also within braces.
fn imported_rooms(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word.clear(),
                    ':' if depth == 0 && !word.is_empty() => {
                        rooms.push(std::mem::take(&mut word));
                    }
                    c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ => {}
                }
            }
        } else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
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
        let text = fs::read_to_string(&path).expect("a source");
        for other in imported_rooms(&text) {
            if other != room && ranks.get(&other).is_some_and(|other| other >= rank) {
                wrong.push(format!("{}: {room} imports {other}", path.display()));
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
        let text = fs::read_to_string(&path).expect("a source");
        for (name, rooms) in &homes {
            let used = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains(&format!("{name}::"))
            });
            if used && !rooms.contains(&room) {
                wrong.push(format!("{}: only {} may use {name}", path.display(), rooms.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        assert!(text.starts_with("//! "), "{} does not", path.display());
    }
}

#[test]
fn every_test_that_an_invariant_names_exists() {
    let architecture = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let mut files = sources(Path::new("src"));
    files.extend(sources(Path::new("tests")));
    let code: String =
        files.iter().map(|path| fs::read_to_string(path).expect("a source")).collect();
    let invariants = architecture.split("## Invariants").nth(1).expect("a chapter on invariants");
    let invariants = invariants.split("\n## ").next().unwrap_or_default();
    let mut named = 0;
    for name in invariants.split('`').skip(1).step_by(2) {
        named += 1;
        assert!(code.contains(&format!("fn {name}(")), "no test is called {name}");
    }
    assert!(named >= 11, "each invariant names its test");
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
fn every_verb_stands_in_the_readme_and_the_changelog() {
    let help = Sandbox::new().forge("--help").succeeds().stdout();
    let verbs = help.split("Commands:").nth(1).expect("a list of commands");
    let verbs = verbs.split("\n\n").next().unwrap_or_default();
    // What is indented further goes on from the line above.
    let verbs = verbs.lines().filter_map(|line| line.strip_prefix("  "));
    let verbs: Vec<&str> = verbs
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 10, "{help}");
    let readme = fs::read_to_string("README.md").expect("README.md");
    let changelog = fs::read_to_string("CHANGELOG.md").expect("CHANGELOG.md");
    for verb in verbs {
        assert!(readme.contains(&format!("`forge {verb}")), "README.md does not tell of {verb}");
        let told = changelog.contains(&format!("`{verb}`"))
            || changelog.contains(&format!("`forge {verb}`"));
        assert!(told, "CHANGELOG.md does not tell of {verb}");
    }
}

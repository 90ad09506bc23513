//! What STYLE.md says of names and phrases holds in the code and the documentation.

use std::{collections::BTreeMap, fs, path::Path};

use regex::Regex;

use crate::architecture::sources;

/// How many names more than one type may have.
const SHARED_NAMES: usize = 15;

#[test]
fn hardly_any_two_types_share_a_name() {
    let definition =
        Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|union) (\w+)").unwrap();
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(Path::new("src")) {
        let place = path.display().to_string();
        if place.contains("/tests") || place.contains("sample") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        for found in definition.captures_iter(&text) {
            homes.entry(found[1].to_owned()).or_default().push(place.clone());
        }
    }
    homes.retain(|_, homes| homes.len() > 1);
    assert!(homes.len() <= SHARED_NAMES, "{} names have several types: {homes:#?}", homes.len());
}

/// What STYLE.md replaces: the first column of its table of phrases.
fn replaced_phrases() -> Vec<String> {
    let style = fs::read_to_string("STYLE.md").expect("STYLE.md");
    let table = style.split("## Phrases").nth(1).expect("a chapter on phrases");
    let table = table.split("\n## ").next().unwrap_or_default();
    let first = |line: &str| Some(line.strip_prefix("| ")?.split(" | ").next()?.trim().to_owned());
    table.lines().filter_map(first).filter(|phrase| phrase != "not").collect()
}

/// The text that people may read: documentation, and code without its comments.
fn readable() -> Vec<(String, String)> {
    let mut files: Vec<_> = ["README.md", "CHANGELOG.md", "SECURITY.md", "ARCHITECTURE.md"]
        .into_iter()
        .map(|name| Path::new(name).to_owned())
        .collect();
    files.extend(crate::book::pages());
    let pages = files.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let page = |path: &Path| fs::read_to_string(path).expect("a page");
    let mut texts: Vec<_> = pages.map(|path| (path.display().to_string(), page(&path))).collect();
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        texts.push((path.display().to_string(), code.collect::<Vec<_>>().join("\n")));
    }
    texts
}

#[test]
fn no_phrase_is_used_that_the_style_replaces() {
    let phrases = replaced_phrases();
    assert!(phrases.len() > 8, "{phrases:?}");
    let is_no = Regex::new(r"(\w+ )?is no (\w+)").unwrap();
    let mut wrong = Vec::new();
    for (place, text) in readable() {
        let plain = text.to_lowercase();
        for phrase in phrases.iter().filter(|phrase| plain.contains(*phrase)) {
            wrong.push(format!("{place}: {phrase}"));
        }
        for found in is_no.captures_iter(&text) {
            let before = found.get(1).map_or("", |word| word.as_str().trim());
            let is_fine = ["there", "There", "that"].contains(&before)
                || ["longer", "more", "older", "newer", "less", "empty"].contains(&&found[2]);
            if !is_fine {
                wrong.push(format!("{place}: {}", &found[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Functions whose name lacks its object: `of` what, `tell` whom, `look` at what?
#[test]
fn no_function_is_called_without_its_object() {
    let definition = Regex::new(r"\bfn (of|tell|look)\b").unwrap();
    let mut wrong = Vec::new();
    for path in ["src", "tests"].into_iter().flat_map(|folder| sources(Path::new(folder))) {
        let text = fs::read_to_string(&path).expect("a source");
        let found = definition.captures_iter(&text).map(|name| format!("{path:?}: {}", &name[1]));
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! The files in which others pin tools: `mise.toml`, `.tool-versions` of asdf, `aqua.yaml`.
//!
//! Of TOML only what mise's `[tools]` needs is read: a key, and a text, a list or a table with `version`.

use super::{
    ImportOutcome, line_at,
    tools::{named, packaged},
    written,
};
use crate::manifest::{parse_yaml, scalar};

/// A line, what is written there, and what becomes of it.
type Line = (usize, String, ImportOutcome);

/// The tools of `mise.toml`.
pub fn mise(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut section = String::new();
    let mut numbered = text.lines().enumerate();
    while let Some((index, line)) = numbered.next() {
        let mut line = without_comment(line).trim().to_owned();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            header.trim().clone_into(&mut section);
            continue;
        }
        // A list may go on for lines.
        while line.contains('=') && line.matches('[').count() > line.matches(']').count() {
            let Some((_, more)) = numbered.next() else { break };
            line.push_str(without_comment(more).trim());
        }
        let Some((key, value)) = split_pair(&line) else { continue };
        let tool = match section.strip_prefix("tools") {
            Some("") => unquoted(key).to_owned(),
            Some(rest) if rest.starts_with('.') && unquoted(key) == "version" => {
                unquoted(&rest[1..]).to_owned()
            }
            _ => continue,
        };
        lines.push((index + 1, line.clone(), named(&tool, &versions(value))));
    }
    lines
}

/// `line` up to a `#` that is in no quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return &line[..at],
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    line
}

/// Key and value of a line; the key may be quoted, and hold a `=` then.
fn split_pair(line: &str) -> Option<(&str, &str)> {
    let open = line.chars().next().filter(|c| matches!(c, '"' | '\''));
    let after = match open {
        Some(quote) => line[1..].find(quote)? + 2,
        None => 0,
    };
    let at = after + line[after..].find('=')?;
    Some((line[..at].trim(), line[at + 1..].trim()))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// The versions that a value names.
fn versions(value: &str) -> Vec<String> {
    if let Some(list) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let all = list.split(',').map(unquoted).filter(|version| !version.is_empty());
        return all.map(str::to_owned).collect();
    }
    if let Some(table) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let pairs = table.split(',').filter_map(|pair| pair.split_once('='));
        let version = pairs.filter(|(key, _)| unquoted(key) == "version");
        return version.map(|(_, value)| unquoted(value).to_owned()).collect();
    }
    vec![unquoted(value).to_owned()]
}

/// The tools of `.tool-versions`: a name, and versions of which the first that is there counts.
pub fn asdf(text: &str) -> Vec<Line> {
    let line = |(index, line): (usize, &str)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let tool = words.next()?;
        let versions: Vec<String> = words.map(str::to_owned).collect();
        Some((index + 1, line.to_owned(), named(tool, &versions)))
    };
    text.lines().enumerate().filter_map(line).collect()
}

/// The packages of `aqua.yaml`.
pub fn aqua(text: &str) -> Vec<Line> {
    let root = match parse_yaml(text) {
        Ok(Some(root)) => root,
        Ok(None) => return Vec::new(),
        Err(why) => return vec![(1, String::new(), ImportOutcome::left(why))],
    };
    let packages = root.get("packages").map(|node| node.one_or_many().to_vec()).unwrap_or_default();
    let line = |package: &crate::manifest::Node| {
        let number = line_at(text, package.bytes.start);
        let outcome = match (scalar(package, "name"), scalar(package, "import")) {
            (Some(name), _) => {
                let (name, version) = match name.text.rsplit_once('@') {
                    Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
                    None => (name.text, scalar(package, "version").map(|version| version.text)),
                };
                match version {
                    Some(version) => packaged(&name, &version),
                    None => ImportOutcome::left("it says no version"),
                }
            }
            (None, Some(import)) => {
                ImportOutcome::left(format!("files that it imports are not read: {}", import.text))
            }
            (None, None) => ImportOutcome::left("it has no `name`"),
        };
        (number, written(text, number).trim_start_matches("- ").to_owned(), outcome)
    };
    packages.iter().map(line).collect()
}

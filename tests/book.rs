//! The documentation hangs together: each page is in the table of contents, and each link leads
//! somewhere. Where mdBook is installed, it builds the book too.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Component, Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use regex::Regex;

static LINK_TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[([^\]]*)\]\([^)]*\)").expect("a pattern"));
static LINK_TARGET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern"));
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`[^`]*`").expect("a pattern"));

/// Every page of the documentation.
pub fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|kind| kind == "md") => pages.push(path),
                false => {}
            }
        }
    }
    pages.sort();
    pages
}

/// The text of a page without its blocks of code and without code in its lines.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        prose.push_str(if is_code || is_fence { "" } else { line });
        prose.push('\n');
    }
    prose
}

/// What a heading is called in links, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let plain = LINK_TEXT.replace_all(heading.trim(), "$1").to_lowercase();
    let kept = plain.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a page.
fn anchors(page: &Path) -> Vec<String> {
    let heading = |line: &str| line.starts_with('#').then(|| anchor(line.trim_start_matches('#')));
    prose(page).lines().filter_map(heading).collect()
}

/// Links of a page, with their lines.
fn links(page: &Path) -> Vec<(usize, String)> {
    let text = prose(page);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, CODE.replace_all(line, "`")));
    let found = |(at, line): (usize, std::borrow::Cow<'_, str>)| {
        LINK_TARGET.captures_iter(&line).map(|it| (at, it[1].to_owned())).collect::<Vec<_>>()
    };
    lines.flat_map(found).collect()
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "bench/README.md"];
    let mut wrong = Vec::new();
    let mut known: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for page in top.iter().map(PathBuf::from).chain(pages()) {
        for (line, target) in links(&page) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let folder = page.parent().unwrap_or(Path::new(""));
            let file = if path.is_empty() { page.clone() } else { plain(&folder.join(path)) };
            let is_there = file.exists();
            let mut is_known = || {
                let anchors = known.entry(file.clone()).or_insert_with(|| anchors(&file));
                anchors.iter().any(|anchor| anchor == fragment)
            };
            let leads = fragment.is_empty() || (is_there && is_known());
            // The book has nothing of what is outside of it.
            let leaves = page.starts_with("docs") && !file.starts_with("docs");
            if !is_there || !leads || leaves {
                wrong.push(format!("{}:{line}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn no_page_has_two_headings_that_are_called_the_same() {
    let mut wrong = Vec::new();
    for page in pages() {
        let mut seen = BTreeSet::new();
        for anchor in anchors(&page) {
            if !seen.insert(anchor.clone()) {
                wrong.push(format!("{}: {anchor}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents_once() {
    let summary = Path::new("docs/SUMMARY.md");
    let mut listed: Vec<_> =
        links(summary).into_iter().map(|(_, path)| Path::new("docs").join(path)).collect();
    listed.sort();
    let there: Vec<_> = pages().into_iter().filter(|page| page != summary).collect();
    assert_eq!(listed, there);
}

#[test]
fn mdbook_builds_the_book() {
    let to = tempfile::tempdir().expect("a folder");
    let build = Command::new("mdbook").args(["build", "--dest-dir"]).arg(to.path()).output();
    let Ok(output) = build else {
        assert!(env::var_os("CI").is_none(), "mdbook is missing");
        eprintln!("skipped: mdbook is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("WARN"), "{said}");
    assert!(to.path().join("index.html").exists());
}

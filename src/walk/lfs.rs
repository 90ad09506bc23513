//! Pointers of Git LFS: what stands where a file should, if `git lfs pull` did not run.
//!
//! Sources: the LFS specification ("The Pointer", docs/spec.md), gitattributes(5).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ignore::gitignore::GitignoreBuilder;

use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::path_to_text,
};

/// The first line of a pointer.
const BEGINNING: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// A pointer is shorter than this.
const MOST_BYTES: usize = 1024;

/// Whether `bytes`, all of a file, look like a pointer, with the line ends of Unix or, where git changes
/// them, of Windows. Only `.gitattributes` tells whether it is one.
pub fn is_pointer(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(BEGINNING).unwrap_or_default();
    bytes.len() < MOST_BYTES
        && (rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
        && rest.windows(12).any(|part| part == b"\noid sha256:")
}

/// Whether `path` is a file that gives other files to LFS.
pub fn gives_to_lfs(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".gitattributes")
        && read_text(path, MOST_OF_TEXT).is_ok_and(|text| text.contains("filter=lfs"))
}

/// Whether `path` is small enough for a pointer.
pub fn may_be_pointer(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() < MOST_BYTES as u64)
}

/// Which line gives `path`, below `top`, to LFS, if one does: `.gitattributes:LINE`. Of the files from
/// `top` to the folder of `path` the nearest that says something decides; in a file, the last line.
pub fn rule(top: &Path, path: &Path) -> Option<String> {
    let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    let own = top.join(".git/info/attributes");
    let macros = macros(&top.join(".gitattributes"));
    let nearest = folders.map(|folder| (folder, folder.join(".gitattributes")));
    let files = std::iter::once((top, own)).chain(nearest);
    for (folder, file) in files {
        if let Some((line, filter)) = last_word(folder, &file, path, &macros) {
            let name = file.strip_prefix(top).map_or_else(|_| file.clone(), PathBuf::from);
            return (filter == "lfs").then(|| format!("{}:{line}", path_to_text(&name)));
        }
    }
    None
}

/// The line of `file` that says last which filter `path` has, counted from one, and that filter.
fn last_word(
    folder: &Path,
    file: &Path,
    path: &Path,
    macros: &BTreeMap<String, String>,
) -> Option<(usize, String)> {
    let text = read_text(file, MOST_OF_TEXT).ok()?;
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let (pattern, attributes) = parts(line)?;
        let filter = filter(attributes, macros)?;
        let mut glob = GitignoreBuilder::new(folder);
        glob.add_line(None, &pattern).ok()?;
        let means = glob.build().ok()?.matched(path, false).is_ignore();
        means.then_some((at + 1, filter))
    });
    lines.last()
}

/// The pattern of a line, and its attributes.
fn parts(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '!', '[']) {
        return None;
    }
    let (pattern, attributes) = match line.strip_prefix('"') {
        Some(rest) => rest.split_once('"')?,
        None => line.split_once(char::is_whitespace)?,
    };
    // As `git lfs track` writes blanks.
    Some((pattern.replace("[[:space:]]", "[ \t]"), attributes))
}

/// The filter that some attributes set; empty for none.
fn filter(attributes: &str, macros: &BTreeMap<String, String>) -> Option<String> {
    let word = |word: &str| match word {
        "-filter" | "!filter" => Some(String::new()),
        word => match word.strip_prefix("filter=") {
            Some(filter) => Some(filter.to_owned()),
            None => macros.get(word).cloned(),
        },
    };
    attributes.split_whitespace().rev().find_map(word)
}

/// The filters of the macros (`[attr]NAME …`), which only the file at the top can define.
fn macros(file: &Path) -> BTreeMap<String, String> {
    let text = read_text(file, MOST_OF_TEXT).unwrap_or_default();
    let mut macros = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, attributes)) =
            line.trim().strip_prefix("[attr]").and_then(|line| line.split_once(char::is_whitespace))
            && let Some(filter) = filter(attributes, &macros)
        {
            macros.insert(name.to_owned(), filter);
        }
    }
    macros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_and_last_line_decides() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        fs::create_dir_all(top.join("art/raw")).unwrap();
        let text = "[attr]big filter=lfs -text\n*.bin filter=lfs diff=lfs\nmodels/** big\n\"a b.dat\" filter=lfs\nc[[:space:]]d filter=lfs\n";
        fs::write(top.join(".gitattributes"), text).unwrap();
        fs::write(top.join("art/raw/.gitattributes"), "*.bin -filter\nlast.bin filter=lfs\n")
            .unwrap();
        let rule = |path: &str| rule(top, &top.join(path));
        assert_eq!(rule("x.bin").as_deref(), Some(".gitattributes:2"));
        assert_eq!(rule("art/x.bin").as_deref(), Some(".gitattributes:2"));
        assert_eq!(rule("models/a/b").as_deref(), Some(".gitattributes:3"));
        assert_eq!(rule("a b.dat").as_deref(), Some(".gitattributes:4"));
        assert_eq!(rule("c d").as_deref(), Some(".gitattributes:5"));
        assert_eq!(rule("art/raw/x.bin"), None);
        assert_eq!(rule("art/raw/last.bin").as_deref(), Some("art/raw/.gitattributes:2"));
        assert_eq!(rule("x.txt"), None);
    }

    #[test]
    fn only_a_whole_pointer_looks_like_one() {
        let oid = format!("oid sha256:{:064}\nsize 7\n", 9);
        let text = |beginning: &str| format!("{beginning}{oid}").into_bytes();
        assert!(is_pointer(&text("version https://git-lfs.github.com/spec/v1\n")));
        let windows = format!("version https://git-lfs.github.com/spec/v1\n{oid}");
        assert!(is_pointer(windows.replace('\n', "\r\n").as_bytes()));
        assert!(!is_pointer(&text("version https://git-lfs.github.com/spec/v10\n")));
        assert!(!is_pointer(&text("version https://example.org/spec/v1\n")));
        assert!(!is_pointer(b"version https://git-lfs.github.com/spec/v1\nis how it begins\n"));
    }
}

//! The files that `inputs` and `outputs` mean, and what is in them. A pattern is as in
//! `.gitignore`, anchored where the task runs; a folder means all below it; `!` leaves out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use ignore::{DirEntry, WalkBuilder, overrides::OverrideBuilder};
use serde::{Deserialize, Serialize};

use crate::model::{Fault, FileStat, Kind, checksum};

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The digest of its bytes.
    pub digest: String,
    /// What `stat` said, if a later change would surely show in it.
    pub stat: Option<FileStat>,
}

/// Files by their paths.
pub type Marks = BTreeMap<String, Mark>;

/// The files below `dir` that `patterns` mean, each with its digest. Those that `stat` says are
/// as they were in `known` are not read again. If `gitignore`, what git ignores does not count.
///
/// # Errors
/// `Usage` for a pattern that is none; `Failed` for a file that cannot be read.
pub fn marks(
    dir: &Path,
    patterns: &[String],
    gitignore: bool,
    known: &Marks,
) -> Result<Marks, Fault> {
    let mut marks = Marks::new();
    for path in list(dir, patterns, gitignore)? {
        let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        let mark = mark(&path, known.get(&name))
            .map_err(|error| Fault::io(format!("cannot read {}", path.display()), &error))?;
        marks.insert(name, mark);
    }
    Ok(marks)
}

/// The names, relative to `dir`, of the files below it that `patterns` mean, sorted; if `gitignore`,
/// without what git ignores.
///
/// # Errors
/// `Usage` for a pattern that is none.
pub fn names(dir: &Path, patterns: &[String], gitignore: bool) -> Result<Vec<String>, Fault> {
    let name =
        |path: PathBuf| path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
    Ok(list(dir, patterns, gitignore)?.into_iter().map(name).collect())
}

/// What is known of the file at `path`.
///
/// # Errors
/// If it cannot be read.
pub fn mark(path: &Path, known: Option<&Mark>) -> std::io::Result<Mark> {
    let now = SystemTime::now();
    let stat = FileStat::of(&fs::metadata(path)?);
    if let Some(known) = known.filter(|known| known.stat == Some(stat)) {
        return Ok(known.clone());
    }
    let digest = checksum(&fs::read(path)?);
    let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Ok(Mark { digest, stat: Some(stat).filter(|stat| stat.is_settled(now)) })
}

fn list(dir: &Path, patterns: &[String], gitignore: bool) -> Result<Vec<PathBuf>, Fault> {
    let (without, with): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| pattern.starts_with('!'));
    let mut files = Vec::new();
    for pattern in with {
        let path = dir.join(pattern);
        if is_plain(pattern) && without.is_empty() && !gitignore && !path.is_dir() {
            files.extend(path.is_file().then_some(path));
            continue;
        }
        let pattern = whole(dir, pattern);
        files.extend(walk(dir, &pattern, &without)?.filter(is_file).map(DirEntry::into_path));
    }
    files.sort_unstable();
    files.dedup();
    if gitignore {
        let seen = unignored(dir);
        files.retain(|file| seen.contains(file));
    }
    Ok(files)
}

/// All that tells which files `patterns` mean, and what is in them: each one that is or might be
/// there, and the folders that were looked through.
///
/// # Errors
/// `Usage` for a pattern that is none.
pub fn looked_at(dir: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, Fault> {
    let (without, with): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| pattern.starts_with('!'));
    let mut all = Vec::new();
    for pattern in with {
        let pattern = whole(dir, pattern);
        if is_plain(&pattern) {
            all.push(dir.join(&*pattern));
        } else {
            all.push(dir.join(literal_prefix(&pattern)));
            all.extend(walk(dir, &pattern, &without)?.map(DirEntry::into_path));
        }
    }
    Ok(all)
}

fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', '{'])
}

/// `pattern`; if it is that of a folder, one of all below.
fn whole<'p>(dir: &Path, pattern: &'p str) -> Cow<'p, str> {
    match is_plain(pattern) && dir.join(pattern).is_dir() {
        true => format!("{}/**", pattern.trim_end_matches('/')).into(),
        false => pattern.into(),
    }
}

fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file())
        || entry.path_is_symlink() && entry.path().is_file()
}

/// The files that `pattern` means, and the folders where they might be.
fn walk(
    dir: &Path,
    pattern: &str,
    without: &[&String],
) -> Result<impl Iterator<Item = DirEntry> + use<>, Fault> {
    let wrong = |pattern: &str, error: ignore::Error| {
        Fault::new(Kind::Usage, format!("`{pattern}` is no pattern of files"))
            .because(error.to_string())
    };
    let mut builder = OverrideBuilder::new(dir);
    let anchored = |pattern: &str| format!("/{}", pattern.trim_start_matches("./"));
    builder.add(&anchored(pattern)).map_err(|error| wrong(pattern, error))?;
    for pattern in without {
        let glob = format!("!{}", anchored(&pattern[1..]));
        builder.add(&glob).map_err(|error| wrong(pattern, error))?;
    }
    let overrides = builder.build().map_err(|error| wrong(pattern, error))?;
    let mut walk = WalkBuilder::new(dir.join(literal_prefix(pattern)));
    let is_own = |name: &std::ffi::OsStr| name == ".forge" || name == ".git";
    walk.standard_filters(false)
        .overrides(overrides)
        .filter_entry(move |entry| !is_own(entry.file_name()));
    Ok(walk.build().flatten())
}

/// The files below `dir` that git does not ignore: by `.gitignore` there, above and below, by the
/// repository's `info/exclude` and by the user's own list. What git tracks all the same is left
/// out too.
fn unignored(dir: &Path) -> HashSet<PathBuf> {
    let mut walk = WalkBuilder::new(dir);
    walk.standard_filters(false).parents(true).git_ignore(true).git_exclude(true).git_global(true);
    walk.require_git(false);
    walk.build().flatten().map(DirEntry::into_path).collect()
}

/// The folders of a pattern before its first sign that is not literal.
fn literal_prefix(pattern: &str) -> &str {
    let magic = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    pattern[..magic].rfind('/').map_or("", |slash| &pattern[..slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_files_and_exclusions_leave_some_out() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.go", "src/b.go", "src/deep/c.go", "src/deep/c_test.go", "src/d.txt"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
            marks(dir.path(), &patterns, false, &Marks::new())
                .unwrap()
                .into_keys()
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&["*.go"]), ["a.go"]);
        assert_eq!(found(&["src/**/*.go", "!src/**/*_test.go"]), ["src/b.go", "src/deep/c.go"]);
        assert_eq!(found(&["src", "!src/deep/**"]), ["src/b.go", "src/d.txt"]);
        assert_eq!(found(&["a.go", "none"]), ["a.go"]);
        assert_eq!(found(&["./a.go"]).len(), 1);
    }
}

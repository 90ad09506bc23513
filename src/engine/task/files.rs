//! The files that `inputs` and `outputs` mean, as [`crate::walk`] finds them, and what is in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    model::{Fault, FileStat, Layout, Sha256, checksum, path_to_text},
    walk::{self, FilePatterns, InputFile, InputKind, Walker},
};

/// What is known of a file, a link or an empty folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The digest of its bytes. Of a link: that of where it points, and after a colon that of the file
    /// there, if it leads to one. Of an empty folder: `folder`. Before that of an executable file is
    /// `x:`.
    pub digest: String,
    /// What `stat` said of the file, if a later change would surely show in it.
    pub stat: Option<FileStat>,
}

/// Marks by what the files are called.
pub type Marks = BTreeMap<String, Mark>;

/// What files below the folder `dir` some patterns mean.
#[derive(Clone, Copy, Debug)]
pub struct PatternsBelow<'a> {
    /// Where the patterns are anchored.
    pub dir: &'a Path,
    /// The patterns.
    pub patterns: &'a [String],
    /// The workspace, if what git ignores in it and does not track is left out.
    pub gitignore: Option<&'a Layout>,
    /// Whether links to folders are followed: what a task reads is behind them, but what it makes is
    /// the links themselves.
    pub follow: bool,
}

impl<'a> PatternsBelow<'a> {
    /// What goes into a task.
    pub fn inputs(dir: &'a Path, patterns: &'a [String], gitignore: Option<&'a Layout>) -> Self {
        Self { dir, patterns, gitignore, follow: true }
    }

    /// What a task makes.
    pub fn outputs(dir: &'a Path, patterns: &'a [String]) -> Self {
        Self { dir, patterns, gitignore: None, follow: false }
    }
}

impl PatternsBelow<'_> {
    /// The files, links and empty folders, each with its digest. Files that `stat` says are as they
    /// were in `known` are not read again.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none; `Failed` for a file that cannot be read.
    pub fn marks(&self, known: &Marks) -> Result<Marks, Fault> {
        let mut marks = Marks::new();
        for input in self.list()? {
            let name = self.name(&input.path);
            let mark = mark(&input, known.get(&name)).map_err(|error| {
                Fault::io(format!("cannot read {}", input.path.display()), &error)
            })?;
            marks.insert(name, mark);
        }
        Ok(marks)
    }

    /// The files, links and empty folders, by their paths.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn found(&self) -> Result<Vec<(PathBuf, InputKind)>, Fault> {
        Ok(self.list()?.into_iter().map(|input| (input.path, input.kind)).collect())
    }

    /// What the files are called, sorted; links to files are files too.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn names(&self) -> Result<Vec<String>, Fault> {
        let files = self.list()?.into_iter().filter(|input| match input.kind {
            InputKind::File => true,
            InputKind::Link => input.path.is_file(),
            InputKind::EmptyFolder => false,
        });
        Ok(files.map(|input| self.name(&input.path)).collect())
    }

    /// What sockets, pipes and devices are called that would be among the files if they were some.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn special(&self) -> Result<BTreeSet<String>, Fault> {
        let special = self.file_patterns().list(None)?.special;
        Ok(special.iter().map(|path| self.name(path)).collect())
    }

    /// All that tells which files they are, and what is in them: each one that is or might be there,
    /// and the folders that were looked through.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn looked_at(&self) -> Result<Vec<PathBuf>, Fault> {
        self.file_patterns().looked_at()
    }

    /// Tells of paths relative to the folder whether the patterns mean them, as
    /// [`FilePatterns::meaning`] does.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub fn meaning(&self) -> Result<impl Fn(&Path) -> bool + use<>, Fault> {
        self.file_patterns().meaning()
    }

    fn list(&self) -> Result<Vec<InputFile>, Fault> {
        let walker = self.gitignore.map(Walker::new);
        Ok(self.file_patterns().list(walker.as_ref())?.inputs)
    }

    fn file_patterns(&self) -> FilePatterns<'_> {
        FilePatterns { dir: self.dir, written: self.patterns, follow: self.follow }
    }

    fn name(&self, path: &Path) -> String {
        path_to_text(path.strip_prefix(self.dir).unwrap_or(path))
    }
}

/// What is known of the file at `path`, or behind the link there.
///
/// # Errors
/// If it cannot be read.
pub fn mark_of_file(path: &Path, known: Option<&Mark>) -> io::Result<Mark> {
    mark(&InputFile { path: path.to_owned(), kind: InputKind::File }, known)
}

fn mark(input: &InputFile, known: Option<&Mark>) -> io::Result<Mark> {
    let path = &input.path;
    match input.kind {
        InputKind::EmptyFolder => Ok(Mark { digest: "folder".into(), stat: None }),
        InputKind::File => file_mark(path, known, ""),
        InputKind::Link => {
            let target = fs::read_link(path)?;
            let digest = Sha256(checksum(target.as_os_str().as_bytes())).to_string();
            match fs::metadata(path) {
                Ok(found) if found.is_file() => file_mark(path, known, &format!("{digest}:")),
                _ => Ok(Mark { digest, stat: None }),
            }
        }
    }
}

/// The mark of the file at `path`, whose digest comes after `prefix`.
fn file_mark(path: &Path, known: Option<&Mark>, prefix: &str) -> io::Result<Mark> {
    let now = SystemTime::now();
    let metadata = fs::metadata(path)?;
    let stat = FileStat::from_metadata(&metadata);
    let letter = walk::letter_of_file(&metadata);
    let start = format!("{prefix}{}", before_digest(letter));
    let is_same = |known: &&Mark| known.stat == Some(stat) && known.digest.starts_with(&start);
    if let Some(known) = known.filter(is_same) {
        return Ok(known.clone());
    }
    let read = walk::read(&InputFile { path: path.to_owned(), kind: InputKind::File })?;
    let digest = format!("{prefix}{}{}", before_digest(read.letter), Sha256(read.checksum));
    Ok(Mark { digest, stat: Some(read.stat).filter(|stat| stat.is_settled(now)) })
}

/// What stands before the digest of a file with this letter of [`walk::FileDigest`].
fn before_digest(letter: char) -> &'static str {
    if letter == 'x' { "x:" } else { "" }
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
            PatternsBelow::inputs(dir.path(), &patterns, None)
                .marks(&Marks::new())
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

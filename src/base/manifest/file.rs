//! A file that people wrote, with the files whose defaults it takes, and what was found wrong with
//! it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::model::{Diagnostic, Span};

/// How long a manifest or spec may be, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A file that people wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Relative to the workspace.
    pub path: PathBuf,
    /// Its text; where it is not UTF-8, with replacement characters. What it extends follows.
    pub text: String,
    /// The files whose defaults it takes, and where the text of each begins in `text`.
    bases: Vec<(usize, ManifestFile)>,
    /// Why the text cannot be read as it is, if it cannot.
    unreadable: Option<(String, Range<usize>, &'static str)>,
}

impl ManifestFile {
    /// Takes the bytes of the file at `path`. One longer than `limit` bytes or in another
    /// encoding than UTF-8 says so when it is read.
    pub fn new(path: PathBuf, bytes: Vec<u8>, limit: usize) -> Self {
        if bytes.len() > limit {
            let what = format!(
                "{} is longer than {limit} bytes, which is the most that forge reads of it",
                path.display()
            );
            let help = "keep data in files of their own";
            let unreadable = Some((what, 0..0, help));
            return Self { path, text: String::new(), bases: Vec::new(), unreadable };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self { path, text, bases: Vec::new(), unreadable: None },
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let what = format!("{} is not UTF-8 text: byte {at} fits nowhere", path.display());
                let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
                let help = "save the file as UTF-8";
                let unreadable = Some((what, at..end, help));
                Self { path, text, bases: Vec::new(), unreadable }
            }
        }
    }

    /// Takes what `base` says as its own, where it says nothing itself. Bytes of `base` are from
    /// here on those behind the text of this file.
    pub fn extend(&mut self, base: Self) {
        self.text.push('\n');
        let begin = self.text.len();
        self.text.push_str(&base.text);
        if let Some((what, bytes, help)) = base.unreadable.clone().filter(|_| self.is_readable()) {
            self.unreadable = Some((what, bytes.start + begin..bytes.end + begin, help));
        }
        self.bases.push((begin, base));
    }

    fn is_readable(&self) -> bool {
        self.unreadable.is_none()
    }

    /// The files whose defaults it takes, the nearest first, and where the text of each begins.
    pub fn bases(&self) -> &[(usize, Self)] {
        &self.bases
    }

    /// What it says itself.
    pub fn own_text(&self) -> &str {
        match self.bases.first() {
            Some((begin, _)) => &self.text[..begin - 1],
            None => &self.text,
        }
    }

    /// Each file in it with what it says.
    pub fn texts(&self) -> impl Iterator<Item = (&Path, &str)> {
        let bases = self.bases.iter().map(|(_, base)| (base.path.as_path(), base.text.as_str()));
        bases.chain([(self.path.as_path(), self.own_text())])
    }

    /// A place in this file.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        self.seams().span(bytes)
    }

    /// Which file each byte of the text is from.
    pub fn seams(&self) -> Seams {
        let bases = self.bases.iter().map(|(begin, base)| (*begin, base.path.clone()));
        Seams { path: self.path.clone(), bases: bases.collect() }
    }
}

/// Which file each byte of a text is from that was put together of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seams {
    path: PathBuf,
    bases: Vec<(usize, PathBuf)>,
}

impl Seams {
    /// The place of `bytes` in the file that they are from.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        match self.bases.iter().rev().find(|(begin, _)| *begin <= bytes.start) {
            Some((begin, path)) => {
                Span { file: path.clone(), bytes: bytes.start - begin..bytes.end - begin }
            }
            None => Span { file: self.path.clone(), bytes },
        }
    }
}

/// What was found wrong with one file.
#[derive(Debug)]
pub struct Findings<'f> {
    file: &'f ManifestFile,
    /// In the order found.
    pub diagnostics: Vec<Diagnostic>,
    /// Takes what is too much to tell.
    spare: Option<Diagnostic>,
}

/// How many problems of one file are told.
const MOST: usize = 500;

impl<'f> Findings<'f> {
    /// Nothing found yet, unless the file cannot be read.
    pub fn new(file: &'f ManifestFile) -> Self {
        let mut findings = Self { file, diagnostics: Vec::new(), spare: None };
        if let Some((what, bytes, help)) = &file.unreadable {
            findings.add(bytes.clone(), what.clone(), "here", (*help).to_owned());
        }
        findings
    }

    /// Adds a problem with what to do about it, and hands it out so that related places
    /// can be added.
    pub fn add(
        &mut self,
        bytes: Range<usize>,
        what: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        let span = self.file.span(bytes);
        if self.diagnostics.len() > MOST {
            return self.spare.insert(Diagnostic::new(span, what, label));
        }
        self.diagnostics.push(match self.diagnostics.len() == MOST {
            true => Diagnostic::new(span, "this file has more problems than these", "from here on")
                .help("solve these first"),
            false => Diagnostic::new(span, what, label).help(help),
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// A place in the file.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        self.file.span(bytes)
    }

    /// The file.
    pub fn file(&self) -> &'f ManifestFile {
        self.file
    }

    /// A place as people say it: `versions.yml:3:9`.
    pub fn place(&self, byte: usize) -> String {
        let Span { file, bytes } = self.file.span(byte..byte);
        let before = self.file.text.get(byte - bytes.start..byte).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let (lines, columns) = (before.matches('\n').count() + 1, line.chars().count() + 1);
        format!("{}:{lines}:{columns}", file.display())
    }

    /// The file's text.
    pub fn text(&self) -> &'f str {
        &self.file.text
    }

    /// The file's text at `bytes`.
    pub fn slice(&self, bytes: &Range<usize>) -> &'f str {
        self.file.text.get(bytes.clone()).unwrap_or_default()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }
}

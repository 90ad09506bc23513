//! A file that people wrote, and what was found wrong with it.

use std::{ops::Range, path::PathBuf};

use crate::model::{Diagnostic, Span};

/// How long a manifest or spec may be, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A file that people wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative to the workspace.
    pub path: PathBuf,
    /// Its text; where it is no UTF-8, with replacement characters.
    pub text: String,
    /// Why the text cannot be read as it is, if it cannot.
    unreadable: Option<(String, Range<usize>, &'static str)>,
}

impl File {
    /// Takes the bytes of the file at `path`. One longer than `limit` bytes or in another
    /// encoding than UTF-8 says so when it is read.
    pub fn new(path: PathBuf, bytes: Vec<u8>, limit: usize) -> Self {
        if bytes.len() > limit {
            let what = format!(
                "{} is longer than {limit} bytes, which is the most that forge reads of it",
                path.display()
            );
            let help = "keep data in files of their own";
            return Self { path, text: String::new(), unreadable: Some((what, 0..0, help)) };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self { path, text, unreadable: None },
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let what = format!("{} is no UTF-8 text: byte {at} fits nowhere", path.display());
                let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
                let help = "save the file as UTF-8";
                Self { path, text, unreadable: Some((what, at..end, help)) }
            }
        }
    }

    /// A place in this file.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        Span { file: self.path.clone(), bytes }
    }
}

/// What was found wrong with one file.
#[derive(Debug)]
pub struct Findings<'f> {
    file: &'f File,
    /// In the order found.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'f> Findings<'f> {
    /// Nothing found yet, unless the file cannot be read.
    pub fn new(file: &'f File) -> Self {
        let mut findings = Self { file, diagnostics: Vec::new() };
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
        self.diagnostics.push(Diagnostic::new(self.file.span(bytes), what, label).help(help));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// A place in the file.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        self.file.span(bytes)
    }

    /// The file.
    pub fn file(&self) -> &'f File {
        self.file
    }

    /// A place as people say it: `versions.yml:3:9`.
    pub fn place(&self, byte: usize) -> String {
        let before = self.file.text.get(..byte).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let (lines, columns) = (before.matches('\n').count() + 1, line.chars().count() + 1);
        format!("{}:{lines}:{columns}", self.file.path.display())
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

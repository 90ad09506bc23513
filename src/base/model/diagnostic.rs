//! Problems in the files people write, each with its place.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::PathBuf,
};

use super::{Layout, shown_url, starred_url};

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file, relative to the workspace.
    pub file: PathBuf,
    /// Bytes of the file's text.
    pub bytes: Range<usize>,
}

/// One problem in `versions.yml`, a spec or the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong: one sentence without a full stop.
    pub what: String,
    /// Where; absent only if a whole file cannot be read.
    pub span: Span,
    /// A few words that stand under the caret (`not a known key`).
    pub label: String,
    /// Other places that matter, with a few words each (`first defined here`).
    pub related: Vec<(Span, String)>,
    /// What to do (`did you mean \`source\`?`).
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at `span`.
    #[must_use]
    pub fn new(span: Span, what: impl Into<String>, label: impl Into<String>) -> Self {
        let (what, label) = (shown_url(&what.into()), shown_url(&label.into()));
        Self { what, span, label, related: Vec::new(), help: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shown_url(&help.into()));
        self
    }

    /// Points at another place that matters.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, shown_url(&label.into())));
        self
    }
}

/// All problems found in one look at a workspace, with the texts they point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The problems, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// The text of each file that a span names.
    pub texts: BTreeMap<PathBuf, String>,
}

impl Problems {
    /// Puts `diagnostics` in the order of files (the manifest first, the lock last) and
    /// places, each thing once, and keeps those of `texts` that they point into.
    #[must_use]
    pub fn gather(mut diagnostics: Vec<Diagnostic>, mut texts: BTreeMap<PathBuf, String>) -> Self {
        let rank = |span: &Span| match span.file.to_str() {
            Some(Layout::MANIFEST) => 0,
            Some(Layout::LOCK) => 2,
            _ => 1,
        };
        diagnostics.sort_by(|a, b| {
            let place = |d: &Diagnostic| (rank(&d.span), d.span.file.clone(), d.span.bytes.start);
            place(a).cmp(&place(b))
        });
        // What is wrong for all subsystems was found with each of them.
        let mut told = HashSet::new();
        diagnostics.retain(|one| told.insert((one.span.clone(), one.what.clone())));
        let spans = |one: &Diagnostic| {
            let related = one.related.iter().map(|(span, _)| span.file.clone());
            related.chain([one.span.file.clone()]).collect::<Vec<_>>()
        };
        let named: HashSet<PathBuf> = diagnostics.iter().flat_map(spans).collect();
        texts.retain(|path, _| named.contains(path));
        for path in named {
            texts.entry(path).or_default();
        }
        // Lines are shown as they stand there, but for passwords in their URLs.
        for text in texts.values_mut() {
            *text = starred_url(text);
        }
        Self { diagnostics, texts }
    }
}

//! Why an entry cannot be unpacked, and what can be done about it.

use std::borrow::Cow;

use super::{decoder::AGAIN, unpack::EntryPolicy};

/// Why an entry is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    /// The end of the sentence "its entry `…`".
    pub(super) why: Cow<'static, str>,
    sort: Sort,
}

/// What is wrong with it, which decides what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// It leads out of the folder.
    Leaves,
    /// It contradicts itself, as no program writes it.
    Malformed,
    /// It is packed in a way that forge does not read.
    Packed,
    /// Two readers may see two things.
    Ambiguous,
    /// It is none that can become a file.
    Unfit,
}

impl Objection {
    /// It leads out of the folder that the archive is unpacked into.
    pub(super) fn leaves(why: &'static str) -> Self {
        Self { why: why.into(), sort: Sort::Leaves }
    }

    /// It is written as no program writes it.
    pub(super) fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), sort: Sort::Malformed }
    }

    /// It is packed in a way that forge does not read.
    pub(super) fn packed(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), sort: Sort::Packed }
    }

    /// Programs differ in what they make of it.
    pub(super) fn ambiguous(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), sort: Sort::Ambiguous }
    }

    /// It is nothing that can be taken as a file.
    pub(super) fn unfit(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), sort: Sort::Unfit }
    }

    /// What helps, if it sinks an archive of which this is kept.
    pub(super) fn help(&self, keep: &EntryPolicy) -> Option<&'static str> {
        Some(match (self.sort, keep) {
            (Sort::Leaves, _) => {
                "forge unpacks only archives that stay within their own folder; get this one from where you trust it"
            }
            (Sort::Malformed, _) => AGAIN,
            (Sort::Packed, _) => {
                "ask whoever publishes it for a tar.gz, or for a zip without a password that is packed with deflate"
            }
            (Sort::Ambiguous, _) => REPACK,
            (Sort::Unfit, EntryPolicy::Only(_)) => {
                "name an entry of it that is a regular file, or a link to one"
            }
            (Sort::Unfit, EntryPolicy::Everything | EntryPolicy::Possible) => return None,
        })
    }
}

/// What helps where programs see different things in one archive.
pub(super) const REPACK: &str =
    "whoever published it must pack it again: as it is, programs take different files from it";

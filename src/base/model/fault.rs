//! Faults: what went wrong, why, and what to do about it.
//!
//! A fault is data. Rooms make one where they know the most; only the edge of the
//! program prints it and turns it into an exit code.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{Diagnostic, Problems, shown_url};

/// What kind of thing went wrong; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A build, a task or this machine failed: a command, a full disk, a missing tool.
    Failed,
    /// The command line, the manifest or a spec is wrong.
    Usage,
    /// Some things were published and some were not.
    Partial,
    /// Bytes are not what a digest, stamp, lock or header says.
    Verification,
    /// A store or the network did not answer as it should.
    Store,
    /// Something took longer than it was allowed to.
    Timeout,
    /// Somebody stopped the run.
    Interrupted,
}

impl Kind {
    /// All of them, each with what its exit code says.
    pub const MEANINGS: [(Self, &'static str); 7] = [
        (Self::Failed, "A build, a task or this machine failed, or the answer was no."),
        (Self::Usage, "The command line, `versions.yml` or a spec is wrong."),
        (Self::Partial, "Some things were published or written, and some were not."),
        (Self::Verification, "Bytes are not what a digest, a stamp, the lock or a header says."),
        (Self::Store, "A store or the network did not answer as it should."),
        (Self::Timeout, "Something took longer than it was allowed to."),
        (Self::Interrupted, "Ctrl-C, or a signal, ended the run."),
    ];

    /// The exit code of a run whose root cause is of this kind.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Verification => 4,
            Self::Store => 5,
            Self::Timeout => 124,
            Self::Interrupted => 130,
        }
    }
}

/// Something that went wrong. `what` is one sentence without a full stop; `why`
/// goes from the outer to the inner cause; `hint` says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Decides the exit code.
    pub kind: Kind,
    /// What could not be done, and where.
    pub what: String,
    /// Why, from the outer to the inner cause.
    pub why: Vec<String>,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// The exit code of the command that failed, if that is what went wrong.
    pub code: Option<u8>,
    /// The innermost cause with its place in a file that people wrote, if it is there. It is not written
    /// down: the file may be another by the time that is read.
    #[serde(skip)]
    pub shown: Option<Box<Problems>>,
}

impl Fault {
    /// A fault without cause and hint yet. No URL in a fault says what may be secret in it.
    #[must_use]
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        let what = shown_url(&what.into());
        Self { kind, what, why: Vec::new(), hint: None, code: None, shown: None }
    }

    /// A fault about an operation of the operating system on this machine.
    #[must_use]
    pub fn io(what: impl Into<String>, error: &std::io::Error) -> Self {
        let fault = Self::new(Kind::Failed, what).because(error.to_string());
        match error.kind() {
            std::io::ErrorKind::StorageFull => fault.hint(
                "free some space (`forge clean:dist` and `forge clean:src` help) and run it again",
            ),
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => fault
                .hint("forge must be able to write to the workspace's `.forge` and to its cache"),
            _ => fault,
        }
    }

    /// Adds an inner cause.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(shown_url(&why.into()));
        self
    }

    /// Says what to do. The first hint stays: it was given where most was known.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert(shown_url(&hint.into()));
        self
    }

    /// Adds an inner cause that stands in a file: what is wrong at which place of `text`.
    #[must_use]
    pub fn because_of(self, wrong: Diagnostic, text: String) -> Self {
        let fault = self.because(wrong.what.clone());
        let texts = BTreeMap::from([(wrong.span.file.clone(), text)]);
        Self { shown: Some(Box::new(Problems::gather(vec![wrong], texts))), ..fault }
    }

    /// Keeps the exit code of the command that failed.
    #[must_use]
    pub fn exited(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }

    /// The fault with what `say` makes of each of its sentences.
    #[must_use]
    pub fn in_words(mut self, say: impl Fn(&str) -> String) -> Self {
        let texts = std::iter::once(&mut self.what).chain(&mut self.why).chain(&mut self.hint);
        texts.for_each(|text| *text = say(text));
        self
    }

    /// Puts an outer sentence before this fault.
    #[must_use]
    pub fn within(mut self, what: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.what, shown_url(&what.into()));
        self.why.insert(0, inner);
        self
    }
}

impl fmt::Display for Fault {
    /// One line: what, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for why in &self.why {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_outside_in() {
        let fault = Fault::new(Kind::Failed, "cannot open it")
            .because("no such file")
            .within("cannot build nats");
        assert_eq!(fault.to_string(), "cannot build nats: cannot open it: no such file");
    }

    #[test]
    fn the_innermost_hint_wins() {
        assert_eq!(Fault::new(Kind::Failed, "x").hint("a").hint("b").hint.as_deref(), Some("a"));
    }
}

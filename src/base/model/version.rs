//! Pinned versions and moving refs, as `versions.yml` states them.

use std::fmt;

/// The version of a subsystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// A tag or commit that is not supposed to move: `v2.10.24`, a full hash.
    Pin(Box<str>),
    /// A branch or other ref that moves: `main`. The lock says which commit it means.
    Ref(Box<str>),
}

impl Version {
    /// Reads a version. Text that begins with a digit, with `v` and a digit, or
    /// is a full commit hash is a pin; everything else is a moving ref, unless more is known
    /// of it: [`Self::pinned`].
    ///
    /// # Errors
    /// When the text can be no git tag (rules of `git check-ref-format`), or
    /// holds characters that release hosts rewrite in asset names.
    pub fn new(text: &str) -> Result<Self, String> {
        let why_not = |why: &str| Err(format!("`{text}` is not a valid tag: {why}"));
        if text.is_empty() {
            return Err("the version is empty; write one like `v1.2.3`".into());
        }
        if text.len() > 100 {
            return why_not("it is longer than 100 characters");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+@/-".contains(c);
        if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            return why_not(&format!("it holds {bad:?}"));
        }
        if text.contains("..") || text.contains("//") || text.contains("/.") {
            return why_not("it holds `..`, `//` or `/.`");
        }
        if text.starts_with(['.', '-', '/', '@']) {
            return why_not("it begins with punctuation");
        }
        if text.ends_with(['.', '/']) || text.ends_with(".lock") {
            return why_not("it ends with `.`, `/` or `.lock`");
        }
        let digits = text.strip_prefix('v').unwrap_or(text);
        let is_commit =
            matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if digits.starts_with(|c: char| c.is_ascii_digit()) || is_commit {
            if text.contains('/') {
                return why_not("a pinned version holds no `/`");
            }
            Ok(Self::Pin(text.into()))
        } else {
            Ok(Self::Ref(text.into()))
        }
    }

    /// The same as a pin, whatever it looks like: `RELEASE.2025-04-22T22-12-26Z`, `cli/v1.2` where no
    /// repository has it as a branch.
    #[must_use]
    pub fn pinned(self) -> Self {
        match self {
            Self::Pin(text) | Self::Ref(text) => Self::Pin(text),
        }
    }

    /// Whether a number stands in it, as in the names of releases and of few branches.
    #[must_use]
    pub fn has_number(&self) -> bool {
        self.as_str().contains(|c: char| c.is_ascii_digit())
    }

    /// The version as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pin(text) | Self::Ref(text) => text,
        }
    }

    /// Whether this is a branch or other ref that moves.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        matches!(self, Self::Ref(_))
    }

    /// The version as it stands in a release tag: a pin as written, with `-` for `/`; a moving ref
    /// with the first twelve digits of the commit it was locked to, so that two
    /// commits of one branch are two releases.
    #[must_use]
    pub fn label(&self, commit: Option<&str>) -> String {
        let text = self.as_str().replace('/', "-");
        match commit.filter(|_| self.is_moving()) {
            Some(commit) => format!("{text}-{}", commit.get(..12).unwrap_or(commit)),
            None => text,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pins_from_refs() {
        for pin in ["v2.10.24", "1.0", "20260107.0", "v1.0.0-rc.1+b2", &"a1".repeat(20)] {
            assert!(!Version::new(pin).unwrap().is_moving(), "{pin}");
        }
        for moving in ["main", "feature/x", "release-1.x", "vnext"] {
            assert!(Version::new(moving).unwrap().is_moving(), "{moving}");
        }
    }

    #[test]
    fn what_looks_like_a_branch_may_be_a_pin() {
        for text in
            ["RELEASE.2025-04-22T22-12-26Z", "release-1.2", "jdk-21.0.2+13", "n7.1", "cli/v1.2"]
        {
            let version = Version::new(text).unwrap();
            assert!(version.is_moving() && version.has_number(), "{text}");
            assert_eq!(version.pinned().label(Some("ffff")), text.replace('/', "-"));
        }
        assert!(!Version::new("main").unwrap().has_number());
    }

    #[test]
    fn refuses_what_git_refuses() {
        for bad in ["", "v1..2", "v1 2", "-v1", "v1.", "v1.lock", "v1~2", "v1/2", "@{u}"] {
            assert!(Version::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moving_ref_is_labelled_by_its_commit() {
        let main = Version::new("feature/x").unwrap();
        assert_eq!(main.label(Some(&"0123456789abcdef".repeat(3)[..40])), "feature-x-0123456789ab");
        assert_eq!(Version::new("v1.2").unwrap().label(Some("ffff")), "v1.2");
    }
}

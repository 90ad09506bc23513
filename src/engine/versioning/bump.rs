//! How much a version differs from the one before it, and who says so.

use std::{fmt, str::FromStr};

use crate::model::suggestion;

/// How much a version differs from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bump {
    /// `1.2.3` to `1.2.4`.
    Patch,
    /// `1.2.3` to `1.3.0`.
    Minor,
    /// `1.2.3` to `2.0.0`.
    Major,
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// What somebody wants, whatever commits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BumpRequest {
    /// A release that differs so much.
    Release(Bump),
    /// No release.
    Skip,
}

impl BumpRequest {
    /// Every wish.
    pub const ALL: &[Self] = &[
        Self::Release(Bump::Major),
        Self::Release(Bump::Minor),
        Self::Release(Bump::Patch),
        Self::Skip,
    ];
}

impl fmt::Display for BumpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(bump) => bump.fmt(f),
            Self::Skip => f.pad("skip"),
        }
    }
}

impl FromStr for BumpRequest {
    type Err = String;

    /// Reads `major`, `minor`, `patch` or `skip`.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|wish| wish.to_string() == text);
        let names = ["major", "minor", "patch", "skip"];
        found.ok_or_else(|| format!("`{text}` is not a bump; {}", suggestion(text, names)))
    }
}

/// A wish, and where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What is wanted.
    pub wish: BumpRequest,
    /// Where that was said, as a noun: `--bump minor`, `the label release:minor`.
    pub said: String,
    /// Whether it makes a release even if no commit is new.
    pub is_firm: bool,
}

impl Override {
    /// What `--bump` says: it is typed for this release, so it is firm.
    pub fn flag(wish: BumpRequest) -> Self {
        Self { wish, said: format!("`--bump {wish}`"), is_firm: true }
    }

    /// What the label of a pull request says, to the components that it touches.
    pub fn label(wish: BumpRequest) -> Self {
        Self { wish, said: format!("the label `release:{wish}`"), is_firm: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_as_they_are_written() {
        for wish in BumpRequest::ALL {
            assert_eq!(wish.to_string().parse(), Ok(*wish));
        }
        let error = "mjor".parse::<BumpRequest>().unwrap_err();
        assert_eq!(error, "`mjor` is not a bump; did you mean `major`?");
    }
}

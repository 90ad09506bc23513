//! The next version of what commits give versions to: semantic versions (SemVer 2.0.0) from
//! Conventional Commits.

use std::{fmt, str::FromStr};
use crate::{git::Commit, model::{Commits, nearest}};
use super::Message;

/// How much a version differs from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump { /// `1.2.3` to `1.2.4`.
 Patch, /// `1.2.3` to `1.3.0`.
 Minor, /// `1.2.3` to `2.0.0`.
 Major }

/// What somebody wants, whatever commits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish { /// A release that differs so much.
 Release(Bump), /// No release.
 Skip }

/// A wish, and where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What is wanted.
    pub wish: Wish,
    /// Where that was said: `--bump minor`, `the label release:minor`.
    pub said: String,
    /// Whether there is a release even if no commit is new.
    pub is_firm: bool,
}

/// The versions of a component, as seen from one branch.
#[derive(Clone, Debug)]
pub struct Line<'l> { labels: &'l [&'l str], scheme: &'l Commits, channel: Option<&'l str> }

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A release.
    Release { /// Its version.
 label: String, /// Why this one, as half a sentence.
 why: String },
    /// None.
    Nothing { /// Why, as half a sentence.
 why: String },
}

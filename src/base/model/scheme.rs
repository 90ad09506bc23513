//! How versions come about that nobody pins: by date, or by what commits say.

use std::collections::BTreeMap;

use super::{Precedence, Version};

/// The rule that gives a subsystem its next version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `20260107.0`: the day in UTC, and how many were released on it before.
    Date,
    /// Semantic versions, from what Conventional Commits say.
    Commits(Commits),
}

/// How commits become versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// The first version: `0.1.0`, or with a `v`, as all that follow then.
    pub first: String,
    /// Whether what breaks things is a minor change as long as the major version is 0.
    pub bump_minor_pre_major: bool,
    /// Branches whose versions are pre-releases, and what those are called: `1.3.0-dev.1`.
    pub channels: BTreeMap<String, String>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { first: "0.1.0".into(), bump_minor_pre_major: false, channels: BTreeMap::new() }
    }
}

impl Scheme {
    /// Whether `label` is a version as this scheme makes them.
    #[must_use]
    pub fn makes(&self, label: &str) -> bool {
        match self {
            Self::Date => is_date(label),
            Self::Commits(commits) => {
                let number = label.strip_prefix('v').unwrap_or(label);
                let has_v = number.len() < label.len();
                let core = number.split(['-', '+']).next().unwrap_or(number);
                has_v == commits.first.starts_with('v')
                    && core.split('.').count() == 3
                    && core.split('.').all(is_number)
                    && Precedence::parse(label).is_some()
            }
        }
    }

    /// The version that stands for "not released yet".
    #[must_use]
    pub fn unreleased() -> Version {
        Version::Pin(UNRELEASED.into())
    }
}

/// What a subsystem is called that has no version yet.
const UNRELEASED: &str = "0.0.0-unreleased";

impl Version {
    /// Whether its scheme has not given it a version yet: nothing is published under this one.
    #[must_use]
    pub fn is_unreleased(&self) -> bool {
        self.as_str() == UNRELEASED
    }
}

/// Whether `label` is eight digits, a dot and a number without zeros before it.
fn is_date(label: &str) -> bool {
    label.split_once('.').is_some_and(|(day, count)| {
        day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()) && is_number(count)
    })
}

fn is_number(text: &str) -> bool {
    let is_short = text == "0" || !text.starts_with('0');
    !text.is_empty() && is_short && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_knows_its_own() {
        let with_v = Scheme::Commits(Commits { first: "v1.0.0".into(), ..Commits::default() });
        let plain = Scheme::Commits(Commits::default());
        for (scheme, own, other) in [
            (
                &Scheme::Date,
                "20260107.0 20260107.12",
                "2026107.0 20260107.01 20260107 v20260107.0 1.2.3",
            ),
            (&plain, "1.2.3 0.1.0 1.3.0-dev.1 10.0.0", "v1.2.3 1.2 1.2.03 20260107.0 main"),
            (&with_v, "v1.2.3 v1.3.0-dev.2", "1.2.3 v1.2"),
        ] {
            for label in own.split(' ') {
                assert!(scheme.makes(label), "{label}");
            }
            for label in other.split(' ') {
                assert!(!scheme.makes(label), "{label}");
            }
        }
        assert!(Scheme::unreleased().is_unreleased() && !Scheme::Date.makes(UNRELEASED));
    }
}

//! The class of a run: how far what it makes may go.
//!
//! Whoever writes first under a key decides what all later readers get (CVE-2025-36852). Digests do
//! not help: what a run for a proposed change makes has the same fingerprint as what the default
//! branch makes. So everything that is kept records the class of the run that made it, and a run
//! takes only what runs of a high enough class made.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Permission, Surroundings, may_publish};

/// The class of a run, the least trusted first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RunClass {
    /// It runs code that nobody accepted yet, or does not say what it runs for.
    #[default]
    Untrusted,
    /// It publishes only if somebody asks: at a keyboard, or for another branch than the default.
    OnRequest,
    /// It publishes by itself: the default branch, or a tag.
    Trusted,
}

impl RunClass {
    /// The least class of runs whose work a run of this class uses, be it cached, installed or made
    /// by a task. `publishes` says whether what it makes goes where others read it.
    #[must_use]
    pub fn takes(self, publishes: bool) -> Self {
        match (self, publishes) {
            (Self::Trusted, _) => Self::Trusted,
            (Self::OnRequest | Self::Untrusted, true) => Self::OnRequest,
            (Self::OnRequest | Self::Untrusted, false) => Self::Untrusted,
        }
    }

    /// This class and all above it, the highest first.
    pub fn and_above(self) -> impl Iterator<Item = Self> {
        let all = [Self::Trusted, Self::OnRequest, Self::Untrusted];
        all.into_iter().filter(move |class| *class >= self)
    }

    /// The class that files call `word`; the lowest for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::Untrusted.and_above().find(|class| class.as_str() == word).unwrap_or_default()
    }

    /// The word for it in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::OnRequest => "on-request",
            Self::Trusted => "trusted",
        }
    }
}

/// What a run is, and what it uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// The class of the run.
    pub own: RunClass,
    /// The least class of runs whose work it uses.
    pub takes: RunClass,
}

impl fmt::Display for RunClass {
    /// For people, after "made by".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted => {
                "a run whose code nobody accepted, or that did not say what it ran for"
            }
            Self::OnRequest => "a run that publishes only when asked to",
            Self::Trusted => "a run for the default branch or a tag",
        })
    }
}

impl Surroundings {
    /// The class of a run in these surroundings, and what it takes if it `publishes` to where others
    /// read. Where nobody knows what a run is for, whoever asks it to publish vouches for its code.
    #[must_use]
    pub fn classes(&self, publishes: bool) -> Classes {
        let class = self.class();
        let publishes = publishes && !matches!(may_publish(self), Permission::Never(_));
        let own = if publishes { class.max(RunClass::OnRequest) } else { class };
        Classes { own, takes: class.takes(publishes) }
    }

    /// The class of a run in these surroundings.
    #[must_use]
    pub fn class(&self) -> RunClass {
        match (self, may_publish(self)) {
            // What a CI does not say may be a stranger's change.
            (Self::OtherCi(run), Permission::OnRequest(_)) if !run.is_known_to_be_accepted() => {
                RunClass::Untrusted
            }
            (_, Permission::Yes(_)) => RunClass::Trusted,
            (_, Permission::OnRequest(_)) => RunClass::OnRequest,
            (_, Permission::Never(_)) => RunClass::Untrusted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::surroundings::tests::variables, *};

    fn class(pairs: &[(&str, &str)]) -> RunClass {
        let event = r#"{"repository":{"default_branch":"main"}}"#;
        Surroundings::from_variables(&variables(pairs), Some(event)).class()
    }

    #[test]
    fn each_run_has_its_class() {
        let github = |event, reference| {
            class(&[
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", event),
                ("GITHUB_REF", reference),
            ])
        };
        assert_eq!(github("push", "refs/heads/main"), RunClass::Trusted);
        assert_eq!(github("push", "refs/heads/feature"), RunClass::OnRequest);
        for event in [
            "pull_request",
            "pull_request_target",
            "workflow_run",
            "issue_comment",
            "merge_group",
            "something_new",
        ] {
            assert_eq!(github(event, "refs/heads/main"), RunClass::Untrusted, "{event}");
        }
        assert_eq!(class(&[]), RunClass::OnRequest, "a laptop");
        assert_eq!(class(&[("CI", "true")]), RunClass::Untrusted, "nobody knows what it runs");
    }

    #[test]
    fn a_run_that_publishes_takes_nothing_from_below() {
        for (class, alone, publishing) in [
            (RunClass::Untrusted, RunClass::Untrusted, RunClass::OnRequest),
            (RunClass::OnRequest, RunClass::Untrusted, RunClass::OnRequest),
            (RunClass::Trusted, RunClass::Trusted, RunClass::Trusted),
        ] {
            assert_eq!((class.takes(false), class.takes(true)), (alone, publishing));
        }
        for class in RunClass::Untrusted.and_above() {
            assert_eq!(RunClass::from_word(class.as_str()), class);
        }
        assert_eq!(RunClass::from_word(""), RunClass::Untrusted);
        let asked = |pairs: &[(&str, &str)]| {
            Surroundings::from_variables(&variables(pairs), None).classes(true)
        };
        let unknown = Classes { own: RunClass::OnRequest, takes: RunClass::OnRequest };
        assert_eq!(asked(&[("CI", "true")]), unknown);
        let request = [("CI", "true"), ("DRONE", "true"), ("DRONE_PULL_REQUEST", "7")];
        assert_eq!(asked(&request), Classes::default(), "nobody can ask a proposal to publish");
        let above: Vec<_> = RunClass::OnRequest.and_above().collect();
        assert_eq!(above, [RunClass::Trusted, RunClass::OnRequest]);
    }
}

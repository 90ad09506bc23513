//! Who builds, as SLSA names builders: by a URI that says what was trusted to do it.
//!
//! | builder | URI |
//! |---|---|
//! | somebody at a keyboard | `forge:laptop` |
//! | GitHub Actions, and those that work alike | `https://github.com/OWNER/REPO/.github/workflows/x.yml@refs/heads/main` |
//! | GitLab CI | `https://gitlab.com/GROUP/PROJECT//.gitlab-ci.yml@refs/heads/main` |
//! | another CI, which says nothing more | `forge:ci` |
//!
//! The forms of GitHub and GitLab are those that their own attestations use.

use std::fmt;

/// A builder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Builder {
    id: String,
}

const LAPTOP: &str = "forge:laptop";
const SOME_CI: &str = "forge:ci";

impl Builder {
    /// The builder with this URI (`runDetails.builder.id`).
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }

    /// Somebody at a keyboard.
    #[must_use]
    pub fn laptop() -> Self {
        Self::new(LAPTOP)
    }

    /// A CI that does not say which repository it works for.
    #[must_use]
    pub fn some_ci() -> Self {
        Self::new(SOME_CI)
    }

    /// The URI.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether somebody built at a keyboard.
    #[must_use]
    pub fn is_laptop(&self) -> bool {
        self.id == LAPTOP
    }

    /// The repository whose CI it is, as a URL: `https://github.com/OWNER/REPO`.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        let (place, _) = self.parts()?;
        let host = place.find("://")? + "://".len();
        let path = host + place[host..].find('/')? + 1;
        // GitLab's projects lie in groups of any depth; two slashes end them.
        let end = match place[path..].find("//") {
            Some(end) => path + end,
            None => {
                let repo = path + place[path..].find('/')? + 1;
                repo + place[repo..].find('/').unwrap_or(place.len() - repo)
            }
        };
        Some(&place[..end])
    }

    /// The ref whose workflow it ran: `refs/heads/main`.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.parts().map(|(_, reference)| reference)
    }

    /// Whether it is the CI of a branch or a tag. That of a proposed change (`refs/pull/…`) runs what
    /// nobody accepted yet.
    #[must_use]
    pub fn is_ci_of_accepted_code(&self) -> bool {
        self.repository().is_some()
            && self.reference().is_some_and(|reference| {
                reference.starts_with("refs/heads/") || reference.starts_with("refs/tags/")
            })
    }

    /// Whether it is GitLab's: two slashes end the project.
    pub(super) fn is_gitlab(&self) -> bool {
        self.parts().is_some_and(|(place, _)| {
            place.split_once("://").is_some_and(|(_, rest)| rest.contains("//"))
        })
    }

    /// Where the workflow is, and its ref; none for builders that are no CI's.
    fn parts(&self) -> Option<(&str, &str)> {
        if !self.id.starts_with("https://") && !self.id.starts_with("http://") {
            return None;
        }
        // Refs hold no `@{`, but may hold `@`; what stands before the ref does not.
        self.id.split_once('@')
    }
}

impl fmt::Display for Builder {
    /// For people: `a laptop`, `the CI of https://github.com/o/r at refs/heads/main`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.repository(), self.reference()) {
            (Some(repository), Some(reference)) => {
                write!(f, "the CI of {repository} at {reference}")
            }
            _ if self.is_laptop() => f.write_str("a laptop"),
            _ if self.id == SOME_CI => f.write_str("a CI that does not say whose it is"),
            _ => write!(f, "`{}`", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn builders_say_whose_they_are() {
        for (id, repository, reference) in [
            (
                "https://github.com/o/r/.github/workflows/x.yml@refs/heads/a@b",
                Some("https://github.com/o/r"),
                Some("refs/heads/a@b"),
            ),
            (
                "http://127.0.0.1:80/o/r@refs/tags/v1",
                Some("http://127.0.0.1:80/o/r"),
                Some("refs/tags/v1"),
            ),
            (
                "https://gitlab.com/a/b/c//.gitlab-ci.yml@refs/heads/main",
                Some("https://gitlab.com/a/b/c"),
                Some("refs/heads/main"),
            ),
            ("https://github.com/actions/runner", None, None),
            ("https://github.com/o@x", None, Some("x")),
            ("forge:laptop", None, None),
            ("", None, None),
        ] {
            let builder = Builder::new(id);
            assert_eq!(
                (builder.repository(), builder.reference()),
                (repository, reference),
                "{id}"
            );
        }
    }

    #[test]
    fn the_ci_of_a_proposed_change_is_no_ci_of_accepted_code() {
        let at =
            |reference| Builder::new(format!("https://github.com/o/r/.github/w.yml@{reference}"));
        assert!(at("refs/heads/main").is_ci_of_accepted_code());
        assert!(at("refs/tags/v1").is_ci_of_accepted_code());
        assert!(!at("refs/pull/7/merge").is_ci_of_accepted_code());
        assert!(!at("refs/merge-requests/7/head").is_ci_of_accepted_code());
        assert!(!Builder::laptop().is_ci_of_accepted_code());
        assert!(!Builder::some_ci().is_ci_of_accepted_code());
    }

    #[test]
    fn builders_are_told_in_words() {
        assert_eq!(Builder::laptop().to_string(), "a laptop");
        assert_eq!(
            Builder::new("https://github.com/o/r/.github/w.yml@refs/heads/main").to_string(),
            "the CI of https://github.com/o/r at refs/heads/main"
        );
        assert_eq!(Builder::new("https://example.org/x").to_string(), "`https://example.org/x`");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(id in "(https?://)?[a-z/@:]{0,30}") {
            let builder = Builder::new(id);
            let _ = (builder.repository(), builder.reference(), builder.to_string());
        }
    }
}

//! Whose assets are taken: anybody's, or only those that CI built.

use std::{fmt, str::FromStr};

use super::{Builder, Statement, policy::refused_event};
use crate::model::{Fault, Kind, Sha256};

/// Whose assets are downloaded: `trust:` in `versions.yml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's who may publish.
    #[default]
    Any,
    /// Those of which the CI of the project's repository says that it built them.
    Ci,
}

impl Trust {
    /// Every value, as manifests write it; the default first.
    pub const WORDS: &[&str] = &["any", "ci"];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Ci => "ci",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Trust {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "ci" => Ok(Self::Ci),
            _ => Err(format!("`{text}` is neither `any` nor `ci`")),
        }
    }
}

/// Judges the asset with this digest by the statements about it. `repositories` are those whose
/// CI counts, as URLs (`https://github.com/OWNER/REPO`); with none, the CI of any counts.
///
/// Returns who built it: nobody if nobody says so and nobody has to.
///
/// # Errors
/// Says in one sentence why it is not trusted.
pub fn judge(
    trust: Trust,
    repositories: &[String],
    asset: Sha256,
    statements: &[Statement],
) -> Result<Option<Builder>, String> {
    let is_about_it = |statement: &&Statement| statement.is_about(asset);
    let about: Vec<&Statement> = statements.iter().filter(is_about_it).collect();
    let refused = |statement: &Statement| {
        refusal(&statement.builder, repositories).or_else(|| wrong_event(statement))
    };
    let ci = about.iter().find(|statement| refused(statement).is_none());
    match (trust, ci, about.first()) {
        (_, Some(ci), _) => Ok(Some(ci.builder.clone())),
        (Trust::Any, None, first) => Ok(first.map(|first| first.builder.clone())),
        (Trust::Ci, None, Some(first)) => {
            Err(refused(first).unwrap_or_else(|| format!("{} built it", first.builder)))
        }
        (Trust::Ci, None, None) => Err(match statements.first() {
            None => "nobody says who built it: there is no provenance beside it".into(),
            Some(_) => format!(
                "its provenance is about other bytes than these, whose sha256 is {}",
                asset.short()
            ),
        }),
    }
}

/// What is said where `trust: ci` refuses `what`, of the subsystem `name`, since `why`.
#[must_use]
pub fn distrusted(name: &str, what: &str, why: String) -> Fault {
    Fault::new(Kind::Verification, format!("{what} is not trusted"))
        .because("`trust: ci` in versions.yml takes only what CI built")
        .because(why)
        .hint(format!(
            "let CI build the same and vouch for it with `forge promote {name}`, or write \
             `trust: any`; nothing was downloaded"
        ))
}

/// Why the run that `statement` tells of is none that may publish. One at the default branch need not
/// be: those for pull requests and comments can run there, too.
fn wrong_event(statement: &Statement) -> Option<String> {
    let why = refused_event(&statement.builder, statement.run.event.as_deref())?;
    Some(format!("{} built it, but {why}", statement.builder))
}

/// Why `builder` is not CI whose assets are taken under `trust: ci`; none if it is one.
/// `repositories` as for [`judge`].
#[must_use]
pub fn refusal(builder: &Builder, repositories: &[String]) -> Option<String> {
    let Some(repository) = builder.repository() else {
        return Some(format!("{builder} built it, as its provenance says"));
    };
    if !builder.is_ci_of_accepted_code() {
        return Some(format!("{builder} built it, which is neither a branch nor a tag"));
    }
    // Servers that are reached in both ways are the same.
    let place =
        |url: &str| url.split_once("://").map_or(url, |(_, rest)| rest).to_ascii_lowercase();
    let is_it = |ours: &String| place(ours) == place(repository);
    match repositories {
        [] => None,
        ours if ours.iter().any(is_it) => None,
        ours => Some(format!("{builder} built it, not that of {}", ours.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::{StatementRecipe, StatementRun, Subject};

    const ASSET: Sha256 = Sha256([1; 32]);

    fn said(builder: &str, sha256: Sha256) -> Statement {
        Statement {
            subjects: vec![Subject { name: "x".into(), sha256 }],
            artifact: None,
            recipe: StatementRecipe::default(),
            dependencies: Vec::new(),
            builder: Builder::new(builder),
            run: StatementRun { event: Some("push".into()), ..StatementRun::default() },
        }
    }

    const MAIN: &str = "https://github.com/o/r/.github/workflows/x.yml@refs/heads/main";
    const FORK: &str = "https://github.com/me/r/.github/workflows/x.yml@refs/heads/main";
    const PULL: &str = "https://github.com/o/r/.github/workflows/x.yml@refs/pull/7/merge";

    fn judged(trust: Trust, statements: &[Statement]) -> Result<String, String> {
        let ours = ["https://github.com/O/R".to_owned()];
        judge(trust, &ours, ASSET, statements)
            .map(|builder| builder.map_or("nobody".into(), |builder| builder.id().to_owned()))
    }

    #[test]
    fn by_default_anybody_is_trusted() {
        assert_eq!(judged(Trust::Any, &[]), Ok("nobody".into()));
        assert_eq!(judged(Trust::Any, &[said("forge:laptop", ASSET)]), Ok("forge:laptop".into()));
        assert_eq!(judged(Trust::Any, &[said(FORK, ASSET)]), Ok(FORK.into()));
        let both = [said("forge:laptop", ASSET), said(MAIN, ASSET)];
        assert_eq!(judged(Trust::Any, &both), Ok(MAIN.into()));
    }

    #[test]
    fn the_ci_of_this_repository_is_trusted_for_the_bytes_it_names() {
        assert_eq!(judged(Trust::Ci, &[said(MAIN, ASSET)]), Ok(MAIN.into()));
        let promoted = [said("forge:laptop", ASSET), said(MAIN, ASSET)];
        assert_eq!(judged(Trust::Ci, &promoted), Ok(MAIN.into()));
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let other = Sha256([2; 32]);
        for (statements, why) in [
            (vec![], "nobody says who built it: there is no provenance beside it"),
            (vec![said("forge:laptop", ASSET)], "a laptop built it, as its provenance says"),
            (
                vec![said("forge:ci", ASSET)],
                "a CI that does not say whose it is built it, as its provenance says",
            ),
            (
                vec![said(MAIN, other)],
                "its provenance is about other bytes than these, whose sha256 is 010101010101",
            ),
            // Vouching for other bytes is not a vouching.
            (
                vec![said("forge:laptop", ASSET), said(MAIN, other)],
                "a laptop built it, as its provenance says",
            ),
            (
                vec![said(FORK, ASSET)],
                "the CI of https://github.com/me/r at refs/heads/main built it, not that of https://github.com/O/R",
            ),
            (
                vec![said(PULL, ASSET)],
                "the CI of https://github.com/o/r at refs/pull/7/merge built it, which is neither a branch nor a tag",
            ),
        ] {
            assert_eq!(judged(Trust::Ci, &statements), Err(why.to_owned()));
        }
    }

    #[test]
    fn only_events_that_may_publish_count() {
        let lab = "https://gitlab.com/o/r//.gitlab-ci.yml@refs/heads/main";
        let judged = |builder: &str, event: Option<&str>| {
            let mut statement = said(builder, ASSET);
            statement.run.event = event.map(str::to_owned);
            judge(Trust::Ci, &[], ASSET, &[statement])
        };
        for event in ["push", "schedule", "workflow_dispatch", "release", "repository_dispatch"] {
            assert!(judged(MAIN, Some(event)).is_ok(), "{event}");
        }
        for event in [
            "pull_request",
            "pull_request_target",
            "workflow_run",
            "issue_comment",
            "issues",
            "merge_group",
            "discussion",
            "",
        ] {
            let why = judged(MAIN, Some(event)).unwrap_err();
            assert!(
                why.starts_with("the CI of https://github.com/o/r at refs/heads/main"),
                "{why}"
            );
        }
        assert!(
            judged(MAIN, None).unwrap_err().ends_with("nothing says which event that run was for")
        );
        for event in ["push", "web", "schedule", "parent_pipeline", "trigger"] {
            assert!(judged(lab, Some(event)).is_ok(), "{event}");
        }
        for event in ["merge_request_event", "external_pull_request_event"] {
            assert!(judged(lab, Some(event)).is_err(), "{event}");
        }
        let request = "https://gitlab.com/o/r//.gitlab-ci.yml@refs/merge-requests/7/head";
        assert!(judged(request, Some("parent_pipeline")).is_err());
    }

    #[test]
    fn where_no_repository_is_known_any_ci_counts() {
        assert!(judge(Trust::Ci, &[], ASSET, &[said(FORK, ASSET)]).is_ok());
        assert!(judge(Trust::Ci, &[], ASSET, &[said(PULL, ASSET)]).is_err());
        assert!(judge(Trust::Ci, &[], ASSET, &[said("forge:laptop", ASSET)]).is_err());
    }

    #[test]
    fn words_survive_the_round_trip() {
        for word in Trust::WORDS {
            assert_eq!(word.parse::<Trust>().unwrap().as_str(), *word);
        }
        assert!("nobody".parse::<Trust>().is_err());
    }
}

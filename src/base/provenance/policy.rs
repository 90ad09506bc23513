//! May this run publish to a store that others read?
//!
//! The danger is one of order: whoever writes first under a key decides what all later readers get,
//! the default branch among them. A run for a proposed change executes code that nobody accepted,
//! and can put it under the key that the accepted code has too; no digest and no encryption finds
//! that out (CVE-2025-36852 tells it of build caches). A token that could write is not a permission:
//! runs for branches of the same repository hold one as well. So the event decides.

use super::{ActionsRun, Builder, CiRun, GitLab, Surroundings};

/// Whether a run may publish, and why, in a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It does unless told not to.
    Yes(String),
    /// It does if it is asked to.
    OnRequest(String),
    /// It does not, whoever asks.
    Never(String),
}

impl Permission {
    /// The sentence.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Yes(why) | Self::OnRequest(why) | Self::Never(why) => why,
        }
    }

    /// Whether to publish, `asked` to or not.
    #[must_use]
    pub fn allows(&self, asked: bool) -> bool {
        match self {
            Self::Yes(_) => true,
            Self::OnRequest(_) => asked,
            Self::Never(_) => false,
        }
    }
}

/// What is said of an event of GitHub Actions.
#[derive(Clone, Copy)]
enum Rule {
    /// Runs for whatever somebody with write access put on a branch or tag: look at the ref.
    ByRef,
    /// Always runs what the default branch holds, when the clock says so.
    Clock,
    /// Somebody with write access wants it.
    Wanted(&'static str),
    /// Never, since …
    Never(&'static str),
}

/// Events not named here are never trusted: most can be caused by anybody.
const EVENTS: &[(&str, Rule)] = &[
    ("push", Rule::ByRef),
    ("workflow_dispatch", Rule::ByRef),
    ("schedule", Rule::Clock),
    ("release", Rule::Wanted("a release was made by hand")),
    ("repository_dispatch", Rule::Wanted("another program asked for this run")),
    ("pull_request", Rule::Never("it runs code that nobody accepted yet")),
    (
        "pull_request_target",
        Rule::Never("it may run code that nobody accepted yet, with all rights"),
    ),
    ("pull_request_review", Rule::Never("it runs code that nobody accepted yet")),
    ("pull_request_review_comment", Rule::Never("it runs code that nobody accepted yet")),
    ("merge_group", Rule::Never("the merge may still fail; the push that follows it publishes")),
    ("workflow_run", Rule::Never("what it follows may have been a pull request")),
    ("issue_comment", Rule::Never("anybody may write a comment")),
    ("issues", Rule::Never("anybody may open an issue")),
];

/// What starts pipelines of GitLab for proposed changes.
pub(super) const GITLAB_PROPOSALS: [&str; 2] =
    ["merge_request_event", "external_pull_request_event"];

/// Whether a run in these surroundings may publish to a store that others read.
#[must_use]
pub fn may_publish(surroundings: &Surroundings) -> Permission {
    match surroundings {
        Surroundings::Laptop => Permission::OnRequest(
            "this is not CI; others see what is published, so it is done only when asked for"
                .into(),
        ),
        Surroundings::OtherCi(run) => other(run),
        Surroundings::GitHub(run) => github(run),
        Surroundings::GitLab(job) => gitlab(job),
    }
}

/// Whether a run in these surroundings may publish to a store, which others read if it `is_shared`. A
/// folder on this machine is its user's own, whoever may read it.
#[must_use]
pub fn may_publish_to(surroundings: &Surroundings, is_shared: bool) -> Permission {
    match may_publish(surroundings) {
        Permission::OnRequest(_) if !is_shared => {
            Permission::Yes("the store is a folder on this machine".into())
        }
        permission => permission,
    }
}

fn github(run: &ActionsRun) -> Permission {
    let event = &run.event;
    let rule = EVENTS.iter().find(|(known, _)| known == event).map(|(_, rule)| *rule);
    match rule {
        Some(Rule::ByRef) => by_ref(event, &run.reference, run.default_branch.as_deref()),
        Some(Rule::Clock) => {
            Permission::Yes("a `schedule` run builds what the default branch holds".into())
        }
        Some(Rule::Wanted(why)) => {
            Permission::OnRequest(format!("{why} (`{event}`), so publishing has to be asked for"))
        }
        Some(Rule::Never(why)) => Permission::Never(match &run.fork {
            Some(fork) => format!("a `{event}` run never publishes: {why}, here from {fork}"),
            None => format!("a `{event}` run never publishes: {why}"),
        }),
        None if event.is_empty() => {
            Permission::Never("the runner does not say which event this run is for".into())
        }
        None => Permission::Never(format!(
            "a `{event}` run never publishes: only pushes, schedules and dispatches are trusted"
        )),
    }
}

/// The rule of events that run for a branch or a tag.
fn by_ref(event: &str, reference: &str, default_branch: Option<&str>) -> Permission {
    if let Some(tag) = reference.strip_prefix("refs/tags/") {
        return Permission::Yes(format!("`{event}` of the tag {tag}"));
    }
    let Some(branch) = reference.strip_prefix("refs/heads/") else {
        let reference = if reference.is_empty() { "no ref" } else { reference };
        return Permission::Never(format!("{reference} is neither a branch nor a tag"));
    };
    match default_branch {
        Some(default) if default == branch => {
            Permission::Yes(format!("`{event}` at the default branch, {branch}"))
        }
        Some(default) => Permission::OnRequest(format!(
            "{branch} is not the default branch ({default}), so publishing has to be asked for"
        )),
        None => Permission::OnRequest(format!(
            "nothing says whether {branch} is the default branch, so publishing has to be asked for"
        )),
    }
}

fn gitlab(job: &GitLab) -> Permission {
    if job.is_merge_request {
        return Permission::Never(
            "a job for a merge request never publishes: it runs code that nobody accepted yet"
                .into(),
        );
    }
    let permission = by_ref(&job.event, &job.reference, job.default_branch.as_deref());
    match permission {
        Permission::Yes(_) if !job.is_protected => Permission::OnRequest(format!(
            "{} is not protected, so publishing has to be asked for",
            job.reference
        )),
        other => other,
    }
}

fn other(run: &CiRun) -> Permission {
    let host = run.host.unwrap_or("this CI");
    match run.is_proposal {
        Some(true) => Permission::Never(format!(
            "{host} runs a proposed change, and that never publishes: nobody accepted its code yet"
        )),
        Some(false) => Permission::OnRequest(format!(
            "{host} does not say whether this is the default branch, so publishing has to be asked for"
        )),
        None => Permission::OnRequest(format!(
            "{host} does not say which event it runs for, so publishing has to be asked for"
        )),
    }
}

/// Why a run of `builder` that `event` started is none that may publish; none if it may, by itself or
/// on request.
pub(super) fn refused_event(builder: &Builder, event: Option<&str>) -> Option<String> {
    let reference = builder.reference().unwrap_or_default();
    let Some(event) = event else {
        return Some("nothing says which event that run was for".into());
    };
    let permission = match builder.is_gitlab() {
        true => gitlab(&GitLab {
            event: event.into(),
            reference: reference.into(),
            is_merge_request: GITLAB_PROPOSALS.contains(&event),
            ..GitLab::default()
        }),
        false => github(&ActionsRun {
            event: event.into(),
            reference: reference.into(),
            ..ActionsRun::default()
        }),
    };
    match permission {
        Permission::Never(why) => Some(why),
        Permission::Yes(_) | Permission::OnRequest(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(event: &str, reference: &str) -> Surroundings {
        Surroundings::GitHub(ActionsRun {
            event: event.into(),
            reference: reference.into(),
            default_branch: Some("main".into()),
            ..ActionsRun::default()
        })
    }

    fn verdict(surroundings: &Surroundings) -> &'static str {
        match may_publish(surroundings) {
            Permission::Yes(_) => "yes",
            Permission::OnRequest(_) => "on request",
            Permission::Never(_) => "never",
        }
    }

    #[test]
    fn the_table() {
        let (main, other) = ("refs/heads/main", "refs/heads/main2");
        let (tag, pull) = ("refs/tags/v1", "refs/pull/7/merge");
        for (event, reference, wanted) in [
            ("push", main, "yes"),
            ("push", tag, "yes"),
            ("push", other, "on request"),
            ("push", pull, "never"),
            ("push", "", "never"),
            ("schedule", main, "yes"),
            ("workflow_dispatch", main, "yes"),
            ("workflow_dispatch", tag, "yes"),
            ("workflow_dispatch", other, "on request"),
            ("release", tag, "on request"),
            ("repository_dispatch", main, "on request"),
            ("pull_request", pull, "never"),
            ("pull_request", main, "never"),
            // Runs at the default branch, with a token that may write: no permission all the same.
            ("pull_request_target", main, "never"),
            ("pull_request_review", pull, "never"),
            ("pull_request_review_comment", pull, "never"),
            ("merge_group", "refs/heads/gh-readonly-queue/main/pr-7", "never"),
            ("workflow_run", main, "never"),
            ("issue_comment", main, "never"),
            ("issues", main, "never"),
            ("discussion", main, "never"),
            ("watch", main, "never"),
            ("", main, "never"),
        ] {
            assert_eq!(verdict(&run(event, reference)), wanted, "{event} {reference}");
        }
        assert_eq!(verdict(&Surroundings::Laptop), "on request");
        assert_eq!(verdict(&Surroundings::OtherCi(CiRun::default())), "on request");
    }

    #[test]
    fn without_the_file_of_the_event_no_branch_is_taken_for_the_default() {
        for (reference, wanted) in [("refs/heads/main", "on request"), ("refs/tags/v1", "yes")] {
            let Surroundings::GitHub(known) = run("push", reference) else { panic!("it is one") };
            let unknown = Surroundings::GitHub(ActionsRun { default_branch: None, ..known });
            assert_eq!(verdict(&unknown), wanted);
        }
    }

    #[test]
    fn never_means_never() {
        let never = may_publish(&run("pull_request", "refs/pull/7/merge"));
        assert!(!never.allows(true));
        let asked = may_publish(&Surroundings::Laptop);
        assert!(asked.allows(true) && !asked.allows(false));
        assert!(may_publish(&run("push", "refs/heads/main")).allows(false));
    }

    #[test]
    fn the_reasons_read_well() {
        let Surroundings::GitHub(known) = run("pull_request", "refs/pull/7/merge") else {
            panic!("it is one")
        };
        let fork = Surroundings::GitHub(ActionsRun { fork: Some("me/r".into()), ..known });
        assert_eq!(
            may_publish(&fork).why(),
            "a `pull_request` run never publishes: it runs code that nobody accepted yet, here from me/r"
        );
        assert_eq!(
            may_publish(&run("push", "refs/heads/main")).why(),
            "`push` at the default branch, main"
        );
        assert_eq!(may_publish(&run("push", "refs/tags/v1")).why(), "`push` of the tag v1");
    }

    #[test]
    fn gitlab_publishes_from_what_is_protected() {
        let job = |reference: &str, is_protected, is_merge_request| {
            verdict(&Surroundings::GitLab(GitLab {
                event: "push".into(),
                reference: reference.into(),
                default_branch: Some("main".into()),
                is_protected,
                is_merge_request,
                ..GitLab::default()
            }))
        };
        assert_eq!(job("refs/heads/main", true, false), "yes");
        assert_eq!(job("refs/tags/v1", true, false), "yes");
        assert_eq!(job("refs/heads/main", false, false), "on request");
        assert_eq!(job("refs/tags/v1", false, false), "on request");
        assert_eq!(job("refs/heads/other", true, false), "on request");
        assert_eq!(job("refs/heads/main", true, true), "never");
        assert_eq!(job("refs/merge-requests/7/head", false, false), "never");
    }
}

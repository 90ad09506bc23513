//! Where this process runs: at somebody's keyboard or in which CI, for which change. Made from
//! the variables that CI systems document, and nothing else:
//! <https://docs.github.com/actions/reference/workflows-and-actions/variables>,
//! <https://docs.gitlab.com/ci/variables/predefined_variables/>.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Builder, CiRun, policy::GITLAB_PROPOSALS};

/// Where this process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// At somebody's keyboard, as far as one can tell.
    Laptop,
    /// In GitHub Actions, or in those of Gitea and Forgejo, which set the same variables.
    GitHub(ActionsRun),
    /// In GitLab CI.
    GitLab(GitLab),
    /// In another CI, or in one that says no more than that it is one (`CI=true`).
    OtherCi(CiRun),
}

/// A run of GitHub Actions. What the runner does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionsRun {
    /// What started it: `push`, `pull_request`.
    pub event: String,
    /// The ref it runs for: `refs/heads/main`, `refs/tags/v1`, `refs/pull/7/merge`.
    pub reference: String,
    /// The branch that a proposed change is for.
    pub base: String,
    /// The default branch, by the file that describes the event.
    pub default_branch: Option<String>,
    /// The server: `https://github.com`.
    pub server: String,
    /// `OWNER/REPO`.
    pub repository: String,
    /// The repository that a proposed change comes from, if that is another one.
    pub fork: Option<String>,
    /// Where the workflow is, and at which ref.
    pub workflow: String,
    /// The page of this attempt of the run.
    pub run_url: Option<String>,
    /// The commit that it runs for.
    pub commit: String,
    /// The proposed change that it is about.
    pub change: Option<ProposedChange>,
}

/// A pull request, or a merge request, as the event has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProposedChange {
    /// Its number.
    pub number: u64,
    /// The commit that is proposed.
    pub commit: String,
    /// Whether it is closed, or merged.
    pub is_closed: bool,
    /// Whether it comes from another repository.
    pub is_fork: bool,
    /// Its labels.
    pub labels: Vec<String>,
}

/// A job of GitLab CI. What the runner does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitLab {
    /// What started it: `push`, `merge_request_event`.
    pub event: String,
    /// `refs/heads/main`, `refs/tags/v1`.
    pub reference: String,
    /// The branch that a proposed change is for.
    pub base: String,
    /// The default branch.
    pub default_branch: Option<String>,
    /// Whether the branch or tag is protected: only some may change it.
    pub is_protected: bool,
    /// Whether it runs for a proposed change.
    pub is_merge_request: bool,
    /// The project's page.
    pub project_url: String,
    /// The file that defines the pipeline.
    pub config: String,
    /// The page of the job.
    pub run_url: Option<String>,
    /// The commit that it runs for.
    pub commit: String,
    /// The merge request that it is about.
    pub change: Option<ProposedChange>,
}

impl Surroundings {
    /// Where a process with these variables runs. `event` is the text of the file that
    /// `GITHUB_EVENT_PATH` names, if it could be read.
    #[must_use]
    pub fn from_variables(variables: &BTreeMap<String, String>, event: Option<&str>) -> Self {
        let variables = RunVariables(variables);
        if variables.is_true("GITHUB_ACTIONS") {
            Self::GitHub(ActionsRun::from_variables(variables, event))
        } else if variables.is_true("GITLAB_CI") {
            Self::GitLab(GitLab::from_variables(variables))
        } else if let Some(run) = CiRun::from_variables(variables) {
            Self::OtherCi(run)
        } else if variables.is_true("CI") {
            Self::OtherCi(CiRun::default())
        } else {
            Self::Laptop
        }
    }

    /// Who builds here.
    #[must_use]
    pub fn builder(&self) -> Builder {
        match self {
            Self::Laptop => Builder::laptop(),
            Self::OtherCi(_) => Builder::some_ci(),
            Self::GitHub(run) => run.builder(),
            Self::GitLab(job) => job.builder(),
        }
    }

    /// The page of this run.
    #[must_use]
    pub fn run_url(&self) -> Option<&str> {
        match self {
            Self::GitHub(run) => run.run_url.as_deref(),
            Self::GitLab(job) => job.run_url.as_deref(),
            Self::OtherCi(run) => run.run_url.as_deref(),
            Self::Laptop => None,
        }
    }

    /// The commit that this run is for; of a proposed change, the one that is proposed.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        let own = match self {
            Self::GitHub(run) => &run.commit,
            Self::GitLab(job) => &job.commit,
            Self::Laptop | Self::OtherCi(_) => return None,
        };
        self.change().and_then(|change| filled(&change.commit)).or_else(|| filled(own))
    }

    /// The proposed change that this run is about, if it says which.
    #[must_use]
    pub fn change(&self) -> Option<&ProposedChange> {
        match self {
            Self::GitHub(run) => run.change.as_ref(),
            Self::GitLab(job) => job.change.as_ref(),
            Self::Laptop | Self::OtherCi(_) => None,
        }
    }

    /// What started this run.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::GitHub(run) => filled(&run.event),
            Self::GitLab(job) => filled(&job.event),
            Self::Laptop | Self::OtherCi(_) => None,
        }
    }

    /// The tag that this run is for, if it is for one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        let reference = match self {
            Self::GitHub(run) => &run.reference,
            Self::GitLab(job) => &job.reference,
            Self::Laptop | Self::OtherCi(_) => return None,
        };
        reference.strip_prefix("refs/tags/")
    }

    /// The branch that this run is for; of a proposed change, the one that it is proposed to.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        let (base, reference) = match self {
            Self::GitHub(run) => (&run.base, &run.reference),
            Self::GitLab(job) => (&job.base, &job.reference),
            Self::Laptop | Self::OtherCi(_) => return None,
        };
        filled(base).or_else(|| reference.strip_prefix("refs/heads/"))
    }

    /// The repository that this run is for, as a URL.
    #[must_use]
    pub fn repository(&self) -> Option<String> {
        match self {
            Self::GitHub(run) => {
                filled(&run.repository).map(|repository| format!("{}/{repository}", run.server))
            }
            Self::GitLab(job) => filled(&job.project_url).map(str::to_owned),
            Self::Laptop | Self::OtherCi(_) => None,
        }
    }

    /// Where it is, for people: `GitHub Actions, push to refs/heads/main`.
    #[must_use]
    pub fn describe(&self) -> String {
        let run = |system, event: &str, reference: &str| {
            format!("{system}, {} at {}", or(event, "an unknown event"), or(reference, "no ref"))
        };
        match self {
            Self::Laptop => "a laptop: nothing says that this is a CI".into(),
            Self::OtherCi(CiRun { host: None, .. }) => {
                "a CI that says nothing more (`CI` is set)".into()
            }
            Self::OtherCi(CiRun { host: Some(host), is_proposal, .. }) => match is_proposal {
                Some(true) => format!("{host}, a proposed change"),
                Some(false) => format!("{host}, no proposed change"),
                None => format!("{host}, which does not say whether it is a proposed change"),
            },
            Self::GitHub(it) => run("GitHub Actions", &it.event, &it.reference),
            Self::GitLab(it) => run("GitLab CI", &it.event, &it.reference),
        }
    }
}

impl ActionsRun {
    fn from_variables(variables: RunVariables, event: Option<&str>) -> Self {
        let event_file: Value =
            event.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let server = or(variables.get("GITHUB_SERVER_URL"), "https://github.com");
        let server = server.trim_end_matches('/').to_owned();
        let repository = variables.owned("GITHUB_REPOSITORY");
        let text = |pointer| event_file.pointer(pointer).and_then(Value::as_str);
        let head = text("/pull_request/head/repo/full_name")
            .or_else(|| text("/workflow_run/head_repository/full_name"));
        let fork = head.filter(|head| !head.eq_ignore_ascii_case(&repository)).map(str::to_owned);
        let default_branch = text("/repository/default_branch").map(str::to_owned);
        let number = event_file.pointer("/pull_request/number").and_then(Value::as_u64);
        let labels = event_file.pointer("/pull_request/labels").and_then(Value::as_array);
        let label = |label: &Value| Some(label.get("name")?.as_str()?.to_owned());
        let change = number.map(|number| ProposedChange {
            number,
            commit: text("/pull_request/head/sha").unwrap_or_default().to_owned(),
            is_closed: text("/pull_request/state") == Some("closed"),
            is_fork: fork.is_some() || head.is_none(),
            labels: labels.into_iter().flatten().filter_map(label).collect(),
        });
        let run_url = variables.filled("GITHUB_RUN_ID").map(|run| {
            let attempt = or(variables.get("GITHUB_RUN_ATTEMPT"), "1");
            format!("{server}/{repository}/actions/runs/{run}/attempts/{attempt}")
        });
        Self {
            event: variables.owned("GITHUB_EVENT_NAME"),
            reference: variables.owned("GITHUB_REF"),
            base: variables.owned("GITHUB_BASE_REF"),
            default_branch,
            server,
            repository,
            fork,
            workflow: variables.owned("GITHUB_WORKFLOW_REF"),
            run_url,
            commit: variables.owned("GITHUB_SHA"),
            change,
        }
    }

    fn builder(&self) -> Builder {
        match (self.workflow.is_empty(), self.repository.is_empty()) {
            (false, _) => Builder::new(format!("{}/{}", self.server, self.workflow)),
            (true, false) => {
                let Self { server, repository, reference, .. } = self;
                Builder::new(format!("{server}/{repository}@{reference}"))
            }
            (true, true) => Builder::some_ci(),
        }
    }
}

impl GitLab {
    fn from_variables(variables: RunVariables) -> Self {
        let event = variables.owned("CI_PIPELINE_SOURCE");
        // Child pipelines have `parent_pipeline` as their source, whatever their parent is for.
        let request = ["CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"]
            .iter()
            .find_map(|name| variables.filled(name));
        let is_merge_request = request.is_some()
            || variables.any_begins("CI_MERGE_REQUEST_")
            || variables.any_begins("CI_EXTERNAL_PULL_REQUEST_")
            || GITLAB_PROPOSALS.contains(&&*event);
        let reference = match (
            is_merge_request,
            variables.filled("CI_COMMIT_TAG"),
            variables.filled("CI_COMMIT_BRANCH"),
        ) {
            (true, ..) => format!("refs/merge-requests/{}/head", request.unwrap_or("unknown")),
            (false, Some(tag), _) => format!("refs/tags/{tag}"),
            (false, None, Some(branch)) => format!("refs/heads/{branch}"),
            (false, None, None) => String::new(),
        };
        Self {
            event,
            reference,
            base: variables.owned("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
            default_branch: variables.filled("CI_DEFAULT_BRANCH").map(str::to_owned),
            is_protected: variables.is_true("CI_COMMIT_REF_PROTECTED"),
            is_merge_request,
            project_url: variables.get("CI_PROJECT_URL").trim_end_matches('/').to_owned(),
            config: or(variables.get("CI_CONFIG_PATH"), ".gitlab-ci.yml").to_owned(),
            run_url: variables.filled("CI_JOB_URL").map(str::to_owned),
            commit: variables.owned("CI_COMMIT_SHA"),
            change: Self::change(variables),
        }
    }

    fn change(variables: RunVariables) -> Option<ProposedChange> {
        let number = variables.filled("CI_MERGE_REQUEST_IID")?.parse().ok()?;
        let source = variables.filled("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
        let labels = variables.get("CI_MERGE_REQUEST_LABELS").split(',').filter_map(filled);
        Some(ProposedChange {
            number,
            commit: variables.owned("CI_COMMIT_SHA"),
            is_closed: false,
            is_fork: source.is_none() || source != variables.filled("CI_PROJECT_ID"),
            labels: labels.map(str::to_owned).collect(),
        })
    }

    fn builder(&self) -> Builder {
        let Self { project_url, config, reference, .. } = self;
        match project_url.is_empty() {
            true => Builder::some_ci(),
            false => Builder::new(format!("{project_url}//{config}@{reference}")),
        }
    }
}

/// Variables, of which a blank one is as good as unset.
#[derive(Clone, Copy)]
pub(super) struct RunVariables<'a>(&'a BTreeMap<String, String>);

impl<'a> RunVariables<'a> {
    pub(super) fn get(self, name: &str) -> &'a str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    pub(super) fn filled(self, name: &str) -> Option<&'a str> {
        filled(self.get(name))
    }

    fn owned(self, name: &str) -> String {
        self.get(name).to_owned()
    }

    /// Whether a variable whose name begins so is set.
    fn any_begins(self, start: &str) -> bool {
        let from = self.0.range(start.to_owned()..);
        let named = from.take_while(|(name, _)| name.starts_with(start));
        named.into_iter().any(|(_, value)| !value.trim().is_empty())
    }

    pub(super) fn is_true(self, name: &str) -> bool {
        !matches!(&*self.get(name).to_ascii_lowercase(), "" | "0" | "false" | "no")
    }
}

pub(super) fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::provenance) fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const PUSH: &[(&str, &str)] = &[
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "push"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_RUN_ID", "77"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_SHA", "c0ffee"),
        ("GITHUB_WORKFLOW_REF", "o/r/.github/workflows/ci.yml@refs/heads/main"),
    ];

    #[test]
    fn a_run_of_github_actions() {
        let event =
            r#"{"repository":{"default_branch":"main","full_name":"o/r"},"after":"c0ffee"}"#;
        let surroundings = Surroundings::from_variables(&variables(PUSH), Some(event));
        assert_eq!(
            surroundings.builder().id(),
            "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main"
        );
        assert_eq!(
            surroundings.run_url(),
            Some("https://github.com/o/r/actions/runs/77/attempts/2")
        );
        assert_eq!(surroundings.repository().as_deref(), Some("https://github.com/o/r"));
        assert_eq!(surroundings.event(), Some("push"));
        assert_eq!(surroundings.describe(), "GitHub Actions, push at refs/heads/main");
        assert_eq!(surroundings.branch(), Some("main"));
        let mut proposal = variables(PUSH);
        proposal.insert("GITHUB_REF".into(), "refs/pull/7/merge".into());
        assert_eq!(Surroundings::from_variables(&proposal, None).branch(), None);
        proposal.insert("GITHUB_BASE_REF".into(), "dev".into());
        assert_eq!(Surroundings::from_variables(&proposal, None).branch(), Some("dev"));
        let Surroundings::GitHub(run) = surroundings else { panic!("it is one") };
        assert_eq!(run.default_branch.as_deref(), Some("main"));
        assert_eq!(run.fork, None);
    }

    #[test]
    fn a_pull_request_says_where_it_comes_from() {
        let event = |head| {
            format!(
                r#"{{"pull_request":{{"head":{{"repo":{{"full_name":"{head}"}}}}}},"repository":{{}}}}"#
            )
        };
        for (head, fork) in [("me/r", Some("me/r")), ("o/r", None), ("O/R", None)] {
            let found = Surroundings::from_variables(&variables(PUSH), Some(&event(head)));
            let Surroundings::GitHub(run) = found else { panic!("it is one") };
            assert_eq!(run.fork.as_deref(), fork);
        }
    }

    #[test]
    fn a_runner_that_says_little_is_no_trap() {
        for event in [None, Some(""), Some("[1]"), Some("{")] {
            let found =
                Surroundings::from_variables(&variables(&[("GITHUB_ACTIONS", "true")]), event);
            assert_eq!(found.builder(), Builder::some_ci());
            assert_eq!((found.run_url(), found.event(), found.repository()), (None, None, None));
            assert_eq!(found.describe(), "GitHub Actions, an unknown event at no ref");
        }
        // As Gitea's older runners do.
        let gitea = variables(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://git.example.org/"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_REF", "refs/tags/v1"),
        ]);
        let builder = Surroundings::from_variables(&gitea, None).builder();
        assert_eq!(builder.id(), "https://git.example.org/o/r@refs/tags/v1");
        assert_eq!(builder.repository(), Some("https://git.example.org/o/r"));
    }

    #[test]
    fn a_job_of_gitlab() {
        let job = variables(&[
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_COMMIT_REF_PROTECTED", "true"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_PROJECT_URL", "https://gitlab.com/a/b/c"),
            ("CI_JOB_URL", "https://gitlab.com/a/b/c/-/jobs/1"),
            ("CI_COMMIT_SHA", "c0ffee"),
        ]);
        let found = Surroundings::from_variables(&job, None);
        assert_eq!(
            found.builder().id(),
            "https://gitlab.com/a/b/c//.gitlab-ci.yml@refs/heads/main"
        );
        assert_eq!(found.builder().repository(), found.repository().as_deref());
        assert_eq!(found.run_url(), Some("https://gitlab.com/a/b/c/-/jobs/1"));
        let Surroundings::GitLab(found) = found else { panic!("it is one") };
        assert!(found.is_protected && !found.is_merge_request);
        // A child of a merge request's pipeline says so only by these variables.
        for name in ["CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_ID", "CI_EXTERNAL_PULL_REQUEST_IID"]
        {
            let mut child = job.clone();
            child.insert("CI_PIPELINE_SOURCE".into(), "parent_pipeline".into());
            child.insert(name.into(), "17".into());
            let found = Surroundings::from_variables(&child, None);
            assert!(!found.builder().is_ci_of_accepted_code(), "{name}");
            let Surroundings::GitLab(found) = found else { panic!("it is one") };
            assert!(found.is_merge_request, "{name}");
        }
    }

    #[test]
    fn elsewhere() {
        assert_eq!(Surroundings::from_variables(&variables(&[]), None), Surroundings::Laptop);
        assert_eq!(
            Surroundings::from_variables(&variables(&[("CI", "false")]), None),
            Surroundings::Laptop
        );
        assert_eq!(
            Surroundings::from_variables(&variables(&[("CI", " ")]), None),
            Surroundings::Laptop
        );
        let other = Surroundings::OtherCi(CiRun::default());
        assert_eq!(Surroundings::from_variables(&variables(&[("CI", "1")]), None), other);
        assert_eq!(Surroundings::Laptop.builder(), Builder::laptop());
        assert_eq!(other.builder(), Builder::some_ci());
    }
}

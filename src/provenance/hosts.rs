//! CI hosts besides GitHub and GitLab: how each is known, and how it says that a run is for a
//! proposed change. The names are those of the hosts' own documentation:
//!
//! | host | page |
//! |---|---|
//! | CircleCI | "Project values and variables" (circleci.com/docs/reference/variables) |
//! | Travis CI | "Environment Variables", default ones (docs.travis-ci.com/user/environment-variables) |
//! | Buildkite | "Environment variables" (buildkite.com/docs/pipelines/configure/environment-variables) |
//! | Azure Pipelines | "Use predefined variables" (learn.microsoft.com/azure/devops/pipelines/build/variables) |
//! | Jenkins | "env-vars.html" of each server: branch-api and, for `ghprb…`, the GitHub Pull Request Builder |
//! | Woodpecker | "Environment variables" (woodpecker-ci.org/docs/usage/environment) |
//! | Bitbucket | "Variables and secrets", default ones (support.atlassian.com/bitbucket-cloud) |
//! | Drone, Harness | "Environment reference" (docs.drone.io/pipeline/environment/reference) |
//! | Cirrus CI | "Writing tasks", environment variables (cirrus-ci.org/guide/writing-tasks) |
//! | AppVeyor | "Environment variables" (appveyor.com/docs/environment-variables) |
//! | TeamCity | "List of Predefined Build Parameters" (jetbrains.com/help/teamcity): parameters, no variables |

use super::surroundings::{Variables, filled};

/// A CI host.
struct CiHost {
    name: &'static str,
    /// All of these are set there.
    known_by: &'static [Sign],
    /// One of these is enough to say that a run is for a proposed change.
    proposal: &'static [Sign],
    /// The variable that is set in every run of a host that tells proposals apart. Where none is
    /// named, or it is not set, a run without any sign may be for a proposed change all the same.
    tells: Option<&'static str>,
    /// The page of the run.
    run_url: &'static str,
    commit: &'static str,
}

/// What a variable says.
enum Sign {
    /// It is set, to anything but a word for no.
    Set(&'static str),
    /// It is this value.
    Is(&'static str, &'static str),
    /// It begins so.
    Begins(&'static str, &'static str),
}

use Sign::{Begins, Is, Set};

/// One row a host. Of two whose variables are both set, the first counts; a proposal counts
/// whoever tells of it.
const HOSTS: &[CiHost] = &[
    CiHost {
        name: "CircleCI",
        known_by: &[Set("CIRCLECI")],
        proposal: &[
            Set("CIRCLE_PULL_REQUEST"),
            Set("CIRCLE_PULL_REQUESTS"),
            Set("CIRCLE_PR_NUMBER"),
            Begins("CIRCLE_BRANCH", "pull/"),
        ],
        // The variables are not set for projects that are connected by the GitHub App.
        tells: None,
        run_url: "CIRCLE_BUILD_URL",
        commit: "CIRCLE_SHA1",
    },
    CiHost {
        name: "Travis CI",
        known_by: &[Set("TRAVIS")],
        proposal: &[Set("TRAVIS_PULL_REQUEST"), Is("TRAVIS_EVENT_TYPE", "pull_request")],
        // `false` where it is none.
        tells: Some("TRAVIS_PULL_REQUEST"),
        run_url: "TRAVIS_BUILD_WEB_URL",
        commit: "TRAVIS_COMMIT",
    },
    CiHost {
        name: "Buildkite",
        known_by: &[Set("BUILDKITE")],
        proposal: &[Set("BUILDKITE_PULL_REQUEST")],
        // `false` where it is none.
        tells: Some("BUILDKITE_PULL_REQUEST"),
        run_url: "BUILDKITE_BUILD_URL",
        commit: "BUILDKITE_COMMIT",
    },
    CiHost {
        name: "Azure Pipelines",
        known_by: &[Set("TF_BUILD")],
        proposal: &[
            Is("BUILD_REASON", "PullRequest"),
            Set("SYSTEM_PULLREQUEST_PULLREQUESTID"),
            Begins("BUILD_SOURCEBRANCH", "refs/pull/"),
        ],
        tells: Some("BUILD_REASON"),
        run_url: "",
        commit: "BUILD_SOURCEVERSION",
    },
    CiHost {
        name: "Woodpecker",
        known_by: &[Is("CI", "woodpecker")],
        // Also `pull_request_closed` and `pull_request_metadata`.
        proposal: &[
            Begins("CI_PIPELINE_EVENT", "pull_request"),
            Set("CI_COMMIT_PULL_REQUEST"),
            Begins("CI_COMMIT_REF", "refs/pull/"),
        ],
        tells: Some("CI_PIPELINE_EVENT"),
        run_url: "CI_PIPELINE_URL",
        commit: "CI_COMMIT_SHA",
    },
    CiHost {
        name: "Bitbucket Pipelines",
        known_by: &[Set("BITBUCKET_BUILD_NUMBER")],
        proposal: &[Set("BITBUCKET_PR_ID"), Set("BITBUCKET_PR_DESTINATION_BRANCH")],
        tells: Some("BITBUCKET_COMMIT"),
        run_url: "",
        commit: "BITBUCKET_COMMIT",
    },
    CiHost {
        name: "Drone",
        known_by: &[Set("DRONE")],
        proposal: &[
            Begins("DRONE_BUILD_EVENT", "pull_request"),
            Set("DRONE_PULL_REQUEST"),
            Begins("DRONE_COMMIT_REF", "refs/pull/"),
        ],
        tells: Some("DRONE_BUILD_EVENT"),
        run_url: "DRONE_BUILD_LINK",
        commit: "DRONE_COMMIT_SHA",
    },
    CiHost {
        name: "Cirrus CI",
        known_by: &[Set("CIRRUS_CI")],
        proposal: &[Set("CIRRUS_PR"), Begins("CIRRUS_BRANCH", "pull/")],
        tells: Some("CIRRUS_BRANCH"),
        run_url: "",
        commit: "CIRRUS_CHANGE_IN_REPO",
    },
    CiHost {
        name: "AppVeyor",
        known_by: &[Set("APPVEYOR")],
        proposal: &[
            Set("APPVEYOR_PULL_REQUEST_NUMBER"),
            Set("APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME"),
        ],
        tells: Some("APPVEYOR_REPO_BRANCH"),
        run_url: "",
        commit: "APPVEYOR_REPO_COMMIT",
    },
    CiHost {
        name: "TeamCity",
        known_by: &[Set("TEAMCITY_VERSION")],
        // Its `teamcity.pullRequest.number` is a parameter, which a process does not see.
        proposal: &[],
        tells: None,
        run_url: "BUILD_URL",
        commit: "BUILD_VCS_NUMBER",
    },
    // Last: other hosts set its variables for compatibility.
    CiHost {
        name: "Jenkins",
        known_by: &[Set("JENKINS_URL"), Set("BUILD_ID")],
        proposal: &[Set("CHANGE_ID"), Set("CHANGE_FORK"), Set("CHANGE_TARGET"), Set("ghprbPullId")],
        // Only multibranch projects know what they build.
        tells: Some("BRANCH_NAME"),
        run_url: "BUILD_URL",
        commit: "GIT_COMMIT",
    },
];

/// A run of a CI host that is neither GitHub's nor GitLab's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiRun {
    /// The host; none if it says no more than that it is a CI.
    pub host: Option<&'static str>,
    /// Whether it is for a proposed change; nothing if the host does not say.
    pub is_proposal: Option<bool>,
    /// The page of the run.
    pub run_url: Option<String>,
    /// The commit.
    pub commit: Option<String>,
}

impl CiRun {
    /// The run that `variables` speak of; none if no known host set them.
    pub(super) fn of(variables: Variables) -> Option<Self> {
        let known: Vec<_> = HOSTS.iter().filter(|host| host.is_here(variables)).collect();
        let host = known.first()?;
        let told: Vec<_> = known.iter().map(|host| host.is_proposal(variables)).collect();
        let is_proposal = match told.contains(&Some(true)) {
            true => Some(true),
            false => told.first().copied().flatten(),
        };
        let text = |name: &str| variables.filled(name).map(str::to_owned);
        Some(Self {
            host: Some(host.name),
            is_proposal,
            run_url: filled(host.run_url).and_then(text),
            commit: text(host.commit),
        })
    }

    /// Whether the host says that it is for no proposed change.
    pub(super) fn is_known_to_be_accepted(&self) -> bool {
        self.is_proposal == Some(false)
    }
}

impl CiHost {
    fn is_here(&self, variables: Variables) -> bool {
        self.known_by.iter().all(|sign| sign.holds(variables))
    }

    fn is_proposal(&self, variables: Variables) -> Option<bool> {
        if self.proposal.iter().any(|sign| sign.holds(variables)) {
            return Some(true);
        }
        self.tells.and_then(|name| variables.filled(name)).map(|_| false)
    }
}

impl Sign {
    fn holds(&self, variables: Variables) -> bool {
        match *self {
            Set(name) => variables.is_true(name),
            Is(name, value) => variables.get(name).eq_ignore_ascii_case(value),
            Begins(name, start) => {
                let value = variables.get(name).as_bytes();
                value.len() >= start.len()
                    && value[..start.len()].eq_ignore_ascii_case(start.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Permission, RunClass, Surroundings, may_publish, surroundings::tests::variables},
        *,
    };

    fn run(pairs: &[(&str, &str)]) -> (Option<&'static str>, RunClass, &'static str) {
        let surroundings = Surroundings::of(&variables(pairs), None);
        let publishes = match may_publish(&surroundings) {
            Permission::Yes(_) => "yes",
            Permission::OnRequest(_) => "on request",
            Permission::Never(_) => "never",
        };
        let Surroundings::OtherCi(run) = &surroundings else { panic!("{surroundings:?}") };
        (run.host, surroundings.class(), publishes)
    }

    /// For each host a run for a branch, and what is set besides in runs for proposals.
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static [&'static [(&'static str, &'static str)]],
    );

    const CASES: &[Case] = &[
        (
            "Travis CI",
            &[("CI", "true"), ("TRAVIS", "true"), ("TRAVIS_PULL_REQUEST", "false")],
            &[&[("TRAVIS_PULL_REQUEST", "17")], &[("TRAVIS_EVENT_TYPE", "pull_request")]],
        ),
        (
            "Buildkite",
            &[("CI", "true"), ("BUILDKITE", "true"), ("BUILDKITE_PULL_REQUEST", "false")],
            &[&[("BUILDKITE_PULL_REQUEST", "17")]],
        ),
        (
            "Azure Pipelines",
            &[("TF_BUILD", "True"), ("BUILD_REASON", "IndividualCI")],
            &[
                &[("BUILD_REASON", "PullRequest")],
                &[("SYSTEM_PULLREQUEST_PULLREQUESTID", "17")],
                // Somebody started it by hand for the ref of a pull request.
                &[("BUILD_REASON", "Manual"), ("BUILD_SOURCEBRANCH", "refs/pull/17/merge")],
            ],
        ),
        (
            "Jenkins",
            &[("JENKINS_URL", "https://j/"), ("BUILD_ID", "5"), ("BRANCH_NAME", "main")],
            &[
                &[("CHANGE_ID", "17")],
                &[("CHANGE_FORK", "me/r")],
                &[("CHANGE_TARGET", "main")],
                &[("ghprbPullId", "17")],
            ],
        ),
        (
            "Woodpecker",
            &[("CI", "woodpecker"), ("CI_PIPELINE_EVENT", "push")],
            &[
                &[("CI_PIPELINE_EVENT", "pull_request")],
                &[("CI_PIPELINE_EVENT", "pull_request_closed")],
                &[("CI_COMMIT_PULL_REQUEST", "17")],
                &[("CI_COMMIT_REF", "refs/pull/17/merge")],
            ],
        ),
        (
            "Bitbucket Pipelines",
            &[("CI", "true"), ("BITBUCKET_BUILD_NUMBER", "3"), ("BITBUCKET_COMMIT", "c0ffee")],
            &[&[("BITBUCKET_PR_ID", "17")]],
        ),
        (
            "Drone",
            &[("CI", "true"), ("DRONE", "true"), ("DRONE_BUILD_EVENT", "push")],
            &[
                &[("DRONE_BUILD_EVENT", "pull_request")],
                &[("DRONE_PULL_REQUEST", "17")],
                &[("DRONE_COMMIT_REF", "refs/pull/17/head")],
            ],
        ),
        (
            "Cirrus CI",
            &[("CI", "true"), ("CIRRUS_CI", "true"), ("CIRRUS_BRANCH", "main")],
            &[&[("CIRRUS_PR", "17")], &[("CIRRUS_BRANCH", "pull/17")]],
        ),
        (
            "AppVeyor",
            &[("CI", "True"), ("APPVEYOR", "True"), ("APPVEYOR_REPO_BRANCH", "master")],
            &[&[("APPVEYOR_PULL_REQUEST_NUMBER", "17")]],
        ),
    ];

    #[test]
    fn every_host_says_in_its_way_that_it_runs_a_proposal() {
        for (host, branch, proposals) in CASES {
            let accepted = (Some(*host), RunClass::OnRequest, "on request");
            assert_eq!(run(branch), accepted, "{host}");
            for more in *proposals {
                let mut proposal = branch.to_vec();
                proposal.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
                proposal.extend_from_slice(more);
                assert_eq!(run(&proposal), (Some(*host), RunClass::Untrusted, "never"), "{more:?}");
            }
        }
    }

    #[test]
    fn every_host_has_a_case() {
        let special = ["CircleCI", "TeamCity"];
        for host in HOSTS {
            let is_tried =
                CASES.iter().any(|(name, ..)| *name == host.name) || special.contains(&host.name);
            assert!(is_tried, "{}", host.name);
        }
    }

    #[test]
    fn where_silence_proves_nothing_what_is_made_is_not_trusted() {
        let unknown = (RunClass::Untrusted, "on request");
        for (host, pairs) in [
            (
                Some("CircleCI"),
                vec![("CI", "true"), ("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")],
            ),
            (Some("TeamCity"), vec![("TEAMCITY_VERSION", "2025.11")]),
            (Some("Jenkins"), vec![("JENKINS_URL", "https://j/"), ("BUILD_ID", "5")]),
            (Some("Travis CI"), vec![("TRAVIS", "true")]),
            (None, vec![("CI", "true")]),
        ] {
            let (found, class, publishes) = run(&pairs);
            assert_eq!((found, (class, publishes)), (host, unknown));
        }
        let circle = [("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")];
        for sign in [
            ("CIRCLE_PULL_REQUEST", "https://github.com/o/r/pull/17"),
            ("CIRCLE_PULL_REQUESTS", "https://github.com/o/r/pull/17"),
            ("CIRCLE_PR_NUMBER", "17"),
        ] {
            assert_eq!(run(&[circle[0], circle[1], sign]).2, "never", "{sign:?}");
        }
        assert_eq!(run(&[circle[0], ("CIRCLE_BRANCH", "pull/17")]).2, "never");
    }

    #[test]
    fn a_proposal_counts_whichever_host_tells_of_it() {
        let both = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("DRONE", "true"),
            ("DRONE_BUILD_EVENT", "pull_request"),
        ];
        assert_eq!(run(&both), (Some("Buildkite"), RunClass::Untrusted, "never"));
    }

    #[test]
    fn a_client_of_jenkins_is_a_laptop() {
        let laptop = variables(&[("JENKINS_URL", "https://jenkins.example.org/")]);
        assert_eq!(Surroundings::of(&laptop, None), Surroundings::Laptop);
    }
}

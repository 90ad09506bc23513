//! CI hosts besides GitHub and GitLab: how each is known, and how it says that a run is for a
//! proposed change. The names are those of the hosts' own documentation:
//!
//! | host | page |
//! |---|---|
//! | CircleCI | "Project values and variables" (circleci.com/docs/reference/variables) |
//! | Travis CI | "Environment Variables", default ones (docs.travis-ci.com/user/environment-variables) |
//! | Buildkite | "Environment variables" (buildkite.com/docs/pipelines/configure/environment-variables) |
//! | Azure Pipelines | "Use predefined variables" (learn.microsoft.com/azure/devops/pipelines/build/variables) |
//! | Jenkins | "env-vars.html" of each server: branch-api, and what its plugins set: GitHub Pull Request Builder (`ghprb…`), GitHub Integration (`GITHUB_PR_…`), GitLab, Gitee, Gerrit Trigger, Bitbucket Push and Pull Request (`BITBUCKET_…`), and the builders of requests of Bitbucket and Stash (`pullRequestId`) |
//! | Woodpecker | "Environment variables" (woodpecker-ci.org/docs/usage/environment) |
//! | Bitbucket | "Variables and secrets", default ones (support.atlassian.com/bitbucket-cloud) |
//! | Drone, Harness | "Environment reference" (docs.drone.io/pipeline/environment/reference) |
//! | Cirrus CI | "Writing tasks", environment variables (cirrus-ci.org/guide/writing-tasks) |
//! | AppVeyor | "Environment variables" (appveyor.com/docs/environment-variables) |
//! | TeamCity | "List of Predefined Build Parameters" (jetbrains.com/help/teamcity): parameters, no variables |
//! | Semaphore | "Environment variables" (docs.semaphoreci.com/reference/env-vars) |
//! | AWS CodeBuild | "Environment variables in build environments" (docs.aws.amazon.com/codebuild) |
//! | Netlify | "Build environment variables" (docs.netlify.com) |
//! | Vercel | "System environment variables" (vercel.com/docs/environment-variables) |
//! | Codeship | "Environment variables" (docs.cloudbees.com/docs/cloudbees-codeship) |
//! | Bamboo | "Bamboo variables" (confluence.atlassian.com/bamboo) |
//! | Buddy | "Default environment variables" (buddy.works/docs/pipelines/environment-variables) |
//! | Codemagic | "Read-only environment variables" (docs.codemagic.io) |
//! | Cloud Build | "Substituting variable values" (cloud.google.com/build/docs): what a build does not map is not a variable |
//! | Render | "Default environment variables" (render.com/docs/environment-variables) |
//! | Bitrise | "Available environment variables" (devcenter.bitrise.io) |
//! | Prow | "ProwJobs", job environment variables (docs.prow.k8s.io/docs/jobs) |
//! | Codefresh | "Variables in pipelines", system variables (codefresh.io/docs/docs/pipelines/variables) |
//! | Xcode Cloud | "Environment variable reference" (developer.apple.com/documentation/xcode) |
//! | Screwdriver | "Environment Variables" (docs.screwdriver.cd/user-guide/environment-variables) |
//! | GoCD | "Environment variables in GoCD" (docs.gocd.org) |

use super::RunVariables;

/// A CI host.
pub struct CiHost {
    pub name: &'static str,
    /// All of these are set there.
    pub known_by: &'static [Sign],
    /// One of these is enough to say that a run is for a proposed change.
    pub proposal: &'static [Sign],
    /// The variable that is set in every run of a host that tells proposals apart. Where none is
    /// named, or it is not set, a run without any sign may be for a proposed change all the same.
    pub tells: Option<&'static str>,
    /// The page of the run.
    pub run_url: &'static str,
}

/// What a variable says.
pub enum Sign {
    /// It is set, to anything but a word for no.
    Set(&'static str),
    /// It is this value.
    Is(&'static str, &'static str),
    /// It begins so.
    Begins(&'static str, &'static str),
    /// One of these is set.
    Any(&'static [&'static str]),
    /// The first is set, and the second is not this value.
    SetUnless(&'static str, &'static str, &'static str),
}

use Sign::{Any, Begins, Is, Set, SetUnless};

/// One row a host. Of two whose variables are both set, the first counts; a proposal counts
/// whoever tells of it.
pub const HOSTS: &[CiHost] = &[
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
    },
    CiHost {
        name: "Travis CI",
        known_by: &[Set("TRAVIS")],
        proposal: &[Set("TRAVIS_PULL_REQUEST"), Is("TRAVIS_EVENT_TYPE", "pull_request")],
        // `false` where it is none.
        tells: Some("TRAVIS_PULL_REQUEST"),
        run_url: "TRAVIS_BUILD_WEB_URL",
    },
    CiHost {
        name: "Buildkite",
        known_by: &[Set("BUILDKITE")],
        proposal: &[Set("BUILDKITE_PULL_REQUEST")],
        // `false` where it is none.
        tells: Some("BUILDKITE_PULL_REQUEST"),
        run_url: "BUILDKITE_BUILD_URL",
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
    },
    CiHost {
        name: "Woodpecker",
        known_by: &[Is("CI", "woodpecker")],
        // Also `pull_request_closed` and `pull_request_metadata`.
        proposal: &[
            Begins("CI_PIPELINE_EVENT", "pull_request"),
            // Before 1.0.
            Begins("CI_BUILD_EVENT", "pull_request"),
            Set("CI_COMMIT_PULL_REQUEST"),
            Begins("CI_COMMIT_REF", "refs/pull/"),
        ],
        tells: Some("CI_PIPELINE_EVENT"),
        run_url: "CI_PIPELINE_URL",
    },
    CiHost {
        name: "Bitbucket Pipelines",
        known_by: &[Set("BITBUCKET_BUILD_NUMBER")],
        proposal: &[Set("BITBUCKET_PR_ID"), Set("BITBUCKET_PR_DESTINATION_BRANCH")],
        tells: Some("BITBUCKET_COMMIT"),
        run_url: "",
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
    },
    CiHost {
        name: "Cirrus CI",
        known_by: &[Set("CIRRUS_CI")],
        proposal: &[Set("CIRRUS_PR"), Begins("CIRRUS_BRANCH", "pull/")],
        tells: Some("CIRRUS_BRANCH"),
        run_url: "",
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
    },
    CiHost {
        name: "TeamCity",
        known_by: &[Set("TEAMCITY_VERSION")],
        // Its `teamcity.pullRequest.number` is a parameter, which a process does not see.
        proposal: &[],
        tells: None,
        run_url: "BUILD_URL",
    },
    CiHost {
        name: "Semaphore",
        known_by: &[Set("SEMAPHORE")],
        proposal: &[
            Is("SEMAPHORE_GIT_REF_TYPE", "pull-request"),
            Set("SEMAPHORE_GIT_PR_NUMBER"),
            Begins("SEMAPHORE_GIT_REF", "refs/pull/"),
        ],
        tells: Some("SEMAPHORE_GIT_REF_TYPE"),
        run_url: "",
    },
    CiHost {
        name: "AWS CodeBuild",
        known_by: &[Set("CODEBUILD_BUILD_ID")],
        proposal: &[
            Begins("CODEBUILD_WEBHOOK_EVENT", "PULL_REQUEST"),
            Begins("CODEBUILD_WEBHOOK_TRIGGER", "pr/"),
            Begins("CODEBUILD_SOURCE_VERSION", "pr/"),
            Begins("CODEBUILD_SOURCE_VERSION", "refs/pull/"),
        ],
        // Not set where a pipeline or a person started it.
        tells: Some("CODEBUILD_WEBHOOK_TRIGGER"),
        run_url: "CODEBUILD_PUBLIC_BUILD_URL",
    },
    CiHost {
        name: "Netlify",
        known_by: &[Set("NETLIFY")],
        proposal: &[Set("PULL_REQUEST"), Is("CONTEXT", "deploy-preview")],
        tells: Some("CONTEXT"),
        run_url: "",
    },
    CiHost {
        name: "Vercel",
        known_by: &[Set("VERCEL")],
        proposal: &[Set("VERCEL_GIT_PULL_REQUEST_ID")],
        // Also empty for a branch of which the pull request is opened a moment later.
        tells: None,
        run_url: "",
    },
    CiHost {
        name: "Codeship",
        known_by: &[Is("CI_NAME", "codeship")],
        proposal: &[Set("CI_PR_NUMBER"), Set("CI_PULL_REQUEST")],
        // Older projects do not set them.
        tells: None,
        run_url: "CI_BUILD_URL",
    },
    CiHost {
        name: "Bamboo",
        known_by: &[Any(&["bamboo_buildKey", "bamboo_buildNumber", "bamboo_agentId"])],
        proposal: &[Set("bamboo_repository_pr_key"), Set("bamboo_repository_pr_sourceBranch")],
        // Only plans with a pull request trigger set them.
        tells: None,
        run_url: "bamboo_buildResultsUrl",
    },
    CiHost {
        name: "Buddy",
        known_by: &[Any(&["BUDDY", "BUDDY_PIPELINE_ID", "BUDDY_WORKSPACE_ID"])],
        proposal: &[
            Set("BUDDY_EXECUTION_PULL_REQUEST_ID"),
            Set("BUDDY_EXECUTION_PULL_REQUEST_NO"),
            Set("BUDDY_RUN_PR_ID"),
            Set("BUDDY_RUN_PR_NO"),
        ],
        tells: None,
        run_url: "BUDDY_EXECUTION_URL",
    },
    CiHost {
        name: "Codemagic",
        known_by: &[Any(&["CM_BUILD_ID", "FCI_BUILD_ID"])],
        proposal: &[Set("CM_PULL_REQUEST"), Set("CM_PULL_REQUEST_NUMBER"), Set("FCI_PULL_REQUEST")],
        // `false` where it is none.
        tells: Some("CM_PULL_REQUEST"),
        run_url: "",
    },
    CiHost {
        name: "Cloud Build",
        known_by: &[Set("BUILDER_OUTPUT")],
        proposal: &[Set("_PR_NUMBER"), Set("_HEAD_BRANCH")],
        tells: None,
        run_url: "",
    },
    CiHost {
        name: "Render",
        known_by: &[Set("RENDER")],
        proposal: &[Set("IS_PULL_REQUEST")],
        // `false` where it is none.
        tells: Some("IS_PULL_REQUEST"),
        run_url: "",
    },
    CiHost {
        name: "Bitrise",
        known_by: &[Set("BITRISE_IO")],
        proposal: &[Set("PR"), Set("BITRISE_PULL_REQUEST"), Set("PULL_REQUEST_ID")],
        // `false` where it is none.
        tells: Some("PR"),
        run_url: "BITRISE_BUILD_URL",
    },
    CiHost {
        name: "Prow",
        known_by: &[Set("PROW_JOB_ID")],
        // A batch is several proposals at once.
        proposal: &[Is("JOB_TYPE", "presubmit"), Is("JOB_TYPE", "batch"), Set("PULL_NUMBER")],
        tells: Some("JOB_TYPE"),
        run_url: "",
    },
    CiHost {
        name: "Codefresh",
        known_by: &[Set("CF_BUILD_ID")],
        proposal: &[
            Set("CF_PULL_REQUEST_NUMBER"),
            Set("CF_PULL_REQUEST_ID"),
            Set("CF_PULL_REQUEST_TARGET"),
        ],
        // Not set where a person or another pipeline started it.
        tells: None,
        run_url: "CF_BUILD_URL",
    },
    CiHost {
        name: "Xcode Cloud",
        known_by: &[Any(&["CI_XCODE_PROJECT", "CI_XCODE_SCHEME", "CI_XCODEBUILD_ACTION"])],
        proposal: &[
            Set("CI_PULL_REQUEST_NUMBER"),
            Set("CI_PULL_REQUEST_SOURCE_REPO"),
            Set("CI_PULL_REQUEST_TARGET_BRANCH"),
        ],
        tells: None,
        run_url: "CI_BUILD_URL",
    },
    CiHost {
        name: "Screwdriver",
        known_by: &[Set("SCREWDRIVER")],
        proposal: &[Set("SD_PULL_REQUEST"), Set("PR_BRANCH_NAME")],
        tells: None,
        run_url: "SD_UI_BUILD_URL",
    },
    CiHost {
        name: "GoCD",
        known_by: &[Set("GO_PIPELINE_NAME"), Set("GO_STAGE_NAME")],
        proposal: &[],
        tells: None,
        run_url: "",
    },
    // Last: other hosts set its variables for compatibility. A client on a laptop has its URL alone.
    CiHost {
        name: "Jenkins",
        known_by: &[
            Any(&["JENKINS_URL", "HUDSON_URL", "JENKINS_HOME"]),
            Any(&["BUILD_ID", "BUILD_NUMBER", "BUILD_TAG", "JOB_NAME", "EXECUTOR_NUMBER"]),
        ],
        proposal: &[
            Set("CHANGE_ID"),
            Set("CHANGE_FORK"),
            Set("CHANGE_TARGET"),
            Set("ghprbPullId"),
            Set("GITHUB_PR_NUMBER"),
            Set("gitlabMergeRequestIid"),
            Set("gitlabMergeRequestId"),
            Is("gitlabActionType", "MERGE"),
            // Somebody wrote a comment on a request or a commit.
            Is("gitlabActionType", "NOTE"),
            Set("giteePullRequestIid"),
            Set("giteePullRequestId"),
            // A patchset, a comment on one, a vote: all but what happens once it is merged.
            SetUnless("GERRIT_CHANGE_NUMBER", "GERRIT_EVENT_TYPE", "change-merged"),
            Set("BITBUCKET_PULL_REQUEST_ID"),
            Set("pullRequestId"),
        ],
        // Only multibranch projects know what they build.
        tells: Some("BRANCH_NAME"),
        run_url: "BUILD_URL",
    },
];

impl CiHost {
    /// Whether this is the host of a run with these variables.
    pub fn is_here(&self, variables: RunVariables) -> bool {
        self.known_by.iter().all(|sign| sign.holds(variables))
    }

    /// Whether such a run is for a proposed change; nothing if the host does not say.
    pub fn is_proposal(&self, variables: RunVariables) -> Option<bool> {
        if self.proposal.iter().any(|sign| sign.holds(variables)) {
            return Some(true);
        }
        self.tells.and_then(|name| variables.filled(name)).map(|_| false)
    }
}

impl Sign {
    fn holds(&self, variables: RunVariables) -> bool {
        match *self {
            Set(name) => variables.is_true(name),
            // `0` is a number here: that of the first executor.
            Any(names) => names.iter().any(|name| variables.filled(name).is_some()),
            SetUnless(name, other, value) => {
                Set(name).holds(variables) && !Is(other, value).holds(variables)
            }
            Is(name, value) => variables.get(name).eq_ignore_ascii_case(value),
            Begins(name, start) => {
                let value = variables.get(name).as_bytes();
                value.len() >= start.len()
                    && value[..start.len()].eq_ignore_ascii_case(start.as_bytes())
            }
        }
    }
}

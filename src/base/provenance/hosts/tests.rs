//! What each host sets, and what a run there may do.

use super::{
    super::{Permission, RunClass, Surroundings, may_publish, surroundings::tests::variables},
    table::HOSTS,
};

fn run(pairs: &[(&str, &str)]) -> (Option<&'static str>, RunClass, &'static str) {
    let surroundings = Surroundings::from_variables(&variables(pairs), None);
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
            &[("GITHUB_PR_NUMBER", "17")],
            &[("gitlabMergeRequestIid", "12"), ("gitlabActionType", "MERGE")],
            &[("gitlabActionType", "MERGE")],
            &[("gitlabActionType", "NOTE")],
            &[("giteePullRequestIid", "12")],
            &[("GERRIT_CHANGE_NUMBER", "12"), ("GERRIT_EVENT_TYPE", "patchset-created")],
            &[("GERRIT_CHANGE_NUMBER", "12"), ("GERRIT_EVENT_TYPE", "comment-added")],
            &[("GERRIT_CHANGE_NUMBER", "12")],
            &[("BITBUCKET_PULL_REQUEST_ID", "3")],
            &[("pullRequestId", "3")],
        ],
    ),
    (
        "Woodpecker",
        &[("CI", "woodpecker"), ("CI_PIPELINE_EVENT", "push")],
        &[
            &[("CI_PIPELINE_EVENT", "pull_request")],
            &[("CI_PIPELINE_EVENT", "pull_request_closed")],
            &[("CI_BUILD_EVENT", "pull_request")],
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
    (
        "Semaphore",
        &[("CI", "true"), ("SEMAPHORE", "true"), ("SEMAPHORE_GIT_REF_TYPE", "branch")],
        &[
            &[("SEMAPHORE_GIT_REF_TYPE", "pull-request")],
            &[("SEMAPHORE_GIT_PR_NUMBER", "17")],
            &[("SEMAPHORE_GIT_REF", "refs/pull/17/merge")],
        ],
    ),
    (
        "AWS CodeBuild",
        &[("CODEBUILD_BUILD_ID", "p:1"), ("CODEBUILD_WEBHOOK_TRIGGER", "branch/main")],
        &[
            &[("CODEBUILD_WEBHOOK_TRIGGER", "pr/17")],
            &[("CODEBUILD_WEBHOOK_EVENT", "PULL_REQUEST_CREATED")],
            &[("CODEBUILD_SOURCE_VERSION", "pr/17")],
        ],
    ),
    (
        "Netlify",
        &[("NETLIFY", "true"), ("CONTEXT", "production"), ("PULL_REQUEST", "false")],
        &[&[("PULL_REQUEST", "true")], &[("CONTEXT", "deploy-preview")]],
    ),
    (
        "Codemagic",
        &[("CI", "true"), ("CM_BUILD_ID", "1"), ("CM_PULL_REQUEST", "false")],
        &[&[("CM_PULL_REQUEST", "true")], &[("CM_PULL_REQUEST_NUMBER", "17")]],
    ),
    (
        "Prow",
        &[("CI", "true"), ("PROW_JOB_ID", "x"), ("JOB_TYPE", "postsubmit")],
        &[
            &[("JOB_TYPE", "presubmit"), ("PULL_NUMBER", "17")],
            &[("JOB_TYPE", "batch")],
            &[("PULL_NUMBER", "17")],
        ],
    ),
    (
        "Render",
        &[("RENDER", "true"), ("IS_PULL_REQUEST", "false")],
        &[&[("IS_PULL_REQUEST", "true")]],
    ),
    (
        "Bitrise",
        &[("CI", "true"), ("BITRISE_IO", "true"), ("PR", "false")],
        &[&[("PR", "true")], &[("BITRISE_PULL_REQUEST", "17")]],
    ),
];

/// Hosts that do not say of every run what it is for: what is set there, and what is besides in runs
/// for proposals.
const SILENT: &[Case] = &[
    (
        "CircleCI",
        &[("CI", "true"), ("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")],
        &[
            &[("CIRCLE_PULL_REQUEST", "https://github.com/o/r/pull/17")],
            &[("CIRCLE_PULL_REQUESTS", "https://github.com/o/r/pull/17")],
            &[("CIRCLE_PR_NUMBER", "17")],
            &[("CIRCLE_BRANCH", "pull/17")],
        ],
    ),
    ("TeamCity", &[("TEAMCITY_VERSION", "2025.11")], &[]),
    ("Jenkins", &[("JENKINS_URL", "https://j/"), ("BUILD_ID", "5")], &[]),
    (
        "Jenkins",
        &[("HUDSON_URL", "https://j/"), ("EXECUTOR_NUMBER", "0")],
        &[&[("CHANGE_ID", "17")]],
    ),
    ("Travis CI", &[("TRAVIS", "true")], &[]),
    ("AWS CodeBuild", &[("CODEBUILD_BUILD_ID", "p:1")], &[]),
    (
        "Vercel",
        &[("VERCEL", "1"), ("VERCEL_GIT_PULL_REQUEST_ID", "")],
        &[&[("VERCEL_GIT_PULL_REQUEST_ID", "17")]],
    ),
    (
        "Codeship",
        &[("CI", "true"), ("CI_NAME", "codeship")],
        &[&[("CI_PR_NUMBER", "17")], &[("CI_PULL_REQUEST", "https://github.com/o/r/pull/17")]],
    ),
    ("Bamboo", &[("bamboo_buildKey", "P-1")], &[&[("bamboo_repository_pr_key", "17")]]),
    (
        "Buddy",
        &[("CI", "true"), ("BUDDY", "true")],
        &[&[("BUDDY_EXECUTION_PULL_REQUEST_ID", "pull/17")], &[("BUDDY_RUN_PR_NO", "17")]],
    ),
    ("Cloud Build", &[("BUILDER_OUTPUT", "/builder/outputs")], &[&[("_PR_NUMBER", "17")]]),
    (
        "Woodpecker",
        &[("CI", "woodpecker"), ("CI_BUILD_EVENT", "push")],
        &[&[("CI_BUILD_EVENT", "pull_request")]],
    ),
    (
        "Codefresh",
        &[("CI", "true"), ("CF_BUILD_ID", "x"), ("CF_BUILD_URL", "https://c/x")],
        &[&[("CF_PULL_REQUEST_NUMBER", "17")], &[("CF_PULL_REQUEST_ID", "170")]],
    ),
    (
        "Xcode Cloud",
        &[("CI", "TRUE"), ("CI_XCODE_PROJECT", "x"), ("CI_COMMIT", "c0ffee")],
        &[&[("CI_PULL_REQUEST_NUMBER", "17")], &[("CI_PULL_REQUEST_TARGET_BRANCH", "main")]],
    ),
    (
        "Screwdriver",
        &[("CI", "true"), ("SCREWDRIVER", "true"), ("SD_PULL_REQUEST", "")],
        &[&[("SD_PULL_REQUEST", "17")]],
    ),
    ("GoCD", &[("GO_PIPELINE_NAME", "p"), ("GO_STAGE_NAME", "s")], &[]),
];

/// What is set in a run for a proposal.
fn with<'c>(plain: &[(&'c str, &'c str)], more: &[(&'c str, &'c str)]) -> Vec<(&'c str, &'c str)> {
    let mut all = plain.to_vec();
    all.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    all.extend_from_slice(more);
    all
}

#[test]
fn every_host_says_in_its_way_that_it_runs_a_proposal() {
    for (host, branch, proposals) in CASES {
        let accepted = (Some(*host), RunClass::OnRequest, "on request");
        assert_eq!(run(branch), accepted, "{host}");
        for more in *proposals {
            let proposal = run(&with(branch, more));
            assert_eq!(proposal, (Some(*host), RunClass::Untrusted, "never"), "{more:?}");
        }
    }
}

#[test]
fn every_host_has_a_case() {
    for host in HOSTS {
        let is_tried = CASES.iter().chain(SILENT).any(|(name, ..)| *name == host.name);
        assert!(is_tried, "{}", host.name);
    }
}

#[test]
fn where_silence_proves_nothing_what_is_made_is_not_trusted() {
    for (host, plain, proposals) in SILENT {
        let unknown = (Some(*host), RunClass::Untrusted, "on request");
        assert_eq!(run(plain), unknown, "{plain:?}");
        for more in *proposals {
            assert_eq!(run(&with(plain, more)).2, "never", "{more:?}");
        }
    }
    assert_eq!(run(&[("CI", "true")]), (None, RunClass::Untrusted, "on request"));
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
fn a_change_that_gerrit_merged_is_no_proposal() {
    let merged = [
        ("JENKINS_URL", "https://j/"),
        ("BUILD_ID", "5"),
        ("GERRIT_CHANGE_NUMBER", "12"),
        ("GERRIT_EVENT_TYPE", "change-merged"),
    ];
    assert_eq!(run(&merged), (Some("Jenkins"), RunClass::Untrusted, "on request"));
}

#[test]
fn a_client_of_jenkins_is_a_laptop() {
    let laptop = variables(&[("JENKINS_URL", "https://jenkins.example.org/")]);
    assert_eq!(Surroundings::from_variables(&laptop, None), Surroundings::Laptop);
}

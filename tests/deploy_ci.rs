//! Deployments in CI: which run deploys where, and the workflow that is written for it.

use std::fs;

use crate::{
    ci::assert_passes_review,
    support::{Invocation, Sandbox},
};

const INIT: &str = "ci:init --forge https://example.org/forge.git --force --deploy";

/// A subsystem `api`, released as v1, and who deploys it where.
pub fn shop(environments: &str, deploy: &str) -> Sandbox {
    let sandbox = Sandbox::with_store()
        .head(&format!("environments: {environments}"))
        .script("api", "v1");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &format!("{spec}deploy:\n{deploy}"));
    sandbox.forge("release:binary api").succeeds();
    sandbox
}

/// forge as GitHub Actions runs it for `event` at `reference`.
pub fn in_actions(sandbox: &Sandbox, words: &str, event: &str, reference: &str) -> Invocation {
    let file = sandbox.beside("event.json");
    fs::write(&file, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
    sandbox
        .forge(words)
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_REF", reference)
        .env("GITHUB_EVENT_PATH", file)
        .env("GITHUB_REPOSITORY", "acme/shop")
}

const RUN: &str = "  run: cp {{ files }}/api {{ environment }}.sh\n";

#[test]
fn the_plan_says_why_a_branch_or_a_tag_deploys_and_why_not() {
    let all = "{ test: { branch: dev }, production: { tag: 'v*' }, hands: {} }";
    let sandbox = shop(all, RUN);
    let plan = |event: &str, reference: &str| {
        let text = in_actions(&sandbox, "ci --plan", event, reference).succeeds().stdout();
        text.lines().find(|line| line.starts_with("ci:deploy")).unwrap().to_owned()
    };
    for (event, reference, says) in [
        ("push", "refs/heads/dev", "yes   test: this is the branch `dev`"),
        ("push", "refs/tags/v1.2.0", "yes   production: this is the tag `v1.2.0`"),
        ("push", "refs/heads/main", "tags `v*` deploy to `production`, and this is `main`"),
        ("push", "refs/heads/main", "`hands` has neither `branch` nor `tag`"),
        ("push", "refs/tags/api-v1", "and this is the tag `api-v1`"),
        ("pull_request", "refs/pull/7/merge", "no    this run deploys nothing"),
    ] {
        let line = plan(event, reference);
        assert!(line.contains(says), "{reference}: {line}");
    }
}

#[test]
fn a_job_deploys_to_its_environment_alone() {
    let sandbox = shop("{ one: { branch: main }, two: { branch: main } }", RUN);
    let run = |words: &str| in_actions(&sandbox, words, "push", "refs/heads/main");
    run("ci:deploy --to tow").exits(2).says("did you mean `two`?");
    run("ci:deploy --to two").succeeds();
    assert!(sandbox.path("two.sh").exists() && !sandbox.path("one.sh").exists());
    let other = in_actions(&sandbox, "ci:deploy --to two", "push", "refs/heads/x").succeeds();
    other.says("the branch `main` deploys to `two`, and this is `x`");
    other.keeps_quiet_about("`one`");
}

#[test]
fn the_workflow_that_deploys_passes_review() {
    let all = "{ test: { branch: dev }, stage: { branch: main, after: test }, \
               production: { branch: main, tag: 'v*', after: stage }, live: { branch: main, after: stage }, hands: {} }";
    let sandbox = shop(all, &format!("{RUN}  secrets: [DEPLOY_KEY]\n"));
    for more in ["", " --matrix"] {
        sandbox.forge(&format!("{INIT}{more}")).succeeds();
        let path = sandbox.path(".github/workflows/forge.yml");
        assert_passes_review(&path);
        let text = sandbox.read(".github/workflows/forge.yml");
        let workflow: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let job = |name: &str| workflow["jobs"][name].clone();
        let before = if more.is_empty() { "publish" } else { "close" };
        assert_eq!(job("deploy-test")["needs"], serde_json::json!([before]), "{text}");
        let after = serde_json::json!([before, "deploy-stage"]);
        assert_eq!(job("deploy-live")["needs"], after, "{text}");
        // Other runs deploy there as well, in which `stage` is not deployed to.
        assert_eq!(job("deploy-production")["needs"], serde_json::json!([before]), "{text}");
        assert_eq!(job("deploy-hands"), serde_json::Value::Null);
        assert_eq!(job("deploy-test")["concurrency"]["cancel-in-progress"], false);
        assert_eq!(job("deploy-test")["environment"]["deployment"], false);
        let step = &job("deploy-test")["steps"][2];
        assert_eq!(step["run"], "exec forge ci:deploy --to test");
        assert_eq!(step["env"]["DEPLOY_KEY"], "${{ secrets.DEPLOY_KEY }}");
        assert!(text.contains("      - dev\n") && text.contains(" --publish"), "{text}");
    }
    sandbox.forge(&format!("{INIT} --host gitlab")).exits(2).says("is for GitHub Actions");
    let none = shop("{ hands: {} }", RUN);
    none.forge(INIT).exits(2).says("no branch and no tag deploys to an environment");
}

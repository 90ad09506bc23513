//! Previews: an environment for each pull request, its comment, and its end.

use std::fs;

use serde_json::json;

use crate::{
    deploy_ci::{in_actions, shop},
    support::{
        Invocation, Sandbox,
        github::{GitHub, HEAD, Role},
        wait_until,
    },
};

const PREVIEW: &str =
    "{ preview: { pull_request: true, max: 1, url: 'https://pr-{{ pr }}.example.org' } }";
const DEPLOY: &str = "  run: mkdir -p up && cp {{ files }}/api up/{{ environment }}.sh\n  \
                      destroy: rm up/{{ environment }}.sh\n";

/// forge in a run of GitHub Actions for the pull request `number` from `head`, which is `state`.
fn for_pull(
    sandbox: &Sandbox,
    words: &str,
    (number, state, head): (u64, &str, &str),
) -> Invocation {
    let event = json!({
        "repository": { "default_branch": "main" },
        "pull_request": {
            "number": number, "state": state, "labels": [],
            "head": { "sha": HEAD, "repo": { "full_name": head } },
        },
    });
    let file = sandbox.beside(&format!("event-{number}-{state}.json"));
    fs::write(&file, event.to_string()).unwrap();
    in_actions(sandbox, words, "pull_request", &format!("refs/pull/{number}/merge"))
        .env("GITHUB_EVENT_PATH", file)
}

fn at(github: &GitHub, forge: Invocation) -> Invocation {
    forge
        .env("GITHUB_SERVER_URL", github.url())
        .env("GITHUB_API_URL", github.api_url())
        .env("GITHUB_TOKEN", github.token(Role::Write))
        .env("GITHUB_SHA", HEAD)
        .env("GITHUB_RUN_ID", "77")
}

fn change(sandbox: &Sandbox, what: &str) {
    sandbox.write("code/api/api.sh", &format!("#!/bin/sh\necho {what}\n"));
}

#[test]
fn what_is_not_released_is_deployed_for_a_pull_request_and_removed_again() {
    let sandbox = shop(PREVIEW, DEPLOY);
    change(&sandbox, "changed");
    sandbox.forge("preview").exits(2).says("forge preview --pr 7");
    sandbox.forge("preview --pr 7 --dry-run").succeeds().says("deploy it to pr-7");
    let run = sandbox.forge("preview --pr 7").succeeds();
    run.says("runs in pr-7, at https://pr-7.example.org (deployment 1)");
    assert!(sandbox.read("up/pr-7.sh").contains("changed"));
    sandbox.forge("deployments").succeeds().says("pr-7");
    sandbox.forge("deployments pr-7").succeeds().says("succeeded");
    // There is room for one.
    let full = sandbox.forge("preview --pr 8").exits(2);
    full.says("no room for the preview of pull request 8").says("pr-7 (api)");
    sandbox.forge("preview --pr 7 --force").succeeds();
    sandbox.forge("deploy preview").exits(2).says("is for pull requests");
    sandbox.forge("preview:destroy 7").succeeds().says("is removed from pr-7");
    assert!(!sandbox.path("up/pr-7.sh").exists());
    sandbox.forge("preview:destroy 7").succeeds().says("pull request 7 has no preview");
    sandbox.forge("preview --pr 8").succeeds();
    // One that cannot be removed is still there.
    fs::remove_file(sandbox.path("up/pr-8.sh")).unwrap();
    sandbox.forge("preview:destroy 8").exits(1).says("was not removed from pr-8");
    sandbox.forge("preview --pr 9").exits(2).says("pr-8 (api)");
}

#[test]
fn of_previews_that_come_at_once_one_has_the_last_place() {
    let sandbox = shop(PREVIEW, &DEPLOY.replace("run: ", "run: sleep 0.2; "));
    change(&sandbox, "changed");
    for round in 0..4 {
        let start = |number| sandbox.forge(&format!("preview --pr {number} --force")).start();
        let started = [start(round * 2 + 1), start(round * 2 + 2)];
        let ended = started.map(|it| it.wait_with_output().unwrap());
        let codes = ended.each_ref().map(|it| it.status.code().unwrap());
        let said = ended.each_ref().map(|it| String::from_utf8_lossy(&it.stderr).into_owned());
        assert!(codes == [0, 2] || codes == [2, 0], "{codes:?} {said:?}");
        let refused = &said[usize::from(codes[1] == 2)];
        assert!(refused.contains("no room for the preview"), "{refused}");
        let there = round * 2 + if codes[0] == 0 { 1 } else { 2 };
        sandbox.forge(&format!("preview:destroy {there}")).succeeds();
    }
}

#[test]
fn a_preview_needs_a_way_to_be_removed_and_an_environment() {
    let sandbox = shop(PREVIEW, "  run: 'true'\n");
    sandbox.forge("preview --pr 7").exits(2).says("nothing says how a preview of api is removed");
    let other = shop("{ test: { branch: main } }", DEPLOY);
    other.forge("preview --pr 7").exits(2).says("no environment is for pull requests");
    let taken = Sandbox::with_store().head("environments: { pr-7: {} }").script("api", "v1");
    taken.forge("check").exits(2).says("is what the environment of a pull request is called");
}

#[test]
fn one_comment_says_how_the_preview_is_and_goes_with_it() {
    let github = GitHub::new("acme/shop");
    let sandbox = shop(PREVIEW, DEPLOY);
    let own = (7, "open", "acme/shop");
    // Somebody who has no say wrote the mark before.
    let manifest = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &format!("project: shop\n{manifest}"));
    let mark = "<!-- forge:preview shop -->";
    github.comment(7, &format!("{mark} mine"), "NONE");
    let run = at(&github, for_pull(&sandbox, "preview", own)).succeeds();
    run.keeps_quiet_about("warning");
    let comments = github.comments(7);
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[1].starts_with(mark) && comments[1].contains("| api v1 | succeeded |"));
    assert!(comments[1].contains("https://pr-7.example.org"), "{}", comments[1]);
    assert_eq!(github.deployments()[0].value["environment"], "preview");
    assert_eq!(github.deployments()[0].value["transient_environment"], true);
    // What two runs at once left is brought together, by the stage as well.
    github.comment(7, &format!("{mark}\nanother"), "MEMBER");
    change(&sandbox, "more");
    at(&github, for_pull(&sandbox, "ci:deploy", own)).succeeds();
    let comments = github.comments(7);
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert_eq!(comments[0], format!("{mark} mine"));
    let closed = at(&github, for_pull(&sandbox, "preview", (7, "closed", "acme/shop"))).succeeds();
    closed.says("the pull request is closed").says("is removed from pr-7");
    assert!(!sandbox.path("up/pr-7.sh").exists());
    let comments = github.comments(7);
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[1].contains("| api v1 | destroyed |"), "{}", comments[1]);
    let states: Vec<_> = github.deployments().iter().map(|it| it.states().join(" ")).collect();
    assert_eq!(
        states,
        ["in_progress success inactive", "in_progress success inactive", "in_progress inactive"]
    );
    at(&github, for_pull(&sandbox, "preview", (7, "closed", "acme/shop")))
        .succeeds()
        .says("has no preview");
}

#[test]
fn two_runs_at_once_leave_one_comment() {
    let github = GitHub::new("acme/shop");
    let sandboxes = [shop(PREVIEW, DEPLOY), shop(PREVIEW, DEPLOY)];
    let own = (7, "open", "acme/shop");
    let runs: Vec<_> = sandboxes
        .iter()
        .map(|sandbox| at(&github, for_pull(sandbox, "preview", own)).start())
        .collect();
    for run in runs {
        drop(run.wait_with_output().unwrap());
    }
    let comments = github.comments(7);
    assert_eq!(comments.len(), 1, "{comments:?}");
}

#[test]
fn a_fork_has_no_preview_and_a_run_touches_no_other() {
    let github = GitHub::new("acme/shop");
    let sandbox = shop(PREVIEW, DEPLOY);
    for words in ["preview", "preview:destroy", "ci:deploy"] {
        let run = at(&github, for_pull(&sandbox, words, (7, "open", "mallory/shop"))).succeeds();
        run.says("forks have no previews");
    }
    assert!(!sandbox.path("up/pr-7.sh").exists() && github.comments(7).is_empty());
    let own = (7, "open", "acme/shop");
    let other = for_pull(&sandbox, "preview --pr 8", own).exits(2);
    other.says("this run is for pull request 7, and not for 8");
    for_pull(&sandbox, "preview:sweep", own).succeeds().says("this run destroys nothing");
    let plan = for_pull(&sandbox, "ci --plan", own).succeeds();
    plan.says("no    `forge ci:deploy` alone deploys to `preview`");
}

#[test]
fn what_nobody_needs_is_swept_and_what_is_not_known_is_left() {
    let github = GitHub::new("acme/shop");
    let all = |ttl: &str| format!("{{ preview: {{ pull_request: true, max: 9, ttl: {ttl} }} }}");
    let sandbox = shop(&all("7d"), DEPLOY);
    for number in [1, 2, 3, 4] {
        at(&github, for_pull(&sandbox, "preview", (number, "open", "acme/shop"))).succeeds();
    }
    github.pull(1, "closed", "acme/shop", &[]);
    github.pull(2, "closed", "acme/shop", &["keep-preview"]);
    github.pull(3, "open", "acme/shop", &[]);
    // Another machine, which has only the default branch, knows of them by the records.
    let _ = fs::remove_dir_all(sandbox.beside("data/deployments"));
    let sweep =
        || at(&github, in_actions(&sandbox, "preview:sweep", "schedule", "refs/heads/main"));
    sweep()
        .succeeds()
        .says("pr-1 (api): the pull request is closed")
        .says("pr-2 (api) stays: it has the label `keep-preview`")
        .says("pr-3 (api) stays: something was deployed to it 0 minutes ago")
        .says("pr-4 (api) stays: there is no pull request of that number");
    let there = |number: u64| sandbox.path(&format!("up/pr-{number}.sh")).exists();
    assert_eq!([1, 2, 3, 4].map(there), [false, true, true, true]);
    // The spec has another stack now: the ledger alone is not believed.
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &format!("{spec}  stack: other-{{{{ environment }}}}\n"));
    let manifest = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &manifest.replace("ttl: 7d", "ttl: 1s"));
    wait_until("the previews are idle", || sweep().run().code() == Some(1));
    let left = sweep().exits(1);
    left.says("pr-3 (api): nothing was deployed to it for");
    left.says("the stack `api-pr-3` of api is left");
    assert_eq!([2, 3].map(there), [true, true]);
    sandbox.write("subsystems/api.yml", &spec);
    sweep().succeeds().says("2 previews left");
    assert_eq!([2, 3].map(there), [true, false]);
}

//! Deployments in CI: which run deploys where, and the workflow that is written for it.

use std::fs;

use crate::{
    ci::assert_passes_review_of_today,
    support::{
        Invocation, Sandbox,
        github::{Fault, GitHub, HEAD, Operation, Role},
    },
};

const INIT: &str = "ci:init --forge https://example.org/forge.git --force --deploy";

/// A subsystem `api`, released as v1, and who deploys it where.
pub fn shop(environments: &str, deploy: &str) -> Sandbox {
    let sandbox =
        Sandbox::with_store().head(&format!("environments: {environments}")).script("api", "v1");
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
        // `deployment: false` is younger than older ones.
        assert_passes_review_of_today(&path);
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
    let all = "{ preview: { pull_request: true }, test: { branch: dev } }";
    let oidc = "  oidc: { aws: 'arn:aws:iam::1:role/x' }\n  destroy: 'true'\n";
    let previews = shop(all, &format!("{RUN}  secrets: [DEPLOY_KEY]\n{oidc}"));
    for more in ["", " --matrix"] {
        previews.forge(&format!("{INIT}{more}")).succeeds();
        assert_passes_review_of_today(&previews.path(".github/workflows/forge.yml"));
        let text = previews.read(".github/workflows/forge.yml");
        let workflow: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let job = |name: &str| workflow["jobs"][name].clone();
        assert_eq!(job("preview")["steps"][2]["run"], "exec forge ci:deploy --to preview");
        assert_eq!(job("preview")["permissions"]["pull-requests"], "write");
        assert_eq!(job("preview-sweep")["steps"][2]["run"], "exec forge preview:sweep");
        assert_eq!(job("deploy-test")["permissions"]["id-token"], "write");
        assert!(text.contains("      - closed\n") && text.contains("- cron: "), "{text}");
        let check = job("check")["if"].as_str().unwrap().to_owned();
        assert!(check.contains("github.event.action != 'closed'"), "{check}");
    }
    sandbox.forge(&format!("{INIT} --host gitlab")).exits(2).says("is for GitHub Actions");
    let none = shop("{ hands: {} }", RUN);
    none.forge(INIT).exits(2).says("no branch and no tag deploys to an environment");
}

/// The same, with the token of a job of the repository `github`.
fn at_github(github: &GitHub, sandbox: &Sandbox, words: &str, reference: &str) -> Invocation {
    in_actions(sandbox, words, "push", reference)
        .env("GITHUB_SERVER_URL", github.url())
        .env("GITHUB_API_URL", github.api_url())
        .env("GITHUB_TOKEN", github.token(Role::Write))
        .env("GITHUB_SHA", HEAD)
        .env("GITHUB_RUN_ID", "77")
}

/// Releases `api` as `version`, which prints that.
fn next(sandbox: &mut Sandbox, version: &str) {
    sandbox.bump("api", version);
    sandbox.write("code/api/api.sh", &format!("#!/bin/sh\necho api {version}\n"));
    sandbox.forge("release:binary api").succeeds();
}

const MAIN: &str = "refs/heads/main";

#[test]
fn deployments_are_recorded_at_github_and_what_they_replace_is_inactive() {
    let github = GitHub::new("acme/shop");
    let mut sandbox =
        shop("{ production: { branch: main, url: 'https://shop.example.org' } }", RUN);
    at_github(&github, &sandbox, "ci:deploy", MAIN).succeeds().keeps_quiet_about("warning");
    next(&mut sandbox, "v2");
    at_github(&github, &sandbox, "ci:deploy", MAIN).succeeds();
    let records = github.deployments();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].states(), ["in_progress", "success", "inactive"]);
    assert_eq!(records[1].states(), ["in_progress", "success"]);
    assert_eq!(records[1].value["task"], "deploy:api");
    assert_eq!(records[1].value["sha"], HEAD);
    let status = records[1].statuses.last().unwrap();
    assert_eq!(status["environment_url"], "https://shop.example.org");
    assert!(status["log_url"].as_str().unwrap().ends_with("/acme/shop/actions/runs/77/attempts/1"));
    assert_eq!(status["description"], "succeeded: its commands succeeded, and it has no gates");
    let told = github.commit_statuses();
    assert_eq!(
        told,
        ["pending", "success"]
            .repeat(2)
            .iter()
            .map(|it| format!("forge/deploy/production {it}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_machine_without_a_disk_of_its_own_knows_what_was_deployed() {
    let github = GitHub::new("acme/shop");
    let gate = "  run: cp {{ files }}/api {{ environment }}.sh && echo {{ version }} > now\n  \
                health: { run: '! grep -xF \"$(cat now)\" bad', for: 50ms, period: 20ms, timeout: 9s, retries: 1 }\n  rollback: auto\n";
    let all = "{ test: { branch: main }, production: { tag: 'v*', after: test } }";
    let mut sandbox = shop(all, gate);
    let fresh = |sandbox: &Sandbox| {
        let _ = fs::remove_dir_all(sandbox.beside("data/deployments"));
    };
    sandbox.write("bad", "v2\n");
    at_github(&github, &sandbox, "ci:deploy", MAIN).succeeds();
    fresh(&sandbox);
    // What succeeded in test is known to another machine.
    at_github(&github, &sandbox, "ci:deploy", "refs/tags/v1").succeeds();
    assert!(sandbox.path("production.sh").exists());
    fresh(&sandbox);
    next(&mut sandbox, "v2");
    at_github(&github, &sandbox, "ci:deploy", MAIN).exits(1).says("v1 runs there again");
    let records = github.deployments();
    let states: Vec<_> = records.iter().map(|it| it.states().join(" ")).collect();
    assert_eq!(
        states,
        [
            "in_progress success inactive",
            "in_progress success",
            "in_progress failure failure",
            "in_progress success",
        ]
    );
    fresh(&sandbox);
    // It is held, by a machine that was not there.
    at_github(&github, &sandbox, "ci:deploy", MAIN)
        .succeeds()
        .says("left alone: test is held against api v2");
    assert_eq!(github.deployments().len(), 4);
    fresh(&sandbox);
    // On a laptop, if versions.yml says where the ledger is.
    let manifest = sandbox.read("versions.yml");
    sandbox
        .write("versions.yml", &format!("{manifest}ledger: 'github:{}/acme/shop'\n", github.url()));
    let laptop = |words: &str| {
        sandbox
            .forge(words)
            .env("GITHUB_TOKEN", github.token(Role::Write))
            .env("GITHUB_SERVER_URL", github.url())
            .env("GITHUB_API_URL", github.api_url())
    };
    laptop("deployments").succeeds().says("held against v2").says("production   api        v1");
    sandbox.forge("deployments").exits(5).says("cannot be used without a login");
}

#[test]
fn records_that_cannot_be_made_are_one_warning() {
    let github = GitHub::new("acme/shop");
    let sandbox = shop("{ production: { branch: main } }", RUN);
    let reader = at_github(&github, &sandbox, "ci:deploy", MAIN)
        .env("GITHUB_TOKEN", github.token(Role::Read));
    let run = reader.succeeds();
    run.says("warning: the deployment is not shown at the host").says("deployments: write");
    assert_eq!(run.stderr().matches("warning:").count(), 1, "{}", run.stderr());
    github.always(Operation::ListDeployments, Fault::Status(403));
    at_github(&github, &sandbox, "ci:deploy --force", MAIN)
        .succeeds()
        .says("warning: what was deployed before is not known");
    // Without a token nothing is asked.
    let asked = github.api_requests();
    in_actions(&sandbox, "ci:deploy --force", "push", MAIN).succeeds().keeps_quiet_about("warning");
    assert_eq!(github.api_requests(), asked);
}

#[test]
fn a_job_of_which_github_keeps_a_record_gets_no_second_one() {
    let github = GitHub::new("acme/shop");
    let sandbox = shop("{ production: { branch: main } }", RUN);
    let page = format!("{}/acme/shop/actions/runs/77/job/5", github.url());
    github.job_deployment("production", HEAD, &page);
    at_github(&github, &sandbox, "ci:deploy", MAIN).succeeds();
    assert_eq!(github.deployments().len(), 1);
    assert_eq!(github.deployments()[0].states(), ["in_progress", "in_progress", "success"]);
}

/// What listens for hooks: each request, as its head and its body.
struct Hook {
    url: String,
    requests: std::sync::Arc<std::sync::Mutex<Vec<(String, String)>>>,
}

impl Hook {
    /// One that answers with these statuses, and with the last one from then on.
    fn answering(statuses: &'static [u16]) -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = requests.clone();
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let mut bytes = Vec::new();
                let mut buffer = [0; 4096];
                let (head, body) = loop {
                    let read = stream.read(&mut buffer).unwrap();
                    bytes.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        let (name, value) = line.split_once(": ")?;
                        name.eq_ignore_ascii_case("content-length")
                            .then(|| value.parse::<usize>().ok())?
                    });
                    if body.len() >= length.unwrap_or(0) {
                        break (head.to_lowercase(), body.to_owned());
                    }
                };
                kept.lock().unwrap().push((head, body));
                let status = statuses.get(at).or(statuses.last()).unwrap();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                );
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }
}

const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// [`shop`], of whose deployments two are told.
fn told(webhook: &Hook, deploy: &str) -> Sandbox {
    let sandbox = shop("{ test: {} }", deploy);
    let manifest = sandbox.read("versions.yml");
    let notify = format!(
        "notify:\n  slack: {{ secret: SLACK }}\n  webhook: {{ url: '{}/hook', secret: SIGN }}\n",
        webhook.url
    );
    sandbox.write("versions.yml", &format!("{manifest}{notify}"));
    sandbox
}

#[test]
fn people_are_told_how_deployments_go() {
    let (slack, webhook) = (Hook::answering(&[200]), Hook::answering(&[503, 200]));
    let sandbox = told(&webhook, "  run: test ! -e bad || exit 7\n");
    let deploy = |words: &str| {
        sandbox
            .forge(words)
            .env("SLACK", format!("{}/services/T0/SECRET", slack.url))
            .env("SIGN", HOOK_SECRET)
    };
    deploy("deploy test").succeeds().keeps_quiet_about("warning");
    // A chat is told what somebody should look at, a program everything; what was refused comes again.
    assert_eq!(slack.requests(), []);
    let kinds = |hook: &Hook| -> Vec<String> {
        let all = hook.requests().into_iter();
        all.map(|(_, body)| {
            serde_json::from_str::<serde_json::Value>(&body).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
    };
    assert_eq!(
        kinds(&webhook),
        ["deployment.started", "deployment.started", "deployment.succeeded"]
    );
    let [first, second, _] = webhook.requests().try_into().unwrap();
    let id = |head: &str| {
        head.lines().find(|line| line.starts_with("webhook-id: msg_")).unwrap().to_owned()
    };
    assert_eq!(id(&first.0), id(&second.0));
    assert!(first.0.contains("webhook-signature: v1,"), "{}", first.0);
    let data = serde_json::from_str::<serde_json::Value>(&first.1).unwrap()["data"].clone();
    assert_eq!(
        (&data["name"], &data["version"], &data["state"]),
        (&"api".into(), &"v1".into(), &"deploying".into())
    );
    sandbox.write("bad", "");
    let failed = deploy("deploy test --force").exits(1);
    failed.keeps_quiet_about("SECRET").keeps_quiet_about("warning");
    fs::remove_file(sandbox.path("bad")).unwrap();
    deploy("deploy test --force").succeeds();
    let bodies: Vec<_> = slack.requests().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[0].contains(":x: the deployment of api v1 in test failed"), "{bodies:?}");
    assert!(bodies[0].contains("&gt;") || bodies[0].contains("exited with code 7"), "{bodies:?}");
    assert!(bodies[1].contains("succeeded, which failed before"), "{bodies:?}");
    assert_eq!(kinds(&webhook).last().unwrap(), "deployment.recovered");
}

#[test]
fn who_cannot_be_told_is_a_warning_and_no_secret_is_shown() {
    let webhook = Hook::answering(&[410]);
    let sandbox = told(&webhook, "  run: 'true'\n");
    let run = sandbox.forge("deploy test").env("SIGN", HOOK_SECRET).succeeds();
    run.says("warning: Slack is told nothing: `SLACK` is not set");
    run.says("warning: the webhook was not told that the deployment of api v1 in test started: it answers 410: ok");
    run.keeps_quiet_about("MfKQ9r8G");
    let wrong = sandbox
        .forge("deploy test --force")
        .env("SIGN", "not a secret")
        .env("SLACK", "http://127.0.0.1:9/SECRETPATH");
    let run = wrong.succeeds();
    run.says("`SIGN`: it is not `whsec_` and base64")
        .keeps_quiet_about("SECRETPATH")
        .keeps_quiet_about("not a secret");
}

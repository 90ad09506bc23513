//! What releases as the cache come to, end to end, on a GitHub: who builds, who downloads, and
//! what of it survives races, kills and pull requests.

use std::{
    fs,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Invocation, Sandbox,
    github::{Fault, GitHub, Host, Operation, Role},
};

const REPOSITORY: &str = "acme/stack";
const PLATFORMS: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];

/// A workspace with four subsystems whose releases are on `github`.
fn stack() -> (Sandbox, GitHub) {
    let mut sandbox = Sandbox::new().head(&format!("releases: github:{REPOSITORY}"));
    for name in ["arc", "docs", "gh", "nats"] {
        sandbox = sandbox.script(name, "v1.0.0");
    }
    (sandbox, GitHub::new(REPOSITORY))
}

/// A workspace with one subsystem for four platforms.
fn tool() -> (Sandbox, GitHub) {
    let head = format!("releases: github:{REPOSITORY}\nplatforms: [{}]", PLATFORMS.join(", "));
    (Sandbox::new().head(&head).script("tool", "v1"), GitHub::new(REPOSITORY))
}

trait On {
    /// With a GitHub, and nobody logged in.
    fn on(self, github: &GitHub) -> Self;
    /// Logged in as somebody who may write.
    fn logged_in(self, github: &GitHub) -> Self;
    /// As a step of a workflow that runs for `event` at `reference`, with a token that can write.
    fn in_actions(self, github: &GitHub, sandbox: &Sandbox, event: &str, reference: &str) -> Self;
}

impl On for Invocation {
    fn on(self, github: &GitHub) -> Self {
        self.env("GITHUB_SERVER_URL", github.url()).env("GITHUB_API_URL", github.api_url())
    }

    fn logged_in(self, github: &GitHub) -> Self {
        self.on(github).env("FORGE_GITHUB_TOKEN", github.token(Role::Write))
    }

    fn in_actions(self, github: &GitHub, sandbox: &Sandbox, event: &str, reference: &str) -> Self {
        let file = sandbox.beside("event.json");
        fs::write(&file, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
        self.on(github)
            .env("GITHUB_TOKEN", github.token(Role::Write))
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", event)
            .env("GITHUB_EVENT_PATH", file)
            .env("GITHUB_REF", reference)
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_RUN_ID", "1")
            .env(
                "GITHUB_WORKFLOW_REF",
                format!("{REPOSITORY}/.github/workflows/ci.yml@{reference}"),
            )
    }
}

/// Pushes to the default branch.
const MAIN: &str = "refs/heads/main";

/// The names of a release's assets.
fn assets(github: &GitHub, tag: &str) -> Vec<String> {
    let release = github.release(tag).unwrap_or_else(|| panic!("no release {tag}"));
    let mut names: Vec<_> = release.assets.iter().map(|asset| asset.name.clone()).collect();
    names.sort();
    names
}

/// What a complete release of `tool` holds for these platforms.
fn complete(platforms: &[&str]) -> Vec<String> {
    let mut names: Vec<_> = platforms
        .iter()
        .map(|platform| format!("tool-{platform}.tar.gz"))
        .flat_map(|asset| ["", ".sha256", ".intoto.jsonl"].map(|ending| format!("{asset}{ending}")))
        .collect();
    names.sort();
    names
}

#[test]
fn a_fresh_clone_downloads_everything_without_a_token_or_the_api() {
    let (sandbox, github) = stack();
    sandbox.forge("release:all").logged_in(&github).succeeds().says("4 built and published");
    let clone = sandbox.clone_fresh();
    let (asked, built) = (github.api_requests(), sandbox.builds());
    clone.forge("ensure:all").on(&github).succeeds().says("4 downloaded");
    assert_eq!(clone.run_binary("nats"), "nats v1.0.0\n");
    assert_eq!(github.api_requests(), asked, "the API was asked: {:#?}", github.requests());
    let transfers = github.count(|asked| asked.host == Host::Object && asked.method == "GET");
    assert_eq!(transfers, 4);
    assert_eq!(sandbox.builds(), built);
    // A second time nobody is asked at all.
    let asked = github.requests().len();
    clone.forge("ensure:all").on(&github).succeeds().says("4 fresh");
    assert_eq!(github.requests().len(), asked);
}

#[test]
fn a_bump_builds_only_what_changed() {
    let (mut sandbox, github) = stack();
    sandbox.forge("release:all").logged_in(&github).succeeds();
    sandbox.bump("nats", "v1.1.0");
    let clone = sandbox.clone_fresh();
    clone.forge("ensure:all").on(&github).succeeds().says("3 downloaded, 1 built");
    // A laptop publishes nothing unasked.
    assert!(github.release("nats-v1.1.0").is_none());
}

#[test]
fn ci_builds_a_bump_once_and_every_later_run_downloads() {
    let (mut sandbox, github) = stack();
    sandbox.forge("release:all").logged_in(&github).succeeds();
    sandbox.bump("nats", "v1.1.0");
    let ci = sandbox.clone_fresh();
    let run = ci.forge("ensure:all").in_actions(&github, &sandbox, "push", MAIN).succeeds();
    run.says("3 downloaded, 1 built and published");
    let built = sandbox.builds();
    for _ in 0..2 {
        let later = sandbox.clone_fresh();
        let run = later.forge("ensure:all").in_actions(&github, &sandbox, "push", MAIN).succeeds();
        run.says("4 downloaded");
    }
    assert_eq!(sandbox.builds(), built);
}

#[test]
fn what_a_developer_releases_ci_downloads() {
    let (mut sandbox, github) = stack();
    sandbox.bump("nats", "v2.0.0");
    sandbox.forge("release:binary nats").logged_in(&github).succeeds();
    let built = sandbox.builds();
    let ci = sandbox.clone_fresh();
    let run = ci.forge("ensure nats").in_actions(&github, &sandbox, "push", MAIN).succeeds();
    run.says("1 downloaded");
    assert_eq!(sandbox.builds(), built);
}

#[test]
fn a_private_repository_is_read_by_those_who_may() {
    let (sandbox, github) = stack();
    github.make_private();
    sandbox.forge("release:binary nats").logged_in(&github).succeeds();
    let clone = sandbox.clone_fresh();
    let run = clone.forge("ensure nats").on(&github).exits(5);
    run.says("FORGE_GITHUB_TOKEN");
    clone.forge("ensure nats").logged_in(&github).succeeds().says("1 downloaded");
    // Tokens reach the API, and nothing else.
    assert!(github.tokens_seen_at(Host::Object).is_empty());
    assert!(github.tokens_seen_at(Host::Web).is_empty());
    assert!(!github.tokens_seen_at(Host::Api).is_empty());
}

#[test]
fn a_pull_request_publishes_nothing_whatever_its_token_could() {
    let (sandbox, github) = tool();
    let pull = |words: &str| {
        sandbox.forge(words).in_actions(&github, &sandbox, "pull_request", "refs/pull/7/merge")
    };
    pull("ensure").succeeds().says("1 built").keeps_quiet_about("published");
    pull("release:binary tool").exits(2).says("a `pull_request` run never publishes");
    pull("ensure --publish").exits(2).says("never publishes");
    pull("ci --publish").succeeds().says("ci:release  skipped").says("never publishes");
    assert_eq!(github.creates() + github.uploads(), 0);
    assert!(github.releases().is_empty());
}

#[test]
fn the_pipeline_publishes_a_push_to_the_default_branch_once() {
    let (sandbox, github) = tool();
    let push = |sandbox: &Sandbox| {
        sandbox.forge("ci").in_actions(&github, sandbox, "push", MAIN).succeeds()
    };
    push(&sandbox).says("1 released");
    assert_eq!(github.releases().len(), 1);
    let sent = github.creates() + github.uploads();
    push(&sandbox.clone_fresh()).says("1 downloaded").says("nothing was built here");
    assert_eq!(github.creates() + github.uploads(), sent);
}

#[test]
fn what_only_ci_is_trusted_with_no_laptop_can_slip_in() {
    let (sandbox, github) = tool();
    let sandbox = sandbox.head("trust: ci");
    sandbox.forge("release:binary tool").logged_in(&github).succeeds();
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").on(&github).exits(4).says("a laptop");
    let ci = sandbox.clone_fresh();
    ci.forge("promote tool").in_actions(&github, &sandbox, "push", MAIN).succeeds();
    clone.forge("ensure").on(&github).succeeds().says("1 downloaded");
}

#[test]
fn four_runners_for_four_platforms_meet_in_one_release() {
    let (mut sandbox, github) = tool();
    for round in 0..5 {
        let version = format!("v{round}");
        sandbox.bump("tool", &version);
        let machines: Vec<_> = PLATFORMS.iter().map(|_| sandbox.clone_fresh()).collect();
        let running: Vec<Child> = machines
            .iter()
            .zip(PLATFORMS)
            .map(|(machine, platform)| {
                let words = format!("release:binary tool --platform {platform}");
                machine.forge(&words).logged_in(&github).start()
            })
            .collect();
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let tag = format!("tool-{version}");
        assert_eq!(assets(&github, &tag), complete(&PLATFORMS), "round {round}");
        let of_tag = github.releases().into_iter().filter(|release| release.tag == tag).count();
        assert_eq!(of_tag, 1);
    }
}

#[test]
fn where_releases_are_immutable_the_last_platform_publishes() {
    let (sandbox, github) = tool();
    github.make_immutable();
    for (index, platform) in PLATFORMS.iter().enumerate() {
        let machine = sandbox.clone_fresh();
        let words = format!("release:binary tool --platform {platform}");
        let token = github.token(Role::Admin);
        let run = machine.forge(&words).logged_in(&github).env("FORGE_GITHUB_TOKEN", token);
        let run = run.succeeds();
        let release = github.release("tool-v1").unwrap();
        let is_last = index + 1 == PLATFORMS.len();
        assert_eq!(release.draft, !is_last, "{run}");
        if !is_last {
            run.says("still a draft").says("darwin-arm64");
        }
    }
    assert_eq!(assets(&github, "tool-v1"), complete(&PLATFORMS));
    assert_eq!(github.releases().len(), 1);
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").on(&github).succeeds().says("1 downloaded");
}

#[test]
fn a_publisher_killed_at_any_moment_is_completed_by_the_next_run() {
    let (mut sandbox, github) = tool();
    // A run that is not disturbed tells how long the moments have to be spread.
    let began = Instant::now();
    sandbox.forge("release:binary tool").logged_in(&github).succeeds();
    let usual = began.elapsed();
    for round in 1..=50_u32 {
        let version = format!("v1.0.{round}");
        sandbox.bump("tool", &version);
        let mut child = sandbox.forge("release:binary tool").logged_in(&github).start();
        thread::sleep(usual * (round * 37 % 50) / 45);
        let _ = child.kill();
        let _ = child.wait();
        let run = sandbox.forge("release:binary tool").logged_in(&github).succeeds();
        let tag = format!("tool-{version}");
        assert_eq!(assets(&github, &tag), complete(&PLATFORMS[..1]), "round {round}\n{run}");
        let releases = github.releases();
        assert_eq!(releases.iter().filter(|release| release.tag == tag).count(), 1);
    }
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").on(&github).succeeds().says("1 downloaded");
}

#[test]
fn without_any_network_it_is_over_soon_and_says_so() {
    let (sandbox, github) = tool();
    drop(github);
    let began = Instant::now();
    let run = sandbox
        .forge("ensure")
        .env("GITHUB_SERVER_URL", "http://127.0.0.1:9")
        .env("GITHUB_API_URL", "http://127.0.0.1:9")
        .exits(5);
    run.says("cannot tell whether tool-v1 is released");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_wait_that_the_host_asks_for_is_told_and_waited_out() {
    let (sandbox, github) = tool();
    let limit = Fault::SecondaryLimit { status: 429, retry_after: Some(2) };
    github.next(Operation::CreateRelease, limit);
    let run = sandbox.forge("release:binary tool").logged_in(&github).succeeds();
    run.says("waiting").says("2 s");
    assert_eq!(github.creates(), 2);
}

#[test]
fn the_first_release_of_a_repository_that_may_be_immutable_is_not_lost() {
    let (sandbox, github) = tool();
    // A token that writes may not ask whether releases are immutable.
    github.make_immutable();
    sandbox.forge("release:binary tool").logged_in(&github).succeeds().says("published");
    let release = github.release("tool-v1").unwrap();
    assert!(release.immutable && !release.draft);
    assert_eq!(assets(&github, "tool-v1"), complete(&PLATFORMS[..1]));
    let clone = sandbox.clone_fresh();
    clone.forge("ensure").on(&github).succeeds().says("1 downloaded");
    // What comes too late is refused with what to do.
    let late = sandbox.clone_fresh();
    let run = late.forge("release:binary tool --platform linux-arm64").logged_in(&github).run();
    run.says("is immutable and has no tool-linux-arm64.tar.gz").says("sealed: true");
    // From now on it is known.
    let mut next = sandbox.clone_fresh();
    next.bump("tool", "v2");
    let run = next.forge("release:binary tool").logged_in(&github).succeeds();
    run.says("still a draft");
}

#[test]
fn what_could_not_be_published_is_named_and_completed_by_the_next_run() {
    let (sandbox, github) = stack();
    github.next_at("nats", Operation::Upload, Fault::NotAccessible);
    let run = sandbox.forge("release:all").logged_in(&github).exits(3);
    run.says("cannot publish nats-v1.0.0").says("contents: write");
    for tag in ["arc-v1.0.0", "docs-v1.0.0", "gh-v1.0.0"] {
        assert_eq!(github.release(tag).unwrap().assets.len(), 3, "{run}");
    }
    let (uploads, builds) = (github.uploads(), sandbox.builds());
    sandbox.forge("release:all").logged_in(&github).succeeds().says("1 fresh and published");
    assert_eq!(github.uploads() - uploads, 3);
    assert_eq!(sandbox.builds(), builds);
    assert_eq!(github.release("nats-v1.0.0").unwrap().assets.len(), 3);
}

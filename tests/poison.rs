//! Whoever writes first decides what all later readers get (CVE-2025-36852): a run for a pull request
//! and then a run for the default branch, on a runner that keeps its home and the workspace's folder.
//! What the first leaves anywhere, the second neither uses nor publishes.

use std::fs;

use crate::release::on_main;
use crate::support::{Invocation, Sandbox, github::GitHub, github::Role};

const REPOSITORY: &str = "acme/stack";

/// A runner that keeps everything, and the store that others read.
struct Runner {
    github: GitHub,
    sandbox: Sandbox,
}

/// The events of runs whose code nobody accepted, each with the ref it runs at.
const STRANGERS: [(&str, &str); 5] = [
    ("pull_request", "refs/pull/7/merge"),
    ("pull_request_target", "refs/heads/main"),
    ("workflow_run", "refs/heads/main"),
    ("issue_comment", "refs/heads/main"),
    ("merge_group", "refs/heads/gh-readonly-queue/main/pr-7"),
];

impl Runner {
    /// With the subsystem `hello`, made by `commands`. `FLAVOUR` in them is what a stranger's run
    /// can change and no fingerprint holds.
    fn new(commands: &[&str]) -> Self {
        let sandbox = Sandbox::new().head(&format!("releases: github:{REPOSITORY}"));
        let runner = Self { github: GitHub::new(REPOSITORY), sandbox };
        runner.flavour("good");
        Self { sandbox: runner.sandbox.spec("hello", "v1.0.0", ""), ..runner }.made_by(commands)
    }

    /// The usual one: what it prints is the flavour at the time of the build.
    fn plain() -> Self {
        Self::new(&["cp FLAVOUR {{ out }}/hello"])
    }

    fn made_by(self, commands: &[&str]) -> Self {
        self.spec("hello", "", commands);
        self
    }

    fn spec(&self, name: &str, more: &str, commands: &[&str]) {
        let flavour = self.sandbox.beside("flavour").display().to_string();
        let steps =
            commands.iter().map(|line| format!("    - {}\n", line.replace("FLAVOUR", &flavour)));
        let steps: String = steps.collect();
        self.sandbox
            .write(&format!("subsystems/{name}.yml"), &format!("{more}build:\n  run:\n{steps}"));
    }

    fn flavour(&self, text: &str) {
        let path = self.sandbox.beside("flavour");
        fs::write(path, format!("#!/bin/sh\necho {text}\n")).unwrap();
    }

    fn run(&self, words: &str) -> Invocation {
        self.sandbox
            .forge(words)
            .env("GITHUB_SERVER_URL", self.github.url())
            .env("GITHUB_API_URL", self.github.api_url())
            .env("GITHUB_TOKEN", self.github.token(Role::Write))
    }

    fn event(&self, words: &str, event: &str, reference: &str) -> Invocation {
        let mut run = self.run(words);
        for (name, value) in on_main(&self.sandbox) {
            run = run.env(name, value);
        }
        run.env("GITHUB_EVENT_NAME", event).env("GITHUB_REF", reference)
    }

    /// A stranger's run, in which everything that is made is evil.
    fn stranger(&self, words: &str) {
        self.flavour("evil");
        self.event(words, "pull_request", "refs/pull/7/merge").succeeds();
        self.flavour("good");
    }

    fn on_main(&self, words: &str) -> Invocation {
        self.event(words, "push", "refs/heads/main")
    }

    /// What was released is what the default branch's run made.
    fn has_released_good(&self) {
        assert!(self.github.release("hello-v1.0.0").is_some(), "nothing was released");
        let reader = Self { github: self.github.clone(), sandbox: self.sandbox.clone_fresh() };
        reader.run("ensure hello").succeeds().says("1 downloaded");
        assert_eq!(reader.sandbox.run_binary("hello"), "good\n");
    }
}

#[test]
fn what_a_strangers_run_installed_is_neither_used_nor_published() {
    for (event, reference) in STRANGERS {
        let runner = Runner::plain();
        runner.flavour("evil");
        runner.event("ensure", event, reference).succeeds().says("1 built");
        assert!(runner.github.releases().is_empty(), "{event} published");
        // The next run for the change has no need to build it again.
        runner.event("ensure", event, reference).succeeds().says("1 fresh");
        runner.flavour("good");
        runner.on_main("verify").exits(4).says("it was made by a run whose code nobody accepted");
        let run = runner.on_main("explain hello").succeeds();
        run.says("not trusted: it was made by").says(&format!("(`{event}`)"));
        runner.on_main("ensure").succeeds().says("1 built and published");
        runner.on_main("ensure").succeeds().says("1 fresh");
        runner.has_released_good();
    }
}

#[test]
fn what_a_strangers_run_put_into_the_cache_is_neither_restored_nor_published() {
    let runner = Runner::plain();
    runner.stranger("ensure");
    runner.run("clean:all").succeeds();
    runner.on_main("ensure").succeeds().says("1 built and published");
    runner.has_released_good();
    // And what the default branch made may serve everybody.
    runner.run("clean:all").succeeds();
    runner.event("ensure", "pull_request", "refs/pull/7/merge").succeeds().says("1 cached");
}

#[test]
fn whoever_asks_for_a_release_does_not_get_a_strangers_bytes_into_it() {
    let runner = Runner::plain();
    runner.stranger("ensure");
    runner.run("release:binary hello").succeeds().says("built and published");
    runner.has_released_good();
}

#[test]
fn a_ci_that_does_not_say_what_it_runs_is_no_better_than_a_stranger() {
    let runner = Runner::plain();
    runner.flavour("evil");
    runner.run("ensure").env("CI", "true").succeeds().says("1 built");
    runner.flavour("good");
    assert!(runner.github.releases().is_empty(), "it was not asked to publish");
    runner.run("ensure --publish").env("CI", "true").succeeds().says("1 built and published");
    runner.has_released_good();
}

#[test]
fn what_another_branch_made_is_not_published_for_the_default_branch() {
    let runner = Runner::plain();
    runner.flavour("evil");
    runner.event("ensure", "push", "refs/heads/feature").succeeds().says("1 built");
    runner.flavour("good");
    runner.on_main("ensure").succeeds().says("1 built and published");
    runner.has_released_good();
}

#[test]
fn what_is_built_with_a_strangers_tool_is_the_strangers() {
    let runner = Runner::new(&["tool > {{ out }}/hello"]);
    runner.spec("hello", "build_needs: [tool]\n", &["tool > {{ out }}/hello"]);
    let sandbox = runner.sandbox.spec("tool", "v1.0.0", "");
    let runner = Runner { sandbox, ..runner };
    let tool = "printf '#!/bin/sh\\ncat <<X\\n%s\\nX\\n' \"$(cat FLAVOUR)\" > {{ out }}/tool";
    runner.spec("tool", "", &[&format!("{tool:?}")]);
    runner.stranger("ensure tool");
    // Somebody who publishes nothing may use it, but what comes of it is tainted.
    runner.run("ensure hello --no-publish").succeeds();
    assert_eq!(runner.sandbox.run_binary("hello"), "evil\n");
    runner.run("release:binary hello tool").succeeds();
    runner.has_released_good();
}

#[test]
fn what_a_strangers_build_left_lying_goes_into_no_later_one() {
    let left = [
        "test -e {{ work }}/part || cp FLAVOUR {{ work }}/part",
        "cp {{ work }}/part {{ out }}/hello",
    ];
    let runner = Runner::new(&left);
    runner.stranger("ensure");
    runner.on_main("ensure").succeeds().says("1 built and published");
    runner.has_released_good();
    // Runs of one class keep what they left.
    runner.flavour("newer");
    runner.on_main("ensure --force --no-publish").succeeds();
    assert_eq!(runner.sandbox.run_binary("hello"), "good\n");
}

#[test]
fn a_strangers_run_puts_nothing_into_a_folder_either() {
    let mut runner = Runner::plain();
    let folder = format!("dir:{}", runner.sandbox.beside("store").display());
    runner.sandbox.releases_from(&folder);
    runner.stranger("ensure");
    assert!(!runner.sandbox.beside("store").exists(), "it was published to the folder");
    runner.on_main("ensure").succeeds().says("1 built and published");
    assert_eq!(runner.sandbox.run_binary("hello"), "good\n");
    // Nor into the user's own store.
    let mut runner = Runner::plain();
    runner.sandbox.without_store();
    runner.stranger("ensure");
    assert!(!runner.sandbox.beside("data/releases").exists());
}

#[test]
fn from_a_folder_that_anybody_may_have_written_only_the_lock_publishes() {
    let mut runner = Runner::plain();
    let folder = runner.sandbox.beside("store");
    runner.sandbox.releases_from(&format!("dir:{}", folder.display()));
    runner.flavour("evil");
    runner.run("ensure").succeeds();
    runner.flavour("good");
    let both = format!("[\"github:{REPOSITORY}\", \"dir:{}\"]", folder.display());
    runner.sandbox.releases_from(&both);
    let lock = runner.sandbox.read("forge.lock");
    fs::remove_file(runner.sandbox.path("forge.lock")).unwrap();
    runner.run("clean:all").succeeds();
    runner.on_main("ensure").succeeds().says("1 built and published");
    runner.has_released_good();
    // What the lock pins is what somebody committed.
    runner.run("clean:all").succeeds();
    runner.sandbox.write("forge.lock", &lock);
    runner.github.forget_releases();
    runner.on_main("ensure").succeeds();
    assert_eq!(runner.sandbox.run_binary("hello"), "evil\n");
}

#[test]
fn what_a_strangers_task_made_is_made_again() {
    let tasks = "tasks:\n  gen:\n    inputs: [in]\n    outputs: [out]\n    run: cp FLAVOUR out\n";
    let sandbox = Sandbox::new();
    let flavour = sandbox.beside("flavour").display().to_string();
    let sandbox =
        sandbox.head(&tasks.replace("FLAVOUR", &flavour)).file("in", "x").script("x", "v1");
    let runner = Runner { github: GitHub::new(REPOSITORY), sandbox };
    let made = |expected: &str| assert!(runner.sandbox.read("out").contains(expected));
    runner.flavour("good");
    runner.stranger("run gen");
    made("evil");
    // It is up to date for the change, and not for the default branch.
    runner.event("run gen", "pull_request", "refs/pull/7/merge").succeeds();
    made("evil");
    runner.on_main("run gen").succeeds();
    made("good");
    // Neither is it restored from the cache; what the default branch made is, for everybody.
    runner.sandbox.write("in", "y");
    runner.stranger("run gen");
    fs::remove_file(runner.sandbox.path("out")).unwrap();
    fs::remove_dir_all(runner.sandbox.path(".forge")).unwrap();
    runner.on_main("run gen").succeeds();
    made("good");
    fs::remove_file(runner.sandbox.path("out")).unwrap();
    fs::remove_dir_all(runner.sandbox.path(".forge")).unwrap();
    runner.stranger("run gen");
    made("good");
}

#[test]
fn what_a_strangers_run_installed_is_not_on_the_path_of_a_trusted_runs_tasks() {
    let Runner { github, sandbox } = Runner::plain();
    let sandbox = sandbox.head("tasks: { gen: 'hello || echo nobody' }");
    let runner = Runner { github, sandbox };
    runner.stranger("ensure");
    fs::write(runner.sandbox.path(".forge/bin/planted"), "#!/bin/sh\n").unwrap();
    let run = runner.on_main("gen").succeeds();
    run.says("nobody").keeps_quiet_about("evil");
    assert!(!runner.sandbox.path(".forge/bin/planted").exists());
    runner.on_main("ensure").succeeds();
    runner.on_main("gen").succeeds().says("good");
}

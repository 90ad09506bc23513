//! The pipeline of GitLab, played: its plan makes the child, the child's jobs build, the last job closes.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// A job that was played: whether it went well, and what it said.
struct Did {
    is_well: bool,
    said: String,
}

/// A machine of GitLab's, gone with its job.
struct Machine<'a> {
    variables: &'a [(&'static str, &'static str)],
    dir: tempfile::TempDir,
}

impl<'a> Machine<'a> {
    /// One with the project checked out.
    fn new(sandbox: &Sandbox, variables: &'a [(&'static str, &'static str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let origin = format!("file://{}", sandbox.beside("origin.git").display());
        git(dir.path(), &["clone", "--quiet", &origin, "work"]);
        Self { variables, dir }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Runs the script of `job`. What it finds to install forge does nothing here.
    fn run(&self, job: &Value) -> Did {
        let lines = job["script"].as_array().expect("a script").iter();
        let lines: Vec<_> = lines.map(|line| line.as_str().expect("a line")).collect();
        let forge = Path::new(env!("CARGO_BIN_EXE_forge")).parent().expect("its folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-e", "-o", "pipefail", "-c", &lines.join("\n")])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", format!("{}:{path}", forge.display()))
            .env("HOME", self.dir.path().join("home"))
            .env("FORGE_CACHE_DIR", self.dir.path().join("cache"))
            .env("FORGE_DATA_DIR", self.dir.path().join("data"))
            .env("FORGE_INSTALL", "true")
            .env("CI", "true")
            .env("GITLAB_CI", "true")
            .env("CI_DEFAULT_BRANCH", "main")
            .env("CI_PROJECT_URL", "https://gitlab.example.org/acme/stack");
        let output = command.envs(self.variables.iter().copied()).output().expect("bash");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        Did { is_well: output.status.success(), said }
    }
}

fn read(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Plays all of it: how many jobs the child had, how many of them failed, and the last job.
fn play(sandbox: &Sandbox, variables: &[(&'static str, &'static str)]) -> (usize, usize, Did) {
    let parent = read(&sandbox.read(".gitlab-ci.yml"));
    let machine = Machine::new(sandbox, variables);
    let plan = machine.run(&parent["plan"]);
    assert!(plan.is_well, "{}", plan.said);
    let artifact = parent["plan"]["artifacts"]["paths"][0].as_str().unwrap();
    assert_eq!(parent["build"]["trigger"]["include"][0]["artifact"], artifact);
    let child = read(&fs::read_to_string(machine.work().join(artifact)).unwrap());
    let jobs = child.as_object().unwrap().values().filter(|job| job["stage"] == "build");
    let done: Vec<_> = jobs.map(|job| Machine::new(sandbox, variables).run(job)).collect();
    let failed = done.iter().filter(|did| !did.is_well).count();
    assert_eq!(parent["close"]["when"], "always");
    (done.len(), failed, Machine::new(sandbox, variables).run(&parent["close"]))
}

/// [`stack`], with the runner for it called as it is at GitLab.
fn of_gitlab(store: &str) -> Sandbox {
    let sandbox = stack(store);
    let manifest = sandbox.read("versions.yml");
    sandbox.write("versions.yml", &manifest.replace("ubuntu-24.04", "saas-linux-small-amd64"));
    sandbox
}

const PUSH: &[(&str, &str)] = &[
    ("CI_PIPELINE_SOURCE", "push"),
    ("CI_COMMIT_BRANCH", "main"),
    ("CI_COMMIT_REF_PROTECTED", "true"),
];

#[test]
fn the_child_builds_all_of_it_and_the_parent_closes() {
    if !is_here("git") {
        return;
    }
    let sandbox = of_gitlab("dir:STORE");
    let store = format!("dir:{}", sandbox.beside("store").display());
    sandbox.write("versions.yml", &sandbox.read("versions.yml").replace("dir:STORE", &store));
    sandbox.forge(&format!("{INIT} --host gitlab --jobs 4")).succeeds();
    push(&sandbox, "feat: all of it");
    let broken = sandbox.beside("broken-site-linux-amd64");
    fs::write(&broken, "").unwrap();
    let (jobs, failed, close) = play(&sandbox, PUSH);
    assert_eq!((jobs, failed, close.is_well), (4, 1, false), "{}", close.said);
    assert!(close.said.contains("site: no store has it"), "{}", close.said);
    fs::remove_file(broken).unwrap();
    let before = builds(&sandbox).len();
    let (jobs, failed, close) = play(&sandbox, PUSH);
    assert!(jobs >= 1 && failed == 0 && close.is_well, "{}", close.said);
    assert!(builds(&sandbox).len() <= before + 4, "only the rest is made");
    // What the failed job had built beside was not published: that may stand twice.
    let mut once = builds(&sandbox);
    once.dedup();
    assert_eq!(once, every_artifact());
    let (jobs, _, close) = play(&sandbox, PUSH);
    assert_eq!((jobs, close.is_well), (1, true), "one idle job, since a child needs one");
}

#[test]
fn a_merge_request_publishes_nothing_and_misses_nothing() {
    if !is_here("git") {
        return;
    }
    let github = GitHub::new(REPOSITORY);
    let sandbox = of_gitlab(&format!("github:{REPOSITORY}"));
    sandbox.forge(&format!("{INIT} --host gitlab --jobs 4")).succeeds();
    push(&sandbox, "feat: all of it");
    let url: &'static str = github.api_url().leak();
    let merge_request = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("GITHUB_API_URL", url),
        ("GITHUB_SERVER_URL", github.url().leak()),
        ("FORGE_GITHUB_TOKEN", github.token(crate::support::github::Role::Write)),
    ];
    let (_, failed, close) = play(&sandbox, &merge_request);
    assert!(failed == 0 && close.is_well, "{}", close.said);
    assert!(close.said.contains("a job for a merge request never publishes"), "{}", close.said);
    assert!(github.releases().is_empty());
    assert_eq!(builds(&sandbox).len(), 12);
}

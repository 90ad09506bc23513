//! Plays a workflow of GitHub Actions on this machine: each job in a clone of its own, with a cache and
//! a home of its own, against the stand-in for GitHub.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};

use super::expression::Context;
use crate::support::{
    Sandbox,
    github::{GitHub, Role},
};

/// What started a run.
#[derive(Clone, Copy)]
pub struct Event {
    /// `push`, `pull_request`.
    pub name: &'static str,
    /// `refs/heads/main`.
    pub reference: &'static str,
    /// The number of the run.
    pub run: u32,
}

/// A workflow, where it is played.
pub struct Player<'a> {
    pub sandbox: &'a Sandbox,
    pub github: &'a GitHub,
    workflow: Value,
}

/// A job that was played.
#[derive(Debug)]
pub struct Job {
    /// What it was called: the matrix may have given it a name.
    pub name: String,
    /// `success`, `failure`, `skipped`.
    pub result: &'static str,
    /// All that it printed.
    pub output: String,
    /// What it added to its summary.
    pub summary: String,
    outputs: Map<String, Value>,
}

/// A run that was played.
#[derive(Debug)]
pub struct Played(pub BTreeMap<String, Vec<Job>>);

impl Played {
    /// The only job of that key.
    pub fn job(&self, key: &str) -> &Job {
        let jobs = &self.0[key];
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        &jobs[0]
    }

    /// The result of all jobs of that key, as jobs after them see it.
    pub fn result(&self, key: &str) -> &'static str {
        let results: Vec<_> = self.0[key].iter().map(|job| job.result).collect();
        ["failure", "skipped"].into_iter().find(|bad| results.contains(bad)).unwrap_or("success")
    }

    /// All that was printed, for messages.
    pub fn told(&self) -> String {
        let jobs = self.0.values().flatten();
        jobs.map(|job| format!("=== {}: {}\n{}", job.name, job.result, job.output)).collect()
    }
}

impl<'a> Player<'a> {
    /// Plays the workflow that stands in the sandbox.
    pub fn new(sandbox: &'a Sandbox, github: &'a GitHub) -> Self {
        let text = sandbox.read(".github/workflows/forge.yml");
        let workflow = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        Self { sandbox, github, workflow }
    }

    /// Plays all of it for `event`. Jobs stand after those that they need.
    pub fn play(&self, event: Event) -> Played {
        let mut played = Played(BTreeMap::new());
        for (key, job) in self.workflow["jobs"].as_object().expect("jobs") {
            let needs = needs(job, &played);
            let is_well = needs.values().all(|need| need["result"] == "success");
            let github = json!({
                "event_name": event.name,
                "ref": event.reference,
                "token": "?",
                "workspace": "/nowhere",
                "server_url": self.github.url(),
                "repository": self.github.repository(),
            });
            let values = json!({ "github": github, "needs": needs });
            let has_failed = needs_failed(&values);
            let context = Context { values, is_well, has_failed };
            let jobs = match context.holds(job["if"].as_str()) {
                true => self.variants(key, job, context, event),
                false => vec![Job::skipped(key)],
            };
            played.0.insert(key.clone(), jobs);
        }
        played
    }

    /// Plays a job for each entry of its matrix.
    fn variants(&self, key: &str, job: &Value, mut context: Context, event: Event) -> Vec<Job> {
        (context.is_well, context.has_failed) = (true, false);
        let Some(matrix) = job["strategy"]["matrix"].as_str() else {
            return vec![self.job(key, job, context, event)];
        };
        let matrix = context.fill(matrix);
        let include = matrix["include"].as_array().expect("a matrix").clone();
        assert!(!include.is_empty() && include.len() <= 256, "Actions would refuse {matrix}");
        let one = |entry: Value| {
            let mut values = context.values.clone();
            values["matrix"] = entry;
            let context = Context { values, is_well: true, has_failed: false };
            let runner = context.fill(job["runs-on"].as_str().expect("a runner"));
            assert!(!runner.is_null());
            let name = context.fill(job["name"].as_str().expect("a name"));
            self.job(name.as_str().expect("a text"), job, context, event)
        };
        include.into_iter().map(one).collect()
    }

    fn job(&self, name: &str, job: &Value, mut context: Context, event: Event) -> Job {
        let machine = Machine::new(self, job, event);
        context.values["github"]["token"] = json!(machine.token);
        let mut output = String::new();
        for step in job["steps"].as_array().expect("steps") {
            if !context.holds(step["if"].as_str()) {
                continue;
            }
            let (went_well, said) = machine.step(step, &context);
            output += &said;
            context.is_well &= went_well;
            context.has_failed |= !went_well;
            if let Some(id) = step["id"].as_str() {
                context.values["steps"][id] = json!({ "outputs": machine.outputs() });
            }
        }
        let outputs = job["outputs"].as_object().cloned().unwrap_or_default();
        let outputs = outputs
            .into_iter()
            .map(|(name, text)| (name, context.fill(text.as_str().expect("an expression"))))
            .collect();
        let result = if context.is_well { "success" } else { "failure" };
        Job { name: name.to_owned(), result, output, summary: machine.summary(), outputs }
    }
}

/// Whether any of the jobs that are needed has failed.
fn needs_failed(values: &Value) -> bool {
    let needs = values["needs"].as_object().into_iter().flatten();
    needs.into_iter().any(|(_, need)| need["result"] == "failure")
}

/// What `job` knows of those that it needs.
fn needs(job: &Value, played: &Played) -> Map<String, Value> {
    let keys: Vec<&str> = match &job["needs"] {
        Value::String(key) => vec![key],
        Value::Array(keys) => keys.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let need = |key: &str| {
        let outputs = played.0[key].first().map(|job| job.outputs.clone());
        (key.to_owned(), json!({ "result": played.result(key), "outputs": outputs }))
    };
    keys.into_iter().map(need).collect()
}

impl Job {
    fn skipped(key: &str) -> Self {
        let (output, summary) = (String::new(), String::new());
        Self { name: key.to_owned(), result: "skipped", output, summary, outputs: Map::new() }
    }
}

/// The machine that a job runs on, gone with the job.
struct Machine<'a> {
    player: &'a Player<'a>,
    event: Event,
    dir: tempfile::TempDir,
    token: &'static str,
}

impl<'a> Machine<'a> {
    fn new(player: &'a Player<'a>, job: &Value, event: Event) -> Self {
        let said = |value: &Value| value["permissions"]["contents"].as_str().map(str::to_owned);
        assert!(job["permissions"].is_object(), "each job says what it may");
        let contents = said(job).unwrap_or_default();
        // A pull request from a fork gets no more than this, whatever the workflow says.
        let may_write = contents == "write" && event.name != "pull_request";
        assert!(contents == "write" || contents == "read" || contents.is_empty());
        let role = if may_write { Role::Write } else { Role::Read };
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("event.json"), r#"{"repository":{"default_branch":"main"}}"#)
            .expect("the event");
        Self { player, event, dir, token: player.github.token(role) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a step: whether it went well, and what it said.
    fn step(&self, step: &Value, context: &Context) -> (bool, String) {
        if let Some(action) = step["uses"].as_str() {
            let (name, commit) = action.split_once('@').expect("a commit");
            assert!(name == "actions/checkout" && commit.len() == 40, "{action}");
            return self.check_out();
        }
        let line = context.fill(step["run"].as_str().expect("what to run"));
        let line = line.as_str().expect("a text");
        if line.contains("cargo install ") {
            return (true, String::new());
        }
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", line]).current_dir(self.path("work"));
        if !self.path("work").exists() {
            command.current_dir(self.dir.path());
        }
        self.set_environment(&mut command);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let value = context.fill(value.as_str().expect("a text"));
            command.env(name, value.as_str().expect("a text"));
        }
        let output = command.output().expect("bash");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = format!("$ {line}\n{}{}", text(&output.stdout), text(&output.stderr));
        (output.status.success(), said)
    }

    fn set_environment(&self, command: &mut Command) {
        let forge = Path::new(env!("CARGO_BIN_EXE_forge")).parent().expect("its folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let Event { name, reference, run } = self.event;
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", forge.display()))
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_NAME", "a bot")
            .env("GIT_COMMITTER_EMAIL", "bot@example.org")
            .env("FORGE_CACHE_DIR", self.path("cache"))
            .env("FORGE_DATA_DIR", self.path("data"))
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_SERVER_URL", self.player.github.url())
            .env("GITHUB_API_URL", self.player.github.api_url())
            .env("GITHUB_REPOSITORY", self.player.github.repository())
            .env("GITHUB_EVENT_NAME", name)
            .env("GITHUB_REF", reference)
            .env("GITHUB_RUN_ID", run.to_string())
            .env("GITHUB_EVENT_PATH", self.path("event.json"))
            .env("GITHUB_OUTPUT", self.path("outputs"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"));
    }

    fn check_out(&self) -> (bool, String) {
        let origin = format!("file://{}", self.player.sandbox.beside("origin.git").display());
        let mut command = Command::new("git");
        command.args(["clone", "--quiet", &origin, "work"]).current_dir(self.dir.path());
        let reference = self.event.reference;
        let reference = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let cloned = command.status().expect("git").success();
        let mut command = Command::new("git");
        command.args(["checkout", "--quiet", reference.trim_start_matches("refs/tags/")]);
        let command = command.current_dir(self.path("work"));
        // What a pull request is checked out as is main here.
        let is_branch = !reference.starts_with("refs/pull/");
        (cloned && (!is_branch || command.status().expect("git").success()), String::new())
    }

    fn outputs(&self) -> Map<String, Value> {
        let text = fs::read_to_string(self.path("outputs")).unwrap_or_default();
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), json!(v)));
        text.lines().filter_map(pair).collect()
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.path("summary")).unwrap_or_default()
    }
}

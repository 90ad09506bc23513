//! The pieces that workflows for GitHub Actions are put together from, in block style.

use std::fmt::Write as _;

use super::{
    WorkflowDeploys,
    pins::{ATTEST, CHECKOUT},
    quote::scalar,
};

/// How long a job may take that builds.
pub const MINUTES: u32 = 120;
/// What gives a step the token of its job.
pub const TOKEN: (&str, &str) = ("GITHUB_TOKEN", "${{ github.token }}");
/// What lets git in by [`TOKEN`], where tags are pushed: in one step, and in no file.
pub const GIT_LOGIN: [(&str, &str); 3] = [
    ("GIT_CONFIG_COUNT", "\"1\""),
    ("GIT_CONFIG_KEY_0", "credential.helper"),
    (
        "GIT_CONFIG_VALUE_0",
        "'!f() { echo username=x-access-token; echo \"password=$GITHUB_TOKEN\"; }; f'",
    ),
];

/// What answers git's questions for tags by the clone, of which checking out fetched all: for the step that
/// builds beside one that publishes, and has no login.
pub const GIT_LOCAL: [(&str, &str); 3] = [
    ("GIT_CONFIG_COUNT", "\"1\""),
    ("GIT_CONFIG_KEY_0", "url.${{ github.workspace }}.insteadOf"),
    ("GIT_CONFIG_VALUE_0", "${{ github.server_url }}/${{ github.repository }}"),
];

/// When pull requests, and what is merged in a queue, run.
pub const IS_PROPOSED: &str =
    "github.event_name == 'pull_request' || github.event_name == 'merge_group'";
/// When anything else runs.
pub const IS_ACCEPTED: &str =
    "github.event_name != 'pull_request' && github.event_name != 'merge_group'";

/// A step that is only there under a condition, if it has one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its identifier, for those who read its outputs.
    pub id: &'a str,
    /// When it runs.
    pub condition: &'a str,
    /// What it runs: lines for a shell.
    pub run: &'a str,
    /// Variables, as YAML has their values.
    pub env: &'a [(&'a str, &'a str)],
}

impl Step<'_> {
    /// Its lines.
    pub fn render(&self) -> String {
        let mut text = format!("      - name: {}\n", scalar(self.name));
        for (key, value) in [("id", self.id), ("if", self.condition)] {
            if !value.is_empty() {
                let _ = writeln!(text, "        {key}: {}", scalar(value));
            }
        }
        text.push_str(&lines("        ", "run", self.run));
        if !self.env.is_empty() {
            text.push_str("        env:\n");
        }
        for (name, value) in self.env {
            let _ = writeln!(text, "          {name}: {value}");
        }
        text
    }
}

/// `key: text`, as a block if the text has several lines.
pub fn lines(indent: &str, key: &str, text: &str) -> String {
    if !text.contains('\n') {
        return format!("{indent}{key}: {}\n", scalar(text));
    }
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("{indent}  {line}\n"),
    };
    format!("{indent}{key}: |\n{}", text.lines().map(line).collect::<String>())
}

/// The step that checks the repository out. No login stays where builds could read it.
pub fn checkout(condition: &str) -> String {
    let condition = match condition {
        "" => String::new(),
        condition => format!("        if: {}\n", scalar(condition)),
    };
    format!(
        "      - uses: {CHECKOUT}\n{condition}        with:\n          fetch-depth: 0 # all tags: release notes need them\n          persist-credentials: false\n"
    )
}

/// The top of a workflow.
pub fn head(comment: &str, name: &str, triggers: &str, may_cancel: bool) -> String {
    let cancel = match may_cancel {
        true => "${{ github.event_name == 'pull_request' }}",
        false => "false",
    };
    format!(
        r"# {comment}
name: {name}
on:
{triggers}permissions: {{}}
concurrency:
  group: {name}-${{{{ github.ref }}}}
  cancel-in-progress: {cancel}
defaults:
  run:
    shell: bash
jobs:
",
        name = scalar(name),
    )
}

/// What starts a workflow that builds changes and publishes what was accepted: by default on `branch`, and
/// on tags of the project.
pub fn triggers(branch: &str, deploys: &WorkflowDeploys) -> String {
    let listed = |first: &str, more: Vec<&str>| {
        let mut all = vec![first.to_owned()];
        all.extend(more.into_iter().map(str::to_owned));
        let mut known = std::collections::BTreeSet::new();
        all.retain(|one| known.insert(one.clone()));
        all.iter().map(|one| format!("      - {}\n", scalar(one))).collect::<String>()
    };
    let (branches, tags) = deploys.triggers();
    format!(
        "  push:\n    branches:\n{}    tags:\n{}{}  merge_group:\n  workflow_dispatch:\n",
        listed(branch, branches),
        listed("v*", tags),
        deploys.proposals()
    )
}

/// What a job may that only reads.
pub const READ: &[&str] = &["contents: read # checks the repository out"];
/// What a job may that publishes.
pub const WRITE: &[&str] =
    &["contents: write # releases; only the step that publishes has the token"];

/// What a job may that publishes, and lets GitHub attest that.
pub const WRITE_AND_ATTEST: &[&str] = &[
    "contents: write # releases; only the step that publishes has the token",
    "id-token: write # who runs it, for the certificate of the attestation",
    "attestations: write # keeps it with the repository",
];

/// Where the step that publishes writes the digests of what it published, and how it is told.
pub const SUBJECTS: &str = " --subjects \"$RUNNER_TEMP/published.sha256\"";

/// The step that lets GitHub attest what the step `publish` published: nothing else, and not if that is
/// nothing.
pub fn attest() -> String {
    format!(
        "      - name: Attest what was published\n        if: steps.publish.outputs.subjects != ''\n        uses: {ATTEST}\n        with:\n          subject-checksums: ${{{{ steps.publish.outputs.subjects }}}}\n"
    )
}

/// The beginning of a job, called as its key is.
pub fn job(key: &str, condition: &str, needs: &[&str], permissions: &[&str]) -> String {
    named_job((key, key), condition, needs, permissions)
}

/// The beginning of the job `key`, which is called `name`.
pub fn named_job(
    (key, name): (&str, &str),
    condition: &str,
    needs: &[&str],
    permissions: &[&str],
) -> String {
    let mut text = format!("  {key}:\n    name: {name}\n");
    if !needs.is_empty() {
        text.push_str("    needs:\n");
    }
    text.extend(needs.iter().map(|job| format!("      - {job}\n")));
    if !condition.is_empty() {
        let _ = writeln!(text, "    if: {}", scalar(condition));
    }
    text.push_str(&permitted(permissions));
    text
}

fn permitted(permissions: &[&str]) -> String {
    match permissions {
        [] => "    permissions: {}\n".to_owned(),
        all => {
            let all: String = all.iter().map(|one| format!("      {one}\n")).collect();
            format!("    permissions:\n{all}")
        }
    }
}

/// The result of each job, as a variable.
pub fn results(jobs: &[&str]) -> Vec<(String, String)> {
    let result = |job: &&str| (variable(job), format!("${{{{ needs.{job}.result }}}}"));
    jobs.iter().map(result).collect()
}

/// `JOB=RESULT` of each job, as words for a shell that has [`results`].
pub fn result_words(jobs: &[&str]) -> String {
    jobs.iter().map(|job| format!(" \"{job}=${}\"", variable(job))).collect()
}

/// The variable with the result of the job `key`.
fn variable(key: &str) -> String {
    key.to_uppercase().replace('-', "_")
}

/// The one status to require: red if any of the jobs in `needs` is.
pub fn done(needs: &[&str]) -> String {
    let condition = "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')";
    let results = results(needs);
    let env: Vec<_> = results.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let run = format!("echo{}\nexit 1", result_words(needs));
    let step =
        Step { name: "A job did not go well", condition, run: &run, env: &env, ..Step::default() };
    format!(
        "{}    runs-on: ubuntu-24.04\n    timeout-minutes: 5\n    steps:\n{}      - name: Every job went well\n        run: \"true\"\n",
        job("done", "always()", needs, &[]),
        step.render(),
    )
}

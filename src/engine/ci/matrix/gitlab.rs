//! Pipelines of GitLab: the one that plans, and the child that it makes by that plan.
//!
//! Reference: "CI/CD YAML syntax reference" and "Downstream pipelines" (dynamic child pipelines) in
//! GitLab's documentation.

use std::fmt::Write as _;

use crate::{
    ci::{
        ForgeInstall,
        quote::{json, scalar, shell_word},
    },
    model::Os,
};

use super::{Job, Matrix};

/// What jobs on Linux run in: it has cargo, git and a C compiler.
const LINUX_IMAGE: &str = "rust:1-bookworm";
/// What jobs on GitLab's Macs run in.
const MAC_IMAGE: &str = "macos-15-xcode-16";
/// Where jobs keep a forge that they built; CI caches nothing outside of the project.
const KEPT: &str = ".forge/ci";
/// The variable by which the parent tells its child how to install forge.
const INSTALL: &str = "FORGE_INSTALL";

impl Matrix {
    /// The child pipeline. GitLab refuses one without jobs, so it always has one.
    #[must_use]
    pub fn gitlab(&self) -> String {
        let mut text = String::from("# By `forge matrix --format gitlab`.\n");
        text.push_str("workflow:\n  rules:\n    - when: always\nstages:\n  - build\n");
        if self.jobs.is_empty() {
            text.push_str("nothing to build:\n  stage: build\n  script:\n    - \"true\"\n");
        }
        for job in &self.jobs {
            job.write(&mut text);
        }
        text
    }
}

impl Job {
    fn write(&self, text: &mut String) {
        let labels: String =
            self.runner.labels.iter().map(|label| format!("    - {}\n", json(label))).collect();
        let image = match self.runner.machine.os {
            Os::Linux => Some(LINUX_IMAGE),
            Os::Darwin => Some(MAC_IMAGE),
            Os::Windows | Os::Freebsd => None,
        };
        let install = match self.runner.machine.os {
            // Windows runners speak PowerShell.
            Os::Windows => format!("Invoke-Expression \"$env:{INSTALL}\""),
            _ => format!("eval \"${INSTALL}\""),
        };
        let image = image.map(|image| format!("  image: {image}\n")).unwrap_or_default();
        let _ = write!(
            text,
            "{}:\n  stage: build\n  tags:\n{labels}{image}  variables:\n    GIT_DEPTH: \"0\"\n{}",
            json(&self.name),
            script(&[install, whole(&self.command), whole(&self.publish)]),
        );
    }
}

/// `line` as one command: where the first of several fails, the shell that runs the script goes on.
fn whole(line: &str) -> String {
    if line.contains(" && ") { format!("({line})") } else { line.to_owned() }
}

/// A pipeline: of one job, or one that plans, starts the child, and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitlabPipeline {
    /// How forge gets onto the runner.
    pub install: ForgeInstall,
    /// The version of forge, which what is kept from run to run is of.
    pub version: &'static str,
    /// The folder of the workspace in the repository; empty if they are the same.
    pub folder: String,
    /// How many jobs the child may have; without a child if absent.
    pub jobs: Option<usize>,
    /// Whether the workspace has a task `test` of its own: a job runs it that has everything.
    pub tests: bool,
}

/// When pipelines run.
const RULES: &str = r#"workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    - if: $CI_COMMIT_TAG =~ /^v/
"#;

impl GitlabPipeline {
    /// Where it belongs, from the top of the repository.
    pub const PATH: &'static str = ".gitlab-ci.yml";

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let folder = match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        match self.jobs {
            None => self.one_job(&folder),
            Some(jobs) => self.many_jobs(&folder, jobs),
        }
    }

    /// What all jobs begin with: their image, and what they keep of forge from run to run.
    fn defaults(&self) -> String {
        let version = self.version;
        let cache = match &self.install {
            ForgeInstall::Build(_) => format!(
                "  cache:\n    key: forge-{version}-$CI_RUNNER_EXECUTABLE_ARCH\n    paths:\n      - {KEPT}/bin/\n"
            ),
            ForgeInstall::Release(_) => String::new(),
        };
        format!("default:\n  image: {LINUX_IMAGE}\n{cache}")
    }

    fn one_job(&self, folder: &str) -> String {
        let mut lines = self.install.lines(KEPT);
        lines.push(format!("forge ci{folder}"));
        format!(
            "# Written by `forge ci:init --host gitlab`. Merge requests build and test; the protected default branch and tags publish.\n{RULES}{}variables:\n  GIT_DEPTH: \"0\" # all tags: release notes need them\nforge:\n  timeout: 2 hours\n{}",
            self.defaults(),
            script(&lines),
        )
    }

    fn many_jobs(&self, folder: &str, jobs: usize) -> String {
        let install = json(&self.install.lines(KEPT).join("\n"));
        let eval = format!("eval \"${INSTALL}\"");
        let lines = |line: String| script(&[eval.clone(), line]);
        let plan = lines(format!(
            "forge matrix{folder} --misses --jobs {jobs} --format gitlab > forge-jobs.yml"
        ));
        let close = lines(format!("forge ci:close{folder}"));
        let test = lines(format!("forge ci:build{folder} && forge ci:test{folder}"));
        let test = match self.tests {
            true => format!("test:\n  stage: test\n{test}"),
            false => String::new(),
        };
        format!(
            r#"# Written by `forge ci:init --matrix --host gitlab`: a plan, the jobs it asks for, and one that closes.
{RULES}{defaults}stages:
  - plan
  - build
  - test
  - close
variables:
  {INSTALL}: {install}
  GIT_DEPTH: "0" # all tags: release notes need them
plan:
  stage: plan
{plan}  artifacts:
    paths:
      - forge-jobs.yml
    expire_in: 1 week
build:
  stage: build
  trigger:
    include:
      - artifact: forge-jobs.yml
        job: plan
    strategy: depend
    forward:
      yaml_variables: true
      pipeline_variables: false
{test}close:
  stage: close
  when: always
{close}"#,
            defaults = self.defaults(),
        )
    }
}

/// `script:` of a job.
fn script(lines: &[String]) -> String {
    let line = |line: &String| match line.contains('\n') {
        false => format!("    - {}\n", scalar(line)),
        true => {
            let block: String = line.lines().map(|line| format!("      {line}\n")).collect();
            format!("    - |\n{block}")
        }
    };
    format!("  script:\n{}", lines.iter().map(line).collect::<String>())
}

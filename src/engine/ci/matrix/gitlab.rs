//! Pipelines of GitLab: the one that plans, and the child that it makes by that plan.
//!
//! Reference: "CI/CD YAML syntax reference" and "Downstream pipelines" (dynamic child pipelines) in
//! GitLab's documentation.

use std::fmt::Write as _;

use crate::{
    ci::quote::{json, shell_word},
    model::Os,
};

use super::{Job, Matrix};

/// What jobs on Linux run in: it has cargo, git and a C compiler.
const LINUX_IMAGE: &str = "rust:1-bookworm";
/// What jobs on GitLab's Macs run in.
const MAC_IMAGE: &str = "macos-15-xcode-16";
/// The variable by which the parent tells its child how to install forge.
const INSTALL: &str = "FORGE_INSTALL";

impl Matrix {
    /// The child pipeline. GitLab refuses one without jobs, so it always has one.
    #[must_use]
    pub fn gitlab(&self) -> String {
        let mut text = String::from("# By `forge matrix --format gitlab`.\n");
        text.push_str("workflow: { rules: [{ when: always }] }\nstages: [build]\n");
        if self.jobs.is_empty() {
            text.push_str("nothing to build: { stage: build, script: [\"true\"] }\n");
        }
        for job in &self.jobs {
            job.write(&mut text);
        }
        text
    }
}

impl Job {
    fn write(&self, text: &mut String) {
        let labels: Vec<_> = self.runner.labels.iter().map(|label| json(label)).collect();
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
            "{}:\n  stage: build\n  tags: [{}]\n{image}  variables: {{ GIT_DEPTH: \"0\" }}\n  script:\n    - {}\n    - {}\n",
            json(&self.name),
            labels.join(", "),
            json(&install),
            json(&self.command),
        );
    }
}

/// The pipeline that plans, starts the child, and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The shell line that puts forge onto the runner.
    pub install: String,
    /// The folder of the workspace in the repository; empty if they are the same.
    pub folder: String,
    /// How many jobs the child may have.
    pub jobs: usize,
    /// Whether the workspace has a task `test` of its own: a job runs it that has everything.
    pub tests: bool,
}

impl Parent {
    /// Where it belongs, from the top of the repository.
    pub const PATH: &'static str = ".gitlab-ci.yml";

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let install = json(&self.install);
        let folder = match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        let jobs = self.jobs;
        let plan = json(&format!(
            "forge matrix{folder} --misses --jobs {jobs} --format gitlab > forge-jobs.yml"
        ));
        let close = json(&format!("forge ci:close{folder}"));
        let test = json(&format!("forge ci:build{folder} && forge ci:test{folder}"));
        let test = match self.tests {
            true => format!(
                "test:\n  stage: test\n  image: {LINUX_IMAGE}\n  script: ['eval \"${INSTALL}\"', {test}]\n"
            ),
            false => String::new(),
        };
        format!(
            r#"# By `forge ci:init --matrix --host gitlab`: a plan, the jobs it asks for, and one that closes.
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    - if: $CI_COMMIT_TAG =~ /^v/
stages: [plan, build, test, close]
variables: {{ {INSTALL}: {install}, GIT_DEPTH: "0" }} # all tags: release notes need them
plan:
  stage: plan
  image: {LINUX_IMAGE}
  script: ['eval "${INSTALL}"', {plan}]
  artifacts: {{ paths: [forge-jobs.yml], expire_in: 1 week }}
build:
  stage: build
  trigger:
    include: [{{ artifact: forge-jobs.yml, job: plan }}]
    strategy: depend
    forward: {{ yaml_variables: true, pipeline_variables: false }}
{test}close:
  stage: close
  when: always
  image: {LINUX_IMAGE}
  script: ['eval "${INSTALL}"', {close}]
"#
        )
    }
}

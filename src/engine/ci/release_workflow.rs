//! The workflow for GitHub Actions that releases one subsystem when its tag is pushed: a job for each
//! platform builds and tests, and then publishes in a step of its own, with checksum and provenance.

use super::{
    ForgeInstall, PlatformRunner,
    quote::{scalar, shell_word},
    steps::{self, MINUTES, SUBJECTS, Step, TOKEN, WRITE, WRITE_AND_ATTEST},
};
use crate::model::{Name, Platform};

/// What it is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseWorkflow {
    /// The subsystem.
    pub name: Name,
    /// The pattern of its tags.
    pub tags: String,
    /// How forge gets onto the runners.
    pub install: ForgeInstall,
    /// The folder of the workspace in the repository; empty if they are the same.
    pub folder: String,
    /// Whether GitHub attests what is published.
    pub attests: bool,
    /// The platforms, each with its runner and the target that Rust code is built for there.
    pub platforms: Vec<(Platform, PlatformRunner, Option<String>)>,
}

impl ReleaseWorkflow {
    /// Where it belongs, from the top of the repository.
    pub const PATH: &'static str = ".github/workflows/release.yml";

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let name = &self.name;
        let flag = if self.attests { " --attest" } else { "" };
        let comment = format!(
            "Written by `forge ci:init --release {name}{flag}`: a tag of {name} releases it."
        );
        let triggers =
            format!("  push:\n    tags:\n      - {}\n  workflow_dispatch:\n", scalar(&self.tags));
        let rights = if self.attests { WRITE_AND_ATTEST } else { WRITE };
        [
            steps::head(&comment, "release", &triggers, false),
            steps::named_job(("release", "${{ matrix.platform }}"), "", &[], rights),
            self.matrix(),
            format!("    timeout-minutes: {MINUTES}\n    steps:\n"),
            steps::checkout(""),
            self.install.step("", true),
            self.target(),
            self.calls(),
            steps::done(&["release"]),
        ]
        .concat()
    }

    fn matrix(&self) -> String {
        let entry = |(platform, runner, target): &(Platform, PlatformRunner, Option<String>)| {
            let runner = match runner.labels.as_slice() {
                [label] => scalar(label),
                labels => serde_json::json!(labels).to_string(),
            };
            let target = target.as_ref().map(|target| format!("            target: {target}\n"));
            let target = target.unwrap_or_default();
            format!("          - platform: {platform}\n            runner: {runner}\n{target}")
        };
        let entries: String = self.platforms.iter().map(entry).collect();
        format!(
            "    runs-on: ${{{{ matrix.runner }}}}\n    strategy:\n      fail-fast: false\n      matrix:\n        include:\n{entries}"
        )
    }

    /// The step that gets what Rust needs for its target.
    fn target(&self) -> String {
        let targets: Vec<&str> =
            self.platforms.iter().filter_map(|(_, _, target)| target.as_deref()).collect();
        if targets.is_empty() {
            return String::new();
        }
        let musl = match targets.iter().any(|target| target.contains("musl")) {
            true => {
                "\ncase \"$TARGET\" in\n  *-musl) sudo apt-get update -qq && sudo apt-get install -qq musl-tools ;;\nesac"
            }
            false => "",
        };
        let run = format!("rustup target add \"$TARGET\"{musl}");
        let env = [("TARGET", "${{ matrix.target }}")];
        Step { name: "Add the target", run: &run, env: &env, ..Step::default() }.render()
    }

    /// The steps that build and publish.
    fn calls(&self) -> String {
        let folder = match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        let name = &self.name;
        let platform = ("PLATFORM", "${{ matrix.platform }}");
        let build = format!("forge ci{folder} {name} --platform \"$PLATFORM\" --part --no-publish");
        let (id, more) = if self.attests { ("publish", SUBJECTS) } else { ("", "") };
        let publish = format!(
            "forge ci:release{folder} {name} --platform \"$PLATFORM\" --part --publish{more}"
        );
        let build =
            Step { name: "Build and test", run: &build, env: &[platform], ..Step::default() };
        let env = [platform, TOKEN];
        let condition = "github.ref_type == 'tag'";
        let publish = Step { name: "Publish", id, condition, run: &publish, env: &env };
        let attest = if self.attests { steps::attest() } else { String::new() };
        build.render() + &publish.render() + &attest
    }
}

//! The workflow for GitHub Actions that spreads the pipeline over several jobs.
//!
//! A plan says which jobs there are; they run side by side; a last one says whether all is there, and
//! `done` is the one status to require. Jobs for pull requests have a token that can only read: what
//! they run is code that nobody accepted yet, perhaps from a fork. Where a job may write, only the step
//! that publishes is given the token.
//! Reference: "Workflow syntax for GitHub Actions" in GitHub's documentation.

use super::{
    Workflow,
    steps::{self, IS_ACCEPTED, IS_PROPOSED, MINUTES, READ, Step, WRITE},
};

/// A runner of GitHub's, and where steps begin.
const RUNNER: &str = "    runs-on: ubuntu-24.04\n";

/// What it is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadWorkflow {
    /// What a workflow of one job would be written from.
    pub plain: Workflow,
    /// How many jobs there may be.
    pub jobs: usize,
    /// Whether the workspace has a task `test` of its own: a job runs it that has everything.
    pub tests: bool,
}

impl SpreadWorkflow {
    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let comment = "Written by `forge ci:init --matrix`: a plan, the jobs it asks for, and `done`, the status to require.";
        let triggers = steps::triggers(&self.plain.default_branch, &self.plain.deploys);
        let mut before = vec!["plan", "check", "publish"];
        before.extend(self.tests.then_some("test"));
        let close = self.close(&before);
        before.push("close");
        [
            steps::head(comment, "forge", &triggers, true),
            self.plan(),
            self.check(),
            self.publish(),
            self.test(),
            close,
            self.plain.deploy_jobs("close"),
            self.plain.done(&before),
        ]
        .concat()
    }

    /// Checking out and installing.
    fn begin(&self, publishes: bool) -> String {
        format!(
            "    timeout-minutes: {MINUTES}\n    steps:\n{}{}",
            steps::checkout(""),
            self.plain.install.step("", publishes)
        )
    }

    fn plan(&self) -> String {
        let (folder, jobs) = (self.plain.folder_words(), self.jobs);
        let run = format!("forge matrix{folder} --misses --jobs {jobs}");
        let env = self.plain.all_logins();
        let step = Step { name: "Plan", id: "plan", run: &run, env: &env, ..Step::default() };
        format!(
            "{}{RUNNER}    outputs:\n      matrix: ${{{{ steps.plan.outputs.matrix }}}}\n      jobs: ${{{{ steps.plan.outputs.jobs }}}}\n{}{}",
            steps::job(
                "plan",
                self.plain.deploys.plans(),
                &[],
                &self.plain.registries.reading(READ)
            ),
            self.begin(false),
            step.render(),
        )
    }

    /// A job for each entry of the plan, when `condition` holds.
    fn spread(key: &str, condition: &str, permissions: &[&str]) -> String {
        let condition = format!("({condition}) && needs.plan.outputs.jobs != '0'");
        format!(
            "{}    runs-on: ${{{{ matrix.runner }}}}\n    strategy:\n      fail-fast: false\n      matrix: ${{{{ fromJSON(needs.plan.outputs.matrix) }}}}\n",
            steps::named_job((key, "${{ matrix.name }}"), &condition, &["plan"], permissions),
        )
    }

    fn check(&self) -> String {
        let mut env = vec![("COMMAND", "${{ matrix.command }}")];
        env.extend(self.plain.login());
        let step =
            Step { name: "Build and test", run: "eval \"$COMMAND\"", env: &env, ..Step::default() };
        Self::spread("check", &self.plain.deploys.at_work(IS_PROPOSED), READ)
            + &self.begin(false)
            + &step.render()
    }

    fn publish(&self) -> String {
        let mut env = vec![("COMMAND", "${{ matrix.command }}")];
        env.extend(self.plain.no_login());
        let build =
            Step { name: "Build and test", run: "eval \"$COMMAND\"", env: &env, ..Step::default() };
        let mut env = vec![("COMMAND", "${{ matrix.publish }}")];
        env.extend(self.plain.all_logins());
        let run = format!("eval \"$COMMAND{}\"", self.plain.wish());
        let publish = Step { name: "Publish", run: &run, env: &env, ..Step::default() };
        let condition = self.plain.deploys.at_work(IS_ACCEPTED);
        Self::spread("publish", &condition, &self.plain.registries.publishing(false))
            + &self.begin(true)
            + &build.render()
            + &publish.render()
    }

    /// The job that tests the workspace as a whole: by what was published, or by what a pull request
    /// makes of it.
    fn test(&self) -> String {
        if !self.tests {
            return String::new();
        }
        let folder = self.plain.folder_words();
        let run = format!("forge ci:build{folder}\nforge ci:test{folder}");
        let env = self.plain.login();
        let step = Step { name: "Test", run: &run, env: &env, ..Step::default() };
        let job = steps::job(
            "test",
            &self.plain.deploys.at_work("!cancelled() && !failure()"),
            &["plan", "check", "publish"],
            READ,
        );
        job + RUNNER + &self.begin(false) + &step.render()
    }

    /// The job that says what is missing after all the others, and releases the project on its tag.
    fn close(&self, before: &[&str]) -> String {
        let folder = self.plain.folder_words();
        let partial = if self.plain.registries.are_there() { " --partial" } else { "" };
        let run = format!("forge ci:close{folder}{partial}{}", steps::result_words(before));
        let results = steps::results(before);
        let mut env: Vec<(&str, &str)> =
            results.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env.extend(self.plain.all_logins());
        let step = Step { name: "Close", run: &run, env: &env, ..Step::default() };
        let condition = format!("!cancelled() && {}", self.plain.deploys.at_work(IS_ACCEPTED));
        let rights = self.plain.registries.reading(WRITE);
        let job = steps::job("close", &condition, before, &rights);
        let pages = self.plain.pages(&folder);
        job + RUNNER + &self.begin(true) + &step.render() + &pages
    }
}

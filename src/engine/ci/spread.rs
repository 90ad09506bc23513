//! The workflow for GitHub Actions that spreads the pipeline over several jobs.
//!
//! A plan says which jobs there are; they run side by side; a last one says whether all is there, and
//! is the one status to require. Jobs for pull requests have a token that can only read: what they
//! run is code that nobody accepted yet, perhaps from a fork. The closing job of a pull request
//! runs none of it. Steps are the same everywhere, by YAML anchors.
//! Reference: "Workflow syntax for GitHub Actions" in GitHub's documentation.

use super::{
    Workflow,
    quote::{json, shell_word},
};

/// When the closing job has to do with releases.
const CLOSING: &str = "github.event_name != 'pull_request' && !cancelled()";

/// What it is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadWorkflow {
    /// What a workflow of one job would be written from.
    pub plain: Workflow,
    /// How many jobs there may be.
    pub jobs: usize,
    /// Whether the workspace has a task `test` of its own: a job runs it that has everything.
    pub tests: bool,
    /// The version of forge, if that is a release of it: then runners keep what they once built.
    pub version: Option<&'static str>,
}

impl SpreadWorkflow {
    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let Workflow { default_branch, install, folder, claims } = &self.plain;
        let (branch, jobs) = (json(default_branch), self.jobs);
        let (install, keep, kept) = match self.version {
            Some(version) => {
                (json(&format!("command -v forge || {install}")), keep(version), "      - *keep\n")
            }
            None => (json(install), String::new(), ""),
        };
        let folder = match folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        let plan = json(&format!("forge matrix{folder} --misses --jobs {jobs}"));
        let before = ["plan", "check", "publish", "test"];
        let before = &before[..if self.tests { 4 } else { 3 }];
        let result = |job: &&str| format!("{job}=${{{{ needs.{job}.result }}}}");
        let results = before.iter().map(result).collect::<Vec<_>>().join(" ");
        let before = before.join(", ");
        let test = if self.tests { test(&folder, kept) } else { String::new() };
        let close = json(&format!("forge ci:close{folder} {results}"));
        format!(
            r#"# By `forge ci:init --matrix`: a plan, the jobs it asks for side by side, and `done`, the one status to require.
name: forge
on: {{ push: {{ branches: [{branch}], tags: ["v*"] }}, pull_request: {{}} }}
permissions: {{ contents: read }}
concurrency: {{ group: "forge-${{{{ github.ref }}}}", cancel-in-progress: "${{{{ github.event_name == 'pull_request' }}}}" }}
defaults: {{ run: {{ shell: bash }} }}
jobs:
  plan:
    runs-on: ubuntu-24.04
    outputs: {{ matrix: "${{{{ steps.plan.outputs.matrix }}}}", jobs: "${{{{ steps.plan.outputs.jobs }}}}" }}
    steps:
      - &checkout
        uses: actions/checkout@v5
        with: {{ persist-credentials: {claims}, fetch-depth: 0 }} # all tags: release notes need them
{keep}      - &install
        run: {install} # the runner has cargo, and builds this very version of forge from source
      - {{ id: plan, run: {plan}, env: &token {{ GITHUB_TOKEN: "${{{{ github.token }}}}" }} }}
  check:
    needs: plan
    if: github.event_name == 'pull_request' && needs.plan.outputs.jobs != '0'
    name: "${{{{ matrix.name }}}}"
    runs-on: "${{{{ matrix.runner }}}}"
    strategy: &matrix {{ fail-fast: false, matrix: "${{{{ fromJSON(needs.plan.outputs.matrix) }}}}" }}
    steps: &steps
      - *checkout
{kept}      - *install
      - {{ run: "${{{{ matrix.command }}}}", env: *token }}
  publish:
    needs: plan
    if: github.event_name != 'pull_request' && needs.plan.outputs.jobs != '0'
    name: "${{{{ matrix.name }}}}"
    runs-on: "${{{{ matrix.runner }}}}"
    permissions: {{ contents: write }}
    strategy: *matrix
    steps: *steps
{test}  done:
    needs: [{before}]
    if: always()
    runs-on: ubuntu-24.04
    permissions: {{ contents: write }}
    steps:
      - if: contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')
        run: {failed}
      - if: {CLOSING}
        uses: actions/checkout@v5
        with: {{ persist-credentials: false, fetch-depth: 0 }}
{closing_keep}      - {{ if: {CLOSING}, run: {install} }}
      - {{ if: {CLOSING}, run: {close}, env: *token }}
"#,
            closing_keep = keep.replace("- &keep\n        ", &format!("- if: {CLOSING}\n        ")),
            failed = json(&format!("echo '{results}'; exit 1")),
        )
    }
}

/// The step that keeps forge from one run to the next: a cache of a proposed change is no other's.
fn keep(version: &str) -> String {
    format!(
        r#"      - &keep
        uses: actions/cache@v4
        with: {{ path: "~/.cargo/bin/forge*", key: "forge-{version}-${{{{ runner.os }}}}-${{{{ runner.arch }}}}" }}
"#
    )
}

/// The job that tests the workspace as a whole: by what was published, or by what a pull request
/// makes of it.
fn test(folder: &str, kept: &str) -> String {
    let line = json(&format!("forge ci:build{folder} && forge ci:test{folder}"));
    format!(
        r#"  test:
    needs: [plan, check, publish]
    if: "!cancelled() && !failure()"
    runs-on: ubuntu-24.04
    steps:
      - *checkout
{kept}      - *install
      - {{ run: {line}, env: *token }}
"#
    )
}

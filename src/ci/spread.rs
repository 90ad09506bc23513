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

/// What it is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadWorkflow {
    /// What a workflow of one job would be written from.
    pub plain: Workflow,
    /// How many jobs there may be.
    pub jobs: usize,
}

impl SpreadWorkflow {
    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let Workflow { default_branch, install, folder, claims } = &self.plain;
        let (branch, install, jobs) = (json(default_branch), json(install), self.jobs);
        let folder = match folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        let plan = json(&format!("forge matrix{folder} --misses --jobs {jobs}"));
        let results = ["plan", "check", "publish"]
            .map(|job| format!("{job}=${{{{ needs.{job}.result }}}}"))
            .join(" ");
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
      - &install
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
      - *install
      - {{ run: "${{{{ matrix.command }}}}", env: *token }}
  publish:
    needs: plan
    if: github.event_name != 'pull_request' && needs.plan.outputs.jobs != '0'
    name: "${{{{ matrix.name }}}}"
    runs-on: "${{{{ matrix.runner }}}}"
    permissions: {{ contents: write }}
    strategy: *matrix
    steps: *steps
  done:
    needs: [plan, check, publish]
    if: always()
    runs-on: ubuntu-24.04
    permissions: {{ contents: write }}
    steps:
      - if: contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')
        run: {failed}
      - if: github.event_name != 'pull_request' && !cancelled()
        uses: actions/checkout@v5
        with: {{ persist-credentials: false, fetch-depth: 0 }}
      - {{ if: github.event_name != 'pull_request' && !cancelled(), run: {install} }}
      - {{ if: github.event_name != 'pull_request' && !cancelled(), run: {close}, env: *token }}
"#,
            failed = json(&format!("echo '{results}'; exit 1")),
        )
    }
}

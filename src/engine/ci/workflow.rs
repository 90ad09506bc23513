//! The workflow for GitHub Actions that calls the pipeline.
//!
//! Pull requests get a job of their own, whose token can only read: what they run is code that
//! nobody accepted yet. The steps of both jobs are the same, by a YAML anchor.
//! Reference: "Workflow syntax for GitHub Actions" in GitHub's documentation.

use super::quote::{json, shell_word};

/// What a workflow is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// The branch whose pushes publish.
    pub default_branch: String,
    /// The shell line that puts forge onto the runner.
    pub install: String,
    /// The folder of the workspace in the repository; empty if they are the same.
    pub folder: String,
    /// Whether versions are made, each of which is claimed by a tag: then git has to get in.
    pub claims: bool,
}

impl Workflow {
    /// Where it belongs, from the top of the repository.
    pub const PATH: &'static str = ".github/workflows/forge.yml";

    /// The line that builds `version` of forge from its git repository at `url`.
    #[must_use]
    pub fn install_from(url: &str, version: &str) -> String {
        format!("cargo install --locked --git {} --tag v{version} forge", shell_word(url))
    }

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let (branch, claims) = (json(&self.default_branch), self.claims);
        let install = json(&self.install);
        let folder = match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        };
        let ci = json(&format!("forge ci{folder}"));
        format!(
            r#"# By `forge ci:init`. Pull requests build and test with a token that can only read.
name: forge
on: {{ push: {{ branches: [{branch}], tags: ["v*"] }}, pull_request: {{}} }}
jobs:
  check:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-24.04
    permissions: {{ contents: read }}
    steps: &steps
      - uses: actions/checkout@v5
        with: {{ persist-credentials: {claims}, fetch-depth: 0 }} # all tags: release notes need them
      - run: {install} # the runner has cargo, and builds this very version of forge from source
      - {{ run: {ci}, env: {{ GITHUB_TOKEN: "${{{{ github.token }}}}" }} }}
  publish: {{ if: github.event_name != 'pull_request', runs-on: ubuntu-24.04, permissions: {{ contents: write }}, steps: *steps }}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(folder: &str) -> Workflow {
        Workflow {
            default_branch: "main".into(),
            install: Workflow::install_from("https://example.org/forge.git", "1.2.3"),
            folder: folder.into(),
            claims: false,
        }
    }

    #[test]
    fn it_is_short_and_says_where_forge_comes_from() {
        let text = workflow("").render();
        assert!(text.lines().count() <= 15, "{text}");
        assert!(text.contains(
            r#"- run: "cargo install --locked --git https://example.org/forge.git --tag v1.2.3 forge" #"#
        ));
        assert!(text.contains("{ run: \"forge ci\", env:"), "{text}");
    }

    #[test]
    fn a_workspace_in_a_folder_is_named() {
        let text = workflow("my stack").render();
        assert!(text.contains(r#"{ run: "forge ci -C 'my stack'", env:"#), "{text}");
    }
}

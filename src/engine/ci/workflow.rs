//! The workflow for GitHub Actions that calls the pipeline.
//!
//! Pull requests get a job of their own, whose token can only read: what they run is code that
//! nobody accepted yet. The job that publishes gives its token to the step that publishes, and to no
//! other.
//! Reference: "Workflow syntax for GitHub Actions" in GitHub's documentation.

use super::{
    ForgeInstall, WorkflowDeploys, WorkflowRegistries,
    quote::shell_word,
    steps::{
        self, GIT_LOCAL, GIT_LOGIN, IS_ACCEPTED, IS_PROPOSED, MINUTES, READ, SUBJECTS, Step, TOKEN,
    },
};

/// What a workflow is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// The branch whose pushes publish.
    pub default_branch: String,
    /// How forge gets onto the runner.
    pub install: ForgeInstall,
    /// The folder of the workspace in the repository; empty if they are the same.
    pub folder: String,
    /// Whether versions are made, each of which is claimed by a tag: then git has to get in.
    pub claims: bool,
    /// Whether the workspace has a task `ci:pages`.
    pub has_pages: bool,
    /// Whether GitHub attests what is published.
    pub attests: bool,
    /// Where images are pushed to.
    pub registries: WorkflowRegistries,
    /// What it deploys to where.
    pub deploys: WorkflowDeploys,
}

impl Workflow {
    /// Where it belongs, from the top of the repository.
    pub const PATH: &'static str = ".github/workflows/forge.yml";

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        let (folder, selection) = (self.folder_words(), self.registries.selection());
        let triggers = steps::triggers(&self.default_branch, &self.deploys);
        let comment = "Written by `forge ci:init`. Require the status `done`.";
        let build =
            |run: &str, env| Step { name: "Build and test", run, env, ..Step::default() }.render();
        let runner =
            format!("    runs-on: ubuntu-24.04\n    timeout-minutes: {MINUTES}\n    steps:\n");
        [
            steps::head(comment, "forge", &triggers, true),
            steps::job("check", &self.deploys.at_work(IS_PROPOSED), &[], READ),
            runner.clone(),
            steps::checkout(""),
            self.install.step("", false),
            build(&format!("forge ci{folder}{selection}"), &self.login()),
            steps::job("publish", &self.deploys.at_work(IS_ACCEPTED), &[], &self.rights()),
            runner,
            steps::checkout(""),
            self.install.step("", true),
            build(&format!("forge ci{folder}{selection} --no-publish"), &self.no_login()),
            self.publish(&format!("forge ci:release{folder}{}", self.wish())),
            if self.attests { steps::attest() } else { String::new() },
            self.pages(&folder),
            self.deploy_jobs("publish"),
            self.done(&["check", "publish"]),
        ]
        .concat()
    }

    /// The one status to require, after the jobs `before` and those that deploy.
    pub(super) fn done(&self, before: &[&str]) -> String {
        let deploys = self.deploys.keys();
        let all: Vec<&str> =
            before.iter().copied().chain(deploys.iter().map(String::as_str)).collect();
        steps::done(&all)
    }

    /// What makes a branch that is not the default one publish what it then deploys.
    pub(super) fn wish(&self) -> &'static str {
        if self.deploys.has_others_than(&self.default_branch) { " --publish" } else { "" }
    }

    /// What names the folder of the workspace to forge.
    pub(super) fn folder_words(&self) -> String {
        match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" -C {}", shell_word(folder)),
        }
    }

    /// The step that publishes.
    pub(super) fn publish(&self, run: &str) -> String {
        let (id, more) = if self.attests { ("publish", SUBJECTS) } else { ("", "") };
        let run = format!("{run}{more}");
        Step { name: "Publish", id, run: &run, env: &self.all_logins(), ..Step::default() }.render()
    }

    /// What the job may that publishes.
    pub(super) fn rights(&self) -> Vec<&'static str> {
        self.registries.publishing(self.attests)
    }

    /// What a step gets that builds beside one that publishes.
    pub(super) fn no_login(&self) -> Vec<(&'static str, &'static str)> {
        GIT_LOCAL.into_iter().filter(|_| self.claims).collect()
    }

    /// What a step gets that may have the token of its job.
    pub(super) fn login(&self) -> Vec<(&'static str, &'static str)> {
        let git = GIT_LOGIN.into_iter().filter(|_| self.claims);
        [TOKEN].into_iter().chain(git).collect()
    }

    /// What a step gets that may also have the logins to registries.
    pub(super) fn all_logins(&self) -> Vec<(&'static str, &str)> {
        self.login().into_iter().chain(self.registries.logins()).collect()
    }

    /// The step that publishes pages, if there are some.
    pub(super) fn pages(&self, folder: &str) -> String {
        let run = format!("forge ci:pages{folder}");
        let step = Step { name: "Publish pages", run: &run, env: &[TOKEN], ..Step::default() };
        if self.has_pages { step.render() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(folder: &str) -> Workflow {
        Workflow {
            default_branch: "main".into(),
            install: ForgeInstall::from_git("https://example.org/forge.git", "1.2.3"),
            folder: folder.into(),
            claims: false,
            has_pages: false,
            attests: false,
            registries: WorkflowRegistries::default(),
            deploys: WorkflowDeploys::default(),
        }
    }

    #[test]
    fn only_the_step_that_publishes_has_the_token_that_writes() {
        let text = workflow("").render();
        let publish = text.split("  publish:\n").nth(1).unwrap().split("  done:\n").next().unwrap();
        assert!(publish.contains("contents: write"), "{text}");
        let steps: Vec<_> =
            publish.split("      - ").filter(|step| step.contains("GITHUB_TOKEN")).collect();
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert!(steps[0].contains("run: forge ci:release\n"), "{steps:?}");
        assert!(text.contains("run: cargo install --locked --git https://example.org/forge.git --tag forge-v1.2.3 forge\n"));
        assert!(!text.contains('&') || !text.contains(": &"), "no anchors");
    }

    #[test]
    fn what_was_published_is_attested_by_a_step_of_its_own() {
        let text = Workflow { attests: true, ..workflow("") }.render();
        assert!(
            text.contains("run: forge ci:release --subjects \"$RUNNER_TEMP/published.sha256\"\n")
        );
        assert!(
            text.contains("subject-checksums: ${{ steps.publish.outputs.subjects }}\n"),
            "{text}"
        );
        assert_eq!(text.matches("id-token: write").count(), 1, "{text}");
        assert!(!workflow("").render().contains("attest"));
    }

    #[test]
    fn only_images_give_rights_and_logins_for_registries() {
        assert!(!workflow("").render().contains("packages:"));
        let with = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            let registries = WorkflowRegistries { hosts, follow_tags: true };
            Workflow { registries, ..workflow("") }.render()
        };
        let text = with(&["ghcr.io"]);
        assert_eq!(text.matches("packages: write").count(), 1, "{text}");
        assert!(!text.contains("REGISTRY") && text.contains("run: forge ci --affected\n"));
        let text = with(&["r.example.org"]);
        assert!(!text.contains("packages:"), "{text}");
        assert_eq!(text.matches("FORGE_REGISTRY: r.example.org\n").count(), 1, "{text}");
        assert_eq!(text.matches("secrets.REGISTRY_TOKEN").count(), 1, "{text}");
        assert!(with(&["a.example.org", "b.example.org"]).contains("secrets.DOCKER_AUTH_CONFIG"));
    }

    #[test]
    fn a_workspace_in_a_folder_is_named() {
        let text = workflow("my stack").render();
        assert!(text.contains("run: forge ci -C 'my stack'\n"), "{text}");
    }

    #[test]
    fn git_gets_in_only_where_versions_are_claimed() {
        assert!(!workflow("").render().contains("credential.helper"));
        let text = Workflow { claims: true, ..workflow("") }.render();
        assert_eq!(text.matches("credential.helper").count(), 2, "{text}");
        // The step that builds beside the one that publishes asks the clone.
        assert_eq!(text.matches(".insteadOf").count(), 1, "{text}");
    }
}

//! The jobs of a workflow that deploy: one for each environment that a branch or a tag deploys to, so that
//! GitHub's own rules for environments hold: who must approve, how long to wait, which secrets there are.
//!
//! `deployment: false`, since GitHub would make a record of its own for the job, beside those that forge
//! makes. One deployment to an environment runs at a time; of those that wait, GitHub keeps the last.
//! `exec`, since a runner that is cancelled signals the first process of a step, and a shell passes
//! nothing on.

use super::{
    Workflow,
    quote::{scalar, shell_word},
    steps::{self, MINUTES, Step, TOKEN},
};

/// What of deployments a workflow is written from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowDeploys {
    /// The environments that a branch or a tag deploys to, those that come after others behind them.
    pub environments: Vec<WorkflowEnvironment>,
    /// The secrets that deployments cannot do without.
    pub secrets: Vec<String>,
    /// The environment for pull requests.
    pub preview: Option<String>,
    /// Whether the runner is asked for the identity of the run.
    pub has_identity: bool,
}

/// What tells the job of one deployment from that of another.
struct DeployJob<'a> {
    key: &'a str,
    label: &'a str,
    condition: &'a str,
    needs: &'a [&'a str],
    rights: &'a [&'static str],
    /// Of those in the same group, one runs at a time.
    group: &'a str,
    place: &'a str,
    run: &'a str,
}

/// The pull requests that have previews: forge would say of others that they have none.
const OWN_PROPOSAL: &str = "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository";
/// When previews are swept.
const SWEEP: &str = "17 3 * * *";
/// What a job may that deploys.
const DEPLOYING: [&str; 3] = [
    "contents: read # checks the repository out, and downloads what is released",
    "deployments: write # writes down what is deployed",
    "statuses: write # says so beside the commit",
];

/// An environment that runs of CI deploy to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowEnvironment {
    /// Its name.
    pub name: String,
    /// The branch that deploys to it.
    pub branch: Option<String>,
    /// The pattern of the tags that do.
    pub tag: Option<String>,
    /// The environment that it comes after.
    pub after: Option<String>,
}

impl WorkflowEnvironment {
    /// The key of its job.
    fn key(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let plain = self.name.chars().map(|c| if is_plain(c) { c } else { '-' });
        format!("deploy-{}", plain.collect::<String>())
    }

    /// When its job runs. forge decides the rest by itself.
    fn condition(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let branch = self.branch.as_ref();
        let branch = branch
            .map(|branch| format!("github.ref == {}", quoted(&format!("refs/heads/{branch}"))));
        let tag = self.tag.as_ref().map(|tag| {
            let start = tag.split('*').next().unwrap_or_default();
            format!("startsWith(github.ref, {})", quoted(&format!("refs/tags/{start}")))
        });
        let refs: Vec<String> = branch.into_iter().chain(tag).collect();
        format!(
            "(github.event_name == 'push' || github.event_name == 'workflow_dispatch') && ({})",
            refs.join(" || ")
        )
    }
}

impl WorkflowDeploys {
    /// The branches and the patterns of tags that start it, besides those that always do.
    pub(super) fn triggers(&self) -> (Vec<&str>, Vec<&str>) {
        let all = || self.environments.iter();
        let branches = all().filter_map(|it| it.branch.as_deref()).collect();
        (branches, all().filter_map(|it| it.tag.as_deref()).collect())
    }

    /// Whether a branch deploys that is not `usual`, and so must publish what it deploys.
    pub(super) fn has_others_than(&self, usual: &str) -> bool {
        self.environments.iter().any(|it| it.branch.as_deref().is_some_and(|it| it != usual))
    }

    /// The keys of its jobs.
    pub(super) fn keys(&self) -> Vec<String> {
        let previews = self.preview.iter().flat_map(|_| ["preview", "preview-sweep"]);
        let all = self.environments.iter().map(WorkflowEnvironment::key);
        all.chain(previews.map(str::to_owned)).collect()
    }

    /// How the workflow is started by pull requests, and by the clock.
    pub(super) fn proposals(&self) -> String {
        match self.preview {
            None => "  pull_request:\n".to_owned(),
            Some(_) => format!(
                "  pull_request:\n    types:\n      - opened\n      - synchronize\n      - reopened\n      - closed\n  schedule:\n    - cron: {}\n",
                scalar(SWEEP)
            ),
        }
    }

    /// When it is looked what there is to do; always, if that is empty.
    pub(super) fn plans(&self) -> &'static str {
        let needed = "github.event.action != 'closed' && github.event_name != 'schedule'";
        if self.preview.is_some() { needed } else { "" }
    }

    /// `condition`, where there is something to check or to publish: not where a pull request is closed, and
    /// not where previews are swept.
    pub(super) fn at_work(&self, condition: &str) -> String {
        match self.plans() {
            "" => condition.to_owned(),
            more => format!("({condition}) && {more}"),
        }
    }
}

impl Workflow {
    /// The jobs that deploy, after the job `before`.
    pub(super) fn deploy_jobs(&self, before: &str) -> String {
        let all = self.deploys.environments.iter().map(|it| self.deploy_job(it, before));
        all.chain(self.deploys.preview.iter().map(|name| self.preview_jobs(name))).collect()
    }

    /// The jobs for previews: of a pull request, and of those that nobody needs any more.
    fn preview_jobs(&self, name: &str) -> String {
        let comments = ["pull-requests: write # one comment says how the preview is"];
        let rights: Vec<&'static str> = DEPLOYING.into_iter().chain(comments).collect();
        let (folder, place) = (self.folder_words(), scalar(name));
        let deploy = self.job(&DeployJob {
            key: "preview",
            label: "preview",
            condition: OWN_PROPOSAL,
            needs: &[],
            rights: &rights,
            group: "preview-${{ github.event.pull_request.number }}",
            place: &place,
            run: &format!("exec forge ci:deploy{folder} --to {}", shell_word(name)),
        });
        let sweep = self.job(&DeployJob {
            key: "preview-sweep",
            label: "sweep previews",
            condition: "github.event_name == 'schedule'",
            needs: &[],
            rights: &rights,
            group: "preview-sweep",
            place: &place,
            run: &format!("exec forge preview:sweep{folder}"),
        });
        deploy + &sweep
    }

    fn deploy_job(&self, environment: &WorkflowEnvironment, before: &str) -> String {
        let WorkflowEnvironment { name, branch, tag, after } = environment;
        // Only of the same run: else what it comes after was deployed to long ago.
        let is_before = |it: &&WorkflowEnvironment| {
            Some(&it.name) == after.as_ref() && (&it.branch, &it.tag) == (branch, tag)
        };
        let earlier =
            self.deploys.environments.iter().find(is_before).map(WorkflowEnvironment::key);
        let needs: Vec<&str> = [before].into_iter().chain(earlier.as_deref()).collect();
        let (key, label) = (environment.key(), scalar(&format!("deploy to {name}")));
        self.job(&DeployJob {
            key: &key,
            label: &label,
            condition: &environment.condition(),
            needs: &needs,
            rights: &DEPLOYING,
            group: &scalar(&format!("deploy-{name}")),
            place: &scalar(name),
            run: &format!("exec forge ci:deploy{} --to {}", self.folder_words(), shell_word(name)),
        })
    }

    fn job(&self, job: &DeployJob<'_>) -> String {
        let DeployJob { key, label, condition, needs, group, place, run, .. } = *job;
        let identity =
            self.deploys.has_identity.then_some("id-token: write # who runs it, for clouds");
        let rights: Vec<&'static str> = job.rights.iter().copied().chain(identity).collect();
        let head =
            steps::named_job((key, label), condition, needs, &self.registries.reading(&rights));
        let secrets: Vec<(String, String)> = self.deploys.secrets.iter().map(secret).collect();
        let secrets = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let logins = self.registries.logins();
        let env: Vec<(&str, &str)> = [TOKEN].into_iter().chain(logins).chain(secrets).collect();
        let step = Step { name: "Deploy", run, env: &env, ..Step::default() };
        [
            head,
            format!("    concurrency:\n      group: {group}\n      cancel-in-progress: false\n"),
            format!(
                "    environment:\n      name: {place}\n      deployment: false # forge makes the records\n"
            ),
            format!("    runs-on: ubuntu-24.04\n    timeout-minutes: {MINUTES}\n    steps:\n"),
            steps::checkout(""),
            self.install.step("", true),
            step.render(),
        ]
        .concat()
    }
}

/// A secret of GitHub as the variable of the same name.
fn secret(name: &String) -> (String, String) {
    (name.clone(), format!("${{{{ secrets.{name} }}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_name_what_deploys_there() {
        let environment = WorkflowEnvironment {
            name: "pro.eu".into(),
            branch: Some("it's".into()),
            tag: Some("v*".into()),
            after: None,
        };
        assert_eq!(environment.key(), "deploy-pro-eu");
        assert!(environment.condition().ends_with(
            "(github.ref == 'refs/heads/it''s' || startsWith(github.ref, 'refs/tags/v'))"
        ));
    }
}

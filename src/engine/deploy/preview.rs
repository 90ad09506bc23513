//! Previews: an environment for each pull request, whose name is `pr-NUMBER`. What there is of them is a
//! fold of the ledger, as all else: a preview is there from its first deployment until one that destroys
//! it succeeded.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{Artifact, DeployHistory, DeployOrder, DeployState, Deployment};
use crate::{
    model::{Environment, Fault, Kind, Name},
    process::{Command, CommandLine, CommandRunner, Inherit},
    provenance::{Permission, Surroundings, may_publish},
    workspace::{Deploy, DeployEnvironment, Workspace},
};

/// The label that keeps a preview from being swept.
pub const KEEP_LABEL: &str = "keep-preview";
/// How long a list of stacks may take.
const LISTING: Duration = Duration::from_secs(60);

/// A preview that is there.
#[derive(Clone, Debug)]
pub struct LivePreview<'h> {
    /// The number of the pull request.
    pub number: u64,
    /// The last deployment of each subsystem that is there, by its name.
    pub deployments: BTreeMap<&'h str, &'h Deployment>,
}

impl LivePreview<'_> {
    /// How long ago something was deployed to it last, at the time `now`.
    pub fn idle(&self, now: Timestamp) -> Duration {
        let times = self.deployments.values().filter_map(|it| it.since().parse::<Timestamp>().ok());
        times.max().map_or(Duration::ZERO, |last| {
            Duration::try_from(now.duration_since(last)).unwrap_or_default()
        })
    }

    /// `pr-7 (api, web)`.
    pub fn label(&self) -> String {
        let names: Vec<&str> = self.deployments.keys().copied().collect();
        format!("pr-{} ({})", self.number, names.join(", "))
    }
}

/// The previews that are there, by their numbers.
pub fn live_previews(history: &DeployHistory) -> Vec<LivePreview<'_>> {
    let mut all: BTreeMap<u64, BTreeMap<&str, &Deployment>> = BTreeMap::new();
    for one in history.began.iter().filter_map(|id| history.all.get(id)) {
        let Some(number) = one.pull_request else { continue };
        let deployments = all.entry(number).or_default();
        match (one.destroys, one.state() == DeployState::Succeeded) {
            (true, true) => drop(deployments.remove(one.name.as_str())),
            // What could not be removed is there since it was deployed.
            (true, false) => {}
            (false, _) => drop(deployments.insert(&one.name, one)),
        }
    }
    let live = all.into_iter().filter(|(_, deployments)| !deployments.is_empty());
    live.map(|(number, deployments)| LivePreview { number, deployments }).collect()
}

/// Whether one more preview may be in `environment`, for the deployment `before`: all count that are there, and those
/// that were asked for before it, so that of several that come at once each knows who has the last place.
///
/// # Errors
/// `Usage` if there is no room.
pub fn has_room(
    environment: &DeployEnvironment,
    history: &DeployHistory,
    before: u64,
) -> Result<(), Fault> {
    let Some(number) = environment.pull_request else { return Ok(()) };
    let live = live_previews(history);
    let mut others: BTreeMap<u64, String> = live.iter().map(|it| (it.number, it.label())).collect();
    let coming = history.all.range(..before).map(|(_, it)| it);
    for one in coming.filter(|it| !it.state().is_over() && !it.destroys) {
        let Some(number) = one.pull_request else { continue };
        others.entry(number).or_insert_with(|| format!("pr-{number} ({}, asked for)", one.name));
    }
    others.remove(&number);
    if others.len() < environment.max as usize {
        return Ok(());
    }
    let what = format!("there is no room for the preview of pull request {number}");
    let all: Vec<String> = others.into_values().collect();
    let (count, all) = (all.len(), all.join(", "));
    Err(Fault::new(Kind::Usage, what)
        .because(format!("{count} are there, which is all that `max` allows: {all}"))
        .hint("`forge preview:destroy NUMBER` makes room, or a greater `max` in versions.yml"))
}

/// Whether this run may deploy a preview, or destroy its own. Of proposed changes, those that come from the
/// repository itself: a fork's code would run with what the job knows.
pub fn may_preview(surroundings: &Surroundings) -> Permission {
    let no = |why: &str| Permission::Never(why.to_owned());
    let by_change = |is_own_event: bool| match surroundings.change() {
        Some(change) if change.is_fork => {
            no("this pull request comes from a fork, and forks have no previews")
        }
        Some(change) if is_own_event => {
            Permission::Yes(format!("this is pull request {}", change.number))
        }
        _ => no("this run is not for a pull request"),
    };
    match surroundings {
        Surroundings::Laptop => Permission::OnRequest("this is not CI".into()),
        Surroundings::GitHub(run) => by_change(run.event == "pull_request"),
        Surroundings::GitLab(job) => by_change(job.is_merge_request),
        Surroundings::OtherCi(_) => no("this CI does not say which pull request it is for"),
    }
}

/// Whether this run may sweep previews: whoever runs what was accepted.
pub fn may_sweep(surroundings: &Surroundings) -> Permission {
    match may_publish(surroundings) {
        Permission::Never(why) => Permission::Never(format!("this run destroys nothing: {why}")),
        other => other,
    }
}

/// The stacks of the program of `deploy` that are called as those of pull requests are, as the ledger calls
/// them, each with the number of the pull request.
///
/// # Errors
/// If they cannot be listed.
pub async fn stacks_of_pull_requests(
    (name, deploy): (&Name, &Deploy),
    template: &DeployEnvironment,
    workspace: &Workspace,
    runner: &dyn CommandRunner,
    variables: &Environment,
) -> Result<Vec<(String, u64)>, Fault> {
    let Some(program) = &deploy.pulumi else { return Ok(Vec::new()) };
    let words = ["pulumi", "stack", "ls", "--json", "--non-interactive", "-C", &program.folder];
    let layout = &workspace.layout;
    let mut command = Command {
        inherit: Inherit::of_task(deploy.pass_env.iter().chain(&deploy.secrets), false),
        path: vec![layout.bin()],
        timeout: Some(LISTING),
        ..Command::new(CommandLine::Argv(words.map(str::to_owned).to_vec()), layout.root())
    };
    command.env.insert("PULUMI_SKIP_UPDATE_CHECK".into(), "true".into());
    let mut text = String::new();
    runner
        .run(&command, &mut |line| {
            text.push_str(line);
            text.push('\n');
        })
        .await?;
    let listed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let listed = listed.as_array().into_iter().flatten();
    let mut found = Vec::new();
    for stack in listed.filter_map(|stack| stack["name"].as_str()) {
        let own = stack.rsplit('/').next().unwrap_or(stack);
        for number in numbers(own) {
            let environment = template.of_pull_request(number);
            let any = Artifact::Packed { asset: String::new(), digest: "sha256:0".into() };
            let what = ("v0", &any);
            let order = DeployOrder::new((name, deploy), &environment, what, variables)?;
            let called = order.program_stack.rsplit('/').next().unwrap_or_default();
            if called == own {
                found.push((order.stack, number));
                break;
            }
        }
    }
    Ok(found)
}

/// The numbers in `text`.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::{ActionsRun, ProposedChange};

    #[test]
    fn forks_have_no_previews() {
        let run = |event: &str, is_fork| {
            let change = Some(ProposedChange { number: 7, is_fork, ..ProposedChange::default() });
            let run = ActionsRun { event: event.into(), change, ..ActionsRun::default() };
            Surroundings::GitHub(run)
        };
        let is_yes = |it: &Surroundings| matches!(may_preview(it), Permission::Yes(_));
        assert!(is_yes(&run("pull_request", false)));
        let bare = ActionsRun { event: "pull_request".into(), ..ActionsRun::default() };
        for refused in [
            run("pull_request", true),
            run("pull_request_target", false),
            run("pull_request_target", true),
            Surroundings::GitHub(bare),
        ] {
            assert!(matches!(may_preview(&refused), Permission::Never(_)), "{refused:?}");
        }
    }
}

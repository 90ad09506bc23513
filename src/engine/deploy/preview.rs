//! Previews: an environment for each pull request, whose name is `pr-NUMBER`. What there is of them is a
//! fold of the ledger, as all else: a preview is there from its first deployment until one that destroys
//! it succeeded.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{DeployHistory, DeployState, Deployment};
use crate::provenance::{Permission, Surroundings};

/// The label that keeps a preview from being swept.
pub const KEEP_LABEL: &str = "keep-preview";

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
        let last = self.deployments.values().filter_map(|it| it.since().parse::<Timestamp>().ok()).max();
        let idle = last.map_or(Duration::ZERO, |last| {
            Duration::try_from(now.duration_since(last)).unwrap_or_default()
        });
        idle
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
        if one.destroys && one.state() == DeployState::Succeeded {
            deployments.remove(one.name.as_str());
        } else {
            deployments.insert(&one.name, one);
        }
    }
    let live = all.into_iter().filter(|(_, deployments)| !deployments.is_empty());
    live.map(|(number, deployments)| LivePreview { number, deployments }).collect()
}

/// Whether this run may deploy a preview, or destroy one. Of proposed changes, those that come from the
/// repository itself: a fork's code would run with what the job knows.
pub fn may_preview(surroundings: &Surroundings) -> Permission {
    let no = |why: &str| Permission::Never(why.to_owned());
    let by_change = |is_own_event: bool| match surroundings.change() {
        Some(change) if change.is_fork => {
            no("this pull request comes from a fork, and forks have no previews")
        }
        Some(change) if is_own_event => Permission::Yes(format!("this is pull request {}", change.number)),
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
    match crate::provenance::may_publish(surroundings) {
        Permission::Never(why) => Permission::Never(format!("this run destroys nothing: {why}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::{ActionsRun, ProposedChange};

    #[test]
    fn forks_have_no_previews() {
        let run = |event: &str, is_fork| {
            let change = Some(ProposedChange { number: 7, is_fork, ..ProposedChange::default() });
            Surroundings::GitHub(ActionsRun { event: event.into(), change, ..ActionsRun::default() })
        };
        let is_yes = |it: &Surroundings| matches!(may_preview(it), Permission::Yes(_));
        assert!(is_yes(&run("pull_request", false)));
        for refused in [
            run("pull_request", true),
            run("pull_request_target", false),
            run("pull_request_target", true),
            Surroundings::GitHub(ActionsRun { event: "pull_request".into(), ..ActionsRun::default() }),
        ] {
            assert!(matches!(may_preview(&refused), Permission::Never(_)), "{refused:?}");
        }
    }
}

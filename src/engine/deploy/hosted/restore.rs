//! From records at GitHub back to deployments: what machines that share no disk know of each other.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use super::{github, words};
use crate::{
    deploy::{DeployOwner, DeployState, Deployment, StateChange},
    model::Fault,
    process::ProcessId,
    store::{RepositoryApi, RepositoryHost},
};

/// How many records of an environment are looked at, the newest ones.
const MOST: usize = 30;
/// How many pages of records are looked through.
const PAGES: usize = 3;

/// What records tell.
#[derive(Clone, Debug, Default)]
pub struct RecordedDeployments {
    /// What is over, the oldest first.
    pub over: Vec<Deployment>,
    /// What goes on elsewhere, as far as one can tell.
    pub active: Vec<Deployment>,
}

/// What the records at the host tell of `environments`, each with how many seconds a deployment to it may take; seen
/// from the run at the page `run`.
///
/// # Errors
/// `Store` if they cannot be read.
pub async fn recorded(
    api: &RepositoryApi,
    environments: &[(&str, i64)],
    run: Option<&str>,
) -> Result<RecordedDeployments, Fault> {
    let mut found = RecordedDeployments::default();
    // GitLab keeps nothing of ours with a deployment.
    if api.kind() != RepositoryHost::GitHub {
        return Ok(found);
    }
    for (environment, limit) in environments {
        let query = [("environment", *environment)];
        let records = api.list(&["deployments"], &query, PAGES).await?;
        let mut newest = BTreeSet::new();
        let ours = records.iter().filter_map(|record| Some((record, payload(record)?)));
        // Of a pull request it counts what was last, however much there is of others.
        let is_meant = |(_, it): &(&Value, Deployment)| match it.pull_request {
            Some(_) => newest.insert((it.environment.clone(), it.name.clone())),
            None => it.environment == *environment,
        };
        for (record, deployment) in ours.filter(is_meant).take(MOST) {
            let number = record["id"].as_u64().unwrap_or_default().to_string();
            let states = api.list(&["deployments", &number, "statuses"], &[], 1).await?;
            let created = record["created_at"].as_str().unwrap_or_default();
            let mut deployment = Deployment { changes: changes(created, &states), ..deployment };
            if !deployment.state().is_over() && is_gone(&deployment, created, *limit, run) {
                let why = "whoever ran it is gone, and did not say how it ended";
                let end = StateChange {
                    at: created.to_owned(),
                    ..StateChange::now(DeployState::Interrupted, why)
                };
                deployment.changes.push(end);
            }
            match deployment.state().is_over() {
                true => found.over.push(deployment),
                false => found.active.push(deployment),
            }
        }
    }
    // The newest come first, and times are whole seconds: of what began in the same one, the order stays.
    found.over.reverse();
    found.over.sort_by(|a, b| began(a).cmp(began(b)));
    Ok(found)
}

fn began(deployment: &Deployment) -> &str {
    deployment.changes.first().map_or("", |change| &change.at)
}

/// The deployment that a record is of, if it is forge's.
pub(super) fn payload(record: &Value) -> Option<Deployment> {
    let payload = &record["payload"];
    let parsed: Value = match payload.as_str() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => payload.clone(),
    };
    let found: Deployment =
        serde_json::from_value(parsed[github::KEY]["deployment"].clone()).ok()?;
    // Commands are told these, and whoever may write records wrote them.
    let is_word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+:/-".contains(c))
    };
    let words = [&found.name, &found.environment, &found.version];
    let are_words = words.iter().all(|it| is_word(it)) && is_word(found.artifact.digest());
    Some(found).filter(|_| are_words)
}

/// The states that `statuses` tell, which come newest first, with those between them that nobody posted.
fn changes(created: &str, statuses: &[Value]) -> Vec<StateChange> {
    let change = |at: &str, state, why: &str| StateChange {
        at: at.to_owned(),
        ..StateChange::now(state, why)
    };
    let mut all =
        vec![change(created, DeployState::Queued, "recorded by the host of the repository")];
    let mut state = DeployState::Queued;
    for status in statuses.iter().rev() {
        let text = |key: &str| status[key].as_str().unwrap_or_default();
        let Some((next, why)) = words::state(text("description")) else { continue };
        let Some(between) = way(state, next) else { continue };
        all.extend(between.into_iter().map(|state| change(text("created_at"), state, "recorded")));
        all.push(change(text("created_at"), next, why));
        state = next;
    }
    all
}

/// The states between `from` and `to`, neither of them included; nothing if there is no way.
fn way(from: DeployState, to: DeployState) -> Option<Vec<DeployState>> {
    let mut ways = VecDeque::from([vec![from]]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last.may_become(to) {
            return Some(way[1..].to_vec());
        }
        let next = DeployState::ALL.into_iter().filter(|next| last.may_become(*next));
        ways.extend(next.filter(|next| !way.contains(next)).map(|next| {
            let mut longer = way.clone();
            longer.push(next);
            longer
        }));
    }
    None
}

/// Whether nobody is at `deployment` any more.
fn is_gone(deployment: &Deployment, created: &str, limit: i64, run: Option<&str>) -> bool {
    let now = Timestamp::now();
    let is_late =
        created.parse::<Timestamp>().is_ok_and(|at| now.as_second() - at.as_second() > limit);
    let DeployOwner { host, process } = &deployment.owner;
    let own = DeployOwner::this();
    let has_ended = *host == own.host && ProcessId::find(process.pid) != Some(*process);
    let is_earlier_attempt = run.is_some_and(|run| is_earlier_attempt(&deployment.run, run));
    is_late || has_ended || is_earlier_attempt
}

/// Whether the run that `deployed` describes is an earlier attempt of the one whose page is `here`. Attempts
/// of a run follow each other; the jobs of one attempt run beside each other.
fn is_earlier_attempt(deployed: &str, here: &str) -> bool {
    let attempt = |page: &str| -> Option<(String, u64)> {
        let (run, number) = page.rsplit_once("/attempts/")?;
        Some((run.to_owned(), number.parse().ok()?))
    };
    let there = deployed.rsplit_once('(').and_then(|(_, page)| attempt(page.trim_end_matches(')')));
    match (there, attempt(here)) {
        (Some((run, there)), Some((this_run, here))) => run == this_run && there < here,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_earlier_attempt_of_the_same_run_is_gone() {
        let here = "https://github.com/o/r/actions/runs/12/attempts/2";
        let of = |run: &str| {
            format!("run 12 of GitHub Actions (https://github.com/o/r/actions/runs/{run})")
        };
        assert!(is_earlier_attempt(&of("12/attempts/1"), here));
        for other in ["12/attempts/2", "12/attempts/3", "123/attempts/1", "12", "2/attempts/1"] {
            assert!(!is_earlier_attempt(&of(other), here), "{other}");
        }
        assert!(!is_earlier_attempt("a laptop", here));
        assert!(!is_earlier_attempt(
            &of("12/attempts/1"),
            "https://github.com/o/r/actions/runs/12"
        ));
    }

    #[test]
    fn states_that_nobody_posted_are_filled_in() {
        let statuses: Vec<Value> = [
            ("inactive", "api v2 in test replaced it"),
            ("failure", "rolled back: deployment 3 brought v1 back"),
            ("failure", "failed: exited with code 7"),
            ("in_progress", "deploying: api v2 is there, as its digest says"),
        ]
        .iter()
        .map(|(state, text)| json!({ "state": state, "description": text, "created_at": "t" }))
        .collect();
        let found = changes("c", &statuses);
        let states: Vec<&str> = found.iter().map(|change| change.state.as_str()).collect();
        assert_eq!(
            states,
            ["queued", "checking", "deploying", "failed", "rolling back", "rolled back"]
        );
        for pair in found.windows(2) {
            assert!(pair[0].state.may_become(pair[1].state));
        }
        assert_eq!(found[3].why, "exited with code 7");
    }
}

//! Who may deploy what where.

use std::collections::BTreeSet;

use super::{DeployHistory, DeployOrder, DeployState, Hold, Obstacle};
use crate::{
    model::Name,
    provenance::{Permission, Surroundings, may_publish},
    workspace::DeployEnvironment,
};

/// Whether this run may deploy to `environment`: who may not publish may not deploy either; of the
/// runs of CI, those of its branch do, and no others.
pub fn may_deploy(surroundings: &Surroundings, environment: &DeployEnvironment) -> Permission {
    let name = &environment.name;
    if let Permission::Never(why) = may_publish(surroundings) {
        return Permission::Never(format!("this run deploys nothing: {why}"));
    }
    if *surroundings == Surroundings::Laptop {
        return Permission::OnRequest(
            "this is not CI; `forge deploy ENVIRONMENT` deploys from here".into(),
        );
    }
    if environment.is_preview {
        return Permission::Never(format!("`{name}` is for pull requests"));
    }
    match (&environment.branch, surroundings.branch()) {
        (None, _) => {
            Permission::OnRequest(format!("`{name}` has no `branch`, so only people deploy to it"))
        }
        (Some(branch), Some(own)) if branch == own => {
            Permission::Yes(format!("this is the branch `{branch}`"))
        }
        (Some(branch), own) => {
            let own =
                own.map_or("this is not a branch".to_owned(), |own| format!("this is `{own}`"));
            Permission::Never(format!("the branch `{branch}` deploys to `{name}`, and {own}"))
        }
    }
}

/// All that forbids `order`, by who runs it and by what `history` says now. It is asked before anything
/// waits for its turn, for all orders at once, and again when the turn has come: what was waited for may
/// have changed it. `beside` are the subsystems that are deployed before it by the same run.
pub fn forbidden(
    order: &DeployOrder<'_>,
    surroundings: &Surroundings,
    history: &DeployHistory,
    beside: &BTreeSet<Name>,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if let Permission::Never(why) = may_deploy(surroundings, order.environment) {
        obstacles.push(Obstacle::new(why, None));
    }
    match order.back_from {
        Some(from) => obstacles.extend(left_already(order, history, from)),
        None => {
            obstacles.extend(missing_needs(order, history, beside));
            obstacles.extend(order.environment.after.as_ref().and_then(|after| {
                let why = unproven(order, history, after)?;
                let help = format!("`forge deploy {after} {}` comes first", order.name);
                Some(Obstacle::new(why, Some(help)))
            }));
        }
    }
    let holds = history.holds(&order.environment.name, order.name.as_str());
    let hold = holds.iter().find(|hold| hold.identity() == order.identity());
    obstacles.extend(hold.filter(|_| !order.forced).map(|hold| held(order, hold)));
    obstacles
}

/// What `order` needs that is not there, or not as it should be.
fn missing_needs(
    order: &DeployOrder<'_>,
    history: &DeployHistory,
    beside: &BTreeSet<Name>,
) -> Vec<Obstacle> {
    let (place, name) = (&order.environment.name, &order.name);
    let mut obstacles = Vec::new();
    for need in order.deploy.needs.iter().filter(|need| !beside.contains(*need)) {
        let what =
            match (history.current(place, need.as_str()), history.doubt(place, need.as_str())) {
                (_, Some(doubt)) => format!(
                    "{name} needs {need}, whose last deployment to {place} is {}: deployment {}",
                    doubt.state(),
                    doubt.id
                ),
                (None, None) => format!("{name} needs {need}, which was never deployed to {place}"),
                (Some(_), None) => continue,
            };
        let help = format!("`forge deploy {place} {need} {name}` deploys both");
        obstacles.push(Obstacle::new(what, Some(help)));
    }
    obstacles
}

/// Why what is ordered is not proven in the environment `after`, if it is not: what counts is the last
/// deployment there of the same digest.
fn unproven(order: &DeployOrder<'_>, history: &DeployHistory, after: &str) -> Option<String> {
    let label = order.label();
    let Some(last) = history.last_of(after, order.name.as_str(), order.artifact.digest()) else {
        return Some(format!("{label} has not succeeded in {after}, by its digest"));
    };
    if last.state() != DeployState::Succeeded {
        let (id, state) = (last.id, last.state());
        return Some(format!("{label} has not succeeded in {after}: deployment {id} is {state}"));
    }
    let back = history.went_back(last.id)?;
    Some(format!("{label} was left in {after}: deployment {} went back from it", back.id))
}

/// That what an order should bring an earlier version back from is not what is there.
fn left_already(order: &DeployOrder<'_>, history: &DeployHistory, from: u64) -> Option<Obstacle> {
    let (place, name) = (&order.environment.name, order.name.as_str());
    let there = history.leaving(place, name).filter(|it| it.id != from)?;
    let what = format!(
        "{name} would be brought back in {place} from deployment {from}, and deployment {} ({}) came after it",
        there.id, there.version
    );
    Some(Obstacle::new(what, Some(format!("look at `forge deployments {place}`, and ask again"))))
}

/// That the environment is held.
fn held(order: &DeployOrder<'_>, hold: &Hold) -> Obstacle {
    let (place, name) = (&order.environment.name, &order.name);
    let Hold { id, version, why, .. } = hold;
    let help =
        format!("release another version; or insist with `forge deploy {place} {name} --force`");
    let what = format!("{place} is held against {name} {version}: deployment {id}: {why}");
    Obstacle { held: Some(name.clone()), ..Obstacle::new(what, Some(help)) }
}

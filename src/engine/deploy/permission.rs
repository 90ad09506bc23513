//! Who may deploy what where.

use std::collections::BTreeSet;

use super::{
    DeployHistory, DeployOrder, DeployState, Hold, Obstacle,
    preview::{may_preview, may_sweep},
};
use crate::{
    model::Name,
    provenance::{Permission, Surroundings, may_publish},
    workspace::DeployEnvironment,
};

/// Whether this run may deploy to `environment`: who may not publish may not deploy either; of the
/// runs of CI, those of its branch do, and no others.
pub fn may_deploy(surroundings: &Surroundings, environment: &DeployEnvironment) -> Permission {
    let name = &environment.name;
    if environment.is_preview {
        return may_preview(surroundings);
    }
    if let Permission::Never(why) = may_publish(surroundings) {
        return Permission::Never(format!("this run deploys nothing: {why}"));
    }
    if *surroundings == Surroundings::Laptop {
        return Permission::OnRequest(
            "this is not CI; `forge deploy ENVIRONMENT` deploys from here".into(),
        );
    }
    let (branch, tag) = (environment.branch.as_deref(), environment.tag.as_deref());
    if branch.is_none() && tag.is_none() {
        let why = format!("`{name}` has neither `branch` nor `tag`, so only people deploy to it");
        return Permission::OnRequest(why);
    }
    let (own_branch, own_tag) = (surroundings.branch(), surroundings.tag());
    if let Some(own) = own_branch.filter(|own| branch == Some(own)) {
        return Permission::Yes(format!("this is the branch `{own}`"));
    }
    if let Some(own) = own_tag.filter(|own| tag.is_some_and(|tag| is_like(own, tag))) {
        return Permission::Yes(format!("this is the tag `{own}`"));
    }
    let own = match (own_branch, own_tag) {
        (Some(own), _) => format!("this is `{own}`"),
        (None, Some(own)) => format!("this is the tag `{own}`"),
        (None, None) => "this is not a branch".to_owned(),
    };
    let who = match (branch, tag) {
        (Some(branch), Some(tag)) => format!("the branch `{branch}` and tags `{tag}` deploy"),
        (Some(branch), None) => format!("the branch `{branch}` deploys"),
        (None, tag) => format!("tags `{}` deploy", tag.unwrap_or_default()),
    };
    Permission::Never(format!("{who} to `{name}`, and {own}"))
}

/// Whether `text` is like `pattern`, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|behind| {
            behind
                .char_indices()
                .map(|(at, _)| at)
                .chain([behind.len()])
                .any(|at| is_like(&behind[at..], rest))
        }),
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
    let may = may_deploy(surroundings, order.environment);
    if order.destroys {
        let is_forbidden = |may: &Permission| matches!(may, Permission::Never(_));
        if is_forbidden(&may) && is_forbidden(&may_sweep(surroundings)) {
            obstacles.push(Obstacle::new(may.why().to_owned(), None));
        }
        return obstacles;
    }
    if let Permission::Never(why) = may {
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
        let help = format!("`{} {need} {name}` deploys both", order.verb());
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
    let help = format!("release another version; or insist with `{} {name} --force`", order.verb());
    let what = format!("{place} is held against {name} {version}: deployment {id}: {why}");
    Obstacle { held: Some(name.clone()), ..Obstacle::new(what, Some(help)) }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, expected) in [
            ("v1.2.0", "v*", true),
            ("v1.2.0", "v1.*.0", true),
            ("v1.2.0", "*", true),
            ("", "*", true),
            ("v1", "v1", true),
            ("x-v1", "v*", false),
            ("v1.2.0", "v1.*.1", false),
            ("v1é", "v1*é", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}

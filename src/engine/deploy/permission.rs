//! Who may deploy where.

use crate::{
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
            behind.char_indices().map(|(at, _)| at).chain([behind.len()]).any(|at| is_like(&behind[at..], rest))
        }),
    }
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

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

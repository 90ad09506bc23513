//! The registries of images: who is asking, what they may do, and what to do where that is not enough.
//! Each repository is asked: on many hosts it is a repository that lets somebody in.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use crate::{
    model::{
        Fault, Kind,
        oci::{ImageReference, ImageRepository},
    },
    probe::NOT_ASKED,
    provenance::{Permission, Surroundings, may_publish_to},
    store::{Registries, RegistryAccess},
    workspace::{Image, Workspace},
};

use super::{super::session::Session, check::Check};

/// How many repositories are asked at once.
const AT_ONCE: usize = 8;

/// A check for each registry that images are pushed to, or for each repository of it where something
/// is wrong; and for what images stand on.
pub(super) async fn check_registries(
    session: &Session,
    workspace: &Workspace,
    surroundings: &Surroundings,
) -> Vec<Check> {
    let images = || workspace.subsystems.values().filter_map(|it| it.image.as_ref());
    let own: BTreeSet<&ImageRepository> = images().map(|image| &image.repo).collect();
    let bases: BTreeSet<&ImageReference> =
        images().filter_map(|image: &Image| image.base.as_ref()).collect();
    if session.flags.offline {
        let hosts: BTreeSet<&str> = own.iter().map(|repository| repository.host()).collect();
        let check = |host| Check::new("registry", host, NOT_ASKED);
        return hosts.into_iter().map(check).collect();
    }
    let registries = Registries::new(&session.settings_of_stores(workspace, true));
    let asked =
        own.iter().map(|repository| async { (*repository, registries.examine(repository).await) });
    let asked: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut checks = told(&asked, surroundings);
    let looks = bases.into_iter().map(|base| async { check_base(&registries, base).await });
    checks.extend(stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await);
    checks
}

/// One check for all that is well at one host, and one for each repository that is not.
fn told(asked: &[(&ImageRepository, RegistryAccess)], surroundings: &Surroundings) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut well: BTreeMap<(&str, String), Vec<&ImageRepository>> = BTreeMap::new();
    for (repository, access) in asked {
        let permission = may_publish_to(surroundings, !repository.is_local());
        let found = found(access);
        match wrong(repository, access, &permission) {
            Some(wrong) => {
                checks.push(wrong.into_check(Check::new(
                    "registry",
                    repository.to_string(),
                    found,
                )));
            }
            None => well.entry((repository.host(), found)).or_default().push(repository),
        }
    }
    let all_well =
        well.into_iter().map(|((host, found), repositories)| match repositories.as_slice() {
            [one] => Check::new("registry", one.to_string(), found),
            all => Check::new("registry", host, format!("{} repositories {found}", all.len())),
        });
    all_well.chain(checks).collect()
}

/// What may be done, as whom.
fn found(access: &RegistryAccess) -> String {
    let may = match (&access.read, &access.write) {
        (Err(_), _) => "may not be read",
        (Ok(()), Ok(())) => "may be read and pushed to",
        (Ok(()), Err(_)) => "may be read, not pushed to",
    };
    match &access.login {
        Some(source) => format!("{may}, with the login from {source}"),
        None => format!("{may}, without a login"),
    }
}

/// What is wrong with a repository, and whether anything would fail for it.
struct AccessProblem {
    fault: Fault,
    is_bad: bool,
}

impl AccessProblem {
    fn into_check(self, check: Check) -> Check {
        if self.is_bad { check.bad(self.fault) } else { check.note(self.fault) }
    }
}

fn wrong(
    repository: &ImageRepository,
    access: &RegistryAccess,
    permission: &Permission,
) -> Option<AccessProblem> {
    if let Err(fault) = &access.read {
        let fault = fault.clone().within(format!("{repository} may not be read"));
        return Some(AccessProblem { fault, is_bad: true });
    }
    let fault = access.write.as_ref().err()?;
    let fault = fault.clone().within(format!("pushing to {repository} would fail"));
    match (permission, &access.login) {
        (Permission::Yes(_), _) => Some(AccessProblem { fault, is_bad: true }),
        // Who has no login does not mean to push.
        (Permission::OnRequest(_), Some(_)) => Some(AccessProblem { fault, is_bad: false }),
        (Permission::OnRequest(_), None) | (Permission::Never(_), _) => None,
    }
}

async fn check_base(registries: &Registries, base: &ImageReference) -> Check {
    match registries.manifest(base).await {
        Ok(Some(_)) => Check::new("base", base.to_string(), "may be read"),
        Ok(None) => {
            let fault = Fault::new(Kind::Usage, format!("there is no image {base} to stand on"))
                .hint("look at `base:` and at its registry");
            Check::new("base", base.to_string(), "is not there").bad(fault)
        }
        Err(fault) => Check::new("base", base.to_string(), "may not be read").bad(fault),
    }
}

//! Moving refs: finding the commit that `main` means now, before anything is looked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    git,
    model::{Fault, Kind, Name},
    process::CommandRunner,
    workspace::{Source, Subsystem, Workspace},
};

/// The subsystems in `names`, and in what they need, whose version is a moving ref
/// that the lock does not pin.
pub fn unlocked_refs<'a>(workspace: &'a Workspace, names: &BTreeSet<Name>) -> Vec<&'a Subsystem> {
    let mut seen = BTreeSet::new();
    let mut rest: Vec<&Name> = names.iter().collect();
    let mut found = Vec::new();
    while let Some(name) = rest.pop() {
        let Some((name, subsystem)) = workspace.subsystems.get_key_value(name) else { continue };
        if !seen.insert(name) {
            continue;
        }
        rest.extend(subsystem.needs.iter().chain(&subsystem.build_needs));
        let locked = workspace.lock.get(name, subsystem.version.as_str());
        if subsystem.version.is_moving() && locked.is_none_or(|locked| locked.commit.is_none()) {
            found.push(subsystem);
        }
    }
    found
}

/// Asks the remotes which commits the refs of `subsystems` mean.
pub async fn resolve_refs(
    runner: &dyn CommandRunner,
    subsystems: &[&Subsystem],
) -> Result<BTreeMap<Name, String>, Fault> {
    let mut commits = BTreeMap::new();
    for subsystem in subsystems {
        let Source::Git { url, reference } = &subsystem.source else {
            return Err(Fault::new(
                Kind::Usage,
                format!(
                    "`{}` of {} is a moving ref without a git source",
                    subsystem.version, subsystem.name
                ),
            ));
        };
        let resolved = git::resolve(runner, url, reference).await.map_err(|fault| {
            fault.within(format!("cannot resolve `{reference}` of {}", subsystem.name))
        })?;
        commits.insert(subsystem.name.clone(), resolved.commit);
    }
    Ok(commits)
}

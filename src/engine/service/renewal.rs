//! A supervisor that was started from other binaries than those that are installed by now: it makes way
//! for them, and what ran with it starts again.

use std::collections::BTreeSet;

use super::{ServicePaths, Supervisor, lower, names, raise::binaries, with_needs};
use crate::{
    model::{Fault, Name},
    workspace::Workspace,
};

/// The services that have to start again since their supervisor does, with all that they need; none, if
/// that is the one that is installed as `name`. Bringing any service up ends all of them.
///
/// # Errors
/// If the supervisor does not answer.
pub fn interrupted(workspace: &Workspace, name: &Name) -> Result<BTreeSet<Name>, Fault> {
    let home = ServicePaths::new(&workspace.layout);
    let Some(supervisor) = Supervisor::find(&home) else { return Ok(BTreeSet::new()) };
    if why(workspace, name, &supervisor).is_none() {
        return Ok(BTreeSet::new());
    }
    let states = supervisor.states()?;
    let runs = |name: &Name| states.get(name).is_some_and(|state| !state.is_over());
    let running = names(workspace).into_iter().filter(runs).collect();
    Ok(with_needs(workspace, &running))
}

/// Ends `supervisor` with all services, if it is not the one that is installed as `name`, and tells
/// `note` why; gives it back, if it is.
///
/// # Errors
/// If something is left that cannot be killed.
pub fn renew<'h>(
    workspace: &Workspace,
    name: &Name,
    supervisor: Supervisor<'h>,
    note: &dyn Fn(&str),
) -> Result<Option<Supervisor<'h>>, Fault> {
    let Some(why) = why(workspace, name, &supervisor) else { return Ok(Some(supervisor)) };
    note(&format!("the supervisor is started again, and all services with it: {why}"));
    lower::all(workspace, &ServicePaths::new(&workspace.layout), supervisor)?;
    Ok(None)
}

/// Why `supervisor` has to make way.
pub fn why(workspace: &Workspace, name: &Name, supervisor: &Supervisor) -> Option<String> {
    let (was, is) = (supervisor.binaries(), binaries(workspace, name));
    (was != is).then(|| format!("{was} ran, {is} is installed"))
}

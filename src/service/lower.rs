//! Ends services, and their supervisor with the last of them: by asking it, and if that does not help,
//! without it. Whatever carries the workspace's mark is gone afterwards.

use std::{collections::BTreeSet, fs, time::Duration};

use super::{Home, Supervisor, configuration::Configuration, with_dependents};
use crate::{
    cache::BusyLock,
    model::{Fault, Kind, Layout, Name},
    process::{carriers, end_all, guardian::Guardian},
    workspace::Workspace,
};

/// What the supervisor gets beyond the time that services may take to end.
const MARGIN: Duration = Duration::from_secs(10);
/// How long what a supervisor left behind may take to end.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// Ends the services called `names` with all that need them; every process of every service, if that
/// leaves none. Returns the names of what was running.
///
/// # Errors
/// If something is left that cannot be killed, or the supervisor does not do as it is told.
pub fn lower(workspace: &Workspace, names: Option<&BTreeSet<Name>>) -> Result<Vec<Name>, Fault> {
    let home = Home::new(&workspace.layout);
    let _lock = BusyLock::wait(&home.lock())?;
    let mut configuration = Configuration::read(&home);
    let supervisor = Supervisor::of(&home);
    let was: Vec<Name> = match supervisor {
        Some(_) => configuration.names().cloned().collect(),
        None => Vec::new(),
    };
    if let (Some(names), Some(supervisor)) = (names, &supervisor) {
        let ending = with_dependents(workspace, names);
        configuration.retain(|name| !ending.contains(name));
        if configuration.names().next().is_some() {
            configuration.write(&home)?;
            supervisor.read_again(patience(workspace))?;
            return Ok(was.into_iter().filter(|name| ending.contains(name)).collect());
        }
    }
    end(&home, supervisor, patience(workspace))?;
    Ok(was)
}

/// As [`lower`], of all services of the workspace with this layout, whose files may be broken.
///
/// # Errors
/// As [`lower`].
pub fn lower_all(layout: &Layout) -> Result<(), Fault> {
    let home = Home::new(layout);
    let _lock = BusyLock::wait(&home.lock())?;
    end(&home, Supervisor::of(&home), MARGIN * 3)
}

/// How long all services may take to end, one after the other.
pub fn patience(workspace: &Workspace) -> Duration {
    let services = workspace.subsystems.values().filter_map(|subsystem| subsystem.service.as_ref());
    services.map(|service| service.grace + Duration::from_secs(1)).sum::<Duration>() + MARGIN
}

/// Ends the supervisor and all that carries the mark.
pub fn end(home: &Home, supervisor: Option<Supervisor>, patience: Duration) -> Result<(), Fault> {
    if let Some(supervisor) = supervisor {
        let process = supervisor.process();
        process.terminate();
        if !process.is_gone_within(patience) {
            process.kill();
        }
    }
    let mark = home.mark();
    if !end_all(&|| carriers(&mark), LEFT_BEHIND) {
        let left: Vec<_> = carriers(&mark).iter().map(|left| left.pid.to_string()).collect();
        let what = format!("processes of services cannot be killed: {}", left.join(", "));
        return Err(Fault::new(Kind::Failed, what));
    }
    for file in [home.record(), home.configuration(), home.socket()] {
        // What is not there need not be removed.
        let _ = fs::remove_file(file);
    }
    Ok(())
}

/// Ends all services of a workspace should this forge be killed before it is dropped.
pub struct Watch {
    _guardian: Guardian,
}

impl Watch {
    /// Begins to watch.
    pub fn over(workspace: &Workspace) -> Self {
        let mark = Home::new(&workspace.layout).mark();
        let guardian = Guardian::new(Some(Guardian::of_this_program(&mark)));
        guardian.start();
        Self { _guardian: guardian }
    }
}

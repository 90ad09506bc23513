//! Ends services, and their supervisor with the last of them: by asking it, and if that does not help,
//! without it. Whatever carries the workspace's mark is gone afterwards.

use std::{collections::BTreeSet, thread, time::Duration};

use super::{
    ServicePaths, Supervisor, configuration::Configuration, find_service, stop::stop,
    with_dependents,
};
use crate::{
    cache::existing_forge_folder,
    model::{Fault, Kind, Layout, Name},
    process::{Cancel, carriers, end_all, guardian::Guardian},
    workspace::Workspace,
};

/// How long a service may take to end of which nothing is known, and the supervisor.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long what a supervisor left behind may take to end.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// Ends the services called `names` with all that need them; every process of every service, if that
/// leaves none. Returns the names of what was running. While another forge starts or ends services, this
/// waits, which `tell` is told, until `cancel` ends it.
///
/// # Errors
/// If something is left that cannot be killed, or the supervisor does not do as it is told.
pub fn lower(
    workspace: &Workspace,
    names: Option<&BTreeSet<Name>>,
    cancel: &Cancel,
    tell: &dyn Fn(&str),
) -> Result<Vec<Name>, Fault> {
    let home = ServicePaths::new(&workspace.layout);
    let _grace = cancel.grace_period();
    let _lock = home.turn(cancel, tell)?;
    let Some(supervisor) = Supervisor::find(&home) else {
        end(&home, None)?;
        return Ok(Vec::new());
    };
    let mut configuration = Configuration::read(&home);
    let ending: BTreeSet<Name> = match names {
        Some(names) => with_dependents(workspace, names),
        None => configuration.names().cloned().collect(),
    };
    let was: Vec<Name> =
        configuration.names().filter(|name| ending.contains(*name)).cloned().collect();
    stop_all(workspace, &home, &supervisor, was.iter().cloned().collect())?;
    configuration.retain(|name| !ending.contains(name));
    if configuration.names().next().is_none() {
        end(&home, Some(supervisor))?;
    } else {
        configuration.write(&home)?;
        supervisor.read_again()?;
    }
    Ok(was)
}

/// As [`lower`], of all services of the workspace with this layout, whose files may be broken.
///
/// # Errors
/// As [`lower`].
pub fn lower_all(layout: &Layout, cancel: &Cancel, tell: &dyn Fn(&str)) -> Result<(), Fault> {
    let home = ServicePaths::new(layout);
    let _grace = cancel.grace_period();
    let _lock = home.turn(cancel, tell)?;
    end(&home, Supervisor::find(&home))
}

/// Ends all services, and then `supervisor`.
///
/// # Errors
/// As [`lower`].
pub fn all(
    workspace: &Workspace,
    home: &ServicePaths,
    supervisor: Supervisor,
) -> Result<(), Fault> {
    let names = Configuration::read(home).names().cloned().collect();
    stop_all(workspace, home, &supervisor, names)?;
    end(home, Some(supervisor))
}

/// Ends services side by side, each after those that need it.
fn stop_all(
    workspace: &Workspace,
    home: &ServicePaths,
    supervisor: &Supervisor,
    mut left: BTreeSet<Name>,
) -> Result<(), Fault> {
    // One that does not answer is ended without being asked.
    let Ok(states) = supervisor.states() else { return Ok(()) };
    while !left.is_empty() {
        let is_needed = |name: &Name| {
            let mut services =
                left.iter().filter_map(|other| find_service(workspace, other.as_str()));
            services.any(|service| service.needs.contains(name))
        };
        let wave: Vec<Name> = left.iter().filter(|name| !is_needed(name)).cloned().collect();
        // Only a cycle has none, and cycles are refused when files are read.
        let wave = if wave.is_empty() { left.iter().cloned().collect() } else { wave };
        left.retain(|name| !wave.contains(name));
        let stop = |name: &Name| {
            let grace =
                find_service(workspace, name.as_str()).map_or(GRACE, |service| service.grace);
            let state = states.get(name).cloned().unwrap_or_default();
            stop(home, supervisor, name, grace, &state)
        };
        thread::scope(|scope| {
            let begin = |name| thread::Builder::new().spawn_scoped(scope, move || stop(name)).ok();
            let stopping: Vec<_> = wave.iter().map(|name| (name, begin(name))).collect();
            let broken = |_| Err(Fault::new(Kind::Failed, "a service could not be ended"));
            stopping.into_iter().try_for_each(|(name, thread)| match thread {
                Some(thread) => thread.join().unwrap_or_else(broken),
                // The system has no thread left.
                None => stop(name),
            })
        })?;
    }
    Ok(())
}

/// Ends the supervisor and all that carries the mark.
pub fn end(home: &ServicePaths, supervisor: Option<Supervisor>) -> Result<(), Fault> {
    if let Some(supervisor) = supervisor {
        let process = supervisor.process();
        process.terminate();
        if !process.is_gone_within(GRACE) {
            process.kill();
        }
    }
    let mark = home.mark();
    if !end_all(&|| carriers(&mark), LEFT_BEHIND) {
        let left: Vec<_> = carriers(&mark).iter().map(|left| left.pid.to_string()).collect();
        let what = format!("processes of services cannot be killed: {}", left.join(", "));
        return Err(Fault::new(Kind::Failed, what));
    }
    // What is not there need not be removed.
    if let Some(forge) = existing_forge_folder(home.layout())? {
        for file in [home.record(), home.configuration()] {
            let _ = forge.remove_file(&file);
        }
    }
    home.remove_socket();
    Ok(())
}

/// Ends all services of a workspace should this forge be killed before it is dropped.
pub struct DownGuard {
    _guardian: Guardian,
}

impl DownGuard {
    /// Begins to watch.
    pub fn over(workspace: &Workspace) -> Self {
        let mark = ServicePaths::new(&workspace.layout).mark();
        let guardian = Guardian::new(Some(Guardian::of_this_program(&mark)));
        guardian.start();
        Self { _guardian: guardian }
    }
}
